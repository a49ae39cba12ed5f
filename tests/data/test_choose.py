"""What is chosen from what was found, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound import errors
from lowerbound.data import load

RANDOM = np.random.default_rng(0)


def ink(count: int = 40) -> np.ndarray:
    """Nearly black and white, as MNIST is."""
    images = np.where(RANDOM.random((count, 12, 12)) < 0.2, 255, 0)
    edge = RANDOM.random(images.shape) < 0.05
    return np.where(edge, RANDOM.integers(0, 256, images.shape), images).astype(np.uint8)


def colour(side: int = 8) -> np.ndarray:
    return RANDOM.integers(0, 256, (40, side, side, 3), dtype=np.uint8)


LEVELLED = ink()
TABLE = RANDOM.normal((5.0, 100.0), (2.0, 3.0), (40, 2))
CHOSEN = {
    "ink": (ink(), "bernoulli", "binary", "stochastic", "none", "mlp", (1, 12, 12)),
    "ink in [0, 1]": (
        ink() / 255.0,
        "bernoulli",
        "binary",
        "stochastic",
        "none",
        "mlp",
        (1, 12, 12),
    ),
    "ink in rows": (
        ink().reshape(40, -1),
        "bernoulli",
        "binary",
        "stochastic",
        "none",
        "mlp",
        (144,),
    ),
    "colour": (colour(), "discretized-logistic", "levels", "none", "none", "mlp", (3, 8, 8)),
    "large": (colour(20), "discretized-logistic", "levels", "none", "none", "conv", (3, 20, 20)),
    "colour in [0, 1]": (
        (colour() / 255).astype(np.float32),
        "discretized-logistic",
        "levels",
        "none",
        "none",
        "mlp",
        (3, 8, 8),
    ),
    "black and white": (ink() > 99, "bernoulli", "binary", "none", "none", "mlp", (1, 12, 12)),
    "continuous images": (
        RANDOM.random((40, 8, 8)),
        "gaussian",
        "unit",
        "none",
        "none",
        "mlp",
        (1, 8, 8),
    ),
    "far images": (
        RANDOM.normal(900, 5, (40, 8, 8)),
        "gaussian",
        "real",
        "none",
        "none",
        "mlp",
        (1, 8, 8),
    ),
    "table": (TABLE, "gaussian", "real", "none", "none", "mlp", (2,)),
    "counts": (
        RANDOM.poisson(900, (40, 3)),
        "gaussian",
        "real",
        "none",
        "uniform",
        "mlp",
        (3,),
    ),
    "tokens": (
        RANDOM.integers(0, 20, (40, 9)),
        "categorical",
        "categories",
        "none",
        "none",
        "mlp",
        (9,),
    ),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_auto(case: str):
    values, *expected, event_shape = CHOSEN[case]
    spec = load(values).spec
    found = [spec.likelihood, spec.support, spec.binarize, spec.dequantize, spec.network]
    assert found == expected
    assert spec.event_shape == event_shape
    assert spec.why["likelihood"] and spec.why["network"]


def test_digits_have_seventeen_levels():
    spec = load("digits").spec
    assert (spec.likelihood, spec.support, spec.levels) == ("discretized-logistic", "levels", 17)
    assert (spec.train, spec.test, spec.event_shape) == (1438, 359, (1, 8, 8))
    assert spec.classes == tuple("0123456789")


def test_grey_pixels_under_a_bernoulli_are_tolerated_when_asked_for():
    spec = load(ink(), likelihood="bernoulli", binarize="none").spec
    assert (spec.support, spec.binarize) == ("levels", "none")
    assert "no likelihood" in spec.why["likelihood"]


def test_an_explicit_bernoulli_binarizes():
    assert load(colour(), likelihood="bernoulli").spec.binarize == "stochastic"
    assert load(ink() / 255.0, binarize="threshold").spec.likelihood == "bernoulli"


def test_a_constant_feature_has_no_density():
    values = np.column_stack([TABLE, np.full(40, 0.5), np.full(40, 1.5)])
    for likelihood in ("auto", "gaussian"):
        with pytest.raises(errors.LowerboundError, match=r"column '2'.*has 0\.5 and 1 more.*drop"):
            load(values, likelihood=likelihood)
    whole = np.column_stack([TABLE, np.full(40, 3.0)])  # spread over its cell: a density of 1
    assert load(whole).spec.step == [0.0, 0.0, 1.0]
    with pytest.raises(errors.LowerboundError, match="column '2'"):
        load(whole, dequantize="none")


def test_many_equal_continuous_values_are_told():
    values = RANDOM.random((50, 8, 8))
    assert "exactly" not in load(values).spec.why["likelihood"]
    values.reshape(-1)[::4] = 0.0  # 800 of 3200, of which 640 of 2560 are looked at
    spec = load(values, likelihood="gaussian").spec
    assert spec.why["likelihood"].startswith("25% of the values are exactly 0, on which a density")
    assert "--likelihood bernoulli" in spec.why["likelihood"]
    assert "exactly" not in load(LEVELLED, likelihood="gaussian").spec.why.get("likelihood", "")


def test_a_constant_feature_keeps_scale_one_and_is_told():
    values = np.column_stack([TABLE, np.full(40, 3.5)])
    data = load(values, likelihood="none")
    assert data.spec.scale[2] == 1.0 and data.spec.shift[2] == 3.5
    assert "1 of 3 features never change: 2" in dict(data.lines())["constant"]
    assert "1 that never change" in data.spec.why["standardize"]


def test_whole_columns_of_a_table_are_dequantized_alone():
    values = np.column_stack([TABLE[:, 0], RANDOM.integers(0, 5, 40)])
    spec = load(values).spec
    assert spec.step == [0.0, 1.0] and spec.dequantize == "uniform"
    assert "1 feature of whole numbers" in spec.why["dequantize"]


def test_prepare_chooses_anew_without_reading():
    data = load(ink())
    other = data.prepare(likelihood="gaussian")
    assert other.train is data.train
    assert (other.spec.likelihood, other.spec.dequantize) == ("gaussian", "uniform")
    assert other.options["likelihood"] == "gaussian"
    plain = data.prepare(likelihood="none").spec
    assert (plain.likelihood, plain.support, plain.binarize) == ("none", "levels", "none")


def test_a_built_family_is_served_by_what_it_supports():
    class Mine:
        supports = frozenset({"real", "unit"})

    spec = load(ink(), likelihood=Mine()).spec
    assert (spec.likelihood, spec.support, spec.dequantize) == ("Mine", "unit", "uniform")


REFUSED = {
    "dequantize none": (
        colour(),
        {"likelihood": "gaussian", "dequantize": "none"},
        "--dequantize uniform",
    ),
    "[0, 255] floats": (ink().astype(np.float32), {"likelihood": "bernoulli"}, "divide by 255"),
    "negative": (TABLE - 50, {"likelihood": "bernoulli"}, r"expected values in \[0, 1\]"),
    "unit": (TABLE, {"likelihood": "continuous-bernoulli"}, r"expected values in \[0, 1\]"),
    "no levels": (TABLE, {"likelihood": "discretized-logistic"}, "--likelihood gaussian"),
    "tokens are not grey": (
        RANDOM.integers(0, 20, (40, 9)),
        {"likelihood": "bernoulli"},
        "--likelihood categorical",
    ),
    "no tokens": (colour(), {"likelihood": "categorical"}, "discretized-logistic"),
    "no levels to spread": (
        RANDOM.random((9, 4, 4)),
        {"dequantize": "uniform"},
        "--dequantize none",
    ),
    "binarized gaussian": (
        ink(),
        {"likelihood": "gaussian", "binarize": "stochastic"},
        "bernoulli",
    ),
    "unknown": (ink(), {"likelihood": "bernouli"}, "did you mean 'bernoulli'"),
    "unknown binarize": (ink(), {"binarize": "stochastik"}, "did you mean 'stochastic'"),
    "standardized levels": (
        colour(),
        {"likelihood": "discretized-logistic", "standardize": True},
        "leave standardize out",
    ),
    "not a flag": (ink(), {"standardize": "perhaps"}, "auto, true or false"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_fix(case: str):
    values, choices, fix = REFUSED[case]
    with pytest.raises(errors.LowerboundError, match=fix) as caught:
        load(values, **choices)
    assert "came" in str(caught.value) and "\n" not in str(caught.value)


def test_lines_tell_what_was_found_and_chosen():
    lines = dict(load(ink(50)).lines())
    assert lines["found"] == "50 images in array"
    assert lines["shape"] == "12 x 12 grey"
    assert lines["split"] == "40 train, 10 test (drawn with split seed 0)"
    assert lines["likelihood"].startswith("bernoulli - grey images")
    assert lines["binarization"].startswith("stochastic - ")
    assert lines["network"].startswith("mlp - 144 numbers")
