"""The sweep itself: Optuna proposes, workers train, a journal remembers.

The journal (``journal.log``, a line for each event, locked while it is written) is the only state
beside the runs. A trial that was under way when a sweep was killed is taken up again under its
number, its run resumed from its last checkpoint; so none is lost and none is made twice.
"""

from __future__ import annotations

import concurrent.futures as futures
import contextlib
import multiprocessing
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import LowerboundError
from ..runs import Run, new_path
from ..training.events import HeldOut
from ..training.units import without_phase
from .plan import RISE, Plan, keep, nested, plan
from .result import Seeded, Sweep, Tried
from .space import Choices, Vary, size
from .trial import Interrupted, Lacking, Pruned, measured, prepared_as, train, value_of

JOURNAL, LOCK = "journal.log", ".lock"
_NAME = "sweep"
#: Trials that are never pruned, and the share of a trial before which none is: a median of fewer
#: says little, and a beginning says little of an end.
_UNPRUNED, _GRACE = 5, 0.25

Told = Callable[[Tried], None]


def sweep(
    data: Any,
    recipe: str = "vae",
    *,
    vary: Sequence[str] | Mapping[str, Any],
    trials: int = 20,
    best: str = "log_likelihood",
    direction: str = "auto",
    seeds: int = 3,
    workers: int = 1,
    prune: bool = True,
    out: str | Path | None = None,
    progress: Told | None = None,
    **options: Any,
) -> Sweep:
    """Try options of a recipe and of training, and repeat the best with several seeds.

    What is best is decided on validation data alone (a tenth of the training examples, where the
    data bring no such split). The best options are then trained with new seeds, since the winner
    of many trials owes something to its luck, and only these runs are measured on test data.

    Args:
        data: what `load` takes, or a `Data` with a validation split.
        recipe: its name.
        vary: ``["latent_dim=2,8,32", "learning_rate=1e-4:1e-2:log"]``, or a mapping.
        trials: how many; where there are fewer combinations, each is tried once.
        best: the number that decides: log_likelihood, bound, bits_per_dim, squared_error, rate,
            distortion, or any other that training reports of held-out data.
        direction: maximize or minimize; auto knows which of them rise.
        seeds: how many times the best is trained again; 0: not at all.
        workers: processes that train at the same time.
        prune: give up trials that lie behind the median of the others at the same epoch.
        out: folder of the sweep; one that holds the same sweep is gone on with. None makes one
            under ``runs``.
        progress: told of each trial when it ends.
        **options: of recipe, training and data, the same for all trials.

    Raises:
        LowerboundError: Optuna is not installed; a flag, value or number that cannot be (before
            anything starts); no trial came to its end.
    """
    _optuna()
    if direction not in ("auto", "maximize", "minimize"):
        raise LowerboundError(f"direction: expected auto, maximize or minimize, came '{direction}'")
    for name, number, least in (
        ("trials", trials, 1),
        ("seeds", seeds, 0),
        ("workers", workers, 1),
    ):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise LowerboundError(
                f"{name}: expected a whole number of at least {least}, came {number}"
            )
    found = plan(data, recipe, vary, options, best, direction, prune)
    folder = Path(out).expanduser() if out is not None else _new(found)
    keep(folder, found)
    with _alone(folder):
        study = _study(folder, found)
        told = progress or (lambda tried: None)
        wanted = int(min(trials, size(found.space)))
        try:
            _run(folder, study, found, wanted, workers, told)
            so_far = _result(folder, study, found)
            if so_far.winner is None:
                reasons = [t.why for t in so_far.trials if t.why]
                why = f": {reasons[0]}" if reasons else ""
                raise LowerboundError(
                    f"sweep: no trial of {len(so_far.trials)} came to its end{why}"
                )
            repeated = _repeat(folder, found, so_far.winner, seeds, told)
        except (Interrupted, KeyboardInterrupt):
            return _result(folder, study, found, unfinished="interrupted; the same command goes on")
        return _result(folder, study, found, repeated)


def _run(folder: Path, study: Any, found: Plan, wanted: int, workers: int, told: Told) -> None:
    """All trials, those that were under way first."""
    import optuna

    waiting = [t.number for t in study.trials if t.state == optuna.trial.TrialState.RUNNING]
    # Failed by its own values it stays; its proposal counts.
    with _workers(workers) as submit:
        flying: dict[Any, int] = {}
        while True:
            while len(flying) < workers:
                if waiting:
                    number = waiting.pop(0)
                elif len(study.trials) < wanted:
                    number = _ask(study, found.space)
                else:
                    break
                flying[submit(_trial, folder, found, number)] = number
            if not flying:
                return
            ready, _ = futures.wait(flying, return_when=futures.FIRST_COMPLETED)
            for each in ready:
                number = flying.pop(each)
                _tell(study, number, each.result())
                told(_tried(folder, study.trials[number], found))


def _ask(study: Any, space: Sequence[Vary]) -> int:
    """A new trial: of a small space the next combination that was not tried, else a proposal."""
    import optuna

    distributions: dict[str, Any] = {}
    for each in space:
        if isinstance(each, Choices):
            # The journal keeps texts and numbers; tuples and slots are told by their place.
            distributions[each.key] = optuna.distributions.CategoricalDistribution(
                tuple(range(len(each.values)))
            )
        elif each.whole:
            distributions[each.key] = optuna.distributions.IntDistribution(
                int(each.low), int(each.high), log=each.log
            )
        else:
            distributions[each.key] = optuna.distributions.FloatDistribution(
                each.low, each.high, log=each.log
            )
    if size(space) < float("inf"):
        tried = {tuple(t.params[e.key] for e in space) for t in study.trials}
        order = _combinations([len(each.values) for each in space if isinstance(each, Choices)])
        untried = [places for places in order if places not in tried]
        # All, in an order that is spread over the space: a part of them is a fair sample.
        places = untried[(7919 * len(tried)) % len(untried)]
        study.enqueue_trial({e.key: p for e, p in zip(space, places, strict=True)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return study.ask(distributions).number


def _combinations(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    import itertools

    return list(itertools.product(*(range(each) for each in sizes)))


def so_far(values: Mapping[str, float], found: Plan) -> float:
    """How a trial does, by the sweep's number, of its direction.

    What is not reported in training is stood for by what is: the bound, or the loss.
    """
    name = next((n for n in (found.best, "iwae", "bound") if n in values), "loss")
    stands_in = name != found.best
    turned = stands_in and (name in RISE) != (found.direction == "maximize")
    return -values[name] if turned else values[name]


def _trial(folder: Path, found: Plan, number: int) -> tuple[str, float | None, str]:
    """One trial, in a worker: (state, value, why)."""
    import optuna

    study = _open(folder)
    trial = optuna.trial.Trial(study, study.trials[number]._trial_id)
    known = set(study.trials[number].intermediate_values)
    options = options_of_trial(found, study.trials[number].params)
    last: list[float] = []

    def look(event: HeldOut) -> None:
        values = without_phase(event.values)
        value = so_far(values, found)
        last[:] = [value]
        step = round(event.epoch)
        if step not in known:
            trial.report(value, step)
            known.add(step)
        if found.prune and event.epoch >= _grace(found) and trial.should_prune():
            raise Pruned

    path = run_path(folder, number)
    try:
        run = train(path, found.data, found.recipe, options, look)
        same = prepared_as(run)
        first = _first(folder, number)
        if first is not None and first != same:
            raise LowerboundError(
                f"its data were prepared as {same}, those of the others as {first}, and numbers of "
                "the two are not compared"
            )
        return "complete", value_of(run, found.best), ""
    except Pruned:
        with contextlib.suppress(LowerboundError, OSError):
            run = Run.open(path)
            run.update(status={**run.info["status"], "reason": "interrupted"})
        return "pruned", last[0] if last else None, ""
    except Interrupted:
        return "interrupted", None, ""
    except Lacking as error:
        return "lacking", None, str(error)
    except LowerboundError as error:
        return "failed", None, str(error)


def _grace(found: Plan) -> float:
    """Epochs before which nothing is given up."""
    return _GRACE * float(found.fixed.get("epochs") or 4.0)


def options_of_trial(found: Plan, params: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a trial: what is fixed, and what was proposed."""
    return {**found.fixed, **nested(_values(found.space, params), found.fixed)}


def _values(space: Sequence[Vary], params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        each.key: each.values[params[each.key]] if isinstance(each, Choices) else params[each.key]
        for each in space
        if each.key in params
    }


def _tell(study: Any, number: int, outcome: tuple[str, float | None, str]) -> None:
    import math

    import optuna

    state, value, why = outcome
    if state == "interrupted":
        raise Interrupted
    states = optuna.trial.TrialState
    if state == "complete" and value is not None and math.isfinite(value):
        study.tell(number, value)
        return
    if state == "complete":
        state, why = "failed", f"its number is {value}"
    if why:
        study._storage.set_trial_user_attr(study.trials[number]._trial_id, "why", why)
    study.tell(number, state=states.PRUNED if state == "pruned" else states.FAIL)
    if state == "lacking" and not any(t.state == states.COMPLETE for t in study.trials):
        # So it is with all others of this recipe: they are not trained for nothing.
        raise LowerboundError(why)


def _repeat(folder: Path, found: Plan, winner: Tried, seeds: int, told: Told) -> tuple[Seeded, ...]:
    """The best options with new seeds, and only they on test data."""
    done = []
    for place in range(seeds):
        seed = found.seed + 1 + place
        path = folder / "seeds" / f"{winner.number:04d}-seed-{seed}"
        options = {**found.fixed, **nested(winner.options, found.fixed), "seed": seed}
        run = train(path, found.data, found.recipe, options)
        of_test = measured(run, run.data().test).get(found.best)
        done.append(Seeded(seed, value_of(run, found.best), of_test, str(path)))
        told(Tried(winner.number, {"seed": seed}, done[-1].validation, "repeated", run=str(path)))
    return tuple(done)


# Storage


def run_path(folder: Path, number: int) -> Path:
    """Of a trial's run."""
    return folder / "trials" / f"{number:04d}"


def _first(folder: Path, number: int) -> list[Any] | None:
    """How the data of the first trial that has a run were prepared."""
    for path in sorted((folder / "trials").glob("*"))[:1]:
        if path.name != f"{number:04d}":
            with contextlib.suppress(LowerboundError):
                return prepared_as(Run.open(path))
    return None


def _study(folder: Path, found: Plan) -> Any:
    """The study in a folder, made where there is none."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return _open(folder, found)


def _open(folder: Path, found: Plan | None = None) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental is pinned by tests
        file = str(folder / JOURNAL)
        storage = JournalStorage(JournalFileBackend(file, lock_obj=JournalFileOpenLock(file)))
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, interval_steps=1)
        if found is None:
            return optuna.load_study(study_name=_NAME, storage=storage, pruner=pruner)
        count = 0
        with contextlib.suppress(KeyError):
            known = optuna.load_study(study_name=_NAME, storage=storage)
            count = len(known.trials)
        # A resumed sweep proposes anew: from the seed and the number of trials that there are.
        sampler = optuna.samplers.TPESampler(seed=found.seed + count, constant_liar=True)
        return optuna.create_study(
            study_name=_NAME,
            storage=storage,
            sampler=sampler,
            pruner=pruner,
            direction=found.direction,
            load_if_exists=True,
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Keep other processes out of a sweep; the system lifts the lock if we die."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LowerboundError(
            f"{folder} is swept by another process; wait for it, or pass another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _workers(count: int) -> Generator[Callable[..., Any]]:
    """Something that trains: this process for one worker, others for several."""
    if count == 1:

        def here(function: Callable[..., Any], *arguments: Any) -> Any:
            found: futures.Future = futures.Future()
            found.set_result(function(*arguments))
            return found

        yield here
        return
    context = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(count, mp_context=context) as pool:
        yield pool.submit


def _result(
    folder: Path,
    study: Any,
    found: Plan,
    seeds: tuple[Seeded, ...] = (),
    unfinished: str | None = None,
) -> Sweep:
    return Sweep(
        str(folder),
        found.recipe,
        found.best,
        found.direction,
        found.vary,
        tuple(_tried(folder, trial, found) for trial in study.trials),
        seeds,
        unfinished,
        {"fixed": found.to_json()["fixed"], "prune": found.prune, "seed": found.seed},
    )


def _tried(folder: Path, trial: Any, found: Plan) -> Tried:
    states = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    value = trial.value if trial.state.name == "COMPLETE" else None
    return Tried(
        trial.number,
        _values(found.space, trial.params),
        None if value is None else float(value),
        states.get(trial.state.name, "running"),
        trial.user_attrs.get("why", ""),
        str(run_path(folder, trial.number)),
    )


def _new(found: Plan) -> Path:
    """A new folder under ``runs``, or that of the same sweep, which has not come to its end."""
    from .plan import PLAN, known

    name = found.data if isinstance(found.data, str) else getattr(found.data, "name", "data")
    short = Path(str(name)).stem
    path = new_path(short, f"{Path(found.recipe).stem}-sweep")
    base = path.parent / f"{short}-{Path(found.recipe).stem}-sweep"
    for each in sorted(path.parent.glob(f"{base.name}*")) if path.parent.is_dir() else []:
        with contextlib.suppress(LowerboundError):
            if (each / PLAN).is_file() and known(each) == found.to_json():
                return each
    return path


def _optuna() -> None:
    """Refuse in one line where Optuna is missing.

    Raises:
        LowerboundError: it is.
    """
    import importlib.util

    if importlib.util.find_spec("optuna") is None:
        raise LowerboundError(
            "sweep: expected Optuna, which is not installed; pip install 'lowerbound[sweep]'"
        )
