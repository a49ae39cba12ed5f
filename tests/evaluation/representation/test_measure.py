"""The representation of runs: against scikit-learn on digits, with factors from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier

import lowerbound as lb
from lowerbound import plots
from lowerbound.data import held_out
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import encode_all
from lowerbound.evaluation.representation import Representation, measure

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no", "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def pca(folder: Path) -> Any:
    return lb.train("digits", "pca", latent_dim=6, out=folder / "pca", progress=False)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Twelve numbers from three factors, of 4, 3 and any values."""
    random = np.random.default_rng(0)
    v = np.stack(
        [random.integers(0, 4, 500), random.integers(0, 3, 500), random.uniform(size=500)], 1
    )
    basis, _ = np.linalg.qr(random.normal(size=(12, 3)))
    scale = np.array([6.0, 4.0, 5.0]) / v.std(0)
    x = (v - v.mean(0)) * scale @ basis.T + 0.2 * random.normal(size=(500, 12))
    return x.astype(np.float32), v


@pytest.fixture(scope="module")
def axes(folder: Path, planted: tuple[np.ndarray, np.ndarray]) -> Any:
    """PCA finds these factors: their variances differ."""
    np.save(folder / "x.npy", planted[0])
    return lb.train(
        folder / "x.npy",
        "pca",
        latent_dim=4,
        standardize=False,
        out=folder / "axes",
        progress=False,
    )


def codes(run: Any) -> tuple[np.ndarray, ...]:
    data = run.data()
    found = []
    for split in (data.train, data.test):
        x = held_out(split, run.spec)
        found += [encode_all(run.model, x, reconstruct=False).means.double().numpy(), split.labels]
    return tuple(found)


def test_accuracies_are_those_of_scikit_learns_pca(folder: Path, planted: Any) -> None:
    """Codes of the linear model are the principal components under an affine map, which whitening
    takes out."""
    x, v = planted
    whole = {"train": x, "labels": v[:, 0].astype(int)}
    run = lb.train(whole, "pca", latent_dim=3, out=folder / "labelled", progress=False)
    data = run.data()
    train, test = (
        held_out(part, run.spec).flatten(1).double().numpy() for part in (data.train, data.test)
    )
    principal = PCA(3, whiten=True, svd_solver="full").fit(train)
    train, test = principal.transform(train), principal.transform(test)
    found = measure(run)
    nearest = KNeighborsClassifier(5).fit(train, data.train.labels)
    assert found.knn == pytest.approx(nearest.score(test, data.test.labels), abs=1e-10)
    probe = LogisticRegression(max_iter=1000, tol=1e-6).fit(train, data.train.labels)
    assert found.probe == pytest.approx(probe.score(test, data.test.labels), abs=1e-10)
    assert found.examples == found.of == len(test) and found.fitted == len(train)


def test_clusters_are_those_of_scikit_learn(pca: Any) -> None:
    _, _, test, labels = codes(pca)
    groups = KMeans(10, n_init=10, random_state=0).fit(test).labels_
    found = measure(pca)
    assert found.nmi == pytest.approx(
        float(normalized_mutual_info_score(groups, labels)), abs=1e-10
    )
    assert found.ari == pytest.approx(float(adjusted_rand_score(groups, labels)), abs=1e-10)


def test_labels_are_a_factor(pca: Any) -> None:
    found = measure(pca)
    _, _, test, _ = codes(pca)
    assert found.factors == ["label"] and found.latent_dim == 6
    assert set(found.chance) == set(found.scores)
    assert found.scores["DCI informativeness"] > 0.6 > 0.2 > found.chance["DCI informativeness"]
    assert np.isnan(found.scores["modularity"])  # of one factor
    assert len(found.used) == 6 == len(test.T)
    rows = {row.quantity: row.value for row in found.rows()}
    assert rows["modularity"] == "–" and rows["k-NN accuracy"] == f"{100 * found.knn:.1f}"


def test_factors_come_from_a_file(folder: Path, axes: Any, planted: Any) -> None:
    """A row for each example as it came: those of the test split are found among them."""
    _, v = planted
    lines = [",".join(map(str, row)) for row in v.tolist()]
    (folder / "all.csv").write_text("\n".join(["shape,size,angle", *lines]) + "\n")
    found = measure(axes, factors=folder / "all.csv")
    assert found.factors == ["shape", "size", "angle"]
    assert found.scores["SAP"] > 0.6 and found.scores["FactorVAE score"] > 0.8
    for name in ("SAP", "MIG", "DCI disentanglement", "IRS"):
        assert found.scores[name] > 0.3 + found.chance[name], name
    rows = axes.data().test.rows
    other = measure(axes, factors=v[rows])  # of the test split alone
    assert other.scores == found.scores
    table = {"shape": np.array(["a", "b", "c", "d"])[v[:, 0].astype(int)], "size": v[:, 1]}
    assert measure(axes, factors=table).factors == ["shape", "size"]


def test_wrong_factors_are_refused(folder: Path, axes: Any, planted: Any) -> None:
    _, v = planted
    with pytest.raises(LowerboundError, match="100 rows, one for each test example, or 500"):
        measure(axes, factors=v[:-1])
    with pytest.raises(LowerboundError, match="no such file"):
        measure(axes, factors=folder / "none.csv")


def test_without_labels_there_are_no_accuracies(axes: Any) -> None:
    found = measure(axes)
    assert found.knn is None and not found.scores
    assert "no labels" in found.notes[0] and plots.factor_information(found) is None


def test_parts_of_the_rate_and_json(folder: Path) -> None:
    run = lb.train(
        "digits", "vae", latent_dim=4, steps=150, hidden=(32,), out=folder / "vae", **QUICK
    )
    found = measure(run, limit=200)
    assert found.examples == 200 < found.of
    assert found.rate_parts is not None and found.kl_per_dimension is not None
    parts = found.rate_parts
    whole = sum(parts[name] for name in ("mutual_information", "total_correlation", "dimension_kl"))
    used = sum(found.kl_per_dimension)
    assert abs(whole - used) < 4 * np.hypot.reduce(parts["errors"]) + 0.1 * used
    content = json.loads(json.dumps(found.to_json()))
    again = Representation.from_json(content)
    assert again.rows() == found.rows() and again.notes == found.notes
    figure = plots.factor_information(found)
    assert figure is not None
    shown = figure.axes[1].images[0].get_array()
    assert shown is not None and shown.shape == (len(found.used), 1)
    order = [found.used.index(d) for d in np.argsort(found.kl_per_dimension)[::-1]]
    share = np.array(found.information)[order] / np.array(found.entropies)
    np.testing.assert_allclose(np.asarray(shown), share)


def test_a_collapsed_code_is_told(folder: Path) -> None:
    run = lb.train(
        "digits", "beta-vae", beta=1000.0, latent_dim=2, steps=120, hidden=(16,),
        out=folder / "collapsed", **QUICK,
    )  # fmt: skip
    found = measure(run)
    assert found.used == [] and not found.scores and found.knn is None
    assert "posterior collapse" in found.notes[0]
    assert plots.factor_information(found) is None


def test_a_mixtures_index_is_a_cluster(folder: Path) -> None:
    run = lb.train(
        "digits", "gaussian-mixture", components=10, out=folder / "mixture", progress=False
    )
    found = measure(run)
    data = run.data()
    index = encode_all(run.model, held_out(data.test, run.spec), reconstruct=False).means[:, 0]
    assert found.nmi == pytest.approx(
        float(normalized_mutual_info_score(index.numpy(), data.test.labels)), abs=1e-10
    )
    assert found.knn is None and found.factors == ["label"]
