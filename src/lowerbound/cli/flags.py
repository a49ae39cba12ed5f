"""From options to flags: the parameters of several functions joined into one signature.

A :class:`Section` is a function whose keyword-only parameters become flags under one heading of
``--help``. :func:`signature` joins sections into the signature that cyclopts parses and explains;
:func:`nest` turns what came back, ``{"likelihood": "gaussian", "likelihood.sigma": "learned"}``,
into the arguments of Python's own interface, ``{"likelihood": {"name": "gaussian", …}}``.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter

from lowerbound import slots
from lowerbound.cli.config import scalar
from lowerbound.errors import LowerboundError, nearest
from lowerbound.options import Option, Span, check_value, describe, name_of, options_of

ARGUMENTS = {
    "data": "A name (digits, mnist, …), a .npy, .npz or .csv file, or a folder or zip of images or "
    "sound.",
    "run": "The folder of a run.",
    "runs": "The folders of two runs or more.",
    "studio.runs": "Runs, and folders with runs below them; new ones are made in the first folder. "
    "The default is runs.",
    "codes": "A file of codes, .npz or .npy, that encode wrote.",
    "series": "A table (.csv), an array (.npy) or a .gif of one sequence, a folder, or the number "
    "of a held-out one.",
    "sound": "A sound file of any sampling rate and length.",
    "example": "An image or clip (.gif) of the data's size, or a .npy; of a clip also the number "
    "of a held-out one.",
}
_TAKEN = (
    "The number of a held-out example; an image of any size, a .wav, a .gif, a row of a table "
    "(.csv, or 1.5,2,0), a .npy of a datum or a code; or prior:SEED."
)
ARGUMENTS |= dict.fromkeys(("ends", "a", "b", "c"), _TAKEN)
ARGUMENTS |= {f"{verb}.example": _TAKEN for verb in ("traverse", "plane", "vary", "edit", "search")}
SHORT = {"out": "-o"}
# Python's parameter names have no dot: `likelihood.sigma` is bound as `likelihood__sigma`.
DOT = "__"


@dataclass(frozen=True)
class Section:
    """Flags under one heading of ``--help``.

    Args:
        title: the heading.
        function: its keyword-only parameters become the flags.
        prefix: of the flags' names, for a slot's own options: ``"likelihood."``.
        note: a line under the heading: what a recipe is, and its paper.
        shown: whether ``--help`` lists them.
        defaults: in place of the function's own, by name.
    """

    title: str
    function: Callable[..., Any]
    prefix: str = ""
    note: str = ""
    shown: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Flag:
    """One flag.

    Args:
        key: as YAML writes it: ``learning_rate``, ``likelihood.sigma``.
        option: type, default, limits and text.
        section: where it stands.
    """

    key: str
    option: Option
    section: Section

    @property
    def names(self) -> list[str]:
        """As typed: ``--learning-rate``; a one-letter option takes one dash, ``-n``."""
        dashes = "-" if len(self.key) == 1 else "--"
        short = [SHORT[self.key]] if self.key in SHORT else []
        return [dashes + self.key.rstrip("_").replace("_", "-"), *short]  # from_: Python has a from

    def check(self, value: Any) -> Any:
        """The value as the option's type.

        Raises:
            LowerboundError: it does not fit; the line names the flag.
        """
        try:
            return check_value(self.option, value)
        except LowerboundError as error:
            text = str(error).removeprefix(f"{self.option.name}: ")
            raise LowerboundError(f"{self.names[0]}: {text}") from None


def flags_of(sections: Iterable[Section]) -> dict[str, Flag]:
    """The flags of all sections, by key.

    A name that two sections share (``seed``: of training and of the data's split) is one flag. It
    stands where it is a slot, else where it comes first.
    """
    found: dict[str, Flag] = {}
    for section in sections:
        for name, option in options_of(section.function).items():
            key = section.prefix + name
            if name in section.defaults:
                option = replace(option, default=section.defaults[name])
            if section.prefix and option.required:
                option = replace(option, default=None)  # the recipe takes it from the data
            if key not in found or (option.slot and not found[key].option.slot):
                found[key] = Flag(key, option, section)
            elif not (section.shown or found[key].section.shown):
                found[key] = replace(found[key], option=_either(found[key].option, option))
    return found


def _either(one: Option, other: Option) -> Option:
    """An option that takes what either takes: which of the two it will be is not known yet."""
    if one.slot is not None or (one.type, one.span) == (other.type, other.span):
        return one
    kind = one.type if one.type == other.type else one.type | other.type
    return replace(one, type=kind, span=one.span if one.span == other.span else None)


def slot_sections(function: Callable[..., Any], chosen: Mapping[str, Any]) -> list[Section]:
    """The options of what fills a recipe's slots: ``--likelihood gaussian --likelihood.sigma 1``.

    A slot left to ``auto`` accepts what any of its builders has, unlisted: which of them it will
    be is known with the data only.

    Args:
        function: the recipe.
        chosen: by slot, the name that is to fill it.

    Raises:
        LowerboundError: nothing has that name; the nearest is offered.
    """
    sections: list[Section] = []
    for key, option in options_of(function).items():
        name = chosen.get(key, option.default)
        if option.slot is None or option.slot.registry is None or not isinstance(name, str):
            continue
        builders = slots.REGISTRIES[option.slot.registry]
        title, prefix = key.replace("_", " ").capitalize(), f"{key}."
        if name in builders:
            note = note_of(builders[name])
            sections.append(Section(f"{title}: {name}", builders[name], prefix, note))
        elif name == "auto":
            sections += [Section(title, b, prefix, shown=False) for b in builders.values()]
        else:
            known = ["auto", *builders]
            hint = nearest(name, known) or f"; there are: {', '.join(known)}"
            raise LowerboundError(f"--{key.replace('_', '-')}: unknown '{name}'{hint}")
    return sections


def note_of(function: Callable[..., Any]) -> str:
    """A builder's summary and paper, for the line under a heading."""
    summary, reference = describe(function)
    return f"{summary} {reference}".strip()


def signature(
    function: Callable[..., Any], flags: Mapping[str, Flag], defaults: Mapping[str, Any]
) -> Callable[..., Any]:
    """A function for cyclopts to parse for and to explain: positionals of one, flags of many.

    Args:
        function: the verb; its positional parameters come first, its docstring is the help.
        flags: the flags by key.
        defaults: by key, values that replace the defaults (a YAML file's), positionals too.
    """
    notes = {flag.section.title: flag.section.note for flag in flags.values()}
    groups = {
        title: Group(title, help=note, sort_key=place)
        for place, (title, note) in enumerate(notes.items(), start=1)
    }
    parameters = []
    for parameter in _positionals(function):
        default = defaults.get(parameter.name, parameter.default)
        several = str(parameter.annotation).startswith("tuple")  # all that stand there
        own = f"{name_of(function)}.{parameter.name}"
        text = ARGUMENTS.get(own) or ARGUMENTS.get(parameter.name, "")
        about = Parameter(help=text, show_default=None if default else False)
        kind: Any = tuple[str, ...] if several else str
        annotation = Annotated[kind, about]
        parameters.append(parameter.replace(default=default, annotation=annotation))
    for key, flag in flags.items():
        default = defaults.get(key, flag.option.default)
        parameters.append(
            inspect.Parameter(
                key.replace(".", DOT),
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=_annotation(flag, groups[flag.section.title], default),
            )
        )

    def joined(*args: Any, **kwargs: Any) -> None:
        """Never called: cyclopts reads its signature."""

    joined.__name__ = name_of(function)
    paragraphs = (inspect.getdoc(function) or "").partition("\nArgs:")[0].split("\n\n")
    joined.__doc__ = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    joined.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(joined)["__signature__"] = inspect.Signature(parameters)
    return joined


def positionals(function: Callable[..., Any]) -> list[str]:
    """The names of a verb's positional arguments."""
    return [parameter.name for parameter in _positionals(function)]


def by_key(bound: Mapping[str, Any]) -> dict[str, Any]:
    """What cyclopts bound, by key instead of Python's parameter names."""
    return {name.replace(DOT, "."): value for name, value in bound.items()}


def nest(values: Mapping[str, Any], flags: Mapping[str, Flag]) -> dict[str, Any]:
    """Values by key, with the options of slots put into their slots.

    Args:
        values: by key, only what was given: ``{"likelihood.sigma": "learned"}``.
        flags: all flags by key; they know what an unnamed slot holds by default.

    Returns:
        ``{"likelihood": {"name": "auto", "sigma": "learned"}}``.
    """
    nested = {key: value for key, value in values.items() if "." not in key}
    for key, value in values.items():
        slot, dot, name = key.partition(".")
        if not dot:
            continue
        filling = nested.get(slot, flags[slot].option.default)
        before = filling if isinstance(filling, Mapping) else {"name": filling}
        nested[slot] = {**before, name: value}
    return nested


def help_text(option: Option) -> str:
    """What the docstring says of an option, then its unit and limits.

    >>> help_text(Option("ema", float, 0.0, Span(min=0, max=1), text="decay of the average."))
    'decay of the average (at least 0 and at most 1).'
    """
    text = option.text.rstrip(".")
    if option.slot is not None and option.slot.registry is not None:
        names = ", ".join(slots.REGISTRIES[option.slot.registry])
        return f"{text}. One of: {names}; named beside --help, its own flags follow."
    span = option.span or Span()
    facts = "; ".join(fact for fact in (span.unit, str(span)) if fact)
    return f"{text} ({facts})." if facts else f"{text}."


def _positionals(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY]


def _annotation(flag: Flag, group: Group, default: Any) -> Any:
    """The flag's type with what cyclopts needs to know beyond it."""
    option = flag.option
    # `--no-x` only where x is on by default; a default of "off" or "none" goes without saying
    telling = default is not None and default is not False
    reading: dict[str, Any] = {"negative": None if option.default is True else ()}
    kind: Any = str if option.slot is not None else option.type
    if not _is_plain(kind):
        # Numbers are written as in YAML (cyclopts would round 2.5 to a whole number), and several
        # of them in one token: more tokens would swallow the argument behind them.
        def read(_: Any, tokens: Sequence[Any]) -> Any:
            return _value(tokens[0].value, option.type)

        reading |= {"n_tokens": 1, "converter": read, "metavar": _metavar(kind)}
    if list[str] in _members(kind):  # given several times, each a text as it stands
        reading |= {"converter": lambda _, tokens: [token.value for token in tokens]}
        reading |= {"metavar": "TEXT"}
    parameter = Parameter(
        name=flag.names,
        group=group,
        help=help_text(option),
        show=flag.section.shown,
        show_default=_written if telling else False,
        **reading,
    )
    return Annotated[kind, parameter]


def _is_plain(kind: Any) -> bool:
    """Whether cyclopts reads the type from one token, and as it is meant."""
    members = [member for member in _members(kind) if member is not type(None)]
    plain = (str, bool, Path)
    return len(members) == 1 and (members[0] in plain or get_origin(members[0]) is Literal)


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _value(text: str, kind: Any) -> Any:
    """One token as YAML reads it; with commas, or where nothing else fits, several.

    >>> _value("200,100", tuple[int, ...]), _value("200", tuple[int, ...]), _value("64", int | str)
    ((200, 100), (200,), 64)
    """
    members = [member for member in _members(kind) if member is not type(None)]
    if "," in text or all(get_origin(member) in (tuple, list) for member in members):
        parts = [part.strip() for part in text.strip("[]()").split(",")]
        return tuple(scalar(part) for part in parts if part)
    return scalar(text)


def _metavar(kind: Any) -> str:
    """What stands behind the flag's name in its help.

    >>> _metavar(tuple[int, ...] | None), _metavar(int | Literal["all"])
    ('INT,…', 'INT|all')
    """
    words = []
    for member in _members(kind):
        if get_origin(member) in (tuple, list):
            words.append(f"{get_args(member)[0].__name__.upper()},…")
        elif get_origin(member) is Literal:
            words += [str(choice) for choice in get_args(member)]
        elif member is not type(None):
            words.append(getattr(member, "__name__", str(member)).upper())
    return "|".join(words)


def _written(value: Any) -> str:
    """A default as one would type it."""
    if isinstance(value, tuple | list):
        return ",".join(str(item) for item in value) or "none"
    return str(value)
