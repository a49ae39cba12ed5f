"""One run from the outside: what it reported, its pictures, its numbers, how it came to be.

None of this needs the model, so that it shows of a run that trains, failed or is corrupt, too; but
for samples of one that trains, drawn whenever its weights have moved on.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from ...errors import LowerboundError
from ...evaluation import Evaluation
from ...options import describe
from ...recipes import RECIPES
from ...report import command
from ...training.record import METRICS
from ..asked import Asked, Studio, path_of, route
from ..folder import REPORT, evaluation, is_plain, read
from ..guard import SANDBOX
from ..snapshots import last_snapshot, snapshots_of
from .latent_asked import code_path
from .runs import jobs_of

_MOST_BYTES = 4 * 2**20  # of metrics in one reply


def overview(studio: Studio, asked: Asked) -> Any:
    """All that is known of a run without its model."""
    run, path = asked.text("run"), path_of(studio, asked)
    found = studio.folder.about(run, path)
    job = jobs_of(studio).at(path)
    found["job"] = None if job is None else job.told()
    found["snapshot"] = last_snapshot(studio, found)
    found |= _how(path)
    found["evaluation"] = _numbers(path)
    shown = code_path(path)
    found["code"] = (
        f'import lowerbound as lb\n\nrun = lb.open_run("{shown}")\n'
        "print(run.evaluation)  # log p(x) with its kind, rate, distortion\n"
        'curve = [line["bound"] for line in run.metrics() if line["split"] != "train"]\n'
        "samples = lb.sample(run, 64)"
    )
    return found


def metrics(studio: Studio, asked: Asked) -> Any:
    """What was reported since the last time, by the place in the file.

    The file is another one (a resumed run cuts it back) where its number or its start has changed.
    """
    path = path_of(studio, asked) / METRICS
    after, of = asked.whole("after", 0, high=2**53), asked.text("of", "")
    if not is_plain(path):
        return {"of": "", "after": 0, "lines": [], "anew": after > 0, "more": False}
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        now = str(about.st_ino)
        anew = now != of or after > about.st_size
        file.seek(0 if anew else after)
        text = file.read(_MOST_BYTES)
        place = file.tell()
    whole = text.rfind(b"\n") + 1  # a line may be half written
    lines = []
    for each in text[:whole].splitlines():
        try:
            line = json.loads(each)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    after = place - len(text) + whole
    return {"of": now, "after": after, "lines": lines, "anew": anew,
            "more": after < about.st_size and bool(whole)}  # fmt: skip


def report(studio: Studio, asked: Asked) -> Any:
    """The run's page. It may be somebody else's: it stands in a box without scripts."""
    path = path_of(studio, asked) / REPORT
    if not is_plain(path):
        raise LowerboundError(f"run '{asked.text('run')}' has no report; evaluate it")
    kept = asked.text("download", "", among=("", "yes"))
    name = f"{asked.text('run')}.html" if kept else None
    headers = {"Content-Security-Policy": SANDBOX}
    return FileResponse(path, media_type="text/html", filename=name, headers=headers)


def resume(studio: Studio, asked: Asked) -> Any:
    """Go on with it."""
    path = path_of(studio, asked)
    _ours(path)
    words = ["resume", str(path)]
    shown = f"lowerbound resume {code_path(path)}"
    return jobs_of(studio).start("resume", words, path=path, shown=shown).told()


def evaluate(studio: Studio, asked: Asked) -> Any:
    """Measure it."""
    path = path_of(studio, asked)
    _ours(path)
    samples = asked.whole("samples", None, low=1, high=10**6)
    limit = asked.whole("limit", None, low=1, high=10**8)
    options = {"samples": samples, "limit": limit}
    given = {name: value for name, value in options.items() if value is not None}
    flags = "".join(f" --{name} {value}" for name, value in given.items())
    return work(studio, "evaluate", {"run": str(path), **given},
                shown=f"lowerbound evaluate {code_path(path)}{flags}", path=path)  # fmt: skip


def work(
    studio: Studio, kind: str, options: dict[str, Any], *, shown: str, path: Path | None = None
) -> Any:
    """Start a measurement."""
    words = [kind, "{folder}", json.dumps(options)]
    module = "lowerbound.studio.working"
    started = jobs_of(studio).start(kind, words, path=path, shown=shown, module=module)
    return started.told()


def snapshots(studio: Studio, asked: Asked) -> Any:
    """Of which steps there are samples; `draw` has another one drawn if there is news."""
    path = path_of(studio, asked)
    found = snapshots_of(studio)
    if asked.text("draw", "", among=("", "yes")):
        found.look(studio, path)
    with found.lock:
        steps = [step for step, _ in found.kept.get(path, [])]
        return {"steps": steps[::-1], "busy": found.busy, "problem": found.problems.get(path)}


def snapshot(studio: Studio, asked: Asked) -> Any:
    """One of them."""
    path, step = path_of(studio, asked), asked.whole("step")
    found = snapshots_of(studio)
    for each, content in found.kept.get(path, []):
        if each == step:
            return Response(content, media_type="image/png")
    raise LowerboundError(f"there are no samples of step {step} (any more)")


def _how(path: Path) -> dict[str, Any]:
    """How it was made, in pairs of name and text."""
    try:
        info = read(path)
        recipe = str(info["recipe"] or "")
        summary, paper = describe(RECIPES[recipe]) if recipe in RECIPES else ("", "")
        spec, data = info["data"]["spec"], info["data"]
        facts = {
            "source": data.get("source") or "arrays in memory",
            "examples": f"{spec.get('train')} train, {spec.get('validation') or 0} validation, "
            f"{spec.get('test')} test",
            "shape": " x ".join(map(str, spec.get("event_shape", []))),
            "likelihood": _because(spec, "likelihood"),
            "network": _because(spec, "network"),
        }
        return {
            "summary": summary,
            "paper": paper,
            "known": recipe in RECIPES and not info.get("own"),
            "command": command(info) if data.get("source") else None,
            "arguments": _pairs(info.get("arguments")),
            "training": _pairs(info.get("training")),
            "dataFacts": _pairs(facts),
            "resolved": _pairs(info.get("resolved")),
            "versions": _pairs(info.get("versions")),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        nothing: list[Any] = []
        return {"summary": "", "paper": "", "known": False, "command": None, "arguments": nothing,
                "training": nothing, "dataFacts": nothing, "resolved": nothing,
                "versions": nothing}  # fmt: skip


def _because(spec: dict[str, Any], name: str) -> str:
    why = (spec.get("why") or {}).get(name)
    return f"{spec.get(name)} ({why})" if why else str(spec.get(name))


def _pairs(found: Any) -> list[list[str]]:
    from ...report import _option

    if not isinstance(found, dict):
        return []
    return [[str(name), _option(value)] for name, value in found.items() if value is not None]


def _numbers(path: Path) -> dict[str, Any] | None:
    """The evaluation as a table, with sections."""
    content = evaluation(path)
    if content is None:
        return None
    try:
        found = Evaluation.from_json(content)
        return {
            "title": found.title(),
            "rows": [list(row) for row in found.table()],
            "sections": [
                {"name": section.name, "rows": [list(row) for row in section.rows()],
                 "notes": list(section.notes)}
                for section in found.sections
            ],
            "settings": _pairs(content.get("settings")),
        }  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _ours(path: Path) -> None:
    """Refuse a run whose model is made by code that is not lowerbound's: none is run from a page.

    Raises:
        LowerboundError: it is.
    """
    try:
        info = read(path)
        known = info["recipe"] in RECIPES and not info.get("own")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LowerboundError(f"{path.name} does not read ({type(error).__name__})") from None
    if not known:
        raise LowerboundError(
            f"{path.name} was trained with code of one's own, which the studio does not run; go on "
            f"with it from the command line: lowerbound resume {path} --recipe file.py:function"
        )


ROUTES = [
    route("GET", "run/{run}/overview", overview),
    route("GET", "run/{run}/metrics", metrics),
    route("GET", "run/{run}/report", report),
    route("GET", "run/{run}/snapshots", snapshots),
    route("GET", "run/{run}/snapshot/{step}", snapshot),
    route("POST", "run/{run}/resume", resume),
    route("POST", "run/{run}/evaluate", evaluate),
]
