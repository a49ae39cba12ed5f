"""Residual convolutional networks: any size there and back, and nothing out of sight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lowerbound.errors import LowerboundError
from lowerbound.networks import ConvDecoder, ConvEncoder, conv_pair, start
from lowerbound.networks.conv import ResidualBlock, stages

SIZES = [(1, 4, 4), (1, 5, 5), (3, 7, 4), (1, 8, 8), (2, 9, 31), (1, 28, 28), (3, 33, 17)]


@pytest.mark.parametrize("shape", SIZES)
def test_odd_sizes_come_out_as_they_went_in(shape: tuple[int, int, int]) -> None:
    pair = conv_pair(shape, channels=2, hidden=(8,))
    code = pair.encoder((6,))(torch.randn(3, *shape))
    assert code.shape == (3, 6)
    raw_shape = (2 * shape[0], *shape[1:])
    assert pair.decoder((6,), raw_shape)(code).shape == (3, *raw_shape)


@pytest.mark.parametrize("side", range(4, 70))
def test_the_last_map_is_about_four_wide(side: int) -> None:
    assert 3 <= stages(side, side)[-1][0] <= 5


@pytest.mark.parametrize("shape", [(1, 9, 31), (3, 28, 28)])
def test_every_pixel_is_seen_and_every_pixel_is_reached(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, *shape, requires_grad=True)
    encoder = ConvEncoder(shape, (1,), channels=4)
    (seen,) = torch.autograd.grad(encoder(x).sum(), x)
    assert (seen != 0).all()

    decoder = ConvDecoder((1,), shape, channels=4, activation="tanh")
    z = torch.zeros(1, 1)
    assert (decoder(z) != decoder(z + 1)).all()


def test_context_reaches_both() -> None:
    encoder = ConvEncoder((1, 8, 8), (2,), channels=2, context=3)
    x, c = torch.randn(4, 1, 8, 8), torch.randn(4, 3)
    assert (encoder(x, c) != encoder(x, c + 1)).all()
    decoder = ConvDecoder((2,), (1, 8, 8), channels=2, context=3)
    assert (decoder(torch.zeros(4, 2), c) != decoder(torch.zeros(4, 2), c + 1)).any()


def test_a_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(ResidualBlock(4, "silu")(x), x)


def test_the_scale_is_kept_through_the_stages() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder((3, 64, 64), (1,), channels=16, activation="relu")
    maps = encoder.maps(torch.randn(8, 3, 64, 64))
    assert 0.1 < maps.square().mean() < 3


def test_it_memorises_images_and_every_parameter_learns() -> None:
    torch.manual_seed(0)
    x = torch.rand(4, 2, 11, 9)
    pair = conv_pair((2, 11, 9), channels=8)
    model = nn.Sequential(pair.encoder((4,)), pair.decoder((4,), (2, 11, 9)))
    assert start(model[1], x.mean(0))
    # within the random weights that an output starts with, the mean
    assert (model(x) - x.mean(0)).square().mean() < 0.1
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (model(x) - x).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.02 * (x - x.mean(0)).square().mean()
    still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert still == []


def test_it_compiles_into_one_graph() -> None:
    pair = conv_pair((1, 9, 8), channels=2)
    model = nn.Sequential(pair.encoder((4,)), pair.decoder((4,), (1, 9, 8)))
    x = torch.randn(3, 1, 9, 8)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("shape", [(64,), (1, 3, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(LowerboundError, match="network conv: expected images"):
        conv_pair(shape)
