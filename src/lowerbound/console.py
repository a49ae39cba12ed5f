"""What a person sees: a progress bar fed by events, tables, one-line errors.

Reports go to stdout; progress, notes and errors to stderr, so that ``--json`` and pipes stay clean.
Where stderr is no terminal the bar becomes a plain line now and then.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lowerbound.plain import finite
from lowerbound.training.events import Finished, HeldOut, Progress, Started
from lowerbound.training.units import without_phase

if TYPE_CHECKING:
    from lowerbound.data import Data
    from lowerbound.evaluation import Evaluation

# Without a terminal: a line each tenth of the run, but not more often than this, and one now and
# then even if a tenth takes an hour.
_LEAST_SECONDS, _MOST_SECONDS = 1.0, 10.0
_TWICE = ("bits/dim",)  # units in which a quantity is told a second time

# What a step's values are called.
_VALUES = {
    "log_likelihood": "log p(x)",
    "bound": "ELBO",
    "iwae": "IWAE bound",
    "squared_error": "squared error",
    "rate": "rate",
    "distortion": "distortion",
    "masked_token": "−log p(masked token)",
    "hidden_error": "squared error of what was hidden",
    "code_log_density": "log density of codes",
    "gain": "gain of the fitted prior",
    "usage": "entries in use",
    "perplexity": "perplexity",
    "commitment": "distance to the codebook",
    "modes": "modes covered",
    "in_modes": "samples in a mode",
    "loss": "loss",
    # What a closed form or expectation maximization tells of its answer.
    "sigma2": "noise variance σ²",
    "explained_variance": "variance explained",
    "smallest_weight": "smallest weight",
    "at_floor": "components at the variance floor",
    "reseeded": "empty components placed anew",
}
# And where it is another quantity than others of that name: by the phase and its part.
_OF_PHASE = {"td/bound": "bound over jumps"}  # of predictions; evaluate's is of whole sequences
_SHARES = ("explained_variance", "usage", "in_modes")
_COUNTS = ("at_floor", "reseeded", "modes")
_WATCHED = ("modes", "in_modes")
_HEADLINES = (
    *("log_likelihood", "iwae", "bound", "masked_token", "hidden_error", "squared_error"),
    *("code_log_density", "loss"),
)
_NATS = ("log_likelihood", "bound", "iwae", "rate", "distortion", "masked_token", "gain")


def out() -> Console:
    """The console of reports. Made anew each time: tests and notebooks exchange ``sys.stdout``."""
    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)


def err() -> Console:
    """The console of progress, notes and errors."""
    return Console(file=sys.stderr, highlight=False, emoji=False, markup=False)


def error(message: str) -> None:
    """One line ``error: …`` on stderr."""
    line = " ".join(message.split())
    err().print(Text.assemble(("error:", "bold red"), " ", line), soft_wrap=True)


def note(message: str) -> None:
    """One line on stderr."""
    err().print(message, soft_wrap=True)


def line(message: str) -> None:
    """One line on stdout, never broken: paths can be copied."""
    out().print(message, soft_wrap=True)


def emit(report: Mapping[str, Any]) -> None:
    """A report as JSON on stdout; what is no number (nan, infinity) becomes null."""
    sys.stdout.write(json.dumps(finite(report), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def inspection(data: Data, console: Console | None = None) -> None:
    """What was found in data, and what was chosen because of it.

    Args:
        data: as :func:`lowerbound.data.load` returns it.
        console: where to; None is stdout.
    """
    table = _table("", show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in data.facts.lines():
        table.add_row(name, text)
    table.add_section()
    for name, text in data.spec.lines(data.asked):
        table.add_row(name, text)
    (console or out()).print(table)


def files(run: Path, pictures: Sequence[Path]) -> None:
    """Where a run and its pictures lie, one path a line."""
    line(f"run       {run}")
    for place, picture in enumerate(pictures):
        line(f"{'' if place else 'pictures':10}{picture}")


def recipes(rows: Iterable[tuple[str, str, str]]) -> None:
    """A table of recipes: name, summary, paper."""
    table = _table("")
    table.add_column("recipe", style="bold", no_wrap=True)
    table.add_column("what it is")
    table.add_column("paper", style="dim")
    for row in rows:
        table.add_row(*row)
    out().print(table)


def evaluation(result: Evaluation) -> None:
    """The table of an evaluation: −log p(x) with its kind first."""
    table = _table(result.title())
    table.add_column("quantity", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    notes = Table.grid(padding=(0, 2))
    notes.add_column(style="dim", no_wrap=True)
    notes.add_column(style="dim", overflow="fold")
    said = []
    for name, rows in [("", result.table()), *((s.name, s.rows()) for s in result.sections)]:
        if name:
            table.add_section()
            table.add_row(Text(name, style="bold"), "", "", "")
            notes.add_row("", "")
        for row in rows:
            table.add_row(row.quantity, row.value, row.unit, row.kind)
            if row.note:
                notes.add_row(
                    f"  {row.quantity}, {row.unit}" if row.unit in _TWICE else f"  {row.quantity}",
                    row.note,
                )
        said += [note for s in result.sections if s.name == name for note in s.notes]
    console = out()
    console.print(table)
    console.print(notes)
    for text in said:
        console.print(Text(f"  {text}", style="dim"), soft_wrap=False)


def _table(title: str, **style: Any) -> Table:
    return Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE, **style
    )


class Follow:
    """Shows the events of training as they come: a context manager, called with each event.

    The data are an event too: a :class:`~lowerbound.data.Data`, once what fits them is chosen.

    Attributes:
        finished: the event that ended training, None before.

    >>> with Follow() as follow:
    ...     follow(object())  # an event it does not know is passed over
    """

    def __init__(self) -> None:
        self.console = err()
        self.finished: Finished | None = None
        self._live: _Live | None = None
        self._total: int | None = None
        self._held_out = ""
        self._phase = ""
        self._spoke = time.monotonic()
        self._tenth = 0

    def __enter__(self) -> Follow:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def __call__(self, event: Any) -> None:
        """Show one event."""
        match event:
            case Started():
                self._start(event)
            case Progress():
                self._progress(event)
            case HeldOut():
                self._held_out = held_out_line(event, self._phase)
            case Finished():
                self._finish(event)
            case str():
                self.console.print(event, soft_wrap=True)
            case _ if hasattr(event, "facts"):  # a Data; naming its class here would import numpy
                inspection(event, self.console)

    def _start(self, event: Started) -> None:
        self._total = event.total_steps
        self._phase = event.phases[0] if len(event.phases) == 1 else ""
        reasons = event.resolved.get("why", {})
        for name, choice in event.resolved.items():
            if name == "why":
                continue
            shown = ("no", "yes")[choice] if isinstance(choice, bool) else choice
            reason = f" - {reasons[name]}" if name in reasons else ""
            self.console.print(f"  {name.replace('_', ' '):<14}{shown}{reason}", soft_wrap=True)
        if self.console.is_terminal:
            self._live = _Live(self.console)

    def _progress(self, event: Progress) -> None:
        share = share_done(event, self._total)
        lines = (
            progress_line(event, self._total),
            values_line(event, self._held_out, self._phase),
        )
        if self._live is not None:
            self._live.update(share, *lines)
        elif self._due(share):
            self.console.print("  ".join(part for part in lines if part), soft_wrap=True)

    def _finish(self, event: Finished) -> None:
        self._stop()
        self.finished = event
        values = "  ".join(_quantity(name, value) for name, value in event.values.items())
        text = f"{event.reason} at step {event.step:,} after {duration(event.seconds)}"
        parts = [part for part in (text, values, self._held_out) if part]
        self.console.print("  ".join(parts), soft_wrap=True)

    def _due(self, share: float) -> bool:
        """Whether a plain line is due."""
        now, tenth = time.monotonic(), int(share * 10)
        since = now - self._spoke
        if since < _LEAST_SECONDS or (since < _MOST_SECONDS and tenth == self._tenth):
            return False
        self._spoke, self._tenth = now, tenth
        return True

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


class _Live:
    """A terminal's progress bar with a line of values under it."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(BarColumn(bar_width=24), TextColumn("{task.description}"), console=console)
        self.task = self.bar.add_task("", total=1.0)
        self.values = Text(no_wrap=True, overflow="ellipsis")
        shown = Group(self.bar, self.values)
        self.live = Live(shown, console=console, refresh_per_second=8)
        self.live.start()

    def update(self, share: float, progress: str, values: str) -> None:
        self.bar.update(self.task, completed=share, description=progress)
        self.values.plain = values

    def stop(self) -> None:
        self.live.stop()


class Count:
    """A bar for work that is counted, on a terminal's stderr: a context manager, called with
    (done, in all). It shows at the first call: what is refused before is one line."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._begun = False
        self._since = self._spoke = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Count:
        return self

    def _begin(self) -> None:
        self._begun, console = True, err()
        if not console.is_terminal:
            console.print(f"{self.what} …")
        else:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:,.0f}/{task.total:,} examples"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task(self.what, total=1)
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage(self, what: str) -> None:
        """Say what is counted from now on."""
        self.what = what
        self._since = self._spoke = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, description=what, completed=0)
        elif self._begun:
            err().print(f"{what} …")

    def __call__(self, done: float, total: int) -> None:
        """Show how far it is; where that is no terminal, a line now and then."""
        if not self._begun:
            self._begin()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._spoke > _MOST_SECONDS and 0 < done < total:
            self._spoke = time.monotonic()
            left = (self._spoke - self._since) * (total - done) / done
            text = f"{done:,.0f}/{total:,}, {duration(left)} left"
            err().print(f"{self.what}: {text}", soft_wrap=True)


def share_done(event: Progress, total: int | None) -> float:
    """The share of a run that is done, by its steps or, where the clock decides, by its time."""
    if total:
        return min(event.step / total, 1.0)
    whole = event.seconds + event.remaining
    return event.seconds / whole if 0 < whole < math.inf else 0.0


def progress_line(event: Progress, total: int | None) -> str:
    """How far, how fast, how long still.

    >>> event = Progress(1200, 2.4, 60.0, 75.0, 52310.0, 1e-3, {"loss": 90.0})
    >>> progress_line(event, 5000)
    'step 1,200/5,000  epoch 2.4  52,310 examples/s  1:15 left'
    """
    steps = f"step {event.step:,}" + (f"/{total:,}" if total else "")
    parts = [steps, f"epoch {event.epoch:.1f}", f"{event.examples_per_second:,.0f} examples/s"]
    if math.isfinite(event.remaining):
        parts.append(f"{duration(event.remaining)} left")
    return "  ".join(parts)


def values_line(event: Progress, held_out: str = "", phase: str = "") -> str:
    """The bound with its kind and its parts, in nats per example, and what was held out.

    Args:
        event: what is reported.
        held_out: a line on held-out data, to end with.
        phase: the name of the only phase, where there is one.

    >>> event = Progress(1, 0.0, 1.0, 1.0, 1.0, 1e-3, {"loss": 90.0, "bound": -90.0, "rate": 20.0})
    >>> values_line(event)
    'ELBO −90.00 nats  rate 20.00 nats'
    >>> values_line(event, phase="td")
    'bound over jumps −90.00 nats  rate 20.00 nats'
    """
    values = without_phase(event.values)
    name = headline(values)
    shown = [name, *(key for key in ("rate", "distortion") if key in values)]
    parts = [_quantity(key, values[key], phase) for key in shown if key is not None]
    if name == "loss":
        parts = _losses(event.values) or parts
    return "  ".join([*parts, held_out] if held_out else parts)


def held_out_line(event: HeldOut, phase: str = "") -> str:
    """The headline of a held-out report; with the name of the only phase, where there is one.

    >>> held_out_line(HeldOut(1, 1.0, 2.0, "test", 360, {"bound": -91.5}, best=True))
    'held out (test): ELBO −91.50 nats'
    """
    values = without_phase(event.values)
    name = headline(values)
    # A model of each training example by itself has nothing to say of others while it trains.
    where = "training examples" if event.split == "train" else f"held out ({event.split})"
    if name is None:
        return ""
    told = (_losses(event.values) if name == "loss" else []) or [
        _quantity(name, values[name], phase)
    ]
    told += [_quantity(each, values[each]) for each in _WATCHED if each in values]
    return f"{where}: {'  '.join(told)}"


def _losses(values: Mapping[str, float]) -> list[str]:
    """The losses of several players, each with the player's name and its accuracy, where it judges;
    none of a single one.

    >>> _losses({"critic/loss": 0.69, "critic/accuracy": 0.523, "generator/loss": 1.25})
    ['critic loss 0.69, accuracy 52.3 %', 'generator loss 1.25']
    """
    players = [name for name in values if name.endswith("/loss")]
    if len(players) < 2:
        return []
    found = []
    for name in players:
        accuracy = values.get(name.replace("/loss", "/accuracy"))
        of = "" if accuracy is None else f", accuracy {100 * accuracy:.1f} %"
        found.append(f"{name.replace('/', ' ')} {_number(values[name])}{of}")
    return found


def headline(values: Mapping[str, float]) -> str | None:
    """Which of a step's values stands for the run: the tightest bound it has, else an error.

    >>> headline({"loss": 90.0, "bound": -90.0, "rate": 20.0})
    'bound'
    """
    return next((name for name in _HEADLINES if name in values), None)


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(3.2), duration(75), duration(3 * 3600 + 125)
    ('3 s', '1:15', '3:02:05')
    """
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def _quantity(name: str, value: float, phase: str = "") -> str:
    """
    >>> _quantity("bound", -90.0), _quantity("bound", -90.0, phase="td")
    ('ELBO −90.00 nats', 'bound over jumps −90.00 nats')
    >>> _quantity("explained_variance", 0.8764), _quantity("at_floor", 2.0)
    ('variance explained 87.6 %', 'components at the variance floor 2')
    """
    if name in _SHARES:
        return f"{_VALUES[name]} {100 * value:.1f} %"
    if name in _COUNTS:
        return f"{_VALUES[name]} {value:,.0f}"
    unit = " nats" if name in _NATS else ""
    told = _OF_PHASE.get(f"{phase}/{name}", _VALUES.get(name, name))
    return f"{told} {_number(value)}{unit}"


def _number(value: float) -> str:
    return f"{value:,.2f}".replace("-", "−") if abs(value) >= 1 or value == 0 else f"{value:.3g}"
