"""What this machine could do: matrix products and memory, measured as the best of many tries.

``python -m benchmarks.peaks`` prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from .model import ADAM_ARRAYS
from .tables import ROOT

#: (m, k, n): large squares, and the shapes of the shared model at batch 512.
SHAPES = ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 1024, 1024), (512, 784, 512))
_LARGE = 2**29


def measured() -> dict[str, float]:
    """What `measure` finds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peaks"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return json.loads(found.stdout)


def measure(seconds: float = 1.5) -> dict[str, float]:
    """Operations per second of float32 and bfloat16 products, and bytes per second of a copy (read
    and written) in an array the size of Adam's and in one far beyond any cache."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        best = 0.0
        for m, k, n in SHAPES:
            a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
            out = torch.empty(m, n, dtype=dtype)
            flops = 2.0 * m * k * n
            best = max(best, flops / _best(partial(torch.mm, a, b, out=out), 1e9 / flops, seconds))
        found[str(dtype).removeprefix("torch.")] = best
    for name, size in (("adam_bytes", ADAM_ARRAYS), ("memory_bytes", _LARGE)):
        a, b = torch.ones(2, size // 8)
        found[name] = size / _best(partial(b.copy_, a), 1e8 / size, seconds)
    return found


def _best(function: Callable[[], object], repeat: float, seconds: float) -> float:
    """The least seconds of one call, over some tries of `repeat` calls each."""
    repeat = max(1, round(repeat))
    function()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(repeat):
            function()
        best = min(best, (time.perf_counter() - begin) / repeat)
    return best


if __name__ == "__main__":
    print(json.dumps(measure()))
