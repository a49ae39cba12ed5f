"""A comparison as Markdown, as a page that opens alone, or as JSON."""

from __future__ import annotations

import base64
import json
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LowerboundError
from ..training.checkpoint import write_whole
from .rows import HEADER, lines, without

if TYPE_CHECKING:
    from .compare import Comparison, Group

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


def write(found: Comparison, out: str | Path) -> list[Path]:
    """Write a comparison.

    Args:
        found: the comparison.
        out: .html (with the figure in it), .md (with the figure beside it), .json, or .png (the
            figure alone).

    Returns:
        The files.

    Raises:
        LowerboundError: another ending, or it cannot be written.
    """
    refuse_name(out)
    path = Path(out).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    if path.suffix == ".json":
        write_whole(path, json.dumps(found.to_json(), indent=2, ensure_ascii=False).encode())
        return [path]
    picture = _figure(found)
    if path.suffix == ".png":
        write_whole(path, picture)
        return [path]
    if path.suffix == ".html":
        write_whole(path, page(found, picture).encode())
        return [path]
    beside = path.with_suffix(".png")
    write_whole(beside, picture)
    text = f"{markdown(found)}\n![values and paired differences]({beside.name})\n"
    write_whole(path, text.encode())
    return [path, beside]


def markdown(found: Comparison) -> str:
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
        parts.append(_table(rows))
        parts += ["", *(f"- {text}" for text in without(group))]
        parts.append("")
    return "\n".join([*parts, *(f"- {note}" for note in found.notes), ""])


def page(found: Comparison, picture: bytes) -> str:
    """One HTML page: no script, no network, no files beside it."""
    style = files("lowerbound").joinpath("report.css").read_text("utf-8")
    names = ", ".join(run.name for run in found.runs)
    image = base64.b64encode(picture).decode("ascii")
    notes = "".join(f'<p class="small">{escape(note)}</p>' for note in found.notes)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Comparison of {escape(names)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<header><h1>Comparison</h1>"
        f'<p class="note">{escape(names)}</p></header>\n'
        + "\n".join(_section(group) for group in found.groups)
        + '\n<section>\n<h2>Values and paired differences</h2>\n<div class="pictures one">'
        f'<figure class="full"><img alt="values and paired differences" '
        f'src="data:image/png;base64,{image}"></figure></div>{notes}</section>\n'
        "</main>\n</body>\n</html>\n"
    )


def _section(group: Group) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADER)
    body = ""
    for section in lines(group):
        for row in section:
            cells = ""
            for place, cell in enumerate(row[:7]):
                text = f"<strong>{escape(cell)}</strong>" if row.best and place in (1, 2) else ""
                kind = ' class="number"' if 2 <= place <= 5 else ""
                cells += f"<td{kind}>{text or escape(cell)}</td>"
            body += f"<tr>{cells}</tr>"
    reasons = "".join(f'<p class="note">{escape(text)}</p>' for text in group.apart)
    beside = "".join(f'<p class="small">{escape(text)}</p>' for text in without(group))
    return (
        f"<section>\n<h2>{escape(group.runs[0].target.title())}</h2>{reasons}"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{beside}</section>"
    )


def _table(rows: list[list[str]]) -> str:
    header = [*HEADER]
    widths = [max(3, *(len(row[c]) for row in [header, *rows])) for c in range(len(header))]
    flush = [2 <= c <= 5 for c in range(len(header))]

    def line(row: list[str]) -> str:
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

    return to_png(comparison(panels(found)))


def panels(found: Comparison) -> list[dict]:
    """What the figure shows: for each group and quantity, values and differences of runs."""
    result = []
    for group in found.groups:
        for quantity in group.quantities:
            having = [run for run in group.runs if quantity in run.values]
            if not having or (len(having) == 1 and len(found.runs) > 1 and not group_alone(group)):
                continue
            rows = []
            for run in having:
                values = run.values[quantity]
                n = len(values)
                difference = group.difference(run, quantity)
                rows.append(
                    {
                        "name": run.name,
                        "value": float(values.mean()),
                        "error": float(values.std(ddof=1)) / n**0.5 if n > 1 else 0.0,
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


def group_alone(group: Group) -> bool:
    """Whether a group is of one run, which then stands by itself."""
    return len(group.runs) == 1
