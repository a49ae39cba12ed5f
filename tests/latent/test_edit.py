"""Directions on codes that are known: planted attributes, linear classifiers, linear decoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lowerbound.errors import LowerboundError
from lowerbound.latent import along, analogy, edit, exclusive, fit_directions
from lowerbound.models import LinearGaussian

random = np.random.default_rng(0)
WEIGHT = torch.from_numpy(random.normal(size=(8, 6))).float()
NAMES = ("smile", "glasses", "beard")


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes ``values @ steps + noise`` of attributes two of which go together."""
    draws = np.random.default_rng(1)
    smile = draws.uniform(-1, 1, 4000)
    glasses = (draws.uniform(size=4000) < 0.4).astype(float)
    beard = (draws.uniform(size=4000) < 0.15 + 0.6 * glasses).astype(float)
    values = np.stack([smile, glasses, beard], 1)
    steps = draws.normal(size=(3, 6))
    noise = draws.normal(size=(4000, 6)) @ np.diag([1.0, 0.5, 0.8, 1.2, 0.3, 0.7])
    return values @ steps + 0.7 * noise, values, steps


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_regression_finds_the_planted_step_and_the_difference_of_means_does_not(
    planted: Any,
) -> None:
    codes, values, steps = planted
    found = fit_directions(codes, values, NAMES, how="regression", keep="none")
    for row, step in zip(found.vectors, steps, strict=True):
        assert cosine(row, step) > 0.995
    # The natural step of glasses, from 0 to 1, is the planted one.
    np.testing.assert_allclose(found.natural[1] * found.vectors[1], steps[1], atol=0.15)
    means = fit_directions(codes, values, NAMES, how="means", keep="none")
    # Glasses and beards go together: the means of one take the step of the other along.
    gap = np.cov(values.T)[1, 2] / values[:, 1].var()
    expected = steps[1] + gap * steps[2]
    assert cosine(means.vectors[1], expected) > 0.995
    assert cosine(means.vectors[1], steps[1]) < cosine(found.vectors[1], steps[1])


@pytest.mark.parametrize("how", ["regression", "means", "logistic"])
def test_strengths_are_logits_and_others_stay(planted: Any, how: Any) -> None:
    codes, values, _ = planted
    found = fit_directions(codes, values, NAMES, how=how, keep="all")
    moved = found.logits(codes + 2.5 * found.vectors[0]) - found.logits(codes)
    np.testing.assert_allclose(moved, np.tile([2.5, 0, 0], (len(codes), 1)), atol=1e-8)
    assert found.kept[0] == ("glasses", "beard")
    free = fit_directions(codes, values, NAMES, how=how, keep="none")
    moved = free.logits(codes[:5] + free.vectors[1]) - free.logits(codes[:5])
    np.testing.assert_allclose(moved[:, 1], 1.0, atol=1e-9)
    assert (np.abs(moved[:, 2]) > 0.02).all()
    one = fit_directions(codes, values, NAMES, how=how, keep=["beard"])
    moved = one.vectors[1] @ one.weights.T
    np.testing.assert_allclose(moved[[1, 2]], [1, 0], atol=1e-9)
    assert abs(moved[0]) > 1e-6


def test_the_classifier_is_scikit_learns(planted: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    codes, values, _ = planted
    found = fit_directions(codes, values, NAMES)
    scaler = StandardScaler().fit(codes)
    for k, above in enumerate([np.median(values[:, 0]), 0.5, 0.5]):
        has = values[:, k] > above
        known = LogisticRegression(max_iter=2000).fit(scaler.transform(codes), has)
        expected = known.decision_function(scaler.transform(codes))
        np.testing.assert_allclose(found.logits(codes)[:, k], expected, rtol=1e-6, atol=1e-8)
        middle = [np.median(expected[~has]), np.median(expected[has])]
        np.testing.assert_allclose(found.typical[k], middle, rtol=1e-6)
        assert found.thresholds[k] == above and found.share[k] == pytest.approx(has.mean())
        score = known.score(scaler.transform(codes), has)
        assert found.accuracy[k] == pytest.approx(score, abs=0.03)


def test_an_edit_goes_to_where_the_others_are(planted: Any) -> None:
    codes, values, _ = planted
    model = LinearGaussian((8,), 6, weight=WEIGHT, sigma2=torch.tensor(1e-4)).double()
    x = model.decode(torch.from_numpy(codes[:40])).mean.detach()
    encoded = model.encode(x).mean.detach().numpy()
    found = fit_directions(codes, values, NAMES, keep="all")
    done = edit(model, x, found, {"glasses": "with", "smile": -1.5})
    np.testing.assert_allclose(done.codes, encoded, rtol=1e-10)
    way = np.clip(found.typical[1, 1] - done.logits[:, 1], 0, found.natural[1])
    np.testing.assert_allclose(done.edited_logits[:, 1] - done.logits[:, 1], way, atol=1e-8)
    np.testing.assert_allclose(done.edited_logits[:, 0], done.logits[:, 0] - 1.5, atol=1e-8)
    np.testing.assert_allclose(done.edited_logits[:, 2], done.logits[:, 2], atol=1e-8)
    z = torch.from_numpy(done.edited_codes)
    np.testing.assert_allclose(done.decoded, model.decode(z).mean.detach(), rtol=1e-10)
    without = edit(model, x, found, {"glasses": "without"})
    back = np.clip(found.typical[1, 0] - done.logits[:, 1], -found.natural[1], 0)
    np.testing.assert_allclose(without.edited_logits[:, 1] - done.logits[:, 1], back, atol=1e-8)
    assert (way > 0).any() and (back < 0).any()


def test_colours_that_exclude_each_other_are_not_kept_for_one_another() -> None:
    draws = np.random.default_rng(2)
    colour = draws.integers(3, size=3000)
    glasses = draws.integers(2, size=3000)
    values = np.column_stack([np.eye(3)[colour], glasses])
    assert exclusive(values > 0.5) == [frozenset({0, 1, 2})]
    codes = values @ draws.normal(size=(4, 5)) + 0.3 * draws.normal(size=(3000, 5))
    names = ("black", "red", "blond", "glasses")
    found = fit_directions(codes, values, names, keep="all")
    assert found.kept[0] == ("glasses",)
    assert found.kept[3] == ("black", "red", "blond")


def test_an_analogy_recovers_what_was_planted(planted: Any) -> None:
    _, _, steps = planted
    model = LinearGaussian((8,), 6, weight=WEIGHT).double()
    base, other = np.random.default_rng(3).normal(size=(2, 6))
    found = analogy(model, base + steps[1], base, other)
    np.testing.assert_allclose(found.code, other + steps[1], rtol=1e-12)
    expected = model.decode(torch.from_numpy(found.code)[None]).mean.detach()
    np.testing.assert_allclose(found.decoded[3:], expected, rtol=1e-12)


def test_what_codes_tell_does_not_depend_on_the_order_of_the_examples() -> None:
    """Labels that come in turn: every fifth example is of one class."""
    draws = np.random.default_rng(3)
    label = np.arange(1000) % 5
    values, codes = np.eye(5)[label], draws.normal(size=(1000, 4))
    names = tuple("abcde")
    for order in (np.arange(1000), draws.permutation(1000), np.argsort(label)):
        found = fit_directions(codes[order], values[order], names)
        # Codes tell nothing: at best the classifier says no, and is right of four in five.
        np.testing.assert_allclose(found.accuracy, 0.8, atol=0.02)
        assert all(found.vague(name) for name in names)
    apart = codes + 8 * np.vstack([np.eye(4), -np.ones((1, 4))])[label]
    found = fit_directions(apart, values, names)
    assert (found.accuracy > 0.99).all() and not any(found.vague(name) for name in names)


def test_levels_are_cut_where_both_sides_have_examples() -> None:
    codes = np.random.default_rng(0).normal(size=(1000, 3))
    first = np.argsort(np.argsort(codes[:, 0]))  # ranks: what follows is told by the first number
    stars = np.digitize(first, [100, 400]).astype(float)  # 10, 30 and 60 % have 0, 1 and 2
    rare = np.digitize(first, [1, 300]).astype(float)  # one has 0; 299 have 1
    smile = codes[:, 1]
    values = np.column_stack([stars, 2 - stars, rare, smile])
    found = fit_directions(codes, values, ("stars", "missing", "rare", "smile"))
    np.testing.assert_allclose(found.thresholds[:3], [1.5, 0.5, 1.5])
    assert found.thresholds[3] == np.median(smile)
    np.testing.assert_allclose(found.share, [0.6, 0.4, 0.7, 0.5])
    assert (found.accuracy > 0.95).all() and not found.left_out


def test_a_class_of_one_example_leaves_the_others_as_they_were() -> None:
    draws = np.random.default_rng(2)
    colour = draws.integers(3, size=3000)
    colour[11] = 3  # the only one of it
    values = np.eye(4)[colour]
    codes = values @ draws.normal(size=(4, 5)) + 0.3 * draws.normal(size=(3000, 5))
    found = fit_directions(codes, values, ("black", "red", "blond", "green"), keep="all")
    assert found.names == ("black", "red", "blond") and list(found.left_out) == ["green"]
    assert found.kept == ((), (), ())  # they still exclude each other
    assert "green" not in found.to_json()["names"]


def test_amounts_of_a_direction() -> None:
    model = LinearGaussian((4,), 2, weight=WEIGHT[:4, :2]).double()
    found = along(model, [[1.0, 2.0], [0.0, 0.0]], [0.5, -1.0], [0, 1, 2])
    expected = [[[1, 2], [1.5, 1], [2, 0]], [[0, 0], [0.5, -1], [1, -2]]]
    np.testing.assert_allclose(found.codes, expected)
    z = torch.tensor(expected, dtype=torch.float64)
    np.testing.assert_allclose(found.decoded, model.decode(z).mean.detach(), atol=1e-12)


def test_what_gives_no_direction_is_refused(planted: Any) -> None:
    codes, values, _ = planted
    found = fit_directions(codes, values, NAMES)
    with pytest.raises(LowerboundError, match="came 'smiel'; did you mean 'smile'"):
        found.index("smiel")
    with pytest.raises(LowerboundError, match="came 'nose'; there are: smile, glasses, beard"):
        found.index("nose")
    with pytest.raises(LowerboundError, match="to keep, came 'baerd'; did you mean 'beard'"):
        fit_directions(codes, values, NAMES, keep=["baerd"])
    few = "glasses: expected at least 2 examples with it and 2 without, came 1 and 3999"
    one = values.copy()
    one[:, 1] = np.arange(len(one)) == 7
    rest = fit_directions(codes, one, NAMES)
    assert rest.names == ("smile", "beard") and list(rest.left_out) == ["glasses"]
    with pytest.raises(LowerboundError, match=few):
        rest.index("glasses")
    with pytest.raises(LowerboundError, match=few):
        fit_directions(codes, one, NAMES, keep=["glasses"])
    with pytest.raises(LowerboundError, match=few):
        fit_directions(codes, one[:, 1:2], ("glasses",))
    with pytest.raises(LowerboundError, match="and values \\(N, 3\\), came"):
        fit_directions(codes, values[:, :2], NAMES)
    with pytest.raises(LowerboundError, match="NaN or infinity"):
        fit_directions(codes * np.nan, values, NAMES)
    twice = np.column_stack([values[:, 1], values[:, 1]])
    with pytest.raises(LowerboundError, match="cannot; keep fewer"):
        fit_directions(codes, twice, ("glasses", "spectacles"), keep="all")
