"""Options that several benchmarks share."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
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


def add_runs(found: argparse.ArgumentParser) -> None:
    """``--runs``, for :func:`runs_of`."""
    found.add_argument("--runs", type=Path, help="folder to keep the runs in, and to go on from")


@contextlib.contextmanager
def runs_of(given: argparse.Namespace) -> Generator[Path]:
    """The folder of ``--runs``, or one that is gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        yield given.runs or Path(folder)


def check_browser() -> str:
    """Chromium.

    Raises:
        SystemExit: there is none.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("error: expected chromium on the path, came none; install it")
    return found


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
