"""The model that all contestants train: MLP VAE 784-512-20, and its weights in one form for all.

One hidden layer of 512 in encoder and decoder, ReLU, 20 codes, Bernoulli likelihood. Weights travel
as an .npz of float32 arrays, a matrix being (out, in): for ``hidden``, ``loc`` and ``log_scale`` of
the encoder and ``hidden`` and ``logits`` of the decoder, ``encoder.hidden.weight`` and so on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PIXELS, HIDDEN, CODES = 784, 512, 20
LAYERS = {
    "encoder.hidden": (PIXELS, HIDDEN),
    "encoder.loc": (HIDDEN, CODES),
    "encoder.log_scale": (HIDDEN, CODES),
    "decoder.hidden": (CODES, HIDDEN),
    "decoder.logits": (HIDDEN, PIXELS),
}
PARAMETERS = sum(fan_in * out + out for fan_in, out in LAYERS.values())
_PRODUCTS = sum(fan_in * out for fan_in, out in LAYERS.values())
#: Floating-point operations of the matrix products: forward, gradient of the weights, gradient of
#: the inputs (the data need none); and of a decoded code.
TRAINING_FLOPS = 2 * (3 * _PRODUCTS - PIXELS * HIDDEN)
DECODING_FLOPS = 2 * (CODES * HIDDEN + HIDDEN * PIXELS)
#: Bytes that Adam reads (weight, gradient, both moments) and writes (all but the gradient) a step.
ADAM_BYTES = 7 * 4 * PARAMETERS
#: Bytes of the four arrays that it passes over.
ADAM_ARRAYS = 4 * 4 * PARAMETERS


def images(path: Path | str, *, binary: bool, limit: int | None = None) -> tuple[Any, Any]:
    """MNIST's training and test images, uint8 (N, 784).

    Args:
        path: of ``mnist.npz``.
        binary: draw each training pixel once, 0 or 1 with its grey value as probability; else they
            stay grey, 0..255. The test pixels are drawn either way.
        limit: so many of each at most.
    """
    with np.load(path) as file:
        train, test = (file[f"{n}_images"][:limit].reshape(-1, PIXELS) for n in ("train", "test"))
    return (_drawn(train, 1) if binary else train), _drawn(test, 2)


def _drawn(grey: np.ndarray, seed: int) -> np.ndarray:
    uniform = np.random.default_rng(seed).random(grey.shape, dtype=np.float32)
    return (255.0 * uniform < grey).astype(np.uint8)


def save(path: Path | str, layers: dict[str, tuple[Any, Any]]) -> None:
    """Write weights and biases, given by layer as arrays; a matrix that is (in, out) is refused."""
    arrays = {}
    for name, (weight, bias) in layers.items():
        assert weight.shape == LAYERS[name][::-1] and bias.shape == LAYERS[name][1:], name
        arrays |= {f"{name}.weight": np.asarray(weight), f"{name}.bias": np.asarray(bias)}
    np.savez(path, **arrays)


def load(path: Path | str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Weights and biases by layer."""
    with np.load(path) as file:
        return {name: (file[f"{name}.weight"], file[f"{name}.bias"]) for name in LAYERS}


def bound(path: Path | str, test: np.ndarray, draws: int = 4, seed: int = 0) -> np.ndarray:
    """The evidence lower bound of test images (N, 784), by the same code for every contestant.

    Returns:
        nats, (N,): the mean over `draws` codes for each, the same noise for every set of weights.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, linear, relu

    w = {n: tuple(map(torch.from_numpy, pair)) for n, pair in load(path).items()}
    x = torch.from_numpy(test).float()
    noise = torch.randn(draws, len(x), CODES, generator=torch.Generator().manual_seed(seed))
    h = relu(linear(x, *w["encoder.hidden"]))
    loc, log_scale = linear(h, *w["encoder.loc"]), linear(h, *w["encoder.log_scale"])
    rate = 0.5 * (loc.square() + (2 * log_scale).exp() - 2 * log_scale - 1).sum(1)
    distortion = torch.zeros(len(x))
    for eps in noise:
        h = relu(linear(loc + log_scale.exp() * eps, *w["decoder.hidden"]))
        logits = linear(h, *w["decoder.logits"])
        distortion += binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1) / draws
    return -(distortion + rate).numpy()
