"""Small runs of many recipes, made once; files that are exported of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb

QUICK = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False, "steps": 3}


def data_of(kind: str) -> dict[str, Any]:
    """A few examples with labels and attributes."""
    random = np.random.default_rng(3)
    count = 90
    labels = np.arange(count) % 3
    attributes = np.stack([labels / 2.0, random.normal(size=count)], 1).astype(np.float32)
    if kind == "vector":
        values: Any = np.eye(3, 5)[labels] * 2.0 + random.normal(size=(count, 5))
    elif kind == "grey":
        ramp = np.linspace(0, 1, 8)[None, :, None] * (1 + labels)[:, None, None] / 3.0
        noise = 0.1 * random.normal(size=(count, 8, 8))
        values = (200 * np.clip(ramp + noise, 0, 1)).astype(np.uint8)
    else:
        values = random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    return {"train": values, "labels": labels, "attributes": attributes}


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Make a run: ``make("cvae", "grey", latent_dim=3)``; the same one is made once."""
    folder = tmp_path_factory.mktemp("shipping")
    made: dict[str, Any] = {}

    def run(recipe: str, kind: str, **options: Any) -> Any:
        key = f"{recipe}-{kind}-{len(made)}" if options.pop("anew", False) else f"{recipe}-{kind}"
        if key not in made:
            trained = lb.train(data_of(kind), recipe, out=folder / key, **QUICK, **options)
            made[key] = trained
        return made[key]

    return run


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data are found again: codes of two numbers."""
    path = tmp_path_factory.mktemp("named") / "digits"
    options: dict[str, Any] = {**QUICK, "steps": 60}
    return lb.train("digits", "vae", out=path, latent_dim=2, hidden=(32,), **options).path


@pytest.fixture(scope="session")
def digits_files(digits: Path) -> Any:
    """The same as ONNX files, in `digits-onnx` beside it."""
    return lb.export(digits, digits.parent / "digits-onnx", format="onnx")
