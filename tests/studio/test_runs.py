"""The list of runs and a run's overview: what is told, and what the browser shows of it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import lowerbound as lb
from lowerbound.studio import folder as folders
from lowerbound.studio.asked import Asked, Studio
from lowerbound.studio.folder import Folder
from lowerbound.studio.views import overview


def get(address: str, path: str) -> Any:
    with urlopen(f"{address}api/{path}") as reply:
        return json.load(reply)


def edit(run: Path, **status: Any) -> None:
    info = json.loads((run / "run.json").read_text())
    info["status"].update(status)
    (run / "run.json").write_text(json.dumps(info))


@pytest.fixture
def several(runs: Path, tmp_path: Path) -> Path:
    """Runs in every state."""
    root = tmp_path / "runs"
    for name in ("good", "stopped", "failed"):
        shutil.copytree(runs / "digits", root / name)
    edit(root / "stopped", reason="interrupted", step=7)
    edit(root / "failed", reason="failed", error="the loss is NaN at step 13; lower it")
    (root / "corrupt").mkdir()
    (root / "corrupt" / "run.json").write_text("{")
    return root


def test_the_states_are_told(several: Path) -> None:
    told = {info["id"]: info for info in Folder([several]).told()}
    assert {name: info["state"] for name, info in told.items()} == {
        "good": "done", "stopped": "interrupted", "failed": "failed", "corrupt": "corrupt",
    }  # fmt: skip
    assert [info["resumable"] for info in map(told.get, ("good", "stopped"))] == [False, True]
    assert told["failed"]["error"].startswith("the loss is NaN")
    assert told["good"]["total"] == told["good"]["step"]


def test_the_bound_is_that_of_the_run(runs: Path, several: Path) -> None:
    """The last held-out report until there is an evaluation, whose kind then stands with it."""
    reports = [line for line in lb.open_run(runs / "digits").metrics() if line["split"] == "test"]
    told = folders.told("good", several / "good")["bound"]
    assert told == {
        "value": reports[-1]["bound"], "unit": "nats", "kind": "lower bound", "from": "training",
    }  # fmt: skip
    found = lb.evaluate(several / "good", samples=3, limit=10, report=False)
    assert found.log_likelihood is not None
    (several / "good" / "evaluation.json").write_text(json.dumps(found.to_json()))
    told = folders.told("good", several / "good")
    assert told["bound"]["value"] == found.log_likelihood.value
    assert told["bound"]["kind"] == found.log_likelihood.kind == "estimate"


def test_a_run_is_shown_by_what_tells_most(tmp_path: Path) -> None:
    """By the newest evaluation, not by what a tool has drawn since."""
    drawn = {"latent_map": 0, "samples": 10, "reconstructions": 5000, "curves": 5001, "edit": 9000}
    for name, when in drawn.items():
        path = tmp_path / "pictures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1e9 + when, 1e9 + when))
    found = folders.pictures(tmp_path)
    assert [each.stem for each in found[:2]] == ["edit", "curves"]
    assert folders._telling(found) == "reconstructions.png"
    assert folders._telling([each for each in found if each.stem in ("samples", "latent_map")]) == (
        "samples.png"
    )
    assert folders._telling(found[:2]) == "edit.png" and folders._telling([]) is None


def test_a_list_that_did_not_change_is_not_read_again(several: Path, monkeypatch: Any) -> None:
    folder = Folder([several])
    first = folder.told()
    monkeypatch.setattr(folders, "told", lambda *_: pytest.fail("read again"))
    assert folder.told() == first
    monkeypatch.undo()
    edit(several / "good", reason="failed", error="now")
    assert {info["id"]: info["state"] for info in folder.told()}["good"] == "failed"


def test_two_runs_of_one_name_have_two_ids(runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(runs / "digits", tmp_path / name / "digits")
    paths = Folder([tmp_path / "a", tmp_path / "b"]).paths()
    assert paths == {"digits": tmp_path / "a/digits", "digits~2": tmp_path / "b/digits"}


def test_curves_come_piece_by_piece(several: Path) -> None:
    """Half a line waits for its end; a file that was cut back begins anew."""
    studio = Studio(Folder([several]))
    file = several / "good" / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:3]) + lines[3][:10])

    def ask(after: int = 0, of: str = "") -> dict[str, Any]:
        return overview.metrics(studio, Asked({"run": "good", "after": after, "of": of}))

    first = ask()
    assert [line["step"] for line in first["lines"]] == [json.loads(x)["step"] for x in lines[:3]]
    assert first["anew"] and not ask(first["after"], first["of"])["lines"]
    with file.open("a") as opened:
        opened.write(lines[3][10:] + "".join(lines[4:]))
    second = ask(first["after"], first["of"])
    assert not second["anew"] and second["lines"] == [json.loads(x) for x in lines[3:]]
    assert second["after"] == file.stat().st_size
    aside = file.with_suffix(".new")  # as a resumed run cuts it: another file of that name
    aside.write_text("".join(lines[:2]))
    aside.replace(file)
    third = ask(second["after"], second["of"])
    assert third["anew"] and third["lines"] == [json.loads(x) for x in lines[:2]]
    studio.close()


def test_a_run_is_moved_aside_and_nothing_else(several: Path) -> None:
    folder = Folder([several])
    kept = (several / "good" / "run.json").read_text()
    moved = folder.delete("good")
    assert moved == several / ".deleted" / "good" and (moved / "run.json").read_text() == kept
    assert "good" not in folder.paths()
    with pytest.raises(lb.LowerboundError, match="no run 'good'"):
        folder.delete("good")
    with pytest.raises(lb.LowerboundError, match="by hand"):
        Folder([several / "stopped"]).delete("stopped")
    assert sorted(p.name for p in several.iterdir()) == [".deleted", "corrupt", "failed", "stopped"]


def test_an_overview_tells_how_it_was_made(studio: Any) -> None:
    found = get(studio.address, "run/digits/overview")
    assert found["command"].startswith("lowerbound train digits --recipe vae")
    assert ["latent_dim", "2"] in found["arguments"] and "1312.6114" in found["paper"]
    assert found["known"] and found["evaluation"] is None


def test_the_code_runs(studio: Any, runs: Path, monkeypatch: Any, capsys: Any) -> None:
    found = get(studio.address, "run/digits/overview")
    monkeypatch.chdir(runs.parent)
    names: dict[str, Any] = {}
    exec(found["code"], names)
    assert names["samples"].shape == (64, 1, 8, 8) and len(names["curve"]) == 2
    assert "None" in capsys.readouterr().out  # no evaluation yet


# In a browser


def test_an_empty_folder_says_what_to_do(
    serving: Callable[..., Any], tmp_path: Path, page: Any
) -> None:
    (tmp_path / "runs").mkdir()
    page.goto(serving([tmp_path / "runs"]).address)
    page.get_by_text("There is no run in").wait_for()
    assert "lowerbound train digits" in page.locator("pre").inner_text()
    page.get_by_role("link", name="Train a model").last.click()
    page.get_by_role("heading", level=1, name="Train a model").wait_for()


def test_the_list_shows_states_and_is_filtered(
    serving: Callable[..., Any], several: Path, page: Any
) -> None:
    page.goto(serving([several]).address)
    page.get_by_role("link", name="good", exact=True).wait_for()
    for state in ("finished", "stopped", "failed", "corrupt"):
        page.locator(f".badge.{state}").wait_for()
    assert "lower bound" in page.locator(".run-card", has_text="good").inner_text()
    assert page.get_by_text("the loss is NaN at step 13").count() == 1
    page.get_by_label("State").select_option("failed")
    assert page.locator(".run-card").count() == 1
    page.get_by_label("State").select_option("all")
    page.get_by_label("Filter").fill("good digits")
    assert page.locator(".run-card h2").all_inner_texts() == ["good"]
    page.get_by_label("Filter").fill("nothing of that name")
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Sort by").select_option("byName")
    names = page.locator(".run-card h2").all_inner_texts()
    assert names == ["corrupt", "failed", "good", "stopped"]


def test_a_failed_run_has_an_overview(
    serving: Callable[..., Any], several: Path, page: Any
) -> None:
    """Curves and how it was made, without a model that opens."""
    (several / "failed" / "weights.safetensors").unlink()
    (several / "failed" / "checkpoint.safetensors").unlink(missing_ok=True)
    page.goto(f"{serving([several]).address}#/run/failed")
    page.locator(".curves canvas").first.wait_for()
    assert page.get_by_role("alert").first.inner_text().startswith("the loss is NaN")
    label = page.locator(".curves").first.get_attribute("aria-label")
    assert label.startswith("−ELBO nats. training: ") and "held out (test)" in label
    tabs = page.get_by_role("navigation", name="Views of the run").get_by_role("link")
    assert tabs.all_inner_texts() == ["Overview", "Diagnose"]


def test_curves_change_axis_scale_and_part(studio: Any, page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(f"{studio.address}#/run/digits/overview")
    page.locator(".curves canvas").first.wait_for()
    legend = page.locator(".curves .u-legend").first
    expect(legend).to_contain_text("step")
    page.get_by_label("Axis").select_option("epoch")
    expect(legend).to_contain_text("epoch")
    page.get_by_label("Scale").select_option("log")
    page.get_by_label("Show").select_option("half")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download .csv").click()
    rows = Path(saved.value.path()).read_text().splitlines()
    metrics = lb.open_run(next(iter(studio.app.state.studio.folder.paths().values()))).metrics()
    assert rows[0].startswith("step,epoch,seconds,split") and len(rows) == 1 + len(metrics)


def test_a_run_deleted_while_open_is_one_line(
    serving: Callable[..., Any], several: Path, page: Any
) -> None:
    page.goto(f"{serving([several]).address}#/run/good")
    page.locator(".curves canvas").first.wait_for()
    shutil.rmtree(several / "good")
    page.get_by_text("there is no run 'good' (any more)").wait_for(timeout=15_000)
    assert page.get_by_role("alert").count() == 1 and page.locator(".curves").count() == 0
    page.get_by_role("link", name="Back to the list of runs").click()
    page.get_by_role("link", name="stopped").wait_for()
    page.wrong[:] = [text for text in page.wrong if "400 (Bad Request)" not in text]


def test_deleting_asks_first(serving: Callable[..., Any], several: Path, page: Any) -> None:
    page.goto(f"{serving([several]).address}#/run/stopped")
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Keep it").click()
    assert (several / "stopped").is_dir()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete stopped").click()
    page.get_by_role("heading", level=1, name="Runs").wait_for()
    assert (several / ".deleted" / "stopped" / "run.json").is_file()
    page.get_by_role("link", name="good").wait_for()
    assert page.get_by_role("link", name="stopped").count() == 0
    page.wrong[:] = [text for text in page.wrong if "400 (Bad Request)" not in text]


def test_two_browsers_see_the_same(
    serving: Callable[..., Any], several: Path, page: Any, chromium: Any
) -> None:
    """A run that appears, and one that ends, in both of them, while each looks at its own."""
    address = serving([several]).address
    other = chromium.new_context(locale="ko").new_page()
    page.goto(address)
    other.goto(f"{address}#/run/stopped")
    other.locator(".badge.stopped").wait_for()
    shutil.copytree(several / "good", several / "later")
    edit(several / "stopped", reason="done")
    page.get_by_role("link", name="later").wait_for()
    page.locator(".run-card", has_text="stopped").locator(".badge.finished").wait_for()
    other.locator(".badge.finished").wait_for()
    assert other.locator(".badge.finished").inner_text() == "완료"
    other.context.close()


def test_pictures_are_enlarged(serving: Callable[..., Any], several: Path, page: Any) -> None:
    from PIL import Image

    pictures = several / "good" / "pictures"
    pictures.mkdir(exist_ok=True)
    for number, name in enumerate(("first", "second")):
        Image.new("RGB", (40, 30), (200, 100 * number, 0)).save(pictures / f"{name}.png")
        time.sleep(0.02)
    page.goto(f"{serving([several]).address}#/run/good")
    page.get_by_role("button", name="Enlarge: second").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("img", name="second").wait_for()
    page.keyboard.press("ArrowRight")
    dialog.get_by_role("img", name="first").wait_for()
    assert dialog.get_by_role("link").get_attribute("download") == "good-first.png"
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
