"""Graphs as ONNX files: traced, described, held against torch in ONNX Runtime."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import LowerboundError
from ..runs import Run
from .graphs import Graph, examples

#: A file whose numbers are farther from torch's than this share of their range is not shipped.
_WORST = 1e-3
_TRACED, _CHECKED = 3, (1, 17)  # examples
_ROUNDED = 8 * float(np.finfo(np.float32).eps)
_MOST = 2**16  # examples at a time: sizes of products have to fit their indices


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX model, checked.

    Attributes:
        proto: the model (``onnx.ModelProto``).
        error: the greatest difference to torch on random inputs, in the units of the output; of
            a table's columns, that which is the largest share of its column's range.
        range: of these outputs.
    """

    proto: Any
    error: float
    range: float

    @property
    def content(self) -> bytes:
        """What is written."""
        return self.proto.SerializeToString()


def make_onnx(graph: Graph, run: Run, part: str) -> OnnxFile:
    """A graph as ONNX, with any number of examples at a time.

    Args:
        graph: a decoder or encoder.
        run: whose it is, for what the file tells of itself.
        part: decoder or encoder.

    Raises:
        LowerboundError: the packages are missing, an operation has no place in ONNX, or the file
            gives other numbers than torch.
    """
    proto = _proto(program(graph, run, part), graph, run, part)
    describe(proto, about(run, graph, part))
    error, spread = compare(proto.SerializeToString(), graph)
    if not error <= _WORST * spread:
        raise LowerboundError(
            f"export: expected the {part} in ONNX to give what torch gives, came numbers that are "
            f"off by {error:.3g} of {spread:.3g}; export --format torch, and please report it"
        )
    return OnnxFile(proto, error, spread)


def packages() -> tuple[Any, Any]:
    """onnx and onnxruntime.

    Raises:
        LowerboundError: they, or onnxscript, are not there.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise LowerboundError(
            "export wants onnx, onnxscript and onnxruntime: pip install 'lowerbound[export]'"
        ) from None
    return onnx, onnxruntime


def program(graph: Graph, run: Run, part: str) -> Any:
    """A graph traced by ``torch.export``, for any number of examples.

    Raises:
        LowerboundError: it cannot be traced.
    """
    given = examples(graph, _TRACED)
    n = torch.export.Dim("N", max=_MOST)
    dynamic = [{0: n} for _ in given]
    shapes = (dynamic[0], tuple(dynamic[1:])) if len(dynamic) > 1 else (dynamic[0],)
    graph = graph.eval()
    try:
        with torch.no_grad(), _quiet():
            traced = torch.export.export(graph, given, dynamic_shapes=shapes)
    except Exception as error:
        raise LowerboundError(_told(error, run, part)) from None
    drawn = sorted({str(n.target) for n in traced.graph.nodes} & _RANDOM)
    if drawn:
        raise LowerboundError(
            f"export: expected no chance in the {part}, came that of {run.path}, which draws "
            f"({', '.join(drawn)}); export another run"
        )
    return traced


def about(run: Run, graph: Graph, part: str) -> dict[str, str]:
    """What a file tells of itself: texts and JSON, by name."""
    from importlib.metadata import version

    spec = run.spec
    space: Any = graph._space
    inputs = {
        each.name: {"shape": ["N", *each.shape], "meaning": each.meaning} for each in graph.inputs
    }
    return {
        "lowerbound": version("lowerbound"),
        "torch": str(torch.__version__),
        "part": part,
        "run": run.path.name,
        "recipe": str(run.info["recipe"] or ""),
        "arguments": json.dumps(run.info["arguments"], default=str),
        "latent_shape": json.dumps(list(space.shape)),
        "inputs": json.dumps(inputs),
        "units": _units(run),
        "data": json.dumps(spec.to_json()),
        "no_likelihood": str(getattr(run.model, "no_likelihood", None) or ""),
    }


def describe(proto: Any, told: dict[str, str]) -> None:
    """Write texts into a model's metadata."""
    del proto.metadata_props[:]
    for name, value in told.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = name, value
    proto.producer_name, proto.producer_version = "lowerbound", told["lowerbound"]
    proto.graph.name = told["part"]


def session(content: bytes) -> Any:
    """An inference session of ONNX Runtime on one core."""
    _, runtime = packages()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def compare(content: bytes, graph: Graph) -> tuple[float, float]:
    """How far ONNX Runtime is from torch, and the range of what torch gives, where that is the
    largest share of it."""
    came: list[list[NDArray[Any]]] = []
    wanted: list[list[NDArray[Any]]] = []
    running = session(content)
    for count in _CHECKED:
        given = examples(graph, count, seed=count)
        with torch.no_grad():
            expected = graph(*given)
        names = [each.name for each in graph.inputs]
        came.append(running.run(None, {n: g.numpy() for n, g in zip(names, given, strict=True)}))
        outputs = expected if isinstance(expected, tuple) else (expected,)
        wanted.append([each.numpy() for each in outputs])
    worst = (0.0, 1.0)
    for one, other in zip(zip(*came, strict=True), zip(*wanted, strict=True), strict=True):
        if [each.shape for each in one] != [each.shape for each in other]:
            return math.inf, 1.0
        left, right = (
            in_columns(graph, np.concatenate(one)),
            in_columns(graph, np.concatenate(other)),
        )
        if (np.isfinite(left) != np.isfinite(right)).any():
            return math.inf, 1.0
        fine = np.isfinite(right).all(1)
        left, right = (left[fine], right[fine]) if fine.any() else (np.zeros((1, 1)),) * 2
        error, size = np.abs(left - right).max(0), np.abs(right).max(0)
        # float32 rounds what is far from zero, in torch as in ONNX.
        spread = ranges(graph, right) + size * _ROUNDED / _WORST
        place = int(np.argmax(error / spread))
        worst = max(worst, (float(error[place]), float(spread[place])), key=lambda w: w[0] / w[1])
    return worst


def in_columns(graph: Graph, values: NDArray[Any]) -> NDArray[np.float64]:
    """Outputs ``(N, ...)`` as columns of one unit each: a table's features, else one."""
    columns = math.prod(graph.spec.feature_shape) if by_column(graph) else 1
    return values.astype(np.float64).reshape(-1, columns)


def ranges(graph: Graph, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of columns: greatest less least. Of a column of a table at least the deviation of the data in
    it, so that one that hardly moves is not held to its noise; of all else at least its size."""
    if by_column(graph):
        scale = graph.spec.scale
        least = np.asarray(scale) if isinstance(scale, list) else np.zeros(wanted.shape[1])
    else:
        least = np.abs(wanted).max(0)
    return np.maximum(np.maximum(np.ptp(wanted, 0), least), 1e-30)


def by_column(graph: Graph) -> bool:
    """Whether outputs are rows of a table, in units of their own."""
    spec = graph.spec
    return graph.outputs == ("data",) and spec.kind in ("vector", "sequence")


def _units(run: Run) -> str:
    spec = run.spec
    if spec.kind == "audio":
        return f"waves in [-1, 1], {spec.sample_rate} samples per second"
    if spec.kind in ("image", "video"):
        black, white = spec.shown
        return f"{black:g} (black) to {white:g} (white)"
    return ", ".join(spec.columns) if spec.columns else "of the data"


def _proto(traced: Any, graph: Graph, run: Run, part: str) -> Any:
    packages()
    try:
        with torch.no_grad(), _quiet():
            found = torch.onnx.export(
                traced,
                dynamo=True,
                input_names=[each.name for each in graph.inputs],
                output_names=list(graph.outputs),
                custom_translation_table={torch.ops.aten.log_sigmoid.default: _log_sigmoid()},
                verbose=False,
            )
    except Exception as error:
        raise LowerboundError(_told(error, run, part)) from None
    assert found is not None
    proto = found.model_proto
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    for node in proto.graph.node:  # where in Python it comes from: long, and nobody's business
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.value_info[:]
    return proto


def _log_sigmoid() -> Any:
    """−softplus(−x): as the logarithm of a sigmoid, as ONNX has it by default, it underflows."""
    from onnxscript import opset18 as op

    def log_sigmoid(self: Any) -> Any:
        return op.Neg(op.Softplus(op.Neg(self)))

    return log_sigmoid


_RANDOM = {
    f"aten.{name}.{overload}"
    for name in ("bernoulli", "multinomial", "rand", "randn", "rand_like", "randn_like", "normal",
                 "exponential", "uniform", "randint", "poisson")
    for overload in ("default", "p", "out", "low")
}  # fmt: skip
_LOUD = ("torch", "torch._guards", "torch._dynamo", "torch.export", "torch.onnx", "onnxscript")
_OPERATION = re.compile(r"aten[.:]+\w+")


def _told(error: BaseException, run: Run, part: str) -> str:
    """One line: which operation stands in the way, or what torch says first."""
    chain: list[BaseException] = []
    while error is not None and len(chain) < 8:
        chain.append(error)
        error = error.__cause__ or error.__context__  # ty: ignore[invalid-assignment]
    texts = [str(each) for each in reversed(chain)]
    named = [found.group() for text in texts for found in [_OPERATION.search(text)] if found]
    first = " ".join(texts[0].split())[:160]
    what = f"the operation {named[0]}" if named else first
    return (
        f"export: expected what can be traced, came the {part} of {run.path} "
        f"({run.info['recipe']}): {what}; export another run, or use it from Python"
    )


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Without what the exporter says of itself."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
