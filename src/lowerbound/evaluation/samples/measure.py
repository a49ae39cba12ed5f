"""Samples against held-out data: every metric of this package, memory flat in their number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from ...errors import LowerboundError
from ..chosen import shuffled
from .arrays import Array, FeatureSet, mean_and_error, nearest_of_parts
from .cache import fingerprint
from .coverage import density_coverage, precision_recall
from .distances import frechet, kid
from .features import Network, network
from .known import known_modes
from .memorization import from_distances
from .modes import label_coverage
from .quality import Classes, Copies, Neighbours, Number, SampleQuality
from .sharpness import sharpness
from .view import View, spread

if TYPE_CHECKING:
    from ...data import Data

COUNT = 10_000
_PART = 1000  # samples drawn at once
_LEAST = 10
_COPIES = 1000  # samples and held-out examples whose neighbours are looked for
_FEWEST_HELD_OUT = 20
_TRAIN_PART = 5000
_MOST_NUMBERS = 3072  # of an image whose neighbours are looked for: larger ones are averaged down
_SHOWN = 8
_SURE = 0.9

Draw = Callable[[int, int], Array]


def sample_quality(
    draw: Draw,
    data: Data,
    *,
    drawn: str = "draws",
    count: int = COUNT,
    features: str = "auto",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SampleQuality:
    """Measure samples against held-out examples.

    Args:
        draw: ``draw(n, seed)`` gives n samples ``(n, *event_shape)`` in the units of the data.
        data: that the model was trained on; the test split is the reference.
        drawn: what the samples are, in words.
        count: samples, and reference examples at most: all of the test split if it has fewer, else
            the first of its shuffle by `seed`. The bias of FID depends on both.
        features: a key of `FEATURES`.
        seed: of the samples, and of the choice of reference examples.
        progress: called with (done, in all) of what its method ``stage``, if it has one, was told.

    Raises:
        LowerboundError: data that are neither images nor vectors, fewer than ten examples, or
            features that do not fit (see `network`).
    """
    began = time.monotonic()
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < _LEAST:
        raise LowerboundError(f"count: expected at least {_LEAST} samples, came {count}")
    if min(len(data.test), len(data.train)) < _LEAST:
        raise LowerboundError(
            f"expected at least {_LEAST} training and test examples to hold samples against, came "
            f"{len(data.train)} and {len(data.test)}; pass more data"
        )
    view = View(data)
    stage: Any = getattr(progress, "stage", lambda text: None)
    stage("making features")
    judge = network(features, data, view, seed=0, progress=progress)
    stage("drawing samples")
    # Those that the rest of an evaluation is of; of training examples as many.
    positions = np.sort(shuffled(len(data.test), seed)[:count].numpy())
    floor = spread(len(data.train), count)
    reference = judge.of_split(view, data.test, positions, "test examples")
    real = judge.of_split(view, data.train, floor, "training examples")
    modes = known_modes(data)
    if modes is not None:
        stage("looking at the data's modes")
        for start in range(0, len(positions), _PART):
            modes.add(data.test.stored(positions[start : start + _PART]), real=True)
    made = _Made(judge, view)
    parts = -(-count // _PART)
    for part in range(parts):
        size = min(_PART, count - part * _PART)
        drawn_here = draw(size, int(np.random.SeedSequence([seed, part]).generate_state(1)[0]))
        made.add(drawn_here)
        if modes is not None:
            modes.add(drawn_here)
        if progress is not None:
            progress(part * _PART + size, count)
    stage("comparing samples")
    samples = made.features()
    copies, neighbours, notes = _copies(view, data, made.first, positions)
    fid, kernel = frechet(samples, reference), kid(samples, reference)
    floor_fid, floor_kid = frechet(real, reference, error=False), kid(real, reference)
    manifolds, real_manifolds = (precision_recall(reference, each) for each in (samples, real))
    around, real_around = (density_coverage(reference, each) for each in (samples, real))
    if len(reference) < 2 * reference.values.shape[1]:
        notes.append(
            f"FID of {reference.values.shape[1]} features from {len(reference):,} reference "
            "examples is mostly bias; compare it with that of training examples, or trust KID"
        )
    if len(real) < len(samples):
        notes.append(
            f"there are only {len(real):,} training examples to stand in for the {len(samples):,} "
            "samples: what they give is biased the more for being few (FID upwards), and no floor"
        )
    return SampleQuality(
        data=data.spec.name,
        features=judge.name,
        features_text=judge.text,
        fingerprint=judge.fingerprint,
        dimensions=reference.values.shape[1],
        samples=len(samples),
        reference=len(reference),
        split="test",
        floor_count=len(real),
        drawn=drawn,
        fid=Number(fid.value, fid.standard_error, floor_fid.value),
        kid=Number(kernel.value, kernel.standard_error, floor_kid.value),
        kid_spread=kernel.subset_spread,
        precision=Number(*manifolds.precision, real_manifolds.precision.value),
        recall=Number(*manifolds.recall, real_manifolds.recall.value),
        density=Number(*around.density, real_around.density.value),
        coverage=Number(*around.coverage, real_around.coverage.value),
        sharpness=_sharpness(made, view, data, positions),
        copies=copies,
        classes=_classes(made, judge, view, data, positions),
        covered=None if modes is None else modes.told(),
        settings={"seed": seed, "seconds": round(time.monotonic() - began, 2)},
        notes=(f"samples are {drawn}", *notes),
        neighbours=neighbours,
        split_fingerprint=fingerprint(data.test),
    )


class _Made:
    """What is kept of samples: features and a few numbers of each, and the first as they are."""

    def __init__(self, judge: Network, view: View) -> None:
        self.judge, self.view = judge, view
        self.first = np.empty(0)
        self.values: list[Array] = []
        self.sharp: list[Array] = []
        self.p: list[Array] = []

    def add(self, stored: Array) -> None:
        """More samples, in the units of the data."""
        x = self.view(stored)
        if not bool(x.isfinite().all()):
            raise LowerboundError("expected finite samples, came NaN or infinity; train it longer")
        if not len(self.first):
            self.first = x[:_COPIES].numpy()
        self.values.append(self.judge.extract(x))
        if _has_laplacian(self.view):
            self.sharp.append(sharpness(x.numpy()))
        if self.judge.classifier is not None:
            self.p.append(self.judge.classifier.proba(x))

    def features(self) -> FeatureSet:
        values = np.concatenate(self.values)
        name = f"{len(values):,} samples"
        return FeatureSet(values, self.judge.name, self.judge.fingerprint, name)


def _has_laplacian(view: View) -> bool:
    return view.image and min(view.spec.event_shape[1:]) >= 3


def _sharpness(made: _Made, view: View, data: Data, positions: Array) -> Number | None:
    if not made.sharp:
        return None
    real = sharpness(view.take(data.test, positions[:: -(-len(positions) // _COPIES)]).numpy())
    return Number(*mean_and_error(np.concatenate(made.sharp)), float(real.mean()))


def _classes(
    made: _Made, judge: Network, view: View, data: Data, positions: Array
) -> Classes | None:
    if judge.classifier is None or data.train.labels is None:
        return None
    p = np.concatenate(made.p)
    real = judge.classifier.proba(view.take(data.test, positions[:: -(-len(positions) // _COPIES)]))
    count = judge.classifier.classes
    of_data = np.bincount(data.train.labels, minlength=count)
    there = np.flatnonzero(of_data)
    found = label_coverage(p[:, there].argmax(1), len(there), of_data=of_data[there])
    return Classes(
        found.covered,
        found.modes,
        found.kl,
        float((p.max(1) > _SURE).mean()),
        float((real.max(1) > _SURE).mean()),
        judge.classifier.accuracy,
    )


def _copies(
    view: View, data: Data, samples: Array, positions: Array
) -> tuple[Copies | None, Neighbours | None, list[str]]:
    """Nearest training examples of some samples and of held-out examples, in pixels.

    Not in features: a classifier knows the examples that it was trained on better than others.
    """
    places = positions[spread(len(positions), _COPIES)]
    if len(places) < _FEWEST_HELD_OUT or len(data.train) < 2:
        text = f"copies of training examples are not looked for with {len(places)} held-out ones"
        return None, None, [text]
    held_out = view.take(data.test, places).numpy()
    small, space = _small(view)
    x, others = small(samples), small(held_out)

    def train() -> Iterator[Array]:
        for start in range(0, len(data.train), _TRAIN_PART):
            rows = np.arange(start, min(start + _TRAIN_PART, len(data.train)))
            yield small(view.take(data.train, rows).numpy())

    both, which = nearest_of_parts(np.concatenate([x, others]), train(), 2)
    quantile = max(0.01, 1.0 / len(others))
    distances, of_others = both[: len(x)], both[len(x) :]
    found = from_distances(distances, which[: len(x), 0], of_others, quantile=quantile)
    shown = found.suspects(_SHOWN)
    _, near = nearest_of_parts(x[shown], iter([others]))
    neighbours = Neighbours(
        samples[shown],
        view.take(data.train, found.neighbour[shown]).numpy(),
        held_out[near[:, 0]],
        found.ratio[shown],
    )
    copies = Copies(
        *found.close,
        *found.alone,
        found.copies,
        found.z,
        quantile,
        found.copying,
        len(x),
        len(data.train),
        len(others),
        space,
    )
    notes = [
        f"copies are looked for in {space}: {len(x):,} samples, {len(data.train):,} training and "
        f"{len(others):,} test examples"
    ]
    if found.copying:
        notes.append(
            f"the model copies: about {100 * found.copies:.0f} % of its samples are training "
            "examples but for small changes; train with more data, or stop earlier"
        )
    return copies, neighbours, notes


def _small(view: View) -> tuple[Callable[[Array], Array], str]:
    """Examples as rows of at most 3,072 numbers: large images are averaged down."""
    shape = view.spec.event_shape
    if not view.image:
        return (lambda x: x.reshape(len(x), -1)), "columns, in standard deviations"
    factor = 1
    while view.spec.dimensions / factor**2 > _MOST_NUMBERS:
        factor += 1
    if factor == 1:
        return (lambda x: x.reshape(len(x), -1)), "pixels"
    sides = tuple(max(1, side // factor) for side in shape[1:])

    def down(x: Array) -> Array:
        pooled = functional.adaptive_avg_pool2d(Tensor(x), sides)  # ty: ignore[invalid-argument-type]
        return pooled.flatten(1).numpy()

    return down, f"pixels, averaged to {sides[0]} x {sides[1]}"
