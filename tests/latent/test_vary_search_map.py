"""Draws with the posterior's moments, neighbours by brute force, densities and planes."""

from __future__ import annotations

import math
import sys
import types
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound import plots
from lowerbound.bounds import elbo
from lowerbound.errors import LowerboundError
from lowerbound.latent import (
    anomalies,
    bounds_of,
    density,
    interpolate,
    latent_map,
    manifold,
    nearest_rows,
    plane,
    ranges,
    reconstruction_errors,
    spread_out,
    vary,
)
from lowerbound.models import LatentModel, LinearGaussian


@pytest.fixture
def model() -> LinearGaussian:
    torch.manual_seed(0)
    return LinearGaussian((5,), 3, weight=torch.randn(5, 3), sigma2=torch.tensor(0.3)).double()


@pytest.fixture
def x(model: LinearGaussian) -> Tensor:
    torch.manual_seed(1)
    return model.decode(torch.randn(40, 3, dtype=torch.float64)).sample()


def test_variations_have_the_posteriors_moments(model: LinearGaussian, x: Tensor) -> None:
    n = 4000
    found = vary(model, x[:2], n=n)
    q = model.encode(x[:2])
    middle = q.mean.detach().numpy()
    whole = torch.linalg.inv(
        torch.eye(3) + model.linear.weight.detach().T @ model.linear.weight.detach() / 0.3
    ).numpy()  # EQUATIONS: the exact posterior's covariance
    for row in range(2):
        deviation = (found.codes[row].mean(0) - middle[row]) / np.sqrt(np.diag(whole) / n)
        assert np.abs(deviation).max() < 4
        np.testing.assert_allclose(np.cov(found.codes[row].T), whole, atol=4 * 1.5 / math.sqrt(n))
        np.testing.assert_allclose(found.spread[row], np.sqrt(np.diag(whole)), rtol=4 / n**0.5)
    again = model.decode(torch.from_numpy(found.codes)).mean.detach().numpy()
    np.testing.assert_allclose(found.decoded, again, rtol=1e-10)
    np.testing.assert_allclose(
        found.reconstructed, model.decode(q.mean).mean.detach().numpy(), rtol=1e-10
    )
    wide = vary(model, x[:2], n=n, spread=3.0)
    np.testing.assert_allclose(wide.codes - middle[:, None], 3 * (found.codes - middle[:, None]))
    assert not np.array_equal(vary(model, x[:2], n=3, seed=1).codes, found.codes[:, :3])


def test_variations_of_a_posterior_that_does_not_know_its_mean(model: LinearGaussian) -> None:
    """Of one draw, too, the middle is the posterior's, not the draw itself."""

    class Nameless(LatentModel):
        def encode(self, x: Tensor, *context: Tensor) -> Any:
            q = super().encode(x, *context)
            kind: Any = type(q)

            class Shy(kind):
                @property
                def mean(self) -> Tensor:
                    raise NotImplementedError

            q.__class__ = Shy
            return q

    shy = Nameless(
        model.prior, model.likelihood, model.posterior, event_shape=(5,), latent_shape=(3,)
    )
    torch.manual_seed(2)
    x = model.decode(torch.randn(1, 3, dtype=torch.float64)).sample()
    q = model.encode(x)
    middle, deviation = q.mean.detach().numpy()[0], found_deviation(model)
    near, far = vary(shy, x, n=1), vary(shy, x, n=1, spread=3.0)
    again = model.decode(torch.from_numpy(near.codes[0])).mean.detach().numpy()
    assert not np.allclose(near.reconstructed, again)
    # far = m + 3 (near - m) gives back m, the mean of 64 draws.
    m = (3 * near.codes[0, 0] - far.codes[0, 0]) / 2
    assert np.abs((m - middle) / deviation).max() < 4 / math.sqrt(64)
    np.testing.assert_allclose(
        near.reconstructed[0], model.decode(torch.from_numpy(m)).mean.detach().numpy(), rtol=1e-9
    )


def found_deviation(model: LinearGaussian) -> np.ndarray:
    """Of the exact posterior, whatever x."""
    weight = model.linear.weight.detach()
    whole = torch.linalg.inv(torch.eye(3) + weight.T @ weight / 0.3)
    return whole.diagonal().sqrt().numpy()


def test_what_does_not_vary_is_refused() -> None:
    from lowerbound.data import DataSpec
    from lowerbound.recipes import autoencoder
    from lowerbound.recipes.quantized import vq_vae

    spec = DataSpec("x", "vector", (4,), "real")
    certain = autoencoder(spec, latent_dim=2, hidden=()).model
    with pytest.raises(LowerboundError, match="every draw is the same; train a vae"):
        vary(certain, torch.zeros(1, 4))
    image = DataSpec("x", "image", (1, 8, 8), "unit")
    quantized = vq_vae(image, channels=8, blocks=0).model
    with pytest.raises(LowerboundError, match="posterior with a spread, came that of a VQVAE"):
        vary(quantized, torch.rand(1, 1, 8, 8))
    with pytest.raises(LowerboundError, match="n of at least 1, came 0"):
        vary(certain, torch.zeros(1, 4), n=0)
    with pytest.raises(LowerboundError, match="encodes and decodes, came Linear"):
        vary(torch.nn.Linear(2, 2), torch.zeros(1, 2))


@pytest.mark.parametrize("others", [False, True])
def test_neighbours_are_those_of_brute_force(others: bool) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(700, 4))
    queries = rows if others else random.normal(size=(300, 4))
    whole = np.sqrt(np.square(queries[:, None] - rows).sum(2))
    if others:
        np.fill_diagonal(whole, np.inf)
    expected = np.argsort(whole, axis=1, kind="stable")[:, :6]
    found = nearest_rows(queries, rows, 6, others=others)
    np.testing.assert_array_equal(found.index, expected)
    np.testing.assert_allclose(found.distance, np.take_along_axis(whole, expected, 1), rtol=1e-12)


def test_near_rows_far_from_zero_keep_their_order() -> None:
    """|a|² − 2ab + |b|² alone would lose them among its rounding."""
    rows = 1e6 + np.array([[0.0], [1e-4], [3e-4], [7e-4]])
    found = nearest_rows(rows[:1] + 1e-5, rows, 2)
    assert found.index.tolist() == [[0, 1]]
    np.testing.assert_allclose(found.distance, [[1e-5, 9e-5]], rtol=1e-3)


def test_anomalies_come_first(model: LinearGaussian, x: Tensor) -> None:
    odd = x.clone()
    odd[11] += 50 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
    exact = model.log_prob(odd).detach().numpy()
    found = anomalies(model, odd, by="bound")
    assert found.index[0] == 11 and found.unit == "nats"
    # The posterior is exact: the bound is log p(x), whatever is drawn, on average.
    assert found.score[0] == pytest.approx(-exact[11], rel=1e-2)
    np.testing.assert_allclose(
        bounds_of(model, x, draws=4000), model.log_prob(x).detach().numpy(), atol=0.2
    )
    z = model.encode(odd).mean
    squares = (model.decode(z).mean - odd).square().sum(1).detach().numpy()
    np.testing.assert_allclose(reconstruction_errors(model, odd), squares, rtol=1e-9)
    ranked = anomalies(model, odd, by="reconstruction")
    np.testing.assert_array_equal(ranked.index, np.argsort(-squares, kind="stable"))
    codes = z.detach().numpy()
    ranked = anomalies(model, odd, by="code", k=3)
    fourth = nearest_rows(codes, codes, 3, others=True).distance[:, -1]
    np.testing.assert_allclose(ranked.score, np.sort(fourth)[::-1], rtol=1e-5)


def test_the_error_of_a_denoiser_is_that_of_data_as_they_came() -> None:
    from lowerbound.data import DataSpec
    from lowerbound.recipes.autoencoders import denoising_autoencoder

    torch.manual_seed(0)
    spec = DataSpec("x", "vector", (6,), "real")
    model: Any = denoising_autoencoder(spec, latent_dim=2, hidden=(8,)).model.eval()
    x = torch.randn(300, 6)
    with torch.no_grad():
        again = model.decode(model.encode(x).mean).mean
    squares = (again - x).square().sum(1).numpy()
    np.testing.assert_allclose(reconstruction_errors(model, x), squares, rtol=1e-5)
    found = anomalies(model, x, by="reconstruction")
    np.testing.assert_array_equal(found.index, np.argsort(-squares, kind="stable"))


def test_time_stamps_keep_their_digits() -> None:
    """Seconds far from zero are given in float64 until the model has standardized them."""
    from lowerbound.data import DataSpec
    from lowerbound.recipes.conditional import cvae

    torch.manual_seed(0)
    spec = DataSpec(
        "x", "vector", (2,), "real", attributes=("time",), attribute_mean=(1.7e9,),
        attribute_std=(100.0,),
    )  # fmt: skip
    model: Any = cvae(spec, given="attributes", latent_dim=2, hidden=(16,)).model.eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # all of it shows
    x, seconds = torch.randn(40, 2), 100 * torch.randn(40, 1, dtype=torch.float64)
    time = 1.7e9 + seconds
    with torch.no_grad():
        q = model.encode(x, time)
        squares = (model.decode(q.mean, time).mean - x).square().sum(1).numpy()
        torch.manual_seed(0)
        bound = elbo(model, x, time, samples=8).parts["bound"].numpy()
    np.testing.assert_allclose(reconstruction_errors(model, x, time), squares, rtol=1e-4)
    np.testing.assert_allclose(bounds_of(model, x, time), bound, rtol=1e-4)
    varied = vary(model, x, time, n=2)
    with torch.no_grad():
        again = [model.decode(torch.from_numpy(z), time).mean for z in varied.codes.swapaxes(0, 1)]
    np.testing.assert_allclose(varied.decoded, torch.stack(again, 1).numpy(), atol=1e-5)
    spread = (q.mean.double().var(0, correction=0) + q.variance.double().mean(0)).sqrt().numpy()
    np.testing.assert_allclose(ranges(model, x, time).deviation, spread, rtol=1e-5)
    path = interpolate(model, q.mean[:2].numpy(), time[:2], steps=5, path="geodesic")
    assert path.lengths[0] <= path.straight[0] * (1 + 1e-6)
    with torch.no_grad():
        expected = model.decode(torch.from_numpy(path.codes[-1:]).float(), time[1:2]).mean
    np.testing.assert_allclose(path.decoded[-1:], expected.numpy(), atol=1e-5)


def test_what_has_no_score_is_refused(model: LinearGaussian, x: Tensor) -> None:
    with pytest.raises(LowerboundError, match="bound, code or reconstruction, came 'age'"):
        anomalies(model, x, by="age")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="from 1 to 39 neighbours"):
        nearest_rows(np.zeros((40, 2)), np.zeros((40, 2)), 40, others=True)
    with pytest.raises(LowerboundError, match="queries of 2 numbers, came 3"):
        nearest_rows(np.zeros((1, 3)), np.zeros((4, 2)), 1)
    grey: Any = LatentModel(
        model.prior, model.likelihood, model.posterior, event_shape=(5,), latent_shape=(3,),
        no_likelihood="grey pixels",
    )  # fmt: skip
    with pytest.raises(LowerboundError, match="grey pixels\\); pass reconstruction"):
        bounds_of(grey, x)


def test_the_density_is_a_mean_of_kernels() -> None:
    from scipy.stats import multivariate_normal

    points = np.random.default_rng(0).normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 0.4]])
    found = density(points)
    spread = np.cov(points.T) * 300 ** (-2 / 6)  # Scott's
    for i in (0, 17, 299):  # of the other points
        kernel = multivariate_normal(points[i], spread).pdf(np.delete(points, i, 0))
        assert found[i] == pytest.approx(math.log(kernel.mean()), rel=1e-9)
    with pytest.raises(LowerboundError, match="lie on no line"):
        density(np.outer(np.arange(5.0), [1.0, 2.0]))


def test_maps_of_several_methods() -> None:
    codes = np.random.default_rng(0).normal(size=(60, 4))
    assert latent_map(codes[:, :2]).method == "raw"
    assert latent_map(codes).method == "pca"
    turned = latent_map(codes[:, :2], "pca")
    np.testing.assert_allclose(turned.points @ turned.axes + turned.mean, codes[:, :2])
    with pytest.raises(LowerboundError, match="one or two numbers for a raw map, came 4"):
        latent_map(codes, "raw")
    with pytest.raises(LowerboundError, match="auto, raw, pca or umap, came 'tsne'"):
        latent_map(codes, "tsne")  # ty: ignore[invalid-argument-type]
    shown = spread_out(codes[:, :2], most=20, across=8)
    cell = np.ptp(codes[:, :2], axis=0).max() / 8
    place = np.floor((codes[shown, :2] - codes[:, :2].min(0)) / cell)
    assert len(np.unique(place, axis=0)) == len(shown) <= 20
    figure = plots.places(latent_map(codes), codes[:, 0], "smile", shown=shown,
                          pictures=np.zeros((len(shown), 1, 4, 4)))  # fmt: skip
    assert figure.axes[0].get_xlabel().startswith("component 1")


def test_a_map_by_umap_asks_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What umap-learn finds is its own affair (and half a minute of compiling)."""
    asked: dict[str, Any] = {}

    class Stub:
        def __init__(self, **options: Any) -> None:
            asked.update(options)

        def fit_transform(self, codes: np.ndarray) -> np.ndarray:
            return codes[:, :2] * 2

    module = types.ModuleType("umap")
    module.UMAP = Stub  # ty: ignore[missing-attribute]
    monkeypatch.setitem(sys.modules, "umap", module)
    codes = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    found = latent_map(codes, "umap", seed=3)
    np.testing.assert_array_equal(found.points, codes[:, :2] * 2)
    assert asked["random_state"] == 3 and found.method == "umap"
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(LowerboundError, match=r"install lowerbound\[umap\]"):
        latent_map(codes, "umap")


def test_a_plane_of_directions(model: LinearGaussian) -> None:
    right, up = np.array([1.0, 2.0, 0.0]), np.array([0.0, 1.0, 1.0])
    origin = np.array([0.5, 0.0, -0.5])
    found = plane(model, origin, right, up, across=[-1, 0, 2], along=[0, 3])
    for i, b in enumerate([3, 0]):
        for j, a in enumerate([-1, 0, 2]):
            np.testing.assert_allclose(found.codes[i, j], origin + a * right + b * up)
    z = torch.from_numpy(found.codes)
    np.testing.assert_allclose(found.decoded, model.decode(z).mean.detach(), atol=1e-12)
    numbered = plane(model, origin, 2, 0)
    np.testing.assert_allclose(numbered.codes[0, 4], origin + np.array([2, 0, 2]))
    with pytest.raises(LowerboundError, match="the same one twice"):
        plane(model, origin, right, -2 * right)
    with pytest.raises(LowerboundError, match="a dimension from 0 to 2, came 3"):
        plane(model, origin, 3, 0)


def test_the_manifold_is_of_the_priors_quantiles() -> None:
    model = LinearGaussian((4,), 2).double()
    found = manifold(model, side=5, margin=0.1)
    expected = [NormalDist().inv_cdf(p) for p in (0.1, 0.3, 0.5, 0.7, 0.9)]
    np.testing.assert_allclose(found.codes[0, :, 0], expected, atol=1e-12)
    np.testing.assert_allclose(found.codes[:, 0, 1], expected[::-1], atol=1e-12)

    class Wide(LinearGaussian):
        """A prior that is none of the standard ones: uniform on [-3, 3]²."""

        def __init__(self) -> None:
            super().__init__((4,), 2)
            from lowerbound.distributions import UniformPrior

            self.prior = UniformPrior(2, low=-3.0, high=3.0)

    found = manifold(Wide(), side=5, margin=0.1)
    np.testing.assert_allclose(found.codes[0, :, 0], [-2.4, -1.2, 0, 1.2, 2.4], atol=0.1)
    with pytest.raises(LowerboundError, match="codes of 2 numbers and 2 steps or more, came 3"):
        manifold(LinearGaussian((4,), 3))
