"""What a sweep is to do, checked before anything starts, and kept so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..data import Data, DataSpec, load
from ..errors import LowerboundError, nearest
from ..evaluation.evaluate import _unfit
from ..options import options_of
from ..recipes import recipe
from ..runs import CHOICES
from ..session import _build, _parameters, _prepared, _sort
from ..training.checkpoint import write_whole
from ..training.launch import check_devices
from ..training.options import refuse_unfit, resolve, training_options
from .space import Choices, Range, Vary, read

PLAN = "sweep.json"
Direction = Literal["maximize", "minimize"]
#: Numbers that can always be asked for: measured on validation data when a trial has ended.
MEASURED = ("log_likelihood", "bound", "squared_error", "rate", "distortion")
#: Numbers of which more is better.
RISE = (
    "log_likelihood", "bound", "iwae", "gain", "usage", "perplexity", "explained_variance", "modes",
    "in_modes",
)  # fmt: skip
_VALIDATION = 0.1


@dataclass(frozen=True)
class Plan:
    """All of a sweep but how many trials and workers, which may change while it goes on.

    Attributes:
        data: what `load` takes.
        recipe: a name, or ``file.py:function``.
        vary: as texts.
        fixed: options that all trials share.
        best: the number by which trials are told apart, on validation data.
        direction: of it.
        prune: whether trials that lie behind are given up.
        seed: of the proposals.
    """

    data: Any
    recipe: str
    vary: tuple[str, ...]
    fixed: dict[str, Any]
    best: str
    direction: Direction
    prune: bool
    seed: int
    space: tuple[Vary, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """JSON's types; arrays in memory have no name."""
        content = asdict(self)
        content.pop("space")
        content["vary"] = list(self.vary)
        content["data"] = self.data if isinstance(self.data, str) else None
        return {"format": 1, **json.loads(json.dumps(content, default=str))}


def plan(
    data: Any,
    what: str,
    vary: Sequence[str] | Mapping[str, Any],
    fixed: Mapping[str, Any],
    best: str,
    direction: Literal["auto", "maximize", "minimize"],
    prune: bool,
) -> Plan:
    """Check all that can be checked without training anything.

    Raises:
        LowerboundError: an unknown recipe, option or number (the nearest is offered), a value that
            does not fit, an option that would change the data, no validation split to choose by.
    """
    space = read(vary)
    function = recipe(what)
    _check_best(best)
    for each in space:
        _check(each, what, function, fixed, data)
    if isinstance(data, str | Path) and (path := Path(data).expanduser()).exists():
        data = str(path.resolve())
    options = dict(fixed)
    training, given, arguments = _sort(data, function, options)
    training = resolve(training)
    check_devices(training)
    found = _prepared(data, function, given, arguments)
    if not found.validation:
        if isinstance(data, Data):
            raise LowerboundError(
                "sweep: expected data with a validation split, by which the best is chosen so that "
                "the test data stay unseen, came none; load them with validation_fraction=0.1"
            )
        options["validation_fraction"] = _VALIDATION
        given["validation_fraction"] = _VALIDATION
        found = _prepared(data, function, given, arguments)
    refuse_unfit(training, len(found.train), len(found.validation or ()))
    _check_numbers(best, what, function, (data, found), options, space)
    way: Direction = "maximize" if best in RISE else "minimize"
    return Plan(
        data,
        what,
        tuple(map(str, space)),
        options,
        best,
        way if direction == "auto" else direction,
        prune,
        int(training["seed"]),
        space,
    )


def _check(each: Vary, what: str, function: Any, fixed: Mapping[str, Any], data: Any) -> None:
    """Whether a recipe or training has the option, and takes its values."""
    key = each.key
    name = key.partition(".")[0]
    known = {*options_of(function, python=True), *options_of(training_options)}
    if name not in known:
        of_data = name in (*CHOICES, *_parameters(load))
        if of_data:
            raise LowerboundError(
                f"--vary: {key} changes the data, and numbers about other data are not compared; "
                "pass it as a flag, and sweep once for each"
            )
        hint = nearest(key, known) or f"; recipe {what} and training have: {', '.join(known)}"
        raise LowerboundError(f"--vary: recipe {what} has no option '{key}'{hint}")
    if key in fixed:
        raise LowerboundError(f"--vary: {key} is varied and given as well; pass one of the two")
    for value in each.values if isinstance(each, Choices) else (each.low, each.high):
        try:
            training, _, _ = _sort(data, function, {**fixed, **nested({key: value}, fixed)})
            resolve(training)
        except LowerboundError as error:
            raise LowerboundError(f"--vary {each}: {error}") from None


def _check_best(best: str) -> None:
    """Whether the number is called as numbers are."""
    from ..console import _VALUES

    known = [*MEASURED, "bits_per_dim", *_VALUES]
    if best not in known:
        names = ", ".join(dict.fromkeys(known))
        raise LowerboundError(
            f"--best: unknown number '{best}'{nearest(best, known) or f'; there are: {names}'}"
        )


def _check_numbers(
    best: str,
    what: str,
    function: Any,
    data: tuple[Any, Data],
    fixed: Mapping[str, Any],
    space: Sequence[Vary],
) -> None:
    """Whether the models of a sweep have the number that decides, as far as they tell untrained.

    One model is built with the first values, and one for each likelihood that is varied.
    """
    if best not in ("log_likelihood", "bits_per_dim", "bound", "loss"):
        return  # training may report it: that is known when the first trial has ended
    source, loaded = data
    first = {e.key: e.values[0] if isinstance(e, Choices) else e.low for e in space}
    first |= {e.key: int(first[e.key]) for e in space if isinstance(e, Range) and e.whole}
    tried = [first]
    for each in space:
        if isinstance(each, Choices) and each.key == "likelihood":
            tried += [{**first, each.key: value} for value in each.values[1:]]
    for values in tried:
        training, _, arguments = _sort(source, function, {**fixed, **nested(values, fixed)})
        arguments = getattr(function, "settled", dict)(arguments)
        try:
            built = _build(function, loaded, arguments, resolve(training)["seed"])
        except LowerboundError:
            continue  # values that do not fit one another: the trial will say so
        if best == "loss":
            _refuse_players(what, built.phases)
            continue
        model = built.model
        there, why = numbers_of(model, loaded.spec)
        if why is None or best in there or hasattr(model, "evidence"):
            continue
        known = ", ".join(there) or "none that is measured"
        instead = f"pass --best {there[0]}" if there else "pass one that its training reports"
        given = f" with likelihood {values['likelihood']}" if len(tried) > 1 else ""
        raise LowerboundError(
            f"--best {best}: recipe {what}{given} has no such number ({why}); it has {known}: "
            f"{instead}"
        )


def _refuse_players(what: str, phases: Sequence[Any]) -> None:
    """Refuse a loss that is the less the worse the other player is."""
    names = [phase.name for phase in phases if getattr(phase, "player", False)]
    if names and len(names) == len(phases):
        raise LowerboundError(
            f"--best loss: recipe {what} is a game, in which the loss of one player "
            f"({' or '.join(names)}) says how badly the other plays; pass one that says how good "
            "the samples are: in_modes of data with known modes, or compare finished runs by "
            "evaluate --metrics samples"
        )


def numbers_of(model: Any, spec: DataSpec) -> tuple[tuple[str, ...], str | None]:
    """Which numbers can be measured of a model, and why no likelihood is among them, if so."""
    why = getattr(model, "no_likelihood", None) or _unfit(model, spec)
    sampled = all(hasattr(model, name) for name in ("prior", "encode", "decode"))
    sampled = sampled and not getattr(model, "bijective", False)
    if why is None and not sampled and not hasattr(model, "log_prob"):
        why = "the model has no prior and no log_prob"
    found: list[str] = []
    coding = hasattr(model, "encode") and hasattr(model, "decode")
    coding = coding and not getattr(model, "bijective", False)
    if coding and spec.support != "categories":
        found.append("squared_error")
    if why is None:
        found += ["log_likelihood", "bits_per_dim"]
        found += ["bound", "rate", "distortion"] if sampled else []
    return tuple(found), why


def unit_of(best: str) -> str:
    """What a number is counted in; "" of shares, counts and losses.

    >>> unit_of("log_likelihood"), unit_of("bits_per_dim"), unit_of("usage")
    ('nats', 'bits/dim', '')
    """
    from ..console import _NATS

    if best in _NATS:
        return "nats"
    return {"bits_per_dim": "bits/dim", "squared_error": "per example"}.get(best, "")


def nested(values: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Options with those of a slot put into it: ``likelihood.sigma`` into ``likelihood``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        slot, dot, name = key.partition(".")
        if not dot:
            found[key] = value
            continue
        before = found.get(slot, values.get(slot, fixed.get(slot, "auto")))
        filled = dict(before) if isinstance(before, Mapping) else {"name": before}
        found[slot] = {**filled, name: value}
    return found


def keep(folder: Path, found: Plan) -> None:
    """Write the plan, or see that the one which is there is the same.

    Raises:
        LowerboundError: another sweep is in that folder, or something else is.
    """
    file = folder / PLAN
    if file.is_file():
        before = known(folder)
        now = found.to_json()
        for key in now:
            if before.get(key) != now[key]:
                raise LowerboundError(
                    f"{folder} holds another sweep: its {key} is {_short(before.get(key))}, came "
                    f"{_short(now[key])}; pass another --out, or go on with the same flags"
                )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LowerboundError(
            f"{folder} exists already, and nothing is written over; pass another --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LowerboundError(f"cannot make {folder}: {error.strerror}; pass --out") from None
    text = json.dumps(found.to_json(), indent=2, ensure_ascii=False)
    write_whole(file, text.encode())


def known(folder: Path) -> dict[str, Any]:
    """What a sweep's folder says of its plan.

    Raises:
        LowerboundError: it cannot be read.
    """
    try:
        return json.loads((folder / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LowerboundError(f"{folder / PLAN} is corrupt ({error}); pass another --out") from None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
