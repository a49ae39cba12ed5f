"""The verb ``sweep``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lowerbound.errors import LowerboundError
from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.sweeps import Sweep, Tried

RECIPE = "vae"
INTERRUPTED = 130
_BETWEEN = ";"
_SHOWN = 10


def sweep(
    data: str,
    /,
    *,
    vary: str | None = None,
    recipe: str = RECIPE,
    trials: Annotated[int, Span(min=1, unit="trials")] = 20,
    best: str = "log_likelihood",
    direction: Literal["auto", "maximize", "minimize"] = "auto",
    seeds: Annotated[int, Span(min=0, unit="trainings")] = 3,
    workers: Annotated[int, Span(min=1, unit="processes")] = 1,
    prune: bool = True,
    out: str | None = None,
    json: bool = False,
    **options: Any,
) -> int:
    """Try options of a recipe and of training, and repeat the best with several seeds.

    The best is chosen on validation data; the test data are measured at the end, with new seeds. A
    sweep that was stopped or killed goes on with the same command.

    Args:
        vary: what is tried: latent_dim=2,8,32 for some values, learning_rate=1e-4:1e-2:log for a
            range; the flag may be given several times.
        recipe: what to train: a name of `lowerbound recipes`, or your own function as
            file.py:function.
        trials: how many; of fewer combinations each is tried once.
        best: the number that decides: log_likelihood, bound, bits_per_dim, squared_error, rate,
            distortion, or another that training reports of held-out data.
        direction: of the number; auto knows which of them are better when they rise.
        seeds: how many times the best is trained again, for a claim that has a spread.
        workers: processes that train at the same time.
        prune: give up trials that lie behind the median of the others.
        out: folder of the sweep; the default is one under runs/.
        json: print the report as JSON; progress goes to stderr.
    """
    from lowerbound import console, sweeps
    from lowerbound.sweeps.picture import draw

    if not vary:
        raise LowerboundError(
            "--vary: expected an option and its values, came none; pass --vary latent_dim=2,8,32"
        )
    told = _Told(best, sweeps.unit_of(best))
    found = sweeps.sweep(
        data,
        recipe,
        vary=[text.strip() for text in vary.split(_BETWEEN) if text.strip()],
        trials=trials,
        best=best,
        direction=direction,
        seeds=seeds,
        workers=workers,
        prune=prune,
        out=out,
        progress=told,
        **options,
    )
    picture = draw(found)
    if json:
        console.emit({**found.to_json(), "picture": None if picture is None else str(picture)})
    else:
        _show(found)
        console.line(f"sweep     {found.folder}")
        if picture is not None:
            console.line(f"picture   {picture}")
    if found.unfinished:
        console.note(f"{found.unfinished}: --out {found.folder}")
        return INTERRUPTED
    return 0


def joined(argv: Sequence[str]) -> list[str]:
    """The arguments with every ``--vary`` put into one.

    >>> joined(["sweep", "--vary", "a=1,2", "digits", "--vary=b=3:4"])
    ['sweep', 'digits', '--vary', 'a=1,2;b=3:4']
    """
    kept: list[str] = []
    varied: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--vary":
            varied += [value] if (value := next(words, None)) is not None else []
        elif word.startswith("--vary="):
            varied.append(word.removeprefix("--vary="))
        else:
            kept.append(word)
    return [*kept, "--vary", _BETWEEN.join(varied)] if varied else kept


class _Told:
    """A line on stderr for each trial that ends."""

    def __init__(self, best: str, unit: str) -> None:
        self.best, self.unit = best, f" {unit}" if unit else ""

    def __call__(self, tried: Tried) -> None:
        from lowerbound import console
        from lowerbound.sweeps.result import shown

        options = "  ".join(f"{name} {shown(value)}" for name, value in tried.options.items())
        value = (
            f"{self.best} {shown(tried.value)}{self.unit}" if tried.value is not None else tried.why
        )
        console.note(f"  trial {tried.number:<4}{tried.state:<10}{value}  {options}")


def _show(found: Sweep) -> None:
    from rich import box
    from rich.table import Table

    from lowerbound import console
    from lowerbound.sweeps.result import shown

    names = list(dict.fromkeys(name for trial in found.trials for name in trial.options))
    way = "greatest" if found.direction == "maximize" else "least"
    states = [trial.state for trial in found.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    unit = f" {found.unit}" if found.unit else ""
    table = Table(box=box.SIMPLE)
    table.add_column("trial", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column(f"{found.best},{unit}".rstrip(","), justify="right", no_wrap=True)
    for trial in found.ranked[:_SHOWN]:
        cells = [shown(trial.options.get(name)) for name in names]
        table.add_row(str(trial.number), *cells, shown(trial.value))
    out = console.out()
    title = f"{found.recipe}: {way} {found.best} on validation data; {counts}"
    out.print(title, style="bold", soft_wrap=True)
    out.print(table)
    for each in found.seeds:
        test = "" if each.test is None else f", test {shown(each.test)}{unit}"
        value = f"{shown(each.validation)}{unit}"
        out.print(f"  seed {each.seed}: validation {value}{test}  {each.run}", soft_wrap=True)
    out.print(found.claim(), style="bold", soft_wrap=True)
