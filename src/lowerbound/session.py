"""Training in a run's folder: options sorted, model built, processes started, events followed."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .data import Data, load
from .errors import LowerboundError, nearest
from .options import check, options_of, trained_with
from .recipes import RECIPES, Built, recipe
from .runs import CHOICES, Run, glance, glanced_alike, new_path, refuse_existing
from .training.engine import Processes, versions
from .training.events import Finished, Started
from .training.fit import fit
from .training.launch import check_devices, launch
from .training.options import (
    BATCH,
    BATCH_OF_SOUND,
    refuse_unfit,
    resolve,
    training_options,
)
from .training.record import Record
from .training.state import CHECKPOINT
from .watching import watch

Follow = Callable[[Any], None]


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
    training = resolve({**trained_with(function), **training})
    check_devices(training)  # refuse before anything is read or written
    arguments = getattr(function, "settled", dict)(arguments)  # what names a folder, as it is now
    if out is not None:
        refuse_existing(Path(out).expanduser())
    data = _prepared(_absolute(source), function, given, arguments)
    if training["batch_size"] is None:
        training["batch_size"] = BATCH_OF_SOUND if data.spec.kind == "audio" else BATCH
    validation = None if data.validation is None else len(data.validation)
    refuse_unfit(training, len(data.train), validation)
    if isinstance(what, Built):
        built = what
    else:
        assert function is not None
        _refuse_missing(function, data)
        built = _build(function, data, arguments, training["seed"])
    name = what if isinstance(what, str) else getattr(function, "__name__", "model")
    path = Path(out).expanduser() if out is not None else new_path(data.spec.name, _short(name))
    plain, own = _plain(arguments)
    info = {
        "recipe": _named(what),
        "arguments": plain,
        "own": own,
        "given": _plain(options)[0],
        "data": {
            "source": data.source,
            "options": data.options,
            "spec": data.spec.to_json(),
            "rows": glance(data),
        },
        "training": training,
        "resolved": None,
        "versions": versions(),
        "status": {"reason": "training", "step": 0, "seconds": 0.0},
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    first = not path.parent.exists()
    run = Run.create(path, info, built, data)
    run.recipe = info["recipe"] if not own else None
    try:
        return _train(run, data, built, follow)
    except LowerboundError:
        if not (run.path / CHECKPOINT).exists():  # it never began
            run.discard()
            if first:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
        raise


def go_on(path: str | Path | Run, what: Any, source: Any, follow: Follow) -> Run:
    """Go on with a run that was stopped or killed.

    Args:
        path: of the run.
        what: the recipe, for a run of one's own model.
        source: the data, for a run trained on arrays in memory.
        follow: is told the data, then every event of training.
    """
    run = path if isinstance(path, Run) else Run.open(path, what)
    run.recipe = run.recipe if what is None else what
    training = run.info["training"] = resolve(run.info["training"])
    check_devices(training)
    if source is not None:
        run.give(load(source, **run.info["data"]["options"]) if not _is_data(source) else source)
    data = run.data()
    with _seeded(training["seed"]):
        built = run.built
    return _train(run, data, built, follow)


def _train(run: Run, data: Data, built: Built, follow: Follow) -> Run:
    with run.locked():
        follow(replace(data, asked=run.asked))  # only now: what is refused before is one line
        now, then = versions(), run.info.get("versions", {})
        if now != then:
            follow(f"not bit-exact: began with {_listed(then)}, goes on with {_listed(now)}")
        options = run.info["training"]
        try:
            if options["devices"] > 1:
                # A process of its own cannot use this one's terminal objects, and builds again
                # what it can.
                rebuilt = run.recipe if isinstance(run.recipe, str) else None
                sent = built if rebuilt is None else None
                told = _Anew(follow)
                entries = launch(_elsewhere, options, run.path, rebuilt, data, sent, told)
            else:
                entries = _session(Processes(), run, data, built, follow)
        except LowerboundError as error:
            with contextlib.suppress(LowerboundError, OSError):  # the disk may be full
                run.reread()
                run.update(status={**run.info["status"], "reason": "failed", "error": str(error)})
            raise
        run.update(**entries)
    run.forget()
    return run


def _elsewhere(
    processes: Processes,
    path: Path,
    rebuilt: str | None,
    data: Data,
    built: Built | None,
    follow: Follow,
) -> dict[str, Any]:
    """`_session` in a process that was started for it."""
    run = Run.open(path, rebuilt)
    run.give(data)
    if built is None:
        with _seeded(run.info["training"]["seed"]):
            built = run.built
    return _session(processes, run, data, built, follow)


def _session(
    processes: Processes, run: Run, data: Data, built: Built, follow: Follow
) -> dict[str, Any]:
    """What every process of a run does; the first one writes and tells."""
    first = processes.rank == 0
    options = run.info["training"]
    record = Record(run.path, options["tensorboard"]) if first else None
    status: dict[str, Any] = {}
    with _stop_signal(processes.count > 1) as stopped, _opened(follow) as tell:
        events = fit(
            built.model,
            built.phases,
            data,
            options,
            folder=run.path,
            resolved=run.info["resolved"],
            processes=processes,
            stop=stopped,
            watch=watch(data),
        )
        try:
            for event in events:
                if isinstance(event, Started) and first:
                    begun = {"reason": "training", "step": event.step}
                    run.update(resolved=event.resolved, status={**run.info["status"], **begun})
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
    return {"status": status, "resolved": run.info["resolved"]}


# Options


def _sort(source: Any, function: Any, options: Mapping[str, Any]) -> tuple[dict, dict, dict]:
    """Options of training, of the data and of the recipe; some are told to two of them."""
    known = {
        "training": set(options_of(training_options)),
        "data": set() if _is_data(source) else set(_parameters(load)),
        "recipe": set() if function is None else set(options_of(function, python=True)),
    }
    known["data"] |= set(CHOICES)
    everything = set().union(*known.values())
    for name in options:
        if name not in everything:
            hint = nearest(name, everything) or "; see lowerbound train --help"
            raise LowerboundError(f"unknown option '{name}'{hint}")
    parts = [{n: v for n, v in options.items() if n in names} for names in known.values()]
    training, data, arguments = parts
    return training, data, {} if function is None else check(function, arguments)


def _parameters(function: Callable[..., Any]) -> list[str]:
    kinds = inspect.signature(function).parameters.values()
    return [p.name for p in kinds if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _prepared(source: Any, function: Any, given: dict, arguments: Mapping[str, Any]) -> Data:
    """The data as the recipe wants them."""
    needs = getattr(function, "prepared_for", None)
    if callable(needs):  # depends on what the recipe is given
        wanted = needs(arguments)
        if _is_data(source):
            wanted = {name: value for name, value in wanted.items() if name in CHOICES}
        given = {**wanted, **given}
    elif needs is not None:
        given = {**given, "likelihood": needs}
    elif "likelihood" in arguments:
        given = {**given, "likelihood": arguments["likelihood"]}
    choices = {n: v for n, v in given.items() if n in CHOICES and v is not None}
    if not _is_data(source):
        data = load(source, **given)
    else:
        data = source.prepare(**choices) if choices else source
    refuse = getattr(function, "refuse_data", None)
    if refuse is not None:  # before anything is built
        refuse(arguments, data, glanced_alike)
    return data


def _is_data(source: Any) -> bool:
    return isinstance(source, Data)


def _refuse_missing(function: Any, data: Data) -> None:
    """Refuse sequences with gaps, or of several lengths, of a recipe that reads no sequences."""
    if data.spec.kind != "sequence" or getattr(function, "reads_gaps", False):
        return
    splits = [data.train, data.test, *([data.validation] if data.validation is not None else [])]
    if any(bool(each.stored(np.arange(len(each))).isnan().any()) for each in splits):
        raise LowerboundError(
            f"expected examples of which every number is known for recipe "
            f"{_named(function) or function.__name__}, came sequences with missing numbers or of "
            "several lengths; train them with --recipe td-vae or --recipe state-space-vae"
        )


def _build(function: Any, data: Data, arguments: Mapping[str, Any], seed: int) -> Built:
    with _seeded(seed):
        built = function(data.spec, **arguments)
    return Built(*built)


@contextlib.contextmanager
def _seeded(seed: int) -> Generator[None]:
    """Initial weights from the run's seed, and the caller's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _plain(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Arguments as JSON keeps them, and the names of those that it cannot, told by their class."""
    plain, own = {}, []
    for name, value in arguments.items():
        try:
            plain[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError):
            plain[name] = f"<{type(value).__name__}>"
            own.append(name)
    return plain, own


def _absolute(source: Any) -> Any:
    """A path that is there, from the root: a run is gone on with from any folder."""
    if isinstance(source, str | Path) and (path := Path(source).expanduser()).exists():
        return str(path.resolve())
    return source


def _named(what: Any) -> str | None:
    """How a recipe is called in a run: by its name, or its file from the root."""
    if not isinstance(what, str):
        return next((name for name, function in RECIPES.items() if function is what), None)
    path, _, function = what.rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{function}" if path.endswith(".py") else what


def _short(name: str) -> str:
    return name.rpartition(":")[2]


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


# Following


class _Anew:
    """A follower to be made in another process: only its class travels."""

    def __init__(self, follow: Follow) -> None:
        self.make = type(follow) if isinstance(follow, contextlib.AbstractContextManager) else None

    def __call__(self, event: Any) -> None:
        """Say nothing before it is made."""


@contextlib.contextmanager
def _opened(follow: Follow) -> Generator[Follow]:
    if isinstance(follow, _Anew) and follow.make is not None:
        with follow.make() as made:
            yield made
    else:
        yield follow


@contextlib.contextmanager
def _stop_signal(launched: bool) -> Generator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask the run to save and stop; a second one stops at once.

    Args:
        launched: whether this process was started by another one, which passes signals on. A
            terminal sends SIGINT to both, and the system sends it when that one has died.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    parent = os.getppid() if launched else None

    def ask(number: int, frame: Any) -> None:
        if number == signal.SIGINT and os.getppid() == parent:
            return
        asked.set()
        for known, handler in kept.items():
            # Of a run that a script put behind itself Ctrl-C is ignored, but not the second of two.
            deaf = known == signal.SIGINT and handler is signal.SIG_IGN
            signal.signal(known, signal.default_int_handler if deaf else handler)

    for number in kept:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
