"""Data that come with their answer: small functions of a seed, for demonstrations and tests.

Manifolds with their coordinates and the points without noise; densities that know log p(x); a
Markov chain that knows what stands at a masked place. Everything is float64 (tokens are int64), and
nothing here reads a file.

>>> swiss_roll(500, seed=0).x.shape
(500, 3)
>>> density = claw()
>>> x, component = density.sample(1000, seed=0)
>>> density.responsibilities(x).shape
(1000, 6)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lowerbound.errors import LowerboundError


class Manifold(NamedTuple):
    """Points on or near a manifold.

    Args:
        x: ``(n, D)``.
        coordinates: where each lies on the manifold, ``(n, d)``, in lengths along it.
        clean: the same points without noise, ``(n, D)``.
    """

    x: np.ndarray
    coordinates: np.ndarray
    clean: np.ndarray


def swiss_roll(n: int, *, seed: int = 0, noise: float = 0.0) -> Manifold:
    """A sheet rolled up: (t cos t, h, t sin t), with t in [1.5π, 4.5π] and h in [0, 21].

    Args:
        n: points, uniform in area.
        seed: of the draw.
        noise: standard deviation of Gaussian noise on each number.

    Returns:
        Points in three dimensions; coordinates are the length along the spiral, and h.
    """
    random = np.random.default_rng(seed)
    low, high = _spiral_length(np.array([1.5 * np.pi, 4.5 * np.pi]))
    length, height = random.uniform(low, high, n), random.uniform(0.0, 21.0, n)
    t = _along_spiral(length)
    clean = np.stack([t * np.cos(t), height, t * np.sin(t)], axis=1)
    coordinates = np.stack([length - low, height], axis=1)
    return Manifold(clean + noise * random.standard_normal(clean.shape), coordinates, clean)


def noisy_curve(n: int, *, seed: int = 0, noise: float = 0.1) -> Manifold:
    """A half circle of radius 1 that goes on as one bent the other way: an S, in two dimensions.

    Args:
        n: points, uniform in length.
        seed: of the draw.
        noise: standard deviation of Gaussian noise on each number.

    Returns:
        Points in two dimensions; the coordinate is the length along the curve, in [0, 2π].
    """
    random = np.random.default_rng(seed)
    length = random.uniform(0.0, 2.0 * np.pi, n)
    side = np.where(length < np.pi, 1.0, -1.0)
    # Middles at (-1, 0) and (1, 0): over the first from left to right, then under the second.
    clean = np.stack([-np.cos(length) * side - side, np.sin(length)], axis=1)
    return Manifold(clean + noise * random.standard_normal((n, 2)), length[:, None], clean)


def two_moons(n: int, *, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other.

    Args:
        n: points, half of them on each.
        seed: of the draw.
        noise: standard deviation of Gaussian noise on each number.

    Returns:
        x ``(n, 2)`` and which of the two it is, int64 ``(n,)``.
    """
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(n) % 2)
    angle = random.uniform(0.0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(label[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
    return x + noise * random.standard_normal((n, 2)), label


@dataclass(frozen=True)
class Mixture:
    """A mixture of normals in one dimension.

    Args:
        weights: ``(K,)``, of sum 1.
        means: ``(K,)``.
        stds: ``(K,)``, positive.
    """

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray

    def __post_init__(self) -> None:
        if not np.isclose(self.weights.sum(), 1.0) or min(self.weights.min(), self.stds.min()) <= 0:
            raise LowerboundError(
                f"expected positive weights of sum 1 and positive stds, came weights "
                f"{self.weights.tolist()} and stds {self.stds.tolist()}; mend them"
            )

    def sample(self, n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """x ``(n, 1)`` and the component that it came from, int64 ``(n,)``."""
        random = np.random.default_rng(seed)
        which = random.choice(len(self.weights), n, p=self.weights)
        x = self.means[which] + self.stds[which] * random.standard_normal(n)
        return x[:, None], which

    def log_joint(self, x: np.ndarray) -> np.ndarray:
        """log p(h) p(x|h) of x ``(n, 1)``, nats, ``(n, K)``."""
        z = (x - self.means) / self.stds
        return np.log(self.weights / self.stds) - 0.5 * (z**2 + math.log(2.0 * math.pi))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x) of x ``(n, 1)``, nats, ``(n,)``."""
        return np.logaddexp.reduce(self.log_joint(x), axis=1)

    def responsibilities(self, x: np.ndarray) -> np.ndarray:
        """p(h|x) of x ``(n, 1)``: ``(n, K)``."""
        return np.exp(self.log_joint(x) - self.log_prob(x)[:, None])


def claw() -> Mixture:
    """Marron & Wand's claw: five narrow peaks on a broad normal, which one normal cannot fit.

    Reference:
        Marron & Wand 1992, Exact mean integrated squared error, Annals of Statistics 20(2), no. 10
    """
    narrow = np.arange(5) / 2.0 - 1.0
    return Mixture(
        np.array([0.5, *[0.1] * 5]), np.array([0.0, *narrow]), np.array([1.0, *[0.1] * 5])
    )


def comb() -> Mixture:
    """Marron & Wand's asymmetric claw: peaks of different widths and weights.

    Reference:
        Marron & Wand 1992, Annals of Statistics 20(2), no. 12
    """
    k = np.arange(-2, 3)
    weights = np.array([0.5, *(2.0 ** (1 - k) / 31.0)])
    return Mixture(weights, np.array([0.0, *(k + 0.5)]), np.array([1.0, *(2.0**-k / 10.0)]))


@dataclass(frozen=True)
class LinearGaussianData:
    """z ~ N(0, I), x ~ N(W z + m, σ² I), with all that can be asked of it in closed form.

    Args:
        weight: W, ``(D, d)``.
        mean: m, ``(D,)``.
        sigma: σ, positive.
    """

    weight: np.ndarray
    mean: np.ndarray
    sigma: float

    @property
    def covariance(self) -> np.ndarray:
        """W W' + σ² I, ``(D, D)``."""
        return self.weight @ self.weight.T + self.sigma**2 * np.eye(len(self.mean))

    def sample(self, n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """x ``(n, D)`` and the z that it came from, ``(n, d)``."""
        random = np.random.default_rng(seed)
        z = random.standard_normal((n, self.weight.shape[1]))
        noise = self.sigma * random.standard_normal((n, len(self.mean)))
        return z @ self.weight.T + self.mean + noise, z

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x) of x ``(n, D)``, nats, ``(n,)``."""
        factor = np.linalg.cholesky(self.covariance)
        white = np.linalg.solve(factor, (x - self.mean).T)
        log_det = 2.0 * np.log(np.diag(factor)).sum()
        return -0.5 * ((white**2).sum(0) + log_det + len(self.mean) * math.log(2.0 * math.pi))

    def posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p(z|x) of x ``(n, D)``: means ``(n, d)``, and the one covariance ``(d, d)``."""
        precision = np.eye(self.weight.shape[1]) + self.weight.T @ self.weight / self.sigma**2
        covariance = np.linalg.inv(precision)
        return (x - self.mean) @ self.weight @ covariance / self.sigma**2, covariance

    def denoised(self, noisy: np.ndarray, noise: float) -> np.ndarray:
        """E[x | x + noise·ε] ``(n, D)``, which no denoiser beats in squared error."""
        gain = np.linalg.solve(self.covariance + noise**2 * np.eye(len(self.mean)), self.covariance)
        return self.mean + (noisy - self.mean) @ gain


def linear_gaussian(
    dimensions: int = 10, latent: int = 3, *, sigma: float = 0.5, seed: int = 0
) -> LinearGaussianData:
    """A linear-Gaussian model with weights N(0, 1) and a mean N(0, 1).

    Args:
        dimensions: D, of x.
        latent: d, of z.
        sigma: standard deviation of the noise on x.
        seed: of the weights.
    """
    random = np.random.default_rng(seed)
    weight = random.standard_normal((dimensions, latent))
    return LinearGaussianData(weight, random.standard_normal(dimensions), sigma)


@dataclass(frozen=True)
class MarkovChain:
    """Tokens, each drawn given the one before it.

    Args:
        start: probabilities of the first, ``(L,)``.
        transition: of the next (column) after each (row), ``(L, L)``.
    """

    start: np.ndarray
    transition: np.ndarray

    def __post_init__(self) -> None:
        sums = np.append(self.transition.sum(1), self.start.sum())
        if not np.allclose(sums, 1.0) or min(self.start.min(), self.transition.min()) < 0.0:
            raise LowerboundError(
                f"expected probabilities, each row of sum 1, came sums {sums.round(3).tolist()}; "
                "divide each row by its sum"
            )

    def sample(self, n: int, length: int, *, seed: int = 0) -> np.ndarray:
        """Tokens, int64 ``(n, length)``."""
        random = np.random.default_rng(seed)
        ends = np.cumsum(self.transition, axis=1)
        u = random.random((n, length))
        tokens = np.empty((n, length), np.int64)
        tokens[:, 0] = (u[:, :1] > np.cumsum(self.start)).sum(1)
        for t in range(1, length):
            tokens[:, t] = (u[:, t, None] > ends[tokens[:, t - 1]]).sum(1)
        # Rounding may leave the last end below 1.
        return np.minimum(tokens, len(self.start) - 1)

    def log_prob(self, tokens: np.ndarray) -> np.ndarray:
        """log p(tokens) of ``(n, T)``, nats, ``(n,)``."""
        with np.errstate(divide="ignore"):
            first, steps = np.log(self.start), np.log(self.transition)
        return first[tokens[:, 0]] + steps[tokens[:, :-1], tokens[:, 1:]].sum(1)

    def conditionals(self, tokens: np.ndarray, masked: np.ndarray) -> np.ndarray:
        """p(token at t | all tokens that are not masked), by the forward-backward recursion.

        Args:
            tokens: ``(n, T)``; those that are masked do not matter.
            masked: bool ``(n, T)``.

        Returns:
            ``(n, T, L)``; at places that are not masked, 1 for the token that stands there.
        """
        length = tokens.shape[1]
        levels = len(self.start)
        seen = np.where(masked[..., None], 1.0, np.eye(levels)[tokens])  # (n, T, L)
        forward, backward = np.empty_like(seen), np.empty_like(seen)
        forward[:, 0] = _normed(self.start * seen[:, 0])
        backward[:, -1] = 1.0
        for t in range(1, length):
            forward[:, t] = _normed(forward[:, t - 1] @ self.transition * seen[:, t])
        for t in range(length - 2, -1, -1):
            backward[:, t] = _normed(backward[:, t + 1] * seen[:, t + 1] @ self.transition.T)
        return _normed(forward * backward)


def markov_chain(levels: int = 5, *, sharpness: float = 2.0, seed: int = 0) -> MarkovChain:
    """A chain with random transitions.

    Args:
        levels: L, how many tokens there are.
        sharpness: 0 for a uniform next token; the larger, the surer it is.
        seed: of the probabilities.
    """
    random = np.random.default_rng(seed)
    scores = np.exp(sharpness * random.standard_normal((levels + 1, levels)))
    scores = _normed(scores)
    return MarkovChain(scores[0], scores[1:])


def _normed(p: np.ndarray) -> np.ndarray:
    return p / p.sum(-1, keepdims=True)


def _spiral_length(t: np.ndarray) -> np.ndarray:
    """Length of (t cos t, t sin t) from 0 to t: ½ (t √(1 + t²) + asinh t)."""
    return 0.5 * (t * np.sqrt(1.0 + t**2) + np.arcsinh(t))


def _along_spiral(length: np.ndarray) -> np.ndarray:
    """t at that length, by Newton's method: the length grows by √(1 + t²)."""
    t = np.sqrt(2.0 * length)
    for _ in range(6):
        t = t - (_spiral_length(t) - length) / np.sqrt(1.0 + t**2)
    return t
