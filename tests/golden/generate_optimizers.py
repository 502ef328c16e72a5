#!/usr/bin/env python3
"""Writes sgd.txt and adam.txt: trajectories of torch.optim.SGD, Adam and AdamW to test against.

    python3 generate_optimizers.py

Needs torch and numpy. The stored files were made with torch 2.15.0 on x86-64. The tests need
neither Python nor torch: they read the stored files (tests/golden.hpp).

A trajectory starts at the stored W, follows `gradient` below for 300 steps, and stores W at a few
of them. The gradient depends on W, so that an error made once is not forgotten. Everything else in
it is made of small integers divided by powers of two, which float and double hold exactly; no
function whose last bit could differ between machines is involved.

The constraint, where there is one, is a max-norm constraint on each row, applied after each step
the way rein does it: the norm in double, rows above limit * (1 + 5 eps) scaled by limit / norm.
"""

import itertools
import pathlib

import numpy as np
import torch

STEPS = 300
CHECKPOINTS = (1, 2, 10, 100, STEPS)
HALVE_EVERY = 50
NEUTRAL = {
    "limit": None,
    "scalar": "double",
    "shape": (4, 3),
    "pull": 0.5,
    "scale": 1.0,
    "intermittent": False,
    "halve_every": 0,
}


def pattern(rows, cols, step):
    """Multiples of 1/64 in [-1, 1] that look irregular: golden::pattern in golden.hpp."""
    i, j = np.indices((rows, cols), dtype=np.uint64)
    with np.errstate(over="ignore"):
        h = i * np.uint64(73856093) + j * np.uint64(19349663)
        h += np.uint64(step) * np.uint64(83492791)
        h ^= h >> np.uint64(13)
        h *= np.uint64(2654435761)
        h ^= h >> np.uint64(17)
    return ((h % np.uint64(129)).astype(np.float64) - 64.0) / 64.0


def gradient(w, step, case):
    """pull * (W - target) + pattern(step) / 2, times a power of two.

    `pull` is 1/2 towards the target; -1/2 where the optimizer maximizes, or it would run away.
    Intermittent: column 0 never has a gradient, and no column has one in one of three stretches of
    five steps, so that second moments are zero or decay. From step 201 it is zero altogether.
    """
    rows, cols = w.shape
    target = torch.tensor(2.0 * pattern(rows, cols, 1000), dtype=w.dtype)
    noise = torch.tensor(0.5 * pattern(rows, cols, step), dtype=w.dtype)
    g = (case["pull"] * (w - target) + noise) * case["scale"]
    if case["intermittent"]:
        g[:, 0] = 0.0
        if (step - 1) // 5 % 3 == 1 or step > 200:
            g.zero_()
    return g


def constrain_rows(w, limit):
    norms = w.double().square().sum(dim=1).sqrt()
    eps = torch.finfo(w.dtype).eps
    for i, norm in enumerate(norms.tolist()):
        if norm > limit * (1.0 + 5.0 * eps):
            w[i] *= limit / norm


def make_optimizer(case, w):
    options = dict(case["options"])
    options["lr"] = options.pop("learning_rate")
    if case["optimizer"] == "sgd":
        return torch.optim.SGD([w], foreach=False, fused=False, **options)
    options["betas"] = (options.pop("beta1", 0.9), options.pop("beta2", 0.999))
    if "epsilon" in options:
        options["eps"] = options.pop("epsilon")
    kind = torch.optim.AdamW if options.pop("decoupled_weight_decay", False) else torch.optim.Adam
    options.setdefault("weight_decay", 0.0)
    return kind([w], foreach=False, fused=False, **options)


def numbers(tensor):
    digits = 17 if tensor.dtype == torch.float64 else 9
    return " ".join(f"{x:.{digits}g}" for x in tensor.detach().reshape(-1).tolist())


def trajectory(case):
    """The lines of one trajectory: its options, then W in row-major order at each checkpoint."""
    rows, cols = case["shape"]
    dtype = torch.float64 if case["scalar"] == "double" else torch.float32
    w = torch.tensor(1.5 * pattern(rows, cols, 2000), dtype=dtype)
    lines = [f"trajectory {case['name']}", f"scalar {case['scalar']}", f"shape {rows} {cols}"]
    lines += [f"option {name} {float(value)!r}" for name, value in case["options"].items()]
    for key in ("limit", "pull", "scale", "intermittent", "halve_every"):
        if case[key] != NEUTRAL[key]:
            lines.append(f"{key} {float(case[key])!r}")
    lines.append(f"weights 0 {numbers(w)}")

    w.requires_grad_(True)
    optimizer = make_optimizer(case, w)
    base = case["options"]["learning_rate"]
    for step in range(1, STEPS + 1):
        if case["halve_every"]:
            optimizer.param_groups[0]["lr"] = base * 0.5 ** ((step - 1) // case["halve_every"])
        w.grad = gradient(w.detach(), step, case)
        optimizer.step()
        if case["limit"] is not None:
            with torch.no_grad():
                constrain_rows(w, case["limit"])
        if step in CHECKPOINTS:
            assert torch.isfinite(w).all() and w.abs().max() < 1e6, case["name"]
            lines.append(f"weights {step} {numbers(w)}")

    names = {
        "momentum_buffer": "momentum",
        "exp_avg": "first_moment",
        "exp_avg_sq": "second_moment",
        "max_exp_avg_sq": "max_second_moment",
    }
    for theirs, ours in names.items():
        state = optimizer.state[w].get(theirs)
        if state is not None:
            lines.append(f"{ours} {STEPS} {numbers(state)}")
    return lines


def make_case(optimizer, name, options, **others):
    # A zero left out of the file is rein's default, except where Adam's default is not zero.
    nonzero_defaults = ("beta1", "beta2", "epsilon")
    options = {key: x for key, x in options.items() if x or key in nonzero_defaults}
    pull = -0.5 if options.get("maximize") else 0.5
    case = {"optimizer": optimizer, "name": name, "options": options, "pull": pull}
    return NEUTRAL | case | others


def with_and_without_constraint(optimizer, name, options, limit=1.25, **others):
    yield make_case(optimizer, name, options, **others)
    yield make_case(optimizer, f"{name}, max-norm", options, limit=limit, **others)


def sgd_cases():
    momenta = {
        "plain": {},
        "dampening alone": {"dampening": 0.25},
        "momentum": {"momentum": 0.9},
        "momentum dampening": {"momentum": 0.9, "dampening": 0.3},
        "nesterov": {"momentum": 0.8, "nesterov": True},
    }
    decays = {"": {}, " weight_decay": {"weight_decay": 0.03}}
    senses = {"": {}, " maximize": {"maximize": True}}
    for momentum, decay, sense in itertools.product(momenta, decays, senses):
        options = {"learning_rate": 0.07} | momenta[momentum] | decays[decay] | senses[sense]
        yield from with_and_without_constraint("sgd", momentum + decay + sense, options)

    options = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    others = {
        "schedule": {"halve_every": HALVE_EVERY},
        "intermittent": {"intermittent": True},
        "float schedule": {"halve_every": HALVE_EVERY, "scalar": "float"},
    }
    for name, other in others.items():
        yield from with_and_without_constraint("sgd", name, options, **other)
    wide = options | {"nesterov": True}
    yield from with_and_without_constraint("sgd", "wide", wide, limit=4.0, shape=(3, 19))
    for name in ("plain", "momentum dampening", "nesterov"):
        options = {"learning_rate": 0.07, "weight_decay": 0.03} | momenta[name]
        yield from with_and_without_constraint("sgd", f"float {name}", options, scalar="float")


def adam_cases():
    moments = {
        "default": {"learning_rate": 0.01},
        "short": {"learning_rate": 0.03, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
    }
    decays = {
        "": {},
        " coupled": {"weight_decay": 0.05},
        " decoupled": {"weight_decay": 0.05, "decoupled_weight_decay": True},
    }
    maxima = {"": {}, " amsgrad": {"amsgrad": True}}
    senses = {"": {}, " maximize": {"maximize": True}}
    for moment, decay, maximum, sense in itertools.product(moments, decays, maxima, senses):
        options = moments[moment] | decays[decay] | maxima[maximum] | senses[sense]
        yield from with_and_without_constraint("adam", moment + decay + maximum + sense, options)

    both = {
        "learning_rate": 0.02,
        "weight_decay": 0.02,
        "decoupled_weight_decay": True,
        "amsgrad": True,
    }
    edges = {
        "no first moment": {"learning_rate": 0.01, "beta1": 0.0},
        "no memory": {"learning_rate": 0.01, "beta2": 0.0, "epsilon": 0.1},
        "large epsilon": {"learning_rate": 0.2, "epsilon": 2.0},
    }
    for name, options in edges.items():
        yield from with_and_without_constraint("adam", name, options)
    others = {
        "schedule": (both, {"halve_every": HALVE_EVERY}),
        "intermittent": ({"learning_rate": 0.02}, {"intermittent": True}),
        "intermittent decoupled amsgrad": (both, {"intermittent": True}),
        "tiny gradients": (moments["default"], {"scale": 2.0**-30}),
        "huge gradients": (moments["default"], {"scale": 2.0**60}),
        "wide": (both, {"limit": 4.0, "shape": (3, 19)}),
        "float default": (moments["default"], {"scalar": "float"}),
        "float short coupled": (moments["short"] | decays[" coupled"], {"scalar": "float"}),
        "float decoupled amsgrad": (both, {"scalar": "float"}),
        "float schedule": (both, {"scalar": "float", "halve_every": HALVE_EVERY}),
    }
    for name, (options, other) in others.items():
        yield from with_and_without_constraint("adam", name, options, **other)


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).resolve().parent
    for optimizer, cases in (("sgd", sgd_cases()), ("adam", adam_cases())):
        version = torch.__version__.split("+")[0]
        lines = [f"# {optimizer}: written by generate_optimizers.py with torch {version}"]
        for case in cases:
            lines += trajectory(case)
        (folder / f"{optimizer}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
