"""The lab in a browser: it starts, moves, holds, draws every model, and ends with its page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def opened(page: Any, studio: Any, query: str = "") -> Any:
    page.set_default_timeout(60_000)
    page.goto(f"{studio.address}#/lab{query}")
    page.locator("#lab-play:enabled").wait_for()
    return page


def steps(page: Any) -> int:
    text = page.locator("#lab-step").inner_text()
    return int("".join(letter for letter in text if letter.isdigit()))


def reaches(page: Any, step: int, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and steps(page) < step:
        page.wait_for_timeout(50)
    return steps(page) >= step


def inked(page: Any, canvas: str) -> int:
    """How many colours there are on a canvas."""
    return page.evaluate(
        """(id) => {
          const canvas = document.getElementById(id);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        canvas,
    )


def test_it_starts_numbers_move_and_pause_stops_them(page: Any, studio: Any) -> None:
    opened(page, studio)
    assert steps(page) == 0
    page.locator("#lab-play").press("Enter")
    assert reaches(page, 30)
    page.get_by_role("img", name="ELBO").wait_for()
    page.locator("#lab-play").press("Enter")
    page.get_by_role("button", name="Play").wait_for()
    held = -1
    while held != steps(page):  # a picture may be on its way
        held = steps(page)
        page.wait_for_timeout(1500)
    page.wait_for_timeout(700)
    assert steps(page) == held
    page.get_by_role("button", name="One step").click()
    assert reaches(page, held + 1) and steps(page) == held + 1
    page.get_by_role("button", name="Reset").click()
    page.get_by_text("step 0", exact=True).wait_for()
    page.get_by_text("As code").click()
    page.get_by_text("beta-vae").wait_for()


@pytest.mark.parametrize("model", ["vae", "flow", "gan", "aae", "gmm", "iwae", "ae"])
def test_each_model_is_drawn(page: Any, studio: Any, model: str) -> None:
    opened(page, studio, f"?model={model}&density=eight")
    page.locator("#lab-play").click()
    assert reaches(page, 3 if model == "gmm" else 20)
    assert inked(page, "lab-data") > 50
    assert inked(page, "lab-codes") > 20
    for box in page.locator(".switches input").all():
        box.uncheck()
    page.get_by_label("Surface").select_option("none")
    page.locator("#lab-play").click()
    page.wait_for_timeout(300)
    assert inked(page, "lab-data") <= 2  # all layers are off


def test_a_page_that_goes_away_ends_its_session(page: Any, studio: Any) -> None:
    opened(page, studio, "?model=gmm")
    lab = studio.app.state.studio.parts["lab"]
    assert len(lab) >= 1
    before = len(lab)
    page.get_by_role("link", name="Runs").click()
    end = time.monotonic() + 20
    while len(lab) >= before and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert len(lab) == before - 1


def test_a_density_drawn_with_the_keyboard_and_the_mouse(
    page: Any, studio: Any, tmp_path: Path
) -> None:
    opened(page, studio, "?model=gmm")
    page.get_by_role("button", name="Draw one").click()
    pad = page.get_by_role("application")
    pad.focus()
    for key in ["ArrowUp"] * 10 + [" "] + ["ArrowRight"] * 15 + [" "]:
        page.keyboard.press(key)
    box = pad.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle - 0.4 * box["width"], box["y"] + 0.8 * box["width"])
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 0.8 * box["width"], steps=5)
    page.mouse.up()
    page.get_by_role("application", name="2 lines").wait_for()
    page.get_by_role("button", name="Train on it").click()
    assert reaches(page, 2)
    with page.expect_download() as found:
        page.get_by_role("link", name="Points .npy").click()
    found.value.save_as(tmp_path / "drawn.npy")
    x = np.load(tmp_path / "drawn.npy")
    by_keys = (np.abs(x[:, 1] - 1.0) < 0.5) & (x[:, 0] > -0.5) & (x[:, 0] < 2.0)
    by_mouse = (np.abs(x[:, 1] + 1.8) < 0.5) & (x[:, 0] > -2.9) & (x[:, 0] < 0.5)
    assert (by_keys | by_mouse).all() and by_keys.mean() > 0.2 and by_mouse.mean() > 0.2


def test_an_experiment_in_korean_on_a_small_screen(page: Any, studio: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, studio)
    page.get_by_label("Language").select_option("ko")
    page.get_by_role("button", name="타원 24개로 만든 고리").click()
    page.get_by_text("혼합 모형은 고리를 모르고").wait_for()
    assert reaches(page, 2)
    assert page.locator("aside select").first.input_value() == "gmm"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_a_choice_that_cannot_be_is_told(page: Any, studio: Any) -> None:
    opened(page, studio, "?model=gmm")
    page.wrong.clear()
    page.get_by_role("slider", name="Components").press("End")
    page.get_by_role("slider", name="Points").press("Home")
    page.get_by_role("alert").get_by_text("components").wait_for()
    page.wrong[:] = [said for said in page.wrong if "400" not in said]
