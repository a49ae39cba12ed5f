"""Linear-Gaussian state-space models, of which everything is known exactly.

    z_1 ~ N(m, P),    z_{t+1} = A z_t + N(0, Q),    x_t = C z_t + N(0, R)

Numbers of x that are missing are NaN; what is missing is left out of the evidence. All in float64.

>>> walk = LinearDynamics.of([[1.0]], [[0.1]], [[1.0]], [[0.5]])
>>> x = torch.tensor([[[0.3], [float("nan")], [0.8]]], dtype=torch.float64)
>>> found = walk.filter(x)
>>> float(found.log_evidence[0, 1])  # of a step that is missing
0.0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import LowerboundError


class Filtered(NamedTuple):
    """What is known of each state from the data up to it.

    Attributes:
        mean: E[z_t | x_1..x_t], ``(B, T, d)``.
        covariance: of the same, ``(B, T, d, d)``.
        predicted_mean: E[z_t | x_1..x_{t-1}], ``(B, T, d)``.
        predicted_covariance: of the same, ``(B, T, d, d)``.
        log_evidence: log p(x_t | x_1..x_{t-1}) of what is observed, ``(B, T)``, nats; their sum is
            log p(x).
    """

    mean: Tensor
    covariance: Tensor
    predicted_mean: Tensor
    predicted_covariance: Tensor
    log_evidence: Tensor


class Smoothed(NamedTuple):
    """What is known of each state from all data.

    Attributes:
        mean: E[z_t | x_1..x_T], ``(B, T, d)``.
        covariance: of the same, ``(B, T, d, d)``.
        gain: G with z_t = m_t + G (z_{t+1} - A m_t) + noise given x_1..x_t, ``(B, T - 1, d, d)``.
    """

    mean: Tensor
    covariance: Tensor
    gain: Tensor


@dataclass(frozen=True)
class LinearDynamics:
    """A linear-Gaussian state-space model, float64.

    Attributes:
        transition: A, ``(d, d)``.
        transition_noise: Q, ``(d, d)``.
        emission: C, ``(p, d)``.
        emission_noise: R, ``(p, p)``.
        mean: m of the first state, ``(d,)``.
        covariance: P of the first state, ``(d, d)``.

    Reference:
        Kalman 1960, A new approach to linear filtering and prediction problems; Rauch, Tung &
        Striebel 1965, Maximum likelihood estimates of linear dynamic systems
    """

    transition: Tensor
    transition_noise: Tensor
    emission: Tensor
    emission_noise: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(
        cls,
        transition: Sequence[Sequence[float]] | Tensor,
        transition_noise: Sequence[Sequence[float]] | Tensor,
        emission: Sequence[Sequence[float]] | Tensor,
        emission_noise: Sequence[Sequence[float]] | Tensor,
        mean: Sequence[float] | Tensor | None = None,
        covariance: Sequence[Sequence[float]] | Tensor | None = None,
    ) -> LinearDynamics:
        """From lists or tensors; the first state is by default standard normal.

        Raises:
            LowerboundError: shapes that do not belong together.
        """
        a, q, c, r = (
            torch.as_tensor(each, dtype=torch.float64)
            for each in (transition, transition_noise, emission, emission_noise)
        )
        d, p = a.shape[-1], c.shape[0]
        m, s = (
            torch.as_tensor(usual if each is None else each, dtype=torch.float64)
            for each, usual in ((mean, torch.zeros(d)), (covariance, torch.eye(d)))
        )
        shapes = [tuple(each.shape) for each in (a, q, c, r, m, s)]
        if shapes != [(d, d), (d, d), (p, d), (p, p), (d,), (d, d)]:
            raise LowerboundError(
                f"expected A, Q (d, d), C (p, d), R (p, p), mean (d,) and covariance (d, d), came "
                f"shapes {', '.join(map(str, shapes))}"
            )
        return cls(a, q, c, r, m, s)

    def stationary(self) -> LinearDynamics:
        """The same whose first state is drawn from what states come to in the long run.

        Raises:
            LowerboundError: the states come to nothing, for A does not shrink them.
        """
        a, d = self.transition, len(self.mean)
        if float(torch.linalg.eigvals(a).abs().max()) >= 1.0:
            raise LowerboundError(
                "expected a transition with eigenvalues inside the unit circle, which has a "
                "stationary distribution, came another one; give the first state's covariance"
            )
        # vec(P) = (I - A x A)^-1 vec(Q)
        whole = torch.eye(d * d, dtype=a.dtype) - torch.kron(a, a)
        covariance = torch.linalg.solve(whole, self.transition_noise.reshape(-1)).reshape(d, d)
        zero = torch.zeros_like(self.mean)
        return LinearDynamics(
            a, self.transition_noise, self.emission, self.emission_noise, zero, covariance
        )

    def jump(self, steps: int) -> tuple[Tensor, Tensor]:
        """A and Q of so many steps at once: z_{t+k} = A^k z_t + N(0, Q_k), ``(d, d)`` each."""
        a = torch.eye(len(self.mean), dtype=torch.float64)
        q = torch.zeros_like(a)
        for _ in range(steps):
            a, q = self.transition @ a, self.transition @ q @ self.transition.T
            q = q + self.transition_noise
        return a, q

    def filter(self, x: Any) -> Filtered:
        """The Kalman filter.

        Args:
            x: a tensor or an array, ``(B, T, p)``, or ``(B, T)`` where p is 1; NaN where a number
                is missing.

        Raises:
            LowerboundError: x is no such thing.
        """
        x = self._data(x)
        count, steps, _ = x.shape
        d = len(self.mean)
        seen = ~x.isnan()
        x = x.nan_to_num(0.0)
        mean = self.mean.expand(count, d)
        covariance = self.covariance.expand(count, d, d)
        eye = torch.eye(d, dtype=x.dtype)
        found: list[tuple[Tensor, ...]] = []
        for t in range(steps):
            if t:
                mean = mean @ self.transition.T
                covariance = _congruent(self.transition, covariance) + self.transition_noise
            before = mean, covariance
            # What is missing is a number that depends on nothing and was seen where it is expected:
            # its row of C is zero, its noise one, which costs log sqrt(2 pi), given back below.
            there = seen[:, t].to(x.dtype)
            c = self.emission * there[:, :, None]
            r = self.emission_noise * there[:, :, None] * there[:, None, :]
            r = r + torch.diag_embed(1.0 - there)
            residual = (x[:, t] - mean @ self.emission.T) * there
            s = _congruent(c, covariance) + r
            triangle = torch.linalg.cholesky(s)
            gain = torch.cholesky_solve(c @ covariance, triangle).mT
            mean = mean + (gain @ residual[..., None])[..., 0]
            kept = eye - gain @ c
            # Joseph's form stays symmetric and positive.
            covariance = _congruent(kept, covariance) + _congruent(gain, r)
            white = torch.linalg.solve_triangular(triangle, residual[..., None], upper=False)
            half = triangle.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            log_p = -0.5 * white.square().sum((-2, -1)) - half
            log_p = log_p - 0.5 * math.log(2 * math.pi) * there.sum(1)
            found.append((mean, covariance, *before, log_p))
        return Filtered(*(torch.stack(each, 1) for each in zip(*found, strict=True)))

    def smooth(self, x: Any) -> Smoothed:
        """The smoother of Rauch, Tung and Striebel.

        Args:
            x: as of :meth:`filter`.
        """
        x = self._data(x)
        found = self.filter(x)
        means, covariances = [found.mean[:, -1]], [found.covariance[:, -1]]
        gains: list[Tensor] = []
        for t in reversed(range(x.shape[1] - 1)):
            mean, covariance = found.mean[:, t], found.covariance[:, t]
            ahead, spread = found.predicted_mean[:, t + 1], found.predicted_covariance[:, t + 1]
            gain = torch.linalg.solve(spread, self.transition @ covariance).mT
            moved = gain @ (means[-1] - ahead)[..., None]
            gains.append(gain)
            means.append(mean + moved[..., 0])
            covariances.append(covariance + _congruent(gain, covariances[-1] - spread))
        d = len(self.mean)
        stacked = torch.stack(gains[::-1], 1) if gains else x.new_zeros(len(x), 0, d, d).double()
        return Smoothed(torch.stack(means[::-1], 1), torch.stack(covariances[::-1], 1), stacked)

    def log_evidence(self, x: Any) -> Tensor:
        """log p(x) of what is observed, nats, ``(B,)``; x as of :meth:`filter`."""
        return self.filter(x).log_evidence.sum(1)

    def forecast(self, x: Any, horizon: int) -> tuple[Tensor, Tensor]:
        """Mean ``(B, H, p)`` and covariance ``(B, H, p, p)`` of x_{T+1}..x_{T+H} given x.

        Args:
            x: as of :meth:`filter`.
            horizon: H.
        """
        found = self.filter(x)
        mean, covariance = found.mean[:, -1], found.covariance[:, -1]
        parts = []
        for _ in range(horizon):
            mean = mean @ self.transition.T
            covariance = _congruent(self.transition, covariance) + self.transition_noise
            spread = _congruent(self.emission, covariance) + self.emission_noise
            parts.append((mean @ self.emission.T, spread))
        means, spreads = zip(*parts, strict=True)
        return torch.stack(means, 1), torch.stack(spreads, 1)

    def _data(self, x: Any) -> Tensor:
        """x as float64 ``(B, T, p)``."""
        p = len(self.emission)
        try:
            found = torch.as_tensor(x, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as fault:
            raise LowerboundError(
                f"x: expected numbers (B, T, {p}) as an array or a tensor, came "
                f"{type(x).__name__}; pass e.g. numpy.asarray(x, dtype=float)"
            ) from fault
        if found.dim() == 2 and p == 1:
            found = found[..., None]
        if found.dim() != 3 or found.shape[-1] != p:
            raise LowerboundError(
                f"x: expected sequences (B, T, {p}), came shape {tuple(found.shape)}; reshape it, "
                "a single sequence (T, p) e.g. by x[None]"
            )
        return found

    def sample(self, n: int, steps: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """States ``(n, T, d)`` and data ``(n, T, p)``."""
        generator = torch.Generator().manual_seed(seed)

        def noise(covariance: Tensor) -> Tensor:
            # The symmetric root exists for noise that is zero in some direction, too.
            values, vectors = torch.linalg.eigh(covariance)
            root = vectors * values.clamp_min(0.0).sqrt()
            white = torch.randn(n, len(covariance), generator=generator, dtype=torch.float64)
            return white @ root.T

        z = self.mean + noise(self.covariance)
        states, data = [], []
        for t in range(steps):
            if t:
                z = z @ self.transition.T + noise(self.transition_noise)
            states.append(z)
            data.append(z @ self.emission.T + noise(self.emission_noise))
        return torch.stack(states, 1), torch.stack(data, 1)


def _congruent(a: Tensor, p: Tensor) -> Tensor:
    """A P A', symmetric to the bit."""
    found = a @ p @ a.mT
    return 0.5 * (found + found.mT)
