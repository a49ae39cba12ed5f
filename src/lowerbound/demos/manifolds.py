"""A noisy curve and a swiss roll, as PCA and an autoencoder reconstruct them (EQUATIONS 2, 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from ..data import DataSpec
from ..data.synthetic import Manifold, noisy_curve, swiss_roll
from ..recipes import RECIPES
from .result import Demonstration, number
from .training import batches, train


class Reconstruction(NamedTuple):
    """What one method makes of held-out data.

    Attributes:
        x: reconstructions, ``(N, D)``, in the data's units.
        codes: ``(N, d)``.
        error: mean squared distance to the data, in their units squared.
        from_clean: mean squared distance to the points without noise.
    """

    x: np.ndarray
    codes: np.ndarray
    error: float
    from_clean: float


def reconstruct(
    kind: str,
    learn: Manifold,
    held_out: Manifold,
    latent: int,
    *,
    seed: int = 0,
    steps: int = 4000,
    hidden: tuple[int, ...] = (128, 128),
) -> Reconstruction:
    """Fit PCA or an autoencoder to one sample of a manifold and reconstruct another.

    Args:
        kind: ``pca`` or ``autoencoder``.
        learn: training data.
        held_out: what is reconstructed.
        latent: numbers in a code.
        seed: of weights and batches.
        steps: of the autoencoder's training.
        hidden: widths of its encoder; the decoder mirrors them.
    """
    shift, scale = learn.x.mean(0), float(learn.x.std())
    x, new = (torch.from_numpy((m.x - shift) / scale).float() for m in (learn, held_out))
    spec = DataSpec("manifold", "vector", (x.shape[1],), "real", train=len(x))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "pca":
            built: Any = RECIPES["pca"](spec, latent_dim=latent)
            for _ in built.phases[0].solve(built.model, lambda: iter([x])):
                pass
        else:
            built = RECIPES["autoencoder"](
                spec, latent_dim=latent, network="mlp", hidden=hidden, activation="silu"
            )
            train(built, batches(x, 256, seed), steps=steps, learning_rate=3e-3)
    model: Any = built.model
    with torch.no_grad():
        if kind == "pca":
            # The orthogonal projection: the posterior mean of probabilistic PCA shrinks towards 0.
            basis = torch.linalg.qr(model.linear.weight)[0]
            codes = (new - model.linear.mean) @ basis
            found = codes @ basis.mT + model.linear.mean
        else:
            codes = model.encode(new).mean
            found = model.decode(codes).mean
    values = found.double().numpy() * scale + shift
    return Reconstruction(
        values,
        codes.numpy(),
        float(((values - held_out.x) ** 2).sum(1).mean()),
        float(((values - held_out.clean) ** 2).sum(1).mean()),
    )


def demonstrate(*, seed: int = 0) -> Demonstration:
    """Both data, both methods."""
    from ..plots.demos import manifolds

    pairs = {
        "noisy curve, 1 code": (
            noisy_curve(2000, seed=seed, noise=0.1),
            noisy_curve(1000, seed=seed + 1, noise=0.1),
            1,
        ),
        "swiss roll, 2 codes": (
            swiss_roll(3000, seed=seed, noise=0.2),
            swiss_roll(1500, seed=seed + 1, noise=0.2),
            2,
        ),
    }
    rows, numbers, drawn = [], {}, {}
    for name, (learn, held_out, latent) in pairs.items():
        variance = float(held_out.x.var(0).sum())
        for kind in ("pca", "autoencoder"):
            found = reconstruct(
                kind, learn, held_out, latent, seed=seed, steps=2000 if latent == 1 else 6000
            )
            drawn[name, kind] = (held_out, found)
            numbers[f"{name.split(',')[0].replace(' ', '_')}_{kind}"] = found.error
            rows.append(
                (
                    f"{name}, {kind}",
                    number(found.error, 4),
                    number(100 * found.error / variance, 2),
                    number(found.from_clean, 4),
                )
            )
    return Demonstration(
        "A line, a plane, and what bends",
        "Held-out points and what a code of one number (the curve, noise σ = 0.1) or two (the "
        "roll, noise σ = 0.2) keeps of them. PCA has a line and a plane; the autoencoder bends. No "
        "code of so few numbers can keep the noise off the manifold: for the curve that is 0.01, "
        "for the roll 0.04, in squared units.",
        numbers,
        ("data and method", "squared error", "of the variance, %", "from the points without noise"),
        rows,
        manifolds(drawn),
        {"seed": seed, "steps": "2000 and 6000"},
    )
