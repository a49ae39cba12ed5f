"""Runs as codecs: what is encoded is what is decoded, of the right model, and nothing else."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.codec import Codes, decode, encode, fingerprint
from lowerbound.codec.file import unpack
from lowerbound.data import held_out
from lowerbound.errors import LowerboundError

from .conftest import SMALL, train


def images(folder: Path) -> np.ndarray:
    return np.load(folder / "halves.npz")["images"][:, None]


def test_the_uniform_rate_and_the_models_own_codes(uniform: lb.Run, folder: Path) -> None:
    found = encode(uniform, str(folder / "halves.npz"))
    assert found.indices.shape == (600, 2, 2)
    assert found.rate == pytest.approx(4 * math.log2(8), rel=1e-12)
    assert abs(found.coded / found.rate - 1) < 0.01
    x = torch.from_numpy(images(folder)).float() / 255  # all examples, in the order of the file
    with torch.no_grad():
        assert np.array_equal(found.indices, uniform.model.encode(x).point.numpy())  # ty: ignore
    held = encode(uniform, str(folder / "halves.npz"), split="test")
    x = held_out(uniform.data().test, uniform.spec)
    with torch.no_grad():
        assert np.array_equal(held.indices, uniform.model.encode(x).point.numpy())  # ty: ignore


def test_a_run_of_a_few_examples_encodes_all(folder: Path) -> None:
    run = train(folder, "few", "halves.npz", "vq-vae", limit=100, steps=2, **SMALL)
    found = encode(run, str(folder / "halves.npz"))
    x = torch.from_numpy(images(folder)).float() / 255  # all of them, not the run's hundred
    with torch.no_grad():
        assert np.array_equal(found.indices, run.model.encode(x).point.numpy())  # ty: ignore
    first = encode(run, str(folder / "halves.npz"), limit=6)
    assert np.array_equal(first.indices, found.indices[:6])


def test_the_fitted_rate_is_the_priors_and_the_file_reaches_it(
    fitted: lb.Run, folder: Path, tmp_path: Path
) -> None:
    found = encode(fitted, np.tile(images(folder), (10, 1, 1, 1)))
    p = fitted.model.prior()  # ty: ignore
    with torch.no_grad():
        exact = -p.log_prob(torch.from_numpy(found.indices)).double().mean().item() / math.log(2)
    assert found.rate == pytest.approx(exact, rel=1e-4)
    assert found.rate < 4 * math.log2(8)  # it has learned something
    about, words, side = unpack(found.write(tmp_path / "codes.npz"))
    assert abs(32 * len(words) / (6000 * found.rate) - 1) < 0.01
    assert side is None and about.examples == 6000


def test_a_whole_file_is_within_a_hundredth_of_the_rate(
    uniform: lb.Run, folder: Path, tmp_path: Path
) -> None:
    many = np.tile(images(folder), (100, 1, 1, 1))
    found = encode(uniform, many)
    size = 8 * found.write(tmp_path / "codes.npz").stat().st_size  # header and all
    assert abs(size / (60_000 * found.rate) - 1) < 0.01


def test_round_trip_in_another_process(fitted: lb.Run, folder: Path, tmp_path: Path) -> None:
    found = encode(fitted, images(folder)[:150])
    path = found.write(tmp_path / "codes.npz")
    code = (
        "import sys, numpy as np, torch; torch.set_num_threads(2)\n"
        "import lowerbound as lb\n"
        "np.save(sys.argv[3], lb.decode(sys.argv[1], sys.argv[2]))"
    )
    out = tmp_path / "there.npy"
    subprocess.run([sys.executable, "-c", code, str(fitted.path), str(path), str(out)], check=True)
    here = decode(fitted, found)
    assert np.abs(np.load(out) - here).max() < 1e-3  # of means: the codes are checked to be equal
    with torch.no_grad():
        mean = fitted.model.decode(torch.from_numpy(found.indices)).mean  # ty: ignore
    np.testing.assert_allclose(here, 255 * mean.numpy(), atol=1e-3)


def test_labels_travel_with_the_codes(labelled: lb.Run, folder: Path, tmp_path: Path) -> None:
    found = encode(labelled, str(folder / "halves.npz"), limit=130)
    assert found.side is not None
    path = found.write(tmp_path / "codes.npz")
    values = decode(labelled, path)
    assert values.shape == (130, 1, 8, 8)
    condition, codes = labelled.model.condition, torch.from_numpy(found.indices)  # ty: ignore
    with torch.no_grad():
        p = labelled.model.prior(*condition(torch.zeros(130, 1, 8, 8), torch.tensor(found.side)))  # ty: ignore
        exact = -p.log_prob(codes).double().mean().item() / math.log(2)
    assert found.rate == pytest.approx(exact, rel=1e-4)
    given = encode(labelled, images(folder)[:5], given="label=left")
    assert np.array_equal(given.side, np.zeros(5))  # ty: ignore
    with pytest.raises(LowerboundError, match=r"came none; pass --given label=left$"):
        decode(labelled, found.indices)
    with pytest.raises(LowerboundError, match=r"or name one condition .*: --given label=left$"):
        encode(labelled, images(folder)[:5])
    with pytest.raises(LowerboundError, match="did you mean 'left'"):
        encode(labelled, images(folder)[:5], given="label=lift")
    by_hand = decode(labelled, given.indices, given="label=left")
    np.testing.assert_allclose(by_hand, decode(labelled, given), atol=1e-5)


@pytest.mark.parametrize("recipe", ["pixelcnn", "transformer", "wavenet"])
def test_models_of_the_data_code_them_without_loss(
    recipe: str, folder: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    levels = random.integers(0, 4, (120, 5, 4), dtype=np.uint8)
    levels[:, :, 2:] = levels[:, :, :2]
    np.save(folder / f"{recipe}.npy", levels)
    width = {"transformer": 16}.get(recipe, 8)
    run = train(folder, recipe, f"{recipe}.npy", recipe, width=width, layers=1, steps=20) if (
        recipe != "wavenet"
    ) else train(folder, recipe, f"{recipe}.npy", recipe, width=8, steps=20)  # fmt: skip
    found = encode(run, levels)
    path = found.write(tmp_path / "codes.npz")
    assert np.array_equal(decode(run, path)[:, 0], levels)
    x = torch.from_numpy(levels[:, None]).float() / 3
    with torch.no_grad():
        exact = -run.model.log_prob(x).double().mean().item() / math.log(2)  # ty: ignore
    assert found.rate == pytest.approx(exact, rel=1e-4)
    assert abs(found.coded / found.rate - 1) < 0.01


def test_tokens_are_coded_without_loss(folder: Path) -> None:
    tokens = np.cumsum(np.random.default_rng(0).integers(0, 2, (200, 12)), 1).astype(np.int64) % 6
    np.save(folder / "tokens.npy", tokens)
    run = train(folder, "tokens", "tokens.npy", "transformer", width=16, layers=1)
    found = encode(run, tokens)
    assert np.array_equal(decode(run, found), tokens)
    assert found.rate < 12 * math.log2(6)
    assert "of tokens; train one" in refused(lb.convert, run, np.zeros(800), "label=1")
    quantized = train(folder, "vq-tokens", "tokens.npy", "vq-vae", hidden=(32,), positions=4)
    assert quantized.spec.kind == "tokens"
    found = encode(quantized, tokens)
    assert found.indices.shape == (200, 4)
    assert set(np.unique(decode(quantized, found))) <= set(range(6))


# Bad input


def refused(function, *arguments: object, **options: object) -> str:
    with pytest.raises(LowerboundError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_that_are_damaged_or_of_another_model(
    fitted: lb.Run, uniform: lb.Run, folder: Path, tmp_path: Path
) -> None:
    found = encode(fitted, images(folder)[:80])
    path = found.write(tmp_path / "codes.npz")
    content = path.read_bytes()
    for share in (0.0, 0.3, 0.7, 0.98):
        cut = tmp_path / "cut.npz"
        cut.write_bytes(content[: int(share * len(content))])
        assert "cut short or damaged" in refused(decode, fitted, cut)
    text = refused(decode, uniform, path)
    assert fingerprint(fitted.model) in text and fingerprint(uniform.model) in text
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 2)))
    assert "came other.npz with images" in refused(decode, fitted, tmp_path / "other.npz")
    assert "there is none" in refused(decode, fitted, tmp_path / "no.npz")
    for name, words in (("who.csv", "expected a file of codes, .npz or .npy, came who.csv; pass"),
                        ("who.npz", "begins with none of numpy's marks")):  # fmt: skip
        (tmp_path / name).write_text("who,age\nann,3\n")
        text = refused(decode, fitted, tmp_path / name)
        assert words in text and "pickle" not in text
    wrong = Codes(found.indices, found.about, found.words[::-1].copy())
    mixed = wrong.write(tmp_path / "mixed.npz")
    assert "damaged" in refused(decode, fitted, mixed)
    # Weights that change by one digit are another model's.
    before = fingerprint(fitted.model)
    parameter = next(fitted.model.parameters())
    parameter.data[(0,) * parameter.dim()] += 1e-6
    assert fingerprint(fitted.model) != before
    fitted.forget()


def test_codes_outside_the_codebook(uniform: lb.Run, tmp_path: Path) -> None:
    codes = np.zeros((3, 2, 2), np.int64)
    assert decode(uniform, codes).shape == (3, 1, 8, 8)
    codes[1, 1, 1] = 8
    np.save(tmp_path / "codes.npy", codes)
    assert "from 0 to 7, came 8" in refused(decode, uniform, tmp_path / "codes.npy")
    assert "came -1" in refused(decode, uniform, codes * 0 - 1)
    assert "whole numbers (N, 2, 2)" in refused(decode, uniform, np.zeros((3, 2)))
    assert "whole numbers (N, 2, 2)" in refused(decode, uniform, np.zeros((3, 2, 2)))


def test_runs_and_data_that_do_not_fit(uniform: lb.Run, folder: Path) -> None:
    vae = train(folder, "vae", "halves.npz", "vae", hidden=(8,), latent_dim=2, steps=2)
    assert "recipe vq-vae" in refused(encode, vae, images(folder)[:5])
    assert "shape (1, 8, 8)" in refused(encode, uniform, images(folder)[:5, 0, :7])
    many = np.random.default_rng(0).integers(0, 900, (20, 8, 8))
    assert "scale them alike" in refused(encode, uniform, many)
    assert "conditioned on nothing" in refused(
        encode, uniform, images(folder)[:5], given="label=left"
    )
    assert "expected all, train" in refused(encode, uniform, images(folder), split="some")


def test_options_of_the_runs_own_files_are_not_asked_of_others(
    uniform: lb.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"size": 8, "frames": 3, "window": 0.1, "key": "images"}
    monkeypatch.setitem(uniform.info, "data", {**uniform.info["data"], "options": options})
    np.save(tmp_path / "text.npy", np.random.default_rng(0).integers(0, 9, (20, 12)))
    text = refused(encode, uniform, tmp_path / "text.npy")
    assert "expected data of shape (1, 8, 8)" in text and "came (12,)" in text


def test_guidance_of_a_prior_without_a_condition(fitted: lb.Run) -> None:
    text = refused(lb.sample, fitted, 2, guidance=2.0)
    assert "expected a prior with a condition to be guided by" in text
    assert "which has none; leave it out" in text and "two-stage" not in text


# The command line


def test_encode_and_decode_as_verbs(
    fitted: lb.Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "codes.npz"
    arguments = [str(fitted.path), str(folder / "halves.npz"), "-o", str(out), "--split", "test"]
    assert main(["encode", *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 120 and report["codes"] == [2, 2] and report["uniform"] == 12.0
    # Of 120 examples of a few bits each the coder's last words tell.
    assert 0 <= 120 * (report["coded"] - report["rate"]) <= 64
    assert main(["encode", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "bits/example" in shown and "codes.npz" in shown
    assert main(["decode", str(fitted.path), str(out), "-o", str(tmp_path / "pictures")]) == 0
    files = sorted((tmp_path / "pictures").iterdir())
    assert len(files) == 120 and files[0].name == "00000.png"
    assert main(["decode", str(fitted.path), str(out), "-o", str(tmp_path / "a.npy")]) == 0
    values = np.load(tmp_path / "a.npy")
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    assert np.abs(values[:, 0] - pixels).max() <= 0.5 + 1e-4
    # A picture alone.
    capsys.readouterr()
    assert main(["encode", str(fitted.path), str(files[0]), "-o", str(tmp_path / "c.npy")]) == 0
    assert np.load(tmp_path / "c.npy").shape == (1, 2, 2)
    one = [str(fitted.path), str(tmp_path / "c.npy"), "-o", str(tmp_path / "one.png")]
    assert main(["decode", *one]) == 0 and (tmp_path / "one.png").is_file()
    capsys.readouterr()
    for wrong in (
        ["encode", str(fitted.path), "digits", "-o", "codes.txt"],
        ["decode", str(fitted.path), str(out), "-o", str(tmp_path / "a.wav")],
        ["decode", str(fitted.path), str(out), "-o", str(tmp_path / "a.png")],
        ["decode", str(fitted.path), str(tmp_path / "missing.npz")],
    ):
        assert main(wrong) == 2
        told = capsys.readouterr().err.strip()
        assert "expected" in told and told.splitlines()[-1].startswith("error:")
