#!/usr/bin/env python3
"""Gives a gcovr report the outcomes of the conditions in the source, in place of its own branches.

    llvm-cov show -show-branches=count ... | conditions.py lines.json > report.json

Reads how often Clang saw each condition be true and false, in any number of programs; writes
lines.json (of gcovr --json) with two branches for each condition, reached where one instantiation
of its function in one program reached them. What is known while compiling is no condition, and
lines marked GCOVR_EXCL_BR_LINE have none. Names the outcomes that never occur. Ends with 1 where a
header with conditions is not in lines.json, or none of its headers has any.
"""

import collections
import json
import os
import re
import sys

FILE = re.compile(r"(/.*):$")
CONDITION = re.compile(r" *\|  Branch \((\d+):(\d+)\): \[True: (\S+), False: (\S+)\]$")


def outcomes(shown):
    """{file: {(line, column): [whether true, whether false]}}"""
    files = collections.defaultdict(lambda: collections.defaultdict(lambda: [False, False]))
    for line in shown:
        if match := FILE.match(line):
            conditions = files[os.path.relpath(os.path.realpath(match[1]), os.path.realpath("."))]
        elif match := CONDITION.match(line):
            seen = conditions[int(match[1]), int(match[2])]
            seen[0] |= match[3] != "0"
            seen[1] |= match[4] != "0"
    return files


def main():
    with open(sys.argv[1]) as file:
        report = json.load(file)
    files = outcomes(sys.stdin)
    unknown = {name for name in files if files[name]} - {file["file"] for file in report["files"]}
    if unknown or not files:
        sys.exit(f"conditions of {len(files)} headers, not in {sys.argv[1]}: {sorted(unknown)}")
    for file in report["files"]:
        name = file["file"]
        with open(name) as source_file:
            source = source_file.read().splitlines()
        lines = {line["line_number"]: line for line in file["lines"]}
        for line in lines.values():
            line["branches"] = []
        for (number, column), seen in sorted(files[name].items()):
            text = source[number - 1].strip()
            if "GCOVR_EXCL_BR_LINE" in text:
                continue
            # Of a statement of several lines, gcov may know the first one alone.
            branches = lines[max(n for n in lines if n <= number)]["branches"]
            for outcome, reached in zip(("true", "false"), seen):
                branches.append(
                    {"count": int(reached), "fallthrough": False, "throw": False, "blockno": 0}
                )
                if not reached:
                    print(f"{name}:{number}:{column}: never {outcome}: {text}", file=sys.stderr)
    json.dump(report, sys.stdout)


main()
