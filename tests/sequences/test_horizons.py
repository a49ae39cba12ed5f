"""Forecasts of sequences of several lengths: where they begin, what is counted, in which unit."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.data.spec import DataSpec
from lowerbound.evaluation.sections import Forecasts, Told, written
from lowerbound.evaluation.temporal import Steps, forecasts_of
from lowerbound.models.temporal import Forecast
from lowerbound.sequences import pack

from .exact import DYNAMICS, Exact


class Zero(torch.nn.Module):
    """Foretells zero, with a spread of one; keeps what it was asked."""

    hop, time = 1, SimpleNamespace(unit=1.0)

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def pack(self, x: Tensor, *context: Tensor) -> Any:
        self.past = pack(x, *context)
        return self.past

    def last(self, steps: Any, samples: int) -> Tensor:
        return torch.zeros(samples, len(steps.x), 1)

    def roll(self, z: Tensor, since: Tensor, hop: int) -> Forecast:
        self.since = since
        shape = (*z.shape[:2], since.shape[1], *self.past.x.shape[2:])
        # Quantiles of a standard normal, the same for all, are draws as even as can be.
        levels = (torch.arange(len(z)) + 0.5) / len(z)
        draws = torch.special.ndtri(levels.double()).reshape(-1, *[1] * (len(shape) - 1))
        return Forecast(draws.expand(shape), torch.zeros(shape, dtype=torch.float64), z)


def spec(steps: int, *columns: str, **facts: Any) -> DataSpec:
    shape = (steps, max(1, len(columns)))
    return DataSpec("toy", "sequence", shape, "real", columns=columns or None, **facts)


def ragged(lengths: np.ndarray, features: int = 1, seed: int = 0) -> Tensor:
    """Standard normal numbers, NaN after the end of each sequence."""
    x = np.random.default_rng(seed).normal(size=(len(lengths), int(lengths.max()), features))
    x[np.arange(x.shape[1]) >= lengths[:, None]] = np.nan
    return torch.from_numpy(x)


LENGTHS = np.random.default_rng(1).permutation(np.linspace(40, 89, 30).round().astype(int))


def measured(x: Tensor, data: DataSpec | None = None, *context: Tensor) -> Forecasts:
    return forecasts_of(Zero(), data or spec(x.shape[1]), x, *context)


def test_every_sequence_is_forecast_from_its_own_share() -> None:
    """From one step for all (53 of 89) a single one would come to 36 ahead, ten of 30 to none."""
    x = ragged(LENGTHS)
    found = measured(x)
    begin = np.round(0.6 * LENGTHS).astype(int)
    left = LENGTHS - begin
    assert found.sequences == found.of == 30
    assert found.given[1:] == (begin.min(), begin.max())
    furthest = int(np.sort(left)[-5])  # the greatest that five sequences reach
    assert set(found.horizons) == {1, 2, 5, 10, 20, furthest} and found.beyond == left.max()
    for h, at in found.horizons.items():
        there = np.flatnonzero(left >= h)
        truth = x.numpy()[there, begin[there] + h - 1, 0]
        last = x.numpy()[there, begin[there] - 1, 0]
        assert at.sequences == at.numbers == len(there) >= 5
        for (root, error), off in ((at.error, truth), (at.repeat, truth - last)):
            squares = off**2
            assert root == pytest.approx(math.sqrt(squares.mean()))
            expected = squares.std(ddof=1) / math.sqrt(len(off)) / (2 * root)
            assert error == pytest.approx(expected)
    assert found.numbers == np.minimum(left, furthest).sum()


def test_the_standard_error_is_that_of_a_root_mean_square() -> None:
    """Of N normal numbers sigma / sqrt(2 N); what belongs to one sequence counts once."""
    found = [measured(ragged(np.full(200, 2), seed=k)).horizons[1].error for k in range(100)]
    told, errors = np.array(found).T
    assert told.mean() == pytest.approx(1.0, abs=0.02)
    assert told.std() == pytest.approx(1 / math.sqrt(400), rel=0.25)
    assert errors.mean() == pytest.approx(1 / math.sqrt(400), rel=0.05)
    x = ragged(np.full(200, 5))
    alone = measured(x).horizons[1].error
    copied = measured(x.expand(-1, -1, 4), spec(5, "a", "b", "c", "d")).horizons[1]
    assert copied.numbers == 800 and copied.sequences == 200
    # Four copies of each number tell no more than one.
    assert copied.error[1] / copied.error[0] == pytest.approx(alone[1] / alone[0], rel=1e-6)


def test_intervals_hold_their_share_and_say_how_surely() -> None:
    """Of standard normal numbers 50 and 90 %, counted over sequences of all lengths."""
    x = ragged(np.tile(LENGTHS, 6))
    found = measured(x)
    assert found.sequences == 180
    for level, (share, error) in found.covered.items():
        independent = math.sqrt(level * (1 - level) / found.numbers)
        assert error == pytest.approx(independent, rel=0.3)
        assert abs(share - level) < 4 * independent


def test_features_count_alike_whatever_their_unit() -> None:
    x = ragged(LENGTHS, features=2)
    data = spec(89, "pressure", "temperature", scale=[400.0, 4.0], shift=[101325.0, 20.0])
    found = measured(x, data)
    assert found.unit == "std of the data"
    other = measured(x, spec(89, "pressure", "temperature", scale=[4e5, 4.0]))
    own = x.reshape(-1, 2).numpy()
    spread = np.nanstd(own, 0)
    assert list(found.spread.values()) == pytest.approx(list(spread * [400.0, 4.0]))
    begin = np.round(0.6 * LENGTHS).astype(int)
    rows = np.arange(30)
    for h in (1, 5, 10):
        at, again = found.horizons[h], other.horizons[h]
        truth = x.numpy()[rows, begin + h - 1]
        still = truth - x.numpy()[rows, begin - 1]
        assert at.numbers == 60 and at.sequences == 30
        for told, changed, off in (
            (at.error, again.error, truth), (at.repeat, again.repeat, still)
        ):  # fmt: skip
            assert told[0] == pytest.approx(np.sqrt(((off / spread) ** 2).mean()))
            assert changed[0] == pytest.approx(told[0])
        for place, (name, scale) in enumerate((("pressure", 400.0), ("temperature", 4.0))):
            error, repeat = at.features[name]  # ty: ignore[not-iterable]
            assert error[0] == pytest.approx(scale * np.sqrt((truth[:, place] ** 2).mean()))
            assert repeat[0] == pytest.approx(scale * np.sqrt((still[:, place] ** 2).mean()))
    assert measured(x[..., :1], spec(89, scale=[400.0])).unit == "data units"


def test_a_feature_of_one_value_takes_no_part() -> None:
    x = ragged(LENGTHS, features=2)
    alone = measured(x[..., :1])
    x[..., 1] = torch.where(x[..., 1].isnan(), torch.nan, 3.0)
    found = measured(x, spec(89, "a", "b"))
    spread = x[..., 0][~x[..., 0].isnan()].std(unbiased=False)
    assert found.horizons[5].error[0] == pytest.approx(alone.horizons[5].error[0] / float(spread))
    assert found.horizons[5].features["b"] is None and found.numbers == alone.numbers


def test_equal_lengths_are_given_as_before() -> None:
    found = measured(ragged(np.full(6, 50)))
    assert found.given == (30, 30, 30) and set(found.horizons) == {1, 2, 5, 10, 20}
    assert "(30)" in found.notes()[0] and "left out" not in found.notes()[0]
    few = measured(ragged(np.array([10, 10, 20])))  # of fewer than five all that there are
    assert few.least == 3 and set(few.horizons) == {1, 2, 4} and few.beyond == 8
    assert "more than 4 ahead (up to 8) is left out" in few.notes()[0]
    nothing = measured(ragged(np.array([1, 1])))
    assert nothing.sequences == 0 and not nothing.rows() and "at least 2" in nothing.notes()[0]


def test_the_time_to_the_first_step_ahead_is_of_each_sequence() -> None:
    """What is missing before the forecast begins lies between, whatever the others' lengths."""
    x = ragged(np.array([10, 20, 10]))
    x[2, 4:6] = torch.nan  # of the first six that are given
    model = Zero()
    forecasts_of(model, spec(20), x)
    assert model.since[:, 0].tolist() == [1, 1, 3]
    assert model.past.lengths.tolist() == [6, 12, 4]
    times = torch.arange(20.0, dtype=torch.float64).expand(3, -1) * 2
    forecasts_of(model, spec(20), x, torch.where(x[..., 0].isnan(), torch.nan, times))
    assert model.since[:, :2].tolist() == [[2, 2], [2, 2], [6, 2]]


def test_what_is_repeated_was_known() -> None:
    """A number that is missing in the last step is repeated from where it was known."""
    x = torch.arange(10.0, dtype=torch.float64).repeat(6, 1)[..., None].repeat(1, 1, 2).clone()
    x[:, 5, 1] = torch.nan  # the last of six that are given
    found = measured(x, spec(10, "a", "b")).horizons[1]
    assert found.features["a"][1][0] == pytest.approx(1.0)  # ty: ignore[not-subscriptable]
    assert found.features["b"][1][0] == pytest.approx(2.0)  # ty: ignore[not-subscriptable]


def test_errors_of_an_exact_model_are_those_of_the_kalman_filter() -> None:
    """Root of the mean squared error of sequences of 8 to 20 steps, and what intervals hold."""
    lengths = np.random.default_rng(2).integers(8, 21, size=200)
    x = DYNAMICS.sample(200, 20, seed=4)[1]
    x[torch.arange(20) >= torch.from_numpy(lengths)[:, None]] = torch.nan
    found = forecasts_of(Exact(20), spec(20), x)
    begin = np.round(0.6 * lengths).astype(int)
    for h in (1, 2, 5):
        exact = []
        for row, given in enumerate(begin):
            if lengths[row] < given + h:
                continue
            mean = DYNAMICS.forecast(x[row : row + 1, :given], h)[0][0, -1, 0]
            exact.append(float(mean - x[row, given + h - 1, 0]))
        told, error = found.horizons[h].error
        assert found.horizons[h].sequences == len(exact)
        assert told == pytest.approx(np.sqrt(np.mean(np.square(exact))), rel=0.02)
        assert error is not None and error < 0.2 * told
    for level, (share, error) in found.covered.items():
        assert error is not None and abs(share - level) < 4 * error


def test_what_is_written_keeps_its_keys() -> None:
    """Those of before by horizon and level, and the new ones beside them."""
    x = ragged(LENGTHS, features=2)
    section = Steps(
        (1.0, 0.1), (1.2, 0.1), "how", 60.0, measured(x, spec(89, "pressure", "temperature"))
    )
    content = written(section)["content"]
    keys = {"value", "bound", "note", "per_sequence", "given", "error", "repeat", "covered"}
    assert keys <= set(content) and isinstance(content["given"], int)
    assert content["sequences"]["1"] == 30 and content["numbers"]["1"] == 60
    for key in ("error", "error_standard_error", "repeat", "repeat_standard_error", "sequences"):
        assert list(content[key]) == list(content["error"])
    assert set(content["covered"]) == set(content["covered_standard_error"]) == {"0.5", "0.9"}
    assert set(content["features"]["pressure"]["error"]) == set(content["error"])
    assert Told.from_json(written(section)).to_json() == content
    rows = {row.quantity: row for row in section.rows()}
    assert rows["error at 1"].unit == "std of the data" and " ± " in rows["error at 1"].value
    assert "of 30 sequences (60 numbers)" in rows["error at 1"].note
    assert "pressure" in rows["error at 1"].note and " ± " in rows["inside 90%"].value
    assert "30 of 30 sequences" in section.notes[0]
