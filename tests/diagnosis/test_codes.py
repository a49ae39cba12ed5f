"""Codes against prior and codebook, where the answer is known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from lowerbound.diagnosis.codes import Heard, collapsed, dead_codes, has_codebook, told_apart
from lowerbound.diagnosis.evidence import Evidence
from lowerbound.distributions.delta import PointMass


def test_draws_of_one_distribution_are_not_told_apart() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.normal(size=(2, 2000, 8))
    area, nats = told_apart(ours, theirs)
    # 4 standard errors of the area over 1,000 and 1,000 draws.
    assert abs(area - 0.5) < 4 * math.sqrt(1 / (6 * 1000))
    assert nats < 0.05


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_two_normals_are_told_apart_as_theory_says(shift: float) -> None:
    """Of N(δ, 1) and N(0, 1) the best classifier has area Φ(δ/√2), and KL is δ²/2."""
    random = np.random.default_rng(1)
    ours, theirs = random.normal(size=(2, 8000, 3))
    ours[:, 0] += shift
    area, nats = told_apart(ours, theirs)
    assert area == pytest.approx(float(norm.cdf(shift / math.sqrt(2))), abs=0.02)
    assert 0.6 * shift**2 / 2 < nats < shift**2 / 2 + 0.1  # a lower bound, and not far below


def test_a_narrow_posterior_and_a_ring_are_seen() -> None:
    """Equal means: only the squares and products tell."""
    random = np.random.default_rng(2)
    theirs = random.normal(size=(2000, 2))
    narrow = 0.2 * random.normal(size=(2000, 2))
    angle = random.uniform(0, 2 * np.pi, 2000)
    ring = 3.0 * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert told_apart(ring, theirs)[0] > 0.9
    area, nats = told_apart(narrow, theirs)
    # P(|z| under N(0, 0.04 I) < |z| under N(0, I)) = 1/(1 + 0.04) in two dimensions; KL is 2.26.
    assert area == pytest.approx(1 / 1.04, abs=0.02)
    assert 0.5 < nats < 2.26 + 0.1


class Codebook:
    """Codes of a codebook of which so many entries are used."""

    def __init__(self, levels: int, used: int, heads: int = 1) -> None:
        self.levels, self.used, self.heads = levels, used, heads
        self.grid, self.latent_shape, self.event_shape = (2, 2), (heads, 2, 2), (1,)
        self.uniform_rate = 4 * math.log(levels)

    def prior(self) -> None: ...

    def decode(self, z: Any) -> None: ...

    def encode(self, x: torch.Tensor) -> PointMass:
        generator = torch.Generator().manual_seed(len(x))
        shape = (len(x), self.heads, 2, 2)
        return PointMass(torch.randint(self.used, shape, generator=generator), 3)

    def modules(self) -> list[Any]:
        return []

    def eval(self) -> None: ...


def asked(model: Codebook) -> Any:
    x = torch.zeros(500, 1)
    return SimpleNamespace(
        model=model,
        probabilistic=True,
        measured={},
        arguments={},
        x=lambda split: x,
        context=lambda split: (),
    )


@pytest.mark.parametrize(("used", "dead"), [(512, False), (300, False), (40, True), (1, True)])
def test_dead_entries_are_counted(used: int, dead: bool) -> None:
    evidence: Evidence = asked(Codebook(512, used))
    assert has_codebook(evidence) is None
    found = dead_codes(evidence)
    assert (found is not None) == dead
    if found is not None:
        assert found.cause == "dead-codes"
        assert found.numbers["used"] == used  # 2,000 draws show all of 40
        expected = 512 * (1 - (1 - 1 / 512) ** 2000)
        assert found.numbers["expected"] == pytest.approx(expected)
        assert found.numbers["perplexity"] == pytest.approx(used, rel=0.05)


def test_few_draws_from_many_entries_are_no_dead_ones() -> None:
    """2,000 draws cannot show 16,384 entries; that is no fault of the model's."""
    assert dead_codes(asked(Codebook(16384, 16384, heads=2))) is None


class Binary(Codebook):
    """x is one of two entries; the decoder is N(gain · z, 1)."""

    no_likelihood = None

    def __init__(self, gain: float) -> None:
        super().__init__(2, 2)
        self.gain, self.grid, self.latent_shape = gain, (1,), (1,)

    def encode(self, x: torch.Tensor) -> PointMass:
        return PointMass(x.long(), 1)

    def decode(self, z: Any) -> Any:
        return torch.distributions.Independent(torch.distributions.Normal(self.gain * z, 1.0), 1)


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_a_decoder_that_does_not_listen_to_indices_is_named(gain: float) -> None:
    """Another's code costs 1/2 nat where it is another, of two entries half of the time."""
    evidence = asked(Binary(gain))
    x = torch.randint(2, (4000, 1), generator=torch.Generator().manual_seed(0)).float()
    evidence.x, evidence.codes, evidence.seed = lambda split: x, SimpleNamespace(index=True), 0
    found = collapsed(evidence)
    if gain:
        assert found is None
        cost = float(evidence.measured["decoder listens"].split("costs ")[1].split(" ±")[0])
        assert cost == pytest.approx(0.25, abs=4 * 0.25 / math.sqrt(4000))
    else:
        assert found is not None and found.cause == "posterior-collapse"


def listening(differences: torch.Tensor, rate: float, active: int) -> Any:
    """Evidence of a code of two values, of which the decoder makes these differences."""
    model = Binary(1.0)
    evidence = asked(model)
    evidence.codes = SimpleNamespace(
        index=False, active_units=active, kl_per_dimension=None, means=torch.zeros(500, 4)
    )
    evidence.log_likelihood = SimpleNamespace(rate=torch.full((500,), rate))
    evidence.exact, evidence.spec = False, SimpleNamespace(dimensions=8, kind="vector")
    heard = Heard(float(differences.mean()), float(differences.std()) / math.sqrt(500), "nats")
    return evidence, heard


@pytest.mark.parametrize(
    ("rate", "active", "mean", "spread", "cause"),
    [
        (0.002, 0, -0.01, 0.9, True),  # nothing is in the codes
        (8.0, 4, 5.0, 3.0, False),  # a healthy run
        (1.6e9, 4, -169.0, 8.7e10, False),  # noise that drowns what the decoder does with codes
        (6.0, 4, 0.0, 1e-4, True),  # a rate that is paid for nothing
        (6.0, 4, 0.0, 3.0, False),  # not told
        (0.05, 1, 0.06, 0.1, False),  # little, but it is heard
        (0.05, 1, 0.0, 0.1, True),
    ],
)
def test_a_collapse_is_one_that_is_known(
    rate: float, active: int, mean: float, spread: float, cause: bool, monkeypatch: Any
) -> None:
    noise = torch.randn(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = (noise - noise.mean()) / noise.std()
    evidence, heard = listening(mean + spread * noise, rate, active)
    monkeypatch.setattr("lowerbound.diagnosis.codes._listening", lambda evidence: heard)
    assert (collapsed(evidence) is not None) == cause
    evidence.exact = True  # the posterior of a model that knows it has nothing to give up
    assert collapsed(evidence) is None
