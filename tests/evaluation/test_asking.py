"""What is asked of an evaluation in vain is refused before anything is measured."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb
from lowerbound import console, evaluation
from lowerbound.cli import main
from lowerbound.evaluation import Annealing
from lowerbound.evaluation.result import Likelihood
from lowerbound.runs import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    options: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "steps": 5, "threads": 1}
    options |= {"limit": 60, "compile": "no", "progress": False, "tensorboard": "no"}
    folder = tmp_path_factory.mktemp("runs")
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "few.npy", x[:7])
    return lb.train(str(folder / "x.npy"), out=folder / "run", **options)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is measured fails the test."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("something was measured")

    monkeypatch.setattr(evaluation, "evaluate", never)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--factors no-such.csv", "pass --metrics likelihood,representation"),
        ("--metrics samples --factors {few}", "pass --metrics samples,representation"),
        ("--metrics representation --factors no-such.csv", "factors: no such file: no-such.csv"),
        ("--metrics all --factors no-such.csv", "factors: no such file: no-such.csv"),
        ("--metrics all --factors {few}", "factors: expected 60 rows"),
        ("--features pca", "pass --metrics likelihood,samples"),
        ("--metrics all --features classifier", "expected labels of two classes or more"),
        ("--metrics all --features inception", "expected Inception's weights"),
        ("--bracket", "expected --ais beside --bracket"),
        ("--noise-std 0.1 --chains 4", "expected --ais beside --chains --noise-std"),
        ("--ais-steps 50", "expected --ais beside --ais-steps"),
        ("--ais-start posterior", "expected --ais beside --ais-start"),
    ],
)
def test_refused_on_one_line_before_anything_long(
    run: Run,
    words: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("LOWERBOUND_DATA", raising=False)
    few = run.path.parent / "few.npy"
    assert main(["evaluate", str(run.path), *words.format(few=few).split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert told in error


def test_a_declared_noise_stands_in_the_name_of_its_row() -> None:
    """The rows above are of the model's own likelihood."""
    found = Likelihood(-106.0, "estimate", "note", 16, 8.0, 1.0, 2.0, ess_min=4.0, ess_p5=5.0)
    row = Annealing(found, 10, 0.7, {"noise_std": 0.1}).rows(None, 10)[0]
    assert row.quantity == "−log p(x), AIS, noise σ = 0.1"
    assert Annealing(found, 10, 0.7, {"noise_std": None}).rows(None, 10)[0].quantity == (
        "−log p(x), AIS"
    )


def test_stopped_it_says_what_is_kept(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lowerbound import api

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "evaluate", stop)
    assert main(["evaluate", str(run.path), "--ais"]) == 130
    assert "nothing of it is kept" in capsys.readouterr().err
    (run.path / "annealed").mkdir()
    (run.path / "annealed" / "a.part.safetensors").write_bytes(b"")
    assert main(["evaluate", str(run.path), "--ais"]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_time_left_is_told_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = [100.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr("sys.stderr", shown)
    with console.Count("measuring") as count:
        count(0, 40)
        count.stage("annealing")
        for second in range(1, 31):
            clock[0] += 1.0
            count(second / 3, 40)  # a third of an example a second: two minutes in all
    lines = shown.getvalue().splitlines()
    assert lines[:2] == ["measuring …", "annealing …"]
    # A line every ten seconds and more, the rest at the pace so far.
    assert lines[2:] == ["annealing: 4/40, 1:49 left", "annealing: 7/40, 1:38 left"]
