"""Small models whose answers are known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from lowerbound.distributions import Bernoulli, DiagonalGaussian, Head, StandardNormal
from lowerbound.models import LatentModel, LinearGaussian


class Widened(nn.Module):
    """The exact posterior's mean, moved, with a diagonal and wider covariance: a wrong encoder."""

    def __init__(self, exact: nn.Module, shift: float, width: float) -> None:
        super().__init__()
        self.exact, self.shift, self.width = exact, shift, width

    def forward(self, x: Tensor, *context: Tensor) -> Distribution:
        q = self.exact(x)
        scale = q.covariance_matrix.diagonal(dim1=-2, dim2=-1).sqrt()
        normal = Normal(q.mean + self.shift * scale, self.width * scale, validate_args=False)
        return Independent(normal, 1, validate_args=False)


@pytest.fixture
def linear() -> LinearGaussian:
    """Four numbers from two, float64."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 2, generator=generator)
    mean = torch.tensor([1.0, -2.0, 0.0, 3.0])
    return LinearGaussian((4,), 2, weight=weight, mean=mean, sigma2=torch.tensor(0.5)).double()


@pytest.fixture
def inexact(linear: LinearGaussian) -> Callable[..., LatentModel]:
    """The same model with a posterior that is off."""

    def build(shift: float = 0.3, width: float = 1.3) -> LatentModel:
        posterior = Widened(linear.posterior, shift, width)
        return LatentModel(
            linear.prior, linear.likelihood, posterior, event_shape=(4,), latent_shape=(2,)
        )

    return build


@pytest.fixture
def bernoulli() -> LatentModel:
    """A small Bernoulli VAE with random weights, 30 pixels, float32."""
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 30))
    encoder = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 6))
    return LatentModel(
        StandardNormal(3), Head(decoder, Bernoulli(30)), Head(encoder, DiagonalGaussian(3))
    )


@pytest.fixture
def pixels() -> Tensor:
    """Data for it, ``(70, 30)``: more than a block, and not a multiple of one."""
    return (torch.rand(70, 30, generator=torch.Generator().manual_seed(5)) > 0.7).float()
