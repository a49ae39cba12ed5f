"""The VampPrior: an explicit mixture of the encoder's outputs, computed once where it may be."""

from __future__ import annotations

import copy
import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lowerbound.distributions import (
    DiagonalGaussian,
    Family,
    FullGaussian,
    Gaussian,
    Head,
    MixtureOfGaussians,
    SquashedGaussian,
    VampPrior,
    VonMisesFisher,
)
from lowerbound.errors import LowerboundError
from lowerbound.models import LatentModel
from lowerbound.objectives import info, naive

FAMILIES: list[Family] = [
    DiagonalGaussian(2),
    FullGaussian(2),
    MixtureOfGaussians(2, 3),
    SquashedGaussian(2),
    VonMisesFisher(2),
]


class Counted(nn.Module):
    """A network that counts its calls."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3, size)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(x).tanh()


def build(family: Family | None = None, **options: Any) -> tuple[Head, VampPrior]:
    torch.manual_seed(0)
    family = family or DiagonalGaussian(2)
    head = Head(Counted(family.raw_shape[0]), family).double()
    return head, VampPrior(head, (3,), 4, **options).double()


def explicit(head: Head, prior: VampPrior) -> MixtureSameFamily:
    q = head(prior.pseudo_inputs)
    weights = Categorical(logits=torch.zeros(4).double())
    return MixtureSameFamily(weights, Independent(Normal(q.mean, q.variance.sqrt()), 1))


@pytest.mark.parametrize("lead", [(), (7,), (5, 7)])
def test_log_prob_equals_torch(lead: tuple[int, ...]) -> None:
    head, prior = build()
    z = torch.randn(*lead, 2, dtype=torch.float64)
    torch.testing.assert_close(prior().log_prob(z), explicit(head, prior).log_prob(z))
    torch.testing.assert_close(prior().mean, explicit(head, prior).mean)
    torch.testing.assert_close(prior().variance, explicit(head, prior).variance)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_log_prob_of_every_posterior(family: Family) -> None:
    """log 1/K Σ_k q(z|u_k), one part after the other; the same in pieces without gradients."""
    head, prior = build(family)
    parts = [head(u[None]) for u in prior.pseudo_inputs]
    z = torch.cat([part.sample((3,)) for part in parts])  # (12, 1, 2)
    each = torch.stack([part.log_prob(z).squeeze(-1) for part in parts])
    expected = each.logsumexp(0) - math.log(4)
    mixture = prior()
    torch.testing.assert_close(mixture.log_prob(z.squeeze(1)), expected)
    with torch.no_grad():
        torch.testing.assert_close(mixture.log_prob(z.view(2, 6, 2)).flatten(), expected)
    draws = mixture.sample((20_000,))
    assert draws.shape == (20_000, 2)
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - mixture.mean).abs() <= 4 * error).all()
    squares = (draws - mixture.mean).square()
    error = squares.std(0) / math.sqrt(len(draws))
    assert ((squares.mean(0) - mixture.variance).abs() <= 4 * error).all()


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _, prior = build(FullGaussian(2))
    z = torch.randn(25, 2, dtype=torch.float64)
    whole = prior().log_prob(z)
    monkeypatch.setattr("lowerbound.distributions.vamp.AT_ONCE", 4 * 2 * 3)
    with torch.no_grad():
        torch.testing.assert_close(prior().log_prob(z), whole)
        assert prior().sample((25,)).shape == (25, 2)
        assert prior().sample().shape == (2,)


def test_gradient_reaches_pseudo_inputs_and_encoder() -> None:
    head, prior = build()
    z = torch.randn(6, 2, dtype=torch.float64)
    parameters = [prior.raw, *head.parameters()]
    own = torch.autograd.grad(prior().log_prob(z).sum(), parameters)
    other = torch.autograd.grad(explicit(head, prior).log_prob(z).sum(), parameters)
    for a, b in zip(own, other, strict=True):
        torch.testing.assert_close(a, b)
        assert a.abs().sum() > 0


def test_pseudo_inputs_stay_in_the_range_of_the_data() -> None:
    start = torch.tensor([[0.0, 0.5, 1.0]] * 4)
    _, prior = build(start=start, data="unit")
    expected = torch.tensor([0.01, 0.5, 0.99]).double().expand(4, 3)
    torch.testing.assert_close(prior.pseudo_inputs, expected, rtol=1e-6, atol=0)
    with torch.no_grad():
        prior.raw.mul_(1e3)
    assert ((prior.pseudo_inputs >= 0) & (prior.pseudo_inputs <= 1)).all()
    _, prior = build(start=7 * start)
    torch.testing.assert_close(prior.pseudo_inputs, 7 * start.double())


def test_encoder_has_one_name_in_the_state_dict() -> None:
    head, prior = build()
    model = LatentModel(prior, nn.Linear(2, 3), head, event_shape=(3,))
    assert list(prior.state_dict()) == ["raw"]
    assert set(model.state_dict()) == {
        "prior.raw",
        "posterior.network.layer.weight",
        "posterior.network.layer.bias",
    } | {"likelihood.weight", "likelihood.bias"}
    assert len(list(model.parameters())) == 5
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for p in twin.posterior.parameters():
            p.add_(1.0)
    z = torch.randn(6, 2, dtype=torch.float64)
    # The copy's prior follows the copy's encoder, the original's its own.
    assert not torch.allclose(twin.prior().log_prob(z), model.prior().log_prob(z))
    torch.testing.assert_close(prior().log_prob(z), explicit(head, prior).log_prob(z))


def test_computed_once_in_evaluation_only() -> None:
    head, prior = build()
    network = head.network
    assert isinstance(network, Counted)

    def calls() -> int:
        before = network.calls
        prior()
        prior()
        return network.calls - before

    assert calls() == 2
    with torch.no_grad():
        assert calls() == 2  # in training mode
    head.eval()
    prior.eval()
    assert calls() == 2  # with gradients
    with torch.no_grad():
        assert calls() == 1
        assert calls() == 0
    prior()  # with gradients again: what was kept is dropped
    with torch.no_grad():
        assert calls() == 1


@pytest.mark.parametrize(
    "change", ["step", "load", "pseudo-inputs", "data", "swap", "replace", "dtype"]
)
def test_change_of_weights_is_seen(change: str) -> None:
    head, prior = build()
    head.eval()
    prior.eval()
    z = torch.randn(6, 2, dtype=torch.float64)
    with torch.no_grad():
        before = prior().log_prob(z)
    layer = head.network.layer
    assert isinstance(layer, nn.Linear)
    if change == "step":
        optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
        head(torch.ones(2, 3).double()).mean.sum().backward()
        optimizer.step()
    elif change == "load":
        head.load_state_dict({k: v + 0.5 for k, v in head.state_dict().items()})
    elif change == "pseudo-inputs":
        with torch.no_grad():
            prior.raw.add_(1.0)
    elif change == "data":  # below torch's count of versions
        layer.weight.data.add_(0.5)
    elif change == "swap":  # which no sum would see
        layer.weight.data.copy_(layer.weight.data.flip(0))
    elif change == "replace":
        layer.weight = nn.Parameter(layer.weight.detach() + 0.5)
    else:
        head.float()
        prior.float()
        z = z.float()
    with torch.no_grad():
        after = prior().log_prob(z)
        expected = explicit(head, prior).log_prob(z)
    torch.testing.assert_close(after, expected.to(after.dtype))
    assert after.dtype == z.dtype
    if change != "dtype":
        assert not torch.allclose(before, after)


def test_what_does_not_fit_is_refused() -> None:
    head, prior = build()
    with pytest.raises(LowerboundError, match="without conditions"):
        prior(torch.zeros(4))
    with pytest.raises(LowerboundError, match=r"start of shape \(4, 3\)"):
        build(start=torch.zeros(5, 3))
    with pytest.raises(LowerboundError, match="one or more components"):
        VampPrior(head, (3,), 0)
    with pytest.raises(LowerboundError, match="latent_shape="):
        VampPrior(lambda x: head(x), (3,), 4)
    assert VampPrior(lambda x: head(x), (3,), 4, latent_shape=(2,)).event_shape == (2,)


@pytest.mark.parametrize("objective", [naive, partial(info, alpha=1.0)], ids=["naive", "info"])
def test_a_prior_whose_draws_have_no_gradient_is_refused(objective: Any) -> None:
    """A mixture of full normals draws without one, so that it would never learn."""
    x = torch.randn(5, 3, dtype=torch.float64)
    for family, fits in ((DiagonalGaussian(2), True), (FullGaussian(2), False)):
        head, prior = build(family)
        decode = Head(nn.Linear(2, 3), Gaussian(3, sigma="learned")).double()
        model = LatentModel(prior, decode, head)
        if fits:
            objective(model, x, samples=4).loss.backward()
            assert prior.raw.grad is not None and prior.raw.grad.abs().sum() > 0
        else:
            with pytest.raises(LowerboundError, match="no gradient flows"):
                objective(model, x, samples=4)
            with torch.no_grad():
                assert objective(model, x, samples=4).loss.isfinite()
