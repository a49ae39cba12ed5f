"""The LSTM that a compiled step calls whole: the numbers and gradients of torch's own."""

import pytest
import torch
from torch import Tensor, nn

from lowerbound.networks.lstm import LSTM


@pytest.mark.parametrize("layers", [1, 2])
def test_compiled_it_is_torchs(layers: int) -> None:
    torch.manual_seed(0)
    ours, plain = LSTM(3, 5, layers), nn.LSTM(3, 5, layers, batch_first=True)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(4, 7, 3)
    states = torch.randn(2, layers, 4, 5)
    weights = [torch.randn(shape) for shape in ((4, 7, 5), (layers, 4, 5), (layers, 4, 5))]

    def slopes(network: nn.Module, x: Tensor, hidden: Tensor, cell: Tensor) -> list[Tensor]:
        out, ends = network(x, (hidden, cell))
        value = sum((w * each).sum() for w, each in zip(weights, (out, *ends), strict=True))
        moved = (x, hidden, cell, *network.parameters())
        told = [each.detach() for each in (out, *ends)]
        return [*told, *torch.autograd.grad(value, moved)]

    given = [each.clone().requires_grad_() for each in (x, *states)]
    config = {"allow_rnn": True, "trace_autograd_ops": True}
    with torch._dynamo.config.patch(config):
        compiled = torch.compile(slopes, backend="aot_eager", fullgraph=True, dynamic=False)
        found = compiled(ours, *given)
    for mine, its in zip(found, slopes(plain, *given), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


def test_not_compiled_it_is_torchs_to_the_bit() -> None:
    torch.manual_seed(0)
    ours, plain = LSTM(3, 5), nn.LSTM(3, 5, batch_first=True)
    plain.load_state_dict(ours.state_dict())
    x, state = torch.randn(4, 7, 3), torch.zeros(1, 4, 5)
    assert torch.equal(ours(x, (state, state))[0], plain(x)[0])
