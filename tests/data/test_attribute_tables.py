"""Attributes beside images: each picture gets its own row, whatever their order."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lowerbound as lb
from lowerbound.errors import LowerboundError

#: file: level of its picture, which its attributes tell.
PICTURES = {"b/2.png": 40, "a/1.png": 20, "a/3.png": 60, "b/4.png": 80, "a/5.png": 100}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, level in PICTURES.items():
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), level, np.uint8)).save(path)
    return tmp_path / "faces"


def table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


CSV = "file,level,bright\n" + "".join(
    f"{name},{level},{'yes' if level > 50 else 'no'}\n" for name, level in PICTURES.items()
)


def check(data: lb.Data) -> None:
    """Every example's attributes are those of its own picture."""
    assert data.spec.attributes == ("level", "bright")
    for split in (data.train, data.test):
        assert split.attributes is not None and split.attributes.dtype == np.float32
        stored = split.stored(np.arange(len(split))).numpy()
        np.testing.assert_array_equal(split.attributes[:, 0], stored[:, 0, 0, 0])
        np.testing.assert_array_equal(split.attributes[:, 1], stored[:, 0, 0, 0] > 50)


def test_a_table_here_or_in_the_folder_or_zip(folder: Path, tmp_path: Path) -> None:
    check(lb.load(folder, attributes=(table(tmp_path / "told.csv", CSV),)))
    table(folder / "told.tsv", CSV.replace(",", "\t"))
    found = lb.load(folder, attributes=("told.tsv",))
    check(found)
    assert not any(name == "left aside" for name, _ in found.lines())
    assert found.spec.classes == ("a", "b")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    check(lb.load(tmp_path / "faces.zip", attributes=("told.tsv",)))


def test_the_form_of_celeba(folder: Path, tmp_path: Path) -> None:
    rows = [
        f"{name.split('/')[1]}  {level} {1 if level > 50 else -1}"
        for name, level in PICTURES.items()
    ]
    text = "\n".join(["7", "level bright", *rows, "999.png 1 -1", "998.png 1 1"])
    found = lb.load(folder, attributes=(table(tmp_path / "list_attr.txt", text),))
    assert found.spec.attributes == ("level", "bright")
    for split in (found.train, found.test):
        assert split.attributes is not None
        stored = split.stored(np.arange(len(split))).numpy()[:, 0, 0, 0]
        np.testing.assert_array_equal(split.attributes[:, 0], stored)
        np.testing.assert_array_equal(split.attributes[:, 1], np.where(stored > 50, 1, -1))


def test_a_run_finds_its_table_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path / "told.csv", CSV)
    monkeypatch.chdir(tmp_path)
    lb.train("faces", "vae", attributes=("told.csv",), out="run", latent_dim=2, hidden=(4,),
             steps=2, compile="no", progress=False, threads=1, likelihood="gaussian")  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    check(lb.open_run(tmp_path / "run").data())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CSV.replace("b/4.png", "b/9.png"), r"came 1 rows without: b/9.png \(line 5\)"),
        (CSV.replace("b/4.png,80,yes\n", ""), "came 1 of 5 images without in told.csv: b/4.png"),
        (CSV + "a/1.png,3,no\n", r"one row for each image, came 2 of a/1.png \(lines 3, 7\)"),
        (CSV.replace("80,yes", "80,smile"), "line 5, bright: expected a number, yes or no"),
        (CSV.replace("80,yes", "nan,yes"), "line 5, level: expected a number"),
        (CSV.replace("80,yes", "80"), "line 5: expected 3 cells, came 2"),
        (CSV.replace("file,", "pictures,"), "expected a column file in the first line"),
        (CSV.replace("bright", "level"), "'level' twice"),
        ("", "expected a column file"),
        ("file\n1.png\n", "came 0 attributes of 1 images"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_line(
    folder: Path, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(LowerboundError, match=message) as told:
        lb.load(folder, attributes=(table(tmp_path / "told.csv", text),))
    assert "\n" not in str(told.value)


def test_images_and_rows_that_are_missing_can_be_left_out(folder: Path, tmp_path: Path) -> None:
    text = CSV.replace("b/4.png", "b/9.png")
    found = lb.load(folder, attributes=(table(tmp_path / "told.csv", text),), skip_bad=True)
    assert len(found.train) + len(found.test) == 4
    check(found)
    assert ("skipped", "1 images without attributes") in found.lines()


def test_a_table_is_of_a_folder_of_images_alone(folder: Path, tmp_path: Path) -> None:
    told = table(tmp_path / "told.csv", CSV)
    np.save(tmp_path / "x.npy", np.zeros((9, 4), np.float32))
    with pytest.raises(LowerboundError, match="'attribute_names'"):
        lb.load(tmp_path / "x.npy", attributes=(told,))
    with pytest.raises(LowerboundError, match="which is no file here nor in faces"):
        lb.load(folder, attributes=("nowhere.csv",))
