"""Every choice left to ``auto``, made once per run and written into it; and the processes."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from lowerbound.errors import LowerboundError

#: Seconds that compiling a step costs on a CPU or GPU the first time, and the share of an eager
#: step that it saves: cautious ends of what was measured (docs/results/train_speed.md).
COMPILE_COSTS, COMPILE_SAVES = 40.0, 0.4


def pick_device(accelerator: str) -> torch.device:
    """The device to train on.

    Raises:
        LowerboundError: there is no such accelerator here.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if accelerator == "auto":
        accelerator = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[accelerator]:
        raise LowerboundError(
            f"expected a {accelerator} device because of --accelerator {accelerator}, found none "
            f"(torch {torch.__version__}); pass --accelerator cpu, or install a build of torch "
            "for it"
        )
    if accelerator == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(accelerator)


def pick_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """Precision of the networks' products, and why."""
    if precision != "auto":
        return precision, "as asked"
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        native = False
    if native:
        return "bfloat16", f"this {device.type} multiplies bfloat16 natively"
    return "float32", f"no native bfloat16 on this {device.type}"


def can_compile(device: torch.device) -> str | None:
    """Why `torch.compile` cannot work here; None if it can."""
    if device.type == "mps":
        return "torch.compile is not used on mps"
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if device.type == "cpu" and not (compiler or shutil.which("cl")):
        return "no C++ compiler was found"
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    return None


def taken_apart(model: nn.Module) -> str | None:
    """What of a model the compiler would unroll over its steps; None: nothing."""
    for module in model.modules():
        if isinstance(module, nn.RNNBase) and not getattr(module, "whole", False):
            return f"the compiler would take a {module.mode.partition('_')[0]} apart"
    return None


def pick_compile(
    asked: str, model: nn.Module, device: torch.device, eager_seconds: Callable[[], float]
) -> tuple[bool, str]:
    """Whether to compile the step, and why.

    Args:
        asked: auto, yes or no.
        model: that is trained.
        device: on which.
        eager_seconds: how long the run would take without; only called for auto.
    """
    if asked == "no":
        return False, "as asked"
    trouble = can_compile(device)
    if trouble is not None:
        if asked == "yes":
            raise LowerboundError(f"expected to compile because of --compile yes, but {trouble}")
        return False, trouble
    if asked == "yes":
        return True, "as asked"
    slow = taken_apart(model)
    if slow is not None:
        return False, slow
    seconds = eager_seconds()
    pays = seconds * COMPILE_SAVES > COMPILE_COSTS
    verdict = "pays back" if pays else "would not pay back"
    return pays, f"compiling {verdict} in a run of about {_duration(seconds)}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def pick_threads(asked: int | None) -> int:
    """CPU threads of one process: what torch finds, which is a process's share of the cores."""
    return torch.get_num_threads() if asked is None else asked


def versions() -> dict[str, str]:
    """What the bits of a run depend on beside its options."""
    from lowerbound import __version__

    return {"lowerbound": __version__, "torch": str(torch.__version__)}


class Processes:
    """This process among those of the run.

    Averages go through Lightning Fabric's collectives when there are several; one process alone
    imports nothing of it.

    Args:
        fabric: launched, or None for a single process.
    """

    def __init__(self, fabric: Any = None) -> None:
        self._fabric = fabric
        self.count: int = 1 if fabric is None else fabric.world_size
        self.rank: int = 0 if fabric is None else fabric.global_rank

    def average(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over all processes, the same on each."""
        if self._fabric is None:
            return tensor
        return self._fabric.all_reduce(tensor, reduce_op="mean")

    def mean(self, number: float) -> float:
        """The mean of a number over all processes."""
        if self._fabric is None:
            return number
        return float(self.average(torch.tensor(number, dtype=torch.float64)))

    def agree(self, tensors: Iterable[torch.Tensor]) -> None:
        """Make tensors on all processes those of the first, in place."""
        if self._fabric is None:
            return
        with torch.no_grad():
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is up on any process; one message."""
        if self._fabric is None:
            return list(flags)
        raised = self.average(torch.tensor(flags, dtype=torch.float32))
        return [bool(share > 0) for share in raised]

    def wait(self) -> None:
        """Until all processes are here."""
        if self._fabric is not None:
            self._fabric.barrier()
