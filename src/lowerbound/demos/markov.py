"""Masked tokens recover a Markov chain's conditionals."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from ..data import DataSpec
from ..data.synthetic import MarkovChain, markov_chain
from ..recipes import RECIPES
from .result import Demonstration, number
from .training import batches, train

LEVELS, LENGTH = 4, 12


class Recovered(NamedTuple):
    """One place masked in each of many held-out sequences.

    Attributes:
        exact: p(x_t | all others) of the chain, ``(N, T, L)`` for t = 0 … T − 1 in turn.
        found: of the model, the same.
        divergence: mean KL(exact‖found), nats, by place, ``(T,)``.
        surprise: −E log p of the masked token: of the model, of the chain, and of the model that
            looks at no other token, nats.
    """

    exact: np.ndarray
    found: np.ndarray
    divergence: np.ndarray
    surprise: tuple[float, float, float]


def recover(
    *,
    seed: int = 0,
    steps: int = 1200,
    examples: int = 20000,
    held_out: int = 500,
    length: int = LENGTH,
) -> Recovered:
    """Train on sequences of a chain; then mask each place in turn in others.

    Args:
        seed: of chain, sequences and training.
        steps: of training, 128 sequences each.
        examples: training sequences.
        held_out: others.
        length: tokens of each.
    """
    chain = markov_chain(LEVELS, sharpness=1.5, seed=seed)
    x = torch.from_numpy(chain.sample(examples, length, seed=seed + 1))
    spec = DataSpec("chain", "tokens", (length,), "categories", levels=LEVELS, train=examples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built: Any = RECIPES["masked-tokens"](spec, width=32, layers=2, masked=1.0, random=0.0)
        train(built, batches(x, 128, seed), steps=steps, learning_rate=3e-3)
    return compare(built.model.eval(), chain, chain.sample(held_out, length, seed=seed + 2))


@torch.no_grad()
def compare(model: Any, chain: MarkovChain, tokens: np.ndarray) -> Recovered:
    """The model's conditionals beside the chain's.

    Args:
        model: has ``predict`` and ``mask``.
        chain: what the tokens were drawn from.
        tokens: ``(N, T)``.
    """
    exact, found = [], []
    for place in range(tokens.shape[1]):
        masked = np.zeros(tokens.shape, bool)
        masked[:, place] = True
        exact.append(chain.conditionals(tokens, masked)[:, place])
        hidden = torch.from_numpy(np.where(masked, model.mask, tokens))
        found.append(model.predict(hidden)[:, place].double().exp().numpy())
    p, q = np.stack(exact, 1), np.stack(found, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(p > 0, p * np.log(p / q), 0.0).sum(-1)
    truth = tokens[..., None]
    alone = np.stack([(tokens == level).mean(0) for level in range(p.shape[-1])], -1)
    surprises = (
        -np.log(np.take_along_axis(density, truth, -1)).mean()
        for density in (q, p, np.broadcast_to(alone, p.shape))
    )
    return Recovered(p, q, each.mean(0), tuple(float(value) for value in surprises))  # ty: ignore


def demonstrate(*, seed: int = 0) -> Demonstration:
    """The model's probabilities against the chain's, and the divergence by place."""
    from ..plots.demos import conditionals

    found = recover(seed=seed)
    model, exact, alone = found.surprise
    rows = [
        ("each token's own frequency", number(alone, 4), number(alone - exact, 4)),
        ("masked-token model", number(model, 4), number(model - exact, 4)),
        ("the chain", number(exact, 4), number(0.0, 4)),
    ]
    error = float(np.abs(found.exact - found.found).mean())
    return Demonstration(
        "Masked tokens recover a Markov chain's conditionals",
        "Sequences of 12 tokens of 4 kinds, from a Markov chain with random transitions. A "
        "bidirectional transformer learns to predict hidden tokens from the others (15 % hidden, "
        "20,000 sequences). Then each place of 500 new sequences is hidden in turn, and its "
        "prediction stands beside p(x_t | x_{t−1}, x_{t+1}), which the chain knows. Probabilities "
        f"differ by {error:.4f} on average.",
        {
            "divergence": float(found.divergence.mean()),
            "mean_error": error,
            "surprise_of_model": model,
            "surprise_of_chain": exact,
            "surprise_alone": alone,
        },
        ("prediction", "−log p of the hidden token, nats", "above the chain's, nats"),
        rows,
        conditionals(found.exact.reshape(-1), found.found.reshape(-1), found.divergence),
        {"seed": seed, "steps": 1200},
    )
