"""Quality of samples: distances, coverage, sharpness, copies and modes, by named features.

Metrics are functions of feature arrays; `sample_quality` measures all of them on data. Values of
different feature networks are never compared.

>>> import numpy as np
>>> random = np.random.default_rng(0)
>>> real, samples = random.normal(size=(500, 4)), random.normal(size=(400, 4)) + [1, 0, 0, 0]
>>> found = frechet(samples, real)
>>> abs(found.value - 1.0) < 4 * found.standard_error
True
"""

from .arrays import FeatureSet, nearest
from .classifier import Classifier, train_classifier
from .coverage import (
    DensityCoverage,
    PrecisionRecall,
    Share,
    density_coverage,
    precision_recall,
)
from .distances import Frechet, Kernel, frechet, frechet_of_moments, kid
from .features import FEATURES, Network, data_classifier, network
from .measure import COUNT, sample_quality
from .memorization import Memorization, memorization
from .modes import (
    ModeCoverage,
    Modes,
    grid,
    label_coverage,
    mode_coverage,
    ring,
    stacked_digits,
    stacked_labels,
)
from .paths import Smoothness, lines, smoothness
from .quality import Neighbours, Number, SampleQuality, refuse_mixed
from .realism import artifacts, realism
from .sharpness import sharpness
from .view import View

__all__ = [
    "COUNT",
    "FEATURES",
    "Classifier",
    "DensityCoverage",
    "FeatureSet",
    "Frechet",
    "Kernel",
    "Memorization",
    "ModeCoverage",
    "Modes",
    "Neighbours",
    "Network",
    "Number",
    "PrecisionRecall",
    "SampleQuality",
    "Share",
    "Smoothness",
    "View",
    "artifacts",
    "data_classifier",
    "density_coverage",
    "frechet",
    "frechet_of_moments",
    "grid",
    "kid",
    "label_coverage",
    "lines",
    "memorization",
    "mode_coverage",
    "nearest",
    "network",
    "precision_recall",
    "realism",
    "refuse_mixed",
    "ring",
    "sample_quality",
    "sharpness",
    "smoothness",
    "stacked_digits",
    "stacked_labels",
    "train_classifier",
]
