"""What the README shows runs as it stands, but for shorter training."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lowerbound.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS)
def test_python(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: dict = {}
    exec(re.sub(r"epochs=\d+", "epochs=1, threads=1", code), shown)
    assert (shown["run"].path / "weights.safetensors").is_file()


def commands(words: str) -> list[list[str]]:
    lines = re.findall(rf"^(?:\.venv/bin/)?lowerbound ({words}.*)$", README, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_run_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = ["--epochs", "1", "--threads", "1", "--no-evaluate"]
    assert main(["train", "digits", "--out", "runs/photos", *short]) == 0
    for verb in ("evaluate", "sample", "reconstruct", "resume"):
        *_, words = commands(f"{verb} runs/photos")
        assert main([*words, "--samples", "5"] if verb == "evaluate" else words) == 0
    assert Path("out.png").is_file()


def test_the_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, for they build on each other."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for name in ("digit.png", "noisy.png"):
        Image.linear_gradient("L").resize((8, 8)).save(name)
    block = next(b for b in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if " embed " in b)
    lines = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert len(lines) > 8
    short = ["--steps", "3", "--threads", "1"]
    for words in lines:
        trains = words[0] in ("train", "embed")
        assert main([*words, *(short if trains else [])]) == 0, words
    for name in ("threes.png", "completions.png", "clean.png", "maps.png"):
        assert Path(name).is_file()


def test_discrete_codes_and_games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on few examples, without the measuring that others test."""
    monkeypatch.chdir(tmp_path)
    block = next(b for b in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if " encode " in b)
    lines = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert len(lines) > 7
    short = ["--steps", "4", "--threads", "1", "--limit", "40", "--no-evaluate"]
    for words in lines:
        assert main([*words, *(short if words[0] == "train" else [])]) == 0, words
    for name in ("vq.png", "codes.npz", "decoded.npy", "clips.gif"):
        assert Path(name).is_file()


@pytest.mark.parametrize("words", commands("train --recipe") + commands("recipes"))
def test_the_rest(words: list[str]) -> None:
    assert main(words) == 0
