"""How training went, and what the code is used for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import HELD_OUT, INK, MUTED, RULE, TRAIN, legend, new_figure, style

# Shown in this order where the metrics have them; sign and name as they are to be read.
_QUANTITIES = {
    "log_likelihood": (-1, "−log p(x)", "nats per example"),
    "bound": (-1, "−bound", "nats per example"),
    "distortion": (1, "distortion", "nats per example"),
    "rate": (1, "rate", "nats per example"),
    "squared_error": (1, "squared error", "per example"),
    "code_log_density": (1, "log density of codes", "nats per code"),
}
# Beside them, or beside a loss that is no likelihood.
_BESIDE = {
    "accuracy": (1, "accuracy", "share"),
    "modes": (1, "modes covered", ""),
    "in_modes": (1, "samples in a mode", "share"),
}
_SPLITS = {"train": ("training", TRAIN), "held out": ("held out", HELD_OUT)}


_LEAST_POINTS = 3  # fewer are no curve


def worth_curves(metrics: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there is a curve to draw: three reports or more, of one split, and what to show."""
    lines = [line for line in metrics if line.get("epoch") is not None]
    counts: dict[str, int] = {}
    for line in lines:
        if any(_is_number(line.get(quantity)) for quantity in (*_QUANTITIES, "loss")):
            split = "train" if line.get("split", "train") == "train" else "held out"
            counts[split] = counts.get(split, 0) + 1
    return max(counts.values(), default=0) >= _LEAST_POINTS


def learning_curves(metrics: Iterable[Mapping[str, Any]], title: str = "Learning curves") -> Figure:
    """Bound, rate and distortion over training, on training and on held-out data.

    What the run has no numbers for is left out; an autoencoder gets its squared error. The first
    steps, which would press the rest flat, may leave the frame at the top.

    Args:
        metrics: lines of ``metrics.jsonl``: ``epoch``, ``split``, and the quantities, by names
            without their phase; of several players without a bound ``"<player> loss"``.
        title: what is shown.
    """
    lines = [line for line in metrics if line.get("epoch") is not None]
    shown = [q for q in _QUANTITIES if any(_is_number(line.get(q)) for line in lines)]
    more = [q for q in _BESIDE if any(_is_number(line.get(q)) for line in lines)]
    shown = shown or _losses(lines)
    shown += more
    figure = new_figure(max(4.2, 3.3 * len(shown)), 3.1, title)
    for i, quantity in enumerate(shown):
        sign, name, unit = (_QUANTITIES | _BESIDE).get(quantity, (1, quantity, ""))
        axes = style(figure.add_subplot(1, len(shown), i + 1), xlabel="epoch", title=name)
        axes.set_ylabel(unit, fontsize=9, color=MUTED)
        late = []
        for split, (label, colour) in _SPLITS.items():
            points = [
                (line["epoch"], sign * line[quantity])
                for line in lines
                if _is_number(line.get(quantity))
                and (line.get("split", "train") == "train") == (split == "train")
            ]
            if not points:
                continue
            x, y = np.asarray(sorted(points, key=lambda p: p[0]), float).T
            marker = "o" if len(x) < 30 else None
            width = 1.2 if split == "train" else 1.9
            axes.plot(x, y, color=colour, label=label, linewidth=width, marker=marker, ms=3)
            late.append(y[x >= 0.05 * x.max()])
            if x.max() >= 4:
                axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _frame(axes, np.concatenate(late) if late else np.zeros(0))
        if i == 0:
            legend(axes)
    return figure


def _losses(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The losses of the players, in the order in which they come; the loss where there is one."""
    numbers = [name for line in lines for name, value in line.items() if _is_number(value)]
    players = [name for name in dict.fromkeys(numbers) if name.endswith(" loss")]
    return players or (["loss"] if "loss" in numbers else [])


def latent_usage(
    kl_per_dimension: Sequence[float],
    active_units: int | None = None,
    title: str = "Rate of each code dimension",
) -> Figure:
    """The rate's parts, the largest first: which dimensions of the code carry something.

    Args:
        kl_per_dimension: KL(q(z_j|x) || p(z_j)) averaged over the data, nats, ``(latent,)``.
        active_units: how many move with the data (variance of the posterior mean above 0.01).
        title: what is shown.
    """
    parts = np.sort(np.asarray(kl_per_dimension, float))[::-1]
    figure = new_figure(5.8, 3.8, title)
    axes = style(figure.add_subplot(), xlabel="code dimension, by rate", ylabel="rate (nats)")
    axes.grid(False, axis="x")
    place = np.arange(1, len(parts) + 1)
    active = len(parts) if active_units is None else active_units
    axes.bar(place, parts, color=np.where(place <= active, HELD_OUT, RULE).tolist(), width=0.82)
    axes.set_xlim(0.3, len(parts) + 0.7)
    # Ticks at whole dimensions alone: a locator has no whole steps between 0.3 and 1.7.
    step = max(1, round(len(parts) / 8))
    axes.set_xticks([place for place in range(1, len(parts) + 1) if place % step == 0 or step == 1])
    text = f"{parts.sum():.2f} nats together"
    if active_units is not None:
        text = f"{active_units} of {len(parts)} active, " + text
    place_at: dict[str, Any] = {"ha": "right", "va": "bottom", "transform": axes.transAxes}
    axes.text(0.99, 1.01, text, fontsize=9.5, color=INK, **place_at)  # above the bars
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _frame(axes: Any, late: np.ndarray) -> None:
    """Scale to all but the first twentieth of training."""
    if late.size < 2 or late.max() <= late.min():
        return
    margin = 0.06 * (late.max() - late.min())
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, late.min() - margin), min(high, late.max() + margin))
