"""`python -m benchmarks.ab_step HERE THERE …`: the training steps of several checkouts in turns.

For whoever makes the step faster: is it? The step is that of `train_speed`. Each checkout trains in
a process of its own, a few hundred steps a turn, and what is told is the median, over rounds, of
its time as a share of the first one's in the same round. Name a checkout twice, and the second
share says how far from 1 chance alone is (one to two per cent here). Needs MNIST, prints a table,
keeps nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from . import options
from .child import Link, Over
from .contest import Contestant, Turn, contest, quiet
from .tables import ROOT, table

_STEPS = 400  # a turn


def main(argv: Sequence[str]) -> int:
    """Let them run in turns and print the table."""
    found = argparse.ArgumentParser("python -m benchmarks.ab_step", description=__doc__)
    found.add_argument("checkouts", nargs="+", type=Path, help="folders with src/lowerbound")
    found.add_argument("--batch", type=int, default=128)
    found.add_argument("--rounds", type=int, default=16)
    found.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    found.add_argument("--turns-of", type=Path, help=argparse.SUPPRESS)
    options.add_data(found)
    given = found.parse_args(argv)
    data = options.check_data(given.data)
    if given.turns_of is not None:
        with contextlib.suppress(Over):
            _turns(str(data), given.batch, given.precision)
        return 0
    for each in given.checkouts:
        if not (each / "src" / "lowerbound").is_dir():
            found.error(f"expected a checkout with src/lowerbound, came {each}")
    contestants = []
    for number, each in enumerate(given.checkouts):
        command = [sys.executable, "-m", "benchmarks.ab_step", str(each), "--turns-of", str(each)]
        command += ["--data", str(data), "--batch", str(given.batch)]
        command += ["--precision", given.precision]
        path = f"{each.resolve() / 'src'}:{ROOT}"
        contestants.append(Contestant(f"{number + 1} {each}", command, {"PYTHONPATH": path}))
    turns = contest(contestants, given.rounds)
    print(table(["checkout", "ms a step", "share of the first"], _rows(turns)))
    print(quiet(turns))
    return 0


def _rows(turns: dict[str, list[Turn]]) -> list[list[str]]:
    """Of each the median time, and the median of its share in each round."""
    first = next(iter(turns.values()))
    rows = []
    for name, mine in turns.items():
        shares = [a.seconds / b.seconds for a, b in zip(mine, first, strict=True)]
        each = 1e3 * statistics.median(turn.seconds for turn in mine) / _STEPS
        rows.append([name, f"{each:.3f}", f"{statistics.median(shares):.3f}"])
    return rows


def _turns(data: str, batch: int, precision: str) -> None:
    """One checkout's side: so many steps a turn."""
    from . import profile_step

    link = Link()
    events = profile_step.training(data, batch, precision, None)
    profile_step.go_through(events, _STEPS)  # compiled, warm
    link.ready()
    while True:
        link.wait()
        done, _ = profile_step.go_through(events, _STEPS)
        link.done(done * batch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
