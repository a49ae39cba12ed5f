"""Movies: what is written is what is read, frame for frame, to what H.264 rounds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb
from lowerbound import movies, plots
from lowerbound.cli import main
from lowerbound.errors import LowerboundError


def squares(count: int, size: int = 32) -> np.ndarray:
    """A bright square that goes to the right, uint8 (F, size, size, 3)."""
    frames = np.full((count, size, size, 3), 30, np.uint8)
    for k, frame in enumerate(frames):
        frame[8:24, 2 * k : 2 * k + 8] = (220, 120, 40)
    return frames


def test_frames_come_back_in_order() -> None:
    frames = squares(9)
    found = movies.frames_of(movies.mp4(frames, 0.1))
    assert not isinstance(found, str)
    assert len(found) == 9
    # Colours have half the resolution: away from edges they are those that went in.
    for k, frame in enumerate(found):
        here = frame[10:22, 2 * k + 2 : 2 * k + 6].reshape(-1, 3).mean(0)
        assert np.abs(here - (220, 120, 40)).max() < 6
        assert np.abs(frame[:, -4:].astype(float) - 30).mean() < 3


def test_an_odd_side_gets_one_pixel_more() -> None:
    found = movies.frames_of(movies.mp4(squares(3, 32)[:, :31, :29], 0.1))
    assert not isinstance(found, str)
    assert found[0].shape == (32, 30, 3)


def test_what_is_no_movie_says_so() -> None:
    assert isinstance(movies.frames_of(b"no movie at all"), str)
    whole = movies.mp4(squares(9), 0.1)
    cut = movies.frames_of(whole[: len(whole) // 3])
    assert isinstance(cut, str)


def test_clips_side_by_side_as_a_movie_are_those_of_the_gif() -> None:
    clips = np.moveaxis(squares(4), -1, 1)[None].repeat(3, 0) / 255.0
    found = movies.frames_of(plots.movie(clips, columns=3, scale=2))
    assert not isinstance(found, str)
    height, width = 2 * 32, 2 * (3 * 32 + 2 * 2)
    assert found[0].shape == (height, width, 3)
    second = found[1][2 * 10 : 2 * 22, 2 * (34 + 2) + 4 : 2 * (34 + 10) - 4].reshape(-1, 3).mean(0)
    assert np.abs(second - (220, 120, 40)).max() < 6


def test_a_folder_of_movies_trains_and_a_morph_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for k in range(10):
        path = tmp_path / "clips" / ("left", "right")[k % 2] / f"{k}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = squares(5 + k % 2)
        path.write_bytes(movies.mp4(frames if k % 2 else frames[:, :, ::-1], 0.1))
    data = lb.load("clips", size=16, frames=5)
    assert data.spec.kind == "video"
    assert data.spec.event_shape == (5, 3, 16, 16)
    assert data.spec.classes == ("left", "right")
    quick: dict[str, Any] = {"compile": "no", "progress": False, "threads": 1, "steps": 2}
    lb.train("clips", "vae", out="run", size=16, frames=5, latent_dim=2, **quick)
    assert main(["interpolate", "run", "0", "1", "--steps", "3", "-o", "morph.mp4"]) == 0
    found = movies.frames_of(Path("morph.mp4").read_bytes())
    assert not isinstance(found, str)
    assert len(found) == 5
    Path("clips/left/0.mp4").write_bytes(b"cut")
    assert main(["inspect", "clips", "--size", "16", "--frames", "5"]) == 2
    assert "clips that open" in capsys.readouterr().err


def test_without_pyav_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(LowerboundError, match=r"pip install 'lowerbound\[video\]'"):
        movies.mp4(squares(2), 0.1)
