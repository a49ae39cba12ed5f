"""A run: a folder that holds a model, how it came to be, and what is known of it.

Nothing in it is pickled code: the recipe and its arguments rebuild the model, safetensors fill it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import LowerboundError, nearest
from .options import check, options_of
from .training.checkpoint import fill, load_tensors, read_about, write_whole
from .training.record import BOARD, METRICS
from .training.state import CHECKPOINT, WEIGHTS, shipped

if TYPE_CHECKING:
    from torch import nn

    from .data import Data, DataSpec
    from .evaluation import Evaluation
    from .recipes import Built

FORMAT = 1
DESCRIPTION, LOCK, EVALUATION = "run.json", ".lock", "evaluation.json"
#: What `Data.prepare` decides, which the options of a recipe may have a say in.
CHOICES = ("likelihood", "binarize", "dequantize", "standardize", "network")
_KEYS = {
    "format": int,
    "recipe": str | None,
    "arguments": dict,
    "data": dict,
    "training": dict,
    "resolved": dict | None,
    "status": dict,
}
_GLANCED = 16


class Run:
    """A folder with a model in it.

    Args:
        path: of the folder.
        info: what its ``run.json`` says: format, recipe, arguments, own (the arguments that were
            modules or other objects, which are not in the run), data, training, resolved,
            versions, status.

    >>> Run.open("no/such/run")
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: no/such/run is no run: there is no such folder; ...
    """

    def __init__(self, path: Path, info: dict[str, Any], built: Built | None = None) -> None:
        self.path, self.info = path, info
        self._given = built
        #: What may build the model anew: a recipe's name, or what was passed at opening.
        self.recipe: str | Callable[..., Built] | None = None
        self._data: Data | None = None

    # Opening and making

    @classmethod
    def create(cls, path: Path, info: Mapping[str, Any], built: Built, data: Data) -> Run:
        """Make the folder of a new run.

        Raises:
            LowerboundError: there is something at that path already; nothing is written over.
        """
        refuse_existing(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LowerboundError(f"cannot make {path}: {error.strerror}; pass --out") from None
        run = cls(path, {"format": FORMAT, **info}, built)
        run._data = data
        try:
            run.write()
        except LowerboundError:
            run.discard()
            raise
        return run

    def discard(self) -> None:
        """Take back a run that never began; a folder with anything else in it stays."""
        for name in (DESCRIPTION, LOCK, METRICS):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / BOARD, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    @classmethod
    def open(cls, path: str | Path, recipe: Any = None) -> Run:
        """Open a run.

        Args:
            path: of the folder.
            recipe: the function that built the model, or ``"file.py:function"``, for a run that was
                not trained by a recipe of lowerbound's own. A file that a run names is never run
                unless it is named here, too.

        Raises:
            LowerboundError: it is no run, is corrupt, or is from a newer version.
        """
        path = Path(path).expanduser()
        if path.is_file():
            folder = f": {path.parent}" if _is_run(path.parent) else ""
            raise LowerboundError(f"{path} is a file; pass the folder of the run{folder}")
        if not path.is_dir():
            raise LowerboundError(f"{path} is no run: there is no such folder; {_others(path)}")
        file = path / DESCRIPTION
        if not file.is_file():
            raise LowerboundError(f"{path} is no run: it has no {DESCRIPTION}; {_others(path)}")
        from .recipes import RECIPES

        run = cls(path, _read(file))
        known = run.info["recipe"] in RECIPES and not run.info.get("own")
        run.recipe = run.info["recipe"] if recipe is None and known else recipe
        return run

    def write(self) -> None:
        """Write ``run.json``, atomically."""
        text = json.dumps(self.info, indent=2, ensure_ascii=False)
        write_whole(self.path / DESCRIPTION, text.encode())

    def reread(self) -> None:
        """Take over what another process wrote into ``run.json``."""
        self.info = _read(self.path / DESCRIPTION)

    def update(self, **entries: Any) -> None:
        """Change entries of ``run.json``."""
        self.info.update(entries)
        self.write()

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Keep other processes from training in this run; the system lifts the lock if we die.

        Raises:
            LowerboundError: another process is at it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LowerboundError(
                f"{self.path} is in use by another process; wait for it, stop it, or pass another "
                "--out"
            ) from None
        except OSError as error:
            raise LowerboundError(
                f"cannot write in {self.path}: {error.strerror}; train in a folder of your own"
            ) from None
        try:
            yield
        finally:
            lock.release()

    # What is in it

    @property
    def spec(self) -> DataSpec:
        """The data as the model sees them."""
        from .data import DataSpec

        if self._data is not None:
            return self._data.spec
        try:
            return DataSpec.from_json(self.info["data"]["spec"])
        except (KeyError, TypeError, ValueError) as error:
            raise LowerboundError(
                f"{self.path / DESCRIPTION} is corrupt (data: {error}); restore it or train again"
            ) from None

    @cached_property
    def built(self) -> Built:
        """The model and its phases, as the recipe builds them, untrained.

        Raises:
            LowerboundError: it was built by code that is not in the run.
        """
        if self._given is not None:
            return self._given
        from .recipes import RECIPES, Built, recipe

        own, named = self.info.get("own", []), self.recipe
        if named is None:
            file = (self.info["recipe"] if not own else None) or "file.py:function"
            raise LowerboundError(
                f"{self.path} was trained with code of one's own, which is not in the run; name "
                f"the function that builds the model: --recipe {file}, or open it from Python: "
                f"lb.open_run('{self.path}', recipe='{file}')"
            )
        function = recipe(named) if isinstance(named, str) else named
        arguments = {n: v for n, v in self.info["arguments"].items() if n not in own}
        if named in RECIPES:
            arguments = check(function, arguments)  # run.json may have been edited
        else:
            known = options_of(function, python=True)
            arguments = {name: value for name, value in arguments.items() if name in known}
        return Built(*function(self.spec, **arguments))

    @cached_property
    def model(self) -> nn.Module:
        """The trained model, in evaluation mode, float32, on the CPU.

        Raises:
            LowerboundError: there are no weights yet, or they are corrupt.
        """
        from .distributions import set_precision

        path, state = self.path / WEIGHTS, self.path / CHECKPOINT
        of_weights = read_about(path).get("step", 0) if path.exists() else 0
        of_state = read_about(state).get("step", 0) if state.exists() else 0
        if not path.exists() and not of_state:
            raise LowerboundError(
                f"{self.path} has no weights yet: it was stopped before its first checkpoint; go "
                f"on with: lowerbound resume {self.path}"
            )
        # With early stopping the best weights may be older than the state; else the run was killed.
        keeps_best = self.info["training"].get("patience") is not None
        if path.exists() and (of_state <= of_weights or keeps_best):
            weights, _ = load_tensors(path)
        else:
            path = state
            weights = shipped(load_tensors(state)[0])
        model = self.built.model.to("cpu")
        fill(model.state_dict(), weights, path)
        set_precision(model, None)
        return model.eval()

    def data(self) -> Data:
        """The data it was trained on, with the same split.

        Raises:
            LowerboundError: they were arrays in memory, or are no longer where they were.
        """
        if self._data is None:
            from .data import load

            known = self.info["data"]
            if known["source"] is None:
                raise LowerboundError(
                    f"{self.path} was trained on arrays in memory, which are not in the run; pass "
                    "the data again"
                )
            data = load(known["source"], **known["options"])
            _same(data, known, self.path, known["source"])
            self._data = data
        return self._data

    def give(self, data: Data) -> None:
        """Data for a run that cannot find its own; they are prepared as it wants them.

        Raises:
            LowerboundError: they differ from those it was trained on.
        """
        options = self.info["data"]["options"]
        data = data.prepare(**{name: options[name] for name in CHOICES if name in options})
        _same(data, self.info["data"], self.path, "what was passed")
        self._data = data

    @property
    def asked(self) -> tuple[str, ...]:
        """Which of likelihood and network its model takes from the data; many have their own."""
        from .recipes import RECIPES

        both, given = ("likelihood", "network"), self.info["arguments"]
        if not isinstance(self.recipe, str) or self.recipe not in RECIPES:
            return both
        function = RECIPES[self.recipe]
        known, own = options_of(function, python=True), getattr(function, "decides", ())
        return tuple(
            name for name in both
            if name in known and (name not in own or given.get(name, "auto") != "auto")
        )  # fmt: skip

    def read(self, source: Any) -> Data:
        """Other data, prepared as the run's own; all of them, though of its own it may have taken
        the first so many."""
        from .data import load, taken_by

        options: dict[str, Any] = {**self.info["data"]["options"], "limit": None}
        return load(source, **taken_by(source, options))

    def forget(self) -> None:
        """Read the weights anew when the model is asked for next."""
        self.__dict__.pop("model", None)

    @property
    def pictures(self) -> Path:
        """The folder of pictures."""
        folder = self.path / "pictures"
        folder.mkdir(exist_ok=True)
        return folder

    def metrics(self) -> list[dict[str, Any]]:
        """What was reported while it trained, a dict per line of ``metrics.jsonl``."""
        file = self.path / "metrics.jsonl"
        if not file.is_file():
            return []
        lines = file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    @property
    def evaluation(self) -> Evaluation | None:
        """The last evaluation, if there is one."""
        from .evaluation import Evaluation

        file = self.path / EVALUATION
        if not file.is_file():
            return None
        return Evaluation.from_json(json.loads(file.read_text(encoding="utf-8")))

    @property
    def name(self) -> str:
        """What the model is called: its recipe without the file, or its class."""
        named = self.info["recipe"]
        return named.rpartition(":")[2] if named else type(self.model).__name__

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, recipe={self.info['recipe']!r})"


def new_path(name: str, recipe: str, parent: Path = Path("runs")) -> Path:
    """A folder that does not exist yet: ``runs/digits-vae``, ``runs/digits-vae-2``, …"""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{name}-{recipe}")
    path, number = parent / safe, 1
    while path.exists():
        number += 1
        path = parent / f"{safe}-{number}"
    return path


def _others(path: Path) -> str:
    beside = path.parent if path.parent.is_dir() else Path()
    runs = [p.name for p in beside.iterdir() if _is_run(p)]
    hint = nearest(path.name, runs)
    return "pass the folder that `lowerbound train` printed" + hint


def refuse_existing(path: Path) -> None:
    """Refuse to write over what is there.

    Raises:
        LowerboundError: there is a file, or a folder with something in it.
    """
    # What a run that was killed while its folder was made leaves behind is nothing.
    traces = {LOCK, f".{DESCRIPTION}.writing"}
    if path.exists() and (not path.is_dir() or {p.name for p in path.iterdir()} - traces):
        further = f", or go on with it: lowerbound resume {path}" if _is_run(path) else ""
        raise LowerboundError(
            f"{path} exists already, and nothing is written over; pass another --out{further}"
        )


class Effort(NamedTuple):
    """What an evaluation of a likelihood rests on.

    Attributes:
        examples: measured.
        samples: importance samples for each; None where there was nothing to sample.
    """

    examples: int
    samples: int | None

    def __str__(self) -> str:
        of = f"{self.examples:,} example{'' if self.examples == 1 else 's'}"
        return of if self.samples is None else f"{of}, k = {self.samples:,}"


def effort(content: Mapping[str, Any]) -> Effort:
    """Of an evaluation as JSON."""
    likelihood = content.get("log_likelihood") or {}
    return Effort(content["data"]["examples"], likelihood.get("samples"))


def kept(path: Path, now: Effort) -> Effort | None:
    """What a run's evaluation rests on, where a quicker one does not replace it.

    Args:
        path: of the run.
        now: what the new one rests on.

    Returns:
        None where there is none, one of older weights, or one of no more examples and samples.
    """
    file, weights = path / EVALUATION, path / WEIGHTS
    try:
        before = effort(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # none, or corrupt: to be written anew
    if weights.exists() and weights.stat().st_mtime > file.stat().st_mtime:
        return None
    fewer = None not in (now.samples, before.samples) and before.samples > now.samples  # ty: ignore
    return before if before.examples > now.examples or fewer else None


def glance(data: Data) -> list[float]:
    """Means of a few training examples, by which changed data are known."""
    positions = np.linspace(0, len(data.train) - 1, _GLANCED).astype(np.int64)
    means = data.train.stored(positions).double().flatten(1).nanmean(1)  # NaN: a missing step
    return [float(f"{mean:.7g}") for mean in means.tolist()]


def _same(data: Data, known: Mapping[str, Any], path: Path, source: str) -> None:
    """Refuse data that are no longer what a model was trained on."""
    now, then = data.spec.to_json(), known["spec"]
    for key in ("event_shape", "support", "levels", "train", "validation", "test"):
        if json.dumps(now[key]) != json.dumps(then[key]):
            raise LowerboundError(
                f"{source} has changed since {path} was trained: expected {key} {then[key]}, came "
                f"{now[key]}; restore the data, or train again"
            )
    if not glanced_alike(data, known):
        expected, came = np.array(known["rows"]), np.array(glance(data))
        worst = int(np.abs(came - expected).argmax())
        raise LowerboundError(
            f"{source} has changed since {path} was trained: expected examples of mean "
            f"{expected[worst]:g}, came {came[worst]:g}; restore the data, or train again"
        )


def glanced_alike(data: Data, known: Mapping[str, Any]) -> bool:
    """Whether the training examples look like those that a run was trained on."""
    if not known.get("rows"):
        return True
    expected, came = np.array(known["rows"]), np.array(glance(data))
    # Decoders of images differ a little from version to version.
    allowed = 1e-2 * np.ptp(expected) + 1e-6 * np.abs(expected).max()
    return bool(np.abs(came - expected).max() <= allowed)


def _read(file: Path) -> dict[str, Any]:
    """What a ``run.json`` says."""
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        version = info["format"]
        if isinstance(version, int) and version > FORMAT:
            raise LowerboundError(
                f"{file.parent} is of run format {version}, this version reads up to {FORMAT}: it "
                "was made by a newer lowerbound; upgrade to open it"
            )
        for key, kind in _KEYS.items():
            if not isinstance(info[key], kind):
                raise TypeError(f"{key} is {info[key]!r}")
        for key in ("source", "options", "spec"):
            _ = info["data"][key]
    except (ValueError, KeyError, TypeError) as error:
        raise LowerboundError(
            f"{file} is corrupt ({type(error).__name__}: {error}); restore it or train again"
        ) from None
    except OSError as error:
        raise LowerboundError(f"cannot read {file}: {error.strerror}") from None
    return info


def _is_run(path: Path) -> bool:
    return (path / DESCRIPTION).is_file()
