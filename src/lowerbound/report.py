"""One page about one run, that opens alone: no script, no network, no files beside it."""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from .errors import LowerboundError
from .evaluation.result import Evaluation
from .evaluation.rows import Row

#: How a run's training ended, or has not, where its model is not the one that was asked for.
UNFINISHED = ("training", "interrupted", "failed")


class Picture(NamedTuple):
    """A picture of the report.

    Attributes:
        title: what is shown; also its text for those who do not see it.
        png: the picture's bytes, or where they lie.
        caption: a sentence or two more.
    """

    title: str
    png: bytes | str | Path
    caption: str = ""


class Sound(NamedTuple):
    """A sound of the report, with a player.

    Attributes:
        title: what is heard.
        wav: the bytes of a WAV file.
    """

    title: str
    wav: bytes


def write_report(
    path: str | Path,
    title: str,
    facts: Mapping[str, str] | Sequence[tuple[str, str]],
    evaluation: Evaluation | Mapping[str, Any] | None,
    pictures: Iterable[Picture | tuple[Any, ...]],
    metrics: Sequence[Mapping[str, Any]],
    info: Mapping[str, Any],
    sounds: Sequence[Sound] = (),
) -> Path:
    """Write the report.

    Args:
        path: where to; replaced in one step if it exists.
        title: of the page, say ``"vae on digits"``.
        facts: what was found in the data and what was chosen and why, name by name.
        evaluation: the numbers, or what their ``to_json`` gave; ``None`` before there are any.
        pictures: in the order of reading. Learning curves are drawn from ``metrics`` beside them.
        metrics: lines of ``metrics.jsonl``.
        info: content of ``run.json``: recipe, arguments, data, training, versions, status.
        sounds: to listen to, in the page itself.

    Returns:
        ``path``.

    Raises:
        LowerboundError: a picture cannot be read.
    """
    if evaluation is not None and not isinstance(evaluation, Evaluation):
        evaluation = Evaluation.from_json(evaluation)
    drawn = [Picture(*picture) for picture in pictures]
    sections = [
        _numbers(evaluation),
        _section("What was chosen, and why", _definitions(dict(facts))),
        _section("Training", _training(metrics, info)),
        _section("Pictures", '<div class="pictures">' + "".join(map(_figure, drawn)) + "</div>")
        if drawn
        else "",
        _section("Listen", '<div class="sounds">' + "".join(map(_player, sounds)) + "</div>")
        if sounds
        else "",
        _section("Make it again", _again(info)),
    ]
    style = files("lowerbound").joinpath("report.css").read_text("utf-8")
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1>{_headline(evaluation)}{_unfinished(info)}</header>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<footer>{escape(_versions(info))}</footer>\n</main>\n</body>\n</html>\n"
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(page, "utf-8")
    os.replace(aside, path)
    return path


def command(info: Mapping[str, Any]) -> str:
    """The command line that makes the run again, from its ``run.json``.

    >>> command({"recipe": "vae", "data": {"source": "my data.npz"}, "given": {"hidden": [64, 32],
    ...     "likelihood": {"name": "gaussian", "sigma": "learned"}, "skip_bad": False}})
    "lowerbound train 'my data.npz' --recipe vae --hidden 64,32 --likelihood gaussian \
--likelihood.sigma learned --no-skip-bad"
    """
    if info.get("command"):
        return str(info["command"])
    data = info.get("data", {})
    words = ["lowerbound", "train", str(data.get("source", "DATA"))]
    words += ["--recipe", str(info.get("recipe", "vae"))]
    for name, value in info.get("given", {}).items():
        words += _flag("--" + name.replace("_", "-"), value)
    return shlex.join(words)


def _flag(flag: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [flag if value else "--no-" + flag.removeprefix("--")]
    if isinstance(value, Mapping):
        words = _flag(flag, value.get("name"))
        for option, given in value.items():
            if option != "name":
                words += _flag(f"{flag}.{option.replace('_', '-')}", given)
        return words
    if isinstance(value, list | tuple):
        return [flag, ",".join(map(str, value))]
    return [flag, str(value)]


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def _headline(evaluation: Evaluation | None) -> str:
    """The one number that was asked for, large, and of what kind it is."""
    if evaluation is None:
        return '<p class="lead">Not evaluated yet.</p>'
    data = evaluation.data
    of = data.get("of", data["examples"])
    part = f"{data['examples']:,}" + (f" of {of:,}" if of > data["examples"] else "")
    where = f"{part} {data['split']} examples"
    row = next(iter(evaluation.table()), Row("", "", "", "", ""))
    if evaluation.log_likelihood is None and evaluation.no_likelihood is None:
        return f'<p class="lead">Likelihood not measured.</p><p class="note">{escape(where)}</p>'
    if evaluation.log_likelihood is None:
        return f'<p class="lead">{escape(row.note)}</p><p class="note">{escape(where)}</p>'
    bits = evaluation.log_likelihood.bits_per_dim
    return (
        f'<p class="lead"><span class="name">{escape(row.quantity)}</span> '
        f"<strong>{escape(row.value)}</strong> nats"
        f' <span class="name">or</span> <strong>{bits:.4f}</strong> bits/dim'
        f' <span class="kind">{escape(row.kind)}</span></p>'
        f'<p class="note">Mean over {escape(where)}, ± standard error. '
        f"{escape(row.note[:1].upper() + row.note[1:])}.</p>"
    )


def _unfinished(info: Mapping[str, Any]) -> str:
    """That the model is not what was asked for, where its training has not ended."""
    status = info.get("status")
    if not isinstance(status, Mapping) or status.get("reason") not in UNFINISHED:
        return ""
    at = f" at step {status['step']:,}" if status.get("step") is not None else ""
    return f'<p class="note">Unfinished: training stopped{at} ({escape(status["reason"])}).</p>'


def _numbers(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return ""
    how = _settings(evaluation.settings)
    note = f'<p class="small">{escape(how)}</p>' if how else ""
    parts = [_section("Numbers", f"{_table(evaluation.table())}{note}")]
    for section in evaluation.sections:
        notes = "".join(f'<p class="small">{escape(text)}</p>' for text in section.notes)
        parts.append(_section(section.name.capitalize(), f"{_table(section.rows())}{notes}"))
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{h}</th>" for h in ("quantity", "value", "unit", "kind", ""))
    lines = "".join(
        f'<tr><td>{escape(r.quantity)}</td><td class="number">{escape(r.value)}</td>'
        f"<td>{escape(r.unit)}</td><td>{_kind(r.kind)}</td>"
        f'<td class="why">{escape(r.note)}</td></tr>'
        for r in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _settings(settings: Mapping[str, Any]) -> str:
    """How the numbers were got, in a sentence."""
    texts = {
        "samples": "{:,} samples per example",
        "rows": "{:,} rows at a time",
        "precision": "{}",
        "seed": "seed {}",
    }
    how = [text.format(settings[k]) for k, text in texts.items() if settings.get(k) is not None]
    how += ["compiled"] if settings.get("compiled") else []
    how += [f"in {settings['seconds']:,.1f} s"] if settings.get("seconds") is not None else []
    return "Measured with " + ", ".join(how) + "." if how else ""


def _kind(kind: str) -> str:
    return f'<span class="kind">{escape(kind)}</span>' if kind else ""


def _definitions(pairs: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs.items())
    return f"<dl>{rows}</dl>" if rows else ""


def _training(metrics: Sequence[Mapping[str, Any]], info: Mapping[str, Any]) -> str:
    facts: dict[str, str] = {}
    steps = [line for line in metrics if line.get("step") is not None]
    if steps:
        last = steps[-1]
        facts["length"] = f"{last['step']:,} steps"
        if last.get("epoch") is not None:
            facts["length"] += f", {last['epoch']:.4g} epochs"
        seconds = [line["seconds"] for line in steps if line.get("seconds") is not None]
        if seconds:
            facts["time"] = _duration(seconds[-1])
        speeds = [line["examples_per_second"] for line in steps if line.get("examples_per_second")]
        if speeds:
            facts["speed"] = f"{sorted(speeds)[len(speeds) // 2]:,.0f} examples/s (median)"
    status = info.get("status")
    if isinstance(status, Mapping) and status.get("reason"):
        unfinished = status["reason"] in UNFINISHED
        facts["ended"] = f"{status['reason']}{', unfinished' if unfinished else ''}"
    curves = ""
    from .plots import learning_curves, to_png, worth_curves

    if worth_curves(metrics):
        text = "Training and held-out data. The bound is −(distortion + rate), unweighted."
        curves = _figure(Picture("Learning curves", to_png(learning_curves(metrics, "")), text))
        curves = f'<div class="pictures one">{curves}</div>'
    told = {**(info.get("arguments") or {}), **(info.get("training") or {})}
    options = _definitions({key: _option(v) for key, v in told.items() if v is not None})
    details = f"<details><summary>Every option</summary>{options}</details>" if options else ""
    return _definitions(facts) + curves + details


def _option(value: Any) -> str:
    """An option's value as the command line takes it; a slot with its options.

    >>> _option([200, 100]), _option({"name": "gaussian", "sigma": "learned"}), _option(True)
    ('200, 100', 'gaussian (sigma learned)', 'yes')
    """
    if isinstance(value, bool):
        return ("no", "yes")[value]
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {_option(v)}" for key, v in value.items() if key != "name")
        return f"{value.get('name', '')} ({rest})".strip() if rest else str(value.get("name", ""))
    return str(value)


def _again(info: Mapping[str, Any]) -> str:
    return f"<pre><code>{escape(command(info))}</code></pre>"


def _figure(picture: Picture) -> str:
    """A picture within the page. Tall and square ones take a column, wide ones the whole width."""
    png = picture.png
    if not isinstance(png, bytes):
        try:
            png = Path(png).read_bytes()
        except OSError as error:
            raise LowerboundError(f"expected a picture at {png}, got: {error.strerror}") from error
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise LowerboundError(f"expected PNG for the picture '{picture.title}', got {png[:8]!r}")
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
    text = escape(picture.title)
    if picture.caption:
        text += f". <span>{escape(picture.caption)}</span>"
    wide = ' class="full"' if width > 1.6 * height else ""
    return (
        f'<figure{wide}><img alt="{escape(picture.title)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _player(sound: Sound) -> str:
    """A player of a sound within the page."""
    content = base64.b64encode(sound.wav).decode("ascii")
    return (
        f"<figure><figcaption>{escape(sound.title)}</figcaption>"
        f'<audio controls preload="metadata" src="data:audio/wav;base64,{content}"></audio>'
        "</figure>"
    )


def _duration(seconds: float) -> str:
    """
    >>> _duration(42.4), _duration(3725)
    ('42 s', '1 h 2 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _versions(info: Mapping[str, Any]) -> str:
    versions = info.get("versions") or {}
    return ", ".join(f"{name} {version}" for name, version in versions.items())
