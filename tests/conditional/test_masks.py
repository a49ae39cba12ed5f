"""Masks by name hide what their names say, random ones are what they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowerbound.errors import LowerboundError
from lowerbound.models import masks
from lowerbound.models.conditions import GivenPart

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 7)])
def test_quadrants_are_those_of_the_protocol(shape: tuple[int, int, int]) -> None:
    """Known are, of Sohn et al.'s 1, 2 and 3 quadrants: the lower left one; the left half; all but
    the lower right one (pyro-ppl/pyro, examples/cvae/mnist.py)."""
    _, height, width = shape
    row = torch.arange(height)[:, None] >= height // 2  # below
    column = torch.arange(width)[None] < width // 2  # to the left
    known = {3: row & column, 2: column.expand(height, width), 1: column | ~row}
    for missing, expected in known.items():
        found = masks.fixed(f"quadrants:{missing}", shape)
        assert torch.equal(found, ~expected.expand(shape))
    if shape == (1, 28, 28):
        counts = [int(masks.fixed(f"quadrants:{n}", shape).sum()) for n in (1, 2, 3)]
        assert counts == [196, 392, 588]


def test_halves_and_the_centre() -> None:
    shape = (2, 6, 4)
    left, right, top, bottom = (masks.fixed(name, shape) for name in masks.HALVES)
    assert torch.equal(left, ~right) and torch.equal(top, ~bottom)
    assert left[:, :, :2].all() and not left[:, :, 2:].any()
    assert top[:, :3].all() and not top[:, 3:].any()
    centre = masks.fixed("centre", (1, 8, 8))
    assert centre[0, 2:6, 2:6].all() and int(centre.sum()) == 16
    vector = masks.fixed("right", (5,))
    assert vector.tolist() == [False, False, True, True, True]


def test_a_mask_from_an_image_or_an_array(tmp_path: Path) -> None:
    grey = np.zeros((4, 6), np.uint8)
    grey[1:3, 2:5] = 200
    Image.fromarray(grey).save(tmp_path / "mask.png")
    found = masks.fixed(str(tmp_path / "mask.png"), (3, 4, 6))
    assert torch.equal(found, torch.from_numpy(grey > 127).expand(3, 4, 6))
    np.save(tmp_path / "mask.npy", np.array([0, 1, 1]))
    assert masks.fixed(str(tmp_path / "mask.npy"), (3,)).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lft", (1, 4, 4), "unknown mask 'lft'; did you mean 'left'?"),
        ("quadrants:4", (1, 4, 4), "unknown mask 'quadrants:4'; did you mean 'quadrants:"),
        ("quadrants:1", (16,), "mask quadrants:1: expected images, came examples of shape (16,)"),
        ("left", (1,), "mask left: expected a part of each example to be missing, came a mask "),
        ("none.png", (1, 4, 4), "came a mask that hides nothing; pass another"),
        ("all.png", (1, 4, 4), "came a mask that hides all; pass another"),
        ("none.png", (1, 4, 5), "mask none.png: expected a size of 4 x 5, came 4 x 4; scale it"),
        ("text.png", (1, 4, 4), "it does not open"),
        ("nowhere.png", (1, 4, 4), "expected a file, came no such file"),
    ],
)
def test_masks_that_do_not_fit_are_refused_in_one_line(
    name: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "none.png")
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(tmp_path / "all.png")
    (tmp_path / "text.png").write_text("no image")
    name = str(tmp_path / name) if name.endswith(".png") else name
    with pytest.raises(LowerboundError) as error:
        GivenPart(shape, name)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("boxes", "mask boxes: expected images"),
        ("pixels:1.5", "expected a fraction above 0 and below 1, came '1.5'"),
        ("pixels:half", "expected a fraction above 0 and below 1, came 'half'"),
    ],
)
def test_random_masks_that_do_not_fit(name: str, message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        GivenPart((9,), name)


def test_random_boxes_are_boxes_of_the_said_sizes() -> None:
    torch.manual_seed(0)
    missing = masks.boxes(2000, (3, 12, 20), CPU)
    assert torch.equal(missing[:, 0], missing[:, 2])
    rows, columns = missing[:, 0].any(2), missing[:, 0].any(1)
    assert torch.equal(missing[:, 0], rows[:, :, None] & columns[:, None, :])
    for found, side in ((rows, 12), (columns, 20)):
        runs = (found.int().diff(dim=1) != 0).sum(1) + found[:, 0] + found[:, -1]
        assert torch.equal(runs, torch.full_like(runs, 2))  # one stretch
        sizes = found.sum(1).float() / side
        assert sizes.min() == 0.25 and sizes.max() == 0.75
        assert abs(float(sizes.mean()) - 0.5) < 4 * float(sizes.std()) / 2000**0.5
        # as often at one end as at the other
        lean = (found.float() * (torch.arange(side) - (side - 1) / 2)).sum(1)
        assert abs(float(lean.mean())) < 4 * float(lean.std()) / 2000**0.5


def test_random_pixels_are_missing_as_often_as_said() -> None:
    torch.manual_seed(0)
    missing = masks.pixels(500, (3, 6, 6), CPU, 0.3)
    assert torch.equal(missing[:, 0], missing[:, 1])
    share = missing[:, 0].float()
    assert abs(float(share.mean()) - 0.3) < 4 * (0.3 * 0.7 / share.numel()) ** 0.5
    drawn = masks.pixels(4000, (50,), CPU).float().mean(1)  # a level for each: uniform on [0, 1]
    assert abs(float(drawn.mean()) - 0.5) < 4 * float(drawn.std()) / 4000**0.5
    assert abs(float(drawn.var()) - (1 / 12 + 1 / 6 / 50)) < 4e-3


def test_masks_are_drawn_anew_and_the_same_from_the_same_seed() -> None:
    condition, x = GivenPart((1, 9, 9), "boxes"), torch.rand(5, 1, 9, 9)
    torch.manual_seed(3)
    first, second = condition(x, None)[1], condition(x, None)[1]
    torch.manual_seed(3)
    again = condition(x, None)[1]
    assert torch.equal(first, again) and not torch.equal(first, second)
