"""Traversals of a linear decoder, where every picture is known."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from lowerbound import plots
from lowerbound.distributions import DiagonalGaussian, Head, PointMass, StandardNormal
from lowerbound.distributions.base import EventDistribution
from lowerbound.errors import LowerboundError
from lowerbound.latent import traverse
from lowerbound.models import Autoencoder, LatentModel, LinearGaussian


@pytest.fixture
def model() -> LinearGaussian:
    """Orthogonal columns: the posterior of each dimension is its own."""
    weight = torch.tensor([[0.5, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    mean = torch.tensor([1.0, 2.0, 3.0, 4.0])
    return LinearGaussian((4,), 3, weight=weight, mean=mean, sigma2=torch.tensor(0.25)).double()


@pytest.fixture
def x(model: LinearGaussian) -> torch.Tensor:
    torch.manual_seed(0)
    return model.decode(torch.randn(500, 3, dtype=torch.float64)).sample()


def test_ends_and_steps_are_exact_on_a_linear_decoder(
    model: LinearGaussian, x: torch.Tensor
) -> None:
    found = traverse(model, x, start=7, steps=5, width=1.5)
    means = model.encode(x).mean.numpy()
    weight, mean = model.linear.weight.numpy(), model.linear.mean.numpy()
    noise = 0.25 / (0.25 + np.square(weight).sum(0))  # posterior variances
    spread = np.sqrt(means.var(0) + noise)
    np.testing.assert_allclose(found.start, means[7], rtol=1e-12)
    for row, d in enumerate(found.dimensions):
        expected = means[:, d].mean() + 1.5 * spread[d] * np.linspace(-1, 1, 5)
        np.testing.assert_allclose(found.values[row], expected, rtol=1e-12)
        moved = np.tile(means[7], (5, 1))
        moved[:, d] = expected
        np.testing.assert_allclose(found.codes[row], moved, rtol=1e-12)
        np.testing.assert_allclose(found.decoded[row], moved @ weight.T + mean, rtol=1e-12)


def test_the_range_is_that_of_codes_of_data(model: LinearGaussian, x: torch.Tensor) -> None:
    """Data of the model itself have codes N(0, 1): mean ± 2."""
    found = traverse(model, x, start=None)
    assert np.abs(found.values[:, 0] + 2).max() < 0.3
    assert np.abs(found.values[:, -1] - 2).max() < 0.3
    np.testing.assert_allclose(found.start, model.encode(x).mean.mean(0).numpy(), rtol=1e-12)
    # Half as wide where the data are.
    near = traverse(model, model.linear.mean + 0.5 * (x - model.linear.mean), start=None)
    assert (near.values[:, -1] < 1.9).all()


def diagonal(rates: list[float]) -> LatentModel:
    """Posteriors N(a x, 1 − a²) of x ~ N(0, I): dimension d has a rate of its own."""

    class Encoder(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = torch.tensor(rates, dtype=x.dtype)
            scale = 0.5 * torch.log1p(-a.square())
            return torch.cat([x * a, scale.expand_as(x)], -1)

    size = len(rates)
    likelihood = LinearGaussian((size + 1,), size, weight=torch.eye(size + 1)[:, :size]).likelihood
    posterior = Head(Encoder(), DiagonalGaussian(size))
    return LatentModel(
        StandardNormal(size), likelihood, posterior, event_shape=(size + 1,), latent_shape=(size,)
    )


def test_dimensions_come_by_their_rate() -> None:
    torch.manual_seed(0)
    model = diagonal([0.3, 0.95, 0.1, 0.7])
    x = torch.randn(400, 4)
    found = traverse(model, x)
    assert found.dimensions == (1, 3, 0, 2)
    assert found.kl is not None and (np.diff(found.kl) < 0).all()
    a = np.array([0.95, 0.7, 0.3, 0.1])
    second = x.double().square().mean(0).numpy()[[1, 3, 0, 2]]
    expected = 0.5 * (a**2 * second - a**2 - np.log1p(-(a**2)))
    np.testing.assert_allclose(found.kl, expected, atol=1e-5)
    assert traverse(model, x, most=2).dimensions == (1, 3)
    assert traverse(model, x, dimensions=[2, 0]).dimensions == (2, 0)


class Unknown(EventDistribution):
    """A normal that knows neither its mean nor its variance, as a flow does not."""

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, loc: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__(loc, 1)
        self.loc, self.scale = loc, scale

    def rsample(self, sample_shape: Any = ()) -> torch.Tensor:
        loc = self.loc.expand(*sample_shape, *self.loc.shape)
        return loc + self.scale * torch.randn_like(loc)

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        z = (value - self.loc) / self.scale
        return (-0.5 * z.square() - self.scale.log() - 0.5 * math.log(2 * math.pi)).sum(-1)


class Drawn(torch.nn.Module):
    """q(z|x) = N(a x, 1 − a²), of which draws alone are known; z is decoded as it is."""

    def __init__(self, rates: list[float]) -> None:
        super().__init__()
        self.register_buffer("a", torch.tensor(rates, dtype=torch.float64))
        self.latent_shape = (len(rates),)

    def encode(self, x: torch.Tensor, *context: torch.Tensor) -> Unknown:
        a: Any = self.a
        shift = context[0] if context else 0.0
        return Unknown(a * x + shift, (1 - a.square()).sqrt())

    def decode(self, z: torch.Tensor, *context: torch.Tensor) -> PointMass:
        return PointMass(z + context[0] if context else z, 1)


def test_the_range_of_a_posterior_that_can_only_be_drawn_from() -> None:
    torch.manual_seed(0)
    a = np.array([0.2, 0.9, 0.6])
    x = torch.randn(4000, 3, dtype=torch.float64)
    x = torch.tensor([3.0, 0.5, 1.0]) * x
    found = traverse(Drawn(a.tolist()), x, start=None, width=2.0, steps=3)
    expected = np.sqrt(a**2 * x.var(0, correction=0).numpy() + 1 - a**2)
    order = np.argsort(-expected)
    assert found.kl is None and found.dimensions == tuple(order)
    reach = (found.values[:, 2] - found.values[:, 0]) / 4
    np.testing.assert_allclose(reach, expected[order], rtol=4 / math.sqrt(2 * 4000))
    before = torch.get_rng_state()
    again = traverse(Drawn(a.tolist()), x, start=None, width=2.0, steps=3)
    np.testing.assert_array_equal(again.values, found.values)
    assert torch.equal(before, torch.get_rng_state())


def test_what_codes_are_decoded_with_moves_no_range() -> None:
    model, shift = diagonal([0.5, 0.9]), torch.zeros(5, 1)
    torch.manual_seed(0)
    x = torch.randn(5, 2)

    class Given(torch.nn.Module):
        latent_shape = (2,)

        def encode(self, x: torch.Tensor, c: torch.Tensor) -> Any:
            return model.encode(x + c)

        def decode(self, z: torch.Tensor, c: torch.Tensor) -> PointMass:
            return PointMass(z + c, 1)

    own = traverse(Given(), x, shift, start=None, steps=3)
    other = traverse(Given(), x, shift, start=None, steps=3, given=[torch.full((1, 1), 40.0)])
    np.testing.assert_array_equal(other.values, own.values)
    np.testing.assert_array_equal(other.codes, own.codes)
    np.testing.assert_allclose(other.decoded, own.decoded + 40.0, rtol=1e-6)


def test_a_code_of_ones_own_is_left(model: LinearGaussian, x: torch.Tensor) -> None:
    found = traverse(model, x, start=[1.0, -1.0, 0.5], dimensions=[1], steps=3)
    np.testing.assert_allclose(found.codes[0][:, [0, 2]], [[1.0, 0.5]] * 3)


def test_an_autoencoder_goes_by_the_spread_of_its_codes(x: torch.Tensor) -> None:
    from lowerbound.data import DataSpec
    from lowerbound.recipes import autoencoder

    torch.manual_seed(0)
    found = autoencoder(DataSpec("x", "vector", (4,), "real"), latent_dim=3, hidden=()).model
    assert isinstance(found, Autoencoder)
    moved = traverse(found, x.float())
    spread = found.encode(x.float()).mean.std(0)[list(moved.dimensions)]
    assert moved.kl is None and (spread.diff() < 0).all()


def test_what_cannot_be_traversed_is_refused(model: LinearGaussian, x: torch.Tensor) -> None:
    with pytest.raises(LowerboundError, match="dimensions from 0 to 2, came \\[3\\]"):
        traverse(model, x, dimensions=[0, 3])
    with pytest.raises(LowerboundError, match="a start from 0 to 499, came 500"):
        traverse(model, x, start=500)
    with pytest.raises(LowerboundError, match="a start of 3 numbers, came 2"):
        traverse(model, x, start=[0.0, 1.0])
    with pytest.raises(LowerboundError, match="at least 2 steps and 2 examples"):
        traverse(model, x[:1])
    with pytest.raises(LowerboundError, match="encodes and decodes, came Linear"):
        traverse(torch.nn.Linear(2, 2), x)


def test_the_picture_has_a_row_for_each_dimension() -> None:
    torch.manual_seed(0)
    model = diagonal([0.3, 0.95, 0.1])
    found = traverse(model, torch.randn(50, 3), steps=5)
    images = np.random.default_rng(0).uniform(size=(3, 5, 1, 8, 8))
    figure = plots.traversed(found, images, "moved", original=images[0, 0])
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [label.split()[0] for label in labels] == ["z$_{1}$", "z$_{0}$", "z$_{2}$"]
    with pytest.raises(LowerboundError, match=r"images of shape \(3, 5, C, H, W\)"):
        plots.traversed(found, images[:2])
