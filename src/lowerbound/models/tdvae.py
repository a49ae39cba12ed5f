"""Temporal difference VAE: beliefs of states, and jumps between states far apart in time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import sample_with_log_prob
from ..sequences import Packed
from .temporal import Evidence, SequenceModel

_ROWS = 1 << 16  # states weighed together


class TDVAE(SequenceModel):
    """Four conditionals around a belief b_t, which a network makes of x_1..x_t.

    - the belief p_B(z_t | b_t): what is known of a state from the data up to it;
    - the smoothing q(z_t1 | z_t2, b_t1, b_t2, t2 - t1): where a later state came from;
    - the transition p(z_t2 | z_t1, t2 - t1), which jumps over what lies between;
    - the likelihood p(x_t2 | z_t2).

    They make a density of whole sequences: each step's is p(x_t | x_1..x_{t-1}) = ∫ p_B(z_{t-1} |
    b_{t-1}) p(z_t | z_{t-1}) p(x_t | z_t), with b_0 for what is known before the first step. At
    jumps of one step the objective (`lowerbound.objectives.temporal.td_elbo`) bounds it from below.

    Args:
        belief: p_B, a module of b.
        smoothing: q, a module of (z_t2, b_t1, b_t2, features of the time between).
        **parts: of :class:`lowerbound.models.temporal.SequenceModel`.

    Reference:
        Gregor, Papamakarios, Besse, Buesing & Weber 2019, Temporal difference variational
        auto-encoder, arXiv 1806.03107
    """

    def __init__(self, *args: Any, belief: nn.Module, smoothing: nn.Module, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self.belief, self.backward_in_time = belief, smoothing

    def smoothing(self, z: Tensor, before: Tensor, now: Tensor, difference: Tensor) -> Distribution:
        """q(z_t1 | z_t2, b_t1, b_t2): ``(*S, *lead, d)``, ``(*lead, W)`` twice, ``(*lead,)``."""
        return self.backward_in_time(z, before, now, self.time(difference))

    def before(self, samples: int, count: int) -> Tensor:
        b = self.beliefs(self._nothing())[:, 0]
        return self.belief(b.expand(count, b.shape[-1])).rsample((samples,))

    def filtered(self, steps: Packed, samples: int) -> Tensor:
        return self.belief(self.beliefs(steps)[:, 1:]).rsample((samples,))

    def propose(self, z: Tensor, difference: Tensor, before: Tensor, now: Tensor) -> Distribution:
        return self.belief(now)

    @torch.no_grad()
    def evidence(self, x: Tensor, *context: Tensor, samples: int) -> Evidence:
        """log p(x_t | x_1..x_{t-1}) by importance sampling, and its bound, of every step.

        Args:
            x: ``(B, T, *frame)``, NaN where a number is missing.
            context: times, ``(B, T)``.
            samples: K pairs of states a step.
        """
        steps = self.pack(x, *context)
        b = self.beliefs(steps)
        since = steps.since(self.time.unit)
        # Every step is a row of its own, and all of them are weighed in parallel.
        rows = [b[:, :-1], b[:, 1:], since, steps.x, steps.observed]
        flat = [each.flatten(0, 1) for each in rows]
        per = max(1, _ROWS // samples)
        parts = []
        for some in zip(*(each.split(per) for each in flat), strict=True):
            log_w = self.weigh(*some, samples=samples)[0]
            value = log_w.logsumexp(0) - math.log(samples)
            effective = (2.0 * log_w.log_softmax(0)).logsumexp(0).neg().exp()
            parts.append(torch.stack((value, log_w.mean(0), effective)))
        found = torch.cat(parts, 1).unflatten(1, steps.steps.shape)
        return Evidence(*torch.where(steps.steps, found, 0.0), steps)

    def weigh(
        self,
        before: Tensor,
        now: Tensor,
        difference: Tensor,
        x: Tensor,
        observed: Tensor,
        samples: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """log w of draws of (z_t1, z_t2), and what of it is log p(x_t2 | z_t2).

        Under exact conditionals every w is p(x_t2 | x_1..x_t1).

        Args:
            before: b_t1, ``(N, W)``.
            now: b_t2, likewise.
            difference: t2 - t1, ``(N,)``.
            x: x_t2, ``(N, *frame)``.
            observed: of it, likewise.
            samples: K draws; None: one, without a dimension for it.

        Returns:
            ``(K, N)`` each, nats.
        """
        belief = self.belief(now)
        z2, log_now = sample_with_log_prob(belief, () if samples is None else (samples,))
        q = self.smoothing(z2, before, now, difference)
        z1, log_q = sample_with_log_prob(q)
        fit = self.log_fit(z2, x, observed)
        log_p = self.transition(z1, difference.expand(z1.shape[:-1])).log_prob(z2)
        return fit + log_p + self.belief(before).log_prob(z1) - log_now - log_q, fit

    def _nothing(self) -> Packed:
        """A sequence of one step of which nothing is known, for the belief before it."""
        weight = next(self.parameters(), torch.zeros(()))
        x = torch.full((1, 1, *self.frame_shape), torch.nan, dtype=weight.dtype).to(weight.device)
        return self.pack(x)
