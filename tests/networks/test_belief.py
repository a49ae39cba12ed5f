"""What a belief keeps before anything was learnt is what its span says."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from lowerbound.errors import LowerboundError
from lowerbound.networks.belief import Recurrent, memory


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@torch.no_grad()
def test_cells_keep_what_they_hold_for_their_time(kind: Literal["gru", "lstm"]) -> None:
    """Without weights a cell decays by k / (k + 1) a step, k from 1 to span - 1."""
    span, steps, width = 50, 7, 5
    torch.manual_seed(0)
    plain = Recurrent(3, width, kind)
    torch.manual_seed(0)
    network = Recurrent(3, width, kind, span=span)
    for mine, other in zip(network.cells.parameters(), plain.cells.parameters(), strict=True):
        mine -= other  # what the span adds, alone
    held = torch.ones(1, 2, width)
    x = torch.randn(2, steps, 3)
    if kind == "lstm":
        _, (_, found) = network.cells(x, (torch.zeros_like(held), held))
    else:
        _, found = network.cells(x, held)
    k = torch.linspace(1.0, span - 1.0, width)
    torch.testing.assert_close(found[0, 0], (k / (k + 1.0)) ** steps)
    torch.testing.assert_close(found[0, 0], found[0, 1])


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@torch.no_grad()
def test_a_step_goes_past_cells_that_tell_nothing(kind: Literal["gru", "lstm"]) -> None:
    """Cells without weights tell 0: what is believed is the step itself, times the gain."""
    network = Recurrent(6, 4, kind, residual=True)
    for weight in network.cells.parameters():
        weight.zero_()
    assert network.gain is not None
    network.gain.copy_(torch.tensor([1.0, 2.0, 0.5, 0.0]))
    steps = 100.0 * torch.randn(2, 3, 6)
    found = network(steps)
    assert torch.equal(found[:, 0], torch.zeros(2, 4))
    torch.testing.assert_close(found[:, 1:], steps[..., :4] * network.gain)


def test_steps_that_go_past_are_as_wide_as_the_belief() -> None:
    with pytest.raises(LowerboundError, match="residual: expected steps of at least 8 numbers"):
        memory("lstm", 3, 8, residual=True)


@pytest.mark.parametrize("given", [{"span": 20}, {"residual": True}])
def test_a_transformer_sees_every_step_anyway(given: dict[str, Any]) -> None:
    assert memory("transformer", 3, 8).width == 8
    with pytest.raises(LowerboundError, match=f"belief_{next(iter(given))}: expected a recurrent"):
        memory("transformer", 3, 8, **given)
