"""What the demonstrations on digits share: images, a judge, and models of codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data import DataSpec, load
from ..evaluation.samples import Classifier, train_classifier
from ..recipes import RECIPES
from .training import batches, train


class Digits(NamedTuple):
    """Images of digits in [0, 1], and a classifier of them.

    Attributes:
        train: ``(N, 1, side, side)``.
        test: ``(M, 1, side, side)``.
        labels: of the test images, int64 ``(M,)``.
        judge: trained on the training images.
    """

    train: Tensor
    test: Tensor
    labels: np.ndarray
    judge: Classifier


def digits(side: int = 8, *, seed: int = 0) -> Digits:
    """scikit-learn's digits, enlarged by bicubic interpolation where `side` is more than 8."""
    data = load("digits")

    def images(split: Any) -> Tensor:
        x = split.all().float() / 16.0
        if side != x.shape[2]:
            x = functional.interpolate(x, (side, side), mode="bicubic", align_corners=False)
        return x.clamp(0.0, 1.0)

    x, new = images(data.train), images(data.test)
    labels = np.asarray(data.test.labels)
    judge = train_classifier(x, data.train.labels, held_out=(new, labels), seed=seed)  # ty: ignore
    return Digits(x, new, labels, judge)


def fit(
    recipe: str,
    x: Tensor,
    *,
    latent: int = 8,
    steps: int = 2000,
    seed: int = 0,
    disturb: Callable[[Tensor], Tensor] | None = None,
    **options: Any,
) -> Any:
    """A model of flattened images, of one architecture whatever the recipe.

    Args:
        recipe: ``autoencoder`` or ``vae``.
        x: images in [0, 1], ``(N, 1, H, W)``.
        latent: numbers in a code.
        steps: of training, 128 images each.
        seed: of weights, batches and noise.
        disturb: what is done to each batch of images before it is learnt from.
        **options: further ones of the recipe.

    Returns:
        The trained model of vectors ``(H W,)``, in evaluation mode.
    """
    flat = x.flatten(1)
    spec = DataSpec(
        "digits",
        "vector",
        tuple(flat.shape[1:]),
        "real",
        train=len(x),
        mean=flat.mean(0).numpy(),
        std=flat.std(0).numpy(),
    )
    draw = batches(x, 128, seed)

    def batch() -> Tensor:
        images = draw()
        return (images if disturb is None else disturb(images)).flatten(1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built: Any = RECIPES[recipe](
            spec, latent_dim=latent, network="mlp", hidden=(256, 128), activation="silu", **options
        )
        train(built, batch, steps=steps, learning_rate=2e-3)
    return built.model.eval()
