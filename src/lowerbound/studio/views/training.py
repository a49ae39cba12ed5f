"""Start a training: the data, looked at before; the recipe's form; the command that it stands for.

Only recipes of lowerbound's own are started from a page, never a file with code.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import LowerboundError, nearest
from ...runs import new_path
from .. import forms
from ..asked import Asked, Studio, route
from ..folder import read
from .runs import jobs_of

KEPT_DATA = ".data"  # beside the runs: files that were brought and are trained on
_SHOWN = 12  # examples


def choices(studio: Studio, asked: Asked) -> Any:
    """Named data by group, and the recipes."""
    from ...data import named

    groups = {
        "here": list(named.EMBEDDED),
        "made": [*named.MADE, *named.DRAWN],
        "fetched": [n for n in (*named.FETCHED, *named.moving_digits.MADE) if _is_here(n)],
        "away": [n for n in (*named.FETCHED, *named.moving_digits.MADE) if not _is_here(n)],
    }
    return {"data": groups, "recipes": forms.recipes(), "home": str(studio.folder.home)}


def form(studio: Studio, asked: Asked) -> Any:
    """The fields of a recipe."""
    return forms.form(asked.text("recipe"))


def inspect(studio: Studio, asked: Asked) -> Any:
    """What data are, some of them, and what they suggest."""
    from .. import shown

    source = _source(studio, asked)
    options = _texts(asked)
    words = ["inspect", source]
    known = {each["key"] for each in _data_fields()}
    for key, value in options.items():
        if key not in known:
            continue
        words += _flag(key, value)
    data = _inspected(studio, words)
    count = min(_SHOWN, len(data.train))
    positions = np.linspace(0, len(data.train) - 1, count).astype(np.int64)
    values = data.train.stored(positions).numpy()
    spec = data.spec
    return {
        "name": spec.name,
        "kind": spec.kind,
        "shape": list(spec.event_shape),
        "facts": [list(line) for line in data.facts.lines()],
        "suggested": [list(line) for line in spec.lines()],
        "likelihood": spec.likelihood,
        "network": spec.network,
        "labels": spec.classes is not None,
        "attributes": spec.attributes is not None,
        "captions": spec.captions is not None,
        "examples": shown.data(spec, values[: 6 if spec.kind in ("vector", "audio") else count]),
        "command": forms.typed(words),
    }


def command(studio: Studio, asked: Asked) -> Any:
    """The command line that a form stands for, and what is wrong with it."""
    try:
        words = _words(studio, asked)
        out = new_path(_data_name(words[1]), words[3], studio.folder.home)
        name = asked.text("name", None)
        whole = forms.checked(words, out if name is None else _own(studio, name))
    except LowerboundError as error:
        return {"command": None, "problem": str(error), "out": None}
    return {"command": forms.typed(whole), "problem": None, "out": whole[-1]}


def train(studio: Studio, asked: Asked) -> Any:
    """Start it."""
    name = asked.text("name", None)
    upload = asked.get("source") if isinstance(asked.get("source"), Mapping) else {}
    words = _words(studio, asked)
    if upload.get("kind") == "upload":  # the run wants it again when it goes on
        words[1] = str(_keep(studio, str(upload.get("id"))))
    home = studio.folder.home
    out = new_path(_data_name(words[1]), words[3], home) if name is None else _own(studio, name)
    taken = {job.path for job in jobs_of(studio).all() if job.running}
    number = 1
    while name is None and out in taken:  # it has not made its folder yet
        number += 1
        out = new_path(f"{_data_name(words[1])}-{number}", words[3], home)
    whole = forms.checked(words, out)
    about = {"values": _texts(asked), "recipe": words[3]}
    job = jobs_of(studio).start("train", whole, path=out, shown=forms.typed(whole), about=about)
    return {**job.told(), "out": str(out)}


def again(studio: Studio, asked: Asked) -> Any:
    """The form that a run came from."""
    path = studio.folder.path(asked.text("run"))
    try:
        info = read(path)
        source = info["data"]["source"]
        recipe = str(info["recipe"])
        given = dict(info.get("given") or {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LowerboundError(f"{path} does not read ({type(error).__name__})") from None
    fields = forms.form(recipe)  # refuses what is no recipe of ours
    known = {each["key"] for group in fields["groups"] for each in group["fields"]}
    values = {k: v for k, v in forms.values_of(given).items() if k.partition(".")[0] in known}
    return {
        "recipe": recipe,
        "source": None if source is None else str(source),
        "values": values,
    }


def _texts(asked: Asked) -> dict[str, str]:
    values = asked.get("values", {})
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise LowerboundError("values: expected texts by flag, came something else")
    return values


def _words(studio: Studio, asked: Asked) -> list[str]:
    return forms.words_of(asked.text("recipe"), _source(studio, asked), _texts(asked))


def _source(studio: Studio, asked: Asked) -> str:
    """What is to be loaded: a name, a path on this machine, or a file that was brought."""
    source = asked.get("source")
    if not isinstance(source, Mapping):
        raise LowerboundError("source: expected a name, a path or a file, came something else")
    kind, text = source.get("kind"), source.get("text")
    if kind == "upload":
        return str(studio.uploads.path(str(source.get("id"))))
    if kind not in ("name", "path") or not isinstance(text, str) or not text.strip():
        raise LowerboundError("expected data, came none; choose a name, a path or a file")
    if kind == "path":
        path = Path(text.strip()).expanduser()
        if not path.exists():
            raise LowerboundError(f"expected a file or a folder, came {path}, which is not there")
        return str(path.resolve())
    return _named(text.strip(), _texts(asked).get("data_dir"))


def _named(text: str, data_dir: str | None) -> str:
    """A data set by its name, if it is on this machine: the studio fetches nothing."""
    from ...data import named

    name = named.resolve(text)
    if name is None:
        raise LowerboundError(f"there are no data of the name '{text}'{nearest(text, named.NAMES)}")
    if not _is_here(name, data_dir):
        raise LowerboundError(
            f"{name} is not on this machine, and the studio fetches nothing; fetch it once with: "
            f"lowerbound inspect {name}"
        )
    return name


def _is_here(name: str, data_dir: str | None = None) -> bool:
    """Whether a data set needs no network, told by the names of files alone."""
    from ...data import named

    name = named.moving_digits.MADE[name][0] if name in named.moving_digits.MADE else name
    if name not in named.FETCHED:
        return True
    places = [Path(p).expanduser() for p in (data_dir, os.environ.get(named.DATA_DIR)) if p]
    spelled = {
        name,
        name.replace("-", "_"),
        *(f.split("/")[0] for f in named.FETCHED[name].folders),
    }
    for place in (*places, named.cache_folder()):
        try:
            there = [each.name for each in place.iterdir()]
        except OSError:
            continue
        if any(each.split(".")[0] in spelled or each.startswith(f"{name}_") for each in there):
            return True
        if place in places and set(named.FETCHED[name].files) <= set(there):
            return True
    return False


def _own(studio: Studio, name: str) -> Path:
    """A run's folder by the name that a person gave it.

    Raises:
        LowerboundError: no name of a folder, or one that is taken.
    """
    plain = all(c.isalnum() or c in "-_." for c in name) and not name.startswith(".")
    if not name or not plain or len(name) > 100:
        raise LowerboundError(
            f"name: expected letters, digits, - and _ (at most 100), came {name!r}"
        )
    path = studio.folder.home / name
    if path.exists():
        raise LowerboundError(f"name: {path} exists already, and nothing is written over")
    return path


def _keep(studio: Studio, id: str) -> Path:
    """A file that was brought, kept for as long as the runs are."""
    path = studio.uploads.path(id)
    kept = studio.folder.home / KEPT_DATA / path.name
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            shutil.copyfile(path, kept)
    except OSError as error:
        raise LowerboundError(f"cannot keep the file in {kept.parent}: {error.strerror}") from None
    return kept


def _data_name(source: str) -> str:
    return Path(source).stem or "data"


def _data_fields() -> list[dict[str, Any]]:
    groups = forms.form("vae")["groups"]
    slots = [f for g in groups for f in g["fields"] if f["key"] in ("likelihood", "network")]
    return [*next(group["fields"] for group in groups if group["id"] == "data"), *slots]


def _flag(key: str, value: str) -> list[str]:
    dashed = key.replace("_", "-")
    if value in ("yes", "no") and key == "skip_bad":
        return [f"--{dashed}"] if value == "yes" else []
    return [f"--{dashed}={value}"] if value.startswith("-") else [f"--{dashed}", value]


def _inspected(studio: Studio, words: list[str]) -> Any:
    """The data, kept while their form is filled in."""
    from ... import api
    from ...cli.parser import parse

    found = parse(words)
    assert isinstance(found, partial)
    path = Path(words[1])
    stamp = path.stat().st_mtime_ns if path.is_absolute() and path.exists() else None
    key = (tuple(words), stamp)
    kept = studio.parts.get("inspected")
    if kept is None or kept[0] != key:
        kept = studio.parts["inspected"] = (key, api.inspect(*found.args, **found.keywords))
    return kept[1]


ROUTES = [
    route("GET", "new", choices),
    route("GET", "form/{recipe}", form),
    route("POST", "inspect", inspect),
    route("POST", "command", command),
    route("POST", "train", train),
    route("GET", "run/{run}/again", again),
]
