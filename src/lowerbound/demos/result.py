"""What a demonstration returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Demonstration:
    """Numbers, a table and a figure.

    Attributes:
        title: what is shown.
        text: what was done, in a few sentences.
        numbers: the claim's numbers, by name; nats where the name says nothing else.
        header: of the table, with units.
        rows: of the table, one string for each column.
        figure: the figure.
        settings: sizes and the seed.
    """

    title: str
    text: str
    numbers: dict[str, float]
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figure: Figure
    settings: dict[str, Any] = field(default_factory=dict)

    def table(self) -> str:
        """The table in Markdown."""
        rule = tuple("---" if place == 0 else "---:" for place in range(len(self.header)))
        lines = [self.header, rule, *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

    def markdown(self, command: str, image: str) -> str:
        """A page: text, figure, table, and the command that made them.

        Args:
            command: as it is typed.
            image: the figure's file, from the page.
        """
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        parts = [f"# {self.title}", self.text, f"![{self.title}]({image})", self.table()]
        parts.append(f"Made by `{command}` ({settings}).")
        return "\n\n".join(parts) + "\n"

    def write(self, folder: str | Path, name: str, command: str) -> list[Path]:
        """Write ``NAME.png`` and ``NAME.md``.

        Args:
            folder: made if it is not there.
            name: of the two files.
            command: as it is typed.

        Returns:
            Their paths.
        """
        from ..plots import save

        folder = Path(folder)
        image = save(self.figure, folder / f"{name}.png")
        page = folder / f"{name}.md"
        page.write_text(self.markdown(command, image.name), encoding="utf-8")
        return [image, page]


def number(value: float, places: int = 2) -> str:
    """With a true minus sign.

    >>> number(-1234.567), number(0.00001234, 3), number(12345.6, 0)
    ('−1,234.57', '1.23e−05', '12,346')
    """
    small = value != 0 and abs(value) < 0.5 * 10.0**-places
    text = f"{value:.{max(places - 1, 1)}e}" if small else f"{value:,.{places}f}"
    return text.replace("-", "−")
