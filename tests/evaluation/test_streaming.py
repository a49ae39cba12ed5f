"""Log-mean-exp and effective sample size in pieces, against the whole."""

import math

import pytest
import torch

from lowerbound.evaluation.streaming import WeightSums


@pytest.mark.parametrize("pieces", [[1000], [1] * 1000, [7, 300, 693]])
def test_streaming_equals_direct(pieces: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    log_weights = 30 * torch.randn(1000, 6, generator=generator, dtype=torch.float64) - 500
    sums = WeightSums(6, log_weights)
    for piece in log_weights.split(pieces):
        sums.add(piece)
    direct = torch.logsumexp(log_weights, 0) - math.log(1000)
    normal = torch.softmax(log_weights, 0)
    torch.testing.assert_close(sums.log_mean(), direct, rtol=1e-12, atol=0)
    torch.testing.assert_close(sums.effective_sample_size(), 1 / normal.square().sum(0))


def test_float32_streaming_is_as_good_as_the_weights() -> None:
    generator = torch.Generator().manual_seed(1)
    log_weights = 3 * torch.randn(100_000, 2, generator=generator) - 90
    sums = WeightSums(2, log_weights)
    for piece in log_weights.split(1024):
        sums.add(piece)
    direct = torch.logsumexp(log_weights.double(), 0) - math.log(100_000)
    torch.testing.assert_close(sums.log_mean().double(), direct, rtol=0, atol=3e-5)


def test_effective_sample_size_of_equal_and_of_one_weight() -> None:
    equal, alone = torch.full((500,), -90.0), torch.full((500,), -90.0)
    alone[17] = 20.0
    sums = WeightSums(2, equal)
    for piece in torch.stack([equal, alone], 1).split(13):
        sums.add(piece)
    torch.testing.assert_close(sums.effective_sample_size(), torch.tensor([500.0, 1.0]))


def test_zero_weights_count_as_samples() -> None:
    log_weights = torch.tensor([[-math.inf, -math.inf], [-math.inf, -math.inf], [0.0, -math.inf]])
    sums = WeightSums(2, log_weights)
    for piece in log_weights:
        sums.add(piece[None])
    assert sums.log_mean().tolist() == [pytest.approx(-math.log(3)), -math.inf]
    assert sums.effective_sample_size().tolist() == [1.0, 0.0]
