"""A run's processes: started, told to stop, and their errors brought home."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any

import torch

from lowerbound.errors import LowerboundError

from .engine import Processes, pick_device

_INTERRUPTED = 130


def check_devices(options: Mapping[str, Any]) -> None:
    """Refuse devices that are not there, before anything is read or written.

    Raises:
        LowerboundError: no such accelerator, fewer devices than asked for, or nowhere to start
            processes from.
    """
    device, wanted = pick_device(options["accelerator"]), options["devices"]
    if wanted == 1:
        return
    if device.type == "cuda" and torch.cuda.device_count() < wanted:
        raise LowerboundError(
            f"expected {wanted} GPUs because of --devices, found {torch.cuda.device_count()}; pass "
            f"--devices {torch.cuda.device_count()}"
        )
    if device.type == "mps":
        raise LowerboundError(
            f"expected {wanted} devices because of --devices, found one mps; pass --devices 1, or "
            "--accelerator cpu"
        )
    if hasattr(sys, "ps1") or hasattr(sys, "ps2"):
        raise LowerboundError(
            f"--devices {wanted}: a notebook or an interactive Python cannot start processes; "
            "write a script, or pass devices=1"
        )


def launch(function: Callable[..., Any], options: Mapping[str, Any], *arguments: Any) -> Any:
    """Call ``function(processes, *arguments)`` in each of ``options["devices"]`` processes.

    Returns:
        what the first process returned.

    Raises:
        LowerboundError: as any of them does; or the arguments cannot travel to another process.
        KeyboardInterrupt: a second signal to stop came before they had ended.
    """
    if options["devices"] == 1:
        return function(Processes(), *arguments)
    check_devices(options)
    # As bytes: torch would share the tensors' memory between the processes, and Fabric looks into
    # every argument for modules.
    try:
        parcel = _Parcel(pickle.dumps((function, arguments)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LowerboundError(
            f"--devices {options['devices']}: the model cannot be sent to another process "
            f"({error}); define its parts at the top of a module, or name the recipe as "
            "file.py:function"
        ) from None
    from lightning_fabric import Fabric
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    device = pick_device(options["accelerator"])
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # we tell it ourselves
    errors = multiprocessing.get_context("spawn").SimpleQueue()
    fabric = Fabric(accelerator=device.type, devices=options["devices"], strategy="ddp_spawn")
    try:
        with _signals_passed_on():
            return fabric.launch(_enter, parcel, errors)  # ty: ignore[invalid-argument-type]
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not errors.empty():
            raise LowerboundError(errors.get()) from None
        if isinstance(error, ProcessExitedException) and error.exit_code in (
            _INTERRUPTED,
            -signal.SIGTERM,
            -signal.SIGINT,
        ):
            raise KeyboardInterrupt from None
        if isinstance(error, ProcessExitedException):
            raise LowerboundError(
                f"process {error.error_index} of {options['devices']} was ended "
                f"({error.signal_name or error.exit_code}); resume the run"
            ) from None
        raise


class _Parcel:
    """Bytes that Fabric does not look into."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The first of our code that runs in the new process, before Fabric greets the user.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.__dict__ |= state


def _enter(fabric: Any, parcel: _Parcel, errors: Any) -> Any:
    try:
        function, arguments = pickle.loads(parcel.content)
        found = function(Processes(fabric), *arguments)
        # Taken down together: threads of a group that another process has left abort this one now
        # and then while it ends.
        fabric.barrier()
        torch.distributed.destroy_process_group()
        return found
    except LowerboundError as error:
        errors.put(str(error))
        raise
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None  # torch would take it for a good end


@contextlib.contextmanager
def _signals_passed_on() -> Generator[None]:
    """Ask the processes to stop when this one is asked; the second time, end them at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = set(multiprocessing.active_children())
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        for child in set(multiprocessing.active_children()) - before:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL if asked else signal.SIGTERM)
        if asked:
            raise KeyboardInterrupt
        asked = True

    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in kept:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:  # one that was not set from Python
                signal.signal(number, handler)
