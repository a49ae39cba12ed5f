"""The draws are what they claim to be: tested against the distribution, not against themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound import noise

CPU = torch.device("cpu")
COUNT = 500_000


def drawn(kind: str, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randint(-(2**31), 2**31 - 1, (4,), dtype=torch.int32, generator=generator)
    if kind == "uniform":
        return noise._unit(COUNT, keys[:2]).double().numpy()
    radius = (-2.0 * torch.log1p(-noise._unit(COUNT, keys[:2]))).sqrt()
    return (radius * torch.cos(2 * math.pi * noise._unit(COUNT, keys[2:]))).double().numpy()


@pytest.mark.parametrize(("kind", "law"), [("uniform", stats.uniform), ("normal", stats.norm)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_law_is_right(kind: str, law, seed: int) -> None:
    assert stats.kstest(drawn(kind, seed), law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("lag", [1, 2, 4, 28, 784, 1024])
def test_neighbours_are_independent(lag: int) -> None:
    u = drawn("uniform") - 0.5
    correlation = (u[lag:] * u[:-lag]).mean() * 12
    assert abs(correlation) * math.sqrt(COUNT) < 4
    grid, _, _ = np.histogram2d(u[lag:], u[:-lag], bins=16, range=[[-0.5, 0.5]] * 2)
    assert stats.chisquare(grid.ravel()).pvalue > 1e-4


def test_neighbouring_keys_are_independent() -> None:
    one, two = (
        noise._unit(COUNT, torch.tensor([k, 7], dtype=torch.int32)).double().numpy() - 0.5
        for k in (1, 2)
    )
    grid, _, _ = np.histogram2d(one, two, bins=16, range=[[-0.5, 0.5]] * 2)
    assert stats.chisquare(grid.ravel()).pvalue > 1e-4
    # Two keys that differ in the xor alone visit the same indices in another order: not the same.
    assert not np.array_equal(one, two)


def test_each_low_bit_is_fair() -> None:
    bits = (drawn("uniform") * 2**24).astype(np.int64)
    for place in range(24):
        ones = ((bits >> place) & 1).sum()
        assert abs(ones - COUNT / 2) < 4 * math.sqrt(COUNT / 4)


def test_many_numbers_are_drawn_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = torch.tensor([3, -7], dtype=torch.int32)
    monkeypatch.setattr(noise, "_BLOCK", 1 << 20)
    expected = noise._unit(10_007, keys)
    monkeypatch.setattr(noise, "_BLOCK", 1000)
    assert torch.equal(noise._unit(10_007, keys), expected)


def test_the_same_seed_draws_the_same() -> None:
    torch.manual_seed(3)
    first, second = noise.uniform((5, 7), CPU), noise.uniform((5, 7), CPU)
    torch.manual_seed(3)
    assert torch.equal(first, noise.uniform((5, 7), CPU))
    assert not torch.equal(first, second)


def test_the_draws_of_a_step_are_of_its_keys_and_of_each_other_independent() -> None:
    torch.manual_seed(0)
    keys = noise.step_keys(CPU)
    draws = []
    for _ in range(2):
        torch.manual_seed(1)  # what the generator would say does not matter
        with noise.keyed(keys):
            draws.append([noise.uniform((COUNT,), CPU) for _ in range(2)])
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])
    one, two = (u.double().numpy() for u in draws[0])
    grid, _, _ = np.histogram2d(one, two, bins=16, range=[[0, 1]] * 2)
    assert stats.chisquare(grid.ravel()).pvalue > 1e-4


def test_more_draws_than_keys_go_on_with_others_that_follow_from_them() -> None:
    keys, found = noise.step_keys(CPU), []
    for seed in (1, 2):
        torch.manual_seed(seed)  # what the generator would say does not matter
        with noise.keyed(keys):
            found.append([noise.uniform((COUNT // 10,), CPU) for _ in range(100)])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    draws = torch.stack(found[0])
    assert stats.kstest(draws[32:].flatten(), stats.uniform.cdf).pvalue > 1e-4
    correlation = np.corrcoef(draws.double().numpy()) - np.eye(len(draws))
    assert np.abs(correlation).max() * math.sqrt(COUNT // 10) < 5  # of 4,950 pairs
    torch.manual_seed(5)
    after = noise.uniform((100,), CPU)  # the keys are forgotten behind the step
    torch.manual_seed(5)
    assert torch.equal(after, noise.uniform((100,), CPU))
    assert not any(torch.equal(after, u) for u in draws)
