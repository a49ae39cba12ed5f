"""Linear-Gaussian models, whose best diagonal posteriors are known."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from lowerbound.distributions import DiagonalNormal
from lowerbound.models import LinearGaussian


class Known(NamedTuple):
    """A model, data, and p(z|x) by its mean ``(B, L)`` and precision ``(L, L)``."""

    model: LinearGaussian
    x: Tensor
    mean: Tensor
    precision: Tensor

    @property
    def best(self) -> DiagonalNormal:
        """argmin_q KL(q‖p(z|x)) over diagonal normals: the mean, and σ_j² = 1 / precision_jj
        (Bishop 2006, Pattern recognition and machine learning, equation 10.16)."""
        return DiagonalNormal(
            self.mean, -0.5 * self.precision.diagonal().log().expand_as(self.mean)
        )

    def divergence(self, q: DiagonalNormal) -> Tensor:
        """KL(q‖p(z|x)), nats ``(B,)``, in closed form."""
        variance = q.variance
        offset = q.mean - self.mean
        trace = (variance * self.precision.diagonal()).sum(1)
        square = ((offset @ self.precision) * offset).sum(1)
        log_det = -self.precision.logdet() - variance.log().sum(1)
        return 0.5 * (trace + square - self.mean.shape[1] + log_det)


def known(*, independent: bool, latent: int = 3, examples: int = 40) -> Known:
    """float64; `independent`: whether the posterior is a diagonal normal."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, latent, generator=generator, dtype=torch.float64)
    if independent:
        weight = torch.linalg.qr(weight)[0] * torch.arange(1.0, latent + 1)
    else:
        weight[:, 1] += weight[:, 0]
    sigma2 = torch.tensor(0.3, dtype=torch.float64)
    model = LinearGaussian((8,), latent, weight=weight, sigma2=sigma2).double()
    z = torch.randn(examples, latent, generator=generator, dtype=torch.float64)
    noise = torch.randn(examples, 8, generator=generator, dtype=torch.float64)
    x = z @ weight.mT + sigma2.sqrt() * noise
    q = model.encode(x)
    return Known(model, x, q.mean, torch.linalg.inv(q.covariance_matrix[0]))


@pytest.fixture
def independent() -> Known:
    return known(independent=True)


@pytest.fixture
def coupled() -> Known:
    return known(independent=False)
