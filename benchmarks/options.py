"""Options that several benchmarks share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .tables import RESULTS, ROOT

DATA = Path("../shared/data/mnist.npz")


def parser(doc: str | None, name: str) -> argparse.ArgumentParser:
    """A parser with ``--out`` and the module's text."""
    found = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--out", type=Path, default=RESULTS, help="folder of the table")
    return found


def add_data(found: argparse.ArgumentParser) -> None:
    """``--data``, MNIST."""
    found.add_argument("--data", type=Path, default=ROOT / DATA, help="mnist.npz")


def add_peers(found: argparse.ArgumentParser) -> None:
    """``--peers``, the Python of an environment with pythae and JAX."""
    default = os.environ.get("LOWERBOUND_PEERS", str(Path(sys.prefix) / "peers" / "bin" / "python"))
    found.add_argument(
        "--peers", default=default, help="Python with pythae, jax and optax (LOWERBOUND_PEERS)"
    )


def check_data(path: Path) -> Path:
    """The path, if there is a file.

    Raises:
        SystemExit: there is none.
    """
    if not path.is_file():
        sys.exit(f"error: expected MNIST at {path}, came no such file; pass --data mnist.npz")
    return path.resolve()


def has_peers(python: str) -> bool:
    """Whether that Python exists; says so if not."""
    if Path(python).exists():
        return True
    print(
        f"no contestants from other libraries: there is no {python}; see `benchmarks/__init__.py`"
    )
    return False
