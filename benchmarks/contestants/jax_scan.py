"""JAX at its fastest: one jitted scan over an epoch, donated state, data on the device; float32.

Variants name the random generator of the pixels' and codes' noise: threefry2x32 (JAX's default) or
rbg.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import Any

import jax  # ty: ignore[import-not-found]
import jax.numpy as jnp  # ty: ignore[import-not-found]
import numpy as np
import optax  # ty: ignore[import-not-found]

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.train_arguments import arguments

Weights = dict[str, tuple[jax.Array, jax.Array]]
_OPTIMIZER = optax.adam(1e-3)


def start(key: jax.Array) -> Weights:
    """Initial weights (in, out) and biases, as PyTorch's: uniform within 1/sqrt(in)."""
    found = {}
    for name, (fan_in, out) in shared.LAYERS.items():
        key, one, other = jax.random.split(key, 3)
        limit = fan_in**-0.5
        weight = jax.random.uniform(one, (fan_in, out), minval=-limit, maxval=limit)
        found[name] = weight, jax.random.uniform(other, (out,), minval=-limit, maxval=limit)
    return found


def loss(weights: Weights, x: jax.Array, noise: jax.Array) -> jax.Array:
    """The negative bound's mean, nats, of x (N, 784) with noise (N, 20)."""

    def linear(name: str, value: jax.Array) -> jax.Array:
        weight, bias = weights[name]
        return value @ weight + bias

    h = jax.nn.relu(linear("encoder.hidden", x))
    loc, log_scale = linear("encoder.loc", h), linear("encoder.log_scale", h)
    h = jax.nn.relu(linear("decoder.hidden", loc + jnp.exp(log_scale) * noise))
    logits = linear("decoder.logits", h)
    distortion = (jax.nn.softplus(logits) - x * logits).sum(1)
    rate = 0.5 * (loc**2 + jnp.exp(2 * log_scale) - 2 * log_scale - 1).sum(1)
    return (distortion + rate).mean()


@partial(jax.jit, static_argnames=("batch", "fixed"), donate_argnums=0)
def epoch(state: Any, data: jax.Array, *, batch: int, fixed: bool) -> tuple[Any, jax.Array]:
    """All full batches of a new permutation of data, uint8 (N, 784)."""

    def step(state: Any, chosen: jax.Array) -> tuple[Any, jax.Array]:
        weights, moments, key = state
        key, pixels, codes = jax.random.split(key, 3)
        x = data[chosen].astype(jnp.float32)
        if not fixed:
            x = (255.0 * jax.random.uniform(pixels, x.shape) < x).astype(jnp.float32)
        noise = jax.random.normal(codes, (batch, shared.CODES))
        value, gradients = jax.value_and_grad(loss)(weights, x, noise)
        updates, moments = _OPTIMIZER.update(gradients, moments)
        return (optax.apply_updates(weights, updates), moments, key), value

    weights, moments, key = state
    key, order = jax.random.split(key)
    steps = len(data) // batch
    chosen = jax.random.permutation(order, len(data))[: steps * batch].reshape(steps, batch)
    return jax.lax.scan(step, (weights, moments, key), chosen)


def peak(size: int = 2048) -> float:
    """Floating-point operations per second of a large float32 product."""
    a = jnp.full((size, size), 0.5)
    product = jax.jit(lambda a: a @ a)
    product(a).block_until_ready()
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        product(a).block_until_ready()
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


def main() -> None:
    """Train in turns."""
    given = arguments()
    jax.config.update("jax_default_prng_impl", given.variant)
    fixed = given.input == "fixed"
    train, _ = shared.images(given.data, binary=fixed, limit=given.limit)
    data = jnp.asarray(train)
    weights = start(jax.random.key(0))
    state = (weights, _OPTIMIZER.init(weights), jax.random.key(1))
    count = sum(leaf.size for leaf in jax.tree.leaves(weights))

    def save(path: str) -> None:
        found = {name: (np.asarray(w).T, np.asarray(b)) for name, (w, b) in state[0].items()}
        shared.save(path, found)

    link = Link({"weights": save, "peak": peak})
    compiled = epoch.lower(state, data, batch=given.batch, fixed=fixed).compile()
    link.ready(parameters=count, note=f"float32, {given.variant}, jax {jax.__version__}")
    examples = len(data) // given.batch * given.batch
    while True:
        link.wait()
        state, losses = compiled(state, data)
        link.done(examples, loss=float(losses.mean()))


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
