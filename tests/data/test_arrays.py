"""Arrays, .npy and .npz: layouts read as meant, and bad input named in one line."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
import torch

from lowerbound.data import load
from lowerbound.errors import LowerboundError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 6, 5), dtype=np.uint8)


def refused(source, match: str, **options) -> None:
    with pytest.raises(LowerboundError, match=match) as caught:
        load(source, **options)
    message = str(caught.value)
    assert "\n" not in message and "expected" in message and "came" in message


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    data = load(tmp_path / "a.npy", split_seed=4)
    both = torch.cat([data.train.all(), data.test.all()])
    assert both.shape == (30, 1, 6, 5) and both.dtype == torch.uint8
    rows = np.concatenate([data.train.rows, data.test.rows])
    assert torch.equal(both, torch.from_numpy(IMAGES[rows][:, None]))


def test_npy_over_budget_stays_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", np.moveaxis(RANDOM.random((40, 3, 6, 5)), 1, -1))
    small, large = load(tmp_path / "a.npy", memory=100), load(tmp_path / "a.npy")
    assert not small.train.in_memory and large.train.in_memory
    assert isinstance(small.train.source.array, np.memmap)
    assert torch.equal(small.train.all(), large.train.all())
    assert small.spec.event_shape == (3, 6, 5)
    assert "memory" in dict(small.lines())


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train", "train_labels", "test", "test_labels"),
    ],
)
def test_npz_layouts(tmp_path, names):
    labels = np.arange(30, dtype=np.uint8) % 4
    parts = (IMAGES[:20], labels[:20], IMAGES[20:], labels[20:])
    np.savez(tmp_path / "set.npz", **dict(zip(names, parts, strict=True)))
    data = load(tmp_path / "set.npz")
    assert torch.equal(data.train.all(), torch.from_numpy(IMAGES[:20, None]))
    assert torch.equal(data.test.all(), torch.from_numpy(IMAGES[20:, None]))
    assert data.train.labels.dtype == np.int64
    assert data.test.labels.tolist() == labels[20:].tolist()
    assert data.spec.classes == ("0", "1", "2", "3")


def test_npz_with_one_array_and_labels(tmp_path):
    np.savez(tmp_path / "a.npz", anything=IMAGES, labels=np.array(["b", "a"] * 15))
    data = load(tmp_path / "a.npz")
    assert data.spec.classes == ("a", "b")
    assert data.train.labels.tolist() == [1 - row % 2 for row in data.train.rows]


def test_npz_key(tmp_path):
    np.savez(tmp_path / "a.npz", first=IMAGES, second=IMAGES[:, :3])
    assert load(tmp_path / "a.npz", key="second").spec.event_shape == (1, 3, 5)
    refused(tmp_path / "a.npz", "came first, second: pass one of them as key", key=None)
    refused(tmp_path / "a.npz", "did you mean 'second'", key="secnd")


def test_dicts_tensors_and_lists():
    tensors = {"train": torch.from_numpy(IMAGES), "test": torch.from_numpy(IMAGES[:3])}
    assert len(load(tensors).test) == 3
    assert load([[1.0, 2.0], [3.0, 5.5], [0.1, 0.2]]).spec.event_shape == (2,)


def test_layouts_of_colour():
    assert load(RANDOM.random((9, 7, 8, 3))).spec.event_shape == (3, 7, 8)
    assert load(RANDOM.random((9, 3, 7, 8))).spec.event_shape == (3, 7, 8)
    assert load(RANDOM.random((9, 7, 8, 1))).spec.event_shape == (1, 7, 8)


def test_channels_last_moves_the_pixels():
    last = RANDOM.integers(0, 256, (9, 7, 8, 3), dtype=np.uint8)
    data = load({"train": last, "test": last})
    assert torch.equal(data.train.all(), torch.from_numpy(np.moveaxis(last, -1, 1).copy()))


@pytest.mark.parametrize("dtype", [">u2", ">f4", "f2", "i8", "bool", "u4"])
def test_types_that_torch_does_not_index(dtype):
    values = (IMAGES > 99) if dtype == "bool" else IMAGES.astype(dtype)
    data = load(values)
    expected = values[data.train.rows].astype(np.float64)[:, None]
    assert np.array_equal(data.train.all().numpy().astype(np.float64), expected)


def test_a_read_only_array_is_left_alone():
    frozen = IMAGES.copy()
    frozen.setflags(write=False)
    load({"train": frozen, "test": frozen}).train.all()[:] = 0
    assert np.array_equal(frozen, IMAGES)


def test_nan_and_infinity():
    values = RANDOM.random((20, 4))
    values[7, 2], values[9, 0], values[9, 1] = np.nan, np.inf, -np.inf
    refused(values, r"1 NaN and 2 infinite in 2 examples, first in example 7, position \(2,\)")
    data = load(values, skip_bad=True)
    assert data.facts.train + data.facts.test == 18
    assert dict(data.lines())["skipped"].startswith("2 train examples")


def test_skipping_takes_the_labels_along():
    values = RANDOM.random((20, 4))
    values[3] = np.nan
    data = load({"train": values, "labels": np.arange(20), "test": values[4:]}, skip_bad=True)
    assert data.train.labels is not None
    assert [data.spec.classes[each] for each in data.train.labels][:5] == list("01245")


def test_bad_files(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", a=np.array([{}, []], dtype=object))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(IMAGES))
    np.save(tmp_path / "cut.npy", IMAGES)
    whole = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-100])
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "objects.npy", "never unpickled")
    refused(tmp_path / "objects.npz", "never unpickled")
    for name in ("text.npy", "pickle.npy", "cut.npy", "cut.npz"):
        refused(tmp_path / name, f"came {re.escape(name)} which does not open")
    refused(tmp_path / "notes.txt", "put images in a folder")
    refused(tmp_path / "objects.np", "did you mean 'objects.np")


BAD = {
    "rank 1": (np.arange(9.0), "reshape"),
    "rank 6": (np.zeros((2, 2, 2, 2, 2, 2)), "came shape"),
    "scalar": (np.float64(3), "came shape"),
    "empty": (np.zeros((0, 3)), "empty array"),
    "one example": (IMAGES[:1], "at least 2 examples"),
    "constant": (np.full((9, 4), 0.25), "all the same"),
    "the same examples": (np.tile(IMAGES[:1], (9, 1, 1)), "all the same"),
    "texts": (np.array([["a", "b"]]), "real numbers"),
    "complex": (np.ones((3, 2), complex), "real numbers"),
    "objects": (np.array([[1, None]], dtype=object), "Python objects"),
    "ragged": ([[1, 2], [3]], "list that is none"),
    "no arrays": ({}, "came none"),
    "labels": ({"train": IMAGES, "labels": np.arange(7)}, "expected 30 labels"),
    "float labels": ({"train": IMAGES, "labels": RANDOM.random(30)}, "whole numbers or texts"),
    "shapes": ({"train": IMAGES, "test": IMAGES[:, :3]}, "of one shape"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays(case: str):
    values, match = BAD[case]
    refused(values, match)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_fractions_out_of_range(fraction):
    refused(IMAGES, "test fraction between 0 and 1", test_fraction=fraction)


def test_other_options_out_of_range():
    refused(IMAGES, "validation fraction", validation_fraction=1.0)
    refused(IMAGES, "limit of at least 2", limit=1)
    refused(IMAGES, "size only with image files", size=8)
    refused(IMAGES, "no key for one array", key="a")


def test_splits_are_disjoint_seeded_and_complete():
    data = load(IMAGES, test_fraction=0.3, validation_fraction=0.2, split_seed=1)
    assert data.validation is not None
    parts = [data.train.rows, data.validation.rows, data.test.rows]
    assert sorted(np.concatenate(parts).tolist()) == list(range(30))
    assert [len(part) for part in parts] == [17, 4, 9]
    again = load(IMAGES, test_fraction=0.3, validation_fraction=0.2, split_seed=1)
    assert np.array_equal(again.test.rows, data.test.rows)
    assert np.array_equal(again.train.rows, data.train.rows)
    other = load(IMAGES, test_fraction=0.3, validation_fraction=0.2, split_seed=2)
    assert not np.array_equal(other.test.rows, data.test.rows)


def test_the_split_tells_its_seed():
    def split(**options):
        return dict(load(**options).lines())["split"]

    assert split(source=IMAGES) == "24 train, 6 test (drawn with split seed 0)"
    assert split(source=IMAGES, split_seed=3) == "24 train, 6 test (drawn with split seed 3)"
    both = {"train": IMAGES, "test": IMAGES[:9]}
    assert split(source=both) == "30 train, 9 test"
    assert split(source=both, validation_fraction=0.1, split_seed=2) == (
        "27 train, 3 validation, 9 test (validation drawn with split seed 2)"
    )
    assert split(source=both, limit=5) == "5 train, 5 test (drawn with split seed 0)"
    assert load(IMAGES, split_seed=3).options["split_seed"] == 3


def test_limit_draws_from_each_split():
    data = load({"train": IMAGES, "test": IMAGES[:9]}, limit=5, split_seed=3)
    assert (len(data.train), len(data.test)) == (5, 5)
    assert (data.spec.train, data.spec.test) == (5, 5)


def test_options_load_the_same_again(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    data = load(
        tmp_path / "a.npy", split_seed=5, validation_fraction=0.1, likelihood="gaussian", limit=9
    )
    options = json.loads(json.dumps(data.options))
    again = load(data.source, **options)
    assert again.spec == data.spec
    assert torch.equal(again.test.all(), data.test.all())
    assert json.loads(json.dumps(data.to_json()))["spec"]["likelihood"] == "gaussian"
