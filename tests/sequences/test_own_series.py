"""Series of one's own, of any lengths and with times, are gone on from where each of them ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.dates import num2date

import lowerbound as lb
from lowerbound import forecasting
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.forecast_files import (
    belief_figure,
    forecast_figure,
    write_belief,
    write_forecast,
)

from .exact import DYNAMICS, Exact

STEPS, HORIZON = 8, 4


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of the exact model with times, as far as these functions look at one."""
    spec = DataSpec("toy", "sequence", (STEPS, 1), "real", likelihood="gaussian")
    spec = replace(spec, time_step=1.0, columns=("level",))
    data = {"data": {"options": {"time": "t"}}}
    run = SimpleNamespace(spec=spec, path=Path("run"), info=data)
    monkeypatch.setattr(forecasting, "opened", lambda path: (run, Exact(100)))
    return run


def table(path: Path, x: np.ndarray, times: np.ndarray) -> None:
    rows = ["" if np.isnan(each) else f"{each:.9g}" for each in x]
    lines = [f"{t},{row}" for t, row in zip(times, rows, strict=True)]
    path.write_text("\n".join(["t,level", *lines]) + "\n")


def folder(path: Path, lengths: tuple[int, ...] = (STEPS, 5, 6)) -> list[np.ndarray]:
    x = DYNAMICS.sample(len(lengths), STEPS, seed=9)[1].numpy()[..., 0]
    path.mkdir()
    found = []
    for number, length in enumerate(lengths):
        found.append(x[number, :length])
        table(path / f"s{number}.csv", found[-1], 100.0 * number + np.arange(length))
    return found


def test_a_folder_goes_on_from_each_end(exact: Any, tmp_path: Path) -> None:
    """Also beside longer ones, whose padding is no gap."""
    own = folder(tmp_path / "d")
    found = lb.forecast(exact, tmp_path / "d", horizon=HORIZON, samples=3000)
    assert found.given.tolist() == [8, 5, 6] and found.names == ("s0.csv", "s1.csv", "s2.csv")
    for row, x in enumerate(own):
        mean, covariance = DYNAMICS.forecast(torch.from_numpy(x)[None, :, None], HORIZON)
        spread = covariance[0, :, 0, 0].sqrt().numpy()
        off = (found.mean[row] - mean[0].numpy())[:, 0] / (spread / 3000**0.5)
        assert np.abs(off).max() < 4
        np.testing.assert_allclose(found.past[row, -len(x) :, 0], x, rtol=1e-6)
        assert np.isnan(found.past[row, : STEPS - len(x)]).all()
        start = 100.0 * row + len(x)
        assert found.times[row].tolist() == [start, start + 1, start + 2, start + 3]


def test_what_came_is_held_beside_each(exact: Any, tmp_path: Path) -> None:
    own = folder(tmp_path / "d")
    found = lb.forecast(exact, tmp_path / "d", horizon=HORIZON, samples=30, at=5)
    assert found.given.tolist() == [5, 5, 5] and found.truth.shape == (3, 3, 1)
    np.testing.assert_allclose(found.truth[0, :, 0], own[0][5:], rtol=1e-6)
    assert np.isnan(found.truth[1]).all() and np.isnan(found.truth[2, 1:]).all()
    assert found.past_times[2, -1] == 204.0 and found.times[2, 0] == 205.0


def test_given_steps_of_known_time_lie_in_the_past(exact: Any, tmp_path: Path) -> None:
    """The last value is missing, but its time is known: what comes, comes after it."""
    x = DYNAMICS.sample(1, 7, seed=3)[1].numpy()[0, :, 0].copy()
    x[-1] = np.nan
    table(tmp_path / "a.csv", x, np.array([0.0, 1, 2, 3, 4, 5, 9]))
    found = lb.forecast(exact, tmp_path / "a.csv", horizon=3, samples=3000)
    assert found.times[0].tolist() == [10, 11, 12]
    gap = np.concatenate([x[:-1], np.full(4, np.nan)])
    mean, covariance = DYNAMICS.forecast(torch.from_numpy(gap)[None, :, None], 3)
    spread = covariance[0, :, 0, 0].sqrt().numpy()
    assert np.abs((found.mean[0] - mean[0].numpy())[:, 0] / (spread / 3000**0.5)).max() < 4


def test_beliefs_of_the_first_of_many_files(exact: Any, tmp_path: Path) -> None:
    folder(tmp_path / "d")
    found = lb.belief(exact, tmp_path / "d", n=2, samples=16)
    assert found.lengths.tolist() == [8, 5] and found.missing == 0
    assert "2 sequences of 8 steps" in repr(found)
    path = write_belief(tmp_path / "b.csv", exact, found)
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    assert [row[:3] for row in rows[7:9]] == [["s0.csv", "7", "7"], ["s1.csv", "0", "100"]]
    assert len(rows) == 8 + 5


def test_numbers_keep_their_digits(exact: Any, tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 1_000_000.0 + np.arange(8), np.arange(8))
    path = write_belief(tmp_path / "b.csv", exact, lb.belief(exact, tmp_path / "a.csv", samples=4))
    assert [line.split(",")[4] for line in path.read_text().splitlines()[1:]] == [
        str(1_000_000 + number) for number in range(8)
    ]


def test_an_interval_of_more_paths_than_are_given_away(exact: Any, tmp_path: Path) -> None:
    table(tmp_path / "a.csv", np.zeros(8), np.arange(8))
    few = lb.forecast(exact, tmp_path / "a.csv", horizon=2, samples=1)
    assert few.draws.shape[0] == 1 and (few.high > few.low).all()
    path = write_forecast(tmp_path / "f.csv", exact, few)
    head, first, *_ = path.read_text().splitlines()
    assert head == "sequence,step_ahead,time,level_mean,level_low,level_high,level_path_0"
    assert first.startswith("a.csv,1,8,")
    table(tmp_path / "b.csv", np.zeros(8), 1_717_804_801 + np.arange(8))  # seconds since 1970
    late = lb.forecast(exact, tmp_path / "b.csv", horizon=1, samples=1)
    path = write_forecast(tmp_path / "late.csv", exact, late)
    assert path.read_text().splitlines()[1].startswith("b.csv,1,1717804809,")
    for wrong in (0.0, 1.0, 2.0, -1.0):
        with pytest.raises(LowerboundError, match="level: expected between 0 and 1"):
            lb.forecast(exact, tmp_path / "a.csv", level=wrong)
        with pytest.raises(LowerboundError, match="level: expected between 0 and 1"):
            lb.belief(exact, tmp_path / "a.csv", level=wrong)
    with pytest.raises(LowerboundError, match="samples: expected at least 2"):
        lb.belief(exact, tmp_path / "a.csv", samples=1)


def test_dates_come_back_as_dates(exact: Any, tmp_path: Path) -> None:
    exact.spec = replace(exact.spec, dated=True)
    dates = np.array([f"2024-02-28 23:59:5{second}" for second in range(8)])
    table(tmp_path / "a.csv", np.zeros(8), dates)
    ahead = lb.forecast(exact, tmp_path / "a.csv", horizon=3, samples=2)
    came = ["2024-02-28 23:59:58", "2024-02-28 23:59:59", "2024-02-29 00:00:00"]
    assert ahead.dated and ahead.to_json()["dates"] == [came]
    path = write_forecast(tmp_path / "f.csv", exact, ahead)
    assert [line.split(",")[2] for line in path.read_text().splitlines()[1:]] == came
    label = forecast_figure(exact, ahead).axes[-1].get_xlabel()
    assert label == "seconds from the last step given"
    held = lb.belief(exact, tmp_path / "a.csv", samples=4)
    assert held.to_json()["dates"] == [dates.tolist()]
    path = write_belief(tmp_path / "b.csv", exact, held)
    assert [line.split(",")[2] for line in path.read_text().splitlines()[1:]] == dates.tolist()
    left, right = num2date(belief_figure(exact, held).axes[-1].get_xlim())
    first, last = (datetime.fromisoformat(dates[at]).replace(tzinfo=UTC) for at in (0, -1))
    assert timedelta(0) < first - left < timedelta(seconds=2)
    assert timedelta(0) < right - last < timedelta(seconds=2)
    # Numbers are seconds, too, but nobody said of which day.
    table(tmp_path / "n.csv", np.zeros(8), np.arange(8))
    plain = lb.forecast(exact, tmp_path / "n.csv", horizon=3, samples=2)
    assert not plain.dated and plain.to_json()["dates"] is None


@pytest.mark.parametrize("row", [0, 3])
def test_a_time_that_is_missing(exact: Any, tmp_path: Path, row: int) -> None:
    table(tmp_path / "a.csv", np.zeros(8), np.arange(8))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    lines[row + 1] = ",0"
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(LowerboundError, match="time"):
        lb.forecast(exact, tmp_path / "a.csv")


def test_arrays_in_npz_files_with_times(exact: Any, tmp_path: Path) -> None:
    x = DYNAMICS.sample(1, STEPS, seed=9)[1].numpy()[0]
    np.savez(tmp_path / "a.npz", x=x, t=50.0 + np.arange(STEPS))
    found = lb.forecast(exact, tmp_path / "a.npz", horizon=2, samples=20)
    assert found.times[0].tolist() == [58, 59] and found.given.tolist() == [STEPS]
    np.testing.assert_allclose(found.past[0], x, rtol=1e-6)


def test_gaps_are_refused_by_recipes_that_read_none(tmp_path: Path) -> None:
    x = np.zeros((20, 6, 1), np.float32) + np.arange(20, dtype=np.float32)[:, None, None]
    x[3, 4:] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(LowerboundError, match="recipe vae, came sequences with missing"):
        lb.train(tmp_path / "x.npy", "vae", kind="sequence", steps=2, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
