"""The ladder of a hierarchical model: the path down, which layers codes, and the posterior.

What a code is stands in :mod:`lowerbound.models.hierarchical`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..distributions import (
    Delta,
    DiagonalGaussian,
    DiagonalNormal,
    EventDistribution,
    Head,
    UnitNormal,
)
from ..errors import LowerboundError
from ..networks.ladder import Rung


class Step(NamedTuple):
    """One layer on the way down: its noise ε, value z, prior p (None at the top), state above."""

    noise: Tensor
    z: Tensor
    p: DiagonalNormal | None
    above: Tensor | None


class TopDown(nn.Module):
    """The prior, N(0, I) over codes, and the path that makes layers of them.

    Args:
        rungs: the layers' networks, from the bottom up.
    """

    zeros: Tensor

    def __init__(self, rungs: Sequence[Rung]) -> None:
        super().__init__()
        if not rungs:
            raise LowerboundError("expected one or more layers, came none; pass their rungs")
        self.code_shapes = [rung.code_shape for rung in rungs]
        self.sizes = [math.prod(shape) for shape in self.code_shapes]
        self.event_shape = (sum(self.sizes),)
        self.conditionals = nn.ModuleList()
        self.paths = nn.ModuleList()
        for level, rung in enumerate(rungs):
            code, state = rung.code_shape, Delta(rung.state_shape)
            ranks = (len(code),)
            if level + 1 < len(rungs):
                above = len(rungs[level + 1].state_shape)
                assert rung.prior is not None  # only the top has none
                self.conditionals.append(Head(rung.prior, DiagonalGaussian(code), (above,)))
                ranks = (above, len(code))
            self.paths.append(nn.Identity() if rung.path is None else Head(rung.path, state, ranks))
        self.plain = [rung.path is None for rung in rungs]
        # Carries device and type only: there is nothing to save.
        self.register_buffer("zeros", torch.zeros(self.event_shape), persistent=False)

    def forward(self, *context: Tensor) -> UnitNormal:
        """N(0, I) with an empty batch shape."""
        refuse_context(context)
        return UnitNormal(self.zeros, 1)

    def split(self, code: Tensor) -> list[Tensor]:
        """The layers' noise ``(*lead, *shape of z_l)`` in a code ``(*lead, n)``, bottom first."""
        parts = code.split(self.sizes, -1)
        return [
            part.reshape(*part.shape[:-1], *shape)
            for part, shape in zip(parts, self.code_shapes, strict=True)
        ]

    def join(self, noise: Sequence[Tensor]) -> Tensor:
        """The way back: ``(*lead, *shape of z_l)`` each to ``(*lead, n)``."""
        flat = [
            part.flatten(-len(shape)) for part, shape in zip(noise, self.code_shapes, strict=True)
        ]
        return torch.cat(flat, -1)

    def conditional(self, level: int, above: Tensor | None) -> DiagonalNormal | None:
        """p(z_l|z_{l+1} …) from the state above; None at the top, where z is ε."""
        return None if above is None else self.conditionals[level](above)

    def carry(self, level: int, above: Tensor | None, z: Tensor) -> Tensor:
        """The state s_l ``(*lead, *state)`` from the one above and z_l."""
        if self.plain[level]:
            return z
        path = self.paths[level]
        assert isinstance(path, Head)
        return path.raw(z) if above is None else path.raw(above, z)

    def descend(self, code: Tensor) -> tuple[list[Step], Tensor]:
        """From a code ``(*lead, n)`` down: each layer's step, bottom first, and the last state."""
        noise, steps, above = self.split(code), [], None
        for level in reversed(range(len(self.sizes))):
            p = self.conditional(level, above)
            z = noise[level] if p is None else torch.addcmul(p.loc, noise[level], p.scale)
            steps.append(Step(noise[level], z, p, above))
            above = self.carry(level, above, z)
        assert above is not None
        return steps[::-1], above


class LadderInference(nn.Module):
    """q(z_1 … z_L|x).

    Args:
        rungs: the layers' networks, from the bottom up.
        prior: shared, and not registered.
        event_shape: of one datum.
        inference: "top-down" or "bottom-up".
    """

    def __init__(
        self, rungs: Sequence[Rung], prior: TopDown, event_shape: tuple[int, ...], inference: str
    ) -> None:
        super().__init__()
        if inference not in ("top-down", "bottom-up"):
            raise LowerboundError(
                f"expected inference 'top-down' or 'bottom-up', came {inference!r}; pass one of "
                f"them"
            )
        self.down = inference == "top-down"
        self._shared = (prior,)
        self.features, self.posteriors = nn.ModuleList(), nn.ModuleList()
        below = len(event_shape)
        for level, rung in enumerate(rungs):
            rank, family = len(rung.features_shape), DiagonalGaussian(rung.code_shape)
            self.features.append(Head(rung.features, Delta(rung.features_shape), (below,)))
            ranks = (rank,)
            if self.down and level + 1 < len(rungs):
                ranks = (rank, len(rungs[level + 1].state_shape))
            self.posteriors.append(Head(rung.posterior, family, ranks))
            below = rank if self.down else len(rung.code_shape)

    def forward(self, x: Tensor, *context: Tensor) -> LadderPosterior:
        """x ``(*B, *event_shape)`` -> batch shape ``B``; the features are computed here, once."""
        refuse_context(context)
        return LadderPosterior(self, self._shared[0], x)

    def read(self, x: Tensor) -> list[Tensor]:
        """The features that need the data only: all of them, or with bottom-up the lowest."""
        features = []
        for head in self.features if self.down else self.features[:1]:
            assert isinstance(head, Head)
            x = head.raw(x)
            features.append(x)
        return features

    def of_layer(self, level: int, *seen: Tensor) -> DiagonalNormal:
        """The layer's q, given features and, top-down, the state above."""
        return self.posteriors[level](*seen)

    def above(self, level: int, z: Tensor) -> DiagonalNormal:
        """q(z_{l+1}|z_l), bottom-up, for the layer `level` of the upper one."""
        head = self.features[level]
        assert isinstance(head, Head)
        return self.of_layer(level, head.raw(z))


class Draw(NamedTuple):
    """A draw from the posterior of a ladder, and all that was known on the way.

    Args:
        code: ``(*S, *B, n)``.
        state: s_1 of it, ``(*S, *B, *state)``.
        log_q: log q of each layer's noise given what it depends on, ``(*S, *B)``, nats.
        q: each layer's posterior over noise, where it has one in closed form.
    """

    code: Tensor
    state: Tensor
    log_q: list[Tensor]
    q: list[DiagonalNormal | None]


class LadderPosterior(EventDistribution):
    """q(code|x), batch shape ``B``: layers one after the other.

    Args:
        inference: the networks.
        prior: the path down.
        x: ``(*B, *event_shape)``.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, inference: LadderInference, prior: TopDown, x: Tensor) -> None:
        self.inference, self.prior = inference, prior
        self.features = inference.read(x)
        first = inference.features[0]
        assert isinstance(first, Head)
        self._batch_shape = x.shape[: x.dim() - first.event_ranks[0]]
        self._event_shape = torch.Size(prior.event_shape)
        self._event_dims = (-1,)

    @property
    def support(self) -> constraints.Constraint:
        """All of R^n."""
        return constraints.independent(constraints.real, 1)

    @property
    def mean(self) -> Tensor:
        """Each layer at its mean given the others' means, ``(*B, n)``.

        The mean of q where layers depend on each other linearly, and else the code that a single
        pass takes for it.
        """
        return self.draw(at_mean=True).code

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *B, n)``."""
        return self.draw(sample_shape).code

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log-densities, ``(*sample_shape, *B)``, nats, in one pass."""
        drawn = self.draw(sample_shape)
        return drawn.code, sum(drawn.log_q[1:], drawn.log_q[0])

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, n) -> (*lead,)``."""
        steps, _ = self.prior.descend(value)
        total = torch.zeros((), dtype=value.dtype, device=value.device)
        for level, step in enumerate(steps):
            if self.inference.down:
                total = total + self._given(level, step.above, step.p).log_prob(step.noise)
            else:
                below = steps[level - 1].z if level else None
                total = total + self._upon(level, below).log_prob(step.z) + _log_volume(step.p)
        return total

    def draw(self, sample_shape: Any = (), at_mean: bool = False) -> Draw:
        """One pass through the layers.

        Args:
            sample_shape: leading sample dimensions.
            at_mean: take each layer's mean for its draw.
        """
        return (self._downwards if self.inference.down else self._upwards)(sample_shape, at_mean)

    def _downwards(self, shape: Any, at_mean: bool) -> Draw:
        noise, log_q, qs = [], [], []
        above = None
        for level in reversed(range(len(self.features))):
            p = self.prior.conditional(level, above)
            q = self._given(level, above, p)
            # Sample dimensions enter at the top; below they are the batch's.
            e, log_density = _drawn(q, () if noise else shape, at_mean)
            z = e if p is None else torch.addcmul(p.loc, e, p.scale)
            above = self.prior.carry(level, above, z)
            noise.append(e)
            log_q.append(log_density)
            qs.append(q)
        assert above is not None
        return Draw(self.prior.join(noise[::-1]), above, log_q[::-1], qs[::-1])

    def _upwards(self, shape: Any, at_mean: bool) -> Draw:
        values, log_q = [], []
        for level in range(len(self.prior.sizes)):
            q = self._upon(level, values[-1] if values else None)
            z, log_density = _drawn(q, () if values else shape, at_mean)
            values.append(z)
            log_q.append(log_density)
        qs: list[DiagonalNormal | None] = [None] * len(values)
        qs[-1] = q  # at the top, z is the noise
        noise, above = [], None
        for level in reversed(range(len(values))):
            z, p = values[level], self.prior.conditional(level, above)
            noise.append(z if p is None else (z - p.loc) / p.scale)
            log_q[level] = log_q[level] + _log_volume(p)
            above = self.prior.carry(level, above, z)
        assert above is not None
        return Draw(self.prior.join(noise[::-1]), above, log_q, qs)

    def _given(self, level: int, above: Tensor | None, p: DiagonalNormal | None) -> DiagonalNormal:
        """q of a layer's noise: N(μ_p + Δμ, (σ_p Δσ)²) over z is N(Δμ/σ_p, Δσ²) over ε."""
        features = self.features[level]
        if above is None or p is None:
            return self.inference.of_layer(level, features)
        q = self.inference.of_layer(level, features, above)
        return DiagonalNormal(q.loc / p.scale, q.log_scale, q.event_rank)

    def _upon(self, level: int, below: Tensor | None) -> DiagonalNormal:
        """q(z_l|z_{l-1}), at the bottom q(z_1|x)."""
        if below is None:
            return self.inference.of_layer(0, self.features[0])
        return self.inference.above(level, below)


def refuse_context(context: tuple[Tensor, ...]) -> None:
    """Layers depend on data and on each other alone."""
    if context:
        raise LowerboundError(
            f"expected no context, on which a hierarchical model does not depend, came "
            f"{len(context)}; leave it out, or take a model with one layer of codes"
        )


def _drawn(q: DiagonalNormal, shape: Any, at_mean: bool) -> tuple[Tensor, Tensor]:
    if at_mean:
        value = q.loc.expand(*shape, *q.loc.shape)
        return value, q.log_prob(value)
    return q.rsample_and_log_prob(shape)


def _log_volume(p: DiagonalNormal | None) -> Tensor | float:
    """log |dz/dε| of a layer, ``(*lead,)``, nats."""
    return 0.0 if p is None else p._sum(p.log_scale)
