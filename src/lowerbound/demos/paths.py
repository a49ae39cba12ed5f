"""Straight lines between codes, decoded: how long, how even, and through what (EQUATIONS 28)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..evaluation.samples import Classifier, Smoothness, lines, smoothness
from .digits import digits, fit
from .result import Demonstration, number


class Path(NamedTuple):
    """Paths between pairs of images.

    Attributes:
        images: ``(N, T, H, W)`` in [0, 1].
        smooth: in pixels.
        sure: mean over the pairs of the classifier's highest probability, at each of the T points.
    """

    images: np.ndarray
    smooth: Smoothness
    sure: np.ndarray


def between(model: Any, start: Tensor, end: Tensor, judge: Classifier, points: int = 17) -> Path:
    """Decode the straight lines between the codes of two sets of images.

    Args:
        model: with ``encode`` and ``decode`` of flattened images; None: lines between the images.
        start: ``(N, 1, H, W)``.
        end: ``(N, 1, H, W)``.
        judge: of the images.
        points: T.
    """
    shape = start.shape[1:]
    with torch.no_grad():
        if model is None:
            found = torch.from_numpy(
                lines(start.flatten(1).numpy(), end.flatten(1).numpy(), points)
            )
        else:
            codes = [model.encode(x.flatten(1)).mean.numpy() for x in (start, end)]
            path = torch.from_numpy(lines(*codes, points)).float()
            found = model.decode(path.flatten(0, 1)).mean.unflatten(0, path.shape[:2])
    images = found.float().clamp(0, 1).reshape(-1, *shape)
    sure = judge.proba(images).max(1).reshape(len(start), points).mean(0)
    return Path(
        images.reshape(len(start), points, *shape[1:]).numpy(), smoothness(found.numpy()), sure
    )


def linear(x: Tensor, latent: int) -> Any:
    """Principal components of flattened images ``(N, D)`` as a model: a linear decoder."""
    mean = x.mean(0)
    axes = torch.linalg.svd(x - mean, full_matrices=False).Vh[:latent]

    class Point(NamedTuple):
        mean: Tensor

    class Linear:
        def encode(self, x: Tensor) -> Point:
            return Point((x - mean) @ axes.T)

        def decode(self, z: Tensor) -> Point:
            return Point(z @ axes + mean)

    return Linear()


def demonstrate(*, seed: int = 0, steps: int = 2000, pairs: int = 200) -> Demonstration:
    """Between pairs of held-out digits of different classes: pixels, PCA, autoencoder, VAE."""
    from ..plots.arguments import walks

    found = digits(seed=seed)
    random = np.random.default_rng(seed)
    left, right = (random.integers(len(found.test), size=4 * pairs) for _ in range(2))
    differ = np.flatnonzero(found.labels[left] != found.labels[right])[:pairs]
    start, end = found.test[left[differ]], found.test[right[differ]]
    sigma = {"name": "gaussian", "sigma": "learned"}
    models = {
        "pixels": None,
        "PCA, 8 codes": linear(found.train.flatten(1), 8),
        "autoencoder, 8 codes": fit("autoencoder", found.train, steps=steps, seed=seed),
        "VAE, 8 codes": fit("vae", found.train, steps=steps, seed=seed, likelihood=sigma),
    }
    walked = {name: between(model, start, end, found.judge) for name, model in models.items()}
    middle = len(walked["pixels"].sure) // 2
    rows = [
        (
            name,
            number(float(each.smooth.length.mean()), 2),
            number(float(each.smooth.detour.mean()), 3),
            number(float(each.smooth.jump.mean()), 3),
            number(float(each.smooth.jump.max()), 3),
            number(float(each.sure[middle]), 3),
        )
        for name, each in walked.items()
    ]
    jumps = {name: float(each.smooth.jump.mean()) for name, each in walked.items()}
    sure = {name: float(each.sure[middle]) for name, each in walked.items()}
    return Demonstration(
        "Straight lines between codes",
        f"{len(start)} pairs of held-out digits of different classes, a straight line of 17 codes "
        "between each pair, decoded. A linear decoder (and no decoder at all) makes straight paths "
        "of even steps: a detour and a largest jump of exactly 1, through blends that are no "
        "digits. Decoders that bend leave the straight line to pass over digits, at the price of "
        "longer and less even paths; the VAE's, whose codes leave no gaps, are surer in the "
        "middle. (Lengths are Euclidean, over 64 pixels in [0, 1]; a jump is the longest step "
        "over the mean step.)",
        {
            "jump_linear": jumps["PCA, 8 codes"],
            "jump_autoencoder": jumps["autoencoder, 8 codes"],
            "jump_vae": jumps["VAE, 8 codes"],
            "detour_linear": float(walked["PCA, 8 codes"].smooth.detour.mean()),
            "detour_vae": float(walked["VAE, 8 codes"].smooth.detour.mean()),
            "sure_pixels": sure["pixels"],
            "sure_linear": sure["PCA, 8 codes"],
            "sure_autoencoder": sure["autoencoder, 8 codes"],
            "sure_vae": sure["VAE, 8 codes"],
        },
        ("line between", "length", "detour", "largest jump", "in any pair", "sure, half way"),
        rows,
        walks(
            {name: each.images[0] for name, each in walked.items()},
            {name: each.sure for name, each in walked.items()},
        ),
        {"seed": seed, "steps": steps, "pairs": len(start)},
    )
