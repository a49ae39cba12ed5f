"""A learning rate that is too high, by curves that are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lowerbound.diagnosis.evidence import Curve
from lowerbound.diagnosis.training import rate_too_high


def evidence(loss: np.ndarray, bound: np.ndarray | None = None) -> Any:
    steps = np.arange(1.0, len(loss) + 1)

    def curve(split: str, of: str | None = None) -> Curve | None:
        values = loss if of is None else bound
        return None if values is None else Curve(steps, steps, values, of or "loss", split)

    return SimpleNamespace(
        curve=curve, training={"learning_rate": 1e-3}, start=None, start_error=0.0, measured={}
    )


def parts(spike: float, steps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Distortion and rate of a run whose rate leaps up at its fourth step, and is given up then."""
    random = np.random.default_rng(0)
    at = np.arange(steps)
    rate = 0.3 * np.exp(-at / 10) + spike * np.exp(-((at - 4) ** 2) / 2)
    return 10 + 2.4 * np.exp(-at / 20) + 0.01 * random.normal(size=steps), rate


@pytest.mark.parametrize("beta", [1.0, 10.0, 100.0, 1e4])
def test_a_weighted_objective_is_no_evidence(beta: float) -> None:
    """Half a nat of rate, which β makes 56, and more than all that the loss has learned."""
    distortion, rate = parts(0.56)
    loss, bound = distortion + beta * rate, distortion + rate
    assert rate_too_high(evidence(loss, bound)) is None
    if beta >= 100:
        learned = loss[0] - loss.min()
        assert loss[4] - loss[0] > 0.5 * learned  # by the loss alone it would be
        assert rate_too_high(evidence(loss)) is not None


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_verdict_has_no_unit(scale: float) -> None:
    random = np.random.default_rng(1)
    healthy = 60 + 70 * np.exp(-np.arange(300) / 40) + random.normal(size=300)
    early, late = healthy.copy(), healthy.copy()
    early[3:6] += 20  # of the first steps' gain it is all, of what the run learns a little
    late[150:160] += 60
    assert rate_too_high(evidence(scale * healthy)) is None
    assert rate_too_high(evidence(scale * early)) is None
    found = rate_too_high(evidence(scale * late))
    assert found is not None and found.cause == "learning-rate-high"


def test_worse_than_untrained_settles_all_that_follows() -> None:
    curve = np.concatenate([[130.0, 1e9], np.full(50, 1e6)])
    given = evidence(curve)
    given.start = 130.0
    found = rate_too_high(given)
    assert found is not None and "worse than the untrained one" in found.says
    assert {"posterior-collapse", "prior-hole", "underfitting", "blur"} <= set(found.settles)
