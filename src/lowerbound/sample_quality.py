"""Quality of a run's samples: drawn as `lowerbound sample` draws them, measured, and pictured.

>>> from lowerbound.sample_quality import measure
>>> measure("runs/digits-vae").fid  # doctest: +SKIP
Number(value=21.4, standard_error=0.9, real=3.7)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .api import open_run, sample
from .drawing import resolve_values
from .errors import LowerboundError
from .evaluation.samples import COUNT, SampleQuality, sample_quality
from .runs import Run


def measure(
    run: str | Path | Run,
    *,
    count: int | None = None,
    features: str = "auto",
    seed: int = 0,
    pictures: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> SampleQuality:
    """Measure a run's samples against its held-out data.

    Images are sampled as the likelihood's means, as papers show them, and held against the images
    as they are stored, grey values included; vectors are draws. The result says which.

    Args:
        run: a run of images or vectors, or its folder.
        count: samples, and reference examples at most; None: 10,000, or where there are fewer than
            1,000 test examples a thousand.
        features: a key of `lowerbound.evaluation.samples.FEATURES`.
        seed: of the samples, and of the choice of reference examples.
        pictures: also draw the samples most like copies, beside their neighbours, into the run.
        progress: called with (samples drawn, samples in all).

    Raises:
        LowerboundError: the run samples nothing, or completes parts only; its data are neither
            images nor vectors, or not to be found; features that do not fit.
    """
    run = open_run(run)
    condition = getattr(run.model, "condition", None)
    if getattr(condition, "of_x", False):
        raise LowerboundError(
            f"expected a run that samples whole examples, came {run.path}, which completes parts "
            "of given ones; evaluate its likelihood"
        )
    data = run.data()
    if count is None:
        count = min(COUNT, max(1000, len(data.test)))
    values = resolve_values(run.model, run.spec, "auto")
    found = sample_quality(
        lambda n, seed: sample(run, n, seed=seed),
        data,
        drawn="means of the likelihood" if values == "mean" else "draws",
        count=count,
        features=features,
        seed=seed,
        progress=progress,
    )
    if pictures:
        draw(run, found)
    return found


def draw(run: Run, found: SampleQuality) -> Path | None:
    """Draw the samples most like copies into the run's pictures; None where they are no images."""
    shown = found.neighbours
    channels = 0 if shown is None or shown.samples.ndim != 4 else shown.samples.shape[1]
    if shown is None or channels not in (1, 3):
        return None
    from .plots.samples import NAME, neighbours
    from .plots.style import save

    copying = found.copies is not None and found.copies.copying
    figure = neighbours(*shown, copying=copying, name=found.data)
    return save(figure, run.pictures / f"{NAME}.png")
