"""Evaluation takes a flow's log p(x) as it is: exact, with neither rate nor distortion."""

from __future__ import annotations

import math

import pytest
import torch

from lowerbound.data.spec import DataSpec
from lowerbound.evaluation import evaluate
from lowerbound.models.flow import vector_flow


@pytest.mark.parametrize("kind", ["nice", "maf"])
def test_a_flow_is_measured_exactly(kind: str) -> None:
    torch.manual_seed(0)
    model = vector_flow((3,), kind, transforms=2, hidden=(8,))  # ty: ignore
    x = torch.randn(50, 3)
    spec = DataSpec("toy", "vector", (3,), "real", log_jacobian=-2.0)
    found = evaluate(model, spec, x)
    with torch.no_grad():
        expected = float(model.log_prob(x).mean()) - 2.0
    assert found.log_likelihood is not None and found.log_likelihood.kind == "exact"
    assert found.log_likelihood.value == pytest.approx(expected, abs=1e-5)
    assert found.log_likelihood.bits_per_dim == pytest.approx(-expected / (3 * math.log(2)))
    assert found.rate is None and found.distortion is None and found.bound is None
    assert found.squared_error is None and found.latent_dim == 3
