"""Coloured discs with captions, which say all that there is to see."""

from __future__ import annotations

import numpy as np

COLOURS = {"red": (220, 40, 40), "green": (40, 190, 60), "blue": (50, 80, 230)}
GROUNDS = {"white": (245, 245, 245), "black": (15, 15, 15)}
RADII = {"small": 3.0, "large": 5.5}
What = tuple[str, str, str]


def discs(
    count: int, size: int = 16, seed: int = 0
) -> tuple[np.ndarray, list[list[str]], list[What]]:
    """Images uint8 (N, size, size, 3), three captions each, and what is there."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    images, captions, told = [], [], []
    for _ in range(count):
        colour, ground, radius = (
            str(random.choice(list(names))) for names in (COLOURS, GROUNDS, RADII)
        )
        top, left = random.uniform(6, 10, 2)
        inside = ((y - top) ** 2 + (x - left) ** 2 < RADII[radius] ** 2)[..., None]
        image = np.where(inside, COLOURS[colour], GROUNDS[ground])
        image = image + random.normal(0, 4, (size, size, 3))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        captions.append(
            [
                f"a {radius} {colour} disc on {ground}",
                f"{ground} background, {radius} {colour} disc",
                f"the disc is {colour} and {radius}, the ground {ground}",
            ]
        )
        told.append((colour, ground, radius))
    return np.stack(images), captions, told
