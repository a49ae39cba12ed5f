"""What it costs to start: `lowerbound --help`, and the import, beside that of torch.

Each is a process of its own, measured from its start to its end, in turns.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from . import options
from .machine import describe
from .tables import command_line, median, ratio, spread, table, write

_TORCH = "import torch"
#: Name: arguments of Python.
STARTS = {
    "python, nothing": ["-c", "pass"],
    _TORCH: ["-c", _TORCH],
    "import lowerbound": ["-c", "import lowerbound"],
    "import lowerbound; lowerbound.train": ["-c", "import lowerbound; lowerbound.train"],
    "lowerbound --help": ["-m", "lowerbound", "--help"],
    "lowerbound train --recipe vae --help": [
        *("-m", "lowerbound", "train", "--recipe", "vae", "--help")
    ],
    "lowerbound recipes": ["-m", "lowerbound", "recipes"],
}
_CHECK = """
import contextlib, io, sys
from lowerbound.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({arguments!r})
print(int("torch" in sys.modules))
"""


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/startup.md."""
    found = options.parser(__doc__, "startup")
    found.add_argument("--rounds", type=int, default=15)
    given = found.parse_args(argv)
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    for number in range(-1, given.rounds):  # the first fills the disk's cache
        for name, arguments in STARTS.items():
            took = _took(arguments)
            if number >= 0:
                seconds[name].append(took)
    rows = []
    for name, each in seconds.items():
        to_torch = f"{ratio(each, seconds[_TORCH]):.2f}"
        middle, between = f"{1000 * median(each):.0f}", spread([1000 * s for s in each])
        rows.append([f"`{name}`", middle, between, to_torch, _imports(STARTS[name])])
    write(
        "startup",
        "What it costs to start",
        "\n\n".join(
            [
                __doc__.partition("\n\n")[2].strip(),
                table(["", "ms", "least–greatest", "× import torch", "torch imported"], rows),
                f"Medians over {given.rounds} rounds; ratios are medians within the rounds.",
            ]
        ),
        machine=describe(torch=_torch()),
        command=command_line("startup", argv),
        folder=given.out,
    )
    return 0


def _took(arguments: Sequence[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _imports(arguments: Sequence[str]) -> str:
    """Whether torch has been imported at the end."""
    if arguments[0] == "-c":
        code = f"{arguments[1]}\nimport sys; print(int('torch' in sys.modules))"
    else:
        code = _CHECK.format(arguments=list(arguments[2:]))
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return "yes" if found.stdout.split()[0] == "1" else "no"


def _torch() -> str:
    from importlib.metadata import version

    return version("torch")
