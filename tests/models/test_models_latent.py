"""The latent-variable model: conditions, shapes, and what it knows of itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from lowerbound.bounds import elbo
from lowerbound.distributions import DiagonalGaussian, Head
from lowerbound.errors import LowerboundError
from lowerbound.models import (
    VAE,
    Autoencoder,
    CanDecode,
    CanEncode,
    CanSample,
    HasLogProb,
    LatentModel,
    Model,
)
from lowerbound.networks import MLP


class LabelPrior(nn.Module):
    """p(z | label): N(label, 1e-3) in two dimensions."""

    event_shape = (2,)

    def forward(self, label: Tensor) -> Independent:
        loc = label.float()[..., None].expand(*label.shape, 2)
        return Independent(Normal(loc, 1e-3, validate_args=False), 1, validate_args=False)


def conditional_model() -> LatentModel:
    """p(z|c), p(x|z,c), q(z|x,c), with labels embedded by the heads."""

    def head(takes: int, gives: int, embed: nn.Module) -> Head:
        network = MLP((takes,), (2 * gives,), hidden=(8,), context=4)
        return Head(network, DiagonalGaussian(gives), event_ranks=(1, 0), embed=[None, embed])

    return LatentModel(
        LabelPrior(), head(2, 5, nn.Embedding(10, 4)), head(5, 2, nn.Embedding(10, 4))
    )


def test_a_conditional_model_samples_for_each_condition() -> None:
    torch.manual_seed(0)
    model = conditional_model()
    labels = torch.tensor([1, 5, 9])
    z = model.sample_prior(4, labels)
    assert z.shape == (4, 3, 2)
    torch.testing.assert_close(z.mean((0, 2)), labels.float(), rtol=0, atol=0.01)
    assert model.sample(4, labels).shape == (4, 3, 5)
    assert model.sample(4, labels, mean=True).shape == (4, 3, 5)
    assert not model.sample(1, labels).requires_grad
    terms = elbo(model, torch.randn(3, 5), labels, samples=7)
    assert terms.parts["bound"].shape == (3,)
    terms.loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_shapes_come_from_the_conditionals_or_are_asked_for() -> None:
    model = conditional_model()
    assert (model.event_shape, model.latent_shape) == ((5,), (2,))
    with pytest.raises(LowerboundError, match=r"expected a likelihood that knows .* event_shape="):
        VAE(LabelPrior(), nn.Identity(), nn.Identity())
    with pytest.raises(LowerboundError, match="latent_shape="):
        VAE(nn.Identity(), model.likelihood, model.posterior)
    own = VAE(nn.Identity(), nn.Identity(), nn.Identity(), event_shape=(3,), latent_shape=(1,))
    assert own.no_likelihood is None


def test_capabilities_are_what_a_model_has() -> None:
    model = conditional_model()
    for capability in (Model, CanEncode, CanDecode, CanSample):
        assert isinstance(model, capability)
    assert not isinstance(model, HasLogProb)
    heads = (
        Head(MLP((5,), (4,)), DiagonalGaussian(2)),
        Head(MLP((2,), (10,)), DiagonalGaussian(5)),
    )
    pair = Autoencoder(*heads)
    assert isinstance(pair, Model) and isinstance(pair, CanEncode) and isinstance(pair, CanDecode)
    assert not isinstance(pair, CanSample)
    assert pair.no_likelihood is not None and "squared error has no variance" in pair.no_likelihood
    assert (pair.event_shape, pair.latent_shape) == ((5,), (2,))
