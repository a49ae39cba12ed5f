"""Priors and posteriors by name: what a recipe gets for them, and what it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lowerbound.data.spec import DataSpec
from lowerbound.distributions import (
    FullGaussian,
    GaussianMixturePrior,
    Head,
    MixtureOfGaussians,
    SphereUniform,
    SquashedGaussian,
    UniformPrior,
    VampPrior,
    VonMisesFisher,
    refuse_mismatch,
)
from lowerbound.errors import LowerboundError
from lowerbound.slots import Around, build

MEAN = np.array([0.1, 0.9, 0.5, 0.0], np.float32)
STD = np.array([0.1, 0.3, 0.2, 0.0], np.float32)


def around(posterior: Any = None, support: Any = "binary", condition: Any = None) -> Around:
    data = DataSpec("toy", "vector", (4,), support, mean=MEAN, std=STD)
    family = build("posterior", posterior, (3,)) if posterior else None
    head = Head(nn.Linear(4, family.raw_shape[0]), family) if family else None
    return Around(data, head, condition)


@pytest.mark.parametrize(
    ("prior", "prior_type", "posterior", "family_type"),
    [
        ("uniform", UniformPrior, "squashed-gaussian", SquashedGaussian),
        ("sphere", SphereUniform, "von-mises-fisher", VonMisesFisher),
        ("gaussian-mixture", GaussianMixturePrior, "full", FullGaussian),
        ("vamp", VampPrior, "mixture", MixtureOfGaussians),
        ("vamp", VampPrior, "von-mises-fisher", VonMisesFisher),
    ],
)
def test_names_fit_each_other(
    prior: str, prior_type: type, posterior: str, family_type: type
) -> None:
    there = around(posterior)
    built = build("prior", prior, (3,), there)
    head = there.posterior
    assert isinstance(head, Head)
    assert type(built) is prior_type
    assert type(head.family) is family_type
    refuse_mismatch(built, head)
    assert built.event_shape == head.event_shape == (3,)
    q = head(torch.rand(5, 4))
    assert built().log_prob(q.rsample((2,))).isfinite().all()


def test_options_reach_what_is_built() -> None:
    box = {"low": 0.0, "high": 2.0}
    prior = build("prior", {"name": "uniform", **box}, (3,), around())
    family = build("posterior", {"name": "squashed-gaussian", **box}, (3,))
    assert (prior.low, prior.high) == (family.low, family.high) == (0, 2)
    mixture = {"name": "mixture", "components": 7}
    assert build("posterior", mixture, (3,)).components == 7
    prior = build("prior", {"name": "gaussian-mixture", "components": 7}, (3,), around())
    assert prior.loc.shape == (7, 3)


@pytest.mark.parametrize(("support", "low", "high"), [("binary", 0.0, 1.0), ("real", -9.0, 9.0)])
def test_pseudo_inputs_start_like_the_data(support: str, low: float, high: float) -> None:
    torch.manual_seed(0)
    there = around("diagonal", support)
    prior = build("prior", {"name": "vamp", "components": 400}, (3,), there)
    inputs = prior.pseudo_inputs
    assert inputs.shape == (400, 4)
    assert ((inputs >= low) & (inputs <= high)).all()
    clipped = torch.tensor(MEAN) + torch.tensor(STD) * torch.randn(400, 4)
    if support == "binary":
        clipped = clipped.clamp(0.01, 0.99)
    torch.testing.assert_close(inputs.mean(0), clipped.mean(0), atol=0.08, rtol=0)
    torch.testing.assert_close(inputs.std(0), clipped.std(0), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("there", "came"),
    [
        (around(), "one without"),
        (around("diagonal", condition=nn.Identity()), "a condition"),
        (around("diagonal", "categories"), "categories"),
    ],
)
def test_vamp_needs_an_encoder_of_numbers(there: Around, came: str) -> None:
    with pytest.raises(LowerboundError, match=f"came {came}; pass prior gaussian-mixture"):
        build("prior", "vamp", (3,), there)


def test_components_below_1_are_refused() -> None:
    for registry, name, *rest in (
        ("posterior", "mixture"),
        ("prior", "gaussian-mixture", around()),
        ("prior", "vamp", around("diagonal")),
    ):
        with pytest.raises(LowerboundError, match=f"{registry} {name}: components"):
            build(str(registry), {"name": name, "components": 0}, (3,), *rest)
