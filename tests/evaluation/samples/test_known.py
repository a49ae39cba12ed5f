"""Modes of data by name: counted as they are, told in the evaluation of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import load
from lowerbound.data.planar import TOYS, Blobs
from lowerbound.data.toys import STACKED, modes_of
from lowerbound.evaluation.samples import SampleQuality, sample_quality
from lowerbound.evaluation.samples.known import Stacked, known_modes


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "samples-cache"))


@pytest.mark.parametrize("name", TOYS)
def test_planar_toys_load_by_name(name: str) -> None:
    data = load(name)
    assert data.spec.kind == "vector"
    assert (len(data.train), len(data.test)) == (10_000, 2_000)
    # The same draws as the density's own: its mean log p of them is its negative entropy.
    x = data.test.all().double().numpy()
    density = TOYS[name]()
    ours, others = (density.log_prob(each) for each in (x, density.sample(20_000, seed=9)))
    error = np.hypot(ours.std() / 2000**0.5, others.std() / 20_000**0.5)
    assert abs(ours.mean() - others.mean()) < 4 * error + 1e-6
    assert load(name, limit=50).train.all().equal(load(name, limit=50).train.all())


def test_other_names_of_the_ring_and_the_grid() -> None:
    assert load("eight_gaussians", limit=10).spec.name == load("ring-of-eight", limit=10).spec.name
    shapes = [None if (d := modes_of(n)) is None else d.centres.shape for n in ("eight", "grid")]
    assert shapes == [(8, 2), (25, 2)]
    assert modes_of("moons") is None


@pytest.mark.parametrize("kept", [3, 8])
def test_samples_of_some_of_the_modes(kept: int) -> None:
    whole = modes_of("eight")
    assert whole is not None
    some = Blobs(whole.centres[:kept], whole.std)
    found = sample_quality(lambda n, seed: some.sample(n, seed=seed), load("eight"), count=2000)
    told = found.covered
    assert told is not None and told.kl is not None and told.good_error is not None
    assert (told.covered, told.modes, told.real_covered) == (kept, 8, 8)
    assert told.kl == pytest.approx(np.log(8 / kept), abs=0.01)
    inside = 1 - np.exp(-4.5)  # of a normal of the plane within three standard deviations
    assert abs(told.good - inside) < 4 * told.good_error
    assert abs(told.real_good - inside) < 4 * (inside * (1 - inside) / 2000) ** 0.5
    rows = {row.quantity: row for row in found.rows()}
    assert (rows["modes covered"].value, rows["modes covered"].unit) == (str(kept), "of 8")
    assert "2,000 test examples: 8" in rows["modes covered"].note
    again = SampleQuality.from_json(found.to_json())
    assert again.covered == told


def test_samples_beside_the_modes_are_not_good() -> None:
    found = sample_quality(
        lambda n, seed: np.zeros((n, 2)) + 0.3, load("eight"), count=1000, features="pixels"
    ).covered
    assert found is not None
    assert (found.covered, found.good, found.kl) == (0, 0.0, None)


def test_arrays_and_data_without_modes_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load("eight", limit=50)
    assert known_modes(load(data.train.all().numpy())) is None
    assert known_modes(load("ring", limit=50)) is None
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", data.train.all().numpy())
    assert known_modes(load("x.npy")) is None


def test_stacked_digits_are_a_thousand_modes() -> None:
    assert set(STACKED) == {"stacked-digits", "stacked-mnist"}
    data = load("stacked-digits")
    assert data.spec.event_shape == (3, 8, 8)
    single = load("digits")
    counts = known_modes(data)
    assert isinstance(counts, Stacked)
    random = np.random.default_rng(0)
    images = single.test.all().numpy()[:, 0]
    labels = np.asarray(single.test.labels)
    which = random.integers(len(images), size=(600, 3))
    counts.add(images[which], real=True)
    same = random.integers(len(images), size=600)
    counts.add(np.repeat(images[same][:, None], 3, 1))
    told = counts.told()
    assert told.kl is not None
    # Three times the same digit: ten modes, as far as the classifier reads the same alike.
    assert (told.modes, told.covered) == (1000, 10)
    assert told.kl == pytest.approx(np.log(100), abs=0.1)
    read = len(np.unique(labels[which] @ np.array([100, 10, 1])))
    assert abs(told.real_covered - read) < 30
    assert told.good > 0.8


def test_few_training_examples_are_told_and_are_no_floor() -> None:
    random = np.random.default_rng(0)
    data = load(random.normal(size=(75, 4)).astype(np.float32))

    def found(count: int) -> SampleQuality:
        return sample_quality(
            lambda n, seed: np.random.default_rng(seed).normal(size=(n, 4)), data, count=count
        )

    many = found(1000)
    fid = next(row for row in many.rows() if row.quantity == "FID")
    assert "1,000 samples, 15 test examples" in fid.note
    assert "; 60 training examples in their place: " in fid.note
    assert any("only 60 training examples" in note and "no floor" in note for note in many.notes)
    assert not any("no floor" in note for note in found(60).notes)
