"""What ``auto`` chooses, and that no choice changes what is learned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import Terms
from lowerbound.data import Data, load
from lowerbound.errors import LowerboundError
from lowerbound.networks.lstm import LSTM
from lowerbound.recipes import autoencoder, vae
from lowerbound.training import engine
from lowerbound.training.events import HeldOut, Progress
from lowerbound.training.options import batch_size, refuse_unfit, resolve
from lowerbound.training.phase import Phase

CPU = torch.device("cpu")
PLAIN = nn.Linear(1, 1)
needs_compiler = pytest.mark.skipif(
    engine.can_compile(CPU) is not None, reason=f"{engine.can_compile(CPU)}"
)


def test_an_accelerator_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LowerboundError, match=r"expected a cuda device.*pass --accelerator cpu"):
        engine.pick_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert engine.pick_device("auto") == CPU


@pytest.mark.parametrize(("bf16", "amx"), [(True, False), (False, True), (False, False)])
def test_bfloat16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    chosen, why = engine.pick_precision("auto", CPU)
    assert chosen == ("bfloat16" if bf16 or amx else "float32")
    assert "bfloat16" in why
    assert engine.pick_precision("float32", CPU) == ("float32", "as asked")


@pytest.mark.parametrize(
    ("seconds", "pays", "why"),
    [(50.0, False, "would not pay back in a run of about 50 s"), (3600.0, True, "60 min")],
)
def test_compiling_has_to_pay_back(
    monkeypatch: pytest.MonkeyPatch, seconds: float, pays: bool, why: str
) -> None:
    monkeypatch.setattr(engine, "can_compile", lambda device: None)
    chosen, reason = engine.pick_compile("auto", PLAIN, CPU, lambda: seconds)
    assert chosen is pays
    assert why in reason


def test_compiling_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "can_compile", lambda device: "no C++ compiler was found")
    assert engine.pick_compile("auto", PLAIN, CPU, lambda: 1e9) == (
        False,
        "no C++ compiler was found",
    )
    with pytest.raises(LowerboundError, match="--compile yes, but no C\\+\\+ compiler was found"):
        engine.pick_compile("yes", PLAIN, CPU, lambda: 1e9)


def test_what_the_compiler_would_unroll_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "can_compile", lambda device: None)
    unrolled, whole = nn.Sequential(nn.GRU(2, 3)), nn.Sequential(LSTM(2, 3))
    assert engine.pick_compile("auto", unrolled, CPU, lambda: 1e9) == (
        False, "the compiler would take a GRU apart",
    )  # fmt: skip
    assert engine.pick_compile("yes", unrolled, CPU, lambda: 1e9)[0]
    assert engine.pick_compile("auto", whole, CPU, lambda: 1e9)[0]


def test_what_was_resolved_once_stays(numbers: Any, table: Data, train: Any) -> None:
    from lowerbound.training.fit import fit

    model, phase = numbers
    resolved = {"threads": 1, "precision": "float32", "compile": False, "report_every": 7}
    options = resolve({"steps": 21, "precision": "bfloat16", "compile": "yes", "threads": 2})
    events = list(fit(model, [phase], table, options, resolved=resolved))
    assert {**events[0].resolved, **resolved} == events[0].resolved
    assert [event.step for event in events if isinstance(event, Progress)] == [7, 14, 21]


@pytest.mark.parametrize(
    ("options", "examples", "size"),
    [
        ({}, 1000, 128),
        ({}, 100, 100),
        ({"accumulate": 3}, 1000, 126),
        ({"accumulate": 2, "devices": 4, "batch_size": 17}, 1000, 16),
    ],
)
def test_a_batch_is_shared_equally(options: dict[str, Any], examples: int, size: int) -> None:
    assert batch_size(resolve(options), examples) == size


def test_options_that_the_data_do_not_allow() -> None:
    with pytest.raises(LowerboundError, match="at least 6 examples, one per process and microb"):
        refuse_unfit(resolve({"devices": 2, "accumulate": 3}), 5, None)
    with pytest.raises(LowerboundError, match=r"pass --validation-fraction 0\.1"):
        refuse_unfit(resolve({"patience": 3}), 100, None)
    refuse_unfit(resolve({"patience": 3}), 100, 10)


# What is learned


def weights(model: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@needs_compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing inductor
def test_compiled_steps_that_differ_in_their_objective_alone_are_told_apart(
    numbers: Any, table: Data, train: Any
) -> None:
    """Of two phases of one run, and of two runs in one process."""

    def near(model: Any, x: Tensor) -> Terms:
        square = (x - model.left[0]).square().sum(-1)
        return Terms(square.mean(), {"square": square.detach()})

    def far(model: Any, x: Tensor) -> Terms:
        terms = near(model, x)
        return Terms(7.0 * terms.loss, terms.parts)

    model, _ = numbers
    parts = [Phase(f.__name__, f, [model.left], learning_rate=0.0) for f in (near, far)]
    two = train(model, parts, table, compile="yes", steps=1, batch_size=64)
    one = train(model, parts[1], table, compile="yes", steps=1, batch_size=64)
    found = next(e.values for e in two if isinstance(e, Progress))
    assert found["far/loss"] == pytest.approx(7.0 * found["near/loss"])
    alone = next(e.values for e in one if isinstance(e, Progress))
    assert alone["loss"] == pytest.approx(7.0 * alone["square"])


@needs_compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing inductor
def test_a_compiled_step_is_the_eager_one(train: Any) -> None:
    """Of a model without noise, whose draws a compiled step makes in another way. The arithmetic is
    the same up to its order: 1e-7 apart after 20 steps, measured, of weights up to 1.4."""
    digits = load("digits", limit=128, likelihood="none")
    found = {}
    options = {"steps": 20, "batch_size": 32, "clip": 1.0, "optimizer": "adamw"}
    for compiled in ("no", "yes"):
        torch.manual_seed(0)
        model, phases = autoencoder(digits.spec, latent_dim=4, hidden=())
        events = train(model, phases, digits, compile=compiled, weight_decay=1e-3, **options)
        assert events[0].resolved["compile"] is (compiled == "yes")
        losses = [e.values["loss"] for e in events if isinstance(e, Progress | HeldOut)]
        found[compiled] = weights(model), torch.tensor(losses)
    torch.testing.assert_close(found["yes"][0], found["no"][0], rtol=0, atol=1e-6)
    torch.testing.assert_close(found["yes"][1], found["no"][1], rtol=1e-5, atol=0)


def broken(model: Any, x: Tensor) -> Terms:
    """An objective that no graph can hold."""
    torch._dynamo.graph_break()
    return Terms((model.left[0] - x).square().sum(1).mean() + model.right[0].sum(), {})


def test_what_does_not_compile_is_run_eagerly(
    numbers: Any, table: Data, train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch._dynamo

    monkeypatch.setattr(engine, "can_compile", lambda device: None)
    monkeypatch.setattr(engine, "COMPILE_COSTS", 0.0)  # so that it pays back in any run
    model, _ = numbers
    phase = Phase("broken", broken, [model])
    start = weights(model)
    events = train(model, phase, table, compile="auto", steps=4, learning_rate=0.125)
    resolved = events[0].resolved
    assert resolved["compile"] is False
    assert resolved["why"]["compile"].startswith("it did not compile: ")
    assert events[-1].step == 4
    assert not torch.equal(weights(model), start)
    with pytest.raises(LowerboundError, match="the training step did not compile: "):
        train(model, phase, table, compile="yes", steps=4)


def test_bfloat16_learns_what_float32_does(train: Any) -> None:
    """0.01 nat apart, measured, at a bound of -24.7."""
    digits, bounds = load("digits", binarize="stochastic"), []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        model, phases = vae(digits.spec, latent_dim=8, hidden=(64,))
        options = {"epochs": 15, "batch_size": 64, "learning_rate": 3e-3}
        events = train(model, phases, digits, precision=precision, **options)
        assert all(p.dtype is torch.float32 for p in model.parameters())
        bounds.append([e for e in events if isinstance(e, HeldOut)][-1].values["bound"])
    assert bounds[0] > -26.0  # it has learned
    assert abs(bounds[1] - bounds[0]) < 0.2
