"""The coder against known distributions: as long as −log2 p, and back to the same symbols."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.autoregressive import (
    AutoregressiveConditional,
    LogisticOutput,
    PixelCNN,
    Transformer,
    TwoLevelPrior,
    WaveNet,
)
from lowerbound.autoregressive.levels import CoarseCodes
from lowerbound.codec import fixed, priors
from lowerbound.codec.stream import Decoder, Encoder
from lowerbound.distributions import IndependentCategorical
from lowerbound.errors import LowerboundError


class Markov:
    """A chain with a known transition matrix: its own sequence of tables."""

    def __init__(self, start: Tensor, transition: Tensor, length: int) -> None:
        self.start, self.transition, self.length = start, transition, length

    def tables(self, count: int):
        state = yield self.start.log().expand(count, -1)
        for _ in range(self.length - 1):
            state = yield self.transition.log()[state]

    def tokens(self, value: Tensor) -> Tensor:
        return value

    def value(self, tokens: Tensor) -> Tensor:
        return tokens

    def sample(self, count: int) -> Tensor:
        found = [torch.multinomial(self.start.expand(count, -1), 1)[:, 0]]
        for _ in range(self.length - 1):
            found.append(torch.multinomial(self.transition[found[-1]], 1)[:, 0])
        return torch.stack(found, 1)


def coded(p: object, value: Tensor) -> tuple[float, float]:
    """(−log2 p by the tables, bits written); decodes them and compares."""
    encoder = Encoder()
    rates, _ = priors.write(encoder, p, value)
    words = encoder.words()
    assert torch.equal(priors.read(Decoder(words), p, len(value)), value)
    return float(rates.sum()), 32.0 * len(words)


def test_skewed_symbols_take_their_entropy() -> None:
    torch.manual_seed(0)
    p = torch.tensor([0.9, 0.06, 0.03, 0.01], dtype=torch.float64)
    d = IndependentCategorical(p.log()[:, None, None].expand(4, 5, 6).clone(), 2)
    value = d.sample((500,))
    exact = -float(d.log_prob(value).sum()) / math.log(2)
    rate, bits = coded(d, value)
    assert rate == pytest.approx(exact, rel=1e-12)
    assert exact <= bits <= 1.01 * exact


def test_a_markov_chain_takes_its_entropy_rate() -> None:
    torch.manual_seed(1)
    rows = [[0.95, 0.04, 0.01], [0.01, 0.9, 0.09], [0.3, 0.01, 0.69]]
    transition = torch.tensor(rows, dtype=torch.float64)
    chain = Markov(torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64), transition, 200)
    value = chain.sample(100)
    log_p = chain.start[value[:, 0]].log2().sum()
    log_p = log_p + transition[value[:, :-1], value[:, 1:]].log2().sum()
    rate, bits = coded(chain, value)
    assert rate == pytest.approx(-float(log_p), rel=1e-9)
    assert abs(bits / -float(log_p) - 1) < 0.01
    # By the stationary distribution: its entropy rate, within four standard errors.
    weight = np.linalg.matrix_power(transition.numpy(), 200)[0]
    entropy = -(weight[:, None] * (transition * transition.log2()).numpy()).sum()
    spread = float((-transition[value[:, :-1], value[:, 1:]].log2()).sum(1).std())
    assert abs(bits / 100 - 199 * entropy - 1.5) < 4 * spread / 10 + 2


def test_a_uniform_prior_costs_log_k_exactly() -> None:
    value = torch.randint(5, (300, 7), generator=torch.Generator().manual_seed(0))
    rate, bits = coded(IndependentCategorical(torch.zeros(5, 7)), value)
    assert rate == pytest.approx(300 * 7 * math.log2(5), rel=1e-12)
    assert abs(bits / rate - 1) < 0.01
    one = torch.zeros(4, 3, dtype=torch.int64)
    assert coded(IndependentCategorical(torch.zeros(1, 3)), one) == (0.0, 0.0)


@pytest.mark.parametrize("kind", ["transformer", "heads", "levels", "two grids"])
def test_autoregressive_priors_step_by_step(kind: str) -> None:
    torch.manual_seed(2)
    prior: torch.nn.Module
    if kind == "transformer":
        network = Transformer(9, (3, 2, 2), width=16, layers=2)
        prior = AutoregressiveConditional(network, (3, 2, 2), heads=False)
    elif kind == "heads":
        network = Transformer(9, (2, 3), width=16, layers=1, heads=2)
        prior = AutoregressiveConditional(network, (2, 2, 3))
    elif kind == "two grids":
        told = CoarseCodes(5, (1, 2), (2, 3), 4)
        fine = PixelCNN(5, (2, 3), width=8, layers=2, kernel=3, local=4)
        coarse = Transformer(5, (1, 2), width=8, layers=1, attention_heads=2)
        prior = TwoLevelPrior(
            AutoregressiveConditional(coarse, (1, 2)),
            AutoregressiveConditional(fine, (2, 3), event_ranks=(2,), embed=[told]),
        )
    else:
        output = LogisticOutput(16, 3)
        network = WaveNet(16, width=8, depth=3, outputs=output.raw)
        prior = AutoregressiveConditional(network, (12,), output=output, scale=15)
    for parameter in prior.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    prior.eval()
    with torch.no_grad():
        value = prior().sample((150,))
        exact = -float(prior().log_prob(value).double().sum()) / math.log(2)
    with priors.exactly(prior) as precise:
        value = (value.double() * 15).round() / 15 if kind == "levels" else value
        rate, bits = coded(precise(), value)
    assert rate == pytest.approx(exact, rel=1e-4)
    assert abs(bits / exact - 1) < 0.01


def test_tables_do_not_hang_on_the_last_digits() -> None:
    """Errors of float64 arithmetic in the logits change no table."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 5, (2000, 64))
    noisy = logits + random.normal(0, 1e-14, logits.shape) + random.normal(0, 1e-14, (2000, 1))
    assert np.array_equal(fixed.weights(logits), fixed.weights(noisy))
    p = fixed.weights(logits) / fixed.weights(logits).sum(-1, keepdims=True)
    exact = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert (exact * np.log(exact / np.maximum(p, 2.0**-24))).sum(-1).max() < 1e-6  # KL, nats


def test_what_is_no_code_or_no_prior_is_refused() -> None:
    p = IndependentCategorical(torch.zeros(4, 3))
    with pytest.raises(LowerboundError, match="from 0 to 3, came 4"):
        priors.write(Encoder(), p, torch.tensor([[0, 1, 4]]))
    with pytest.raises(LowerboundError, match="from 0 to 3, came -1"):
        priors.write(Encoder(), p, torch.tensor([[0, -1, 0]]))
    with pytest.raises(LowerboundError, match="uniform or autoregressive, came Normal"):
        priors.sequence(torch.distributions.Normal(0.0, 1.0))
