"""The mixture from data to a run: the recipe, its solution, and what is reported of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.mixtures import GaussianMixture
from lowerbound.recipes.mixtures import gaussian_mixture
from lowerbound.training.phase import ClosedForm


def test_the_recipes_solution_fits_its_model() -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.randn(200, 3) - 5, torch.randn(100, 3) + 5])
    spec = DataSpec("toy", "vector", (3,), "real")
    model, (phase,) = gaussian_mixture(spec, components=2, covariance="spherical")
    assert isinstance(phase, ClosedForm) and isinstance(model, GaussianMixture)
    found = list(phase.solve(model, lambda: iter(x.split(64))))
    assert abs(found[-1]["log_likelihood"] - float(model.log_prob(x).mean())) < 1e-5
    torch.testing.assert_close(model.weights.sort().values, torch.tensor([1 / 3, 2 / 3]))
    # log of two separate unit normals: entropy of the choice and of the normals
    expected = (math.log(1 / 3) + 2 * math.log(2 / 3)) / 3 - 1.5 * (1 + math.log(2 * math.pi))
    assert abs(found[-1]["log_likelihood"] - expected) < 0.1
    again, (phase,) = gaussian_mixture(spec, components=2, iterations=1)
    torch.manual_seed(0)
    assert len(list(phase.solve(again, lambda: iter(x.split(64))))) <= 2


def test_starts_follow_torchs_seed() -> None:
    x = torch.randn(500, 2)
    spec = DataSpec("toy", "vector", (2,), "real")
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model, (phase,) = gaussian_mixture(spec, components=6, iterations=2)
        list(phase.solve(model, lambda: iter([x])))
        found.append(model.means)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_levels_have_no_density_and_categories_no_covariance() -> None:
    model, _ = gaussian_mixture(DataSpec("grey", "image", (1, 4, 4), "levels", levels=256))
    assert model.no_likelihood is not None and "dequantize" in model.no_likelihood
    assert model.event_shape == (1, 4, 4)
    with pytest.raises(LowerboundError, match="gaussian-mixture: expected numbers"):
        gaussian_mixture(DataSpec("text", "tokens", (4,), "categories", levels=9))
    assert np.isclose(model.weights.sum(), 1.0)
