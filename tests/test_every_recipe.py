"""What must hold of every recipe, on every kind of data that it takes.

A recipe that is added is tested without a line here, unless it needs an option, or takes few data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lowerbound as lb
from lowerbound.data import Data, load
from lowerbound.options import options_of
from lowerbound.recipes import RECIPES, Built
from lowerbound.session import _build, _prepared
from lowerbound.training.engine import Processes
from lowerbound.training.events import Progress
from lowerbound.training.noise import seed_noise
from lowerbound.training.options import resolve
from lowerbound.training.phase import ClosedForm, Phase
from lowerbound.training.stepper import Stepper

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}
# Small and fast, where a recipe has the option.
SMALL: dict[str, Any] = {
    "latent_dim": 3,
    "hidden": (16,),
    "components": 3,
}
NEEDS: dict[str, dict[str, Any]] = {
    "capacity-vae": {"gamma": 10.0, "capacity": 5.0},  # held too hard, 200 steps show nothing else
    "completion": {"mask": "pixels"},
    "pixelcnn": {"width": 8, "layers": 2, "given": "labels"},
    "stack-gan": {"text_width": 16, "text_layers": 1, "refiner_channels": 2},
    "state-space-vae": {"belief_width": 8},
    "td-vae": {"belief_width": 8, "jump": "1-3"},
    "transformer": {"width": 16, "layers": 1},
    "two-stage": {"base": "base"},
    "vq-vae-2": {"channels": 16, "blocks": 1},
    "wavenet": {"width": 8, "depth": 3},
}
# Recipes that do not take all kinds; the others take all but tokens.
TAKES: dict[str, tuple[str, ...]] = {
    "dfc-vae": ("grey", "rgb"),
    "image-flow": ("grey", "rgb"),
    "masked-autoencoder": ("grey", "rgb"),
    "masked-tokens": ("tokens",),
    "pixelcnn": ("grey", "rgb"),
    "stack-gan": ("rgb",),
    "state-space-vae": ("sequence",),
    "td-vae": ("sequence",),
    "transformer": ("grey", "rgb", "tokens"),
    "vq-vae-2": ("grey", "rgb"),
    "wavenet": ("grey", "rgb", "tokens"),
}
KINDS = ("vector", "grey", "rgb")
CONDITIONAL = ("cvae", "completion")
CASES = [(name, kind) for name in RECIPES for kind in TAKES.get(name, KINDS)]


def source(kind: str) -> dict[str, Any]:
    """A few examples with labels and attributes that tell something of them."""
    random = np.random.default_rng(3)
    count = 96
    labels = np.arange(count) % 3
    attributes = np.stack([labels / 2.0, random.normal(size=count)], 1).astype(np.float32)
    if kind == "vector":
        mean = np.eye(3, 6)[labels] * 2.0 + attributes[:, 1:]
        values: np.ndarray = mean + 0.3 * random.normal(size=(count, 6))
    elif kind == "sequence":
        values = labels[:, None, None] + 0.3 * random.normal(size=(count, 7, 2)).cumsum(1)
        values[0, 2], values[1, 5:], values[2, 3, 1] = np.nan, np.nan, np.nan
    elif kind == "tokens":
        values = (labels[:, None] + np.arange(8) + random.integers(0, 2, (count, 8))) % 5
    else:
        shape = (count, 8, 8) if kind == "grey" else (count, 8, 8, 3)
        ramp = np.linspace(0, 1, 8)[None, :, None] * (1 + labels)[:, None, None] / 3.0
        grey = 200 * np.clip(ramp + 0.1 * random.normal(size=(count, 8, 8)), 0, 1)
        values = (grey if kind == "grey" else grey[..., None] * [1.0, 0.7, 0.4]).astype(np.uint8)
        assert values.shape == shape
    captions = [[f"a ramp of kind {'abc'[label]}", f"kind {'abc'[label]}"] for label in labels]
    sides = {"labels": labels, "attributes": attributes, "captions": captions}
    return {"train": values, **sides}


def arguments_of(name: str) -> dict[str, Any]:
    known = options_of(RECIPES[name])
    return {k: v for k, v in SMALL.items() if k in known} | NEEDS.get(name, {})


@pytest.fixture(autouse=True)
def somewhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An own folder, in it what the recipe builds on."""
    monkeypatch.chdir(tmp_path)
    asked = request.node.callspec.params
    if "base" in NEEDS.get(asked["name"], {}):
        data = load("digits") if asked.get("kind", "digits") == "digits" else source(asked["kind"])
        options = {**QUICK, **SMALL, "steps": 50}
        options.pop("components")
        lb.train(data, "autoencoder", out="base", progress=False, **options)


def made(name: str, data: Any) -> tuple[Data, Built]:
    """The data as the recipe wants them, and what it builds for them."""
    arguments = arguments_of(name)
    prepared = _prepared(data, RECIPES[name], {}, arguments)
    return prepared, _build(RECIPES[name], prepared, arguments, seed=0)


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradients_are_finite_and_reach_the_phases_parameters_alone(name: str, kind: str) -> None:
    data, built = made(name, source(kind))
    if isinstance(built.phases[0], ClosedForm):
        assert not [p for p in built.model.parameters() if p.requires_grad]
        return
    phases = [phase for phase in built.phases if isinstance(phase, Phase)]
    options = resolve({**QUICK, "steps": 10})
    stepper = Stepper(built.model, phases, data, options, None, Processes())
    reached: set[int] = set()
    for step, numbers in zip(stepper.steps, stepper.scheduled(stepper.clock()), strict=True):
        terms = step._terms(*stepper.first_batch(), numbers)
        found = torch.autograd.grad(terms.loss, step.parameters, allow_unused=True)
        pairs = zip(step.parameters, found, strict=True)
        reached |= {id(parameter) for parameter, gradient in pairs if gradient is not None}
        before = weights(built.model)
        own = {id(p) for p in step.parameters}
        gradients, values = step.gradients(*stepper.first_batch(), numbers)
        assert values.isfinite().all() and all(g.isfinite().all() for g in gradients)
        step.update(gradients, step.optimizer.scalars(1e-3))
        for key, parameter in built.model.named_parameters():
            moved = not torch.equal(parameter.detach(), before[key])
            assert not moved or id(parameter) in own, f"{step.phase.name} moves {key}"
        assert all(p.grad is None for p in built.model.parameters())
    named = built.model.named_parameters()
    assert not [k for k, p in named if p.requires_grad and id(p) not in reached], "left alone"


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_is_saved_is_loaded(name: str, kind: str, tmp_path: Path) -> None:
    """The same bound and the same samples from the folder as from the model that trained."""
    run = lb.train(
        source(kind),
        name,
        out=tmp_path / "run",
        progress=False,
        steps=3,
        **QUICK,
        **arguments_of(name),
    )
    again = lb.open_run(run.path)
    again.give(run.data())
    assert again.model is not run.model
    first, second = (lb.evaluate(r, samples=20, report=False).to_json() for r in (run, again))
    for measured in (first, second):
        measured.pop("settings")
    assert first == second
    if hasattr(run.model, "prior") or hasattr(run.model, "sample"):
        assert np.array_equal(lb.sample(run, 5), lb.sample(again, 5))


@pytest.mark.parametrize("name", [n for n in RECIPES if "grey" in TAKES.get(n, KINDS)])
def test_the_loss_falls_on_digits(name: str) -> None:
    data, built = made(name, load("digits"))
    options = resolve({**QUICK, "steps": 200, "batch_size": 64, "learning_rate": 3e-3})
    told = [
        e.values
        for e in lb.fit(built.model, built.phases, data, options)
        if isinstance(e, Progress)
    ]
    if isinstance(built.phases[0], ClosedForm):
        rising = next(iter(told[0]))
        assert told[-1][rising] >= told[0][rising]
        return
    # A loss with a schedule is not the same at the end as at the beginning.
    key = "bound" if built.phases[0].scheduled else "loss"
    key = key if len(built.phases) == 1 else f"{built.phases[0].name}/{key}"
    told = [values for values in told if key in values]  # a phase may begin later
    sign = -1 if key.endswith("bound") else 1
    assert sign * told[-1][key] < sign * told[0][key]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, in tracing
@pytest.mark.parametrize(("name", "kind"), [c for c in CASES if c[1] in ("grey", "tokens")])
@torch._dynamo.config.patch(trace_autograd_ops=True)
def test_a_traced_step_is_the_eager_one(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same graph without a gap, up to the compiler proper, and the same numbers."""
    data, built = made(name, source(kind))
    phases = [phase for phase in built.phases if isinstance(phase, Phase)]
    if not phases:
        return
    torch._dynamo.reset()
    options = resolve({**QUICK, "steps": 10, "batch_size": 32})
    stepper = Stepper(built.model, phases, data, options, None, Processes())
    numbers, batch = stepper.scheduled(stepper.clock()), stepper.first_batch()
    for step, scheduled in zip(stepper.steps, numbers, strict=True):
        traced = torch.compile(step._gradients, backend="aot_eager", fullgraph=True, dynamic=False)
        seed_noise(stepper.device, 1)
        found, values = traced(*batch, scheduled)
        with monkeypatch.context() as patch:  # which noise is drawn depends on it
            patch.setattr(torch.compiler, "is_compiling", lambda: True)
            seed_noise(stepper.device, 1)
            expected, told = step.gradients(*batch, scheduled)
        torch.testing.assert_close(values, told, rtol=1e-4, atol=1e-4)
        for mine, other in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)
