"""Weights in fewer bits: how much smaller, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from lowerbound import LowerboundError, exploring
from lowerbound.shipping import export, smaller
from lowerbound.shipping.graphs import DecoderGraph
from lowerbound.shipping.onnx_files import make_onnx


@pytest.fixture(scope="module")
def made(make: Callable[..., Any]) -> tuple[Any, Any, Any]:
    run = make("vae", "grey", latent_dim=3, hidden=(256,), anew=True)
    graph = DecoderGraph(run)
    return run, graph, make_onnx(graph, run, "decoder")


@pytest.mark.parametrize(("how", "share", "least"), [("float16", 0.5, 60.0), ("int8", 0.25, 35.0)])
def test_smaller_weights_are_rounded_alone(
    made: tuple[Any, Any, Any], how: Any, share: float, least: float
) -> None:
    run, graph, whole = made
    found, done, quality = smaller.smaller(whole, graph, how)
    assert done == how and least < quality < math.inf
    weights = [smaller.weights_bytes(each) for each in (found, whole)]
    assert weights[0] < 1.1 * share * weights[1]
    onnx.checker.check_model(found.proto)
    # The PSNR that is told is that of the pictures.
    codes = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    running = onnxruntime.InferenceSession(found.content, providers=["CPUExecutionProvider"])
    (came,) = running.run(None, {"code": codes})
    error = np.square(came - exploring.decode_codes(run, codes).clip(0, run.spec.high)).mean()
    span = run.spec.high - run.spec.low
    assert abs(10 * math.log10(span**2 / error) - quality) < 3.0
    # Rounding to 11 bits of a mantissa, or to 255 levels of a row.
    (name,) = [n.input[0] for n in found.proto.graph.node if n.op_type == "Cast"][-1:]
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in found.proto.graph.initializer}
    plain = {w.name: onnx.numpy_helper.to_array(w) for w in whole.proto.graph.initializer}
    kept, was = stored[name].astype(np.float32), plain[name.rsplit(".", 1)[0]]
    if how == "float16":
        assert np.abs(kept - was).max() <= 2.0**-11 * np.abs(was).max()
    else:
        scales = stored[f"{name}.scale"]
        assert (np.abs(kept * scales - was) <= 0.5001 * scales).all()


def test_auto_goes_by_size(made: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, graph, whole = made
    assert smaller.smaller(whole, graph, "auto")[1:] == ("none", math.inf)
    monkeypatch.setattr(smaller, "_PLAIN", 1000)
    assert smaller.smaller(whole, graph, "auto")[1] == "float16"
    monkeypatch.setattr(smaller, "_HALF", 2000)
    monkeypatch.setattr(smaller, "_GOOD", 10.0)
    assert smaller.smaller(whole, graph, "auto")[1] == "int8"
    monkeypatch.setattr(smaller, "_GOOD", 1000.0)  # what int8 loses would show
    assert smaller.smaller(whole, graph, "auto")[1] == "float16"


def test_unknown_ways_are_refused(made: tuple[Any, Any, Any], tmp_path: Path) -> None:
    run = made[0]
    with pytest.raises(LowerboundError, match="quantize: expected auto, none, float16 or int8"):
        export(run, tmp_path / "x", format="onnx", quantize="int4")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="expected none for a program of torch's"):
        export(run, tmp_path / "x", format="torch", quantize="int8")
    assert not (tmp_path / "x").exists()
