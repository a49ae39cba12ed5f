"""From a network's raw numbers for one token to its distribution: the output families."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from ..distributions.discretized import MixtureOfLogistics
from ..errors import LowerboundError

OutputName = Literal["categorical", "logistic"]


class Output(Protocol):
    """What a token is drawn from.

    Attributes:
        levels: number of tokens, K.
        raw: numbers that a network has to return for each token.
    """

    levels: int
    raw: int

    def log_prob(self, raw: Tensor, tokens: Tensor) -> Tensor:
        """Nats of each token: ``(*lead, raw)``, int64 ``(*lead,) -> (*lead,)``."""
        ...

    def logits(self, raw: Tensor) -> Tensor:
        """Of every level, up to a constant: ``(*lead, raw) -> (*lead, K)``, nats."""
        ...


class CategoricalOutput:
    """Any distribution over K tokens: raw numbers are the logits.

    Args:
        levels: number of tokens.
    """

    def __init__(self, levels: int) -> None:
        self.levels = self.raw = levels

    def log_prob(self, raw: Tensor, tokens: Tensor) -> Tensor:
        chosen = raw.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        return chosen - raw.logsumexp(-1)

    def logits(self, raw: Tensor) -> Tensor:
        return raw


class LogisticOutput:
    """A mixture of logistics discretized on K ordered levels, as of sound or of grey values.

    Args:
        levels: number of tokens.
        components: of the mixture; three raw numbers each: weight, mean and log scale, on the
            levels put on [−1, 1].

    Reference:
        Salimans et al. 2017, PixelCNN++, arXiv 1701.05517
    """

    def __init__(self, levels: int, components: int = 10) -> None:
        self.levels, self.components, self.raw = levels, components, 3 * components

    def _mixture(self, raw: Tensor) -> MixtureOfLogistics:
        weights, means, log_scales = raw.chunk(3, -1)
        # Untrained means spread over the levels, scales about the spread of uniform ones.
        spread = torch.linspace(0.1, 0.9, self.components, dtype=raw.dtype, device=raw.device)
        means = spread + 0.5 * means
        # Below 1/100 of a level a logistic is a step, and its gradient numerical noise.
        least = -4.6 - torch.tensor(self.levels - 1.0).log().item()
        return MixtureOfLogistics(
            weights, means, (log_scales - 2.0).clamp(min=least, max=5.0), self.levels, 0
        )

    def log_prob(self, raw: Tensor, tokens: Tensor) -> Tensor:
        return self._mixture(raw).log_prob(tokens.to(raw.dtype) / (self.levels - 1))

    def logits(self, raw: Tensor) -> Tensor:
        x = torch.arange(self.levels, dtype=raw.dtype, device=raw.device) / (self.levels - 1)
        return self._mixture(raw.unsqueeze(-2)).log_prob(x)


def output(name: OutputName, levels: int, components: int = 10) -> Output:
    """The output family of that name.

    Raises:
        LowerboundError: there is none.
    """
    if name == "categorical":
        return CategoricalOutput(levels)
    if name == "logistic":
        return LogisticOutput(levels, components)
    raise LowerboundError(f"output: expected categorical or logistic, came {name!r}")
