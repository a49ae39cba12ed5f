"""Feature networks, their cache, and whole measurements of models whose answer is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.data import load
from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import (
    SampleQuality,
    View,
    classifier,
    data_classifier,
    frechet,
    network,
    refuse_mixed,
    sample_quality,
    train_classifier,
)
from lowerbound.evaluation.samples.cache import folder
from lowerbound.evaluation.samples.features import INCEPTION


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for all of these tests."""
    place = tmp_path_factory.getbasetemp() / "samples-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place


@pytest.fixture(scope="module")
def digits() -> lb.Data:
    return load("digits")


def test_the_classifier_of_digits_is_right_and_the_same_again(
    digits: lb.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = data_classifier(digits)
    assert found.accuracy is not None and found.accuracy >= 0.97
    view = View(digits)
    x = view.take(digits.test, np.arange(len(digits.test)))
    assert found.score(x, digits.test.labels) == found.accuracy
    np.testing.assert_allclose(found.proba(x).sum(1), 1.0, atol=1e-5)
    # Features are the layer that the scores are linear in, in a unit of their own.
    scores = found.features(x) * float(found.unit) @ found.scores.weight.T.numpy()
    scores = scores + found.scores.bias.numpy()
    np.testing.assert_array_equal(scores.argmax(1), found.predict(x))
    # From the cache: nothing is trained.
    monkeypatch.setattr(classifier, "train_classifier", None)
    again = data_classifier(digits)
    assert again.fingerprint == found.fingerprint and again.accuracy == found.accuracy


def test_a_classifier_is_a_function_of_its_seed_and_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = torch.Generator().manual_seed(0)
    y = torch.arange(120) % 3
    monkeypatch.setattr(classifier, "_PASSES", (10, 10))
    for shape in ((1, 5, 9), (3, 20, 13), (4,), (3, 80, 70)):
        x = torch.rand(120, *shape, generator=random)
        x[torch.arange(120), y % shape[0]] += y.reshape(-1, *(1,) * (len(shape) - 1)).float()
        if shape == (3, 80, 70):
            x, y = x[:12], y[:12]
        one, two = (train_classifier(x, y, seed=4) for _ in range(2))
        assert one.fingerprint == two.fingerprint and one.features(x).shape == (len(x), 128)
        assert one.features(x).var(0).mean() == pytest.approx(1.0, rel=0.05)
    other = train_classifier(x, y, seed=5)
    assert other.fingerprint != one.fingerprint
    with pytest.raises(LowerboundError, match=r"shape \(3, 80, 70\), as the classifier was"):
        one.predict(torch.zeros(2, 3, 8, 8))
    with pytest.raises(LowerboundError, match="two classes or more, came 1"):
        train_classifier(x, torch.zeros(len(x)))
    with pytest.raises(LowerboundError, match="a label for each of 12 examples"):
        train_classifier(x, y[:5])


def test_the_random_state_of_the_caller_stays() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train_classifier(torch.rand(30, 2, generator=torch.Generator()), torch.arange(30) % 2)
    torch.testing.assert_close(torch.rand(4), expected)


def test_features_are_named_and_kept(digits: lb.Data) -> None:
    view = View(digits)
    assert network("auto", digits, view).name == "classifier"
    pca, pixels = network("pca", digits, view), network("pixels", digits, view)
    rows = np.arange(50)
    one = pca.of_split(view, digits.test, rows, "test examples")
    files = set(folder().iterdir())
    again = pca.of_split(view, digits.test, rows, "test examples")
    np.testing.assert_array_equal(one.values, again.values)
    assert set(folder().iterdir()) == files and one.of == "50 test examples"
    # Another network, or other examples, are another entry.
    pixels.of_split(view, digits.test, rows, "test examples")
    pca.of_split(view, digits.test, rows + 1, "test examples")
    assert len(set(folder().iterdir()) - files) == 2
    with pytest.raises(LowerboundError, match="features of one network"):
        frechet(one, pixels.of(view.take(digits.test, rows)))
    # All components together turn the pixels and change no distance.
    whole = pixels.of(view.take(digits.test, np.arange(300)))
    turned = pca.of(view.take(digits.test, np.arange(300)))
    half = slice(0, 150)
    assert frechet(whole.values[half], whole.values[150:]).value == pytest.approx(
        frechet(turned.values[half], turned.values[150:]).value, rel=1e-6
    )


def test_what_cannot_be_had_is_refused_in_a_line(
    digits: lb.Data, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOWERBOUND_DATA", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(LowerboundError, match=f"Inception's weights, {INCEPTION}") as caught:
        network("inception", digits)
    assert "\n" not in str(caught.value) and "pass features classifier" in str(caught.value)
    with pytest.raises(LowerboundError, match="unknown features 'clasifier'; did you mean"):
        network("clasifier", digits)
    unlabelled = load(np.random.default_rng(0).normal(size=(60, 3)))
    assert network("auto", unlabelled).name == "pca"
    with pytest.raises(LowerboundError, match=r"came none in .*; pass features pca or pixels"):
        network("classifier", unlabelled)
    with pytest.raises(LowerboundError, match="at least 10 samples, came 3"):
        sample_quality(lambda n, seed: np.zeros((n, 1, 8, 8)), digits, count=3)
    with pytest.raises(LowerboundError, match="finite samples"):
        sample_quality(
            lambda n, seed: np.full((n, 1, 8, 8), np.nan), digits, features="pixels", count=20
        )


def test_real_images_in_the_place_of_samples_and_a_model_that_copies(digits: lb.Data) -> None:
    """The training split: FID as low as its floor, and every sample a copy."""
    stored = digits.train.all().numpy()

    def copies(n: int, seed: int) -> np.ndarray:
        return stored[np.random.default_rng(seed).integers(len(stored), size=n)]

    found = sample_quality(copies, digits, count=1000)
    assert found.features == "classifier" and found.samples == 1000 and found.reference == 360 - 1
    assert found.fid.real is not None
    assert abs(found.fid.value - found.fid.real) < 4 * found.fid.standard_error  # ty: ignore
    assert found.precision.value > 0.8 and found.coverage.value > 0.9
    assert found.copies is not None and found.copies.copying and found.copies.copies > 0.99
    assert found.classes is not None and found.classes.covered == 10 and found.classes.kl < 0.02
    assert any("the model copies" in note for note in found.notes)
    assert found.neighbours is not None
    np.testing.assert_array_equal(found.neighbours.samples, found.neighbours.train)
    # Rows and JSON say by what, of how many, and against which split.
    text = " ".join(" ".join(row) for row in found.rows())
    assert "classifier" in text and "1,000 samples, 359 test examples" in text
    again = SampleQuality.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found


def test_noise_and_one_class_are_seen(digits: lb.Data) -> None:
    def noise(n: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).uniform(0, 16, (n, 1, 8, 8))

    found = sample_quality(noise, digits, count=200, features="pca")
    assert found.fid.value > 20 * found.fid.real  # ty: ignore
    assert found.precision.value < 0.05 and found.coverage.value < 0.1
    assert found.sharpness is not None
    assert found.sharpness.value > 1.4 * found.sharpness.real  # ty: ignore
    assert found.copies is not None and not found.copies.copying
    ones = digits.test.all().numpy()[digits.test.labels == 1]
    one = sample_quality(lambda n, seed: ones[np.arange(n) % len(ones)], digits, count=200)
    assert one.classes is not None and one.classes.covered <= 2
    assert one.classes.kl == pytest.approx(np.log(10), abs=0.2) and one.recall.value < 0.2
    with pytest.raises(LowerboundError, match="by the same features, came pca and classifier"):
        refuse_mixed([found, one])
    fewer = sample_quality(noise, digits, count=100, features="pca")
    with pytest.raises(LowerboundError, match="by the same reference examples, came 200 and 100"):
        refuse_mixed([found, fewer])


def test_vectors_are_measured_in_standard_deviations() -> None:
    """Columns of other units change nothing; samples of the same normal are like the data."""
    random = np.random.default_rng(2)
    factor = random.normal(size=(3, 3))
    x = random.normal(size=(900, 3)) @ factor
    units = np.array([1.0, 1000.0, 0.01])
    new = random.normal(size=(500, 3)) @ factor
    found = [
        sample_quality(lambda n, seed, u=u: new[:n] * u, load(x * u), count=500, features="pixels")
        for u in (np.ones(3), units)
    ]
    for a, b in (("fid", "fid"), ("kid", "kid"), ("recall", "recall")):
        one, two = getattr(found[0], a).value, getattr(found[1], b).value
        assert one == pytest.approx(two, rel=1e-3, abs=1e-5)
    assert abs(found[0].kid.value) < 4 * found[0].kid.standard_error  # ty: ignore
    assert found[0].sharpness is None and found[0].classes is None
    assert found[0].copies is not None and not found[0].copies.copying


def test_another_runs_scales_do_not_come_back_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns are scaled by the training data; the test split is that of both tables."""
    random = np.random.default_rng(3)
    train, test, made = (random.normal(size=(n, 3)) for n in (400, 300, 300))
    outliers = train.copy()
    outliers[:3] = 60.0
    tables = [load({"train": t, "test": test}) for t in (train, outliers)]

    def fid(data: lb.Data) -> float:
        return sample_quality(
            lambda n, seed: made[:n], data, count=300, features="pixels"
        ).fid.value

    alone = []
    for number, data in enumerate(tables):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(number)))
        alone.append(fid(data))
    known = []
    for t in (train, outliers):
        shift, scale = t.mean(0), t.std(0)
        known.append(frechet((made - shift) / scale, (test - shift) / scale).value)
    assert alone == pytest.approx(known, rel=1e-4) and alone[0] > 5 * alone[1]
    assert [fid(data) for data in reversed(tables)] == alone[::-1]  # one cache for both
    one, two = (network(name, data) for name in ["pixels"] for data in tables)
    with pytest.raises(LowerboundError, match="two networks called pixels"):
        frechet(one.of(torch.zeros(9, 3)), two.of(torch.zeros(9, 3)))


def test_the_classifier_of_another_view_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "_PASSES", (2, 2))
    random = np.random.default_rng(4)
    data = load({"x": random.normal(size=(90, 3)), "labels": np.arange(90) % 2})
    one, two = View(data), View(data)
    two.scale = 7.0 * two.scale
    assert data_classifier(data, one).fingerprint == data_classifier(data, View(data)).fingerprint
    assert data_classifier(data, one).fingerprint != data_classifier(data, two).fingerprint
    assert network("pca", data, one).fingerprint != network("pca", data, two).fingerprint


def test_samples_of_other_data_are_not_put_beside_these() -> None:
    """Neither by the name of the data nor, where names are the same, by the examples."""
    random = np.random.default_rng(5)
    made = random.normal(size=(50, 3))
    found = [
        sample_quality(lambda n, seed: made[:n], load(x), count=50, features="pixels")
        for x in random.normal(size=(2, 300, 3))
    ]
    assert found[0].data == found[1].data
    with pytest.raises(LowerboundError, match="the same test examples, came those of") as caught:
        refuse_mixed(found)
    assert "\n" not in str(caught.value)
    refuse_mixed([found[0], replace(found[0], data="under another name")])
    old = SampleQuality.from_json(
        {k: v for k, v in found[0].to_json().items() if k != "split_fingerprint"}
    )
    refuse_mixed([old, found[0]])
    with pytest.raises(LowerboundError, match=r"those of .* \(unknown\) and digits \("):
        refuse_mixed([old, replace(found[0], data="digits")])


def test_a_run_is_measured_and_pictured(tmp_path: Path) -> None:
    from lowerbound.sample_quality import measure

    run = lb.train(
        "digits",
        "vae",
        latent_dim=4,
        steps=150,
        out=tmp_path / "run",
        progress=False,
        compile="no",
    )
    seen: list[tuple[int, int]] = []
    found = measure(run, count=60, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (60, 60) and found.drawn == "means of the likelihood"
    assert (run.pictures / "neighbours.png").read_bytes().startswith(b"\x89PNG")
    # Other draws are other numbers; the same seed gives the same.
    assert measure(run, count=60).fid == found.fid
    assert measure(run, count=60, seed=1).fid != found.fid


def test_runs_that_sample_nothing_are_refused_in_a_line(tmp_path: Path) -> None:
    from lowerbound.sample_quality import measure

    run = lb.train(
        "digits", "autoencoder", latent_dim=4, steps=2, out=tmp_path / "ae", progress=False
    )
    with pytest.raises(LowerboundError, match="no prior to draw codes from") as caught:
        measure(run)
    assert "\n" not in str(caught.value)
