"""Flows are densities: they integrate to one, and their log-determinants are the Jacobian's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from lowerbound.flows import (
    KINDS,
    Affine,
    Chain,
    FlowDistribution,
    FlowPrior,
    Logistic,
    Logit,
    MultiScale,
    adapt,
    import_zuko,
    vector_chain,
)
from lowerbound.flows.base import standard

LIMIT = 20.0


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def learned(module: nn.Module, spread: float = 0.3) -> nn.Module:
    """As if trained: every parameter moved away from its start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return module


def grid(side: int, limit: float = LIMIT) -> tuple[Tensor, float]:
    """Points (side², 2) of a square and the area of each."""
    ticks = torch.linspace(-limit, limit, side)
    step = float(ticks[1] - ticks[0])
    return torch.cartesian_prod(ticks, ticks), step**2


def chain_of(kind: str, features: int, context: int = 0) -> Chain:
    chain = vector_chain(
        kind,  # ty: ignore[invalid-argument-type]
        features,
        context=context,
        transforms=3,
        hidden=(16,),
        activation="tanh",
        bins=4,
    )
    learned(chain, 0.2)
    return chain


@pytest.mark.parametrize("generative", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_densities_integrate_to_one(kind: str, generative: bool) -> None:
    chain = chain_of(kind, 2)
    base = "logistic" if kind == "nice" and not generative else "normal"
    p = FlowDistribution(standard(base, torch.zeros(2)), chain, (2,), generative=generative)
    limit = 40.0 if base == "logistic" else LIMIT
    # a spline is the identity beyond 5, and has kinks, which want a finer grid
    points, area = grid(400, 9.0) if "spline" in kind else grid(400, limit)
    with torch.no_grad():
        total = p.log_prob(points).exp().sum() * area
    assert float(total) == pytest.approx(1.0, abs=2e-4)


def test_a_conditional_density_integrates_to_one_for_every_context() -> None:
    prior = FlowPrior(2, kind="neural-spline", transforms=3, hidden=(16,), context=3)
    learned(prior, 0.2)
    points, area = grid(300)
    context = torch.randn(3, 3)
    with torch.no_grad():
        log_p = prior(context).log_prob(points[:, None, :])
    assert log_p.shape == (len(points), 3)
    assert torch.allclose(log_p.exp().sum(0) * area, torch.ones(3), atol=1e-3)
    assert not torch.allclose(log_p[:, 0], log_p[:, 1], atol=0.1)


def jacobian_log_det(chain: nn.Module, x: Tensor, context: Tensor | None = None) -> Tensor:
    """log |det| of each datum's Jacobian by autograd."""

    def one(single: Tensor, given: Tensor | None) -> Tensor:
        here = None if given is None else given[None]
        return chain(single[None], here)[0].reshape(-1)

    found = []
    for i in range(len(x)):
        given = None if context is None else context[i]
        jacobian = torch.autograd.functional.jacobian(lambda v, given=given: one(v, given), x[i])
        found.append(torch.linalg.slogdet(jacobian.reshape(x[i].numel(), -1))[1])
    return torch.stack(found)


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_vector_layers_against_autograd(kind: str, context: int, features: int) -> None:
    chain = chain_of(kind, features, context)
    x = 1.5 * torch.randn(6, features)
    given = torch.randn(6, context) if context else None
    y, log_det = chain(x, given)
    assert torch.allclose(log_det.expand(6), jacobian_log_det(chain, x, given), atol=1e-9)
    back, inverse_log_det = chain.inverse(y, given)
    assert torch.allclose(back, x, atol=1e-9)
    assert torch.allclose(inverse_log_det.expand(6), -log_det.expand(6), atol=1e-9)


SHAPES = [(1, 4, 4), (3, 4, 4), (1, 5, 5), (3, 2, 3), (2, 8, 8), (1, 1, 1), (1, 6, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["realnvp", "glow"])
def test_image_flows_against_autograd(kind: str, shape: tuple[int, ...]) -> None:
    flow = MultiScale(shape, kind, steps=2, width=8, activation="silu")  # ty: ignore[invalid-argument-type]
    learned(flow, 0.1)
    x = torch.randn(3, *shape)
    y, log_det = flow(x)
    assert y.shape == (3, math.prod(shape))
    assert torch.allclose(log_det.expand(3), jacobian_log_det(flow, x), atol=1e-9)
    back, inverse_log_det = flow.inverse(y)
    assert torch.allclose(back, x, atol=1e-9)
    assert torch.allclose(inverse_log_det.expand(3), -log_det.expand(3), atol=1e-9)


def test_every_number_of_an_image_reaches_the_codes_and_scales_factor_out() -> None:
    flow = MultiScale((1, 8, 8), "glow", steps=1, width=4)
    assert [out.shape for out in flow.outs] == [(4, 4, 4)]
    assert flow.last.loc.shape == (8, 2, 2)  # (2, 4, 4) squeezed
    learned(flow)
    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    flow(x)[0].square().sum().backward()
    assert x.grad is not None and bool((x.grad != 0).all())


def test_couplings_of_channels_and_checkerboards_move_everything() -> None:
    for shape in [(1, 4, 4), (3, 4, 4)]:
        start, moved = MultiScale(shape, "realnvp", steps=2, width=8), None
        x = torch.randn(2, *shape)
        before = start(x)[0]
        learned(start)
        moved = start(x)[0]
        assert bool(((moved - before).abs() > 1e-6).all())


def test_logit_against_autograd_and_its_first_order_moments() -> None:
    layer = Logit(1, alpha=0.05)
    x = torch.tensor([[0.0, 0.2, 0.9], [1.0, 0.5, 0.01]])
    y, log_det = layer(x)
    assert torch.allclose(log_det, jacobian_log_det(layer, x), atol=1e-10)
    back, inverse_log_det = layer.inverse(y)
    assert torch.allclose(back, x, atol=1e-12)
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-12)
    narrow = 0.3 + 0.001 * torch.randn(20_000, 1)
    mean, std = layer.moments(narrow.mean(0), narrow.std(0))
    assert torch.allclose(mean, layer(narrow)[0].mean(0), atol=1e-4)
    assert torch.allclose(std, layer(narrow)[0].std(0), rtol=1e-2)


def test_affine_shared_by_pixels_counts_each_of_them() -> None:
    layer = Affine((2, 1, 1), (2, 3, 4))
    learned(layer)
    x = torch.randn(2, 2, 3, 4)
    _, log_det = layer(x)
    assert torch.allclose(log_det.expand(2), jacobian_log_det(layer, x), atol=1e-10)


def test_the_logistic_is_a_density_and_its_draws_follow_it() -> None:
    base = Logistic(torch.zeros(1))
    ticks = torch.linspace(-60, 60, 200_001)[:, None]
    mass = base.log_prob(ticks).exp().sum() * float(ticks[1] - ticks[0])
    assert float(mass) == pytest.approx(1.0, abs=1e-9)
    draws = base.rsample((40_000,))[:, 0].sort().values
    assert bool(draws.isfinite().all())
    uniform = draws.sigmoid()  # the distribution function
    gap = (uniform - torch.arange(1, len(draws) + 1) / len(draws)).abs().max()
    assert float(gap) < 1.95 / math.sqrt(len(draws))  # Kolmogorov's, p = 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_scored_as_they_are_made(kind: str) -> None:
    chain = chain_of(kind, 3, 2)
    context = torch.randn(4, 2)
    for generative in (False, True):
        p = FlowDistribution(
            standard("normal", torch.zeros(4, 3)), chain, (3,), context, generative=generative
        )
        z, log_p = p.rsample_and_log_prob((5,))
        assert z.shape == (5, 4, 3) and log_p.shape == (5, 4)
        assert torch.allclose(log_p, p.log_prob(z), atol=1e-9)


def zuko_flows() -> list[nn.Module]:
    flows = import_zuko().flows
    small = {"transforms": 2, "hidden_features": (8,)}
    return [
        flows.MAF(3, 2, **small),
        flows.NICE(3, 2, **small),
        flows.NSF(3, 2, bins=4, **small),
        flows.NSF(3, 0, bins=4, **small),
        flows.GF(3, 2, **small),
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_flow_of_zukos_keeps_its_density(number: int) -> None:
    flow = zuko_flows()[number]
    context = 0 if number == 3 else 2
    conditional = adapt(flow, 3, context=context)
    given = torch.randn(6, 2)
    x = torch.randn(6, 3)
    ours = conditional(given).log_prob(x)
    theirs = flow(given if context else None).log_prob(x)
    assert torch.allclose(ours, theirs, atol=1e-10)
    z, log_p = conditional(given).rsample_and_log_prob((4,) if context else (4, 6))
    tolerance = 1e-4 if number == 4 else 1e-8  # gaussianization inverts by bisection
    assert torch.allclose(log_p, conditional(given).log_prob(z), atol=tolerance)


def test_importing_zuko_leaves_the_validation_of_arguments_as_it_was() -> None:
    import subprocess
    import sys

    script = (
        "import sys, lowerbound, lowerbound.models.flow; assert 'zuko' not in sys.modules; "
        "from torch.distributions import Distribution as D; before = D._validate_args; "
        "from lowerbound.flows import vector_chain; vector_chain('maf', 2, hidden=(4,)); "
        "assert 'zuko' in sys.modules and D._validate_args == before == True"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
