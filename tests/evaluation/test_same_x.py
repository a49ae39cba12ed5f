"""An example alone is the x that it is beside others, of data that are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.evaluation.chosen import choose_examples
from lowerbound.exploring.examples import take
from lowerbound.latent import space_of

QUICK: dict[str, Any] = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False}


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("vae", {"likelihood": "bernoulli", "binarize": "stochastic"}),
        ("completion", {"mask": "boxes"}),
    ],
)
def test_alone_and_beside_others(recipe: str, options: dict[str, Any], tmp_path: Path) -> None:
    shades = np.random.default_rng(0).integers(0, 256, (60, 6, 6)).astype(np.uint8)
    run = lb.train({"train": shades[:40], "test": shades[40:]}, recipe, out=tmp_path / "run",
                   latent_dim=2, hidden=(8,), steps=2, **options, **QUICK)  # fmt: skip
    model, test = run.model, run.data().test
    whole = choose_examples(model, test, run.spec)
    space = space_of(model, "test")
    codes = space.encode(whole.x, *whole.context)
    for number in (0, 7, 19):
        alone = take(run, number, space)
        assert alone.x is not None and torch.equal(alone.x[0], whole.x[number])
        for own, theirs in zip(alone.context, whole.context, strict=True):
            assert torch.equal(own[0], theirs[number])
        assert np.abs(alone.code_in(space) - codes[number]).max() < 1e-6
