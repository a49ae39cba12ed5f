"""A stand-in for `lowerbound.api` that remembers what it was called with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lowerbound
from lowerbound.evaluation.result import Evaluation, Row
from lowerbound.training.events import Finished, Started


class StubApi(ModuleType):
    """Called like `lowerbound.api`; `calls` holds (verb, positionals, options).

    `reason` is how training ends, `before` how the run that is opened had ended.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("lowerbound.api")
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.folder = folder
        self.reason, self.before, self.kind = "done", "interrupted", "image"
        self.raises: BaseException | None = None

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("__"):
            raise AttributeError(verb)

        def call(*arguments: Any, progress: Any = None, **options: Any) -> Any:
            if verb != "open_run":
                self.calls.append((verb, arguments, options))
                if self.raises is not None:
                    raise self.raises
            if progress is not None and verb in ("train", "resume"):
                progress(Started(0, 10, 5.0, {}))
                progress(Finished(10, self.reason, 1.0))
            reason = self.before if verb == "open_run" else self.reason
            return Answer(self.folder, reason, self.kind)

        return call

    @property
    def options(self) -> dict[str, Any]:
        """The options of the only call."""
        [(_, _, options)] = self.calls
        return options


class Model(str):
    """An evaluation's name of a model, and a run's model, which decodes."""

    decode = None


class Answer:
    """A run, an evaluation, data and a path in one."""

    title = Evaluation.title

    def __init__(self, path: Path, reason: str, kind: str) -> None:
        self.path = path
        self.pictures = path / "pictures"
        self.info = {"status": {"reason": reason, "step": 1200}}
        self.kind = kind
        self.facts = self.spec = self
        self.asked = ()
        self.model = Model("vae")
        self.given = self.unfinished = None
        self.sections = ()
        self.data = {"name": "digits", "split": "test", "examples": 360, "event_shape": (1, 8, 8)}

    def __iter__(self) -> Iterator[Answer]:
        return iter((self, self))  # originals and reconstructions

    def __str__(self) -> str:
        return str(self.path / "out.png")

    def to_json(self) -> dict[str, Any]:
        return {"answer": 1.5, "nothing": float("nan"), "path": self.path}

    def lines(self, asked: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        return [("shape", "8 x 8 grey")]

    def table(self) -> list[Row]:
        return [Row("−log p(x)", "38.12 ± 0.35", "nats", "estimate", "importance-weighted")]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StubApi:
    stub = StubApi(tmp_path / "run")
    (stub.folder / "pictures").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "lowerbound.api", stub)
    monkeypatch.setattr(lowerbound, "api", stub, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return stub
