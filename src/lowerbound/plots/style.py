"""One look for every figure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, MUTED, RULE = "#1f2430", "#667085", "#d9dde5"
# Okabe and Ito's colours, told apart with any colour vision, and three more for ten classes.
CLASSES = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#8a8f98",
    "#1f2430",
    "#d6c400",
    "#6a3d9a",
)
# What is learnt from, what is held out, what the model draws.
TRAIN, HELD_OUT, MODEL = "#8fa3bf", "#0072b2", "#d55e00"
_DPI = 160


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """A figure in inches, with its title at the left where reading starts."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(plain(title), x=0.012, ha="left", fontsize=11, fontweight="bold", color=INK)
    return figure


def style(axes: Axes, *, xlabel: str = "", ylabel: str = "", title: str = "") -> Axes:
    """Two spines, quiet ticks, a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3, color=RULE)
    axes.grid(True, color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(xlabel, fontsize=9.5, color=INK)
    axes.set_ylabel(ylabel, fontsize=9.5, color=INK)
    if title:
        axes.set_title(title, fontsize=10, color=INK, loc="left")
    return axes


def legend(axes: Axes, **options: Any) -> None:
    """A legend without a frame."""
    axes.legend(**{"frameon": False, "fontsize": 8.5, "labelcolor": INK, **options})


def plain(text: str) -> str:
    """A user's own words: a dollar is no formula, and a legend skips what begins with a stroke."""
    return ("\u200a" if text.startswith("_") else "") + text.replace("$", r"\$")


def to_png(figure: Figure) -> bytes:
    """The figure as PNG. The same figure gives the same bytes."""
    if figure.get_layout_engine() is not None:
        # Every drawing moves the layout on by a little; it is settled once.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure as PNG, making folders on the way."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_png(figure))
    return path
