"""The verb ``diagnose``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.diagnosis import Diagnosis


def diagnose(
    run: str,
    /,
    *,
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Say what is wrong with a run in plain language, with the evidence and the flag that helps.

    Of a run that died or was stopped, too. Nothing is written.

    Args:
        seed: of the choice of examples that are measured, and of all noise.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import console, diagnosis

    with console.err().status("looking at the run …"):
        found = diagnosis.diagnose(run, recipe=recipe, seed=seed)
    if json:
        console.emit(found.to_json())
    else:
        _show(found)


def _show(found: Diagnosis) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from lowerbound import console
    from lowerbound.diagnosis import CAUSES

    out = console.out()
    out.print(Text(found.headline(), style="bold"))
    for place, each in enumerate(found.findings, start=1):
        out.print()
        out.print(
            Text.assemble(
                (f"{place}. {CAUSES[each.cause]}", "bold red" if place == 1 else "bold"),
                f": {each.says}.",
            )
        )
        lines = Table.grid(padding=(0, 2))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        lines.add_row("evidence", each.evidence)
        lines.add_row("what helps", each.helps)
        out.print(Padding(lines, (0, 0, 0, 3)))
    out.print()
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(style="dim", overflow="fold")
    for name, text in found.measured:
        lines.add_row(name, text)
    lines.add_row("checked", ", ".join(found.checked))
    for name, why in found.passed_over.items():
        lines.add_row(f"not {name}", why)
    out.print(lines)
