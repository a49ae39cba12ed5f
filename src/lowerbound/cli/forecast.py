"""The verbs ``forecast`` and ``belief``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from lowerbound.options import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowerbound.forecasting import Believed, Forecasted

_SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def forecast(
    run: str,
    /,
    *,
    from_: str | None = None,
    horizon: Annotated[int, Span(min=1, unit="steps")] = 50,
    samples: Annotated[int, Span(min=1, unit="paths")] = 20,
    at: Annotated[int | None, Span(min=1, unit="steps")] = None,
    jump: Annotated[int | None, Span(min=1, unit="steps")] = None,
    n: Annotated[int, Span(min=1, unit="sequences")] = 4,
    level: Annotated[float, Span(min=0, max=1, open=True)] = 0.9,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    json: bool = False,
) -> None:
    """How sequences may go on: mean, interval and sampled paths, of a run of sequences.

    Args:
        from_: what to go on from: a table (.csv), an array (.npy) or a .gif of one sequence, a
            folder, or the number of a held-out one; by default the first held-out ones, of which
            the last steps are kept to compare with.
        horizon: so many steps ahead.
        samples: paths.
        at: give so many steps; the forecast is drawn over those that follow.
        jump: go ahead by so many steps at once, and reach those between from the last landing; 1
            goes step by step. The default is the usual jump that td-vae was trained on.
        n: sequences at most.
        level: share of the data that the interval is to hold.
        out: file to write: .png, .csv (mean, interval and paths), .npy (all paths) or, of frames,
            .gif; the default is forecast.png among the run's pictures (of frames forecast.gif
            beside it).
        seed: of the draws.
        json: print the forecast as JSON.
    """
    from lowerbound import console, forecasting
    from lowerbound.forecast_files import write_forecast

    opened, _ = forecasting.opened(run)
    found = forecasting.forecast(
        opened, from_, horizon=horizon, samples=samples, at=at, jump=jump, n=n, level=level,
        seed=seed,
    )  # fmt: skip
    default = opened.pictures / "forecast.png"
    paths = [write_forecast(out or default, opened, found)]
    if out is None and found.past.ndim == 5:
        paths.append(write_forecast(default.with_suffix(".gif"), opened, found))
    if json:
        console.emit({**found.to_json(), "out": [str(path) for path in paths]})
        return
    if found.past.ndim == 3:
        _ahead(found)
    if found.total > len(found.names):
        console.note(f"the first {len(found.names)} of {found.total} sequences; pass -n for more")
    for path in paths:
        console.line(str(path))


def belief(
    run: str,
    series: str | None = None,
    /,
    *,
    samples: Annotated[int, Span(min=2, unit="draws a step")] = 256,
    n: Annotated[int, Span(min=1, unit="sequences")] = 4,
    level: Annotated[float, Span(min=0, max=1, open=True)] = 0.9,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    json: bool = False,
) -> None:
    """What is believed at each step of sequences, what stood in gaps, and how odd each step is.

    Args:
        samples: for each step.
        n: sequences at most.
        level: share of the data that intervals are to hold.
        out: file to write: .png (the first sequence), .csv (all of it) or .npy (the data, gaps
            filled); the default is belief.png among the run's pictures.
        seed: of the draws.
        json: print it as JSON.
    """
    from lowerbound import console, forecasting
    from lowerbound.forecast_files import write_belief

    opened, _ = forecasting.opened(run)
    found = forecasting.belief(opened, series, samples=samples, n=n, level=level, seed=seed)
    path = write_belief(out or opened.pictures / "belief.png", opened, found)
    if json:
        console.emit({**found.to_json(), "out": str(path)})
        return
    _scores(found)
    console.line(str(path))


def _ahead(found: Forecasted) -> None:
    """The first sequence's forecast at a few horizons."""
    from lowerbound import console
    from lowerbound.data.cells import dates_of

    horizon = found.mean.shape[1]
    table = _table(f"{found.names[0]}, {found.given[0]} steps given")
    table.add_column("steps ahead", justify="right")
    dates = dates_of(found.times[0]) if found.dated else None
    if dates:
        table.add_column("date", no_wrap=True)
    for name in found.columns:
        table.add_column(name, justify="right")
        table.add_column(f"central {found.level:.0%}", justify="right", no_wrap=True)
        if found.truth.shape[1]:
            table.add_column("came", justify="right")
    shown = [_digits(found.high[0, :, i] - found.low[0, :, i]) for i in range(len(found.columns))]
    for step in sorted({*(s for s in _SHOWN if s <= horizon), horizon}):
        cells = [str(step), *([str(dates[step - 1])] if dates else [])]
        for column, number in enumerate(shown):
            at = (0, step - 1, column)
            cells += [
                number(found.mean[at]),
                f"{number(found.low[at])} to {number(found.high[at])}",
            ]
            if found.truth.shape[1]:
                cells.append(number(found.truth[at]) if step <= found.truth.shape[1] else "–")
        table.add_row(*cells)
    console.out().print(table)


def _digits(widths: Any) -> Callable[[float], str]:
    """How numbers are written whose intervals are so wide: to a hundredth of the median or finer.

    >>> write = _digits([740.0, 500.0])
    >>> write(101_324.8), write(float("nan")), _digits([0.05])(1.23456)
    ('101,325', '–', '1.2346')
    """
    width = sorted(float(each) for each in widths)[len(widths) // 2]
    places = 2 - math.floor(math.log10(width)) if 0.0 < width < math.inf else 3
    if places > 6:
        return lambda value: f"{value:.3g}"
    return lambda value: "–" if math.isnan(value) else f"{value:,.{max(places, 0)}f}"


def _scores(found: Believed) -> None:
    """The oddest steps."""
    import numpy as np

    from lowerbound import console
    from lowerbound.data.cells import dates_of

    known = np.argwhere(~np.isnan(found.score))
    order = np.argsort(-found.score[tuple(known.T)])[:5]
    table = _table("oddest steps")
    for name in ("sequence", "step", *(["date"] if found.dated else []), "−log p, nats"):
        table.add_column(name, justify="right")
    for row, step in known[order]:
        dates = dates_of(found.times[row])[step : step + 1] if found.dated else []
        score = f"{found.score[row, step]:.2f}"
        table.add_row(found.names[row], str(step), *map(str, dates), score)
    console.out().print(table)
    console.note(f"{len(known):,} known steps; {_gaps(found)}")


def _gaps(found: Believed) -> str:
    return f"{found.missing:,} missing numbers filled" if found.missing else "nothing is missing"


def _table(title: str):
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
