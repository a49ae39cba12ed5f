"""The tools on runs and files, from Python and through the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound import exploring
from lowerbound.cli import main
from lowerbound.data.avatars import attributes as truth_of
from lowerbound.data.avatars import render
from lowerbound.errors import LowerboundError
from lowerbound.exploring.uploads import open_upload
from lowerbound.latent import Directions, space_of

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}


@pytest.fixture(scope="module")
def directions(faces: lb.Run) -> Directions:
    return lb.attributes(faces, limit=500, keep="all")


@pytest.fixture
def face(here: Path) -> Path:
    """A picture of 48 by 64 pixels, with transparency."""
    small = np.moveaxis(render(truth_of(np.array([19_999])), 48)[0], 0, -1)
    whole = np.full((64, 48, 4), 200, np.uint8)
    whole[8:56, :, :3] = small
    whole[..., 3] = 255
    whole[:4, :4, 3] = 0
    Image.fromarray(whole).save(here / "face.png")
    return here / "face.png"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err.strip()
    assert text.count("\n") == 0 and text.startswith("error: ")
    return text


# Edits


def test_an_edit_changes_what_it_should_at_the_pictures_own_size(
    faces: lb.Run, directions: Directions, face: Path
) -> None:
    found = lb.edit(faces, face, subtract="woman:4", directions=directions)
    column = directions.index("woman")
    before = found.found.logits[0, column]
    assert found.found.edited_logits[0, column] == pytest.approx(before - 4)
    kept = [directions.index(name) for name in directions.kept[column]]
    moved = found.found.edited_logits[0] - found.found.logits[0]
    np.testing.assert_allclose(moved[kept], 0, atol=1e-6)
    assert found.image is not None and found.image.size == (48, 64) and found.image.mode == "RGBA"
    with Image.open(face) as opened:
        before = np.asarray(opened).astype(int)
    after = np.asarray(found.image).astype(int)
    np.testing.assert_array_equal(after[:8], before[:8])  # above what the model sees
    np.testing.assert_array_equal(after[56:], before[56:])
    assert np.abs(after - before)[8:56, :, :3].max() > 10
    # No change is no change, to the last bit; without detail it is the model's own picture.
    same = lb.edit(faces, face, add="woman:0", directions=directions)
    np.testing.assert_array_equal(np.asarray(same.image), before)
    plain = lb.edit(faces, face, add="woman:0", directions=directions, detail=False)
    assert plain.image is not None
    shown = np.asarray(plain.image.convert("RGB").crop((0, 8, 48, 56)).resize((16, 16)), float)
    again = np.moveaxis(plain.reconstructed, 0, -1)
    assert np.abs(shown - again).mean() < 6


def test_strengths_on_the_command_line(
    faces: lb.Run, face: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["edit", str(faces.path), str(face), "--add", "smile:1.5", "--subtract", "curly"]
    words += ["--keep", "all"]
    assert main([*words, "--strength", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {row["attribute"]: row for row in report["logits"]}
    assert rows["smile"]["edited"] - rows["smile"]["logit"] == pytest.approx(1.5, abs=1e-4)
    assert rows["curly"]["edited"] - rows["curly"]["logit"] == pytest.approx(-2.0, abs=1e-4)
    assert rows["beard"]["edited"] == pytest.approx(rows["beard"]["logit"], abs=1e-4)
    assert Path(report["out"]) == face.with_name("face-smile-curly.png")
    with Image.open(report["out"]) as image:
        assert image.size == (48, 64)


def test_an_upload_is_cut_from_the_middle_and_read_in_any_mode(faces: lb.Run, here: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for name, image in {
        "rgb.png": Image.fromarray(array),
        "palette.png": Image.fromarray(array).quantize(256),
        "grey.png": Image.fromarray(array[..., 0]),
        "wide.jpg": Image.fromarray(np.tile(array, (4, 7, 1))),
        "deep.png": Image.fromarray(array[..., 0].astype(np.uint16) * 257),
    }.items():
        image.save(here / name)
    assert np.array_equal(
        open_upload(here / "rgb.png", faces.spec).pixels, np.moveaxis(array, -1, 0)
    )
    grey = open_upload(here / "grey.png", faces.spec).pixels
    assert all(np.array_equal(plane, array[..., 0]) for plane in grey)
    assert np.array_equal(open_upload(here / "deep.png", faces.spec).pixels, grey)
    assert open_upload(here / "wide.jpg", faces.spec).box == (24, 0, 88, 64)
    assert open_upload(here / "palette.png", faces.spec).pixels.shape == (3, 16, 16)


def test_an_analogy_of_held_out_faces(faces: lb.Run) -> None:
    found, _ = lb.analogy(faces, 0, 1, 1)
    np.testing.assert_allclose(found.code, found.codes[0], atol=1e-12)
    np.testing.assert_allclose(found.decoded[3], found.decoded[0], atol=1e-3)


# Walks


def test_codes_uploads_and_draws_meet(faces: lb.Run, face: Path, here: Path) -> None:
    space = space_of(faces.model, "test")
    code = np.linspace(-1, 1, 24)
    np.save(here / "code.npy", code)
    found = lb.interpolate(faces, [2, face, here / "code.npy", "prior:5"], steps=3)
    x = exploring.take(faces, 2, space)
    np.testing.assert_array_equal(found.codes[0], x.code_in(space))
    np.testing.assert_array_equal(found.codes[4], code)
    torch.manual_seed(5)
    np.testing.assert_allclose(found.codes[6], torch.randn(24).double(), rtol=1e-6)
    assert found.decoded.shape == (7, 3, 16, 16) and found.decoded.max() > 50  # 0 to 255
    again = lb.reconstruct(faces, 1)[1]
    assert again.shape == found.decoded[:1].shape


def test_planes_of_attributes_and_of_a_prior(
    faces: lb.Run, digits: lb.Run, directions: Directions
) -> None:
    found = lb.plane(faces, 3, right="smile", up="yaw", steps=3, directions=directions)
    both = [directions.index("smile"), directions.index("yaw")]
    logits = directions.logits(found.codes)[..., both]
    middle = logits[1, 1]
    np.testing.assert_allclose(found.right, directions.natural[both[0]] * np.array([-1, 0, 1]))
    np.testing.assert_allclose(logits[:, :, 0] - middle[0], np.tile(found.right, (3, 1)), atol=1e-6)
    np.testing.assert_allclose(logits[:, 0, 1] - middle[1], found.up, atol=1e-6)
    whole = lb.plane(digits, steps=4)
    assert whole.decoded.shape == (4, 4, 1, 8, 8) and whole.right[0] == pytest.approx(
        -2.0537, abs=1e-3
    )


def test_neighbours_of_a_held_out_example_are_not_itself(digits: lb.Run) -> None:
    found = lb.search(digits, 7, k=5)
    assert 7 not in found.positions
    space = space_of(digits.model, "test")
    query = exploring.take(digits, 7, space).code_in(space)
    codes = space.encode(exploring.examples.examples_of(digits, None).x)
    distance = np.linalg.norm(codes - query, axis=1)
    distance[7] = np.inf
    np.testing.assert_array_equal(found.positions, np.argsort(distance, kind="stable")[:5])
    np.testing.assert_allclose(found.score, np.sort(distance)[:5], rtol=1e-12)
    images = space.decode(codes).reshape(len(codes), -1).astype(np.float64)
    apart = np.linalg.norm(images - space.decode(query[None]).reshape(-1), axis=1)
    apart[7] = np.inf
    by = lb.search(digits, 7, k=5, by="reconstruction")
    np.testing.assert_allclose(by.score, np.sort(apart)[:5], rtol=1e-9)


# The command line


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("traverse RUN 3 --most 2 --steps 3", "a.png"),
        ("plane RUN --steps 3", "a.gif"),
        ("interpolate RUN 3 prior:2 --steps 3", "a.gif"),
        ("interpolate RUN 3 5 --path geodesic --steps 3", "a.npy"),
        ("vary RUN 3 -n 4", "a.png"),
        ("map RUN --colour bound --limit 50", "a.png"),
        ("map RUN --colour 3 --limit 50", "a.png"),
        ("search RUN -k 3", "a.png"),
        ("search RUN 3 -k 3 --by reconstruction --train", "a.png"),
        ("analogy RUN 3 4 5", "a.png"),
        ("edit RUN 3 --add 7 --how logistic", "a.npy"),
    ],
)
def test_every_verb_writes_what_it_says(
    words: str, name: str, digits: lb.Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(digits.path) if word == "RUN" else word for word in words.split()]
    assert main([*argv, "-o", name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["format"] == 1 and report["out"] == name
    if name.endswith(".npy"):
        values = np.load(name)
        assert values.shape[-3:] == (1, 8, 8) and np.isfinite(values).all()
    else:
        with Image.open(name) as image:
            assert image.size[0] > 20
            assert (image.format or "").lower() == name.rpartition(".")[2]


def test_tables_are_rows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draws = np.random.default_rng(0)
    z = draws.normal(size=(300, 1))
    rows = np.column_stack([z, 2 * z, -z]) + 0.1 * draws.normal(size=(300, 3))
    np.savetxt(here / "t.csv", rows, delimiter=",", header="a,b,c", comments="", fmt="%.4f")
    run = lb.train(
        str(here / "t.csv"), "vae", out=here / "run", latent_dim=1, hidden=(16,), steps=200,
        learning_rate=1e-2, **QUICK,
    )  # fmt: skip
    assert main(["interpolate", "run", "1.5,3,-1.5", "1,2,-1", "--steps", "3", "-o", "o.csv"]) == 0
    lines = (here / "o.csv").read_text().splitlines()
    assert lines[0] == "row,column,a,b,c" and len(lines) == 4
    assert "a" in capsys.readouterr().out
    first = np.array([float(v) for v in next(csv.reader(lines[1:2]))[2:]])
    np.testing.assert_allclose(first, [1.5, 3, -1.5], atol=0.5)
    values = lb.vary(run, 0, 5).decoded
    assert values.shape == (1, 5, 3)
    assert main(["vary", "run", "1,2"]) == 2
    assert "expected an example of shape (3,)" in said(capsys)
    assert main(["vary", "run", "one,two"]) == 2
    assert "numbers with commas" in said(capsys)
    assert main(["attributes", "run"]) == 2
    assert "labels or attributes, came t" in capsys.readouterr().err


def test_indices_go_between_the_decoders_vectors(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"channels": 8, "blocks": 0, "steps": 20}
    options["quantizer"] = {"name": "vq", "levels": 8, "dim": 4}
    run = lb.train("digits", "vq-vae", out=here / "run", limit=200, **options, **QUICK)
    model: Any = run.model
    found = lb.interpolate(run, [3, 4], steps=3)
    again = lb.interpolate(run, [4, 3], steps=3)
    np.testing.assert_allclose(found.decoded[1], again.decoded[1], atol=1e-4)
    x = exploring.take(run, 3, space_of(model, "test", vectors=True)).x
    expected = model.decode(model.encode(x).mode).mean.detach()
    spec = run.spec
    np.testing.assert_allclose(
        found.decoded[0], lb.Prepare(spec).expected(expected)[0].numpy(), atol=1e-4
    )
    for words, text in {
        "interpolate run 3 4 --path geodesic": "numbers for a geodesic path, came the indices",
        "edit run 3 --add 7": "codes of real numbers, came the indices of a VQVAE",
        "traverse run": "codes of real numbers, came the indices of a VQVAE",
        "vary run 3": "a posterior with a spread, came that of a VQVAE",
        "plane run": "codes of real numbers",
        "map run": "codes of real numbers",
    }.items():
        assert main(words.split()) == 2
        assert text in capsys.readouterr().err.splitlines()[-1]


def test_a_condition_is_named_or_comes_with_the_example(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lb.train(
        "digits", "cvae", out=here / "run", limit=300, latent_dim=2, hidden=(32,), steps=60, **QUICK
    )
    own = lb.vary(run, 3, 2)
    label = int(run.data().test.labels[3])  # ty: ignore[not-subscriptable]
    named = lb.vary(run, 3, 2, given={"label": label})
    np.testing.assert_array_equal(own.decoded, named.decoded)
    other = lb.vary(run, 3, 2, given={"label": (label + 1) % 10})
    assert not np.array_equal(own.decoded, other.decoded)
    np.save(here / "x.npy", np.zeros((1, 8, 8)))
    assert main(["vary", "run", "x.npy", "-n", "2", "-o", "o.png"]) == 2
    assert "came none; pass --given" in said(capsys)
    assert main(["vary", "run", "x.npy", "-n", "2", "-o", "o.png", "--given", "label=4"]) == 0


def test_a_condition_moves_no_range(here: Path) -> None:
    """Of ten held-out examples one alone would tell."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(110, 3)).astype(np.float32)
    label = (x[:, 0] > 0).astype(int)
    np.savez(
        here / "small.npz", train=x[:100], test=x[100:], train_labels=label[:100],
        test_labels=label[100:],
    )  # fmt: skip
    run = lb.train(
        str(here / "small.npz"), "cvae", out=here / "run", latent_dim=2, hidden=(16,), steps=100,
        **QUICK,
    )  # fmt: skip
    own = lb.traverse(run, steps=3)
    for name in "01":
        named = lb.traverse(run, steps=3, given={"label": name})
        assert named.dimensions == own.dimensions
        np.testing.assert_array_equal(named.kl, own.kl)
        np.testing.assert_array_equal(named.codes, own.codes)
        expected = exploring.decode_codes(run, own.codes[0], given={"label": name})
        np.testing.assert_allclose(named.decoded[0], expected, rtol=1e-6)
        flat = lb.plane(run, right=0, up=1, steps=3, given={"label": name})
        rows = np.argsort(own.dimensions)
        np.testing.assert_allclose(flat.codes[1, :, 0], own.values[rows[0]], atol=1e-12)


def test_axes_of_a_plane_are_the_codes(
    faces: lb.Run, digits: lb.Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = lb.traverse(faces, 3, dimensions=[5, 2], steps=3)
    words = ["plane", str(faces.path), "3", "--right", "5", "--up", "2", "--steps", "3"]
    assert main([*words, "-o", "a.png", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(report["right"], known.values[0], atol=1e-12)
    np.testing.assert_allclose(report["up"], known.values[1][::-1], atol=1e-12)
    for words in (["--right", "99", "--up", "0"], ["--right", "0", "--up", "24"]):
        assert main(["plane", str(faces.path), *words]) == 2
        assert "a dimension from 0 to 23, came" in said(capsys)


def test_an_attribute_of_one_example_is_left_out_by_its_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    values = np.stack([np.arange(300) == 5, x[:, 0]], 1).astype(np.float64)
    np.savez(
        here / "one.npz", train=x, test=x[:20], train_attributes=values,
        test_attributes=values[:20], attribute_names=np.array(["once", "often"]),
    )  # fmt: skip
    lb.train(str(here / "one.npz"), "vae", out=here / "run", latent_dim=2, steps=20, **QUICK)
    assert main(["attributes", "run"]) == 0
    told = capsys.readouterr()
    assert "often" in told.out and "once" not in told.out
    assert "left out: once: expected at least 2 examples with it and 2 without, came 1" in told.err
    assert main(["attributes", "run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left_out"] == ["once"] and [r["name"] for r in report["attributes"]] == ["often"]
    assert main(["edit", "run", "0", "--add", "often", "-o", "o.csv"]) == 0
    capsys.readouterr()
    assert main(["edit", "run", "0", "--add", "once", "-o", "o.csv"]) == 2
    assert "once: expected at least 2 examples with it" in capsys.readouterr().err.splitlines()[-1]


# Bad input


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("edit RUN 3 --add smiel", "came 'smiel'; did you mean 'smile'?"),
        ("edit RUN 3 --add smile --subtract smile", "each attribute once, came smile twice"),
        ("edit RUN 3", "something to change, came nothing; pass --add smile"),
        ("edit RUN 3 --add smile:much", "a strength as a number, came 'smile:much'"),
        ("edit RUN 3 --add smile --keep glases", "came 'glases'; did you mean 'glasses'?"),
        ("edit RUN 3 --add smile -o o.gif", "ends in .png, .jpg or .npy, came 'o.gif'"),
        ("edit RUN none.png --add smile", "came no such file: none.png"),
        ("edit RUN broken.png --add smile", "broken.png does not open as an image"),
        ("edit RUN deep.tif --add smile", "an image of 8 bits, came deep.tif of mode F"),
        ("vary RUN other.npy", "expected an example of shape (3, 16, 16)"),
        ("vary RUN 99999", "the number of a held-out example, from 0 to"),
        ("vary RUN code.npy", "expected an example, came a code"),
        ("interpolate RUN 3", "at least 2 ends and 2 steps, came 1"),
        ("interpolate RUN 3 prior:x", "expected prior or prior:SEED"),
        ("interpolate RUN 3 4 -o o.mov", "ends in .png, .gif, .mp4 or .npy"),
        ("interpolate RUN 3 4 --path round", "Invalid value"),
        ("traverse RUN --dimensions 99", "dimensions from 0 to 23, came [99]"),
        ("plane RUN --right smile", "two directions, came one; pass --right and --up"),
        ("plane RUN --right smile --up smile", "the same one twice"),
        ("map RUN --colour smil", "came 'smil'; did you mean 'smile'?"),
        ("map RUN -o o.gif", "ends in .png or .npy, came 'o.gif'"),
        ("search RUN 3 --by bound", "came bound; leave out the example"),
        ("search RUN -k 9999", "expected from 1 to"),
        ("traverse RUN --given label=3", "is conditioned on nothing"),
    ],
)
def test_what_does_not_do_is_one_line(
    words: str, text: str, faces: lb.Run, here: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    quick = exploring.attributes
    monkeypatch.setattr(
        "lowerbound.exploring.editing.attributes", lambda run, **o: quick(run, limit=300, **o)
    )
    (here / "broken.png").write_bytes(b"\x89PNG and no more")
    Image.fromarray(np.zeros((9, 9), np.float32)).save(here / "deep.tif")
    np.save(here / "other.npy", np.zeros((3, 20, 20)))
    np.save(here / "code.npy", np.zeros(24))
    before = sorted(here.iterdir())
    argv = [str(faces.path) if word == "RUN" else word for word in words.split()]
    assert main(argv) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and text in lines[-1], lines[-1]
    assert sorted(here.iterdir()) == before


def test_a_model_without_an_encoder_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lb.train("digits", "gan", out=here / "run", limit=100, steps=2, **QUICK)
    for words in ("vary run 3", "edit run 3 --add 7", "search run 3", "map run", "traverse run"):
        assert main(words.split()) == 2
        assert "encodes and decodes, came" in capsys.readouterr().err
    assert main(["interpolate", "run", "prior:1", "prior:2", "-o", "o.png"]) == 0


def test_one_example_has_no_directions_and_no_ranges(here: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 8), dtype=np.uint8)
    np.savez(here / "few.npz", images=images, labels=np.array(["a", "a", "a", "a", "a", "b"]))
    run = lb.train(str(here / "few.npz"), "vae", out=here / "run", latent_dim=2, steps=2, **QUICK)
    with pytest.raises(LowerboundError, match=r"take more examples|vary in none"):
        lb.edit(run, 0, add="b")
    with pytest.raises(LowerboundError, match=r"at least 2 steps and 2 examples"):
        lb.traverse(run)
    with pytest.raises(LowerboundError, match="at least 3 held-out examples"):
        lb.map_codes(run)
