#!/usr/bin/env python3
"""Runs the benchmarks and prints their times as ratios to what limits them.

    python3 bench/ratios.py build/bench/bench                       all but the growth
    python3 bench/ratios.py build/bench/bench --filter /4096x4096 --over
    python3 bench/ratios.py build/bench/bench --csv build --page docs/benchmarks.md
    python3 bench/ratios.py build/bench/bench --programs growth --csv build
    python3 bench/ratios.py --json projection.json step.json        tables of an earlier run

A ratio is of the fastest repetitions, because noise on a shared machine only ever adds time; the
ratio of medians stands beside it. Ends with status 1 if a ratio is beyond its bound.
"""

import argparse
import os
import pathlib
import re
import sys
from typing import NamedTuple

from page import processor, replace_region, table
from results import Times, duration, entries, run

PROGRAMS = ("projection", "step", "constraints", "threads", "growth")


class Bound(NamedTuple):
    case: str
    beside: str
    value: float
    speed_up: bool = False  # at least so much faster, instead of at most so much slower

    def broken_by(self, ratio):
        return ratio < self.value if self.speed_up else ratio > self.value

    def __str__(self):
        return f">= {self.value:.2f}" if self.speed_up else f"<= {self.value:.2f}"


READ, SCALE, BOTH, HAND = "read pass", "scale pass", "read + scale", "hand-written Eigen"
ALONG_NONE = Bound("contiguous, none violates", READ, 1.10)
ALONG_ALL = Bound("contiguous, all violate, from memory", SCALE, 1.15)
ALONG_ALL_CACHE = Bound("contiguous, all violate, from cache", SCALE, 1.35)
ACROSS_NONE = Bound("strided, none violates", READ, 1.20)
ACROSS_ALL = Bound("strided, all violate", BOTH, 1.20)
ADAM_NONE = Bound("Adam + constraint, none violates", "Adam alone", 1.08)
ADAM_ALL_ALONG = Bound("Adam + constraint, all violate, contiguous", "Adam alone", 1.15)
ADAM_ALL_ACROSS = Bound("Adam + constraint, all violate, strided", "Adam alone", 1.35)
SGD_NONE = Bound("SGD with momentum + constraint, none violates", "SGD alone", 1.12)
ADAM_ALONE = Bound("Adam alone, from memory", "the same 7 streams", 1.15)
SMALL = Bound("any grouping, 257 to 256 x 256 entries", HAND, 1.10)
TINY = Bound("any grouping, up to 256 entries", HAND, 1.50)
THREADS = Bound("two threads, from memory", "one thread", 1.50, speed_up=True)
CONTRACT = (ALONG_NONE, ALONG_ALL, ALONG_ALL_CACHE, ACROSS_NONE, ACROSS_ALL, ADAM_NONE,
            ADAM_ALL_ALONG, ADAM_ALL_ACROSS, SGD_NONE, ADAM_ALONE, SMALL, TINY, THREADS)


class Row:
    """A benchmark beside others. Without a bound it is there to be read."""

    def __init__(self, times, section, name, beside, reference, bound):
        self.section, self.name, self.beside, self.bound = section, name, beside, bound
        self.time = times.least(name)
        self.ratio = self.time / times.least(*reference)
        self.median_ratio = times.median(name) / times.median(*reference)
        if section == SPEED_UP:
            self.ratio, self.median_ratio = 1 / self.ratio, 1 / self.median_ratio

    def scalar(self):
        return "float" if "/float/" in self.name else "double"

    def place(self):
        """Scalars apart, then by number of entries."""
        before, _, after = self.name.partition(f"/{self.scalar()}/")
        shape = after.split("/")[0]
        return self.scalar(), before, entries(shape), after

    def over(self):
        return self.bound is not None and self.bound.broken_by(self.ratio)

    def cell(self):
        return f"**{self.ratio:.2f}**" if self.over() else f"{self.ratio:.2f}"


NONE_READ = "none violates / read pass"
ALL_SCALE = "contiguous, all violate / scale pass"
ALL_BOTH = "strided, all violate / read pass + scale pass"
WHOLE_BOTH = "whole matrix beyond the caches, all violate / read pass + scale pass"
BEST_HAND = "any grouping / the best hand-written Eigen"
STEP_STREAM = "step alone / the same streams"
STEP_HAND = "step alone / hand-written Eigen"
STEP_CONSTRAINT = "step + constraint / step alone"
CONSTRAINT = "other constraints / read pass"
SPEED_UP = "two threads, times as fast as one"


def lies_along(grouping, order):
    """Whether the vectors are contiguous in memory."""
    return {
        "per_row": order == "rowmajor",
        "per_col": order == "colmajor",
        "whole": True,
        "per_filter_oihw": True,
        "per_filter_iohw": False,
        "per_filter_hwio": False,
    }[grouping]


def bytes_of(scalar, shape):
    return entries(shape) * (4 if scalar == "float" else 8)


def is_beyond_caches(times, bytes_):
    return bytes_ > 1.5 * times.cache(3)


def projection_rows(times):
    for name in times.matching("project/"):
        _, scalar, shape, grouping, order, violators = name.split("/")
        size = entries(shape)
        in_memory = is_beyond_caches(times, bytes_of(scalar, shape))
        along = lies_along(grouping, order)

        read, scale = f"read/{scalar}/{shape}/{order}", f"scale/{scalar}/{shape}/{order}"
        if read in times and not shape.startswith("fixed"):
            def beside_pass(section, beside, reference, bound):
                # Up to 256 x 256 hand-written Eigen is the bar.
                return Row(times, section, name, beside, reference,
                           bound if size > 256 * 256 else None)

            if violators == "none":
                yield beside_pass(NONE_READ, READ, [read], ALONG_NONE if along else ACROSS_NONE)
            if violators == "all" and grouping == "whole" and in_memory:
                # Read to the end before the first entry can be scaled: the contract has no such row.
                yield beside_pass(WHOLE_BOTH, BOTH, [read, scale], None)
            elif violators == "all" and along:
                yield beside_pass(ALL_SCALE, SCALE, [scale],
                                  ALONG_ALL if in_memory else ALONG_ALL_CACHE)
            elif violators == "all":
                yield beside_pass(ALL_BOTH, BOTH, [read, scale], ACROSS_ALL)

        hands = times.matching(name.replace("project/", "hand/", 1) + "/")
        if hands:
            best = min(hands, key=times.least)
            bound = TINY if size <= 256 else SMALL if size <= 256 * 256 else None
            yield Row(times, BEST_HAND, name, best.rsplit("/", 1)[1], [best], bound)


def step_rows(times):
    for name in times.matching("step/"):
        _, optimizer, scalar, shape, *case = name.split("/")
        key = f"{optimizer}/{scalar}/{shape}"
        arrays = 4 if optimizer == "adam" else 3
        in_memory = is_beyond_caches(times, arrays * bytes_of(scalar, shape))
        if case == ["alone"]:
            if f"stream/{key}" in times:
                yield Row(times, STEP_STREAM, name, "stream", [f"stream/{key}"],
                          ADAM_ALONE if optimizer == "adam" and in_memory else None)
            if f"hand/{key}" in times:
                yield Row(times, STEP_HAND, name, "statements", [f"hand/{key}"], None)
        elif f"step/{key}/alone" in times:
            grouping, violators = case
            bound = {
                "adam/per_col/none": ADAM_NONE,
                "adam/per_row/none": ADAM_NONE,
                "adam/entries/none": ADAM_NONE,
                "adam/per_col/all": ADAM_ALL_ALONG,
                "adam/per_row/all": ADAM_ALL_ACROSS,
                "sgd/per_col/none": SGD_NONE,
                "sgd/per_row/none": SGD_NONE,
                "sgd/entries/none": SGD_NONE,
            }.get(f"{optimizer}/{grouping}/{violators}")
            # Up to 256 entries the projection beside hand-written Eigen is the bar.
            yield Row(times, STEP_CONSTRAINT, name, "alone", [f"step/{key}/alone"],
                      bound if entries(shape) > 256 else None)


def constraint_rows(times):
    for name in times.matching("constraint/"):
        _, scalar, shape, *_ = name.split("/")
        yield Row(times, CONSTRAINT, name, READ, [f"read/{scalar}/{shape}/colmajor"], None)


def speed_up_rows(times):
    for name in times.matching("two_threads/"):
        what = name.split("/")[1]
        scalar, shape = name.split("/")[3 if what == "step" else 2:][:2]
        in_memory = is_beyond_caches(times, bytes_of(scalar, shape) * (4 if what == "step" else 1))
        yield Row(times, SPEED_UP, name, "one thread", [name.replace("two_threads", "one_thread")],
                  THREADS if in_memory and what not in ("read", "scale") else None)


def print_sections(rows, only_over):
    sections = {}
    for row in rows:
        sections.setdefault(row.section, []).append(row)
    for section, lines in sections.items():
        lines = [row for row in sorted(lines, key=Row.place) if row.over() or not only_over]
        if lines:
            print(f"\n## {section}\n")
            print(table(
                ["case", "time", "beside ", "ratio", "of medians", "bound", " "],
                [[row.name, duration(row.time), row.beside, f"{row.ratio:.2f}",
                  f"{row.median_ratio:.2f}", str(row.bound or ""), "OVER" if row.over() else ""]
                 for row in lines]))


def contract_table(rows):
    """Of each row of the contract, what is closest to the bound or farthest beyond it."""
    def worst(bound, scalar):
        held = [row for row in rows if row.bound == bound and row.scalar() == scalar]
        if not held:
            return "not run"
        row = (min if bound.speed_up else max)(held, key=lambda row: row.ratio)
        over = sum(row.over() for row in held)
        return f"{row.cell()} ({f'{over} of {len(held)} over' if over else len(held)})"

    return table(["case", "beside ", "bound", "float: worst (cases)", "double: worst (cases)"],
                 [[bound.case, bound.beside, str(bound), worst(bound, "float"),
                   worst(bound, "double")] for bound in CONTRACT])


def spoken(shape):
    return re.sub(r"(?<=\d)x(?=\d)", " x ", shape).replace("fixed", "fixed ")


def cells(rows, head, columns):
    """A table with a line for each start of a line, a column for each of `columns`.

    `rows`: (start of a line, column, row).
    """
    lines = {}
    for start, column, row in rows:
        lines.setdefault(start, {})[column] = row.cell()
    return table([*head, *columns.values()],
                 [[*start, *(of_line.get(column, "") for column in columns)]
                  for start, of_line in lines.items()])


def projection_table(rows, scalar):
    columns = {
        ("limit", "none"): "none / limit",
        ("limit", "all"): "all / limit",
        ("hand", "none"): "none / by hand",
        ("hand", "tenth"): "a tenth / by hand",
        ("hand", "all"): "all / by hand",
    }

    def places():
        for row in sorted(rows, key=Row.place):
            if row.scalar() == scalar and row.name.startswith("project/"):
                _, _, shape, grouping, order, violators = row.name.split("/")
                beside = "hand" if row.section == BEST_HAND else "limit"
                where = "contiguous" if lies_along(grouping, order) else "strided"
                grouping = grouping.replace("per_filter_", "per_filter ")
                yield ((spoken(shape), grouping + (", row-major" if order == "rowmajor" else ""),
                        where), (beside, violators), row)

    return cells(places(), ["weights", "one vector ", "in memory "], columns)


def step_table(rows, scalar):
    columns = {
        STEP_STREAM: "alone / streams",
        STEP_HAND: "alone / by hand",
        **{f"{grouping}/{violators}": f"{where}, {name}"
           for grouping, where in (("per_col", "contiguous"), ("per_row", "strided"))
           for violators, name in (("none", "none"), ("tenth", "a tenth"), ("all", "all"))},
        "entries/none": "entries, none",
    }

    def places():
        for row in sorted(rows, key=Row.place):
            if row.scalar() == scalar and row.name.startswith("step/"):
                _, optimizer, _, shape, *case = row.name.split("/")
                column = "/".join(case) if row.section == STEP_CONSTRAINT else row.section
                yield (optimizer.capitalize(), spoken(shape)), column, row

    return cells(places(), ["optimizer", "weights "], columns)


def constraint_table(rows):
    in_memory = {"per_col": "contiguous", "per_row": "strided", "entries": "entries"}
    places, columns = [], {}
    for row in sorted((row for row in rows if row.section == CONSTRAINT), key=Row.place):
        _, scalar, shape, constraint, grouping, where = row.name.split("/")
        columns[scalar, shape, where] = f"{scalar} {spoken(shape)}, {where}"
        places.append(((constraint, in_memory[grouping]), (scalar, shape, where), row))
    return cells(places, ["constraint", "one vector "], columns)


def speed_up_table(rows):
    what = {"read": "W.squaredNorm() on halves", "scale": "W *= s on halves",
            "project": "MaxNorm", "step": "Adam + MaxNorm"}
    where = {"per_col": ", contiguous", "per_row": ", strided"}
    violators = {"none": ", none violates", "all": ", all violate"}
    places, columns = [], {}
    for row in sorted((row for row in rows if row.section == SPEED_UP), key=Row.place):
        parts = row.name.split("/")
        shape = spoken(next(part for part in parts if part[0].isdigit()))
        line = "Adam alone" if parts[-1] == "alone" else what[parts[1]] + "".join(
            names[part] for names in (where, violators) for part in parts if part in names)
        columns[row.scalar(), shape] = f"{row.scalar()} {shape}"
        places.append(((line,), (row.scalar(), shape), row))
    return cells(places, ["what"], columns)


def machine(times):
    context = times.context
    kibibytes = [f"{times.cache(level) >> 10:,} KiB".replace(",", " ") for level in (1, 2, 3)]
    return (f"{processor()}, {os.cpu_count()} cores, {context['simd'].split(',')[0]}; caches of "
            f"{', '.join(kibibytes[:2])} a core and {kibibytes[2]} shared; {context['compiler']}, "
            f"`{context['flags']}`, Eigen {context['eigen']}; {context['date'][:10]}.")


def write_page(times, rows, file):
    replace_region(file, "machine", machine(times))
    replace_region(file, "contract", contract_table(rows))
    for scalar in ("float", "double"):
        replace_region(file, f"projection, {scalar}", projection_table(rows, scalar))
        replace_region(file, f"step, {scalar}", step_table(rows, scalar))
    replace_region(file, "constraints", constraint_table(rows))
    replace_region(file, "threads", speed_up_table(rows))


SQUARES = [2 ** exponent for exponent in range(2, 16)]


def write_curves(times, file, columns):
    """A line for each size of square float matrices that was measured, its bytes first."""
    lines = []
    for size in SQUARES:
        values = [value(f"{size}x{size}") for value in columns.values()]
        if any(value != "" for value in values):
            lines.append([4 * size * size, *values])
    if lines:
        with open(file, "w") as out:
            for line in [["bytes", *columns], *lines]:
                print(*line, sep=";", file=out)


def write_csv(times, directory):
    """What the charts in docs/plots draw. Nanoseconds for each entry, and bytes."""
    def time(pattern):
        def value(shape):
            names = times.matching(pattern.format(shape=shape))
            return min(map(times.least, names)) / entries(shape) if names else ""
        return value

    def counter(name, pattern):
        return lambda shape: times.counters.get(pattern.format(shape=shape), {}).get(name, "")

    cases = [(f"{where}, {violators}", grouping, violators)
             for where, grouping in (("contiguous", "per_col"), ("strided", "per_row"))
             for violators in ("none", "all")]
    projections = {
        "read": time("read/float/{shape}/colmajor"),
        "scale": time("scale/float/{shape}/colmajor"),
        **{f"rein, {name}": time(f"project/float/{{shape}}/{grouping}/colmajor/{violators}")
           for name, grouping, violators in cases},
    }
    by_hand = {f"by hand, {name}": time(f"hand/float/{{shape}}/{grouping}/colmajor/{violators}/")
               for name, grouping, violators in cases}
    steps = {"alone": time("step/adam/float/{shape}/alone"),
             **{name: time(f"step/adam/float/{{shape}}/{grouping}/{violators}")
                for name, grouping, violators in cases}}
    beyond = {f"beyond, {name}": counter("beyond_weights",
                                         f"project/float/{{shape}}/{grouping}/colmajor/{violators}")
              for name, grouping, violators in cases}
    grown = any("beyond_weights" in entry for entry in times.counters.values())
    if grown:
        write_curves(times, directory / "growth.csv", {**projections, **beyond})
    else:
        write_curves(times, directory / "bandwidth.csv", {**projections, **by_hand})
        write_curves(times, directory / "step.csv", steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=pathlib.Path,
                        help="where the programs are; their results go there too")
    parser.add_argument("--json", nargs="+", metavar="FILE", help="results of an earlier run")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=PROGRAMS[:-1])
    parser.add_argument("--filter", default=".", help="regular expression for benchmark names")
    parser.add_argument("--repetitions", type=int, default=12)
    parser.add_argument("--over", action="store_true", help="print only what is over its bound")
    parser.add_argument("--csv", type=pathlib.Path, metavar="DIRECTORY",
                        help="where to write what the charts draw")
    parser.add_argument("--page", metavar="FILE", help="the page whose tables to replace")
    args = parser.parse_args()
    if not args.json and not args.directory:
        parser.error("give the directory of the programs, or --json")

    files = args.json or [
        run(args.directory, program, args.directory, args.repetitions, args.filter)
        for program in args.programs]
    files = [file for file in files if file]
    if not files:
        sys.exit("no benchmark was run")
    times = Times(files)
    if args.csv:
        args.csv.mkdir(parents=True, exist_ok=True)
        write_csv(times, args.csv)
    rows = [*projection_rows(times), *step_rows(times), *constraint_rows(times),
            *speed_up_rows(times)]
    if args.page:
        write_page(times, rows, args.page)
    print_sections(rows, args.over)
    print("\n## Contract\n")
    print(contract_table(rows))
    over = sum(row.over() for row in rows)
    print(f"\n{over} of {sum(row.bound is not None for row in rows)} ratios are beyond their bound.")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
