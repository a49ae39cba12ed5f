"""log(1 + e^x) in eager and in compiled code: values and slopes where they are known."""

import math

import pytest
import torch
from torch import Tensor

from lowerbound.distributions.base import softplus

#: x, log(1 + e^x) and its derivative 1 / (1 + e^-x), to full precision by their series.
KNOWN = [
    (0.0, math.log(2.0), 0.5),
    (-80.0, math.exp(-80.0), math.exp(-80.0)),
    (80.0, 80.0, 1.0),
    (-1.0, math.log1p(math.exp(-1.0)), 1.0 / (1.0 + math.e)),
    (3.0, 3.0 + math.log1p(math.exp(-3.0)), 1.0 / (1.0 + math.exp(-3.0))),
]


def both(x: Tensor) -> tuple[Tensor, Tensor]:
    value = softplus(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_slopes(compiled: bool, dtype: torch.dtype) -> None:
    at, values, slopes = (torch.tensor(each, dtype=dtype) for each in zip(*KNOWN, strict=True))
    found = both
    if compiled:
        found = torch.compile(both, backend="aot_eager", fullgraph=True)
    with torch._dynamo.config.patch(trace_autograd_ops=True):
        value, slope = found(at.clone().requires_grad_())
    # In float32 nothing below e^-28 = 7e-13 is told apart: see `softplus`.
    double = dtype == torch.float64
    precise = {"rtol": 1e-14 if double else 1e-6, "atol": 0.0 if double else 7e-13}
    torch.testing.assert_close(value, values, **precise)
    torch.testing.assert_close(slope, slopes, **precise)
