"""Losses that couple examples: two processes find what one finds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from lowerbound import objectives
from lowerbound.collectives import gather
from lowerbound.distributions import (
    DiagonalGaussian,
    DiagonalNormal,
    Gaussian,
    Head,
    StandardNormal,
)
from lowerbound.models import LatentModel

ROWS = 8
OBJECTIVES = {
    "free_bits": partial(objectives.free_bits, floor=0.3),
    "dip": objectives.dip,
    "dip-ii": partial(objectives.dip, kind="ii"),
    "mmd": partial(objectives.info, alpha=1.0, weight=10.0),
    "beta_tc": partial(objectives.beta_tc, examples=50),
    "beta_tc-weighted": partial(objectives.beta_tc, examples=50, sampling="weighted"),
}


def found(rows: slice) -> dict[str, list[Tensor]]:
    """Loss and gradients on some rows, each with noise of its own."""
    generator = torch.Generator().manual_seed(0)
    x, noise = (
        torch.randn(ROWS, size, generator=generator, dtype=torch.float64) for size in (6, 3)
    )
    torch.manual_seed(0)
    model = LatentModel(
        StandardNormal(3),
        Head(nn.Linear(3, 6), Gaussian(6, sigma="fixed")),
        Head(nn.Linear(6, 6), DiagonalGaussian(3)),
    ).double()
    kept = DiagonalNormal._noise
    DiagonalNormal._noise = lambda self, shape: noise[rows]  # ty: ignore
    try:
        values = {}
        for name, objective in OBJECTIVES.items():
            loss = objective(model, x[rows]).loss
            values[name] = [loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))]
    finally:
        DiagonalNormal._noise = kept
    return values


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    half = ROWS // 2
    values = found(slice(rank * half, (rank + 1) * half))
    for tensors in values.values():
        for tensor in tensors:  # as training does
            dist.all_reduce(tensor)
            tensor /= 2
    weight = torch.tensor([1.0 + rank, 3.0], requires_grad=True)
    rows = gather(weight.square())
    (gradient,) = torch.autograd.grad(rows.sum() ** 2, weight)
    torch.save([values, rows.detach(), gradient], f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_gather_alone_is_nothing() -> None:
    value = torch.tensor([3.0])
    assert gather(value) is value


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder: Path = tmp_path_factory.mktemp("processes")
    mp.spawn(worker, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_gathered_rows_and_their_gradients(halves: list[Any]) -> None:
    """Two processes' losses (Σ w²)² with all rows: d/dw = 2 · 2 Σ w² · 2 w on each."""
    for rank, (_, rows, gradient) in enumerate(halves):
        torch.testing.assert_close(rows, torch.tensor([1.0, 9.0, 4.0, 9.0]))
        torch.testing.assert_close(gradient, 8 * 23.0 * torch.tensor([1.0 + rank, 3.0]))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_processes_are_one(halves: list[Any], name: str) -> None:
    expected = found(slice(0, ROWS))[name]
    for values, _, _ in halves:
        for ours, theirs in zip(values[name], expected, strict=True):
            torch.testing.assert_close(ours, theirs)
