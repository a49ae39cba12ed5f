"""The verb ``compare``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.comparison import Comparison
    from lowerbound.evaluation.rate_distortion import RateDistortion


def compare(
    runs: tuple[str, ...],
    /,
    *,
    out: str | None = None,
    samples: Annotated[int | None, Span(min=1, unit="importance samples")] = None,
    limit: Annotated[int | None, Span(min=1, unit="examples")] = None,
    seed: Annotated[int, Span(min=0)] = 0,
    across_kinds: bool = False,
    rate_distortion: bool = False,
    json: bool = False,
) -> None:
    """Hold runs against one another on the same test examples, with paired errors.

    What cannot be compared (other data, another dequantization, another kind of number, no
    likelihood) is held apart, and the reason is said. Differences are to the first run.

    Args:
        out: file to write: .html (a page with the figure in it), .md (the figure beside it), .json
            or .png (the figure alone).
        samples: importance samples for each example where log p(x) is not exact, the same for all;
            the default is as many as take about a minute.
        limit: so many test examples only.
        seed: of the posterior's samples.
        across_kinds: also put exact values, estimates and bounds of log p(x) into one column, and
            say of each which it is.
        rate_distortion: also list rate against distortion, and draw the curve into the file; with
            .png that alone. For runs that differ in --beta, but any with a likelihood have a place.
        json: print the report as JSON.
    """
    from lowerbound import comparison, console
    from lowerbound.comparison.write import refuse_name

    if out is not None:
        refuse_name(out)
    elif rate_distortion and not json:
        console.note("no --out: the curve is not drawn; pass --out curve.png")
    with console.Count("measuring the same examples") as count:
        found = comparison.compare(
            runs,
            samples=samples,
            limit=limit,
            seed=seed,
            across_kinds=across_kinds,
            progress=count,
        )
    curves = found.rate_distortion() if rate_distortion else ()
    drawn = {"rate_distortion": rate_distortion}
    written = comparison.write(found, out, **drawn) if out is not None else []
    if json:
        console.emit({**found.to_json(), "out": [str(path) for path in written]})
        return
    _show(found, curves)
    for path in written:
        console.line(str(path))


def _show(found: Comparison, curves: Sequence[RateDistortion]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lowerbound import console
    from lowerbound.comparison.rows import CURVE, HEADER, curve_lines, lines, without

    out = console.out()
    for group in found.groups:
        table = Table(
            title=group.runs[0].target.title(),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE,
        )
        for place, name in enumerate(HEADER):
            number = 2 <= place <= 5
            table.add_column(name, justify="right" if number else "left", no_wrap=number)
        for section in lines(group):
            for row in section:
                style = "bold" if row.best else ""
                table.add_row(*(Text(cell, style=style) for cell in row[:7]))
            table.add_section()
        out.print(table)
        for text in (*group.apart, *without(group)):
            out.print(Text(f"  {text}", style="" if text in group.apart else "dim"))
        out.print()
    for curve in curves:
        title = f"Rate against distortion: {curve.data}"
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
        for place, name in enumerate(CURVE):
            table.add_column(name, justify="right" if 1 <= place <= 6 else "left")
        for row in curve_lines(curve):
            style = "bold" if row[-1] == "best bound" else ""
            table.add_row(*(Text(cell, style=style) for cell in row))
        out.print(table)
    for note in found.notes:
        out.print(Text(note, style="dim"))
