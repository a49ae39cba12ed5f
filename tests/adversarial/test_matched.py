"""Shaped priors against their densities; the game on codes, and the leak that cannot happen."""

from __future__ import annotations

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch

import lowerbound
from lowerbound.data.spec import DataSpec
from lowerbound.distributions.shaped import petals, swiss_roll
from lowerbound.divergences import mmd
from lowerbound.errors import LowerboundError
from lowerbound.objectives import matched
from lowerbound.recipes import RECIPES

VECTORS = DataSpec("vectors", "vector", (5,), "real", train=100)
LABELLED = DataSpec("labelled", "vector", (5,), "real", classes=("a", "b", "c"), train=100)
SHAPES = {"petals": partial(petals, 12), "swiss-roll": swiss_roll}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("classes", [1, 3])
def test_shaped_densities_integrate_to_one_for_each_class(name: str, classes: int) -> None:
    prior = SHAPES[name](classes=classes)
    side = torch.linspace(-5, 5, 201)
    grid = torch.cartesian_prod(side, side)
    each = torch.stack([prior(torch.tensor(c)).log_prob(grid) for c in range(classes)])
    mass = each.double().exp().sum(1) * 0.05**2
    torch.testing.assert_close(mass, torch.ones_like(mass), atol=1e-3, rtol=0)
    # p(z) = Σ_c p(z|c) / C
    whole = prior().log_prob(grid)
    torch.testing.assert_close(whole, each.logsumexp(0) - math.log(classes), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_draws_are_of_the_density(name: str) -> None:
    """Moments within four standard errors, and the mean log-density as by quadrature."""
    torch.manual_seed(0)
    prior, n = SHAPES[name](), 20_000
    density = prior()
    z = density.sample((n,))
    assert ((z.mean(0) - density.mean).abs() < 4 * z.std(0) / n**0.5).all()
    fourth = (z - z.mean(0)).pow(4).mean(0)
    error = ((fourth - z.var(0) ** 2) / n).sqrt()
    assert ((z.var(0) - density.variance).abs() < 4 * error).all()
    side = torch.linspace(-5, 5, 201)
    grid = torch.cartesian_prod(side, side)
    log_p = density.log_prob(grid).double()
    entropy = -float((log_p.exp() * log_p).sum() * 0.05**2)
    values = -density.log_prob(z).double()
    assert abs(float(values.mean()) - entropy) < 4 * float(values.std()) / n**0.5 + 1e-3


def test_the_roll_is_even_along_its_length() -> None:
    torch.manual_seed(1)
    prior = swiss_roll(classes=10)
    z = prior().sample((5_000,))
    given = torch.stack([prior(torch.tensor(c)).log_prob(z) for c in range(10)])
    counts = given.argmax(0).bincount(minlength=10)
    assert (counts - 500).abs().max() < 5 * (5_000 * 0.1 * 0.9) ** 0.5
    where = prior(torch.arange(10)).sample((50,))  # (50, 10, 2)
    own = torch.stack([prior(torch.tensor(c)).log_prob(where[:, c]) for c in range(10)])
    assert own.isfinite().all()


def built(name: str, data: DataSpec = VECTORS, **options):
    torch.manual_seed(0)
    return RECIPES[name](data, **{"hidden": (16,), **options})


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        (
            "adversarial-autoencoder",
            {
                "reconstruction": {"posterior", "likelihood"},
                "critic": {"critic"},
                "matching": {"posterior"},
            },
        ),
        (
            "vae-gan",
            {
                "discriminator": {"discriminator"},
                "encoder": {"prior", "posterior"},
                "decoder": {"likelihood"},
            },
        ),
    ],
)
def test_each_phase_moves_its_own_modules_alone(name: str, moved: dict[str, set[str]]) -> None:
    model, phases = built(name)
    parts = dict(model.named_children())
    x = torch.randn(12, 5)
    assert [phase.name for phase in phases] == list(moved)
    for phase in phases:
        own = [p for module in phase.moves for p in module.parameters() if p.requires_grad]
        before = {key: copy.deepcopy(part.state_dict()) for key, part in parts.items()}
        terms = phase.objective(model, x)
        gradients = torch.autograd.grad(terms.loss, own)
        assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
        with torch.no_grad():
            for p, g in zip(own, gradients, strict=True):
                p -= 0.01 * g
        changed = {
            key
            for key, part in parts.items()
            if any(not torch.equal(v, before[key][k]) for k, v in part.state_dict().items())
        }
        assert changed == {key for key in moved[phase.name] if [*parts[key].parameters()]}


def test_no_gradient_of_the_feature_error_reaches_the_discriminator() -> None:
    """The leak of a peer: its discriminator learns features that are all alike. Here the phase that
    moves the discriminator has no feature error in its loss, and those that have it do not move
    the discriminator, though its weights are in their graph."""
    model, phases = built("vae-gan")
    x = torch.randn(12, 5)
    tells = [*model.discriminator.parameters()]
    by_name = {phase.name: phase for phase in phases}
    for name in ("encoder", "decoder"):
        terms = by_name[name].objective(model, x)
        reached = torch.autograd.grad(terms.loss, tells, allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in reached)  # it would, if it moved
        moves = {id(p) for module in by_name[name].moves for p in module.parameters()}
        assert not moves & {id(p) for p in tells}
    torch.manual_seed(5)
    own = by_name["discriminator"].objective(model, x)
    gradients = torch.autograd.grad(own.loss, tells)
    with torch.no_grad():  # features ten times as large on one side change its loss by no error
        torch.manual_seed(5)
        made = model.decode(model.encode(x).mean)
    assert "feature_error" not in own.parts and made is not None
    assert all(g.isfinite().all() for g in gradients)


def test_the_matching_loss_is_that_of_the_critics_logit() -> None:
    model, _ = built("adversarial-autoencoder")
    x = torch.randn(9, 5)
    terms = matched.matching(model, x)
    logit = model.judge_codes(model.encode(x).mean).logit
    torch.testing.assert_close(terms.loss, torch.nn.functional.softplus(-logit).mean())


def two_sample(a: torch.Tensor, b: torch.Tensor, draws: int = 200) -> float:
    """p-value of the permutation test with the kernel's squared mean discrepancy."""
    joined, found = torch.cat([a, b]), float(mmd(a, b))
    above = 0
    for _ in range(draws):
        order = torch.randperm(len(joined))
        above += float(mmd(joined[order[: len(a)]], joined[order[len(a) :]])) >= found
    return (above + 1) / (draws + 1)


def test_the_aggregate_posterior_passes_a_two_sample_test_against_its_prior(tmp_path) -> None:
    """Before training it fails the same test."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 5)) @ rng.normal(size=(5, 5))
    run = lowerbound.train(
        x.astype(np.float32),
        "adversarial-autoencoder",
        out=tmp_path / "run",
        progress=False,
        steps=2500,
        latent_dim=2,
        hidden=(64,),
        critic_hidden=(64, 64),
        learning_rate=1e-3,
        batch_size=256,
        held_out_every=1000,
        compile="no",
        precision="float32",
        threads=1,
        ema=0.995,
    )
    torch.manual_seed(0)
    model, data = run.model, run.data()
    from lowerbound.data import held_out

    codes = model.encode(held_out(data.test, run.spec, 0)[:300]).mean.detach()
    drawn = model.sample_prior(300)
    assert two_sample(codes, drawn) > 0.01
    fresh, _ = built("adversarial-autoencoder", run.spec, latent_dim=2)
    untrained = fresh.encode(held_out(data.test, run.spec, 0)[:300]).mean.detach()
    assert two_sample(untrained, drawn) < 0.01


def test_a_point_has_no_likelihood_and_a_gaussian_has(tmp_path) -> None:
    assert built("adversarial-autoencoder")[0].no_likelihood is not None
    model, _ = built("adversarial-autoencoder", posterior="diagonal")
    assert model.no_likelihood is None
    assert built("vae-gan")[0].no_likelihood is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: built("adversarial-autoencoder", prior="petals", latent_dim=3),
            "prior petals: expected codes of two numbers, came 3",
        ),
        (
            lambda: built("adversarial-autoencoder", prior="vamp"),
            "expected one of which nothing is learned",
        ),
        (
            lambda: built("adversarial-autoencoder", given="labels"),
            "expected data with labels, came vectors",
        ),
        (
            lambda: built(
                "adversarial-autoencoder",
                LABELLED,
                given="labels",
                prior={"name": "petals", "components": 7},
            ),
            "expected components that 3 classes share equally, came 7; pass 6",
        ),
    ],
)
def test_bad_input_is_told_in_a_line(call, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)
