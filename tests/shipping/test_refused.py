"""What cannot be exported is told in a line, and nothing is written then."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lowerbound as lb
from lowerbound import LowerboundError
from lowerbound.cli import main


def test_nothing_is_written_over(digits: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.html"
    there.write_text("mine")
    with pytest.raises(LowerboundError, match="exists already, and nothing is written over"):
        lb.export(digits, there)
    assert there.read_text() == "mine"
    with pytest.raises(LowerboundError, match="exists already"):
        lb.export(digits, tmp_path, format="onnx")


def test_formats(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match="expected a format, came 'onx'; did you mean 'onnx'"):
        lb.export(digits, tmp_path / "x", format="onx")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="came only the name"):
        lb.export(digits, tmp_path / "x.tar")
    with pytest.raises(LowerboundError, match=r"ends in \.npz"):
        lb.export(digits, tmp_path / "x.tar", format="npz")
    with pytest.raises(LowerboundError, match=r"name of a folder.*pass --out \S*/page$"):
        lb.export(digits, tmp_path / "page.html", format="onnx")
    with pytest.raises(LowerboundError, match="is no run"):
        lb.export(tmp_path / "none", tmp_path / "x.html")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_told(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(LowerboundError, match=r"pip install 'lowerbound\[export\]'"):
        lb.export(digits, tmp_path / "x.html")


def test_models_without_codes_or_one_datum_at_once(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    small = {"width": 8, "layers": 2}
    run = make("pixelcnn", "grey", **small)
    for format in ("html", "onnx", "torch"):
        with pytest.raises(LowerboundError, match="expected a model that decodes"):
            lb.export(run, tmp_path / "x", format=format)
    gan = make("gan", "grey", latent_dim=3)
    with pytest.raises(LowerboundError, match="expected a model that encodes"):
        lb.export(gan, tmp_path / "x.npz")
    for indices in (make("vq-vae", "grey"), make("gaussian-mixture", "vector", components=3)):
        with pytest.raises(LowerboundError, match="between which there is nothing; pass --format"):
            lb.export(indices, tmp_path / "x.html")
    part = make("completion", "grey", latent_dim=3, hidden=(16,), mask="right")
    with pytest.raises(LowerboundError, match="given nothing, a label or attributes for a page"):
        lb.export(part, tmp_path / "x.html")
    assert not list(tmp_path.iterdir())


def test_a_decoder_that_draws_is_refused(make: Callable[..., Any], tmp_path: Path) -> None:
    run = make("autoencoder", "vector", latent_dim=2, hidden=(8,), anew=True)

    class Drawn:
        sampling_options = ("temperature",)

    run.model.decode = lambda z, *context: Drawn()
    with pytest.raises(LowerboundError, match="draws it number after number"):
        lb.export(run, tmp_path / "x", format="onnx")


def test_an_operation_without_a_place_in_onnx_is_named(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    run = make("autoencoder", "vector", latent_dim=2, hidden=(8,), anew=True)
    inner = run.model.decode

    def solved(z: torch.Tensor) -> Any:
        found = inner(z)
        found.point = torch.linalg.solve_triangular(torch.eye(5), found.mean.mT, upper=True).mT
        return found

    run.model.decode = solved
    with pytest.raises(LowerboundError) as told:
        lb.export(run, tmp_path / "x", format="onnx")
    text = str(told.value)
    assert "aten.linalg_solve_triangular" in text and "\n" not in text and len(text) < 300


def test_the_command(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(digits), "--out", "codes.npz", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == 1 and told["as"] == "npz" and told["out"] == "codes.npz"
    assert told["files"] == ["codes.npz"] and told["bytes"] == Path("codes.npz").stat().st_size
    assert main(["export", str(digits), "--format", "npz"]) == 0
    assert capsys.readouterr().out.strip() == "digits.npz"
    assert main(["export", str(digits), "--out", "codes.npz"]) == 2
    error = capsys.readouterr().err
    assert "codes.npz exists already" in error and len(error.strip().splitlines()) <= 2


def test_a_page_without_the_data_begins_with_the_prior(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lb.open_run(digits)

    def gone() -> Any:
        raise LowerboundError("they are no longer where they were")

    monkeypatch.setattr(run, "data", gone)
    told = lb.export(run, tmp_path / "x.html", title="</title><script>alert(1)")
    assert "without held-out examples: they are no longer where they were" in told.notes
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(1)</title>" in text
    assert text.count("<script") == 3 and text.count("</script>") == 3
    bare = lb.train({"train": [[0.0], [1.0], [2.0], [1.0]] * 9}, "autoencoder",
                    out=tmp_path / "run", latent_dim=1, hidden=(4,), steps=1, progress=False,
                    compile="no", threads=1, tensorboard="no")  # fmt: skip
    monkeypatch.setattr(bare, "data", gone)
    with pytest.raises(LowerboundError, match="no longer where they were"):
        lb.export(bare, tmp_path / "y.html")
