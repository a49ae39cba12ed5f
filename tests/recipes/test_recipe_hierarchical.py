"""The hierarchical recipe: on data of every kind, in training, runs and evaluation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lowerbound as lb
from lowerbound.data.spec import DataSpec, Support
from lowerbound.errors import LowerboundError
from lowerbound.models.hierarchical import HierarchicalVAE
from lowerbound.options import check, describe, options_of
from lowerbound.recipes.hierarchical import RECIPES, hierarchical_vae
from lowerbound.training.phase import Phase
from lowerbound.training.schedules import Clock

Made = tuple[Support, tuple[int, ...], str, int | None, str]
IMAGE, VECTOR = (2, 9, 7), (11,)
CASES: dict[str, tuple[Made, dict[str, Any]]] = {
    "binary image": (("binary", IMAGE, "bernoulli", None, "mlp"), {}),
    "binary image residual": (("binary", IMAGE, "bernoulli", None, "mlp"), {"path": "residual"}),
    "binary image conv": (
        ("binary", IMAGE, "bernoulli", None, "conv"),
        {"network": {"channels": 4}, "layers": (1, 2, 2)},
    ),
    "levels image": (("levels", (3, 8, 8), "discretized-logistic", 17, "mlp"), {}),
    "real vector": (("real", VECTOR, "gaussian", None, "mlp"), {"layers": (4, 3, 2)}),
    "linear": (("real", VECTOR, "gaussian", None, "mlp"), {"hidden": (), "layers": (3, 2)}),
    "tokens": (("categories", VECTOR, "categorical", 5, "mlp"), {}),
}


def make(
    support: Support, shape: tuple[int, ...], likelihood: str, levels: int | None, network: str
) -> tuple[DataSpec, Tensor]:
    """A spec and 64 examples of it."""
    torch.manual_seed(0)
    grey = torch.rand(64, *shape) * 0.8 + 0.1 * torch.rand(shape)
    top = (levels or 2) - 1
    made = {
        "binary": grey.bernoulli(),
        "levels": (grey * top).round() / top,
        "real": 3 * grey - 1,
        "categories": (grey * (top + 1)).long(),
    }
    x = made[support]
    kind = "tokens" if support == "categories" else "image" if len(shape) == 3 else "vector"
    spec = DataSpec(
        "toy",
        kind,
        shape,
        support,
        levels=levels,
        likelihood=likelihood,
        network=network,
        mean=x.float().mean(0).numpy(),
        std=x.float().std(0).numpy(),
    )
    return spec, x


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("inference", ["top-down", "bottom-up"])
@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_it_trains_on_data_of_every_kind(case: str, inference: str, bound: str) -> None:
    made, options = CASES[case]
    spec, x = make(*made)
    given = {"inference": inference, "bound": bound} | options
    model, (phase,) = hierarchical_vae(spec, **check(hierarchical_vae, given))
    assert isinstance(model, HierarchicalVAE) and isinstance(phase, Phase)
    assert model.no_likelihood is None and phase.moves == [model]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(15):
        terms = phase.objective(model, x)
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(float(terms.loss.detach()))
    assert all(map(math.isfinite, losses)) and sum(losses[-4:]) < sum(losses[:4])
    assert all(part.shape == (64,) and part.isfinite().all() for part in terms.parts.values())
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert model.sample(4).shape == (4, *spec.event_shape)


@pytest.mark.parametrize("case", ["binary image", "binary image residual", "binary image conv"])
def test_the_first_bound_is_about_that_of_the_marginals(case: str) -> None:
    made, options = CASES[case]
    spec, x = make(*made)
    model, (phase,) = hierarchical_vae(spec, **options)
    assert isinstance(model, HierarchicalVAE) and isinstance(phase, Phase)
    p = x.mean(0).clamp(1e-3, 1 - 1e-3)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).sum()
    parts = phase.objective(model, x).parts
    assert abs(float(parts["distortion"].mean() - entropy)) < 0.1 * float(entropy)
    assert float(parts["rate"].mean()) < 0.2 * model.latent_shape[0]  # nats per number of a code
    with torch.no_grad():
        mean = model.sample(3000, mean=True).mean(0)
    assert (mean - x.mean(0)).abs().max() < 0.1


def test_defaults_are_the_papers_and_shrink_with_the_data() -> None:
    mnist = DataSpec("mnist", "image", (1, 28, 28), "binary", likelihood="bernoulli")
    model = hierarchical_vae(mnist).model
    assert isinstance(model, HierarchicalVAE)
    assert model.prior.code_shapes == [(100,), (50,)] and model.posterior.down
    small = hierarchical_vae(DataSpec("small", "vector", (6,), "real")).model
    assert isinstance(small, HierarchicalVAE) and small.prior.code_shapes == [(3,), (1,)]
    image = DataSpec("image", "image", (3, 64, 64), "binary", likelihood="bernoulli")
    deep = hierarchical_vae(image, network={"name": "conv", "channels": 2}).model
    assert isinstance(deep, HierarchicalVAE)
    assert deep.prior.code_shapes == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]


def test_the_weight_of_the_rate_may_rise() -> None:
    spec, x = make(*CASES["binary image"][0])
    model, (phase,) = hierarchical_vae(spec, beta=2.0, beta_schedule="warmup", beta_share=0.5)
    assert isinstance(phase, Phase)
    schedule = phase.scheduled["beta"]
    values = [schedule(Clock(0, 0.0, done)) for done in (0.0, 0.25, 0.5, 1.0)]
    assert values == [0.0, 1.0, 2.0, 2.0]
    terms = phase.objective(model, x, beta=torch.tensor(0.0))
    torch.testing.assert_close(terms.loss, terms.parts["distortion"].mean())


def test_it_is_a_recipe_like_the_others() -> None:
    assert {"hierarchical-vae": hierarchical_vae} == RECIPES
    options = options_of(hierarchical_vae)
    assert all(option.text for option in options.values())
    assert options["beta_schedule"].choices == ("constant", "warmup", "cyclical")
    summary, reference = describe(hierarchical_vae)
    assert summary.startswith("Hierarchical VAE") and "1602.02282" in reference


@pytest.mark.parametrize("inference", ["top-down", "bottom-up"])
def test_a_run_of_it_is_as_any_other(inference: str, tmp_path: Path) -> None:
    """Trained, saved, opened, sampled, evaluated: by tools that know nothing of layers."""
    torch.set_num_threads(1)
    quick: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
    quick |= {"tensorboard": "no", "progress": False, "epochs": 12, "batch_size": 64}
    run = lb.train(
        "digits",
        hierarchical_vae,
        out=tmp_path / "run",
        layers=(6, 3),
        hidden=(48,),
        inference=inference,
        free_bits=0.5,
        learning_rate=3e-3,
        **quick,
    )
    found = lb.evaluate(run, samples=16, report=False)
    assert found.log_likelihood is not None and found.bound is not None
    # Uniform over 17 levels is -181.3 nats; the mean of each pixel alone -118.
    assert -112 < found.log_likelihood.value < -60
    assert found.bound.value <= found.log_likelihood.value
    assert found.latent_dim == 9 and found.rate is not None and found.rate > 1
    again = lb.open_run(tmp_path / "run", hierarchical_vae)
    assert np.array_equal(lb.sample(run, 5, seed=1), lb.sample(again, 5, seed=1))
    same = lb.evaluate(again, samples=16, report=False)
    assert same.log_likelihood is not None
    assert same.log_likelihood.value == found.log_likelihood.value
    originals, made = lb.reconstruct(run, 64)
    spread = np.square(originals - originals.mean(0)).mean()
    assert np.square(originals - made).mean() < 0.8 * spread


def test_options_that_do_not_fit_are_refused() -> None:
    spec, _ = make(*CASES["binary image"][0])
    for given, message in [
        ({"bound": "iwae", "beta": 2.0}, "beta: expected 1.0 with bound iwae"),
        ({"bound": "iwae", "free_bits": 0.1}, "free_bits: expected 0.0 with bound iwae"),
        ({"bound": "iwae", "beta_schedule": "warmup"}, "beta_schedule: expected constant"),
        ({"network": "conv", "hidden": (3,)}, "hidden: expected networks without"),
        ({"network": "conv", "path": "codes"}, "path codes: expected networks without"),
        ({"path": "residual", "hidden": ()}, "expected one or more widths for a residual path"),
        ({"network": torch.nn.Linear(2, 2)}, "network: expected mlp or conv"),
        ({"network": {"name": "mlp", "widths": (3,)}}, "network mlp has no option 'widths'"),
    ]:
        with pytest.raises(LowerboundError, match=message):
            hierarchical_vae(spec, **given)  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="layers: expected one or more sizes"):
        hierarchical_vae(spec, layers=())
    for given in ({"layers": (0, 2)}, {"beta": -1.0}, {"free_bits": -0.5}):
        with pytest.raises(LowerboundError, match=f"{next(iter(given))}: expected"):
            hierarchical_vae(spec, **check(hierarchical_vae, given))
    vector = DataSpec("toy", "vector", (12,), "binary", likelihood="bernoulli")
    with pytest.raises(LowerboundError, match="network conv: expected images"):
        hierarchical_vae(vector, network="conv")
