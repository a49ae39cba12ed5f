"""A phase moves its own modules and no other; steps clip, and average the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lowerbound.bounds import Terms
from lowerbound.errors import LowerboundError
from lowerbound.training.checkpoint import load_tensors
from lowerbound.training.events import HeldOut, Progress
from lowerbound.training.options import resolve
from lowerbound.training.phase import ClosedForm, Phase
from lowerbound.training.state import TrainingState
from lowerbound.training.step import PhaseStep


def leaky(model: Any, x: torch.Tensor) -> Terms:
    """Wants `left` at the data's mean, and pushes `right` away as hard as it can."""
    left = (model.left[0] - x).square().sum(1)
    return Terms(left.mean() - 100.0 * model.right[0].sum(), {"left": left.detach()})


def opposing(model: Any, x: torch.Tensor) -> Terms:
    """Wants `right` at -2, and pushes `left` away."""
    right = (model.right[0] + 2.0).square().sum()
    return Terms(right - 100.0 * model.left[0].sum(), {"right": right.detach().expand(len(x))})


def test_two_phases_each_move_their_own(numbers: Any, table: Any, train: Any) -> None:
    model, _ = numbers
    phases = [Phase("left", leaky, [model.left]), Phase("right", opposing, [model.right])]
    options = {"batch_size": 64, "learning_rate": 0.1, "steps": 400}
    events = train(model, phases, table, **options)
    mean = table.train.all().mean(0)
    torch.testing.assert_close(model.left[0].detach(), mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(model.right[0].detach(), torch.full((3,), -2.0), rtol=0, atol=1e-3)
    told = {name for e in events if isinstance(e, Progress | HeldOut) for name in e.values}
    assert told == {"left/loss", "left/left", "right/loss", "right/right"}
    # Nobody's flags or gradients are left behind.
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_no_gradient_reaches_another_module(numbers: Any, table: Any, train: Any) -> None:
    model, _ = numbers
    train(model, Phase("left", leaky, [model.left]), table, steps=5)
    assert torch.equal(model.right[0].detach(), torch.zeros(3))
    assert not torch.equal(model.left[0].detach(), torch.zeros(3))


def test_a_phase_may_run_in_one_of_so_many_steps(numbers: Any, table: Any, train: Any) -> None:
    """Adam moves each weight by the learning rate while a gradient keeps its sign and size."""
    model, _ = numbers

    def steady(model: Any, x: torch.Tensor) -> Terms:
        return Terms(model.left[0].sum() + model.right[0].sum(), {})

    slow = Phase("slow", steady, [model.right], every=3, learning_rate=0.5)
    phases = [Phase("fast", steady, [model.left]), slow]
    train(model, phases, table, steps=10, learning_rate=0.125, schedule="constant")
    torch.testing.assert_close(model.left[0].detach(), torch.full((3,), -10 * 0.125))
    torch.testing.assert_close(model.right[0].detach(), torch.full((3,), -4 * 0.0625))


def test_scheduled_numbers_arrive_as_tensors(numbers: Any, table: Any, train: Any) -> None:
    model, phase = numbers
    came: list[torch.Tensor] = []

    def objective(model: Any, x: torch.Tensor, target: torch.Tensor) -> Terms:
        came.append(target)
        return phase.objective(model, x, target)

    ramp = Phase("ramp", objective, [model], scheduled={"target": lambda clock: float(clock.step)})
    train(model, ramp, table, steps=6, batch_size=64, held_out_every=100)
    assert all(target.dim() == 0 and target.dtype is torch.float32 for target in came)
    in_training = [float(target) for target in came[-7:-1]]  # then one held-out report
    assert in_training == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("norm", [0.01, 1.0, 1e6])
def test_clipping_is_torchs(numbers: Any, norm: float) -> None:
    model, phase = numbers
    step = PhaseStep(model, phase, nn.Identity(), resolve({"clip": norm}))
    x = torch.randn(16, 3)
    gradients, _ = step.gradients(x, None, (), {})
    updates: list[torch.Tensor] = []
    step.optimizer.update = lambda found, scalars: updates.extend(found)  # ty: ignore[invalid-assignment]
    told = step.update(gradients, step.optimizer.scalars(1.0))
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient.clone()
    whole = torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
    torch.testing.assert_close(told, whole.reshape(1))
    for ours, parameter in zip(updates, model.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad)


@pytest.mark.parametrize("decay", [0.9, 0.999])
def test_averaged_weights_follow_their_recursion(
    numbers: Any, tmp_path: Path, decay: float
) -> None:
    """Of weights t, t = 1, 2, … the average is behind by (t - 1) / 11 at first, then by d / (1 - d)
    and what is left of the beginning, which decays by d."""
    model, phase = numbers
    state = TrainingState(model, [PhaseStep(model, phase, nn.Identity(), resolve({}))], ema=decay)
    last, turn = 150, 91  # where 10 / (9 + t) falls to 1 - d = 0.1
    for step in range(last):
        with torch.no_grad():
            model.left[0].fill_(step + 1.0)
        state.step = step
        state.average()
    behind = (last - 1) / 11
    if decay == 0.9:
        behind = 9.0 + 0.9 ** (last - turn) * ((turn - 1) / 11 - 9.0)
    average = torch.full((3,), last - behind)
    with state.shipped_weights():
        torch.testing.assert_close(model.left[0].detach(), average)
    torch.testing.assert_close(model.left[0].detach(), torch.full((3,), 150.0))  # back again
    state.save_weights(tmp_path)
    shipped, about = load_tensors(tmp_path / "weights.safetensors")
    torch.testing.assert_close(shipped["left.0"], average)
    assert about["averaged"] is True


def test_accumulated_gradients_are_those_of_the_whole_batch(
    numbers: Any, table: Any, train: Any
) -> None:
    model, phase = numbers
    weights = []
    for accumulate in (1, 4):
        with torch.no_grad():
            model.left[0].zero_()
        options = {"steps": 7, "batch_size": 32, "learning_rate": 0.1, "clip": 1.0}
        train(model, phase, table, accumulate=accumulate, **options)
        weights.append(model.left[0].detach().clone())
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        (lambda m: [Phase("a", leaky, [nn.ReLU()])], "'a' moves no parameter"),
        (lambda m: [Phase("a", leaky, [m.left]), Phase("a", leaky, [m.right])], "'a' twice"),
        (lambda m: [Phase("a", leaky, [nn.Linear(1, 1)])], "make its modules parts of the model"),
        (lambda m: [Phase("a", leaky, [m]), ClosedForm("b", lambda *_: {})], "closed form alone"),
        (lambda m: [], "expected phases"),
    ],
)
def test_phases_that_cannot_be(
    numbers: Any, table: Any, train: Any, phases: Any, message: str
) -> None:
    model, _ = numbers
    with pytest.raises(LowerboundError, match=message):
        train(model, phases(model), table, steps=1)
