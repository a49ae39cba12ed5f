"""Games of two players: whether one is too strong, and whether samples are all alike."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from . import check
from .advice import advise
from .check import Check
from .evidence import Evidence
from .finding import Finding, number

#: Data and samples of which a discriminator tells so many apart overlap by a tenth of their
#: probability at most (total variation is 2·accuracy − 1 or more): a generator that wins now and
#: then is what a game needs.
TOLD_APART = 0.95
#: Nats that mean logits are apart where two normal densities overlap by so little: (2·1.645)² = 11.
#: Where they are much nearer, the discriminator is held flat (r1), and tells the generator the way.
APART = 8.0
#: Nearer to its neighbour than all but one in a hundred of the data are to theirs.
NEAR = 0.01
#: By that measure one sample in a hundred is near another where samples are like data.
CROWDED = 0.5


def a_game(evidence: Evidence) -> str | None:
    """Asks for a model with a discriminator of data."""
    if evidence.model is None:
        return "there is no trained model"
    known = all(hasattr(evidence.model, name) for name in ("judge", "draw", "decode"))
    return check.enough(evidence) if known else "the model has no discriminator of data"


def overpowered(evidence: Evidence) -> Finding | None:
    """Whether the discriminator tells held-out data from samples without fail and without doubt."""
    model, x, context = evidence.model, evidence.x("test"), evidence.context("test")
    samples = _samples(evidence)
    with torch.no_grad():
        real, fake = (model.judge(part, *context).logit for part in (x, samples))
    share = told_apart(real.double().cpu().numpy(), fake.double().cpu().numpy())
    evidence.measured["told apart"] = f"{share:.1%} of held-out data and samples"
    gap = float(real.mean() - fake.mean())
    if share < TOLD_APART or gap < APART:
        return None
    return Finding(
        "discriminator-overpowers",
        "the discriminator tells samples from data nearly without fail, so that the generator "
        "learns little from it",
        f"{share:.1%} of {len(x):,} held-out examples and as many samples told apart; mean logits "
        f"{number(float(real.mean()))} and {number(float(fake.mean()))}",
        advise(
            evidence,
            "--discriminator-rate 0.5 or less",
            "--discriminator-steps 1",
            "a larger --penalty-weight",
            *(["--augment all for few images"] * (evidence.spec.kind == "image")),
            "more --steps if the run is short",
        ),
        {"told_apart": share, "real_logit": float(real.mean()), "fake_logit": float(fake.mean())},
    )


def told_apart(real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    """The balanced accuracy of logits, at the threshold that is best for them.

    A Wasserstein critic is known up to a constant, so that 0 means nothing to it. Each half of the
    examples is judged by the threshold that is best for the other: at its own best one, noise would
    be told apart, too.

    Args:
        real: logits of data, ``(N,)``.
        fake: of samples, ``(M,)``.

    Returns:
        A share, 1/2 where there are too few to know.

    >>> random = np.random.default_rng(0)
    >>> told_apart(100 + random.uniform(1, 2, 50), 100 - random.uniform(1, 2, 50))
    1.0
    """
    if min(len(real), len(fake)) < 2:
        return 0.5
    halves = [(real[start::2], fake[start::2]) for start in (0, 1)]
    shares = []
    for fitted, (r, f) in zip(halves, reversed(halves), strict=True):
        threshold = _best_threshold(*fitted)
        shares += [(r > threshold).mean(), (f <= threshold).mean()]
    return float(np.mean(shares))


def _best_threshold(real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    """Above which most of the real and least of the fake logits are."""
    pooled = np.unique(np.concatenate([real, fake]))
    # Halfway between neighbours: where the two are parted, as far from either as from the other.
    between = (pooled[1:] + pooled[:-1]) / 2 if len(pooled) > 1 else pooled
    fakes, reals = (
        np.searchsorted(np.sort(x), between, side="right") / len(x) for x in (fake, real)
    )
    return float(between[np.argmax(fakes - reals)])


def collapsed(evidence: Evidence) -> Finding | None:
    """Whether samples crowd where data are apart."""
    x, samples = (t.flatten(1).double().numpy() for t in (evidence.x("test"), _samples(evidence)))
    share = crowded(samples, x)
    evidence.measured["near another sample"] = f"{share:.1%} of samples, 1 % of data"
    if share < CROWDED:
        return None
    return Finding(
        "mode-collapse",
        "samples are much more alike than data are: the generator makes few things again and again",
        f"{share:.1%} of {len(samples):,} samples are nearer to another sample than all but "
        f"{NEAR:.0%} of the data are to other data",
        advise(
            evidence,
            "--penalty r1 with a larger --penalty-weight",
            "--discriminator-steps 2",
            *(["--augment all"] * (evidence.spec.kind == "image")),
            "--loss wasserstein",
        ),
        {"crowded": share},
    )


def crowded(samples: NDArray[np.float64], data: NDArray[np.float64]) -> float:
    """The share of samples that are nearer to another sample than all but `NEAR` of the data are to
    other data. It is `NEAR` in expectation where samples are like data, as many of both and some
    hundreds (nearest neighbours come in pairs, so that of 100 there are but 50 distances).

    >>> random = np.random.default_rng(0)
    >>> data = random.normal(size=(400, 2))
    >>> crowded(np.zeros((400, 2)), data)
    1.0
    """
    count = min(len(samples), len(data))
    apart, between = (
        KDTree(points).query(points, k=2)[0][:, 1] for points in (data[:count], samples[:count])
    )
    return float((between <= np.quantile(apart, NEAR, method="weibull")).mean())


def _samples(evidence: Evidence) -> Tensor:
    """As many samples as there are test examples, under their conditions."""
    model, x, context = evidence.model, evidence.x("test"), evidence.context("test")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(evidence.seed)
        return model.decode(model.draw(len(x), *context), *context).mean


CHECKS = (
    Check("the game's balance", a_game, overpowered),
    Check("mode collapse", a_game, collapsed),
)
