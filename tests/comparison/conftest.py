"""A few small runs, trained once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb

QUICK: dict[str, Any] = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False}
SMALL: dict[str, Any] = {**QUICK, "latent_dim": 2, "hidden": (16,), "steps": 20}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def levels(folder: Path) -> dict[str, Path]:
    """Grey images with 8 bits, and the same ones with 5."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 6)[None, :, None] * random.uniform(0.3, 1.0, (120, 1, 1))
    grey = (255 * np.clip(ramp + 0.1 * random.normal(size=(120, 6, 6)), 0, 1)).astype(np.uint8)
    found = {"eight": folder / "eight.npz", "five": folder / "five.npz"}
    grey[0, 0, :2] = (0, 255)
    np.savez(found["eight"], train=grey[:90], test=grey[90:], levels=256)
    np.savez(found["five"], train=grey[:90] >> 3, test=grey[90:] >> 3, levels=32)
    return found


@pytest.fixture(scope="session")
def table(folder: Path) -> Path:
    """Real vectors from a linear-Gaussian model of rank 2."""
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 2)) @ random.normal(size=(2, 5)) + 0.3 * random.normal(
        size=(400, 5)
    )
    path = folder / "vectors.npy"
    np.save(path, x.astype(np.float32))
    return path


@pytest.fixture(scope="session")
def runs(folder: Path, levels: dict[str, Path], table: Path) -> dict[str, Path]:
    made = {
        "eight": lb.train(str(levels["eight"]), "vae", out=folder / "r-eight", **SMALL),
        "five": lb.train(str(levels["five"]), "vae", out=folder / "r-five", **SMALL),
        "again": lb.train(str(levels["eight"]), "vae", out=folder / "r-again", seed=1, **SMALL),
        "bernoulli": lb.train(
            str(levels["eight"]),
            "vae",
            out=folder / "r-grey",
            likelihood="bernoulli",
            binarize="none",
            **SMALL,
        ),
        "autoencoder": lb.train(
            str(levels["eight"]), "autoencoder", out=folder / "r-autoencoder", **SMALL
        ),
        "density": lb.train(
            str(levels["eight"]),
            "vae",
            out=folder / "r-density",
            likelihood="gaussian",
            dequantize="uniform",
            **SMALL,
        ),
        "pca": lb.train(str(table), "pca", out=folder / "r-pca", latent_dim=2, **QUICK),
        "pca1": lb.train(str(table), "pca", out=folder / "r-pca1", latent_dim=1, **QUICK),
        "vae": lb.train(str(table), "vae", out=folder / "r-vae", **SMALL),
        "vq": lb.train(
            str(table),
            "vq-vae",
            out=folder / "r-vq",
            positions=2,
            hidden=(16,),
            steps=20,
            quantizer={"name": "vq", "levels": 8, "dim": 4},
            **QUICK,
        ),
    }
    return {name: run.path for name, run in made.items()}
