"""Paths between codes: ends exact, norms kept, geodesics of charts whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import PointMass
from lowerbound.errors import LowerboundError
from lowerbound.latent import geodesic, interpolate, path_length, space_of, spherical
from lowerbound.models import LinearGaussian

WEIGHT = torch.from_numpy(np.random.default_rng(7).normal(size=(6, 3))).float()


class Chart(nn.Module):
    """A surface in space as a decoder: f(z), without noise."""

    latent_shape = (2,)

    def __init__(self, f: Any) -> None:
        super().__init__()
        self.f = f
        self.kind = nn.Parameter(torch.zeros((), dtype=torch.float64))  # the dtype of the model

    def decode(self, z: Tensor, *context: Tensor) -> PointMass:
        return PointMass(self.f(z), 1)


def polar(z: Tensor) -> Tensor:
    return z[..., :1] * torch.stack([z[..., 1].cos(), z[..., 1].sin()], -1)


def globe(z: Tensor) -> Tensor:
    up, round_ = z[..., 0], z[..., 1]
    return torch.stack([up.cos() * round_.cos(), up.cos() * round_.sin(), up.sin()], -1)


@pytest.mark.parametrize("path", ["linear", "spherical", "geodesic"])
def test_the_ends_come_as_they_went(path: Any) -> None:
    torch.manual_seed(0)
    model = LinearGaussian((5,), 3, weight=WEIGHT[:5, :3]).double()
    ends = np.random.default_rng(0).normal(size=(4, 3))
    found = interpolate(model, ends, steps=6, path=path)
    assert found.codes.shape == (16, 3)
    np.testing.assert_array_equal(found.codes[::5], ends)
    np.testing.assert_array_equal(found.at[::5], [0, 1, 2, 3])
    z = torch.from_numpy(found.codes)
    np.testing.assert_allclose(found.decoded, model.decode(z).mean.detach(), rtol=1e-12)


def test_a_line_goes_evenly() -> None:
    model = LinearGaussian((3,), 2, weight=WEIGHT[:3, :2]).double()
    found = interpolate(model, [[0.0, 4.0], [8.0, 0.0]], steps=5)
    np.testing.assert_allclose(found.codes, [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0]], atol=1e-12)
    weight = model.linear.weight.numpy()
    expected = np.linalg.norm(weight @ np.array([8.0, -4.0]))
    np.testing.assert_allclose(found.lengths, [expected], rtol=1e-9)


def test_an_arc_keeps_the_norm_and_turns_evenly() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 20))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    codes = spherical(a, b, 11)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), np.linalg.norm(a), rtol=1e-12)
    unit = codes / np.linalg.norm(a)
    turns = np.arccos((unit[1:] * unit[:-1]).sum(1))
    whole = math.acos(a @ b / np.linalg.norm(a) ** 2)
    np.testing.assert_allclose(turns, whole / 10, rtol=1e-6)
    # Norms that differ change evenly.
    np.testing.assert_allclose(
        np.linalg.norm(spherical(a, 3 * b, 5), axis=1),
        np.linalg.norm(a) * np.array([1, 1.5, 2, 2.5, 3]),
        rtol=1e-12,
    )
    np.testing.assert_allclose(spherical(a, 2 * a, 3)[1], 1.5 * a, rtol=1e-9)


def test_a_geodesic_of_polar_coordinates_is_the_chord() -> None:
    """f = (r cos t, r sin t): geodesics are straight lines of the plane, not of (r, t)."""
    model = Chart(polar)
    a, b = np.array([1.0, 0.0]), np.array([2.0, 1.5])
    found = interpolate(model, [a, b], steps=9, path="geodesic")
    ends = [np.array([r * math.cos(t), r * math.sin(t)]) for r, t in (a, b)]
    chord = np.linalg.norm(ends[1] - ends[0])
    assert found.lengths[0] == pytest.approx(chord, rel=1e-5)
    assert found.straight[0] > 1.05 * chord
    line = ends[0] + np.linspace(0, 1, 9)[:, None] * (ends[1] - ends[0])
    np.testing.assert_allclose(found.decoded, line, atol=2e-4)  # and at a steady pace


def test_a_geodesic_of_the_globe_is_a_great_circle() -> None:
    model = Chart(globe)
    a, b = np.array([0.8, -1.0]), np.array([0.8, 1.2])  # of one latitude
    space = space_of(model, "test", encoder=False)
    codes = geodesic(space, a, b, segments=64)
    one, two = (globe(torch.from_numpy(z)).numpy() for z in (a, b))
    angle = math.acos(one @ two)
    # A path of n chords is shorter than the arc: n 2 sin(angle / 2n).
    expected = 64 * 2 * math.sin(angle / 128)
    assert path_length(space, codes) == pytest.approx(expected, rel=1e-5)
    line = a + np.linspace(0, 1, 65)[:, None] * (b - a)
    assert path_length(space, line) == pytest.approx(2.2 * math.cos(0.8), rel=1e-3)
    assert expected < 0.92 * path_length(space, line)
    assert codes[32, 0] > 0.95  # it goes over the north


def test_a_linear_decoder_has_straight_geodesics_and_keeps_its_weights() -> None:
    torch.manual_seed(0)
    model = LinearGaussian((6,), 3, weight=WEIGHT[:6, :3]).double()
    weights = {name: w.clone() for name, w in model.state_dict().items()}
    asked = [w.requires_grad for w in model.parameters()]
    ends = np.random.default_rng(1).normal(size=(2, 3))
    found = interpolate(model, ends, steps=5, path="geodesic")
    line = ends[0] + np.linspace(0, 1, 5)[:, None] * (ends[1] - ends[0])
    np.testing.assert_allclose(found.codes, line, atol=1e-6)
    np.testing.assert_allclose(found.lengths, found.straight, rtol=1e-9)
    assert all(torch.equal(weights[name], w) for name, w in model.state_dict().items())
    assert asked == [w.requires_grad for w in model.parameters()]


def test_conditions_change_on_the_way() -> None:
    class Shown(Chart):
        def decode(self, z: Tensor, *context: Tensor) -> PointMass:
            number, label = context
            return PointMass(torch.cat([number, label[:, None].double()], -1), 1)

    numbers = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    labels = torch.tensor([3, 8])
    model = Shown(polar)
    found = interpolate(model, np.eye(2), numbers, labels, steps=5)
    expected = [[0, 3], [0.25, 3], [0.5, 3], [0.75, 8], [1, 8]]
    np.testing.assert_allclose(found.decoded, expected, atol=1e-12)


def test_lengths_are_those_of_the_path_that_is_shown() -> None:
    """Data (z, 3 label, 2 number): they move by what the condition does, too."""

    class Shown(Chart):
        def decode(self, z: Tensor, *context: Tensor) -> PointMass:
            number, label = context
            return PointMass(torch.cat([z[..., :1], 3 * label[:, None], 2 * number], -1), 1)

    numbers = torch.tensor([[0.0], [1.0], [1.0]], dtype=torch.float64)
    labels = torch.tensor([3, 3, 8])
    ends = [[0.0, 0.0], [4.0, 0.0], [0.0, 0.0]]
    found = interpolate(Shown(polar), ends, numbers, labels, steps=33)
    # A line of 4 and 2; then 31 steps of 1/8, and one in which the label jumps as well.
    expected = [math.hypot(4, 2), 31 / 8 + math.hypot(1 / 8, 15)]
    np.testing.assert_allclose(found.lengths, expected, rtol=1e-12)
    np.testing.assert_allclose(found.straight, expected, rtol=1e-12)
    moved = np.linalg.norm(np.diff(found.decoded, axis=0), axis=1)
    np.testing.assert_allclose(found.lengths, [moved[:32].sum(), moved[32:].sum()], rtol=1e-12)


def test_a_geodesic_goes_by_the_conditions_on_its_way() -> None:
    class Turned(Chart):
        """Polar coordinates whose angles begin elsewhere."""

        def decode(self, z: Tensor, *context: Tensor) -> PointMass:
            return PointMass(polar(torch.stack([z[..., 0], z[..., 1] + context[0][..., 0]], -1)), 1)

    number = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    ends = np.array([[1.0, 0.0], [2.0, 0.5]])
    found = interpolate(Turned(polar), ends, number, steps=9, path="geodesic")
    a, b = np.array([1.0, 0.0]), 2 * np.array([math.cos(1.5), math.sin(1.5)])
    line = a + np.linspace(0, 1, 9)[:, None] * (b - a)
    np.testing.assert_allclose(found.decoded, line, atol=1e-3)
    assert found.lengths[0] == pytest.approx(np.linalg.norm(b - a), rel=1e-5)

    class Either(Chart):
        """The plane by its coordinates (label 0), or by polar ones (label 1)."""

        def decode(self, z: Tensor, *context: Tensor) -> PointMass:
            return PointMass(torch.where(context[0][:, None] == 0, z, polar(z)), 1)

    # From (2, 1) to (cot 1.5, 1): the label changes where both charts are on the line y = 1.
    ends = np.array([[2.0, 1.0], [1 / math.sin(1.5), 1.5]])
    found = interpolate(Either(polar), ends, torch.tensor([0, 1]), steps=9, path="geodesic")
    chord = 2 - 1 / math.tan(1.5)
    assert found.lengths[0] == pytest.approx(chord, rel=1e-3)
    assert found.straight[0] > 1.1 * chord
    np.testing.assert_allclose(found.decoded[:, 1], 1, atol=2e-2)
    steps = np.linalg.norm(np.diff(found.codes, axis=0), axis=1)
    assert steps.max() < 2 * np.median(steps)  # codes do not jump with the label


def test_what_has_no_path_is_refused() -> None:
    model = LinearGaussian((5,), 2, weight=WEIGHT[:5, :2])
    with pytest.raises(LowerboundError, match="opposite ones or a zero; pass linear"):
        interpolate(model, [[1.0, 0.0], [-2.0, 0.0]], path="spherical")
    with pytest.raises(LowerboundError, match="opposite ones or a zero"):
        interpolate(model, [[0.0, 0.0], [1.0, 0.0]], path="spherical")
    with pytest.raises(LowerboundError, match="at least 2 ends and 2 steps, came 1 and 9"):
        interpolate(model, [[1.0, 0.0]])
    with pytest.raises(LowerboundError, match=r"codes of 2 finite numbers, came \(2, 3\)"):
        interpolate(model, np.zeros((2, 3)))
    with pytest.raises(LowerboundError, match="codes of 2 finite numbers"):
        interpolate(model, [[np.nan, 0.0], [1.0, 0.0]])
    with pytest.raises(LowerboundError, match="linear, spherical or geodesic, came 'straight'"):
        interpolate(model, np.eye(2), path="straight")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="a model that decodes, came Linear"):
        interpolate(nn.Linear(2, 2), np.eye(2))
