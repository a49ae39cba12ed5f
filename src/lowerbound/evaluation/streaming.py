"""Sums over importance weights that arrive in pieces."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class WeightSums:
    """Log-mean-exp and effective sample size of weights, a piece of the samples at a time.

    Keeps, for each datum, the largest log weight seen, and the sums of ``w`` and ``w**2`` relative
    to it, so that no exponential overflows and what underflows is negligible.

    Args:
        data: number of data, ``B``.
        like: a tensor whose dtype and device the sums take.
    """

    def __init__(self, data: int, like: Tensor) -> None:
        self.count = 0
        self._largest = like.new_full((data,), -math.inf)
        self._sum = like.new_zeros(data)
        self._sum_of_squares = like.new_zeros(data)

    def add(self, log_weights: Tensor) -> None:
        """Take the next samples' log weights, in nats.

        Args:
            log_weights: ``(S, B)``; ``-inf`` is a weight of zero.
        """
        largest = torch.maximum(self._largest, log_weights.amax(0))
        # All weights zero so far: any finite shift will do, and -inf - -inf would be NaN.
        shift = largest.masked_fill(largest == -math.inf, 0.0)
        weights = torch.exp(log_weights - shift)
        decay = torch.exp(self._largest - shift)
        self._sum = self._sum * decay + weights.sum(0)
        self._sum_of_squares = self._sum_of_squares * decay.square() + weights.square().sum(0)
        self._largest = largest
        self.count += log_weights.shape[0]

    def log_mean(self) -> Tensor:
        """``log (1/K) sum_k w_k``, nats, ``(B,)``."""
        return self._largest + torch.log(self._sum) - math.log(self.count)

    def effective_sample_size(self) -> Tensor:
        """``(sum w)**2 / sum w**2``, ``(B,)``: K for equal weights, 1 where one has it all.

        0 where every weight is zero.
        """
        ess = self._sum.square() / self._sum_of_squares
        return ess.masked_fill(self._sum == 0, 0.0)
