"""Cost of log p(x) with k = 5000 on 10,000 MNIST images, against the float32 matrix peak.

An MLP VAE 784-512-20 (its weights do not matter to the cost). The products of decoding alone, at
the best rate that this machine reached in the same run, are the least that any program needs; the
ratio says how much of the time they are. The largest memory is of a process of its own for each k.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from . import model, options
from .machine import describe
from .peaks import measured
from .tables import ROOT, command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/likelihood_cost.md."""
    found = options.parser(__doc__, "likelihood_cost")
    options.add_data(found)
    found.add_argument("--count", type=int, default=10_000, help="images")
    found.add_argument("--samples", type=int, default=5000, help="k")
    found.add_argument("--memory", type=int, nargs="+", default=[100, 1000, 5000], help="k of each")
    found.add_argument("--memory-count", type=int, default=128, help="images where memory is asked")
    found.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    found.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = found.parse_args(argv)
    options.check_data(given.data)
    if given.child is not None:
        done = _estimate(str(given.data), given.memory_count, given.child, "float32")
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"kib": usage, "seconds": done["seconds"]}))
        return 0
    rows = []
    for k in given.memory:
        command = [sys.executable, "-m", "benchmarks", "likelihood_cost", "--child", str(k)]
        command += ["--data", str(given.data), "--memory-count", str(given.memory_count)]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout
        last = json.loads(out.decode().strip().splitlines()[-1])
        rows.append([k, given.memory_count, f"{last['kib'] / 2**10:,.0f}"])
    before = measured()
    done = _estimate(str(given.data), given.count, given.samples, given.precision)
    after = measured()
    peak = max(before[given.precision], after[given.precision])
    flops = float(model.DECODING_FLOPS) * given.samples * given.count
    least = flops / peak
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(
            ["images", "k", "seconds", "products alone at the peak, s", "ratio", "how"],
            [
                [
                    given.count,
                    given.samples,
                    f"{done['seconds']:.1f}",
                    f"{least:.1f}",
                    f"{done['seconds'] / least:.2f}",
                    f"{given.precision} products, {done['how']}",
                ]
            ],
        ),
        f"{flops / 1e12:,.1f} TFLOP; peak {peak / 1e9:,.0f} GFLOP/s, the best of two measurements, "
        "before and after. Compilation is counted.",
        table(["k", "images", "largest resident memory, MiB"], rows),
    ]
    write(
        "likelihood_cost",
        "Cost of log p(x)",
        "\n\n".join(text),
        machine=describe(torch=done["torch"]),
        command=command_line("likelihood_cost", argv),
        folder=given.out,
    )
    return 0


def _estimate(data: str, count: int, samples: int, precision: str) -> dict[str, Any]:
    """Seconds of one estimate, and how it was done."""
    import torch

    import lowerbound

    from .contestants import ours_train

    torch.manual_seed(0)
    loaded = ours_train.data(data, binary=True, limit=1000)
    built = ours_train.build(loaded.spec).model
    _, test = model.images(data, binary=True, limit=count)
    x = torch.from_numpy(test[:count]).float().view(-1, *built.event_shape)
    began = time.perf_counter()
    found = lowerbound.estimate_log_likelihood(
        built,
        x,
        samples=samples,
        precision=None if precision == "float32" else torch.bfloat16,
        compile="auto",
    )
    return {
        "seconds": time.perf_counter() - began,
        "how": f"{'compiled' if found.compiled else 'eager'}, {found.rows:,} rows at once",
        "torch": str(torch.__version__),
    }
