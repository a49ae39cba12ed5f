"""Two processes on a CPU do what one does; a NaN on one stops both; what cannot be is refused."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lowerbound.errors import LowerboundError
from lowerbound.training import launch
from lowerbound.training.options import resolve

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path_factory.mktemp("two"))],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_processes_are_one_that_accumulates(report: dict[str, Any]) -> None:
    """The same microbatches, each with the noise of its place: pixels and codes are drawn."""
    found = report["elbo 2"]
    assert found["size"] > 0.1
    assert max(found[name] for name in ("first", "gradients", "weights", "losses")) <= 1e-6
    assert report["apart"] == 0.0  # the two have the very same weights


def test_sigma_is_that_of_the_global_batch(report: dict[str, Any]) -> None:
    """Of sigma "optimal", the batch's mean squared error: over both processes, so that without
    noise two processes are one that takes the whole batch at once. One that accumulates knows a
    microbatch at a time, and has another sigma at each; with noise, neither draws what two do."""
    found = report["noiseless 1"]
    assert found["size"] > 0.1
    assert max(found[name] for name in ("first", "gradients", "weights", "buffers")) <= 1e-6
    assert 1e-6 < report["noiseless 2"]["gradients"] < found["size"]
    assert 1e-6 < report["optimal 2"]["gradients"] < found["size"]


def test_a_nan_on_one_process_stops_both(report: dict[str, Any]) -> None:
    first, second = report["poisoned"]
    assert first == second
    assert first.startswith("the loss of phase 'sour' is not finite at step ")


def test_a_whole_run_in_two_processes(report: dict[str, Any]) -> None:
    assert report["run"] <= 1e-6
    two, one = report["metrics"]
    assert two == one != []
    info = report["info"]
    assert info["status"]["reason"] == "done"
    assert (info["training"]["devices"], info["resolved"]["threads"]) == (2, 1)


def test_a_codebook_in_two_processes(report: dict[str, Any]) -> None:
    """Begun by k-means on the global batch, moved by its running means, restarted from it."""
    apart, restarted = report["codes"]
    assert apart <= 1e-5 < 1e-2 < restarted


# What cannot be


def test_more_devices_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "pick_device", lambda accelerator: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(LowerboundError, match=r"expected 2 GPUs .* found 1; pass --devices 1"):
        launch.check_devices(resolve({"devices": 2}))
    monkeypatch.setattr(launch, "pick_device", lambda accelerator: torch.device("mps"))
    with pytest.raises(LowerboundError, match="found one mps; pass --devices 1"):
        launch.check_devices(resolve({"devices": 2}))


def test_processes_cannot_be_started_from_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with pytest.raises(LowerboundError, match="or pass devices=1"):
        launch.check_devices(resolve({"devices": 2, "accelerator": "cpu"}))
    launch.check_devices(resolve({"devices": 1, "accelerator": "cpu"}))


def test_a_model_that_cannot_travel() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(lambda: None)
    with pytest.raises(LowerboundError, match=r"to another process.*file\.py:function"):
        launch.launch(print, resolve({"devices": 2, "accelerator": "cpu"}), lambda: None)
