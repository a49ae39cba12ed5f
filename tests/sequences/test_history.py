"""Models with a history: exact where it tells all there is, and it takes up what it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.distributions import kl
from lowerbound.distributions.known import WithKnown
from lowerbound.distributions.normal import DiagonalNormal
from lowerbound.models.history import HistoryVAE
from lowerbound.networks.belief import Recurrent
from lowerbound.sequences import TimeStep

A, NOISE, SHARE = 0.8, 0.5, 0.6  # of x_t = A x_{t-1} + SHARE z_t + noise
QUICK: dict[str, Any] = {"steps": 3, "threads": 1, "progress": False, "tensorboard": "no"}


class Last(nn.Module):
    """The history is the last step and the one before it; 0 before the first."""

    width = 2

    def forward(self, steps: Tensor, times: Tensor) -> Tensor:
        x = torch.cat((torch.zeros(len(steps), 2, 1), steps[..., :1]), 1)
        return torch.cat((x[:, 1:], x[:, :-1]), -1)

    def begin(self, count: int) -> Tensor:
        return torch.zeros(count, 2)

    def after(self, steps: Tensor, lengths: Tensor) -> Tensor:
        return self.forward(steps, steps)[torch.arange(len(steps)), lengths]

    def step(self, memory: Tensor, step: Tensor) -> Tensor:
        return torch.cat((step[:, :1], memory[:, :1]), -1)

    def told(self, memory: Tensor) -> Tensor:
        return memory


class Normal(nn.Module):
    """N(0, 1), for each row of what it is given."""

    def forward(self, z: Tensor, *context: Tensor) -> Distribution:
        lead = torch.broadcast_shapes(*(c.shape[:-1] for c in (z, *context)))
        return DiagonalNormal(z.new_zeros(*lead, 1), z.new_zeros(()))


class Posterior(nn.Module):
    """p(z_t | x_t, x_{t-1}), exactly."""

    def forward(self, z: Tensor, now: Tensor, time: Tensor) -> Distribution:
        variance = torch.tensor(1.0 / (1.0 + SHARE**2 / NOISE**2))
        surprise = now[..., :1] - A * now[..., 1:2]
        mean = (variance * SHARE / NOISE**2 * surprise).expand(*z.shape[:-1], 1)
        return DiagonalNormal(mean, variance.sqrt().log())


class Likelihood(nn.Module):
    """N(A h + SHARE z, NOISE²) of (z, h)."""

    def forward(self, state: Tensor) -> Distribution:
        loc = SHARE * state[..., :1] + A * state[..., 1:2]
        return DiagonalNormal(loc, torch.tensor(NOISE).log())


def autoregressive(steps: int) -> HistoryVAE:
    class Read(nn.Module):
        def forward(self, x: Tensor, known: Tensor) -> Tensor:
            return x

    return HistoryVAE(
        Last(), Read(), Normal(), Likelihood(), TimeStep(1.0), posterior=Posterior(),
        event_shape=(steps, 1), latent_dim=1,
    )  # fmt: skip


def drawn(n: int, steps: int) -> Tensor:
    random = np.random.default_rng(3)
    x = np.zeros((n, steps + 1))
    for t in range(steps):
        x[:, t + 1] = A * x[:, t] + np.hypot(SHARE, NOISE) * random.standard_normal(n)
    return torch.from_numpy(x[:, 1:, None]).float()


def log_prob(x: Tensor) -> Tensor:
    """Of each step, (N, T)."""
    before = torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1]), 1)[..., 0]
    spread = torch.distributions.Normal(A * before, (SHARE**2 + NOISE**2) ** 0.5)
    return spread.log_prob(x[..., 0])


def test_the_evidence_is_that_of_an_autoregression() -> None:
    """Every particle weighs the same where the posterior is exact, and the bound is tight."""
    torch.manual_seed(0)
    x, model = drawn(5, 12), autoregressive(12)
    exact = log_prob(x)
    x[3, 9:] = torch.nan
    there = ~x[..., 0].isnan()
    found = model.evidence(x, samples=6)
    torch.testing.assert_close(found.value[there], exact[there])
    torch.testing.assert_close(found.effective[there], torch.full_like(exact[there], 6.0))
    draws = model.evidence(x.repeat(200, 1, 1), samples=16).bound.reshape(200, 5, 12)
    error = (draws.mean(0) - exact) / (draws.std(0) / 200**0.5)
    assert error[there].abs().max() < 4.5


def test_forecasts_take_up_what_they_draw() -> None:
    """Mean A^k x_T; the variance of an autoregression that goes on from one value."""
    torch.manual_seed(0)
    x, model = drawn(3, 6), autoregressive(6)
    x[1, 4:] = torch.nan  # a shorter one: it goes on from its own last step
    past = model.pack(x)
    rolled = model.roll(model.last(past, 4000), torch.ones(5))
    last = torch.stack([x[0, 5, 0], x[1, 3, 0], x[2, 5, 0]])
    k = torch.arange(1, 6)
    mean = last[:, None] * A**k
    variance = (SHARE**2 + NOISE**2) * (1 - A ** (2 * k)) / (1 - A**2)
    error = (rolled.draws[..., 0].mean(0) - mean) / (variance / 4000).sqrt()
    assert error.abs().max() < 4.0
    ratio = rolled.draws[..., 0].var(0) / variance - 1.0
    assert ratio.abs().max() < 4 * (2 / 4000) ** 0.5
    fresh = model.sample(6000)[..., 0]
    stationed = (SHARE**2 + NOISE**2) * (1 - A ** (2 * torch.arange(1, 7))) / (1 - A**2)
    assert (fresh.var(0) / stationed - 1.0).abs().max() < 4 * (2 / 6000) ** 0.5


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_memory_step_by_step_is_that_of_all_at_once(
    kind: Literal["gru", "lstm"], residual: bool
) -> None:
    torch.manual_seed(0)
    network = Recurrent(6, 5, kind, layers=2, residual=residual)
    nn.init.normal_(network.start)
    if network.gain is not None:
        nn.init.normal_(network.gain)
    x, lengths = torch.randn(4, 7, 6), torch.tensor([7, 1, 4, 6])
    found = network(x)
    memory = network.begin(4)
    for t in range(7):
        torch.testing.assert_close(network.told(memory), found[:, t])
        memory = network.step(memory, x[:, t])
        for row in (lengths == t + 1).nonzero()[:, 0]:
            torch.testing.assert_close(network.after(x, lengths)[row], memory[row])


def test_what_is_certain_costs_nothing() -> None:
    known = torch.randn(6, 4)
    q = DiagonalNormal(torch.randn(6, 2), torch.randn(6, 2))
    p = DiagonalNormal(torch.zeros(6, 2), torch.zeros(6, 2))
    both = WithKnown(q, known), WithKnown(p, known)
    torch.testing.assert_close(kl(*both), kl(q, p))
    z, log_q = both[0].rsample_and_log_prob((3,))
    torch.testing.assert_close(log_q, q.log_prob(z[..., :2]))
    assert torch.equal(z[..., 2:], known.expand(3, 6, 4))


def test_from_data_to_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    waves = np.sin(0.5 * np.arange(16) + np.random.default_rng(0).normal(size=(24, 1)))
    waves[3, 5:7] = np.nan
    run = lb.train(waves[..., None], "state-space-vae", out="run", kind="sequence", history=True,
                   latent_dim=2, belief_width=6, **QUICK)  # fmt: skip
    model: Any = run.model
    assert isinstance(model, HistoryVAE)
    ahead = lb.forecast(run, waves[:2, :, None], horizon=4, samples=7)
    assert ahead.draws.shape == (7, 2, 4, 1) and np.isfinite(ahead.draws).all()
    known = lb.belief(run, waves[2:4, :, None], samples=20)
    assert known.state.shape == (2, 16, 2, 2) and np.isfinite(known.imputed).all()
    steps = lb.evaluate(run, report=False, limit=4, samples=8).sections[0].to_json()
    assert steps["value"][0] <= steps["bound"][0] + 0.2
    assert lb.sample(run, 3).shape[0] == 3


@pytest.mark.parametrize("words", [["--posterior", "mean-field"], ["--belief", "transformer"]])
def test_a_history_needs_a_filter_and_recurrence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    asked = ["train", "oscillator", "--recipe", "state-space-vae", "--history", *words]
    assert main(asked) == 2
    assert "history: expected the filtering posterior and a recurrent" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
