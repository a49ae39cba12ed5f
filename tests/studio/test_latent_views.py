"""The views of a latent space, in a browser."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import lowerbound as lb
from lowerbound import exploring
from lowerbound.exploring.writing import unit

VIEWS = ("map", "sliders", "morph", "attributes", "plane", "samples", "similar")


def go(page: Any, studio: Any, run: str, view: str) -> None:
    page.goto(f"{studio.address}#/run/{run}/{view}")
    page.locator(f".tabs a[aria-current][href$='/{view}']").wait_for()


def source(page: Any, label: str) -> str:
    """The address of a picture."""
    return page.get_by_role("img", name=label, exact=True).first.get_attribute("src") or ""


def changed(page: Any, label: str, before: str) -> str:
    """The address once it is another one."""
    picture = page.get_by_role("img", name=label, exact=True).first
    for _ in range(300):
        now = picture.get_attribute("src") or ""
        if now != before:
            return now
        page.wait_for_timeout(20)
    raise AssertionError(f"{label} has not changed")


def saved(page: Any, name: str) -> bytes:
    with page.expect_download() as found:
        page.get_by_role("button", name=name, exact=True).first.click()
    return Path(found.value.path()).read_bytes()


def test_the_map_is_drawn_decodes_and_shows_what_it_points_at(
    latent_studio: Any, page: Any
) -> None:
    go(page, latent_studio, "plain", "map")
    canvas = page.locator(".scatter canvas[data-drawn='359']")
    canvas.wait_for()
    assert canvas.get_attribute("data-way") == "webgl"
    box = page.locator(".scatter").bounding_box()
    shot = Image.open(io.BytesIO(page.locator(".scatter").screenshot())).convert("RGB")
    inks = {colour for count, colour in shot.getcolors(1 << 20) if count > 40}  # type: ignore
    assert len(inks) >= 8  # points of ten classes
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*middle)
    before = source(page, "Here")
    page.mouse.click(middle[0] + 150, middle[1])
    after = changed(page, "Here", before)
    page.get_by_role("application").focus()
    page.keyboard.press("Shift+ArrowLeft")
    changed(page, "Here", after)
    # Over a point: search for one, in rows.
    for k in range(400):
        page.mouse.move(box["x"] + 60 + 41 * k % (box["width"] - 120), middle[1] + (k % 37) - 18)
        if page.locator(".tip").count():
            break
    page.locator(".tip img").wait_for()
    assert "held-out" in page.locator(".tip").inner_text()
    page.locator("main").get_by_label("Colour").select_option("error")
    page.locator(".legend .gradient").wait_for()


def test_a_path_over_the_map_is_a_film(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "plain", "map")
    page.locator(".scatter canvas[data-drawn]").wait_for()
    page.get_by_role("button", name="Draw a path").click()
    box = page.locator(".scatter").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=5)
    page.mouse.up()
    frames = page.locator(".strip img")
    frames.nth(24).wait_for()
    assert frames.count() == 25
    page.get_by_label("Place on the way").fill("24")
    assert source(page, "step 25 of 25") == frames.nth(24).get_attribute("src")
    film = Image.open(io.BytesIO(saved(page, "Download .gif")))
    # There and back again; frames that are alike are one that stands longer.
    assert sum(each.info["duration"] for each in ImageSequence.Iterator(film)) == 48 * 80
    # The same by keys: a place, another one.
    page.get_by_role("button", name="Clear the path").click()
    page.get_by_role("application").focus()
    for key in ("ArrowUp", "Enter", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    frames.nth(24).wait_for()


def test_the_map_without_webgl(latent_studio: Any, page: Any) -> None:
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); };"
    )
    go(page, latent_studio, "table", "map")
    canvas = page.locator(".scatter canvas[data-drawn]")
    canvas.wait_for()
    assert canvas.get_attribute("data-way") == "2d"
    page.locator(".scatter").click()
    page.locator("aside th", has_text="height").wait_for()


def test_sliders_move_the_picture_and_the_code_is_its_code(
    latent_studio: Any, latent_runs: Path, page: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    go(page, latent_studio, "plain", "sliders")
    page.get_by_role("img", name="Decoded", exact=True).wait_for()
    first = source(page, "Decoded")
    page.locator(".sliders input").first.focus()
    page.keyboard.press("Home")
    moved = changed(page, "Decoded", first)
    page.get_by_role("button", name="Reset").click()
    assert changed(page, "Decoded", moved) == first
    page.get_by_role("button", name="Random code").click()
    drawn = changed(page, "Decoded", first)
    page.get_by_text("As code").click()
    code = page.locator(".as-code pre").inner_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)  # what a reader pastes
    assert (tmp_path / "decoded.png").is_file()
    values = np.load(io.BytesIO(saved(page, "Download .npy")))
    np.testing.assert_array_equal(values.reshape(1, 1, 8, 8), names["values"])
    content = base64.b64decode(drawn.partition("base64,")[2])
    grey = np.asarray(Image.open(io.BytesIO(content)))
    run = lb.open_run(latent_runs / "plain")
    assert np.array_equal(grey, np.rint(255 * unit(run.spec, names["values"]))[0, 0])


def test_morph_between_an_upload_and_an_example(
    latent_studio: Any, page: Any, tmp_path: Path
) -> None:
    Image.fromarray(np.eye(20, dtype=np.uint8) * 255).save(tmp_path / "own.png")
    go(page, latent_studio, "plain", "morph")
    page.locator(".strip img").nth(8).wait_for()
    first = page.locator(".strip img").first.get_attribute("src")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "own.png")
    page.locator(".strip", has_text="own.png").wait_for()
    assert page.locator(".strip img").first.get_attribute("src") != first
    page.get_by_role("button", name="Add an example").click()
    page.locator(".strip img").nth(16).wait_for()
    page.get_by_label("Path").select_option("spherical")
    page.get_by_role("button", name="Remove example 3").click()
    page.get_by_text("held-out 2").first.wait_for(state="detached")
    assert saved(page, "Download .gif").startswith(b"GIF")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Stop").click()
    # A file that is no picture is refused in one line, and the page goes on.
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "bad.png")
    page.get_by_role("alert").filter(has_text="does not open").first.wait_for()
    page.wait_for_timeout(500)
    page.wrong[:] = [each for each in page.wrong if "400" not in each]


def test_attributes_change_a_picture_at_its_own_size(
    latent_studio: Any, latent_runs: Path, page: Any, tmp_path: Path
) -> None:
    Image.fromarray(np.tile(np.arange(0, 240, 8, dtype=np.uint8), (30, 1))).save(
        tmp_path / "own.png"
    )
    go(page, latent_studio, "plain", "attributes")
    page.get_by_role("img", name="edited", exact=True).wait_for()
    page.locator("input[type=file]").set_input_files(tmp_path / "own.png")
    page.locator("legend", has_text="own.png").wait_for()
    page.locator("details summary").first.click()
    before = source(page, "edited")
    page.get_by_label("0", exact=True).focus()
    page.keyboard.press("End")
    changed(page, "edited", before)
    whole = page.get_by_role("img", name="at its own size", exact=True)
    whole.wait_for()
    page.wait_for_timeout(400)
    kept = Image.open(io.BytesIO(saved(page, "Download .png")))
    assert kept.size == (30, 30)
    run = lb.open_run(latent_runs / "plain")
    strength = 1.5 * float(exploring.attributes(run).natural[0])
    expected = exploring.edit(run, str(tmp_path / "own.png"), add=[f"0:{strength}"]).image
    assert np.array_equal(np.asarray(kept), np.asarray(expected))
    page.get_by_role("button", name="Reset").click()
    whole.wait_for(state="detached")
    # A draw was cut out of no picture: its file is the decoded code, and the code says so.
    page.get_by_role("button", name="Draw from the prior").click()
    page.locator("legend", has_text="draw").wait_for()
    page.get_by_label("0", exact=True).focus()
    page.keyboard.press("End")
    page.locator(".as-code pre", has_text="decode_codes").wait_for(state="attached")
    assert Image.open(io.BytesIO(saved(page, "Download .png"))).width > 8


def test_sentences_are_drawn(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "words", "samples")
    without = source(page, "sample 1")
    page.get_by_label("Text").fill("a smiling woman with glasses")
    page.get_by_role("button", name="Draw", exact=True).click()
    first = changed(page, "sample 1", without)
    page.get_by_label("Text").fill("빨간 zebra")
    page.get_by_label("Text").press("Enter")
    changed(page, "sample 1", first)
    page.get_by_text("trained on no caption with 빨간, zebra").wait_for()
    assert ".sample(" in page.locator(".as-code pre").text_content()


def test_series_are_drawn_as_curves(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "series", "samples")
    curves = page.locator(".samples svg path")
    curves.first.wait_for()
    assert curves.first.get_attribute("d").count("L") == 23


def test_a_series_goes_on(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "series", "forecast")
    page.get_by_role("img", name="Forecast of x0 from step 12, 12 steps ahead").wait_for()
    page.get_by_role("slider", name="Steps ahead").fill("30")
    page.get_by_role("img", name="Forecast of x0 from step 12, 30 steps ahead").wait_for()
    page.get_by_label("Next example").click()
    page.locator(".as-code pre", has_text="run, 1, at=12, horizon=30").wait_for(state="attached")
    draws = np.load(io.BytesIO(saved(page, "Download .npy")))
    assert draws.shape == (100, 1, 30, 1)
    picture = Image.open(io.BytesIO(saved(page, "Download .png")))
    assert picture.width > 400


def test_conditions_are_given(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "given", "samples")
    page.get_by_role("img", name="sample 16").wait_for()
    before = source(page, "sample 1")
    page.get_by_label("as in the data").uncheck()
    page.get_by_label("label").select_option("3")
    changed(page, "sample 1", before)
    page.get_by_text("As code").click()
    assert 'given={"label": "3"}' in page.locator(".as-code pre").inner_text()
    go(page, latent_studio, "given", "sliders")
    page.get_by_role("img", name="Decoded", exact=True).wait_for()
    shown = source(page, "Decoded")
    page.locator(".given select").select_option("4")
    changed(page, "Decoded", shown)


def test_others_like_this(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "plain", "similar")
    page.get_by_role("img", name="variation 12").wait_for()
    cards = page.locator(".card", has_text="Nearest held-out")
    near = cards.get_by_role("button", name="Choose held-out").first
    near.wait_for()
    number = near.inner_text()
    near.click()
    page.locator("legend", has_text=f"held-out {number}").wait_for()


@pytest.mark.parametrize("run", ["plain", "given", "table", "sound", "clips", "gan", "indices"])
def test_every_view_of_every_kind(latent_studio: Any, page: Any, run: str) -> None:
    """Each opens, shows its data, fits the screen, and says nothing on the console."""
    page.goto(f"{latent_studio.address}#/run/{run}")
    page.locator(".tabs a", has_text="Samples").wait_for()
    ids = [link.get_attribute("href").rpartition("/")[2] for link in page.locator(".tabs a").all()]
    assert set(ids) & set(VIEWS)
    for view in (each for each in VIEWS if each in ids):
        go(page, latent_studio, run, view)
        page.locator(SHOWN[view]).first.wait_for()
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            # What is drawn by its place on the page follows a frame or two later.
            page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
            if "LOWERBOUND_SHOTS" in os.environ:
                page.locator(".busy").first.wait_for(state="detached")
                page.wait_for_timeout(300)
                folder = Path(os.environ["LOWERBOUND_SHOTS"])
                page.screenshot(path=folder / f"{run}-{view}-{width}.png", full_page=True)
        assert not page.get_by_role("alert").count()


SHOWN = {
    "map": ".scatter canvas[data-drawn]",
    "sliders": ".looked .datum, .looked table, .looked audio",
    "morph": ".film-stage .datum, .film-stage table, .film-stage audio",
    "attributes": ".compared .datum",
    "plane": ".cells .datum",
    "samples": ".samples .datum, .samples table, .samples audio",
    "similar": ".samples .datum, .samples table, .samples audio",
}


def test_sound_plays_and_clips_move(latent_studio: Any, page: Any) -> None:
    go(page, latent_studio, "sound", "samples")
    sound = page.locator("audio").first
    sound.wait_for()
    assert sound.evaluate(
        "async (a) => { a.muted = true; await a.play(); return a.duration; }"
    ) == pytest.approx(0.064)
    go(page, latent_studio, "clips", "samples")
    film = page.locator(".samples img").first
    film.wait_for()
    assert (film.get_attribute("src") or "").startswith("data:image/gif")


def test_in_korean_and_dark(latent_studio: Any, page: Any) -> None:
    page.goto(latent_studio.address)
    page.get_by_label("Language").select_option("ko")
    page.locator(".bar select").nth(1).select_option("dark")
    for view, word in (("map", "지도"), ("sliders", "슬라이더"), ("attributes", "속성")):
        go(page, latent_studio, "plain", view)
        assert page.locator(".tabs a[aria-current]").inner_text() == word
