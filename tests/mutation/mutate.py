#!/usr/bin/env python3
"""Breaks the headers in one place at a time, and shows whether the tests notice.

    python3 tests/mutation/mutate.py --mutants 80 --jobs 2

A mutant is one changed operator, number or statement. They are taken from all headers by a fixed
rule, so that each run tries the same ones as long as the headers are the same. For each mutant the
tests that include its header are built and run, nearest first, until one fails, and then those of
what must not compile. A mutant that no test notices has survived; explained.txt says of those that
are known why nothing can be noticed. They, and mutants that do not compile, count neither way. Ends
with 1 where less than 95% of the others are noticed.

`--list` only names the mutants, `--only N` tries one of them and shows its change.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
TESTS_TO_TRY = 5
COMPILED = r"^(misuse[.]|consumer[.]no_exceptions$)"  # in ctest, tried on what survives the others
SECONDS_TO_RUN = 180  # a test that runs longer has noticed: it takes less than 20 by itself

# The tests to try first, where the header's own name does not tell.
NEAREST = {
    "constraint": ["constraint", "sgd"],
    "detail/across": ["norms", "max_norm", "corners", "read_only", "fused"],
    "detail/along": ["norms", "max_norm", "corners", "read_only", "fused"],
    "detail/bias": ["tied", "joint", "refusals"],
    "detail/careful": ["norms", "max_norm", "tied", "corners"],
    "detail/check_constraint": ["refusals", "in_order", "every"],
    "detail/constrain_norms": ["tied", "only", "max_norm"],
    "detail/entries": ["box", "non_negative"],
    "detail/error": ["max_norm", "grouping", "norms"],
    "detail/exact_sqrt": ["adam", "max_norm"],
    "detail/norm_pass": ["max_norm", "only", "corners", "read_only", "fused"],
    "detail/norm_rule": ["max_norm", "min_max_norm", "corners", "read_only", "tied"],
    "detail/parallel": ["openmp", "max_norm"],
    "detail/plane": ["halfspace"],
    "detail/project": ["l1_ball", "zero_mean", "halfspace", "simplex", "max_spectral_norm"],
    "detail/refresh": ["fused", "adam", "openmp"],
    "detail/scalar": ["max_norm", "box", "norms"],
    "detail/scale": ["norms", "max_norm", "corners", "read_only"],
    "detail/shared_entries": ["refusals", "sgd"],
    "detail/simplex_threshold": ["simplex", "l1_ball"],
    "detail/spectral_norm": ["max_spectral_norm"],
    "detail/square_sum": ["norms", "norm_error", "max_norm", "corners", "fused"],
    "detail/step": ["fused", "sgd", "adam", "step_rows", "refusals"],
    "detail/view": ["grouping", "max_norm", "norms", "regressions"],
    "every": ["every"],
    "in_order": ["in_order"],
}

# What changes the speed alone, whatever its value: sizes of blocks and chunks, thresholds between
# two ways to the same bits, what is prefetched or updated early.
SPEED = re.compile(
    r"step_chunk|block_lanes|prefetch|ahead|refresh_to|2048|alignas|EIGEN_STRONG_INLINE"
    r"|EIGEN_DONT_INLINE|bits \^ "  # the last is any fixed numbers that look random
)

SWAPPED = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "+": "-", "-": "+", "*": "/", "/": "*", "+=": "-=", "-=": "+=", "*=": "/=",
    "&&": "||", "||": "&&",
}
OPERATOR = re.compile(r"(?<= )(<=|>=|==|!=|\+=|-=|\*=|&&|\|\||[<>+*/-])(?= )")
NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.'])")
EXTREME = re.compile(r"\b(min|max|pmin|pmax|predux_min|predux_max)\b(?=\)?\()")
OTHER_EXTREME = {"min": "max", "max": "min"}
NEGATION = re.compile(r"(?<=[( ])!(?=[\w(])")
TRUTH = re.compile(r"\b(true|false)\b")
STATEMENT = re.compile(r"^\s+(?:[\w.\[\]>-]+ (?:=|[+*|-]=) |[\w.:]+\().*;$")
NOT_A_STATEMENT = re.compile(r"^\s*(return|using|static_assert|typename|constexpr|const|auto|case|default|throw|break|continue|delete|friend|explicit|template)\b")
NO_CODE = re.compile(r"^\s*(//|#|template|concept|requires|static_assert|using |friend|typename)|concept ")


def mutants_of(path):
    """All (line number, kind, old line, new line) of one header."""
    lines = path.read_text().split("\n")
    in_text = False
    for number, line in enumerate(lines):
        code = line.split("//")[0].rstrip()
        if '"' in code or not code.strip() or NO_CODE.search(code) or SPEED.search(code):
            continue
        before = lines[number - 1].split("//")[0].rstrip() if number else ""
        rest = line[len(code):]

        def changed(kind, begin, end, new):
            return number, kind, line, code[:begin] + new + code[end:] + rest

        for m in OPERATOR.finditer(code):
            old = m.group(1)
            # A pointer or a reference, not a product; an angle bracket, not a comparison.
            if old in "<>" and re.search(r"[<>]\s*(class|typename|int)\b|_v <|> ;", code):
                continue
            kind = ("comparison" if old in ("<", "<=", ">", ">=", "==", "!=")
                    else "logic" if old in ("&&", "||") else "arithmetic")
            yield changed(kind, *m.span(1), SWAPPED[old])
        for m in NUMBER.finditer(code):
            old = m.group(1)
            if old.isdigit() and int(old) < 10:
                new = str(int(old) + 1)
            else:  # one more of many is hardly another number
                new = str(2 * int(old)) if old.isdigit() else repr(float(old) * 2)
            yield changed("number", *m.span(1), new)
        for m in EXTREME.finditer(code):
            old = m.group(1)
            new = old[:-3] + OTHER_EXTREME[old[-3:]]
            if "numeric_limits" not in code:
                yield changed("min and max", *m.span(1), new)
        for m in NEGATION.finditer(code):
            yield changed("negation", *m.span(), "")
        for m in TRUTH.finditer(code):
            yield changed("truth", *m.span(1), {"true": "false", "false": "true"}[m.group(1)])
        if (STATEMENT.match(code) and not NOT_A_STATEMENT.match(code)
                and before.endswith((";", "{", "}", ":"))):
            yield number, "removed", line, re.sub(r"\S.*", ";", code) + rest


def name_of(path):
    return path.relative_to(INCLUDE / "rein").with_suffix("").as_posix()


def sample(count):
    """`count` mutants: of each header in turn, in the order of a hash of what they change."""
    queues = []
    for path in sorted(INCLUDE.rglob("*.hpp")):
        found = []
        for number, kind, old, new in mutants_of(path):
            key = hashlib.sha256(f"{name_of(path)}|{kind}|{old}|{new}".encode()).hexdigest()
            found.append((key, path, number, kind, old, new))
        # The longer a header, the more of its mutants; each has one at least.
        found.sort()
        for rank, mutant in enumerate(found):
            queues.append(((rank + 0.5) / len(found) if rank else 0, mutant))
    queues.sort()
    chosen = [mutant for _, mutant in queues[:count]]
    return sorted(chosen, key=lambda mutant: (str(mutant[1]), mutant[2]))


def included_by(source, seen=None):
    """The rein headers that a test includes, by way of others too."""
    seen = set() if seen is None else seen
    for line in source.read_text().split("\n"):
        m = re.match(r'#include [<"]([\w/.]+\.hpp)[">]', line)
        if not m:
            continue
        for directory in (INCLUDE, source.parent):
            path = (directory / m.group(1)).resolve()
            if path.exists() and path not in seen:
                seen.add(path)
                included_by(path, seen)
    return seen


def tests_for(header, includes):
    name = name_of(header)
    first = NEAREST.get(name, [header.stem])
    order = [t for t in first if header.resolve() in includes.get(t, ())]
    others = [t for t in ("max_norm", "norms", "corners", "regressions", "sgd", "adam")
              if t not in order and header.resolve() in includes.get(t, ())]
    return (order + others)[:TESTS_TO_TRY]


class Workshop:
    """A copy of the tree, in which a header is broken and mended again."""

    def __init__(self, directory):
        self.root = directory
        for part in ("include", "tests", "CMakeLists.txt", "CMakePresets.json"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, directory / part)
            else:
                shutil.copy(source, directory / part)
        self.call(["cmake", "-S", str(directory), "-B", str(self.build), "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-Og -w",
                   "-DREIN_BUILD_BENCHMARKS=OFF", "-DREIN_BUILD_EXAMPLES=OFF"], check=True)

    @property
    def build(self):
        return self.root / "build"

    def call(self, command, timeout=None, check=False):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=timeout, cwd=self.root)
        if check and result.returncode:
            sys.exit(result.stdout.decode(errors="replace"))
        return result.returncode

    def make(self, test):
        return self.call(["cmake", "--build", str(self.build), "-j1", "--target",
                          f"test_{test}"]) == 0

    def passes(self, test):
        try:
            return self.call([str(self.build / "tests" / f"test_{test}")],
                             timeout=SECONDS_TO_RUN) == 0
        except subprocess.TimeoutExpired:
            return False

    def compiles_as_meant(self):
        return self.call(["ctest", "--test-dir", str(self.build), "-R", COMPILED]) == 0

    def judge(self, mutant, tests):
        _, path, number, _, _, new = mutant
        header = self.root / path.relative_to(ROOT)
        whole = header.read_text()
        lines = whole.split("\n")
        lines[number] = new
        header.write_text("\n".join(lines))
        try:
            for test in tests:
                if not self.make(test):
                    return "does not compile", test
                if not self.passes(test):
                    return "noticed", test
            if not self.compiles_as_meant():
                return "noticed", "misuse or consumer.no_exceptions"
            return "survived", ", ".join(tests)
        finally:
            header.write_text(whole)


def explanations():
    """Of explained.txt: header | what the line becomes | why no test can notice."""
    known = {}
    for line in (ROOT / "tests/mutation/explained.txt").read_text().split("\n"):
        if line and not line.startswith("#"):
            header, new, reason = (part.strip() for part in line.split(" | "))
            known[header, new] = reason
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mutants", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", type=int, action="append")
    arguments = parser.parse_args()

    chosen = list(enumerate(sample(arguments.mutants)))
    if arguments.only:
        chosen = [chosen[k] for k in arguments.only]
    includes = {source.stem: included_by(source) for source in (ROOT / "tests").glob("*.cpp")}
    tests = {mutant[1]: tests_for(mutant[1], includes) for _, mutant in chosen}
    for header, names in tests.items():
        if not names:
            sys.exit(f"no test includes {name_of(header)}")

    def described(k, mutant):
        _, path, number, kind, old, new = mutant
        return f"{k:3} {name_of(path)}.hpp:{number + 1} {kind}\n      - {old.strip()}\n      + {new.strip()}"

    if arguments.list:
        for k, mutant in chosen:
            print(described(k, mutant), "\n      tests:", ", ".join(tests[mutant[1]]))
        return 0

    known = explanations()
    begin = time.time()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        workshops = queue.Queue()
        for k in range(arguments.jobs):
            copy = pathlib.Path(directory) / str(k)
            copy.mkdir()
            workshops.put(Workshop(copy))
        # What fails by itself would notice everything.
        needed = sorted({t for names in tests.values() for t in names})

        def whole(test):
            workshop = workshops.get()
            try:
                return workshop.make(test) and workshop.passes(test)
            finally:
                workshops.put(workshop)

        def broken(item):
            workshop = workshops.get()
            try:
                return item, workshop.judge(item[1], tests[item[1][1]])
            finally:
                workshops.put(workshop)

        counts = {"noticed": 0, "survived": 0, "does not compile": 0}
        unexplained = 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for test, passes in zip(needed, pool.map(whole, needed)):
                if not passes:
                    sys.exit(f"test_{test} fails without a mutant")
            workshop = workshops.get()
            if not workshop.compiles_as_meant():
                sys.exit("a test of what must not compile fails without a mutant")
            workshops.put(workshop)
            print(f"{len(needed)} tests pass as they are ({time.time() - begin:.0f} s)", flush=True)
            for (k, mutant), (verdict, by) in pool.map(broken, chosen):
                counts[verdict] += 1
                print(described(k, mutant))
                print(f"      {verdict}: {by}", flush=True)
                if verdict == "survived":
                    reason = known.get((name_of(mutant[1]) + ".hpp", mutant[5].strip()))
                    unexplained += reason is None
                    print(f"      explained: {reason}" if reason else "      NOT EXPLAINED",
                          flush=True)
    count = counts["noticed"] + unexplained
    share = 100 * counts["noticed"] / count if count else 100
    print(f"{count} mutants, {counts['noticed']} noticed ({share:.1f}%); not counted: "
          f"{counts['survived'] - unexplained} that change nothing, "
          f"{counts['does not compile']} that do not compile; {time.time() - begin:.0f} s")
    return 0 if share >= 95 else 1


if __name__ == "__main__":
    sys.exit(main())
