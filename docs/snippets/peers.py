"""What PyTorch, Keras, MLX and optax give for the inputs of the coming_from_*.cpp programs.

    pip install torch keras "mlx[cpu]" optax && python peers.py > peers.txt
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import jax.numpy as jnp
import keras
import mlx.core as mx
import mlx.optimizers
import numpy as np
import optax
import torch

f32 = np.float32


def numbers(x):
    return "  ".join(f"{v:.6g}" for v in np.asarray(x, dtype=np.float64).ravel())


def show(name, x):
    print(f"{name:<38}{numbers(x)}")


def with_keras(constraint, x):
    return keras.ops.convert_to_numpy(constraint(keras.ops.convert_to_tensor(x)))


print("-- torch: Linear weight, 3 outputs x 2 inputs")
linear = torch.tensor([[3, 4], [0.3, 0.4], [0.6, 1.8]])
show("renorm(W, 2, dim=0, maxnorm=1)", linear.renorm(2, 0, 1))
norm = linear.norm(2, dim=0, keepdim=True)
show("by hand, norm(2, dim=0)", linear * (1 / norm.clamp(min=1)))
norm = linear.norm(2, dim=1, keepdim=True)
show("by hand, norm(2, dim=1)", linear * (1 / norm.clamp(min=1)))
embedding = torch.nn.Embedding(3, 2, max_norm=1)
embedding.weight.data = linear.clone()
embedding(torch.tensor([2, 1]))
show("Embedding(max_norm=1), rows 2, 1", embedding.weight.data)

print("\n-- torch: Conv2d weight 2 x 1 x 2 x 2, entries 1 to 8")
memory = np.arange(1, 9, dtype=f32)
conv = torch.tensor(memory.reshape(2, 1, 2, 2))
show("renorm(W, 2, dim=0, maxnorm=5)", conv.renorm(2, 0, 5))

print("\n-- keras: Dense kernel, 2 inputs x 3 outputs")
dense = linear.numpy().T.copy()
c = keras.constraints
show("MaxNorm(1, axis=0)", with_keras(c.MaxNorm(1, axis=0), dense).T)
show("UnitNorm(axis=0)", with_keras(c.UnitNorm(axis=0), dense).T)
show("MinMaxNorm(1, 2, axis=0)", with_keras(c.MinMaxNorm(1, 2, axis=0), dense).T)
show("MinMaxNorm(1, 2, rate=0.5, axis=0)", with_keras(c.MinMaxNorm(1, 2, 0.5, axis=0), dense).T)
show("NonNeg() on -1 2 0.5 -3", with_keras(c.NonNeg(), np.array([-1, 2, 0.5, -3], f32)))

print("\n-- keras: Conv2D kernel 2 x 2 x 1 x 2, entries 1 to 8")
hwio = memory.reshape(2, 2, 1, 2)
show("MaxNorm(5, axis=[0, 1, 2])", with_keras(c.MaxNorm(5, axis=[0, 1, 2]), hwio))
show("MaxNorm(5), so axis=0", with_keras(c.MaxNorm(5), hwio))

print("\n-- keras: DepthwiseConv2D kernel 2 x 1 x 2 x 2, entries 1 to 8")
depthwise = memory.reshape(2, 1, 2, 2)
show("MaxNorm(5, axis=[0, 1])", with_keras(c.MaxNorm(5, axis=[0, 1]), depthwise))

print("\n-- mlx: Linear weight, 3 outputs x 2 inputs")
weight = mx.array(linear.numpy())
norm = mx.linalg.norm(weight, axis=1, keepdims=True)
show("by hand, norm(axis=1)", np.array(weight * mx.minimum(1, 1 / norm)))

print("\n-- mlx: Conv2d weight 2 x 2 x 2 x 1, entries 1 to 8")
kernel = mx.array(memory.reshape(2, 2, 2, 1))
norm = mx.sqrt(mx.square(kernel).sum(axis=(1, 2, 3), keepdims=True))
show("by hand, sum(axis=(1, 2, 3))", np.array(kernel * mx.minimum(1, 5 / norm)))

print("\n-- three steps, gradient (0.5, -0.25) times 1, 2, 3")


def train(name, optimizer, **options):
    w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = optimizer([w], lr=0.1, **options)
    for step in range(3):
        w.grad = torch.tensor([0.5, -0.25], dtype=torch.float64) * (step + 1)
        optimizer.step()
    print(f"{name:<24}{w[0].item():.10f}  {w[1].item():.10f}")


train("SGD", torch.optim.SGD)
train("SGD momentum", torch.optim.SGD, momentum=0.9, dampening=0.5)
train("SGD nesterov, decay", torch.optim.SGD, momentum=0.9, weight_decay=0.01, nesterov=True)
train("Adam", torch.optim.Adam)
train("Adam decay, amsgrad", torch.optim.Adam, weight_decay=0.01, amsgrad=True)
train("AdamW", torch.optim.AdamW, weight_decay=0.01)
for correction in [False, True]:
    adam = mlx.optimizers.Adam(learning_rate=0.1, bias_correction=correction)
    w = mx.array([1.0, -2.0])
    for step in range(3):
        w = adam.apply_gradients({"w": mx.array([0.5, -0.25]) * (step + 1)}, {"w": w})["w"]
    name = "MLX Adam, corrected" if correction else "MLX Adam"
    print(f"{name:<24}{w[0].item():.5f}  {w[1].item():.5f}")

print("\n-- differences")
keras_norm = c.MaxNorm(3, axis=0)
inside = torch.tensor([[0.06], [0.08]])
for _ in range(100_000):
    inside = keras_norm(inside)
show("keras, inside, 100000 calls", inside)
show("keras, 1e20 1", with_keras(c.MaxNorm(3), np.array([1e20, 1], f32)))
show("torch.renorm, 1e20 1", torch.tensor([[1e20, 1]]).renorm(2, 0, 3))
show("optax l2_ball, 1e20 1", optax.projections.projection_l2_ball(jnp.array([1e20, 1.0]), 3.0))
show("keras, 1e-24 1e-24", with_keras(c.MaxNorm(3), np.array([1e-24, 1e-24], f32)))
show("keras, Inf 1", with_keras(c.MaxNorm(3), np.array([np.inf, 1], f32)))
show("torch.renorm, Inf 1", torch.tensor([[np.inf, 1]]).renorm(2, 0, 3))
show("keras, NaN 100", with_keras(c.MaxNorm(3), np.array([np.nan, 100], f32)))
show("torch.renorm, NaN 100", torch.tensor([[np.nan, 100]]).renorm(2, 0, 3))
vectors = np.random.RandomState(1).uniform(-1, 1, (100_000, 64)).astype(f32)
once = torch.tensor(vectors).renorm(2, 0, 3)
show("torch.renorm, vectors changed", [(once != torch.tensor(vectors)).any(1).sum()])
show("torch.renorm, by a second call", [(once.renorm(2, 0, 3) != once).any(1).sum()])
show("keras MaxNorm(-1)", with_keras(c.MaxNorm(-1), np.array([3, 4], f32)))
