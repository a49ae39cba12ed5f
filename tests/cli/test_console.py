"""What a person sees while a model trains."""

from __future__ import annotations

import io
from typing import Any

import pytest

from lowerbound import console
from lowerbound.evaluation import Bound, Evaluation, Likelihood
from lowerbound.training.events import Checkpointed, Finished, HeldOut, Progress, Started


def progress(step: int, **values: float) -> Progress:
    return Progress(step, step / 50, step / 10, (100 - step) / 10, 5123.4, 1e-3, values)


RESULT = Evaluation(
    model="vae",
    data={"name": "digits", "split": "test", "examples": 100, "of": 359, "event_shape": [1, 8, 8]},
    log_likelihood=Likelihood(
        -38.12, "estimate", "importance-weighted, k = 500", 500, 41.0, 0.35, 0.8593, 2.0, 9.0
    ),
    no_likelihood=None,
    bound=Bound(-40.5, 0.4),
    rate=12.25,
    distortion=28.25,
    active_units=None,
    latent_dim=4,
    kl_per_dimension=None,
    squared_error=None,
    baseline_bits_per_dim=None,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(console, "time", found)
    monkeypatch.setenv("COLUMNS", "200")
    return found


def test_without_a_terminal_a_line_each_tenth_or_ten_seconds(clock: Clock, capsys: Any) -> None:
    with console.Follow() as follow:
        follow(Started(0, 100, 50.0, {"precision": "bfloat16: native here"}))
        for step in range(1, 101):
            clock.now = step * 0.5
            follow(progress(step, loss=90.0, bound=-90.0 - step))
        follow(HeldOut(100, 2.0, 50.0, "test", 360, {"bound": -91.5}, best=True))
        follow(Checkpointed(100))
        follow(Finished(100, "done", 50.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    first, *lines, last = shown.err.splitlines()
    assert first.split() == ["precision", "bfloat16:", "native", "here"]
    assert len(lines) == 10
    assert lines[0] == ("step 10/100  epoch 0.2  5,123 examples/s  9 s left  ELBO −100.00 nats")
    assert last == "done at step 100 after 50 s  held out (test): ELBO −91.50 nats"


def test_each_choice_has_its_line_and_its_reason(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "40")  # lines are not broken
    why = {"precision": "the processor multiplies bfloat16 natively", "batch_size": "a tenth"}
    with console.Follow() as follow:
        follow(Started(0, 10, 5.0, {"precision": "bfloat16", "compile": False, "threads": 2}))
        follow(Started(0, 10, 5.0, {"batch_size": 36, "compile": True, "why": why}))
        follow(Started(0, 10, 5.0, {"precision": "bfloat16", "why": why}))
    assert capsys.readouterr().err.splitlines() == [
        "  precision     bfloat16",
        "  compile       no",
        "  threads       2",
        "  batch size    36 - a tenth",
        "  compile       yes",
        "  precision     bfloat16 - the processor multiplies bfloat16 natively",
    ]


def test_notes_stand_under_the_table(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    console.evaluation(RESULT)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert lines[0] == "vae on digits: mean over 100 of 359 test examples of 1 x 8 x 8"
    table, notes = lines[1:8], lines[8:]
    assert [line.split()[0] for line in table] == (
        ["quantity", "−log", "−log", "effective", "−bound", "distortion", "rate"]
    )
    assert "38.12 ± 0.35   nats       estimate" in table[1]
    assert not any("k = 500" in line for line in table)
    assert notes[0].split() == ["−log", "p(x)", "importance-weighted,", "k", "=", "500"]
    assert notes[1].startswith("  effective sample size")
    assert all(len(line) <= 72 for line in lines)


def test_a_quick_run_says_little(clock: Clock, capsys: Any) -> None:
    with console.Follow() as follow:
        follow(Started(0, 100, 50.0, {}))
        for step in range(1, 101):
            clock.now = step * 0.009
            follow(progress(step, loss=1.0))
    assert capsys.readouterr().err == ""


def test_a_slow_run_speaks_every_ten_seconds(clock: Clock, capsys: Any) -> None:
    with console.Follow() as follow:
        follow(Started(0, None, 50.0, {}))
        for second in range(1, 61):
            clock.now = float(second)
            follow(Progress(second, 0.1, second, 6000.0, 10.0, 1e-3, {"squared_error": 4.0}))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert "squared error 4.00" in lines[0]
    assert "nats" not in lines[0]


def test_a_terminal_gets_a_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        console,
        "err",
        lambda: console.Console(file=terminal, force_terminal=True, width=120, highlight=False),
    )
    with console.Follow() as follow:
        follow(Started(0, 100, 50.0, {}))
        follow(HeldOut(25, 0.5, 1.0, "validation", 360, {"iwae": -84.5, "bound": -86.0}, True))
        follow(progress(50, loss=88.0, iwae=-85.0, bound=-87.0, rate=20.0, distortion=67.0))
        follow(Finished(100, "interrupted", 75.0))
    text = terminal.getvalue()
    assert "step 50/100" in text
    assert "IWAE bound −85.00 nats  rate 20.00 nats  distortion 67.00 nats" in text
    assert "held out (validation): IWAE bound −84.50 nats" in text
    assert "interrupted at step 100 after 1:15" in text
    assert follow.finished is not None and follow.finished.reason == "interrupted"


def test_the_bar_ends_when_training_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(console, "err", lambda: console.Console(file=terminal, force_terminal=True))
    follow = console.Follow()
    with pytest.raises(ValueError, match="a bug"), follow:
        follow(Started(0, 100, 50.0, {}))
        raise ValueError("a bug")
    assert terminal.getvalue().endswith("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize(
    ("event", "total", "share"),
    [
        (progress(50), 100, 0.5),
        (progress(50), None, 0.5),  # 5 s of 5 + 5
        (Progress(1, 0.0, 1.0, float("inf"), 1.0, 1e-3, {}), None, 0.0),
    ],
)
def test_share_done(event: Progress, total: int | None, share: float) -> None:
    assert console.share_done(event, total) == share


def test_paths_are_not_broken(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    path = "/a/very/long/path/" + "x" * 200 + "/[0].png"
    console.line(path)
    assert capsys.readouterr().out == path + "\n"


def test_training_examples_are_not_called_held_out() -> None:
    event = HeldOut(1, 1.0, 2.0, "train", 360, {"bound": -91.5}, best=True)
    assert console.held_out_line(event) == "training examples: ELBO −91.50 nats"


def test_a_demonstrations_numbers_are_never_cut(capsys: Any, monkeypatch: Any) -> None:
    from lowerbound.cli.demo import _table

    monkeypatch.setenv("COLUMNS", "80")
    numbers = ("3.04", "11.66", "160.66", "2,038.45", "20,094.73", "210,722.80")
    header = ("estimator", "furthest mean, SE", *(f"L = {size}" for size in (2, 5, 10, 20, 50)))
    console.out().print(_table(header, [("reparameterized, analytic KL", *numbers)]))
    text = capsys.readouterr().out
    assert all(number in text for number in numbers) and "…" not in text
    assert max(map(len, text.splitlines())) <= 80 and "reparameterized," in text


def test_losses_of_two_players_have_their_names() -> None:
    values = {"discriminator/loss": 0.69, "discriminator/real": 0.5, "generator/loss": 1.25}
    event = Progress(1, 0.0, 1.0, 1.0, 1.0, 1e-3, values)
    assert console.values_line(event) == "discriminator loss 0.69  generator loss 1.25"
    held_out = HeldOut(1, 1.0, 2.0, "test", 360, values, best=True)
    assert console.held_out_line(held_out) == (
        "held out (test): discriminator loss 0.69  generator loss 1.25"
    )
    alone = Progress(1, 0.0, 1.0, 1.0, 1.0, 1e-3, {"loss": 0.69})
    assert console.values_line(alone) == "loss 0.69"
