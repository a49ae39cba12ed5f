"""The exact filter and smoother against the dense joint Gaussian of all states and data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.errors import LowerboundError
from lowerbound.sequences import LinearDynamics

STEPS = 6


def model() -> LinearDynamics:
    generator = torch.Generator().manual_seed(5)
    root = torch.randn(2, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    return LinearDynamics.of(
        [[0.9, 0.2], [-0.3, 0.7]],
        root @ root.T / 4 + 0.1 * torch.eye(2),
        torch.randn(3, 2, generator=generator),
        noise @ noise.T / 3 + 0.2 * torch.eye(3),
        [0.5, -1.0],
        [[1.0, 0.3], [0.3, 0.8]],
    )


def with_gaps(x: Tensor) -> Tensor:
    """A whole step, single numbers, and the end missing."""
    x = x.clone()
    x[0, 2] = torch.nan
    x[1, 0, 1] = torch.nan
    x[1, 3, :2] = torch.nan
    x[2, 4:] = torch.nan
    return x


def joint(m: LinearDynamics) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean and covariance of all states; the map to all data, their mean and covariance."""
    a, d = m.transition, len(m.mean)
    mean, covariance = [m.mean], torch.zeros(STEPS * d, STEPS * d, dtype=torch.float64)
    own = [m.covariance]
    for _ in range(STEPS - 1):
        mean.append(a @ mean[-1])
        own.append(a @ own[-1] @ a.T + m.transition_noise)
    for s in range(STEPS):
        block = own[s]
        for t in range(s, STEPS):
            covariance[t * d : (t + 1) * d, s * d : (s + 1) * d] = block
            covariance[s * d : (s + 1) * d, t * d : (t + 1) * d] = block.T
            block = a @ block
    z = torch.cat(mean)
    c = torch.block_diag(*[m.emission] * STEPS)
    r = torch.block_diag(*[m.emission_noise] * STEPS)
    return z, covariance, c, c @ z, c @ covariance @ c.T + r


def conditioned(m: LinearDynamics, x: Tensor, upto: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all states given the numbers of the first steps that are there."""
    z, covariance, c, mean, spread = joint(m)
    flat = x.clone()
    flat[upto:] = torch.nan
    seen = ~flat.reshape(-1).isnan()
    gain = torch.linalg.solve(spread[seen][:, seen], (covariance @ c.T)[:, seen].T).T
    centre = z + gain @ (flat.reshape(-1)[seen] - mean[seen])
    return centre, covariance - gain @ (covariance @ c.T)[:, seen].T


def test_filter_smoother_and_evidence_equal_the_joint_gaussian() -> None:
    m = model()
    x = with_gaps(m.sample(3, STEPS, seed=1)[1])
    filtered, smoothed = m.filter(x), m.smooth(x)
    _, _, _, mean, spread = joint(m)
    for row in range(3):
        for t in range(STEPS):
            at = slice(2 * t, 2 * t + 2)
            for upto, found in ((t + 1, filtered), (STEPS, smoothed)):
                centre, covariance = conditioned(m, x[row], upto)
                torch.testing.assert_close(found.mean[row, t], centre[at], rtol=0, atol=1e-12)
                torch.testing.assert_close(
                    found.covariance[row, t], covariance[at, at], rtol=0, atol=1e-12
                )
            centre, covariance = conditioned(m, x[row], t)
            torch.testing.assert_close(
                filtered.predicted_mean[row, t], centre[at], rtol=0, atol=1e-12
            )
        seen = ~x[row].reshape(-1).isnan()
        dense = torch.distributions.MultivariateNormal(mean[seen], spread[seen][:, seen])
        exact = dense.log_prob(x[row].reshape(-1)[seen])
        torch.testing.assert_close(filtered.log_evidence[row].sum(), exact, rtol=0, atol=1e-11)


def test_a_state_given_the_next_one_and_the_data_before() -> None:
    """The smoother's gain: the regression of z_t on z_{t+1} given x_1..x_t."""
    m = model()
    x = with_gaps(m.sample(3, STEPS, seed=1)[1])
    gain = m.smooth(x).gain
    for row, t in ((0, 1), (1, 3), (2, 4)):
        _, covariance = conditioned(m, x[row], t + 1)
        now, ahead = slice(2 * t, 2 * t + 2), slice(2 * t + 2, 2 * t + 4)
        dense = torch.linalg.solve(covariance[ahead, ahead], covariance[ahead, now]).T
        torch.testing.assert_close(gain[row, t], dense, rtol=0, atol=1e-11)


def test_forecasts_and_jumps() -> None:
    m = model()
    x = m.sample(2, STEPS, seed=2)[1]
    mean, covariance = m.forecast(x[:, :4], 2)
    _, _, c, _, _ = joint(m)
    for row in range(2):
        centre, spread = conditioned(m, x[row], 4)
        told = c @ spread @ c.T + torch.block_diag(*[m.emission_noise] * STEPS)
        torch.testing.assert_close(mean[row].reshape(-1), (c @ centre)[12:], rtol=0, atol=1e-12)
        for h in range(2):
            at = slice(12 + 3 * h, 15 + 3 * h)
            torch.testing.assert_close(covariance[row, h], told[at, at], rtol=0, atol=1e-12)
    a, q = m.jump(3)
    torch.testing.assert_close(a, torch.linalg.matrix_power(m.transition, 3))
    one, spread = m.jump(1), m.jump(2)
    torch.testing.assert_close(q, one[0] @ spread[1] @ one[0].T + one[1])


def test_samples_have_the_models_moments() -> None:
    m = model()
    z, covariance, _, mean, spread = joint(m)
    count = 40_000
    states, data = m.sample(count, STEPS, seed=3)
    for values, centre, expected in ((states, z, covariance), (data, mean, spread)):
        flat = values.reshape(count, -1)
        error = (flat.mean(0) - centre) / (expected.diagonal() / count).sqrt()
        assert error.abs().max() < 4
        variance = torch.outer(expected.diagonal(), expected.diagonal()) + expected.square()
        error = (torch.cov(flat.T) - expected) / (variance / count).sqrt()
        assert error.abs().max() < 4.5  # of some hundred numbers the largest


def test_the_stationary_state_stays() -> None:
    m = model().stationary()
    a = m.transition
    torch.testing.assert_close(a @ m.covariance @ a.T + m.transition_noise, m.covariance)
    walk = LinearDynamics.of([[1.0]], [[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(LowerboundError, match="inside the unit circle"):
        walk.stationary()


def test_shapes_are_checked() -> None:
    with pytest.raises(LowerboundError, match=r"came shapes \(2, 2\)"):
        LinearDynamics.of(torch.eye(2), torch.eye(2), torch.eye(3), torch.eye(3))


def test_arrays_and_lists_are_data_too() -> None:
    m = model()
    x = with_gaps(m.sample(3, STEPS, seed=1)[1])
    expected = m.filter(x)
    for given in (x.numpy(), x.tolist()):
        assert torch.equal(m.filter(given).log_evidence, expected.log_evidence)
    assert torch.equal(m.smooth(x.numpy()).mean, m.smooth(x).mean)
    assert torch.equal(m.log_evidence(x.numpy()), m.log_evidence(x))
    assert torch.equal(m.forecast(x.numpy(), 2)[0], m.forecast(x, 2)[0])
    walk = LinearDynamics.of([[1.0]], [[0.1]], [[1.0]], [[0.5]])
    series = np.array([[0.3, np.nan, 0.8]], np.float32)  # of one number a step: (B, T)
    assert torch.equal(
        walk.filter(series).log_evidence, walk.filter(torch.tensor(series)[..., None]).log_evidence
    )
    with pytest.raises(
        LowerboundError, match=r"sequences \(B, T, 3\), came shape \(6, 3\); .*x\[None"
    ):
        m.filter(x[0])
    with pytest.raises(LowerboundError, match="an array or a tensor, came list"):
        m.filter([["a"]])
