"""Pictures put things where they belong, and leave matplotlib's global state alone."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from lowerbound import plots
from lowerbound.errors import LowerboundError
from lowerbound.latent import latent_map, manifold_codes, traversal_codes
from lowerbound.plots.style import CLASSES, HELD_OUT, MODEL
from lowerbound.training.units import for_curves


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(plots.to_png(figure))).convert("RGB"))


def has(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(image.astype(int) - colour) <= 2).all(-1)


def hex_colour(text: str) -> tuple[int, int, int]:
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


def test_image_i_stands_at_its_place() -> None:
    images = np.arange(7).reshape(7, 1, 1, 1) * np.ones((7, 1, 4, 6)) / 255
    whole = plots.image_array(images, columns=3, gap=2)
    assert whole.shape == (3 * 6 - 2, 3 * 8 - 2, 3)
    assert whole.dtype == np.uint8
    for i in range(7):
        top, left = i // 3 * 6, i % 3 * 8
        assert (whole[top : top + 4, left : left + 6] == i).all()
    assert (whole[4:6] == 255).all()
    assert (whole[12:, 8:] == 255).all()


def test_colour_channels_and_limits() -> None:
    image = np.stack([np.full((2, 2), 2.0), np.full((2, 2), -1.0), np.full((2, 2), 0.5)])[None]
    assert plots.image_array(image).tolist() == [[[255, 0, 128]] * 2] * 2
    with pytest.raises(LowerboundError, match=r"\(N, 1 or 3, height, width\), got \(2, 4, 2, 2\)"):
        plots.image_array(np.zeros((2, 4, 2, 2)))


def test_grid_shows_its_images_in_order() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    images = np.asarray(colours).reshape(4, 3, 1, 1) / 255 * np.ones((4, 3, 8, 8))
    shown = pixels(plots.image_grid(images, "four", columns=2))
    centres = [np.argwhere(has(shown, colour)).mean(0) for colour in colours]
    assert centres[0][0] == pytest.approx(centres[1][0], abs=2)
    assert centres[0][1] == pytest.approx(centres[2][1], abs=2)
    assert centres[0][0] < centres[2][0]
    assert centres[0][1] < centres[1][1]


def test_reconstructions_stand_under_their_data() -> None:
    data = np.zeros((13, 3, 8, 8))
    data[:, 0] = 1
    model = np.zeros((13, 3, 8, 8))
    model[:, 1] = 1
    shown = pixels(plots.reconstructions(data, model))
    red, green = (np.argwhere(has(shown, c)) for c in ((255, 0, 0), (0, 255, 0)))
    assert red[:, 0].min() < green[:, 0].min()
    assert red[:, 0].max() < green[:, 0].max()
    assert sorted(set(red[:, 1])) == sorted(set(green[:, 1]))
    with pytest.raises(LowerboundError, match="reconstructions of shape"):
        plots.reconstructions(data, model[:3])


def test_latent_map_gives_each_class_its_colour() -> None:
    points = np.asarray([[0.0, 0.0]] * 20 + [[1.0, 1.0]] * 20)
    labels = np.asarray([3] * 20 + [8] * 20)
    shown = pixels(plots.latent_map(latent_map(points), labels, [f"class {i}" for i in range(10)]))
    first, second = (np.argwhere(has(shown, hex_colour(c))) for c in CLASSES[:2])
    assert len(first) > 50
    assert len(second) > 50
    many = pixels(plots.latent_map(latent_map(points), np.arange(40)))
    assert not has(many, hex_colour(CLASSES[1])).any()
    assert has(pixels(plots.latent_map(latent_map(points))), hex_colour(HELD_OUT)).any()


def test_bars_are_sorted_and_idle_ones_pale() -> None:
    shown = plots.latent_usage([0.1, 2.0, 0.001], active_units=2)
    heights = [bar.get_height() for bar in shown.axes[0].patches]
    assert heights == [2.0, 0.1, 0.001]
    assert "2 of 3 active, 2.10 nats" in shown.axes[0].texts[0].get_text()


def test_learning_curves_show_what_there_is() -> None:
    lines = [
        {"epoch": e, "split": split, "bound": -100 + e, "distortion": 90.0, "rate": 10.0 - e}
        for e in range(1, 9)
        for split in ("train", "test")
    ]
    figure = plots.learning_curves([*lines, {"epoch": 9, "split": "train", "bound": float("nan")}])
    assert [axes.get_title("left") for axes in figure.axes] == ["−bound", "distortion", "rate"]
    train, held_out = figure.axes[0].get_lines()
    assert train.get_ydata().tolist() == [100.0 - e for e in range(1, 9)]
    assert held_out.get_label() == "held out"
    figure = plots.learning_curves([{"epoch": 1, "split": "train", "squared_error": 3.0}])
    assert [axes.get_title("left") for axes in figure.axes] == ["squared error"]
    line = {"epoch": 1, "critic/loss": 0.7, "critic/accuracy": 0.5, "generator/loss": 1.2}
    figure = plots.learning_curves([for_curves(line)])
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["critic loss", "generator loss", "accuracy"]


def test_columns_stand_against_the_datas() -> None:
    rng = np.random.default_rng(0)
    data, found = rng.normal(size=(2, 30, 5))
    figure = plots.against(data, found, names=list("abcde"))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() or axes.get_title("left") for axes in shown] == list("abcde")
    for column, axes in enumerate(shown):
        values, made = data[:, column], found[:, column]
        offsets = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_array_equal(offsets, np.stack([values, made], 1))
        [line] = axes.get_lines()  # where they are equal, over the range of both
        ends = [min(values.min(), made.min()), max(values.max(), made.max())]
        np.testing.assert_array_equal(line.get_xydata(), np.stack([ends, ends], 1))
    many = plots.against(*rng.normal(size=(2, 9, plots.FEW_COLUMNS + 3)))
    assert sum(axes.get_visible() for axes in many.axes) == plots.FEW_COLUMNS == 12


def test_traces_hold_the_data_and_the_model() -> None:
    data, found = np.random.default_rng(0).normal(size=(2, 9, 20))
    figure = plots.traces(data[:5], found[:5])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 5
    for place, axes in enumerate(shown):
        lines = axes.get_lines()
        assert [line.get_label() for line in lines] == ["data", "model"]
        assert [line.get_color() for line in lines] == [HELD_OUT, MODEL]
        np.testing.assert_array_equal(lines[0].get_xdata(), np.arange(20))
        np.testing.assert_array_equal(lines[0].get_ydata(), data[place])
        np.testing.assert_array_equal(lines[1].get_ydata(), found[place])
    assert [axes.get_legend() is not None for axes in shown] == [True] + [False] * 4
    alone = plots.traces(None, found)
    assert len(alone.axes) == 6  # the first ones
    for place, axes in enumerate(alone.axes):
        [line] = axes.get_lines()
        np.testing.assert_array_equal(line.get_ydata(), found[place])
        assert axes.get_legend() is None


def test_every_figure_draws() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((9, 1, 5, 5))
    codes = manifold_codes(3)
    table, samples = rng.normal(size=(50, 6)), rng.normal(size=(40, 6))
    found = [
        plots.manifold(images, codes),
        plots.traversal(images, [4, 1, 0], [-1.0, 0.0, 1.0]),
        plots.image_grid(images, "with $ and labels", labels=[f"_{i}$" for i in range(9)]),
        plots.pairs(table, samples, names=["price $", "_a", "b", "c", "d", "e"]),
        plots.marginals(table, samples),
        plots.marginals(np.ones((5, 1)), np.ones((5, 1))),
        plots.token_strips(rng.integers(0, 4, (3, 20)), 4, "few", names=list("ACGT")),
        plots.token_strips(rng.integers(0, 99, (3, 20)), 99, "many"),
        plots.latent_map(latent_map(table[:, :1]), rng.integers(0, 3, 50)),
        plots.learning_curves([]),
        plots.against(table, table + 1),
        plots.traces(table, table + 1),
        plots.traces(None, samples[:1], "with $"),
    ]
    for figure in found:
        assert pixels(figure).std() > 0 or not figure.axes
        assert plots.to_png(figure) == plots.to_png(figure)


def test_no_global_state() -> None:
    code = (
        "import sys, lowerbound.plots as p, numpy as n\n"
        "p.to_png(p.image_grid(n.zeros((1, 1, 2, 2)), 'a'))\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_map_of_planted_codes() -> None:
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    codes = rng.normal(size=(4000, 5)) * [3.0, 2.0, 0.5, 0.1, 0.0] @ basis.T + 7
    found = latent_map(codes)
    assert found.method == "pca"
    assert found.explained_variance is not None
    total = 9 + 4 + 0.25 + 0.01
    np.testing.assert_allclose(found.explained_variance, [9 / total, 4 / total], atol=0.01)
    np.testing.assert_allclose(np.abs(found.axes @ basis[:, :2]), np.eye(2), atol=0.03)
    np.testing.assert_allclose((codes - found.mean) @ found.axes.T, found.points)
    plane = latent_map(codes[:, :2])
    assert plane.method == "raw"
    assert plane.explained_variance is None
    np.testing.assert_array_equal(plane.points, codes[:, :2])
    with pytest.raises(LowerboundError, match="codes of shape"):
        latent_map(np.zeros((0, 3)))


def test_traversal_moves_one_dimension() -> None:
    codes = traversal_codes(np.asarray([1.0, 2.0, 3.0]), [2, 0], [-1.0, 0.0])
    assert codes.tolist() == [[1, 2, -1], [1, 2, 0], [-1, 2, 3], [0, 2, 3]]


def test_one_code_dimension_has_one_tick() -> None:
    axes = plots.latent_usage([2.0], active_units=1).axes[0]
    assert axes.get_xticks().tolist() == [1]
    many = plots.latent_usage(list(np.arange(64.0)), active_units=3).axes[0].get_xticks()
    assert len(many) <= 9 and (many == many.astype(int)).all()


def test_components_have_a_bar_each() -> None:
    index, labels = np.array([[0], [2], [2], [2]]), np.array([1, 0, 0, 1])
    plain_bars = plots.components(index, 4).axes[0].patches
    assert [bar.get_height() for bar in plain_bars] == [1, 0, 3, 0]
    stacked = plots.components(index, 4, labels, ["a", "b"]).axes[0].patches
    assert [bar.get_height() for bar in stacked] == [0, 0, 2, 0, 1, 0, 1, 0]


def test_two_reports_are_no_curve() -> None:
    lines = [{"epoch": e, "split": "train", "loss": 1.0} for e in range(3)]
    assert plots.worth_curves(lines) and not plots.worth_curves(lines[:2])
    held_out = {"epoch": 3, "split": "test", "loss": 1.0}
    assert not plots.worth_curves([*lines[:2], held_out])


def test_few_samples_get_few_bins() -> None:
    rng = np.random.default_rng(0)
    counts = []
    for number in (16, 2000):
        table = rng.normal(size=(number, 1))
        data, _ = plots.marginals(table, table).axes[0].patches[:-1], None
        counts.append(len(data))
    assert counts == [8, 40]


def test_what_is_missing_is_no_grey() -> None:
    from lowerbound.pictures import _without

    images = np.full((1, 1, 8, 8), 0.5)
    missing = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    missing[..., 4:] = True
    shown = _without(images, missing)
    assert shown.shape == (1, 3, 8, 8)
    assert np.allclose(shown[..., :4], 0.5)
    assert (np.ptp(shown[0, :, :, 4:], axis=0) > 0.2).all()  # colours, all of them
