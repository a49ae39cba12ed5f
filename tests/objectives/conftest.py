"""A linear-Gaussian model whose parts are all trainable and whose answers are all known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.distributions import DiagonalNormal, StandardNormal

DATA, LATENT, POINTS = 5, 2, 12
DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """One thread, a known seed, and the default generator of the test that follows."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Linear(nn.Module):
    """z ~ N(0, I), x | z ~ N(W z + b, σ² I), and a diagonal posterior that is linear in x.

    W has orthogonal columns, so that the exact posterior is diagonal too and :meth:`exact_`
    reaches it.
    """

    event_shape = (DATA,)

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        basis = torch.linalg.qr(
            torch.randn(DATA, LATENT, generator=generator, dtype=DOUBLE)
        ).Q * torch.tensor([1.5, 0.8], dtype=DOUBLE)
        self.prior = StandardNormal(LATENT).double()
        self.weight = nn.Parameter(basis)
        self.bias = nn.Parameter(torch.randn(DATA, generator=generator, dtype=DOUBLE))
        self.log_sigma = nn.Parameter(torch.tensor(-0.3, dtype=DOUBLE))
        self.slope = nn.Parameter(torch.zeros(LATENT, DATA, dtype=DOUBLE))
        self.offset = nn.Parameter(torch.zeros(LATENT, dtype=DOUBLE))
        self.log_scale = nn.Parameter(torch.zeros(LATENT, dtype=DOUBLE))
        self.exact_()
        with torch.no_grad():  # near the exact posterior, and not it
            self.slope.mul_(0.8)
            self.log_scale.add_(torch.tensor([0.2, -0.3], dtype=DOUBLE))

    @torch.no_grad()
    def exact_(self) -> Linear:
        noise = (2 * self.log_sigma).exp()
        variance = 1 / (1 + self.weight.square().sum(0) / noise)
        self.slope.copy_((self.weight * variance / noise).mT)
        self.offset.copy_(-self.slope @ self.bias)
        self.log_scale.copy_(0.5 * variance.log())
        return self

    @property
    def generative(self) -> list[nn.Parameter]:
        return [self.weight, self.bias, self.log_sigma]

    @property
    def inferring(self) -> list[nn.Parameter]:
        return [self.slope, self.offset, self.log_scale]

    def encode(self, x: Tensor) -> DiagonalNormal:
        loc = x @ self.slope.mT + self.offset
        return DiagonalNormal(loc, self.log_scale.expand_as(loc))

    def decode(self, z: Tensor) -> DiagonalNormal:
        return DiagonalNormal(z @ self.weight.mT + self.bias, self.log_sigma)

    def log_prob(self, x: Tensor) -> Tensor:
        noise = (2 * self.log_sigma).exp() * torch.eye(DATA, dtype=DOUBLE)
        return MultivariateNormal(self.bias, self.weight @ self.weight.mT + noise).log_prob(x)


@pytest.fixture
def linear() -> Linear:
    return Linear()


@pytest.fixture
def x(linear: Linear) -> Tensor:
    with torch.no_grad():
        return linear.decode(linear.prior().sample((POINTS,))).sample()


@pytest.fixture
def cubature(monkeypatch: pytest.MonkeyPatch) -> int:
    """The draws of every normal become 2·LATENT points that give E of a quadratic exactly."""
    points = math.sqrt(LATENT) * torch.eye(LATENT, dtype=DOUBLE)
    points = torch.cat([points, -points])[:, None]
    noise = lambda self, shape: points.expand(*shape, *self.loc.shape)  # noqa: E731
    monkeypatch.setattr(DiagonalNormal, "_noise", noise)
    return 2 * LATENT


Gradients = Callable[[Callable[[], Tensor], list[nn.Parameter], int], Tensor]


@pytest.fixture
def gradients() -> Gradients:
    """Many draws of a gradient, ``(draws, numbers)``."""

    def draw(loss: Callable[[], Tensor], parameters: Any, draws: int) -> Tensor:
        found = [torch.autograd.grad(loss(), parameters) for _ in range(draws)]
        return torch.stack([torch.cat([g.flatten() for g in each]) for each in found])

    return draw


@pytest.fixture
def agree() -> Callable[[Tensor, Tensor], None]:
    """Means of two sets of draws (or of draws and a known answer) within 4 standard errors."""

    def check(ours: Tensor, theirs: Tensor) -> None:
        variance = ours.var(0) / len(ours)
        mean = theirs
        if theirs.shape == ours.shape or theirs.dim() == ours.dim():
            variance, mean = variance + theirs.var(0) / len(theirs), theirs.mean(0)
        assert ((ours.mean(0) - mean).abs() <= 4 * variance.sqrt() + 1e-12).all()

    return check
