"""Knowing nothing: images drawn uniformly, beside those of the data.

Under the uniform distribution every image is as probable as any other, and costs log2 of its levels
in bits for each number (8 of 256 levels): what a likelihood is measured against. That draws of it
never look like data is why a likelihood can be so much better (EQUATIONS 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .data import Data, DataSpec, Prepare, held_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "nothing"
CAPTION = (
    "Against nothing",
    "Held-out images above; below, images drawn uniformly from all that there are, each as "
    "probable as any other: the baseline of bits/dim. Natural images are sparse among them.",
)
_COLUMNS = 10


def drawn(spec: DataSpec, count: int, seed: int = 0) -> np.ndarray:
    """Images drawn uniformly, on the levels of the data where they have any.

    Args:
        spec: of images.
        count: how many.
        seed: of the draws.

    Returns:
        ``(count, *event_shape)`` in [0, 1].
    """
    uniform = np.random.default_rng(seed).random((count, *spec.event_shape))
    levels = 2 if spec.support == "binary" else spec.levels
    if not levels:
        return uniform
    return np.minimum(np.floor(uniform * levels), levels - 1) / (levels - 1)


def figures(spec: DataSpec, data: Data, seed: int = 0) -> dict[str, Figure]:
    """The figure by its name; none of data that are no images.

    Args:
        spec: of the data as the model sees them.
        data: its test split is shown.
        seed: of the choice and the draws.
    """
    if spec.kind != "image" or spec.event_shape[0] not in (1, 3):
        return {}
    from . import plots

    x = held_out(data.test, spec, seed)
    chosen = np.random.default_rng(seed).permutation(len(x))[:_COLUMNS]
    shown = Prepare(spec).unit(x[chosen]).numpy()
    both = np.concatenate([shown, drawn(spec, 2 * len(shown), seed)])
    title = f"{spec.name}, and images drawn uniformly"
    return {NAME: plots.image_grid(both, title, columns=len(shown))}
