"""Autoregressive models of data, and fitted priors, through the verbs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound import cli
from lowerbound.data import held_out
from lowerbound.drawing import given_options
from lowerbound.errors import LowerboundError

QUICK: dict[str, Any] = {
    "threads": 1,
    "precision": "float32",
    "compile": "no",
    "tensorboard": "no",
    "progress": False,
}
SMALL: dict[str, dict[str, Any]] = {
    "pixelcnn": {"width": 8, "layers": 2},
    "transformer": {"width": 16, "layers": 1},
    "wavenet": {"width": 8, "depth": 3, "stacks": 1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of labels, of none, and two-stage on codes."""
    folder = tmp_path_factory.mktemp("runs")
    lb.train("digits", "pixelcnn", out=folder / "labels", given="labels", drop=0.2, steps=120,
             **SMALL["pixelcnn"], **QUICK)  # fmt: skip
    lb.train("digits", "wavenet", out=folder / "none", steps=2, output="logistic", components=3,
             **SMALL["wavenet"], **QUICK)  # fmt: skip
    lb.train("digits", "vq-vae", out=folder / "codes", channels=8, blocks=0, downsampling=2,
             quantizer={"name": "vq", "levels": 8}, steps=30, **QUICK)  # fmt: skip
    lb.train("digits", "two-stage", out=folder / "two", base=str(folder / "codes"), given="labels",
             prior={"name": "pixelcnn", **SMALL["pixelcnn"]}, steps=200, learning_rate=1e-2,
             **QUICK)  # fmt: skip
    return folder


def test_log_p_is_exact_and_of_the_stored_values(runs: Path) -> None:
    for name, given in (("labels", "label"), ("none", None)):
        run = lb.open_run(runs / name)
        found = lb.evaluate(run, report=False)
        x = held_out(run.data().test, run.spec, 0)
        labels = run.data().test.labels
        context = () if given is None else (torch.as_tensor(np.asarray(labels)),)
        model: Any = run.model
        with torch.no_grad():
            log_p = model.log_prob(x, *context).double()
        likelihood = found.log_likelihood
        assert likelihood is not None and likelihood.kind == "exact" and found.given == given
        assert likelihood.value == pytest.approx(float(log_p.mean()), rel=1e-6)
        bits = -float(log_p.mean()) / (64 * math.log(2))
        assert likelihood.bits_per_dim == pytest.approx(bits, rel=1e-6)
        assert bits < math.log2(17) * 1.3  # of 17 levels; hardly trained
        assert found.rate is None and found.distortion is None


def test_samples_are_levels_and_follow_what_is_asked(runs: Path) -> None:
    run = lb.open_run(runs / "labels")
    plain = lb.sample(run, 20, given="each")
    assert plain.shape == (20, 1, 8, 8)
    assert set(np.unique(plain)) <= set(range(17))
    assert np.array_equal(plain, lb.sample(run, 20, given="each", values="draw"))
    greedy = [lb.sample(run, 3, given={"label": 3}, temperature=0.0, seed=s) for s in (0, 1)]
    assert np.array_equal(*greedy) and np.array_equal(greedy[0][0], greedy[0][1])
    assert np.array_equal(greedy[0], lb.sample(run, 3, given=3, top_k=1, seed=7))
    assert not np.array_equal(plain, lb.sample(run, 20, given="each", guidance=5.0))
    assert np.array_equal(plain, lb.sample(run, 20, given="each", guidance=1.0, top_p=1.0))


def test_the_label_matters_more_with_guidance(runs: Path) -> None:
    """Under the model itself: log p(x|c) − log p(x) of samples rises with the guidance."""
    run = lb.open_run(runs / "labels")
    model: Any = run.model
    labels = torch.arange(10).repeat_interleave(20)
    gains = []
    for guidance in (1.0, 4.0):
        drawn = lb.sample(run, 200, given="each", guidance=guidance)
        x = torch.from_numpy(drawn).float() / 16
        q = model.likelihood(labels)
        with torch.no_grad():
            given = q.log_prob(x)
            free = type(q)(
                q.network, (1, 8, 8), *q.free, heads=True, scale=16, output=q.output
            ).log_prob(x)
        gains.append(given - free)
    error = (gains[0].var() / 200 + gains[1].var() / 200).sqrt()
    assert gains[1].mean() - gains[0].mean() > 4 * error


def test_a_prior_of_labels_is_fitted_to_unconditional_codes(runs: Path) -> None:
    run, base = lb.open_run(runs / "two"), lb.open_run(runs / "codes")
    model: Any = run.model
    plain: Any = base.model
    x = held_out(run.data().test, run.spec, 0)
    labels = torch.as_tensor(np.asarray(run.data().test.labels))
    with torch.no_grad():
        codes = model.encode(x, labels).point
        assert torch.equal(codes, plain.encode(x).point)
        rate = -model.prior(labels).log_prob(codes)
        wrong = -model.prior((labels + 1) % 10).log_prob(codes)
        decoded = model.decode(codes, labels).log_prob(x)
        torch.testing.assert_close(decoded, plain.decode(codes).log_prob(x))
    assert rate.mean() < 0.9 * plain.uniform_rate
    apart = wrong - rate
    assert apart.mean() > 4 * apart.std() / math.sqrt(len(apart))
    found = lb.evaluate(run, report=False)
    assert found.rate == pytest.approx(float(rate.double().mean()), rel=1e-5)
    assert found.uniform_rate == pytest.approx(16 * math.log(8))
    assert found.bound is not None
    assert found.bound.value == pytest.approx(float((decoded - rate).double().mean()), rel=1e-5)
    sampled = [lb.sample(run, 10, given="each", temperature=t) for t in (1.0, 0.2)]
    assert sampled[0].shape == (10, 1, 8, 8) and not np.array_equal(*sampled)


def test_the_verb(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    run, out = str(runs / "labels"), "s.npy"
    flags = ["--temperature", "0.5", "--top-k", "3", "--top-p", "0.9", "--guidance", "2"]
    assert (
        cli.main(["sample", run, "-n", "4", "--given", "label=3", *flags, "-o", out, "--json"]) == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["values"] == "draw" and report["top_k"] == 3 and report["guidance"] == 2.0
    assert np.load(out).shape == (4, 1, 8, 8)
    assert cli.main(["sample", run, "-o", "s.png"]) == 0
    assert Path("s.png").stat().st_size > 1000
    two = str(runs / "two")
    assert cli.main(["sample", two, "-n", "4", "--given", "3", *flags, "-o", out]) == 0
    capsys.readouterr()
    cases = [
        ([run, "--values", "mean"], "expected draw of AutoregressiveModel"),
        ([run, "--top-p", "0"], "--top-p: expected a number above 0 and at most 1, came 0"),
        ([run, "--given", "label=x"], "a label that the model was trained on"),
        ([str(runs / "none"), "--guidance", "2"], "guidance: expected 1 without a condition"),
        ([str(runs / "codes"), "--temperature", "0.5"], "something autoregressive to draw with it"),
        ([str(runs / "codes"), "--guidance", "3"], "something conditional autoregressive"),
    ]
    for arguments, message in cases:
        assert cli.main(["sample", *arguments, "-o", out]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_data_that_do_not_fit_are_refused() -> None:
    random = np.random.default_rng(0)
    tokens, real = random.integers(0, 5, (40, 6)), random.normal(size=(40, 6)).astype(np.float32)
    binary = random.integers(0, 2, (40, 4, 4)).astype(np.uint8)
    sound = random.integers(0, 5000, (40, 6)).astype(np.int64)
    cases: list[tuple[Any, str, dict[str, Any], str]] = [
        (tokens, "pixelcnn", {}, "pixelcnn: expected images, came tokens"),
        (real, "wavenet", {}, "expected whole numbers, levels or binary values, came real"),
        (tokens - 1, "transformer", {}, "levels .* came whole numbers from -1; number them from 0"),
        (tokens, "transformer", {"given": "labels"}, "expected data with labels, came"),
        (tokens, "transformer", {"width": 30}, "a multiple of 4 attention heads"),
        (binary, "pixelcnn", {"output": "logistic"}, "expected levels, which are ordered"),
        (tokens, "wavenet", {"output": "logistic"}, "expected levels, which are ordered"),
        (binary, "pixelcnn", {"kernel": 4}, "an odd kernel"),
        ({"train": sound}, "vae", {"prior": "pixelcnn"}, "expected codes that are whole numbers"),
    ]
    for data, recipe, options, message in cases:
        with pytest.raises(LowerboundError, match=message):
            lb.train(data, recipe, steps=1, **options, **QUICK)


def test_binary_images_and_tokens_are_levels_too(tmp_path: Path) -> None:
    """log p of binary images and of tokens, of untrained models: near that of uniform ones."""
    random = np.random.default_rng(0)
    binary = random.integers(0, 2, (60, 4, 4)).astype(np.uint8)
    tokens = random.integers(0, 7, (60, 9))
    for data, name, uniform in ((binary, "pixelcnn", 16 * math.log(2)),
                                (tokens, "transformer", 9 * math.log(7)),
                                (tokens, "wavenet", 9 * math.log(7))):  # fmt: skip
        run = lb.train(data, name, out=tmp_path / f"{name}", steps=1, **SMALL[name], **QUICK)
        found = lb.evaluate(run, report=False).log_likelihood
        assert found is not None and found.kind == "exact"
        assert found.value == pytest.approx(-uniform, rel=0.1)
        drawn = lb.sample(run, 30)
        assert drawn.shape[1:] == run.spec.event_shape
        assert set(np.unique(drawn)) <= set(range(7 if name != "pixelcnn" else 2))


def test_options_that_are_as_by_default_are_left_out() -> None:
    assert given_options() == {} == given_options(1, None, 1.0, 1)
    assert given_options(0.0, 1, 0.9, 0.0) == {
        "temperature": 0.0,
        "top_k": 1,
        "top_p": 0.9,
        "guidance": 0.0,
    }
