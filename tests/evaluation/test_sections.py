"""Parts of an evaluation that come when asked for: in JSON, in the tables, in the report."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lowerbound as lb
from lowerbound import console, measuring, nothing
from lowerbound.cli import main
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import DiagonalGaussian, Gaussian, Head, StandardNormal
from lowerbound.distributions.delta import PointMass
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import Evaluation, Row, Section, Told, baseline_bits_per_dim, evaluate
from lowerbound.models import LatentModel
from lowerbound.report import write_report
from lowerbound.runs import Run


@dataclass(frozen=True)
class Planted:
    name: str = "samples"
    notes: tuple[str, ...] = ("of 10 planted features",)
    value: float = 3.25

    def rows(self) -> list[Row]:
        return [Row("FID", f"{self.value}", "", "", "lower is better")]

    def to_json(self) -> dict[str, Any]:
        return {"fid": self.value, "spread": math.nan}


@pytest.fixture
def found() -> Evaluation:
    torch.manual_seed(0)
    model = LatentModel(
        StandardNormal(2),
        Head(nn.Linear(2, 4), Gaussian(4)),
        Head(nn.Linear(4, 4), DiagonalGaussian(2)),
    )
    spec = DataSpec("planted", "vector", (4,), "real")
    result = evaluate(model, spec, torch.randn(20, 4), samples=3)
    return replace(result, sections=(Planted(),))


def test_in_json_both_ways(found: Evaluation) -> None:
    assert isinstance(Planted(), Section)
    [section] = json.loads(json.dumps(found.to_json(), allow_nan=False))["sections"]
    assert section == {
        "name": "samples",
        "content": {"fid": 3.25, "spread": None},
        "rows": [["FID", "3.25", "", "", "lower is better"]],
        "notes": ["of 10 planted features"],
    }
    again = Evaluation.from_json(json.loads(json.dumps(found.to_json())))
    [told] = again.sections
    assert isinstance(told, Told) and told.rows() == Planted().rows()
    assert (told.name, told.notes, told.to_json()["fid"]) == ("samples", Planted().notes, 3.25)
    assert again.to_json() == found.to_json()


def test_in_every_table(found: Evaluation, capsys: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    console.evaluation(found)
    shown, text = capsys.readouterr().out, str(found)
    page = write_report(tmp_path / "r.html", "vae", [], found.to_json(), [], [], {}).read_text()
    for told in (shown, text, page):
        for word in ("FID", "3.25", "lower is better", "of 10 planted features"):
            assert word in told
    assert "<h2>Samples</h2>" in page
    assert shown.index("squared error") < shown.index("\n  samples") < shown.index("FID")


def test_what_can_be_asked_for() -> None:
    assert measuring.chosen(None) == ("likelihood",)
    assert measuring.chosen("all") == measuring.METRICS
    assert measuring.chosen(["samples", "likelihood"]) == ("likelihood", "samples")
    assert measuring.chosen("samples, reconstruction") == ("samples", "reconstruction")
    with pytest.raises(LowerboundError, match="came 'sampels'; did you mean 'samples'"):
        measuring.chosen("sampels")
    with pytest.raises(LowerboundError, match="or all, came none"):
        measuring.chosen(",")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    options: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "steps": 20, "threads": 1}
    return lb.train(
        "digits", out=tmp_path / "run", limit=80, compile="no", progress=False, **options
    )


def test_of_a_run_from_the_command_line(run: Run, capsys: Any, monkeypatch: Any) -> None:
    """Parts join what was measured before; nothing that is known is lost."""
    asked: list[dict[str, Any]] = []

    def measure(opened: Run, **options: Any) -> Planted:
        asked.append(options)
        return Planted(value=5.5)

    import lowerbound.sample_quality as quality

    monkeypatch.setattr(quality, "measure", measure)
    path = str(run.path)
    assert main(["evaluate", path, "--samples", "3"]) == 0
    assert main(["evaluate", path, "--metrics", "samples", "--seed", "4"]) == 0
    assert "5.5" in capsys.readouterr().out
    assert asked[0]["seed"] == 4 and "count" not in asked[0]
    kept = json.loads((run.path / "evaluation.json").read_text())
    assert kept["log_likelihood"]["samples"] == 3 and kept["sections"][0]["content"]["fid"] == 5.5
    words = ["--ais", "--ais-steps", "4", "--chains", "2", "--limit", "3", "--bracket", "--json"]
    assert main(["evaluate", path, "--samples", "2", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["annealing"]["examples"] == 3 and told["annealing"]["bracket"]["examples"] == 3
    assert told["annealing"]["settings"]["steps"] == 4 and told["sections"] == []
    kept = json.loads((run.path / "evaluation.json").read_text())
    # The numbers of more examples stay, the parts stay, and what is new is added.
    assert kept["log_likelihood"]["samples"] == 3 and kept["sections"][0]["content"]["fid"] == 5.5
    assert kept["annealing"] == told["annealing"]
    page = (run.path / "report.html").read_text()
    assert "5.5" in page and "AIS bracket" in page
    assert list((run.path / "annealed").glob("*.safetensors"))
    # Other weights: nothing of the old ones is kept.
    weights = run.path / "weights.safetensors"
    later = (run.path / "evaluation.json").stat().st_mtime + 10
    os.utime(weights, (later, later))
    assert main(["evaluate", path, "--samples", "2", "--limit", "3"]) == 0
    kept = json.loads((run.path / "evaluation.json").read_text())
    assert (kept["data"]["examples"], kept["sections"], kept["annealing"]) == (3, [], None)


def test_refused_on_one_line(run: Run, capsys: Any) -> None:
    for words, told in [
        (["--metrics", "sampels"], "metrics: expected likelihood, samples, representation"),
        (["--ais", "--chains", "0"], "chains"),
        (["--ais", "--noise-std", "0"], "noise-std"),
        (["--ais", "--ais-start", "middle"], "ais-start"),
    ]:
        assert main(["evaluate", str(run.path), *words]) == 2
        error = capsys.readouterr().err
        assert told in error.replace("_", "-") and "Traceback" not in error
    bare = lb.train("digits", "autoencoder", out=run.path / "a", limit=80, steps=2, progress=False)
    assert main(["evaluate", str(bare.path), "--ais"]) == 2
    assert "annealed importance sampling" in capsys.readouterr().err
    assert not (bare.path / "evaluation.json").exists()


def test_all_leaves_out_what_does_not_fit(run: Run, monkeypatch: Any) -> None:
    def refuse(opened: Run, **options: Any) -> Planted:
        raise LowerboundError("expected images, came sound")

    import lowerbound.sample_quality as quality

    monkeypatch.setattr(quality, "measure", refuse)
    found = {s.name: s for s in measuring.sections(run, measuring.METRICS, limit=30)}
    assert found["samples"].rows()[0].note == "not measured: expected images, came sound"
    assert {"representation", "reconstruction"} <= set(found)
    with pytest.raises(LowerboundError, match="came sound"):
        list(measuring.sections(run, ("samples",)))


# Against nothing


def test_images_stand_beside_the_uniform_baseline() -> None:
    grey = DataSpec("a", "image", (1, 2, 2), "unit", low=0.0, high=255.0, scale=255.0)
    assert baseline_bits_per_dim(grey) == pytest.approx(math.log2(255))
    floats = DataSpec("a", "image", (1, 2, 2), "real", low=-1.0, high=1.0)
    assert baseline_bits_per_dim(floats) == 1.0
    binary = DataSpec("a", "image", (1, 2, 2), "binary")
    assert baseline_bits_per_dim(binary) == 1.0


def test_images_drawn_uniformly_have_the_bits_of_the_baseline() -> None:
    for support, levels in (("levels", 4), ("binary", None)):
        spec = DataSpec("a", "image", (1, 8, 8), support, levels)
        x = nothing.drawn(spec, 4000)
        values, counts = np.unique(x, return_counts=True)
        many = levels or 2
        np.testing.assert_allclose(values, np.arange(many) / (many - 1))
        share = counts / counts.sum()
        entropy = -(share * np.log2(share)).sum()
        assert entropy == pytest.approx(baseline_bits_per_dim(spec), abs=1e-3)
    spec = DataSpec("a", "image", (3, 4, 4), "unit")
    x = nothing.drawn(spec, 2000)
    assert x.mean() == pytest.approx(0.5, abs=0.01) and x.var() == pytest.approx(1 / 12, abs=0.002)


def test_a_picture_of_nothing_is_drawn(run: Run) -> None:
    lb.evaluate(run, samples=2)
    assert (run.pictures / "nothing.png").read_bytes().startswith(b"\x89PNG")
    assert "Natural images are sparse" in (run.path / "report.html").read_text()


# Indices


class Indexed(nn.Module):
    """Two indices of 8 for each datum, with a prior that prefers some."""

    event_shape, latent_shape, no_likelihood = (6,), (2,), None
    uniform_rate = 2 * math.log(8)

    class Prior(torch.distributions.Distribution):
        def __init__(self) -> None:
            super().__init__(torch.Size(), torch.Size((2,)), validate_args=False)
            self.log = torch.arange(8.0).mul(0.3).log_softmax(0)

        def log_prob(self, value: Tensor) -> Tensor:
            return self.log[value].sum(-1)

    def prior(self, *context: Tensor) -> Any:
        return self.Prior()

    def encode(self, x: Tensor, *context: Tensor) -> PointMass:
        return PointMass((x[..., :2].abs() * 4).long().clamp(0, 7))

    def decode(self, z: Tensor, *context: Tensor) -> Any:
        mean = z.float().mean(-1, keepdim=True).expand(*z.shape[:-1], 6)
        normal = torch.distributions.Normal(mean, 1.0, validate_args=False)
        return torch.distributions.Independent(normal, 1, validate_args=False)


def test_codes_have_a_rate_under_two_priors() -> None:
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    model = Indexed()
    found = evaluate(model, DataSpec("a", "vector", (6,), "real"), x)
    codes = model.encode(x).point
    rate = -float(model.prior().log_prob(codes).mean())
    distortion = -float(model.decode(codes).log_prob(x).mean())
    assert found.rate == pytest.approx(rate, rel=1e-5)
    assert found.uniform_rate == 2 * math.log(8)
    assert found.log_likelihood is not None and found.log_likelihood.kind == "lower bound"
    assert found.log_likelihood.value == pytest.approx(-distortion - rate, rel=1e-5)
    rows = {row.quantity: row for row in found.table()}
    assert f"{rate / (6 * math.log(2)):.4f} bits/dim" in rows["rate"].note
    uniform = rows["rate, uniform codes"]
    assert uniform.value == "4.16" and f"{2 * math.log(8) / (6 * math.log(2)):.4f}" in uniform.note
    whole = (distortion + 2 * math.log(8)) / (6 * math.log(2))
    assert f"{whole:.4f} bits/dim" in uniform.note


def test_all_parts_are_of_the_same_examples(run: Run, monkeypatch: Any) -> None:
    """The headline's distortion and rate are those of the same x as the reconstruction's."""
    from lowerbound.evaluation import choose_examples
    from lowerbound.evaluation.samples import measure as samples

    seen: dict[str, Any] = {}

    def headline(model: Any, spec: Any, x: Any, *context: Any, **options: Any) -> Any:
        seen["headline"] = x
        return evaluate(model, spec, x, *context, **options)

    def reference(judge: Any, view: Any, split: Any, positions: Any, what: str) -> Any:
        seen.setdefault("samples", positions)
        return of_split(judge, view, split, positions, what)

    of_split = samples.Network.of_split
    monkeypatch.setattr("lowerbound.evaluation.evaluate", headline)
    monkeypatch.setattr(samples.Network, "of_split", reference)
    for module in ("reconstruction", "representation.measure"):
        name = module.partition(".")[0]

        def chosen(*given: Any, name: str = name, **options: Any) -> Any:
            found = choose_examples(*given, **options)
            seen.setdefault(name, found)
            return found

        # By its full name: the package has a function `measure`, too.
        monkeypatch.setattr(
            sys.modules[f"lowerbound.evaluation.{module}"], "choose_examples", chosen
        )
    parts = "likelihood,samples,reconstruction,representation"
    options = {"features": "pixels", "limit": 12, "seed": 3, "samples": 1, "report": False}
    found = lb.evaluate(run, metrics=parts, **options)
    x = seen["headline"]
    assert len(x) == 12
    for part in ("reconstruction", "representation"):
        assert torch.equal(seen[part].x, x)
    assert sorted(seen["samples"]) == sorted(seen["reconstruction"].positions)
    rate = next(s for s in found.sections if s.name == "reconstruction").rate  # ty: ignore
    assert rate == pytest.approx(found.rate, rel=1e-5)  # both in closed form


def test_nothing_is_told_of_the_codes_of_one_example(run: Run) -> None:
    from lowerbound.evaluation.representation import measure

    told = " ".join(measure(run, limit=1).notes)
    assert "of one example nothing is told" in told and "collapse" not in told
