"""Sequences as data: what is missing stays missing, and what does not fit is said in a line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.data import Prepare, held_out
from lowerbound.data.series import DAMPING, LINEAR, linear_gaussian_series, oscillator
from lowerbound.errors import LowerboundError
from lowerbound.sequences import LinearDynamics


def walks(n: int = 30, steps: int = 12, features: int = 2) -> np.ndarray:
    random = np.random.default_rng(0)
    x = random.normal(size=(n, steps, features)).cumsum(1) * [1.0, 20.0][:features] + 5.0
    x[0, 3] = np.nan
    x[1, 8:] = np.nan
    x[2, 4, 1] = np.nan
    return x


def table(path: Path, rows: list[list[float]], header: str = "time,a,b") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = ["" if math.isnan(c) else f"{c:g}" for row in rows for c in row]
    wide = len(header.split(","))
    lines = [",".join(cells[i : i + wide]) for i in range(0, len(cells), wide)]
    path.write_text("\n".join([header, *lines]) + "\n")


def steps(n: int, gap: float = 1.0) -> list[list[float]]:
    random = np.random.default_rng(n)
    return [[gap * i, *random.normal(size=2)] for i in range(n)]


def test_what_is_missing_stays_missing_and_the_rest_is_standardized() -> None:
    x = walks()
    data = lb.load(x, kind="sequence", test_fraction=0.2)
    assert data.spec.kind == "sequence" and data.spec.event_shape == (12, 2)
    prepared = held_out(data.train, data.spec)
    stored = data.train.stored(np.arange(len(data.train)))
    assert torch.equal(prepared.isnan(), stored.isnan()) and prepared.isnan().any()
    flat = prepared.reshape(-1, 2)
    flat = flat[~flat.isnan().all(1)]
    assert torch.allclose(flat.nanmean(0), torch.zeros(2), atol=0.02)
    back = Prepare(data.spec).restore(prepared)
    torch.testing.assert_close(back, stored, equal_nan=True)
    # A density of x is one of the stored values once each number's scale is counted.
    scale = np.array(data.spec.scale)
    each = data.spec.log_jacobians
    np.testing.assert_allclose(each, np.broadcast_to(-np.log(scale), (12, 2)))
    np.testing.assert_allclose(each.sum(), data.spec.log_jacobian)


def test_binary_sequences_keep_their_gaps() -> None:
    x = (np.random.default_rng(0).random((20, 6, 1)) < 0.4).astype(float)
    x[3, 2] = np.nan
    data = lb.load(x, kind="sequence")
    assert data.spec.likelihood == "bernoulli"
    found = [held_out(part, data.spec) for part in (data.train, data.test)]
    assert sum(int(part.isnan().sum()) for part in found) == 1
    grey = lb.load(x * 0.8 + 0.1, kind="sequence", binarize="stochastic")
    found = [held_out(part, grey.spec) for part in (grey.train, grey.test)]
    assert sum(int(part.isnan().sum()) for part in found) == 1


def test_a_folder_of_tables(tmp_path: Path) -> None:
    for number, length in enumerate((5, 8, 6)):
        table(tmp_path / "train" / f"s{number}.csv", steps(length, 1.5))
    table(tmp_path / "test" / "t.csv", [[0.0, 1.0, math.nan], [1.0, 2.0, 3.0], [7.0, 1.0, 1.0]])
    data = lb.load(tmp_path, time="time")
    assert len(data.train) == 3 and len(data.test) == 1
    assert data.spec.event_shape == (8, 2) and data.spec.columns == ("a", "b")
    assert data.spec.time_step == 1.5
    x = data.train.stored(np.arange(3)).numpy()
    assert np.isnan(x[0, 5:]).all() and not np.isnan(x[0, :5]).any()
    np.testing.assert_allclose(x[0, :5], np.array(steps(5))[:, 1:], rtol=1e-4, atol=1e-5)
    assert data.test.times is not None
    np.testing.assert_array_equal(data.test.times[0, :3], [0, 1, 7])
    assert np.isnan(data.test.stored(np.array([0])).numpy()[0, 0, 1])
    plain = lb.load(tmp_path)
    assert plain.spec.columns == ("time", "a", "b") and plain.spec.time_step is None


def test_arrays_with_times() -> None:
    x = walks()
    times = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, x.shape[:2]), 1)
    data = lb.load({"data": x, "when": 1e9 + times}, kind="sequence", time="when")
    assert data.train.times is not None
    first = times - times[:, :1]
    rows = data.train.rows
    np.testing.assert_allclose(data.train.times, first[rows], atol=1e-5)
    flat = lb.load(x[:, :, 0], kind="sequence")
    assert flat.spec.event_shape == (12, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :1], r"at least 2 steps in array, came shape \(30, 1, 2\)"),
        (lambda x: np.where(np.arange(30)[:, None, None] == 4, np.nan, x), "first number 4"),
        (lambda x: np.where(np.arange(12)[:, None] == 2, np.inf, x), "sequence 0, step 2 of train"),
        (lambda x: np.where([True, False], np.nan, x), "came '0' of 'array', which is missing"),
    ],
)
def test_arrays_that_are_no_sequences(change, message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        lb.load(change(walks()), kind="sequence")


def test_sequences_without_anything_are_skipped_when_asked() -> None:
    x = walks()
    x[4] = np.nan
    data = lb.load(x, kind="sequence", skip_bad=True)
    assert len(data.train) + len(data.test) == 29


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (steps(1), "time,a,b", "came bad.csv with one step"),
        ([[0.0, math.nan, math.nan], [1.0, math.nan, math.nan]], "time,a,b", "nothing but missing"),
        ([[0, 1], [1, 2]], "time,a", "came 2 .a, b. in a.csv and 1 .a. in bad.csv"),
        ([[0, 1, 2], [2, 1, 2], [1, 1, 2]], "time,a,b", "times that rise.*came 2 and then 1"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, rows: list[list[float]], header: str, message: str
) -> None:
    table(tmp_path / "a.csv", steps(5))
    table(tmp_path / "bad.csv", rows, header)
    with pytest.raises(LowerboundError, match=message):
        lb.load(tmp_path, time="time")


def test_time_is_for_sequences(tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match="time only with sequences"):
        lb.load("digits", time="t")
    with pytest.raises(LowerboundError, match="an array 'when' of times"):
        lb.load({"data": walks()}, kind="sequence", time="when")
    table(tmp_path / "one.csv", steps(9))
    with pytest.raises(LowerboundError, match="folder in which each table is one sequence"):
        lb.load(tmp_path / "one.csv", kind="sequence")


def test_the_oscillator_turns_by_its_frequency() -> None:
    found = oscillator(400, steps=120, seed=3)
    turned = np.unwrap(found.phase, axis=1)
    rate = (turned[:, -1] - turned[:, 0]) / 119
    # Kicks turn the state, too: by about their size over the amplitude in each step.
    assert abs(np.mean(rate - found.frequency)) < 4 * np.std(rate - found.frequency) / 20
    noise = found.x[..., 0] - found.position
    assert abs(noise.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * noise.size)
    assert 0 < DAMPING < 0.01


def test_the_linear_series_has_the_moments_of_its_model() -> None:
    x = linear_gaussian_series(20_000, steps=4, seed=5)
    model = LinearDynamics.of(**{name: torch.tensor(value) for name, value in LINEAR.items()})
    exact = torch.stack([model.forecast(torch.full((1, 1, 1), torch.nan), 3)[1][0, :, 0, 0]])
    variance = x.var(0)[1:, 0]
    error = (variance - exact[0].numpy()) / (variance * np.sqrt(2 / 20_000))
    assert np.abs(error).max() < 4
