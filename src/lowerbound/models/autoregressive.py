"""An autoregressive network as a model of data: log p(x) exactly, and no codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..autoregressive import AutoregressiveConditional
from ..distributions import PointMass


class AutoregressiveModel(nn.Module):
    """p(x | c) = Π p(x_t | x_1 … x_{t−1}, c). Its code of a datum has no numbers.

    Args:
        likelihood: p(x | c).
        condition: makes the contexts from the data (`Condition`), where there are.

    References:
        van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel recurrent neural networks,
        arXiv 1601.06759

    >>> from lowerbound.autoregressive import WaveNet
    >>> p = AutoregressiveConditional(WaveNet(4, width=8, depth=3), (5,))
    >>> model = AutoregressiveModel(p)
    >>> model.log_prob(model.sample(3)).shape
    torch.Size([3])
    """

    def __init__(
        self, likelihood: AutoregressiveConditional, condition: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.event_shape = likelihood.event_shape
        self.latent_shape: tuple[int, ...] = (0,)
        self.condition = condition
        self.no_likelihood: str | None = None

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x|c), exact: ``B``, nats, for x ``(*B, *event_shape)``."""
        return self.likelihood(*context).log_prob(x)

    def encode(self, x: Tensor, *context: Tensor) -> PointMass:
        """The code of no numbers, batch shape ``B``, for x ``(*B, *event_shape)``."""
        return PointMass(torch.zeros(*x.shape[: x.dim() - len(self.event_shape)], 0).to(x.device))

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, **options: Any) -> Tensor:
        """``n`` data for each condition, ``(n, *B, *event_shape)``.

        Args:
            n: how many.
            context: conditions, each with batch dimensions ``B``.
            **options: temperature, top_k, top_p, guidance (`Autoregressive.sample`).
        """
        return self.likelihood(*context).sample((n,), **options)
