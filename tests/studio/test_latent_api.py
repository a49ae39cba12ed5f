"""What the latent views are told is what the library itself computes."""

from __future__ import annotations

import base64
import io
import json
import shutil
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import lowerbound as lb
from lowerbound import exploring, latent
from lowerbound.exploring.examples import examples_of
from lowerbound.exploring.writing import unit
from lowerbound.sound import mu_law
from lowerbound.studio.asked import Asked, Studio
from lowerbound.studio.folder import Folder
from lowerbound.studio.views import growing
from lowerbound.studio.views import latent as views
from lowerbound.studio.views import latent_files as files
from lowerbound.studio.views import latent_forecast as forecasts
from lowerbound.studio.views import latent_map as maps
from lowerbound.studio.views.latent_about import MEASURED
from lowerbound.training.checkpoint import load_tensors, save_tensors

Array = NDArray[Any]
VIEWS = {
    "map", "sliders", "plane", "morph", "attributes", "samples", "similar",
}  # fmt: skip


@pytest.fixture(scope="module")
def studio(latent_runs: Path) -> Iterator[Studio]:
    found = Studio(Folder([latent_runs]))
    yield found
    found.close()


def ask(view: Any, studio: Studio, run: str, **values: Any) -> Any:
    """As it would come over the wire: everything is JSON."""
    sent = {name: each for name, each in values.items() if each is not None}
    return view(studio, Asked({"run": run, **json.loads(json.dumps(sent))}))


def whole_map(studio: Studio, run: str, **values: Any) -> Any:
    """The last reply: all points are there, with their colours."""
    reply = ask(maps.map_, studio, run, **values)
    while reply["done"] < reply["of"]:
        reply = ask(maps.map_, studio, run, **values)
    return reply


def held(number: int) -> dict[str, Any]:
    return {"kind": "held-out", "number": number}


def content(address: str) -> bytes:
    return base64.b64decode(address.partition("base64,")[2])


def pixels(datum: dict[str, Any]) -> Array:
    assert datum["kind"] == "image"
    found = np.asarray(Image.open(io.BytesIO(content(datum["src"]))))
    assert found.shape[:2] == (datum["height"], datum["width"])
    return found


def levels(run: lb.Run, values: Array) -> Array:
    """Grey data ``(N, 1, H, W)`` as 8 bits."""
    return np.rint(255 * unit(run.spec, values))[:, 0].astype(np.uint8)


def numbers(text: str, kind: str = "<f4") -> Array:
    return np.frombuffer(base64.b64decode(text), kind)


def test_each_run_has_the_views_that_suit_it(studio: Studio) -> None:
    tools = {
        name: set(ask(views.about_run, studio, name)["tools"])
        for name in (
            "plain", "given", "table", "sound", "clips", "gan", "indices", "words", "series",
        )
    }  # fmt: skip
    assert tools["plain"] == tools["given"] == tools["clips"] == VIEWS
    assert tools["table"] == tools["sound"] == VIEWS - {"attributes", "plane"}
    assert tools["gan"] == {"sliders", "plane", "morph", "samples"}
    assert tools["indices"] == {"morph", "samples", "similar"}
    assert tools["words"] == {"samples"}
    assert tools["series"] == {"samples", "forecast"}


def test_dimensions_are_those_of_a_traversal(studio: Studio, latent_runs: Path) -> None:
    about = ask(views.about_run, studio, "given")
    assert ask(views.about_run, studio, "given")["dimensions"] is about["dimensions"]  # kept
    run = lb.open_run(latent_runs / "given")
    chosen = examples_of(run, MEASURED)
    found = latent.traverse(run.model, chosen.x, *chosen.context, most=3, steps=3, width=1.0)
    assert found.kl is not None
    rows = about["dimensions"]
    assert [row["index"] for row in rows] == list(found.dimensions)
    np.testing.assert_allclose([row["rate"] for row in rows], found.kl)
    np.testing.assert_allclose([row["mean"] for row in rows], found.values[:, 1], atol=1e-12)
    spread = found.values[:, 2] - found.values[:, 1]
    np.testing.assert_allclose([row["deviation"] for row in rows], spread)


def test_what_can_be_given_and_coloured(studio: Studio) -> None:
    about = ask(views.about_run, studio, "given")
    assert about["conditions"] == [
        {"name": "label", "kind": "choice", "choices": [str(k) for k in range(10)]}
    ]
    assert about["colours"] == ["label", "density", "bound", "error"]
    assert ask(views.about_run, studio, "table")["colours"] == ["density", "bound", "error"]
    gan = ask(views.about_run, studio, "gan")
    assert (gan["encodes"], gan["decodes"], gan["samples"]) == (False, True, True)
    assert sorted(row["index"] for row in gan["dimensions"]) == [0, 1, 2, 3]
    for row in gan["dimensions"]:  # of 1,000 draws of N(0, I), within four standard errors
        assert abs(row["mean"]) < 4 / np.sqrt(1000)
        assert abs(row["deviation"] - 1) < 4 / np.sqrt(2000)


def test_decoding_is_the_model(studio: Studio, latent_runs: Path) -> None:
    import torch

    run = lb.open_run(latent_runs / "plain")
    codes = [[0.5, -1.25], [0.0, 2.0]]
    model: Any = run.model
    with torch.no_grad():
        mean = model.decode(torch.tensor(codes)).mean.numpy()
    found = ask(views.decode, studio, "plain", codes=codes)
    expected = np.rint(255 * mean.clip(0, 1))[:, 0].astype(np.uint8)
    assert np.array_equal([pixels(each) for each in found], expected)


def test_encoding_and_conditions(studio: Studio, latent_runs: Path) -> None:
    run = lb.open_run(latent_runs / "given")
    found = ask(views.encode, studio, "given", ref=held(4))
    np.testing.assert_array_equal([found["code"]], exploring.codes_of(run, [4]))
    assert found["given"] == {"label": str(np.asarray(run.data().test.labels)[4])}
    values = exploring.decode_codes(run, [found["code"]], given=found["given"])
    assert np.array_equal(pixels(found["reconstruction"]), levels(run, values)[0])
    stored = run.data().test.stored(np.array([4])).numpy()
    assert np.array_equal(pixels(found["original"]), levels(run, stored)[0])
    other = ask(views.decode, studio, "given", codes=[found["code"]], given={"label": "7"})
    assert not np.array_equal(pixels(other[0]), pixels(found["reconstruction"]))
    drawn = ask(
        views.encode, studio, "given", ref={"kind": "prior", "seed": 3}, given={"label": "1"}
    )
    expected = exploring.codes_of(run, ["prior:3"], given={"label": "1"})
    np.testing.assert_array_equal([drawn["code"]], expected)
    assert drawn["original"] is None


@pytest.mark.parametrize("how", ["linear", "spherical", "geodesic"])
def test_a_path_ends_where_it_should(studio: Studio, how: str) -> None:
    code = [0.25, -0.5]
    ends = [held(2), {"kind": "prior", "seed": 5}, {"kind": "code", "code": code}]
    found = ask(views.path, studio, "plain", ends=ends, how=how, steps=4)
    assert len(found["codes"]) == len(found["data"]) == 7
    for place, end in ((0, ends[0]), (3, ends[1])):
        assert found["codes"][place] == ask(views.encode, studio, "plain", ref=end)["code"]
    assert found["codes"][-1] == code
    again = ask(views.decode, studio, "plain", codes=found["codes"])
    frames = np.array([pixels(each) for each in found["data"]])
    assert np.abs(frames.astype(int) - [pixels(each) for each in again]).max() <= 1
    steps = np.sqrt(np.square(np.diff(frames / 255.0, axis=0)).sum((1, 2)))
    assert found["length"] == pytest.approx(steps.sum(), abs=0.02)
    assert found["jump"] == pytest.approx(steps.max(), abs=0.02)


def test_indices_are_gone_between_by_their_vectors(studio: Studio, latent_runs: Path) -> None:
    run = lb.open_run(latent_runs / "indices")
    found = ask(views.path, studio, "indices", ends=[held(0), held(1)], steps=3)
    expected = exploring.interpolate(run, [0, 1], steps=3)
    np.testing.assert_array_equal(found["codes"], expected.codes)
    with pytest.raises(lb.LowerboundError, match="linear"):
        ask(views.path, studio, "indices", ends=[held(0), held(1)], how="geodesic")


@pytest.mark.parametrize("colour", ["label", "density", "bound", "error"])
def test_a_map_is_that_of_the_library(studio: Studio, latent_runs: Path, colour: str) -> None:
    run = lb.open_run(latent_runs / "plain")
    limit = 60 if colour == "bound" else 200  # each part draws its own z: here there is one
    found = whole_map(studio, "plain", colour=colour, limit=limit)
    expected = exploring.map_codes(run, colour=colour, limit=limit)
    points = numbers(found["points"]).reshape(-1, 2)  # encoded in batches of other sizes
    np.testing.assert_allclose(points, expected.map.points, rtol=1e-5, atol=1e-6)
    assert expected.values is not None
    np.testing.assert_allclose(numbers(found["values"]), expected.values, rtol=1e-5)
    np.testing.assert_array_equal(numbers(found["positions"], "<u4"), expected.positions)
    assert (found["classes"] is not None) == (colour == "label")


@pytest.mark.parametrize("colour", ["label", "density", "error"])
def test_a_map_grows_while_it_is_asked_for(
    studio: Studio, latent_runs: Path, monkeypatch: pytest.MonkeyPatch, colour: str
) -> None:
    monkeypatch.setattr(maps, "_SECONDS", 0.0)  # a part for each reply
    monkeypatch.setattr("lowerbound.studio.views.growing._LEAST", 64)
    limit = {"label": 301, "density": 302, "error": 303}[colour]
    run = lb.open_run(latent_runs / "given")
    expected = exploring.map_codes(run, colour=colour, limit=limit)
    by_position = dict(zip(expected.positions.tolist(), np.asarray(expected.values), strict=True))
    replies = [ask(maps.map_, studio, "given", colour=colour, limit=limit)]
    while replies[-1]["done"] < replies[-1]["of"]:
        replies.append(ask(maps.map_, studio, "given", colour=colour, limit=limit))
    assert replies[0]["done"] == 64
    assert replies[0]["of"] == limit
    assert len(replies) > 2
    chosen = examples_of(run, limit)
    codes = latent.space_of(run.model, "").encode(chosen.x, *chosen.context)
    of = dict(zip(chosen.positions.tolist(), codes, strict=True))
    for reply in replies:
        positions = numbers(reply["positions"], "<u4").tolist()
        places = numbers(reply["points"]).reshape(-1, 2)
        axes, mean = np.array(reply["axes"]), np.array(reply["mean"])
        known = np.stack([of[position] for position in positions])
        np.testing.assert_allclose(places, (known - mean) @ axes.T, atol=1e-5)
        if reply["values"] is None:
            assert (colour, reply is replies[-1]) in (("density", False), ("error", False))
            continue
        values = numbers(reply["values"])
        told = np.isfinite(values)
        wanted = np.array([by_position[position] for position in positions])
        np.testing.assert_allclose(values[told], wanted[told], rtol=1e-4)
        assert told.sum() == reply["done"]
    assert len(numbers(replies[-1]["positions"], "<u4")) == limit
    np.testing.assert_allclose(
        numbers(replies[-1]["points"]).reshape(-1, 2), expected.map.points, atol=1e-5
    )


def test_a_map_is_of_one_model_while_the_run_trains_on(
    latent_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(latent_runs / "plain", tmp_path / "runs" / "plain")
    weights = tmp_path / "runs" / "plain" / "weights.safetensors"
    tensors, about = load_tensors(weights)
    grow = growing.Growing.grow

    def trains_on(self: Any, lock: Any, until: float | None = None) -> None:
        grow(self, lock, until)
        changed = {name: 1.2 * value for name, value in tensors.items()}
        save_tensors(weights, changed, about)

    studio = Studio(Folder([tmp_path / "runs"]))
    monkeypatch.setattr(growing.Growing, "grow", trains_on)
    # As many as the first part: weights that change with each part are never all of one map.
    before = numbers(ask(maps.map_, studio, "plain", limit=60)["points"])
    monkeypatch.setattr(growing.Growing, "grow", grow)
    after = numbers(ask(maps.map_, studio, "plain", limit=60)["points"])
    run = lb.open_run(tmp_path / "runs" / "plain")
    expected = exploring.map_codes(run, limit=60).map.points.astype(np.float32)
    np.testing.assert_array_equal(after.reshape(-1, 2), expected)
    assert np.abs(before - after).max() > 0.01
    studio.close()


def test_a_rare_attribute_colours_the_map_when_it_is_there(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first points may all be alike in it: no reason to stop."""
    monkeypatch.setattr(maps, "_SECONDS", 0.0)
    monkeypatch.setattr("lowerbound.studio.views.growing._LEAST", 4)
    values = maps.colour_values

    def of_all(run: Any, chosen: Any, points: Array, colour: str | None) -> Any:
        if len(points) < 111:
            raise lb.LowerboundError("all alike")
        return values(run, chosen, points, colour)

    monkeypatch.setattr(maps, "colour_values", of_all)
    asked = {"colour": "7", "limit": 111}
    first = ask(maps.map_, studio, "plain", **asked)
    assert first["done"] < first["of"] and first["values"] is None
    last = first
    while last["done"] < last["of"]:
        last = ask(maps.map_, studio, "plain", **asked)
    assert set(numbers(last["values"])) == {0.0, 1.0}
    with pytest.raises(lb.LowerboundError, match="expected a colour"):
        while True:
            ask(maps.map_, studio, "plain", colour="smile", limit=111)


def test_codes_behind_places(studio: Studio, latent_runs: Path) -> None:
    places = [[0.5, -1.0], [1e-3, 2.0]]
    assert ask(maps.codes_at, studio, "plain", places=places, limit=200) == places
    run = lb.open_run(latent_runs / "given")
    chosen = examples_of(run, 200)
    codes = latent.space_of(run.model, "").encode(chosen.x, *chosen.context)
    by = latent.latent_map(codes, "pca")
    found = np.array(ask(maps.codes_at, studio, "given", places=places, limit=200))
    np.testing.assert_allclose((found - by.mean) @ by.axes.T, places, atol=1e-12)
    # A map without axes: at its points their codes, half way between two that are apart the middle.
    bare = latent.LatentMap(np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]]), "umap", None,
                            np.zeros(3), np.zeros((0, 3)))  # fmt: skip
    known = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [50.0, 50.0, 50.0]])
    np.testing.assert_allclose(maps.behind(bare, known, bare.points), known, atol=1e-8)
    (middle,) = maps.behind(bare, known, np.array([[0.5, 0.0]]))
    np.testing.assert_allclose(middle, [2.0, 2.0, 2.0], atol=0.1)


def test_an_edit_is_that_of_the_library(studio: Studio, latent_runs: Path, tmp_path: Path) -> None:
    run = lb.open_run(latent_runs / "plain")
    picture = Image.fromarray(np.linspace(0, 255, 40 * 30).reshape(40, 30).astype(np.uint8))
    picture.save(tmp_path / "own.png")
    upload = studio.uploads.add("own.png", (tmp_path / "own.png").read_bytes())
    ref = {"kind": "upload", "id": upload, "name": "own.png"}
    asked: dict[str, Any] = {"ref": ref, "changes": {"3": 1.5, "0": -2.0}}
    found = ask(views.edit, studio, "plain", **asked)
    expected = exploring.edit(run, str(tmp_path / "own.png"), add=["3:1.5", "0:-2"])
    assert expected.image is not None
    assert expected.image.size == (30, 40)
    assert np.array_equal(pixels(found["image"]), np.asarray(expected.image))
    assert np.array_equal(pixels(found["edited"]), levels(run, expected.values[None])[0])
    saved = files.file(studio, Asked({"run": "plain", "what": "edit", "suffix": ".png", **asked}))
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(saved.body))), np.asarray(expected.image)
    )
    # What the page adds up by itself is the same code.
    told = ask(views.directions, studio, "plain")
    steps = np.zeros(len(told["names"]))
    steps[told["names"].index("3")], steps[told["names"].index("0")] = 1.5, -2.0
    code = ask(views.encode, studio, "plain", ref=ref)["code"] + steps @ np.array(told["vectors"])
    np.testing.assert_allclose(code, expected.found.edited_codes[0], atol=1e-9)


def test_others_like_it(studio: Studio, latent_runs: Path) -> None:
    run = lb.open_run(latent_runs / "plain")
    found = ask(views.vary, studio, "plain", ref=held(3), n=4, spread=2.0, seed=7)
    expected = exploring.vary(run, 3, 4, spread=2.0, seed=7)
    shown = [pixels(each) for each in found["data"]]
    assert np.array_equal(shown, levels(run, expected.decoded[0]))
    near = ask(views.search, studio, "plain", ref=held(3), k=5, by="code")
    known = exploring.search(run, 3, k=5, by="code", limit=views.SEARCHED)
    assert [each["position"] for each in near["items"]] == known.positions.tolist()
    np.testing.assert_allclose([each["score"] for each in near["items"]], known.score)
    odd = ask(views.search, studio, "plain", k=3, by="bound")
    worst = exploring.search(run, k=3, by="bound", limit=views.SEARCHED)
    assert [each["position"] for each in odd["items"]] == worst.positions.tolist()
    assert odd["unit"] == "nats"


def test_samples_are_those_of_the_library(studio: Studio, latent_runs: Path) -> None:
    for name, given in (("plain", None), ("gan", None), ("given", {"label": "5"})):
        run = lb.open_run(latent_runs / name)
        found = ask(views.sample, studio, name, n=4, seed=2, given=given)["data"]
        expected = lb.sample(run, 4, seed=2, given=given)
        assert np.array_equal([pixels(each) for each in found], levels(run, expected))


def test_a_forecast_is_that_of_the_library(studio: Studio, latent_runs: Path) -> None:
    run = lb.open_run(latent_runs / "series")
    asked = {"number": 3, "at": 10, "horizon": 20, "samples": 5, "seed": 4}
    found = ask(forecasts.forecast, studio, "series", **asked)
    expected = lb.forecast(run, 3, at=10, horizon=20, samples=5, seed=4)
    assert found["at"] == 10 and found["horizon"] == 20 and found["level"] == expected.level
    for name in ("past", "truth", "mean", "low", "high"):
        np.testing.assert_allclose(found["series"][name], getattr(expected, name)[0], rtol=1e-6)
    np.testing.assert_allclose(found["series"]["draws"], expected.draws[:, 0], rtol=1e-6)
    assert len(found["series"]["truth"]) == 14  # where the data end
    with pytest.raises(lb.LowerboundError, match="model of sequences"):
        ask(forecasts.forecast, studio, "plain", at=1)


def test_rows_sound_and_clips(studio: Studio, latent_runs: Path) -> None:
    run = lb.open_run(latent_runs / "table")
    (row,) = ask(views.decode, studio, "table", codes=[[0.5, -0.5]])
    assert row["names"] == ["height", "weight", "age", "shoe"]
    np.testing.assert_allclose(row["values"], exploring.decode_codes(run, [[0.5, -0.5]])[0])
    run = lb.open_run(latent_runs / "sound")
    (sound,) = ask(views.decode, studio, "sound", codes=[[0.5, -0.5]])
    with wave.open(io.BytesIO(content(sound["src"]))) as file:
        played = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert file.getframerate() == 8000
    expected = exploring.decode_codes(run, [[0.5, -0.5]])[0]
    assert sound["seconds"] == len(played) / 8000
    assert np.abs(mu_law(played / 32767.0) - expected).max() <= 1
    assert Image.open(io.BytesIO(content(sound["picture"]))).mode == "RGB"
    run = lb.open_run(latent_runs / "clips")
    (film,) = ask(views.decode, studio, "clips", codes=[[0.5, -0.5]])
    assert film["frames"] == run.spec.event_shape[0]
    frame = Image.open(io.BytesIO(content(film["src"])))
    assert (getattr(frame, "n_frames", 1), frame.size) == (film["frames"], (16, 16))
    grey = np.rint(255 * unit(run.spec, exploring.decode_codes(run, [[0.5, -0.5]])))[0, 0, 0]
    assert np.array_equal(np.asarray(frame.convert("L")), grey)


def test_files(studio: Studio, latent_runs: Path) -> None:
    def save(run: str, what: str, suffix: str, **values: Any) -> bytes:
        asked = {"run": run, "what": what, "suffix": suffix, **values}
        return bytes(files.file(studio, Asked(asked)).body)

    codes = [[0.0, 0.0], [1.0, -1.0], [0.5, 0.5], [2.0, 0.0]]
    run = lb.open_run(latent_runs / "plain")
    values = np.load(io.BytesIO(save("plain", "codes", ".npy", codes=codes, columns=2)))
    np.testing.assert_array_equal(values.reshape(4, 1, 8, 8), exploring.decode_codes(run, codes))
    film = save("plain", "path", ".gif", ends=[held(0), held(1)], steps=5)
    assert getattr(Image.open(io.BytesIO(film)), "n_frames", 1) == 8  # there and back again
    assert save("table", "sample", ".csv", n=3, seed=1).count(b"\n") == 4
    with wave.open(io.BytesIO(save("sound", "sample", ".wav", n=2))) as file:
        assert file.getnframes() > 2 * 512
    kept = np.load(io.BytesIO(save("plain", "map", ".npy", options={"limit": 50})))
    chosen = examples_of(run, 50)
    np.testing.assert_array_equal(kept, latent.space_of(run.model, "").encode(chosen.x))
    for what, more in (
        ("map", {"options": {"limit": 50, "colour": "error"}}),
        ("vary", {"ref": held(0), "n": 4}),
        ("search", {"ref": held(0), "k": 3}),
        ("sample", {"n": 4}),
    ):
        assert Image.open(io.BytesIO(save("plain", what, ".png", **more))).size[0] > 100


@pytest.mark.parametrize(
    ("view", "values", "message"),
    [
        (views.encode, {"ref": "/etc/passwd"}, "expected a held-out example"),
        (views.encode, {"ref": {"kind": "held-out", "number": "../x.png"}}, "expected a number"),
        (views.encode, {"ref": {"kind": "held-out", "number": 10**6}}, "held-out"),
        (views.encode, {"ref": {"kind": "prior", "seed": "7:/etc/passwd"}}, "expected a number"),
        (views.encode, {"ref": {"kind": "upload", "id": "/etc/passwd"}}, "no longer here"),
        (views.encode, {"ref": {"kind": "code", "code": [0.0]}}, "nothing|expected"),
        (views.decode, {"codes": [[0.0, 1.0, 2.0]]}, "rows of 2"),
        (views.decode, {"codes": [[0.0, None]]}, "expected"),
        (views.decode, {"codes": [[0.0, 0.0]] * 513}, "1 to 512"),
        (views.decode, {"codes": [[0.0, 0.0]], "given": {"label": 3}}, "conditioned on nothing"),
        (views.decode, {"codes": [[0.0, 0.0]], "given": ["x"]}, "expected names"),
        (views.path, {"ends": [held(0)]}, "2 to 12"),
        (views.path, {"ends": [held(0), held(1)], "how": "crooked"}, "one of linear"),
        (views.path, {"ends": [held(0), held(1)], "steps": 1000}, "from 2 to 121"),
        (views.edit, {"ref": held(0), "changes": {"smile": 1.0}}, "expected an attribute"),
        (views.edit, {"ref": held(0), "changes": {}}, "changes"),
        (views.vary, {"ref": held(0), "n": 10**9}, "from 1 to 256"),
        (views.search, {"ref": held(0), "by": "looks"}, "one of auto"),
        (views.sample, {"n": 4, "text": "a face"}, "captions"),
        (maps.map_, {"colour": "smile", "limit": 60}, "expected a colour"),
        (maps.map_, {"limit": 10**9}, "from 3"),
        (maps.datum, {"position": -1}, "from 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    studio: Studio, view: Any, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(lb.LowerboundError, match=message):
        ask(view, studio, "plain", **values)


def test_what_a_model_lacks_is_refused(studio: Studio) -> None:
    with pytest.raises(lb.LowerboundError, match="encodes and decodes"):
        ask(maps.map_, studio, "gan")
    with pytest.raises(lb.LowerboundError, match="encodes and decodes"):
        ask(views.encode, studio, "gan", ref=held(0))
    with pytest.raises(lb.LowerboundError, match="spread"):
        ask(views.vary, studio, "indices", ref=held(0))
    with pytest.raises(lb.LowerboundError, match="labels or attributes"):
        ask(views.directions, studio, "table")


def test_over_the_wire(latent_studio: Any) -> None:
    def post(run: str, what: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{latent_studio.address}api/run/{run}/{what}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "X-Lowerbound": "1"},
        )
        return urllib.request.urlopen(request, timeout=20)

    with post("plain", "decode", {"codes": [[0.0, 0.0]]}) as reply:
        assert pixels(json.load(reply)[0]).shape == (8, 8)
    body = {"what": "codes", "codes": [[0.0, 0.0]], "columns": 1, "suffix": ".png"}
    with post("plain", "file", body) as reply:
        assert reply.headers["Content-Type"] == "image/png"
        assert reply.read().startswith(b"\x89PNG")
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("plain", "decode", {"codes": [[0.0]]})
    with refused.value:
        assert (refused.value.code, "rows of 2" in json.load(refused.value)["error"]) == (400, True)
