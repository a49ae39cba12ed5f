"""Every cause is named first on a run that is broken by it, and none on a healthy one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.diagnosis import CAUSES, CHECKS, Check, Evidence, Finding, diagnose
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run

Made = Callable[[str], Run]


@pytest.mark.parametrize(
    ("name", "cause", "flag"),
    [
        ("beta", "posterior-collapse", "--beta 1"),
        ("rate", "learning-rate-high", "--learning-rate 0.001"),
        ("slow", "learning-rate-low", "--learning-rate 0.001"),
        ("short", "too-short", "--steps"),
        ("few", "few-examples", "more data"),
        ("grey", "wrong-likelihood", "--likelihood discretized-logistic"),
        ("spiral", "posterior-collapse", "--recipe neural-spline"),
        ("hole", "prior-hole", "--beta 1"),
        ("copies", "overfitting", "--components"),
        ("three", "underfitting", "--components 6"),
    ],
)
def test_the_cause_is_named_first(made: Made, name: str, cause: str, flag: str) -> None:
    found = diagnose(made(name).path)
    assert found.first == cause, str(found)
    first = found.findings[0]
    assert flag in first.helps
    assert any(character.isdigit() for character in first.evidence)
    weights = [each.weight for each in found.findings]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("name", ["healthy", "pca", "two-stage", "ring"])
def test_nothing_is_invented_of_a_healthy_run(made: Made, name: str) -> None:
    found = diagnose(made(name).path)
    assert found.healthy, str(found)
    assert found.first is None
    assert "nothing found wrong" in found.headline()


def test_a_run_that_died_is_told_by_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match="not finite"):
        lb.train(
            "digits",
            "vae",
            out=tmp_path / "dead",
            learning_rate=1e18,
            steps=50,
            hidden=(8,),
            threads=1,
            compile="no",
            tensorboard="no",
            progress=False,
        )
    found = diagnose(tmp_path / "dead")
    assert found.first == "diverged"
    assert "is not finite at step" in found.findings[0].evidence


def test_a_run_that_was_interrupted(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made("short").path, tmp_path / "copy"))
    run = Run.open(copy)
    run.update(status={**run.info["status"], "reason": "interrupted"})
    found = diagnose(copy)
    assert found.first == "unfinished"
    assert "too-short" not in [each.cause for each in found.findings]
    assert f"lowerbound resume {copy}" in found.findings[0].helps


def test_the_shape_of_a_report(made: Made) -> None:
    found = diagnose(made("beta").path)
    content = json.loads(json.dumps(found.to_json()))
    assert content["findings"][0]["cause"] == "posterior-collapse"
    assert content["findings"][0]["numbers"]["beta"] == 100.0
    assert content["findings"][0]["numbers"]["active_units"] == 0
    names = {check.name for check in CHECKS}
    assert set(content["checked"]) | set(content["passed_over"]) == names
    assert not set(content["checked"]) & set(content["passed_over"])


def test_a_check_of_ones_own(made: Made) -> None:
    def needs(evidence: Evidence) -> str | None:
        return None if evidence.spec.kind == "image" else "no images"

    def look(evidence: Evidence) -> Finding:
        return Finding("mode-collapse", "it", "1", "that")

    found = diagnose(made("short").path, checks=[Check("mine", needs, look)])
    assert found.first == "mode-collapse"
    assert CAUSES["mode-collapse"] in found.headline()


def test_a_model_without_a_likelihood_is_not_held_for_collapsed(made: Made) -> None:
    found = diagnose(made("perceptual").path)
    causes = {each.cause for each in found.findings}
    assert not causes & {"wrong-likelihood", "posterior-collapse"}, str(found)
    measured = dict(found.measured)
    assert measured["log p(x)"].startswith("none: an error of features is no density")
    assert "times the squared error" in measured["decoder listens"]
    assert "nan" not in str(found)


def test_a_model_that_is_solved_has_not_collapsed(made: Made) -> None:
    """One component finds the line; the clusters on it are beyond a linear model."""
    found = diagnose(made("line").path)
    assert "1 of 1 dimensions active" in dict(found.measured)["rate"]
    assert found.first == "underfitting", str(found)
    assert "--recipe vae" in found.findings[0].helps
    assert "--prior" not in found.findings[0].helps


def test_a_model_worse_than_untrained_has_no_other_finding(made: Made) -> None:
    assert [each.cause for each in diagnose(made("rate").path).findings] == ["learning-rate-high"]


@pytest.mark.filterwarnings("error")
def test_of_one_held_out_example_little_is_told(made: Made) -> None:
    run = made("one")
    assert run.spec.test == 1
    found = diagnose(run.path)
    for name in ("posterior collapse", "σ and errors", "against a simple density"):
        assert found.passed_over[name] == "not told: 1 held-out example, fewer than 10"
    assert {each.cause for each in found.findings} <= {"too-short", "learning-rate-low"}


def test_what_is_no_number_is_no_finding(made: Made) -> None:
    def look(evidence: Evidence) -> Finding:
        evidence.measured["mine"] = "costs nan ± nan"
        return Finding("mode-collapse", "it", "nan", "that", {"share": [1.0, float("nan")]})

    found = diagnose(made("pca").path, checks=[Check("mine", lambda evidence: None, look)])
    assert found.healthy and not found.measured
    assert found.passed_over == {"mine": "not told: a number came out as none"}


def test_the_verb(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["diagnose", str(made("grey").path)]) == 0
    shown = capsys.readouterr().out
    assert "1. the likelihood does not fit the data" in shown
    assert "--likelihood discretized-logistic" in shown
    assert main(["diagnose", str(made("grey").path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["cause"] == "wrong-likelihood"
    assert main(["diagnose", "no/such/run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_is_written(made: Made) -> None:
    path = made("short").path
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    diagnose(path)
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before
