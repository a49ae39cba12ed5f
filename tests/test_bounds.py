"""Bounds: what they refuse, what they return, and that they compile."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily

from lowerbound.bounds import Terms, elbo, iwae, log_weights, squared_error
from lowerbound.distributions import (
    Bernoulli,
    ContinuousBernoulli,
    Delta,
    DiagonalGaussian,
    DiagonalNormal,
    DiscretizedLogisticMixture,
    Family,
    Gaussian,
    Head,
    IndependentCategorical,
    PointMass,
    StandardNormal,
    set_precision,
)
from lowerbound.distributions.gaussian import DECAY
from lowerbound.errors import LowerboundError

LATENT = 3


class Model(nn.Module):
    def __init__(self, likelihood: Family, prior: nn.Module | None = None) -> None:
        super().__init__()
        (size,) = self.event_shape = likelihood.event_shape
        self.prior = prior or StandardNormal(LATENT)
        self.encode = Head(nn.Linear(size, 2 * LATENT), DiagonalGaussian(LATENT))
        self.decode = Head(nn.Linear(LATENT, likelihood.raw_shape[0]), likelihood)


def binary(*shape: int) -> Tensor:
    return torch.rand(shape).round()


def test_elbo_returns_detached_parts_per_example() -> None:
    model, x = Model(Bernoulli(6)), binary(8, 6)
    loss, parts = terms = elbo(model, x)
    assert isinstance(terms, Terms)
    assert loss.shape == ()
    assert loss.requires_grad
    assert parts.keys() == {"bound", "distortion", "rate"}
    assert all(part.shape == (8,) and not part.requires_grad for part in parts.values())
    torch.testing.assert_close(parts["bound"], -(parts["distortion"] + parts["rate"]))
    torch.testing.assert_close(loss.detach(), -parts["bound"].mean())


@pytest.mark.parametrize("beta", [0.0, 0.5, torch.tensor(4.0)])
def test_beta_weighs_the_rate_in_the_loss_only(beta: float | Tensor) -> None:
    model, x = Model(Bernoulli(6)), binary(8, 6)
    loss, parts = elbo(model, x, beta=beta)
    torch.testing.assert_close(loss.detach(), (parts["distortion"] + beta * parts["rate"]).mean())
    torch.testing.assert_close(parts["bound"], -(parts["distortion"] + parts["rate"]))


@pytest.mark.parametrize("kl", ["analytic", "sampled"])
@pytest.mark.parametrize("samples", [1, 7])
def test_samples_are_averaged(kl, samples: int) -> None:
    model, x = Model(Bernoulli(6)), binary(8, 6)
    torch.manual_seed(1)
    terms = elbo(model, x, samples=samples, kl=kl)
    torch.manual_seed(1)
    weights = log_weights(model, x, samples=samples)
    assert weights.shape == (samples, 8)
    if kl == "sampled":
        torch.testing.assert_close(terms.parts["bound"], weights.mean(0))


def test_iwae_is_log_mean_exp_of_the_weights() -> None:
    model, x = Model(Bernoulli(6)), binary(8, 6)
    torch.manual_seed(1)
    loss, parts = iwae(model, x, samples=5)
    torch.manual_seed(1)
    weights = log_weights(model, x, samples=5)
    value = weights.exp().mean(0).log()
    torch.testing.assert_close(parts["iwae"], value)
    torch.testing.assert_close(parts["bound"], weights.mean(0))
    torch.testing.assert_close(loss, -value.mean())
    ours = torch.autograd.grad(loss, list(model.parameters()))
    theirs = torch.autograd.grad(-value.mean(), list(model.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_iwae_of_one_sample_is_the_sampled_elbo() -> None:
    model, x = Model(Bernoulli(6)), binary(8, 6)
    torch.manual_seed(1)
    one = iwae(model, x, samples=1)
    torch.manual_seed(1)
    torch.testing.assert_close(one.loss, elbo(model, x, kl="sampled").loss)


def test_weights_of_hundreds_of_nats_do_not_underflow() -> None:
    model = Model(Bernoulli(2000))
    value = iwae(model, binary(4, 2000), samples=5).parts["iwae"]
    assert value.isfinite().all()
    assert (value < -500).all()


def test_prior_without_closed_form_is_sampled() -> None:
    class Mixture(nn.Module):
        def forward(self, *context: Tensor) -> MixtureSameFamily:
            components = DiagonalNormal(torch.eye(2, LATENT), torch.zeros(2, LATENT))
            return MixtureSameFamily(Categorical(torch.ones(2)), components, validate_args=False)

    model, x = Model(Bernoulli(6), Mixture()), binary(8, 6)
    torch.manual_seed(1)
    analytic = elbo(model, x)
    torch.manual_seed(1)
    torch.testing.assert_close(analytic.loss, elbo(model, x, kl="sampled").loss)


def test_unchanged_elbo_gives_a_vq_vae_its_rate() -> None:
    """A posterior that is certain of 4 of 10 codes costs 4 log 10 nats, sampled or not."""

    class Indices(nn.Module):
        def forward(self, x: Tensor) -> PointMass:
            return PointMass((x[:, :4] * 9).long())

    class Uniform(nn.Module):
        def forward(self) -> IndependentCategorical:
            return IndependentCategorical(torch.zeros(10, 4))

    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.family = Bernoulli(6)
            self.codes = nn.Embedding(10, 6)

        def forward(self, z: Tensor) -> object:
            return self.family(self.codes(z).sum(-2))

    model = Model(Bernoulli(6), Uniform())
    model.encode, model.decode = Indices(), Lookup()  # ty: ignore[invalid-assignment]
    for kl in ("analytic", "sampled"):
        loss, parts = elbo(model, binary(8, 6), kl=kl)
        torch.testing.assert_close(parts["rate"], torch.full((8,), 4 * math.log(10)))
        loss.backward()


def test_contexts_reach_all_three() -> None:
    class Prior(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.means = nn.Embedding(10, LATENT)

        def forward(self, label: Tensor) -> DiagonalNormal:
            means = self.means(label)
            return DiagonalNormal(means, torch.zeros_like(means))

    class Join(nn.Module):
        def __init__(self, size: int, out: int) -> None:
            super().__init__()
            self.layer = nn.Linear(size, out)

        def forward(self, *parts: Tensor) -> Tensor:
            return self.layer(torch.cat(parts, -1))

    model = Model(Bernoulli(6), Prior())
    label = nn.Embedding(10, 2)
    ranks, embed = (1, 0), [None, label]
    model.encode = Head(Join(8, 2 * LATENT), DiagonalGaussian(LATENT), ranks, embed)
    model.decode = Head(Join(LATENT + 2, 6), Bernoulli(6), ranks, embed)
    x, y = binary(8, 6), torch.arange(8)
    for terms in (elbo(model, x, y), elbo(model, x, y, samples=3), iwae(model, x, y, samples=4)):
        assert terms.parts["bound"].shape == (8,)
        terms.loss.backward()


def test_squared_error_is_summed_over_the_datum() -> None:
    class Autoencoder(nn.Module):
        event_shape = (1, 2, 3)

        def __init__(self) -> None:
            super().__init__()
            encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
            decoder = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3)))
            self.encode = Head(encoder, Delta(2), event_ranks=(3,))
            self.decode = Head(decoder, Delta((1, 2, 3)))

    model, x = Autoencoder(), torch.randn(8, 1, 2, 3)
    loss, parts = squared_error(model, x)
    expected = (x - model.decode(model.encode(x).mean).mean).square().sum((1, 2, 3))
    torch.testing.assert_close(parts, {"squared_error": expected.detach()})
    torch.testing.assert_close(loss, expected.mean())


@pytest.mark.parametrize("bound", [elbo, iwae, log_weights])
@pytest.mark.parametrize("shape", [(8, 1), (8, 784, 1), (8, 1, 784), (784,)])
def test_wrong_shapes_are_refused(bound, shape: tuple[int, ...]) -> None:
    """(8, 1) under (8, 784) would broadcast in silence."""
    with pytest.raises(LowerboundError, match=r"expected x of shape \(batch, 784\), came"):
        bound(Model(Bernoulli(784)), torch.zeros(shape))


def test_model_that_misstates_its_shape_is_refused() -> None:
    model = Model(Bernoulli(6))
    model.decode = Head(nn.Linear(LATENT, 5), Bernoulli(5))
    with pytest.raises(LowerboundError, match=r"\(batch, 5\)"):
        elbo(model, torch.zeros(8, 6))


def test_unknown_kl_is_refused() -> None:
    with pytest.raises(LowerboundError, match="'analytic' or 'sampled', came 'exact'"):
        elbo(Model(Bernoulli(6)), binary(8, 6), kl="exact")  # ty: ignore[invalid-argument-type]


LIKELIHOODS = {
    "bernoulli": Bernoulli(6),
    "continuous-bernoulli": ContinuousBernoulli(6),
    "gaussian": Gaussian(6, sigma="per-datum"),
    "gaussian-optimal": Gaussian(6),
    "discretized-logistic": DiscretizedLogisticMixture(6, levels=2, components=2),
}


@pytest.mark.parametrize("family", LIKELIHOODS.values(), ids=LIKELIHOODS.keys())
def test_traces_as_one_graph(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """fullgraph: one exception or one .item() in the hot path would break it."""
    model, x = Model(family), binary(8, 6)

    def bound(model: Model, x: Tensor, beta: Tensor) -> Tensor:
        return elbo(model, x, beta=beta).loss + iwae(model, x, samples=2).loss

    bound(model, x, torch.tensor(0.5)).backward()
    torch.manual_seed(1)
    with monkeypatch.context() as patch:  # a compiled graph draws its noise in a way of its own
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        expected = bound(model, x, torch.tensor(0.5))
    torch.manual_seed(1)
    compiled = torch.compile(bound, fullgraph=True, backend="aot_eager")
    actual = compiled(model, x, torch.tensor(0.5))
    actual.backward()
    torch.testing.assert_close(actual, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing inductor
def test_compiles_and_tracks_the_optimal_variance() -> None:
    """The real compiler, in bfloat16 with float32 at the head, gradient and buffers included."""
    model, x = Model(Gaussian(6)), torch.randn(8, 6)
    set_precision(model, torch.bfloat16)
    compiled = torch.compile(elbo, fullgraph=True)
    tracked, errors = model.decode.family.tracked, []
    for step in range(3):
        loss, parts = compiled(model, x, beta=torch.tensor(0.1 * step))
        loss.backward()
        assert tracked.count.item() == step + 1
        # Under the optimal sigma the six numbers cost 3 log(2 pi MSE) + 3 nats.
        errors.append(math.exp(parts["distortion"].mean().item() / 3 - 1) / (2 * math.pi))
    weights = [DECAY**2, DECAY, 1.0]
    average = sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights)
    assert tracked().item() == pytest.approx(average, rel=1e-4)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
