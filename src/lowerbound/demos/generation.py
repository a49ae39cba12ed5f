"""Generation is easier in latent space: equal mixtures on pixels and on two kinds of codes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..data import held_out, load
from ..mixtures import GaussianMixture, em
from ..recipes import RECIPES
from .result import Demonstration, number
from .training import batches, train

SPACES = ("pixels", "PCA codes", "autoencoder codes")
_SURE = 0.9


class Judged(NamedTuple):
    """What a classifier of real images says of others.

    Attributes:
        sure: share of images that it gives more than 0.9 to one class, in [0, 1].
        spread: entropy of the classes it names, in nats; log 10 where all come alike.
        distance: Fréchet distance of its features from those of held-out images.
    """

    sure: float
    spread: float
    distance: float


class Classifier(nn.Module):
    """A small network of digits, whose last hidden layer serves as features.

    Args:
        x: training images, ``(N, 64)`` in [0, 1].
        labels: their classes, ``(N,)``.
        seed: of weights and batches.
    """

    def __init__(self, x: Tensor, labels: Tensor, *, seed: int = 0, steps: int = 1500) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU())
        self.scores = nn.Linear(32, 10)
        optimizer = torch.optim.Adam(self.parameters(), 2e-3)
        for _ in range(steps):
            chosen = torch.randint(len(x), (128,))
            # A little noise, for samples are never as clean as scans.
            noisy = x[chosen] + 0.05 * torch.randn(128, 64)
            loss = nn.functional.cross_entropy(self(noisy), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.features(x))

    @torch.no_grad()
    def judge(self, x: Tensor, real: Tensor) -> Judged:
        """Images ``(M, 64)`` beside real ones ``(N, 64)``."""
        p = self(x).softmax(1)
        mean = p.mean(0)
        spread = -float((mean * mean.clamp_min(1e-12).log()).sum())
        sure = float((p.max(1).values > _SURE).double().mean())
        return Judged(sure, spread, frechet(self.features(x), self.features(real)))


def frechet(a: Tensor, b: Tensor) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of features ``(N, F)`` and ``(M, F)``.

    Reference:
        Heusel et al. 2017, GANs trained by a two time-scale update rule, arXiv 1706.08500

    >>> x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> round(frechet(x, x + 2.0), 6)
    12.0
    """
    a, b = a.double(), b.double()
    first, second = torch.cov(a.T), torch.cov(b.T)
    # Eigenvalues of a product of two such matrices are real and not negative.
    roots = torch.linalg.eigvals(first @ second).real.clamp_min(0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return float(gap + first.trace() + second.trace() - 2 * roots)


def generate(
    space: str, x: Tensor, *, latent: int = 8, components: int = 10, count: int, seed: int = 0
) -> Tensor:
    """New images from a Gaussian mixture of full covariances in one of `SPACES`.

    Args:
        space: where the mixture is fitted.
        x: training images, ``(N, 64)`` in [0, 1].
        latent: numbers in a code.
        components: of the mixture, the same in each space.
        count: how many images.
        seed: of networks, start and draws.

    Returns:
        ``(count, 64)`` in [0, 1].
    """
    torch.manual_seed(seed)
    mean = x.mean(0)
    model: Any = None
    if space == "pixels":
        codes = x
    elif space == "PCA codes":
        axes = torch.linalg.svd(x - mean, full_matrices=False).Vh[:latent]
        codes = (x - mean) @ axes.T
    else:
        from ..data import DataSpec

        spec = DataSpec("digits", "vector", (64,), "unit", train=len(x))
        built: Any = RECIPES["autoencoder"](
            spec, latent_dim=latent, network="mlp", hidden=(256, 128), activation="silu"
        )
        train(built, batches(x, 128, seed), steps=3000, learning_rate=2e-3)
        model = built.model
        with torch.no_grad():
            codes = model.encode(x).mean
    mixture = GaussianMixture((codes.shape[1],), components)
    for _ in em(mixture, lambda: iter([codes]), floor=1e-4):
        pass
    with torch.no_grad():
        drawn = mixture.sample(count)
        if space == "PCA codes":
            drawn = drawn @ axes + mean
        elif model is not None:
            drawn = model.decode(drawn).mean
    return drawn.clamp(0, 1)


def demonstrate(*, seed: int = 0) -> Demonstration:
    """The same mixture in three spaces, judged by one classifier."""
    from ..plots.demos import sheets

    data = load("digits")
    x, real = (held_out(split, data.spec).flatten(1) for split in (data.train, data.test))
    x, real = (each / each.max() for each in (x, real))
    labels = torch.as_tensor(data.train.labels)
    with torch.random.fork_rng(devices=[]):
        judge = Classifier(x, labels, seed=seed)
        right = judge(real).argmax(1).numpy() == np.asarray(data.test.labels)
        made = {space: generate(space, x, count=1000, seed=seed) for space in SPACES}
        judged = {space: judge.judge(images, real) for space, images in made.items()}
        judged["held-out images"] = judge.judge(real, x)
    shown = {"held-out images": real, **made}
    best = judged["autoencoder codes"]
    return Demonstration(
        "Generation is easier in latent space",
        "A Gaussian mixture of ten components with full covariances is fitted to 1,438 images of "
        "digits three times: to their 64 pixels, to 8 principal components, to 8 codes of an "
        f"autoencoder. A classifier that is right about {100 * float(right.mean()):.1f} % of "
        "held-out images judges 1,000 samples of each. (The Fréchet distance is that of the "
        "classifier's 32 features; that of held-out images is to the training images.)",
        {
            "accuracy": float(right.mean()),
            **{f"sure_{space.split()[0].lower()}": judged[space].sure for space in SPACES},
            **{f"distance_{space.split()[0].lower()}": judged[space].distance for space in SPACES},
            "spread_autoencoder": best.spread,
        },
        ("samples from", "surely a digit (> 0.9)", "classes named, nats", "Fréchet distance"),
        [
            (name, f"{100 * j.sure:.1f} %", number(j.spread, 3), number(j.distance, 2))
            for name, j in judged.items()
        ]
        + [("all classes alike", "", number(math.log(10), 3), "")],
        sheets(
            {name: images[:60].reshape(-1, 8, 8).detach().numpy() for name, images in shown.items()}
        ),
        {"seed": seed, "components": 10, "codes": 8, "samples": 1000},
    )
