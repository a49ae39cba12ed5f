"""MLPs: known maps, shapes, and where they start."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lowerbound.errors import LowerboundError
from lowerbound.networks import MLP, mlp_pair, nonlinearity, start


def linears(network: nn.Module) -> list[tuple[int, int]]:
    found = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return [(m.in_features, m.out_features) for m in found]


def test_without_hidden_layers_it_is_one_affine_map() -> None:
    network = MLP((2, 3), (4,))
    assert linears(network) == [(6, 4)]
    x = torch.randn(5, 2, 3)
    (layer,) = network.layers
    assert isinstance(layer, nn.Linear)
    torch.testing.assert_close(network(x), x.reshape(5, 6) @ layer.weight.T + layer.bias)


def test_the_encoder_of_the_iwae_paper() -> None:
    pair = mlp_pair((1, 28, 28), (200, 200), "tanh")
    assert linears(pair.encoder((100,))) == [(784, 200), (200, 200), (200, 100)]
    decoder = pair.decoder((50,), (1, 28, 28))
    assert linears(decoder) == [(50, 200), (200, 200), (200, 784)]
    assert sum(isinstance(m, nn.Tanh) for m in decoder.modules()) == 2
    assert decoder(torch.zeros(3, 50)).shape == (3, 1, 28, 28)


def test_context_joins_the_input() -> None:
    network = MLP((3,), (2,), context=4)
    x, a, b = torch.randn(5, 3), torch.randn(5, 1), torch.randn(5, 3)
    (layer,) = network.layers
    assert isinstance(layer, nn.Linear)
    torch.testing.assert_close(network(x, a, b), layer(torch.cat((x, a, b), 1)))


def test_tokens_are_embedded() -> None:
    encoder = mlp_pair((7,), (16,), levels=5).encoder((4,))
    tokens = torch.randint(5, (3, 7))
    assert encoder(tokens).shape == (3, 4)
    changed = tokens.clone()
    changed[0, 6] = (tokens[0, 6] + 1) % 5
    difference = (encoder(tokens) != encoder(changed)).any(1)
    assert difference.tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "tanh", "sigmoid"])
def test_it_starts_at_the_raw_output(name: str) -> None:
    torch.manual_seed(0)
    network = MLP((20,), (3, 4), hidden=(256, 256), activation=name)
    raw = torch.linspace(-2, 2, 12).reshape(3, 4)
    codes = torch.randn(1000, 20)
    assert start(network, raw)
    assert (network(codes) - raw).abs().mean() < 0.5
    assert start(network, raw, codes)
    torch.testing.assert_close(network(codes).mean(0), raw)
    assert not start(nn.Linear(2, 2), torch.zeros(2))


def test_hidden_layers_keep_the_scale() -> None:
    torch.manual_seed(0)
    network = MLP((256,), (1,), hidden=(256,) * 10, activation="relu")
    before_output = network.layers[:-1](torch.randn(500, 256))
    assert 0.3 < before_output.square().mean() < 3


def test_an_unknown_nonlinearity_is_refused() -> None:
    with pytest.raises(LowerboundError, match="unknown activation 'rleu'; did you mean 'relu'"):
        nonlinearity("rleu")


def test_it_compiles_into_one_graph() -> None:
    network = MLP((2, 3), (4, 5), hidden=(6,), context=2)
    x, c = torch.randn(7, 2, 3), torch.randn(7, 2)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, c), network(x, c))
