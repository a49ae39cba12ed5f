"""`python -m benchmarks.cpu_clock train …`: the command line, its `--minutes` of processor time.

On a machine that is shared, equal minutes on the wall are not equal work; a process's own seconds
on the processor are, but for what the caches lose. Meant for runs on one thread.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace


def main() -> int:
    """Run `lowerbound` with the arguments given."""
    from lowerbound.cli import main as lowerbound
    from lowerbound.training import fit

    fit.time = SimpleNamespace(perf_counter=time.process_time)  # ty: ignore[invalid-assignment]
    return lowerbound(sys.argv[1:]) or 0


if __name__ == "__main__":
    sys.exit(main())
