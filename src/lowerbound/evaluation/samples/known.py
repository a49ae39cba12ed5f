"""Modes of data by name, where they are known: how many of them samples cover."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .arrays import Array
from .features import data_classifier
from .modes import ModeCoverage, label_coverage, mode_coverage, stacked_labels
from .quality import Covered
from .view import View

if TYPE_CHECKING:
    from ...data import Data
    from ...data.planar import Blobs
    from .classifier import Classifier

_WITHIN = 3.0
_SURE = 0.9


def known_modes(data: Data) -> Normals | Stacked | None:
    """What counts the modes of samples of such data; None where they are not known.

    Args:
        data: loaded by name; arrays and files have no modes that are known.
    """
    from ...data.named import resolve
    from ...data.toys import STACKED, modes_of

    if data.source is None or Path(data.source).expanduser().exists():
        return None
    name = resolve(data.source)
    density = None if name is None else modes_of(name)
    if density is not None:
        return Normals(density)
    return Stacked(STACKED[name][0], data) if name in STACKED else None


class Normals:
    """Counts the modes of a mixture of round normals far apart.

    Args:
        density: the mixture.
    """

    how = f"within {_WITHIN:g} standard deviations of a mode"

    def __init__(self, density: Blobs) -> None:
        self.density = density
        self.samples: list[Array] = []
        self.real: list[Array] = []

    def add(self, stored: Any, real: bool = False) -> None:
        """Samples or examples ``(n, 2)``, in the units of the data."""
        (self.real if real else self.samples).append(np.asarray(stored, np.float64))

    def covered(self, stored: Any) -> ModeCoverage:
        """Of samples ``(n, 2)``, in the units of the data."""
        x, density = np.asarray(stored, np.float64), self.density
        return mode_coverage(x, density.centres, density.std, within=_WITHIN)

    def told(self) -> Covered:
        """Of all that came."""
        samples, real = (np.concatenate(parts) for parts in (self.samples, self.real))
        return _told(self.covered(samples), self.covered(real), self.how)


class Stacked:
    """Counts the modes of stacked digits, by a classifier of single ones.

    Args:
        base: name of the single digits.
        data: the stacked ones.
    """

    how = f"a classifier gives more than {_SURE:g} to one digit in each channel"

    def __init__(self, base: str, data: Data) -> None:
        from ...data import load

        single = load(base, data_dir=data.options.get("data_dir"))
        self.view = View(single)
        self.classifier: Classifier = data_classifier(single, self.view)
        self.samples: list[tuple[Array, Array]] = []
        self.real: list[tuple[Array, Array]] = []

    def add(self, stored: Any, real: bool = False) -> None:
        """Samples or examples ``(n, 3, H, W)``, in the units of the data."""
        x = self.view(torch.as_tensor(stored))
        p = np.stack([self.classifier.proba(x[:, c : c + 1]) for c in range(x.shape[1])], 1)
        labels = stacked_labels(p.argmax(2), p.shape[2])
        sure = (p.max(2) > _SURE).all(1)
        (self.real if real else self.samples).append((labels, sure))
        self.modes = p.shape[2] ** x.shape[1]

    def told(self) -> Covered:
        """Of all that came: modes by the likeliest digits, sure or not, as papers count them."""

        def found(parts: list[tuple[Array, Array]]) -> ModeCoverage:
            labels, sure = (np.concatenate(each) for each in zip(*parts, strict=True))
            good = label_coverage(np.where(sure, labels, -1), self.modes).good
            return label_coverage(labels, self.modes)._replace(good=good)

        return _told(found(self.samples), found(self.real), self.how)


def _told(samples: ModeCoverage, real: ModeCoverage, how: str) -> Covered:
    return Covered(
        samples.covered,
        samples.modes,
        *samples.good,
        samples.kl if math.isfinite(samples.kl) else None,
        real.covered,
        real.good.value,
        how,
    )
