"""The von Mises-Fisher posterior, held against scipy, quadrature and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats

from lowerbound.distributions import (
    SphereUniform,
    VonMisesFisher,
    VonMisesFisherDistribution,
    has_closed_form,
    kl,
    sample_with_log_prob,
)
from lowerbound.distributions.angle import angle
from lowerbound.distributions.bessel import log_area, log_normalizer
from lowerbound.errors import LowerboundError

DIMS = (2, 3, 4, 10, 41, 128)
KAPPAS = (1e-2, 0.3, 2.0, 30.0, 700.0, 1e4)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def real(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def integral(kappa: float, dim: int, stop: float = math.pi, power: int = 0) -> float:
    """∫ cosᵖ θ exp(κ (cos θ − 1)) sin(θ)^(d−2) dθ up to ``stop``, in 1,000 panels."""
    half = stop / 2000
    theta = (half * (2 * np.arange(1000) + 1))[:, None] + half * NODES
    density = np.exp(-2 * kappa * np.sin(theta / 2) ** 2) * np.sin(theta) ** (dim - 2)
    return float((density * np.cos(theta) ** power @ WEIGHTS).sum() * half)


@pytest.mark.parametrize("dim", DIMS)
def test_normalizer_equals_quadrature_and_scipy(dim: int) -> None:
    order = dim / 2 - 1
    for kappa in KAPPAS:
        log_m, length = log_normalizer(real(kappa), dim)
        total, uniform = integral(kappa, dim), integral(0.0, dim)
        assert float(log_m) == pytest.approx(kappa + math.log(total / uniform), rel=1e-9, abs=1e-9)
        assert float(length) == pytest.approx(integral(kappa, dim, power=1) / total, rel=1e-7)
        scaled = special.ive(order, kappa)
        if scaled > 1e-250:  # where scipy's does not underflow
            direct = (
                math.log(scaled) + kappa - order * math.log(kappa / 2) + special.gammaln(order + 1)
            )
            assert float(log_m) == pytest.approx(direct, rel=1e-12, abs=1e-12)
            ratio = special.ive(order + 1, kappa) / scaled
            assert float(length) == pytest.approx(ratio, rel=1e-10)


def test_normalizer_of_three_dimensions_is_elementary() -> None:
    """log (sinh κ / κ), to the last digits also where κ is small."""
    kappa = torch.logspace(-6, 1, 50, dtype=torch.float64)
    log_m, length = log_normalizer(kappa, 3)
    torch.testing.assert_close(length, 1 / kappa.tanh() - 1 / kappa, rtol=1e-9, atol=1e-10)
    small = kappa[:10]  # κ²/6 − κ⁴/180
    torch.testing.assert_close(log_m[:10], small**2 / 6 - small**4 / 180, rtol=1e-9, atol=2e-17)
    torch.testing.assert_close(log_m, (kappa.sinh() / kappa).log(), rtol=1e-10, atol=1e-15)
    zero = log_normalizer(torch.zeros(1).double(), 3)
    assert zero[0].item() == pytest.approx(0, abs=1e-17)
    assert zero[1].item() == 0


def test_area() -> None:
    for dim, area in ((2, 2 * math.pi), (3, 4 * math.pi), (4, 2 * math.pi**2)):
        assert log_area(dim) == pytest.approx(math.log(area))


@pytest.mark.parametrize("dim", DIMS)
def test_kl_equals_quadrature_and_its_gradient_finite_differences(dim: int) -> None:
    direction = torch.nn.functional.normalize(rand(dim), dim=0)
    for kappa in KAPPAS:

        def exact(kappa: float) -> float:
            """κ E cos θ − log M, from integrals."""
            total = integral(kappa, dim)
            length = integral(kappa, dim, power=1) / total
            return kappa * length - kappa - math.log(total / integral(0.0, dim))

        k = real(kappa).requires_grad_()
        rate = kl(VonMisesFisherDistribution(direction, k), SphereUniform(dim).double()())
        assert rate.item() == pytest.approx(exact(kappa), rel=1e-6, abs=1e-9)
        (gradient,) = torch.autograd.grad(rate, k)
        step = 1e-3 * kappa
        difference = float(
            VonMisesFisherDistribution(direction, real(kappa + step)).rate()
            - VonMisesFisherDistribution(direction, real(kappa - step)).rate()
        ) / (2 * step)
        assert float(gradient) == pytest.approx(difference, rel=1e-5, abs=1e-10)


@pytest.mark.parametrize("dim", (2, 3, 10, 64))
def test_float32_is_float64_rounded(dim: int) -> None:
    kappa = torch.tensor(KAPPAS)
    direction = torch.nn.functional.normalize(rand(len(KAPPAS), dim), dim=-1)
    torch.manual_seed(0)
    narrow = VonMisesFisherDistribution(direction.float(), kappa)
    wide = VonMisesFisherDistribution(narrow.direction.double(), kappa.double())
    z, log_q = narrow.rsample_and_log_prob((500,))
    assert z.dtype == log_q.dtype == torch.float32
    torch.testing.assert_close(narrow.rate(), wide.rate().float(), rtol=1e-6, atol=0)
    torch.testing.assert_close(narrow.entropy(), wide.entropy().float(), rtol=1e-6, atol=1e-6)
    # a unit vector in float32 is known to 1e-7, which κ multiplies
    exact = wide.log_prob(z.double())
    torch.testing.assert_close(log_q.double(), exact, rtol=1e-5, atol=5e-3)
    torch.testing.assert_close(narrow.log_prob(z).double(), exact, rtol=1e-5, atol=5e-3)


@pytest.mark.parametrize("kappa", [0.5, 3.0, 300.0])
def test_density_and_entropy_equal_scipy(kappa: float) -> None:
    for dim in (2, 3, 7):
        direction = torch.nn.functional.normalize(rand(dim), dim=0)
        q, p = VonMisesFisherDistribution(direction, real(kappa)), SphereUniform(dim).double()()
        reference = stats.vonmises_fisher(direction.numpy(), kappa)
        z = q.sample((20,))
        np.testing.assert_allclose(q.log_prob(z), reference.logpdf(z.numpy()), rtol=1e-10)
        assert float(q.entropy()) == pytest.approx(reference.entropy(), rel=1e-10)
        assert float(kl(q, p)) == pytest.approx(float(p.entropy() - q.entropy()), abs=1e-12)


@pytest.mark.parametrize("dim", DIMS)
def test_angle_inverts_the_distribution_function(dim: int) -> None:
    u = torch.tensor([1e-4, 0.02, 0.3, 0.5, 0.77, 0.98, 1 - 1e-4], dtype=torch.float64)
    for kappa in (1e-2, 2.0, 30.0, 1e4):
        theta = angle(real(kappa), u, dim)
        total = integral(kappa, dim)
        below = [integral(kappa, dim, stop=t) / total for t in theta.tolist()]
        np.testing.assert_allclose(below, u, rtol=0, atol=1e-6)


def test_angle_in_three_dimensions_is_elementary() -> None:
    """cos θ = 1 + log(1 − u + u e^(−2κ))/κ, and its derivative."""
    kappa = torch.tensor([0.01, 1.0, 20.0, 3000.0], dtype=torch.float64, requires_grad=True)
    u = torch.linspace(0.001, 0.999, 101, dtype=torch.float64)[:, None].expand(101, 4)
    theta = angle(kappa, u, 3)
    exact = (1 + torch.log1p(u * torch.expm1(-2 * kappa)) / kappa).acos()
    torch.testing.assert_close(theta, exact, rtol=2e-6, atol=2e-6)
    for column in range(4):
        picked = [
            torch.autograd.grad(t[:, column].sum(), kappa, retain_graph=True)[0][column]
            for t in (theta, exact)
        ]
        torch.testing.assert_close(*picked, rtol=1e-5, atol=1e-8)
    for row in (3, 50, 97):
        own, other = (
            torch.autograd.grad(t[row].sum(), kappa, retain_graph=True)[0] for t in (theta, exact)
        )
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("dim", DIMS)
def test_slope_of_the_angle_equals_finite_differences(dim: int) -> None:
    u = torch.linspace(0.001, 0.999, 41, dtype=torch.float64)
    for kappa in (0.05, 2.0, 30.0, 1e4):
        k = torch.full((41,), kappa, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(angle(k, u, dim).sum(), k)
        step = 0.01 * kappa
        with torch.no_grad():
            rise = angle(k + step, u, dim) - angle(k - step, u, dim)
        torch.testing.assert_close(slope, rise / (2 * step), rtol=1e-3, atol=1e-4 / kappa)


@pytest.mark.parametrize("dim", (2, 3, 10, 50))
def test_draws_have_the_moments(dim: int) -> None:
    torch.manual_seed(0)
    count, kappa = 40_000, torch.tensor([0.1, 2.0, 40.0], dtype=torch.float64)
    direction = torch.nn.functional.normalize(rand(3, dim), dim=-1)
    q = VonMisesFisherDistribution(direction, kappa)
    z, log_q = sample_with_log_prob(q, (count,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(count, 3).double())
    torch.testing.assert_close(log_q, q.log_prob(z), rtol=1e-9, atol=1e-9)
    assert ((z.mean(0) - q.mean).abs() <= 4.5 * z.std(0) / math.sqrt(count)).all()
    squares = (z - q.mean).square()
    assert ((squares.mean(0) - q.variance).abs() <= 4.5 * squares.std(0) / math.sqrt(count)).all()
    prior = SphereUniform(dim).double()()
    assert has_closed_form(q, prior)
    ratio = log_q - prior.log_prob(z)
    assert ((ratio.mean(0) - kl(q, prior)).abs() <= 4 * ratio.std(0) / math.sqrt(count)).all()
    uniform = prior.sample((count,))
    assert (uniform.mean(0).abs() <= 4.5 / math.sqrt(dim * count)).all()


def expected(raw: np.ndarray, dim: int) -> float:
    """E f(z) for raw parameters, by quadrature over the circle or the sphere."""
    vector, kappa = raw[:dim], math.exp(raw[dim])
    direction = vector / np.linalg.norm(vector)
    if dim == 2:
        phi = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
        z, weight = np.stack([np.cos(phi), np.sin(phi)], -1), np.ones_like(phi)
    else:
        cosine, node = np.polynomial.legendre.leggauss(200)
        phi = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        cosine, phi = np.meshgrid(cosine, phi, indexing="ij")
        sine = np.sqrt(1 - cosine**2)
        z = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], -1)
        weight = node[:, None] * np.ones_like(phi)
    density = weight * np.exp(kappa * (z @ direction - 1))
    return float((density * function(z)).sum() / density.sum())


def function(z: np.ndarray) -> np.ndarray:
    return np.sin(2 * z[..., 0] + z[..., 1]) + z[..., -1] ** 2 * z[..., 0]


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_of_an_expectation_equals_quadrature(dim: int, sign: float) -> None:
    """Of both parameters, on either side of the plane where the reflection changes."""
    torch.manual_seed(0)
    raw = np.array([*[0.8 * sign, -0.5, 0.4][:dim], math.log(1.7)])
    numbers = torch.tensor(raw).expand(400, dim + 1).clone().requires_grad_()
    z = VonMisesFisher(dim).double()(numbers).rsample((1000,))
    values = (2 * z[..., 0] + z[..., 1]).sin() + z[..., -1] ** 2 * z[..., 0]
    (each,) = torch.autograd.grad(values.mean(0).sum(), numbers)
    error = each.std(0).numpy() / math.sqrt(len(each))
    steps = 1e-5 * np.eye(dim + 1)
    rise = np.array([expected(raw + s, dim) - expected(raw - s, dim) for s in steps]) / 2e-5
    assert (np.abs(each.mean(0).numpy() - rise) <= 4 * error + 1e-9).all()
    assert (np.abs(rise) > 10 * error).any()  # the comparison has something to see


def test_raw_are_direction_and_log_concentration() -> None:
    family = VonMisesFisher(3)
    q = family(torch.tensor([[3.0, 0.0, 4.0, math.log(5.0)], [0.0, 0.0, 0.0, 50.0]]))
    torch.testing.assert_close(q.direction, torch.tensor([[0.6, 0.0, 0.8], [1.0, 0.0, 0.0]]))
    torch.testing.assert_close(q.concentration, torch.tensor([5.0, 1e4]))
    raw = torch.zeros(4, requires_grad=True)
    z, log_q = family(raw).rsample_and_log_prob((10,))
    (gradient,) = torch.autograd.grad(z.sum() + log_q.sum(), raw)
    assert gradient.isfinite().all()
    start = family(family.start(torch.tensor([0.3, 0.0, 0.4]), torch.ones(3)))
    assert (start.mean - torch.tensor([0.3, 0.0, 0.4])).abs().max() < 0.02


@pytest.mark.parametrize("shape", [1, (1,), (3, 2)])
def test_what_is_no_sphere_is_refused(shape: int | tuple[int, ...]) -> None:
    for build in (SphereUniform, VonMisesFisher):
        with pytest.raises(LowerboundError, match="latent_dim of 2"):
            build(shape)


@pytest.mark.parametrize(("dim", "kappa"), [(50, 1.0), (10, math.exp(-4)), (2, math.exp(9))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_last_draw_has_the_gradient_of_its_quantile(
    dim: int, kappa: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """u = 1 − 2⁻²⁴, the largest drawn: dθ/dκ by difference quotients of θ solved by quadrature."""
    largest = 1 - 2.0**-24
    monkeypatch.setattr(
        "lowerbound.distributions.sphere.uniform",
        lambda shape, device: torch.full(tuple(shape), largest, dtype=torch.float32),
    )
    concentration = torch.tensor(kappa, dtype=dtype, requires_grad=True)
    q = VonMisesFisherDistribution(torch.eye(dim, dtype=dtype)[0], concentration)
    theta = q._angle(())
    (slope,) = torch.autograd.grad(theta, concentration)
    above = 2.0**-25 / 1.0

    def solved(k: float) -> float:
        """Mass above θ, from the far end, where it keeps its digits."""
        whole = integral(k, dim)
        nodes = lambda a: a + (math.pi - a) * (np.arange(2000)[:, None] + 0.5 + NODES / 2) / 2000  # noqa: E731

        def beyond(a: float) -> float:
            t = nodes(a)
            density = np.exp(-2 * k * np.sin(t / 2) ** 2) * np.sin(t) ** (dim - 2)
            return float((density @ WEIGHTS).sum() * (math.pi - a) / 4000) / whole - above

        return float(optimize.brentq(beyond, 1e-6, math.pi - 1e-9, xtol=1e-15, rtol=1e-14))

    step = 1e-3 * kappa
    expected = (solved(kappa + step) - solved(kappa - step)) / (2 * step)
    assert theta.item() == pytest.approx(solved(kappa), rel=2e-3)
    assert slope.item() == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize("u", [0.0, 1.0])
def test_the_ends_themselves_have_a_finite_gradient(u: float) -> None:
    kappa = torch.tensor([1e-2, 1.0, 100.0], dtype=torch.float64, requires_grad=True)
    for dim in DIMS:
        theta = angle(kappa, torch.full((3,), u, dtype=torch.float64), dim)
        (slope,) = torch.autograd.grad(theta.sum(), kappa)
        # An angle of at most π moves by no more than about its own size while log κ moves by 1.
        assert (slope.abs() * kappa <= math.pi).all()


def test_covariance_equals_that_of_draws() -> None:
    torch.manual_seed(0)
    direction = torch.nn.functional.normalize(rand(2, 3), dim=-1)
    q = VonMisesFisherDistribution(direction, torch.tensor([0.7, 9.0], dtype=torch.float64))
    torch.testing.assert_close(q.covariance_matrix.diagonal(dim1=-2, dim2=-1), q.variance)
    about = q.sample((200_000,)) - q.mean
    products = about.unsqueeze(-1) * about.unsqueeze(-2)
    error = products.std(0) / len(products) ** 0.5
    assert ((products.mean(0) - q.covariance_matrix).abs() < 4 * error).all()
