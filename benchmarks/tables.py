"""Tables in Markdown, and the files in docs/results/ that they are written to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
_PLACES = ("--data", "--out", "--peers", "--runs")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; columns of numbers are flush right, None is a dash.

    >>> print(table(["name", "ms"], [["a", 1.25], ["longer", None]]))
    | name   | ms   |
    |--------|-----:|
    | a      | 1.25 |
    | longer |    – |
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    right = [
        bool(cells) and all(_is_number(row[column]) for row in cells)
        for column in range(len(header))
    ]
    width = [max(3, *(len(row[c]) for row in [list(header), *cells])) for c in range(len(header))]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(n) if flush and row is not header else cell.ljust(n)
            for cell, n, flush in zip(row, width, right, strict=True)
        ]
        return f"| {' | '.join(parts)} |"

    rule = [
        "-" * (n + 1) + ":" if flush else "-" * (n + 2)
        for n, flush in zip(width, right, strict=True)
    ]
    return "\n".join([line(header), f"|{'|'.join(rule)}|", *map(line, cells)])


def write(
    name: str, title: str, body: str, *, machine: str, command: str, folder: Path = RESULTS
) -> Path:
    """Write a result with the day, the machine and the command that made it, and show it."""
    about = [
        f"- when: {time.strftime('%Y-%m-%d', time.gmtime())}",
        f"- machine: {machine}",
        f"- command: `{command}`",
    ]
    text = "\n".join([f"# {title}", "", *about, "", body.strip(), ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {path}")
    return path


def command_line(module: str, argv: Sequence[str]) -> str:
    """The command that is printed beside a table, without the places on this machine.

    >>> command_line("train_speed", ["--rounds", "3", "--data", "/home/me/mnist.npz"])
    'python -m benchmarks train_speed --rounds 3'
    """
    kept, skip = [], False
    for word in argv:
        if word.partition("=")[0] in _PLACES:
            skip = "=" not in word
        elif skip:
            skip = False
        else:
            kept.append(word)
    return " ".join(["python -m benchmarks", module, *kept])


def median(values: Sequence[float]) -> float:
    """The middle of the values."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Least to greatest.

    >>> spread([12.0, 1500.0, 30.0])
    '12–1,500'
    """
    return f"{min(values):,.{digits}f}–{max(values):,.{digits}f}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of the ratio within each round: what slows both does not count.

    >>> ratio([4.0, 2.0, 6.0], [2.0, 1.0, 2.0])
    2.0
    """
    return median([a / b for a, b in zip(ours, theirs, strict=True)])


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        size = abs(cell)
        return f"{cell:,.0f}" if size >= 1000 else f"{cell:.3g}" if size < 10 else f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _is_number(text: str) -> bool:
    stripped = text.replace(",", "").replace("–", "", 1).lstrip("-−")
    return not stripped or stripped.replace(".", "", 1).isdigit()
