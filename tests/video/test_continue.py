"""Clips that are continued, sampled and drawn: given frames stay, the others follow the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.errors import LowerboundError
from lowerbound.plots.animation import gif

from .conftest import blinking


def bright(clips: np.ndarray) -> np.ndarray:
    """Which frames of clips (N, F, 1, H, W) are the brighter ones of all, (N, F): a decoder as
    small as this tells them apart long before it is sure."""
    mean = clips.mean((2, 3, 4))
    assert np.ptp(mean) > 10
    return mean > (mean.min() + mean.max()) / 2


def test_given_frames_stay_and_the_others_blink_on(run: lb.Run, clips: Path) -> None:
    values, phase = blinking()
    for which in (0, 1):
        clip = values[phase == which][3][:, None]
        found = lb.complete(run, clip, frames=2, n=20)
        assert np.array_equal(found.completions[:, :2], np.broadcast_to(clip[:2], (20, 2, 1, 4, 4)))
        assert np.array_equal(found.missing.all((1, 2, 3)), np.arange(6) >= 2)
        expected = bright(clip[None])
        assert (bright(found.completions[:, 2:]) == expected[:, 2:]).mean() > 0.9
    short = lb.complete(run, clip[:3], n=2)  # all that there is of it is given
    assert np.array_equal(short.completions[:, :3], np.stack([clip[:3]] * 2))


def test_what_comes_after_the_given_frames_is_not_looked_at(run: lb.Run) -> None:
    clip = blinking()[0][5][:, None]
    other = clip.copy()
    other[2:] = 255 - other[2:]
    first = lb.complete(run, clip, frames=2, n=4, seed=3)
    second = lb.complete(run, other, frames=2, n=4, seed=3)
    assert np.array_equal(first.completions, second.completions)
    assert not np.array_equal(first.completions, lb.complete(run, clip, frames=2, n=4).completions)


def test_codes_of_a_frame_are_of_that_frame_alone(run: lb.Run) -> None:
    x = torch.from_numpy(blinking()[0][:8, :, None]).float() / 255
    with torch.no_grad():
        codes = run.model.encode(x).point  # ty: ignore
        changed = x.clone()
        changed[:, 3] = 1 - changed[:, 3]
        others = run.model.encode(changed).point  # ty: ignore
    assert codes.shape == (8, 6, 1, 1)
    same = torch.arange(6) != 3
    assert torch.equal(codes[:, same], others[:, same])
    assert not torch.equal(codes[:, 3], others[:, 3])


def test_samples_under_an_action(labelled: lb.Run) -> None:
    for action, first in (("on", True), ("off", False)):
        found = lb.sample(labelled, 30, given=f"action={action}")
        expected = (np.arange(6) % 2 == 0) == first
        assert (bright(found) == expected).mean() > 0.9
    with pytest.raises(LowerboundError, match="did you mean 'on'"):
        lb.sample(labelled, 2, given="action=onn")
    with pytest.raises(LowerboundError, match="--given"):
        lb.complete(labelled, blinking()[0][0][:, None], frames=2)
    assert lb.complete(labelled, 0, frames=2, n=2).completions.shape == (2, 6, 1, 4, 4)


def test_verbs_write_gifs(
    run: lb.Run, labelled: lb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "clip.gif"
    clip = blinking()[0][7]
    source.write_bytes(gif(clip[:, None]))
    out = tmp_path / "on.gif"
    arguments = ["complete", str(run.path), str(source), "--frames", "2", "-n", "3", "-o", str(out)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == 4 * 16
    with Image.open(out) as image:
        assert getattr(image, "n_frames", 1) == 6
    assert main([*arguments[:-1], str(tmp_path / "on.npy")]) == 0
    found = np.load(tmp_path / "on.npy")
    assert np.array_equal(found[:, :2, 0], np.stack([clip[:2]] * 3))  # exact, through the GIF
    assert main(["complete", str(run.path), "4", "-o", str(tmp_path / "on.png")]) == 0
    for name in ("x.gif", "x.png", "x.npy"):
        target = str(tmp_path / name)
        assert (
            main(["sample", str(labelled.path), "-n", "4", "--given", "action=on", "-o", target])
            == 0
        )
    assert np.load(tmp_path / "x.npy").shape == (4, 6, 1, 4, 4)
    assert main(["sample", str(labelled.path), "-n", "4", "-o", str(tmp_path / "each.gif")]) == 0
    assert main(["reconstruct", str(run.path), "-n", "4", "-o", str(tmp_path / "r.gif")]) == 0
    capsys.readouterr()
    for wrong in (
        ["complete", str(run.path), str(source), "--frames", "6"],
        ["complete", str(run.path), str(tmp_path / "no.gif")],
        ["complete", str(run.path), "100000"],
    ):
        assert main(wrong) == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_a_run_draws_itself(run: lb.Run) -> None:
    lb.evaluate(run, limit=20)
    names = {path.stem for path in (run.path / "pictures").glob("*.png")}
    assert {"reconstructions", "samples"} <= names
    assert (run.path / "report.html").is_file()


def test_what_cannot_go_on(clips: Path, run: lb.Run) -> None:
    clip = blinking()[0][0][:, None]
    with pytest.raises(LowerboundError, match="from 1 to 5 of the clip's 6"):
        lb.complete(run, clip, frames=6)
    with pytest.raises(LowerboundError, match="at most 6 frames"):
        lb.complete(run, np.zeros((6, 1, 5, 5), np.uint8))
    with pytest.raises(LowerboundError, match="at most 6 frames"):
        lb.complete(run, np.zeros((9, 1, 4, 4), np.uint8))
