"""One Gaussian, a mixture, a continuous latent: a density that no few normals make."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ..data import DataSpec
from ..mixtures import GaussianMixture, em
from ..recipes import RECIPES
from .result import Demonstration, number
from .training import batches, train

#: Boxes ``[low, high)`` and their shares; the rest is the slope.
BOXES = ((-4.0, -2.5, 0.25), (-1.5, -1.2, 0.15))
#: From 0 on, an exponential of mean 1.
SLOPE = 0.6


def log_density(x: np.ndarray) -> np.ndarray:
    """log p(x) of two boxes and an exponential slope, ``(N,)``; −inf between them."""
    p = np.where(x >= 0, SLOPE * np.exp(-np.maximum(x, 0)), 0.0)
    for low, high, share in BOXES:
        p = p + np.where((x >= low) & (x < high), share / (high - low), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(p)


def draw(n: int, seed: int) -> np.ndarray:
    """``(n, 1)`` float32."""
    random = np.random.default_rng(seed)
    which = random.choice(3, n, p=[BOXES[0][2], BOXES[1][2], SLOPE])
    u = random.random(n)
    ends = np.array([box[:2] for box in BOXES])
    boxed = ends[np.minimum(which, 1)]
    x = np.where(which < 2, boxed[:, 0] + u * (boxed[:, 1] - boxed[:, 0]), -np.log1p(-u))
    return x[:, None].astype(np.float32)


def exact() -> float:
    """E_p log p, nats, in closed form: of a box its log height, of the slope log SLOPE − 1."""
    boxes = sum(share * math.log(share / (high - low)) for low, high, share in BOXES)
    return boxes + SLOPE * (math.log(SLOPE) - 1)


def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes, ascending, and weights, ``(points,)``: Gauss–Legendre with four nodes in each cell.

    p jumps at the boxes' edges and at 0, which a rule across them does not see: no cell holds one.
    Cells are at most 0.01 wide where p is, and 0.1 in the tails; p has 1e-13 of its mass beyond.
    """
    breaks = sorted({-20.0, -8.0, 0.0, 14.0, 30.0, *(edge for box in BOXES for edge in box[:2])})
    edges = [np.array(breaks[:1])]
    for low, high in pairwise(breaks):
        width = 0.1 if low < -8.0 or high > 14.0 else 0.01
        edges.append(np.linspace(low, high, math.ceil((high - low) / width - 1e-9) + 1)[1:])
    ends = np.concatenate(edges)
    half, middle = np.diff(ends)[:, None] / 2, (ends[1:] + ends[:-1])[:, None] / 2
    nodes, weights = np.polynomial.legendre.leggauss(4)
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def grid() -> np.ndarray:
    """Where densities are looked at, ``(points,)``, ascending."""
    return _rule()[0]


def integral(values: np.ndarray) -> float:
    """∫ of a function known on :func:`grid`, ``(points,)``; exact for p's jumps."""
    return float(values @ _rule()[1])


def expected(log_q: np.ndarray) -> float:
    """E_p log q, nats: the held-out log-likelihood of infinitely many examples, by quadrature.

    Args:
        log_q: on :func:`grid`, ``(points,)``.
    """
    p = np.exp(log_density(grid()))
    return integral(p * np.where(p > 0, log_q, 0.0))


def continuous(x: np.ndarray, *, seed: int, steps: int, hidden: tuple[int, ...] = (64, 64)) -> Any:
    """A VAE with one code dimension, trained on the importance-weighted bound of 50 draws.

    Args:
        x: training data, ``(N, 1)``.
        seed: of weights and draws.
        steps: of training.
        hidden: widths of encoder and decoder.
    """
    mean, std = x.mean(0), x.std(0)
    spec = DataSpec("boxes", "vector", (1,), "real", train=len(x), mean=mean, std=std)
    torch.manual_seed(seed)
    built = RECIPES["vae"](
        spec,
        latent_dim=1,
        bound="iwae",
        samples=50,
        network="mlp",
        hidden=hidden,
        activation="tanh",
        likelihood={"name": "gaussian", "sigma": "per-datum"},
    )
    train(built, batches(torch.from_numpy(x), 128, seed), steps=steps, learning_rate=5e-3)
    return built.model.eval()


@torch.no_grad()
def log_marginal(model: Any, x: np.ndarray, points: int = 4001) -> np.ndarray:
    """log ∫ p(x|z) N(z; 0, 1) dz by quadrature over z, ``(N,)``, nats, float64.

    Args:
        model: with one code dimension.
        x: ``(N,)``.
        points: of the quadrature, from −7 to 7.
    """
    z = torch.linspace(-7, 7, points)
    p = model.decode(z[:, None])
    loc, scale = p.mean.double()[:, 0], p.variance.double().sqrt()[:, 0]
    width = 14.0 / (points - 1)
    log_prior = -0.5 * z.double().square() + math.log(width) - 0.5 * math.log(2 * math.pi)
    found = []
    for part in torch.from_numpy(x).double().split(1000):
        error = (part[:, None] - loc) / scale
        log_p = -0.5 * error.square() - scale.log() - 0.5 * math.log(2 * math.pi)
        found.append((log_p + log_prior).logsumexp(1))
    return torch.cat(found).numpy()


def fitted(
    *, seed: int = 0, examples: int = 5000, steps: int = 2500, components: tuple[int, ...] = (3, 10)
) -> dict[str, np.ndarray]:
    """log q on :func:`grid` of every model, by name, all fitted to the same data.

    Args:
        seed: of data, starts and draws.
        examples: for training.
        steps: of the VAE's training.
        components: of the mixtures.
    """
    data, x = draw(examples, seed), grid()
    tensor = torch.from_numpy(data).double()
    found = {}
    for count in (1, *components):
        model = GaussianMixture((1,), components=count).double()
        for _ in em(model, lambda: iter([tensor]), seed=seed, tolerance=1e-6, max_iterations=500):
            pass
        name = "one Gaussian" if count == 1 else f"mixture of {count}, EM"
        found[name] = model.log_prob(torch.from_numpy(x[:, None])).numpy()
    with torch.random.fork_rng(devices=[]):
        model = continuous(data, seed=seed, steps=steps)
    found["continuous latent, IWAE-50"] = log_marginal(model, x)
    return found


def _place(values: dict[str, float]) -> str:
    """Where the continuous latent stands among the mixtures, in words."""
    few, many, found = (values[n] for n in (*list(values)[1:3], list(values)[-1]))
    if found > many:
        return "above both"
    return "between the two" if found > few else "below both"


def demonstrate(*, seed: int = 0) -> Demonstration:
    """All densities, and what they give to unseen data."""
    from ..plots.demos import densities

    x = grid()
    found = fitted(seed=seed)
    values = {name: expected(log_q) for name, log_q in found.items()}
    log_p, best = log_density(x), exact()
    rows = [
        (
            name,
            number(expected(log_q), 4),
            number(round(best - expected(log_q), 6) + 0.0, 4),
            number(integral(np.exp(log_q)), 4),
        )
        for name, log_q in (*found.items(), ("the density itself", log_p))
    ]
    return Demonstration(
        "From one Gaussian to a continuous latent",
        "Two boxes and an exponential slope; 5,000 examples to learn from. Held-out log-likelihood "
        "is E_p log q, by quadrature over x, piece by piece between p's jumps; the "
        "continuous-latent model's log q(x) is itself an integral over its one code dimension, by "
        "quadrature as well, and no bound. It is trained on the importance-weighted bound. What is "
        "missing to the density's own value is KL(p‖q). "
        "A mixture of 3 has 8 parameters, one of 10 has 29. A continuous latent is a mixture of "
        "infinitely many, but its encoder and decoder have to find them: after this much training "
        f"it lies {_place(values)}.",
        {"density": best, **{n.replace(" ", "_").replace(",", ""): v for n, v in values.items()}},
        ("model", "held-out log-likelihood, nats", "KL(p‖q), nats", "its mass"),
        rows,
        densities(x, np.exp(log_density(x)), {n: np.exp(q) for n, q in found.items()}, values),
        {"seed": seed, "examples": 5000, "steps": 2500},
    )
