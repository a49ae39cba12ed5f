"""EM against scikit-learn from the same start, and against what it must do by itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from lowerbound.errors import LowerboundError
from lowerbound.mixtures import Covariance, GaussianMixture, em, steps

KINDS: dict[Covariance, str] = {
    "full": "full",
    "tied": "tied",
    "diagonal": "diag",
    "spherical": "spherical",
}


def clusters(count: int = 1200, numbers: int = 5, groups: int = 4, seed: int = 0) -> Tensor:
    """Correlated clusters of different shapes that overlap, far from zero; in mixed order."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    parts = [
        normal(count // groups, numbers) @ normal(numbers, numbers) + 3 * normal(numbers)
        for _ in range(groups)
    ]
    x = torch.cat(parts) + 50.0
    return x[torch.randperm(len(x), generator=generator)]


def begin(x: Tensor, kind: Covariance, components: int) -> tuple[GaussianMixture, dict[str, Any]]:
    """A model with parameters of no merit, and the same for scikit-learn."""
    generator = torch.Generator().manual_seed(1)
    numbers = x.shape[1]
    weights = torch.arange(1.0, components + 1, dtype=torch.float64)
    weights /= weights.sum()
    means = x[torch.randperm(len(x), generator=generator)[:components]]
    root = torch.randn(components, numbers, numbers, generator=generator, dtype=torch.float64)
    full = root @ root.mT + torch.eye(numbers, dtype=torch.float64)
    covariances = {
        "full": full,
        "tied": full[0],
        "diagonal": full.diagonal(dim1=1, dim2=2),
        "spherical": full[:, 0, 0],
    }[kind]
    model = GaussianMixture((numbers,), components, kind).double()
    model.set_(weights, means, covariances)
    precisions = covariances.inverse() if kind in ("full", "tied") else 1 / covariances
    start = {"weights_init": weights, "means_init": means, "precisions_init": precisions}
    return model, {name: value.numpy() for name, value in start.items()}


def reference(x: Tensor, kind: Covariance, iterations: int, start: dict[str, Any]) -> Any:
    found = Reference(
        len(start["weights_init"]),
        covariance_type=KINDS[kind],
        reg_covar=0.0,
        tol=0.0,
        max_iter=iterations,
        **start,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return found.fit(x.numpy())


def same_model(model: GaussianMixture, found: Any, x: Tensor, atol: float = 1e-6) -> None:
    np.testing.assert_allclose(model.log_prob(x), found.score_samples(x.numpy()), atol=atol)
    np.testing.assert_allclose(model.weights, found.weights_, atol=atol)
    np.testing.assert_allclose(model.means, found.means_, atol=atol)
    np.testing.assert_allclose(model.covariances, found.covariances_, atol=atol)
    responsibilities = found.predict_proba(x.numpy())
    np.testing.assert_allclose(model.responsibilities(x), responsibilities, atol=atol)
    assert abs(model.bic(x) - found.bic(x.numpy())) < len(x) * atol
    assert abs(model.aic(x) - found.aic(x.numpy())) < len(x) * atol


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("iterations", [1, 20])
def test_it_is_scikit_learns_from_the_same_start(kind: Covariance, iterations: int) -> None:
    x = clusters()
    model, start = begin(x, kind, 4)
    found = list(
        em(
            model,
            lambda: x.split(100),
            start="model",
            floor=0.0,
            tolerance=0.0,
            max_iterations=iterations,
        )
    )
    assert len(found) == iterations + 1
    expected = reference(x, kind, iterations, start)
    assert abs(found[-1].log_likelihood - expected.score(x.numpy())) < 1e-6
    same_model(model, expected, x)


# Two ways of the same sums: products of each row where components are many, else whitened rows.
@pytest.mark.parametrize(("numbers", "components"), [(3, 12), (40, 3)])
def test_both_ways_of_full_covariances_are_scikit_learns(numbers: int, components: int) -> None:
    x = clusters(1500, numbers, 3, seed=2)
    model, start = begin(x, "full", components)
    assert steps._Score(_mixture_of(model)).products == (components == 12)
    options: dict[str, Any] = {"floor": 0.0, "tolerance": 0.0, "max_iterations": 8}
    list(em(model, lambda: x.split(999), start="model", **options))
    same_model(model, reference(x, "full", 8, start), x)


def _mixture_of(model: GaussianMixture) -> steps.Mixture:
    none = torch.zeros(model.components, dtype=torch.bool)
    return steps.Mixture("full", model.weights, model.means, model.covariances, none, none)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floor", [0.0, 0.4])
def test_every_step_raises_the_likelihood_that_the_model_has(
    kind: Covariance, floor: float
) -> None:
    x = clusters()
    model = GaussianMixture((5,), 6, kind).double()
    values = []
    for step in em(model, lambda: x.split(256), restarts=1, floor=floor, tolerance=1e-5, seed=3):
        # what is told is of the model as it stands, at every step
        assert abs(float(model.log_prob(x).mean()) - step["log_likelihood"]) < 1e-9
        values.append(step.log_likelihood)
    assert len(values) > 5
    assert np.diff(values).min() > -1e-12
    assert (float(model.at_floor.sum()) > 0) == (floor > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_any_size_give_the_same(kind: Covariance) -> None:
    x = clusters()
    found = []
    for rows in (7, 500, 1200):
        model = GaussianMixture((5,), 4, kind).double()
        list(em(model, lambda rows=rows: x.split(rows), max_iterations=20, seed=0))
        found.append(model.state_dict())
    for other in found[1:]:
        for name, value in found[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-8, atol=1e-8)


def test_chunks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clusters()
    models = []
    for numbers in (100, 2**18):
        monkeypatch.setitem(steps._CHUNK, "cpu", numbers)
        models.append(GaussianMixture((5,), 12).double())
        list(em(models[-1], lambda: [x], max_iterations=5, seed=0))
    torch.testing.assert_close(models[0].scale, models[1].scale, rtol=1e-9, atol=1e-9)


def test_a_float32_model_gets_sums_of_float64() -> None:
    # At 10,000 with a spread of 1, float32 sums of squares keep no digit of the variance.
    x = (clusters() / 5 + 1e4).float()
    exact, model = GaussianMixture((5,), 4).double(), GaussianMixture((5,), 4)
    steps_exact = list(em(exact, lambda: [x.double()], seed=0))
    steps_float = list(em(model, lambda: x.split(100), seed=0))
    assert model.scale.dtype == torch.float32
    assert abs(steps_float[-1].log_likelihood - steps_exact[-1].log_likelihood) < 1e-9
    torch.testing.assert_close(model.scale.double(), exact.scale, rtol=1e-5, atol=1e-6)
    # what is lost is the rounding of the means to float32 (5e-4 here), once
    assert abs(float(model.log_prob(x).mean()) - steps_float[-1].log_likelihood) < 5e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_from_scratch_is_no_worse_than_scikit_learns(kind: Covariance) -> None:
    x = clusters(seed=5)
    model = GaussianMixture((5,), 4, kind).double()
    found = list(em(model, lambda: x.split(100), seed=0))[-1]
    theirs = Reference(4, covariance_type=KINDS[kind], n_init=2, random_state=0, tol=1e-4)
    theirs.fit(x.numpy())
    assert found.log_likelihood > theirs.score(x.numpy()) - 5e-3


def test_it_finds_what_the_data_were_drawn_from() -> None:
    torch.manual_seed(0)
    truth = GaussianMixture((2,), 3).double()
    truth.set_(
        torch.tensor([0.5, 0.3, 0.2]),
        torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]]),
        torch.tensor(
            [[[1.0, 0.8], [0.8, 1.0]], [[2.0, 0.0], [0.0, 0.1]], [[0.5, -0.2], [-0.2, 0.5]]]
        ),
    )
    x = truth.sample(50_000)
    model = GaussianMixture((2,), 3)
    list(em(model, lambda: x.float().split(4096)))
    order = model.weights.argsort(descending=True)
    torch.testing.assert_close(model.weights[order], truth.weights.float(), atol=0.01, rtol=0)
    torch.testing.assert_close(model.means[order], truth.means.float(), atol=0.03, rtol=0)
    torch.testing.assert_close(
        model.covariances[order], truth.covariances.float(), atol=0.05, rtol=0
    )
    assert model.bic(x.float()) < GaussianMixture((2,), 1).set_(
        torch.ones(1), x.mean(0), x.T.cov().unsqueeze(0)
    ).bic(x.float())


def test_responsibilities_to_start_from_are_one_m_step() -> None:
    x = clusters()
    labels = torch.randint(4, (1200,), generator=torch.Generator().manual_seed(0))
    given = torch.nn.functional.one_hot(labels, 4).double()
    model = GaussianMixture((5,), 4).double()
    next(em(model, lambda: x.split(100), responsibilities=given))
    for k in range(4):
        torch.testing.assert_close(model.means[k], x[labels == k].mean(0))
        torch.testing.assert_close(model.covariances[k], x[labels == k].T.cov(correction=0))
    torch.testing.assert_close(model.weights, given.mean(0))


@pytest.mark.parametrize("start", ["means", "random"])
def test_other_starts_reach_the_clusters(start: str) -> None:
    centres = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    torch.manual_seed(0)
    x = (centres.repeat(200, 1) + torch.randn(600, 2)).reshape(-1, 2, 1)
    model = GaussianMixture((2, 1), 3, "spherical")
    options: dict[str, Any] = {"start": "random", "seed": 0, "restarts": 20}
    if start == "means":
        options = {"means": centres.reshape(3, 2, 1) + 5.0}
    list(em(model, lambda: x.split(100), **options))
    assert torch.cdist(model.means, centres).min(0).values.max() < 0.3


def test_an_empty_component_goes_where_the_data_are_explained_worst() -> None:
    torch.manual_seed(0)
    near, far = torch.randn(500, 2).double(), torch.randn(20, 2).double() * 0.3 + 40.0
    x = torch.cat([near, far])
    model = GaussianMixture((2,), 3).double()
    eye = torch.eye(2).double().expand(3, 2, 2)
    # the third explains nothing at all, and nobody is near the far cluster
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [-1e4, -1e4]]).double()
    model.set_(torch.ones(3), means, eye)
    found = list(em(model, lambda: x.split(64), start="model", tolerance=1e-6))
    assert sum(step["reseeded"] for step in found) == 1
    values = [step.log_likelihood for step in found]
    assert np.diff(values).min() > -1e-12
    alone = model.weights.argmin()
    torch.testing.assert_close(model.means[alone], far.mean(0), atol=1e-3, rtol=0)
    assert abs(float(model.weights[alone]) - 20 / 520) < 1e-6


def test_a_component_that_nothing_is_left_for_stays_empty() -> None:
    # Two points, three components: nothing that the third could explain better.
    x = torch.tensor([[0.0], [1.0]]).double().repeat(50, 1)
    model = GaussianMixture((1,), 3).double()
    model.set_(torch.ones(3), torch.tensor([[0.0], [1.0], [1e4]]), torch.full((3, 1, 1), 0.01))
    found = list(em(model, lambda: [x], start="model", floor=1e-3))
    assert found[-1]["smallest_weight"] < 1e-20 and found[-1]["at_floor"] == 2
    assert model.responsibilities(x).isfinite().all()
    torch.testing.assert_close(model.weights[:2], torch.full((2,), 0.5).double())


def test_a_variance_at_the_floor_is_told_and_is_the_likeliest_above_it() -> None:
    torch.manual_seed(0)
    # flat in one direction: the data's covariance is diag(4, 0) turned by 45 degrees
    line = torch.randn(1000, 1).double()
    x = torch.cat([line, line], 1) * 2**0.5
    model = GaussianMixture((2,), 1).double()
    last = list(em(model, lambda: [x], floor=0.01))[-1]
    assert last["at_floor"] == 1 and bool(model.at_floor.all())
    assert model.collapsed is not None and "1 of 1 components" in model.collapsed
    variance = float(x.var(0, correction=0).mean())
    values = torch.linalg.eigvalsh(model.covariances[0])
    torch.testing.assert_close(values, torch.tensor([0.01, 2.0]).double() * variance)
    with pytest.raises(LowerboundError, match=r"component 0 of 1.*collapsed.*pass floor=1e-6"):
        list(em(model, lambda: [x], floor=0.0))
    tied = GaussianMixture((2,), 2, "tied").double()
    with pytest.raises(LowerboundError, match="the tied covariance collapsed"):
        list(em(tied, lambda: [x], floor=0.0))
    list(em(model, lambda: [torch.randn(100, 2)]))
    assert model.collapsed is None and not bool(model.at_floor.any())


def test_a_column_that_never_varies_has_a_density_at_the_floor() -> None:
    x = torch.cat([torch.randn(500, 2), torch.full((500, 1), 0.1)], 1)
    model = GaussianMixture((3,), 2)
    steps = list(em(model, lambda: x.split(100), floor=1e-4))
    assert steps[-1]["at_floor"] == 2
    torch.testing.assert_close(
        model.covariances[:, 2, 2].sqrt(), torch.full((2,), 0.01), rtol=0.1, atol=0
    )


def test_bad_input_is_refused_in_one_line() -> None:
    x = torch.randn(10, 2)
    model = GaussianMixture((2,), 12)
    bad = [
        (lambda: em(model, lambda: [x]), "components: expected at most 10"),
        (lambda: em(GaussianMixture((2,), 3), lambda: [x[:1].repeat(9, 1)]), "9 equal ones"),
        (
            lambda: em(GaussianMixture((2,), 3), lambda: [x[:2].repeat(9, 1)]),
            "components: expected at most 2",
        ),
        (lambda: em(model, list), "came none"),
        (lambda: em(model, lambda: [x[:, :1]]), "expected examples of shape"),
        (lambda: em(model, lambda: [x / 0]), "expected finite numbers"),
        (lambda: em(model, lambda: [x], start="kmeans"), "did you mean 'k-means"),
        (lambda: em(model, lambda: [x], restarts=0), "restarts of at least 1"),
        (lambda: em(model, lambda: [x], floor=-1.0), "floor: expected a part"),
        (
            lambda: em(GaussianMixture((2,), 3), lambda: [x], responsibilities=torch.ones(9, 3)),
            r"expected shape \(10, 3\)",
        ),
        (
            lambda: em(GaussianMixture((2,), 3), lambda: [x], means=torch.ones(2, 2)),
            r"means: expected shape \(3, 2\)",
        ),
    ]
    for call, match in bad:
        with pytest.raises(LowerboundError, match=match) as error:
            next(call())
        assert "\n" not in str(error.value)
    with pytest.raises(LowerboundError, match="components: expected at least 1, came 0"):
        GaussianMixture((2,), 0)
    with pytest.raises(LowerboundError, match="did you mean 'diagonal'"):
        GaussianMixture((2,), 2, "diagonale")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="positive definite"):
        GaussianMixture((2,), 2).set_(torch.ones(2), x[:2], -torch.eye(2).repeat(2, 1, 1))
    with pytest.raises(LowerboundError, match=r"expected shape \(2, 2, 2\)"):
        GaussianMixture((2,), 2).set_(torch.ones(2), x[:2], torch.eye(2))
