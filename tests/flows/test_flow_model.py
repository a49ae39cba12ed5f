"""Flows as models of data: exact densities, exact inverses, and they learn."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.flows import ActNorm
from lowerbound.models.flow import FlowModel, image_flow, negative_log_likelihood, vector_flow
from lowerbound.recipes.flows import RECIPES

VECTORS = ["nice", "realnvp", "maf", "neural-spline", "autoregressive-neural-spline"]
IMAGES = ["realnvp", "glow"]


def learned(module: nn.Module, spread: float = 0.1) -> nn.Module:
    """As if trained: every parameter moved away from its start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return module


def vectors(kind: str, shape: tuple[int, ...] = (3,), **options: object) -> FlowModel:
    torch.manual_seed(0)
    model = vector_flow(shape, kind, transforms=2, hidden=(16,), bins=4, **options)  # ty: ignore
    learned(model)
    return model


def images(kind: str, shape: tuple[int, ...], **options: object) -> FlowModel:
    torch.manual_seed(0)
    model = image_flow(shape, kind, steps=2, width=8, **options)  # ty: ignore
    learned(model)
    return model


def models() -> list[tuple[str, FlowModel]]:
    return [
        *((f"{kind} unit={unit}", vectors(kind, unit=unit)) for kind in VECTORS for unit in (0, 1)),
        *(
            (f"{kind} {shape} unit={unit}", images(kind, shape, unit=unit))
            for kind in IMAGES
            for shape, unit in [((1, 4, 4), True), ((3, 4, 4), True), ((1, 3, 5), False)]
        ),
    ]


MODELS = models()
EVERY = pytest.mark.parametrize("model", [m for _, m in MODELS], ids=[n for n, _ in MODELS])


@EVERY
def test_log_prob_is_the_change_of_variables_by_autograd(model: FlowModel) -> None:
    model = model.double()
    x = torch.rand(3, *model.event_shape, dtype=torch.float64)
    z = model.encode(x).mean
    log_p = model.log_prob(x).detach()
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: model.encode(v[None]).mean.reshape(-1), x[i]
        )
        log_det = torch.linalg.slogdet(jacobian.reshape(len(z[i]), -1))[1]
        expected = (model.prior().log_prob(z[i]) + log_det).detach()
        assert float(log_p[i]) == pytest.approx(float(expected), abs=1e-9)
    model.float()


@EVERY
def test_decoding_inverts_encoding(model: FlowModel) -> None:
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        model.to(dtype)
        x = torch.rand(4, 2, *model.event_shape, dtype=dtype)
        z = model.encode(x)
        assert z.mean.shape == (4, 2, *model.latent_shape) and z.batch_shape == (4, 2)
        back = model.decode(z.mean)
        assert back.event_shape == model.event_shape
        assert torch.allclose(back.mean, x, rtol=0, atol=tolerance)
        again = model.encode(back.mean).mean
        assert torch.allclose(again, z.mean, rtol=0, atol=1e3 * tolerance)
    assert model.log_prob(x).shape == (4, 2)


@pytest.mark.parametrize("kind", VECTORS)
def test_densities_of_unit_data_integrate_to_one_where_the_logit_is_defined(kind: str) -> None:
    model = vectors(kind, (2,), unit=True, std=torch.full((2,), 0.15)).double()
    edge = 0.05 / 0.9  # α / (1 − 2α) beyond [0, 1] the logit ends
    side = 500
    step = (1 + 2 * edge) / side
    ticks = -edge + step * (torch.arange(side, dtype=torch.float64) + 0.5)
    with torch.no_grad():
        total = model.log_prob(torch.cartesian_prod(ticks, ticks)).exp().sum() * step**2
    assert float(total) == pytest.approx(1.0, abs=1e-3)


def test_samples_have_the_models_density() -> None:
    """The mean of 1/p(x) over a region, of samples of p, is the region's area."""
    model = vectors("maf", (2,)).double()
    torch.manual_seed(1)
    x = model.sample(40_000)
    assert x.shape == (40_000, 2)
    inside = (x.abs() < 1.0).all(1)
    with torch.no_grad():
        terms = torch.where(inside, (-model.log_prob(x)).exp(), 0.0)
    error = float(terms.std()) / math.sqrt(len(x))
    assert abs(float(terms.mean()) - 4.0) < 4 * error < 0.5


@pytest.mark.parametrize("kind", ["nice", "realnvp", "maf", "neural-spline"])
def test_untrained_it_has_the_datas_means_and_scales(kind: str) -> None:
    torch.manual_seed(0)
    mean, std = torch.tensor([50.0, -3.0, 0.0, 7.0]), torch.tensor([20.0, 0.01, 1.0, 3.0])
    x = mean + std * torch.randn(4000, 4)
    model = vector_flow((4,), kind, mean=mean, std=std)  # ty: ignore
    entropy = (std.log() + 0.5 * math.log(2 * math.pi * math.e)).sum()
    # a logistic in a Gaussian's place costs 0.014 nats a number, random weights some more
    assert abs(float(model.log_prob(x).mean().detach() + entropy)) < 0.25


def test_untrained_flows_of_images_start_at_their_channels() -> None:
    torch.manual_seed(0)
    x = 0.2 + 0.05 * torch.rand(500, 3, 6, 6) + torch.tensor([0.0, 0.2, 0.5])[:, None, None]
    model = image_flow((3, 6, 6), "glow", mean=x.mean(0), std=x.std(0))
    z = model.encode(x).mean.detach()
    assert abs(float(z.mean())) < 0.05
    assert float(z.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("kind", IMAGES)
def test_actnorms_start_at_a_batch(kind: str) -> None:
    model = images(kind, (2, 8, 8), unit=False).double()
    x = 3.0 + 2.0 * torch.randn(64, 2, 8, 8, dtype=torch.float64)
    model.start_(x)
    seen: list[Tensor] = []
    norms = [module for module in model.modules() if isinstance(module, ActNorm)]
    for norm in norms:
        norm.register_forward_hook(lambda module, given, made: seen.append(made[0]))
    model.encode(x)
    assert len(seen) == len(norms) > 2
    for y in seen:
        assert torch.allclose(y.mean((0, 2, 3)), torch.zeros_like(y[0, :, 0, 0]), atol=1e-9)
        deviation = y.square().mean((0, 2, 3)).sqrt()
        assert torch.allclose(deviation, torch.ones_like(deviation), atol=1e-4)


def moons(n: int, seed: int) -> Tensor:
    from sklearn.datasets import make_moons

    points, _ = make_moons(n, noise=0.1, random_state=seed)
    return torch.as_tensor(points, dtype=torch.float32)


@pytest.mark.parametrize("kind", ["nice", "realnvp", "maf", "neural-spline"])
def test_two_moons_are_learned_better_than_by_a_gaussian(kind: str) -> None:
    train, test = moons(1000, 0), moons(1000, 1)
    centred = train - train.mean(0)
    gaussian = torch.distributions.MultivariateNormal(train.mean(0), centred.T @ centred / 1000)
    floor = float(gaussian.log_prob(test).mean())
    torch.manual_seed(0)
    model = vector_flow((2,), kind, mean=train.mean(0), std=train.std(0), hidden=(48, 48))  # ty: ignore
    adam = torch.optim.Adam(model.parameters(), lr=8e-3)
    for _ in range(120):
        adam.zero_grad()
        loss, _ = negative_log_likelihood(model, train[torch.randint(1000, (256,))])
        loss.backward()
        adam.step()
    with torch.no_grad():
        reached = float(model.log_prob(test).mean())
    # volume-preserving couplings are the weakest of them
    assert reached > floor + (0.2 if kind == "nice" else 0.4)


# the others are made of the same parts
@pytest.mark.parametrize("kind", ["nice", "maf", "neural-spline"])
def test_vector_objectives_compile_as_one_graph(kind: str) -> None:
    compiled_equals_eager(vectors(kind, (3,), unit=True))


@pytest.mark.parametrize("kind", IMAGES)
def test_image_objectives_compile_as_one_graph(kind: str) -> None:
    compiled_equals_eager(images(kind, (1, 4, 4), scales=1))


def compiled_equals_eager(model: FlowModel) -> None:
    torch.compiler.reset()
    x = torch.rand(5, *model.event_shape)

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        return negative_log_likelihood(model, x).loss, model.decode(model.encode(x).mean).mean

    compiled = torch.compile(both, fullgraph=True, backend="eager")
    (loss, back), (expected, _) = compiled(x), both(x)
    assert torch.allclose(loss, expected, rtol=1e-5)
    assert torch.allclose(back, x, atol=1e-5)
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    wanted = torch.autograd.grad(expected, parameters, allow_unused=True)
    for a, b in zip(found, wanted, strict=True):
        assert a is not None and b is not None, "a parameter that nothing reaches"
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [lambda: vectors("maf"), lambda: images("glow", (3, 4, 4))])
def test_weights_alone_bring_a_flow_back(make: object, tmp_path: Path) -> None:
    model = make()  # ty: ignore[call-non-callable]
    x = torch.rand(4, *model.event_shape)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(99)
    # another seed: rotations and permutations come from the file
    other = (
        vector_flow((3,), "maf", transforms=2, hidden=(16,))
        if len(model.event_shape) == 1
        else image_flow((3, 4, 4), "glow", steps=2, width=8)
    )
    assert not torch.allclose(other.log_prob(x), model.log_prob(x), atol=1e-3)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(other.log_prob(x), model.log_prob(x))


def spec(kind: str, shape: tuple[int, ...], support: str = "unit") -> DataSpec:
    return DataSpec("toy", kind, shape, support)  # ty: ignore


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_fit_vectors_grey_and_colour_of_any_size(name: str) -> None:
    shapes = [("vector", (6,), "real"), ("image", (1, 7, 7), "unit"), ("image", (3, 6, 5), "real")]
    for kind, shape, support in shapes:
        if name == "image-flow" and kind == "vector":
            continue
        torch.manual_seed(0)
        model, phases = RECIPES[name](spec(kind, shape, support))
        x = torch.rand(4, *shape)
        terms = phases[0].objective(model, x)
        terms.loss.backward()
        assert torch.equal(terms.parts["log_likelihood"], model.log_prob(x).detach())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        assert isinstance(model, FlowModel) and model.no_likelihood is None
        assert RECIPES[name].prepared_for == "gaussian"


def test_unit_data_on_their_edges_have_a_finite_density() -> None:
    model = vectors("realnvp", unit=True)
    x = torch.tensor([[0.0, 1.0, 0.5]])
    assert bool(model.log_prob(x).isfinite().all())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LowerboundError, match="image-flow: expected images"):
        RECIPES["image-flow"](spec("vector", (6,)))
    on_levels, _ = RECIPES["realnvp"](spec("image", (1, 4, 4), "levels"))
    assert on_levels.no_likelihood is not None and "levels" in on_levels.no_likelihood
    with pytest.raises(LowerboundError, match="categories"):
        RECIPES["maf"](DataSpec("text", "tokens", (6,), "categories", 5))
    model = vectors("realnvp")
    with pytest.raises(LowerboundError, match=r"expected x of shape \(\*batch, 3\), came \(5, 1\)"):
        model.log_prob(torch.zeros(5, 1))
    with pytest.raises(LowerboundError, match="expected no context"):
        model.log_prob(torch.zeros(5, 3), torch.zeros(5))
    with pytest.raises(LowerboundError, match="did you mean 'realnvp'"):
        vector_flow((3,), "realnpv")  # ty: ignore
