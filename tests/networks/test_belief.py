"""What a belief keeps before anything was learnt is what its span says."""

from __future__ import annotations

from typing import Literal

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


def test_a_transformer_has_no_span() -> None:
    assert memory("transformer", 3, 8).width == 8
    with pytest.raises(LowerboundError, match="belief_span: expected a recurrent belief"):
        memory("transformer", 3, 8, span=20)
