"""The same data mapped by several methods, side by side: PCA, LDA, autoencoder, VAE, ….

>>> import lowerbound as lb
>>> found = lb.embed("digits", ("pca", "lda"))
>>> [row.method for row in found.rows()]
['pca', 'lda']
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from . import recipes
from .data import Data, Prepare, held_out, load
from .errors import LowerboundError, nearest
from .evaluation import encode_all
from .evaluation.probes import score, whitened
from .options import check, options_of
from .runs import CHOICES
from .training.fit import fit
from .training.options import BATCH, resolve, training_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

METHODS = ("pca", "lda", "autoencoder", "vae")
_TRUSTED = 2000  # examples for trustworthiness, which needs all their distances
_DRAWN = 3000
_ROWS = 1000


class Scores(NamedTuple):
    """How good a map is, from codes whitened on the training data (see :func:`embed`).

    Attributes:
        knn: share of test examples whose label is that of most of their nearest training codes.
        probe: share that a logistic regression on the training codes labels rightly.
        trustworthiness: of the test codes' neighbourhoods, in [0, 1].
        squared_error: of the test data's reconstructions, summed over a datum, in units of x (in
            [0, 1], or standardized); None where a method does not reconstruct.
    """

    knn: float | None
    probe: float | None
    trustworthiness: float | None
    squared_error: float | None


class Row(NamedTuple):
    """A line of the table: mean and, of several seeds, sample standard deviation."""

    method: str
    knn: tuple[float, float | None] | None
    probe: tuple[float, float | None] | None
    trustworthiness: tuple[float, float | None] | None
    squared_error: tuple[float, float | None] | None


@dataclass(frozen=True)
class Map:
    """What one method made of the data.

    Attributes:
        method: its name.
        points: codes of the test examples, ``(N, latent)``, of the first seed, as they are.
        scores: one for each seed; of a method without chance just one.
    """

    method: str
    points: Array
    scores: list[Scores]


@dataclass(frozen=True)
class Embedding:
    """What :func:`embed` returns.

    Attributes:
        data: what the data are called.
        maps: one for each method.
        labels: of the test examples, ``(N,)``, or None.
        classes: their names, or None.
        notes: what there is to say beside the table.
        settings: what it was called with.
    """

    data: str
    maps: list[Map]
    labels: Array | None
    classes: tuple[str, ...] | None
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """The table."""
        found = []
        for each in self.maps:
            columns = (_mean([getattr(s, name) for s in each.scores]) for name in Scores._fields)
            found.append(Row(each.method, *columns))
        return found

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; the points are left out."""
        maps = [
            {"method": m.method, "scores": [score._asdict() for score in m.scores]}
            for m in self.maps
        ]
        return {
            "format": 1,
            "data": self.data,
            "maps": maps,
            "notes": self.notes,
            "settings": self.settings,
        }

    def figure(self) -> Figure:
        """The maps side by side, coloured by label, each with its k-NN accuracy."""
        from . import plots
        from .latent import latent_map

        count = len(self.maps[0].points)
        # Shuffled, for the examples of a folder come class by class.
        chosen = np.random.default_rng(0).permutation(count)[:_DRAWN]
        labels = None if self.labels is None else self.labels[chosen]
        panels = [
            (_title(row), latent_map(each.points[chosen]).points)
            for row, each in zip(self.rows(), self.maps, strict=True)
        ]
        title = f"{self.data}: {count:,} held-out examples"
        if any(each.points.shape[1] > 2 for each in self.maps):
            title += ", codes along their first two principal axes"
        return plots.side_by_side(panels, labels, self.classes, title)


def embed(
    data: Any,
    methods: Sequence[str] | None = None,
    *,
    latent_dim: int = 2,
    seeds: int = 1,
    neighbours: int = 5,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> Embedding:
    """Map data by several methods, and measure the maps on held-out examples.

    Codes of an autoencoder have no axes and no scale of their own, so that distances between them
    mean nothing as they stand. Before they are scored, the codes of every method are whitened by
    mean and covariance of its training codes: what is measured does not change under any invertible
    affine map of the code space. The pictures show the codes as they are.

    Args:
        data: data, or what `load` takes.
        methods: ``pca``, ``lda`` (Fisher's discriminants, which need labels) or names of recipes
            that encode; None takes pca, lda, autoencoder and vae, without lda where there are no
            labels.
        latent_dim: numbers in a code; lda has at most one less than there are classes.
        seeds: how many times what is trained is trained.
        neighbours: k of the k nearest neighbours and of trustworthiness.
        progress: is told what is being done.
        **options: of training (``epochs=20``, ``seed=0``; see `lowerbound.training.options`) and of
            `load`.

    Returns:
        Codes and scores: classifiers are fitted to the training codes, and scored on the test
        codes.

    Raises:
        LowerboundError: an unknown method or option, lda without labels, data that are categories.

    References:
        Venna & Kaski 2001, Neighborhood preservation in nonlinear projection methods
        (trustworthiness); Fisher 1936, The use of multiple measurements in taxonomic problems;
        Alain & Bengio 2016, Understanding intermediate layers using linear classifier probes
    """
    if latent_dim < 1 or seeds < 1 or neighbours < 1:
        raise LowerboundError(
            f"expected latent_dim, seeds and neighbours of at least 1, came {latent_dim}, {seeds} "
            f"and {neighbours}"
        )
    given, training = _sort(data, options)
    for method in methods or ():
        _refuse_unknown(method)
    source = data if isinstance(data, Data) else load(data, **given)
    known = {n: v for n, v in {**source.options, **given}.items() if n in CHOICES}
    if source.spec.support == "categories":
        raise LowerboundError(
            "embed: expected numbers, between which there are distances, came categories; pass "
            "images or a table"
        )
    standardize = {n: v for n, v in known.items() if n == "standardize"}
    plain = source.prepare(likelihood="none", **standardize)
    chosen, notes = _chosen(methods, plain)
    scorer = _Scorer(plain, neighbours)
    maps = []
    for method in chosen:
        scores: list[Scores] = []
        points: Array | None = None
        for number in range(seeds if method not in _SOLVED else 1):
            if progress is not None:
                many = method not in _SOLVED and seeds > 1
                progress(f"{method}, {number + 1} of {seeds}" if many else method)
            if method in _SOLVED:
                found = _SOLVED[method](scorer, latent_dim)
            else:
                seeded = {**training, "seed": training["seed"] + number}
                found = _trained(method, source, known, latent_dim, seeded, scorer)
            points = found.test if points is None else points
            scores.append(scorer(found))
        assert points is not None
        maps.append(Map(method, points, scores))
    labels = plain.test.labels
    settings = {"latent_dim": latent_dim, "seeds": seeds, "neighbours": neighbours}
    settings |= {n: training[n] for n in ("epochs", "steps", "minutes", "seed")}
    settings["batch_size"] = training["batch_size"] or BATCH
    return Embedding(
        plain.spec.name,
        maps,
        None if labels is None else np.asarray(labels),
        plain.spec.classes,
        notes,
        settings,
    )


class _Found(NamedTuple):
    """Codes of training and test examples, and the test data's reconstructions in plain x."""

    train: Array
    test: Array
    reconstructed: Array | None


class _Scorer:
    """The plain data, and what a method's codes of them are worth."""

    def __init__(self, plain: Data, neighbours: int) -> None:
        self.plain, self.neighbours = plain, neighbours
        self.train = held_out(plain.train, plain.spec).flatten(1).numpy()
        self.test = held_out(plain.test, plain.spec).flatten(1).numpy()
        # Shuffled: the examples of a folder come class by class.
        self.some = np.random.default_rng(0).permutation(len(self.test))[:_TRUSTED]

    def __call__(self, found: _Found) -> Scores:
        from sklearn.manifold import trustworthiness

        knn = probe = trust = error = None
        labels, test_labels = self.plain.train.labels, self.plain.test.labels
        if labels is not None and test_labels is not None:
            knn, probe = score(
                found.train, labels, found.test, test_labels, neighbours=self.neighbours
            )
        if self.neighbours < len(self.some) / 2:
            _, codes = whitened(found.train, found.test[self.some])
            trust = float(trustworthiness(self.test[self.some], codes, n_neighbors=self.neighbours))
        if found.reconstructed is not None:
            rest = self.test.astype(np.float64) - found.reconstructed
            error = float(np.square(rest).sum(1).mean())
        return Scores(knn, probe, trust, error)


def _pca(scorer: _Scorer, latent_dim: int) -> _Found:
    from sklearn.decomposition import PCA

    most = min(scorer.train.shape)
    if latent_dim > most:
        raise LowerboundError(f"pca: expected at most {most} dimensions, came {latent_dim}")
    model = PCA(latent_dim, random_state=0).fit(scorer.train)
    test = model.transform(scorer.test)
    return _Found(model.transform(scorer.train), test, model.inverse_transform(test))


def _lda(scorer: _Scorer, latent_dim: int) -> _Found:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    labels = scorer.plain.train.labels
    assert labels is not None  # refused before
    most = min(len(np.unique(labels)) - 1, scorer.train.shape[1])
    model = LinearDiscriminantAnalysis(n_components=min(latent_dim, most))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Variables are collinear")  # as pixels always are
        model.fit(scorer.train, labels)
    return _Found(model.transform(scorer.train), model.transform(scorer.test), None)


_SOLVED: dict[str, Callable[[_Scorer, int], _Found]] = {"pca": _pca, "lda": _lda}


def _trained(
    method: str,
    source: Data,
    known: Mapping[str, Any],
    latent_dim: int,
    training: Mapping[str, Any],
    scorer: _Scorer,
) -> _Found:
    """Train a recipe in memory and encode with it."""
    recipe: Any = recipes.recipe(method)
    needs = getattr(recipe, "prepared_for", None)
    if needs is not None:
        known = {n: v for n, v in known.items() if n in ("network", "standardize")}
        known = {**known, "likelihood": needs}
    data = source.prepare(**known)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training["seed"])
        model, phases = recipe(data.spec, **check(recipe, {"latent_dim": latent_dim}))
        if not hasattr(model, "encode") or getattr(model, "condition", None) is not None:
            raise LowerboundError(f"{method}: expected an unconditional recipe that encodes")
        for _ in fit(model, phases, data, training):
            pass
    model.to("cpu").eval()
    x = held_out(data.test, data.spec)
    codes = [
        encode_all(model, each, reconstruct=False).means.numpy()
        for each in (held_out(data.train, data.spec), x)
    ]
    return _Found(codes[0], codes[1], _reconstructed(model, data, x, scorer.plain))


@torch.no_grad()
def _reconstructed(model: Any, data: Data, x: torch.Tensor, plain: Data) -> Array | None:
    """The mean of x at each code's mean, (N, D), in the units of the plain x."""
    if not hasattr(model, "decode"):
        return None
    prepare = Prepare(data.spec)
    shift, scale = (np.asarray(value, np.float64) for value in (plain.spec.shift, plain.spec.scale))
    parts = []
    for rows in x.split(_ROWS):
        decoded = model.decode(model.encode(rows).mean).mean
        stored = prepare.expected(decoded).flatten(1).double().numpy()
        parts.append((stored - shift) / scale)
    return np.concatenate(parts)


def _sort(data: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the data, and those of training, resolved."""
    import inspect

    trained = set(options_of(training_options))
    loaded = {
        name
        for name, parameter in inspect.signature(load).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "likelihood"
    }
    if isinstance(data, Data):
        loaded = set()
    for name in options:
        if name not in trained | loaded:
            hint = nearest(name, trained | loaded) or "; see lowerbound embed --help"
            raise LowerboundError(f"unknown option '{name}'{hint}")
    given = {n: v for n, v in options.items() if n in loaded}
    return given, resolve({n: v for n, v in options.items() if n in trained})


def _chosen(methods: Sequence[str] | None, plain: Data) -> tuple[list[str], list[str]]:
    """The methods, and what there is to say of them."""
    labelled = plain.train.labels is not None and plain.test.labels is not None
    if methods is None:
        if labelled:
            return list(METHODS), []
        without = [method for method in METHODS if method != "lda"]
        return without, ["no labels: lda is left out, and there are no accuracies"]
    if not methods:
        raise LowerboundError(f"methods: expected one or more of {', '.join(METHODS)}, came none")
    if "lda" in methods and not labelled:
        others = ",".join(method for method in methods if method != "lda") or "pca"
        raise LowerboundError(
            f"lda: expected data with labels, whose classes it separates, came none; pass "
            f"--methods {others}"
        )
    return list(dict.fromkeys(methods)), [] if labelled else ["no labels: there are no accuracies"]


def _refuse_unknown(method: str) -> None:
    if method in _SOLVED:
        return
    known = [name for name, recipe in recipes.RECIPES.items() if "latent_dim" in options_of(recipe)]
    if method not in known:
        hint = (
            nearest(method, [*_SOLVED, *known]) or f"; there are: {', '.join([*_SOLVED, *known])}"
        )
        raise LowerboundError(f"unknown method '{method}'{hint}")


def _mean(values: list[float | None]) -> tuple[float, float | None] | None:
    found = [value for value in values if value is not None]
    if not found:
        return None
    return statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None


def _title(row: Row) -> str:
    names = {"pca": "PCA", "lda": "LDA", "vae": "VAE"}
    name = names.get(row.method, row.method.replace("-", " "))
    return name if row.knn is None else f"{name}: k-NN {100 * row.knn[0]:.1f} %"


def draw(found: Embedding, path: str | Path) -> Path:
    """Write :meth:`Embedding.figure` as .png.

    Raises:
        LowerboundError: the name ends in something else, or the file cannot be written.
    """
    from . import plots

    path = Path(path)
    if path.suffix != ".png":
        raise LowerboundError(f"expected a name that ends in .png, came '{path.name}'")
    try:
        return plots.save(found.figure(), path)
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
