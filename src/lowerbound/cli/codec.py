"""The verbs ``encode`` and ``decode``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lowerbound.errors import LowerboundError
from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.codec import Codes
    from lowerbound.runs import Run


def encode(
    run: str,
    data: str,
    /,
    *,
    out: str | None = None,
    split: Literal["all", "train", "validation", "test"] = "all",
    given: str | None = None,
    limit: Annotated[int | None, Span(min=1, unit="examples")] = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Data to codes, and codes to as many bits as the model's prior gives them.

    Of a vq-vae the codes are coded, and decode gives the likelihood's mean at each. Of a pixelcnn,
    transformer or wavenet the data themselves are, without loss.

    Args:
        out: file to write: .npz (the codes' bits) or .npy (the codes as whole numbers); the default
            is DATA-codes.npz.
        split: all examples in the order they came in, or one split of them.
        given: of a conditional run, the condition of all of them (label=3); by default each
            example's own, which the file then holds beside the codes.
        limit: the first so many examples.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    if out is not None and Path(out).suffix not in (".npz", ".npy"):
        raise LowerboundError(f"expected a name that ends in .npz or .npy, came '{Path(out).name}'")
    from lowerbound import api, codec, console

    opened = api.open_run(run, recipe)
    with console.Count("coding") as count:
        found = codec.encode(opened, data, split=split, given=given, limit=limit, progress=count)
    path = found.write(out or f"{Path(data.rstrip('/')).stem}-codes.npz")
    report = _report(opened, found, path)
    if json:
        console.emit(report)
    else:
        _table(report)
        console.line(str(path))


def decode(
    run: str,
    codes: str,
    /,
    *,
    out: str | None = None,
    given: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Codes back to data.

    Args:
        out: a folder, which gets a .png, .gif or .wav for each example by what the data are; or a
            file: .npy (an array in the data's own units), or of one example .png, .gif or .wav.
            The default is a folder (an .npy for other data) called as the file of codes.
        given: of a conditional run, the condition of codes that come as whole numbers (.npy).
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, codec, console
    from lowerbound.codec import writing

    opened = api.open_run(run, recipe)
    kind = opened.spec.kind
    pictured = kind in ("image", "video", "audio")
    target = Path(out) if out is not None else Path(f"{Path(codes).stem}-decoded")
    if out is None and not pictured:
        target = target.with_suffix(".npy")
    writing.refuse_name(target, kind)
    with console.Count("decoding") as count:
        values = codec.decode(opened, codes, given=given, progress=count)
    files = writing.write(target, opened, values)
    if json:
        console.emit({"format": 1, "out": str(target), "n": len(values), "files": len(files)})
    else:
        console.line(str(target))


def _report(run: Run, found: Codes, path: Path) -> dict[str, Any]:
    """Everything in bits per example."""
    about = found.about
    size = path.stat().st_size
    return {
        "format": 1,
        "out": str(path),
        "n": about.examples,
        "codes": list(about.event_shape),
        "uniform": about.uniform,
        "rate": about.rate,
        "coded": found.coded,
        "file": 8.0 * size / about.examples,
        "bytes": size,
        "over_rate": found.coded / about.rate - 1.0 if about.rate > 0 else 0.0,
        "dimensions": math.prod(run.spec.event_shape),
        "model": about.model,
    }


def _table(report: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    from lowerbound import console

    shape = " x ".join(map(str, report["codes"]))
    table = Table(
        title=f"{report['n']:,} examples, {shape} codes each",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
    )
    table.add_column("", no_wrap=True)
    for name in ("bits/example", "bits/dim"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    notes = {
        "uniform": ("uniform prior", "all codes as likely"),
        "rate": ("the model's prior", "−log2 p(codes)"),
        "coded": ("entropy coded", f"{report['over_rate']:+.2%} over the prior"),
        "file": ("the file", f"{report['bytes']:,} bytes, header and all"),
    }
    for key, (name, note) in notes.items():
        if key == "file" and not report["out"].endswith(".npz"):
            note = f"{report['bytes']:,} bytes, whole numbers"
        bits = report[key]
        table.add_row(name, f"{bits:,.2f}", f"{bits / report['dimensions']:.4f}", note)
    console.out().print(table)
