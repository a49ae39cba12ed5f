"""Hierarchical models, where the answer is known: linear layers exactly, others by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.bounds import Terms, elbo, iwae, log_weights
from lowerbound.data import DataSpec
from lowerbound.distributions import (
    Bernoulli,
    Gaussian,
    Head,
    sample_with_log_prob,
    set_precision,
)
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import estimate_log_likelihood, evaluate
from lowerbound.models.hierarchical import HierarchicalVAE, Inference, ladder_elbo
from lowerbound.networks.ladder import Ladder, Rung, conv_ladder, mlp_ladder

BOTH: list[Inference] = ["top-down", "bottom-up"]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


class Affine(nn.Module):
    """Σ W_i u_i + b of several inputs, with fixed numbers."""

    def __init__(self, bias: Tensor, *weights: Tensor) -> None:
        super().__init__()
        self.bias, self.weights = nn.Parameter(bias), nn.ParameterList(weights)

    def forward(self, *inputs: Tensor) -> Tensor:
        pairs = zip(self.weights, inputs, strict=True)
        return self.bias + torch.stack([u @ w.mT for w, u in pairs]).sum(0)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def column(*values: float) -> Tensor:
    return numbers(*values)[:, None]


class Chain:
    """z2 ~ N(0, 1), z1 ~ N(a z2, s²), x ~ N(w z1 + m, σ² I) in three dimensions."""

    a, s, sigma = 0.8, 0.6, 1.0  # log σ = 0: no digits lost where float32 becomes float64
    w = torch.tensor([1.0, -0.7, 0.4], dtype=torch.float64)
    m = torch.tensor([0.3, 0.0, -2.0], dtype=torch.float64)

    def log_prob(self, x: Tensor) -> Tensor:
        variance = self.a**2 + self.s**2
        covariance = variance * torch.outer(self.w, self.w) + self.sigma**2 * torch.eye(3).double()
        return MultivariateNormal(self.m, covariance).log_prob(x)

    def sample(self, n: int) -> Tensor:
        z = torch.randn(n, 1).double() * math.hypot(self.a, self.s)
        return z * self.w + self.m + self.sigma * torch.randn(n, 3).double()

    def model(self, inference: Inference, off: float = 0.0) -> HierarchicalVAE:
        """With the exact posterior where `off` is 0, else with all its numbers moved by so much."""
        a, s, sigma, w, m = self.a, self.s, self.sigma, self.w, self.m
        read = float(w @ w) / sigma**2
        if inference == "top-down":
            # q(z2|x), with z1 integrated out: x | z2 ~ N(w a z2 + m, s² w w' + σ² I)
            noise = s**2 * torch.outer(w, w) + sigma**2 * torch.eye(3).double()
            gain = torch.linalg.solve(noise, w)
            variance2 = 1 / (1 + a**2 * float(w @ gain))
            slope = variance2 * a * gain
            high = Affine(
                numbers(-float(slope @ m) - off, 0.5 * math.log(variance2) + off),
                torch.stack([slope, 0 * slope]),
            )
            # q(z1|z2, x) = N(a z2 + Δ, s² Δσ²): Δ is linear in x and z2
            variance1 = 1 / (1 / s**2 + read)
            moved = column(variance1 * a / s**2 - a, 0.0)
            log_scale = 0.5 * math.log(variance1 / s**2)
        else:
            variance1 = 1 / (1 / (a**2 + s**2) + read)
            log_scale = 0.5 * math.log(variance1)
            moved = None
            variance2 = 1 / (1 + a**2 / s**2)
            high = Affine(
                numbers(-off, 0.5 * math.log(variance2) + off), column(variance2 * a / s**2, 0.0)
            )
        slope = variance1 * w / sigma**2
        low = Affine(
            numbers(-float(slope @ m) + off, log_scale + off),
            torch.stack([slope, 0 * slope]),
            *([] if moved is None else [moved]),
        )
        prior = Affine(numbers(0.0, math.log(s)), column(a, 0.0))
        seen = (3,) if inference == "top-down" else (1,)
        rungs = [
            Rung((1,), (3,), (1,), nn.Identity(), low, prior, None),
            Rung((1,), seen, (1,), nn.Identity(), high, None, None),
        ]
        family = Gaussian(3, sigma="fixed", value=sigma)
        head = Head(Affine(m.clone(), w[:, None].clone()), family)
        return HierarchicalVAE(rungs, head, inference=inference).double()


def built(ladder: Ladder, event_shape: tuple[int, ...], inference: Inference) -> HierarchicalVAE:
    rank = len(ladder.rungs[0].state_shape)
    head = Head(ladder.output(event_shape), Bernoulli(event_shape), (rank,))
    return HierarchicalVAE(ladder.rungs, head, inference=inference)


def awake(model: HierarchicalVAE) -> HierarchicalVAE:
    """Every weight moved, those that start at zero as well, so that nothing is hidden by them."""
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 4
            parameter.add_(0.4 / math.sqrt(fan_in) * torch.randn_like(parameter))
    return model.double()


def ladders(inference: Inference) -> list[HierarchicalVAE]:
    up = inference == "bottom-up"
    tall = mlp_ladder((5,), (3, 2, 2), hidden=(8, 8), bottom_up=up)
    passed = mlp_ladder((5,), (3, 2), hidden=(8,), activation="silu", bottom_up=up, residual=True)
    image = conv_ladder((2, 9, 7), (1, 2, 2), channels=2, bottom_up=up)
    models = [built(tall, (5,), inference), built(passed, (5,), inference)]
    models.append(built(image, (2, 9, 7), inference))
    return [awake(model) for model in models]


def binary(model: HierarchicalVAE, n: int) -> Tensor:
    return torch.bernoulli(torch.full((n, *model.event_shape), 0.4, dtype=torch.float64))


@pytest.mark.parametrize("inference", BOTH)
def test_under_the_exact_posterior_every_weight_is_the_likelihood(inference: Inference) -> None:
    chain = Chain()
    x = chain.sample(20)
    model = chain.model(inference)
    exact = chain.log_prob(x)
    weights = log_weights(model, x, samples=50)
    torch.testing.assert_close(weights, exact.expand_as(weights), rtol=0, atol=1e-10)
    sampled = ladder_elbo(model, x, samples=7, kl="sampled").parts["bound"]
    torch.testing.assert_close(sampled, exact, rtol=0, atol=1e-10)
    found = estimate_log_likelihood(model, x, samples=10)
    torch.testing.assert_close(found.values, exact, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.ess, torch.full_like(exact, 10), rtol=0, atol=1e-6)


@pytest.mark.parametrize("inference", BOTH)
def test_under_an_inexact_posterior_the_bounds_are_ordered_and_converge(
    inference: Inference,
) -> None:
    chain = Chain()
    x = chain.sample(5)
    model = chain.model(inference, off=0.3)
    exact = chain.log_prob(x)
    with torch.no_grad():
        weights = log_weights(model, x, samples=20_000)
        lower = elbo(model, x, samples=20_000).parts["bound"]
    estimate = weights.logsumexp(0) - math.log(len(weights))
    torch.testing.assert_close(estimate, exact, rtol=0, atol=0.02)
    assert (lower < exact - 0.05).all()


@pytest.mark.parametrize("inference", BOTH)
def test_the_rates_of_the_layers_agree_with_their_samples(inference: Inference) -> None:
    """Analytic and sampled rates of each layer, and both bounds, within 4 standard errors."""
    for model in [Chain().model(inference, off=0.2), *ladders(inference)]:
        x = binary(model, 1)
        many = x.expand(4000, *x.shape[1:])
        with torch.no_grad():
            analytic = ladder_elbo(model, many).parts
            sampled = ladder_elbo(model, many, kl="sampled").parts
            generic = elbo(model, many, kl="sampled").parts
        count = sum(name.startswith("rate_") for name in analytic)
        assert count == len(model.prior.sizes)
        total = torch.stack([analytic[f"rate_{level}"] for level in range(1, count + 1)]).sum(0)
        torch.testing.assert_close(analytic["rate"], total)
        for name, values in analytic.items():
            for other in [sampled] + ([generic] if name in generic else []):
                error = math.sqrt((values.var() + other[name].var()) / len(many))
                assert abs(values.mean() - other[name].mean()) <= 4 * error + 1e-12, name
        # and what analytic rates are for: less noise, at the top none
        assert analytic[f"rate_{count}"].var() <= sampled[f"rate_{count}"].var()


@pytest.mark.parametrize("inference", BOTH)
def test_the_same_noise_gives_the_same_weights(inference: Inference) -> None:
    for model in ladders(inference):
        x = binary(model, 6)
        torch.manual_seed(1)
        (weights,) = log_weights(model, x, samples=1)
        torch.manual_seed(1)
        bound = ladder_elbo(model, x, kl="sampled").parts["bound"]
        torch.testing.assert_close(bound, weights, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("inference", BOTH)
def test_a_draw_has_the_density_that_it_says(inference: Inference) -> None:
    for model in ladders(inference):
        q = model.encode(binary(model, 4))
        z, log_q = sample_with_log_prob(q, (3,))
        assert z.shape == (3, 4, *model.latent_shape)
        torch.testing.assert_close(q.log_prob(z), log_q, rtol=1e-9, atol=1e-9)
        code = torch.randn(2, 4, *model.latent_shape).double()
        steps, _ = model.prior.descend(code)
        back = model.prior.join([step.noise for step in steps])
        torch.testing.assert_close(back, code)


@pytest.mark.parametrize("inference", BOTH)
@pytest.mark.parametrize("residual", [False, True])
def test_densities_by_quadrature(inference: Inference, residual: bool) -> None:
    """q integrates to 1 and its draws follow it, and the bound is what its definition says."""
    ladder = mlp_ladder(
        (4,), (1, 1), hidden=(6,), bottom_up=inference == "bottom-up", residual=residual
    )
    model = awake(built(ladder, (4,), inference))
    x = binary(model, 3)
    grid = torch.linspace(-12, 12, 401, dtype=torch.float64)
    codes = torch.cartesian_prod(grid, grid)[:, None]  # (G, 1, 2)
    volume = math.log(float(grid[1] - grid[0]) ** 2)
    with torch.no_grad():
        q = model.encode(x)
        log_q = q.log_prob(codes.expand(-1, 3, -1)) + volume
        torch.testing.assert_close(log_q.logsumexp(0), torch.zeros(3).double(), rtol=0, atol=1e-6)
        drawn = torch.cat([q.sample((20_000,)).sin(), q.sample((20_000,)).cos()], -1)
        waves = torch.cat([codes.sin(), codes.cos()], -1)
        error = drawn.std(0) / math.sqrt(len(drawn))
        exact = (log_q.exp()[..., None] * waves).sum(0)
        assert ((drawn.mean(0) - exact).abs() <= 4 * error).all()
        joint = model.decode(codes).log_prob(x) + model.prior().log_prob(codes) + volume
        lower = (log_q.exp() * (joint - log_q)).sum(0)
        assert (lower < joint.logsumexp(0)).all()
        weights = log_weights(model, x, samples=20_000)
        error = weights.std(0) / math.sqrt(len(weights))
        assert ((weights.mean(0) - lower).abs() <= 4 * error).all()


def test_the_layers_own_values_have_the_models_density() -> None:
    """Weights over z, from the conditionals one by one, are those over codes."""
    chain = Chain()
    model = chain.model("bottom-up", off=0.2)
    x = chain.sample(6)
    q = model.encode(x)
    code, log_q = sample_with_log_prob(q, (4,))
    z1, z2 = model.layers(code)
    normal = torch.distributions.Normal
    log_p = normal(0, 1).log_prob(z2) + normal(chain.a * z2, chain.s).log_prob(z1)
    low = model.posterior.of_layer(0, x)
    over_z = log_p.squeeze(-1) - low.log_prob(z1) - model.posterior.above(1, z1).log_prob(z2)
    over_codes = model.prior().log_prob(code) - log_q
    torch.testing.assert_close(over_codes, over_z, rtol=0, atol=1e-10)
    drawn = torch.cat(model.layers(model.sample_prior(200_000)), -1)
    covariance = torch.tensor([[chain.a**2 + chain.s**2, chain.a], [chain.a, 1.0]]).double()
    torch.testing.assert_close(drawn.T.cov(), covariance, rtol=0, atol=0.015)


@pytest.mark.parametrize("inference", BOTH)
def test_the_mean_of_linear_layers_is_the_mean(inference: Inference) -> None:
    chain = Chain()
    q = chain.model(inference).encode(chain.sample(3))
    drawn = q.rsample((100_000,))
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert ((q.mean - drawn.mean(0)).abs() <= 4 * error).all()


def test_free_bits_cost_what_they_say_and_stop_the_gradient() -> None:
    model = ladders("top-down")[0].float()
    x = binary(model, 50).float()
    torch.manual_seed(1)
    loss, parts = ladder_elbo(model, x)
    means = torch.stack([parts[f"rate_{level}"].mean() for level in (1, 2, 3)])
    free = float(means.sort().values[:2].mean())  # one layer below it, two above
    torch.manual_seed(1)
    freed, same = ladder_elbo(model, x, free_bits=torch.tensor(free), beta=torch.tensor(0.5))
    expected = parts["distortion"].mean() + 0.5 * means.clamp_min(free).sum()
    torch.testing.assert_close(freed, expected)
    torch.testing.assert_close(same["bound"], parts["bound"])
    torch.testing.assert_close(loss, -parts["bound"].mean())

    parameters = list(model.parameters())

    def gradient(**options: float) -> Tensor:
        torch.manual_seed(1)
        terms = ladder_elbo(model, x, **options)  # ty: ignore[invalid-argument-type]
        found = torch.autograd.grad(terms.loss, parameters)
        return torch.cat([each.flatten() for each in found])

    torch.testing.assert_close(gradient(free_bits=1e6), gradient(beta=0.0))
    torch.testing.assert_close(gradient(free_bits=1e-9), gradient())
    assert not torch.allclose(gradient(free_bits=free), gradient())


@pytest.mark.parametrize("inference", BOTH)
def test_every_weight_learns(inference: Inference) -> None:
    for model in ladders(inference):
        loss, _ = ladder_elbo(model, binary(model, 8))
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        assert all(bool(g.isfinite().all()) and bool((g != 0).any()) for g in gradients)
        twin = dict(model.named_parameters(remove_duplicate=False))
        assert len(twin) == len(list(model.parameters())), "a weight has two names"


@pytest.mark.parametrize(
    ("inference", "which", "objective"),
    [("top-down", 2, ladder_elbo), ("top-down", 1, iwae), ("bottom-up", 1, ladder_elbo)],
)
def test_bounds_trace_without_a_break(
    inference: Inference, which: int, objective: Callable[..., Terms]
) -> None:
    model = ladders(inference)[which]
    x = binary(model, 4)
    traced = torch.compile(objective, fullgraph=True, backend="eager", dynamic=False)
    torch.manual_seed(2)
    loss, parts = traced(model, x)
    torch.manual_seed(2)
    eager, eager_parts = objective(model, x)
    torch.testing.assert_close(loss, eager)
    assert list(parts) == list(eager_parts)


def test_reduced_precision_stays_within_the_networks() -> None:
    ladder = mlp_ladder((6,), (3, 2), hidden=(16,), residual=True)
    model = built(ladder, (6,), "top-down")
    x = torch.ones(4, 6)
    seen: set[torch.dtype] = set()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda m, i, out: seen.add(out.dtype))
    torch.manual_seed(1)
    full = ladder_elbo(model, x)
    assert seen == {torch.float32}
    seen.clear()
    set_precision(model, torch.bfloat16)
    torch.manual_seed(1)
    reduced = ladder_elbo(model, x)
    assert seen == {torch.bfloat16}
    assert {part.dtype for part in reduced.parts.values()} == {torch.float32}
    q = model.encode(x)
    assert {q.sample().dtype, q.mean.dtype, model.decode(q.mean).mean.dtype} == {torch.float32}
    torch.testing.assert_close(reduced.loss, full.loss, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("inference", BOTH)
def test_evaluation_works_unchanged(inference: Inference) -> None:
    chain = Chain()
    x = chain.sample(200)
    model = chain.model(inference, off=0.2)
    spec = DataSpec("chain", "vector", (3,), "real", step=0.0)
    found = evaluate(model, spec, x, samples=2000)
    assert found.log_likelihood is not None and found.rate is not None
    exact = chain.log_prob(x)
    error = float(exact.std()) / math.sqrt(len(exact))
    assert abs(found.log_likelihood.value - float(exact.mean())) < 0.02
    assert found.log_likelihood.standard_error == pytest.approx(error, rel=0.05)


def test_what_does_not_fit_is_refused() -> None:
    model = Chain().model("top-down")
    with pytest.raises(LowerboundError, match=r"expected x of shape \(batch, 3\), came \(2, 4\)"):
        ladder_elbo(model, torch.zeros(2, 4).double())
    with pytest.raises(LowerboundError, match="'analytic' or 'sampled', came 'exact'"):
        ladder_elbo(model, torch.zeros(2, 3).double(), kl="exact")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="expected no context"):
        model.encode(torch.zeros(2, 3).double(), torch.zeros(2))
    ladder = mlp_ladder((5,), (2,))
    with pytest.raises(LowerboundError, match="'top-down' or 'bottom-up', came 'sideways'"):
        built(ladder, (5,), "sideways")  # ty: ignore[invalid-argument-type]
