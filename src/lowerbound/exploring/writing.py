"""Decoded codes as files: pictures, films, sound and tables, by the kind of data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import listening, plots
from ..data import DataSpec
from ..errors import LowerboundError
from ..runs import Run
from ..training.checkpoint import write_out

Array = NDArray[Any]

_SECONDS, _CLIP_SECONDS = 0.08, 0.1
_STRIPS = 12  # clips that are drawn as strips


def suffixes(spec: DataSpec) -> tuple[str, ...]:
    """What decoded data may be written as, the best first."""
    return {
        "image": (".png", ".gif", ".mp4", ".npy"),
        "video": (".gif", ".mp4", ".png", ".npy"),
        "audio": (".wav", ".png", ".npy"),
        "vector": (".csv", ".png", ".npy"),
        "tokens": (".csv", ".png", ".npy"),
        "sequence": (".npy",),
    }[spec.kind]


def check_suffix(path: str | Path, spec: DataSpec) -> None:
    """Refuse a name before anything slow.

    Raises:
        LowerboundError: data of that kind are not written so.
    """
    known = suffixes(spec)
    if Path(path).suffix.lower() in known:
        return
    listed = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
    raise LowerboundError(
        f"expected a name that ends in {listed}, as the data are {spec.kinds}, came "
        f"'{Path(path).name}'"
    )


def write_cells(
    path: str | Path,
    run: Run,
    values: Array,
    title: str,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
) -> Path:
    """Write decoded data in rows and columns.

    A .png shows all of them; a .gif or .mp4 of images is a film through the columns, the rows side
    by side, and of clips plays them at once; a .wav plays them one after the other; a .csv has a
    line each.

    Args:
        path: of the file.
        run: whose data they are.
        values: ``(R, C, *event)`` in the units of the data.
        title: what they are.
        rows: a word for each row.
        columns: a word for each column.
        xlabel: what the columns are.
        ylabel: what the rows are.

    Raises:
        LowerboundError: the name does not fit the data, or the file cannot be written.
    """
    path, spec = Path(path), run.spec
    check_suffix(path, spec)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        return write_out(path, content.getvalue())
    if suffix == ".csv":
        return write_out(path, as_csv(run, values, rows, columns).encode())
    if suffix == ".wav":
        waves = listening.waves_of(values.reshape(-1, values.shape[-1]))
        return listening.save(path, list(waves), listening.rate_of(spec))
    if suffix in (".gif", ".mp4"):
        return write_out(path, _film(spec, values, suffix))
    figure = _figure(run, values, title, rows, columns, xlabel, ylabel)
    return write_out(path, plots.to_png(figure))


def as_csv(
    run: Run, values: Array, rows: Sequence[str] | None, columns: Sequence[str] | None
) -> str:
    """Lines of a table: where it stands among rows and columns, then the datum's numbers."""
    spec = run.spec
    size = int(np.prod(spec.event_shape))
    names = list(spec.columns or [f"x{d}" for d in range(size)])
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["row", "column", *names])
    for i, row in enumerate(values):
        for j, datum in enumerate(row):
            where = [rows[i] if rows else i, columns[j] if columns else j]
            out.writerow([*where, *(f"{v:.6g}" for v in np.asarray(datum).reshape(-1))])
    return text.getvalue()


def unit(spec: DataSpec, values: Array) -> Array:
    """Images and clips in [0, 1], channels that can be shown; others as they are."""
    if spec.kind not in ("image", "video"):
        return values
    black, white = spec.shown
    shown = np.clip((values - black) / ((white - black) or 1.0), 0.0, 1.0)
    channels = shown.shape[-3]
    return shown if channels in (1, 3) else shown[..., : 3 if channels > 3 else 1, :, :]


def _film(spec: DataSpec, values: Array, suffix: str) -> bytes:
    film = plots.gif if suffix == ".gif" else plots.movie
    shown = unit(spec, values)
    if spec.kind == "video":
        clips = shown.reshape(-1, *shown.shape[2:])
        columns = values.shape[1]
        scale = plots.enlarged(clips, columns)
        return film(clips, columns=columns, scale=scale, seconds=_CLIP_SECONDS)
    # There and back again, so that it goes round without a jump.
    there = np.concatenate([shown, shown[:, -2:0:-1]], 1)
    return film(there, scale=plots.enlarged(there), seconds=_SECONDS)


def _figure(
    run: Run,
    values: Array,
    title: str,
    rows: Sequence[str] | None,
    columns: Sequence[str] | None,
    xlabel: str,
    ylabel: str,
) -> Any:
    spec = run.spec
    flat = values.reshape(-1, *values.shape[2:])
    if spec.kind == "image":
        return plots.cells(
            unit(spec, values), title, rows=rows, columns=columns, xlabel=xlabel, ylabel=ylabel
        )
    labels = [
        " ".join(filter(None, (r, c)))
        for r in (rows or [""] * values.shape[0])
        for c in (columns or [""] * values.shape[1])
    ]
    if spec.kind == "video":
        some = None if not any(labels) else labels[:_STRIPS]
        return plots.strips(unit(spec, flat)[:_STRIPS], title, labels=some)
    if spec.kind == "audio":
        names = labels if any(labels) else None
        rate = listening.rate_of(spec)
        across = min(values.shape[1], 6)
        return plots.spectrograms(
            listening.waves_of(flat), rate, title, columns=across, names=names
        )
    if spec.kind == "tokens":
        return plots.token_strips(flat, spec.levels or 2, title)
    return plots.profiles(
        values.reshape(*values.shape[:2], -1), title, names=spec.columns, rows=rows,
        columns=columns, xlabel=xlabel,
    )  # fmt: skip
