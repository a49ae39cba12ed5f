"""Moving digits against what they declare of themselves."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.data.moving_digits import MADE, MovingDigits
from lowerbound.data.named import read

WRAPPED = 16


def centre(frames: np.ndarray, circular: bool) -> np.ndarray:
    """Centre of mass (…, 2), y and x, of frames (…, H, W); around a circle where they wrap."""
    found = []
    for other in (-1, -2):
        mass = frames.astype(np.float64).sum(other)
        size = mass.shape[-1]
        at = np.arange(size)
        if circular:
            angle = 2 * np.pi * at / size
            middle = (mass * np.exp(1j * angle)).sum(-1)
            found.append(np.angle(middle) * size / (2 * np.pi))
        else:
            found.append((mass * at).sum(-1) / mass.sum(-1))
    return np.stack(found, -1)


def test_each_frame_moves_by_the_declared_velocity() -> None:
    rows = read("moving-digits").train
    at = np.arange(200)
    frames, paths = rows.take(at)[:, :, 0], rows.paths(at)  # ty: ignore
    moved = np.diff(centre(frames, circular=True), axis=1)
    moved = (moved + WRAPPED / 2) % WRAPPED - WRAPPED / 2
    expected = np.broadcast_to(paths.velocity[:, :1], moved.shape)
    # Rows do not wrap, but a centre around a circle moves by the same.
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    assert set(np.unique(paths.velocity[..., 1])) == {-1, 1}


def test_a_bouncing_digit_moves_as_declared_and_stays_inside() -> None:
    digits = np.random.default_rng(0).integers(1, 17, (5, 8, 8), dtype=np.uint8)
    rows = MovingDigits(digits, 300, side=20, motion="bounce", seed=3, frames=30)
    at = np.arange(300)
    frames, paths = rows.take(at)[:, :, 0], rows.paths(at)
    moved = np.diff(centre(frames, circular=False), axis=1)
    declared = np.diff(paths.places[:, :, 0], axis=1)
    np.testing.assert_allclose(moved, declared, atol=1e-9)
    assert np.abs(declared).max() == 1
    assert paths.places.min() == 0 and paths.places.max() == 12
    # It turns at the sides and nowhere else.
    turned = np.diff(np.sign(declared), axis=1) != 0
    wall = np.isin(paths.places[:, 1:-1, 0], (0, 12))
    assert np.array_equal(turned, wall & (declared[:, :-1] != 0))


@pytest.mark.parametrize("name", ["moving-digits", "bouncing-digits"])
def test_identity_is_constant(name: str) -> None:
    rows = read(name).train
    frames = rows.take(np.arange(50))
    if MADE[name][1] == 1:
        values = np.sort(frames.reshape(50, frames.shape[1], -1), -1)
        assert (values == values[:, :1]).all()
    else:  # digits cover each other, never to more than both
        mass = frames.reshape(50, frames.shape[1], -1).astype(int).sum(-1)
        digits = rows.digits.reshape(len(rows.digits), -1).astype(int).sum(-1)  # ty: ignore
        both = digits[rows.paths(np.arange(50)).digit].sum(-1)  # ty: ignore
        assert (mass <= both[:, None]).all() and (mass.max(1) == both).mean() > 0.8


def test_a_clip_is_a_function_of_its_index_alone() -> None:
    source = read("moving-digits")
    whole = source.train.take(np.arange(100))
    some = np.array([77, 3, 3, 50])
    assert np.array_equal(source.train.take(some), whole[some])
    assert not np.array_equal(whole[0], whole[1])
    # The same on every machine and in every version of numpy.
    assert zlib.crc32(whole.tobytes()) == 539398826
    bouncing = read("bouncing-digits").test
    assert bouncing is not None
    assert zlib.crc32(bouncing.take(np.arange(100)).tobytes()) == 1636981031


def test_actions_are_labels_and_test_digits_are_others() -> None:
    source = read("moving-digits")
    assert source.classes == ("left", "right")
    assert source.labels is not None and source.test_labels is not None
    rows, test = source.train, source.test
    velocity = rows.paths(np.arange(4000)).velocity[:, 0, 1]  # ty: ignore
    assert np.array_equal(source.labels == 1, velocity == 1)
    assert abs((velocity == 1).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    seen = {digit.tobytes() for digit in rows.digits}  # ty: ignore
    assert not any(digit.tobytes() in seen for digit in test.digits)  # ty: ignore


def test_inspect_tells_what_they_are() -> None:
    data = lb.load("moving-digits", limit=100)
    found = dict(data.lines())
    assert data.spec.kind == "video" and data.spec.event_shape == (20, 1, 16, 16)
    assert found["shape"] == "20 frames of 16 x 16 grey"
    assert data.spec.network == "video" and data.spec.classes == ("left", "right")
