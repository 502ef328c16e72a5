#!/usr/bin/env python3
"""Times PyTorch and Keras beside rein on the same machine, in turn, and prints their ratios to it.

    cmake --workflow --preset bench
    python3 -m venv build/peers && build/peers/bin/pip install torch keras
    build/peers/bin/python bench/peers.py build/bench/bench --page docs/benchmarks.md

Float weights, one thread and two. What each does with a weight matrix:

    rein     MaxNorm{limit, per_col} and per_row on a column-major W; Adam with it
    PyTorch  w.renorm_(2, dim, limit); torch.optim.Adam(fused=True), then that
    Keras    W.assign(MaxNorm(limit, axis)(W)), on PyTorch: a new tensor each time

Every call lowers the limit a little where all vectors are to exceed it, and nothing exceeds it
otherwise. A time is the least of all rounds; a round runs one after the other.
"""

import argparse
import math
import os
import pathlib
import time

from page import processor, replace_region, table
from results import Times, duration, run

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

SIZES = (1024, 4096)
THREADS = {1: "one_thread", 2: "two_threads"}
VECTORS = {"contiguous": "per_col", "strided": "per_row"}  # of a column-major W
VIOLATORS = ("none", "all")


class Limit:
    """A limit for each call; all vectors of W exceed it, if they are meant to."""

    def __init__(self, size, violators):
        self.shrinks = violators == "all"
        self.value = math.sqrt(size) / (4 if self.shrinks else 0.25)

    def next(self):
        if self.shrinks:
            self.value *= 1 - 2.0 ** -12
        return self.value


def weights(size):
    """Entries of magnitude 0.5 to 1.5, so that a vector's norm is near sqrt(size)."""
    w = torch.rand(size, size) + 0.5
    return w * (1 - 2 * torch.randint(0, 2, (size, size)))


def renorm(size, vectors, violators):
    w, limit, dim = weights(size), Limit(size, violators), 0 if vectors == "contiguous" else 1

    def call():
        w.renorm_(2, dim, limit.next())
    return call


def keras_max_norm(size, vectors, violators):
    w, limit = keras.Variable(weights(size)), Limit(size, violators)
    axis = 1 if vectors == "contiguous" else 0  # Keras names the axis that is summed over

    def call():
        w.assign(keras.constraints.MaxNorm(limit.next(), axis=axis)(w.value))
    return call


def adam(size, vectors, violators):
    w = weights(size).requires_grad_()
    w.grad = weights(size)
    optimizer = torch.optim.Adam([w], lr=1e-6, fused=True)
    limit, dim = Limit(size, violators), 0 if vectors == "contiguous" else 1

    def call():
        optimizer.step()
        w.renorm_(2, dim, limit.next())
    return call


def adam_alone(size, vectors, violators):
    w = weights(size).requires_grad_()
    w.grad = weights(size)
    return torch.optim.Adam([w], lr=1e-6, fused=True).step


# What is compared: the name of rein's benchmark, and the peers.
CASES = [
    ("MaxNorm", "project/float/{shape}/{grouping}/colmajor/{violators}",
     {"PyTorch": renorm, "Keras": keras_max_norm}),
    ("Adam + MaxNorm", "step/adam/float/{shape}/{grouping}/{violators}", {"PyTorch": adam}),
]
ALONE = ("Adam alone", "step/adam/float/{shape}/alone", {"PyTorch": adam_alone})


def cases():
    """Yields (operation, size, vectors, violators, rein's benchmark, peers)."""
    for size in SIZES:
        shape = f"{size}x{size}"
        for operation, pattern, peers in CASES:
            for vectors, grouping in VECTORS.items():
                for violators in VIOLATORS:
                    yield (operation, size, vectors, violators, pattern.format(
                        shape=shape, grouping=grouping, violators=violators), peers)
        operation, pattern, peers = ALONE
        yield operation, size, "", "", pattern.format(shape=shape), peers


def least_time(call):
    """Nanoseconds of a call: the fastest of three repetitions of 10 ms, as rein's are taken."""
    def repeat(calls):
        begin = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return (time.perf_counter_ns() - begin) / calls

    repeat(1)  # not counted
    calls = max(1, round(1e7 / repeat(1)))
    return min(repeat(calls) for _ in range(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path, help="where threads_bench is")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--page", metavar="FILE", help="the page whose table to replace")
    args = parser.parse_args()

    torch.manual_seed(1)
    least = {}

    def note(key, nanoseconds):
        least[key] = min(nanoseconds, least.get(key, math.inf))

    for _ in range(args.rounds):
        names = "|".join(sorted({case[4] for case in cases()}))
        results = run(args.directory, "threads", args.directory, 3, f"/({names})(/|$)")
        if not results:
            raise SystemExit("build the benchmarks with a compiler that has OpenMP")
        rein = Times([results])
        for threads, prefix in THREADS.items():
            torch.set_num_threads(threads)
            for operation, size, vectors, violators, name, peers in cases():
                case = (operation, size, vectors, violators, threads)
                note((*case, "rein"), rein.least(f"{prefix}/{name}"))
                for peer, make in peers.items():
                    with torch.no_grad():
                        note((*case, peer), least_time(make(size, vectors, violators)))

    def cell(case, peer):
        if (*case, peer) not in least:
            return ""
        nanoseconds = least[*case, peer]
        return f"{duration(nanoseconds)} ({nanoseconds / least[*case, 'rein']:.1f})"

    lines = []
    for threads in THREADS:
        for operation, size, vectors, violators, _, _ in cases():
            case = (operation, size, vectors, violators, threads)
            exceed = {"none": "none exceeds", "all": "all exceed"}.get(violators, "")
            lines.append([operation, f"{size} x {size}", ", ".join(filter(None, [vectors, exceed])),
                          str(threads), duration(least[*case, "rein"]),
                          cell(case, "PyTorch"), cell(case, "Keras")])
    context = rein.context
    text = (f"{processor()}; rein: {context['compiler']}, `{context['flags']}`, Eigen "
            f"{context['eigen']}; PyTorch {torch.__version__}; Keras {keras.__version__} on it; "
            f"{context['date'][:10]}.\n\n"
            + table(["what", "weights", "vectors ", "threads", "rein", "PyTorch (/ rein)",
                     "Keras (/ rein)"], lines))
    if args.page:
        replace_region(args.page, "peers", text)
    print(text)


if __name__ == "__main__":
    main()
