"""The mixture as a model: densities, draws, posterior, and the tools that ask for capabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo, log_weights
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import DiagonalGaussian, Gaussian, Head, kl
from lowerbound.evaluation import evaluate
from lowerbound.mixtures import Covariance, GaussianMixture, NormalComponents, em, normals
from lowerbound.models import CanDecode, CanEncode, CanSample, HasLogProb, LatentModel, Model

KINDS: tuple[Covariance, ...] = ("full", "tied", "diagonal", "spherical")


def random_model(
    kind: Covariance, event_shape: tuple[int, ...] = (2,), components: int = 3
) -> GaussianMixture:
    generator = torch.Generator().manual_seed(0)
    size = math.prod(event_shape)
    model = GaussianMixture(event_shape, components, kind).double()
    root = torch.randn(components, size, size, generator=generator, dtype=torch.float64)
    full = root @ root.mT + 0.3 * torch.eye(size)
    covariances = {
        "full": full,
        "tied": full[0],
        "diagonal": full.diagonal(dim1=1, dim2=2),
        "spherical": full[:, 0, 0],
    }[kind]
    means = 2 * torch.randn(components, size, generator=generator, dtype=torch.float64)
    return model.set_(torch.arange(1.0, components + 1), means, covariances)


def dense(model: GaussianMixture) -> list[MultivariateNormal]:
    """The components as torch's own normals."""
    size = model.means.shape[1]
    c = model.covariances
    full = {
        "full": lambda: c,
        "tied": lambda: c.expand(len(model.means), size, size),
        "diagonal": lambda: torch.diag_embed(c),
        "spherical": lambda: c[:, None, None] * torch.eye(size).double(),
    }[model.covariance]()
    return [MultivariateNormal(m, f) for m, f in zip(model.means, full, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_densities_are_those_of_dense_normals(
    kind: Covariance, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(kind, (2, 3), 4)
    x = torch.randn(5, 7, 2, 3, dtype=torch.float64)
    each = torch.stack([p.log_prob(x.flatten(-2)) for p in dense(model)], -1)
    joint = each + model.weights.log()
    torch.testing.assert_close(model.log_prob(x), joint.logsumexp(-1), rtol=0, atol=1e-10)
    torch.testing.assert_close(model.responsibilities(x), joint.softmax(-1), rtol=0, atol=1e-10)
    z = torch.randint(4, (6, 5, 7, 1))
    found = model.decode(z)
    assert found.batch_shape == (6, 5, 7) and found.event_shape == (2, 3)
    chosen = each.expand(6, 5, 7, 4).gather(-1, z).squeeze(-1)
    torch.testing.assert_close(found.log_prob(x), chosen, rtol=0, atol=1e-10)
    spread = torch.stack([p.variance for p in dense(model)])[z.squeeze(-1)]
    torch.testing.assert_close(found.variance.flatten(-2), spread)
    monkeypatch.setattr(normals, "_MOST_NUMBERS", 48)  # two rows at once
    torch.testing.assert_close(model.log_prob(x), joint.logsumexp(-1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(kind: Covariance) -> None:
    model = random_model(kind)
    line = torch.linspace(-16, 16, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    mass = model.log_prob(grid).exp().sum() * (line[1] - line[0]) ** 2
    assert abs(float(mass) - 1) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_draws_have_the_mixtures_moments(kind: Covariance, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, count = random_model(kind, (3,)), 100_000
    monkeypatch.setattr(normals, "_MOST_NUMBERS", 2**16)
    weights, parts = model.weights, dense(model)
    mean = sum(w * p.mean for w, p in zip(weights, parts, strict=True))
    second = sum(
        w * (p.covariance_matrix + torch.outer(p.mean - mean, p.mean - mean))
        for w, p in zip(weights, parts, strict=True)
    )
    for x in (model.sample(count), model.mixture().sample((count,))):
        error = (second.diagonal() / count).sqrt()
        assert bool(((x.mean(0) - mean).abs() < 4 * error).all())
        # the spread of a product of two numbers, by their own fourth moments
        away = x - x.mean(0)
        products = away.unsqueeze(2) * away.unsqueeze(1)
        error = products.std(0) / count**0.5
        assert bool(((products.mean(0) - second).abs() < 4 * error).all())
    torch.testing.assert_close(model.mixture().mean, mean)
    torch.testing.assert_close(model.mixture().variance, second.diagonal())
    share = model.sample_prior(count).squeeze(1).bincount() / count
    assert bool(((share - weights).abs() < 4 * (weights * (1 - weights) / count).sqrt()).all())
    assert bool((model.sample(20, mean=True).unsqueeze(1) == model.means).all(-1).any(1).all())


def test_the_posterior_is_exact_so_the_bound_is_tight() -> None:
    model = random_model("full", (2,), 5)
    for capability in (Model, CanEncode, CanDecode, CanSample, HasLogProb):
        assert isinstance(model, capability)
    x = torch.randn(50, 2, dtype=torch.float64)
    q, exact = model.encode(x), model.log_prob(x)
    assert q.event_shape == model.latent_shape == (1,) and q.batch_shape == (50,)
    torch.testing.assert_close(q.probs.squeeze(-1), model.responsibilities(x))
    assert torch.equal(q.mean, model.responsibilities(x).argmax(1, keepdim=True))
    weights = log_weights(model, x, samples=10)
    torch.testing.assert_close(weights, exact.expand(10, 50), rtol=0, atol=1e-10)
    rate, r = kl(q, model.prior()), model.responsibilities(x)
    torch.testing.assert_close(rate, (r * (r / model.weights).log()).sum(1))
    torch.manual_seed(0)
    bound = elbo(model, x, samples=4000, kl="sampled").parts["bound"]
    torch.testing.assert_close(bound, exact, rtol=0, atol=1e-9)


def test_evaluation_takes_it_as_any_model_with_a_density() -> None:
    model = random_model("diagonal", (4,)).float()
    torch.manual_seed(0)
    x = model.sample(300)
    spec = DataSpec("toy", "vector", (4,), "real", log_jacobian=-1.0)
    found = evaluate(model, spec, x)
    assert found.log_likelihood is not None and found.log_likelihood.kind == "exact"
    assert abs(found.log_likelihood.value - (float(model.log_prob(x).mean()) - 1.0)) < 1e-5
    assert found.bound is not None and found.rate is not None and found.distortion is not None
    # distortion + rate is not log p(x) by itself, but every weight is: the bound is tight
    assert abs(found.bound.value - found.log_likelihood.value) < 1e-4
    assert found.squared_error is not None and found.latent_dim == 1


def test_compiled_equals_eager() -> None:
    model = random_model("full", (3,), 4)
    x = torch.randn(64, 3, dtype=torch.float64)

    def both(x: Tensor) -> Tensor:
        return model.log_prob(x) + model.decode(model.encode(x).mean).log_prob(x)

    found = torch.compile(both, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(found, both(x), rtol=0, atol=1e-12)


def test_it_is_the_density_of_an_autoencoders_codes() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[-3.0, 0.0], [3.0, 1.0]])
    codes = centres.repeat(500, 1) + 0.3 * torch.randn(1000, 2)
    mixture = GaussianMixture((2,), 2)
    list(em(mixture, lambda: codes.split(128), seed=0))
    decoder = Head(nn.Linear(2, 5), Gaussian((5,), sigma="fixed", value=0.1))
    encoder = Head(nn.Linear(5, 4), DiagonalGaussian(2))
    model = LatentModel(mixture.as_prior(), decoder, encoder)
    assert model.latent_shape == (2,) and model.event_shape == (5,)
    z = model.sample_prior(2000)
    assert float(torch.cdist(z, centres).min(1).values.mean()) < 0.5
    assert model.sample(7).shape == (7, 5)
    terms = elbo(model, torch.randn(8, 5))  # no closed form with a mixture: drawn
    terms.loss.backward()
    assert terms.parts["rate"].shape == (8,) and bool(terms.parts["rate"].isfinite().all())
    assert {"prior.mixture.weights", "prior.mixture.scale"} <= set(model.state_dict())


def test_a_gradient_reaches_x() -> None:
    model = random_model("full", (3,))
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model.log_prob, (x,))


def test_parameters_are_counted_as_they_are_free() -> None:
    counts = {kind: GaussianMixture((5,), 3, kind).parameters_count for kind in KINDS}
    assert counts == {"full": 62, "tied": 32, "diagonal": 32, "spherical": 20}


def test_states_are_saved_and_numbers_may_be_single() -> None:
    model: Any = random_model("tied", ())
    x = torch.randn(10, dtype=torch.float64)
    assert model.log_prob(x).shape == (10,) and model.sample(4).shape == (4,)
    twin = GaussianMixture((), 3, "tied").double()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin.log_prob(x), model.log_prob(x))
    values = np.linspace(-20, 20, 4001)
    mass = np.trapezoid(model.log_prob(torch.from_numpy(values)).exp().numpy(), values)
    assert abs(mass - 1) < 1e-9
    assert isinstance(model.normals(), NormalComponents)
