"""A run: a folder that holds a model, how it came to be, and what is known of it.

Nothing in it is pickled code: the recipe and its arguments rebuild the model, safetensors fill it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import LowerboundError
from .training.checkpoint import fill, load_tensors, write_whole
from .training.state import CHECKPOINT, WEIGHTS

if TYPE_CHECKING:
    from torch import nn

    from .data import Data, DataSpec
    from .evaluation import Evaluation
    from .recipes import Built

FORMAT = 1
DESCRIPTION = "run.json"


class Run:
    """A folder with a model in it.

    Args:
        path: of the folder.
        info: what its ``run.json`` says: format, recipe, arguments, data, training, resolved,
            versions, status.

    >>> Run.open("no/such/run")
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: no/such/run is no run: there is no such folder; ...
    """

    def __init__(self, path: Path, info: dict[str, Any], built: Built | None = None) -> None:
        self.path, self.info = path, info
        self._given = built
        self._data: Data | None = None

    # Opening and making

    @classmethod
    def create(cls, path: Path, info: Mapping[str, Any], built: Built, data: Data) -> Run:
        """Make the folder of a new run.

        Raises:
            LowerboundError: there is something at that path already; nothing is written over.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise LowerboundError(
                f"{path} exists already, and nothing is written over; pass another --out, or go on "
                f"with it: lowerbound resume {path}"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LowerboundError(f"cannot make {path}: {error.strerror}; pass --out") from None
        run = cls(path, {"format": FORMAT, **info}, built)
        run._data = data
        run.write()
        return run

    @classmethod
    def open(cls, path: str | Path, recipe: Any = None) -> Run:
        """Open a run.

        Args:
            path: of the folder.
            recipe: the function that built the model, for a run that was not trained by a named
                recipe; or ``"file.py:function"``.

        Raises:
            LowerboundError: it is no run, is corrupt, or is from a newer version.
        """
        path = Path(path).expanduser()
        if not path.is_dir():
            raise LowerboundError(f"{path} is no run: there is no such folder; {_others(path)}")
        file = path / DESCRIPTION
        if not file.is_file():
            raise LowerboundError(f"{path} is no run: it has no {DESCRIPTION}; {_others(path)}")
        try:
            info = json.loads(file.read_text(encoding="utf-8"))
            version = info["format"]
            _ = info["recipe"], info["arguments"], info["data"], info["training"], info["status"]
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise LowerboundError(
                f"{file} is corrupt ({type(error).__name__}: {error}); restore it or train again"
            ) from None
        if version > FORMAT:
            raise LowerboundError(
                f"{path} is of run format {version}, this version reads up to {FORMAT}: it was "
                "made by a newer lowerbound; upgrade to open it"
            )
        run = cls(path, info)
        if recipe is not None:
            run.info["recipe"] = recipe
        return run

    def write(self) -> None:
        """Write ``run.json``, atomically."""
        text = json.dumps(self.info, indent=2, ensure_ascii=False)
        write_whole(self.path / DESCRIPTION, text.encode())

    def update(self, **entries: Any) -> None:
        """Change entries of ``run.json``."""
        self.info.update(entries)
        self.write()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this run; the system lifts the lock if we die.

        Raises:
            LowerboundError: another process is at it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LowerboundError(
                f"{self.path} is in use by another process; wait for it, stop it, or pass another "
                "--out"
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
        return DataSpec.from_json(self.info["data"]["spec"])

    @cached_property
    def built(self) -> Built:
        """The model and its phases, as the recipe builds them, untrained.

        Raises:
            LowerboundError: it was built by code that is not in the run.
        """
        if self._given is not None:
            return self._given
        from .recipes import recipe

        named = self.info["recipe"]
        if named is None:
            raise LowerboundError(
                f"{self.path} was trained with a model of one's own, which is not in the run; open "
                "it with the function that builds it: recipe='file.py:function'"
            )
        function = recipe(named) if isinstance(named, str) else named
        return function(self.spec, **self.info["arguments"])

    @cached_property
    def model(self) -> nn.Module:
        """The trained model, in evaluation mode, float32, on the CPU.

        Raises:
            LowerboundError: there are no weights yet, or they are corrupt.
        """
        from .distributions import set_precision

        path = self.path / WEIGHTS
        if not path.exists() and (self.path / CHECKPOINT).exists():
            stored, _ = load_tensors(self.path / CHECKPOINT)
            weights = {k.removeprefix("model."): v for k, v in stored.items() if k[:6] == "model."}
            path = self.path / CHECKPOINT
        elif not path.exists():
            raise LowerboundError(
                f"{self.path} has no weights yet: it was stopped before its first checkpoint; go on "
                f"with: lowerbound resume {self.path}"
            )
        else:
            weights, _ = load_tensors(path)
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
            self._data = load(known["source"], **known["options"])
            _same(self._data.spec.to_json(), known["spec"], self.path, known["source"])
        return self._data

    def give(self, data: Data) -> None:
        """Data for a run that cannot find its own.

        Raises:
            LowerboundError: they differ from those it was trained on.
        """
        _same(data.spec.to_json(), self.info["data"]["spec"], self.path, "what was passed")
        self._data = data

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

        file = self.path / "evaluation.json"
        if not file.is_file():
            return None
        return Evaluation.from_json(json.loads(file.read_text(encoding="utf-8")))

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
    from .errors import nearest

    beside = path.parent if path.parent.is_dir() else Path()
    runs = [p.name for p in beside.iterdir() if (p / DESCRIPTION).is_file()]
    hint = nearest(path.name, runs)
    return "pass the folder that `lowerbound train` printed" + hint


def _same(now: dict[str, Any], then: dict[str, Any], path: Path, source: str) -> None:
    """Refuse data that are no longer what a model was trained on."""
    for key in ("event_shape", "support", "levels", "train", "test"):
        if json.dumps(now[key]) != json.dumps(then[key]):
            raise LowerboundError(
                f"{source} has changed since {path} was trained: expected {key} {then[key]}, came "
                f"{now[key]}; restore the data, or train again"
            )
