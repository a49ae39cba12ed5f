"""Files of a run: whole or absent, refused where they are not what was written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from lowerbound.errors import LowerboundError
from lowerbound.training import checkpoint
from lowerbound.training.checkpoint import fill, load_tensors, read_about, save_tensors, write_whole
from lowerbound.training.events import HeldOut, Progress, Started
from lowerbound.training.record import Record

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3), "empty": torch.zeros(0)}


def test_tensors_come_back(tmp_path: Path) -> None:
    about = {"step": 3, "seconds": 0.1, "best": None}
    save_tensors(tmp_path / "x.safetensors", TENSORS, about)
    tensors, told = load_tensors(tmp_path / "x.safetensors")
    assert told == about == read_about(tmp_path / "x.safetensors")
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_shared_and_transposed_tensors_come_back(tmp_path: Path) -> None:
    weight = torch.randn(3, 4)
    save_tensors(tmp_path / "x", {"a": weight, "b": weight, "t": weight.t(), "r": weight[1]}, {})
    tensors, _ = load_tensors(tmp_path / "x")
    assert torch.equal(tensors["a"], tensors["b"])
    assert torch.equal(tensors["t"], weight.t())
    assert torch.equal(tensors["r"], weight[1])


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = tmp_path / "weights"
    write_whole(path, b"old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "replace":
        monkeypatch.setattr(Path, "replace", full)
    elif where == "fsync":
        monkeypatch.setattr(checkpoint.os, "fsync", full)
    else:
        opened = Path.open
        monkeypatch.setattr(Path, "open", lambda self, *a, **k: _Full(opened(self, *a, **k)))
    with pytest.raises(LowerboundError, match=r"the disk is full: .*weights needs 0\.0 MB; what w"):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


class _Full:
    """A file that has room for nothing."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    path = small_disk / "weights"
    write_whole(path, b"x" * 10_000)
    with pytest.raises(LowerboundError, match="the disk is full"):
        write_whole(path, b"y" * 100_000)
    assert path.read_bytes() == b"x" * 10_000
    assert os.listdir(small_disk) == ["weights"]


def corrupt(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no header":
        path.write_bytes(b"\xff" * len(content))
    elif how == "description":
        path.write_bytes(save(TENSORS, {"about": "{"}))


@pytest.mark.parametrize("how", ["truncated", "empty", "no header", "description"])
def test_a_corrupt_file_is_named(tmp_path: Path, how: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_tensors(path, TENSORS, {"step": 3})
    corrupt(path, how)
    with pytest.raises(
        LowerboundError, match=r"checkpoint\.safetensors is corrupt \(.*train again"
    ):
        load_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match="is missing: the run is not complete"):
        load_tensors(tmp_path / "checkpoint.safetensors")


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"a": torch.zeros(2)}, r"expected 'b' in it \(1 missing, 0 extra\)"),
        ({"a": torch.zeros(2), "b": torch.zeros(2), "c": torch.zeros(1)}, "'c' in the model"),
        (
            {"a": torch.zeros(2), "b": torch.zeros(3)},
            r"'b' has shape \(3,\), the model's is \(2,\)",
        ),
    ],
)
def test_weights_of_another_model(stored: dict[str, torch.Tensor], message: str) -> None:
    names = {"a": torch.zeros(2), "b": torch.zeros(2)}
    with pytest.raises(LowerboundError, match=message):
        fill(names, stored, Path("weights"))


# Metrics


def told(record: Record, step: int) -> None:
    record(Progress(step, step / 4, 0.5, 1.0, 1000.0, 1e-3, {"loss": 2.0 * step}))
    record(HeldOut(step, step / 4, 0.5, "test", 16, {"loss": 1.0}, best=True))


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_metrics_are_cut_back_to_where_a_run_goes_on(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record(Started(0, 10, 4.0, {}))
    for step in (2, 4, 6):
        told(record, step)
    before = lines(tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "epo')  # a kill tore the line
    record = Record(tmp_path)
    record(Started(4, 10, 4.0, {}))
    assert lines(tmp_path) == before[:4]
    told(record, 6)
    assert lines(tmp_path) == before


def test_a_line_says_where_it_stands(tmp_path: Path) -> None:
    record = Record(tmp_path)
    told(record, 3)
    train, test = lines(tmp_path)
    place = {"step": 3, "epoch": 0.75, "seconds": 0.5}
    speed = {"learning_rate": 1e-3, "examples_per_second": 1000.0}
    assert train == {**place, "split": "train", **speed, "loss": 6.0}
    assert test == {**place, "split": "test", "examples": 16, "loss": 1.0}


def test_tensorboard_files_are_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = Record(tmp_path, "auto")
    record(Started(0, 10, 4.0, {}))
    told(record, 2)
    told(record, 4)
    record.close()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(s.step, s.value) for s in found.Scalars("loss/train")] == [(2, 4.0), (4, 8.0)]
    assert [s.step for s in found.Scalars("loss/test")] == [2, 4]


def test_tensorboard_that_is_asked_for_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LowerboundError, match="pip install tensorboard"):
        Record(tmp_path, "yes")
