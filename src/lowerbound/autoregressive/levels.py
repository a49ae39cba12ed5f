"""p(z) of codes on two grids: the coarse ones first, then the fine ones given these."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..distributions.base import EventDistribution
from .conditional import AutoregressiveConditional
from .distribution import Autoregressive


class TwoLevelPrior(nn.Module):
    """p(z | c) = p(coarse | c) p(fine | coarse, c), each autoregressive over its own grid.

    A code is ``(P_coarse + P_fine,)`` whole numbers, or ``(heads, P_coarse + P_fine)``.

    Args:
        coarse: over the coarse grid.
        fine: over the fine one; its last context are codes of the coarse one.

    Reference:
        Razavi, van den Oord & Vinyals 2019, arXiv 1906.00446, section 3.2
    """

    def __init__(self, coarse: AutoregressiveConditional, fine: AutoregressiveConditional) -> None:
        super().__init__()
        self.coarse, self.fine = coarse, fine

    def forward(self, *contexts: Tensor) -> TwoLevelCodes:
        """Batch shape: the contexts' leading dimensions."""
        return TwoLevelCodes(
            self.coarse(*contexts),
            lambda codes: self.fine(*contexts, codes),
            self.fine.event_shape,
        )


class TwoLevelCodes(EventDistribution):
    """The distribution of a `TwoLevelPrior`.

    Args:
        coarse: of the coarse codes.
        fine: coarse codes ``(*lead, *event)`` to the distribution of the fine ones.
        fine_shape: event shape of that.
    """

    has_rsample = False
    #: As of `Autoregressive`; guidance is of the coarse codes alone, which say what it is of.
    sampling_options = Autoregressive.sampling_options
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        coarse: Autoregressive,
        fine: Callable[[Tensor], Autoregressive],
        fine_shape: tuple[int, ...],
    ) -> None:
        # Not super().__init__, which reads the shapes off a tensor of parameters.
        self.coarse, self.fine = coarse, fine
        shapes = (tuple(coarse.event_shape), tuple(fine_shape))
        heads = shapes[0][:1] if coarse.heads > 1 else ()
        self._grids = tuple(shape[len(heads) :] for shape in shapes)
        self.positions = tuple(math.prod(grid) for grid in self._grids)
        self._batch_shape = coarse.batch_shape
        self._event_shape = torch.Size((*heads, sum(self.positions)))
        self._event_dims = tuple(range(-len(self._event_shape), 0))

    @property
    def support(self) -> constraints.Constraint:
        """{0, …, K − 1}^event."""
        top = self.coarse.network.levels - 1
        return constraints.independent(constraints.integer_interval(0, top), self.event_rank)

    def apart(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Codes ``(*lead, *event)`` as those of the two grids, each in its shape."""
        parts = value.split(self.positions, -1)
        first, rest = (
            part.unflatten(-1, grid) for part, grid in zip(parts, self._grids, strict=True)
        )
        return first, rest

    def together(self, first: Tensor, rest: Tensor) -> Tensor:
        """The other way round."""
        flat = [first.flatten(-len(self._grids[0])), rest.flatten(-len(self._grids[1]))]
        return torch.cat(flat, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, exact: ``(*lead, *event) -> (*lead,)``."""
        lead = torch.broadcast_shapes(value.shape[: -self.event_rank], self._batch_shape)
        first, rest = self.apart(value.expand(*lead, *self.event_shape))
        return self.coarse.log_prob(first) + self.fine(first).log_prob(rest)

    def sample(self, sample_shape: Any = (), *, guidance: float = 1.0, **options: Any) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``; options of :meth:`Autoregressive.sample`."""
        first = self.coarse.sample(sample_shape, guidance=guidance, **options)
        return self.together(first, self.fine(first).sample((), **options))


class CoarseCodes(nn.Module):
    """Codes of a coarse grid as what each position of a fine grid is told.

    Args:
        levels: K.
        coarse: ``(h, w)`` of the codes.
        fine: ``(h, w)`` of the positions.
        width: numbers that each position is told.
        heads: codes at each position.

    Shape:
        int64 ``(N, h, w)``, or ``(N, heads, h, w)`` -> ``(N, P_fine, width)``.
    """

    def __init__(
        self,
        levels: int,
        coarse: tuple[int, ...],
        fine: tuple[int, ...],
        width: int,
        heads: int = 1,
    ) -> None:
        super().__init__()
        self.coarse, self.fine, self.heads = tuple(coarse), tuple(fine), heads
        self.tables = nn.ModuleList(nn.Embedding(levels, width) for _ in range(heads))
        self.around = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, codes: Tensor) -> Tensor:
        codes = codes.reshape(len(codes), self.heads, *self.coarse)
        maps = torch.stack([table(codes[:, m]) for m, table in enumerate(self.tables)]).sum(0)
        maps = maps.permute(0, 3, 1, 2)
        maps = maps + nn.functional.silu(self.around[0](maps))
        maps = nn.functional.interpolate(maps, self.fine, mode="nearest")
        maps = maps + nn.functional.silu(self.around[1](maps))  # where within a coarse position
        return maps.flatten(2).mT
