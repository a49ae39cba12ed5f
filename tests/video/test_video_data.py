"""Clips from arrays, GIFs and folders of frames: exactly what was stored, or one clear line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.data import Prepare
from lowerbound.data.video import clip_frames
from lowerbound.errors import LowerboundError
from lowerbound.plots.animation import gif

RANDOM = np.random.default_rng(0)


def clips(n: int = 8, frames: int = 5, *shape: int) -> np.ndarray:
    """Grey clips (N, F, H, W), or with what comes after."""
    return RANDOM.integers(0, 256, (n, frames, *(shape or (8, 9))), dtype=np.uint8)


def write_gif(path: Path, clip: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gif(clip[:, None]))


def write_frames(folder: Path, clip: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for at, frame in enumerate(clip):
        Image.fromarray(frame).save(folder / f"frame{at + 8}.png")  # 8, 9, 10: not by letters


@pytest.mark.parametrize("layout", ["NFHWC", "NFCHW", "NFHW"])
def test_stored_to_x_and_back_is_exact(layout: str) -> None:
    x = clips(10, 4, 8, 9, 3)
    array = {"NFHWC": x, "NFCHW": np.moveaxis(x, -1, 2), "NFHW": x[..., 0]}[layout]
    expected = np.moveaxis(x, -1, 2) if layout != "NFHW" else x[:, :, None, :, :, 0]
    data = lb.load(array, kind="video", test_fraction=0.5)
    assert data.spec.kind == "video" and data.spec.event_shape == expected.shape[1:]
    rows = data.train.rows
    assert rows is not None
    stored = data.train.all()
    assert np.array_equal(stored.numpy(), expected[rows])
    prepare = Prepare(data.spec)
    assert torch.equal(prepare.restore(prepare(stored)).round().to(torch.uint8), stored)


def test_five_axes_are_clips_four_are_told_of(tmp_path: Path) -> None:
    assert lb.load(clips(6, 5, 8, 9, 3)).spec.kind == "video"
    data = lb.load(clips(6, 5))
    assert data.spec.kind == "image" and "--kind video" in dict(data.facts.notes)["axes"]
    np.savez(tmp_path / "a.npz", train=clips(6, 5), train_labels=np.arange(6) % 2)
    found = lb.load(tmp_path / "a.npz", kind="video")
    assert found.spec.event_shape == (5, 1, 8, 9) and found.spec.classes == ("0", "1")


def test_gifs_and_folders_of_frames_hold_the_same(tmp_path: Path) -> None:
    x = clips(6)
    x[0, 3] = x[0, 2]  # equal frames in a row, which a GIF has as one of twice the length
    for at, clip in enumerate(x):
        write_gif(tmp_path / "gifs" / "ab"[at % 2] / f"{at}.gif", clip)
        write_frames(tmp_path / "frames" / "ab"[at % 2] / f"clip{at}", clip)
    with zipfile.ZipFile(tmp_path / "gifs.zip", "w") as archive:
        for path in sorted((tmp_path / "gifs").rglob("*.gif")):
            archive.write(path, path.relative_to(tmp_path / "gifs"))
    order = [0, 2, 4, 1, 3, 5]
    for source, kind in (("gifs", "auto"), ("gifs.zip", "auto"), ("frames", "video")):
        data = lb.load(tmp_path / source, kind=kind)
        assert data.spec.kind == "video" and data.spec.classes == ("a", "b")
        found = data.train.source.take(np.arange(6))
        assert np.array_equal(found[:, :, 0], x[order])
        later = lb.load(tmp_path / source, kind=kind, memory=1, frames=3)
        assert not later.train.in_memory
        assert np.array_equal(later.train.source.take(np.array([5]))[0, :, 0], x[5, :3])


def test_splits_by_folder_and_a_folder_of_first_frames(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for at, clip in enumerate(clips(count)):
            write_gif(tmp_path / part / f"{at}.gif", clip)
    data = lb.load(tmp_path)
    assert (len(data.train), len(data.test), data.spec.classes) == (3, 2, None)
    assert lb.load(tmp_path, kind="image").spec.kind == "image"


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_round_trip_keeps_every_value(channels: int) -> None:
    x = RANDOM.integers(0, 256 if channels == 1 else 5, (6, channels, 11, 13), dtype=np.uint8)
    x = x * (1 if channels == 1 else 60)
    found = clip_frames(lambda name: gif(x), "x.gif")
    assert isinstance(found, list)
    assert np.array_equal(np.moveaxis(np.stack(found), -1, 1), x)


def refused(source: object, **options: object) -> str:
    with pytest.raises(LowerboundError) as caught:
        lb.load(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_clips_are_one_line(tmp_path: Path) -> None:
    assert "at least 2 frames" in refused(clips(4, 1, 8, 9, 3))
    assert "kind as auto" in refused(clips(), kind="vidio")
    assert "leave out kind video" in refused(np.zeros((5, 6)), kind="video")
    (tmp_path / "empty").mkdir()
    assert "came nothing" in refused(tmp_path / "empty", kind="video")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("a")
    assert "1 other files" in refused(tmp_path / "text", kind="video")

    one = tmp_path / "one"
    write_frames(one / "a", clips(1, 1)[0])
    write_frames(one / "b", clips(1, 1)[0])
    assert "at least 2 frames, came a" in refused(one, kind="video")

    mixed = tmp_path / "mixed"
    write_gif(mixed / "a.gif", clips(1, 5)[0])
    write_gif(mixed / "b.gif", clips(1, 4)[0])
    write_gif(mixed / "c.gif", clips(1, 4)[0])
    text = refused(mixed)
    assert "5 frames (a.gif) and 4 (b.gif)" in text and "--frames 4" in text
    assert lb.load(mixed, frames=4).spec.event_shape[0] == 4
    assert "at least 5 frames" in refused(mixed, frames=5)

    sizes = tmp_path / "sizes"
    write_gif(sizes / "a.gif", clips(1, 5)[0])
    write_gif(sizes / "b.gif", clips(1, 5, 8, 12)[0])
    write_gif(sizes / "c.gif", clips(1, 5, 8, 12)[0])
    assert "8 x 9 (a.gif) and 8 x 12 (b.gif)" in refused(sizes)
    assert lb.load(sizes, size=8).spec.event_shape == (5, 1, 8, 8)

    inside = tmp_path / "inside"
    write_frames(inside / "a", clips(1, 3)[0])
    Image.fromarray(clips(1, 1, 5, 5)[0, 0]).save(inside / "a" / "frame99.png")
    write_frames(inside / "b", clips(1, 4)[0])
    assert "frames of 5 x 5 and 8 x 9" in refused(inside, kind="video")

    broken = tmp_path / "broken"
    for at, clip in enumerate(clips(4)):
        write_gif(broken / f"{at}.gif", clip)
    cut = (broken / "1.gif").read_bytes()
    (broken / "1.gif").write_bytes(cut[: len(cut) // 3])
    assert "clips that open" in refused(broken)
    data = lb.load(broken, skip_bad=True)
    assert len(data.train) + len(data.test) == 3
    assert "only with a folder or zip of clips" in refused(clips(), frames=3)
