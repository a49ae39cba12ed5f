"""Maps of data: their scores against scikit-learn's, and against what they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import lowerbound as lb
from lowerbound import cli
from lowerbound.bounds import squared_error
from lowerbound.data import DataSpec, held_out, load
from lowerbound.embedding import Embedding, draw, embed
from lowerbound.errors import LowerboundError
from lowerbound.evaluation.probes import score, whitened
from lowerbound.recipes import autoencoder

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


def digits() -> tuple[Tensor, np.ndarray, Tensor, np.ndarray]:
    data = load("digits", likelihood="none")
    assert data.train.labels is not None and data.test.labels is not None
    train, test = (
        held_out(part, data.spec).flatten(1).double() for part in (data.train, data.test)
    )
    return train, data.train.labels, test, data.test.labels


def wine() -> tuple[Tensor, np.ndarray, Tensor, np.ndarray]:
    found: Any = load_wine()
    order = np.random.default_rng(0).permutation(len(found.data))
    x, labels = StandardScaler().fit_transform(found.data)[order], found.target[order]
    return torch.from_numpy(x[:120]), labels[:120], torch.from_numpy(x[120:]), labels[120:]


def test_a_linear_autoencoders_accuracies_are_those_of_pca() -> None:
    """Trained to convergence, its codes are those of PCA under an invertible affine map."""
    train, labels, test, test_labels = wine()
    latent = 3
    torch.manual_seed(0)
    mean, std = train.mean(0).float().numpy(), train.std(0).float().numpy()
    spec = DataSpec("wine", "vector", (13,), "real", mean=mean, std=std)
    model: Any = autoencoder(spec, latent_dim=latent, hidden=()).model.double()
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=4000,
        max_eval=8000,
        tolerance_grad=1e-11,
        tolerance_change=1e-15,
        history_size=50,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = squared_error(model, train).loss
        loss.backward()
        return loss

    optimizer.step(closure)
    reference = PCA(latent).fit(train.numpy())
    left = np.square(
        train.numpy() - reference.inverse_transform(reference.transform(train.numpy()))
    )
    assert abs(float(closure().detach()) - left.sum(1).mean()) < 1e-7
    with torch.no_grad():
        codes = [model.encode(x).mean.numpy() for x in (train, test)]
    theirs = [reference.transform(x.numpy()) for x in (train, test)]
    for neighbours in (1, 5, 10):
        found = score(codes[0], labels, codes[1], test_labels, neighbours)
        assert found == score(theirs[0], labels, theirs[1], test_labels, neighbours)
    # ... and these are what scikit-learn makes of its own, whitened, embedding
    white = PCA(latent, whiten=True).fit(train.numpy())
    known = KNeighborsClassifier(5).fit(white.transform(train.numpy()), labels)
    probe = LogisticRegression(max_iter=1000, tol=1e-6)
    probe.fit(white.transform(train.numpy()), labels)
    again = score(codes[0], labels, codes[1], test_labels, 5)
    assert again[0] == pytest.approx(known.score(white.transform(test.numpy()), test_labels))
    assert again[1] == pytest.approx(probe.score(white.transform(test.numpy()), test_labels))


def test_whitening_forgets_every_affine_map() -> None:
    random = np.random.default_rng(0)
    codes, others = random.normal(size=(200, 3)) * [5, 1, 0.1], random.normal(size=(50, 3))
    (train,) = whitened(codes)
    np.testing.assert_allclose(np.cov(train.T, bias=True), np.eye(3), atol=1e-10)
    mixing, shift = random.normal(size=(3, 3)), random.normal(size=3)
    _, here = whitened(codes, others)
    _, there = whitened(codes @ mixing + shift, others @ mixing + shift)
    distances = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (here, there)]
    np.testing.assert_allclose(*distances, atol=1e-8)
    flat = np.c_[codes, codes[:, 0]]  # a direction that never varies is none
    assert whitened(flat)[0].shape == (200, 3)


@pytest.fixture(scope="module")
def maps() -> Embedding:
    torch.set_num_threads(1)
    methods = ("pca", "lda", "autoencoder", "vae")
    return embed("digits", methods, seeds=2, epochs=12, learning_rate=1.5e-3, **QUICK)


def test_the_scores_of_pca_are_scikit_learns(maps: Embedding) -> None:
    train, labels, test, test_labels = digits()
    model = PCA(2).fit(train.numpy())
    codes = model.transform(test.numpy())
    (found,) = maps.maps[0].scores
    left = np.square(test.numpy() - model.inverse_transform(codes)).sum(1).mean()
    assert found.squared_error == pytest.approx(left, rel=1e-5)
    white = PCA(2, whiten=True).fit(train.numpy()).transform(test.numpy())
    expected = trustworthiness(test.numpy(), white, n_neighbors=5)
    assert found.trustworthiness == pytest.approx(expected, abs=1e-3)
    knn, _ = score(model.transform(train.numpy()), labels, codes, test_labels)
    assert found.knn == pytest.approx(knn, abs=0.01)
    np.testing.assert_allclose(np.abs(maps.maps[0].points), np.abs(codes), atol=1e-4)


def test_every_method_beats_chance_and_is_measured_as_often_as_it_is_trained(
    maps: Embedding,
) -> None:
    assert [len(each.scores) for each in maps.maps] == [1, 1, 2, 2]
    rows: dict[str, Any] = {row.method: row for row in maps.rows()}
    for row in rows.values():
        assert row.knn is not None and row.probe is not None and row.trustworthiness is not None
        assert row.knn[0] > 0.3 and row.probe[0] > 0.2 and row.trustworthiness[0] > 0.6
        assert (row.knn[1] is None) == (row.method in ("pca", "lda"))
    assert rows["lda"].squared_error is None
    # in units of x, whatever the method's own: the mean image alone is 4.7 away
    for name in ("pca", "autoencoder", "vae"):
        assert 2.0 < rows[name].squared_error[0] < 4.5
    assert rows["lda"].probe[0] > rows["pca"].probe[0]  # it has seen the labels
    one, two = maps.maps[2].scores
    assert one != two
    assert all(each.points.shape == (359, 2) for each in maps.maps)


def test_the_figure_names_methods_accuracies_and_classes(maps: Embedding, tmp_path: Path) -> None:
    figure = maps.figure()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    knn = maps.rows()[0].knn
    assert knn is not None
    assert titles[0] == f"PCA: k-NN {100 * knn[0]:.1f} %"
    assert [title.partition(":")[0] for title in titles] == ["PCA", "LDA", "autoencoder", "VAE"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list("0123456789")
    drawn: list[Any] = [axes.collections[0] for axes in figure.axes[:2]]
    colours = [points.get_facecolors() for points in drawn]
    np.testing.assert_array_equal(*colours)  # the same example has the same colour everywhere
    path = draw(maps, tmp_path / "a" / "maps.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(LowerboundError, match=r"ends in .png, came 'maps.pdf'"):
        draw(maps, "maps.pdf")


def test_two_classes_have_one_discriminant_and_many_labels_a_scale() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 300)
    x = random.normal(size=(300, 6)).astype(np.float32) + labels[:, None]
    found = embed({"data": x, "labels": labels}, ["lda", "pca"])
    assert [each.points.shape[1] for each in found.maps] == [1, 2]
    lda = found.rows()[0]
    assert lda.knn is not None and lda.knn[0] > 0.8
    assert len(found.figure().axes) == 2
    many = embed({"data": x, "labels": random.integers(0, 30, 300)}, ["pca"])
    assert many.figure().axes[-1].get_ylabel() == "label"


def test_without_labels_lda_is_left_out_or_refused() -> None:
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    found = embed(x, epochs=1, **QUICK)
    assert [each.method for each in found.maps] == ["pca", "autoencoder", "vae"]
    assert found.notes == ["no labels: lda is left out, and there are no accuracies"]
    row = found.rows()[0]
    assert row.knn is None and row.probe is None and row.trustworthiness is not None
    assert found.figure().axes[0].get_title(loc="left") == "PCA"
    with pytest.raises(LowerboundError, match=r"lda: expected data with labels, .* came none"):
        embed(x, ["lda", "vae"])


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        (["pcaa"], {}, "unknown method 'pcaa'; did you mean 'pca'?"),
        (["masked-tokens"], {}, "unknown method 'masked-tokens'"),
        ([], {}, "methods: expected one or more of pca, lda"),
        (["pca"], {"latent_dim": 0}, "expected latent_dim, seeds and neighbours of at least 1"),
        (["pca"], {"latent_dim": 70}, "pca: expected at most 64 dimensions, came 70"),
        (["pca"], {"epoch": 3}, "unknown option 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_bad_input_is_one_line(methods: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        lb.embed("digits", methods, **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_categories_have_no_distances() -> None:
    tokens = np.random.default_rng(0).integers(0, 5, (100, 6))
    with pytest.raises(LowerboundError, match="expected numbers, between which"):
        embed(tokens)


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["embed", "digits", "--methods", "pca,lda", "--limit", "300", "-o", "maps.png"]
    assert cli.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["method"] for each in told["maps"]] == ["pca", "lda"]
    assert told["out"] == "maps.png" and Path("maps.png").exists()
    assert cli.main(["embed", "digits", "--methods", "pca", "--limit", "300"]) == 0
    shown = capsys.readouterr()
    knn = f"{100 * told['maps'][0]['scores'][0]['knn']:.1f} %"
    assert knn in shown.out and "digits-maps.png" in shown.out and "pca" in shown.err
    assert cli.main(["embed", "digits", "-o", "maps.pdf"]) == 2
    assert "expected a name that ends in .png" in capsys.readouterr().err
