"""What a demonstration returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
        film: makes the pictures of a film, in their order; None where there is none.
    """

    title: str
    text: str
    numbers: dict[str, float]
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figure: Figure
    settings: dict[str, Any] = field(default_factory=dict)
    film: Callable[[], Iterable[Figure]] | None = None

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
        if self.film is not None:
            parts.insert(3, f"![film]({Path(image).with_suffix('.gif')})")
        parts.append(f"Made by `{command}` ({settings}).")
        return "\n\n".join(parts) + "\n"

    def write(self, folder: str | Path, name: str, command: str) -> list[Path]:
        """Write ``NAME.png``, ``NAME.md``, and ``NAME.gif`` if there is a film.

        Args:
            folder: made if it is not there.
            name: of the files.
            command: as it is typed.

        Returns:
            Their paths.
        """
        from ..plots import save
        from ..plots.mixtures import film

        folder = Path(folder)
        image = save(self.figure, folder / f"{name}.png")
        page = folder / f"{name}.md"
        page.write_text(self.markdown(command, image.name), encoding="utf-8")
        if self.film is None:
            return [image, page]
        return [image, page, film(self.film(), folder / f"{name}.gif")]


def number(value: float, places: int = 2) -> str:
    """With a true minus sign.

    >>> number(-1234.567), number(0.00001234, 3), number(12345.6, 0)
    ('−1,234.57', '1.23e−05', '12,346')
    """
    small = value != 0 and abs(value) < 0.5 * 10.0**-places
    text = f"{value:.{max(places - 1, 1)}e}" if small else f"{value:,.{places}f}"
    return text.replace("-", "−")
