"""What processes have to tell one another, and nothing when there is one."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def is_distributed() -> bool:
    """Whether a group of two or more processes is at work."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean_over_processes(value: Tensor) -> Tensor:
    """The average of ``value`` over all processes, of its shape; itself where there is one.

    For statistics: no gradient flows from one process to another. Every process must call it.
    """
    if not is_distributed():
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()
