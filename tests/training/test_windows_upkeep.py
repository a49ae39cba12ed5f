"""Phases that run in a part of the run, parameters that average, and upkeep between updates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import Terms
from lowerbound.errors import LowerboundError
from lowerbound.training.checkpoint import load_tensors
from lowerbound.training.engine import Processes, can_compile
from lowerbound.training.events import HeldOut, Progress
from lowerbound.training.options import resolve
from lowerbound.training.phase import Phase
from lowerbound.training.schedules import Clock, learning_rate
from lowerbound.training.state import CHECKPOINT
from lowerbound.training.step import PhaseStep
from lowerbound.training.stepper import Stepper

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}


class Tracked(nn.Module):
    """A running mean of x, a weight that follows the running mean, and one that comes later."""

    event_shape = (3,)

    def __init__(self) -> None:
        super().__init__()
        self.early = nn.ParameterList([torch.zeros(3)])
        self.late = nn.ParameterList([torch.zeros(3)])
        self.average = Average()
        self.register_buffer("calls", torch.zeros(()))


class Average(nn.Module):
    """The running mean."""

    averages: ClassVar[dict[str, float]] = {"mean": 0.75}

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(3))


def statistic(parameter: Tensor, value: Tensor) -> Tensor:
    """Zero, with the value for a gradient."""
    surrogate = (parameter * value.detach()).sum()
    return surrogate - surrogate.detach()


def first(model: Any, x: Tensor) -> Terms:
    gap = (model.early[0] - model.average.mean.detach()).square().sum() - x.sum() * 1e-3
    loss = gap + statistic(model.average.mean, x.mean(0))
    return Terms(loss, {"gap": gap.detach().expand(len(x))})


def second(model: Any, x: Tensor) -> Terms:
    away = (model.late[0] - model.early[0].detach() - x).square().sum(1)
    return Terms(away.mean(), {"away": away.detach()})


def moved(model: Any, x: Tensor, *, step: int) -> None:
    """Upkeep with noise: it moves a weight and counts itself."""
    assert not torch.is_grad_enabled()
    model.early[0].add_(0.1 * torch.randn(3) + 0.01 * x.mean(0))
    model.calls.add_(1 + step)


def two(model: Any) -> list[Phase]:
    early = [model.early, model.average]
    return [
        Phase("first", first, early, window=(0.0, 0.5), upkeep=(3, moved)),
        Phase("second", second, [model.late], window=(0.5, 1.0)),
    ]


def test_phases_run_in_their_windows(table: Any, train: Any) -> None:
    model = Tracked()
    called: list[str] = []

    def told(name: str) -> Any:
        def call(model: Any, x: Tensor, *, step: int) -> None:
            called.append(f"{name}{step}")

        return call

    phases = two(model)
    phases[0].upkeep, phases[1].upkeep = (2, told("first ")), (2, told("second "))
    options = {"steps": 10, "batch_size": 32, "learning_rate": 0.1}
    events = train(model, phases, table, **options)
    # The tries before the run are taken back, and not counted here.
    assert called[-6:] == ["first 0", "first 2", "first 4", "second 0", "second 2", "second 4"]
    trained = [e.values for e in events if isinstance(e, Progress)]
    assert [{n.partition("/")[0] for n in values} for values in trained] == [{"first"}] * 5 + [
        {"second"}
    ] * 5
    looks = [(e.step, set(e.values)) for e in events if isinstance(e, HeldOut)]
    assert looks
    for step, names in looks:
        here = {"first/loss", "first/gap"} if step < 5 else {"second/loss", "second/away"}
        assert names == here


def test_a_window_is_a_run_of_its_own() -> None:
    """Learning rate, warm-up and schedules, step for step those of a run of half the length."""
    rate = learning_rate(resolve({"warmup": 3, "learning_rate": 0.5, "schedule": "cosine"}))
    for step in range(20):
        whole = Clock(step, step / 4, step / 20)
        if step < 10:
            assert rate(whole.within((0.0, 0.5))) == pytest.approx(rate(Clock(step, 0, step / 10)))
        else:
            part = whole.within((0.5, 1.0))
            assert part.step == step - 10 and part.epoch == pytest.approx((step - 10) / 4)
            assert rate(part) == pytest.approx(rate(Clock(step - 10, 0, (step - 10) / 10)))
        assert whole.within((0.0, 1.0)) is whole


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_resumed_at_any_step(
    table: Any, train: Any, tmp_path: Path, ema: float, accumulate: int
) -> None:
    """Broken off without notice at every step: at the window's border, at upkeep, between."""
    options = {"steps": 13, "batch_size": 32, "learning_rate": 0.1, "ema": ema}
    options |= {"checkpoint_minutes": 0, "held_out_every": 0.5, "accumulate": accumulate}
    whole, model = tmp_path / "whole", Tracked()
    whole.mkdir()
    train(model, two(model), table, whole, **options)
    expected, about = load_tensors(whole / CHECKPOINT)
    assert about["updates"] == {"first": 7, "second": 6}
    assert float(expected["model.calls"]) == 3 + 0 + 3 + 6

    class Killed(BaseException):
        pass

    for last in range(1, 14):
        folder, reports = tmp_path / f"killed {last}", 0

        def stop(last: int = last) -> bool:
            nonlocal reports
            reports += 1
            if reports == last:
                raise Killed
            return False

        folder.mkdir()
        model = Tracked()
        with pytest.raises(Killed):
            train(model, two(model), table, folder, stop=stop, **options)
        again = Tracked()
        train(again, two(again), table, folder, **options)
        found, _ = load_tensors(folder / CHECKPOINT)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected), last


def test_averages_follow_their_recursion_whatever_the_microbatches(table: Any, train: Any) -> None:
    """p <- 0.75 p + 0.25 mean of the batch, one batch an epoch: the data's mean; and clipping,
    weight decay and learning rate leave it alone."""
    mean = table.train.all().mean(0)
    for accumulate in (1, 4):
        model = Tracked()
        options: dict[str, Any] = {"steps": 5, "batch_size": 64, "learning_rate": 0.3, "clip": 1e-3}
        options |= {"weight_decay": 0.5, "optimizer": "adamw", "accumulate": accumulate}
        train(model, Phase("first", first, [model.early, model.average]), table, **options)
        torch.testing.assert_close(
            model.average.mean.detach(), mean * (1 - 0.75**5), rtol=0, atol=1e-6
        )


def test_upkeep_sees_the_whole_batch(table: Any, train: Any) -> None:
    """All microbatches together, as one step would."""
    seen: list[Tensor] = []

    def look(model: Any, x: Tensor, *, step: int) -> None:
        seen.append(x)

    for accumulate in (1, 4):
        model = Tracked()
        phase = Phase("first", first, [model.early, model.average], upkeep=(100, look))
        train(model, phase, table, steps=1, batch_size=32, accumulate=accumulate)
    ones, fours = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    torch.testing.assert_close(ones[-1], fours[-1], rtol=0, atol=0)
    assert ones[-1].shape == (32, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, in tracing
@pytest.mark.parametrize("compiled", ["aot_eager", "inductor"])
@torch._dynamo.config.patch(trace_autograd_ops=True)
def test_compiled_is_eager(table: Any, compiled: str) -> None:
    if compiled == "inductor" and (trouble := can_compile(torch.device("cpu"))):
        pytest.skip(trouble)
    found = []
    for backend in (None, str(compiled)):
        torch._dynamo.reset()
        torch.manual_seed(0)
        model = Tracked()
        options = resolve({**QUICK, "steps": 8, "batch_size": 32, "learning_rate": 0.1})
        stepper = Stepper(model, two(model), table, options, None, Processes())
        if backend is not None:
            for step in stepper.steps:
                step.whole = torch.compile(step._whole, backend=backend, fullgraph=True)
        for _ in range(8):
            stepper.advance()
            stepper.state.step += 1
        found.append([p.detach().clone() for p in (*model.parameters(), *model.buffers())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_all_phases_are_tried_by_the_compiler(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that begins at half of the run must not fail there; and a try leaves no trace."""
    model = Tracked()
    options = resolve({**QUICK, "steps": 8, "batch_size": 32})
    stepper = Stepper(model, two(model), table, options, None, Processes())
    tried: list[str] = []

    def whole(step: PhaseStep, *arguments: Any) -> Tensor:
        tried.append(step.phase.name)
        return step._whole(*arguments)

    for step in stepper.steps:
        monkeypatch.setattr(step, "compile", lambda apart: None)
        monkeypatch.setattr(step, "whole", partial(whole, step))
    assert stepper.compile() is None
    assert tried == ["first", "second"]
    assert not any(bool(p.any()) for p in (*model.parameters(), *model.buffers()))


def test_early_stopping_waits_for_all_phases(table: Any, train: Any) -> None:
    """While a phase is still to come nothing is decided, however bad the first one's score."""
    model = Tracked()
    options = {"steps": 40, "batch_size": 32, "patience": 2, "held_out_every": 1.0}
    events = train(model, two(model), table, learning_rate=1e-3, **options)
    looks = [e for e in events if isinstance(e, HeldOut)]
    assert all(look.best for look in looks if look.step < 20)
    assert looks[-1].step > 20


def test_shipped_weights_of_a_phase_that_is_over(table: Any, train: Any, tmp_path: Path) -> None:
    """The second phase builds on the averaged weights of the first, which the run then ships."""
    model = Tracked()
    train(model, two(model), table, tmp_path, steps=20, batch_size=32, ema=0.5, learning_rate=0.1)
    state, _ = load_tensors(tmp_path / CHECKPOINT)
    shipped, _ = load_tensors(tmp_path / "weights.safetensors")
    assert torch.equal(state["model.early.0"], shipped["early.0"])
    assert not torch.equal(state["model.late.0"], shipped["late.0"])


@pytest.mark.parametrize("window", [(0.5, 0.5), (-0.1, 1.0), (0.0, 1.5)])
def test_windows_that_cannot_be(window: tuple[float, float]) -> None:
    with pytest.raises(LowerboundError, match=r"'a': expected a window \(begin, end\)"):
        Phase("a", first, [], window=window)
    with pytest.raises(LowerboundError, match="upkeep every 1 or more"):
        Phase("a", first, [], upkeep=(0, moved))


def test_windows_leave_no_gap(table: Any, train: Any) -> None:
    model = Tracked()
    phases = two(model)
    phases[1].window = (0.6, 1.0)
    with pytest.raises(LowerboundError, match=r"cover the run, came none at 0\.5 of it"):
        train(model, phases, table, steps=1)
