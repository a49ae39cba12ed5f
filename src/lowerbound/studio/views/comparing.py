"""Runs held against one another, and one run looked over for what is wrong with it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse

from ...errors import LowerboundError
from ...recipes import RECIPES
from .. import forms
from ..asked import Asked, Studio, path_of, route
from ..folder import read
from ..guard import SANDBOX
from ..jobs import Job
from ..working import FILES, RESULT
from .latent_asked import code_path
from .overview import work
from .runs import jobs_of

_MOST_RUNS = 12
_FLAG = r"--[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)?[ =](?:/\S*\w|[\w.,+-]*\w)"
_TOGETHER = re.compile(rf"{_FLAG}(?: +{_FLAG})*")
_ONE = re.compile(r"--([a-z][a-z0-9.-]*)[ =](\S*\w)")


def compare(studio: Studio, asked: Asked) -> Any:
    """Start it."""
    ids = asked.get("runs")
    fits = isinstance(ids, list) and all(isinstance(each, str) for each in ids)
    if not fits or not 2 <= len(ids) <= _MOST_RUNS:
        raise LowerboundError(f"expected from 2 to {_MOST_RUNS} runs, came others; choose them")
    paths = [studio.folder.path(each) for each in ids]
    options: dict[str, Any] = {
        "samples": asked.whole("samples", None, low=1, high=10**6),
        "limit": asked.whole("limit", None, low=1, high=10**8),
        "across_kinds": asked.get("across_kinds", False) is True,
    }
    words = ["lowerbound", "compare", *(code_path(path) for path in paths)]
    words += [f"--{n} {v}" for n, v in options.items() if n != "across_kinds" and v is not None]
    words += ["--across-kinds"] if options["across_kinds"] else []
    told = work(studio, "compare", {"runs": [str(path) for path in paths], **options},
                shown=" ".join(words))  # fmt: skip
    names = ", ".join(f'"{code_path(path)}"' for path in paths)
    given = "".join(f", {name}={value}" for name, value in options.items() if value)
    code = (
        f"import lowerbound as lb\n\nfound = lb.compare([{names}]{given})\n"
        "print(found)  # the table as Markdown\n"
        "print(found.to_json())"
    )
    jobs_of(studio).get(told["id"]).about["code"] = code
    return told


def diagnose(studio: Studio, asked: Asked) -> Any:
    """Start it."""
    path = path_of(studio, asked)
    shown = f"lowerbound diagnose {shlex.quote(code_path(path))}"
    told = work(studio, "diagnose", {"run": str(path)}, shown=shown, path=path)
    about = jobs_of(studio).get(told["id"]).about
    about["run"], about["recipe"] = asked.text("run"), _recipe(path)
    about["code"] = (
        f'import lowerbound as lb\n\nfound = lb.diagnose("{code_path(path)}")\n'
        "print(found.headline())\nprint(found)"
    )
    return told


def diagnosed(studio: Studio, asked: Asked) -> Any:
    """The last diagnosis of a run, by its job; null where none was made."""
    path = path_of(studio, asked)
    for job in jobs_of(studio).all():
        if job.kind == "diagnose" and job.path == path:
            return job.told()
    return None


def result(studio: Studio, asked: Asked) -> Any:
    """What came of it."""
    job = _done(studio, asked)
    found = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
    for finding in found.get("findings", []):
        finding["suggested"] = suggested(str(finding["helps"]), job.about.get("recipe"))
    if job.kind == "compare":
        found["files"] = [name for name in FILES if (job.folder / name).is_file()]
    return {**found, "code": job.about.get("code"), "command": job.command}


def file(studio: Studio, asked: Asked) -> Any:
    """A file of a comparison."""
    name = asked.text("name", among=FILES)
    path = _done(studio, asked).folder / name
    if not path.is_file():
        raise LowerboundError(f"there is no {name} (any more); compare again")
    headers = {"Content-Security-Policy": SANDBOX}
    shown = asked.text("show", "", among=("", "yes"))
    kind = {".md": "text/markdown; charset=utf-8"}.get(path.suffix)
    return FileResponse(path, media_type=kind, filename=None if shown else name, headers=headers)


def suggested(helps: str, recipe: str | None) -> list[dict[str, Any]]:
    """What an advice says to try: flags that a form takes, with values that fit.

    >>> suggested("pass --learning-rate 0.0003, a wider --network, or --recipe iwae", "vae")
    [{'recipe': 'vae', 'values': {'learning_rate': '0.0003'}, 'shown': '--learning-rate 0.0003'}, \
{'recipe': 'iwae', 'values': {}, 'shown': '--recipe iwae'}]
    """
    if recipe not in RECIPES:
        return []
    found: list[dict[str, Any]] = []
    for together in _TOGETHER.findall(helps):
        pairs = [(name.replace("-", "_"), value) for name, value in _ONE.findall(together)]
        values = dict(pairs)
        chosen = values.pop("recipe", recipe)
        each = {"recipe": chosen, "values": values, "shown": together}
        try:
            forms.checked(forms.words_of(chosen, "digits", values))
        except LowerboundError:  # a word that follows the flag's name, or another recipe's flag
            continue
        if each not in found:
            found.append(each)
    return found


def _done(studio: Studio, asked: Asked) -> Job:
    job = jobs_of(studio).get(asked.text("job"))
    if not (job.folder / RESULT).is_file():
        raise LowerboundError("it has not come to its end; wait, or start it again")
    return job


def _recipe(path: Path) -> str | None:
    try:
        return str(read(path)["recipe"])
    except (OSError, ValueError, KeyError):
        return None


ROUTES = [
    route("POST", "compare", compare),
    route("POST", "run/{run}/diagnose", diagnose),
    route("GET", "run/{run}/diagnose", diagnosed),
    route("GET", "job/{job}/result", result),
    route("GET", "job/{job}/file/{name}", file),
]
