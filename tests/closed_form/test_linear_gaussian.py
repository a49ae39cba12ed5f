"""The linear-Gaussian model against dense algebra, scikit-learn, and its own posterior."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.errors import LowerboundError
from lowerbound.models import CanDecode, CanEncode, CanSample, HasLogProb, LinearGaussian, Model
from lowerbound.models.linear import moments


def correlated(count: int = 5000, numbers: int = 12, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(numbers, numbers, generator=generator, dtype=torch.float64)
    x = torch.randn(count, numbers, generator=generator, dtype=torch.float64)
    return x @ mixing + 100.0


def random_model(sigma2: Tensor) -> LinearGaussian:
    torch.manual_seed(1)
    weight = torch.randn(6, 2, dtype=torch.float64)
    mean = torch.randn(6, dtype=torch.float64)
    return LinearGaussian((2, 3), 2, weight=weight, mean=mean, sigma2=sigma2).double()


NOISES = [torch.tensor(0.3).double(), torch.linspace(0.1, 2.0, 6).double()]


@pytest.mark.parametrize("latent_dim", [1, 4, 11])
def test_fit_is_scikit_learns_pca(latent_dim: int) -> None:
    x = correlated()
    model = LinearGaussian((12,), latent_dim).double()
    report = model.fit_(x.split(700))
    pca = PCA(latent_dim).fit(x.numpy())
    score = pca.score(x.numpy())
    assert abs(float(model.log_prob(x).mean()) - score) < 1e-6
    assert abs(report["log_likelihood"] - score) < 1e-6
    assert report["examples"] == 5000
    assert abs(report["explained_variance"] - pca.explained_variance_ratio_.sum()) < 1e-9
    eigenvalues = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))
    assert abs(report["sigma2"] - eigenvalues[: 12 - latent_dim].mean()) < 1e-9
    # codes are the principal coordinates, shrunk, up to each axis' sign
    codes, scores = model.encode(x).mean.numpy(), pca.transform(x.numpy())
    correlation = np.corrcoef(codes.T, scores.T)[:latent_dim, latent_dim:]
    np.testing.assert_allclose(np.abs(np.diag(np.atleast_2d(correlation))), 1.0, atol=1e-9)


def test_fit_in_float32_is_close_far_from_zero() -> None:
    x = correlated()
    model = LinearGaussian((12,), 4)
    model.fit_(x.float().split(1000))
    assert (
        abs(float(model.log_prob(x.float()).mean()) - PCA(4).fit(x.numpy()).score(x.numpy())) < 1e-3
    )


@pytest.mark.parametrize("sigma2", NOISES)
def test_log_prob_is_that_of_the_dense_normal(sigma2: Tensor) -> None:
    model = random_model(sigma2)
    w, mean = model.linear.weight, model.linear.mean
    dense = MultivariateNormal(mean, w @ w.T + sigma2 * torch.eye(6, dtype=torch.float64))
    x = torch.randn(4, 5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(model.log_prob(x), dense.log_prob(x.flatten(-2)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sigma2", NOISES)
def test_under_the_exact_posterior_every_weight_is_log_p(sigma2: Tensor) -> None:
    model = random_model(sigma2)
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    exact = model.log_prob(x)
    weights = log_weights(model, x, samples=10)
    torch.testing.assert_close(weights, exact.expand(10, 7), rtol=0, atol=1e-10)
    torch.testing.assert_close(iwae(model, x).parts["iwae"], exact, rtol=0, atol=1e-10)
    bound = elbo(model, x, kl="sampled").parts["bound"]
    torch.testing.assert_close(bound, exact, rtol=0, atol=1e-10)


def test_samples_have_the_models_moments() -> None:
    torch.manual_seed(0)
    model = random_model(NOISES[1])
    x = model.sample(200_000)
    assert x.shape == (200_000, 2, 3)
    w = model.linear.weight
    covariance = w @ w.T + NOISES[1].diag()
    torch.testing.assert_close(x.flatten(1).T.cov(), covariance, atol=0.05, rtol=0)
    torch.testing.assert_close(x.flatten(1).mean(0), model.linear.mean, atol=0.03, rtol=0)
    assert model.sample(3, mean=True).shape == (3, 2, 3)


def test_it_has_all_capabilities_and_each_weight_once() -> None:
    model = random_model(NOISES[0])
    for capability in (Model, CanEncode, CanDecode, CanSample, HasLogProb):
        assert isinstance(model, capability)
    assert sorted(k for k in model.state_dict() if "linear" not in k and "likelihood" in k) == [
        "likelihood.mean",
        "likelihood.sigma2",
        "likelihood.weight",
    ]
    twin = copy.deepcopy(model)  # its posterior is its own, not the original's
    twin.linear.weight.zero_()
    x = torch.randn(3, 2, 3, dtype=torch.float64)
    assert twin.encode(x).mean.abs().max() == 0
    assert model.encode(x).mean.abs().max() > 0


def test_moments_in_batches_are_moments() -> None:
    x = correlated(1000)
    count, mean, covariance = moments(x.split(7), (12,))
    assert count == 1000
    torch.testing.assert_close(mean, x.mean(0), rtol=0, atol=1e-10)
    torch.testing.assert_close(covariance, x.T.cov(correction=0), rtol=0, atol=1e-10)


def test_what_has_no_maximum_is_refused() -> None:
    with pytest.raises(LowerboundError, match="latent_dim: expected 1 to 11"):
        LinearGaussian((12,), 12)
    flat = correlated(50, 3) @ torch.randn(3, 12, dtype=torch.float64)
    with pytest.raises(LowerboundError, match="pass a smaller latent_dim"):
        LinearGaussian((12,), 3).fit_([flat])
    with pytest.raises(LowerboundError, match="at least two examples, came 1"):
        LinearGaussian((12,), 3).fit_([flat[:1]])
    with pytest.raises(LowerboundError, match="expected examples of shape"):
        LinearGaussian((12,), 3).fit_([flat[:, :5]])
