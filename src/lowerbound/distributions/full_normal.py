"""Normal distributions whose numbers are correlated."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from ..noise import normal
from .base import Located
from .families import LOG_SCALE_RANGE, Family
from .normal import HALF_LOG_2PI


class FullNormal(Located):
    """N(loc, L Lᵀ) over a datum of any shape, whose D numbers are taken in their order.

    Args:
        loc: mean, ``(*batch, *event)``.
        scale_tril: L, ``(*batch, D, D)``: lower triangular, with a positive diagonal.
        event_rank: how many trailing dimensions are one datum.

    >>> q = FullNormal(torch.zeros(3, 2), torch.tensor([[1.0, 0.0], [3.0, 4.0]]).expand(3, 2, 2))
    >>> q.variance[0]
    tensor([ 1., 25.])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real,
        "scale_tril": constraints.lower_cholesky,
    }

    loc: Tensor
    scale_tril: Tensor

    def __init__(self, loc: Tensor, scale_tril: Tensor, event_rank: int = 1) -> None:
        super().__init__(loc, event_rank)
        self.scale_tril = scale_tril

    @property
    def variance(self) -> Tensor:
        """Of each number alone, ``(*batch, *event)``."""
        return self.scale_tril.square().sum(-1).reshape(self.loc.shape)

    @property
    def covariance_matrix(self) -> Tensor:
        """``(*batch, D, D)``."""
        return self.scale_tril @ self.scale_tril.mT

    def expand(self, batch_shape: Any, _instance: Any = None) -> FullNormal:
        """The same distribution under more leading dimensions."""
        return FullNormal(
            self.loc.expand(*batch_shape, *self.event_shape),
            self.scale_tril.expand(*batch_shape, *self.scale_tril.shape[-2:]),
            self.event_rank,
        )

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """z = loc + L ε, ε ~ N(0, I): ``(*sample_shape, *batch, *event)``."""
        return self._place(self._noise(sample_shape))

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and log-densities ``(*sample_shape, *batch)``, without solving for ε."""
        noise = self._noise(sample_shape)
        return self._place(noise), self._log_density(noise.square().sum(-1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return self._log_density(self.whiten(value - self.loc).square().sum(-1))

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return self.log_determinant() + (HALF_LOG_2PI + 0.5) * self.event_shape.numel()

    def log_determinant(self) -> Tensor:
        """log |L|, half that of the covariance: ``(*batch,)``."""
        return log_diagonal(self.scale_tril)

    def whiten(self, difference: Tensor) -> Tensor:
        """L⁻¹ of differences ``(*lead, *event)``, flat: ``(*lead, D)``."""
        columns, lead = self._columns(self._flat(difference))
        solved = torch.linalg.solve_triangular(self.scale_tril, columns, upper=False)
        return self._rows(solved, lead)

    def _flat(self, value: Tensor) -> Tensor:
        return value.flatten(-self.event_rank) if self.event_rank != 1 else value

    def _noise(self, sample_shape: Any) -> Tensor:
        shape = (*sample_shape, *self.batch_shape, self.event_shape.numel())
        return normal(shape, self.loc.dtype, self.loc.device)

    def _place(self, noise: Tensor) -> Tensor:
        columns, lead = self._columns(noise)
        moved = self._rows(self.scale_tril @ columns, lead)
        return self.loc + moved.reshape(*moved.shape[:-1], *self.event_shape)

    def _columns(self, rows: Tensor) -> tuple[Tensor, torch.Size]:
        """``(*sample, *batch, D) -> (*batch, D, samples)``: one product for each covariance.

        A matrix product that broadcasts would copy each L for each sample.
        """
        batch = torch.broadcast_shapes(rows.shape[:-1], self.batch_shape)
        rows = rows.expand(*batch, rows.shape[-1])
        lead = batch[: len(batch) - len(self.batch_shape)]
        return rows.reshape(math.prod(lead), *batch[len(lead) :], -1).movedim(0, -1), lead

    def _rows(self, columns: Tensor, lead: torch.Size) -> Tensor:
        rows = columns.movedim(-1, 0)
        return rows.reshape(*lead, *rows.shape[1:])

    def _log_density(self, square: Tensor) -> Tensor:
        constant = HALF_LOG_2PI * self.event_shape.numel()
        return -0.5 * square - self.log_determinant() - constant


def log_diagonal(scale_tril: Tensor) -> Tensor:
    """Σ log of the diagonal, ``(*batch, D, D) -> (*batch,)``."""
    # Not .diagonal(), at which torch's compiler warns of its own deprecations.
    return scale_tril.flatten(-2)[..., :: scale_tril.shape[-1] + 1].log().sum(-1)


class FullGaussian(Family):
    """A posterior with correlations: N(loc, L Lᵀ).

    Raw, flat for an event of any shape of D numbers: D of loc, D logarithms of L's diagonal
    (clamped to :data:`~lowerbound.distributions.families.LOG_SCALE_RANGE`), and the D(D − 1)/2
    entries below it, row after row.

    Args:
        event_shape: of one code; an int is a vector's length.

    References:
        Kingma and Welling, 2019, https://arxiv.org/abs/1906.02691, 2.5.1

    >>> FullGaussian(2).raw_shape
    (5,)
    >>> FullGaussian(2)(torch.tensor([0.0, 0.0, 0.0, 0.0, 3.0])).scale_tril
    tensor([[1., 0.],
            [3., 1.]])
    """

    supports = frozenset({"real"})
    place: Tensor

    def __init__(self, event_shape: int | tuple[int, ...]) -> None:
        super().__init__(event_shape)
        size = math.prod(self.event_shape)
        below = size * (size - 1) // 2
        self.raw_shape = (2 * size + below,)
        # Where each entry of L comes from: the diagonal, those below it, and one zero.
        place = torch.full((size, size), size + below)
        rows, columns = torch.tril_indices(size, size, -1)
        place[rows, columns] = torch.arange(size, size + below)
        place.diagonal().copy_(torch.arange(size))
        self.register_buffer("place", place.flatten(), persistent=False)

    def forward(self, raw: Tensor) -> FullNormal:
        """Raw ``(*lead, 2D + D(D − 1)/2)``."""
        size = math.prod(self.event_shape)
        loc, log_diagonal, below = raw.tensor_split((size, 2 * size), -1)
        diagonal = log_diagonal.clamp(*LOG_SCALE_RANGE).exp()
        entries = torch.cat([diagonal, below, torch.zeros_like(diagonal[..., :1])], -1)
        scale_tril = entries.index_select(-1, self.place).unflatten(-1, (size, size))
        return FullNormal(loc.unflatten(-1, self.event_shape), scale_tril, self.event_rank)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean, the log std, and no correlation."""
        log_std = std.flatten().log().clamp(*LOG_SCALE_RANGE)
        correlation = log_std.new_zeros(self.raw_shape[0] - 2 * len(log_std))
        return torch.cat([mean.flatten(), log_std, correlation])
