"""Which data have a probability under a model of others."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.data import load, misfit
from lowerbound.data.splits import RowsSplit

RANDOM = np.random.default_rng(0)
LEVELS = RANDOM.integers(0, 17, (60, 6, 6)).astype(np.uint8)
LEVELS.reshape(-1)[:17] = np.arange(17)
TWO = np.where(RANDOM.random((60, 6, 6)) < 0.5, 255, 0).astype(np.uint8)
MIXED = np.column_stack([RANDOM.normal(-7.3, 1.0, 60), RANDOM.integers(0, 9, 60)])
KNOWN = {
    "binary": (TWO, {}),
    "levels": (LEVELS, {}),
    "dequantized": (LEVELS, {"likelihood": "gaussian", "standardize": False}),
    "standardized levels": (LEVELS, {"likelihood": "gaussian", "standardize": True}),
    "binarized": (LEVELS, {"likelihood": "bernoulli"}),
    "floats on levels": ((LEVELS / 16).astype(np.float32), {"likelihood": "discretized-logistic"}),
    "unit": (RANDOM.random((60, 6, 6)), {}),
    "whole columns": (MIXED, {}),
    "tokens": (RANDOM.integers(0, 5, (60, 7)), {}),
    "real": (RANDOM.normal(size=(60, 3)), {}),
}
FOREIGN = {
    "binary": (TWO // 255, "the two values 0 and 255", "1"),
    "levels": (LEVELS / 16 * 15.5, "data in [0, 16] on 17 levels", "0.96875"),
    "dequantized": (LEVELS + 1, "data in [0, 16] on 17 levels", "17"),
    "standardized levels": (LEVELS + 0.5, "whole numbers where the data have them", "0.5"),
    "binarized": (LEVELS * 2, "data in [0, 16]", "18"),
    "floats on levels": (LEVELS * 0.9 / 16, "data in [0, 1] on 17 levels", "0.05625"),
    "unit": (RANDOM.random((60, 6, 6)) * 0.0 - 0.25, "data in [0, 1]", "-0.25"),
    "whole columns": (
        MIXED + np.array([0.0, 0.25]),
        "whole numbers where the data have them",
        None,
    ),
    "tokens": (RANDOM.integers(5, 6, (60, 7)), "categories from 0 to 4", "5"),
}


def rows(values: np.ndarray, shape: tuple[int, ...]) -> RowsSplit:
    from lowerbound.data.arrays import ArrayRows

    return RowsSplit(ArrayRows.of(values.reshape(-1, *shape)))


@pytest.mark.parametrize("case", KNOWN)
def test_a_models_own_data_fit(case: str):
    values, choices = KNOWN[case]
    data = load(values, **choices)
    assert misfit(data.train, data.spec) is None
    assert misfit(data.test, data.spec) is None


@pytest.mark.parametrize("case", FOREIGN)
def test_data_without_probability_are_told(case: str):
    values, choices = KNOWN[case]
    spec = load(values, **choices).spec
    foreign, expected, came = FOREIGN[case]
    found = misfit(rows(foreign, spec.event_shape), spec)
    assert found is not None
    assert found[0] == expected
    assert came is None or found[1] == came


def test_two_values_are_looked_for_in_every_part():
    two = {"train": TWO, "test": TWO[:9]}
    assert load(two).spec.support == "binary"
    grey = TWO[:9].copy()
    grey[3, 2, 1] = 128
    for part in ("test", "validation"):
        spec = load({"train": TWO, "test": TWO[:9], part: grey}).spec
        assert (spec.levels, spec.binarize) == (256, "stochastic")


def test_a_run_refuses_to_measure_what_it_cannot(tmp_path):
    import lowerbound as lb
    from lowerbound.api import _stored

    quick = {"steps": 2, "compile": "no", "latent_dim": 2, "hidden": (4,), "threads": 1}
    run = lb.train(TWO, out=tmp_path / "two", progress=False, **quick)
    grey = LEVELS * 15
    with pytest.raises(lb.LowerboundError, match=r"two values 0 and 255, as .*, came \d+; scale"):
        lb.evaluate(run, grey, samples=2)
    assert lb.evaluate(run, TWO[::-1].copy(), samples=2).data["examples"] == 12
    run = lb.train(LEVELS, out=tmp_path / "17", likelihood="gaussian", progress=False, **quick)
    assert run.spec.dequantize == "uniform"
    x = (np.arange(17) + 0.5 - run.spec.shift) / run.spec.scale  # E[x] of each level
    import torch

    found = _stored(run, torch.from_numpy(x).float(), exact=False)
    np.testing.assert_allclose(found, np.arange(17), atol=1e-5)
