#!/usr/bin/env python3
"""Runs the benchmarks and prints their times as ratios to what limits them.

    python3 bench/ratios.py build/bench/bench             both programs, about ten minutes
    python3 bench/ratios.py build/bench/bench --filter 4096x4096 --repetitions 30
    python3 bench/ratios.py --json projection.json step.json      tables of an earlier run

A ratio is of the fastest repetitions, because noise on a shared machine only ever adds time; the
ratio of medians stands beside it. The benchmarks of one scalar and shape are run together, their
repetitions in random order.
Ends with status 1 if a ratio is over its bound.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

PROGRAMS = ("projection", "step")
# Not in the tables: sizes that only the charts need, and the loop that takes half a second a call.
EXCLUDED = re.compile("/(512x512|2048x2048|8192x8192)/|/4096x4096/per_row/colmajor/[a-z]*/loop/")


def run(directory, program, args):
    """Runs a program, one process for each scalar and shape, and writes one file of results, if any.

    What is compared is timed within seconds, so that a busy minute of the machine takes its toll
    from all of it.
    """
    program_path = directory / f"{program}_bench"
    listed = subprocess.run([program_path, "--benchmark_list_tests"], check=True,
                            capture_output=True, text=True).stdout.split()
    wanted = re.compile(args.filter)
    groups = {}
    for name in listed:
        match = re.search(r"/(float|double)/[^/]*", name)
        if not EXCLUDED.search(name) and wanted.search(name):
            groups.setdefault(match[0], []).append(name)

    result = None
    for group, names in groups.items():
        print(f"{program}{group}: {len(names)} benchmarks", file=sys.stderr)
        out = args.out / f"{program}.part.json"
        subprocess.run(
            [program_path,
             "--benchmark_filter=^(" + "|".join(names) + ")$",
             f"--benchmark_repetitions={args.repetitions}",
             "--benchmark_enable_random_interleaving=true",
             f"--benchmark_out={out}",
             "--benchmark_out_format=json"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part = json.loads(out.read_text())
        out.unlink()
        part["benchmarks"] = [b for b in part["benchmarks"] if b.get("run_type") != "aggregate"]
        if result is None:
            result = part
        else:
            result["benchmarks"] += part["benchmarks"]
    if result is None:
        return []
    file = args.out / f"{program}.json"
    file.write_text(json.dumps(result))
    return [file]


class Times:
    """Nanoseconds of every repetition by benchmark name."""

    def __init__(self, files):
        self.times = {}
        self.context = {}
        for file in files:
            data = json.loads(pathlib.Path(file).read_text())
            self.context = data["context"]
            for entry in data["benchmarks"]:
                # Google Benchmark's own suffixes are not part of the name's pattern.
                name = "/".join(part for part in entry["name"].split("/") if ":" not in part)
                if entry.get("error_occurred"):
                    sys.exit(f"{name}: {entry['error_message']}")
                assert entry["time_unit"] == "ns"
                self.times.setdefault(name, []).append(entry["cpu_time"])

    def __contains__(self, name):
        return name in self.times

    def matching(self, prefix):
        return [name for name in self.times if name.startswith(prefix)]

    def least(self, *names):
        return sum(min(self.times[name]) for name in names)

    def median(self, *names):
        return sum(statistics.median(self.times[name]) for name in names)

    def last_level_cache(self):
        return max((c["size"] for c in self.context.get("caches", [])), default=32 << 20)


def entries(shape):
    product = 1
    for dim in shape.removeprefix("fixed").split("x"):
        product *= int(dim)
    return product


class Row:
    def __init__(self, times, case, beside, reference, bound):
        self.case, self.beside, self.bound = case, beside, bound
        name = case
        self.time = times.least(name)
        self.ratio = self.time / times.least(*reference)
        self.median_ratio = times.median(name) / times.median(*reference)

    def place(self):
        """Scalars apart, then by number of entries."""
        parts = self.case.split("/")
        shape = next(i for i, part in enumerate(parts) if part[-1].isdigit())
        return parts[:shape], entries(parts[shape]), parts[shape:]

    def over(self):
        return self.bound is not None and self.ratio > self.bound


def lies_along(shape, grouping, order):
    """Whether the vectors are contiguous in memory."""
    return {
        "per_row": order == "rowmajor",
        "per_col": order == "colmajor",
        "whole": True,
        "per_filter_oihw": True,
        "per_filter_iohw": False,
        "per_filter_hwio": False,
    }[grouping]


def projection_rows(times):
    """Yields (table, row)."""
    cache = times.last_level_cache()
    for name in times.matching("project/"):
        _, scalar, shape, grouping, order, violators = name.split("/")
        size = entries(shape)
        bytes_ = size * (4 if scalar == "float" else 8)
        in_memory = bytes_ > 1.5 * cache
        along = lies_along(shape, grouping, order)

        read, scale = f"read/{scalar}/{shape}", f"scale/{scalar}/{shape}"
        if read in times and not shape.startswith("fixed"):
            where = "from memory" if in_memory else "from cache"
            # Below 256 x 256 hand-written Eigen is the bar.
            binding = size > 256 * 256
            if violators == "none":
                kind = "contiguous" if along else "strided"
                yield f"{kind}, none violates / read pass", Row(
                    times, name, "read", [read],
                    (1.10 if along else 1.20) if binding else None)
            # A vector that no cache holds is read once more before it is scaled.
            if grouping == "whole" and in_memory:
                along = False
            if violators == "all" and along:
                yield "contiguous, all violate / scale pass", Row(
                    times, name, f"scale, {where}", [scale],
                    (1.15 if in_memory else 1.35) if binding else None)
            if violators == "all" and not along:
                yield "strided or beyond the cache, all violate / read pass + scale pass", Row(
                    times, name, "read + scale", [read, scale], 1.20 if binding else None)

        hands = times.matching(name.replace("project/", "hand/", 1) + "/")
        if hands:
            best = min(hands, key=times.least)
            bound = 1.5 if size <= 256 else 1.10 if size <= 256 * 256 else None
            yield "any grouping / the best hand-written Eigen", Row(
                times, name, best.rsplit("/", 1)[1], [best], bound)


def step_rows(times):
    cache = times.last_level_cache()
    for name in times.matching("step/"):
        _, optimizer, scalar, shape, *case = name.split("/")
        key = f"{optimizer}/{scalar}/{shape}"
        streams = 4 if optimizer == "adam" else 3
        in_memory = entries(shape) * (4 if scalar == "float" else 8) * streams > 1.5 * cache
        # The cost of small steps is for the projection's table.
        binding = entries(shape) > 256
        if case == ["alone"]:
            if f"stream/{key}" in times:
                yield "step alone / the same streams", Row(
                    times, name, "stream", [f"stream/{key}"],
                    1.15 if optimizer == "adam" and in_memory else None)
            if f"hand/{key}" in times:
                yield "step alone / hand-written Eigen", Row(
                    times, name, "statements", [f"hand/{key}"], None)
            continue
        alone = f"step/{key}/alone"
        if alone not in times:
            continue
        grouping, violators = case
        bound = None
        if binding and violators == "none":
            bound = 1.08 if optimizer == "adam" else 1.12
        if binding and violators == "all" and optimizer == "adam":
            bound = 1.15 if grouping == "per_col" else 1.35
        yield f"{optimizer} + constraint / {optimizer} alone", Row(
            times, name, "alone", [alone], bound)


def duration(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def print_tables(rows, only_over):
    tables = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row)
    over = total = 0
    for table, lines in tables.items():
        bounded = [row for row in lines if row.bound is not None]
        table_over = [row for row in bounded if row.over()]
        over += len(table_over)
        total += len(bounded)
        print(f"\n## {table}: {len(table_over)} of {len(bounded)} over\n")
        print("| case | time | beside | ratio | of medians | at most | |")
        print("| --- | ---: | --- | ---: | ---: | ---: | --- |")
        for row in sorted(lines, key=Row.place):
            if only_over and not row.over():
                continue
            bound = f"{row.bound:.2f}" if row.bound is not None else ""
            print(f"| {row.case.split('/', 1)[1]} | {duration(row.time)} | {row.beside} "
                  f"| {row.ratio:.2f} | {row.median_ratio:.2f} | {bound} "
                  f"| {'OVER' if row.over() else ''} |")
    print(f"\n{over} of {total} ratios with a bound are over it.")
    return over


def write_bandwidths(times, file):
    """Gigabytes of square float weights per second by size, a column for each pass."""
    passes = {
        "read": "read/{}",
        "scale": "scale/{}",
        **{f"{who}, {where}, {violators}": f"{what}/{{}}/{grouping}/colmajor/{violators}"
           for who, what in (("rein", "project"), ("by hand", "hand"))
           for where, grouping in (("contiguous", "per_col"), ("strided", "per_row"))
           for violators in ("none", "all")},
    }
    with open(file, "w") as out:
        print("bytes", *passes, sep=";", file=out)
        for exponent in range(2, 14):
            size = 2 ** exponent
            shape = f"float/{size}x{size}"
            if f"read/{shape}" not in times:
                continue
            row = [4 * size * size]
            for pattern in passes.values():
                names = times.matching(pattern.format(shape))
                row.append(4 * size * size / min(map(times.least, names)) if names else "")
            print(*row, sep=";", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=pathlib.Path,
                        help="where projection_bench and step_bench are")
    parser.add_argument("--json", nargs="+", metavar="FILE", help="results of an earlier run")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."),
                        help="where the JSON files go")
    parser.add_argument("--filter", default=".", help="regular expression for benchmark names")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--over", action="store_true", help="print only what is over its bound")
    parser.add_argument("--csv", metavar="FILE", help="write the bandwidths for the chart")
    args = parser.parse_args()
    if not args.json and not args.directory:
        parser.error("give the directory of the programs, or --json")

    files = args.json or [
        file for program in PROGRAMS for file in run(args.directory, program, args)]
    times = Times(files)
    if args.csv:
        write_bandwidths(times, args.csv)
    rows = [*projection_rows(times), *step_rows(times)]
    sys.exit(1 if print_tables(rows, args.over) else 0)


if __name__ == "__main__":
    main()
