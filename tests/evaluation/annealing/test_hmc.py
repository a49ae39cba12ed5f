"""Hamiltonian moves: reversible, of unit volume, and they leave a normal as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from lowerbound.evaluation.annealing import Point, leapfrog, transition

COVARIANCE = torch.tensor([[1.0, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 0.5]]).double()
MEAN = torch.tensor([1.0, -2.0, 0.5]).double()
PRECISION = torch.linalg.inv(COVARIANCE)


def known(z: Tensor) -> Point:
    """A normal, and a quartic well besides."""
    apart = z - MEAN
    pulled = apart @ PRECISION
    terms = torch.stack((-0.5 * (apart * pulled).sum(-1), -0.25 * z.pow(4).sum(-1)))
    return Point(z, terms, torch.stack((-pulled, -z.pow(3))))


def test_there_and_back_again() -> None:
    torch.manual_seed(0)
    z, momentum = torch.randn(2, 50, 3, dtype=torch.float64)
    step = torch.rand(50, dtype=torch.float64) * 0.15 + 0.01
    point, end = leapfrog(known, known(z), momentum, (1.0, 0.3), step, 25)
    assert (point.z - z).abs().amax() > 1
    back, start = leapfrog(known, point, -end, (1.0, 0.3), step, 25)
    assert (back.z - z).abs().max() < 1e-10
    assert (start + momentum).abs().max() < 1e-10


def test_volume_is_kept() -> None:
    def flow(both: Tensor) -> Tensor:
        point, end = leapfrog(known, known(both[:3]), both[3:], (1.0, 0.3), torch.tensor(0.1), 7)
        return torch.cat((point.z, end))

    at = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    moved = torch.eye(6, dtype=torch.float64) * 1e-5
    jacobian = torch.stack([(flow(at + m) - flow(at - m)) / 2e-5 for m in moved], -1)
    assert abs(float(torch.linalg.det(jacobian)) - 1) < 1e-8


def test_a_normal_is_left_as_it_is() -> None:
    """Moments of a hundred thousand chains after five moves, within 4 standard errors."""
    random = torch.Generator().manual_seed(2)
    count = 100_000
    root = torch.linalg.cholesky(COVARIANCE)
    z = MEAN + torch.randn(count, 3, generator=random, dtype=torch.float64) @ root.mT
    first, point, chances = z, known(z), []
    for _ in range(5):
        momentum = torch.randn(count, 3, generator=random, dtype=torch.float64)
        uniform = torch.rand(count, generator=random, dtype=torch.float64)
        # Coarse steps, many refused: it is the refusal that makes them right.
        step = torch.full((count,), 0.8, dtype=torch.float64)
        point, chance = transition(
            known, point, (1.0, 0.0), step, momentum=momentum, uniform=uniform, leaps=3
        )
        chances.append(chance.mean())
    assert 0.3 < float(torch.stack(chances).mean()) < 0.9
    assert float((point.z != first).any(-1).double().mean()) > 0.8
    apart = point.z - MEAN
    assert (apart.mean(0).abs() < 4 * COVARIANCE.diagonal().sqrt() / count**0.5).all()
    products = apart.unsqueeze(-1) * apart.unsqueeze(-2)
    error = products.std(0) / count**0.5
    assert ((products.mean(0) - COVARIANCE).abs() < 4 * error).all()
    torch.testing.assert_close(known(point.z).terms, point.terms)
    torch.testing.assert_close(known(point.z).slopes, point.slopes)


def test_a_move_to_nowhere_is_refused() -> None:
    def cliff(z: Tensor) -> Point:
        inside = (z.abs() < 1).all(-1)
        value = torch.where(inside, 0.0, torch.nan)
        return Point(z, value[None], torch.zeros(1, *z.shape))

    z = torch.zeros(4, 2)
    momentum = torch.tensor([[0.1, 0.0], [5.0, 0.0], [0.0, -5.0], [0.0, 0.2]])
    point, chance = transition(
        cliff, cliff(z), (1.0,), torch.ones(4), momentum=momentum, uniform=torch.zeros(4), leaps=2
    )
    assert chance.tolist() == [1, 0, 0, 1]
    assert point.z.abs().amax(-1).gt(0).tolist() == [True, False, False, True]
