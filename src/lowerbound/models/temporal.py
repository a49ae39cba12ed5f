"""What models of sequences share: steps as networks see them, what fits a step, and rolling out."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions.masked import Masked
from ..sequences import Packed, TimeStep, pack

_CHUNK = 1 << 16  # states decoded together


class Times(nn.Module):
    """The condition of a model that is told the times of the steps: what comes beside the data."""

    side = "times"
    of_x = False

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        """``(B, T)``, since the first step."""
        return () if side is None else (side.to(x.dtype),)

    def describe(self) -> str:
        """In words."""
        return "the times of the steps"

    def example(self) -> str:
        """As :meth:`lowerbound.models.conditions.Condition.example`."""
        return "times=…"


class Evidence(NamedTuple):
    """What a model says of each step given those before it, at the packed places.

    Attributes:
        value: log p(x_t | x_1..x_{t-1}), an estimate from below, ``(B, T)``, nats; 0 where there is
            no step.
        bound: the evidence bound of the same, ``(B, T)``, nats.
        effective: effective sample size, ``(B, T)``.
        packed: the steps.
    """

    value: Tensor
    bound: Tensor
    effective: Tensor
    packed: Packed


class Forecast(NamedTuple):
    """Rolled out beyond the data.

    Attributes:
        draws: of x, ``(K, B, H, *frame)``.
        means: E[x | z] along each of the same paths.
        states: ``(K, B, H, d)``.
    """

    draws: Tensor
    means: Tensor
    states: Tensor


class SequenceModel(nn.Module):
    """A state-space model: states z_t that follow p(z' | z, time between), data p(x_t | z_t).

    Abstract: a subclass says what is believed of states (:meth:`before`, :meth:`filtered`,
    :meth:`propose`, :meth:`evidence`).

    Args:
        memory: what is known after each step, ``(B, T, width), times -> (B, T + 1, belief)``.
        read: a step and which of its numbers are known, ``(N, *frame), (N, numbers) -> (N, width)``
            (of frames of pixels the step alone).
        transition: p(z' | z, features of the time between).
        likelihood: p(x | z), ``(*lead, d) -> `` a distribution of a step.
        time: features of the time between two steps.
        event_shape: ``(T, *frame)``.
        latent_dim: d.
        masks: whether `read` is told which numbers are known.
        no_likelihood: why log p(x) must not be reported, where it must not.
        timed: whether the data say when each step was.
        hop: steps that forecasts go ahead at once (see :meth:`roll`).
    """

    def __init__(
        self,
        memory: nn.Module,
        read: nn.Module,
        transition: nn.Module,
        likelihood: nn.Module,
        time: TimeStep,
        *,
        event_shape: tuple[int, ...],
        latent_dim: int,
        masks: bool = True,
        no_likelihood: str | None = None,
        timed: bool = False,
        hop: int = 1,
    ) -> None:
        super().__init__()
        self.memory, self.read = memory, read
        self.forward_in_time, self.likelihood, self.time = transition, likelihood, time
        self.event_shape, self.latent_shape = tuple(event_shape), (latent_dim,)
        self.masks, self.no_likelihood = masks, no_likelihood
        self.condition = Times() if timed else None
        self.hop = hop

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Of one step."""
        return self.event_shape[1:]

    def pack(self, x: Tensor, *context: Tensor) -> Packed:
        """The steps that are there, first; ``x (B, T, *frame)``, times ``(B, T)``."""
        return pack(x, *context[:1])

    def beliefs(self, steps: Packed) -> Tensor:
        """Before anything was seen and after each step, ``(B, T + 1, W)``."""
        return self.memory(self._read(steps), steps.times)

    def _read(self, steps: Packed) -> Tensor:
        """What the memory takes in of each step, ``(B, T, width)``."""
        count, length = steps.steps.shape
        flat = steps.x.reshape(count * length, *self.frame_shape)
        if self.masks:
            known = steps.observed.reshape(count * length, -1).to(flat.dtype)
            found = self.read(flat, known)
        else:
            found = self.read(flat)
        since = self.time(steps.since(self.time.unit))
        return torch.cat((found.unflatten(0, (count, length)), since), -1)

    def transition(self, z: Tensor, difference: Tensor) -> Distribution:
        """p(z' | z) after some time: z ``(*lead, d)``, difference what broadcasts to lead."""
        return self.forward_in_time(z, self.time(difference))

    def follow(self, z: Tensor, difference: Tensor, before: Tensor) -> Distribution:
        """:meth:`transition` where the belief before is at hand, ``(B, W)``: of models that go on
        from all that was seen, and not from the state alone."""
        return self.transition(z, difference)

    def log_fit(self, z: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """log p of what is known of a step, nats.

        Args:
            z: ``(*S, *lead, d)``.
            x: ``(*lead, *frame)``, 0 where a number is missing.
            observed: which numbers are known, alike.

        Returns:
            ``(*S, *lead)``.
        """
        gone = (~observed).to(x.dtype)
        # What `Masked` takes for missing is what is scored: here the numbers that are known.
        return Masked(self.likelihood(z), x, gone).log_prob(x)

    def before(self, samples: int, count: int) -> Tensor:
        """States before the first step, ``(K, B, d)``."""
        raise NotImplementedError

    def origin(self, count: int) -> Tensor:
        """Where new sequences begin, for :meth:`roll`, ``(1, B, d)``."""
        return self.before(1, count)

    def filtered(self, steps: Packed, samples: int) -> Tensor:
        """Draws of each state given the data up to it, ``(K, B, T, d)`` at packed places."""
        raise NotImplementedError

    def propose(self, z: Tensor, difference: Tensor, before: Tensor, now: Tensor) -> Distribution:
        """Where particles are drawn at a step that was seen."""
        raise NotImplementedError

    def evidence(self, x: Tensor, *context: Tensor, samples: int) -> Evidence:
        """log p(x_t | x_1..x_{t-1}) of each step, from below."""
        raise NotImplementedError

    def last(self, steps: Packed, samples: int) -> Tensor:
        """Draws of the state at the last step of which something is known, ``(K, B, d)``."""
        z = self.filtered(steps, samples)
        at = (steps.lengths - 1).clamp_min(0)[None, :, None, None]
        return z.gather(2, at.expand(samples, -1, 1, z.shape[-1]))[:, :, 0]

    @torch.no_grad()
    def roll(self, z: Tensor, differences: Tensor, hop: int = 1) -> Forecast:
        """States and data after each of some differences in time, one after the other.

        Args:
            z: ``(K, B, d)``.
            differences: ``(H,)``, or ``(B, H)``.
            hop: a path goes on from every hop-th state; those up to the next one come from
                there in a jump of their own each, which loses less than many short ones. 1: every
                state comes from the one before it.
        """
        differences = differences.expand(z.shape[1], differences.shape[-1])
        states = []
        for some in differences.split(hop, 1):
            found = self._moved(z, some.cumsum(1))
            states.append(found)
            z = found[:, :, -1]
        found = torch.cat(states, 2)
        return Forecast(*self.decoded(found), found)

    def _moved(self, z: Tensor, difference: Tensor) -> Tensor:
        """After times that may be longer than any that was trained: in jumps of the longest.

        z ``(K, B, d)``, differences ``(B, H)`` -> ``(K, B, H, d)``.
        """
        longest = self.time.longest * self.time.unit
        jumps = (difference / longest - 1e-6).ceil().clamp_min(1.0)
        z = z[:, :, None].expand(*z.shape[:2], difference.shape[1], z.shape[-1])
        for jump in range(int(jumps.max())):
            moved = self.transition(z, (difference / jumps).expand(z.shape[:-1])).rsample()
            z = torch.where((jump < jumps)[..., None], moved, z)
        return z

    @torch.no_grad()
    def decoded(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Draws and means of x, ``(*lead, *frame)``, for z ``(*lead, d)``."""
        flat = z.reshape(-1, z.shape[-1])
        draws, means = [], []
        for some in flat.split(max(1, _CHUNK // max(1, math.prod(self.frame_shape)))):
            p = self.likelihood(some)
            draws.append(p.sample())
            means.append(p.mean)
        lead = z.shape[:-1]
        return tuple(torch.cat(p).reshape(*lead, *self.frame_shape) for p in (draws, means))  # ty: ignore[invalid-explicit-return]

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, mean: bool = False, **options: Any) -> Tensor:
        """New sequences ``(n, T, *frame)``, one step after the other; each beside given times.

        Args:
            n: how many; for each of the conditions, where there are.
            context: times of the steps, ``(B, T)``.
            mean: whether to return E[x | z] along the path in place of draws of x.
        """
        length, lead = self.event_shape[0], ()
        since = torch.full((length,), self.time.unit)
        if context:
            lead = (len(context[0]),)
            times = context[0].nan_to_num(0.0)
            since = torch.cat((torch.full_like(times[:, :1], self.time.unit), times.diff(dim=1)), 1)
            since = since.clamp_min(0.0).repeat(n, 1)
        count = n * math.prod(lead)
        device = next(self.parameters()).device
        found = self.roll(self.origin(count), since.to(device))
        values = (found.means if mean else found.draws)[0]
        return values.reshape(n, *lead, *self.event_shape)
