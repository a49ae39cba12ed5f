"""One thread, and small runs that are trained once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import lowerbound as lb

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Avatars of 16 pixels, a few steps."""
    out = tmp_path_factory.mktemp("faces") / "run"
    options: dict[str, Any] = {"latent_dim": 24, "hidden": (128,), "network": "mlp"}
    options |= {"likelihood": "gaussian", "size": 16, "limit": 700, "steps": 300}
    return lb.train("avatars", "vae", out=out, **options, **QUICK)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Digits in two dimensions."""
    out = tmp_path_factory.mktemp("digits") / "run"
    return lb.train("digits", "vae", out=out, latent_dim=2, hidden=(64,), steps=300, **QUICK)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
