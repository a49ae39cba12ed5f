"""A run that is killed again and again ends as one that never was: same bits, same metrics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lowerbound.training.checkpoint import load_tensors
from lowerbound.training.engine import can_compile

KILLED = Path(__file__).with_name("killed.py")


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Lines of a run's metrics, without what the clock says."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    clock = ("seconds", "examples_per_second")
    return [{k: v for k, v in json.loads(line).items() if k not in clock} for line in lines]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks a process for each kill")
@pytest.mark.parametrize(
    ("precision", "compiled", "kills"),
    [("float32", "no", 10), ("bfloat16", "no", 3), ("float32", "yes", 1)],
    ids=["eager", "bfloat16", "compiled"],
)
def test_killed_at_random_moments(
    tmp_path: Path, precision: str, compiled: str, kills: int
) -> None:
    if compiled == "yes" and (trouble := can_compile(torch.device("cpu"))):
        pytest.skip(trouble)
    done = subprocess.run(
        [sys.executable, str(KILLED), str(tmp_path), precision, compiled, str(kills)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["codes"] == [0, *[-signal.SIGKILL] * kills, 0], done.stderr

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        expected, about = load_tensors(whole / name)
        found, _ = load_tensors(killed / name)
        assert about["step"] == told["steps"]
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert metrics(killed) == metrics(whole)
    info = json.loads((killed / "run.json").read_text())
    assert info["status"]["reason"] == "done"
    assert info["resolved"]["compile"] is (compiled == "yes")
    assert info["resolved"]["precision"] == precision
    assert not [path for path in killed.iterdir() if path.name.endswith(".writing")]
