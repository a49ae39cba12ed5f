"""The recipes without hidden layers are the linear models they should be.

Both are minimised by L-BFGS on the whole data in float64. The VAE's bound is an expectation over
z = mu + sigma * e; of a quadratic it is exact over the 2 L points e = +-sqrt(L) e_i, whose mean and
covariance are those of N(0, I), so that there is no noise to average away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch import Tensor, nn

from lowerbound.bounds import elbo, squared_error
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import DiagonalGaussian, DiagonalNormal, Head
from lowerbound.models import Autoencoder, LatentModel, LinearGaussian
from lowerbound.recipes import autoencoder, vae

NUMBERS, LATENT = 8, 3


@pytest.fixture(scope="module")
def x() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(NUMBERS, NUMBERS, generator=generator).double())
    scales = torch.tensor([3.0, 2.0, 1.5, 0.7, 0.6, 0.5, 0.5, 0.4]).double()
    noise = torch.randn(2000, NUMBERS, generator=generator).double()
    return (noise * scales) @ basis.T + 0.3


def spec(x: Tensor) -> DataSpec:
    mean, std = x.mean(0).float().numpy(), x.std(0).float().numpy()
    return DataSpec("linear", "vector", (NUMBERS,), "real", mean=mean, std=std)


def discarded(x: Tensor) -> np.ndarray:
    return np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))[: NUMBERS - LATENT]


def minimise(model: nn.Module, loss: Callable[[], Tensor]) -> None:
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=1000,
        history_size=30,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value.item()

    optimizer.step(closure)


def last_layer(network: Any) -> nn.Linear:
    (layer,) = network.layers
    assert isinstance(layer, nn.Linear)
    return layer


def test_a_linear_autoencoder_is_pca(x: Tensor) -> None:
    torch.manual_seed(0)
    model = autoencoder(spec(x), latent_dim=LATENT, hidden=()).model.double()
    assert isinstance(model, Autoencoder)
    minimise(model, lambda: squared_error(model, x).loss)
    loss = float(squared_error(model, x).loss.detach())
    assert abs(loss - discarded(x).sum()) < 1e-6
    decoder = last_layer(model.decoder.network)
    principal = PCA(LATENT).fit(x.numpy()).components_.T
    assert subspace_angles(decoder.weight.detach().numpy(), principal).max() < 1e-3


class ExactPoints(DiagonalGaussian):
    """A posterior whose "draws" are points with the mean and covariance of N(0, I)."""

    def forward(self, raw: Tensor) -> DiagonalNormal:
        plain = super().forward(raw)
        return PointsOfNormal(plain.loc, plain.log_scale)


class PointsOfNormal(DiagonalNormal):
    def rsample(self, sample_shape: Any = ()) -> Tensor:
        size = self.loc.shape[-1]
        points = size**0.5 * torch.eye(size, dtype=self.loc.dtype)
        return self.loc + torch.cat((points, -points))[:, None] * self.scale


def test_a_linear_vae_is_probabilistic_pca(x: Tensor) -> None:
    torch.manual_seed(0)
    likelihood = {"name": "gaussian", "sigma": "learned"}
    model = vae(spec(x), latent_dim=LATENT, hidden=(), likelihood=likelihood).model.double()
    assert isinstance(model, LatentModel)
    model.posterior.family = ExactPoints(LATENT)

    def bound() -> Tensor:
        return elbo(model, x, samples=2 * LATENT).loss

    minimise(model, bound)
    score = PCA(LATENT).fit(x.numpy()).score(x.numpy())
    # the optimal posterior of the optimal decoder is diagonal: the bound is tight
    assert abs(-float(bound().detach()) - score) < 1e-3

    assert isinstance(model.likelihood, Head)
    sigma2 = model.likelihood.family.get_parameter("log_sigma").detach().exp().square()
    assert abs(float(sigma2) - discarded(x).mean()) < 1e-4
    decoder = last_layer(model.likelihood.network)
    weight, mean = decoder.weight.detach(), decoder.bias.detach()
    exact = LinearGaussian((NUMBERS,), LATENT, weight=weight, mean=mean, sigma2=sigma2).double()
    assert abs(float(exact.log_prob(x).mean()) - score) < 1e-3
    torch.testing.assert_close(mean, x.mean(0), rtol=0, atol=1e-3)


def test_the_optimal_sigma_reaches_the_same_bound(x: Tensor) -> None:
    torch.manual_seed(0)
    model = vae(spec(x), latent_dim=LATENT, hidden=()).model.double()
    assert isinstance(model, LatentModel)
    assert "optimal" in repr(model.likelihood)
    model.posterior.family = ExactPoints(LATENT)
    minimise(model, lambda: elbo(model, x, samples=2 * LATENT).loss)
    score = PCA(LATENT).fit(x.numpy()).score(x.numpy())
    assert abs(-float(elbo(model, x, samples=2 * LATENT).loss.detach()) - score) < 1e-3
