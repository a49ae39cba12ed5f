"""Folders and zips of images: exact pixels, labels, splits, and the bad ones named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowerbound.data import load
from lowerbound.data.images import parse_size
from lowerbound.errors import LowerboundError

RANDOM = np.random.default_rng(0)
CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10_jpeg.zip"


def write(path: Path, pixels: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def some(*shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def zipped(folder: Path, prefix: str = "") -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def refused(source: Path, match: str, **options) -> str:
    with pytest.raises(LowerboundError, match=match) as caught:
        load(source, **options)
    message = str(caught.value)
    assert "\n" not in message and "expected" in message and "came" in message
    return message


@pytest.fixture
def classes(tmp_path):
    """train/ and test/ of two classes, and the pixels by name."""
    pixels = {}
    for part, count in (("train", 70), ("test", 3)):
        for name in ("cat", "dog"):
            for index in range(count):
                image = some(5, 6, 3)
                write(tmp_path / "set" / part / name / f"{index:02}.png", image)
                pixels[part, name, index] = image
    return tmp_path / "set", pixels


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("prefix", [None, "", "wrapped/"])
def test_folder_and_zip_hold_the_same(classes, memory, prefix):
    folder, pixels = classes
    source = folder if prefix is None else zipped(folder, prefix)
    data = load(source, memory=memory)
    assert data.train.in_memory is (memory is None)
    for part, split in (("train", data.train), ("test", data.test)):
        names = [each for each in pixels if each[0] == part]
        expected = np.stack([pixels[each].transpose(2, 0, 1) for each in names])
        assert torch.equal(split.all(), torch.from_numpy(expected))
        assert split.labels is not None
        assert [data.spec.classes[each] for each in split.labels] == [each[1] for each in names]
    some_rows = torch.tensor([3, 0, 70])
    assert torch.equal(data.train.stored(some_rows), data.train.all()[some_rows])


@pytest.mark.parametrize("memory", [None, 0])
def test_large_images_are_decoded_by_threads_in_order(tmp_path, memory):
    images = [some(96, 96, 3) for _ in range(40)]  # noise: files above 8 KB
    for index, image in enumerate(images):
        write(tmp_path / "set" / "train" / f"{index:02}.png", image)
    write(tmp_path / "set" / "test" / "a.png", images[0])
    data = load(tmp_path / "set", memory=memory)
    expected = np.stack([image.transpose(2, 0, 1) for image in images])
    assert np.array_equal(data.train.all().numpy(), expected)


def test_grey_formats_keep_their_values(tmp_path):
    pixels = {name: some(4, 7) for name in ("a.pgm", "b.png", "c.bmp", "d.tif")}
    for name, image in pixels.items():
        write(tmp_path / "set" / name, image)
    data = load(tmp_path / "set")
    assert data.spec.event_shape == (1, 4, 7) and data.spec.classes is None
    whole = torch.cat([data.train.all(), data.test.all()])[:, 0].numpy()
    rows = np.concatenate([data.train.rows, data.test.rows])
    for row, image in zip(rows, whole, strict=True):
        assert np.array_equal(image, pixels[sorted(pixels)[row]])


def test_colour_and_grey_together_become_colour(tmp_path):
    grey, colour = some(4, 4), some(4, 4, 3)
    write(tmp_path / "set" / "train" / "a.png", grey)
    write(tmp_path / "set" / "train" / "b.png", colour)
    write(tmp_path / "set" / "test" / "c.png", grey)
    data = load(tmp_path / "set")
    assert np.array_equal(data.train.all()[0].numpy(), np.stack([grey] * 3))
    assert np.array_equal(data.train.all()[1].numpy(), colour.transpose(2, 0, 1))
    assert np.array_equal(data.test.all()[0].numpy(), np.stack([grey] * 3))
    assert "1 colour and 2 grey" in dict(data.lines())["channels"]


def test_transparency_palettes_and_sixteen_bits(tmp_path):
    opaque = np.dstack([some(4, 4, 3), np.full((4, 4), 255, np.uint8)])
    write(tmp_path / "a" / "0.png", opaque)
    write(tmp_path / "a" / "1.png", opaque[::-1].copy())
    Image.fromarray(opaque[..., :3]).quantize(16).save(tmp_path / "a" / "2.png")
    data = load(tmp_path / "a", split_seed=1)
    assert data.spec.event_shape == (3, 4, 4)
    row = data.train.rows.tolist().index(0)
    assert np.array_equal(data.train.all()[row].numpy(), opaque[..., :3].transpose(2, 0, 1))
    deep = some(4, 4).astype(np.uint16) * 256 + 99
    write(tmp_path / "b" / "0.png", deep)
    write(tmp_path / "b" / "1.png", deep[::-1].copy())
    write(tmp_path / "b" / "2.png", deep[:, ::-1].copy())
    data = load(tmp_path / "b")
    expected = np.stack([deep, deep[::-1], deep[:, ::-1]])[data.train.rows] // 256
    assert np.array_equal(data.train.all()[:, 0].numpy(), expected)


def test_photographs_are_turned_upright(tmp_path):
    tag = Image.Exif()
    tag[0x0112] = 6
    for index in range(3):
        write(tmp_path / "set" / f"{index}.jpg", some(4, 8, 3), exif=tag)
    assert load(tmp_path / "set").spec.event_shape == (3, 8, 4)
    assert load(tmp_path / "set", memory=0).spec.event_shape == (3, 8, 4)


@pytest.mark.parametrize("memory", [None, 0])
def test_mixed_sizes_need_a_size(tmp_path, memory):
    write(tmp_path / "set" / "a.png", some(4, 6))
    write(tmp_path / "set" / "b.png", some(9, 9))
    write(tmp_path / "set" / "c.png", some(8, 8))
    message = refused(tmp_path / "set", r"4 x 6 \(a.png\) and 9 x 9 \(b.png\)", memory=memory)
    assert "--size 4" in message
    data = load(tmp_path / "set", size=8, memory=memory)
    assert data.spec.event_shape == (1, 8, 8)
    assert load(tmp_path / "set", size="4x6", memory=memory).spec.event_shape == (1, 4, 6)


@pytest.mark.parametrize(
    ("given", "size"), [(8, (8, 8)), ("8", (8, 8)), ("4x6", (4, 6)), ((4, 6), (4, 6)), (None, None)]
)
def test_sizes(given, size):
    assert parse_size(given) == size


@pytest.mark.parametrize("given", ["big", "0", -3, "1x2x3", ()])
def test_sizes_that_are_none(given):
    with pytest.raises(LowerboundError, match="expected size as 64 or 48x64"):
        parse_size(given)


@pytest.fixture
def damaged(tmp_path):
    """Eight good images, one cut short and one that is a text."""
    folder = tmp_path / "set"
    for index in range(8):
        write(folder / f"{index}.png", some(16, 16, 3))
    write(folder / "cut.jpg", some(16, 16, 3))
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no image at all")
    return folder


def test_bad_images_are_named(damaged):
    message = refused(damaged, "came 2 that do not")
    assert "cut.jpg" in message and "text.png (no image)" in message and "--skip-bad" in message


@pytest.mark.parametrize("memory", [None, 0])
def test_bad_images_are_skipped_when_asked_for(damaged, memory):
    data = load(damaged, skip_bad=True, memory=memory)
    assert len(data.train) + len(data.test) == 8
    assert "2 images" in dict(data.lines())["skipped"]


def test_only_bad_images(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    refused(tmp_path, "came 1 that do not", skip_bad=True)


def test_an_image_cut_short_is_named_when_it_is_decoded_later(damaged):
    (damaged / "text.png").unlink()
    refused(damaged, "cut.jpg", memory=0)


def test_nothing_there(tmp_path):
    refused(tmp_path, "came nothing")
    (tmp_path / "notes.txt").write_text("a")
    refused(tmp_path, "came 1 other files")
    refused(tmp_path / "absent", "does not exist|neither")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    refused(tmp_path / "cut.zip", "came cut.zip which does not open")


def test_one_image_is_too_few(tmp_path):
    write(tmp_path / "a.png", some(4, 4))
    refused(tmp_path, "at least 2 examples")


def test_hidden_and_other_files_are_left_aside(tmp_path):
    for index in range(4):
        write(tmp_path / "set" / f"{index}.png", some(4, 4))
        write(tmp_path / "set" / "__MACOSX" / f"._{index}.png", some(4, 5))
    (tmp_path / "set" / ".DS_Store").write_text("a")
    (tmp_path / "set" / "readme.txt").write_text("a")
    for source in (tmp_path / "set", zipped(tmp_path / "set")):
        data = load(source)
        assert data.facts.train + data.facts.test == 4
        assert dict(data.lines())["left aside"].startswith("1 files")


def test_a_class_called_test_is_no_split(tmp_path):
    for name in ("test", "other"):
        for index in range(3):
            write(tmp_path / name / f"{index}.png", some(4, 4))
    assert load(tmp_path).spec.classes == ("other", "test")


@pytest.mark.skipif(not CIFAR.is_file(), reason="the JPEG copies of CIFAR-10 are not here")
def test_a_real_zip_of_class_folders(tmp_path):
    with zipfile.ZipFile(CIFAR) as archive:
        names = [name for name in archive.namelist() if name.endswith(("000.jpg", "001.jpg"))]
        archive.extractall(tmp_path / "set", names)
        first = np.asarray(Image.open(archive.open("train/airplane/0000.jpg")))
    data = load(tmp_path / "set")
    assert data.spec.event_shape == (3, 32, 32) and len(data.spec.classes) == 10
    assert data.spec.likelihood == "discretized-logistic" and data.spec.network == "conv"
    assert np.array_equal(data.train.all()[0].numpy(), first.transpose(2, 0, 1))
