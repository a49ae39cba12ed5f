"""Cost of one jump of a TD-VAE over many steps, against so many single steps.

An untrained model, for its cost does not depend on its weights: states of several sequences are
rolled ahead by one jump of the given length, and by as many steps of one. Times are medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Measure both and write docs/results/jump_cost.md."""
    found = options.parser(__doc__, "jump_cost")
    found.add_argument("--steps", type=int, default=100, help="length of the jump")
    found.add_argument("--repeats", type=int, default=20)
    found.add_argument("--threads", type=int, default=1)
    given = found.parse_args(argv)
    import torch

    from lowerbound.data.spec import DataSpec
    from lowerbound.recipes.sequences import td_vae
    from lowerbound.training.engine import versions

    torch.set_num_threads(given.threads)
    spec = DataSpec("toy", "sequence", (2 * given.steps, 1), "real")
    model: Any = td_vae(spec, jump=f"1-{given.steps}").model.eval()
    rows = []
    for count in (1, 100, 10_000):
        z = torch.randn(1, count, *model.latent_shape)
        jump = torch.tensor([float(given.steps)])
        single = torch.ones(given.steps)

        def one(z: torch.Tensor = z, jump: torch.Tensor = jump) -> None:
            model.roll(z, jump)

        def many(z: torch.Tensor = z, single: torch.Tensor = single) -> None:
            model.roll(z, single)

        fast, slow = (_median(each, given.repeats) for each in (one, many))
        rows.append([f"{count:,}", f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.0f}"])
    header = ["paths", f"a jump of {given.steps}, ms", f"{given.steps} steps, ms", "ratio"]
    write(
        "jump_cost",
        "One jump against many steps",
        "\n\n".join([__doc__.partition("\n\n")[2].strip(), table(header, rows)]),
        machine=describe(**versions()),
        command=command_line("jump_cost", argv),
        folder=given.out,
    )
    return 0


def _median(what: Callable[[], None], repeats: int) -> float:
    """Milliseconds."""
    what()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        what()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)
