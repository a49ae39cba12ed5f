"""The representation of a trained run: its codes against labels and factors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from ..chosen import Chosen, choose_examples
from ..probes import score
from .clustering import cluster, normalized_mutual_information
from .correlation import decompose_rate, gaussian_total_correlation
from .disentanglement import by_chance, disentanglement
from .encoded import LEAST_RATE, Encoded, encode_examples
from .factors import Factors, read_factors
from .information import BINS, factor_entropies, information_matrix
from .result import Representation

if TYPE_CHECKING:
    from ...data import Data, Split
    from ...runs import Run

Array = NDArray[Any]
Progress = Callable[[int, int], None]

#: Examples measured where no limit is named, and training examples that probes are fitted to.
EXAMPLES = 10_000
_NEIGHBOURS = 5
_MOST_DIMENSIONS = 128  # scores against factors fit models to every dimension
_STAGES = 6


def measure(
    run: Run,
    *,
    factors: Any = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Representation:
    """Measure what a run's codes tell: of labels, of factors, of the data and of each other.

    Args:
        run: its model encodes.
        factors: what the data vary in: a file (.csv, .tsv, .npz, .npy), a mapping of columns or a
            matrix, with a row for each example of the data as they came, or for each of the test
            split. None takes the labels and attributes that the data have.
        limit: so many held-out examples at most; None: 10,000.
        seed: of which these are, of draws, halves, trees and groups.
        progress: called with (parts done, parts in all).

    Returns:
        k-NN and probe accuracies and clusters where there are labels, scores where there are
        factors, the parts of the rate where posteriors are diagonal normals.

    Raises:
        LowerboundError: the model has no codes, or factors do not belong to the data.

    >>> import lowerbound as lb  # doctest: +SKIP
    >>> found = measure(lb.open_run("runs/dsprites-beta-vae"))  # doctest: +SKIP
    >>> found.scores["MIG"], found.chance["MIG"]  # doctest: +SKIP
    """
    model: Any = run.model
    if not hasattr(model, "encode") or model.latent_shape == (0,):
        raise LowerboundError(
            f"{run.path} has no codes to measure ({type(model).__name__} encodes nothing); leave "
            "out representation, or train a vae"
        )
    stage = _Stages(progress)
    data, limit = run.data(), EXAMPLES if limit is None else limit
    test = choose_examples(model, data.test, run.spec, limit, seed)
    table = _factors(data, test, factors)
    found = encode_examples(model, test.x, *test.context, seed=seed)
    stage()
    notes: list[str] = []
    about: dict[str, Any] = {
        "examples": len(test.x),
        "of": test.of,
        "latent_dim": found.means.shape[1],
        "settings": {"seed": seed, "bins": BINS, "neighbours": _NEIGHBOURS},
    }
    if found.kl_per_dimension is not None:
        about["kl_per_dimension"] = found.kl_per_dimension.tolist()
    if found.index:
        return _of_indices(found, data, test, table, about)
    if len(test.x) < 2:
        notes.append("of one example nothing is told: expected two or more, whose codes differ")
        return Representation(**about, used=[], notes=tuple(notes))
    used = found.used()
    about["used"] = used.tolist()
    if not len(used):
        notes.append(
            f"no dimension carries {LEAST_RATE} nats about the data (posterior collapse): there "
            "is nothing to measure"
        )
        return Representation(**about, notes=tuple(notes))
    if len(used) < found.means.shape[1]:
        notes.append(
            f"{len(used)} of {found.means.shape[1]} dimensions carry something; scores are of these"
        )
    means, draws = found.means[:, used].astype(np.float64), found.draws[:, used]
    stage()
    about |= _against_labels(model, run, data, test, means, used, seed, notes)
    stage()
    if table is not None:
        about |= _against_factors(means, draws, table, seed, notes, stage)
    if len(used) > 1 and len(means) > len(used):
        about["gaussian_total_correlation"] = gaussian_total_correlation(means)
    if found.posterior is not None and hasattr(model, "prior") and not test.context:
        parts = decompose_rate(found.posterior, model.prior(), seed=seed)
        about["rate_parts"] = parts._asdict()
    stage.end()
    return Representation(**about, notes=tuple(notes))


def _against_labels(
    model: Any,
    run: Run,
    data: Data,
    test: Chosen,
    means: Array,
    used: Array,
    seed: int,
    notes: list[str],
) -> dict[str, Any]:
    """k-NN, probe and clusters; nothing of data without labels."""
    labels = _labels(data.test, test)
    if labels is None or data.train.labels is None:
        notes.append("no labels: no k-NN, no probe, no clusters")
        return {}
    if len(np.unique(labels)) < 2:
        notes.append("one label alone among the examples: no k-NN, no probe, no clusters")
        return {}
    train = choose_examples(model, data.train, run.spec, EXAMPLES, seed)
    codes = encode_examples(model, train.x, *train.context, seed=seed).means[:, used]
    knn, probe = score(codes, data.train.labels[train.positions], means, labels, _NEIGHBOURS)
    groups = cluster(means, labels, seed=seed)
    notes.append(f"clusters: k-means of the codes as they are, k = {groups.clusters}")
    return {
        "knn": knn,
        "probe": probe,
        "fitted": len(codes),
        "nmi": groups.nmi,
        "ari": groups.ari,
    }


def _against_factors(
    means: Array,
    draws: Array,
    table: Factors,
    seed: int,
    notes: list[str],
    stage: Callable[[], None],
) -> dict[str, Any]:
    entropies = factor_entropies(table)
    about = {
        "factors": list(table.names),
        "information": information_matrix(draws, table).tolist(),
        "entropies": entropies.tolist(),
    }
    if means.shape[1] > _MOST_DIMENSIONS:
        notes.append(
            f"codes of {means.shape[1]} numbers: scores against factors are left out above "
            f"{_MOST_DIMENSIONS}"
        )
        return about
    kinds = [
        f"{name} ({count} values)" if discrete else f"{name} (a quantity)"
        for name, count, discrete in zip(table.names, table.counts(), table.discrete, strict=True)
    ]
    notes.append(f"factors: {', '.join(kinds)}")
    notes.append(
        f"MIG and modularity: one draw of the posterior each, quantities in {BINS} intervals of "
        "equal counts; the other scores: posterior means. By chance: the codes shuffled"
    )
    scores = disentanglement(means, table, draws=draws, seed=seed)
    stage()
    chance = by_chance(means, table, draws=draws, seed=seed)
    stage()
    return {**about, "scores": scores, "chance": chance}


def _of_indices(
    found: Encoded, data: Data, test: Chosen, table: Factors | None, about: dict[str, Any]
) -> Representation:
    """Codes that are indices have no distances: their information, and as clusters."""
    notes = ["codes are indices, between which there is no distance: information alone"]
    about["used"] = np.flatnonzero(np.ptp(found.means, axis=0) > 0).tolist()
    labels = _labels(data.test, test)
    if labels is not None and found.means.shape[1] == 1:
        from .clustering import adjusted_rand_index

        index = found.means[:, 0]
        about["nmi"] = normalized_mutual_information(index, labels)
        about["ari"] = adjusted_rand_index(index, labels)
    if table is not None and about["used"]:
        about["factors"] = list(table.names)
        about["information"] = information_matrix(found.means[:, about["used"]], table).tolist()
        about["entropies"] = factor_entropies(table).tolist()
    return Representation(**about, notes=tuple(notes))


def _labels(split: Split, chosen: Chosen) -> Array | None:
    return None if split.labels is None else np.asarray(split.labels)[chosen.positions]


def _factors(data: Data, test: Chosen, given: Any) -> Factors | None:
    """The factors of the chosen examples: those named, else labels and attributes."""
    if given is not None:
        whole = read_factors(given) if isinstance(given, str | Path) else Factors.of(given)
        return whole.take(_rows(len(whole), data, test))
    columns: dict[str, Array] = {}
    if data.test.attributes is not None:
        attributes = np.asarray(data.test.attributes)[test.positions]
        names = data.spec.attributes or tuple(f"attribute {k}" for k in range(attributes.shape[1]))
        columns |= dict(zip(names, attributes.T, strict=True))
    labels = _labels(data.test, test)
    if labels is not None and not any(_same(labels, column) for column in columns.values()):
        columns = {"label": labels, **columns}
    if not columns or all(len(np.unique(column)) < 2 for column in columns.values()):
        return None
    return Factors.of(columns, unordered=("label",))


def refuse_factors(given: str | Path, data: Data) -> None:
    """Refuse a table of factors before anything is measured.

    Raises:
        LowerboundError: no such file, one that is no table, or one of other examples.
    """
    import torch

    none = Chosen(torch.empty(0), (), np.empty(0, np.int64), len(data.test))
    _rows(len(read_factors(given)), data, none)


def _rows(count: int, data: Data, test: Chosen) -> Array:
    """Rows of a table of factors that belong to the chosen examples."""
    split = data.test
    rows, source = getattr(split, "rows", None), getattr(split, "source", None)
    if count == test.of:
        return test.positions
    if source is not None and count == len(source):
        return test.positions if rows is None else rows[test.positions]
    whole = "" if source is None or len(source) == test.of else f", or {len(source):,} of all"
    raise LowerboundError(
        f"factors: expected {test.of:,} rows, one for each test example{whole}, came {count:,}; "
        "pass the table that goes with these data"
    )


def _same(a: Array, b: Array) -> bool:
    """Whether two columns part the examples alike."""
    a, b = (np.unique(each, return_inverse=True)[1] for each in (a, b))
    both = len(np.unique(a * (int(b.max()) + 1) + b))
    return both == len(np.unique(a)) == len(np.unique(b))


class _Stages:
    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done = progress, 0

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, _STAGES), _STAGES)

    def end(self) -> None:
        self.done = _STAGES - 1
        self()
