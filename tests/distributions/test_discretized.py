"""The discretized logistic mixture: exact masses, also far in the tails."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lowerbound.distributions import DiscretizedLogisticMixture, MixtureOfLogistics


def grid(levels: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.arange(levels, dtype=dtype)[:, None] / (levels - 1)


def single(
    mean: float, log_scale: float, levels: int, dtype: torch.dtype = torch.float64
) -> MixtureOfLogistics:
    parameters = torch.tensor([[0.0], [mean], [log_scale]], dtype=dtype)
    return MixtureOfLogistics(*parameters.unsqueeze(1), levels=levels)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([2, 3, 17, 256]),
    st.floats(-3, 4),
    st.floats(-8, 4),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_sums_to_1(levels: int, mean: float, log_scale: float, dtype: torch.dtype) -> None:
    total = single(mean, log_scale, levels, dtype).log_prob(grid(levels, dtype)).logsumexp(0)
    # float32 knows an edge's distance from the mean, in scales, to about 1e-7 of it
    tolerance = 1e-11 if dtype is torch.float64 else 2e-5 + 1e-6 * math.exp(-log_scale)
    assert abs(total.item()) < tolerance


def test_mixture_sums_to_1_over_256_levels() -> None:
    torch.manual_seed(0)
    family = DiscretizedLogisticMixture((3, 2, 2), components=5).double()
    p = family(3 * torch.randn(2, *family.raw_shape, dtype=torch.float64))
    masses = torch.stack([p.log_prob(x.expand(3, 2, 2)) for x in grid(256)])
    assert masses.shape == (256, 2)
    one = MixtureOfLogistics(
        p.logits.flatten(2).transpose(1, 2).reshape(-1, 5, 1),
        p.means.flatten(2).transpose(1, 2).reshape(-1, 5, 1),
        p.log_scales.flatten(2).transpose(1, 2).reshape(-1, 5, 1),
    )
    elementwise = one.log_prob(grid(256)[:, None]).exp()  # (256, 2·12)
    torch.testing.assert_close(elementwise.sum(0), torch.ones(24, dtype=torch.float64))
    torch.testing.assert_close(elementwise.log().view(256, 2, 12).sum(-1), masses)


@pytest.mark.parametrize("k", [0, 1, 100, 254, 255])
def test_equals_difference_of_sigmoids(k: int) -> None:
    x, half = k / 255, 0.5 / 255
    mean, scale = 0.4, 0.11
    upper = 1.0 if k == 255 else 1 / (1 + math.exp(-(x + half - mean) / scale))
    lower = 0.0 if k == 0 else 1 / (1 + math.exp(-(x - half - mean) / scale))
    actual = single(mean, math.log(scale), 256).log_prob(torch.tensor([x], dtype=torch.float64))
    assert actual.item() == pytest.approx(math.log(upper - lower), rel=1e-9)


@pytest.mark.parametrize("k", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("mean", [-2.0, 0.5, 3.0])
def test_tails_in_float32(k: int, mean: float) -> None:
    """Hundreds of scales away float32 gives the float64 value and a finite gradient."""
    log_scale = -5.0
    exact = single(mean, log_scale, 256).log_prob(torch.tensor([k / 255], dtype=torch.float64))
    raw = torch.tensor([[0.0], [mean], [log_scale]], requires_grad=True)
    p = MixtureOfLogistics(*raw.unsqueeze(1))
    value = p.log_prob(torch.tensor([k / 255]))
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(value, raw)
    assert gradient.isfinite().all()
    if abs(exact.item()) > 10:
        assert gradient[1].abs() > 1  # it still knows where to go


def test_samples_have_the_masses() -> None:
    torch.manual_seed(0)
    raw = torch.tensor([[0.3, -0.3], [0.1, 0.9], [-2.0, -1.5]], dtype=torch.float64)
    p = MixtureOfLogistics(*raw.unsqueeze(-1), levels=9)
    draws = p.sample((50_000,))
    counts = (draws == grid(9).T).double().mean(0)
    assert counts.sum().item() == 1  # on the grid, all of them
    masses = p.log_prob(grid(9)).exp()
    assert ((counts - masses).abs() < 4.5 * (masses * (1 - masses) / 50_000).sqrt()).all()


@pytest.mark.parametrize("levels", [2, 17, 64, 65, 256])
@pytest.mark.parametrize("log_scale", [-7.0, -3.0, -1.0])
def test_mean(levels: int, log_scale: float) -> None:
    p = single(0.31, log_scale, levels)
    exact = (grid(levels) * p.log_prob(grid(levels)).exp()[:, None]).sum().item()
    tolerance = 1e-12 if levels <= 64 else 0.5 / (levels - 1)
    assert p.mean.item() == pytest.approx(exact, abs=tolerance)
    if log_scale > -4:
        assert p.mean.item() == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("components", [1, 2, 5])
def test_start_has_the_variance_of_the_data(components: int) -> None:
    family = DiscretizedLogisticMixture(1, levels=256, components=components)
    start = family.start(torch.tensor([0.5]).double(), torch.tensor([0.05]).double())
    masses = family(start).log_prob(grid(256)).exp()
    mean = (masses * grid(256)[:, 0]).sum()
    variance = (masses * (grid(256)[:, 0] - mean).square()).sum()
    assert mean.item() == pytest.approx(0.5, abs=1e-6)
    # binning adds a twelfth of a squared bin
    assert variance.item() == pytest.approx(0.05**2, rel=2e-2)


def test_two_levels_are_binary() -> None:
    assert DiscretizedLogisticMixture(3, levels=2).supports == {"levels", "binary"}
    assert DiscretizedLogisticMixture(3).supports == {"levels"}
