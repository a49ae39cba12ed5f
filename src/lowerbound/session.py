"""Training in a run's folder: options sorted, model built, processes started, events followed."""

from __future__ import annotations

import contextlib
import inspect
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from .data import Data, load
from .errors import LowerboundError, nearest
from .options import check, options_of
from .recipes import Built, recipe
from .runs import Run, new_path
from .training.engine import Processes, launch, pick_device, versions
from .training.events import Finished, Started
from .training.fit import fit
from .training.options import resolve, training_options
from .training.record import Record

Follow = Callable[[Any], None]

#: What `Data.prepare` decides, which the options of a recipe may have a say in.
_CHOICES = ("likelihood", "binarize", "dequantize", "standardize", "network")


def begin(
    source: Any, what: Any, out: str | Path | None, options: Mapping[str, Any], follow: Follow
) -> Run:
    """Train a new run.

    Args:
        source: data, or what `load` takes.
        what: a recipe's name, ``"file.py:function"``, a recipe function, or a `Built`.
        out: folder of the run; None makes a new one under ``runs``.
        options: of training, data and the recipe, together.
        follow: is told the data, then every event of training.
    """
    function = None if isinstance(what, Built) else recipe(what) if isinstance(what, str) else what
    training, given, arguments = _sort(source, function, options)
    training = resolve(training)
    pick_device(training["accelerator"])  # refuse before anything is read or written
    data = _prepared(source, function, given, arguments)
    follow(data)
    if isinstance(what, Built):
        built = what
    else:
        assert function is not None
        built = _build(function, data, arguments, training["seed"])
    name = what if isinstance(what, str) else getattr(function, "__name__", "model")
    path = Path(out).expanduser() if out is not None else new_path(data.spec.name, _short(name))
    info = {
        "recipe": what if isinstance(what, str) else None,
        "arguments": _plain(arguments),
        "data": {"source": data.source, "options": data.options, "spec": data.spec.to_json()},
        "training": training,
        "resolved": None,
        "versions": versions(),
        "status": {"reason": "training", "step": 0, "seconds": 0.0},
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    run = Run.create(path, info, built, data)
    return _train(run, data, built, follow)


def go_on(path: str | Path | Run, what: Any, source: Any, follow: Follow) -> Run:
    """Go on with a run that was stopped or killed.

    Args:
        path: of the run.
        what: the recipe, for a run of one's own model.
        source: the data, for a run trained on arrays in memory.
        follow: is told the data, then every event of training.
    """
    run = path if isinstance(path, Run) else Run.open(path, what)
    if source is not None:
        run.give(load(source, **run.info["data"]["options"]) if not _is_data(source) else source)
    data = run.data()
    follow(data)
    now, then = versions(), run.info["versions"]
    if now != then:
        follow(f"not bit-exact: began with {_named(then)}, goes on with {_named(now)}")
    seed = run.info["training"]["seed"]
    with _seeded(seed):
        built = run.built
    return _train(run, data, built, follow)


def _train(run: Run, data: Data, built: Built, follow: Follow) -> Run:
    with run.locked():
        options = run.info["training"]
        if options["devices"] > 1:
            follow = _Anew(follow)  # a process of its own cannot use this one's terminal objects
        status = launch(_session, options, run, data, built, follow)
        run.update(status=status)
    run.forget()
    return run


def _session(processes: Processes, run: Run, data: Data, built: Built, follow: Follow) -> dict:
    """What every process of a run does; the first one writes and tells."""
    first = processes.rank == 0
    options = run.info["training"]
    record = Record(run.path, options["tensorboard"]) if first else None
    status = {"reason": "failed", "step": 0, "seconds": 0.0}
    with _stop_signal() as stopped, _opened(follow) as tell:
        events = fit(
            built.model,
            built.phases,
            data,
            options,
            folder=run.path,
            resolved=run.info["resolved"],
            processes=processes,
            stop=stopped,
        )
        try:
            for event in events:
                if isinstance(event, Started) and first and run.info["resolved"] != event.resolved:
                    run.update(resolved=event.resolved)
                if isinstance(event, Finished):
                    status = {
                        "reason": event.reason,
                        "step": event.step,
                        "seconds": round(event.seconds, 3),
                        "values": event.values,
                    }
                if record is not None:
                    record(event)
                    tell(event)
        finally:
            if record is not None:
                record.close()
    return status


# Options


def _sort(source: Any, function: Any, options: Mapping[str, Any]) -> tuple[dict, dict, dict]:
    """Options of training, of the data and of the recipe; some are told to two of them."""
    known = {
        "training": set(options_of(training_options)),
        "data": set() if _is_data(source) else set(_parameters(load)),
        "recipe": set() if function is None else set(options_of(function, python=True)),
    }
    known["data"] |= set(_CHOICES)
    everything = set().union(*known.values())
    for name in options:
        if name not in everything:
            raise LowerboundError(
                f"unknown option '{name}'{nearest(name, everything) or '; see lowerbound train --help'}"
            )
    parts = [{n: v for n, v in options.items() if n in names} for names in known.values()]
    training, data, arguments = parts
    return training, data, {} if function is None else check(function, arguments)


def _parameters(function: Callable[..., Any]) -> list[str]:
    kinds = inspect.signature(function).parameters.values()
    return [p.name for p in kinds if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _prepared(source: Any, function: Any, given: dict, arguments: Mapping[str, Any]) -> Data:
    """The data as the recipe wants them."""
    needs = getattr(function, "prepared_for", None)
    if needs is not None:
        given = {**given, "likelihood": needs}
    elif "likelihood" in arguments:
        given = {**given, "likelihood": arguments["likelihood"]}
    choices = {n: v for n, v in given.items() if n in _CHOICES and v is not None}
    if not _is_data(source):
        return load(source, **given)
    return source.prepare(**choices) if choices else source


def _is_data(source: Any) -> bool:
    return isinstance(source, Data)


def _build(function: Any, data: Data, arguments: Mapping[str, Any], seed: int) -> Built:
    with _seeded(seed):
        built = function(data.spec, **arguments)
    return Built(*built)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Initial weights from the run's seed, and the caller's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON keeps them; modules are told by their class."""
    return {
        name: f"<{type(value).__name__}>" if isinstance(value, torch.nn.Module) else value
        for name, value in arguments.items()
    }


def _short(name: str) -> str:
    return name.rpartition(":")[2]


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


# Following


class _Anew:
    """A follower to be made in another process: only its class travels."""

    def __init__(self, follow: Follow) -> None:
        self.make = type(follow) if isinstance(follow, contextlib.AbstractContextManager) else None

    def __call__(self, event: Any) -> None:
        """Say nothing before it is made."""


@contextlib.contextmanager
def _opened(follow: Follow) -> Iterator[Follow]:
    if isinstance(follow, _Anew) and follow.make is not None:
        with follow.make() as made:
            yield made
    else:
        yield follow


@contextlib.contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask the run to save and stop; a second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        asked.set()
        for known, handler in kept.items():
            signal.signal(known, handler)

    for number in kept:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
