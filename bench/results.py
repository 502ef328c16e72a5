"""Runs programs of Google Benchmark, and reads what they measured."""

import json
import pathlib
import re
import statistics
import subprocess
import sys


def run(directory, program, out, repetitions, wanted="."):
    """Runs the benchmarks of a program whose names match, and writes its results to a file.

    There is one process for each scalar and shape, its repetitions in random order: what is compared
    is timed within seconds, so that a busy minute of the machine takes its toll from all of it.
    Returns the file, or None where no name matches or the program was not built.
    """
    path = directory / f"{program}_bench"
    if not path.is_file():
        print(f"there is no {path}", file=sys.stderr)
        return None
    listed = subprocess.run([path, "--benchmark_list_tests"], check=True,
                            capture_output=True, text=True).stdout.split()
    groups = {}
    for name in listed:
        if re.search(wanted, name):
            group = re.search(r"/(float|double)/[^/]*", name)[0]
            groups.setdefault(group, []).append(name)

    result = None
    for group, names in groups.items():
        print(f"{program}{group}: {len(names)} benchmarks", file=sys.stderr)
        part_file = out / f"{program}.part.json"
        subprocess.run(
            [path,
             "--benchmark_filter=^(" + "|".join(names) + ")$",
             f"--benchmark_repetitions={repetitions}",
             "--benchmark_enable_random_interleaving=true",
             f"--benchmark_out={part_file}",
             "--benchmark_out_format=json"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part = json.loads(part_file.read_text())
        part_file.unlink()
        if result is None:
            result = {"context": part["context"], "benchmarks": []}
        result["benchmarks"] += [b for b in part["benchmarks"] if b.get("run_type") != "aggregate"]
    if result is None:
        return None
    file = out / f"{program}.json"
    file.write_text(json.dumps(result))
    return file


class Times:
    """Nanoseconds of every repetition by benchmark name."""

    def __init__(self, files):
        self.times = {}
        self.counters = {}
        self.context = {}
        for file in files:
            data = json.loads(pathlib.Path(file).read_text())
            self.context = data["context"]
            for entry in data["benchmarks"]:
                # Google Benchmark's own suffixes are not part of the name's pattern.
                parts = entry["name"].split("/")
                clocks = ("real_time", "manual_time")
                name = "/".join(p for p in parts if ":" not in p and p not in clocks)
                if entry.get("error_occurred"):
                    sys.exit(f"{name}: {entry['error_message']}")
                assert entry["time_unit"] == "ns"
                clock = "real_time" if any(p in clocks for p in parts) else "cpu_time"
                self.times.setdefault(name, []).append(entry[clock])
                self.counters[name] = entry

    def __contains__(self, name):
        return name in self.times

    def matching(self, prefix):
        return [name for name in self.times if name.startswith(prefix)]

    def least(self, *names):
        return sum(min(self.times[name]) for name in names)

    def median(self, *names):
        return sum(statistics.median(self.times[name]) for name in names)

    def cache(self, level):
        """Bytes of the data cache of a level, or of the last there is."""
        caches = {c["level"]: c["size"] for c in self.context.get("caches", [])
                  if c["type"] != "Instruction"}
        return caches.get(level) or max(caches.values(), default=32 << 20)


def entries(shape):
    product = 1
    for dim in shape.removeprefix("fixed").split("x"):
        product *= int(dim)
    return product


def duration(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= 0.9995 * size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"
