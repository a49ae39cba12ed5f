"""Where the time of our compiled training step goes: kernels, by what they do.

The step is that of `lowerbound.fit` on the model of `train_speed`, bfloat16 products where the
machine has them. Every kernel that the compiler wrote is timed, by torch.profiler and its own marks
(`torch._inductor.config.cpp.enable_kernel_profile`). Kernels are told apart by the operations in
their names; a fused one counts where most of its work is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

PRODUCTS = "matrix products"
NOISE = "noise and binarization"
DENSITY = "likelihood and KL, forward and backward"
OPTIMIZER = "optimizer, with the end of the backward pass"
CASTS = "copies to bfloat16, ReLU, gathers"
CALLS = "calls, guards and checks around the compiled code"
BETWEEN = "Python between steps, reports"
#: Steps between two reports, about as many as `fit` would choose.
_REPORT = 50
GROUPS = (PRODUCTS, NOISE, DENSITY, OPTIMIZER, CASTS, CALLS, BETWEEN)


def group(name: str) -> str:
    """What a profiled event does.

    >>> (
    ...     group("aoti_torch_cpu_mm_out"),
    ...     group("graph_0_cpp_fused_addmm_relu_1"),
    ... )  # adds the bias alone
    ('matrix products', 'copies to bfloat16, ReLU, gathers')
    """
    words = ("aten::mm", "mm_out", "addmm", "bmm", "linear", "mkldnn", "gemm")
    if "cpp_fused" not in name and any(word in name for word in words):
        return PRODUCTS
    if "cpp_fused" not in name and not name.startswith("aten::"):
        return CALLS
    if "copy_copy" in name and "sqrt" in name:  # writes weights, in two precisions
        return OPTIMIZER
    if "cos" in name:  # Box and Muller's
        return NOISE
    if any(word in name for word in ("addcmul", "log1p", "softplus", "sigmoid", "exp")):
        return DENSITY
    if any(word in name for word in ("bitwise", "rand", "bernoulli", "uniform")):
        return NOISE
    return CASTS


def main(argv: Sequence[str]) -> int:
    """Profile and write docs/results/profile_step.md."""
    found = options.parser(__doc__, "profile_step")
    options.add_data(found)
    found.add_argument("--batch", type=int, nargs="+", default=[128, 512])
    found.add_argument("--steps", type=int, default=1000, help="steps that are profiled")
    found.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    path = options.check_data(given.data)
    import torch

    parts = [__doc__.partition("\n\n")[2].strip()]
    for batch in given.batch:
        parts.append(_section(str(path), batch, given.steps, given.precision, given.limit))
    write(
        "profile_step",
        "Where a training step's time goes",
        "\n\n".join(parts),
        machine=describe(torch=str(torch.__version__)),
        command=command_line("profile_step", argv),
        folder=given.out,
    )
    return 0


def _section(path: str, batch: int, steps: int, precision: str, limit: int | None) -> str:
    import torch
    from torch.profiler import ProfilerActivity, profile

    # The marks cost some per cent: the step's own time is that of one without them.
    for marks in (False, True):
        torch._dynamo.reset()
        torch._inductor.config.cpp.enable_kernel_profile = marks
        events = training(path, batch, precision, limit)
        resolved = next(events).resolved
        go_through(events, max(20, steps // 4))  # warm
        if not marks:
            plain = go_through(events, steps)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        watched = go_through(events, steps)
    count = watched[0]
    rows = [
        (each.key, 1e-3 * each.self_cpu_time_total / count, each.count / count)
        for each in seen.key_averages()
    ]
    rows = sorted(rows, key=lambda row: -row[1])
    sums: dict[str, float] = defaultdict(float)
    for name, ms, _ in rows:
        sums[group(name)] += ms
    whole = 1e3 * watched[1] / count
    sums[BETWEEN] = whole - sum(sums.values())
    text = (
        f"One step takes {1e3 * plain[1] / plain[0]:.2f} ms ({batch * plain[0] / plain[1]:,.0f} "
        f"examples/s); {whole:.2f} ms with the marks, while it is profiled. "
        f"Precision {resolved['precision']}, {resolved['threads']} threads; means over {count} "
        "steps."
    )
    groups = [[g, f"{sums[g]:.3f}", f"{100 * sums[g] / whole:.0f} %"] for g in GROUPS]
    longest = [
        [f"`{_short(name)}`", group(name), f"{ms:.3f}", f"{calls:.2f}"]
        for name, ms, calls in rows
        if ms > 0.004 * whole
    ]
    return "\n\n".join(
        [
            f"## Batch {batch}",
            text,
            table(["", "ms per step", "share"], groups),
            table(["kernel", "counted as", "ms per step", "calls per step"], longest),
        ]
    )


def training(path: str, batch: int, precision: str, limit: int | None) -> Iterator[Any]:
    """The events of an endless training without held-out reports."""
    from lowerbound import fit
    from lowerbound.training.options import resolve

    from .contestants.ours_train import build, data

    loaded = data(path, binary=False, limit=limit)
    built = build(loaded.spec)
    chosen = resolve(
        {
            "epochs": 1e6,
            "batch_size": batch,
            "schedule": "constant",
            "precision": precision,
            "compile": "yes",
            "held_out_every": 1e6,
        }
    )
    return fit(built.model, built.phases, loaded, chosen, resolved={"report_every": _REPORT})


def go_through(events: Iterator[Any], wanted: int) -> tuple[int, float]:
    """Go through at least so many steps, from one report to a later one: how many they were, and
    the seconds they took."""
    from lowerbound.training.events import Progress

    count, begin = 0, time.perf_counter()
    for event in events:
        count += _REPORT if isinstance(event, Progress) else 0
        if count >= wanted:
            return count, time.perf_counter() - begin
    raise RuntimeError("training ended before it was profiled")


def _short(name: str) -> str:
    """A kernel's name, without what all have and not too long; its number stays.

    >>> _short("graph_0_cpp_fused__to_copy_mul_7"), _short("aten::mm")
    ('fused _to_copy_mul 7', 'aten::mm')
    """
    if "_cpp_fused_" not in name:
        return name[:60]
    words, _, number = name.partition("_cpp_fused_")[2].rpartition("_")
    return f"fused {words if len(words) < 90 else words[:89] + '…'} {number}"
