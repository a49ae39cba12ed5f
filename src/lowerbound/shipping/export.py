"""A run as files for others: a page, ONNX, a program of torch's, arrays."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch

from ..errors import LowerboundError, nearest
from ..evaluation.codes import posterior_mean
from ..exploring.examples import examples_of
from ..runs import Run
from ..training.checkpoint import write_out
from .graphs import DecoderGraph, EncoderGraph, Graph
from .onnx_files import _quiet, make_onnx, packages, program
from .page import make_page
from .smaller import Quantize, smaller

Format = Literal["html", "onnx", "torch", "npz"]
FORMATS: tuple[str, ...] = get_args(Format)
_OF_A_FILE = (".html", ".htm", ".npz", ".onnx", ".pt2", ".pt", ".zip")
T = TypeVar("T")


@dataclass(frozen=True)
class Exported:
    """What :func:`export` returns.

    Attributes:
        format: of the files.
        out: the file, or the folder of several.
        files: all that were written.
        errors: of each ONNX file, the greatest difference to torch in the units of its outputs.
        quantized: of each, none, float16 or int8; psnr: in dB against float32 where rounded.
        psnr: see above.
        parts: of a page, bytes by what they are for.
        notes: what was left out, in words.
    """

    format: Format
    out: Path
    files: tuple[Path, ...]
    errors: dict[str, float] = field(default_factory=dict)
    quantized: dict[str, str] = field(default_factory=dict)
    psnr: dict[str, float] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(path.stat().st_size for path in self.files)

    def to_json(self) -> dict[str, Any]:
        """In JSON's types."""
        finite = {name: value for name, value in self.psnr.items() if math.isfinite(value)}
        return {
            "format": 1,
            "as": self.format,
            "out": str(self.out),
            "files": [str(path) for path in self.files],
            "bytes": self.bytes,
            "errors": self.errors,
            "quantized": self.quantized,
            "psnr": finite,
            "parts": self.parts,
            "notes": list(self.notes),
        }


def export(
    run: str | Path | Run,
    out: str | Path | None = None,
    *,
    format: Format | None = None,
    quantize: Quantize = "auto",
    title: str | None = None,
) -> Exported:
    """Write a run for those who have none of this library.

    - html: one file that opens in a browser without any network: map, sliders, morph, attributes;
    - onnx: a folder with decoder.onnx and, where there is one, encoder.onnx, in the units of the
      data, for any number of examples at a time, checked against torch;
    - torch: a folder with the same as decoder.pt2 and encoder.pt2 (``torch.export.load``);
    - npz: codes of the held-out examples, with what is known of them.

    Args:
        run: a run or its folder.
        out: where to; None is beside you, by the run's name. Nothing is written over.
        format: None goes by the name of `out`, else html.
        quantize: how weights are stored: none, float16, int8, or auto, which goes by their size in
            a page and is none in ONNX.
        title: of a page.

    Raises:
        LowerboundError: the run has nothing of that kind to export (the reason is told), something
            is there already, or a package is missing.

    >>> lb.export("runs/faces", "faces.html")  # doctest: +SKIP
    """
    run = run if isinstance(run, Run) else Run.open(run)
    format = _format(format, out)
    if quantize not in get_args(Quantize):
        raise LowerboundError(f"quantize: expected auto, none, float16 or int8, came {quantize!r}")
    target = Path(out).expanduser() if out is not None else default_out(run, format)
    if target.exists():
        raise LowerboundError(
            f"{target} exists already, and nothing is written over; pass another --out"
        )
    if format in ("html", "onnx"):
        packages()
    _ = run.model
    return _WRITERS[format](run, target, quantize, title)


def default_out(run: Run, format: Format) -> Path:
    """Where a run goes to if nobody says."""
    name = run.path.resolve().name
    return Path({"html": f"{name}.html", "npz": f"{name}.npz"}.get(format, f"{name}-{format}"))


def _format(format: str | None, out: str | Path | None) -> Any:
    if format is None:
        suffix = Path(out).suffix.lower() if out is not None else ".html"
        format = {".html": "html", ".htm": "html", ".npz": "npz"}.get(suffix)
        if format is None:
            raise LowerboundError(
                f"expected a format ({', '.join(FORMATS)}), came only the name {out}; pass "
                "--format onnx"
            )
    if format not in FORMATS:
        hint = nearest(str(format), FORMATS) or f"; there are: {', '.join(FORMATS)}"
        raise LowerboundError(f"expected a format, came '{format}'{hint}")
    if out is not None and format in ("onnx", "torch") and Path(out).suffix.lower() in _OF_A_FILE:
        raise LowerboundError(
            f"expected the name of a folder, which {format} writes its parts to, came {out}; pass "
            f"--out {Path(out).with_suffix('')}"
        )
    return format


def _html(run: Run, target: Path, quantize: Quantize, title: str | None) -> Exported:
    page = make_page(run, title=title, quantize=quantize)
    path = write_out(target, page.content)
    quality, done = {"decoder": page.psnr}, {"decoder": page.quantized}
    return Exported("html", path, (path,), {}, done, quality, page.parts, page.notes)


def _graphs(run: Run) -> tuple[dict[str, Graph], list[str]]:
    """The decoder, and the encoder where there is one."""
    found: dict[str, Graph] = {"decoder": DecoderGraph(run)}
    notes = []
    if hasattr(run.model, "encode"):
        try:
            found["encoder"] = EncoderGraph(run)
        except LowerboundError as error:
            notes.append(f"no encoder: {error}")
    return found, notes


def _parts(
    run: Run, graphs: Mapping[str, Graph], notes: list[str], make: Callable[[Graph, Run, str], T]
) -> Iterator[tuple[str, Graph, T]]:
    """What `make` makes of each part; without an encoder, and a note, where that cannot be."""
    for part, graph in graphs.items():
        try:
            yield part, graph, make(graph, run, part)
        except LowerboundError as error:
            if part == "decoder":
                raise
            notes.append(f"no encoder: {error}")


def _onnx(run: Run, target: Path, quantize: Quantize, title: str | None) -> Exported:
    graphs, notes = _graphs(run)
    contents, errors, how, quality = {}, {}, {}, {}
    for part, graph, made in _parts(run, graphs, notes, make_onnx):
        asked: Quantize = "none" if quantize == "auto" else quantize
        found, how[part], quality[part] = smaller(made, graph, asked)
        contents[f"{part}.onnx"], errors[part] = found.content, made.error
    files = tuple(write_out(target / name, content) for name, content in contents.items())
    return Exported("onnx", target, files, errors, how, quality, {}, tuple(notes))


def _torch(run: Run, target: Path, quantize: Quantize, title: str | None) -> Exported:
    if quantize not in ("auto", "none"):
        raise LowerboundError(
            f"quantize: expected none for a program of torch's, came {quantize}; pass --format onnx"
        )
    graphs, notes = _graphs(run)
    contents = {}
    for part, _, traced in _parts(run, graphs, notes, program):
        content = io.BytesIO()
        with _quiet():
            torch.export.save(traced, content)
        contents[f"{part}.pt2"] = content.getvalue()
    files = tuple(write_out(target / name, content) for name, content in contents.items())
    return Exported("torch", target, files, notes=tuple(notes))


def _npz(run: Run, target: Path, quantize: Quantize, title: str | None) -> Exported:
    """E_q[z] and Std_q[z] of every held-out example, and what is beside them."""
    model: Any = run.model
    if not hasattr(model, "encode"):
        raise LowerboundError(
            f"export: expected a model that encodes, for its codes as .npz, came {run.path} "
            f"({type(model).__name__}); pass --format onnx"
        )
    if target.suffix.lower() != ".npz":
        raise LowerboundError(f"expected a name that ends in .npz, came '{target.name}'")
    chosen, test = examples_of(run, None), run.data().test
    means, deviations = [], []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for rows in torch.arange(len(chosen.x)).split(256):
            q = model.encode(chosen.x[rows], *(c[rows] for c in chosen.context))
            means.append(posterior_mean(q))
            try:
                certain = getattr(q, "certain", False)
                deviations.append(torch.zeros_like(means[-1]) if certain else q.variance.sqrt())
            except (NotImplementedError, AttributeError):
                deviations.append(torch.full(means[-1].shape, math.nan))
    arrays = {
        "codes": torch.cat(means).numpy(),
        "deviations": torch.cat(deviations).numpy(),
        "positions": chosen.positions,
    }
    if test.labels is not None:
        arrays["labels"] = np.asarray(test.labels)[chosen.positions]
        arrays["classes"] = np.array(run.spec.classes or (), dtype=str)
    if test.attributes is not None and run.spec.attributes:
        arrays["attributes"] = np.asarray(test.attributes)[chosen.positions]
        arrays["attribute_names"] = np.array(run.spec.attributes, dtype=str)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    path = write_out(target, content.getvalue())
    return Exported("npz", path, (path,))


_WRITERS: dict[str, Callable[[Run, Path, Quantize, str | None], Exported]] = {
    "html": _html,
    "onnx": _onnx,
    "torch": _torch,
    "npz": _npz,
}
