"""Realism scores against sums written out, and the share of artifacts against its quantile."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import artifacts, realism


def test_realism_is_the_largest_ratio_of_a_small_ball_to_the_distance() -> None:
    random = np.random.default_rng(0)
    real, samples = random.normal(size=(41, 3)), random.normal(size=(7, 3))
    among = np.linalg.norm(real[:, None] - real, axis=2)
    radius = np.sort(among, 1)[:, 3]  # the first is the example itself
    small = radius <= np.sort(radius)[20]  # the middle one of 41
    expected = [
        max(r / np.linalg.norm(s - x) for x, r in zip(real[small], radius[small], strict=True))
        for s in samples
    ]
    np.testing.assert_allclose(realism(real, samples), expected, rtol=1e-6)
    assert np.isinf(realism(real, real[small][:5])).all()


def test_samples_of_the_data_have_as_many_artifacts_as_the_quantile() -> None:
    random = np.random.default_rng(1)
    real, others, samples = (random.normal(size=(n, 2)) for n in (2000, 4000, 4000))
    found = artifacts(real, samples, others, quantile=0.05)
    # The limit is estimated, too.
    error = (2 * 0.05 * 0.95 / 4000) ** 0.5
    assert abs(found.value - 0.05) < 4 * error
    far = np.concatenate([samples, np.full((1000, 2), 8.0) + random.normal(size=(1000, 2))])
    share = artifacts(real, far, others, quantile=0.05).value
    assert abs(share - (0.2 + 0.8 * found.value)) < 1e-9


def test_too_few_examples_for_a_quantile_are_refused() -> None:
    x = np.zeros((50, 2))
    with pytest.raises(LowerboundError, match="at least 100 other real examples"):
        artifacts(x, x, x)
