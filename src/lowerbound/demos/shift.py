"""Squared error calls a shifted digit worse than a broken one; features and log p(x) do not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..evaluation import estimate_log_likelihood
from .digits import digits, fit
from .result import Demonstration, number

_SIDE = 16
_NOISE = 0.02  # what a density of the training images alone may not fall below


class Pairs(NamedTuple):
    """Images ``(N, 1, H, W)`` and what was done to them.

    Attributes:
        images: as they are.
        shifted: by one pixel to the right.
        erased: without a rectangle of strokes.
    """

    images: Tensor
    shifted: Tensor
    erased: Tensor


def pairs(images: Tensor, share: float = 0.9) -> Pairs:
    """Each image shifted, and with as much of its strokes erased as squared error forgives.

    The rectangle, of 2 to 5 pixels a side, is the one whose erasure costs most, but less than
    `share` of what the shift costs: squared error prefers the erased image by construction, and
    nothing else of how it is chosen looks at digits.

    Args:
        images: ``(N, 1, H, W)`` in [0, 1], ink bright.
        share: of the shift's squared error.
    """
    shifted = functional.pad(images, (1, 0, 0, 0))[..., : images.shape[3]]
    budget = share * _squared(images, shifted)
    best, erased = torch.full((len(images),), -1.0), images.clone()
    for height in range(2, 6):
        for width in range(2, 6):
            ink = functional.avg_pool2d(images.square(), (height, width), 1) * height * width
            ink = torch.where(ink < budget.view(-1, 1, 1, 1), ink, -1.0)
            most, place = ink.flatten(1).max(1)
            for n in torch.where(most > best)[0].tolist():
                top, left = divmod(int(place[n]), ink.shape[3])
                best[n] = most[n]
                erased[n] = images[n]
                erased[n, :, top : top + height, left : left + width] = 0.0
    return Pairs(images, shifted, erased)


def moved(images: Tensor) -> Tensor:
    """A batch moved by up to a pixel in each direction, all of it alike: where a digit stands on
    its sheet is no part of what it is."""
    height, width = images.shape[2:]
    top, left = torch.randint(3, (2,)).tolist()
    padded = functional.pad(images, (1, 1, 1, 1))
    found = padded[:, :, top : top + height, left : left + width]
    return found + _NOISE * torch.randn_like(found)


def _still(images: Tensor) -> Tensor:
    return images + _NOISE * torch.randn_like(images)


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().flatten(1).sum(1)


def demonstrate(*, seed: int = 0, steps: int = 1500, examples: int = 200) -> Demonstration:
    """Distances under squared error, features, and log p of two VAEs."""
    from ..plots.arguments import shifted

    found = digits(_SIDE, seed=seed)
    judge = found.judge
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        each = pairs(found.test[:examples])

    def apart(other: Tensor) -> np.ndarray:
        return np.linalg.norm(judge.features(each.images) - judge.features(other), axis=1)

    def right(images: Tensor) -> float:
        return float((judge.predict(images) == found.labels[: len(images)]).mean())

    measured = {
        "squared error": [_squared(each.images, x).numpy() for x in each[1:]],
        "feature distance": [apart(x) for x in each[1:]],
    }
    names = {"digits anywhere": moved, "digits centred": _still}
    for name, disturb in names.items():
        sigma = {"name": "gaussian", "sigma": "learned"}
        model = fit(
            "vae", found.train, latent=16, steps=steps, seed=seed, disturb=disturb, likelihood=sigma
        )
        log_p = [
            estimate_log_likelihood(
                model, x.flatten(1), samples=200, compile=False, seed=seed
            ).values.numpy()
            for x in each
        ]
        # What the change costs: nats that it takes from log p(x).
        measured[f"−Δ log p(x), {name}"] = [log_p[0] - x for x in log_p[1:]]
    shares = {name: float((b > a).mean()) for name, (a, b) in measured.items()}
    rows = [
        (
            name,
            number(float(np.mean(a)), 1),
            number(float(np.mean(b)), 1),
            f"{100 * shares[name]:.1f} %",
        )
        for name, (a, b) in measured.items()
    ]
    rows.append(
        ("the classifier is right about", f"{100 * right(each.shifted):.1f} %",
         f"{100 * right(each.erased):.1f} %", "")
    )  # fmt: skip
    return Demonstration(
        "A shift by one pixel against an erased stroke",
        f"{examples} held-out digits of {_SIDE} x {_SIDE} pixels, each shifted by one pixel, and "
        "each with a rectangle erased that costs less squared error than the shift: so squared "
        "error says of every digit that the shifted one is further away than the broken one. "
        "Distances of a classifier's features say the opposite, and so does log p(x) of a VAE "
        "(200 importance samples), if digits stood anywhere within a pixel when it learnt; one "
        "that saw centred digits only knows of no shifts and says so.",
        {
            "inverted_squared_error": 1.0 - shares["squared error"],
            "inverted_features": shares["feature distance"],
            "inverted_log_p": shares["−Δ log p(x), digits anywhere"],
            "inverted_log_p_centred": shares["−Δ log p(x), digits centred"],
            "right_shifted": right(each.shifted),
            "right_erased": right(each.erased),
        },
        ("distance to the digit as it is", "shifted", "stroke erased", "erased is further"),
        rows,
        shifted(
            *(x[:8, 0].numpy() for x in each),
            measured,
        ),
        {"seed": seed, "steps": steps, "examples": examples, "codes": 16},
    )
