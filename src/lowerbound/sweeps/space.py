"""What a sweep varies: ``latent_dim=2,8,32``, ``learning_rate=1e-4:1e-2:log``.

No torch here: the command line reads this to refuse what cannot be, before anything starts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LowerboundError, nearest


@dataclass(frozen=True)
class Choices:
    """One of some values.

    Attributes:
        key: of the option, ``latent_dim`` or ``likelihood.sigma``.
        values: what it may be.
    """

    key: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.key}={','.join(map(_text, self.values))}"


@dataclass(frozen=True)
class Range:
    """A number between two.

    Attributes:
        key: of the option.
        low, high: both included.
        log: whether each power of ten is as likely.
        whole: whether it is a whole number.
    """

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.key}={self.low:g}:{self.high:g}" + (":log" if self.log else "")


Vary = Choices | Range


def read(texts: Sequence[str] | Mapping[str, Any]) -> tuple[Vary, ...]:
    """What is varied, of the command line's texts or of Python's mapping.

    Args:
        texts: ``"latent_dim=2,8,32"``, ``"learning_rate=1e-4:1e-2:log"``; or
            ``{"latent_dim": [2, 8, 32], "learning_rate": "1e-4:1e-2:log"}``.

    Raises:
        LowerboundError: no such form, an empty range, one option twice, or nothing at all.

    >>> [str(each) for each in read(["latent_dim=2,8", "learning_rate=1e-4:1e-2:log"])]
    ['latent_dim=2,8', 'learning_rate=0.0001:0.01:log']
    """
    if isinstance(texts, Mapping):
        pairs = [(str(key), value) for key, value in texts.items()]
    else:
        pairs = []
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals or not key.strip() or not value.strip():
                raise _form(text)
            pairs.append((key.strip().lstrip("-").replace("-", "_"), value.strip()))
    if not pairs:
        raise LowerboundError(
            "--vary: expected an option and its values, came none; pass --vary latent_dim=2,8,32"
        )
    found: dict[str, Vary] = {}
    for key, value in pairs:
        if key in found:
            raise LowerboundError(f"--vary: {key} is varied twice; pass all its values at once")
        found[key] = _one(key, value)
    return tuple(found.values())


def size(space: Sequence[Vary]) -> float:
    """How many combinations there are."""
    return math.prod(len(each.values) if isinstance(each, Choices) else math.inf for each in space)


def _one(key: str, value: Any) -> Vary:
    if not isinstance(value, str):
        values = tuple(value) if isinstance(value, list | tuple | range) else (value,)
        if not values:
            raise _form(f"{key}={value}")
        return Choices(key, values)
    parts = value.split(":")
    if len(parts) in (2, 3) and all(_number(part) is not None for part in parts[:2]):
        low, high = (_number(part) for part in parts[:2])
        assert low is not None and high is not None
        if len(parts) == 3 and parts[2] != "log":
            raise LowerboundError(
                f"--vary: expected {key}=LOW:HIGH or {key}=LOW:HIGH:log, came '{value}'"
                + nearest(parts[2], ["log"])
            )
        log = len(parts) == 3
        if low >= high or (log and low <= 0):
            above = " above 0" if log else ""
            raise LowerboundError(
                f"--vary: expected a range from a lesser to a greater number{above}, came "
                f"{key}={value}"
            )
        return Range(key, low, high, log, isinstance(low, int) and isinstance(high, int))
    return Choices(key, tuple(_scalar(part.strip()) for part in value.split(",") if part.strip()))


def _scalar(text: str) -> Any:
    number = _number(text)
    if number is not None:
        return number
    named: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
    return named.get(text.lower(), text)


def _number(text: str) -> float | int | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _form(text: str) -> LowerboundError:
    return LowerboundError(
        f"--vary: expected OPTION=VALUE,VALUE,… or OPTION=LOW:HIGH[:log], came '{text}'; pass e.g. "
        "latent_dim=2,8,32 or learning_rate=1e-4:1e-2:log"
    )
