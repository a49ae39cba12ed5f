"""Named feature networks: what two sets of images are compared by."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...errors import LowerboundError, nearest
from .arrays import Array, FeatureSet
from .cache import fingerprint, kept_array, kept_classifier
from .classifier import VERSION, Classifier, train_classifier
from .view import View, spread

if TYPE_CHECKING:
    from ...data import Data, Split

#: Names that `measure` takes, and what each is.
FEATURES = {
    "auto": "classifier where the data have labels, else pca",
    "classifier": "last hidden layer of a classifier trained on the run's own training data",
    "pca": "principal components of the training data, 64 at most",
    "pixels": "the values themselves: pixels in [0, 1], columns in standard deviations",
    "inception": "Inception-v3's pool layer, 2048 numbers, where its weights are on disk",
}
#: Of torch-fidelity, converted from the weights that published FIDs use.
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
_COMPONENTS = 64
_FITTED = 10_000
_TRAINED = 60_000  # examples that the classifier sees
_JUDGED = 10_000
_AT_ONCE = 64  # images of 299 x 299


@dataclass(frozen=True)
class Network:
    """A feature network.

    Attributes:
        name: a key of `FEATURES`.
        text: what it is in this case, for people.
        fingerprint: of its weights.
        extract: x ``(N, *event_shape)`` as `View` gives it, to features ``(N, F)``.
        classifier: where it is one, or the data have labels to train one with.
    """

    name: str
    text: str
    fingerprint: str
    extract: Callable[[Tensor], Array]
    classifier: Classifier | None = None

    def of(self, x: Tensor, what: str = "examples") -> FeatureSet:
        """Features of x ``(N, *event_shape)``."""
        return FeatureSet(self.extract(x), self.name, self.fingerprint, f"{len(x):,} {what}")

    def of_split(self, view: View, split: Split, positions: Array, what: str) -> FeatureSet:
        """Features of examples of a split, computed once and kept in the user's cache."""
        chosen = f"{len(positions)} to {positions[-1]}, sum {int(positions.sum())}"
        # The view, too: its scales may be those of training data that this split says nothing of.
        seen = f"{view.spec.kind} {view.fingerprint}"
        key = f"{self.fingerprint} of {fingerprint(split)} at {chosen}, {seen}"
        values = kept_array(key, lambda: self.extract(view.take(split, positions)))
        return FeatureSet(values, self.name, self.fingerprint, f"{len(positions):,} {what}")


def network(
    name: str,
    data: Data,
    view: View | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """A feature network by name.

    Args:
        name: a key of `FEATURES`.
        data: whose training examples it is fitted to, where it is.
        view: of the data; None makes one.
        seed: of the classifier's training.
        progress: of that, called with (steps done, steps in all).

    Raises:
        LowerboundError: an unknown name, a classifier without labels, or Inception without its
            weights or of data that are no images.
    """
    if name not in FEATURES:
        hint = nearest(name, FEATURES) or f"; there are: {', '.join(FEATURES)}"
        raise LowerboundError(f"unknown features '{name}'{hint}")
    view = View(data) if view is None else view
    labelled = data.train.labels is not None and len(np.unique(data.train.labels)) > 1
    if name == "auto":
        name = "classifier" if labelled else "pca"
    if name == "pixels":
        text = "pixels in [0, 1]" if view.image else "columns in standard deviations"
        fixed = f"pixels-{view.spec.event_shape}-{view.fingerprint}"
        return Network(name, text, fixed, _flat)
    if name == "pca":
        return _pca(data, view, seed)
    if name == "inception":
        return _inception(data, view)
    if not labelled:
        raise LowerboundError(
            f"expected labels of two classes or more to train a classifier with, came none in "
            f"{data.spec.name}; pass features pca or pixels"
        )
    found = data_classifier(data, view, seed=seed, progress=progress)
    right = "" if found.accuracy is None else f", right about {100 * found.accuracy:.1f} % held out"
    text = (
        f"last hidden layer ({found.width}) of a classifier of {found.classes} classes, trained on "
        f"{found.trained_on:,} training examples{right}"
    )
    return Network(name, text, found.fingerprint, found.features, found)


def data_classifier(
    data: Data,
    view: View | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """The classifier of data with labels, trained once and kept in the user's cache.

    Args:
        data: with labels; at most 60,000 training examples are used.
        view: of the data; None makes one.
        seed: of its training.
        progress: of its training, called with (steps done, steps in all).
    """
    view = View(data) if view is None else view
    examples = f"{fingerprint(data.train)} and {fingerprint(data.test)}"
    key = f"classifier {VERSION} of {examples} seen by {view.fingerprint}, {seed}"

    def train() -> Classifier:
        chosen, judged = spread(len(data.train), _TRAINED), spread(len(data.test), _JUDGED)
        labels: Any = data.train.labels
        others = data.test.labels
        held_out = None if others is None else (view.take(data.test, judged), others[judged])
        return train_classifier(
            view.take(data.train, chosen),
            labels[chosen],
            classes=int(max(labels.max(), -1 if others is None else others.max())) + 1,
            held_out=held_out,
            device="cuda" if torch.cuda.is_available() else "cpu",
            seed=seed,
            progress=progress,
        )

    return kept_classifier(key, train)


def _flat(x: Tensor) -> Array:
    return x.flatten(1).numpy()


def _pca(data: Data, view: View, seed: int) -> Network:
    from sklearn.decomposition import PCA

    x = _flat(view.take(data.train, spread(len(data.train), _FITTED)))
    count = min(_COMPONENTS, x.shape[1], len(x) - 1)
    fitted = PCA(count, random_state=seed).fit(x.astype(np.float64))
    share = float(fitted.explained_variance_ratio_.sum())
    text = (
        f"{count} principal components of {len(x):,} training examples ({100 * share:.1f} % of "
        "their variance)"
    )
    name = f"pca-{count}-{seed}-{fingerprint(data.train)}-{view.fingerprint}"
    mean, axes = fitted.mean_, fitted.components_.T
    return Network("pca", text, name, lambda x: (_flat(x).astype(np.float64) - mean) @ axes)


def inception_weights() -> Path:
    """Where the weights of Inception lie; nothing is fetched.

    Raises:
        LowerboundError: they are in none of the places.
    """
    from ...data.named import DATA_DIR

    places = [Path(torch.hub.get_dir()) / "checkpoints"]
    if os.environ.get(DATA_DIR):
        places.insert(0, Path(os.environ[DATA_DIR]).expanduser())
    for place in places:
        if (place / INCEPTION).is_file():
            return place / INCEPTION
    raise LowerboundError(
        f"expected Inception's weights, {INCEPTION}, in {' or '.join(map(str, places))}, came none "
        "(they are torch-fidelity's, release v0.2.0); put them there, or pass features classifier, "
        "pca or pixels"
    )


def _inception(data: Data, view: View) -> Network:
    if not view.image or view.spec.event_shape[0] not in (1, 3):
        raise LowerboundError(
            f"expected grey or RGB images for Inception, came {data.spec.name} of shape "
            f"{view.spec.event_shape}; pass features classifier, pca or pixels"
        )
    path = inception_weights()
    try:
        from torchmetrics.image.fid import NoTrainInceptionV3

        model: Any = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(path))
    except (ImportError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise LowerboundError(
            f"expected torchmetrics and torch-fidelity for Inception, came: {reason}; "
            "pip install 'lowerbound[metrics]' torch-fidelity, or pass other features"
        ) from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)

    @torch.no_grad()
    def extract(x: Tensor) -> Array:
        parts = []
        for some in x.split(_AT_ONCE):
            rgb = (some.expand(-1, 3, -1, -1) * 255.0).round().to(torch.uint8)
            parts.append(model(rgb.to(device))[0].reshape(len(some), -1).cpu())
        return torch.cat(parts).numpy()

    side = math.prod(view.spec.event_shape[1:])
    text = f"Inception-v3, pool layer of 2048, images of {side:,} pixels scaled to 299 x 299"
    return Network("inception", text, f"inception-{INCEPTION}", extract)
