"""A function's signature as the schema of its options.

The keyword-only parameters of a typed function *are* its options: the command line, the YAML file,
the studio's form and the checkpoint all read them here, so there are no config classes. Limits and
units stand in the annotation, the text in the docstring's ``Args:``.

>>> from typing import Annotated, Literal
>>> def cook(
...     data,
...     *,
...     minutes: Annotated[float, Span(min=0, unit="minutes")] = 3.0,
...     style: Literal["soft", "hard"] = "soft",
... ):
...     '''Cook eggs.
...
...     Args:
...         data: the eggs.
...         minutes: how long they stay in the water.
...         style: what they are to be.
...
...     Reference:
...         A cook book, chapter 1.
...     '''
>>> options_of(cook)["minutes"].text
'how long they stay in the water.'
>>> check(cook, {"minutes": 5})
{'minutes': 5.0, 'style': 'soft'}
>>> describe(cook)
('Cook eggs.', 'A cook book, chapter 1.')
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from .errors import LowerboundError, nearest

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Span:
    """Limits and unit of a number (or of each number of a tuple), inside ``Annotated``.

    Args:
        min: the least value; None for no limit.
        max: the greatest value; None for no limit.
        unit: what the number counts, for help texts: ``"nats"``, ``"examples"``.
        open: whether the limits themselves are excluded; ``"min"``: the least value alone.

    >>> Span(min=0, open=True).holds(0), Span(min=0).holds(0)
    (False, True)
    >>> str(Span(min=0, max=1, open=True))
    'above 0 and below 1'
    >>> str(Span(min=0, max=1, open="min"))
    'above 0 and at most 1'
    """

    min: float | None = None
    max: float | None = None
    unit: str = ""
    open: bool | Literal["min"] = False

    def holds(self, value: float) -> bool:
        """Whether the value lies within the limits."""
        above = self.min is None or value > self.min or (value == self.min and not self.open)
        below = self.max is None or value < self.max or (value == self.max and not self._below)
        return above and below

    def __str__(self) -> str:
        low = "above" if self.open else "at least"
        high = "below" if self._below else "at most"
        limits = [f"{low} {self.min:g}"] if self.min is not None else []
        limits += [f"{high} {self.max:g}"] if self.max is not None else []
        return " and ".join(limits)

    @property
    def _below(self) -> bool:
        """Whether the greatest value itself lies outside."""
        return self.open is True


@dataclass(frozen=True)
class Slot:
    """Marks a parameter that is filled with a module rather than a number.

    Args:
        registry: which registry of :mod:`lowerbound.slots` names what fits (``"likelihood"``).
            None: nothing has a name, so the slot takes an ``nn.Module`` from Python only and the
            command line does not offer it.
    """

    registry: str | None = None


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter, as a form or a command line needs it.

    Args:
        name: the parameter's name.
        type: its Python type without ``Annotated``: ``int``, ``tuple[int, ...]``,
            ``int | None``, ``Literal["elbo", "iwae"]``. Of a slot: ``str``.
        default: its default; ``inspect.Parameter.empty`` where it has to be given.
        span: limits and unit, where the annotation has them.
        slot: the slot, where it is one.
        text: what ``Args:`` says of it, on one line.
        choices: the values of its ``Literal``; empty where any value of the type does.
    """

    name: str
    type: Any
    default: Any = inspect.Parameter.empty
    span: Span | None = None
    slot: Slot | None = None
    text: str = ""
    choices: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether the option has no default."""
        return self.default is inspect.Parameter.empty


def options_of(function: Callable[..., Any], *, python: bool = False) -> dict[str, Option]:
    """The options of a typed function, in the order of its signature.

    Args:
        function: a function whose options are its keyword-only parameters, and those of the
            functions that it `takes`.
        python: whether to list the slots too that only Python can fill.

    Raises:
        LowerboundError: a keyword-only parameter has no type, or one that cannot be resolved.
    """
    texts = _sections(inspect.getdoc(function) or "").get("Args", "")
    described = _arguments(texts)
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        option = _option(function, parameter, described.get(parameter.name, ""))
        if python or option.slot is None or option.slot.registry is not None:
            found[option.name] = option
    for other in getattr(function, "takes", ()):
        left_out = getattr(function, "but", ())
        more = options_of(other, python=python).items()
        found |= {n: o for n, o in more if n not in found and n not in left_out}
    return found


def takes(*others: Callable[..., Any], but: Iterable[str] = ()) -> Callable[[F], F]:
    """Marks a function whose ``**kwargs`` are the options of other functions.

    Args:
        others: whose keyword-only parameters are options of the function, too, with their types,
            defaults and texts; one that the function has itself is its own.
        but: names of options of theirs that it does not pass on.

    >>> from typing import Annotated
    >>> def boil(*, minutes: Annotated[float, Span(min=0)] = 3.0, salt: bool = False): ...
    >>> @takes(boil)
    ... def serve(*, salt: bool = True, **boiling): ...
    >>> {name: option.default for name, option in options_of(serve).items()}
    {'salt': True, 'minutes': 3.0}
    """

    def mark(function: F) -> F:
        vars(function).update(takes=others, but=tuple(but))
        return function

    return mark


def trains(**defaults: Any) -> Callable[[F], F]:
    """Marks a recipe whose model is trained otherwise than most, where the user says nothing.

    Args:
        defaults: training options by name, in place of those of
            `lowerbound.training.options.training_options`.

    >>> @trains(learning_rate=2e-4)
    ... def game(data, *, latent_dim=8): ...
    >>> trained_with(game)
    {'learning_rate': 0.0002}
    """

    def mark(function: F) -> F:
        vars(function)["trains"] = defaults
        return function

    return mark


def trained_with(function: Any) -> dict[str, Any]:
    """A recipe's own defaults of training options, by name."""
    return dict(getattr(function, "trains", {}))


def check(
    function: Callable[..., Any], given: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Any]:
    """The function's keyword arguments: what was given, checked, and its defaults for the rest.

    A whole number passes for a float and a list for a tuple (YAML and JSON know no better); text is
    never turned into a number. Slots are checked by name and option, without building anything.

    Args:
        function: whose options these are.
        given: option names and values.
        partial: whether to return, checked, only what was given.

    Raises:
        LowerboundError: a name or value that does not fit: one line with what was expected, what
            came, and the nearest name.
    """
    options = options_of(function, python=True)
    for name in given:
        if name not in options:
            offered = [n for n, o in options.items() if o.slot is None or o.slot.registry]
            hint = nearest(str(name), offered) or f"; its options: {', '.join(offered) or 'none'}"
            raise LowerboundError(f"{name_of(function)} has no option '{name}'{hint}")
    checked = {}
    for name, option in options.items():
        if name in given:
            checked[name] = check_value(option, given[name])
        elif partial:
            continue
        elif option.required:
            raise LowerboundError(
                f"{name_of(function)} needs '{name}': {_expected(option)}; none came"
            )
        else:
            checked[name] = option.default
    return checked


def check_value(option: Option, value: Any) -> Any:
    """One value as the option's type, or a :class:`LowerboundError` that says what it takes."""
    if option.slot is not None:
        from .slots import check_slot  # slots are built on options; only this check looks back

        usual = option.default  # what options without a name are of; auto is named later
        if isinstance(value, Mapping) and isinstance(usual, str) and usual != "auto":
            value = {"name": usual, **value}
        return check_slot(option.slot, option.name, value, optional=option.default is None)
    try:
        converted = _convert(value, option.type)
    except TypeError:
        hint = nearest(value, map(str, option.choices)) if isinstance(value, str) else ""
        raise LowerboundError(
            f"{option.name}: expected {_expected(option)}, came {value!r} "
            f"({type(value).__name__}){hint}"
        ) from None
    numbers = converted if isinstance(converted, tuple) else (converted,)
    for number in numbers:
        if not isinstance(number, Real) or isinstance(number, bool):
            continue
        if math.isnan(number) or not (option.span or Span()).holds(float(number)):
            raise LowerboundError(f"{option.name}: expected {_expected(option)}, came {value!r}")
    return converted


def describe(function: Callable[..., Any]) -> tuple[str, str]:
    """The first line of a docstring and its ``Reference:`` (``References:``) on one line.

    Args:
        function: any documented function.

    Returns:
        ``(summary, reference)``, each ``""`` where the docstring has none.
    """
    text = inspect.getdoc(function) or ""
    sections = _sections(text)
    reference = sections.get("Reference") or sections.get("References") or ""
    return text.partition("\n")[0].strip(), " ".join(reference.split())


def type_name(kind: Any) -> str:
    """A type in words, for help texts and errors.

    >>> type_name(int | None), type_name(tuple[int, ...]), type_name(Literal["elbo", "iwae"])
    ('a whole number or none', 'whole numbers', "'elbo' or 'iwae'")
    """
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(member) for member in get_args(kind))
    if origin in (tuple, list):
        return {"a whole number": "whole numbers", "a number": "numbers"}.get(
            inner := type_name(get_args(kind)[0]), f"several of: {inner}"
        )
    plain: dict[Any, str] = {int: "a whole number", float: "a number", str: "text", None: "none"}
    plain |= {bool: "true or false", Path: "a path", type(None): "none", Any: "anything"}
    return plain.get(kind) or getattr(kind, "__name__", str(kind))


def name_of(function: Callable[..., Any]) -> str:
    """The function's own name, as errors print it."""
    return getattr(function, "__name__", str(function))


def _expected(option: Option) -> str:
    if option.slot is not None:
        return f"a {option.slot.registry}" if option.slot.registry else "an nn.Module"
    span = option.span or Span()
    limits = str(span)
    if limits and not span.open:
        limits = f"of {limits}"
    words = []
    for member in _members(option.type):
        if member is type(None):
            continue  # what leaving the option away comes to: nobody is asked to pass it
        parts = [type_name(member)]
        single = get_args(member)[0] if get_origin(member) in (tuple, list) else member
        if single in (int, float):  # limits and unit are the number's, not those of "auto"
            parts += [limits, f"({span.unit})" if span.unit else ""]
        words.append(" ".join(part for part in parts if part))
    return " or ".join(words)


def _option(function: Callable[..., Any], parameter: inspect.Parameter, text: str) -> Option:
    annotation = parameter.annotation
    name = parameter.name
    place = f"{name_of(function)}(…, {name})"
    if annotation is parameter.empty:
        raise LowerboundError(f"{place}: expected a type such as `{name}: int`, none came")
    if isinstance(annotation, str):
        # One at a time, not typing.get_type_hints: the other parameters' types may be importable
        # for type checkers only, so that reading a schema costs no torch.
        try:
            annotation = eval(annotation, getattr(function, "__globals__", {}))
        except Exception as error:
            message = f"{place}: expected a type that can be read, came {annotation!r}: {error}"
            raise LowerboundError(message) from None
    kind, marks = _strip(annotation)
    slot = next((mark for mark in marks if isinstance(mark, Slot)), None)
    members = _members(kind)
    literals = [m for m in members if get_origin(m) is Literal]
    # "auto" or a number: the text alone is no complete list of choices
    closed = bool(literals) and all(m in literals or m is type(None) for m in members)
    return Option(
        name=parameter.name,
        type=str if slot is not None else kind,
        default=parameter.default,
        span=next((mark for mark in marks if isinstance(mark, Span)), None),
        slot=slot,
        text=text,
        choices=tuple(c for m in literals for c in get_args(m)) if closed and not slot else (),
    )


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _strip(annotation: Any) -> tuple[Any, list[Any]]:
    """The type without ``Annotated`` (also inside unions), and the marks that stood there."""
    if get_origin(annotation) is Annotated:
        kind, *marks = get_args(annotation)
        inner, more = _strip(kind)
        return inner, [*marks, *more]
    if get_origin(annotation) in (Union, types.UnionType):
        stripped = [_strip(member) for member in get_args(annotation)]
        kind = functools.reduce(operator.or_, (kind for kind, _ in stripped))
        return kind, [mark for _, marks in stripped for mark in marks]
    return annotation, []


def _convert(value: Any, kind: Any) -> Any:
    """The value as the type; TypeError where it does not fit."""
    origin = get_origin(kind)
    if origin is Literal:
        # by type too: True == 1
        for choice in get_args(kind):
            if type(choice) is type(value) and choice == value:
                return choice
        raise TypeError
    if origin in (Union, types.UnionType):
        # as it is, before by conversion: of `float | int` 3 stays 3
        members = get_args(kind)
        for member in sorted(members, key=lambda m: not _exactly(value, m)):
            try:
                return _convert(value, member)
            except TypeError:
                continue
        raise TypeError
    if origin in (tuple, list):
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise TypeError
        inner, items = get_args(kind), list(value)
        if origin is tuple and inner[-1] is not Ellipsis:
            if len(items) != len(inner):
                raise TypeError
            return tuple(_convert(item, t) for item, t in zip(items, inner, strict=True))
        return origin(_convert(item, inner[0]) for item in items)
    if kind in (None, type(None)):
        if value is None:
            return None
        raise TypeError
    if kind is bool or isinstance(value, bool):
        if kind in (bool, Any, object) and (kind is not bool or isinstance(value, bool)):
            return value
        raise TypeError
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and isinstance(value, Real):
        return float(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind in (Any, object):
        return value
    if isinstance(kind, type) and kind not in (int, float) and isinstance(value, kind):
        return value
    raise TypeError


def _exactly(value: Any, kind: Any) -> bool:
    return isinstance(kind, type) and type(value) is kind


_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|References?|Shape|Example|Examples|Note):\s*$")


def _sections(text: str) -> dict[str, str]:
    """The indented blocks of a Google-style docstring by their heading."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.splitlines():
        if heading := _SECTION.match(line):
            lines = found.setdefault(heading[1], [])
        elif line.strip() and not line.startswith(" "):
            lines = None
        elif lines is not None:
            lines.append(line)
    return {heading: inspect.cleandoc("\n" + "\n".join(block)) for heading, block in found.items()}


def _arguments(block: str) -> dict[str, str]:
    """``name: text`` pairs of an ``Args:`` block, continued lines joined."""
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        # `name: text`, `name (type): text`; anything further in belongs to the text above
        if start := re.match(r"\*{0,2}(\w+)(?: \([^)]*\))?:\s*(.*)$", line):
            name, found[start[1]] = start[1], start[2]
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
