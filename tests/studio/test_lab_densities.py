"""Toys of the plane and densities drawn by hand: log p(x) against integrals and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lowerbound.data.planar import TOYS, Blobs, Curve, Ring, entropy, grid
from lowerbound.errors import LowerboundError
from lowerbound.studio.asked import Asked
from lowerbound.studio.lab import drawn

AXIS = np.linspace(-4.0, 4.0, 201)
CELL = (AXIS[1] - AXIS[0]) ** 2


def square() -> np.ndarray:
    return np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 2)


@pytest.mark.parametrize("name", ["ring", "eight", "pinwheel", "moons", "checkerboard"])
def test_a_toy_integrates_to_one_and_its_draws_have_its_entropy(name: str) -> None:
    toy = TOYS[name]()
    log_p = toy.log_prob(square())
    p = np.exp(log_p)
    # The board's edges lie on no cell's edge.
    assert p.sum() * CELL == pytest.approx(1.0, abs=2e-2 if name == "checkerboard" else 1e-6)
    exact = -(p * np.where(p > 0, log_p, 0.0)).sum() * CELL
    nats, error = entropy(toy)
    assert abs(nats - exact) < 4 * error + (0.06 if name == "checkerboard" else 0)
    x = toy.sample(20_000, seed=1)
    assert np.abs(x).max() < 3.4
    assert np.isfinite(toy.log_prob(x)).all()


def test_a_toys_draws_lie_where_its_density_says() -> None:
    """Shares of draws in squares against the integrals over them, within 4 standard errors."""
    for name in ("ring", "pinwheel", "letter", "grid"):
        toy = TOYS[name]()
        # Halves of cells apart, so that squares are whole numbers of them.
        at = (np.arange(120) + 0.5) * 0.05 - 3.0
        places = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
        p = np.exp(toy.log_prob(places)).reshape(6, 20, 6, 20).sum((1, 3)) * 0.05**2
        x = toy.sample(20_000, seed=3)
        found, *_ = np.histogram2d(x[:, 1], x[:, 0], np.arange(-3.0, 3.5))
        share = found / len(x)
        error = np.sqrt(np.maximum(p * (1 - p), 1e-6) / len(x))
        assert (np.abs(share - p) < 4.5 * error + 1e-4).all(), name


def test_a_ring_in_closed_form() -> None:
    ring = Ring(2.0, 0.1)
    x = np.array([[2.0, 0.0], [0.0, -2.1]])
    peak = -np.log(0.1 * np.sqrt(2 * np.pi)) - np.log(4 * np.pi)
    assert ring.log_prob(x) == pytest.approx([peak, peak - 0.5 - np.log(2.1 / 2.0)])


def test_a_curve_against_a_sum_over_its_points() -> None:
    line = np.array([[-2.0, -1.0], [0.5, 1.0], [2.0, 0.9]])
    curve = Curve([line], 0.15)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    parts = [
        line[k] + (np.arange(n) + 0.5)[:, None] / n * (line[k + 1] - line[k])
        for k, n in enumerate(np.round(lengths * 4000).astype(int))
    ]
    fine = Blobs(np.concatenate(parts), 0.15)
    x = np.random.default_rng(0).uniform(-3, 3, (40, 2))
    assert curve.log_prob(x) == pytest.approx(fine.log_prob(x), abs=1e-3)


def test_a_curve_keeps_its_digits_far_away() -> None:
    curve = Curve([np.array([[-1.0, 0.0], [1.0, 0.0]])], 0.05)
    x = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]])
    found = curve.log_prob(x)
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    # Beside the middle: a normal across, uniform along.
    expected = -0.5 * (3.0 / 0.05) ** 2 - np.log(0.05 * np.sqrt(2 * np.pi)) - np.log(2.0)
    assert found[2] == pytest.approx(expected)


def test_modes_of_the_grid() -> None:
    assert grid().centres.shape == (25, 2)
    assert np.abs(grid().centres).max() == pytest.approx(2.2)


def read(strokes: Any) -> tuple[drawn.Stroke, ...]:
    return drawn.read(Asked({"strokes": strokes}))


def test_points_come_where_one_drew() -> None:
    strokes = read([[[-2, 1], [2, 1]], [[0, -2]]])
    density = drawn.density(strokes, 0.05)
    x = density.sample(4000, seed=0)
    on_line = np.abs(x[:, 1] - 1.0) < 0.25
    by_dot = np.linalg.norm(x - (0, -2), axis=1) < 0.25
    assert (on_line | by_dot).all()
    # By length: 4 of the line, 0.02 of the dot.
    assert by_dot.mean() == pytest.approx(0.02 / 4.02, abs=4 * np.sqrt(0.005 / 4000))
    along = x[on_line, 0]
    assert along.min() < -1.9 and along.max() > 1.9
    assert abs(along.mean()) < 4 * (4 / np.sqrt(12)) / np.sqrt(len(along))
    assert (density.log_prob(x) > density.log_prob(np.array([[0.0, 0.0]]))).all()


def test_a_mouse_that_stands_still_adds_nothing() -> None:
    stroke = [[0.0, 0.0]] * 50 + [[1.0, 0.0]] * 50
    density = drawn.density(read([stroke]), 0.1)
    assert density.log_prob(np.zeros((1, 2))) == pytest.approx(
        Curve([np.array([[0.0, 0.0], [1.0, 0.0]])], 0.1).log_prob(np.zeros((1, 2)))
    )


@pytest.mark.parametrize(
    "strokes",
    [
        [],
        None,
        "line",
        [[]],
        [[[0, 9]]],
        [[[0, float("nan")]]],
        [[[0]]],
        [["a"]],
        [[[0, 0]] * 5000],
    ],
)
def test_what_is_no_drawing_is_refused(strokes: Any) -> None:
    with pytest.raises(LowerboundError, match="strokes"):
        read(strokes)
