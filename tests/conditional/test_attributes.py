"""Attributes beside examples: read, split, skipped and standardized with them, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lowerbound.data import Data, DataSpec, load, side_of
from lowerbound.errors import LowerboundError
from lowerbound.models.conditions import GivenAttributes


def arrays(count: int = 40) -> dict[str, np.ndarray]:
    """Examples whose first number is that of their attributes."""
    random = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {}
    for part, n in (("train", count), ("test", count // 2)):
        values = random.normal(size=(n, 5)).astype(np.float32)
        found[part] = values
        found[f"{part}_attributes"] = np.stack([values[:, 0], np.full(n, 7.0)], 1)
    return found


def aligned(data: Data) -> None:
    for split in (data.train, data.validation, data.test):
        if split is not None:
            assert split.attributes is not None and split.attributes.dtype == np.float64
            stored = split.stored(np.arange(len(split))).numpy()
            np.testing.assert_array_equal(split.attributes[:, 0], stored[:, 0])


def test_an_npz_has_them_in_an_array_of_that_name(tmp_path: Path) -> None:
    names = np.array(["first", "always"])
    np.savez(tmp_path / "faces.npz", attribute_names=names, **arrays())
    data = load(tmp_path / "faces.npz", validation_fraction=0.25)
    aligned(data)
    assert data.spec.attributes == ("first", "always")
    values = data.train.attributes
    assert values is not None
    mean, std = data.spec.attribute_mean, data.spec.attribute_std
    np.testing.assert_allclose(mean, values.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, [values[:, 0].astype(float).std(), 0.0], rtol=1e-12)
    again = DataSpec.from_json(data.spec.to_json())
    assert again.attributes == data.spec.attributes and again.attribute_std == std
    assert ("attributes", "2 beside each example: first, always") in data.lines()
    assert data.facts.to_json()["attributes"] == ["first", "always"]


def test_they_are_split_and_limited_with_their_examples() -> None:
    found = arrays()
    one = {"images": found["train"], "attributes": found["train_attributes"]}
    data = load(one, validation_fraction=0.2, limit=10)
    aligned(data)
    assert data.spec.attributes == ("attribute0", "attribute1")
    single = load({"data": found["train"], "attributes": found["train"][:, 0]})
    assert single.spec.attributes == ("attribute0",)
    aligned(single)
    keyed = load({**one, "labels": np.arange(40) % 2, "other": np.zeros(3)}, key="images")
    aligned(keyed)
    assert keyed.spec.classes == ("0", "1")


def test_columns_of_a_table_may_be_attributes(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    rows = [f"{i},{i * 0.5},{i % 3},{'ab'[i % 2]}" for i in range(30)]
    path.write_text("\n".join(["height,width,age,label", *rows]))
    data = load(path, attributes=("age", "height"))
    assert data.spec.attributes == ("age", "height") and data.spec.event_shape == (1,)
    assert data.train.attributes is not None
    stored = data.train.stored(np.arange(len(data.train))).numpy()
    np.testing.assert_array_equal(data.train.attributes[:, 1], 2 * stored[:, 0])
    np.testing.assert_array_equal(data.train.attributes[:, 0], data.train.attributes[:, 1] % 3)
    assert data.spec.classes == ("a", "b")
    again = load(data.source, **data.options)  # as a run reads its data anew
    assert again.spec == data.spec and data.options["attributes"] == ("age", "height")


def test_examples_with_bad_attributes_are_named_or_skipped() -> None:
    found = arrays()
    found["train_attributes"][3, 1] = np.nan
    found["train"][5, 2] = np.inf
    with pytest.raises(LowerboundError) as error:
        load(found)
    assert "NaN or infinity in 1 train examples, first in example 3, 'attribute1'" in str(
        error.value
    )
    data = load(found, skip_bad=True)
    assert len(data.train) == 38
    aligned(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_attributes": np.zeros((39, 2))}, "one row for each of the 40 examples of 'train'"),
        ({"train_attributes": np.array(["x"] * 40)}, "expected attributes of numbers in 'train_"),
        ({"test_attributes": np.zeros((20, 3))}, "expected 2 attributes of each test example"),
        ({"test_attributes": None}, "came none: add an array 'test_attributes' (N, 2)"),
        ({"attribute_names": np.array(["a"])}, "expected 2 texts in 'attribute_names'"),
    ],
)
def test_attributes_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    found = {k: v for k, v in {**arrays(), **changes}.items() if v is not None}
    with pytest.raises(LowerboundError) as error:
        load(found)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_columns_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("height,name\n1.0,x\n2.0,y\n3.0,z\n")
    with pytest.raises(LowerboundError, match=r"came 'heigth'; did you mean 'height'\?"):
        load(path, attributes=("heigth",))
    with pytest.raises(LowerboundError, match="attributes of numbers, came texts in column 'name'"):
        load(path, attributes=("name",))
    with pytest.raises(LowerboundError, match="expected attributes of a table's columns"):
        load("digits", attributes=("height",))


def test_time_stamps_keep_their_digits(tmp_path: Path) -> None:
    seconds = 1.6e9 + np.random.default_rng(0).normal(0.0, 5.0, 200)
    rows = [f"{i * 0.5},{s!r}" for i, s in enumerate(seconds.tolist())]
    (tmp_path / "t.csv").write_text("\n".join(["width,seconds", *rows]))
    sources: list[tuple[Any, dict[str, Any]]] = [
        ({"data": np.arange(200.0)[:, None], "attributes": seconds}, {}),
        (tmp_path / "t.csv", {"attributes": ("seconds",)}),
    ]
    for source, options in sources:
        data = load(source, **options)
        spec, raw = data.spec, data.train.attributes
        assert raw is not None and spec.attributes is not None
        assert spec.attribute_mean == pytest.approx([raw.mean()], rel=1e-15)
        condition = GivenAttributes(spec.attributes, spec.attribute_mean, spec.attribute_std)
        (context,) = condition(torch.zeros(len(raw), 1), side_of(data.train, "attributes"))
        found = condition.embeddings()[0](context)
        expected = (raw - raw.mean()) / raw.std()
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
        (context,) = condition(torch.zeros(1, 1), condition.named([float(raw[7, 0])])[None])
        assert float(condition.embeddings()[0](context)) == pytest.approx(expected[7, 0], abs=1e-5)


def test_what_lies_far_outside_is_told() -> None:
    condition = GivenAttributes(("smile", "age"), (0.5, 40.0), (0.5, 10.0))
    assert condition.beyond(condition.named({"smile": 1, "age": 99})) == []
    (told,) = condition.beyond(condition.named({"smile": 1, "age": 101}))
    assert told.startswith("age=101 lies far outside what the model was trained on (mean 40")
