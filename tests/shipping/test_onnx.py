"""ONNX files give what torch gives, through the functions that a user would call instead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import lowerbound as lb
from lowerbound import exploring
from lowerbound.evaluation import held_out_contexts
from lowerbound.exploring.examples import examples_of, stored
from lowerbound.shipping import export

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
# float32 of another order of sums: 1e-7 to 5e-7 of the range were measured over all recipes.
SHARE = 2e-6


def opened(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def close(came: np.ndarray, expected: np.ndarray) -> None:
    expected = np.asarray(expected)
    spread = max(1e-3, float(np.abs(expected).max()))
    np.testing.assert_allclose(came, expected, rtol=0, atol=SHARE * spread)


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("vae", "grey", {"latent_dim": 3, "hidden": (16,)}),
    ("vae", "rgb", {"latent_dim": 3, "network": "conv"}),
    ("autoencoder", "vector", {"latent_dim": 2, "hidden": (16,)}),
    ("hierarchical-vae", "vector", {}),
]


@pytest.mark.parametrize(("recipe", "kind", "options"), CASES, ids=lambda v: str(v)[:12])
def test_decoder_and_encoder_give_what_the_tools_give(
    recipe: str, kind: str, options: dict[str, Any], make: Callable[..., Any], tmp_path: Path
) -> None:
    run = make(recipe, kind, **options)
    found = export(run, tmp_path / "files", format="onnx")
    assert [path.name for path in found.files] == ["decoder.onnx", "encoder.onnx"]
    assert found.notes == () and max(found.errors.values()) < 1e-3
    decoder, encoder = (opened(path) for path in found.files)
    (code,) = decoder.get_inputs()
    for count in (1, 6):  # any number of examples at a time
        codes = np.random.default_rng(count).normal(size=(count, code.shape[1]))
        (came,) = decoder.run(None, {"code": codes.astype(np.float32)})
        expected = exploring.decode_codes(run, codes.astype(np.float32))
        if kind != "vector":
            expected = expected.clip(run.spec.low, run.spec.high)
        close(came, expected)
    test = run.data().test
    values = test.stored(np.arange(4)).numpy().astype(np.float32)
    mean, *std = encoder.run(None, {"data": values})
    q = run.model.encode(_middle(run, values))
    close(mean, q.mean.detach().flatten(1).numpy())
    if recipe == "hierarchical-vae":  # of many layers: no deviation is known
        assert not std
        return
    certain = getattr(q, "certain", False)
    known = np.zeros_like(mean) if certain else q.variance.sqrt().detach().flatten(1).numpy()
    close(std[0], known)


def _middle(run: Any, values: np.ndarray) -> torch.Tensor:
    """x of levels in the middle of their cells."""
    spec = run.spec
    half = np.asarray(spec.step) / 2 if spec.dequantize == "uniform" else 0.0
    x = (values + half - np.asarray(spec.shift)) / np.asarray(spec.scale)
    return torch.from_numpy(x.astype(np.float32))


def test_labels_and_attributes_are_inputs(make: Callable[..., Any], tmp_path: Path) -> None:
    run = make("cvae", "grey", latent_dim=3, hidden=(16,))
    found = export(run, tmp_path / "label", format="onnx")
    codes = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    (came,) = opened(found.files[0]).run(None, {"code": codes, "label": np.array([2, 0, 1])})
    for row, label in enumerate((2, 0, 1)):
        expected = exploring.decode_codes(run, codes[row : row + 1], given={"label": label})
        close(came[row : row + 1], expected.clip(0, run.spec.high))
    chosen = examples_of(run, 4)
    data = run.data().test.stored(chosen.positions).numpy().astype(np.float32)
    labels = chosen.context[0].numpy()
    mean, _ = opened(found.files[1]).run(None, {"data": data, "label": labels})
    close(mean, run.model.encode(_middle(run, data), chosen.context[0]).mean.detach().numpy())

    run = make("cvae", "vector", latent_dim=3, hidden=(16,), given="attributes")
    found = export(run, tmp_path / "attributes", format="onnx")
    side = np.array([[0.5, -1.0]], np.float32)
    (came,) = opened(found.files[0]).run(None, {"code": codes[:1], "attributes": side})
    close(came, exploring.decode_codes(run, codes[:1], given=side[0].tolist()))


def test_what_is_observed_is_an_input(make: Callable[..., Any], tmp_path: Path) -> None:
    run = make("completion", "grey", latent_dim=3, hidden=(16,), mask="right")
    found = export(run, tmp_path / "files", format="onnx")
    chosen = examples_of(run, 3)
    data = run.data().test.stored(chosen.positions).numpy().astype(np.float32)
    mask = np.zeros_like(data)
    mask[..., :4] = 1.0
    hidden = np.where(mask > 0, data, 123.0).astype(np.float32)
    codes = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    feed = {"code": codes, "observed": hidden, "mask": mask}
    (came,) = opened(found.files[0]).run(None, feed)
    x = _middle(run, data)
    context = run.model.condition.observe(x, torch.from_numpy(mask) < 0.5)
    with torch.no_grad():
        expected = run.model.decode(torch.from_numpy(codes), *context).mean
    close(came, stored(run, expected.numpy()).clip(0, run.spec.high))


@pytest.mark.parametrize("kind", ["grey", "colour"])  # without and with norms over the batch
def test_a_generator(make: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    run = make("gan", kind, latent_dim=3)
    norms = [m for m in run.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert bool(norms) == (kind == "colour")
    found = export(run, tmp_path / "gan", format="onnx")
    assert [path.name for path in found.files] == ["decoder.onnx"]
    noise = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    (came,) = opened(found.files[0]).run(None, {"code": noise})
    with torch.no_grad():
        expected = run.model.decode(torch.from_numpy(noise)).mean.numpy()
    close(came, stored(run, expected).clip(0, run.spec.high))


def test_a_codebook(make: Callable[..., Any], tmp_path: Path) -> None:
    run = make("vq-vae", "grey")
    found = export(run, tmp_path / "vq", format="onnx")
    codes = exploring.codes_of(run, [0, 1, 2])
    decoder = opened(found.files[0])
    (came,) = decoder.run(None, {"code": codes.astype(np.float32)})
    close(came, exploring.decode_codes(run, codes).clip(0, run.spec.high))


def test_the_files_tell_what_they_are(digits: Path, digits_files: Any) -> None:
    told = digits_files.to_json()
    assert told["as"] == "onnx" and told["out"] == str(digits_files.out)
    assert 0 <= told["errors"]["decoder"] < 1e-4 and told["quantized"]["decoder"] == "none"
    file = digits_files.files[0]
    proto = onnx.load(file)
    onnx.checker.check_model(proto)
    told = {each.key: each.value for each in proto.metadata_props}
    assert told["recipe"] == "vae" and told["part"] == "decoder"
    assert json.loads(told["latent_shape"]) == [2]
    assert json.loads(told["data"])["event_shape"] == [1, 8, 8]
    assert told["units"] == "0 (black) to 16 (white)"
    # Nothing of the machine that it was made on.
    assert all(
        word not in file.read_bytes() for word in (b"site-packages", str(digits.parent).encode())
    )


def test_five_lines_of_the_docs_run(
    digits: Path, digits_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(digits_files.out.parent)
    lines = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    reading = next(block for block in lines if "InferenceSession" in block)
    found: dict[str, Any] = {}
    exec(reading, found)
    images = found["images"]
    assert images.dtype == np.uint8 and images.shape == (16, 1, 8, 8)
    expected = exploring.decode_codes(lb.open_run(digits), found["codes"]).clip(0, 16)
    assert np.array_equal(images, np.rint(expected).astype(np.uint8))


def test_a_program_of_torch_gives_the_same(make: Callable[..., Any], tmp_path: Path) -> None:
    run = make("vae", "grey", latent_dim=3, hidden=(16,))
    found = export(run, tmp_path / "files", format="torch")
    decoder = torch.export.load(str(found.files[0])).module()
    codes = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected = exploring.decode_codes(run, codes.numpy()).clip(0, run.spec.high)
    close(decoder(codes).detach().numpy(), expected)


def test_codes_as_arrays(digits: Path, tmp_path: Path) -> None:
    found = export(digits, tmp_path / "codes.npz")
    with np.load(found.files[0]) as arrays:
        run = lb.open_run(digits)
        assert np.allclose(arrays["codes"][:3], exploring.codes_of(run, [0, 1, 2]), atol=1e-6)
        assert np.array_equal(arrays["labels"], run.data().test.labels)
        assert arrays["classes"].tolist() == [str(k) for k in range(10)]
        chosen = examples_of(run, None)
        q = run.model.encode(
            chosen.x[:3], *held_out_contexts(run.model, chosen.x[:3], run.data().test)
        )
        assert np.allclose(arrays["deviations"][:3], q.variance.sqrt().detach(), atol=1e-6)
