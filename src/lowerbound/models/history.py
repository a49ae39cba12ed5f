"""Stochastic recurrent networks: state-space models that go on from all that was seen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions.known import WithKnown
from ..sequences import Packed
from .state_space import StateSpaceVAE
from .temporal import Forecast


class HistoryVAE(StateSpaceVAE):
    """p(z_t | z_{t-1}, h_{t-1}) p(x_t | z_t, h_{t-1}), h_{t-1} a recurrent summary of x_1..x_{t-1}.

    The posterior is the filtering one, q(z_t | z_{t-1}, h_t). A state, where this model hands one
    out, is (z_t, h_{t-1}) side by side, of which z_t is what is random. Forecasts draw data and
    take them up into the history, one step after the other.

    Args:
        **parts: of :class:`lowerbound.models.state_space.StateSpaceVAE`; the memory is a
            `lowerbound.networks.belief.Recurrent`, the transition is of (z, h, features of the time
            between), the likelihood of (z, h).

    Reference:
        Fraccaro, Sønderby, Paquet & Winther 2016, Sequential neural models with stochastic layers,
        arXiv 1605.07571 (SRNN); Chung et al. 2015, A recurrent latent variable model for sequential
        data, arXiv 1506.02216 (VRNN, whose history takes up the states as well)
    """

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        (self.d,) = self.latent_shape

    def before(self, samples: int, count: int) -> Tensor:
        z = super().before(samples, count)
        return torch.cat((z, z.new_zeros(samples, count, self.memory.width)), -1)  # ty: ignore

    def _prior(self, z: Tensor, time: Tensor, before: Tensor) -> Distribution:
        return WithKnown(self.forward_in_time(z[..., : self.d], before, time), before)

    def _posterior(self, z: Tensor, time: Tensor, before: Tensor, now: Tensor) -> Distribution:
        return WithKnown(self.posterior(z[..., : self.d], now, time), before)

    def last(self, steps: Packed, samples: int) -> Tensor:
        """Draws of z_T with the memory after x_T, ``(K, B, d + memory)``: `roll` goes on there."""
        z = super().last(steps, samples)[..., : self.d]
        memory: Tensor = self.memory.after(self._read(steps), steps.lengths.clamp_min(1))  # ty: ignore
        return torch.cat((z, memory.expand(samples, *memory.shape)), -1)

    def origin(self, count: int) -> Tensor:
        z = super().before(1, count)
        memory: Tensor = self.memory.begin(count)  # ty: ignore
        return torch.cat((z, memory[None]), -1)

    @torch.no_grad()
    def roll(self, z: Tensor, differences: Tensor, hop: int = 1) -> Forecast:
        """States and data after each of some differences in time, one after the other.

        Args:
            z: of :meth:`last` or :meth:`origin`, ``(K, B, d + memory)``.
            differences: ``(H,)``, or ``(B, H)``.
            hop: is not asked: the next step needs the data of this one.
        """
        lead = z.shape[:2]
        z, memory = z[..., : self.d].flatten(0, 1), z[..., self.d :].flatten(0, 1)
        differences = differences.expand(lead[1], differences.shape[-1]).repeat(lead[0], 1)
        rolled: list[tuple[Tensor, ...]] = []
        network: Any = self.memory
        for difference in differences.unbind(1):
            before = network.told(memory)
            z = self.forward_in_time(z, before, self.time(difference)).rsample()
            state = torch.cat((z, before), -1)
            x, mean = self.decoded(state)
            known = torch.ones_like(x.flatten(1))
            read = self.read(x, known) if self.masks else self.read(x)
            memory = network.step(memory, torch.cat((read, self.time(difference)), -1))
            rolled.append((x, mean, state))
        found = (torch.stack(each, 1).unflatten(0, lead) for each in zip(*rolled, strict=True))
        return Forecast(*found)
