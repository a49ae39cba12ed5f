"""Lines of tables for people: numbers with units, and no more figures than they have."""

from __future__ import annotations

import math
from typing import NamedTuple


class Row(NamedTuple):
    """A line of the table for people."""

    quantity: str
    value: str
    unit: str
    kind: str
    note: str


def of_what(text: str, given: str | None) -> str:
    """A text about p(x) as one about what a conditional model has: p(x | label).

    >>> of_what("−log p(x)", "label"), of_what("−log p(x)", "rest"), of_what("−log p(x)", None)
    ('−log p(x | label)', '−log p(hidden | rest)', '−log p(x)')
    """
    if given is None:
        return text
    what = f"hidden | {given}" if given == "rest" else f"x | {given}"
    return text.replace("p(x)", f"p({what})").replace("P(x)", f"P({what})")


def count(dimensions: float | None, what: str) -> str:
    """
    >>> count(32.0, "numbers"), count(11.73, "numbers")
    ('32 numbers', '11.7 numbers on average')
    """
    if dimensions is None:
        return what
    whole = float(dimensions).is_integer()
    return f"{dimensions:,.0f} {what}" if whole else f"{dimensions:,.1f} {what} on average"


def number(value: float | None) -> str:
    """Four figures and more, but no false precision: 87.12, 0.0134, 1,234.5.

    >>> number(87.1234), number(0.013412), number(1234.56), number(None)
    ('87.12', '0.01341', '1,234.6', '–')
    """
    if value is None or not math.isfinite(value):
        return "–" if value is None else str(value).replace("-", "−")
    size = abs(value)
    text = f"{value:,.1f}" if size >= 1000 else f"{value:.2f}" if size >= 1 else f"{value:.4g}"
    return text.replace("-", "−")


def with_error(value: float, error: float | None) -> str:
    """As many decimals of the value as its error has in two figures: 87.12 ± 0.24.

    >>> with_error(87.1234, 0.2412), with_error(-1234.5, 31.7), with_error(0.5, None)
    ('87.12 ± 0.24', '−1,234 ± 32', '0.5')
    """
    if error is None or not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return number(value)
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")
