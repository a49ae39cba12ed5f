"""Recipes built on these objectives: who moves, what they are equal to, what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import elbo, iwae
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.options import check
from lowerbound.recipes import disentangling, importance
from lowerbound.training.options import resolve
from lowerbound.training.phase import Phase
from lowerbound.training.schedules import Clock
from lowerbound.training.step import PhaseStep

RECIPES = {**disentangling.RECIPES, **importance.RECIPES}
START, MIDDLE, END = (Clock(0, 0.0, progress) for progress in (0.0, 0.5, 1.0))


def data() -> tuple[DataSpec, Tensor]:
    """Sixty-four examples of twelve bits that two causes explain."""
    torch.manual_seed(0)
    causes = torch.randn(64, 2)
    x = (causes @ torch.randn(2, 12) * 2).sigmoid().bernoulli()
    mean, std = x.mean(0).numpy(), x.std(0).numpy()
    spec = DataSpec("bits", "vector", (12,), "binary", likelihood="bernoulli", train=64)
    object.__setattr__(spec, "mean", mean.astype(np.float32))
    object.__setattr__(spec, "std", std.astype(np.float32))
    return spec, x


def build(name: str, **options: Any) -> tuple[Any, list[Phase], Tensor]:
    spec, x = data()
    given = {"latent_dim": 2, "hidden": (24,), **options}
    model, phases = RECIPES[name](spec, **check(RECIPES[name], given))
    return model, [phase for phase in phases if isinstance(phase, Phase)], x


def at(phase: Phase, clock: Clock) -> dict[str, Tensor]:
    return {name: torch.tensor(value(clock)) for name, value in phase.scheduled.items()}


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in RECIPES},
    "beta-vae": ("beta-vae", {"beta": 0.5}),
    "info-vae": ("info-vae", {"weight": 10.0}),
    "factor-vae": ("factor-vae", {"discriminator_hidden": (32,)}),
    "naive": ("naive", {"samples": 30}),
    "multisample": ("multisample", {"groups": 3, "samples": 4}),
    "capacity-vae": ("capacity-vae", {"gamma": 5.0, "capacity": 2.0}),
    "beta-vae cyclical": ("beta-vae", {"beta_schedule": "cyclical", "beta": 1.0}),
    "free-bits-vae code": ("free-bits-vae", {"groups": "code", "average": False}),
    "beta-tcvae weighted": ("beta-tcvae", {"sampling": "weighted"}),
    "dip-vae ii": ("dip-vae", {"variant": "ii", "posterior": "full"}),
    "iwae dreg": ("iwae", {"estimator": "dreg"}),
    "iwae stl full": ("iwae", {"estimator": "stl", "posterior": "full"}),
    "miwae": ("multisample", {"estimator": "miwae", "groups": 3, "samples": 4}),
    "ciwae": ("multisample", {"estimator": "ciwae", "groups": 1}),
    "score": ("elbo-gradients", {"gradient": "score"}),
    "pathwise": ("elbo-gradients", {"gradient": "pathwise"}),
    "sleep": ("monte-carlo-em", {"fit": "sleep", "proposal": "prior"}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_phase_reaches_exactly_what_it_moves(case: str) -> None:
    name, options = CASES[case]
    model, phases, x = build(name, **options)
    whole = {id(p): key for key, p in model.named_parameters()}
    moved: set[str] = set()
    for phase in phases:
        terms = phase.objective(model, x, **at(phase, MIDDLE))
        own = {whole[id(p)] for module in phase.moves for p in module.parameters()}
        assert not moved & own, "two phases move the same"
        moved |= own
        found = torch.autograd.grad(terms.loss, list(model.parameters()), allow_unused=True)
        for key, gradient in zip(whole.values(), found, strict=True):
            if key in own:
                assert gradient is not None and gradient.isfinite().all(), key
                assert (gradient != 0).any(), key
        assert all(part.shape == (64,) and part.isfinite().all() for part in terms.parts.values())
    assert moved == set(whole.values())


@pytest.mark.parametrize("case", CASES)
def test_training_raises_the_bound(case: str) -> None:
    """Some steps by the real training step; the unmodified bound is what is compared."""
    name, options = CASES[case]
    model, phases, x = build(name, **options)
    steps = [PhaseStep(model, phase, nn.Identity(), resolve({})) for phase in phases]

    def value() -> float:
        with torch.no_grad():
            return float(iwae(model, x, samples=200).parts["iwae"].mean())

    before = value()
    for index in range(200):
        clock = Clock(index, 0.0, index / 200)
        for step in steps:
            step.whole(x, None, (), at(step.phase, clock), step.optimizer.scalars(1e-2))
    assert value() > before + 0.3


def test_beta_rises_as_asked() -> None:
    ends = {"constant": (3.0, 3.0, 3.0), "warmup": (0.0, 1.5, 3.0), "cyclical": (0.0, 0.0, 3.0)}
    for schedule, expected in ends.items():
        model, (phase,), x = build("beta-vae", beta=3.0, beta_schedule=schedule, rise=1.0)
        for clock, beta in zip((START, MIDDLE, END), expected, strict=True):
            torch.manual_seed(1)
            ours = phase.objective(model, x, **at(phase, clock)).loss
            torch.manual_seed(1)
            torch.testing.assert_close(ours, elbo(model, x, beta=beta).loss)


def test_capacity_rises_from_nothing() -> None:
    model, (phase,), x = build("capacity-vae", capacity=8.0, gamma=10.0, rise=0.5)
    for clock, capacity in ((START, 0.0), (Clock(0, 0.0, 0.25), 4.0), (END, 8.0)):
        torch.manual_seed(1)
        loss, parts = phase.objective(model, x, **at(phase, clock))
        expected = parts["distortion"] + 10.0 * (parts["rate"] - capacity).abs()
        torch.testing.assert_close(loss.detach(), expected.mean())


def test_a_capacity_is_reached() -> None:
    model, (phase,), x = build("capacity-vae", capacity=1.5, gamma=50.0)
    step = PhaseStep(model, phase, nn.Identity(), resolve({}))
    for index in range(400):
        clock = Clock(index, 0.0, index / 400)
        step.whole(x, None, (), at(phase, clock), step.optimizer.scalars(3e-3))
    with torch.no_grad():
        rate = float(elbo(model, x).parts["rate"].mean())
    assert abs(rate - 1.5) < 0.15


def test_piwae_is_two_bounds() -> None:
    """MIWAE's gradient for the posterior, IWAE's of all samples for the rest."""
    from lowerbound.objectives import miwae

    model, (posterior, rest), x = build("multisample", estimator="piwae", groups=3, samples=4)
    torch.manual_seed(1)
    ours = posterior.objective(model, x).loss
    torch.manual_seed(1)
    torch.testing.assert_close(ours, miwae(model, x, groups=3, samples=4).loss)
    torch.manual_seed(1)
    ours = rest.objective(model, x).loss
    torch.manual_seed(1)
    torch.testing.assert_close(ours, iwae(model, x, samples=12).loss)
    assert posterior.moves == [model.posterior]
    assert rest.moves == [model.prior, model.likelihood]


def test_dip_has_the_papers_ratio() -> None:
    for kind, ratio in (("i", 10.0), ("ii", 1.0)):
        _, (phase,), _ = build("dip-vae", variant=kind, off_diagonal=3.0)
        assert phase.objective.keywords["diagonal"] == ratio * 3.0  # ty: ignore


def test_free_bits_keep_dimensions_in_use() -> None:
    """A decoder's β is no match for a floor: the rate stays where it is free."""
    rates = []
    for floor in (0.0, 1.0):
        model, (phase,), x = build("free-bits-vae", floor=floor, hidden=())
        noise = torch.rand_like(x).round()  # nothing to explain, so that any rate is a loss
        step = PhaseStep(model, phase, nn.Identity(), resolve({}))
        for _ in range(300):
            step.whole(noise, None, (), {}, step.optimizer.scalars(1e-2))
        with torch.no_grad():
            rates.append(float(elbo(model, noise).parts["rate"].mean()))
    assert rates[0] < rates[1]
    assert rates[1] > 1.2  # two dimensions, about one nat each


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("beta-vae", {"beta": -1.0}, "beta: expected a number of at least 0, came -1.0"),
        ("beta-vae", {"rise": 0.0}, "rise: expected a number of at least 0.001"),
        ("beta-vae", {"beta_schedule": "warm"}, "beta_schedule: expected 'constant' or 'warmup'"),
        ("capacity-vae", {"capacity": -1.0}, "capacity: expected a number of at least 0"),
        ("free-bits-vae", {"floor": -0.1}, "floor: expected a number of at least 0"),
        ("factor-vae", {"gamma": -1.0}, "gamma: expected a number of at least 0"),
        ("beta-tcvae", {"posterior": "full"}, "beta_tcvae has no option 'posterior'"),
        ("info-vae", {"alpha": -1.0, "weight": 1.0}, "weight: expected at least 2, 1 - alpha"),
        ("multisample", {"beta": 1.5}, "beta: expected a number of at least 0 and at most 1"),
        ("multisample", {"samples": 0}, "samples: expected a whole number of at least 1"),
        (
            "elbo-gradients",
            {"gradient": "score", "baseline": "samples"},
            "samples: expected at least 2 for a baseline of other samples",
        ),
        ("elbo-gradients", {"entropy": 0.0}, "entropy: expected 1 with gradient stl"),
        ("iwae", {"latent_dim": 0}, "latent_dim: expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        build(name, **options)
