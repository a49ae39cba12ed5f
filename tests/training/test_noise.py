"""Noise is a function of what names its place, and of nothing else."""

from __future__ import annotations

import itertools

import torch

from lowerbound.training.noise import mix, seed_noise

CPU = torch.device("cpu")


def draw(*key: int) -> torch.Tensor:
    seed_noise(CPU, *key)
    return torch.rand(8)


def test_a_place_has_its_noise() -> None:
    first = draw(0, 5, 0, 0)
    draw(3, 1, 4, 1)
    assert torch.equal(draw(0, 5, 0, 0), first)


def test_other_places_have_other_noise() -> None:
    keys = list(itertools.product(range(3), range(20), range(2), range(2)))
    assert len({mix(*key) for key in keys}) == len(keys)
    drawn = torch.stack([draw(*key) for key in keys])
    assert len(drawn[:, 0].unique()) == len(keys)


def test_keys_are_63_bits_and_well_spread() -> None:
    values = [mix(0, step) for step in range(2000)]
    assert all(0 <= value < 2**63 for value in values)
    ones = torch.tensor([[value >> bit & 1 for bit in range(63)] for value in values]).double()
    # The mean of 2000 fair bits lies within 6 standard deviations of one half.
    assert (ones.mean(0) - 0.5).abs().max() < 6 * 0.5 / 2000**0.5


def test_neighbouring_keys_are_not_correlated() -> None:
    drawn = torch.stack([draw(7, step) for step in range(500)]) - 0.5
    lagged = (drawn[1:] * drawn[:-1]).mean() * 12
    assert abs(float(lagged)) < 6 / (499 * 8) ** 0.5
