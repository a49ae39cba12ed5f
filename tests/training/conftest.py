"""Small data, the options of quick runs, and models of two numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import Terms
from lowerbound.data import Data, load
from lowerbound.training.events import Event
from lowerbound.training.fit import fit
from lowerbound.training.options import resolve
from lowerbound.training.phase import Phase

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """One thread, and the default generator of the test that follows."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield


@pytest.fixture
def table() -> Data:
    """96 examples of 3 real numbers, of which 16 are validation and 16 test; not standardized."""
    values = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32) + 1.0
    arrays = {"train": values[:64], "validation": values[64:80], "test": values[80:]}
    return load(arrays, standardize=False)


@pytest.fixture
def digits() -> Data:
    """128 digits, and as many for testing."""
    return load("digits", limit=128)


class Numbers(nn.Module):
    """A model of two trainable vectors, `left` and `right`, that start at zero."""

    event_shape = (3,)

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.ParameterList([torch.zeros(3)])
        self.right = nn.ParameterList([torch.zeros(3)])


def distance(model: Numbers, x: Tensor, target: float | Tensor = 0.0) -> Terms:
    """Squared distances of `left` to x and of `right` to a target: no term joins the two."""
    left = (model.left[0] - x).square().sum(1)
    right = (model.right[0] - target).square().sum()
    return Terms(left.mean() + right, {"left": left.detach()})


@pytest.fixture
def numbers() -> tuple[Numbers, Phase]:
    model = Numbers()
    return model, Phase("distance", distance, [model])


@pytest.fixture
def train() -> Callable[..., list[Event]]:
    """`fit` with quick options; returns the events."""

    def run(
        model: nn.Module,
        phases: Any,
        data: Data,
        folder: Path | None = None,
        stop: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> list[Event]:
        phases = [phases] if isinstance(phases, Phase) else phases
        resolved = resolve({**QUICK, **options})
        return list(fit(model, phases, data, resolved, folder=folder, stop=stop))

    return run
