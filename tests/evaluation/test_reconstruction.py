"""Errors of reconstructions against their formulas; rate and distortion of normal data."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lowerbound as lb
from lowerbound.errors import LowerboundError
from lowerbound.evaluation.chosen import choose_examples
from lowerbound.evaluation.rate_distortion import (
    RateDistortion,
    gaussian_point,
    gaussian_rate,
    water_level,
)
from lowerbound.evaluation.reconstruction import Reconstruction, measure, mse, psnr, ssim
from lowerbound.models import LinearGaussian


def images() -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:20, :24] / 20
    a = np.stack([0.5 + 0.4 * np.sin(5 * x + 3 * y), (x * y) % 1.0])
    b = np.clip(a + 0.1 * random.normal(size=a.shape), 0, 1)
    return torch.from_numpy(a)[None], torch.from_numpy(b)[None]


def test_similarity_is_that_of_scikit_image() -> None:
    """structural_similarity of version 0.26 with gaussian_weights, sigma 1.5, population
    covariances and data_range 1, and peak_signal_noise_ratio: its numbers."""
    a, b = images()
    assert float(ssim(a, b)) == pytest.approx(0.5971463056856069, abs=1e-12)
    assert float(ssim(a, a.roll(1, -1))) == pytest.approx(0.9520899351999152, abs=1e-12)
    assert float(psnr(a, b)) == pytest.approx(20.7919129218375, abs=1e-10)


def test_similarity_is_that_of_torchmetrics_inside_the_image() -> None:
    """Which also averages over pixels whose window is filled up by reflection."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    a, b = images()
    _, whole = structural_similarity_index_measure(b, a, data_range=1.0, return_full_image=True)
    inside = whole[..., 5:-5, 5:-5].mean()
    assert float(ssim(a, b)) == pytest.approx(float(inside), abs=1e-10)


def test_similarity_is_its_formula() -> None:
    """One window, by sums."""
    random = np.random.default_rng(1)
    a, b = random.uniform(size=(2, 11, 11))
    at = np.arange(11) - 5
    weights = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
    both = (weights * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = (0.01 * 2.0) ** 2, (0.03 * 2.0) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    found = ssim(*(torch.from_numpy(each)[None, None] for each in (a, b)), peak=2.0)
    assert float(found) == pytest.approx(expected, abs=1e-12)


def test_equal_images_are_similar_and_noise_is_not() -> None:
    a = torch.rand(3, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert ssim(a, a).tolist() == pytest.approx([1.0] * 3)
    assert float(ssim(a, 1 - a).max()) < 0
    assert psnr(a, a).tolist() == [math.inf] * 3


def test_errors_are_means_over_a_datum() -> None:
    x, y = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.5], [1.0, 0.0]])
    assert mse(x, y).tolist() == [0.125, 0.5]
    assert psnr(x, y, peak=255.0).tolist() == pytest.approx(
        [10 * math.log10(255**2 / 0.125), 10 * math.log10(255**2 / 0.5)]
    )
    with pytest.raises(LowerboundError, match="two batches of one shape"):
        mse(x, y[:, :1])
    with pytest.raises(LowerboundError, match="at least 11 x 11 pixels"):
        ssim(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


# Rate and distortion of normal data


def test_water_fills_the_directions() -> None:
    variances = np.array([4.0, 1.0, 0.25])
    for level in (0.1, 0.25, 0.7, 1.0, 2.0):
        rate, distortion = gaussian_point(variances, level)
        assert distortion == pytest.approx(np.minimum(variances, level).sum())
        assert water_level(variances, distortion) == pytest.approx(level)
        assert gaussian_rate(variances, distortion) == pytest.approx(rate)
    assert gaussian_rate(variances, variances.sum()) == 0.0
    assert gaussian_rate([2.0], 0.5) == pytest.approx(0.5 * math.log(4.0))
    with pytest.raises(LowerboundError, match="a distortion above 0"):
        gaussian_rate(variances, 0.0)
    with pytest.raises(LowerboundError, match="variances above 0"):
        gaussian_rate([0.0], 1.0)


def test_the_slope_of_the_curve_is_the_water_level() -> None:
    """dR/dD = −1 / 2θ: the β-VAE of decoder variance σ² with βσ² = θ rests there."""
    variances, step = np.array([3.0, 1.0, 0.5]), 1e-5
    for level in (0.2, 0.6, 1.5):
        _, distortion = gaussian_point(variances, level)
        higher, lower = (gaussian_rate(variances, distortion + s) for s in (step, -step))
        assert (higher - lower) / (2 * step) == pytest.approx(-1 / (2 * level), rel=1e-4)


@pytest.mark.parametrize("level", [0.3, 0.8])
def test_a_linear_model_lies_on_the_curve(level: float) -> None:
    """Probabilistic PCA of variance θ: rate and squared error of drawn codes are R(D) and D."""
    generator = torch.Generator().manual_seed(0)
    variances = torch.tensor([4.0, 1.5, 0.2, 0.1], dtype=torch.float64)
    x = torch.randn(40_000, 4, generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / len(x))).T * variances.sqrt()
    weight = torch.zeros(4, 2, dtype=torch.float64)
    weight[0, 0], weight[1, 1] = (variances[:2] - level).sqrt()
    model = LinearGaussian((4,), 2, weight=weight, sigma2=variances.new_tensor(level))
    q = model.encode(x)
    prior = torch.distributions.MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    rate = torch.distributions.kl_divergence(q, prior).mean()
    torch.manual_seed(0)
    errors = (model.decode(q.sample()).mean - x).square().sum(1)
    expected_rate, expected = gaussian_point(variances.numpy(), level)
    assert float(rate) == pytest.approx(expected_rate, abs=1e-9)
    assert abs(float(errors.mean()) - expected) < 4 * float(errors.std()) / math.sqrt(len(x))


# A run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    quick: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
    random = np.random.default_rng(0)
    centre = random.uniform(4, 8, size=(200, 2, 1, 1))
    at = np.arange(12.0)
    disc = (at[None, :, None] - centre[:, 0]) ** 2 + (at[None, None] - centre[:, 1]) ** 2
    images = (255 * np.exp(-disc / 8)).astype(np.uint8)
    return lb.train(
        {"train": images[:150], "test": images[150:]},
        "vae",
        out=folder / "vae",
        progress=False,
        steps=60,
        latent_dim=3,
        hidden=(32,),
        network="mlp",
        **quick,
    )


def test_a_run_is_measured_as_its_evaluation_measures_it(run: Any) -> None:
    found = measure(run)
    evaluation = lb.evaluate(run, samples=200, report=False)
    assert found.examples == found.of == 50
    assert evaluation.squared_error is not None and evaluation.rate is not None
    if run.spec.support in ("levels", "unit", "binary"):
        assert found.mse == pytest.approx(evaluation.squared_error / 144, rel=1e-5)
    assert found.psnr == pytest.approx(-10 * math.log10(found.mse))
    assert found.rate == pytest.approx(evaluation.rate, rel=0.02)
    assert found.distortion == pytest.approx(evaluation.distortion, rel=0.02)
    assert found.rate_bits == pytest.approx(found.rate / (144 * math.log(2)))
    assert found.ssim is not None and 0 < found.ssim <= 1
    names = [row.quantity for row in found.rows()]
    assert names == ["MSE", "PSNR", "SSIM", "MSE, drawn codes", "rate", "distortion"]
    assert Reconstruction.from_json(found.to_json()) == found


def test_drawn_codes_have_the_error_of_draws(run: Any) -> None:
    x = choose_examples(run.model, run.data().test, run.spec).x
    with torch.no_grad():
        q = run.model.encode(x)
        draws = torch.stack([mse(run.model.decode(q.sample()).mean, x).mean() for _ in range(200)])
    found = measure(run)
    assert found.sampled_mse is not None
    assert abs(found.sampled_mse - float(draws.mean())) < 4 * float(draws.std())


def test_some_of_the_examples_will_do(run: Any) -> None:
    told: list[tuple[int, int]] = []
    found = measure(run, limit=20, progress=lambda done, of: told.append((done, of)))
    assert (found.examples, found.of) == (20, 50) and told[-1] == (20, 20)


def test_what_reconstructs_nothing_is_refused(run: Any, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"threads": 1, "compile": "no", "progress": False}
    random = np.random.default_rng(0)
    flow = lb.train(random.normal(size=(100, 2)), "maf", out=tmp_path / "m", steps=2, **quick)
    with pytest.raises(LowerboundError, match="its codes are the data through a bijection"):
        measure(flow)


def test_runs_make_a_curve(run: Any) -> None:
    with pytest.raises(LowerboundError, match="has no evaluation"):
        RateDistortion.of([run])
    lb.evaluate(run, samples=10)
    found = RateDistortion.of([run])
    (point,) = found.points
    assert point.beta == 1.0 and found.dimensions == 144.0
    assert found.bits()[0].sum() == pytest.approx(
        (point.rate + point.distortion) / (144 * math.log(2))
    )
    with pytest.raises(LowerboundError, match="at least one run"):
        RateDistortion.of([])


def test_the_frontier_is_what_no_point_beats() -> None:
    points = [(1.0, 9.0), (2.0, 5.0), (3.0, 6.0), (4.0, 4.0)]
    found = RateDistortion.from_points(
        [{"name": f"{k}", "rate": r, "distortion": d} for k, (r, d) in enumerate(points)], "x", 2
    )
    assert found.frontier() == [True, True, False, True]


def test_runs_on_other_levels_make_no_curve(run: Any, tmp_path: Path) -> None:
    lb.evaluate(run, samples=10)
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    written = json.loads((other / "evaluation.json").read_text())
    assert written["data"]["levels"] == 256
    written["data"]["levels"] = 32
    (other / "evaluation.json").write_text(json.dumps(written))
    with pytest.raises(LowerboundError, match="on the same data, came levels 256"):
        RateDistortion.of([run, lb.open_run(other)])
