"""Columns and attributes far from zero, and columns of very different ranges."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import lowerbound as lb
from lowerbound import exploring
from lowerbound.data import Prepare
from lowerbound.exploring.examples import centre_of
from lowerbound.latent import space_of
from lowerbound.shipping import export, held_out, onnx_files, smaller
from lowerbound.shipping.graphs import DecoderGraph, EncoderGraph, examples

QUICK = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False, "steps": 3}
STAMP = 1.7e9


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A table with a small column, one at 20,000 and time stamps, with a time stamp beside it."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3)) * [0.1, 3.0, 100.0] + [0.0, 20000.0, STAMP]
    data = {"train": rows, "attributes": STAMP + 100 * random.normal(size=(60, 1))}
    path = tmp_path_factory.mktemp("far") / "run"
    options: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "given": "attributes", **QUICK}
    return lb.train(data, "cvae", out=path, **options)


def test_numbers_far_from_zero_keep_their_digits(far: Any, tmp_path: Path) -> None:
    found = export(far, tmp_path / "far", format="onnx")
    sessions: list[Any] = [
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for path in found.files
    ]
    decoder, encoder = sessions
    codes = np.random.default_rng(1).normal(size=(2, 2)).astype(np.float32)
    beside = np.array([[STAMP - 50.0], [STAMP + 50.0]])
    (came,) = decoder.run(None, {"code": codes, "attributes": beside})
    scale = np.asarray(far.spec.scale)
    for row, stamp in enumerate(beside[:, 0]):
        expected = exploring.decode_codes(far, codes[row : row + 1], given={"attribute0": stamp})
        assert np.abs((came[row] - expected[0]) / scale).max() < 1e-5
    # 64 s are the distance between two neighbours in float32: these are 50 s apart.
    values = np.array([[0.1, 20001.0, STAMP - 25.0], [0.1, 20001.0, STAMP + 25.0]])
    mean, _ = encoder.run(None, {"data": values, "attributes": beside})
    x = torch.from_numpy((values - np.asarray(far.spec.shift)) / scale).float()
    with torch.no_grad():
        q = far.model.encode(x, torch.from_numpy(beside))
    assert np.abs(mean - q.mean.numpy()).max() < 1e-5 and np.abs(mean[0] - mean[1]).max() > 1e-3


def test_a_program_of_torchs_takes_them_too(far: Any) -> None:
    graph = EncoderGraph(far)
    values = far.data().test.stored(np.arange(3))
    x = Prepare(far.spec)(values)
    beside = torch.from_numpy(far.data().test.attributes[:3])
    with torch.no_grad():
        assert torch.equal(graph(values, beside)[0], far.model.encode(x, beside).mean)
        assert DecoderGraph(far)(torch.zeros(3, 2), beside).dtype == torch.float64


class Off:
    """A session that is off by a share of a column's range."""

    def __init__(self, graph: Any, by: np.ndarray) -> None:
        self.graph, self.by = graph, by

    def run(self, names: None, feed: dict[str, Any]) -> list[np.ndarray]:
        with torch.no_grad():
            came = self.graph(*(torch.from_numpy(each) for each in feed.values())).numpy()
        sign = np.where(np.arange(len(came)) % 2, 1.0, -1.0)[:, None]
        return [came + sign * self.by]


def test_each_column_is_held_to_its_own_range(far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = DecoderGraph(far)
    scale = np.asarray(far.spec.scale)
    given = examples(graph, 64, seed=7)
    with torch.no_grad():
        width = max(float(np.ptp(graph(*given).numpy()[:, 0])), scale[0])
    # One hundredth of the small column's range is 40 dB, and nothing beside time stamps.
    off = Off(graph, np.array([0.01 * width, 0.0, 0.0]))
    monkeypatch.setattr(smaller, "session", lambda content: off)
    file = onnx_files.OnnxFile(type("Proto", (), {"SerializeToString": lambda self: b""})(), 0, 1)
    assert math.isclose(smaller.psnr(file, graph), 40.0, abs_tol=0.01)
    monkeypatch.setattr(onnx_files, "session", lambda content: off)
    error, spread = onnx_files.compare(b"", graph)
    assert math.isclose(error, 0.01 * width, rel_tol=1e-3) and spread < 2 * width
    off.by = np.array([0.0, 0.0, 1e-4 * scale[2]])  # a ten thousandth will do
    error, spread = onnx_files.compare(b"", graph)
    assert math.isclose(error, 1e-4 * scale[2], rel_tol=1e-2) and error < 1e-3 * spread


def test_codes_of_one_number_have_a_density(make: Callable[..., Any]) -> None:
    run = make("vae", "vector", latent_dim=1, hidden=(8,), anew=True)
    space = space_of(run.model, "test", centre=centre_of(run))
    told, arrays, chosen = held_out.mapped(run, space, 50)
    codes = arrays["codes"][:, 0].astype(np.float64)
    from scipy.stats import gaussian_kde

    expected = gaussian_kde(codes)(codes)
    assert "density" in told["colours"] and len(chosen.positions) == len(codes)
    order = np.argsort(expected)
    assert (np.diff(arrays["colour:density"][order]) >= -1e-6).all()
