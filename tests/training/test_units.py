"""What a run reports of sequences of several lengths is of the numbers that are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound import console
from lowerbound.bounds import Terms
from lowerbound.data import load
from lowerbound.recipes.sequences import state_space_vae, td_vae
from lowerbound.training.events import HeldOut, Progress, Started
from lowerbound.training.phase import Phase
from lowerbound.training.units import known_log_jacobian


class Normal(nn.Module):
    """x is standard normal; what moves changes nothing."""

    event_shape = (12, 2)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))


def log_density(model: Normal, x: Tensor) -> Terms:
    log_p = -0.5 * x.square() - 0.5 * math.log(2.0 * math.pi)
    bound = torch.where(x.isnan(), 0.0, log_p).flatten(1).sum(1)
    return Terms(model.weight.square() - bound.mean(), {"bound": bound.detach()})


def lengthwise(seed: int = 0, gaps: bool = True) -> np.ndarray:
    """60 sequences of 4 to 12 steps of two numbers, in units of 400 and of 4."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(60, 12, 2)) * [400.0, 4.0] + [101325.0, 20.0]
    if gaps:
        x[np.arange(12) >= generator.integers(4, 13, size=60)[:, None]] = np.nan
        x[::7, 1, 0] = np.nan
    return x


def test_a_likelihood_is_of_the_stored_values_that_are_known(train: Any) -> None:
    """Before, each sequence cost the units of its 12 steps, whether it had them or not."""
    x = lengthwise()
    data = load({"train": x[:40], "test": x[40:]}, kind="sequence")
    spec = data.spec
    scale, shift = np.asarray(spec.scale), np.asarray(spec.shift)
    model = Normal()
    events = train(model, Phase("density", log_density, [model]), data, steps=5, batch_size=40)
    each = -0.5 * ((x - shift) / scale) ** 2 - np.log(scale) - 0.5 * math.log(2.0 * math.pi)
    expected = np.nansum(each, (1, 2))
    (held_out,) = [event for event in events if isinstance(event, HeldOut)][-1:]
    assert held_out.values["bound"] == pytest.approx(expected[40:].mean(), rel=1e-5)
    (progress,) = [event for event in events if isinstance(event, Progress)][-1:]
    assert progress.values["bound"] == pytest.approx(expected[:40].mean(), rel=1e-5)
    # What it was: larger by the units of what is missing, six nats and more a step.
    missing = np.isnan(x[40:]).sum((0, 1)) @ np.log(scale) / 20
    assert missing > 20


def test_without_gaps_it_is_the_specs_own() -> None:
    x = lengthwise(gaps=False)
    data = load({"train": x[:40], "test": x[40:]}, kind="sequence")
    assert known_log_jacobian(data.spec, data.train) == data.spec.log_jacobian != 0.0
    table = load(lengthwise(gaps=False)[:, 0])
    assert known_log_jacobian(table.spec, table.train) == table.spec.log_jacobian


def test_the_bound_of_jumps_is_not_called_the_elbo(train: Any) -> None:
    """td-vae bounds predictions over jumps, evaluate log p of whole sequences."""
    x = lengthwise()
    data = load({"train": x[:40], "test": x[40:]}, kind="sequence")
    small = {"latent_dim": 2, "hidden": (4,), "belief_width": 4}
    told = {}
    for name, recipe, options in (("td", td_vae, {"jump": "1-3"}), ("ss", state_space_vae, {})):
        built = recipe(data.spec, **small, **options)
        events = train(built.model, built.phases, data, steps=2)
        (started,) = [event for event in events if isinstance(event, Started)]
        held_out = next(event for event in events if isinstance(event, HeldOut))
        told[name] = console.held_out_line(held_out, started.phases[0])
    assert told["td"].startswith("held out (test): bound over jumps −")
    assert told["ss"].startswith("held out (test): ELBO −")
