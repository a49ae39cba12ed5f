"""log p(x) = L + KL(q‖p(z|x)) (EQUATIONS 18), all through training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from ..data.synthetic import linear_gaussian
from ..distributions import UnitNormal, kl
from ..models import LinearGaussian
from .result import Demonstration, number

# Gradient steps: of the likelihood's parameters plain ones, of q natural ones, in closed form.
_P_RATE, _Q_RATE = 0.01, 0.2


@dataclass
class State:
    """Parameters of p and q, float64, all with closed forms.

    Attributes:
        weight: W of p(x|z) = N(W z + m, σ²), ``(D, L)``; m is the data's mean.
        log_sigma: log σ, ``()``.
        gain: A of q(z|x) = N(A (x − m), S), ``(L, D)``.
        factor: lower Cholesky factor of S, ``(L, L)``.
    """

    weight: Tensor
    log_sigma: Tensor
    gain: Tensor
    factor: Tensor


def bound(state: State, x: Tensor) -> Tensor:
    """L = E_q log p(x|z) − KL(q‖p(z)), both in closed form, ``(N,)``, nats; x is centred."""
    q = posterior(state, x)
    error = (x - q.mean @ state.weight.mT).square().sum(1)
    spread = (state.weight @ state.factor).square().sum()
    sigma2 = (2 * state.log_sigma).exp()
    size = x.shape[1]
    fit = -0.5 * (size * (math.log(2 * math.pi) + sigma2.log()) + (error + spread) / sigma2)
    zeros = torch.zeros(state.weight.shape[1], dtype=x.dtype)
    return fit - kl(q, UnitNormal(zeros))


def posterior(state: State, x: Tensor) -> MultivariateNormal:
    """q(z|x)."""
    return MultivariateNormal(x @ state.gain.mT, scale_tril=state.factor, validate_args=False)


def exact(state: State) -> LinearGaussian:
    """The model as it stands, with log p(x) and p(z|x)."""
    size, latent = state.weight.shape
    sigma2 = (2 * state.log_sigma).exp()
    return LinearGaussian((size,), latent, weight=state.weight, sigma2=sigma2).double()


def alternate(
    *, seed: int = 0, rounds: int = 6, steps: int = 20, examples: int = 200
) -> dict[str, np.ndarray]:
    """Rounds of q-steps, then p-steps.

    Args:
        seed: of data and start.
        rounds: how many.
        steps: q-steps, and as many p-steps, of each round.
        examples: N.

    Returns:
        After each step (and at the start) means over the data in nats: ``evidence`` (by the
        marginal's density), ``bound`` and ``gap`` (each in its own closed form), ``error`` (the
        largest of any example of ``|evidence − bound − gap|``), and ``moves``: 0 for q, 1 for p.
    """
    drawn, _ = linear_gaussian(8, 3, seed=seed).sample(examples, seed=seed)
    x = torch.from_numpy(drawn - drawn.mean(0))
    generator = torch.Generator().manual_seed(seed)
    start: dict[str, Any] = {"dtype": torch.float64}
    state = State(
        0.5 * torch.randn(8, 3, generator=generator, **start),
        torch.zeros((), **start) + 0.5,
        torch.zeros(3, 8, **start),
        torch.eye(3, **start),
    )
    told: dict[str, list[float]] = {name: [] for name in ("evidence", "bound", "gap", "error")}
    moves = [0]
    _tell(state, x, told)
    for _ in range(rounds):
        for move in (0, 1):
            for _ in range(steps):
                (_q_step if move == 0 else _p_step)(state, x)
                _tell(state, x, told)
                moves.append(move)
    return {**{name: np.array(values) for name, values in told.items()}, "moves": np.array(moves)}


def _q_step(state: State, x: Tensor) -> None:
    """Towards the posterior, in the natural parameters of a normal: precision, and precision times
    mean; their natural gradient is the difference itself (Hoffman et al. 2013, section 2.3)."""
    sigma2 = (2 * state.log_sigma).exp()
    identity = torch.eye(state.weight.shape[1], dtype=x.dtype)
    precision = torch.cholesky_inverse(state.factor)
    wanted = identity + state.weight.mT @ state.weight / sigma2
    shift = precision @ state.gain
    shift = shift + _Q_RATE * (state.weight.mT / sigma2 - shift)
    precision = precision + _Q_RATE * (wanted - precision)
    covariance = torch.linalg.inv(precision)
    state.gain, state.factor = covariance @ shift, torch.linalg.cholesky(covariance)


def _p_step(state: State, x: Tensor) -> None:
    """Up the bound's gradient in W and log σ; scaled by σ², so that one rate does throughout."""
    weight, log_sigma = state.weight.clone().requires_grad_(), state.log_sigma.clone()
    log_sigma.requires_grad_()
    state.weight, state.log_sigma = weight, log_sigma
    slopes = torch.autograd.grad(bound(state, x).mean(), (weight, log_sigma))
    sigma2 = float((2 * log_sigma.detach()).exp())
    state.weight = weight.detach() + 5 * _P_RATE * sigma2 * slopes[0]
    state.log_sigma = log_sigma.detach() + _P_RATE * slopes[1]


@torch.no_grad()
def _tell(state: State, x: Tensor, told: dict[str, list[float]]) -> None:
    model = exact(state)
    evidence, below = model.log_prob(x), bound(state, x)
    gap = kl(posterior(state, x), model.encode(x))
    told["evidence"].append(float(evidence.mean()))
    told["bound"].append(float(below.mean()))
    told["gap"].append(float(gap.mean()))
    told["error"].append(float((evidence - below - gap).abs().max()))


def demonstrate(*, seed: int = 0) -> Demonstration:
    """The stack of bound and gap over training."""
    from ..plots.demos import stacked

    rounds, steps = 6, 20
    found = alternate(seed=seed, rounds=rounds, steps=steps)
    figure = stacked(found["bound"], found["gap"], found["evidence"], found["moves"])
    ends = [0, *(steps * half for half in range(1, 2 * rounds + 1))]
    rows = []
    for place, step in enumerate(ends):
        what = "start" if place == 0 else "q-steps" if place % 2 else "p-steps"
        cells = (found[key][step] for key in ("evidence", "bound", "gap"))
        rows.append((f"{step}", what, *(number(float(value), 4) for value in cells)))
    return Demonstration(
        "log p(x) = L + KL(q‖p(z|x)), all through training",
        "A linear-Gaussian model of 8 numbers and 3 code dimensions, in float64. q-steps move q "
        "alone: the evidence stays, the bound rises by as much as the gap falls. p-steps move the "
        "likelihood alone: the bound rises, and so does the gap, for the posterior walks away from "
        "q. Evidence, bound and gap each come from a closed form of their own, and their sum is "
        f"right for every example at every step to {found['error'].max():.1e} nats.",
        {
            "largest_error": float(found["error"].max()),
            "evidence_at_start": float(found["evidence"][0]),
            "evidence_at_end": float(found["evidence"][-1]),
            "gap_at_end": float(found["gap"][-1]),
        },
        ("step", "after", "log p(x), nats", "L, nats", "KL(q‖p(z given x)), nats"),
        rows,
        figure,
        {"seed": seed, "examples": 200, "rounds": rounds, "steps": steps},
    )
