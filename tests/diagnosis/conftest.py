"""Runs that are broken on purpose and healthy ones, small, each trained when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.runs import Run

QUICK: dict[str, Any] = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False}
SMALL: dict[str, Any] = {**QUICK, "hidden": (64,), "latent_dim": 4, "steps": 300}
COPIES: dict[str, Any] = {"components": 58, "covariance": "spherical"}
AS_IT_IS: dict[str, Any] = {"hidden": None, "latent_dim": None}


@pytest.fixture(scope="session")
def spiral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy spiral in two dimensions, which a VAE's codes are lost on."""
    random = np.random.default_rng(0)
    t = 3 * np.pi * np.sqrt(random.uniform(0, 1, 2000))
    x = np.stack([t * np.cos(t), t * np.sin(t)], 1) * 2 / (3 * np.pi)
    path = tmp_path_factory.mktemp("data") / "spiral.npy"
    np.save(path, (x + 0.05 * random.normal(size=x.shape)).astype(np.float32))
    return path


def _images(path: Path) -> None:
    """Blobs of 12 x 12 pixels, 60 of them to train on."""
    random = np.random.default_rng(0)
    across = np.arange(12) - random.uniform(2, 10, (100, 2, 1))
    width = random.uniform(1, 2.5, (100, 1, 1))
    found = np.exp(-(across**2) / (2 * width**2))
    grey = np.einsum("ni,nj->nij", found[:, 0], found[:, 1])
    grey = 255 * np.clip(grey + 0.03 * random.normal(size=grey.shape), 0, 1)
    np.savez(path, train=grey[:60].astype(np.uint8), test=grey[60:].astype(np.uint8))


def _ring(path: Path) -> None:
    """Eight normals on a circle."""
    random = np.random.default_rng(0)
    angle = 2 * np.pi * random.integers(0, 8, 2000) / 8
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    np.save(path, (ring + 0.05 * random.normal(size=ring.shape)).astype(np.float32))


def _line(path: Path) -> None:
    """Three clusters along a line, which one component of PCA finds and a normal misses."""
    random = np.random.default_rng(0)
    x = np.outer(random.integers(-1, 2, 2000) * 0.3, [1.0, 0.5, 0.2])
    np.save(path, (x + 0.02 * random.normal(size=x.shape)).astype(np.float32))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, spiral: Path) -> Callable[[str], Run]:
    """A run by name."""
    folder = tmp_path_factory.mktemp("runs")
    data = tmp_path_factory.mktemp("more")
    _images(data / "few.npz")
    _ring(data / "ring.npy")
    _line(data / "line.npy")
    np.save(data / "ten.npy", np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32))
    recipes: dict[str, tuple[str, str, dict[str, Any]]] = {
        "healthy": ("digits", "vae", {**AS_IT_IS, "steps": 800}),
        "pca": ("digits", "pca", {}),
        "two-stage": ("digits", "two-stage", {}),
        "beta": ("digits", "beta-vae", {"beta": 100.0}),
        "rate": ("digits", "vae", {"learning_rate": 1.0}),
        "slow": ("digits", "vae", {"learning_rate": 1e-6}),
        "short": ("digits", "vae", {"steps": 25}),
        "few": ("digits", "vae", {"limit": 20, "steps": 600}),
        "grey": ("digits", "vae", {"likelihood": "bernoulli", "binarize": "none", "steps": 100}),
        "spiral": (str(spiral), "vae", {**AS_IT_IS, "steps": 1000}),
        "copies": (str(data / "few.npz"), "gaussian-mixture", COPIES),
        "three": (str(data / "ring.npy"), "gaussian-mixture", {"components": 3}),
        "ring": (str(data / "ring.npy"), "gaussian-mixture", {"components": 8}),
        "line": (str(data / "line.npy"), "pca", {"latent_dim": 1}),
        "perceptual": ("digits", "dfc-vae", {"hidden": None, "latent_dim": 8, "steps": 150}),
        "one": (str(data / "ten.npy"), "vae", {"steps": 30, "test_fraction": 0.1}),
        "hole": ("digits", "vae", {**AS_IT_IS, "beta": 0.01, "steps": 300}),
    }
    known: dict[str, Run] = {}

    def run(name: str) -> Run:
        if name not in known:
            data, recipe, options = recipes[name]
            base = SMALL
            if recipe in ("pca", "gaussian-mixture"):
                base = {**QUICK, **({"latent_dim": 4} if recipe == "pca" else {})}
            if name == "two-stage":
                base = {**QUICK, "base": str(run("healthy").path)}
            known[name] = lb.train(data, recipe, out=folder / name, **{**base, **options})
        return known[name]

    return run
