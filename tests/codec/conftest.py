"""Small runs whose codes are whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}
SMALL = {"channels": 8, "blocks": 0, "quantizer": {"name": "vq", "levels": 8, "dim": 4}}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey images of two labels in a file."""
    path = tmp_path_factory.mktemp("codec")
    random = np.random.default_rng(0)
    labels = random.integers(2, size=600)
    images = random.integers(0, 60, (600, 8, 8), dtype=np.uint8)
    images[labels == 1, :, 4:] += 150
    np.savez(path / "halves.npz", images=images, labels=np.array(["left", "right"])[labels])
    return path


def train(folder: Path, name: str, data: str, recipe: str, **options: object) -> lb.Run:
    given = {"steps": 60, "batch_size": 50, "learning_rate": 3e-3, **QUICK, **options}
    return lb.train(str(folder / data), recipe, out=folder / name, progress=False, **given)


@pytest.fixture(scope="session")
def uniform(folder: Path) -> lb.Run:
    return train(folder, "uniform", "halves.npz", "vq-vae", **SMALL)


@pytest.fixture(scope="session")
def fitted(folder: Path) -> lb.Run:
    prior = {"name": "transformer", "width": 16, "layers": 1}
    return train(folder, "fitted", "halves.npz", "vq-vae", prior=prior, steps=120, **SMALL)


@pytest.fixture(scope="session")
def labelled(folder: Path) -> lb.Run:
    prior = {"name": "pixelcnn", "width": 8, "layers": 2}
    return train(folder, "labelled", "halves.npz", "vq-vae", prior=prior, given="labels", **SMALL)
