#!/usr/bin/env python3
"""Times the compiler, and prints ratios of CPU time: what rein adds to Eigen.

    python3 bench/compile_time.py
    python3 bench/compile_time.py --compiler g++ --page docs/benchmarks.md

The inclusion of rein.hpp beside that of Eigen/Core, and a unit that uses MaxNorm and Adam on three
types of matrix (compile_time/with_rein.cpp) beside one that does the same in plain Eigen
(compile_time/by_hand.cpp). At -O2, in turn, the least user time of each. First it runs both units, to
see that they do the same. Ends with status 1 if a ratio is over its bound.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from page import replace_region, table

BENCH = pathlib.Path(__file__).resolve().parent
UNITS = BENCH / "compile_time"
INCLUDE_BOUND = 1.15
UNIT_BOUND = 1.5


def eigen_directory():
    if shutil.which("pkg-config"):
        found = subprocess.run(["pkg-config", "--variable=includedir", "eigen3"],
                               capture_output=True, text=True).stdout.strip()
        for directory in (f"{found}/eigen3", found):
            if found and pathlib.Path(directory, "Eigen/Core").is_file():
                return directory
    return "/usr/include/eigen3"


def user_time(command):
    """Seconds that a command and the programs it starts compute, without the kernel's."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return usage.ru_utime


def check_units(compile_, directory):
    """Runs what the two units define."""
    program = directory / "same"
    subprocess.run([*compile_, *(UNITS / f"{name}.cpp" for name in ("with_rein", "by_hand", "same")),
                    "-o", program], check=True)
    subprocess.run([program], check=True)


def least_times(compile_, sources, repetitions):
    times = {source: [] for source in sources}
    for _ in range(repetitions):
        for source in sources:
            times[source].append(user_time([*compile_, "-c", source, "-o", os.devnull]))
    return {source: min(of_source) for source, of_source in times.items()}


def version(compiler):
    return subprocess.run([compiler, "--version"], check=True, capture_output=True,
                          text=True).stdout.splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", nargs="+", metavar="COMPILER",
                        default=[c for c in ("g++", "clang++") if shutil.which(c)])
    parser.add_argument("--eigen", default=eigen_directory(), help="the directory that has Eigen/")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--page", metavar="FILE", help="the page whose table to replace")
    args = parser.parse_args()

    lines, over = [], 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        rein, eigen = directory / "rein.cpp", directory / "eigen.cpp"
        rein.write_text("#include <rein/rein.hpp>\n")
        eigen.write_text("#include <Eigen/Core>\n")
        with_rein, by_hand = UNITS / "with_rein.cpp", UNITS / "by_hand.cpp"
        for compiler in args.compiler:
            compile_ = [compiler, "-std=c++20", "-O2", f"-I{BENCH.parent / 'include'}",
                        f"-isystem{args.eigen}"]
            check_units(compile_, directory)
            times = {
                # The shorter ones more often: their difference is a tenth of a second.
                **least_times(compile_, (rein, eigen), 3 * args.repetitions),
                **least_times(compile_, (with_rein, by_hand), args.repetitions),
            }
            for what, one, other, bound in (
                    ("`#include <rein/rein.hpp>` / `<Eigen/Core>`", rein, eigen, INCLUDE_BOUND),
                    ("MaxNorm and Adam on three types / by hand", with_rein, by_hand, UNIT_BOUND)):
                ratio = times[one] / times[other]
                over += ratio > bound
                lines.append([version(compiler), what, f"{times[one]:.2f} s",
                              f"{times[other]:.2f} s",
                              f"**{ratio:.2f}**" if ratio > bound else f"{ratio:.2f}",
                              f"<= {bound:.2f}"])

    text = table(["compiler", "what ", "rein", "Eigen", "ratio", "bound"], lines)
    if args.page:
        replace_region(args.page, "compile time", text)
    print(text)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
