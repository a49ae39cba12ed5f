"""What fits a slot, by name: registries of typed builders.

A recipe asks for a likelihood or a prior by name; the builders' signatures are the options
that ``--likelihood gaussian --likelihood.sigma learned`` sets. Bodies import torch, this package
does not, so that ``--help`` and the check of a YAML file cost nothing.

A slot's value is ``"auto"``, a name, ``{"name": name, **options}``, or (from Python) an
``nn.Module`` that is already built.

>>> sorted(REGISTRIES["network"])
['conv', 'dcgan', 'mlp', 'video', 'wave']
>>> build("likelihood", {"name": "gaussian", "sigma": "learnt"}, (784,))
Traceback (most recent call last):
    ...
lowerbound.errors.LowerboundError: likelihood gaussian: sigma: expected 'fixed' or 'learned' or \
'per-dimension' or 'per-datum' or 'optimal', came 'learnt' (str); did you mean 'learned'?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import LowerboundError, nearest
from ..options import Slot, check, name_of, options_of
from . import corruptions, likelihoods, networks, posteriors, priors, quantizers
from .types import Activation, Around, Builders, SlotValue

__all__ = ["REGISTRIES", "Activation", "Around", "SlotValue", "build", "check_slot", "resolve"]

REGISTRIES: dict[str, Builders] = {
    "likelihood": likelihoods.BUILDERS,
    "prior": priors.BUILDERS,
    "posterior": posteriors.BUILDERS,
    "network": networks.BUILDERS,
    "corruption": corruptions.BUILDERS,
    "quantizer": quantizers.BUILDERS,
}


def build(registry: str, value: Any, *args: Any, **defaults: Any) -> Any:
    """What a slot's value stands for.

    Args:
        registry: which registry names it: a key of `REGISTRIES`.
        value: a name, ``{"name": name, **options}``, or a built ``nn.Module``, which is returned as
            it is. ``"auto"`` has to be resolved first (:func:`resolve`).
        args: the builder's positional arguments (a shape).
        defaults: option values where ``value`` gives none; those that the named builder does not
            know are left out.

    Raises:
        LowerboundError: an unknown name or option (the nearest is offered), or a bad value.
    """
    if _is_module(value):
        return value
    name, options = _split(registry, value)
    builder = _find(registry, name)
    known = options_of(builder)
    options = {k: v for k, v in defaults.items() if k in known and v is not None} | options
    return builder(*args, **_checked(registry, name, options))


def resolve(value: Any, auto: str, **options: Any) -> Any:
    """A slot's value with ``"auto"`` replaced by a name and options laid over it.

    Args:
        value: the slot's value; ``{"sigma": "learned"}`` without a name counts as auto's options.
        auto: the name that auto stands for.
        options: further options; those that are None are left out, the slot's own come first.

    >>> resolve("auto", "mlp", hidden=(200,), activation=None)
    {'name': 'mlp', 'hidden': (200,)}
    """
    if _is_module(value):
        return value
    given = dict(value) if isinstance(value, Mapping) else {"name": value}
    name = given.pop("name", "auto")
    laid = {k: v for k, v in options.items() if v is not None}
    return {"name": auto if name == "auto" else name, **laid, **given}


def check_slot(slot: Slot, option: str, value: Any, *, optional: bool = False) -> Any:
    """A slot's value, checked by name and option without building it.

    Args:
        slot: the slot.
        option: the name of the parameter, for errors.
        value: what was given for it.
        optional: whether None may stay None.
    """
    if _is_module(value) or (optional and value is None):
        return value
    if slot.registry is None:
        raise LowerboundError(
            f"{option}: expected an nn.Module (from Python), came {value!r} "
            f"({type(value).__name__})"
        )
    name, options = _split(slot.registry, value)
    if name == "auto":
        known = {k for builder in REGISTRIES[slot.registry].values() for k in options_of(builder)}
        for key in options:
            if key not in known:
                raise LowerboundError(f"{option} has no option '{key}'{nearest(str(key), known)}")
        return value
    # only what is given: what a builder requires may still come from the data (levels)
    _checked(slot.registry, name, options, partial=True)
    return value


def _split(registry: str, value: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    if isinstance(value, Mapping):
        options = dict(value)
        return str(options.pop("name", "auto")), options
    raise LowerboundError(
        f"{registry}: expected a name ({', '.join(REGISTRIES[registry])}), a mapping "
        f"{{'name': …}} or an nn.Module, came {value!r} ({type(value).__name__})"
    )


def _find(registry: str, name: str) -> Callable[..., Any]:
    known = REGISTRIES[registry]
    if name not in known:
        hint = nearest(name, known) or f"; there are: {', '.join(known)}"
        raise LowerboundError(f"unknown {registry} '{name}'{hint}")
    return known[name]


def _checked(
    registry: str, name: str, options: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Any]:
    """Checked under the builder's public name, not its Python one."""
    builder = _find(registry, name)
    try:
        return check(builder, options, partial=partial)
    except LowerboundError as error:
        own = f"{name_of(builder)} "
        text = str(error)
        text = text.removeprefix(own) if text.startswith(own) else f": {text}"
        raise LowerboundError(f"{registry} {name} {text}".replace(" : ", ": ", 1)) from None


def _is_module(value: Any) -> bool:
    """Whether it is an ``nn.Module``, asked without importing torch."""
    return any(
        cls.__module__.partition(".")[0] == "torch" and cls.__name__ == "Module"
        for cls in type(value).__mro__
    )
