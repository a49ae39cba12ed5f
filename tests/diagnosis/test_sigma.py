"""σ that vanishes, explodes or fits, by decoders whose σ is given."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.diagnosis.likelihood import sigma_off, sigma_vanishes
from lowerbound.distributions import DiagonalNormal
from lowerbound.distributions.delta import PointMass


class Decoder(nn.Module):
    """p(x|z) = N(0, σ²), whatever z is.

    Args:
        sigma: of each column, ``(D,)``.
    """

    def __init__(self, sigma: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_sigma", sigma.log())

    def encode(self, x: Tensor) -> PointMass:
        return PointMass(x[:, :1], 1)

    def decode(self, z: Tensor) -> DiagonalNormal:
        shape = (len(z), len(self.log_sigma))  # ty: ignore
        return DiagonalNormal(torch.zeros(shape), self.log_sigma.expand(shape), 1)  # ty: ignore


def asked(sigma: list[float]) -> Any:
    """Evidence of a model on standard normal columns."""
    x = torch.randn(4000, len(sigma), generator=torch.Generator().manual_seed(0))
    return SimpleNamespace(
        model=Decoder(torch.tensor(sigma)),
        spec=SimpleNamespace(dimensions=len(sigma)),
        arguments={},
        measured={},
        x=lambda split: x,
        context=lambda split: (),
    )


def test_a_sigma_that_fits_is_no_finding() -> None:
    assert sigma_vanishes(asked([1.0, 0.9, 1.2])) is None
    assert sigma_off(asked([1.0, 0.9, 1.2])) is None


def test_a_narrow_sigma_is_one_that_vanishes_where_numbers_repeat() -> None:
    assert sigma_vanishes(asked([1.0, 0.01, 1.0])) is None
    evidence = asked([1.0, 0.01, 1.0])
    x = evidence.x("test").clone()
    x[: len(x) // 2, 1] = 0.0
    evidence.x = lambda split: x
    found = sigma_vanishes(evidence)
    assert found is not None and found.numbers["columns"] == [1]
    assert found.numbers["share"] == pytest.approx(0.5 / 3)  # half of one column of three


@pytest.mark.parametrize("tiny", [1e-4, math.exp(-10)])
def test_a_sigma_that_vanishes_is_told_with_its_columns(tiny: float) -> None:
    found = sigma_vanishes(asked([1.0, tiny, 1.0, 1.0]))
    assert found is not None
    assert found.cause == "sigma-vanishes"
    assert found.numbers["columns"] == [1]
    assert found.numbers["share"] == pytest.approx(0.25)
    assert found.numbers["gained"] == pytest.approx(-math.log(tiny), rel=0.01)


@pytest.mark.parametrize("sigma", [0.2, 8.0])
def test_a_sigma_that_is_off_costs_what_the_formula_says(sigma: float) -> None:
    found = sigma_off(asked([sigma] * 5))
    assert found is not None
    assert found.numbers["factor"] == pytest.approx(1 / sigma, rel=0.03)
    # KL(N(0, 1) ‖ N(0, σ²)) for each of the five columns.
    kl = 5 * (math.log(sigma) + (1 / sigma**2 - 1) / 2)
    assert found.numbers["cost"] == pytest.approx(kl, rel=0.05)
    assert ("spread of the data" in found.says) == (sigma > 2)


def of(x: Tensor, sigma: float) -> Any:
    """Evidence of a model with one σ on these data."""
    evidence = asked([sigma] * x.shape[1])
    evidence.x = lambda split: x
    return evidence


def test_the_best_shared_sigma_is_right_whatever_single_columns_say() -> None:
    """Its square is the mean squared error, here of digits by two principal components."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    x = load_digits().data / 16
    found = PCA(2).fit(x)
    digits = torch.from_numpy(x - found.inverse_transform(found.transform(x)))
    flat = torch.randn(4000, 10, generator=torch.Generator().manual_seed(1))
    flat[:, :6] *= 1e-3  # most of the numbers hardly vary
    for errors in (digits, flat):
        best = float(errors.square().mean().sqrt())
        evidence = of(errors, best)
        assert sigma_off(evidence) is None
        assert float(evidence.measured["errors in units of σ"]) == pytest.approx(1, abs=1e-4)
    assert float((flat.square().mean(0).sqrt() / best).median()) < 0.01
    off = sigma_off(of(flat, 8 * best))
    assert off is not None and off.numbers["factor"] == pytest.approx(1 / 8, rel=1e-4)
    # What is lost is exact: log σ and the squares are of all numbers.
    lost = 10 * (math.log(8) + (1 / 64 - 1) / 2)
    assert off.numbers["cost"] == pytest.approx(lost, rel=1e-4)
    assert off.numbers["of_spread"] == pytest.approx(8, rel=0.01)
    assert "root mean square of (x − mean)/σ is 0.125, 1 where" in off.evidence


def test_no_errors_at_all_are_told() -> None:
    found = sigma_off(of(torch.zeros(10, 3), 0.5))
    assert found is not None and found.numbers["factor"] == 0.0
    assert "σ is 0.5, and the model makes no errors at all" in found.says
