"""Which likelihood, preparation and network fit the facts, each with its reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lowerbound.data.facts import Facts
from lowerbound.data.scaling import (
    like_table,
    like_tokens,
    standard,
    steps_of,
    to_unit,
    worth_standardizing,
)
from lowerbound.data.spec import Binarize, Dequantize, Kind, Support
from lowerbound.errors import LowerboundError, nearest

# What x must be for `log_prob` to be a normalised likelihood of it.
NEEDS: dict[str, tuple[Support, ...]] = {
    "bernoulli": ("binary",),
    "continuous-bernoulli": ("unit",),
    "gaussian": ("unit", "real"),
    "categorical": ("categories",),
    "wavenet": ("categories",),
    "discretized-logistic": ("levels",),
    "none": ("binary", "levels", "unit", "real"),  # no likelihood: squared error
}
BINARIZE = ("auto", "none", "stochastic", "threshold")
DEQUANTIZE = ("auto", "none", "uniform")
NEARLY_BINARY = 0.75  # MNIST 0.83, KMNIST 0.78; digits 0.67, Fashion-MNIST 0.61, photographs 0.25
MANY_TIES = 0.05  # share of continuous values that are one and the same
FAR = 1e4  # mean over deviation from where float32 keeps too few digits of values as they are
MLP_UP_TO = 1024


@dataclass(frozen=True)
class Choices:
    """The resolved choices; the fields are those of `DataSpec`."""

    kind: Kind
    likelihood: str
    support: Support
    levels: int | None
    binarize: Binarize
    dequantize: Dequantize
    shift: float | list[float]
    scale: float | list[float]
    step: float | list[float]
    log_jacobian: float
    network: str
    likelihood_options: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)


def choose(
    facts: Facts,
    *,
    likelihood: Any = "auto",
    binarize: str = "auto",
    dequantize: str = "auto",
    standardize: bool | str = "auto",
    network: Any = "auto",
) -> Choices:
    """Resolve every "auto" from the facts, and refuse what does not fit them.

    Args:
        facts: what was found.
        likelihood: "auto", a name, a slot ``{"name": ...}``, a built family with `supports`, or
            "none" for models without a likelihood.
        binarize: "auto", "none", "stochastic" or "threshold".
        dequantize: "auto", "none" or "uniform".
        standardize: "auto", True or False.
        network: "auto" or a name.

    Raises:
        LowerboundError: an unknown name, or a choice that the data do not support.
    """
    _known("binarize", binarize, BINARIZE)
    _known("dequantize", dequantize, DEQUANTIZE)
    scaling = _flag(standardize)
    why: dict[str, str] = {}
    name = likelihood_name(likelihood, facts)
    if name == "auto":
        name, why["likelihood"] = _likelihood(facts, binarize, dequantize, scaling)
    if name == "bernoulli":
        choices = _bernoulli(facts, binarize, dequantize, scaling, why)
    else:
        if binarize not in ("auto", "none"):
            raise LowerboundError(
                f"expected binarize none with likelihood {name}, came {binarize}: "
                "binarized data are for likelihood bernoulli"
            )
        if name in ("categorical", "wavenet"):
            choices = _categorical(facts, dequantize, scaling)
        elif name == "discretized-logistic":
            choices = _discretized(facts, dequantize, scaling, why)
        elif name == "none":
            choices = _plain(facts, dequantize, scaling, why)
        else:
            choices = _density(facts, name, dequantize, scaling, why)
    chosen, reason = _network(choices["kind"], facts, network)
    if reason:
        why["network"] = reason
    given = likelihood.get("name", "") if isinstance(likelihood, Mapping) else likelihood
    shown = name if isinstance(given, str) else type(given).__name__
    return Choices(**{**_AS_STORED, **choices}, likelihood=shown, network=chosen, why=why)


_AS_STORED: dict[str, Any] = {
    "levels": None,
    "binarize": "none",
    "dequantize": "none",
    "shift": 0.0,
    "scale": 1.0,
    "step": 0.0,
    "log_jacobian": 0.0,
}


def _likelihood(
    facts: Facts, binarize: str, dequantize: str, scaling: bool | None
) -> tuple[str, str]:
    if binarize in ("stochastic", "threshold"):
        return "bernoulli", f"binarize is {binarize}"
    if dequantize == "uniform":
        return "gaussian", "a density for dequantized values"
    if scaling:
        return "gaussian", "a density for standardized values"
    if facts.kind == "audio":
        return "categorical", f"{facts.levels} mu-law levels of sound"
    if facts.levels == 2:
        return "bernoulli", "two values"
    if like_tokens(facts):
        return "categorical", f"whole numbers from an alphabet of {int(facts.high) + 1}"
    if _nearly_binary(facts) and binarize == "auto":
        return "bernoulli", (
            f"grey images that are nearly black and white ({facts.two_valued:.0%} "
            "of the variance of two-valued ones)"
        )
    if facts.levels is not None and not like_table(facts):
        return "discretized-logistic", f"{facts.levels} levels, whose mass it gives exactly"
    if facts.pixels:
        return "gaussian", f"{facts.kind}s of continuous values"
    return "gaussian", "a table of numbers"


def _bernoulli(
    facts: Facts, binarize: str, dequantize: str, scaling: bool | None, why: dict[str, str]
) -> dict[str, Any]:
    _none("dequantize", dequantize == "uniform", "bernoulli", "it is for binary data")
    _none("standardize", scaling is True, "bernoulli", "it is for values in [0, 1]")
    scaled = {"kind": _kind(facts), "levels": facts.levels, **to_unit(facts)}
    if facts.levels == 2:
        if binarize in ("stochastic", "threshold"):
            why["binarize"] = "the data are binary already"
        return {**scaled, "support": "binary"}
    if like_tokens(facts) and binarize == "auto":
        raise LowerboundError(
            "expected grey or binary values for likelihood bernoulli, came whole numbers from an "
            f"alphabet of {int(facts.high) + 1}; pass --likelihood categorical, or --binarize "
            "stochastic if they are grey values"
        )
    beyond = facts.low < 0.0 or facts.high > 1.0
    floats = facts.dtype.startswith("float")
    if beyond and (facts.levels is None or (floats and binarize in ("auto", "none"))):
        raise _out_of_range(facts, "bernoulli")
    if binarize == "none":
        why["likelihood"] = (
            "asked for; grey values are no binary data: a loss, and no likelihood of them"
        )
        return {**scaled, "support": "levels" if facts.levels else "unit"}
    if binarize == "auto":
        why["binarize"] = "each time drawn anew with the grey value as probability, test data once"
    resolved = "stochastic" if binarize == "auto" else binarize
    return {**scaled, "support": "binary", "binarize": resolved}


def _categorical(facts: Facts, dequantize: str, scaling: bool | None) -> dict[str, Any]:
    _none("dequantize", dequantize == "uniform", "categorical", "it is for categories")
    _none("standardize", scaling is True, "categorical", "it is for categories")
    if facts.kind == "audio":
        return {"kind": "audio", "support": "categories", "levels": facts.levels}
    if facts.kind != "vector" or not facts.whole or facts.low < 0:
        raise LowerboundError(
            "expected tokens (N, T), whole numbers from 0, for likelihood categorical, came "
            f"{facts.kind}s of shape {facts.event_shape} in [{facts.low:g}, {facts.high:g}]: "
            "pass discretized-logistic for levels, gaussian for other numbers"
        )
    alphabet = int(facts.high) + 1
    return {"kind": "tokens", "support": "categories", "levels": alphabet}


def _discretized(
    facts: Facts, dequantize: str, scaling: bool | None, why: dict[str, str]
) -> dict[str, Any]:
    _none("dequantize", dequantize == "uniform", "discretized-logistic", "it takes levels as such")
    _none("standardize", scaling is True, "discretized-logistic", "levels are put on [0, 1]")
    if facts.levels is None:
        raise LowerboundError(
            "expected values on at most 65536 levels for likelihood discretized-logistic, came "
            f"{facts.dtype} in [{facts.low:g}, {facts.high:g}]: "
            "round them to levels, or pass likelihood gaussian (--likelihood gaussian)"
        )
    if dequantize == "auto" and "likelihood" in why:
        why["dequantize"] = "not needed"
    return {"kind": _kind(facts), "support": "levels", "levels": facts.levels, **to_unit(facts)}


def _plain(
    facts: Facts, dequantize: str, scaling: bool | None, why: dict[str, str]
) -> dict[str, Any]:
    """For models without a likelihood: values in [0, 1] where they have a range, else scaled."""
    if dequantize == "uniform" or scaling or (facts.kind == "vector" and facts.levels is None):
        return _density(facts, "none", "none" if dequantize == "auto" else dequantize, scaling, why)
    if facts.levels is None:
        unit = facts.low >= 0.0 and facts.high <= 1.0
        if scaling is False or unit:
            _refuse_far(facts)
            return {"kind": _kind(facts), "support": "unit" if unit else "real"}
        return _density(facts, "none", "none", None, why)
    return {"kind": _kind(facts), "support": "levels" if facts.levels > 2 else "binary",
            "levels": facts.levels, **to_unit(facts)}  # fmt: skip


def _density(
    facts: Facts, name: str, dequantize: str, scaling: bool | None, why: dict[str, str]
) -> dict[str, Any]:
    """Gaussian, continuous Bernoulli: continuous values, levels dequantized first."""
    steps = steps_of(facts)
    discrete = bool(np.all(steps > 0.0))
    if dequantize == "none" and discrete and name != "none":
        raise LowerboundError(
            f"expected continuous values for likelihood {name}, came levels in "
            f"[{facts.low:g}, {facts.high:g}] with dequantize none, under which a density grows "
            "without limit: pass dequantize uniform (--dequantize uniform), or a likelihood of "
            "levels (--likelihood discretized-logistic)"
        )
    if dequantize == "none":
        steps = np.zeros_like(steps)
    elif dequantize == "uniform" and not np.any(steps > 0.0):
        raise LowerboundError(
            "expected levels or whole numbers to dequantize, came continuous values in "
            f"[{facts.low:g}, {facts.high:g}]: pass dequantize none (--dequantize none)"
        )
    spread = bool(np.any(steps > 0.0))
    if name != "none":
        _refuse_constant(facts, name, steps)
        _tell_ties(facts, steps, why)
    if spread:
        many = int((steps > 0).sum())
        columns = "" if discrete else f"{many} feature{'' if many == 1 else 's'} of whole numbers: "
        why["dequantize"] = f"{columns}a density of levels needs them spread over their cells"
    result: dict[str, Any] = {
        "kind": _kind(facts),
        "dequantize": "uniform" if spread else "none",
        "levels": facts.levels if discrete else None,
    }
    if name == "continuous-bernoulli":
        _none("standardize", scaling is True, name, "it is for values in [0, 1]")
        if facts.levels is None and (facts.low < 0.0 or facts.high > 1.0):
            raise _out_of_range(facts, name)
        scaling = False
    if name == "gaussian" and facts.kind == "vector":
        result["likelihood_options"] = {"sigma": "per-dimension"}
    if scaling is None:
        scaling = worth_standardizing(facts)
    if scaling:
        shift, scale = standard(facts, steps, why)
        result |= {"support": "real"}
    elif facts.levels is not None and spread:
        # [0, 1): the cell of level k is [k, k + 1) / levels.
        shift, scale = facts.grid_low, facts.grid_step * facts.levels
        result |= {"support": "unit"}
    elif facts.levels is not None:
        unit = to_unit(facts)
        shift, scale = unit["shift"], unit["scale"]
        result |= {"support": "levels"}
    else:
        _refuse_far(facts)
        shift, scale = 0.0, 1.0
        inside = facts.low >= 0.0 and facts.high <= 1.0 and not spread
        result |= {"support": "unit" if inside else "real"}
    units = np.where(steps > 0.0, steps, 1.0)
    jacobian = -np.log(np.broadcast_to(scale, steps.shape) / units).sum()
    result |= {"shift": shift, "scale": scale, "log_jacobian": float(jacobian)}
    same = np.all(steps == steps[0])
    return {**result, "step": float(steps[0]) if same else steps.tolist()}


def _refuse_far(facts: Facts) -> None:
    """Values whose digits float32 cannot hold as they are: far from zero, and close together."""
    mean, std = facts.mean.reshape(-1), facts.std.reshape(-1)
    far = np.flatnonzero((np.abs(mean) > FAR * std) & (std > 0.0))
    if not len(far):
        return
    place = int(far[0])
    names = facts.columns or tuple(str(column) for column in range(len(mean)))
    raise LowerboundError(
        f"expected values near zero without standardization, came "
        f"{'position' if facts.pixels else 'column'} '{names[place]}' of mean "
        f"{mean[place]:g} and standard deviation {std[place]:g}, which float32 (7 digits) does not "
        "keep apart; leave standardize out (--standardize auto), or subtract the mean"
    )


def _refuse_constant(facts: Facts, name: str, steps: np.ndarray) -> None:
    """A continuous feature that never changes: its density, and log p(x) with it, has no limit."""
    if facts.kind != "vector":
        return
    still = np.flatnonzero(facts.constant & (steps == 0.0))
    if not len(still):
        return
    columns = facts.columns or tuple(str(column) for column in range(len(steps)))
    value = float(facts.mean.reshape(-1)[still[0]])
    more = f" and {len(still) - 1} more" if len(still) > 1 else ""
    raise LowerboundError(
        f"expected features that vary, came column '{columns[still[0]]}' of which every training "
        f"example has {value:g}{more}: its density under likelihood {name} grows without limit; "
        "drop it, or take likelihood none for models without one (recipe autoencoder)"
    )


def _tell_ties(facts: Facts, steps: np.ndarray, why: dict[str, str]) -> None:
    """Many equal values among continuous ones: atoms, on which a density has no limit."""
    share, value = max((facts.share_low, facts.low), (facts.share_high, facts.high))
    if share < MANY_TIES or np.any(steps > 0.0):
        return
    fix = "consider to round to levels (.astype(np.uint8))"
    if facts.pixels and facts.low >= 0.0 and facts.high <= 1.0:
        fix = "consider --likelihood bernoulli, or " + fix.removeprefix("consider ")
    text = (
        f"{share:.0%} of the values are exactly {value:g}, on which a density has no limit: {fix}"
    )
    why["likelihood"] = "; ".join(filter(None, (why.get("likelihood"), text)))


def _kind(facts: Facts) -> str:
    return facts.kind if facts.pixels or facts.kind == "audio" else "vector"


def _nearly_binary(facts: Facts) -> bool:
    unit = facts.low >= 0.0 and facts.high <= 1.0
    known = (facts.levels is not None and not like_table(facts)) or (unit and facts.pixels)
    return known and facts.grey and facts.two_valued >= NEARLY_BINARY


def _network(kind: str, facts: Facts, network: Any) -> tuple[str, str]:
    given = network.get("name", "auto") if isinstance(network, Mapping) else network
    if given != "auto":
        return (given if isinstance(given, str) else type(given).__name__), ""
    numbers = math.prod(facts.event_shape)
    if kind == "audio":
        return "wave", f"{numbers:,} samples of sound, convolutions over time"
    if kind == "video":
        return "video", f"{facts.event_shape[0]} frames, each by the same convolutions"
    if kind != "image":
        return "mlp", f"{numbers:,} numbers in no grid"
    if numbers <= MLP_UP_TO:
        return "mlp", f"{numbers:,} numbers per image, up to {MLP_UP_TO:,}"
    return "conv", f"{numbers:,} numbers per image, above {MLP_UP_TO:,}"


def likelihood_name(likelihood: Any, facts: Facts) -> str:
    """The likelihood's name; of a built family, one of the names that need what it supports."""
    given = likelihood.get("name", "") if isinstance(likelihood, Mapping) else likelihood
    if isinstance(given, str):
        given = given.replace("_", "-")
        return given if given == "auto" else _known("likelihood", given, NEEDS)
    supports = getattr(given, "supports", frozenset())
    natural, _ = _likelihood(facts, "auto", "auto", None)
    for name in (natural, "discretized-logistic", "continuous-bernoulli", "gaussian", "bernoulli"):
        if any(need in supports for need in NEEDS[name]):
            return name
    return "categorical" if "categories" in supports else "none"


def _known(choice: str, given: Any, names: Any) -> str:
    if given not in names:
        raise LowerboundError(
            f"expected {choice} as one of {', '.join(names)}, came '{given}'"
            f"{nearest(str(given), names)}"
        )
    return given


def _flag(standardize: bool | str) -> bool | None:
    texts = {"auto": None, "true": True, "yes": True, "false": False, "no": False, "none": False}
    if isinstance(standardize, bool):
        return standardize
    if str(standardize).lower() not in texts:
        raise LowerboundError(f"expected standardize as auto, true or false, came '{standardize}'")
    return texts[str(standardize).lower()]


def _none(choice: str, wanted: bool, likelihood: str, reason: str) -> None:
    if wanted:
        raise LowerboundError(
            f"expected no {choice} with likelihood {likelihood}, as {reason}, came one: "
            f"leave {choice} out, or pass another likelihood (--likelihood gaussian)"
        )


def _out_of_range(facts: Facts, likelihood: str) -> LowerboundError:
    fix = (
        "divide by 255, or store as uint8" if 1 < facts.high <= 255 and facts.low >= 0 else "scale"
    )
    return LowerboundError(
        f"expected values in [0, 1] for likelihood {likelihood}, came {facts.dtype} in "
        f"[{facts.low:g}, {facts.high:g}]: {fix}, or pass likelihood gaussian "
        "(--likelihood gaussian)"
    )
