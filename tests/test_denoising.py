"""Denoising with a run: of arrays, of files, of held-out data; from Python and as a verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import lowerbound as lb
from lowerbound import LowerboundError, Run, cli
from lowerbound.data import Prepare
from lowerbound.denoising import held_out_denoised, read, write, write_triples

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A denoiser of digits, of a few epochs."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("denoising") / "run"
    options: dict[str, Any] = {"hidden": (128,), "latent_dim": 24, "epochs": 40}
    options |= {"corruption": {"name": "gaussian", "sigma": 0.3}, "learning_rate": 3e-3}
    return lb.train("digits", "denoising-autoencoder", out=out, **options, **QUICK)


def test_it_takes_noise_out_of_held_out_data(run: Run) -> None:
    clean, corrupted, found = held_out_denoised(run, 200)
    stored = run.data().test.all().numpy().reshape(359, -1)
    assert all((stored == row).all(1).any() for row in clean.reshape(200, -1))
    noise = np.square(corrupted - clean).mean()
    assert noise == pytest.approx((0.3 * 16) ** 2, rel=0.05)  # in units of the data, 0 to 16
    assert np.square(found - clean).mean() < 0.45 * noise
    again = held_out_denoised(run, 200)
    assert all(np.array_equal(a, b) for a, b in zip(again, (clean, corrupted, found), strict=True))
    assert not np.array_equal(held_out_denoised(run, 200, seed=1)[1], corrupted)


def test_arrays_are_denoised_in_the_units_of_the_data(run: Run) -> None:
    _, corrupted, found = held_out_denoised(run, 5)
    np.testing.assert_allclose(lb.denoise(run, corrupted), found, atol=1e-4)
    np.testing.assert_allclose(lb.denoise(run.path, corrupted[0]), found[:1], atol=1e-4)
    x = torch.from_numpy(corrupted)
    model: Any = run.model
    prepare = Prepare(run.spec)
    expected = prepare.expected(model.denoise(prepare(x))).numpy()
    np.testing.assert_allclose(lb.denoise(run, corrupted), expected, atol=1e-4)


def test_an_image_file_is_denoised_as_its_pixels_are(run: Run) -> None:
    _, corrupted, _ = held_out_denoised(run, 1)
    pixels = np.rint(corrupted[0, 0].clip(0, 16) / 16 * 255).astype(np.uint8)
    Image.fromarray(pixels).save("noisy.png")
    expected = lb.denoise(run, pixels[None, None] / 255 * 16)
    np.testing.assert_allclose(lb.denoise(run, "noisy.png"), expected, atol=1e-4)
    colour = np.stack([pixels] * 3, -1)
    Image.fromarray(colour).save("colour.png")  # grey in three channels
    np.testing.assert_allclose(lb.denoise(run, "colour.png"), expected, atol=1e-2)
    np.save("noisy.npy", corrupted)
    np.testing.assert_allclose(lb.denoise(run, "noisy.npy"), lb.denoise(run, corrupted))


def test_what_is_written_is_the_image_itself(run: Run) -> None:
    values = np.linspace(0, 16, 64).reshape(1, 1, 8, 8)
    with Image.open(write("clean.png", run, values)) as image:
        assert (image.size, image.mode) == ((8, 8), "L")
        np.testing.assert_array_equal(np.asarray(image), np.rint(values[0, 0] / 16 * 255))
    assert np.array_equal(np.load(write("clean.npy", run, values)), values)
    np.testing.assert_allclose(read("clean.png", run.spec)[0], values[0, 0], atol=16 / 255)
    with pytest.raises(LowerboundError, match=r"ends in .png or .npy, came 'clean.gif'"):
        write("clean.gif", run, values)


def test_held_out_triples_as_array_and_picture(run: Run) -> None:
    triple = held_out_denoised(run, 15)
    assert np.array_equal(np.load(write_triples("t.npy", run, *triple)), np.stack(triple, 1))
    with Image.open(write_triples("t.png", run, *triple)) as image:
        assert image.width > 800


def test_the_verb(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    _, corrupted, _ = held_out_denoised(run, 1)
    pixels = np.rint(corrupted[0, 0].clip(0, 16) / 16 * 255).astype(np.uint8)
    Image.fromarray(pixels).save("noisy.png")
    assert cli.main(["denoise", str(run.path), "noisy.png", "-o", "clean.png"]) == 0
    assert capsys.readouterr().out == "clean.png\n"
    found = lb.denoise(run, "noisy.png")[0, 0].clip(0, 16) / 16 * 255
    with Image.open("clean.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.rint(found))
    assert cli.main(["denoise", str(run.path), "-n", "3", "--out", "d.npy", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"format": 1, "out": "d.npy", "n": 3, "seed": 0}
    assert np.array_equal(np.load("d.npy"), np.stack(held_out_denoised(run, 3), 1))
    assert cli.main(["denoise", str(run.path)]) == 0
    assert Path(capsys.readouterr().out.strip()) == run.path / "pictures" / "denoised.png"


def test_what_does_not_fit_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((9, 8), np.uint8)).save("tall.png")
    Path("text.png").write_text("no image")
    Path("text.npy").write_text("no array")
    bad = np.full((1, 1, 8, 8), np.nan)
    for x, message in (
        ("none.png", "there is no such file"),
        ("tall.png", "expected an image of 8 x 8 pixels, came 8 x 9; crop or scale it"),
        ("text.png", "came text.png: no image"),
        ("text.npy", "does not open as .npy"),
        (np.zeros((2, 8, 8)), r"expected numbers of shape \(n, 1, 8, 8\), came float64"),
        (np.full((1, 8, 8), "a"), "expected numbers of shape"),
        (bad, "expected finite numbers, came NaN"),
    ):
        with pytest.raises(LowerboundError, match=message):
            lb.denoise(run, x)
    plain = lb.train("digits", "autoencoder", latent_dim=2, hidden=(4,), steps=1, **QUICK)
    with pytest.raises(LowerboundError, match=r"no denoiser .*; train one with --recipe"):
        lb.denoise(plain, np.zeros((1, 1, 8, 8)))
    assert cli.main(["denoise", str(run.path), "-o", "x.gif"]) == 2
    assert "expected a name that ends in .png or .npy" in capsys.readouterr().err


def test_a_table_is_denoised_too() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32) * [1, 2, 3, 4, 5] + 7
    np.save("table.npy", x)
    options: dict[str, Any] = {"corruption": "gaussian", "hidden": (16,), "latent_dim": 5}
    run = lb.train(
        "table.npy", "denoising-autoencoder", steps=600, learning_rate=1e-2, **options, **QUICK
    )
    found = lb.denoise(run, x[:50])
    # of independent numbers the posterior mean shrinks each by 1 / (1 + sigma^2)
    mean, scale = x.mean(0), x.std(0)
    away = ((found - mean) - (x[:50] - mean) / 1.25) / scale
    assert float(np.abs(away).mean()) < 0.25
    clean, corrupted, found = held_out_denoised(run, 7)
    assert write_triples("t.png", run, clean, corrupted, found).exists()
    with pytest.raises(LowerboundError, match=r"ends in .npy, as the data are no grey or colour"):
        write("t.png", run, found)
    with pytest.raises(LowerboundError, match=r"expected a .npy file, as the data are no images"):
        lb.denoise(run, "t.png")


def test_tokens_are_trained_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    start = random.integers(0, 4, (400, 1))
    np.save("chain.npy", (start + np.arange(8)) % 4)  # each token tells all others
    words = ["train", "chain.npy", "--recipe", "masked-tokens", "--out", "run", "--steps", "400"]
    words += ["--width", "16", "--layers", "1", "--heads", "2", "--learning-rate", "1e-2"]
    quick = ["--threads", "1", "--compile", "no", "--precision", "float32", "--tensorboard", "no"]
    assert cli.main([*words, *quick]) == 0
    assert "pseudo-likelihood, no likelihood of the sequence" in " ".join(
        capsys.readouterr().out.split()
    )
    run = Run.open("run")
    last = [row for row in run.metrics() if "masked_token" in json.dumps(row)][-1]
    assert last
    model: Any = run.model
    x = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3], [2, 3, 0, 1, 2, 3, 0, 1]])
    hidden = x.clone()
    hidden[:, 4] = model.mask
    assert torch.equal(model.fill(hidden), x)
    assert model.predict(hidden)[:, 4].max(1).values.exp().min() > 0.9


def test_an_image_is_scaled_as_the_data_were(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8))
    image.save("wide.png")
    with pytest.raises(LowerboundError, match="expected an image of 8 x 8 pixels"):
        lb.denoise(run, "wide.png")
    monkeypatch.setitem(run.info["data"]["options"], "size", 8)
    pixels = np.asarray(ImageOps.fit(image, (8, 8), Image.Resampling.BICUBIC))
    expected = lb.denoise(run, pixels[None, None] / 255 * 16)
    np.testing.assert_allclose(lb.denoise(run, "wide.png"), expected, atol=1e-4)
