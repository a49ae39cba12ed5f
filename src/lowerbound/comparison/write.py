"""A comparison as Markdown, as a page that opens alone, as JSON, or as its figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LowerboundError
from ..plain import finite
from ..training.checkpoint import write_whole
from .page import page
from .paired import mean_interval
from .rows import CURVE, HEADER, curve_lines, lines, without

if TYPE_CHECKING:
    from .compare import Comparison

SUFFIXES = (".html", ".md", ".json", ".png")


def refuse_name(out: str | Path) -> None:
    """Refuse what cannot be written, before anything is measured.

    Raises:
        LowerboundError: a name that ends in something else.
    """
    if Path(out).suffix not in SUFFIXES:
        raise LowerboundError(
            f"expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, came "
            f"'{Path(out).name}'"
        )


def write(found: Comparison, out: str | Path, *, rate_distortion: bool = False) -> list[Path]:
    """Write a comparison.

    Args:
        found: the comparison.
        out: .html (with the figure in it), .md (with the figure beside it), .json, or .png (the
            figure alone).
        rate_distortion: also draw rate against distortion; into .png that alone.

    Returns:
        The files.

    Raises:
        LowerboundError: another ending, no run with a rate and a distortion, or it cannot be
            written.
    """
    refuse_name(out)
    if rate_distortion:
        found.rate_distortion()
    path = Path(out).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    if path.suffix == ".json":
        content = finite(found.to_json())
        write_whole(path, json.dumps(content, indent=2, ensure_ascii=False).encode())
        return [path]
    curve = _curve(found) if rate_distortion else None
    if path.suffix == ".png":
        write_whole(path, curve or _figure(found))
        return [path]
    picture = _figure(found)
    if path.suffix == ".html":
        write_whole(path, page(found, picture, curve).encode())
        return [path]
    written, text = [path], markdown(found, rate_distortion=rate_distortion)
    for name, image, told in (
        (path.with_suffix(".png"), picture, "values and paired differences"),
        (path.with_name(f"{path.stem}-curve.png"), curve, "rate against distortion"),
    ):
        if image is not None:
            write_whole(name, image)
            written.append(name)
            text += f"\n![{told}]({name.name})\n"
    write_whole(path, text.encode())
    return written


def markdown(found: Comparison, *, rate_distortion: bool = False) -> str:
    """The tables, what is held apart and why, and what the numbers mean."""
    parts = []
    for group in found.groups:
        parts.append(f"### {group.runs[0].target.title()}")
        parts += [f"- {text}" for text in group.apart] + ([""] if group.apart else [])
        rows = [
            [_bold(cell, row.best and place in (1, 2)) for place, cell in enumerate(row[:7])]
            for section in lines(group)
            for row in section
        ]
        parts.append(_table(HEADER, rows, (2, 5)))
        parts += ["", *(f"- {text}" for text in without(group))]
        parts.append("")
    for curve in found.rate_distortion() if rate_distortion else ():
        rows = [[_bold(cell, False) for cell in row] for row in curve_lines(curve)]
        parts += [f"### Rate against distortion: {curve.data}", _table(CURVE, rows, (1, 6)), ""]
    return "\n".join([*parts, *(f"- {note}" for note in found.notes), ""])


def _table(header: tuple[str, ...], rows: list[list[str]], numbers: tuple[int, int]) -> str:
    """Aligned columns; those of numbers, from the first to the last, flush right."""
    widths = [max(3, *(len(row[c]) for row in [header, *rows])) for c in range(len(header))]
    flush = [numbers[0] <= c <= numbers[1] for c in range(len(header))]

    def line(row: list[str] | tuple[str, ...]) -> str:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, flush, strict=True)
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * (width + 1) + (":" if right else "-")
        for width, right in zip(widths, flush, strict=True)
    ]
    return "\n".join([line(header), f"|{'|'.join(rule)}|", *map(line, rows)])


def _bold(cell: str, best: bool) -> str:
    return f"**{cell}**" if best and cell else cell.replace("|", "\\|")


def _figure(found: Comparison) -> bytes:
    from ..plots import to_png
    from ..plots.comparison import comparison

    return to_png(comparison(panels(found), apart(found)))


def _curve(found: Comparison) -> bytes:
    from ..plots import to_png
    from ..plots.rate_distortion import rate_distortion_curves

    return to_png(rate_distortion_curves(found.rate_distortion()))


def panels(found: Comparison) -> list[dict[str, Any]]:
    """What the figure shows: for each quantity that two runs or more have, values and differences.

    Of a run that is held apart from all others there is no difference to draw: its numbers are in
    the table.
    """
    result = []
    for group in found.groups:
        for quantity in group.quantities:
            having = [run for run in group.runs if quantity in run.values]
            if len(having) < 2:
                continue
            rows = []
            for run in having:
                difference = group.difference(run, quantity)
                value, (low, high) = mean_interval(run.values[quantity])
                rows.append(
                    {
                        "name": run.name,
                        "value": value,
                        "value_low": low,
                        "value_high": high,
                        "difference": None if difference is None else difference.mean,
                        "low": None if difference is None else difference.low,
                        "high": None if difference is None else difference.high,
                    }
                )
            title = "−log p(x), of any kind" if quantity.kind == "none" else quantity.title()
            result.append(
                {
                    "group": group.runs[0].target.title(),
                    "title": title,
                    "unit": quantity.unit,
                    "against": group.against(quantity).name,
                    "rows": rows,
                }
            )
    return result


def apart(found: Comparison) -> list[str]:
    """Runs that the figure has no panel of, each with the reason."""
    first = found.groups[0].runs[0].target
    told = []
    for group in found.groups:
        run = group.runs[0]
        if len(group.runs) == 1 and len(found.groups) > 1:
            reason = run.target.apart(first) or "no other run is about the same"
            told.append(f"{run.name} is held apart: {reason}")
    return told
