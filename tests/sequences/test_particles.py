"""Particle filters and backward draws against the Kalman filter and smoother."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.sequences import particle_filter, smoothed_draws

from .exact import DYNAMICS, Exact, with_gaps

STEPS = 8


class Bootstrap(Exact):
    """Proposals are the transition's: all that is learnt from data is in the weights."""

    def before(self, samples: int, count: int) -> Tensor:
        root = torch.linalg.cholesky(DYNAMICS.covariance)
        return torch.randn(samples, count, 2, dtype=torch.float64) @ root.T

    def propose(self, z: Tensor, difference: Tensor, before: Tensor, now: Tensor) -> Distribution:
        return self.transition(z, difference)


def test_the_evidence_is_estimated_without_bias_and_bounded() -> None:
    torch.manual_seed(0)
    x = with_gaps(DYNAMICS.sample(4, STEPS, seed=9)[1])
    exact = DYNAMICS.log_evidence(x)
    many = x.repeat(300, 1, 1)  # so many filters of each
    for model in (Bootstrap(STEPS), Exact(STEPS)):
        model.before = Bootstrap.before.__get__(model)  # the stationary state, for both
        steps = model.pack(many)
        found = particle_filter(model, steps, model.beliefs(steps), 30)
        log_p = found.log_evidence.sum(1).reshape(300, 4)
        ratio = (log_p - exact).exp()
        error = (ratio.mean(0) - 1.0) / (ratio.std(0) / 300**0.5)
        assert error.abs().max() < 4.0
        assert (log_p.mean(0) < exact).all()


def test_paths_are_drawn_from_the_smoother() -> None:
    torch.manual_seed(0)
    x = with_gaps(DYNAMICS.sample(4, STEPS, seed=9)[1])
    model = Bootstrap(STEPS)
    # On the grid of all steps, with those that are missing in their places.
    seen = ~x.isnan()
    steps = model.pack(x.nan_to_num(0.0))._replace(
        x=x.nan_to_num(0.0), observed=seen, steps=seen[..., 0]
    )
    nothing = torch.zeros(4, STEPS + 1, 1, dtype=torch.float64)
    found = particle_filter(model, steps, nothing, 3000)
    filtered = DYNAMICS.filter(x)
    share = found.log_weight.exp()[..., None]
    mean = (share * found.z).sum(1).permute(1, 0, 2)
    deviation = filtered.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((mean - filtered.mean).abs() / deviation).max() < 0.15
    # Draws share the filter's particles, and so its errors: of several filters.
    filters = (particle_filter(model, steps, nothing, 3000) for _ in range(4))
    paths = torch.cat([smoothed_draws(model, steps, nothing, each, 400) for each in filters])
    smoothed = DYNAMICS.smooth(x)
    deviation = smoothed.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((paths.mean(0) - smoothed.mean).abs() / deviation).max() < 0.15
    assert (paths.std(0) / deviation - 1.0).abs().max() < 0.12
