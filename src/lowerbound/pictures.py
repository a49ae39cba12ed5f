"""The pictures and the report of a run, and samples written as files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from . import plots
from .data import Data, DataSpec, Prepare, held_out
from .errors import LowerboundError
from .evaluation import posterior_mean
from .latent import latent_map, manifold_codes, posterior_means
from .report import Picture, write_report
from .runs import Run
from .training.checkpoint import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN, _SAMPLES, _MAPPED = 10, 64, 2000
_SEED = 0
_CAPTIONS = {
    "reconstructions": (
        "Reconstructions",
        "Held-out data above, below what the model makes of them: the likelihood's mean at the "
        "posterior's mean.",
    ),
    "samples": ("Samples", "The likelihood's mean at codes drawn from the prior."),
    "latent_map": (
        "Codes of held-out data",
        "The posterior's means: as they are if there are two dimensions, else their first two "
        "principal components.",
    ),
    "manifold": (
        "Learned manifold",
        "What the code plane decodes to, at even steps of the prior's probability.",
    ),
    "latent_usage": (
        "Code dimensions in use",
        "The rate of each dimension; one near zero carries nothing about the data.",
    ),
}


def draw(run: Run, data: Data) -> list[Path]:
    """Draw what a trained run is looked at by, and its report.

    Returns:
        the paths of the pictures, in the order to look at them.
    """
    run.model.to("cpu")
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(_SEED)
        figures = dict(_figures(run, data))
    paths = []
    for name, figure in figures.items():
        paths.append(plots.save(figure, run.pictures / f"{name}.png"))
    _report(run, data, paths)
    return paths


def _figures(run: Run, data: Data) -> Any:
    model: Any = run.model
    spec, prepare = run.spec, Prepare(run.spec)
    x = held_out(data.test, spec, _SEED)[:_MAPPED]
    if data.test.labels is not None and len(data.test) > 1:
        labels = np.asarray(data.test.labels)[:_MAPPED]
    else:
        labels = None
    if hasattr(model, "decode"):
        some = x[:_SHOWN]
        decoded = model.decode(posterior_mean(model.encode(some))).mean
        both = _shown(spec, prepare, some), _shown(spec, prepare, decoded)
        yield "reconstructions", reconstructions_figure(spec, *both)
    if hasattr(model, "prior") and hasattr(model, "decode"):
        mean = model.decode(model.prior().sample((_SAMPLES,))).mean
        yield "samples", samples_figure(spec, _shown(spec, prepare, mean), _shown(spec, prepare, x))
    codes = posterior_means(model, x)
    yield "latent_map", plots.latent_map(latent_map(codes), labels, spec.classes)
    if codes.shape[1] == 2 and spec.kind == "image" and hasattr(model, "prior"):
        grid = manifold_codes()
        decoded = model.decode(torch.from_numpy(grid)).mean
        yield "manifold", plots.manifold(_shown(spec, prepare, decoded), grid)
    evaluation = run.evaluation
    if evaluation is not None and evaluation.kl_per_dimension:
        usage = plots.latent_usage(evaluation.kl_per_dimension, evaluation.active_units)
        yield "latent_usage", usage
    metrics = run.metrics()
    if len(metrics) > 1:
        yield "learning_curves", plots.learning_curves(metrics)


def samples_figure(spec: DataSpec, samples: np.ndarray, data: np.ndarray | None) -> Figure:
    """Samples as people look at them: a sheet of images, histograms of a table's columns, strips.

    Args:
        spec: of the data.
        samples: (n, *event_shape); images in [0, 1].
        data: the same of held-out data, to stand beside a table's samples.
    """
    if spec.kind == "image":
        return plots.image_grid(samples, f"{len(samples)} samples of {spec.name}")
    if spec.kind == "tokens":
        return plots.token_strips(samples, spec.levels or 2, f"samples of {spec.name}")
    beside = samples if data is None else data
    return plots.marginals(beside.reshape(len(beside), -1)[:, :12], samples[:, :12])


def write(path: str | Path, spec: DataSpec, values: np.ndarray) -> Path:
    """Write examples in stored units as .png (a sheet) or .npy (the array).

    Raises:
        LowerboundError: the name ends in something else, or the file cannot be written.
    """
    return _written(Path(path), lambda: samples_figure(spec, _unit(spec, values), None), values)


def write_pairs(
    path: str | Path, spec: DataSpec, originals: np.ndarray, reconstructions: np.ndarray
) -> Path:
    """Write held-out examples over their reconstructions (.png), or (n, 2, *event) (.npy).

    Raises:
        LowerboundError: as `write`.
    """
    pair = _unit(spec, originals), _unit(spec, reconstructions)
    both = np.stack([originals, reconstructions], 1)
    return _written(Path(path), lambda: reconstructions_figure(spec, *pair), both)


def _written(path: Path, figure: Callable[[], Figure], values: np.ndarray) -> Path:
    if path.suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{path.name}'")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            return plots.save(figure(), path)
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        write_whole(path, content.getvalue())
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    return path


def _unit(spec: DataSpec, values: np.ndarray) -> np.ndarray:
    """Stored values of images in [0, 1]; others as they are."""
    if spec.kind != "image":
        return values
    return np.clip((values - spec.low) / ((spec.high - spec.low) or 1.0), 0.0, 1.0)


def _shown(spec: DataSpec, prepare: Prepare, x: Tensor) -> np.ndarray:
    return (prepare.unit(x) if spec.kind == "image" else prepare.restore(x)).numpy()


def reconstructions_figure(spec: DataSpec, originals: np.ndarray, found: np.ndarray) -> Figure:
    """Held-out examples beside what a model makes of them; images in [0, 1]."""
    if spec.kind == "image":
        return plots.reconstructions(originals, found)
    if spec.kind == "tokens":
        both = np.stack([originals, found], 1).reshape(-1, originals.shape[-1])
        return plots.token_strips(both, spec.levels or 2, "held-out data, each over its decoding")
    title = "Held-out data and reconstructions, column by column"
    return plots.marginals(originals[:, :12], found[:, :12], title=title)


def _report(run: Run, data: Data, paths: list[Path]) -> None:
    write_report(
        run.path / "report.html",
        title=f"{run.info['recipe'] or 'model'} on {run.spec.name}",
        facts=data.lines(),
        evaluation=run.evaluation,
        # The report draws the learning curves itself, beside the numbers of training.
        pictures=[Picture(_CAPTIONS[p.stem][0], p, _CAPTIONS[p.stem][1]) for p in paths if p.stem in _CAPTIONS],
        metrics=run.metrics(),
        info=run.info,
    )
