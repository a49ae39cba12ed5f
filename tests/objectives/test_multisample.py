"""Bounds of several samples: what they are equal to, and their order."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.objectives import ciwae, miwae


def same(ours: Tensor, theirs: Tensor, model: Any) -> None:
    """Value and gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    parameters = list(model.parameters())
    pairs = zip(
        torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters), strict=True
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def seeded(objective: Any, *arguments: Any, **options: Any) -> Any:
    torch.manual_seed(1)
    return objective(*arguments, **options)


def test_one_group_is_iwae_and_groups_of_one_are_the_elbo(linear: Any, x: Tensor) -> None:
    one = seeded(miwae, linear, x, groups=1, samples=6)
    whole = seeded(iwae, linear, x, samples=6)
    same(one.loss, whole.loss, linear)
    torch.testing.assert_close(one.parts, whole.parts, rtol=0, atol=0)
    singles = seeded(miwae, linear, x, groups=6, samples=1)
    same(singles.loss, seeded(elbo, linear, x, samples=6, kl="sampled").loss, linear)
    torch.testing.assert_close(singles.parts, whole.parts, rtol=0, atol=0)


def test_miwae_is_a_mean_of_log_means(linear: Any, x: Tensor) -> None:
    ours = seeded(miwae, linear, x, groups=3, samples=4)
    weights = seeded(log_weights, linear, x, samples=12)
    theirs = -weights.view(3, 4, len(x)).exp().mean(1).log().mean(0).mean()
    same(ours.loss, theirs, linear)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_ciwae_goes_from_iwae_to_the_elbo(linear: Any, x: Tensor, as_tensor: bool) -> None:
    number = torch.tensor if as_tensor else float
    ends = {
        0.0: seeded(iwae, linear, x, samples=6).loss,
        1.0: seeded(elbo, linear, x, samples=6, kl="sampled").loss,
    }
    for beta, expected in ends.items():
        ours = seeded(ciwae, linear, x, samples=6, beta=number(beta)).loss
        same(ours, expected, linear)
    middle = seeded(ciwae, linear, x, samples=6, beta=number(0.25)).loss
    torch.testing.assert_close(middle, 0.75 * ends[0.0] + 0.25 * ends[1.0])


def test_order_of_the_bounds(linear: Any, x: Tensor) -> None:
    """ELBO ≤ MIWAE ≤ IWAE for the same draws; their means rise with K and stay below log p."""
    with torch.no_grad():
        values = {}
        for groups, samples in ((64, 1), (16, 4), (4, 16), (1, 64)):
            losses = []
            for seed in range(50):
                torch.manual_seed(seed)
                losses.append(-miwae(linear, x, groups=groups, samples=samples).loss)
            values[samples] = torch.stack(losses)
        for lower, upper in ((1, 4), (4, 16), (16, 64)):
            assert (values[lower] < values[upper]).all()  # Jensen, group by group
        top, truth = values[64], linear.log_prob(x).mean()
        assert top.mean() <= truth + 4 * top.std() / math.sqrt(50)
        assert top.mean() > values[1].mean() + 0.5 * (truth - values[1].mean())


def test_more_groups_lower_the_gradients_noise(linear: Any, x: Tensor, gradients: Any) -> None:
    """M groups: a mean of M independent gradients, so the variance is 1/M."""
    one, many = (
        gradients(
            lambda m=groups: miwae(linear, x, groups=m, samples=4).loss, linear.inferring, 300
        ).var(0)
        for groups in (1, 8)
    )
    # a variance from 300 draws is known to about 12 %, heavier tails allowed for
    assert (one.sum() / many.sum() / 8 - 1).abs() < 0.5
