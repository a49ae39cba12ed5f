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


def gather(value: Tensor) -> Tensor:
    """The rows of all processes, ``(B, ...) -> (processes·B, ...)``; itself where there is one.

    For losses that couple examples. Gradients flow back to the process that each row came from,
    summed over all processes' losses: after training has averaged them over processes, a loss that
    every process computes of the gathered rows has the gradient that one process would find, and
    so has the average of losses of each process's own rows against the gathered ones. Every
    process must call it, with as many rows as the others.
    """
    if not is_distributed():
        return value
    from torch.distributed import _functional_collectives as functional  # traced by the compiler

    # Torch renamed it in 2.13; both names exist there, and the older one warns.
    name = "all_gather_single_autograd"
    name = name if hasattr(functional, name) else "all_gather_tensor_autograd"
    rows = getattr(functional, name)(value.contiguous(), 0, dist.group.WORLD)
    return rows.clone()  # waits, and is a plain tensor
