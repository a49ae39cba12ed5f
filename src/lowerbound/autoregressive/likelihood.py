"""WaveNet as the likelihood of a code: given the code at every sample."""

from __future__ import annotations

from typing import Any, NoReturn

from torch import Tensor, nn

from ..distributions.families import Family
from ..errors import LowerboundError
from .conditional import AutoregressiveConditional
from .outputs import OutputName, output
from .wavenet import WaveNet


class WaveNetLikelihood(Family):
    """What a WaveNet decoder is made of, still to be given what upsamples its codes.

    It is no family of independent numbers, which a network's raw outputs could be the parameters
    of: :meth:`conditional` makes p(x | vectors, c) as a whole.

    Args:
        event_shape: ``(T,)`` samples.
        levels: of a sample.
        width: channels of the residual path.
        depth: layers of a stack, dilated 1 to 2^(depth − 1).
        stacks: how many.
        skip: channels of the output path.
        local: numbers of the code's context at each sample.
        outputs: of a sample: categorical, or a mixture of logistics discretized on the levels.
        components: of the mixture.
        drop: share of training examples that are told nothing, so that samples can be guided.

    References:
        van den Oord et al., 2016, https://arxiv.org/abs/1609.03499, 2.5 (global and local contexts)
    """

    supports = frozenset({"categories"})

    def __init__(
        self,
        event_shape: tuple[int, ...],
        levels: int,
        *,
        width: int = 32,
        depth: int = 9,
        stacks: int = 2,
        skip: int = 64,
        local: int = 16,
        outputs: OutputName = "categorical",
        components: int = 4,
        drop: float = 0.0,
    ) -> None:
        super().__init__(event_shape)
        if len(self.event_shape) != 1:
            raise LowerboundError(
                f"likelihood wavenet: expected sequences (T,), came {self.event_shape}; pass "
                "another likelihood"
            )
        self.levels, self.local, self.drop = levels, local, drop
        self.trunk = {"width": width, "depth": depth, "stacks": stacks, "skip": skip}
        self.of_sample = output(outputs, levels, components)

    def conditional(
        self, upsample: nn.Module, ranks: tuple[int, ...], embed: list[Any], context: int
    ) -> AutoregressiveConditional:
        """p(x | vectors, c).

        Args:
            upsample: vectors of positions ``(N, P, D)`` to ``(N, T, local)``.
            ranks: event ranks of the conditions.
            embed: of each condition, a module to vectors ``(N, w)``.
            context: numbers in all of these together.
        """
        network = WaveNet(
            self.levels,
            **self.trunk,
            outputs=self.of_sample.raw,
            context=context,
            local=self.local,
        )
        return AutoregressiveConditional(
            network,
            self.event_shape,
            output=self.of_sample,
            heads=False,
            event_ranks=(2, *ranks),
            embed=[upsample, *embed],
            drop=self.drop,
        )

    def forward(self, raw: Tensor) -> NoReturn:
        """It has no raw numbers."""
        self._refuse()

    def start(self, mean: Tensor, std: Tensor) -> NoReturn:
        """It has no raw numbers to start from."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LowerboundError(
            "likelihood wavenet: expected a recipe with codes along time, came another; pass "
            "--recipe vq-vae, or the recipe wavenet for a model without codes"
        )
