"""What people do with their own runs and pictures: numbers as `evaluate` has them, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lowerbound as lb
from lowerbound import exploring
from lowerbound.cli import main
from lowerbound.sound import write_wav

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}


def test_bounds_are_those_of_an_evaluation(faces: lb.Run, here: Path) -> None:
    """Nats of the stored values: in those of x, which is scaled, they are 4,258 nats away."""
    found = lb.map_codes(faces, colour="bound")
    evaluated = lb.evaluate(faces, report=False)
    assert found.values is not None
    assert evaluated.rate is not None and evaluated.distortion is not None
    bound = -(evaluated.rate + evaluated.distortion)
    error = float(found.values.std()) / np.sqrt(len(found.values))
    assert abs(float(found.values.mean()) - bound) < 4 * error
    worst = lb.search(faces, k=3, by="bound")
    np.testing.assert_allclose(np.sort(-found.values)[::-1][:3], worst.score, rtol=0.02)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    waves = np.sin(0.4 * np.arange(24) + np.random.default_rng(0).normal(size=(40, 1)))
    out = tmp_path_factory.mktemp("series") / "run"
    return lb.train(waves[..., None], "td-vae", out=out, kind="sequence", steps=2, **QUICK)


@pytest.mark.parametrize(
    "words",
    ["traverse 3", "plane 3", "interpolate 1 2", "vary 3", "analogy 1 2 3", "search", "search 3",
     "edit 3 --add smile", "map"],
)  # fmt: skip
def test_verbs_of_codes_refuse_sequences_in_a_line(
    series: lb.Run, here: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    verb, *rest = words.split()
    assert main([verb, str(series.path), *rest]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and "expected a" in error


def test_an_edit_is_never_written_over_its_picture(
    digits: lb.Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save("me.png")
    before = Path("me.png").read_bytes()
    assert main(["edit", str(digits.path), "me.png", "--add", "3", "-o", "./me.png"]) == 2
    assert "expected another name to write to" in capsys.readouterr().err
    assert Path("me.png").read_bytes() == before


def test_an_edit_that_changes_nothing_says_so(
    digits: lb.Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = [str(label) for label in np.asarray(digits.data().test.labels)]
    directions = exploring.attributes(digits)
    there = []
    for number, label in enumerate(labels[:30]):
        found = exploring.edit(digits, number, add=label, directions=directions).found
        column = found.names.index(label)
        if found.edited_logits[0, column] == pytest.approx(found.logits[0, column], abs=1e-3):
            there.append((number, label))
    number, label = there[0]
    assert main(["edit", str(digits.path), str(number), "--add", label, "-o", "a.png"]) == 0
    assert f"as far as such examples are; {label}:3 goes on" in capsys.readouterr().err
    assert main(["edit", str(digits.path), str(number), "--add", f"{label}:3", "-o", "b.png"]) == 0
    assert "goes on from there" not in capsys.readouterr().err


def test_a_search_shows_what_the_model_makes_of_ones_own(digits: lb.Run, here: Path) -> None:
    own = digits.data().test.stored(np.array([5])).numpy()[0]
    np.save("own.npy", own)
    found = lb.search(digits, "own.npy", k=2)
    assert found.again is not None
    code = exploring.codes_of(digits, ["own.npy"])
    np.testing.assert_allclose(found.again, exploring.decode_codes(digits, code)[0], atol=1e-6)
    assert main(["search", str(digits.path), "own.npy", "-k", "2", "-o", "near.png"]) == 0
    assert lb.search(digits, k=2).again is None


def test_labels_are_attributes_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = np.arange(1024) / 8000
    for k in range(16):
        pitch = "low" if k % 2 else "high"
        (here / "tones" / pitch).mkdir(parents=True, exist_ok=True)
        wave = 0.5 * np.sin(2 * np.pi * (200 if k % 2 else 800) * time + k)
        (here / "tones" / pitch / f"{k}.wav").write_bytes(write_wav(wave, 8000))
    network: dict[str, Any] = {"name": "wave", "channels": 8, "blocks": 1}
    run = lb.train("tones", "vae", out="run", latent_dim=2, window=0.064, steps=2, batch_size=4,
                   network=network, **QUICK)  # fmt: skip
    assert main(["attributes", str(run.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["attributes"]
    assert [row["name"] for row in told] == ["low"]


def test_a_row_of_other_columns_is_told_which(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    lines = ["height,weight,age", *(",".join(f"{v:.3f}" for v in row) for row in rows)]
    Path("people.csv").write_text("\n".join(lines) + "\n")
    run = lb.train("people.csv", "vae", out="run", latent_dim=2, hidden=(4,), steps=2, **QUICK)
    assert main(["vary", str(run.path), "1,2"]) == 2
    assert "pass 3 numbers: height, weight, age" in capsys.readouterr().err
