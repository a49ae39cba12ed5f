"""The verb ``export``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lowerbound.shipping import Exported


def export(
    run: str,
    /,
    *,
    format: Literal["html", "onnx", "torch", "npz"] | None = None,
    out: str | None = None,
    quantize: Literal["auto", "none", "float16", "int8"] = "auto",
    title: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Give a run away: a page that opens from a disk, ONNX files, torch programs, or its codes.

    A page is one file of HTML with the model in it. Whoever opens it explores the codes in the
    browser, without a server, a network, or this library.

    Args:
        format: html, a page; onnx, a folder with decoder.onnx and encoder.onnx, in the units of the
            data; torch, the same as .pt2; npz, codes of the held-out examples. The default goes by
            the name of --out, else it is html.
        out: file or folder to write; nothing is written over. The default is the run's name, beside
            you.
        quantize: how weights are stored; auto halves large ones in a page (float16, int8 beyond
            8 MiB) and leaves those of ONNX files as they are. What it costs is told.
        title: of a page; the default is the run's name.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console, shipping

    opened = api.open_run(run, recipe)
    if not json:
        console.note("tracing and checking …")
    found = shipping.export(opened, out, format=format, quantize=quantize, title=title)
    if json:
        console.emit(found.to_json())
        return
    for line in _lines(found):
        console.note(line)
    for path in found.files:
        console.line(str(path))


def _lines(found: Exported) -> list[str]:
    """What there is to know of the files."""
    lines = []
    for path in found.files:
        lines.append(f"  {path.name}  {path.stat().st_size / 1e6:.2f} MB")
    for name, size in found.parts.items():
        lines.append(f"    {name}  {size / 1e6:.2f} MB")
    for part, error in found.errors.items():
        lines.append(f"  {part}: ONNX Runtime is off torch by {error:.1e} at most")
    for part, decibel in found.psnr.items():
        if math.isfinite(decibel):
            how = found.quantized[part]
            lines.append(f"  {part}: weights in {how}, {decibel:.1f} dB PSNR against float32")
    known = {note for note in found.notes if "PSNR" in note}
    return [*lines, *(f"  {note}" for note in found.notes if note not in known)]
