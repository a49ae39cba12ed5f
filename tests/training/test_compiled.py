"""What a compiled step's graph is rewritten to computes what it did."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from lowerbound.training.compiled import compiled
from lowerbound.training.engine import can_compile

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of inductor


class Layers(nn.Module):
    """Two layers; the second's output is what the graph ends with."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(24, 40, dtype=dtype), nn.Linear(40, 8, dtype=dtype)

    def whole(self, x: Tensor) -> Tensor:
        """Of ``(N, 24)``."""
        return self.second(self.first(x).relu())


def products(model: Layers, x: Tensor) -> tuple[Tensor, set[str]]:
    """What comes out compiled, and which kind of products it called."""
    step = compiled(model.whole, torch.device("cpu"))
    with torch.no_grad(), torch._inductor.config.patch({"cpp.enable_kernel_profile": True}):
        step(x)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            found = step(x)
    names = {e.key for e in seen.key_averages()}
    return found, {kind for kind in ("cpu_mm_out", "addmm_out") if any(kind in n for n in names)}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_biases_are_added_behind_rounded_products(dtype: torch.dtype) -> None:
    if trouble := can_compile(torch.device("cpu")):
        pytest.skip(trouble)
    model, x = Layers(dtype), torch.randn(16, 24).to(dtype)
    found, called = products(model, x)
    exact = model.double().whole(x.double())
    if dtype is torch.float32:
        torch.testing.assert_close(found, exact.float())
        return
    assert called == {"cpu_mm_out"}
    torch.testing.assert_close(found.double(), exact, rtol=0.02, atol=0.02)
    model = Layers(dtype)
    nothing, _ = products(model, torch.zeros(16, 24, dtype=dtype))  # the bias alone, exactly
    with torch.no_grad():
        first = model.first.bias.relu().expand(16, -1)
        product = first @ model.second.weight.T
    torch.testing.assert_close(
        nothing.float(), (product.float() + model.second.bias.float()).bfloat16().float(),
        rtol=0, atol=0,
    )  # fmt: skip
