"""Pictures of mixtures: everything at its place, frames that align, films that play."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from PIL import Image

from lowerbound import plots
from lowerbound.errors import LowerboundError
from lowerbound.plots.mixtures import film, mixture
from lowerbound.plots.style import CLASSES, INK

WEIGHTS = np.array([0.25, 0.75])
CORRELATED = np.array([[[2.0, 1.2], [1.2, 1.0]], [[0.5, 0.0], [0.0, 3.0]]])
MEANS = np.array([[-4.0, 0.0], [3.0, 1.0]])


def points(count: int = 400) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 2)) * 3


def test_curves_are_the_weighted_densities_and_their_sum() -> None:
    data = np.random.default_rng(0).normal(size=(500, 1)) * 3
    figure = mixture(data, WEIGHTS, MEANS[:, :1], np.array([[1.0], [0.25]]))
    lines = figure.axes[0].get_lines()
    x, first = lines[0].get_data()
    expected = 0.25 * np.exp(-0.5 * (x + 4) ** 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(first, expected, atol=1e-12)
    total = np.sum([line.get_ydata() for line in lines[:2]], axis=0)
    np.testing.assert_allclose(lines[2].get_ydata(), total, atol=1e-12)
    assert [line.get_color() for line in lines] == [CLASSES[0], CLASSES[1], INK]
    assert lines[1].get_label() == "p(h=1) p(x|h=1), 0.75"
    # the histogram is a density
    bars = figure.axes[0].patches
    area = sum(bar.get_width() * bar.get_height() for bar in bars)
    assert area == pytest.approx(1.0)


def test_ellipses_hold_one_and_two_standard_deviations() -> None:
    figure = mixture(points(), WEIGHTS, MEANS, CORRELATED)
    patches = [p for p in figure.axes[0].patches if isinstance(p, Ellipse)]
    drawn = [p for p in patches if p.get_facecolor()[3] == 0]
    assert len(drawn) == 4
    for i, ellipse in enumerate(drawn):
        k, deviations = i // 2, i % 2 + 1
        assert ellipse.get_edgecolor()[:3] == to_rgb(CLASSES[k])
        assert ellipse.get_center() == tuple(MEANS[k])
        turn = np.deg2rad(ellipse.get_angle())
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        half = np.diag([ellipse.get_width() / 2, ellipse.get_height() / 2])
        found = axes @ half**2 @ axes.T
        np.testing.assert_allclose(found, deviations**2 * CORRELATED[k], atol=1e-12)


def test_variances_will_do_and_more_than_two_numbers_will_not() -> None:
    variances = CORRELATED.diagonal(axis1=1, axis2=2)
    full = mixture(points(), WEIGHTS, MEANS, variances[:, :, None] * np.eye(2))
    assert plots.to_png(mixture(points(), WEIGHTS, MEANS, variances)) == plots.to_png(full)
    with pytest.raises(LowerboundError, match=r"one or two numbers each .* came 3"):
        mixture(np.zeros((4, 3)), WEIGHTS, np.zeros((2, 3)), np.ones((2, 3)))


@pytest.mark.parametrize("ending", ["gif", "png", "apng"])
def test_a_film_shows_its_frames_in_order(tmp_path: Path, ending: str) -> None:
    def frame(step: int) -> Figure:
        return mixture(points(), WEIGHTS, MEANS + step, CORRELATED, f"step {step}")

    path = film((frame(step) for step in range(3)), tmp_path / "new" / f"fit.{ending}", 0.1)
    with Image.open(path) as shown:
        assert shown.n_frames == 3  # ty: ignore[unresolved-attribute]
        for step in range(3):
            shown.seek(step)
            found = np.asarray(shown.convert("RGB"), int)
            assert shown.info["duration"] == (400 if step == 2 else 100)
            expected = Image.open(io.BytesIO(plots.to_png(frame(step)))).convert("RGB")
            apart = np.abs(found - np.asarray(expected, int)).max(-1)
            assert (apart > 24).mean() < 0.01  # a palette of 256 colours
            assert found[2, -3].tolist() == [255, 255, 255]
            # nearer to its own frame than to another
            other = Image.open(io.BytesIO(plots.to_png(frame((step + 1) % 3)))).convert("RGB")
            assert np.abs(found - np.asarray(other, int)).mean() > 3 * apart.mean()


def test_a_film_needs_frames_and_a_known_ending(tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match=r"ends in .gif, .png or .apng, came 'a.mp4'"):
        film([], tmp_path / "a.mp4")
    with pytest.raises(LowerboundError, match="came none"):
        film([], tmp_path / "a.gif")
