"""SIGINT and SIGTERM save and say how to go on; a second one stops at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lowerbound.training.checkpoint import read_about

INTERRUPTED = 130
SLOW = '''
import time
from lowerbound.bounds import elbo
from lowerbound.recipes import Built, vae
from lowerbound.training.phase import Phase

def slow(data, *, latent_dim: int = 2) -> Built:
    """A vae whose steps take long from the tenth on."""
    model, _ = vae(data, latent_dim=latent_dim, hidden=(8,))
    calls = []

    def objective(model, x):
        calls.append(1)
        if len(calls) > 10:
            open("slow", "w").close()
            time.sleep(120)
        return elbo(model, x)

    return Built(model, [Phase("elbo", objective, [model])])
'''


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lowerbound", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(file: Path, process: subprocess.Popen[str], size: int = 0) -> None:
    end = time.monotonic() + 90
    while not file.exists() or file.stat().st_size <= size:
        if size < 0 and file.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


QUICK = ["--limit", "64", "--latent-dim", "2", "--hidden", "8", "--threads", "1"]
QUICK += ["--compile", "no", "--tensorboard", "no"]


@pytest.mark.parametrize("devices", [1, 2])
def test_it_saves_and_says_how_to_go_on(tmp_path: Path, devices: int) -> None:
    run, metrics = tmp_path / "run", tmp_path / "run" / "metrics.jsonl"
    options = [*QUICK, "--minutes", "30", "--accelerator", "cpu", "--devices", str(devices)]
    process = start(tmp_path, "train", "digits", "--out", "run", *options)
    wait_for(metrics, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    assert said.rstrip().endswith("saved; go on with: lowerbound resume run")
    assert "Traceback" not in said
    reached = read_about(run / "checkpoint.safetensors")["step"]
    assert reached > 0
    assert read_about(run / "weights.safetensors")["step"] == reached
    assert json.loads((run / "run.json").read_text())["status"]["reason"] == "interrupted"
    if devices == 2:
        return

    process = start(tmp_path, "resume", "run")
    wait_for(metrics, process, metrics.stat().st_size)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    assert said.rstrip().endswith("saved; go on with: lowerbound resume run")
    assert read_about(run / "checkpoint.safetensors")["step"] > reached


def test_a_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SLOW)
    options = ["--limit", "64", "--threads", "1", "--compile", "no", "--accelerator", "cpu"]
    process = start(
        tmp_path, "train", "digits", "--recipe", "own.py:slow", "--out", "run", *options
    )
    wait_for(tmp_path / "slow", process, -1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # the first one waits for the step to end
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    assert "Traceback" not in said
