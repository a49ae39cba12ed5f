"""The importance-weighted estimate where log p(x) is known, and that no setting moves it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import Bernoulli, DiagonalGaussian, Head, StandardNormal
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import estimate_log_likelihood
from lowerbound.models import LatentModel, LinearGaussian

Inexact = Callable[..., LatentModel]


def data(linear: LinearGaussian, count: int) -> Tensor:
    torch.manual_seed(11)
    return linear.sample(count)


def test_within_two_hundredths_of_a_nat_at_every_point(
    linear: LinearGaussian, inexact: Inexact
) -> None:
    x = data(linear, 40)
    found = estimate_log_likelihood(inexact(), x, samples=20_000)
    assert (found.values - linear.log_prob(x)).abs().max() < 0.02
    assert found.values.shape == found.ess.shape == (40,)
    assert (found.ess > 10_000).all()
    assert (found.ess < 20_000).all()


def test_every_weight_is_the_evidence_under_the_exact_posterior(linear: LinearGaussian) -> None:
    x = data(linear, 5)
    found = estimate_log_likelihood(linear, x, samples=50)
    torch.testing.assert_close(found.values, linear.log_prob(x), rtol=0, atol=1e-10)
    torch.testing.assert_close(found.ess, torch.full((5,), 50.0, dtype=torch.float64))


def test_below_in_expectation_and_tighter_with_more_samples(
    linear: LinearGaussian, inexact: Inexact
) -> None:
    x = data(linear, 20_000)
    model = inexact()
    gaps = []
    for samples in (1, 4, 32):
        gap = linear.log_prob(x) - estimate_log_likelihood(model, x, samples=samples).values
        gaps.append(float(gap.mean()))
        assert gap.mean() > 4 * gap.std() / len(x) ** 0.5  # below the truth, beyond doubt
    assert gaps[0] > gaps[1] > gaps[2]
    # With one sample the gap is KL(q || posterior), which is known.
    q, exact = model.encode(x), linear.encode(x)
    normal = torch.distributions.MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    known = torch.distributions.kl_divergence(normal, exact).mean()
    assert gaps[0] == pytest.approx(float(known), abs=0.03)


def test_parts_are_those_of_the_bound(linear: LinearGaussian, inexact: Inexact) -> None:
    x = data(linear, 30)
    model = inexact()
    found = estimate_log_likelihood(model, x, samples=5000)
    q = model.encode(x)
    rate = 0.5 * (q.variance + q.mean**2 - 1 - q.variance.log()).sum(-1)
    torch.testing.assert_close(found.rate, rate, rtol=0, atol=0.1)
    # E_q ||x - Wz - mu||^2 = ||x - W m - mu||^2 + tr(W diag(v) W')
    w, mu, s2 = linear.linear.weight, linear.linear.mean, linear.linear.sigma2
    energy = (x - q.mean @ w.mT - mu).square().sum(-1) + (q.variance @ w.square().mT).sum(-1)
    distortion = 0.5 * energy / s2 + 2 * torch.log(2 * torch.pi * s2)
    torch.testing.assert_close(found.distortion, distortion, rtol=0, atol=0.2)


@pytest.mark.parametrize("rows", [1, 7, 100, 4096])
def test_chunking_changes_nothing(inexact: Inexact, linear: LinearGaussian, rows: int) -> None:
    x = data(linear, 9)
    whole = estimate_log_likelihood(inexact(), x, samples=101, seed=3)
    parts = estimate_log_likelihood(inexact(), x, samples=101, seed=3, rows=rows)
    torch.testing.assert_close(parts.values, whole.values, rtol=0, atol=1e-11)
    torch.testing.assert_close(parts.ess, whole.ess, rtol=0, atol=1e-8)


def test_samples_beyond_one_block(monkeypatch: pytest.MonkeyPatch, linear, inexact) -> None:
    monkeypatch.setattr("lowerbound.evaluation.tiles._BLOCK_NUMBERS", 512)
    x = data(linear, 6)
    found = estimate_log_likelihood(inexact(), x, samples=20_001, rows=100)
    assert (found.values - linear.log_prob(x)).abs().max() < 0.02


def test_neither_other_data_nor_the_callers_randomness_matter(
    bernoulli: LatentModel, pixels: Tensor
) -> None:
    whole = estimate_log_likelihood(bernoulli, pixels, samples=40, seed=1)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    some = estimate_log_likelihood(bernoulli, pixels[:7], samples=40, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(some.values, whole.values[:7], rtol=0, atol=1e-5)
    other = estimate_log_likelihood(bernoulli, pixels[:7], samples=40, seed=2)
    assert not torch.allclose(other.values, some.values, atol=1e-5)


def test_bfloat16_products_and_how_the_model_is_left(
    bernoulli: LatentModel, pixels: Tensor
) -> None:
    bernoulli.train()
    assert isinstance(bernoulli.posterior, Head)
    bernoulli.posterior.precision = torch.bfloat16  # as after training: not used here
    full = estimate_log_likelihood(bernoulli, pixels, samples=500)
    reduced = estimate_log_likelihood(bernoulli, pixels, samples=500, precision=torch.bfloat16)
    difference = reduced.values - full.values
    assert 0 < difference.abs().max() < 0.1
    assert difference.mean().abs() < 0.01
    assert reduced.values.dtype == torch.float32
    assert bernoulli.training
    assert bernoulli.posterior.precision is torch.bfloat16
    bernoulli.posterior.precision = None
    again = estimate_log_likelihood(bernoulli, pixels, samples=500)
    assert torch.equal(again.values, full.values)


def test_context_follows_its_datum() -> None:
    torch.manual_seed(0)
    model = LatentModel(
        StandardNormal(2),
        Head(Joined(nn.Linear(3, 5)), Bernoulli(5), event_ranks=(1, 1)),
        Head(Joined(nn.Linear(6, 4)), DiagonalGaussian(2), event_ranks=(1, 1)),
    )
    x, c = (torch.rand(40, 5) > 0.5).float(), torch.randn(40, 1)
    found = estimate_log_likelihood(model, x, c, samples=30, rows=8)
    alone = estimate_log_likelihood(model, x[:1], c[:1], samples=30)
    torch.testing.assert_close(found.values[:1], alone.values)
    wrong = estimate_log_likelihood(model, x, -c, samples=30)
    assert not torch.allclose(found.values, wrong.values, atol=1e-3)
    with pytest.raises(LowerboundError, match="context of 40 entries, got 39"):
        estimate_log_likelihood(model, x, c[1:], samples=30)


class Joined(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parts: Tensor) -> Tensor:
        return self.network(torch.cat(parts, -1))


def test_compiled_equals_eager(bernoulli: LatentModel, pixels: Tensor) -> None:
    eager = estimate_log_likelihood(bernoulli, pixels, samples=40, compile=False)
    compiled = estimate_log_likelihood(bernoulli, pixels, samples=40, compile=True)
    assert compiled.compiled or compiled.note
    assert not eager.compiled
    torch.testing.assert_close(compiled.values, eager.values, rtol=0, atol=1e-4)


def test_falls_back_to_eager_and_says_so(
    monkeypatch: pytest.MonkeyPatch, bernoulli: LatentModel, pixels: Tensor
) -> None:
    def broken() -> Callable:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr("lowerbound.evaluation.decoding._compiled", broken)
    found = estimate_log_likelihood(bernoulli, pixels[:3], samples=5, compile=True)
    assert not found.compiled
    assert found.note == "not compiled: RuntimeError: no compiler here"


def test_auto_compiles_only_what_is_long(
    monkeypatch: pytest.MonkeyPatch, bernoulli: LatentModel, pixels: Tensor
) -> None:
    from lowerbound.evaluation import decoding

    monkeypatch.setattr(decoding, "_compiled", lambda: decoding.log_densities)
    assert not estimate_log_likelihood(bernoulli, pixels, samples=40).compiled
    # 2 (3 * 64 + 64 * 30) operations a row
    work = 2 * (3 * 64 + 64 * 30) * 70 * 40
    monkeypatch.setitem(decoding._PAYS_BACK, "cpu", 0.99 * work)
    assert estimate_log_likelihood(bernoulli, pixels, samples=40).compiled
    monkeypatch.setitem(decoding._PAYS_BACK, "cpu", 1.01 * work)
    assert not estimate_log_likelihood(bernoulli, pixels, samples=40).compiled


def test_progress(bernoulli: LatentModel, pixels: Tensor) -> None:
    seen: list[tuple[int, int]] = []
    estimate_log_likelihood(
        bernoulli, pixels, samples=3, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(64, 70), (70, 70)]


def test_refusals(bernoulli: LatentModel, pixels: Tensor) -> None:
    with pytest.raises(LowerboundError, match=r"expected x of shape \(N, 30\), got \(70, 1\)"):
        estimate_log_likelihood(bernoulli, pixels[:, :1])
    with pytest.raises(LowerboundError, match="samples"):
        estimate_log_likelihood(bernoulli, pixels, samples=0)
    with pytest.raises(LowerboundError, match="rows"):
        estimate_log_likelihood(bernoulli, pixels, rows=0)
    with torch.no_grad():
        bernoulli.likelihood.network[0].weight[0, 0] = torch.nan
    with pytest.raises(LowerboundError, match="example 0 is not a number"):
        estimate_log_likelihood(bernoulli, pixels, samples=2)
