"""Weights of an ONNX file in fewer bits, unpacked to float32 when the file is opened.

Only what is stored changes: products stay in float32, so every runtime can run it, and what is lost
is rounding of the weights alone, which is measured.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch

from .graphs import PICTURED, Graph, examples
from .onnx_files import OnnxFile, by_column, in_columns, packages, ranges, session

Quantize = Literal["auto", "none", "float16", "int8"]
_LEAST = 1024  # numbers of a weight that is worth it
_MEASURED = 64  # examples
_GOOD = 40.0  # dB, from where on int8 will do
_PLAIN, _HALF = 2**20, 2**23  # bytes of float32 weights up to which auto leaves, and halves them


def weights_bytes(file: OnnxFile) -> int:
    """Of all constants, as they are stored."""
    return sum(len(each.raw_data) for each in file.proto.graph.initializer)


def smaller(file: OnnxFile, graph: Graph, how: Quantize) -> tuple[OnnxFile, str, float]:
    """A file with smaller weights.

    Args:
        file: in float32.
        graph: that it was made of.
        how: float16; int8, a scale for each row; none; or auto, which is none up to 1 MiB, float16
            up to 8 MiB, and beyond int8 where it keeps 40 dB, else float16.

    Returns:
        the file, what was done, and PSNR in dB of its outputs against those in float32 (inf where
        they are the same).
    """
    size = weights_bytes(file)
    if how == "auto" and size > _HALF:
        found = _packed(file, "int8")
        quality = psnr(found, graph)
        if quality >= _GOOD:
            return found, "int8", quality
        how = "float16"
    if how == "none" or (how == "auto" and size <= _PLAIN):
        return file, "none", math.inf
    done = "int8" if how == "int8" else "float16"
    found = _packed(file, done)
    return found, done, psnr(found, graph)


def psnr(file: OnnxFile, graph: Graph) -> float:
    """10 log10(range² / mean squared error) of the first output, dB, against torch in float32.

    Of a table it is that of its worst column, each against its own range.
    """
    given = examples(graph, _MEASURED, seed=7)
    with torch.no_grad():
        expected = graph(*given)
    first = expected[0] if isinstance(expected, tuple) else expected
    names = [each.name for each in graph.inputs]
    feed = {n: g.numpy() for n, g in zip(names, given, strict=True)}
    came = session(file.content).run(None, feed)[0]
    wanted, came = in_columns(graph, first.numpy()), in_columns(graph, came)
    spec, spread = graph.spec, np.ptp(wanted, 0)
    if graph.outputs == ("data",) and spec.kind in PICTURED:
        spread = np.full(1, spec.shown[1] - spec.shown[0])
    elif by_column(graph):
        spread = ranges(graph, wanted)
    share = np.square(wanted - came).mean(0) / np.maximum(spread, 1e-30) ** 2
    worst = float(share.max())
    return math.inf if worst == 0 else -10.0 * math.log10(worst)


def _packed(file: OnnxFile, how: Literal["float16", "int8"]) -> OnnxFile:
    onnx, _ = packages()
    proto = onnx.ModelProto()
    proto.CopyFrom(file.proto)
    graph, nodes, kept = proto.graph, [], []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _LEAST or not _fits(values, how):
            kept.append(weight)
            continue
        stored = f"{weight.name}.{how}"
        if how == "float16":
            kept.append(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
            nodes.append(_cast(onnx, stored, weight.name))
            continue
        rows = values.reshape(len(values), -1)
        scale = np.abs(rows).max(1, keepdims=True) / 127.0
        scale[scale == 0] = 1.0
        levels = np.rint(rows / scale).astype(np.int8).reshape(values.shape)
        scales = scale.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
        kept.append(onnx.numpy_helper.from_array(levels, stored))
        kept.append(onnx.numpy_helper.from_array(scales, f"{stored}.scale"))
        nodes.append(_cast(onnx, stored, f"{stored}.cast"))
        nodes.append(
            onnx.helper.make_node("Mul", [f"{stored}.cast", f"{stored}.scale"], [weight.name])
        )
    rest = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend([*nodes, *rest])
    return OnnxFile(proto, file.error, file.range)


def _fits(values: Any, how: str) -> bool:
    return values.ndim > 1 and (how == "int8" or bool(np.abs(values).max() < 6e4))


def _cast(onnx: Any, source: str, target: str) -> Any:
    return onnx.helper.make_node("Cast", [source], [target], to=onnx.TensorProto.FLOAT)
