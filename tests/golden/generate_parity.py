#!/usr/bin/env python3
"""Writes parity.txt: what the peers' own functions make of seeded weights, for tests/parity.cpp.

    pip install torch==2.15.0 keras==3.15.1 mlx[cpu]==0.32.4 optax==0.2.8
    python3 generate_parity.py

A case is a function of a peer, the rein constraint that it becomes, and float32 weights before and
after; numbers are C-ordered, in the shortest decimals that give the same float. A grouping is a
layout as rein::per_filter reads it, with the dims. Every case has vectors well inside, on and
outside the limit. Where a case says `hostile`, further vectors come after them, one of each kind in
HOSTILE, and `after` shows what the peer makes of these.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import pathlib
from importlib.metadata import version

import jax.numpy as jnp
import keras
import mlx.core as mx
import numpy as np
import optax
import torch

F32 = np.float32
LIMIT = 1.5
HOSTILE = ("zero", "tiny", "huge", "nan", "inf")
random = np.random.default_rng(20140615)
lines = []


def text(values):
    return " ".join(str(v).removesuffix(".0") for v in np.asarray(values, F32).ravel())


def weights(layout, dims, hostile):
    """Random vectors of norms from 0.1 to 10, one of the limit; the kept axes are those marked o."""
    w = random.uniform(-1, 1, dims).astype(F32)
    kept = [axis for axis, letter in enumerate(layout) if letter == "o"]
    vectors = np.moveaxis(w, kept, range(len(kept))).reshape(
        int(np.prod([dims[axis] for axis in kept])), -1).astype(np.float64)
    usual = vectors[:len(vectors) - len(HOSTILE)] if hostile else vectors
    norms = np.geomspace(0.1, 10, len(usual))
    norms[len(norms) // 2] = LIMIT
    usual *= (norms / np.linalg.norm(usual, axis=1))[:, None]
    if hostile:
        special = vectors[-len(HOSTILE):]
        special[:] = np.linspace(0.25, 0.5, special.shape[1])
        special[0] = 0
        special[1] = 1e-24
        special[2, 0] = 1e20
        special[3, -1] = np.nan
        special[4, 0] = np.inf
    moved = [dims[axis] for axis in kept] + [
        dim for axis, dim in enumerate(dims) if axis not in kept]
    return np.ascontiguousarray(
        np.moveaxis(vectors.astype(F32).reshape(moved), range(len(kept)), kept))


def case(function, constraint, layout, dims, run, hostile=False, w=None):
    """`constraint` is rein's: a name and its numbers."""
    if w is None:
        w = weights(layout, dims, hostile)
    after = np.asarray(run(w.copy()), F32)
    assert after.shape == w.shape
    lines.extend([
        f"case {function}",
        f"constraint {constraint}",
        f"grouping {layout} " + " ".join(map(str, dims)),
        *(["hostile"] if hostile else []),
        "before " + text(w),
        "after " + text(after),
    ])


def torch_cases():
    def renorm(dim):
        return lambda w: torch.tensor(w).renorm(2, dim, LIMIT).numpy()

    max_norm = f"max_norm {LIMIT}"
    for layout, dims in (
            [("oi", (12, 7)), ("io", (7, 12))]
            + [("oiw", (11, 3, 4)), ("iow", (3, 11, 4)), ("iwo", (3, 4, 11))]
            + [("oihw", (11, 2, 3, 3)), ("iohw", (2, 11, 3, 3)), ("ihow", (2, 3, 11, 3)),
               ("ihwo", (2, 3, 3, 11))]
            + [("oidhw", (10, 2, 2, 2, 2)), ("iodhw", (2, 10, 2, 2, 2))]):
        dim = layout.index("o")
        case(f"torch.renorm dim={dim}", max_norm, layout, dims, renorm(dim), hostile=True)

    def by_hand(w):
        t = torch.tensor(w)
        return (t * (LIMIT / t.norm(2, dim=1, keepdim=True).clamp(min=LIMIT))).numpy()

    case("torch W * (m / norm.clamp(min=m))", max_norm, "oi", (12, 7), by_hand, hostile=True)
    case("torch normalize", "unit_norm", "oi", (6, 7),
         lambda w: torch.nn.functional.normalize(torch.tensor(w), dim=1).numpy())
    case("torch clamp_(min=0)", "non_negative", "oi", (6, 5),
         lambda w: torch.tensor(w).clamp_(min=0).numpy())
    case("torch clamp_(-0.25, 0.5)", "box -0.25 0.5", "oi", (6, 5),
         lambda w: torch.tensor(w).clamp_(-0.25, 0.5).numpy())

    def embedding(w):
        layer = torch.nn.Embedding(*w.shape, max_norm=LIMIT)
        layer.weight.data = torch.tensor(w)
        layer(torch.tensor([11, 2, 7, 11]))
        return layer.weight.data.numpy()

    case("torch Embedding(max_norm)", f"max_norm_of_rows {LIMIT} 11 2 7", "oi", (12, 7), embedding)


def keras_cases():
    c = keras.constraints

    def apply(constraint):
        return lambda w: keras.ops.convert_to_numpy(constraint(keras.ops.convert_to_tensor(w)))

    kernels = (  # layer, layout, dims: the summed axes are those that are not o
        ("Dense", "io", (7, 12)), ("Dense", "oi", (12, 7)), ("Dense", "o", (12,)),
        ("Conv1D", "wio", (4, 3, 10)), ("Conv2D", "hwio", (3, 3, 2, 10)),
        ("Conv2D", "hwoo", (3, 3, 2, 6)), ("Conv3D", "dhwio", (2, 2, 2, 2, 9)),
        ("DepthwiseConv2D", "hwoo", (3, 3, 5, 2)), ("SeparableConv1D", "woo", (4, 5, 2)),
        ("Conv1DTranspose", "woi", (4, 10, 3)), ("Conv2DTranspose", "hwoi", (3, 3, 10, 2)),
        ("Conv3DTranspose", "dhwoi", (2, 2, 2, 9, 2)))
    for layer, layout, dims in kernels:
        axes = [axis for axis, letter in enumerate(layout) if letter != "o"]
        if not axes:
            continue
        name = f"keras {{}} {layer} axis={axes}"
        case(name.format("MaxNorm"), f"max_norm {LIMIT}", layout, dims,
             apply(c.MaxNorm(LIMIT, axis=axes)), hostile=True)
        case(name.format("UnitNorm"), "unit_norm", layout, dims, apply(c.UnitNorm(axis=axes)))
        case(name.format("MinMaxNorm"), f"min_max_norm 0.5 {LIMIT} 1", layout, dims,
             apply(c.MinMaxNorm(0.5, LIMIT, rate=1, axis=axes)))
        case(name.format("MinMaxNorm(rate=0.25)"), f"min_max_norm 0.5 {LIMIT} 0.25", layout, dims,
             apply(c.MinMaxNorm(0.5, LIMIT, rate=0.25, axis=axes)))
    case("keras MaxNorm Dense axis=[0, 1]", f"max_norm {LIMIT}", "whole", (5, 4),
         apply(c.MaxNorm(LIMIT, axis=[0, 1])), w=random.uniform(-1, 1, (5, 4)).astype(F32))
    case("keras NonNeg", "non_negative", "oi", (6, 5), apply(c.NonNeg()))


def optax_cases():
    p = optax.projections
    w = random.uniform(-1, 1, (4, 5)).astype(F32)
    normal = random.uniform(-1, 1, (4, 5)).astype(F32)
    for name, constraint, run in (
            ("projection_l2_ball", f"max_norm {LIMIT}", lambda w: p.projection_l2_ball(w, LIMIT)),
            ("projection_l2_sphere", "unit_norm", lambda w: p.projection_l2_sphere(w, 1.0)),
            ("projection_l1_ball", f"l1_ball {LIMIT}", lambda w: p.projection_l1_ball(w, LIMIT)),
            ("projection_simplex", f"simplex {LIMIT}", lambda w: p.projection_simplex(w, LIMIT)),
            ("projection_non_negative", "non_negative", p.projection_non_negative),
            ("projection_box", "box -0.25 0.5", lambda w: p.projection_box(w, -0.25, 0.5)),
            ("projection_hypercube", "box 0 0.5", lambda w: p.projection_hypercube(w, 0.5)),
            ("projection_halfspace", "halfspace -0.5 " + text(normal),
             lambda w: p.projection_halfspace(w, jnp.asarray(normal), -0.5)),
            ("projection_hyperplane", "hyperplane -0.5 " + text(normal),
             lambda w: p.projection_hyperplane(w, jnp.asarray(normal), -0.5))):
        case(f"optax {name}", constraint, "whole", (4, 5), lambda w: run(jnp.asarray(w)), w=w)


def mlx_cases():
    def max_norm(w):
        a = mx.array(w)
        norm = mx.linalg.norm(a, axis=1, keepdims=True)
        return np.array(a * mx.minimum(1, LIMIT / mx.maximum(norm, 1e-12)))

    def max_norm_of_filters(w):
        a = mx.array(w)
        norm = mx.sqrt(mx.square(a).sum(axis=(1, 2, 3), keepdims=True))
        return np.array(mx.where(norm > LIMIT, a * (LIMIT / norm), a))

    case("mlx W * minimum(1, m / norm)", f"max_norm {LIMIT}", "oi", (12, 7), max_norm, hostile=True)
    case("mlx where(norm > m, W * (m / norm), W)", f"max_norm {LIMIT}", "ohwi", (10, 3, 3, 2),
         max_norm_of_filters, hostile=True)
    case("mlx clip", "box -0.25 0.5", "oi", (6, 5),
         lambda w: np.array(mx.clip(mx.array(w), -0.25, 0.5)))


torch_cases()
keras_cases()
optax_cases()
mlx_cases()
versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "keras", "mlx", "optax"))
pathlib.Path(__file__).with_name("parity.txt").write_text(
    f"# written by generate_parity.py with {versions}\n" + "\n".join(lines) + "\n")
