#!/usr/bin/env python3
"""Writes parity.txt: what the peers' own functions make of seeded weights, for tests/parity.cpp.

    pip install torch==2.15.0 keras==3.15.1 mlx[cpu]==0.32.4 optax==0.2.8
    python3 generate_parity.py

A case is a function of a peer, the rein constraint that it becomes, and weights before and after,
float32 unless it says otherwise; numbers are C-ordered, in the shortest decimals that give the same
number of that scalar. A case without `before` has that of the case above. A grouping is a layout as
rein::per_filter reads it, with the dims. Groups of vectors have some well inside, on and outside the
limit. Where a case says `hostile`, further vectors come after them, one of each kind in HOSTILE, and
`after` shows what the peer makes of these. `again` is what a second call makes of `after`.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import pathlib
from importlib.metadata import version

import jax
import jax.numpy as jnp
import keras
import mlx.core as mx
import numpy as np
import optax
import torch

F32 = np.float32
LIMIT = 1.5
HOSTILE = ("zero", "tiny", "huge", "nan", "inf")
# The squares of the first underflow, those of the second overflow.
TINY_HUGE = {np.float32: (1e-24, 1e20), np.float64: (1e-170, 1e200)}
ENTRIES = np.array([[-np.inf, np.inf, np.nan, 2, 0.1, -1]], F32)
random = np.random.default_rng(20140615)
lines = []


def text(values):
    return " ".join(str(v).removesuffix(".0") for v in np.asarray(values).ravel())


def weights(layout, dims, hostile, scalar=F32):
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
        special[1], special[2, 0] = TINY_HUGE[scalar]
        special[3, -1] = np.nan
        special[4, 0] = np.inf
    moved = [dims[axis] for axis in kept] + [
        dim for axis, dim in enumerate(dims) if axis not in kept]
    return np.ascontiguousarray(
        np.moveaxis(vectors.astype(scalar).reshape(moved), range(len(kept)), kept))


def case(function, constraint, layout, dims, run, hostile=False, w=None, again=False):
    """`constraint` is rein's: a name and its numbers."""
    if w is None:
        w = weights(layout, dims, hostile)
    after = np.asarray(run(w.copy()))
    assert after.shape == w.shape and after.dtype == w.dtype
    before = "before " + text(w)
    same = before == next((line for line in reversed(lines) if line.startswith("before")), "")
    lines.extend([
        f"case {function}",
        *(["scalar double"] if w.dtype == np.float64 else []),
        f"constraint {constraint}",
        f"grouping {layout} " + " ".join(map(str, dims)),
        *(["hostile"] if hostile else []),
        *([] if same else [before]),
        "after " + text(after),
        *(["again " + text(run(after.copy()))] if again else []),
    ])


def torch_cases():
    def renorm(dim):
        return lambda w: torch.tensor(w).renorm(2, dim, LIMIT).numpy()

    max_norm = f"max_norm {LIMIT}"
    for layout, dims in (
            [("oi", (12, 7)), ("io", (7, 12))]
            + [("oiw", (11, 3, 4)), ("iow", (3, 11, 4)), ("iwo", (3, 4, 11))]
            + [("oihw", (11, 2, 2, 3)), ("iohw", (2, 11, 2, 3)), ("ihow", (2, 2, 11, 3)),
               ("ihwo", (2, 2, 3, 11))]
            + [("oidhw", (10, 2, 1, 2, 2)), ("iodhw", (2, 10, 1, 2, 2))]):
        dim = layout.index("o")
        case(f"torch.renorm dim={dim}", max_norm, layout, dims, renorm(dim), hostile=True)

    def by_hand(w):
        t = torch.tensor(w)
        return (t * (LIMIT / t.norm(2, dim=1, keepdim=True).clamp(min=LIMIT))).numpy()

    case("torch W * (m / norm.clamp(min=m))", max_norm, "oi", (12, 7), by_hand, hostile=True)

    def by_hand_with_epsilon(w):
        t = torch.tensor(w)
        norm = t.norm(2, dim=(1, 2, 3), keepdim=True)
        return (t * (norm.clamp(0, LIMIT) / (1e-8 + norm))).numpy()

    case("torch W * (norm.clamp(0, m) / (1e-8 + norm))", max_norm, "oihw", (10, 2, 2, 2),
         by_hand_with_epsilon, hostile=True)
    case("torch normalize", "unit_norm", "oi", (11, 7),
         lambda w: torch.nn.functional.normalize(torch.tensor(w), dim=1).numpy(), hostile=True)
    case("torch weight_norm, g = 1", "unit_norm", "oihw", (5, 2, 2, 2),
         lambda w: torch._weight_norm(torch.tensor(w), torch.ones(5, 1, 1, 1), 0).numpy())
    case("torch W - W.mean(dim)", "zero_mean", "oihw", (5, 2, 2, 2),
         lambda w: (torch.tensor(w) - torch.tensor(w).mean((1, 2, 3), keepdim=True)).numpy())

    def spectral(w):
        t = torch.tensor(w)
        return (t * (0.5 / torch.linalg.matrix_norm(t, 2).clamp(min=0.5))).numpy()

    case("torch W * (m / matrix_norm(W, 2).clamp(min=m))", "max_spectral_norm 0.5", "whole", (5, 4),
         spectral, w=random.uniform(-1, 1, (5, 4)).astype(F32))

    def rms(w):
        t = torch.tensor(w)
        return (t * (0.5 / t.square().mean(1, keepdim=True).sqrt().clamp(min=0.5))).numpy()

    case("torch W * (m / rms.clamp(min=m))", "max_rms 0.5", "oi", (7, 9), rms)
    for name, run in (("torch.renorm dim=0", renorm(0)),
                      ("torch W * (m / norm.clamp(min=m))", by_hand)):
        case(name, max_norm, "oi", (11, 7), run, hostile=True,
             w=weights("oi", (11, 7), True, np.float64))
    # Enough vectors for some to be above the limit by a rounding after a call.
    case("torch.renorm twice", max_norm, "oi", (24, 9), renorm(0), again=True,
         w=2 * random.uniform(-1, 1, (24, 9)).astype(F32))
    case("torch clamp_(min=0)", "non_negative", "oi", (6, 5),
         lambda w: torch.tensor(w).clamp_(min=0).numpy())
    case("torch clamp_(-0.25, 0.5)", "box -0.25 0.5", "oi", (6, 5),
         lambda w: torch.tensor(w).clamp_(-0.25, 0.5).numpy())

    def embedding(w):
        layer = torch.nn.Embedding(*w.shape, max_norm=LIMIT)
        layer.weight.data = torch.tensor(w)
        layer(torch.tensor([11, 2, 7, 11]))
        return layer.weight.data.numpy()

    case("torch entries clamp_(min=0)", "non_negative", "oi", (1, 6),
         lambda w: torch.tensor(w).clamp_(min=0).numpy(), w=ENTRIES)
    case("torch entries clamp_(-0.25, 0.5)", "box -0.25 0.5", "oi", (1, 6),
         lambda w: torch.tensor(w).clamp_(-0.25, 0.5).numpy(), w=ENTRIES)
    case("torch Embedding(max_norm)", f"max_norm_of_rows {LIMIT} 11 2 7", "oi", (12, 7), embedding)


def keras_cases():
    c = keras.constraints

    def apply(constraint):
        return lambda w: keras.ops.convert_to_numpy(constraint(keras.ops.convert_to_tensor(w)))

    def max_norm(layer, layout, dims, **options):
        axes = [axis for axis, letter in enumerate(layout) if letter != "o"]
        case(f"keras MaxNorm {layer} axis={axes}", f"max_norm {LIMIT}", layout, dims,
             apply(c.MaxNorm(LIMIT, axis=axes)), hostile=True, **options)

    kernels = (  # layer, layout, dims: the summed axes are those that are not o
        ("Dense", "io", (7, 12)), ("Dense", "oi", (12, 7)),
        ("Conv1D", "wio", (4, 3, 10)), ("Conv2D", "hwio", (3, 2, 2, 10)),
        ("Conv2D", "hwoo", (3, 2, 2, 6)), ("Conv3D", "dhwio", (2, 1, 2, 2, 9)),
        ("DepthwiseConv2D", "hwoo", (3, 2, 5, 2)), ("SeparableConv1D", "woo", (4, 5, 2)),
        ("Conv1DTranspose", "woi", (4, 10, 3)), ("Conv2DTranspose", "hwoi", (3, 2, 10, 2)),
        ("Conv3DTranspose", "dhwoi", (2, 1, 2, 9, 2)))
    for layer, layout, dims in kernels:
        axes = [axis for axis, letter in enumerate(layout) if letter != "o"]
        name = f"keras {{}} {layer} axis={axes}"
        max_norm(layer, layout, dims)
        hostile = layout == "oi"
        w = weights(layout, dims, hostile)
        case(name.format("UnitNorm"), "unit_norm", layout, dims, apply(c.UnitNorm(axis=axes)),
             hostile, w)
        case(name.format("MinMaxNorm"), f"min_max_norm 0.5 {LIMIT} 1", layout, dims,
             apply(c.MinMaxNorm(0.5, LIMIT, rate=1, axis=axes)), hostile, w)
        case(name.format("MinMaxNorm(rate=0.25)"), f"min_max_norm 0.5 {LIMIT} 0.25", layout, dims,
             apply(c.MinMaxNorm(0.5, LIMIT, rate=0.25, axis=axes)), hostile, w)
    # Other axes, axis=0 among them, which is the default: a vector for each input channel or slice.
    for layer, layout, dims in (
            ("Conv1D", "woo", (4, 5, 2)), ("Conv1D", "woi", (4, 9, 2)),
            ("Conv2D", "hooo", (3, 2, 2, 3)), ("Conv2D", "hwoi", (3, 2, 9, 2)),
            ("Conv3D", "doooo", (3, 2, 1, 2, 3)), ("Conv3D", "dhwoo", (2, 2, 2, 3, 3)),
            ("Conv3D", "dhwoi", (2, 1, 2, 9, 2)), ("DepthwiseConv1D", "woo", (4, 4, 3)),
            ("DepthwiseConv2D", "hwoi", (2, 2, 9, 2)), ("Conv1DTranspose", "woo", (4, 3, 3)),
            ("Conv2DTranspose", "hwoo", (2, 2, 3, 3))):
        max_norm(layer, layout, dims)
    max_norm("Dense", "oi", (11, 7), w=weights("oi", (11, 7), True, np.float64))
    case("keras MaxNorm Conv2D axis=[0, 1, 2, 3]", f"max_norm {LIMIT}", "whole", (3, 2, 2, 2),
         apply(c.MaxNorm(LIMIT, axis=[0, 1, 2, 3])),
         w=random.uniform(-1, 1, (3, 2, 2, 2)).astype(F32))
    case("keras entries NonNeg", "non_negative", "oi", (1, 6), apply(c.NonNeg()), w=ENTRIES)
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

    # Row by row, inside and outside.
    normal = random.uniform(-1, 1, 5).astype(F32)
    w = weights("oi", (12, 5), True)
    for name, constraint, run in (
            ("projection_l2_ball", f"max_norm {LIMIT}", lambda v: p.projection_l2_ball(v, LIMIT)),
            ("projection_l2_sphere", "unit_norm", lambda v: p.projection_l2_sphere(v, 1.0)),
            ("projection_l1_ball", f"l1_ball {LIMIT}", lambda v: p.projection_l1_ball(v, LIMIT)),
            ("projection_simplex", f"simplex {LIMIT}", lambda v: p.projection_simplex(v, LIMIT)),
            ("projection_halfspace", "halfspace 0.5 " + text(normal),
             lambda v: p.projection_halfspace(v, normal, 0.5)),
            ("projection_hyperplane", "hyperplane 0.5 " + text(normal),
             lambda v: p.projection_hyperplane(v, normal, 0.5))):
        case(f"optax vmap {name}", constraint, "oi", (12, 5),
             lambda w: jax.vmap(run)(jnp.asarray(w)), hostile=True, w=w)
    case("optax projection_linf_ball", "box -0.5 0.5", "oi", (6, 5),
         lambda w: p.projection_linf_ball(jnp.asarray(w), 0.5))
    case("optax entries projection_non_negative", "non_negative", "oi", (1, 6),
         lambda w: p.projection_non_negative(jnp.asarray(w)), w=ENTRIES)
    case("optax entries projection_box", "box -0.25 0.5", "oi", (1, 6),
         lambda w: p.projection_box(jnp.asarray(w), -0.25, 0.5), w=ENTRIES)


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
    case("mlx where(norm > m, W * (m / norm), W)", f"max_norm {LIMIT}", "ohwi", (10, 3, 2, 2),
         max_norm_of_filters, hostile=True)
    case("mlx clip", "box -0.25 0.5", "oi", (6, 5),
         lambda w: np.array(mx.clip(mx.array(w), -0.25, 0.5)))
    case("mlx maximum(W, 0)", "non_negative", "oi", (6, 5),
         lambda w: np.array(mx.maximum(mx.array(w), 0)))
    case("mlx entries clip", "box -0.25 0.5", "oi", (1, 6),
         lambda w: np.array(mx.clip(mx.array(w), -0.25, 0.5)), w=ENTRIES)
    case("mlx entries maximum(W, 0)", "non_negative", "oi", (1, 6),
         lambda w: np.array(mx.maximum(mx.array(w), 0)), w=ENTRIES)


torch_cases()
keras_cases()
optax_cases()
mlx_cases()
versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "keras", "mlx", "optax"))
pathlib.Path(__file__).with_name("parity.txt").write_text(
    f"# written by generate_parity.py with {versions}\n" + "\n".join(lines) + "\n")
