"""Two players, where the answer is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.diagnosis.game import a_game, collapsed, crowded, overpowered, told_apart
from lowerbound.distributions import PointMass


class Players:
    """A generator of N(shift, spread²) and the optimal discriminator from N(0, 1)."""

    def __init__(self, shift: float, spread: float = 1.0) -> None:
        self.shift, self.spread = shift, spread

    def draw(self, count: int) -> torch.Tensor:
        return torch.randn(count, 4)

    def decode(self, z: torch.Tensor) -> PointMass:
        return PointMass(self.shift + self.spread * z)

    def judge(self, x: torch.Tensor) -> Any:
        s = self.spread
        logit = 0.5 * (((x - self.shift) / s) ** 2 - x**2).sum(1) + 4 * np.log(s)
        return SimpleNamespace(logit=logit)


def evidence(model: Any) -> Any:
    torch.manual_seed(1)
    x = torch.randn(500, 4)
    return SimpleNamespace(
        model=model,
        seed=0,
        measured={},
        arguments={},
        spec=SimpleNamespace(kind="vector"),
        x=lambda split: x,
        context=lambda split: (),
    )


@pytest.mark.parametrize(("shift", "expected"), [(0.0, None), (0.5, None), (1.2, None), (4.0, 1.0)])
def test_a_discriminator_overpowers_where_the_two_do_not_overlap(shift: float, expected) -> None:
    """The optimal accuracy is Φ(‖δ‖/2), here with ‖δ‖ = 2·shift."""
    from scipy.stats import norm

    seen = evidence(Players(shift))
    found = overpowered(seen)
    assert (found is None) == (expected is None)
    told = float(seen.measured["told apart"].partition("%")[0]) / 100
    if shift:
        best = float(norm.cdf(shift))
        assert abs(told - best) < 4 * np.sqrt(best * (1 - best) / 1000) + 1e-3


def test_a_discriminator_that_is_held_flat_does_not_overpower() -> None:
    """It tells all apart, and its logits stay near each other: here 64 nats times the factor."""

    class Flat(Players):
        factor = 1.0

        def judge(self, x: torch.Tensor) -> Any:
            return SimpleNamespace(logit=self.factor * super().judge(x).logit)

    for factor, expected in ((0.2, True), (0.05, False)):
        players = Flat(4.0)
        players.factor = factor
        assert (overpowered(evidence(players)) is not None) == expected


def test_samples_like_data_are_as_near_as_data() -> None:
    random = np.random.default_rng(0)
    shares = [crowded(*random.normal(size=(2, 500, 4))) for _ in range(40)]
    assert abs(np.mean(shares) - 0.01) < 4 * np.std(shares) / np.sqrt(40) + 2e-3
    assert collapsed(evidence(Players(0.0))) is None
    assert collapsed(evidence(Players(3.0))) is None  # elsewhere, but as varied


def test_few_modes_are_crowded() -> None:
    random = np.random.default_rng(0)
    data = random.normal(size=(500, 4))
    few = data[random.integers(0, 5, 500)] + 1e-3 * random.normal(size=(500, 4))
    assert crowded(few, data) > 0.99
    found = collapsed(evidence(Players(0.0, spread=1e-3)))
    assert found is not None and found.cause == "mode-collapse"


def test_models_without_a_game_are_passed_over(tmp_path: Path) -> None:
    assert a_game(SimpleNamespace(model=None)) is not None
    assert a_game(SimpleNamespace(model=object())) is not None
    random = np.random.default_rng(0)
    options = {"steps": 40, "hidden": (8,), "threads": 1, "compile": "no", "latent_dim": 2}
    run = lb.train(
        random.normal(size=(300, 3)).astype(np.float32),
        "gan",
        out=tmp_path / "run",
        progress=False,
        **options,
    )
    found = lb.diagnose(run)
    assert {"the game's balance", "mode collapse"} <= set(found.checked)


def test_a_critic_is_known_up_to_a_constant() -> None:
    """A Wasserstein critic's 0 means nothing: an offset changes nothing."""

    class Critic(Players):
        def judge(self, x: torch.Tensor) -> Any:
            return SimpleNamespace(logit=super().judge(x).logit + 100.0)

    for shift in (1.2, 4.0):
        plain, moved = evidence(Players(shift)), evidence(Critic(shift))
        assert (overpowered(plain) is None) == (overpowered(moved) is None) == (shift < 4)
        assert plain.measured == moved.measured
    assert moved.measured["told apart"].startswith("100.0%")


def test_noise_is_not_told_apart_by_the_threshold_that_is_best_for_it() -> None:
    random = np.random.default_rng(0)
    shares = [told_apart(*random.normal(size=(2, 30))) for _ in range(400)]
    assert abs(np.mean(shares) - 0.5) < 4 * np.std(shares) / np.sqrt(400)
    assert told_apart(np.ones(9), np.ones(9)) == told_apart(np.ones(1), np.zeros(1)) == 0.5
