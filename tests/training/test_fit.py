"""How long a run lasts, what stops it, and that its noise is its seed's and its step's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound
from lowerbound.bounds import Terms
from lowerbound.data import load
from lowerbound.errors import LowerboundError
from lowerbound.recipes import vae
from lowerbound.training.checkpoint import load_tensors
from lowerbound.training.events import Checkpointed, Finished, HeldOut, Progress, Started
from lowerbound.training.options import resolve, total_steps
from lowerbound.training.phase import Phase


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


# How long


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"steps": 7}, 7),
        ({"epochs": 2.5}, 10),
        ({"epochs": 0.01}, 1),
        ({"epochs": 2, "steps": 100}, 8),
        ({"epochs": 100, "steps": 9}, 9),
        ({"epochs": 3, "batch_size": 48}, 4),
        ({"epochs": 2, "batch_size": 1000}, 2),
    ],
)
def test_steps_and_epochs_are_exact(
    numbers: Any, table: Any, train: Any, options: dict[str, Any], steps: int
) -> None:
    *_, finished = train(*numbers, table, **{"batch_size": 16, **options})
    assert (finished.step, finished.reason) == (steps, "done")


def test_the_default_is_twenty_epochs_and_a_thousand_steps(
    numbers: Any, table: Any, train: Any
) -> None:
    assert train(*numbers, table, batch_size=32)[-1].step == 1000  # 500 epochs of 64 examples
    assert total_steps(resolve({}), 60_000 / 128) == 9375


def test_minutes_end_on_time(numbers: Any, table: Any, train: Any) -> None:
    events = train(*numbers, table, minutes=0.01, learning_rate=0.1)
    finished = events[-1]
    # Looked at about twice a second, and this machine may be busy.
    assert 0.6 <= finished.seconds < 2.5
    assert finished.reason == "done"
    assert events[0].total_steps is None
    # The schedule follows the clock: at its end the learning rate is next to nothing.
    rates = [event.learning_rate for event in events if isinstance(event, Progress)]
    assert rates[-1] < 0.5 * rates[0]


def test_reports_come_in_order_and_add_up(numbers: Any, table: Any, train: Any) -> None:
    events = train(*numbers, table, batch_size=16, epochs=3, held_out_every=0.5)
    assert isinstance(events[0], Started)
    assert (events[0].step, events[0].total_steps, events[0].steps_per_epoch) == (0, 12, 4.0)
    assert isinstance(events[-1], Finished)
    looks = [event for event in events if isinstance(event, HeldOut)]
    assert [event.step for event in looks] == [2, 4, 6, 8, 10, 12]
    assert {(event.split, event.examples) for event in looks} == {("validation", 16)}
    reports = [event for event in events if isinstance(event, Progress)]
    assert reports[-1].step == 12
    assert reports[-1].epoch == pytest.approx(3.0)
    assert reports[-1].remaining == 0.0


def test_held_out_means_are_those_of_the_objective(numbers: Any, table: Any, train: Any) -> None:
    model, phase = numbers
    events = train(model, phase, table, steps=3)
    look = [event for event in events if isinstance(event, HeldOut)][-1]
    terms = phase.objective(model, table.validation.all())
    assert look.values["left"] == pytest.approx(float(terms.parts["left"].mean()), rel=1e-5)


# Noise and order


def trained(train: Any, digits: Any, **options: Any) -> torch.Tensor:
    torch.manual_seed(1)
    model, phases = vae(digits.spec, latent_dim=2, hidden=(8,))
    train(model, phases, digits, **{"steps": 6, "batch_size": 32, **options})
    return weights(model)


def test_a_seed_is_a_run(train: Any) -> None:
    digits = load("digits", limit=128, binarize="stochastic")
    first = trained(train, digits, seed=3)
    torch.rand(17)  # the caller's generator has no say
    assert torch.equal(trained(train, digits, seed=3), first)
    assert not torch.equal(trained(train, digits, seed=4), first)


def test_what_is_reported_has_no_say_in_the_noise(train: Any, digits: Any, tmp_path: Path) -> None:
    often = {"held_out_every": 0.25, "checkpoint_minutes": 0}
    assert torch.equal(trained(train, digits, **often), trained(train, digits))
    assert torch.equal(trained(train, digits, folder=tmp_path), trained(train, digits))


def test_each_step_has_data_and_noise_of_its_own(numbers: Any, table: Any, train: Any) -> None:
    model, phase = numbers
    seen: list[tuple[torch.Tensor, float]] = []

    def objective(model: Any, x: torch.Tensor) -> Terms:
        seen.append((x.clone(), float(torch.rand(()))))
        return phase.objective(model, x)

    def batches(seed: int) -> list[tuple[torch.Tensor, float]]:
        seen.clear()
        phases = Phase("seen", objective, [model])
        train(model, phases, table, steps=8, batch_size=16, seed=seed, held_out_every=100)
        return seen[-9:-1]  # without the tries before and the look after

    first, again, other = batches(0), batches(0), batches(1)
    assert len({noise for _, noise in first}) == 8
    assert [noise for _, noise in first] == [noise for _, noise in again]
    assert not {noise for _, noise in first} & {noise for _, noise in other}
    for epoch in (first[:4], first[4:]):  # every example once an epoch
        rows = torch.cat([x for x, _ in epoch])
        assert torch.equal(rows.sort(0).values, table.train.all().sort(0).values)
    assert not torch.equal(first[0][0], first[4][0])
    assert not torch.equal(first[0][0], other[0][0])


# Data that stay on the disk


def test_streamed_data_train_as_resident_ones_do(train: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 17, (200, 6, 6)).astype(np.uint8)
    np.save(tmp_path / "grey.npy", values)
    found = []
    for memory in (None, 1):
        data = load(tmp_path / "grey.npy", memory=memory, binarize="stochastic")
        events: list[Any] = []
        torch.manual_seed(0)
        model, phases = vae(data.spec, latent_dim=2, hidden=(8,))
        events = train(model, phases, data, steps=12, batch_size=24, accumulate=2)
        assert events[0].resolved["resident"] is (memory is None)
        found.append(weights(model))
    assert torch.equal(*found)


# What is not finite


def poisoned(phase: Phase, step: int, *, loss: bool = True, every: int = 1) -> Phase:
    """The phase with a loss, or only a gradient, that is no number at one step (from 0)."""

    def objective(model: Any, x: torch.Tensor, poison: torch.Tensor) -> Terms:
        terms = phase.objective(model, x)
        if not float(poison):
            return terms
        left = model.left[0].sum()
        bad = torch.tensor(float("nan")) * left if loss else (0.0 * left).sqrt()
        return terms._replace(loss=terms.loss + bad)

    at = {"poison": lambda clock: float(clock.step == step)}
    return Phase("sour", objective, phase.moves, every=every, scheduled=at)


def finite(folder: Path) -> bool:
    tensors, _ = load_tensors(folder / "checkpoint.safetensors")
    return all(bool(tensor.isfinite().all()) for tensor in tensors.values())


# Steps are 4 to an epoch, and checkpoints at each: number 4, 8, …
OFTEN = {"batch_size": 16, "steps": 40, "checkpoint_minutes": 0}


@pytest.mark.parametrize(("step", "saved"), [(6, 4), (7, 4), (8, 8), (17, 16)])
def test_a_loss_that_is_not_finite_stops_the_run(
    numbers: Any, table: Any, train: Any, tmp_path: Path, step: int, saved: int
) -> None:
    model, phase = numbers
    with pytest.raises(LowerboundError) as caught:
        train(model, poisoned(phase, step), table, folder=tmp_path, **OFTEN)
    text = str(caught.value)
    assert f"the loss of phase 'sour' is not finite at step {step + 1};" in text
    assert f"the last good checkpoint in {tmp_path} is of step {saved};" in text
    assert "\n" not in text
    assert finite(tmp_path)


def test_the_step_is_named_of_a_phase_that_runs_now_and_then(
    numbers: Any, table: Any, train: Any
) -> None:
    model, phase = numbers
    phases = [Phase("fine", phase.objective, [model.right]), poisoned(phase, 9, every=3)]
    with pytest.raises(LowerboundError, match=r"phase 'sour' is not finite at step 10; there is"):
        train(model, phases, table, **OFTEN)


def test_a_gradient_that_is_not_finite_is_never_saved(
    numbers: Any, table: Any, train: Any, tmp_path: Path
) -> None:
    """The loss of step 8 is finite, its gradient is not, and a checkpoint is due."""
    model, phase = numbers
    with pytest.raises(LowerboundError, match="the gradient of phase 'sour' is not finite at st"):
        train(model, poisoned(phase, 7, loss=False), table, folder=tmp_path, **OFTEN)
    assert finite(tmp_path)
    assert load_tensors(tmp_path / "checkpoint.safetensors")[1]["step"] == 4


# Early stopping


def passing_by(model: Any, x: torch.Tensor, pull: torch.Tensor) -> Terms:
    """Pulls `left` along a line; the bound is best where it passes 1."""
    left = model.left[0]
    bound = -(left - 1.0).square().sum().detach().expand(len(x))
    return Terms(((left - pull) ** 2).sum() + 0.0 * model.right[0].sum(), {"bound": bound})


def test_early_stopping_keeps_the_best_weights(
    numbers: Any, table: Any, train: Any, tmp_path: Path
) -> None:
    model, _ = numbers
    pull = {"pull": lambda clock: 1000.0}
    phase = Phase("by", passing_by, [model], scheduled=pull)
    options = {"learning_rate": 0.03, "schedule": "constant", "epochs": 100, "batch_size": 16}
    events = train(model, phase, table, folder=tmp_path, patience=3, **options)
    looks = [event for event in events if isinstance(event, HeldOut)]
    best = max(looks, key=lambda event: event.values["bound"])
    assert events[-1].reason == "early stopping"
    assert best.best
    assert len(looks) - 1 - looks.index(best) == 3
    shipped, about = load_tensors(tmp_path / "weights.safetensors")
    assert about["step"] == best.step
    bound = -float((shipped["left.0"] - 1.0).square().sum())
    assert bound == pytest.approx(best.values["bound"], rel=1e-5)
    assert not torch.equal(shipped["left.0"], model.left[0].detach())
    # Gone on with, there is nothing left to do, and nothing changes.
    again = train(model, phase, table, folder=tmp_path, patience=3, **options)
    assert (again[-1].reason, again[-1].step) == ("early stopping", events[-1].step)
    assert torch.equal(
        load_tensors(tmp_path / "weights.safetensors")[0]["left.0"], shipped["left.0"]
    )


def test_early_stopping_needs_validation(numbers: Any, train: Any) -> None:
    data = load(np.random.default_rng(0).normal(size=(40, 3)))
    with pytest.raises(LowerboundError, match=r"pass --validation-fraction 0\.1"):
        train(*numbers, data, patience=3)


# Stopping and going on


def test_stopping_saves_and_going_on_is_exact(
    numbers: Any, table: Any, train: Any, tmp_path: Path
) -> None:
    model, phase = numbers
    options = {"batch_size": 16, "steps": 30, "learning_rate": 0.1, "ema": 0.9}
    whole = train(model, phase, table, **options)
    expected, looks = weights(model), 0
    assert whole[-1].step == 30

    def stop() -> bool:
        nonlocal looks
        looks += 1
        return looks == 5

    with torch.no_grad():
        model.left[0].zero_()
    (tmp_path / "parts").mkdir()
    first = train(model, phase, table, folder=tmp_path / "parts", stop=stop, **options)
    assert first[-1].reason == "interrupted"
    assert 0 < first[-1].step < 30
    assert isinstance(first[-2], Checkpointed)
    with torch.no_grad():
        model.left[0].fill_(9.0)  # the state comes from the checkpoint alone
    second = train(model, phase, table, folder=tmp_path / "parts", **options)
    assert second[0].step == first[-1].step
    assert torch.equal(weights(model), expected)


def test_a_batch_has_an_example_for_each_microbatch(numbers: Any, table: Any, train: Any) -> None:
    with pytest.raises(LowerboundError, match="a batch of at least 8 examples"):
        train(*numbers, table, batch_size=4, accumulate=8)
    assert (
        train(*numbers, table, batch_size=17, accumulate=8, steps=1)[0].resolved["batch_size"] == 16
    )


def test_fit_is_public() -> None:
    assert lowerbound.fit.__module__ == "lowerbound.training.fit"
