"""A small run of clips whose prior goes on as the data do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blinking(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Clips (N, 6, 4, 4) that are bright in every second frame, from the first or the second on."""
    phase = np.random.default_rng(0).integers(2, size=n)
    bright = (np.arange(6) + phase[:, None]) % 2
    chance = np.where(bright == 1, 0.96, 0.04)[:, :, None, None]
    lit = np.random.default_rng(1).random((n, 6, 4, 4)) < chance
    return (255 * lit).astype(np.uint8), phase


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "blinking.npz"
    values, phase = blinking()
    np.savez(path, clips=values, actions=np.array(["off", "on"])[phase])
    return path


@pytest.fixture(scope="session")
def run(clips: Path) -> lb.Run:
    return train(clips, "run")


@pytest.fixture(scope="session")
def labelled(clips: Path) -> lb.Run:
    return train(clips, "labelled", given="labels")


def train(clips: Path, name: str, **options: object) -> lb.Run:
    return lb.train(
        str(clips),
        "vq-vae",
        kind="video",
        out=clips.parent / name,
        prior={"name": "transformer", "width": 16, "layers": 1},
        quantizer={"name": "vq", "levels": 4, "dim": 4},
        channels=16,
        blocks=1,
        steps=240,
        batch_size=50,
        learning_rate=3e-3,
        progress=False,
        **QUICK,
        **options,
    )
