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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, spiral: Path) -> Callable[[str], Run]:
    """A run by name."""
    folder = tmp_path_factory.mktemp("runs")
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
        "hole": ("digits", "vae", {**AS_IT_IS, "beta": 0.01, "steps": 300}),
    }
    known: dict[str, Run] = {}

    def run(name: str) -> Run:
        if name not in known:
            data, recipe, options = recipes[name]
            base = {"pca": {**QUICK, "latent_dim": 4}}.get(name, SMALL)
            if name == "two-stage":
                base = {**QUICK, "base": str(run("healthy").path)}
            known[name] = lb.train(data, recipe, out=folder / name, **{**base, **options})
        return known[name]

    return run
