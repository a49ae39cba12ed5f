"""Ladders: every size there and back, who depends on whom, and where they start."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lowerbound.errors import LowerboundError
from lowerbound.networks import start
from lowerbound.networks.ladder import Ladder, ResidualDense, Rung, conv_ladder, mlp_ladder

SIZES = [(1, 4, 4), (1, 5, 5), (3, 7, 4), (2, 9, 31), (1, 28, 28), (3, 33, 17)]


def climb(ladder: Ladder, x: Tensor, bottom_up: bool) -> list[Tensor]:
    """Features of every layer; with bottom-up from the means that the posteriors give."""
    features = []
    for rung in ladder.rungs:
        features.append(rung.features(x))
        x = features[-1]
        if bottom_up:
            x = rung.posterior(x).chunk(2, 1)[0]
    return features


def below(rung: Rung, above: Tensor | None, z: Tensor) -> Tensor:
    if rung.path is None:
        return z
    return rung.path(z) if above is None else rung.path(above, z)


def descend(ladder: Ladder, codes: list[Tensor]) -> Tensor:
    """The lowest state."""
    state = None
    for rung, z in zip(ladder.rungs[::-1], codes[::-1], strict=True):
        state = below(rung, state, z)
    assert state is not None
    return state


@pytest.mark.parametrize("layers", [(3,), (2, 3), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("bottom_up", [False, True])
@pytest.mark.parametrize("shape", SIZES)
def test_sizes_are_as_they_say(
    shape: tuple[int, int, int], bottom_up: bool, layers: tuple[int, ...]
) -> None:
    ladder = conv_ladder(shape, layers, channels=2, bottom_up=bottom_up)
    check_shapes(ladder, torch.randn(2, *shape), bottom_up)
    for residual in (False, True):
        ladder = mlp_ladder(shape, layers, hidden=(4, 6), bottom_up=bottom_up, residual=residual)
        check_shapes(ladder, torch.randn(2, *shape), bottom_up)


def check_shapes(ladder: Ladder, x: Tensor, bottom_up: bool) -> None:
    raw_shape = (2 * x.shape[1], *x.shape[2:])
    features = climb(ladder, x, bottom_up)
    above = None
    for rung, h in zip(ladder.rungs[::-1], features[::-1], strict=True):
        assert h.shape[1:] == rung.features_shape
        raw = (2, 2 * rung.code_shape[0], *rung.code_shape[1:])
        seen = [h] if above is None or bottom_up else [h, above]
        assert rung.posterior(*seen).shape == raw
        assert (rung.prior is None) == (above is None)
        if rung.prior is not None:
            assert rung.prior(above).shape == raw
        z = torch.randn(2, *rung.code_shape)
        above = below(rung, above, z)
        assert above.shape[1:] == rung.state_shape
    output = ladder.output(raw_shape)
    assert output(above).shape == (2, *raw_shape)


def test_two_layers_are_those_of_the_paper() -> None:
    """784-200-200-z1(100)-100-100-z2(50) and back (arXiv 1509.00519, section 5)."""
    ladder = mlp_ladder((784,), (100, 50), bottom_up=True)

    def sizes(*modules: nn.Module | None) -> list[tuple[int, int]]:
        found = [m for module in modules if module is not None for m in module.modules()]
        return [(m.in_features, m.out_features) for m in found if isinstance(m, nn.Linear)]

    low, high = ladder.rungs
    assert sizes(low.features, low.posterior) == [(784, 200), (200, 200), (200, 200)]
    assert sizes(high.features, high.posterior) == [(100, 100), (100, 100), (100, 100)]
    assert sizes(low.prior, high.prior) == [(50, 100), (100, 100), (100, 200)]
    assert sizes(ladder.output((784,))) == [(100, 200), (200, 200), (200, 784)]


def test_only_a_residual_state_passes_a_layer_by() -> None:
    for residual in (False, True):
        torch.manual_seed(0)
        ladder = mlp_ladder((5,), (3, 2), hidden=(6,), residual=residual)
        codes = [torch.randn(4, 3), torch.randn(4, 2)]
        state = descend(ladder, codes)
        moved = descend(ladder, [codes[0], codes[1] + 1])
        assert torch.equal(state, moved) == (not residual)


def test_every_pixel_is_seen_and_every_layer_reaches_every_pixel() -> None:
    torch.manual_seed(0)
    shape = (1, 28, 28)
    ladder = conv_ladder(shape, (1, 1, 1), channels=4, activation="tanh")
    x = torch.randn(1, *shape, requires_grad=True)
    for h in climb(ladder, x, bottom_up=False)[1:]:  # the lowest looks at its neighbourhood
        (seen,) = torch.autograd.grad(h.sum(), x, retain_graph=True)
        assert (seen != 0).all()
    output = ladder.output(shape)
    codes = [torch.zeros(1, *rung.code_shape) for rung in ladder.rungs]
    before = output(descend(ladder, codes))
    for level in range(3):
        moved = [c + 1.0 * (i == level) for i, c in enumerate(codes)]
        assert (output(descend(ladder, moved)) != before).all()


def test_where_they_start() -> None:
    """Residual blocks as the identity, conditional priors of maps as N(0, 1), outputs as set."""
    torch.manual_seed(0)
    x = torch.randn(2, 6)
    torch.testing.assert_close(ResidualDense(6, "tanh")(x), x)
    ladder = conv_ladder((1, 12, 12), (2, 2), channels=4)
    low, _ = ladder.rungs
    assert low.prior is not None
    above = torch.randn(3, *ladder.rungs[1].state_shape)
    assert not low.prior(above).any()
    ladders = [(ladder, (1, 12, 12)), (mlp_ladder((7,), (3, 2)), (7,))]
    ladders.append((mlp_ladder((7,), (3, 2), residual=True), (7,)))
    for each, shape in ladders:
        output, raw = each.output(shape), torch.randn(shape)
        codes = [torch.randn(500, *rung.code_shape) for rung in each.rungs]
        states = descend(each, codes).detach()
        assert start(output, raw, states)
        torch.testing.assert_close(output(states).mean(0), raw, rtol=0, atol=1e-5)


def test_the_scale_is_kept_through_the_layers() -> None:
    torch.manual_seed(0)
    ladder = conv_ladder((3, 64, 64), (2,) * 8, channels=16, activation="relu")
    for h in climb(ladder, torch.randn(4, 3, 64, 64), bottom_up=False):
        assert 0.1 < h.square().mean() < 3
    state = descend(ladder, [torch.randn(4, *rung.code_shape) for rung in ladder.rungs])
    assert 0.1 < state.square().mean() < 20  # a sum over eight layers
    deep = mlp_ladder((50,), (5,) * 6, hidden=(32, 32), activation="relu", residual=True)
    for h in climb(deep, torch.randn(100, 50), bottom_up=False):
        assert 0.1 < h.square().mean() < 3


def test_tokens_are_embedded_first() -> None:
    for residual in (False, True):
        ladder = mlp_ladder((6,), (3, 2), hidden=(8,), levels=4, residual=residual)
        tokens = torch.randint(0, 4, (5, 6))
        other = (tokens + 1) % 4
        low = ladder.rungs[0].features
        assert (low(tokens) != low(other)).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LowerboundError, match="layers: expected one or more sizes"):
        mlp_ladder((5,), ())
    with pytest.raises(LowerboundError, match=r"each at least 1, came \(2, 0\)"):
        conv_ladder((1, 8, 8), (2, 0))
    with pytest.raises(LowerboundError, match=r"expected images .* pass network mlp"):
        conv_ladder((12,), (2,))
    with pytest.raises(LowerboundError, match="hidden: expected one or more widths"):
        mlp_ladder((5,), (2, 2), hidden=(), residual=True)
