"""Two processes agree on a statistic, and one does without."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from lowerbound.collectives import is_distributed, mean_over_processes
from lowerbound.distributions import Gaussian


def errors(rank: int) -> torch.Tensor:
    return torch.tensor([1.0, 3.0])[rank].expand(4, 2)


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    assert is_distributed()
    assert mean_over_processes(torch.tensor(float(rank))).item() == 0.5
    family = Gaussian(2)
    value = family(torch.zeros(4, 2)).log_prob(errors(rank))
    torch.save([value, family.tracked()], f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_one_process_is_its_own_mean() -> None:
    value = torch.tensor(3.0)
    assert not is_distributed()
    assert mean_over_processes(value) is value


def test_optimal_sigma_of_two_processes_is_that_of_one(tmp_path: Path) -> None:
    """Each half of the batch is scored with the σ of the whole."""
    mp.spawn(worker, (str(tmp_path),), nprocs=2)
    family = Gaussian(2)
    whole = torch.cat([errors(0), errors(1)])
    expected = family(torch.zeros(8, 2)).log_prob(whole)
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([half[0] for half in halves]), expected)
    for half in halves:
        torch.testing.assert_close(half[1], family.tracked())
