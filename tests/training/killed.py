"""A script: train a run unbroken, and one that is killed again and again; print both as JSON.

    python killed.py FOLDER PRECISION COMPILE KILLS

Each part is a process of its own, forked from this one, which has imported everything: so a kill
costs a fraction of a second instead of an import of torch. Kills come from within, from a thread
that waits for a random step and then for a random part of it; of three and more, one comes before
the first checkpoint and one in the middle of writing one, which leaves half a file.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

import lowerbound
from lowerbound.training import checkpoint, choices
from lowerbound.training.state import TrainingState

EPOCHS, BATCH = 3, 24
torch.set_num_threads(1)
choices._REPORT_SECONDS = 1e9  # reports by the epoch, not by the clock of two different runs


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_once() -> None:
    """Kill before the first step, when the state is made and not yet saved."""
    TrainingState.save = lambda self, folder: end()


def in_a_write() -> None:
    """Kill while a checkpoint is written: half of it is on the disk."""
    whole = os.fsync

    def fsync(file: int) -> None:
        size = os.fstat(file).st_size
        if "checkpoint" in os.readlink(f"/proc/self/fd/{file}"):
            os.ftruncate(file, size // 2)
            end()
        whole(file)

    checkpoint.os.fsync = fsync


def after(steps: int) -> None:
    """Kill when the run has done so many more steps, anywhere within one."""
    states: list[TrainingState] = []
    made = TrainingState.__init__

    def remember(self: TrainingState, *arguments: object) -> None:
        made(self, *arguments)
        states.append(self)

    TrainingState.__init__ = remember
    pause = random.random() * 0.01

    def watch() -> None:
        while not states or states[0].step < steps:
            time.sleep(0.0005)
        time.sleep(pause)
        end()

    threading.Thread(target=watch, daemon=True).start()


def part(folder: Path, how: Callable[[], None], options: dict) -> int:
    """Begin or go on with a run in a process of its own; its exit code, negative if killed."""
    child = os.fork()
    if child == 0:
        try:
            how()
            if (folder / "run.json").exists():
                lowerbound.resume(folder, progress=False)
            else:
                lowerbound.train("digits", "vae", out=folder, progress=False, **options)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    folder, precision, compile, kills = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
    random.seed(precision)
    lowerbound.load("digits", limit=200)  # so that what it imports is imported
    if compile == "yes":
        import torch._inductor.compile_fx  # noqa: F401
    options = {
        "limit": 300,
        "latent_dim": 2,
        "hidden": () if compile == "yes" else (16,),  # fewer kernels to compile
        "binarize": "stochastic",
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "checkpoint_minutes": 1e-9,
        "held_out_every": 0.5,
        "ema": 0.9,
        "clip": 100.0,
        "threads": 1,
        "precision": precision,
        "compile": compile,
        "tensorboard": "no",
    }
    codes = [part(folder / "whole", lambda: None, options)]
    total = round(EPOCHS * 300 / BATCH)
    # Not in the last steps, which may be over before the kill comes.
    targets = sorted(random.sample(range(3, total - 8), kills - 2 if kills > 2 else kills))
    hows: list[Callable[[], None]] = [lambda step=step: after(step) for step in targets]
    if kills > 2:
        hows[len(hows) // 2 : len(hows) // 2] = [in_a_write]
        hows.insert(0, at_once)
    for how in [*hows, lambda: None]:
        codes.append(part(folder / "killed", how, options))
    sys.stdout.write(json.dumps({"codes": codes, "steps": total}))


if __name__ == "__main__":
    main()
