"""State-space VAEs, trained step by step: the baselines of temporal difference models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import has_closed_form, sample_with_log_prob
from ..distributions import kl as divergence
from ..sequences import Packed, Particles, particle_filter
from .temporal import Evidence, SequenceModel

_PATHS = 16  # over which the reported bound is a mean


class StateSpaceVAE(SequenceModel):
    """Deep Kalman filter: p(z_t | z_{t-1}) p(x_t | z_t), with a posterior of each state.

    The posterior sees a summary b_t of x_1..x_t: ``filtering`` also the state before, q(z_t |
    z_{t-1}, b_t); ``mean-field`` does not, q(z_t | b_t). What comes before the first step is one
    learned state.

    Args:
        posterior: a module of (z_{t-1}, b_t, features of the time between), or of b_t alone.
        mean_field: whether it is the latter.
        **parts: of :class:`lowerbound.models.temporal.SequenceModel`.

    Reference:
        Krishnan, Shalit & Sontag 2017, Structured inference networks for nonlinear state space
        models, arXiv 1609.09869 (their "DKF", here with what is past alone); Gregor et al. 2019,
        arXiv 1806.03107, section 5.1 (filtering and mean-field baselines)
    """

    def __init__(
        self, *args: Any, posterior: nn.Module, mean_field: bool = False, **parts: Any
    ) -> None:
        super().__init__(*args, **parts)
        self.posterior, self.mean_field = posterior, mean_field
        self.first = nn.Parameter(torch.zeros(self.latent_shape))

    def before(self, samples: int, count: int) -> Tensor:
        return self.first.expand(samples, count, -1)

    def follow(self, z: Tensor, difference: Tensor, before: Tensor) -> Distribution:
        return self._prior(z, self.time(difference), before)

    def propose(self, z: Tensor, difference: Tensor, before: Tensor, now: Tensor) -> Distribution:
        return self._posterior(z, self.time(difference), before, now)

    def _prior(self, z: Tensor, time: Tensor, before: Tensor) -> Distribution:
        """p(z_t | z_{t-1}), told the features of the time between."""
        return self.forward_in_time(z, time)

    def _posterior(self, z: Tensor, time: Tensor, before: Tensor, now: Tensor) -> Distribution:
        return self.posterior(now) if self.mean_field else self.posterior(z, now, time)

    def path(self, steps: Packed, samples: int | None = None) -> tuple[Tensor, Tensor]:
        """States drawn from the posterior, and each step's rate.

        Args:
            steps: the data.
            samples: K paths; None: one, without a dimension for it.

        Returns:
            ``(K, B, T, d)`` and KL(q(z_t|·) ‖ p(z_t|z_{t-1})), ``(K, B, T)``, nats.
        """
        beliefs = self.beliefs(steps)
        since = steps.since(self.time.unit)
        lead = () if samples is None else (samples,)
        if self.mean_field:  # no state waits for another: all at once
            q = self.posterior(beliefs[:, 1:])
            z, log_q = sample_with_log_prob(q, lead)
            first = self.first.expand(*z.shape[:-2], 1, z.shape[-1])
            p = self.transition(torch.cat((first, z[..., :-1, :]), -2), since)
            return z, divergence(q, p) if has_closed_form(q, p) else log_q - p.log_prob(z)
        z = self.before(samples or 1, len(beliefs))
        z = z if samples else z[0]
        path, rates = [], []
        # Taken apart once: the gradient of beliefs[:, t] would be as large as all of them, for
        # every t.
        each, times = beliefs.unbind(1), self.time(since).unbind(1)
        for before, now, time in zip(each[:-1], each[1:], times, strict=True):
            p, q = self._prior(z, time, before), self._posterior(z, time, before, now)
            if has_closed_form(q, p):
                z = q.rsample()
                rates.append(divergence(q, p))
            else:
                z, log_q = sample_with_log_prob(q)
                rates.append(log_q - p.log_prob(z))
            path.append(z)
        return torch.stack(path, -2), torch.stack(rates, -1)

    def particles(self, steps: Packed, samples: int) -> Particles:
        """A particle filter whose proposal is the posterior."""
        return particle_filter(self, steps, self.beliefs(steps), samples, self.time.unit)

    @torch.no_grad()
    def filtered(self, steps: Packed, samples: int) -> Tensor:
        found = self.particles(steps, max(samples, 64))
        # Drawn from the weighted particles, each step for itself.
        shares = found.log_weight.softmax(1).permute(0, 2, 1)  # (T, B, K)
        index = torch.multinomial(shares.flatten(0, 1), samples, replacement=True)
        index = index.unflatten(0, shares.shape[:2]).permute(0, 2, 1)[..., None]
        z = found.z.gather(1, index.expand(*index.shape[:3], found.z.shape[-1]))
        return z.permute(1, 2, 0, 3)

    @torch.no_grad()
    def evidence(self, x: Tensor, *context: Tensor, samples: int) -> Evidence:
        """log p(x_t | x_1..x_{t-1}) by a particle filter, and the ELBO's part, of every step.

        Args:
            x: ``(B, T, *frame)``, NaN where a number is missing.
            context: times, ``(B, T)``.
            samples: K particles.
        """
        steps = self.pack(x, *context)
        found = self.particles(steps, samples)
        z, rate = self.path(steps, min(samples, _PATHS))
        bound = (self.log_fit(z, steps.x, steps.observed) - rate).mean(0)
        there = steps.steps
        parts = (torch.where(there, e, 0.0) for e in (found.log_evidence, bound, found.effective))
        return Evidence(*parts, steps)
