"""The verb ``demo``: why the bound is needed, runnable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from lowerbound.options import Span

if TYPE_CHECKING:
    from rich.table import Table


def demo(
    name: str | None = None,
    /,
    *,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    json: bool = False,
) -> None:
    """Run a small experiment whose answer is known; without a name, list them.

    Args:
        out: folder to write NAME.png and NAME.md into, and NAME.gif if there is a film.
        seed: of all that is drawn.
        json: print the report as JSON.
    """
    from lowerbound import console, demos

    if name is None:
        if json:
            listed = [{"name": n, "summary": text} for n, text in demos.DEMOS.items()]
            console.emit({"format": 1, "demos": listed})
        else:
            width = max(map(len, demos.DEMOS))
            for known, text in demos.DEMOS.items():
                console.line(f"{known:<{width}}  {text}")
        return
    began = time.monotonic()
    found = demos.run(name, seed=seed)
    seconds = round(time.monotonic() - began, 1)
    files = []
    if out is not None:
        command = f"lowerbound demo {name}" + (f" --seed {seed}" if seed else "")
        files = [str(path) for path in found.write(out, name, command)]
    if json:
        console.emit(
            {
                "format": 1,
                "name": name,
                "title": found.title,
                "numbers": found.numbers,
                "header": list(found.header),
                "rows": [list(row) for row in found.rows],
                "settings": found.settings,
                "seconds": seconds,
                "files": files,
            }
        )
        return
    console.line(found.title)
    console.line("")
    console.line(found.text)
    console.line("")
    console.out().print(_table(found.header, found.rows))
    for file in files:
        console.line(file)


_SHORT = 8  # letters of a head that stays on one line


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich import box
    from rich.table import Table

    # Numbers are never cut: their columns are as wide as they are, names and heads are folded.
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(header):
        heads = [name] if len(name) <= _SHORT else name.split()
        width = max(map(len, [*heads, *(row[place] for row in rows)]))
        justify = "right" if place else "left"
        table.add_column(name, justify=justify, overflow="fold", width=width if place else None)
    for row in rows:
        table.add_row(*row)
    return table
