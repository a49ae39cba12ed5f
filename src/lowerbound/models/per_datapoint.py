"""Variational inference without an encoder: a normal of its own for each training example."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import DiagonalNormal
from ..distributions.families import LOG_SCALE_RANGE
from ..errors import LowerboundError
from ..inference import refine
from .conditions import Condition
from .vae import LatentModel

# Adam moves what it trains by about the learning rate whenever a gradient comes, which for a row
# of the table is once an epoch. The table holds tenths of the parameters, so that they move ten
# times as far as a decoder's weights.
_SCALE = 10.0
_START_LOG_SCALE = -1.0


class Position(Condition):
    """Which training example it is; nothing for data that are none."""

    side = "position"
    event_ranks = (0,)

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        return () if side is None else (side,)

    def embeddings(self) -> list[nn.Module]:
        return []


class Table(nn.Module):
    """q_i(z) = N(μ_i, diag(σ_i²)), i = 1 … N (EQUATIONS 11): 2 · N rows of numbers and no network.

    Args:
        examples: N.
        latent_shape: of one code.
    """

    def __init__(self, examples: int, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = tuple(latent_shape)
        start = 0.1 * torch.randn(examples, *latent_shape)  # different, for symmetry's sake
        self.loc = nn.Parameter(start / _SCALE)
        self.log_scale = nn.Parameter(
            torch.full((examples, *latent_shape), _START_LOG_SCALE / _SCALE)
        )

    def forward(self, x: Tensor, *context: Tensor) -> DiagonalNormal:
        """Of the examples at the positions that ``context`` holds, ``(B,)``; x is not looked at."""
        (position,) = context
        position = position.reshape(-1)
        loc = _SCALE * self.loc.index_select(0, position)
        log_scale = (_SCALE * self.log_scale.index_select(0, position)).clamp(*LOG_SCALE_RANGE)
        return DiagonalNormal(loc, log_scale, len(self.event_shape))

    def extra_repr(self) -> str:
        return f"{self.loc.shape[0]} × {tuple(self.event_shape)}"


class PerDatapoint(LatentModel):
    """A latent-variable model whose posterior is fitted to each example by itself.

    A training example is known by its position, the context. Any other has no row in the table:
    its q is found when it is asked for, by :func:`lowerbound.inference.refine` from the prior.

    Args:
        prior: p(z), a module that ignores contexts.
        likelihood: p(x | z), ``likelihood(z) -> Distribution``.
        examples: training examples, N.
        event_shape: shape of one example; by default what the likelihood says.
        latent_shape: shape of one code; by default what the prior says.
        no_likelihood: why log p(x) must not be reported, if so.

    Reference:
        Hoffman, Blei, Wang & Paisley 2013, Stochastic variational inference, arXiv 1206.7051;
        amortization in its place: Kingma & Welling 2014, arXiv 1312.6114

    >>> from lowerbound.models import LinearGaussian
    >>> exact = LinearGaussian((5,), latent_dim=2)
    >>> model = PerDatapoint(exact.prior, exact.likelihood, examples=100)
    >>> model.encode(torch.zeros(3, 5), torch.tensor([7, 8, 9])).batch_shape
    torch.Size([3])
    >>> model.counts
    {'model': 0, 'posterior': 400}
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        examples: int,
        *,
        event_shape: tuple[int, ...] | None = None,
        latent_shape: tuple[int, ...] | None = None,
        no_likelihood: str | None = None,
    ) -> None:
        if examples < 1:
            raise LowerboundError(
                f"per-datapoint: expected the number of training examples, came {examples}; pass "
                "data that have some"
            )
        shape = latent_shape or getattr(prior, "event_shape", ())
        super().__init__(
            prior,
            likelihood,
            Table(examples, tuple(shape)),
            event_shape=event_shape,
            latent_shape=latent_shape,
            no_likelihood=no_likelihood,
            condition=Position(),
        )

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q_i of training examples, or for other data a normal that is fitted now.

        Args:
            x: ``(B, *event_shape)``.
            context: positions among the training examples, int64 ``(B,)``, or nothing.
        """
        if not context:
            return refine(self, x, start="prior")
        return self.posterior(x, *context)

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | z), which is the same for every example; ``context`` is left aside."""
        return self.likelihood(z)

    @property
    def counts(self) -> dict[str, int]:
        """Parameters of the model, |θ|, and of its posteriors, (|μ| + |σ|) N."""
        table = sum(p.numel() for p in self.posterior.parameters())
        every = sum(p.numel() for p in self.parameters())
        return {"model": every - table, "posterior": table}
