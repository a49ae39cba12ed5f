"""What a user names: conditions in every form, masks as arrays, images of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import lowerbound as lb
from lowerbound.cli.parser import parse
from lowerbound.conditioning import parse_given
from lowerbound.errors import LowerboundError

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False, "hidden": (8,), "latent_dim": 2, "steps": 5}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    torch.set_num_threads(1)
    images = np.random.default_rng(0).integers(0, 2, (60, 4, 4)).astype(np.uint8)
    source = {"images": images, "labels": np.array(["a,b", "cat", "dog"] * 20)}
    return lb.train(source, "cvae", out=tmp_path_factory.mktemp("labels") / "run", **QUICK)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Of image files that were scaled to 8 x 8."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("boxes")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    for number in range(20):
        pixels = random.integers(0, 256, (16, 12)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02}.png")
    options = {"size": 8, "mask": "boxes", "out": folder / "run", **QUICK}
    return lb.train(folder / "images", "completion", **options)


def test_a_label_in_any_form(labels: lb.Run) -> None:
    expected = lb.sample(labels, 4, given={"label": "cat"})
    forms: list[Any] = ["cat", 1, ["cat"], np.int64(1), torch.tensor(1), 1.0, {"label": 1}]
    for given in forms:
        np.testing.assert_array_equal(lb.sample(labels, 4, given=given), expected)
    comma = lb.sample(labels, 4, given="a,b")
    np.testing.assert_array_equal(comma, lb.sample(labels, 4, given=0))
    for given, message in (({1, 2}, "a name, numbers or {name: value}, came set"), (7, "came '7'")):
        with pytest.raises(LowerboundError) as error:
            lb.sample(labels, 4, given=given)  # ty: ignore[invalid-argument-type]
        assert message in str(error.value) and "\n" not in str(error.value)


def test_a_name_is_given_once() -> None:
    with pytest.raises(LowerboundError, match="label more than once in 'label=a,label=b'"):
        parse_given("label=a,label=b")


@pytest.mark.parametrize("n", [-1, 0, 2.5, True])
def test_counts_are_counts(labels: lb.Run, boxes: lb.Run, n: Any) -> None:
    message = "n: expected a whole number of at least 1, came"
    with pytest.raises(LowerboundError, match=message):
        lb.sample(labels, n)
    with pytest.raises(LowerboundError, match=message):
        lb.reconstruct(labels, n)
    with pytest.raises(LowerboundError, match=message):
        lb.complete(boxes, np.zeros((8, 8)), n=n)


def test_masks_may_be_arrays(boxes: lb.Run) -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 8)).astype(np.uint8)
    expected = lb.complete(boxes, image, mask="right", n=2).completions
    right = np.zeros((8, 8))
    right[:, 4:] = 0.5
    for mask in (right, right > 0, right[None], torch.tensor(right), right.tolist(), None):
        found = lb.complete(boxes, image, mask=mask, n=2).completions
        np.testing.assert_array_equal(found, expected)
    cases: list[tuple[Any, str]] = [
        (right[:4], "mask: expected a size of 8 x 8, came 4 x 8"),
        (right[..., None], "mask: expected a size of 8 x 8, came 8 x 8 x 1"),
        (right * np.nan, "mask: expected a name, or an array"),
        (np.ones((8, 8)), "a mask that hides all"),
        ("rihgt", "did you mean 'right'?"),
        (
            "boxs",
            "pass quadrants:1, quadrants:2, quadrants:3, left, right, top, bottom,",
        ),
        ("boxes", "which is drawn; pass quadrants:1"),
    ]
    for mask, message in cases:
        with pytest.raises(LowerboundError) as error:
            lb.complete(boxes, image, mask=mask)
        assert message in str(error.value) and "\n" not in str(error.value)
        assert ", boxes" not in str(error.value) and "pixels" not in str(error.value)


def test_images_are_scaled_as_the_data_were(
    boxes: lb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 30)).astype(np.uint8))
    image.save(tmp_path / "wide.png")
    scaled = np.asarray(ImageOps.fit(image, (8, 8), Image.Resampling.BICUBIC))
    found = lb.complete(boxes, tmp_path / "wide.png", mask="left", n=2)
    np.testing.assert_array_equal(found.example[0], scaled)
    np.save(tmp_path / "wide.npy", np.zeros((20, 30)))
    with pytest.raises(LowerboundError, match="expected an example of shape"):
        lb.complete(boxes, tmp_path / "wide.npy", mask="left")
    parse(["complete", str(boxes.path), str(tmp_path / "wide.png"), "--json"])()
    said = capsys.readouterr()
    assert "no --mask: taken as missing: right" in said.err
    assert '"mask": "right"' in said.out
