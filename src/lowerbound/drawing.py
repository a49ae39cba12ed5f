"""New data from a model: codes from its prior and data from its likelihood, or data at once."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from .conditioning import draw_codes
from .data import DataSpec
from .errors import LowerboundError

Values = Literal["auto", "mean", "draw"]

_ROWS = 256  # codes that are decoded together


def given_options(
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    guidance: float = 1.0,
) -> dict[str, Any]:
    """Those that are not what they are by default.

    >>> given_options(temperature=0.9, guidance=1)
    {'temperature': 0.9}
    """
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "guidance": guidance}
    return {name: value for name, value in options.items() if value not in (None, 1, 1.0)} | (
        {"top_k": 1} if top_k == 1 else {}
    )


def has_mean(model: Any) -> bool:
    """Whether a model knows its likelihood's mean at a code, or draws alone."""
    return hasattr(model, "decode") and getattr(
        getattr(model, "likelihood", None), "has_mean", True
    )


def resolve_values(model: Any, spec: DataSpec, values: Values) -> Literal["mean", "draw"]:
    """What "auto" stands for.

    Raises:
        LowerboundError: no such values, or a mean that is not known.
    """
    if values not in ("auto", "mean", "draw"):
        raise LowerboundError(f"values: expected auto, mean or draw, came {values!r}")
    if values == "mean" and not has_mean(model):
        raise LowerboundError(
            f"values: expected draw of {type(model).__name__}, of which no mean is known, came "
            "mean; leave it out"
        )
    if values == "auto":
        return "mean" if spec.kind in ("image", "video") and has_mean(model) else "draw"
    return values


def centre(spec: DataSpec, found: Any) -> Tensor:
    """The mean; of categories, which have none, the likeliest; else a draw."""
    if getattr(found, "sampling_options", ()):
        return found.sample()
    return found.mode if spec.support == "categories" else found.mean


def new_data(
    model: Any, spec: DataSpec, n: int, *context: Tensor, values: Values = "auto", **options: Any
) -> Tensor:
    """Data as the model sees them, ``(n, *event_shape)``.

    Args:
        model: has ``prior`` and ``decode``, or ``sample``.
        spec: of the data.
        n: how many.
        context: conditions, ``(n, ...)`` each.
        values: the likelihood's mean at each code, or a draw; auto is the mean of images, where
            there is one.
        **options: of what is drawn step by step (:func:`given_options`).

    Raises:
        LowerboundError: options of a model in which nothing is drawn step by step.
    """
    values = resolve_values(model, spec, values)
    if not hasattr(model, "decode"):
        if options and not hasattr(getattr(model, "likelihood", None), "network"):
            _refuse(options, model)
        parts = []
        for first in range(0, n, _ROWS):
            some = tuple(c[first : first + _ROWS] for c in context)
            count = min(_ROWS, n - first)
            parts.append(
                model.sample(1, *some, **options)[0] if some else model.sample(count, **options)
            )
        return torch.cat(parts)
    prior = model.prior(*context) if hasattr(model, "prior") else None
    for_codes = _of(prior, options)
    taken = set(for_codes)
    codes = draw_codes(model, n, *context, **for_codes)
    parts = []
    for some, *c in zip(codes.split(_ROWS), *(each.split(_ROWS) for each in context), strict=True):
        found = model.decode(some, *c)
        mine = _of(found, options)
        taken |= set(mine)
        if set(options) - taken:
            if "guidance" in options:
                _refuse_unguided({"prior": prior, "likelihood": found}, taken, model)
            _refuse({name: options[name] for name in options if name not in taken}, model)
        parts.append(found.sample((), **mine) if values == "draw" else centre(spec, found))
    return torch.cat(parts)


def _of(found: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Those options that a distribution takes; guidance only where there is what guides."""
    known = getattr(found, "sampling_options", ())
    guided = bool(getattr(found, "context", True))
    return {k: v for k, v in options.items() if k in known and (k != "guidance" or guided)}


def _refuse_unguided(parts: dict[str, Any], taken: set[str], model: Any) -> None:
    """Guidance where something could take it, had it a condition."""
    known = [n for n, p in parts.items() if "guidance" in getattr(p, "sampling_options", ())]
    if known and "guidance" not in taken:
        raise LowerboundError(
            f"guidance: expected a {known[0]} with a condition to be guided by, came the one of "
            f"{type(model).__name__}, which has none; leave it out, or train with one: "
            "--given labels"
        )


def _refuse(options: dict[str, Any], model: Any) -> None:
    name, value = next(iter(options.items()))
    what = "conditional autoregressive" if name == "guidance" else "autoregressive"
    raise LowerboundError(
        f"{name}: expected a model with something {what} to draw with it, came "
        f"{type(model).__name__} and {value}; leave it out, or fit a prior: --recipe two-stage "
        "--prior pixelcnn"
    )
