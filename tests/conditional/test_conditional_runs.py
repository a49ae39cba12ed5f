"""Conditional runs from training to samples: what is given is what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.api import write_classes, write_completion
from lowerbound.cli.parser import parse
from lowerbound.conditioning import contexts_for, parse_given
from lowerbound.data import held_out
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import held_out_contexts

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}
QUICK |= {"progress": False, "hidden": (32,), "latent_dim": 2}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Images that are their label and little else: a bright column."""
    folder = tmp_path_factory.mktemp("labels")
    random = np.random.default_rng(0)
    where = random.choice(4, 400, p=[0.4, 0.3, 0.2, 0.1])
    images = (random.random((400, 6, 4)) < 0.05).astype(np.uint8)
    images[np.arange(400), :, where] = 1
    np.savez(folder / "columns.npz", images=images, labels=np.array([*"abcd"])[where])
    return lb.train(
        str(folder / "columns.npz"), "cvae", out=folder / "run", epochs=40, batch_size=50,
        learning_rate=1e-2, **QUICK,
    )  # fmt: skip


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Images whose right half mirrors the left: it can be known from it."""
    folder = tmp_path_factory.mktemp("halves")
    random = np.random.default_rng(0)
    left = random.integers(0, 2, (600, 1, 2)).repeat(6, 1).astype(np.uint8)
    np.savez(folder / "mirrors.npz", images=np.concatenate([left, left[:, :, ::-1]], 2) * 255)
    return lb.train(
        str(folder / "mirrors.npz"), "completion", missing=2, out=folder / "run", epochs=40,
        batch_size=50, learning_rate=1e-2, **QUICK,
    )  # fmt: skip


def test_samples_are_of_the_label_that_is_given(labels: lb.Run) -> None:
    for number, name in enumerate("abcd"):
        drawn = lb.sample(labels, 50, given={"label": name}, values="draw")
        columns = drawn[:, 0].mean((0, 1))
        assert columns.argmax() == number and columns[number] > 0.9
        assert np.delete(columns, number).max() < 0.2
    each = lb.sample(labels, 12, given="each")
    assert each[:, 0].mean(1).argmax(1).tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert np.array_equal(
        lb.sample(labels, 5, given={"label": "b"}), lb.sample(labels, 5, given=["b"])
    )


def test_without_a_word_labels_come_as_often_as_in_the_data(labels: lb.Run) -> None:
    (drawn,) = contexts_for(labels, 4000, None, seed=1)
    shares = torch.bincount(drawn, minlength=4) / 4000
    data = labels.data().train.labels
    expected = torch.bincount(torch.from_numpy(np.asarray(data)), minlength=4) / len(data)
    error = (expected * (1 - expected) / 4000).sqrt()
    assert ((shares - expected).abs() < 4 * error).all()
    assert lb.sample(labels, 7).shape == (7, 1, 6, 4)


def test_evaluation_takes_the_held_out_labels(labels: lb.Run) -> None:
    result = lb.evaluate(labels, samples=100, report=False)
    x = held_out(labels.data().test, labels.spec, 0)
    (c,) = held_out_contexts(labels.model, x, labels.data().test)
    np.testing.assert_array_equal(c, np.asarray(labels.data().test.labels))
    assert result.log_likelihood is not None and result.prior_monte_carlo is not None
    assert result.log_likelihood.samples == result.prior_monte_carlo.samples == 100
    # the label's share of the information is known: log p(x|c) is near that of the noise alone
    noise = -(0.05 * np.log(0.05) + 0.95 * np.log(0.95)) * 18
    assert abs(-result.log_likelihood.value - noise) < 1.5
    wrong = lb.evaluation.evaluate(labels.model, labels.spec, x, (c + 1) % 4, samples=20)
    assert wrong.log_likelihood is not None
    assert wrong.log_likelihood.value < result.log_likelihood.value - 10


def test_reconstructions_and_the_report(labels: lb.Run, halves: lb.Run) -> None:
    for run, pictures in (
        (labels, {"samples_of_each_class", "reconstructions", "latent_map"}),
        (halves, {"completions", "reconstructions", "latent_map"}),
    ):
        lb.evaluate(run, samples=10)
        assert pictures <= {path.stem for path in (run.path / "pictures").glob("*.png")}
        assert "manifold" not in {path.stem for path in (run.path / "pictures").glob("*.png")}
        report = (run.path / "report.html").read_text()
        assert "Monte Carlo over the prior" in report
        found = json.loads((run.path / "evaluation.json").read_text())
        assert found["prior_monte_carlo"]["samples"] == 10
    originals, found = lb.reconstruct(halves, 9)
    np.testing.assert_array_equal(originals[..., :2], found[..., :2])  # what is observed stays
    assert np.abs(originals[..., 2:] - found[..., 2:]).mean() < 25


def test_a_missing_half_is_completed_from_the_other(halves: lb.Run, tmp_path: Path) -> None:
    image = np.zeros((6, 4), np.uint8)
    image[:, 0] = 255
    image[:, 2:] = 99  # not looked at
    Image.fromarray(image).save(tmp_path / "image.png")
    found = lb.complete(halves, tmp_path / "image.png", mask="right", n=5)
    assert found.completions.shape == (5, 1, 6, 4)
    np.testing.assert_array_equal(found.completions[:, 0, :, :2], image[None, :, :2].repeat(5, 0))
    np.testing.assert_array_equal(found.missing[0], [[False, False, True, True]] * 6)
    means = found.completions[:, 0, :, 2:].mean((0, 1))
    assert means[0] < 30 and means[1] > 225
    same = lb.complete(halves, image, n=5)
    np.testing.assert_array_equal(same.completions, found.completions)
    for mask in ("quadrants:2", "right.png"):
        Image.fromarray(np.tile(np.uint8([0, 0, 255, 255]), (6, 1))).save(tmp_path / "right.png")
        named = str(tmp_path / mask) if mask.endswith("png") else mask
        again = lb.complete(halves, image, mask=named, n=5)
        np.testing.assert_array_equal(again.completions, found.completions)
    binary = lb.complete(halves, image, n=3, values="draw").completions
    assert set(np.unique(binary)) <= {0.0, 255.0}
    assert write_completion(tmp_path / "out.png", halves, found).stat().st_size > 0
    write_completion(tmp_path / "out.npy", halves, found)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), found.completions)


def test_likelihoods_are_of_the_missing_part_alone(halves: lb.Run) -> None:
    result = lb.evaluate(halves, samples=50, report=False)
    assert result.log_likelihood is not None
    assert -result.log_likelihood.value < 1.0  # it follows from the other half
    bits = -result.log_likelihood.value / (12 * np.log(2))  # of 12 missing pixels, not of 24
    assert abs(result.log_likelihood.bits_per_dim - bits) < 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "{labels}", "--given", "label=e"], "trained on (a, b, c, d), came 'e'"),
        (["sample", "{labels}", "--given", "smile=1"], "expected one label as the condition"),
        (["sample", "{labels}", "--given", "a=1,b"], "expected a condition as name=value"),
        (["sample", "{halves}", "--given", "label=a"], "expected no condition by name"),
        (["complete", "{labels}", "{image}", "--mask", "left"], "conditioned on the labels"),
        (["complete", "{halves}", "{image}", "--mask", "left"], "expected mask quadrants:2"),
        (["complete", "{halves}", "{image}", "--mask", "boxes"], "expected a mask that is fixed"),
        (["complete", "{halves}", "{image}", "--mask", "rihgt"], "did you mean 'right'?"),
        (["complete", "{halves}", "{wide}"], "expected an example of shape (1, 6, 4)"),
        (["complete", "{halves}", "none.png"], "came no such file: none.png"),
        (["complete", "{halves}", "{image}", "-o", "x.gif"], "the data are no clips, came 'x.gif'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(
    arguments: list[str], message: str, labels: lb.Run, halves: lb.Run, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((6, 4), np.uint8)).save(tmp_path / "image.png")
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "wide.png")
    places = {"labels": labels.path, "halves": halves.path}
    places |= {name: tmp_path / f"{name}.png" for name in ("image", "wide")}
    with pytest.raises(LowerboundError) as error:
        parse([word.format(**places) for word in arguments])()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_verbs_write_what_they_say(
    labels: lb.Run, halves: lb.Run, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "b.npy"
    parse(["sample", str(labels.path), "--given", "label=b", "-n", "6", "-o", str(out), "--json"])()
    assert json.loads(capsys.readouterr().out)["given"] == "label=b"
    assert np.load(out)[:, 0].mean((0, 1)).argmax() == 1
    parse(["sample", str(labels.path), "-n", "10", "-o", str(tmp_path / "all.png"), "--json"])()
    said = json.loads(capsys.readouterr().out)
    assert said["n"] == 12 and said["given"] == "each label"
    assert (tmp_path / "all.png").stat().st_size > 0
    np.save(tmp_path / "one.npy", np.zeros((6, 4), np.uint8))
    words = ["complete", str(halves.path), str(tmp_path / "one.npy"), "--json", "-n", "3"]
    parse([*words, "-o", str(tmp_path / "three.npy")])()
    assert json.loads(capsys.readouterr().out)["missing"] == 12
    assert np.load(tmp_path / "three.npy").shape == (3, 1, 6, 4)
    drawn = lb.sample(labels, 8, given="each")
    assert write_classes(tmp_path / "rows.png", labels, drawn).exists()


def test_an_unconditional_run_takes_no_condition(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    run = lb.train(data, "vae", out=tmp_path / "run", steps=2, **QUICK)
    with pytest.raises(LowerboundError, match="is conditioned on nothing, came a condition"):
        lb.sample(run, 3, given={"label": "3"})
    with pytest.raises(LowerboundError, match="expected a run of recipe completion"):
        lb.complete(run, data[0])


def test_attributes_a_table_and_any_mask(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    level = random.normal(size=1000) * 10 + 50
    rows = level[:, None] + random.normal(size=(1000, 3))
    lines = [",".join(f"{v:.4f}" for v in (*row, a)) for row, a in zip(rows, level, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["u,v,w,level", *lines]))
    run = lb.train(
        str(tmp_path / "t.csv"), "cvae", given="attributes", attributes=("level",),
        out=tmp_path / "run", steps=600, batch_size=100, learning_rate=1e-2, **QUICK,
    )  # fmt: skip
    for value in (40, 60):
        drawn = lb.sample(run, 200, given={"level": value}, values="draw")
        assert np.abs(drawn.mean(0) - value).max() < 2.5
    assert lb.sample(run, 4).shape == (4, 3)
    result = lb.evaluate(lb.Run.open(run.path), samples=200, report=False)  # reads its data anew
    assert result.log_likelihood is not None
    test = run.data().test  # the truth: three numbers of deviation 1 around the level
    assert test.attributes is not None
    noise = test.stored(np.arange(len(test))).numpy() - test.attributes
    exact = float((-0.5 * np.log(2 * np.pi) - 0.5 * noise**2).sum(1).mean())
    assert exact - 0.25 < result.log_likelihood.value < exact + 0.05
    anything = lb.train(
        str(tmp_path / "t.csv"), "completion", mask="pixels", out=tmp_path / "any", steps=800,
        batch_size=100, learning_rate=1e-2, **QUICK,
    )  # fmt: skip
    for name, mask in (
        ("left", [True, False, False, False]),
        ("right", [False, False, True, True]),
    ):
        found = lb.complete(anything, np.full(4, 60.0), mask=name, n=20)
        if name == "right":
            assert found.missing.tolist() == mask
            assert np.abs(found.completions.mean(0) - 60).max() < 2.5
    default, right = (lb.complete(anything, np.full(4, 60.0), mask=m) for m in (None, "right"))
    np.testing.assert_array_equal(default.completions, right.completions)
    # standardized columns: what is told is in the units of the table, of the missing part alone
    result = lb.evaluate(anything, samples=200, report=False)
    x = held_out(anything.data().test, anything.spec, 0)
    _, mask_ = held_out_contexts(anything.model, x, anything.data().test, seed=0)
    share = float((mask_ < 0.5).double().mean())
    assert result.log_likelihood is not None and 0.3 < share < 0.7
    told = -result.log_likelihood.value / (4 * share)  # nats for each missing number
    assert 1.4 < told < 3.8  # between the noise's entropy, 1.4, and that of a whole column, 3.7


def test_conditions_are_read_as_they_are_written() -> None:
    assert parse_given("label=cat") == {"label": "cat"}
    assert parse_given("smile=1, glasses=0") == {"smile": "1", "glasses": "0"}
    assert parse_given("1,0.5") == ["1", "0.5"]
    for text in ("a=1,b", "1,,2", ""):
        with pytest.raises(LowerboundError, match="expected a condition as name=value"):
            parse_given(text)
