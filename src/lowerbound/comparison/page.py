"""A comparison as a page that opens alone."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from .rows import CURVE, HEADER, curve_lines, lines, without

if TYPE_CHECKING:
    from ..evaluation.rate_distortion import RateDistortion
    from .compare import Comparison, Group

#: Beside the style of reports. A quantity stands over its lines, lest its long name push the
#: differences out of sight, and only what is best is bold.
_STYLE = """
.compared { min-width: 40rem; }
.compared td, .compared th { white-space: nowrap; padding-right: .9rem; }
.compared .number { font-weight: 400; text-align: right; }
.compared td:first-child, .compared td:last-child { white-space: normal; overflow-wrap: anywhere; }
.compared th:nth-child(2) { text-align: right; }
.compared .quantity th {
  padding-top: 1.1rem; font-size: .95rem; font-weight: 600; color: var(--ink); text-align: left;
}
.compared .best td { background: var(--tint); }
.curve { max-width: 40rem; }
.compared strong { font-weight: 700; color: var(--accent); }
"""


def page(found: Comparison, picture: bytes, curve: bytes | None = None) -> str:
    """One HTML page: no script, no network, no files beside it.

    Args:
        found: the comparison.
        picture: of values and differences, a PNG.
        curve: of rate against distortion, a PNG; None leaves that part out.
    """
    style = files("lowerbound").joinpath("report.css").read_text("utf-8") + _STYLE
    names = ", ".join(run.name for run in found.runs)
    notes = "".join(f'<p class="small">{escape(note)}</p>' for note in found.notes)
    sections = [_section(group) for group in found.groups]
    sections.append(_pictured("Values and paired differences", picture, notes))
    if curve is not None:
        tables = "".join(map(_curve, found.rate_distortion()))
        sections.append(_pictured("Rate against distortion", curve, tables))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Comparison of {escape(names)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<header><h1>Comparison</h1>"
        f'<p class="note">{escape(names)}</p></header>\n'
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(group: Group) -> str:
    head = _heads(HEADER[1:])
    body = ""
    for section in lines(group):
        body += f'<tr class="quantity"><th colspan="6">{escape(section[0].quantity)}</th></tr>'
        for row in section:
            cells = ""
            for place, cell in enumerate(row[1:7], 1):
                text = f"<strong>{escape(cell)}</strong>" if row.best and place in (1, 2) else ""
                kind = ' class="number"' if 2 <= place <= 5 else ""
                cells += f"<td{kind}>{text or escape(cell)}</td>"
            body += f"<tr{' class=best' if row.best else ''}>{cells}</tr>"
    reasons = "".join(f'<p class="note">{escape(text)}</p>' for text in group.apart)
    beside = "".join(f'<p class="small">{escape(text)}</p>' for text in without(group))
    title = escape(group.runs[0].target.title())
    return f"<section>\n<h2>{title}</h2>{reasons}{_table(head, body)}{beside}</section>"


def _curve(curve: RateDistortion) -> str:
    body = ""
    for row in curve_lines(curve):
        cells = "".join(
            f"<td{' class=number' if 1 <= place <= 6 else ''}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        body += f"<tr>{cells}</tr>"
    return f"<h2>{escape(curve.data)}</h2>{_table(_heads(CURVE), body)}"


def _heads(names: tuple[str, ...]) -> str:
    """Headings; those over numbers, all but the first and the last, are flush with them."""
    last = len(names) - 1
    return "".join(
        f"<th{' class=number' if 0 < place < last else ''}>{escape(name)}</th>"
        for place, name in enumerate(names)
    )


def _table(head: str, body: str) -> str:
    return (
        f'<div class="wide"><table class="compared"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _pictured(title: str, picture: bytes, below: str) -> str:
    image = base64.b64encode(picture).decode("ascii")
    kind = "full" if title.startswith("Values") else "full curve"
    return (
        f'<section>\n<h2>{title}</h2>\n<div class="pictures one"><figure class="{kind}">'
        f'<img alt="{title.lower()}" src="data:image/png;base64,{image}"></figure></div>'
        f"{below}</section>"
    )
