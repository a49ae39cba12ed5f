"""The page to give away: one file of HTML with the decoder in it, which asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import lzma
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import Data, DataSpec
from ..errors import LowerboundError
from ..exploring import facts
from ..runs import EVALUATION, Run
from ..training.state import WEIGHTS
from . import held_out
from .graphs import DecoderGraph, EncoderGraph, Graph
from .inputs import numbers
from .onnx_files import make_onnx
from .smaller import Quantize, smaller, weights_bytes

KINDS = ("image", "vector", "audio")
_LIMIT = 2000  # held-out examples
_DRAWS = 128  # of the prior
_ENCODER = 2**23  # bytes of an encoder that comes along however small the decoder is


@dataclass(frozen=True)
class Page:
    """A page, and what is told of it.

    Attributes:
        content: the file.
        parts: bytes of the file by what they are for.
        notes: what was left out or rounded, in words.
        psnr: of the decoder's outputs against float32, dB; inf where weights were not rounded.
        quantized: none, float16 or int8.
    """

    content: bytes
    parts: dict[str, int]
    notes: tuple[str, ...]
    psnr: float
    quantized: str


def make_page(run: Run, *, title: str | None = None, quantize: Quantize = "auto") -> Page:
    """A page of a run.

    Args:
        run: that encodes and decodes, or decodes draws of a prior: images, tables or sound.
        title: of the page; None is the run's name.
        quantize: see :func:`lowerbound.shipping.smaller.smaller`.

    Raises:
        LowerboundError: data or a model that a page cannot show.
    """
    _refuse(run)
    graph = DecoderGraph(run)
    notes: list[str] = []
    decoder, done, quality = smaller(made := make_onnx(graph, run, "decoder"), graph, quantize)
    if done != "none":
        notes.append(f"weights in {done}: {quality:.1f} dB PSNR against float32")
    arrays: dict[str, NDArray[Any]] = {"decoder": _bytes(decoder.content)}
    networks: dict[str, Any] = {"decoder": _told(graph)}
    encoder = _encoder(run, weights_bytes(made), quantize, notes)
    if encoder is not None:
        arrays["encoder"] = _bytes(encoder[1])
        networks["encoder"] = _told(encoder[0])
    told, more = _contents(run, graph, notes)
    about = {**told, "networks": networks, "title": title or run.path.name, "notes": notes}
    packed = _packed(about, arrays | more)
    engine = _static("ort.wasm.xz")
    script, style = _static("page.js"), _static("page.css")
    content = _html(about["title"], script, style, engine, packed)
    parts = {
        "engine": len(base64.b64encode(engine)),
        "page": len(script) + len(style),
        "model and data": len(base64.b64encode(packed)),
    }
    return Page(content, parts, tuple(notes), quality, done)


def _refuse(run: Run) -> None:
    spec, condition = run.spec, getattr(run.model, "condition", None)
    if spec.kind not in KINDS:
        raise LowerboundError(
            f"export: expected images, tables or sound for a page, came {spec.kind} "
            f"({spec.name}); pass --format onnx"
        )
    if spec.kind == "image" and spec.event_shape[0] not in (1, 3):
        raise LowerboundError(
            f"export: expected grey or colour images for a page, came {spec.event_shape[0]} "
            "channels; pass --format onnx"
        )
    if _indices(run.model):
        raise LowerboundError(
            f"export: expected codes of real numbers for a page, came the indices of {run.path}, "
            "between which there is nothing; pass --format onnx"
        )
    if condition is not None and (condition.of_x or condition.side == "captions"):
        raise LowerboundError(
            f"export: expected a model that is given nothing, a label or attributes for a page, "
            f"came one on {condition.describe()}; pass --format onnx"
        )


def _indices(model: Any) -> bool:
    """Whether codes are no quantities."""
    if hasattr(model, "uniform_rate"):
        return True
    if not hasattr(model, "prior") or getattr(model, "condition", None) is not None:
        return False
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return not model.prior().sample((1,)).is_floating_point()


def _encoder(
    run: Run, decoder: int, quantize: Quantize, notes: list[str]
) -> tuple[Graph, bytes] | None:
    """The encoder, where there is one that is not too large."""
    if not hasattr(run.model, "encode"):
        return None
    try:
        graph = EncoderGraph(run)
        made = make_onnx(graph, run, "encoder")
    except LowerboundError as error:
        notes.append(f"without the encoder: {error}")
        return None
    size = weights_bytes(made)
    if size > max(_ENCODER, 2 * decoder):
        notes.append(f"without the encoder, whose weights are {size / 2**20:.0f} MiB")
        return None
    found, done, _ = smaller(made, graph, quantize)
    if done != "none":
        notes.append(f"the encoder's weights are in {done}")
    return graph, found.content


def _contents(
    run: Run, graph: DecoderGraph, notes: list[str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """All that the page knows besides its networks."""
    spec, model, space = run.spec, run.model, graph.space
    condition: Any = getattr(model, "condition", None)
    told: dict[str, Any] = {"map": None, "colours": {}, "directions": None, "originals": None}
    arrays: dict[str, NDArray[Any]] = {}
    encodes = hasattr(model, "encode") and getattr(condition, "side", None) != "position"
    data = _data(run, notes if encodes else [])
    if encodes and data is not None:
        found, arrays, chosen = held_out.mapped(run, space, _LIMIT)
        sheet, more = held_out.originals(run, chosen)
        told |= {**found, "originals": sheet, "directions": held_out.directions(run)}
        arrays |= more
        if chosen.context:
            arrays["given"] = numbers(chosen.context[0])
        if len(chosen.positions) < chosen.of:
            notes.append(f"{len(chosen.positions):,} of {chosen.of:,} held-out examples")
    if hasattr(model, "prior"):
        codes, given = facts.codes_of_prior(run, _DRAWS)
        arrays["prior"] = codes.astype(np.float32)
        if given:
            arrays["prior given"] = numbers(given[0])
    if not arrays:
        raise LowerboundError(
            f"export: expected held-out examples or a prior for a page to begin with, came "
            f"{run.path} with neither; restore its data, or pass --format onnx"
        )
    told["about"] = {
        "name": run.path.name,
        "path": None,
        "recipe": str(run.info["recipe"] or type(model).__name__),
        "kind": spec.kind,
        "event_shape": list(spec.event_shape),
        "width": space.width,
        "dimensions": held_out.dimensions(run, space),
        "conditions": facts.conditions(run, data),
    }
    black, white = spec.shown
    told["shown"] = {
        "low": black,
        "high": white,
        "grid": _grid(spec),
        "columns": list(spec.columns or ()),
        "rate": spec.sample_rate,
    }
    told["model"] = _model(run)
    return told, arrays


def _grid(spec: DataSpec) -> list[float | None] | None:
    """The least level, the step to the next, and the last where nothing lies beyond; as uploads
    are taken (:func:`lowerbound.conditioning.on_levels`). None of continuous values."""
    if spec.levels is None or isinstance(spec.step, list) or not spec.step > 0:
        return None
    return [spec.low, spec.step, None if spec.support == "real" else spec.high]


def _data(run: Run, notes: list[str]) -> Data | None:
    """Draws of the prior do without."""
    try:
        return run.data()
    except LowerboundError as error:
        if not hasattr(run.model, "prior"):
            raise
        notes.append(f"without held-out examples: {error}")
        return None


def _model(run: Run) -> dict[str, Any]:
    """What is said of it, with numbers that were measured."""
    from importlib.metadata import version

    status, known = run.info["status"], run.evaluation if _fresh(run) else None
    measured = None
    if known is not None and known.log_likelihood is not None:
        found = known.log_likelihood
        measured = {
            "value": found.value,
            "kind": found.kind,
            "error": found.standard_error,
            "bits": found.bits_per_dim,
            "note": found.note,
            "samples": found.samples,
        }
    return {
        "data": run.spec.name,
        "train": run.spec.train,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "steps": int(status.get("step") or 0),
        "log_p": measured,
        "bound": None if known is None or known.bound is None else known.bound.value,
        "no_likelihood": getattr(run.model, "no_likelihood", None),
        "version": version("lowerbound"),
    }


def _fresh(run: Run) -> bool:
    """Whether the evaluation is of these weights."""
    measured, weights = run.path / EVALUATION, run.path / WEIGHTS
    if not measured.is_file() or not weights.is_file():
        return False
    return measured.stat().st_mtime >= weights.stat().st_mtime


def _told(graph: Graph) -> dict[str, Any]:
    """Names and types of a network's inputs, in order."""
    inputs = {
        each.name: {"shape": list(each.shape), "type": str(each.dtype).removeprefix("torch.")}
        for each in graph.inputs
    }
    return {"inputs": inputs, "outputs": list(graph.outputs)}


def _bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)


def _packed(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """JSON and arrays: the length of the JSON (8 bytes), the JSON, the arrays at multiples of 8."""
    placed: dict[str, Any] = {}
    body = bytearray()
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        kind = array.dtype.newbyteorder("<").str[1:]
        placed[name] = {"at": len(body), "kind": kind, "shape": list(array.shape)}
        body += content + bytes(-len(content) % 8)
    text = json.dumps({**about, "arrays": placed}, allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    whole = len(text).to_bytes(8, "little") + text + bytes(body)
    return lzma.compress(whole, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=6)


def _static(name: str) -> bytes:
    return (resources.files("lowerbound.studio") / "static" / name).read_bytes()


def _html(title: str, script: bytes, style: bytes, engine: bytes, packed: bytes) -> bytes:
    """The file. What comes from a run is text in its title alone; the rest is base64."""
    for part, end in ((script, b"</script"), (style, b"</style")):
        assert end not in part.lower()
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' 'wasm-unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="lowerbound">\n'
        f"<title>{html.escape(title)}</title>\n"
        '<link rel="icon" href="data:,">\n<style>'
    )
    body = (
        '</style>\n</head>\n<body>\n<div id="app"></div>\n'
        "<noscript>This page is drawn by JavaScript, without any network; allow it.</noscript>\n"
    )

    def block(name: str, content: bytes) -> bytes:
        return (
            f'<script type="text/plain" id="{name}">'.encode()
            + base64.b64encode(content)
            + b"</script>\n"
        )

    return b"".join(
        (
            head.encode(),
            style,
            body.encode(),
            block("engine", engine),
            block("packed", packed),
            b'<script type="module">',
            script,
            b"</script>\n</body>\n</html>\n",
        )
    )
