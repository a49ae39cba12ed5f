"""A picture that is brought is taken in the units of the data, not by the largest value seen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowerbound import conditioning
from lowerbound.data import load
from lowerbound.exploring.uploads import open_upload
from lowerbound.exploring.writing import unit

SHADES = np.clip(0.833 * np.random.default_rng(0).random((40, 8, 8)), 0.0, 0.833)

# Data, what of them is saved as a file, in which type, and how far off 8 bits may be.
CASES: dict[str, tuple[Any, Any, float]] = {
    "0 to 1": (SHADES.astype(np.float32), lambda v: np.rint(255 * v).astype(np.uint8), 0.5 / 255),
    "-1 to 1": (
        (2 * SHADES - 1).astype(np.float32),
        lambda v: np.rint(127.5 * (v + 1)).astype(np.uint8),
        1 / 255,
    ),
    "0 to 255": (
        (255 * SHADES).astype(np.float32),
        lambda v: np.rint(v).astype(np.uint8),
        0.5,
    ),
    "8 bits": ((200 * SHADES).astype(np.uint8), lambda v: v.astype(np.uint8), 0.0),
    "16 bits": ((60000 * SHADES).astype(np.uint16), lambda v: v.astype(np.uint16), 0.0),
    "12 bits": ((4000 * SHADES).astype(np.uint16), lambda v: v.astype(np.uint16), 0.0),
    "0 to 1, of 16 bits": (
        SHADES.astype(np.float32),
        lambda v: np.rint(65535 * v).astype(np.uint16),
        0.51 / 65535,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_picture_of_the_data_is_read_as_it_is_stored(case: str, tmp_path: Path) -> None:
    values, saved, off = CASES[case]
    spec = load({"train": values}, likelihood="gaussian").spec
    file = tmp_path / "one.png"
    Image.fromarray(saved(values[3])).save(file)
    upload = open_upload(file, spec)
    found = conditioning.on_levels(spec, upload.pixels)
    assert np.abs(found[0].astype(float) - values[3]).max() <= off + 1e-6
    run: Any = SimpleNamespace(spec=spec, path="run", info={"data": {"options": {}}})
    assert np.array_equal(conditioning.example_of(run, file).numpy(), found)
    # What is written of it shows the same: black is black, and white is white.
    picture = np.asarray(upload.image)
    assert np.abs(255 * unit(spec, found)[0] - picture).max() <= 0.51
    mirrored = upload.with_part(unit(spec, found), change_of=unit(spec, found))
    assert np.array_equal(np.asarray(mirrored), picture)


def test_a_picture_in_three_channels_of_16_bits(tmp_path: Path) -> None:
    values = np.repeat((60000 * SHADES).astype(np.uint16)[..., None], 3, -1)
    spec = load({"train": values}, likelihood="gaussian").spec
    Image.fromarray(values[3, ..., 0]).save(tmp_path / "grey.png")
    found = conditioning.on_levels(spec, open_upload(tmp_path / "grey.png", spec).pixels)
    assert np.array_equal(np.moveaxis(found, 0, -1), values[3])


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.0, 0.02, (0.0, 0.02)),  # of another unit than that of pictures
        (0.1, 0.7, (0.0, 1.0)),
        (-0.8, 0.3, (-1.0, 1.0)),
        (-2.1, 2.6, (-2.1, 2.6)),
        (-0.02, 0.9, (-0.02, 0.9)),  # scaled smoothly, with a little below black
        (0.0, 3.5, (0.0, 3.5)),
        (3.0, 200.5, (0.0, 255.0)),
    ],
)
def test_formats(low: float, high: float, shown: tuple[float, float]) -> None:
    values = low + (high - low) * SHADES / SHADES.max()
    values[0, 0, 0] = low
    found = load({"train": values}, likelihood="gaussian").spec
    assert found.shown == pytest.approx(shown)
    assert (found.low, found.high) == pytest.approx((low, high))  # of the data, as ever
