"""Codes that tools have moved stay where those of the prior are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import PointMass, StandardNormal, UniformPrior
from lowerbound.distributions.beside import ClassAndStyle
from lowerbound.distributions.bounded import SquashedNormal
from lowerbound.distributions.sphere import SphereUniform, VonMisesFisherDistribution
from lowerbound.latent import (
    Directions,
    along,
    analogy,
    edit,
    fit_directions,
    plane,
    support_of,
    traverse,
    vary,
)

X = torch.randn(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Shown(nn.Module):
    """Codes are shown as they are; x is where the posterior lies."""

    latent_shape = (3,)

    def __init__(self, prior: nn.Module) -> None:
        super().__init__()
        self.kind = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.p = prior.double()

    def prior(self, *context: Tensor) -> Any:
        return self.p(*context)

    def decode(self, z: Tensor, *context: Tensor) -> PointMass:
        return PointMass(z, 1)


class OnSphere(Shown):
    def encode(self, x: Tensor, *context: Tensor) -> Any:
        unit = x / x.norm(dim=-1, keepdim=True)
        return VonMisesFisherDistribution(unit, torch.full(x.shape[:-1], 20.0, dtype=x.dtype))


class InBox(Shown):
    def encode(self, x: Tensor, *context: Tensor) -> Any:
        return SquashedNormal(x, torch.full_like(x, -1.0), -1.0, 1.0)


@pytest.fixture(params=["sphere", "box"])
def model(request: pytest.FixtureRequest) -> Shown:
    return OnSphere(SphereUniform(3)) if request.param == "sphere" else InBox(UniformPrior(3))


def stays(model: Shown, codes: Any, decoded: Any) -> None:
    rows = np.asarray(codes).reshape(-1, 3)
    if isinstance(model, OnSphere):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-12)
    else:
        assert np.abs(rows).max() <= 1
    np.testing.assert_array_equal(np.asarray(decoded).reshape(-1, 3), rows)  # and is what is shown


def test_every_tool_stays_where_codes_are(model: Shown) -> None:
    varied = vary(model, X[:4], n=50, spread=3.0)
    stays(model, varied.codes, varied.decoded)
    plain = vary(model, X[:4], n=50)
    moved = 3 * (plain.codes - varied_middle(model)) + varied_middle(model)
    np.testing.assert_allclose(varied.codes, support_of(model)(moved), atol=1e-12)
    walked = traverse(model, X, start=3, width=4.0, steps=7)
    stays(model, walked.codes, walked.decoded)
    for row, d in enumerate(walked.dimensions):
        np.testing.assert_array_equal(walked.values[row], walked.codes[row, :, d])
        assert (np.diff(walked.values[row]) >= 0).all()
    flat = plane(model, [0.5, 0.2, -0.1], 0, 2, across=[-3, 0, 3], along=[-3, 0, 3])
    stays(model, flat.codes, flat.decoded)
    changes = {"first": 40.0}
    changed = edit(model, X[:5], directions(model), changes)
    stays(model, changed.edited_codes, changed.decoded)
    stays(model, changed.codes, changed.reconstructed)
    same = edit(model, X[:5], directions(model), {"first": 0.0})
    np.testing.assert_allclose(same.edited_codes, same.codes, atol=1e-12)
    lined = along(model, changed.codes, [2.0, 1.0, 0.0], [-2, 0, 2])
    stays(model, lined.codes, lined.decoded)
    carried = analogy(model, *changed.codes[:3])
    stays(model, carried.code, carried.decoded[3])


def varied_middle(model: Any) -> np.ndarray:
    return model.encode(X[:4]).mean.numpy()[:, None]


def directions(model: Any) -> Directions:
    codes = model.encode(X).mean.numpy()
    return fit_directions(codes, X[:, :1].numpy(), ("first",))


def test_the_nearest_code_is_taken() -> None:
    codes = np.array([[[3.0, -0.5, 4.0], [0.0, 0.0, 0.0]]])
    on = support_of(OnSphere(SphereUniform(3)))(codes)
    norm = math.sqrt(9 + 0.25 + 16)
    np.testing.assert_allclose(on, [[[3 / norm, -0.5 / norm, 4 / norm], [1, 0, 0]]])
    inside = support_of(InBox(UniformPrior(3, low=-1.0, high=2.0)))(codes)
    np.testing.assert_array_equal(inside, [[[2, -0.5, 2], [0, 0, 0]]])
    free = support_of(Shown(StandardNormal(3)))(codes)
    np.testing.assert_array_equal(free, codes)
    np.testing.assert_array_equal(support_of(nn.Linear(2, 2))(codes), codes)
    # A class beside a style: the class is left as it is.
    both = support_of(Shown(ClassAndStyle(1, UniformPrior(2), 2)))(codes)
    np.testing.assert_array_equal(both, [[[3, -0.5, 1], [0, 0, 0]]])
