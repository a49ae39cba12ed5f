"""A recipe's form, made of its signature; and the command line that a filled-in form stands for.

The fields are the flags of ``lowerbound train``, from where the command line takes them. What a
browser sends is text by flag, read by the command line's own parser: a form accepts what a terminal
accepts, and says what a terminal says.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from ..cli import verbs
from ..cli.flags import Flag, flags_of
from ..cli.parser import parse, sections
from ..errors import LowerboundError, nearest
from ..options import Option, describe, options_of, type_name
from ..recipes import RECIPES
from ..slots import REGISTRIES

#: Training options that everybody looks at; the others are folded.
FIRST = ("epochs", "minutes", "batch_size", "learning_rate")
#: What the studio fills in, so that a picture of the samples comes every few seconds.
FILLED = {"checkpoint_minutes": "0.1"}
#: Flags that are none of the form's.
_LEFT_OUT = ("out", "json", "recipe", "config")
_OF_DATA = "Data"


def recipes() -> list[dict[str, str]]:
    """All recipes: name, the group it stands in, what it is, its paper."""
    found = []
    for name, function in RECIPES.items():
        summary, paper = describe(function)
        group = function.__module__.rpartition(".")[2]
        found.append({"name": name, "group": group, "summary": summary, "paper": paper})
    return found


def form(recipe: str) -> dict[str, Any]:
    """The fields of a recipe, in groups: ``{"groups": [{"id", "title", "fields"}], "slots"}``.

    Raises:
        LowerboundError: an unknown recipe.
    """
    _known(recipe)
    groups: dict[str, dict[str, Any]] = {
        id: {"id": id, "fields": []} for id in ("recipe", "first", "training", "data")
    }
    for key, flag in flags_of(sections(verbs.train, ["train", "--recipe", recipe], {})).items():
        if key in _LEFT_OUT or "." in key:
            continue
        groups[_group(key, flag)]["fields"].append(field(key, flag.option))
    registries = {
        each["registry"]
        for group in groups.values()
        for each in group["fields"]
        if each.get("registry")
    }
    summary, paper = describe(RECIPES[recipe])
    return {
        "name": recipe,
        "summary": summary,
        "paper": paper,
        "groups": list(groups.values()),
        "slots": {registry: _fillings(registry) for registry in sorted(registries)},
        "filled": FILLED,
    }


def field(key: str, option: Option) -> dict[str, Any]:
    """One field, as a form draws it."""
    members = [m for m in (get_args(option.type) or (option.type,)) if m is not type(None)]
    literal = [m for m in members if get_origin(m) is Literal]
    kind, choices = "text", list(option.choices)
    if option.slot is not None:
        kind, choices = "slot", ["auto", *REGISTRIES[option.slot.registry or ""]]
        if option.default not in ("auto", None):
            choices.remove("auto")
    elif choices:
        kind = "choice"
    elif option.type is bool or members == [bool]:
        kind = "flag"
    elif members == [int] or members == [float] or option.type in (int, float):
        kind = "whole" if int in (*members, option.type) else "number"
    elif literal:
        choices = [value for member in literal for value in get_args(member)]
    span = option.span
    return {
        "key": key,
        "kind": kind,
        "choices": [str(choice) for choice in choices],
        "registry": option.slot.registry if option.slot else None,
        "default": None if option.required else _text(option.default),
        "required": option.required,
        "optional": option.default is None,
        "min": span.min if span else None,
        "max": span.max if span else None,
        "limits": str(span) if span else "",
        "unit": span.unit if span else "",
        "takes": "" if option.slot else type_name(option.type),
        "text": option.text,
    }


def words_of(recipe: str, source: str, values: Mapping[str, str]) -> list[str]:
    """The arguments of ``lowerbound``, without ``--out``: ``["train", "digits", "--recipe", …]``.

    Args:
        recipe: its name.
        source: a name of data, or a path.
        values: texts by flag, ``{"latent_dim": "8", "likelihood.sigma": "learned"}``; of what is on
            or off ``"yes"`` or ``"no"``.

    Raises:
        LowerboundError: an unknown recipe or flag, or no data.
    """
    _known(recipe)
    if not source.strip():
        raise LowerboundError("expected data, came none; choose a name, a path or a file")
    if source.startswith("-"):
        raise LowerboundError(f"expected a name of data or a path, came '{source}'")
    chosen = [f"--{_dashed(k)}={v}" for k, v in values.items()]
    known = flags_of(sections(verbs.train, ["train", f"--recipe={recipe}", *chosen], {}))
    words = ["train", source, "--recipe", recipe]
    for key, value in values.items():
        if key not in known or key in _LEFT_OUT:
            hint = nearest(key, known) or "; choose the recipe again"
            raise LowerboundError(f"recipe {recipe} has no option '{key}'{hint}")
        flag = known[key]
        if _is_switch(flag.option):
            if value not in ("yes", "no"):
                raise LowerboundError(f"--{_dashed(key)}: expected yes or no, came {value!r}")
            # `--no-x` only where x is on by default; else leaving it away says no.
            if value == "yes":
                words.append(f"--{_dashed(key)}")
            elif flag.option.default is True:
                words.append(f"--no-{_dashed(key)}")
        elif value.startswith("-"):  # else it would be read as a flag
            words.append(f"{flag.names[0]}={value}")
        else:
            words += [flag.names[0], value]
    return words


def checked(words: Sequence[str], out: Path | None = None) -> list[str]:
    """The words with ``--out``, read by the command line's parser, which refuses what is wrong.

    Raises:
        LowerboundError: a value that does not fit.
    """
    whole = [*words, *([] if out is None else ["--out", str(out)])]
    parse(whole)
    return whole


def typed(words: Sequence[str]) -> str:
    """As one would type it."""
    return shlex.join(["lowerbound", *words])


def values_of(given: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a form that options stand for, as a run keeps them (its ``given``)."""
    found: dict[str, str] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            if value.get("name") is not None:
                found[key] = str(value["name"])
            nested = {n: v for n, v in value.items() if n != "name"}
            found |= {f"{key}.{name}": text for name, text in values_of(nested).items()}
        elif (text := _text(value)) is not None:
            found[key] = text
    return found


def _known(recipe: str) -> None:
    if recipe not in RECIPES:  # never a file: a browser does not name code
        raise LowerboundError(f"unknown recipe '{recipe}'{nearest(recipe, RECIPES)}")


def _group(key: str, flag: Flag) -> str:
    if flag.section.title.startswith("Recipe: "):
        return "recipe"
    if flag.section.title == _OF_DATA:
        return "data"
    return "first" if key in FIRST else "training"


def _fillings(registry: str) -> list[dict[str, Any]]:
    """What fits a slot, each with its own options."""
    found = []
    for name, builder in REGISTRIES[registry].items():
        summary, paper = describe(builder)
        fields = [field(key, option) for key, option in options_of(builder).items()]
        # What a builder requires the recipe takes from the data.
        fields = [{**each, "required": False} for each in fields]
        found.append({"name": name, "summary": summary, "paper": paper, "fields": fields})
    return found


def _is_switch(option: Option) -> bool:
    return bool in (option.type, *get_args(option.type))


def _dashed(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)
