"""The lecture's arguments, measured: each claim at a size that takes a few seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowerbound.demos import ae_against_vae, paths, shift
from lowerbound.demos.digits import Digits, digits, fit
from lowerbound.evaluation.samples import classifier


@pytest.fixture(scope="module")
def large() -> Digits:
    return _quick(16)


@pytest.fixture(scope="module")
def small() -> Digits:
    return _quick(8)


def _quick(side: int) -> Digits:
    """With a judge that has seen each image 25 times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "_PASSES", (25, 25))
        return digits(side)


def test_what_is_erased_costs_less_squared_error_than_the_shift(large: Digits) -> None:
    found = shift.pairs(large.test[:60])
    np.testing.assert_array_equal(found.shifted[..., 1:], found.images[..., :-1])
    error = [(found.images - x).square().sum((1, 2, 3)) for x in found[1:]]
    assert (error[1] < 0.9 * error[0]).all() and (error[1] > 0.5 * error[0]).all()
    # A rectangle of at most 5 x 5 is gone, and nothing else is touched.
    for image, erased in zip(found.images[:, 0], found.erased[:, 0], strict=True):
        rows, columns = torch.where(image != erased)
        assert int(rows.max() - rows.min()) < 5 and int(columns.max() - columns.min()) < 5
        assert (erased[rows, columns] == 0).all()


def test_features_say_the_opposite_of_squared_error(large: Digits) -> None:
    found = shift.pairs(large.test[:150])
    features = [large.judge.features(x) for x in found]
    shifted, erased = (np.linalg.norm(features[0] - x, axis=1) for x in features[1:])
    assert (erased > shifted).mean() > 0.95
    right = [(large.judge.predict(x) == large.labels[:150]).mean() for x in found]
    assert right[1] > 0.95 and right[2] < right[1] - 0.1


def test_log_p_says_the_opposite_of_squared_error(large: Digits) -> None:
    from lowerbound.evaluation import estimate_log_likelihood

    found = shift.pairs(large.test[:50])
    sigma = {"name": "gaussian", "sigma": "learned"}
    model = fit("vae", large.train, latent=16, steps=400, disturb=shift.moved, likelihood=sigma)
    log_p = [
        estimate_log_likelihood(model, x.flatten(1), samples=50, compile=False).values
        for x in found
    ]
    assert (log_p[2] < log_p[1]).double().mean() > 0.9


def test_drawn_codes_decode_to_digits_under_a_vae_and_not_under_an_autoencoder(
    small: Digits,
) -> None:
    sigma = {"name": "gaussian", "sigma": "learned"}
    prior = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    autoencoder = fit("autoencoder", small.train, latent=16, steps=500)
    vae = fit("vae", small.train, latent=16, steps=500, likelihood=sigma)
    with torch.no_grad():
        points = autoencoder.encode(small.test.flatten(1)).mean
        aggregate = vae.encode(small.test.flatten(1)).sample()
    one = ae_against_vae.generated(autoencoder, prior, points, small)
    two = ae_against_vae.generated(vae, prior, aggregate, small)
    assert two.fid < 0.8 * one.fid
    assert two.at_home is not None and one.at_home is not None
    assert two.at_home > one.at_home + 0.2
    real = ae_against_vae.judged(small.judge, small.train[:500], small.test)
    assert real.fid < 0.3 * two.fid and real.sure > 0.95


def test_a_linear_decoders_paths_are_straight_and_a_bent_ones_are_not(small: Digits) -> None:
    start, end = small.test[:40], small.test[40:80]
    linear = paths.between(paths.linear(small.train.flatten(1), 8), start, end, small.judge)
    np.testing.assert_allclose(linear.smooth.jump, 1.0, atol=1e-4)
    np.testing.assert_allclose(linear.smooth.detour, 1.0, atol=1e-5)
    pixels = paths.between(None, start, end, small.judge)
    np.testing.assert_allclose(pixels.smooth.jump, 1.0, atol=1e-6)
    exact = (start - end).flatten(1).norm(dim=1)
    np.testing.assert_allclose(pixels.smooth.length, exact, rtol=1e-5)
    # All components are no code at all.
    whole = paths.between(paths.linear(small.train.flatten(1), 64), start, end, small.judge)
    np.testing.assert_allclose(whole.smooth.length, exact, rtol=1e-3)
    bent = paths.between(fit("autoencoder", small.train, steps=300), start, end, small.judge)
    assert (bent.smooth.detour > 1.01).mean() > 0.9 and bent.smooth.jump.mean() > 1.05


def test_distances_within_their_errors_are_not_told_apart() -> None:
    def found(fid: float, error: float | None) -> ae_against_vae.Generated:
        return ae_against_vae.Generated(torch.empty(0), 0.5, fid, error, 0.5)

    than = ae_against_vae._than
    assert than(found(7.1, 1.0), found(10.4, 1.7)) == "not told apart from"  # 3.3 against 3.94
    assert than(found(7.1, 1.0), found(28.6, 1.7)) == "less than"
    assert than(found(28.6, None), found(7.1, None)) == "more than"
