"""How well factors are predicted from codes, and by which dimensions: DCI, SAP."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from .information import paired

Array = NDArray[Any]
Predictor = Literal["forest", "boosting", "lasso"]

_LEAF = 5  # examples in a leaf at least: fewer learn noise, and give dimensions credit for it
_LASSO = 0.01


class DCI(NamedTuple):
    """What :func:`dci` returns; the first three in [0, 1], best 1.

    Attributes:
        disentanglement: whether a dimension matters to one factor alone; mean over the dimensions,
            weighted by how much each matters. Not a number for a single factor.
        completeness: whether one dimension alone matters to a factor; mean over the factors. Not a
            number for a single dimension.
        informativeness: how well factors are predicted for examples not fitted to: accuracy of
            discrete ones, R² (at least 0) of quantities; mean over the factors.
        importance: ``(D, F)``, columns sum to 1 (or are 0 where nothing is learnt).
        scores: the informativeness of each factor, ``(F,)``.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Array
    scores: Array


def dci(
    codes: Array,
    factors: Any,
    *,
    predictor: Predictor = "forest",
    trees: int = 20,
    most: int = 2000,
    seed: int = 0,
) -> DCI:
    """Disentanglement, completeness and informativeness.

    A predictor of each factor is fitted to half of the examples and scored on the rest; its
    importances R (D, F) are read as probabilities, and 1 minus their entropy in base F (of rows,
    disentanglement) or D (of columns, completeness) is the score.

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows.
        predictor: ``"forest"``, random forests in which every dimension is tried at every split;
            ``"boosting"``, gradient-boosted trees (as Locatello et al. 2019; slow with many
            values); ``"lasso"``, linear with an L1 penalty (as in the paper), where factors are
            linear in the codes.
        trees: of a forest, or rounds of boosting.
        most: examples that are fitted to, where half of them are more.
        seed: of the halves and of the trees.

    References:
        Eastwood & Williams 2018, A framework for the quantitative evaluation of disentangled
        representations, openreview By-7dz-AZ
    """
    codes, known = paired(codes, factors)
    fitted, rest = _halves(len(codes), seed)
    fitted = fitted[:most]
    z, order = _canonical(codes.astype(np.float64), fitted)
    importance = np.zeros((codes.shape[1], len(known.names)))
    scores = np.zeros(len(known.names))
    for k, (column, discrete) in enumerate(zip(known.values.T, known.discrete, strict=True)):
        model = _predictor(predictor, discrete, trees, seed)
        if len(np.unique(column[fitted])) < 2:
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Objective did not converge|The max_iter was reached")
            model.fit(z[fitted], column[fitted])
        weights = _importance(model)
        importance[:, k] = weights / weights.sum() if weights.sum() > 0 else 0.0
        scores[k] = max(0.0, float(model.score(z[rest], column[rest])))
    importance[order] = importance.copy()  # back in the order that the codes came in
    disentangled, complete = _concentration(importance), _completeness(importance)
    return DCI(disentangled, complete, float(scores.mean()), importance, scores)


def sap(codes: Array, factors: Any, *, seed: int = 0) -> float:
    """Separated attribute predictability: mean over factors of best − second-best prediction.

    Of a quantity v from one dimension: R² of linear regression. Of a discrete factor: balanced
    accuracy of a classifier by thresholds, as many as it has values less one, scored on the half of
    the examples that it was not fitted to, scaled so that guessing has 0 and no error 1. (Papers
    leave guessing at 1 / values, so that a perfect code scores less than 1; and a linear classifier
    on one dimension, which some programs take, cannot tell more than the outermost values.)

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows.
        seed: of the halves.

    References:
        Kumar, Sattigeri & Balakrishnan 2018, Variational inference of disentangled latent concepts
        from unlabeled observations, arXiv 1711.00848, section 3
    """
    ordered = np.sort(predictability(codes, factors, seed=seed), axis=0)
    second = ordered[-2] if len(ordered) > 1 else np.zeros_like(ordered[-1])
    return float((ordered[-1] - second).mean())


def predictability(codes: Array, factors: Any, *, seed: int = 0) -> Array:
    """How well each dimension alone predicts each factor: ``(D, F)``, as `sap` says."""
    codes, known = paired(codes, factors)
    fitted, rest = _halves(len(codes), seed)
    found = np.zeros((codes.shape[1], len(known.names)))
    for d, z in enumerate(codes.T):
        for k, (v, discrete) in enumerate(zip(known.values.T, known.discrete, strict=True)):
            if z.std() == 0:
                continue
            found[d, k] = (
                _by_thresholds(z, v, fitted, rest) if discrete else np.corrcoef(z, v)[0, 1] ** 2
            )
    return found


def _by_thresholds(z: Array, v: Array, fitted: Array, rest: Array) -> float:
    """Balanced accuracy on the rest, 0 for guessing."""
    from sklearn.tree import DecisionTreeClassifier

    values = np.unique(v)
    if len(np.unique(v[fitted])) < 2:
        return 0.0
    tree = DecisionTreeClassifier(
        max_leaf_nodes=len(values), class_weight="balanced", random_state=0
    ).fit(z[fitted, None], v[fitted])
    predicted, true = tree.predict(z[rest, None]), v[rest]
    present = np.unique(true)
    recall = np.mean([(predicted[true == value] == value).mean() for value in present])
    return max(0.0, float((recall - 1 / len(values)) / (1 - 1 / len(values))))


def _predictor(name: str, discrete: bool, trees: int, seed: int) -> Any:
    from sklearn import ensemble
    from sklearn.linear_model import Lasso, LogisticRegression

    if name == "forest":
        kind = ensemble.RandomForestClassifier if discrete else ensemble.RandomForestRegressor
        return kind(trees, max_features=None, min_samples_leaf=_LEAF, random_state=seed)
    if name == "boosting":
        booster = (
            ensemble.GradientBoostingClassifier if discrete else ensemble.GradientBoostingRegressor
        )
        return booster(n_estimators=trees, random_state=seed)
    if name == "lasso":
        if discrete:
            return LogisticRegression(
                l1_ratio=1.0, C=1.0, solver="saga", max_iter=200, random_state=seed
            )
        return Lasso(_LASSO)
    raise LowerboundError(
        f"expected predictor 'forest', 'boosting' or 'lasso', came {name!r}; pass one of them"
    )


def _importance(model: Any) -> Array:
    if hasattr(model, "feature_importances_"):
        return np.asarray(model.feature_importances_, np.float64)
    return np.abs(np.atleast_2d(model.coef_)).mean(0)


def _concentration(importance: Array) -> float:
    """1 minus the entropy of each row in base F, weighted by the rows' sums."""
    rows, total = importance.sum(1), importance.sum()
    if importance.shape[1] < 2:
        return float("nan")
    if total == 0:
        return 0.0
    p = importance / np.where(rows > 0, rows, 1.0)[:, None]
    entropies = -(p * np.log(np.where(p > 0, p, 1.0))).sum(1) / np.log(importance.shape[1])
    return float((rows / total * (1.0 - entropies)).sum())


def _completeness(importance: Array) -> float:
    """1 minus the entropy of each column in base D, mean over the columns; 0 of an empty one."""
    if importance.shape[0] < 2:
        return float("nan")
    entropies = -(importance * np.log(np.where(importance > 0, importance, 1.0))).sum(0)
    complete = (1.0 - entropies / np.log(len(importance))) * (importance.sum(0) > 0)
    return float(complete.mean())


def _canonical(codes: Array, rows: Array) -> tuple[Array, Array]:
    """Codes standardized on some rows, in an order and with signs that their own skewness decides.

    A tree breaks ties by the order of its inputs: so the scores do not depend on how a code's
    dimensions happen to be numbered or signed.

    Returns:
        codes, and where each of their dimensions came from.
    """
    scale = codes[rows].std(0)
    z = (codes - codes[rows].mean(0)) / np.where(scale > 0, scale, 1.0)
    skewness = (z[rows] ** 3).mean(0)
    order = np.argsort(np.abs(skewness), kind="stable")
    return (z * np.where(skewness < 0, -1.0, 1.0))[:, order], order


def _halves(count: int, seed: int) -> tuple[Array, Array]:
    order = np.random.default_rng([seed, 0xDC1]).permutation(count)
    if count < 4:
        raise LowerboundError(f"expected at least 4 examples to fit and to score, came {count}")
    return order[: count // 2], order[count // 2 :]
