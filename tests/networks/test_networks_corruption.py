"""Corruptions change what they should, as often as they should, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lowerbound.errors import LowerboundError
from lowerbound.networks.corruption import (
    Corruption,
    GaussianNoise,
    Masking,
    MaskTokens,
    Patches,
    SaltAndPepper,
)
from lowerbound.options import check
from lowerbound.slots import REGISTRIES, build

SHAPE = (3, 10, 7)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def examples(count: int = 400) -> Tensor:
    return torch.rand(count, *SHAPE) * 0.8 + 0.1  # neither 0 nor 1


def close(share: float, expected: float, count: int) -> bool:
    """Within 4 standard errors of a share of independent choices."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / count)


def split(corruption: Corruption, x: Tensor) -> tuple[Tensor, Tensor]:
    """The corrupted data and the mask, with everything outside it as it was."""
    corrupted, hidden = corruption(x)
    assert hidden is not None and hidden.shape == x.shape
    assert torch.equal(corrupted[~hidden], x[~hidden])
    return corrupted, hidden


def test_masking_hides_each_number_at_its_rate() -> None:
    x = examples()
    corrupted, hidden = split(Masking(SHAPE, 0.3), x)
    assert bool((corrupted[hidden] == 0).all())
    assert close(float(hidden.double().mean()), 0.3, x.numel())
    pairs = (hidden[..., 1:] & hidden[..., :-1]).double()  # neighbours know nothing of each other
    assert abs(float(pairs.mean()) - 0.09) < 4 * 0.5 / math.sqrt(pairs.numel())


def test_masked_numbers_may_be_filled_with_the_mean() -> None:
    x, mean = examples(), torch.rand(SHAPE)
    corruption = Masking(SHAPE, 0.3, fill="mean")
    corruption.start(mean, torch.zeros(SHAPE), torch.ones(SHAPE))
    corrupted, hidden = split(corruption, x)
    assert torch.equal(corrupted[hidden], mean.expand_as(x)[hidden])


def test_gaussian_noise_has_the_variance_it_is_given() -> None:
    x = examples()
    corrupted, hidden = GaussianNoise(SHAPE, 0.7)(x)
    assert hidden is None
    noise, count = (corrupted - x).double(), x.numel()
    assert abs(float(noise.mean())) < 4 * 0.7 / math.sqrt(count)
    assert abs(float(noise.var()) - 0.49) < 4 * 0.49 * math.sqrt(2 / count)


def test_salt_and_pepper_are_equally_likely_ends() -> None:
    x = examples()
    low, high = torch.full(SHAPE, -2.0), torch.full(SHAPE, 5.0)
    corruption = SaltAndPepper(SHAPE, 0.2)
    corruption.start(torch.zeros(SHAPE), low, high)
    corrupted, hidden = split(corruption, x)
    assert close(float((corrupted == -2).double().mean()), 0.1, x.numel())
    assert close(float((corrupted == 5).double().mean()), 0.1, x.numel())
    assert bool(((corrupted[hidden] == -2) | (corrupted[hidden] == 5)).all())


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_patches_are_hidden_whole_and_in_a_fixed_number(fill: Any) -> None:
    x, mean = examples(), torch.rand(SHAPE)
    corruption = Patches(SHAPE, size=4, rate=0.5, fill=fill)  # 3 x 2 patches, smaller at the edges
    corruption.start(mean, torch.zeros(SHAPE), torch.ones(SHAPE))
    corrupted, hidden = split(corruption, x)
    expected = mean.expand_as(x) if fill == "mean" else torch.zeros_like(x)
    assert torch.equal(corrupted[hidden], expected[hidden])
    assert bool((hidden == hidden[:, :1]).all())  # all channels at once
    shares = []
    for top in (0, 4, 8):
        for left in (0, 4):
            patch = hidden[:, 0, top : top + 4, left : left + 4].flatten(1).double().mean(1)
            assert bool(((patch == 0) | (patch == 1)).all())
            shares.append(patch)
    each = torch.stack(shares, 1)
    assert bool((each.sum(1) == 3).all())
    assert all(close(float(share), 0.5, len(x)) for share in each.mean(0))


def test_patches_of_a_vector_are_runs() -> None:
    x = torch.rand(50, 9) + 0.1
    corrupted, hidden = Patches((9,), size=3, rate=0.34)(x)
    runs = corrupted.reshape(50, 3, 3) == 0
    assert hidden is not None and torch.equal(hidden.reshape(50, 3, 3), runs)
    assert bool((runs.all(2) == runs.any(2)).all()) and bool((runs.all(2).sum(1) == 1).all())


@pytest.mark.parametrize("rate", [0.0, 0.999])
def test_patches_hide_something_and_never_all(rate: float) -> None:
    _, hidden = Patches((1, 8, 8), size=4, rate=rate)(torch.ones(20, 1, 8, 8))
    assert hidden is not None
    counts = {int(count) for count in hidden.flatten(1).sum(1)}
    assert counts == {16 if rate == 0 else 48}


def test_leading_dimensions_are_kept() -> None:
    x = torch.rand(4, 5, *SHAPE)
    for name in REGISTRIES["corruption"]:
        corrupted, hidden = build("corruption", name, SHAPE)(x)
        assert corrupted.shape == x.shape and corrupted.dtype == x.dtype
        assert hidden is None or hidden.shape == x.shape


def test_tokens_are_masked_swapped_or_left_in_their_shares() -> None:
    levels, length, count = 11, 20, 4000
    x = torch.randint(0, levels, (count, length))
    tokens, chosen = MaskTokens(levels)(x)
    assert bool((chosen.sum(1) == 3).all())  # 15 % of 20
    assert torch.equal(tokens[~chosen], x[~chosen])
    there, before, number = tokens[chosen], x[chosen], 3 * count
    assert close(float((there == levels).double().mean()), 0.8, number)
    swapped = (there != before) & (there < levels)
    assert close(float(swapped.double().mean()), 0.1 * (levels - 1) / levels, number)
    drawn = torch.bincount(there[swapped], minlength=levels).double()
    expected = float(drawn.mean())
    assert bool(((drawn - expected).abs() < 4 * math.sqrt(expected)).all())
    places = chosen.double().mean(0)
    assert all(close(float(share), 0.15, count) for share in places)
    masked, chosen = MaskTokens(levels, rate=0.9, masked=1.0, random=0.0)(x)
    assert torch.equal(masked == levels, chosen) and bool((chosen.sum(1) == 18).all())


@pytest.mark.parametrize("name", [*REGISTRIES["corruption"], "tokens"])
def test_it_compiles_into_one_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = name == "tokens"
    module = MaskTokens(5) if tokens else build("corruption", name, SHAPE)
    x = torch.randint(0, 5, (6, 9)) if tokens else examples(6)
    torch.manual_seed(1)
    with monkeypatch.context() as patch:  # eager code draws other noise (lowerbound.noise)
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        expected = module(x)
    torch.manual_seed(1)
    found = torch.compile(module, fullgraph=True, backend="eager")(x)
    torch.testing.assert_close(found[0], expected[0])
    assert found[1] is expected[1] or torch.equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        ({"name": "masking", "rate": 1.0}, SHAPE, "masking: expected a rate below 1"),
        ({"name": "patches", "rate": 1}, SHAPE, "hides all there is to learn from"),
        ({"name": "patches", "size": 10}, SHAPE, "expected at least 2 patches"),
        ("patches", (1, 2, 3, 4), r"expected images \(C, H, W\) or vectors"),
        ({"name": "gaussian", "sigma": -1}, SHAPE, "sigma: expected a number of at least 0"),
        ("gausian", SHAPE, "unknown corruption 'gausian'; did you mean 'gaussian'"),
    ],
)
def test_what_cannot_be_is_refused(value: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        build("corruption", value, shape)


def test_shares_of_more_than_one_are_refused() -> None:
    with pytest.raises(LowerboundError, match=r"shares of at most 1 together, came 0.9 and 0.2"):
        MaskTokens(5, masked=0.9, random=0.2)


def test_every_builder_is_documented() -> None:
    for builder in REGISTRIES["corruption"].values():
        assert check(builder, {})
