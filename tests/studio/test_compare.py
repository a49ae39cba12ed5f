"""Comparison and diagnosis as the page shows them, against what the functions say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import lowerbound as lb


@pytest.fixture(scope="module")
def beside(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two of digits, one of iris."""
    root = tmp_path_factory.mktemp("beside") / "runs"
    shutil.copytree(runs / "digits", root / "digits")
    options: dict[str, Any] = {"compile": "no", "progress": False, "tensorboard": "no"}
    lb.train("digits", "beta-vae", out=root / "worse", hidden=(64,), epochs=6, **options)
    lb.train("iris", "vae", out=root / "iris", latent_dim=1, hidden=(8,), epochs=1, **options)
    return root


def test_runs_are_compared(
    serving: Callable[..., Any], beside: Path, page: Any, monkeypatch: Any, capsys: Any
) -> None:
    address = serving([beside]).address
    page.goto(address)
    for name in ("digits", "worse", "iris"):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("link", name="Compare 3 runs").click()
    page.get_by_label("Examples at most").fill("20")
    page.get_by_label("Importance samples").fill("5")
    page.get_by_role("button", name="Compare 3 runs").click()
    page.get_by_role("heading", name="What the numbers mean").wait_for(timeout=90_000)
    found = lb.compare([beside / n for n in ("digits", "worse", "iris")], samples=5, limit=20)
    for group in found.groups:
        page.get_by_role("heading", name=group.runs[0].target.title()).wait_for()
    from lowerbound.comparison.rows import lines

    told = [line for group in found.groups for section in lines(group) for line in section]
    rows = page.locator("tbody tr").all_inner_texts()
    assert len(rows) == len(told)
    for row, line in zip(rows, told, strict=True):
        assert line.value in row and line.difference in row and line.run in row
    # Held apart, with the reason.
    reason = found.groups[1].apart[0]
    page.get_by_text(reason).wait_for()
    assert page.locator("img.figure").evaluate("image => image.naturalWidth") > 300
    for suffix in ("html", "md", "png", "json"):
        with page.expect_download() as saved:
            page.get_by_role("link", name=f"Download .{suffix}", exact=True).click()
        content = Path(saved.value.path()).read_bytes()
        assert saved.value.suggested_filename == f"comparison.{suffix}" and len(content) > 500
        if suffix == "json":
            assert json.loads(content)["groups"][0]["rows"][1]["run"] == "worse"
    code = page.locator(".as-code pre").text_content()
    monkeypatch.chdir(beside.parent)
    exec(code, {})
    assert "| digits" in capsys.readouterr().out.replace("**", "")


def test_a_run_is_diagnosed(serving: Callable[..., Any], beside: Path, page: Any) -> None:
    """The findings, and a form that is filled in with what helps."""
    address = serving([beside]).address
    page.goto(f"{address}#/run/worse/diagnose")
    page.get_by_role("button", name="Look it over").click()
    page.get_by_text("What was measured").wait_for(timeout=90_000)
    found = lb.diagnose(beside / "worse")
    assert not found.healthy
    told = page.locator(".findings").inner_text()
    for finding in found.findings:
        assert finding.evidence in told and finding.helps in told
    page.reload()  # it is still known
    page.get_by_text("What was measured").wait_for()
    assert "posterior-collapse" in [finding.cause for finding in found.findings]
    page.get_by_role("link", name="Train with --beta 1", exact=True).first.click()
    command = page.locator("pre.command", has_text="--beta 1")
    command.wait_for()
    words = command.inner_text()
    assert "digits --recipe beta-vae" in words and "--hidden 64" in words


def test_measuring_is_shown_as_it_goes(
    serving: Callable[..., Any], beside: Path, page: Any
) -> None:
    """Evaluated from the overview: numbers with their kinds, pictures, the report."""
    address = serving([beside]).address
    page.goto(f"{address}#/run/iris")
    page.get_by_text("It has not been evaluated yet").wait_for()
    page.get_by_text("How it is measured").click()
    page.get_by_label("Importance samples").fill("10")
    page.get_by_role("button", name="Evaluate").click()
    page.locator("table.numbers").wait_for(timeout=90_000)
    evaluation = lb.open_run(beside / "iris").evaluation
    assert evaluation is not None
    rows = page.locator("table.numbers tbody tr").all_inner_texts()
    assert len(rows) == len(evaluation.table())
    for row, text in zip(evaluation.table(), rows, strict=True):
        assert row.quantity in text and row.value in text and row.kind in text
    page.get_by_role("button", name="Enlarge:").first.wait_for()
    page.get_by_role("link", name="Open the report").wait_for(timeout=60_000)
    with urlopen(f"{address}api/run/iris/report") as reply:
        assert reply.headers["Content-Security-Policy"].startswith("sandbox;")
        assert "vae on iris" in reply.read().decode()


def test_what_cannot_be_compared_is_one_line(serving: Callable[..., Any], beside: Path) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request

    address = serving([beside]).address
    for asked in ({"runs": ["digits"]}, {"runs": ["digits", "none"]}, {"runs": "digits"}, {}):
        headers = {"X-Lowerbound": "1", "Content-Type": "application/json"}
        with pytest.raises(HTTPError) as error:
            urlopen(Request(f"{address}api/compare", json.dumps(asked).encode(), headers))
        assert error.value.code == 400 and json.load(error.value)["error"]
