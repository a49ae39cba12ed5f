"""How sharp images are: the variance of their Laplacian."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError

Array = NDArray[Any]


def sharpness(images: Array) -> Array:
    """Variance of the Laplacian of each image, the mean over its channels first.

    A number with a meaning only beside that of real images of the same size: blur lowers it, noise
    raises it.

    Args:
        images: ``(N, C, H, W)`` in [0, 1], H and W at least 3.

    Returns:
        ``(N,)`` float64.

    Raises:
        LowerboundError: no images of 3 x 3 pixels or more.

    Reference:
        Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy, ICPR

    >>> checks = np.indices((5, 5)).sum(0) % 2
    >>> sharpness(checks[None, None]).round(2).tolist(), sharpness(np.ones((1, 3, 4, 4))).tolist()
    ([15.8], [0.0])
    """
    images = np.asarray(images)
    if images.ndim != 4 or min(images.shape[2:]) < 3:
        raise LowerboundError(
            f"expected images (N, C, H, W) of 3 x 3 pixels or more, came {images.shape}"
        )
    found = np.empty(len(images))
    for start in range(0, len(images), 1000):
        grey = images[start : start + 1000].astype(np.float64).mean(1)
        middle = grey[:, 1:-1, 1:-1]
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        found[start : start + 1000] = (around - 4.0 * middle).var((1, 2))
    return found
