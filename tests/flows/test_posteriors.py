"""Flow posteriors score their draws exactly, and fit what a Gaussian cannot."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lowerbound import bounds
from lowerbound.distributions import DiagonalGaussian, DiagonalNormal, Family, Head, kl
from lowerbound.distributions import normal as normals
from lowerbound.errors import LowerboundError
from lowerbound.flows import (
    AutoregressivePosterior,
    FlowPrior,
    PlanarPosterior,
    SplinePosterior,
)
from lowerbound.models import LatentModel, LinearGaussian

FAMILIES = {
    "planar": lambda shape: PlanarPosterior(shape, transforms=4),
    "iaf": lambda shape: AutoregressivePosterior(shape, transforms=2, hidden=(16,), context=5),
    "neural-spline": lambda shape: SplinePosterior(
        shape, transforms=2, bins=4, hidden=(16,), context=5
    ),
}
NAMES = sorted(FAMILIES)


def family_of(name: str, shape: int | tuple[int, ...], spread: float = 0.3) -> Family:
    """A family as if trained, float64."""
    torch.manual_seed(3)
    family = FAMILIES[name](shape).double()
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return family


def raw_of(family: Family, *lead: int, spread: float = 0.7) -> Tensor:
    torch.manual_seed(4)
    return spread * torch.randn(*lead, *family.raw_shape, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_log_q_is_the_change_of_variables_by_autograd(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = family_of(name, 3)
    raw = raw_of(family, 5)
    noise = torch.randn(5, 3, dtype=torch.float64)

    def draw(eps: Tensor, i: slice) -> tuple[Tensor, Tensor]:
        with monkeypatch.context() as patch:
            patch.setattr(normals, "normal", lambda shape, dtype, device: eps.reshape(shape))
            return family(raw[i]).rsample_and_log_prob()

    log_q = draw(noise, slice(None))[1].detach()
    for i in range(5):
        here = slice(i, i + 1)
        jacobian = torch.autograd.functional.jacobian(
            lambda eps, here=here: draw(eps, here)[0][0], noise[i]
        )
        sign, log_det = torch.linalg.slogdet(jacobian)
        base = DiagonalNormal(torch.zeros(3).double(), torch.zeros(3).double()).log_prob(noise[i])
        assert float(sign) == 1.0
        assert float(log_q[i]) == pytest.approx(float(base - log_det), abs=1e-9)


@pytest.mark.parametrize("name", ["iaf", "neural-spline"])
def test_values_from_elsewhere_are_scored_too(name: str) -> None:
    family = family_of(name, (2, 2))
    q = family(raw_of(family, 6))
    z, log_q = q.rsample_and_log_prob((7,))
    assert z.shape == (7, 6, 2, 2) and q.event_shape == (2, 2) and q.batch_shape == (6,)
    assert torch.allclose(q.log_prob(z), log_q, atol=1e-9)
    ticks = torch.linspace(-25, 25, 500, dtype=torch.float64)
    flat = family_of(name, 2)
    with torch.no_grad():
        density = flat(raw_of(flat)).log_prob(torch.cartesian_prod(ticks, ticks)).exp()
    assert float(density.sum()) * float(ticks[1] - ticks[0]) ** 2 == pytest.approx(1.0, abs=2e-4)


def test_planar_flows_refuse_values_from_elsewhere() -> None:
    family = FAMILIES["planar"](2)
    with pytest.raises(LowerboundError, match=r"planar flow itself.*pass posterior iaf"):
        family(torch.zeros(3, *family.raw_shape)).log_prob(torch.zeros(3, 2))


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 30.0])
def test_planar_maps_are_invertible_whatever_the_encoder_says(scale: float) -> None:
    """Along w a map is α + wᵀû tanh(α + b), which has to rise: wᵀû > −1."""
    family = PlanarPosterior(4, transforms=3)
    q = family(raw_of(family, 200, spread=scale).float().requires_grad_())
    product = (q.w * q.u).sum(-1, keepdim=True).detach()
    assert float(product.min()) > -1.0
    if scale == 1.0:
        assert torch.allclose(product, q.product, atol=1e-4)
    z, log_q = q.rsample_and_log_prob()
    (z.sum() + log_q.sum()).backward()
    assert bool(z.isfinite().all()) and bool(log_q.isfinite().all())
    if scale == 0.0:  # the identity: a standard normal
        expected = DiagonalNormal(torch.zeros(4), torch.zeros(4)).log_prob(z)
        assert torch.allclose(log_q, expected, atol=1e-5)


def test_untrained_flows_are_near_the_gaussian_that_they_start_from() -> None:
    for name in ("iaf", "neural-spline"):
        family = family_of(name, 3, spread=0.0)
        mean, std = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.5, 2.0, 1.0]).double()
        q = family(family.start(mean, std)[None])
        torch.manual_seed(0)
        z = q.rsample((20_000,))[:, 0]
        if name == "neural-spline":
            assert torch.allclose(z.mean(0), mean, atol=0.1)
        assert torch.allclose(z.std(0), std, rtol=0.35)


class Guess(nn.Module):
    """q(z|x) around the exact posterior of a linear-Gaussian model, its marginals' scales."""

    def __init__(self, exact: LinearGaussian, family: Family) -> None:
        super().__init__()
        self.exact, self.family = [exact], family  # in a list: no part of this one
        rest = family.raw_shape[0] - 2 * exact.latent_shape[0]
        self.mix = torch.randn(exact.latent_shape[0], rest, dtype=torch.float64) * 0.2

    def forward(self, x: Tensor) -> torch.distributions.Distribution:
        known = self.exact[0].encode(x)
        log_scale = known.variance.sqrt().log() + 0.2  # wider: weights of finite variance
        return self.family(torch.cat([known.mean, log_scale, known.mean @ self.mix], -1))


@pytest.mark.parametrize("name", NAMES)
def test_importance_sampling_from_a_flow_finds_log_p(name: str) -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 2, dtype=torch.float64)
    exact = LinearGaussian((6,), 2, weight=weight).double()
    family = family_of(name, 2, spread=0.1)
    model = LatentModel(exact.prior, exact.likelihood, Guess(exact, family))
    x = exact.sample(8)
    with torch.no_grad():
        log_w = bounds.log_weights(model, x, samples=20_000)
    found = log_w.logsumexp(0) - math.log(20_000)
    weights = (log_w - found).exp()
    error = weights.std(0) / math.sqrt(20_000)
    gap = (found - exact.log_prob(x)).abs()
    assert bool((gap < 4 * error).all())
    assert float(gap.max()) < 0.02
    assert float(error.max()) > 1e-6  # it is not the exact posterior that was drawn from


def banana(z: Tensor) -> Tensor:
    """log p(z) of a curved density."""
    first = DiagonalNormal(torch.zeros(1), torch.zeros(1)).log_prob(z[..., :1])
    bent = 1.5 * (z[..., :1].square() - 1.0)
    return first + DiagonalNormal(bent, torch.tensor(-1.0)).log_prob(z[..., 1:])


def fitted_gap(family: Family) -> float:
    """KL(q‖p) after fitting q to the banana, nats."""
    torch.manual_seed(0)
    raw = nn.Parameter(0.5 * torch.randn(1, *family.raw_shape))
    adam = torch.optim.Adam([raw, *family.parameters()], lr=0.05)
    for _ in range(300):
        q = family(raw)
        z, log_q = bounds.sample_with_log_prob(q, (64,))
        adam.zero_grad()
        (log_q - banana(z)).mean().backward()
        adam.step()
    with torch.no_grad():
        z, log_q = bounds.sample_with_log_prob(family(raw), (5000,))
        return float((log_q - banana(z)).mean())


def test_flows_fit_a_curved_posterior_better_than_a_gaussian() -> None:
    gaussian = fitted_gap(DiagonalGaussian(2))
    torch.manual_seed(1)
    flows = {
        "planar": PlanarPosterior(2, transforms=8),
        "iaf": FAMILIES["iaf"](2),
        "neural-spline": FAMILIES["neural-spline"](2),
    }
    gaps = {name: fitted_gap(family) for name, family in flows.items()}
    assert max(gaps.values()) < gaussian - 0.3, gaps
    assert gaussian > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_bounds_compile_with_a_flow_posterior_and_a_flow_prior(name: str) -> None:
    torch.manual_seed(0)
    torch.compiler.reset()
    family = FAMILIES[name](2)
    model = LatentModel(
        FlowPrior(2, kind="realnvp", transforms=1, hidden=(8,)),
        Head(nn.Linear(2, 8), DiagonalGaussian(4)),
        Head(nn.Linear(4, family.raw_shape[0]), family),
    )
    x = torch.randn(5, 4)

    def bound(x: Tensor) -> Tensor:
        return bounds.iwae(model, x, samples=3).loss

    with pytest.MonkeyPatch.context() as patch:  # the same noise as within a compiled step
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        torch.manual_seed(7)
        eager = bound(x)
    expected = torch.autograd.grad(eager, list(model.parameters()))
    torch.manual_seed(7)
    compiled = torch.compile(bound, fullgraph=True, backend="eager")(x)
    found = torch.autograd.grad(compiled, list(model.parameters()))
    assert torch.allclose(compiled, eager, atol=1e-5)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
        assert bool(a.isfinite().all())


def test_a_flow_prior_has_its_contexts_embedded_and_leaves_out_those_it_does_not_take() -> None:
    torch.manual_seed(0)
    prior = FlowPrior(
        (2,),
        kind="maf",
        transforms=2,
        hidden=(8,),
        context=3 + 2,
        event_ranks=(0, 1),
        embed=[nn.Embedding(4, 3), None],
    )
    labels, vectors = torch.tensor([0, 1, 2]), torch.randn(3, 2)
    p = prior(labels, vectors)
    assert p.batch_shape == (3,) and p.sample((4,)).shape == (4, 3, 2)
    z = torch.randn(2)
    joint = p.log_prob(z)
    for i in range(3):
        alone = prior(labels[i : i + 1], vectors[i : i + 1]).log_prob(z)
        assert torch.allclose(joint[i : i + 1], alone, atol=1e-6)
    with pytest.raises(LowerboundError, match="expected 2 context"):
        prior(labels)
    with pytest.raises(LowerboundError, match="expected contexts of 5 numbers together, came 6"):
        prior(labels, torch.randn(3, 3))
    plain = FlowPrior((2,), kind="maf", transforms=2, hidden=(8,))
    assert torch.equal(plain(labels).log_prob(z), plain().log_prob(z))


def test_kl_of_two_flows_is_estimated_from_draws() -> None:
    torch.manual_seed(0)
    prior = FlowPrior(2, kind="realnvp", transforms=2, hidden=(8,)).double()
    family = family_of("iaf", 2, spread=0.1)
    q = family(raw_of(family, 3))
    with torch.no_grad():
        first = kl(q, prior(), samples=4000)
        z, log_q = q.rsample_and_log_prob((4000,))
        terms = log_q - prior().log_prob(z)
    error = terms.std(0) / math.sqrt(4000)
    assert bool(((first - terms.mean(0)).abs() < 4 * math.sqrt(2) * error).all())
    assert bool((first > 0).all())
