"""Forecasts, beliefs, gaps and scores of an exact model against Kalman filter and smoother."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import lowerbound as lb
from lowerbound import forecasting
from lowerbound.cli import main
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.evaluation.temporal import between, interval
from lowerbound.forecast_files import write_forecast
from lowerbound.forecasting import Forecasted
from lowerbound.sequences import pack

from .exact import DYNAMICS, Exact, with_gaps

STEPS = 8
HORIZON = 4
QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of the exact model, as far as these functions look at one."""
    spec = DataSpec("toy", "sequence", (STEPS, 1), "real", likelihood="gaussian")
    run = SimpleNamespace(spec=spec, path=Path("run"), info={"data": {"options": {}}})
    monkeypatch.setattr(forecasting, "opened", lambda path: (run, Exact(STEPS + HORIZON)))
    return run


def draws(n: int = 4) -> np.ndarray:
    return with_gaps(DYNAMICS.sample(n, STEPS, seed=9)[1]).numpy()


def test_forecasts_of_an_exact_model_are_the_filters(exact: Any) -> None:
    x = draws()
    found = lb.forecast(exact, x, horizon=HORIZON, samples=3000)
    mean, covariance = DYNAMICS.forecast(torch.from_numpy(x), HORIZON)
    spread = covariance[..., 0, 0].sqrt().numpy()
    error = (found.mean - mean.numpy())[..., 0] / (spread / 3000**0.5)
    assert np.abs(error).max() < 4
    wide = (found.high - found.low)[..., 0] / (2 * 1.6449 * spread)
    assert np.abs(wide - 1).max() < 0.1
    assert found.draws.shape == (3000, 4, HORIZON, 1)


def test_jumps_tell_of_each_step_what_steps_do(exact: Any) -> None:
    """Mean and spread, in jumps of two and in one that reaches all of them."""
    x = draws()
    mean, covariance = DYNAMICS.forecast(torch.from_numpy(x), HORIZON)
    spread = covariance[..., 0, 0].sqrt().numpy()
    for jump in (1, 2, HORIZON):
        found = lb.forecast(exact, x, horizon=HORIZON, samples=3000, jump=jump)
        assert found.mean.shape == (4, HORIZON, 1)
        assert np.abs((found.mean - mean.numpy())[..., 0] / (spread / 3000**0.5)).max() < 4
        assert np.abs(found.draws[..., 0].std(0) / spread - 1).max() < 4 / 6000**0.5


def test_jumps_go_on_from_where_the_last_one_landed() -> None:
    """States that are certain, and jumps longer than any in training in parts of equal length."""
    seen: list[list[float]] = []

    class Counting(Exact):
        def transition(self, z: torch.Tensor, difference: torch.Tensor) -> Any:
            seen.append(difference[0, 0].tolist())
            return SimpleNamespace(rsample=lambda: z + difference[..., None])

        def decoded(self, z: torch.Tensor) -> Any:
            return z, z

    model = Counting(3)  # the longest jump in training
    rolled = model.roll(torch.zeros(1, 1, 1), torch.tensor([1.0, 1.0, 1.0, 1.0, 4.0, 1.0]), 2)
    assert rolled.states[0, 0, :, 0].tolist() == [1, 2, 3, 4, 8, 9]
    assert seen == [[1, 2], [1, 2], [2, 2.5], [2, 2.5]]


def test_beliefs_gaps_and_scores(exact: Any) -> None:
    x = draws()
    known = ~np.isnan(x[..., 0])
    found = lb.belief(exact, x, samples=1500)
    values = torch.from_numpy(x)
    filtered, smoothed = DYNAMICS.filter(values), DYNAMICS.smooth(values)
    np.testing.assert_allclose(
        found.score[known], -filtered.log_evidence.numpy()[known], rtol=0, atol=1e-4
    )
    assert np.isnan(found.score[~known]).all()
    c = DYNAMICS.emission[0]
    for values, states, covariance in (
        (found.mean, filtered.mean, filtered.covariance),
        (found.smoothed, smoothed.mean, smoothed.covariance),
    ):
        expected = (states @ c).numpy()
        spread = (c @ covariance @ c).sqrt().numpy()
        off = np.abs(values[..., 0] - expected) / spread
        # Particles of the smoother come from one filter: their errors are not independent.
        assert np.nanmax(off) < 0.25
    np.testing.assert_array_equal(found.imputed[known], found.x[known])
    np.testing.assert_array_equal(found.imputed[~known], found.smoothed[~known])


def test_intervals_hold_what_they_say() -> None:
    """A further draw lies inside with the probability that was asked for."""
    torch.manual_seed(0)
    u = torch.rand(20, 40_000)
    for level in (0.5, 0.9):
        low, high = interval(u, level)
        share = (high - low).double()  # the mass between them
        assert abs(share.mean() - level) < 4 * share.std() / 200
    low, high = interval(u[:3], 0.9)
    assert torch.equal(low, u[:3].min(0).values) and torch.equal(high, u[:3].max(0).values)


def test_the_time_to_the_first_step_ahead() -> None:
    model = SimpleNamespace(time=SimpleNamespace(unit=2.0))
    x = torch.ones(2, 4, 1)
    x[1, 2:] = torch.nan
    times = torch.tensor([[0.0, 2.0, 4.0, 6.0]]).expand(2, -1)
    found = between(model, pack(x, times), 3)
    assert found.tolist() == [[2, 2, 2], [6, 2, 2]]
    ahead = torch.tensor([[7.0, 9.5, torch.nan], [8.0, 10.0, 11.0]])
    found = between(model, pack(x, times), 3, ahead)
    assert found.tolist() == [[1, 2.5, 2], [6, 2, 1]]


def test_from_training_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verbs on a run of one's own data, with a gap and without."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(30, 10, 2)).cumsum(1)
    x[:3, 4] = np.nan
    small = {"latent_dim": 2, "hidden": (8,), "belief_width": 8, "jump": "1-3"}
    np.save("series.npy", x)
    run = lb.train("series.npy", "td-vae", out="run", steps=5, progress=False, **small, **QUICK)
    result = lb.evaluate(run, samples=8, report=False)
    assert result.log_likelihood is not None and result.log_likelihood.kind == "estimate"
    told = result.sections[0].to_json()
    assert told["value"][0] <= told["bound"][0] + 1e-6
    np.testing.assert_allclose(
        -result.log_likelihood.value / told["value"][0], told["per_sequence"], rtol=1e-6
    )
    assert lb.sample(run, 3).shape == (3, 10, 2)
    series = tmp_path / "series.csv"
    cells = [f"{a:.4g},{b:.4g}" for a, b in x[5, :7]]
    cells[3] = ","
    series.write_text("\n".join(["p,q", *cells]) + "\n")
    assert main(["forecast", "run", "--from", "series.csv", "--horizon", "5", "-o", "f.npy"]) == 0
    assert np.load("f.npy").shape == (20, 1, 5, 2)
    assert main(["belief", "run", "series.csv", "-o", "b.csv"]) == 0
    lines = Path("b.csv").read_text().splitlines()
    assert len(lines) == 8 and lines[0].startswith("sequence,step,time,score,")
    assert lines[4].split(",")[3:5] == ["", ""] and lines[4].split(",")[6]
    assert main(["forecast", "run", "--at", "5", "--horizon", "5", "-o", "f.png"]) == 0
    assert Path("f.png").stat().st_size > 10_000
    capsys.readouterr()
    for arguments, message in (
        (["--from", "none.csv"], "there is no such file"),
        (["--from", "99"], "from 0 to 5"),
        (["--at", "40"], "from 1 to 10 steps"),
        (["-o", "f.gif"], "as steps are no frames"),
    ):
        assert main(["forecast", "run", *arguments]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_gif_frames_what_is_forecast(tmp_path: Path) -> None:
    """From the first step ahead on, of the draws beside the data: three steps given, two ahead."""
    frames = np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1, 1) / 16.0  # alike, a GIF has one
    past, ahead = np.split(np.broadcast_to(frames, (1, 5, 1, 4, 4)), [3], 1)
    times = np.arange(5.0)[None]
    found = Forecasted(
        past=past, given=np.array([3]), truth=ahead, mean=ahead, low=ahead, high=ahead,
        draws=np.stack([ahead] * 2), times=times[:, 3:], past_times=times[:, :3], level=0.9,
        columns=(), names=("a",), total=1,
    )  # fmt: skip
    spec = DataSpec("clips", "video", (5, 1, 4, 4), "unit", low=0.0, high=1.0)
    run: Any = SimpleNamespace(spec=spec)
    with Image.open(write_forecast(tmp_path / "f.gif", run, found)) as film:
        shown = [np.array(each.convert("L")) for each in ImageSequence.Iterator(film)]
    lit = [(abs(frame - 127.5) < 1).any(0) for frame in shown]  # columns of the sheet
    assert [bool(each.any()) for each in lit] == [False] * 3 + [True] * 2
    third = len(lit[-1]) // 3
    assert not lit[-1][:third].any() and lit[-1][third : 2 * third].any() and lit[-1][-third:].any()


def test_a_run_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(30, 3))
    run = lb.train(x, "vae", out="run", steps=2, progress=False, hidden=(4,), **QUICK)
    with pytest.raises(LowerboundError, match="a run of a model of sequences, came"):
        lb.forecast(run)
