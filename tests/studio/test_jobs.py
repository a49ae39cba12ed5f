"""Work that goes on by itself: its states, its errors, its end; and a training in the browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lowerbound as lb
from lowerbound.errors import LowerboundError
from lowerbound.studio import jobs as module
from lowerbound.studio.jobs import _HEARD, Job, Jobs

# Standard modules stand for work: they begin at once.
SLEEPS = ["-n1", "-r1", "import time; print('begun', flush=True); time.sleep(60)"]
SAYS = ["-n1", "-r1", "print('@progress 3 12')"]
FAILS = ["-n1", "-r1", "print('error: expected more, came less'); raise SystemExit(2)"]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    found = Jobs(lambda: tmp_path / "runs")
    yield found
    found.close()


def start(jobs: Jobs, words: list[str], kind: str = "evaluate", path: Path | None = None) -> Job:
    return jobs.start(kind, words, path=path, shown="command", module="timeit")


def wait_for(job: Job, *states: str, seconds: float = 30) -> str:
    end = time.monotonic() + seconds
    while job.state not in states and time.monotonic() < end:
        time.sleep(0.02)
    return job.state


def begun(job: Job) -> Job:
    """Wait until it hears signals: Python that only starts may swallow one."""
    while "begun" not in job.said():
        time.sleep(0.02)
    return job


def test_states_and_what_was_said(jobs: Jobs, tmp_path: Path) -> None:
    done, failed = start(jobs, SAYS), start(jobs, FAILS)
    assert (wait_for(done, "done"), wait_for(failed, "failed")) == ("done", "failed")
    assert done.told()["done"] == 3 and done.told()["total"] == 12
    assert failed.line() == "expected more, came less"
    assert done.log.parent == tmp_path / "runs" / ".studio" and "@progress" in done.log.read_text()
    jobs.forget(failed.id)
    assert [job.id for job in jobs.all()] == [done.id] and failed.log.exists()


def test_a_crash_tells_its_last_line(jobs: Jobs) -> None:
    job = start(jobs, ["-n1", "-r1", "raise KeyError('gone')"])
    assert wait_for(job, "failed") == "failed" and "KeyError" in job.line()


def test_stopping_asks_first(jobs: Jobs) -> None:
    job = begun(start(jobs, SLEEPS))
    assert jobs.stop(job.id).state in ("stopping", "stopped", "failed")
    assert wait_for(job, "stopped", "failed") != "running"
    # Whoever does not hear the first one is ended by the second. (Where a script has put us behind
    # itself, interrupts are ignored, and the first one is a SIGTERM already.)
    once = "lambda *_: (signal.signal(15, signal.SIG_DFL), print('heard', flush=True))"
    first = "2, signal.SIG_IGN" if _HEARD else f"15, {once}"
    sleeps = "[time.sleep(0.1) for _ in range(600)]"
    deaf = start(jobs, ["-n1", "-r1", f"import signal, time; signal.signal({first}); "
                        f"print('deaf', flush=True); {sleeps}"])  # fmt: skip
    while "deaf" not in deaf.said():
        time.sleep(0.02)
    jobs.stop(deaf.id)
    assert deaf.state == "stopping"
    while not _HEARD and "heard" not in deaf.said():  # two at once would be one
        time.sleep(0.02)
    jobs.stop(deaf.id)
    assert wait_for(deaf, "stopped") == "stopped"


def test_not_too_much_at_a_time(jobs: Jobs, tmp_path: Path) -> None:
    start(jobs, SLEEPS, "train", tmp_path / "a")
    with pytest.raises(LowerboundError, match="something is being done with a"):
        start(jobs, SAYS, "evaluate", tmp_path / "a")
    start(jobs, SLEEPS, "resume", tmp_path / "b")
    with pytest.raises(LowerboundError, match="2 trainings go on already"):
        start(jobs, SLEEPS, "train", tmp_path / "c")
    measured = start(jobs, SAYS, "evaluate", tmp_path / "c")
    assert wait_for(measured, "done") == "done"
    with pytest.raises(LowerboundError, match="stop it first"):
        jobs.forget(jobs.all()[-1].id)
    with pytest.raises(LowerboundError, match="no such work"):
        jobs.get("../../etc/passwd")


def test_they_end_with_the_studio(tmp_path: Path) -> None:
    jobs = Jobs(lambda: tmp_path)
    going = [begun(start(jobs, SLEEPS, kind)) for kind in ("train", "evaluate")]
    folder = going[0].folder
    asked = time.monotonic()
    jobs.close()
    assert time.monotonic() - asked < 2 * module._PATIENCE + 1
    assert all(wait_for(job, "stopped", "failed") for job in going) and not folder.exists()
    assert all(not job.running for job in going)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    jobs = Jobs(lambda: tmp_path / "file")
    with pytest.raises(LowerboundError, match="cannot start it"):
        start(jobs, SAYS)
    jobs.close()


def test_a_training_from_form_to_end(
    serving: Callable[..., Any], tmp_path: Path, page: Any
) -> None:
    """Started in the browser, live curves and samples, stopped, gone on with, to its end."""
    home = tmp_path / "runs"
    home.mkdir()
    studio = serving([home])
    page.goto(f"{studio.address}#/new")
    page.locator("select").filter(has_text="digits").select_option("digits")
    page.get_by_label("epochs --epochs").fill("4000")
    page.get_by_label("latent dim").fill("2")
    page.get_by_label("hidden --hidden").first.fill("16")
    page.get_by_text("More of training").click()
    page.get_by_label("evaluate --evaluate").select_option("no")
    page.get_by_label("compile --compile").select_option("no")
    page.get_by_label("checkpoint minutes").fill("0.01")
    page.get_by_label("tensorboard --tensorboard").select_option("no")
    page.get_by_label("Name of the run").fill("mine")
    page.locator("pre.command", has_text="/runs/mine").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/#/run/mine", timeout=90_000)
    page.locator(".badge.training").wait_for()
    page.locator(".curves canvas").first.wait_for(timeout=60_000)
    shown = page.locator("progress")
    before = float(shown.get_attribute("value"))
    while float(shown.get_attribute("value")) <= before:  # live
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Enlarge: samples at step").first.wait_for(timeout=60_000)
    # The list tells of it, too, and shows its samples.
    page.get_by_role("link", name="Runs", exact=True).click()
    card = page.locator(".run-card")
    card.locator(".badge.training").wait_for()
    card.locator("img").wait_for()
    page.get_by_role("link", name="mine").click()
    page.get_by_role("button", name="Stop training").click()
    page.locator(".badge.stopped").wait_for(timeout=60_000)
    info = json.loads((home / "mine" / "run.json").read_text())
    assert info["status"]["reason"] == "interrupted" and info["status"]["step"] > 0
    # Shortened by hand, so that going on comes to its end here.
    info["training"]["epochs"] = (info["status"]["step"] + 40) / 11.234375
    (home / "mine" / "run.json").write_text(json.dumps(info))
    page.get_by_role("button", name="Go on training").click()
    page.locator(".badge.training, .badge.measuring").first.wait_for(timeout=60_000)
    end = time.monotonic() + 90
    while lb.open_run(home / "mine").info["status"]["reason"] != "done":
        assert time.monotonic() < end
        time.sleep(0.3)
    assert lb.open_run(home / "mine").info["given"] == {
        "epochs": 4000.0, "latent_dim": 2, "hidden": [16], "compile": "no", "tensorboard": "no",
        "checkpoint_minutes": 0.01,
    }  # fmt: skip
    for job in studio.app.state.studio.parts["jobs"].all():  # what measures it now
        job.process.kill()
        job.process.wait()


def test_a_training_that_fails_says_why(
    serving: Callable[..., Any], tmp_path: Path, page: Any
) -> None:
    """A likelihood that the data do not fit: the line shows where it was started, form and all."""
    home = tmp_path / "runs"
    home.mkdir()
    page.goto(f"{serving([home]).address}#/new")
    page.locator("select").filter(has_text="wine").select_option("wine")
    page.get_by_text("178 rows in wine").wait_for()
    page.get_by_text("How the data are read").click()
    page.get_by_label("validation fraction").fill("0.001")
    page.get_by_text("More of training").click()
    page.get_by_label("patience --patience").fill("3")
    page.get_by_label("validation fraction").fill("")
    page.locator("pre.command", has_text="--patience 3").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("training wine-vae: it failed").wait_for(timeout=90_000)
    assert "--validation-fraction 0.1" in page.locator(".start .job").inner_text()
    assert page.get_by_label("patience --patience").input_value() == "3"
    assert not (home / "wine-vae").exists()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_text("training wine-vae: it failed").wait_for()
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_text("training wine-vae: it failed").wait_for(state="detached")
