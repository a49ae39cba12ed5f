"""A TD-VAE whose four conditionals are those of a linear-Gaussian model, exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import FullNormal
from lowerbound.distributions.normal import DiagonalNormal
from lowerbound.models.tdvae import TDVAE
from lowerbound.sequences import LinearDynamics, Packed, TimeStep

DYNAMICS = LinearDynamics.of(
    [[0.9, 0.3], [-0.2, 0.8]],
    [[0.3, 0.1], [0.1, 0.2]],
    [[1.0, 0.5]],
    [[0.4]],
).stationary()


class Belief(nn.Module):
    """N(m, P) of b = (m, P)."""

    def forward(self, b: Tensor) -> Distribution:
        d = 2
        covariance = b[..., d:].unflatten(-1, (d, d))
        return FullNormal(b[..., :d], torch.linalg.cholesky(covariance))


class Likelihood(nn.Module):
    def forward(self, z: Tensor) -> Distribution:
        noise = DYNAMICS.emission_noise.diagonal().sqrt().log()
        return DiagonalNormal(z @ DYNAMICS.emission.T, noise)


class Exact(TDVAE):
    """Beliefs by the Kalman filter; a state before the first one is as stationary as the others."""

    def __init__(self, steps: int) -> None:
        nothing = nn.Identity()
        super().__init__(
            nothing, nothing, nothing, Likelihood(), TimeStep(steps), event_shape=(steps, 1),
            latent_dim=2, belief=Belief(), smoothing=nothing,
        )  # fmt: skip
        jumps = [DYNAMICS.jump(k) for k in range(steps + 1)]
        self.a, self.q = (torch.stack(each) for each in zip(*jumps, strict=True))

    def beliefs(self, steps: Packed) -> Tensor:
        count, length = steps.steps.shape
        grid = torch.full((count, length, 1), torch.nan, dtype=torch.float64)
        x = torch.where(steps.observed, steps.x, torch.nan).double()
        grid = grid.scatter(1, steps.places[..., None], x)
        found = DYNAMICS.filter(grid)
        at = steps.places[..., None]
        mean = found.mean.gather(1, at.expand(-1, -1, 2))
        spread = found.covariance.flatten(2).gather(1, at.expand(-1, -1, 4))
        b = torch.cat((mean, spread), -1)
        start = torch.cat((DYNAMICS.mean, DYNAMICS.covariance.flatten()))
        return torch.cat((start.expand(count, 1, -1), b), 1)

    def _jump(self, difference: Tensor) -> tuple[Tensor, Tensor]:
        index = difference.round().long().clamp_min(1)  # of places without a step: any
        return self.a[index], self.q[index]

    def transition(self, z: Tensor, difference: Tensor) -> Distribution:
        a, q = self._jump(difference)
        return FullNormal((a @ z[..., None])[..., 0], torch.linalg.cholesky(q))

    def smoothing(self, z: Tensor, before: Tensor, now: Tensor, difference: Tensor) -> Distribution:
        a, q = self._jump(difference)
        mean, p = before[..., :2], before[..., 2:].unflatten(-1, (2, 2))
        ahead = a @ p @ a.mT + q
        gain = torch.linalg.solve(ahead, a @ p).mT
        moved = gain @ (z - (a @ mean[..., None])[..., 0])[..., None]
        covariance = p - gain @ a @ p
        covariance = 0.5 * (covariance + covariance.mT)
        scale = torch.linalg.cholesky(covariance)
        loc = mean + moved[..., 0]
        return FullNormal(loc, scale.expand(*loc.shape, 2))


def with_gaps(x: Tensor) -> Tensor:
    """A step missing, several missing, the end missing, the beginning missing."""
    x = x.clone()
    x[0, 3] = torch.nan
    x[1, 2:5] = torch.nan
    x[2, 6:] = torch.nan
    x[3, :2] = torch.nan
    return x
