"""The page to give away, opened from a disk in a browser without a network."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lowerbound as lb
from lowerbound import exploring
from lowerbound.latent import spherical
from lowerbound.listening import waves_of

HOSTILE = "</script><script>alert(1)</script>"
QUICK: dict[str, Any] = {"threads": 1, "compile": "no", "tensorboard": "no", "progress": False}


@pytest.fixture(scope="session")
def digits_page(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of `digits`, with a title that would like to be code."""
    out = tmp_path_factory.mktemp("pages") / "digits.html"
    lb.export(runs / "digits", out, title=HOSTILE)
    return out


@pytest.fixture
def opened(page: Any) -> Callable[[Path], Any]:
    """Open a file with the network off."""

    def open_page(path: Path) -> Any:
        page.context.set_offline(True)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.get_by_role("navigation").wait_for()
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
        page.asked = asked
        return page

    return open_page


def decoded(page: Any, codes: np.ndarray, given: Any = None) -> list[dict[str, Any]]:
    """What the page makes of codes."""
    script = "([codes, given]) => lowerbound.latent.decode(codes, given)"
    return page.evaluate(script, [codes.tolist(), given])


def pixels(src: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_every_view_works_without_a_network(opened: Any, digits_page: Path) -> None:
    page = opened(digits_page)
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert page.title() == HOSTILE
    tabs = page.get_by_role("navigation").get_by_role("link")
    assert tabs.all_inner_texts() == ["Map", "Sliders", "Plane", "Morph", "Attributes"]

    canvas = page.locator("main canvas").first
    canvas.wait_for()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("main img.datum").first.wait_for()

    page.get_by_role("link", name="Sliders").click()
    picture = page.get_by_role("img", name="Decoded")
    picture.wait_for()
    before = picture.get_attribute("src")
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('main img[alt=Decoded]').src !== before", arg=before
    )

    page.get_by_role("link", name="Morph").click()
    page.get_by_label("Path").select_option("spherical")
    page.locator("main img.datum").nth(8).wait_for()

    page.get_by_role("link", name="Attributes").click()
    page.get_by_role("img", name="edited").wait_for()

    page.get_by_role("link", name="Plane").click()
    page.locator("main img.datum").nth(8).wait_for()

    page.get_by_label("Language").select_option("ko")
    page.get_by_role("link", name="지도").wait_for()
    page.get_by_label("색").first.select_option("dark")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert all(url.startswith(("data:", "blob:", "file:")) for url in page.asked)


def test_pixels_are_those_of_python(opened: Any, digits_page: Path, runs: Path) -> None:
    page = opened(digits_page)
    run = lb.open_run(runs / "digits")
    codes = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    expected = exploring.decode_codes(run, codes).clip(0, 16)
    values = page.evaluate(
        "async codes => (await lowerbound.latent.values(codes, codes.map(() => null)))"
        ".map(each => Array.from(each))",
        codes.tolist(),
    )
    assert np.abs(np.array(values).reshape(expected.shape) - expected).max() < 16 * 2e-6
    for datum, value in zip(decoded(page, codes), expected, strict=True):
        seen = pixels(datum["src"])
        assert (datum["width"], datum["height"]) == (8, 8) == seen.shape[:2]
        assert np.abs(seen / 255 - (value[0] / 16)[..., None]).max() <= 1 / 255


def test_the_map_the_path_and_the_directions_are_those_of_python(
    opened: Any, digits_page: Path, runs: Path
) -> None:
    page = opened(digits_page)
    run = lb.open_run(runs / "digits")
    expected = exploring.map_codes(run)
    options = {"colour": "label", "method": "auto", "limit": 2000}
    found = page.evaluate(
        "async options => { const { value: map } = await lowerbound.latent.map(options).next();"
        "return { ...map, points: Array.from(map.points), values: Array.from(map.values) } }",
        options,
    )
    assert found["method"] == "raw" and found["classes"] == [str(k) for k in range(10)]
    points = np.array(found["points"]).reshape(-1, 2)
    assert np.abs(points - expected.map.points).max() < 1e-5
    assert expected.values is not None
    assert np.array_equal(found["values"], expected.values)
    # The code of a place is the code that lies there; a held-out picture is that of the data.
    codes = page.evaluate("places => lowerbound.latent.codesAt(places)", points[:3].tolist())
    assert np.abs(np.array(codes) - exploring.codes_of(run, [0, 1, 2])).max() < 1e-5
    datum = page.evaluate("() => lowerbound.latent.datum(2)")
    original = run.data().test.stored(np.array([2])).numpy()[0, 0]
    assert np.array_equal(pixels(datum["src"])[..., 0], np.rint(original.astype(float) * 255 / 16))
    path = page.evaluate(
        "() => lowerbound.latent.path([0, 2].map(number => ({ kind: 'held-out', number })),"
        "'spherical', 5, null)"
    )
    ends = exploring.codes_of(run, [0, 2])
    assert np.abs(np.array(path["codes"]) - spherical(*ends, 5)).max() < 1e-5
    assert len(path["data"]) == 5
    directions = page.evaluate("() => lowerbound.latent.directions()")
    known = exploring.attributes(run)
    assert directions["names"] == list(known.names)
    assert np.abs(np.array(directions["vectors"]) - known.vectors).max() < 1e-5


def test_a_readers_own_picture_is_encoded_in_the_browser(
    opened: Any, digits_page: Path, runs: Path, tmp_path: Path
) -> None:
    page = opened(digits_page)
    run = lb.open_run(runs / "digits")
    shade = np.random.default_rng(1).integers(0, 17, (8, 8))
    file = tmp_path / "mine.png"
    Image.fromarray(np.rint(shade * 255 / 16).astype(np.uint8)).save(file)
    page.get_by_role("link", name="Sliders").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("mine.png").wait_for()
    ref = "({ kind: 'upload', id: '0', name: 'mine.png' })"
    found = page.evaluate(f"() => lowerbound.latent.encode({ref}, null)")
    expected = exploring.codes_of(run, [file])[0]
    # Python draws where in its cell a level lies; the page takes the middle.
    spread = np.abs(exploring.codes_of(run, range(50))).max()
    assert np.abs(np.array(found["code"]) - expected).max() < 0.05 * spread
    assert np.abs(pixels(found["original"]["src"])[..., 0] - shade * 255 / 16).max() <= 0.5
    (tmp_path / "no.png").write_bytes(b"no picture")
    page.locator("input[type=file]").set_input_files(tmp_path / "no.png")
    assert "does not open as a picture" in page.get_by_role("alert").inner_text()


def test_held_out_examples_have_the_numbers_of_the_data(
    opened: Any, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowerbound.shipping.page._LIMIT", 20)
    run = lb.open_run(runs / "digits")
    lb.export(run, tmp_path / "some.html")
    page = opened(tmp_path / "some.html")
    numbers = sorted(exploring.map_codes(run, limit=20).positions.tolist())
    assert numbers != list(range(20))
    assert page.evaluate("() => lowerbound.latent.about.numbers") == numbers
    found = page.evaluate(
        "async number => { const ref = { kind: 'held-out', number };"
        "const { value: map } = await lowerbound.latent.map("
        "{ colour: null, method: 'auto', limit: 20 }).next();"
        "return { positions: Array.from(map.positions),"
        "...await lowerbound.latent.encode(ref, null),"
        "datum: await lowerbound.latent.datum(number) } }",
        numbers[5],
    )
    assert found["positions"] == exploring.map_codes(run, limit=20).positions.tolist()
    assert found["name"] == f"held-out {numbers[5]}"
    assert np.abs(np.array(found["code"]) - exploring.codes_of(run, numbers[5:6])[0]).max() < 1e-5
    original = run.data().test.stored(np.array(numbers[5:6])).numpy()[0, 0]
    shades = np.rint(original.astype(float) * 255 / 16)
    assert np.array_equal(pixels(found["datum"]["src"])[..., 0], shades)
    # What is chosen by its number is in the page: the next one there.
    page.get_by_role("link", name="Sliders").click()
    number = page.get_by_role("spinbutton").first
    assert number.input_value() == str(numbers[0])
    number.fill(str(numbers[3] + 1))
    number.press("Enter")
    page.get_by_text(f"held-out {numbers[4]}").first.wait_for()
    page.get_by_role("button", name="Next example").first.click()
    page.get_by_text(f"held-out {numbers[5]}").first.wait_for()


@pytest.mark.parametrize("kind", ["0 to 1", "16 bits"])
def test_a_readers_picture_is_in_the_units_of_the_data(
    opened: Any, kind: str, tmp_path: Path
) -> None:
    shades = 0.8 * np.random.default_rng(0).random((60, 6, 6))  # none of them is white
    deep = kind == "16 bits"
    values = np.rint(60000 * shades).astype(np.uint16) if deep else shades.astype(np.float32)
    run = lb.train({"train": values[:40], "test": values[40:]}, "vae", out=tmp_path / "run",
                   latent_dim=2, hidden=(8,), steps=5, likelihood="gaussian", **QUICK)  # fmt: skip
    file = tmp_path / "mine.png"
    kept = values[42] if deep else np.rint(255 * values[42]).astype(np.uint8)
    Image.fromarray(kept).save(file)
    lb.export(run, tmp_path / "page.html")
    page = opened(tmp_path / "page.html")
    page.get_by_role("link", name="Sliders").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("mine.png").wait_for()
    found = page.evaluate(
        "async () => [{ kind: 'upload', id: '0', name: '' }, { kind: 'held-out', number: 2 }]"
        ".reduce(async (all, ref) => [...await all, await lowerbound.latent.encode(ref, null)], [])"
    )
    codes = [np.array(each["code"]) for each in found]
    spread = exploring.codes_of(run, range(20)).std(0).max()
    assert np.abs(codes[0] - exploring.codes_of(run, [file])[0]).max() < 0.05 * spread
    assert np.abs(codes[0] - codes[1]).max() < 0.05 * spread
    seen = [pixels(each["original"]["src"])[..., 0] for each in found]
    assert np.abs(seen[0] - seen[1]).max() <= 1
    assert np.abs(seen[0] - 255 * values[42].astype(float) / (65535 if deep else 1)).max() <= 1


def test_a_table_far_from_zero(opened: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2)) * [0.1, 100.0] + [0.0, 1.7e9]
    run = lb.train({"train": rows[:40], "test": rows[40:]}, "vae", out=tmp_path / "run",
                   latent_dim=2, hidden=(8,), steps=5, **QUICK)  # fmt: skip
    lb.export(run, tmp_path / "page.html")
    page = opened(tmp_path / "page.html")
    codes = np.array([[0.5, -1.0], [2.0, 1.0]], np.float32)
    expected = exploring.decode_codes(run, codes)
    for datum, row in zip(decoded(page, codes), expected, strict=True):
        assert (np.abs(np.array(datum["values"]) - row) < [1e-5, 1e-2]).all()
    held = page.evaluate("() => lowerbound.latent.encode({ kind: 'held-out', number: 3 }, null)")
    assert np.abs(np.array(held["original"]["values"]) - rows[43]).max() < 1e-6
    (tmp_path / "row.csv").write_text(f"0.1,{1.7e9 + 50:.1f}\n")
    page.get_by_role("link", name="Sliders").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "row.csv")
    page.get_by_text("row.csv").wait_for()
    found = page.evaluate(
        "() => lowerbound.latent.encode({ kind: 'upload', id: '0', name: '' }, null)"
    )
    expected = exploring.codes_of(run, [np.array([0.1, 1.7e9 + 50])])[0]
    assert np.abs(np.array(found["code"]) - expected).max() < 1e-5


def test_a_table_with_labels(opened: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    rows = labels[:, None] * [1.0, -2.0, 3.0] + 0.3 * random.normal(size=(120, 3))
    lines = [f'"{HOSTILE}",weight,height,label']
    lines += [
        f"{a},{b},{c},{'<b>' if label else 'no'}"
        for (a, b, c), label in zip(rows, labels, strict=True)
    ]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines))
    run = lb.train(table, "cvae", out=tmp_path / "<i>run", latent_dim=2, hidden=(8,),
                   steps=20, **QUICK)  # fmt: skip
    out = tmp_path / "table.html"
    told = lb.export(run, out)
    assert told.bytes == out.stat().st_size < 3.6e6
    text = out.read_bytes()
    assert b"<i>run" not in text and HOSTILE.encode() not in text
    page = opened(out)
    assert page.get_by_role("heading", level=1).inner_text() == "<i>run"
    codes = np.array([[0.5, -1.0]], np.float32)
    for name in ("<b>", "no"):
        (datum,) = decoded(page, codes, {"label": name})
        expected = exploring.decode_codes(run, codes, given={"label": name})[0]
        assert datum["names"] == [HOSTILE, "weight", "height"]
        assert np.abs(np.array(datum["values"]) - expected).max() < 1e-5
    (tmp_path / "row.csv").write_text("1.5,2,0\n")
    page.get_by_role("link", name="Sliders").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "row.csv")
    page.get_by_text("row.csv").wait_for()
    found = page.evaluate(
        "() => lowerbound.latent.encode({ kind: 'upload', id: '0', name: '' }, { label: 'no' })"
    )
    expected = exploring.codes_of(run, ["1.5,2,0"], given={"label": "no"})[0]
    assert np.abs(np.array(found["code"]) - expected).max() < 1e-5
    held = page.evaluate("() => lowerbound.latent.encode({ kind: 'held-out', number: 1 }, null)")
    label = run.data().test.labels
    assert label is not None and run.spec.classes
    assert held["given"] == {"label": run.spec.classes[int(label[1])]}


def test_sound(opened: Any, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="sound wants lowerbound[audio]")
    (tmp_path / "clips").mkdir()
    for index in range(30):
        tone = 0.5 * np.sin(2 * np.pi * (100 + 10 * index) * np.arange(256) / 4000)
        soundfile.write(tmp_path / "clips" / f"{index}.wav", tone, 4000)
    run = lb.train(tmp_path / "clips", "vae", out=tmp_path / "run", latent_dim=2, hidden=(8,),
                   network="mlp", window=0.064, sample_rate=4000, steps=5, **QUICK)  # fmt: skip
    lb.export(run, tmp_path / "sound.html")
    page = opened(tmp_path / "sound.html")
    codes = np.array([[0.5, -1.0], [2.0, 1.0]], np.float32)
    expected = waves_of(exploring.decode_codes(run, codes))
    for datum, waves in zip(decoded(page, codes), expected, strict=True):
        assert datum["seconds"] == 256 / 4000
        with wave.open(io.BytesIO(base64.b64decode(datum["src"].partition(",")[2]))) as heard:
            assert heard.getframerate() == 4000 and heard.getsampwidth() == 2
            samples = np.frombuffer(heard.readframes(256), "<i2") / 32767
        assert np.abs(samples - waves).max() < 1e-4
    page.get_by_role("link", name="Sliders").click()
    page.locator("main audio").first.wait_for()
    page.locator("input[type=file]").set_input_files(tmp_path / "clips" / "3.wav")
    page.get_by_text("3.wav").wait_for()
