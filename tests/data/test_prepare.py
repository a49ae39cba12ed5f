"""Stored values to x and back: expectations, Jacobians and round trips that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lowerbound import LowerboundError
from lowerbound.data import DataSpec, Prepare, held_out, load


def grey(levels: int = 256, count: int = 8, seed: int = 0) -> np.ndarray:
    """Grey images in which every level occurs."""
    random = np.random.default_rng(seed)
    images = random.integers(0, levels, (count, 16, 16), dtype=np.uint8)
    images.reshape(-1)[:levels] = np.arange(levels)
    return images


def test_binarization_has_the_grey_value_as_its_expectation():
    data = load(grey(), likelihood="bernoulli")
    prepare = Prepare(data.spec)
    stored = torch.arange(256, dtype=torch.uint8)
    torch.manual_seed(0)
    spec = data.spec
    assert (spec.support, spec.binarize, spec.log_jacobian) == ("binary", "stochastic", 0.0)
    draws = 4000
    x = prepare(stored.expand(draws, 256))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    probability = stored.float() / 255
    deviation = (probability * (1 - probability) / draws).sqrt()
    assert bool((x.mean(0) - probability <= 4.5 * deviation).all())
    assert bool((probability - x.mean(0) <= 4.5 * deviation).all())


def test_binarization_is_fixed_at_the_ends_and_exact_between():
    # All 65536 draws at once: each level is 1 in its share of them, to half a draw.
    prepare = Prepare(load(grey(), likelihood="bernoulli").spec)
    cells = (torch.arange(65536) + 0.5) / 65536
    stored = torch.arange(256, dtype=torch.uint8)
    grey_values = (stored - prepare.shift).float() / prepare.scale
    share = (cells[:, None] < grey_values).double().mean(0)
    assert (share - stored.double() / 255).abs().max() <= 0.5 / 65536 + 1e-12
    assert share[0] == 0.0 and share[255] == 1.0


def test_threshold_and_levels():
    images = grey(levels=17)
    threshold = load(images, likelihood="bernoulli", binarize="threshold")
    x = held_out(threshold.train, threshold.spec)
    assert torch.equal(x, (threshold.train.all() > 8).float())
    levels = load(images)
    assert (levels.spec.support, levels.spec.levels) == ("levels", 17)
    x = held_out(levels.train, levels.spec)
    assert torch.equal(x, levels.train.all().float() / 16)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_dequantized_levels_lie_in_their_cells_and_count_in_nats(levels: int):
    data = load(grey(levels), likelihood="gaussian", standardize=False)
    spec, stored = data.spec, data.train.all()
    top = levels - 1
    assert spec.dequantize == "uniform"
    assert spec.log_jacobian == pytest.approx(-256 * math.log(levels))
    x = Prepare(spec)(stored)
    assert x.dtype == torch.float32 and float(x.min()) >= 0.0 and float(x.max()) < 1.0
    assert torch.equal((x * levels).floor(), stored.float())
    # The uniform density on [0, 1] has the mass 1 / levels on each level.
    assert spec.bits_per_dimension(0.0) == pytest.approx(math.log2(levels))
    assert spec.high == top


CASES = {
    "levels": (grey(), {"likelihood": "discretized-logistic"}),
    "dequantized": (grey(), {"likelihood": "gaussian"}),
    "dequantized and standardized": (grey(17), {"likelihood": "gaussian", "standardize": True}),
    "two values": ((grey() > 128).astype(np.uint8) * 200, {}),
    "sixteen bits": (grey().astype(np.uint16) * 257, {"likelihood": "gaussian"}),
    "k / 255": ((grey() / 255.0).astype(np.float32), {"likelihood": "discretized-logistic"}),
    "signed": ((grey() / 127.5 - 1.0).astype(np.float32), {"likelihood": "discretized-logistic"}),
    "integers": (np.random.default_rng(0).integers(-400, 9000, (50, 3)), {}),
    "tokens": (np.random.default_rng(0).integers(0, 9, (50, 6)), {}),
    "whole beside continuous": (
        np.stack([np.arange(50) % 7 + 3, np.random.default_rng(0).normal(0, 2, 50)], 1),
        {"standardize": False},
    ),
    "floats": (np.random.default_rng(0).normal(3, 2, (50, 3)), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_restore_inverts_prepare(case: str):
    values, choices = CASES[case]
    data = load(values, **choices)
    stored = data.train.all()
    prepare = Prepare(data.spec)
    for _ in range(3):
        back = prepare.restore(prepare(stored))
        tolerance = 1e-6 if stored.is_floating_point() else 0.0
        torch.testing.assert_close(back.double(), stored.double(), atol=tolerance, rtol=tolerance)


def test_standardized_tables_count_their_scale_in_nats():
    values = np.random.default_rng(0).normal((5.0, -1e3, 0.0), (2.0, 30.0, 0.01), (4000, 3))
    data = load(values)
    spec = data.spec
    x = held_out(data.train, spec)
    torch.testing.assert_close(x.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0), torch.ones(3), atol=1e-3, rtol=0)
    assert spec.log_jacobian == pytest.approx(-np.log(spec.scale).sum())
    # A change of variables: the normal density of x and of the stored values agree.
    normal = torch.distributions.Normal(0.0, 1.0)
    stored = torch.distributions.Normal(torch.tensor(spec.shift), torch.tensor(spec.scale))
    direct = stored.log_prob(data.train.all()).sum(1)
    through = normal.log_prob(x).sum(1) + spec.log_jacobian
    torch.testing.assert_close(direct, through, atol=1e-3, rtol=1e-5)


def test_far_values_keep_their_digits():
    seconds = 1.7e9 + np.random.default_rng(0).normal(0.0, 1.0, (500, 1))
    data = load(seconds)
    x = held_out(data.train, data.spec)
    assert data.train.all().dtype == torch.float64
    assert float(x.std()) == pytest.approx(1.0, abs=1e-2)
    assert len(x.unique()) > 350


def mixed(count: int = 400) -> np.ndarray:
    """Continuous columns, one of them with the least value, beside counts and time stamps."""
    random = np.random.default_rng(1)
    columns = [
        random.normal(-3.0, 1.3, count),
        random.integers(0, 5, count),
        random.integers(-700, 9000, count),
        1.6e9 + random.integers(0, 2000, count),
        1.6e9 + random.normal(0.0, 2.0, count),
    ]
    return np.stack(columns, axis=1)


ROUND_TRIPS = {
    "digits": (grey(17), {"likelihood": "gaussian", "standardize": False}),
    "standardized": (grey(17), {"likelihood": "gaussian", "standardize": True}),
    "8 bits": (grey(), {"likelihood": "gaussian"}),
    "16 bits": (grey().astype(np.int32) * 257, {"likelihood": "gaussian"}),
    "thirds": ((grey(4) / 3 - 0.4).astype(np.float32), {"likelihood": "gaussian"}),
    "counts": (np.random.default_rng(0).poisson(900, (300, 9)), {}),
    "mixed": (mixed(), {}),
}


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_dequantized_levels_come_back_at_the_ends_of_their_cells(
    case: str, monkeypatch: pytest.MonkeyPatch
):
    values, choices = ROUND_TRIPS[case]
    data = load(values, **choices)
    prepare, stored = Prepare(data.spec), data.train.all()
    whole = np.broadcast_to(np.array(data.spec.step) > 0, stored.shape[1:].numel())
    whole = torch.from_numpy(whole.reshape(stored.shape[1:]).copy())
    assert bool(whole.any())
    for u in (0.0, 2.0**-24, 1e-4, 0.3, 0.9999, 1.0 - 2.0**-24):
        monkeypatch.setattr(
            "lowerbound.data.prepare.uniform",
            lambda shape, device, generator, u=u: torch.full(shape, u),
        )
        back = prepare.restore(prepare(stored)).double()
        expected = stored.double()
        close = 1e-6 if stored.is_floating_point() else 0.0
        torch.testing.assert_close(back[:, whole], expected[:, whole], atol=close, rtol=0.0)
        torch.testing.assert_close(back, expected, atol=2e-6, rtol=2e-7)


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_the_mean_of_spread_values_is_that_of_the_stored_ones(case: str):
    values, choices = ROUND_TRIPS[case]
    data = load(values, **choices)
    stored, prepare = data.train.all().double(), Prepare(data.spec)
    # By the definition of x, without the noise: E[u] = 1 / 2.
    shape = data.spec.event_shape
    shift, scale, step = (
        torch.from_numpy(np.broadcast_to(np.array(v), math.prod(shape)).reshape(shape).copy())
        for v in (data.spec.shift, data.spec.scale, data.spec.step)
    )
    x = (stored + step / 2 - shift) / scale
    back = prepare.expected(x.float()).double()
    # float32 keeps 2^-24 of x, times the deviation (2e4 at most, of 16 bits).
    torch.testing.assert_close(back, stored, atol=1e-2, rtol=1e-6)
    assert float((back - stored).mean().abs()) < 1e-4


def test_means_of_time_stamps_keep_their_digits():
    data = load(mixed())
    x = torch.zeros(1, 5)
    expected = data.train.all().double().mean(0)
    back = Prepare(data.spec).expected(x)[0]
    assert back.dtype == torch.float64
    torch.testing.assert_close(back, expected, atol=1e-3, rtol=1e-12)


@pytest.mark.parametrize("choices", [{}, {"likelihood": "gaussian"}, {"standardize": True}])
def test_integers_far_from_zero_keep_their_levels(choices: dict):
    near = np.random.default_rng(0).integers(0, 100, (30, 8, 8))
    data, plain = load(near + 10**8, **choices), load(near - 1000, **choices)
    assert data.spec.support == plain.spec.support
    x = held_out(data.train, data.spec)
    torch.testing.assert_close(x, held_out(plain.train, plain.spec), atol=1e-6, rtol=1e-6)
    stored = data.train.all()
    assert torch.equal(Prepare(data.spec).restore(x).double(), stored.double())


def test_spec_statistics_are_those_of_x():
    for values, choices in CASES.values():
        data = load(values, **choices)
        if data.spec.kind == "tokens":
            continue
        prepare = Prepare(data.spec)
        x = torch.stack([prepare(data.train.all()) for _ in range(200)]).flatten(0, 1)
        mean, std = torch.from_numpy(data.spec.mean), torch.from_numpy(data.spec.std)
        torch.testing.assert_close(x.mean(0), mean, atol=0.05, rtol=0.01)
        torch.testing.assert_close(x.std(0, correction=0), std, atol=0.05, rtol=0.01)


def test_held_out_is_a_function_of_the_seed():
    data = load(grey(), likelihood="bernoulli")
    torch.manual_seed(3)
    first = held_out(data.test, data.spec, seed=7)
    torch.manual_seed(4)
    before = torch.get_rng_state()
    assert torch.equal(first, held_out(data.test, data.spec, seed=7))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, held_out(data.test, data.spec, seed=8))


def test_prepare_holds_no_weights():
    data = load(np.random.default_rng(0).normal(size=(50, 3)))
    assert Prepare(data.spec).state_dict() == {}


def test_spec_survives_json():
    import json

    for values, choices in CASES.values():
        spec = load(values, **choices).spec
        again = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
        assert again == spec
        assert again.mean.shape == spec.event_shape


def test_prepare_compiles_into_one_graph():
    data = load(grey(), likelihood="bernoulli")
    prepare = Prepare(data.spec)
    compiled = torch.compile(prepare, fullgraph=True, backend="aot_eager")
    x = compiled(data.train.all())
    assert set(x.unique().tolist()) == {0.0, 1.0}


def test_values_that_float32_merges_need_a_mean_taken_off():
    values = np.random.default_rng(0).normal(0.0, 1.0, (200, 2)) + np.array([0.0, 2e4])
    for likelihood in ("gaussian", "none"):
        with pytest.raises(LowerboundError, match="column '1' of mean 20000 and") as e:
            load(values, standardize=False, likelihood=likelihood)
        assert "which float32" in str(e.value) and "\n" not in str(e.value)
    assert load(values).spec.support == "real"
    assert load(values - np.array([0.0, 1.9e4]), standardize=False).spec.scale == 1.0
