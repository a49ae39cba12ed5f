"""Divergences between samples: closed forms, quadrature, and every subset of a small set."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from lowerbound.distributions import DiagonalNormal, kl
from lowerbound.divergences import (
    SCALES,
    covariance,
    density_ratio_loss,
    forward_kl,
    gaussian_kernel,
    inverse_multiquadratic,
    log_marginals,
    mmd,
    pairwise_log_prob,
    permute_dimensions,
    reverse_kl,
)
from lowerbound.errors import LowerboundError

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_kernels_are_their_formulas() -> None:
    a, b = torch.randn(3, 2, dtype=DOUBLE), torch.randn(4, 2, dtype=DOUBLE)
    for i, j in itertools.product(range(3), range(4)):
        square = float((a[i] - b[j]).square().sum())
        assert gaussian_kernel(a, b)[i, j].item() == pytest.approx(math.exp(-square / 4))
        assert gaussian_kernel(a, b, 0.5)[i, j].item() == pytest.approx(math.exp(-square / 0.5))
        for width, c in ((None, 4.0), (0.5, 0.25)):
            value = sum(s * c / (s * c + square) for s in SCALES) / len(SCALES)
            assert inverse_multiquadratic(a, b, width)[i, j].item() == pytest.approx(value)


def expected_kernel(kernel: str, mean: float, variance: float) -> float:
    """E k(u, 0) for u ~ N(mean, variance) in one dimension, by quadrature."""
    u = torch.linspace(-60.0, 60.0, 200_001, dtype=DOUBLE)[:, None]
    function = {"rbf": gaussian_kernel, "imq": inverse_multiquadratic}[kernel]
    values = function(u, torch.zeros(1, 1, dtype=DOUBLE))[:, 0]
    density = Normal(torch.tensor(mean, dtype=DOUBLE), variance**0.5).log_prob(u[:, 0]).exp()
    return float(torch.trapezoid(values * density, u[:, 0]))


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.7, 1.5)])
def test_mmd_is_unbiased(kernel: str, shift: float, scale: float) -> None:
    """Its mean is E k(a, a') + E k(b, b') − 2 E k(a, b), of Gaussians by quadrature."""
    truth = (
        expected_kernel(kernel, 0.0, 2.0)
        + expected_kernel(kernel, 0.0, 2.0 * scale**2)
        - 2 * expected_kernel(kernel, shift, 1.0 + scale**2)
    )
    if kernel == "rbf":  # E exp(−u²/2), u ~ N(m, v), is known
        exact = lambda m, v: math.exp(-(m**2) / (2 * (1 + v))) / (1 + v) ** 0.5  # noqa: E731
        known = exact(0.0, 2.0) + exact(0.0, 2 * scale**2) - 2 * exact(shift, 1 + scale**2)
        assert truth == pytest.approx(known, abs=1e-10)
    draw = lambda n: torch.randn(n, 1, dtype=DOUBLE)  # noqa: E731
    values = torch.stack([mmd(draw(12), shift + scale * draw(9), kernel) for _ in range(1500)])
    assert abs(float(values.mean()) - truth) < 4 * float(values.std()) / math.sqrt(len(values))
    if not shift:  # the truth is 0, so half of the values lie below
        assert (values < 0).double().mean() > 0.3


def test_mmd_by_hand() -> None:
    """Two points each: every pair written out, and shapes flattened."""
    a, b = torch.tensor([[[0.0], [1.0]], [[2.0], [0.0]]]), torch.tensor([[[1.0], [1.0]]] * 2)
    k = lambda square: math.exp(-square / 4)  # noqa: E731
    expected = k(5) + k(0) - 2 * (k(1) + k(1) + k(2) + k(2)) / 4
    assert mmd(a, b).item() == pytest.approx(expected, rel=1e-6)


def test_mmd_has_a_gradient_where_points_meet() -> None:
    a = torch.zeros(4, 2, requires_grad=True)
    for kernel in ("rbf", "imq"):
        (gradient,) = torch.autograd.grad(mmd(a, torch.randn(4, 2), kernel), a)
        assert gradient.isfinite().all()
        assert (gradient != 0).any()


def test_mmd_refuses() -> None:
    with pytest.raises(LowerboundError, match="two or more points of one shape"):
        mmd(torch.zeros(1, 2), torch.zeros(3, 2))
    with pytest.raises(LowerboundError, match="two or more points of one shape"):
        mmd(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(LowerboundError, match="'rbf' or 'imq', came 'linear'"):
        mmd(torch.zeros(3, 2), torch.zeros(3, 2), "linear")


def test_permutation_keeps_marginals_and_breaks_dependence() -> None:
    z = torch.randn(4000, 1).expand(-1, 6).reshape(-1, 2, 3).contiguous()
    shuffled = permute_dimensions(z)
    assert shuffled.shape == z.shape
    torch.testing.assert_close(
        shuffled.flatten(1).sort(0).values, z.flatten(1).sort(0).values, rtol=0, atol=0
    )
    correlation = torch.corrcoef(shuffled.flatten(1).mT)
    off = correlation[~torch.eye(6, dtype=torch.bool)]
    assert (off.abs() < 4 / math.sqrt(4000)).all()
    assert (shuffled[:, 0, 0] != z[:, 0, 0]).float().mean() > 0.99


def test_density_ratio_loss_is_least_at_the_log_ratio() -> None:
    """N(1, 1) against N(0, 1): log ratio x − 1/2, by quadrature of the two expectations."""
    slope = torch.tensor(0.3, dtype=DOUBLE, requires_grad=True)
    offset = torch.tensor(0.2, dtype=DOUBLE, requires_grad=True)
    x = torch.linspace(-12.0, 13.0, 4001, dtype=DOUBLE)
    joint, product = Normal(1.0, 1.0).log_prob(x).exp(), Normal(0.0, 1.0).log_prob(x).exp()
    # quadrature weights made equal by repeated inverse-CDF points
    u = (torch.arange(20_000, dtype=DOUBLE) + 0.5) / 20_000
    a, b = Normal(1.0, 1.0).icdf(u), Normal(0.0, 1.0).icdf(u)
    search = torch.optim.LBFGS([slope, offset], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        loss = density_ratio_loss(slope * a + offset, slope * b + offset)
        loss.backward()
        return loss

    search.step(closure)
    assert slope.item() == pytest.approx(1.0, abs=1e-3)
    assert offset.item() == pytest.approx(-0.5, abs=1e-3)
    # log 2 − JS(p, q)
    middle = 0.5 * (joint + product)
    js = torch.trapezoid(
        0.5 * (joint * (joint / middle).log() + product * (product / middle).log()), x
    )
    assert closure().item() == pytest.approx(math.log(2) - js.item(), abs=1e-4)
    same = density_ratio_loss(torch.zeros(3), torch.zeros(5))
    assert same.item() == pytest.approx(math.log(2))


@pytest.fixture
def table() -> tuple[DiagonalNormal, Tensor]:
    """Posteriors of N = 5 examples in two dimensions, and a code drawn for each."""
    q = DiagonalNormal(torch.randn(5, 2, dtype=DOUBLE), 0.3 * torch.randn(5, 2, dtype=DOUBLE))
    return q, q.sample()


def test_every_code_under_every_posterior(table: tuple[DiagonalNormal, Tensor]) -> None:
    q, z = table
    found = pairwise_log_prob(q, torch.stack([z, z + 1]))
    assert found.shape == (2, 5, 5, 2)
    for i, j in itertools.product(range(5), range(5)):
        for s in range(2):
            expected = Normal(q.loc[j], q.scale[j]).log_prob(z[i] + s)
            torch.testing.assert_close(found[s, i, j], expected)
    maps = DiagonalNormal(q.loc.view(5, 2, 1), torch.tensor(0.1, dtype=DOUBLE), 2)
    flat = DiagonalNormal(q.loc, torch.full((5, 2), 0.1, dtype=DOUBLE))
    torch.testing.assert_close(pairwise_log_prob(maps, z.view(5, 2, 1)), pairwise_log_prob(flat, z))


def test_stratified_sampling_of_everything_is_exact(table: tuple[DiagonalNormal, Tensor]) -> None:
    q, z = table
    densities = pairwise_log_prob(q, z)
    joint, product = log_marginals(densities, torch.arange(5), 5, "stratified")
    torch.testing.assert_close(joint, densities.sum(-1).logsumexp(1) - math.log(5))
    torch.testing.assert_close(product, (densities.logsumexp(1) - math.log(5)).sum(-1))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_stratified_sampling_is_unbiased(table: tuple[DiagonalNormal, Tensor], size: int) -> None:
    """The mean of the estimated q(z) over every batch with the code's example is the true q(z)."""
    q, z = table
    densities = pairwise_log_prob(q, z)
    truth = densities.sum(-1).exp().mean(1)
    marginals = densities.exp().mean(1)
    for i in range(5):
        others = [j for j in range(5) if j != i]
        batches = [[i, *chosen] for chosen in itertools.combinations(others, size - 1)]
        joints, first = [], []
        for batch in batches:
            own = densities[i : i + 1, batch]
            joints.append(log_marginals(own, torch.zeros(1).long(), 5, "stratified")[0].exp())
            single = own[..., :1]  # of one dimension alone the product is the marginal
            first.append(log_marginals(single, torch.zeros(1).long(), 5, "stratified")[1].exp())
        torch.testing.assert_close(torch.stack(joints).mean(), truth[i])
        torch.testing.assert_close(torch.stack(first).mean(), marginals[i, 0])


def test_it_averages_the_papers_stratified_sampling() -> None:
    """Over which of the others takes the odd weight (N − M)/(N·M), M = B − 1."""
    densities = torch.randn(1, 4, 1, dtype=DOUBLE)
    total, m, n = densities.exp()[0, :, 0], 3, 10
    values = []
    for odd in (1, 2, 3):
        rest = sum(total[j] for j in (1, 2, 3) if j != odd)
        values.append(total[0] / n + rest / m + (n - m) / (n * m) * total[odd])
    found = log_marginals(densities, torch.zeros(1).long(), n, "stratified")[0].exp()
    torch.testing.assert_close(found[0], sum(values) / 3)


def test_weighted_sampling_is_the_papers_formula() -> None:
    densities = torch.randn(4, 4, 2, dtype=DOUBLE)
    joint, product = log_marginals(densities, torch.arange(4), 100, "weighted")
    torch.testing.assert_close(joint.exp(), densities.sum(-1).exp().sum(1) / 400)
    torch.testing.assert_close(product.exp(), (densities.exp().sum(1) / 400).prod(-1))


def test_marginals_refuse() -> None:
    densities = torch.zeros(4, 4, 2)
    with pytest.raises(LowerboundError, match="at least the batch of 4, came 3"):
        log_marginals(densities, torch.arange(4), 3, "weighted")
    with pytest.raises(LowerboundError, match="'weighted' or 'stratified', came 'exact'"):
        log_marginals(densities, torch.arange(4), 9, "exact")  # ty: ignore


def test_covariance_is_torchs() -> None:
    points = torch.randn(9, 3, dtype=DOUBLE)
    torch.testing.assert_close(covariance(points), torch.cov(points.mT, correction=0))


def test_both_kls_of_gaussians() -> None:
    """Within 4 standard errors of the closed form; an integral that is missing is an offset."""
    q = MultivariateNormal(torch.tensor([0.3, -0.2]), torch.diag(torch.tensor([0.3, 2.0])))
    p = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.4], [0.4, 1.0]]))
    n, repeats = 500, 200
    reverse = torch.stack([reverse_kl(q, p.log_prob, n) for _ in range(repeats)])
    points = p.sample((repeats, n))
    forward = torch.stack([forward_kl(q, part, p.log_prob(part)) for part in points])
    for values, truth in ((reverse, kl(q, p)), (forward, kl(p, q))):
        assert abs(float(values.mean() - truth)) < 4 * float(values.std()) / math.sqrt(repeats)
    assert abs(float(kl(q, p) - kl(p, q))) > 0.1  # not symmetric
    crossed = forward_kl(q, points[0])
    entropy = -p.log_prob(points[0]).mean()
    torch.testing.assert_close(crossed - entropy, forward[0])
    torch.manual_seed(1)
    offset = reverse_kl(q, lambda z: p.log_prob(z) + 3.0)
    torch.manual_seed(1)
    torch.testing.assert_close(offset, reverse_kl(q, p.log_prob) - 3.0)


def two_modes() -> MixtureSameFamily:
    components = Normal(torch.tensor([-2.0, 2.0]).double(), torch.tensor([0.5, 0.5]).double())
    return MixtureSameFamily(Categorical(torch.tensor([0.5, 0.5]).double()), components)


class Fit(nn.Module):
    def __init__(self, loc: float) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.tensor([loc], dtype=DOUBLE))
        self.log_scale = nn.Parameter(torch.zeros(1, dtype=DOUBLE))

    def forward(self) -> DiagonalNormal:
        return DiagonalNormal(self.loc, self.log_scale)


def fit(start: float, loss) -> tuple[float, float]:
    model = Fit(start)
    search = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        value = loss(model())
        value.backward()
        return value

    search.step(closure)
    return model.loc.item(), model.log_scale.exp().item()


def test_the_two_fits_to_two_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward covers both with the mixture's moments; reverse takes the mode next to it."""
    p = two_modes()
    u = (torch.arange(4000, dtype=DOUBLE) + 0.5) / 4000
    points = torch.cat([Normal(m, 0.5).icdf(u) for m in (-2.0, 2.0)])[:, None]
    loc, scale = fit(0.5, lambda q: forward_kl(q, points))
    assert loc == pytest.approx(0.0, abs=1e-4)
    assert scale == pytest.approx(math.sqrt(4.25), rel=1e-3)
    # the reverse one with equally likely points for its draws: a quadrature
    standard = Normal(0.0, 1.0).icdf(u)[:, None]
    monkeypatch.setattr(DiagonalNormal, "_noise", lambda self, shape: standard)
    target = lambda points: p.log_prob(points[:, 0])  # noqa: E731
    for start, mode in ((1.0, 2.0), (-1.0, -2.0)):
        loc, scale = fit(start, lambda q: reverse_kl(q, target, 4000))
        assert loc == pytest.approx(mode, abs=1e-2)
        assert scale == pytest.approx(0.5, abs=1e-2)
        found = Normal(loc, scale)
        z = torch.linspace(-8.0, 8.0, 8001, dtype=DOUBLE)
        integrand = found.log_prob(z).exp() * (found.log_prob(z) - p.log_prob(z))
        assert float(torch.trapezoid(integrand, z)) == pytest.approx(math.log(2), abs=1e-2)
