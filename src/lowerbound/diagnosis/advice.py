"""What helps, as flags that the run's own recipe has: no other advice is given.

A piece of advice is text with the flags that it takes, ``"--beta 1, or less than it is by far"``.
It is kept where every flag in it is an option of the run's recipe (or one of its slots' options, of
training where the model is trained by steps, or of the data), with a name that the slot knows. A
piece that begins with another recipe, ``"--recipe iwae"``, is kept where that is another recipe
that takes such data, and its flags are asked of that one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from ..options import Option, check_value, options_of
from .evidence import Evidence

_FLAG = re.compile(r"--([a-z0-9-]+)(?:\.([a-z0-9_.-]+))?(?: +([^\s;:,()]+))?")
#: A first part, and the flags in brackets behind it of which those that there are are told.
Piece = str | tuple[str, tuple[str, ...]]


def advise(evidence: Evidence, *pieces: Piece) -> str:
    """Those pieces that fit the run, one after the other; `NONE` where none does.

    Args:
        evidence: of the run.
        pieces: text, or ``(text, flags)``, which is told where one of these fits at least.
    """
    kept = []
    for piece in pieces:
        text, flags = (piece, ()) if isinstance(piece, str) else piece
        if isinstance(piece, tuple):
            flags = [each for each in flags if fits(evidence, each)]
            text = f"{text} ({', '.join(flags)})" if flags else ""
        if text and fits(evidence, text):
            kept.append(text)
    return "; ".join(kept) or NONE


#: Told where a recipe has no option that would help.
NONE = "no option of this recipe changes it: another recipe (lowerbound recipes)"


def fits(evidence: Evidence, text: str) -> bool:
    """Whether the run's recipe has every flag that a text names.

    Args:
        evidence: of the run.
        text: with flags in it, or none.
    """
    named = [(n.replace("-", "_"), option, value) for n, option, value in _FLAG.findall(text)]
    other = next((value for name, _, value in named if name == "recipe"), None)
    if other is not None and not _takes(evidence, other):
        return False
    from ..recipes import RECIPES

    recipe = RECIPES[other] if other is not None else None
    known = _of(recipe) if recipe is not None else _recipes_options(evidence)
    for name, option, value in named:
        if name == "recipe":
            continue
        if name in known:
            if not _accepts(evidence, known[name], option, value):
                return False
        elif option or not (name in _of_data() or (name in _of_training(evidence, other))):
            return False
    return True


def has(evidence: Evidence, name: str) -> bool:
    """Whether the run's recipe has an option, by its name in Python."""
    return name in _recipes_options(evidence)


def _recipes_options(evidence: Evidence) -> dict[str, Option | None]:
    """Of the run's recipe; of one that cannot be read, the arguments that it was built with."""
    from ..recipes import RECIPES

    named = getattr(evidence, "recipe", None)
    function: Any = RECIPES.get(named) if isinstance(named, str) else named
    if callable(function):
        return _of(function)
    return dict.fromkeys(getattr(evidence, "arguments", {}))


def _of(function: Callable[..., Any]) -> dict[str, Option | None]:
    return dict(options_of(function))


def _of_data() -> set[str]:
    from ..data import load

    found = inspect.signature(load).parameters.values()
    # What the loader shares with recipes is asked of these alone: not all have a likelihood.
    return {p.name for p in found if p.kind is p.KEYWORD_ONLY} - {"likelihood", "network"}


def _of_training(evidence: Evidence, other: str | None) -> set[str]:
    from ..training.options import training_options

    solved = other is None and getattr(evidence, "solved", False)
    return set() if solved else set(options_of(training_options))


def _accepts(evidence: Evidence, option: Option | None, inner: str, value: str) -> bool:
    """Whether an option, or what fills its slot, takes a value."""
    from ..errors import LowerboundError
    from ..slots import REGISTRIES

    if option is None:
        return True
    if option.slot is None:
        if inner:
            return False
        # Others than names are the text's own business: of "--hidden 256,256" the comma is.
        if option.choices and value:
            try:
                check_value(option, value)
            except LowerboundError:
                return False
        return True
    builders = REGISTRIES[option.slot.registry or ""]
    if not inner:
        return not value or value in builders or value == "auto"
    given = evidence.arguments.get(option.name)
    name = given.get("name") if isinstance(given, dict) else given
    if name not in builders:
        name = getattr(evidence.spec, option.name, None)  # what "auto" stands for
    builder = builders.get(name) if isinstance(name, str) else None
    return builder is not None and inner.replace("-", "_") in options_of(builder)


def _takes(evidence: Evidence, name: str) -> bool:
    from ..recipes import RECIPES

    if name not in RECIPES or name == getattr(evidence, "recipe", None):
        return False
    return evidence.spec.kind != "sequence"  # of which other recipes know nothing
