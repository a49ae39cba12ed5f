"""Captions beside images: tables read, images matched, and every way in which they do not fit."""

from __future__ import annotations

import json
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lowerbound as lb
from lowerbound.data import DataSpec, side_of
from lowerbound.data import captions as module
from lowerbound.data.align import aligned
from lowerbound.errors import LowerboundError
from lowerbound.words import Vocabulary

from .discs import discs

COUNT = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "discs"
    (made / "images").mkdir(parents=True)
    for k, image in enumerate(discs(COUNT)[0]):
        Image.fromarray(image).save(made / "images" / f"{k:02d}.png")
    return made


def lines(per: int = 2) -> list[tuple[str, str]]:
    captions = discs(COUNT)[1]
    return [(f"{k:02d}.png", s) for k in range(COUNT) for s in captions[k][: 1 + k % per]]


def write(folder: Path, rows: list[tuple[str, str]], name: str = "captions.csv") -> Path:
    path = folder / name
    if name.endswith(".jsonl"):
        text = "\n".join(json.dumps({"file": f, "caption": c}) for f, c in rows)
    else:
        text = "\n".join(["file,caption", *(f'{f},"{c}"' for f, c in rows)])
    path.write_text(text + "\n", encoding="utf-8")
    return path


def said(data: lb.Data) -> dict[int, tuple[str, ...]]:
    """Captions by the image's mean, which tells the images apart."""
    found = {}
    for split in (data.train, data.test):
        assert split.sentences is not None
        for k, texts in enumerate(split.sentences):
            found[int(split.stored(np.array([k])).double().sum())] = texts
    return found


def expected() -> dict[int, tuple[str, ...]]:
    images, captions, _ = discs(COUNT)
    return {
        int(image.astype(np.float64).sum()): tuple(captions[k][: 1 + k % 2])
        for k, image in enumerate(images)
    }


@pytest.mark.parametrize("name", ["captions.csv", "captions.jsonl"])
def test_captions_in_the_folder_are_those_of_their_images(folder: Path, name: str) -> None:
    write(folder, lines(), name)
    data = lb.load(folder, captions="auto")
    assert said(data) == expected()
    told = data.spec.captions
    assert told is not None and (told["least"], told["most"]) == (1, 2)
    assert DataSpec.from_json(json.loads(json.dumps(data.spec.to_json()))).captions == told
    assert ("captions" in dict(data.lines())) and "left aside" not in dict(data.lines())
    assert lb.load(folder).spec.captions is None  # none are read where none are asked for


def test_a_table_elsewhere_a_zip_and_paths_do_as_well(folder: Path, tmp_path: Path) -> None:
    rows = [(f"images/{name}", text) for name, text in lines()]
    table = write(tmp_path, rows, "mine.csv")
    data = lb.load(folder, captions=str(table))
    assert said(data) == expected() and data.options["captions"] == str(table.resolve())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (folder / "images").iterdir():
            archive.write(file, f"images/{file.name}")
        archive.write(write(tmp_path, [(n[:2], c) for n, c in lines()]), "captions.csv")
    assert said(lb.load(tmp_path / "all.zip", captions="auto")) == expected()  # without endings


def test_numbers_are_the_sentences_and_fill_up_with_zeros(folder: Path) -> None:
    write(folder, lines())
    data = lb.load(folder, captions="auto")
    assert data.spec.captions is not None and data.test.sentences is not None
    known = Vocabulary.from_json(data.spec.captions)
    side = side_of(data.test, "captions").numpy()
    for row, texts in zip(side, data.test.sentences, strict=True):
        for k, numbers in enumerate(row):
            own = known.ids(texts[k]) if k < len(texts) else []
            assert numbers.tolist() == own + [0] * (len(numbers) - len(own))
    # The vocabulary is of the captions that train, and of no others.
    assert data.train.sentences is not None
    train = [s for texts in data.train.sentences for s in texts]
    assert Vocabulary.of(train).to_json() == known.to_json()


def test_other_data_are_read_by_the_runs_vocabulary(folder: Path) -> None:
    write(folder, lines())
    data = lb.load(folder, captions="auto")
    random = np.random.default_rng(0)
    more = {
        "train": random.integers(0, 255, (8, 16, 16, 3)).astype(np.uint8),
        "captions": ["a small red disc on white", "ein zweiter Kreis"] * 4,
    }
    other = aligned(lb.load(more, captions="auto"), data.spec, "run", "captions")
    assert data.spec.captions is not None and other.test.sentences is not None
    known = Vocabulary.from_json(data.spec.captions)
    for row, texts in zip(side_of(other.test, "captions"), other.test.sentences, strict=True):
        assert [n for n in row[0].tolist() if n] == known.ids(texts[0])


def test_avatars_bring_captions_of_their_own() -> None:
    from lowerbound.data.avatars import captions

    data = lb.load("avatars", size=16, limit=6, captions="auto")
    assert data.train.rows is not None and data.train.sentences == captions(data.train.rows)
    assert data.spec.captions is not None and data.spec.captions["most"] == 5


def test_arrays_lose_captions_with_the_examples_that_are_skipped() -> None:
    random = np.random.default_rng(0)
    images = random.random((10, 8, 8)).astype(np.float32)
    images[3, 0, 0] = np.nan
    texts = [f"number {k}" for k in range(10)]
    data = lb.load({"train": images, "captions": texts}, captions="auto", skip_bad=True)
    for split in (data.train, data.test):
        assert split.sentences is not None
        for k, (text,) in enumerate(split.sentences):
            image = split.stored(np.array([k])).numpy()[0, 0]
            assert np.array_equal(image, images[int(text.split()[1])])


REFUSED = [
    ([("nowhere.png", "a disc"), *lines()], "expected an image for each caption of captions.csv, "
     "came 1 captions without: nowhere.png (line 2)"),
    (lines()[1:], "expected a caption for each image, came 1 of 12 images without in captions.csv: "
     "images/00.png"),
    ([*lines(), ("03.png", "")], "captions.csv, line 20 (03.png): expected a sentence, came an "
     "empty one"),
    ([*lines(), ("03.png", "long " * 10_000)], "at most 256 words, came 10,000; shorten it"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "message"), REFUSED)
def test_what_does_not_fit_is_told_in_a_line(
    folder: Path, rows: list[tuple[str, str]], message: str
) -> None:
    write(folder, rows)
    with pytest.raises(LowerboundError) as error:
        lb.load(folder, captions="auto")
    assert message in str(error.value) and "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected captions in captions.csv, came none"),
        (b"file,caption\n", "expected captions in captions.csv, came none"),
        (b"file,words\na,b\n", "none of them 'caption'"),
        (b"file,caption\n00.png,a man, smiling\n", "line 2: expected 2 cells, came 3"),
        ("file,caption\n00.png,여자\n".encode("cp949"), "line 2: expected text in UTF-8"),
    ],
)
def test_a_table_that_is_none_is_told_in_a_line(folder: Path, content: bytes, message: str) -> None:
    (folder / "captions.csv").write_bytes(content)
    with pytest.raises(LowerboundError) as error:
        lb.load(folder, captions="auto")
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", ['{"file": "00.png"}', "00.png a disc", '["00.png", "a disc"]'])
def test_a_line_that_is_no_object_is_named(folder: Path, content: str) -> None:
    good = json.dumps({"file": "00.png", "caption": ["one disc", "a disc"]})
    (folder / "captions.jsonl").write_text(f"{good}\n{content}\n", encoding="utf-8")
    with pytest.raises(LowerboundError, match=r"captions\.jsonl, line 2: expected an object as"):
        lb.load(folder, captions="auto")


def test_what_does_not_fit_can_be_left_out(folder: Path) -> None:
    write(folder, [("nowhere.png", "a disc"), *lines()[1:]])
    data = lb.load(folder, captions="auto", skip_bad=True)
    images = discs(COUNT)[0]
    first = int(images[0].astype(np.float64).sum())
    assert said(data) == {k: v for k, v in expected().items() if k != first}
    assert dict(data.lines())["skipped"] == "1 images without a caption"


def test_two_images_of_one_name_are_told_apart_by_their_folder(folder: Path) -> None:
    (folder / "more").mkdir()
    Image.fromarray(discs(1, seed=5)[0][0]).save(folder / "more" / "00.png")
    write(folder, [*lines(), ("more/00.png", "another disc")])
    with pytest.raises(LowerboundError, match=r"one image called 00.png, came 2 \(images/00.png"):
        lb.load(folder, captions="auto")
    rows = [(f"images/{name}", text) for name, text in lines()]
    write(folder, [*rows, ("more/00.png", "another disc")])
    assert ("another disc",) in said(lb.load(folder, captions="auto")).values()


def test_captions_are_of_folders_of_images_alone(tmp_path: Path, folder: Path) -> None:
    array = np.random.default_rng(0).random((9, 8, 8))
    with pytest.raises(LowerboundError, match="only with a folder or zip of images"):
        lb.load(array, captions="captions.csv")
    with pytest.raises(LowerboundError, match="no file here nor in discs"):
        lb.load(folder, captions="caption.csv")
    with pytest.raises(LowerboundError, match=r"expected a table \(.csv, .tsv, .jsonl\)"):
        lb.load(folder, captions="captions.txt")


# An encoder of one's own


class Counted:
    """Stands in for sentence-transformers: how often each of four letters occurs."""

    def __init__(self, path: str, device: str, local_files_only: bool) -> None:
        assert local_files_only and device == "cpu"
        if "broken" in path:
            raise ValueError("no weights\nin here")

    def encode(self, texts: list[str], show_progress_bar: bool) -> np.ndarray:
        assert not show_progress_bar
        return np.array([[text.count(letter) + 0.1 for letter in "aeio"] for text in texts])


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_in = types.ModuleType("sentence_transformers")
    vars(stands_in)["SentenceTransformer"] = Counted
    monkeypatch.setitem(sys.modules, "sentence_transformers", stands_in)


def test_an_encoder_of_ones_own_gives_vectors_of_length_one(
    folder: Path, tmp_path: Path, transformers: None
) -> None:
    write(folder, lines())
    model = tmp_path / "model"
    model.mkdir()
    (model / "modules.json").write_text("[]")
    data = lb.load(folder, captions="auto", caption_encoder=str(model))
    side = side_of(data.test, "captions").numpy()
    assert data.spec.captions == {
        "least": 1, "most": 2, "encoder": str(model.resolve()), "width": 4
    }  # fmt: skip
    assert data.test.sentences is not None
    for row, texts in zip(side, data.test.sentences, strict=True):
        for k, vector in enumerate(row):
            counts = np.array([texts[k].count(c) + 0.1 for c in "aeio"]) if k < len(texts) else None
            own = np.zeros(4) if counts is None else counts / np.linalg.norm(counts)
            np.testing.assert_allclose(vector, own, rtol=1e-6)
    run = lb.train(data, "stack-gan", out=tmp_path / "run", progress=False, steps=4, threads=1,
                   compile="no", channels=2, refiner_channels=2, batch_size=4)  # fmt: skip
    assert run.built.phases[0].name == "small-discriminator"
    assert lb.sample(run, 2, text="a red disc").shape == (2, 3, 16, 16)


def test_an_encoder_that_is_not_there_is_told_in_a_line(
    folder: Path, tmp_path: Path, transformers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, lines())
    with pytest.raises(LowerboundError, match="folder of a sentence-transformers model on this"):
        lb.load(folder, captions="auto", caption_encoder=str(tmp_path / "none"))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    with pytest.raises(LowerboundError, match=r"does not load .*ValueError: no weights\)"):
        lb.load(folder, captions="auto", caption_encoder=str(broken))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    with pytest.raises(LowerboundError, match=r"install lowerbound\[text\]"):
        lb.load(folder, captions="auto", caption_encoder=str(other))


def test_a_list_has_a_caption_for_each_example() -> None:
    with pytest.raises(LowerboundError, match="for each of 3 examples in 'captions', came 2"):
        module.of_list(["a", "b"], 3, "captions")
    with pytest.raises(LowerboundError, match="'captions': expected a caption of example 1"):
        module.of_list(["a", [], "b"], 3, "captions")
    say = module.of_list([["a", "b"], "c"], 2, "captions")
    assert say(np.array([1, 0])) == [("c",), ("a", "b")]
