"""The pictures and the report of a run, and samples written as files."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from . import conditioning, drawing, listening, nothing, plots, sentences
from .captions import caption
from .conditioning import Completion
from .data import Data, DataSpec, Prepare, held_out
from .errors import LowerboundError
from .evaluation import held_out_contexts, posterior_mean
from .latent import latent_map, manifold_codes, posterior_means
from .plots import samples as neighbours
from .report import Picture, Sound, write_report
from .runs import Run
from .training.checkpoint import write_whole
from .training.units import for_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN, _SAMPLES, _MAPPED = 10, 64, 2000
_PLANE = 2
_PAIRED = 5  # columns of a table up to which pairs of them are drawn
_PER_CLASS, _COMPLETED, _WAYS = 10, 8, 6  # samples of a class; examples completed, each so often
_CLIPS = 8  # of a video that are shown, a row of frames each
_PIXELS = ("image", "video")
_SEED = 0
_CAPTIONS = {nothing.NAME: nothing.CAPTION, neighbours.NAME: neighbours.CAPTION}
_STRIPES = ((0.94, 0.80, 0.62), (0.86, 0.56, 0.28))  # of what is missing, in two tones


def draw(run: Run, data: Data) -> list[Path]:
    """Draw what a trained run is looked at by, and its report.

    Returns:
        the paths of the pictures, in the order to look at them.
    """
    run.model.to("cpu")
    sounds: list[Sound] = []
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(_SEED)
        figures = {}
        if run.spec.kind == "audio":
            figures, sounds = listening.drawn(run, data)
        if hasattr(run.model, "roll"):
            from .forecast_files import run_figures

            figures |= run_figures(run)
        else:
            figures |= dict(_figures(run, data))
        figures |= nothing.figures(run.spec, data)
    paths = []
    for name, figure in figures.items():
        paths.append(plots.save(figure, run.pictures / f"{name}.png"))
    measured = run.pictures / f"{neighbours.NAME}.png"  # drawn where the samples are measured
    if run.evaluation is not None and any(s.name == "samples" for s in run.evaluation.sections):
        paths += [measured] if measured.exists() else []
    _report(run, data, paths, sounds)
    return paths


def _figures(run: Run, data: Data) -> Any:
    model: Any = run.model
    spec, prepare = run.spec, Prepare(run.spec)
    # Shuffled: the files of a folder come class by class.
    chosen = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(_SEED))
    chosen = chosen[:_MAPPED]
    x = held_out(data.test, spec, _SEED)[chosen]
    labels = None if data.test.labels is None else np.asarray(data.test.labels)[chosen.numpy()]
    names = data.facts.columns
    context = held_out_contexts(model, x, data.test, chosen, _SEED)
    denoises = hasattr(model, "denoise") and hasattr(model, "corrupt")
    sound = spec.kind == "audio"  # what it makes of it and draws is seen in `listening`
    if denoises:
        count = _SHOWN if spec.kind != "vector" else _MAPPED
        corrupted = model.corrupt(x[:count])
        each = (x[:count], corrupted, model.denoise(corrupted))
        yield "denoised", denoised_figure(spec, *(_shown(spec, prepare, v) for v in each), names)
    elif _reconstructs(model) and not sound:
        count = _SHOWN if spec.kind != "vector" else _MAPPED
        some, c = x[:count], tuple(each[:count] for each in context)
        decoded = _centre(spec, model.decode(posterior_mean(model.encode(some, *c)), *c))
        both = _shown(spec, prepare, some), _shown(spec, prepare, decoded)
        yield "reconstructions", reconstructions_figure(spec, *both, names)
    condition = getattr(model, "condition", None)
    classes = conditioning.classes_of(run)
    if getattr(condition, "of_x", False) and spec.kind == "image":
        rows = tuple(each[:_COMPLETED] for each in context)
        yield "completions", completions_figure(spec, prepare, model, x[:_COMPLETED], *rows)
    elif classes and spec.kind in _PIXELS:
        count = len(classes) * _PER_CLASS
        c = conditioning.contexts_for(run, count, "each", _SEED)
        shown = _shown(spec, prepare, drawing.new_data(model, spec, count, *c))
        yield "samples_of_each_class", class_figure(spec, shown, classes)
    elif getattr(condition, "side", None) == "captions":
        yield "sentences", sentences.own_figure(run, data)
    elif hasattr(model, "sample") and not hasattr(model, "decode") and not sound:
        c = conditioning.contexts_for(run, _SAMPLES, None, _SEED)
        new = _shown(spec, prepare, drawing.new_data(model, spec, _SAMPLES, *c))
        yield "samples", samples_figure(spec, new, _shown(spec, prepare, x), names)
    elif hasattr(model, "prior") and hasattr(model, "decode") and not sound:
        many = _MAPPED if spec.kind == "vector" else _SAMPLES
        c = conditioning.contexts_for(run, many, None, _SEED)
        found = model.decode(conditioning.draw_codes(model, many, *c), *c)
        # Histograms of columns are about the spread, which means do not have.
        new = found.sample() if spec.kind == "vector" else _centre(spec, found)
        new, data_shown = _shown(spec, prepare, new), _shown(spec, prepare, x)
        if getattr(condition, "of_x", False):
            title = f"{spec.name}: held-out data, and the same with the missing part drawn"
            yield "completions", samples_figure(spec, new, data_shown, names, title)
        else:
            title = None
            if c:
                title = f"{spec.name}: held-out data and samples, conditions as in the data"
            yield "samples", samples_figure(spec, new, data_shown, names, title)
    if hasattr(model, "responsibilities") and spec.dimensions <= _PLANE:
        # Means and covariances are x's own, so that it is x that lies beneath them.
        parts = (model.weights, model.means, model.covariances)
        yield "mixture", plots.mixture(x.flatten(1).numpy(), *(p.numpy() for p in parts))
    codes, discrete = np.zeros((len(x), 0), np.float32), hasattr(model, "uniform_rate")
    if hasattr(model, "encode"):
        codes = posterior_means(model, x, *context)
    if hasattr(model, "responsibilities"):  # codes are indices: places on no axis
        yield "components", plots.components(codes, model.components, labels, spec.classes)
    elif codes.shape[1] and not getattr(model, "bijective", False) and not discrete:
        yield "latent_map", plots.latent_map(latent_map(codes), labels, spec.classes)
    unconditional = condition is None or condition.side == "position"
    plane = codes.shape[1] == 2 and spec.kind == "image"
    if plane and hasattr(model, "prior") and unconditional:
        grid = manifold_codes()
        decoded = _centre(spec, model.decode(torch.from_numpy(grid)))
        yield "manifold", plots.manifold(_shown(spec, prepare, decoded), grid)
    evaluation = run.evaluation
    if evaluation is not None and evaluation.kl_per_dimension:
        usage = plots.latent_usage(evaluation.kl_per_dimension, evaluation.active_units)
        yield "latent_usage", usage
    metrics = [for_curves(line) for line in run.metrics()]
    if plots.worth_curves(metrics):
        yield "learning_curves", plots.learning_curves(metrics)


def _reconstructs(model: Any) -> bool:
    """Whether a model has codes of data and decodes them, with something lost between."""
    whole = hasattr(model, "encode") and hasattr(model, "decode")
    return whole and not getattr(model, "bijective", False)


def _centre(spec: DataSpec, found: Any) -> Tensor:
    """The mean; of categories, which have none, the likeliest; a draw where neither is known."""
    return drawing.centre(spec, found)


def samples_figure(
    spec: DataSpec,
    samples: np.ndarray,
    data: np.ndarray,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Samples as people look at them: a sheet of images, strips of tokens, histograms of a table's
    columns beside the data's, longer vectors as curves.

    Args:
        spec: of the data.
        samples: (n, *event_shape); images in [0, 1].
        data: the same of held-out data, to stand beside a table's samples.
        names: of a table's columns.
        title: what is shown; None: samples of these data.
    """
    few = title or f"samples of {spec.name}"
    if spec.kind == "image":
        return plots.image_grid(samples, title or f"{len(samples)} {few}")
    if spec.kind == "video":
        return plots.strips(samples[:_CLIPS], few)
    if spec.kind == "tokens":
        return plots.token_strips(samples, spec.levels or 2, few)
    if spec.dimensions > plots.FEW_COLUMNS:
        return plots.traces(None, samples, few)
    named = {} if title is None else {"title": title}
    if 2 <= spec.dimensions <= _PAIRED:
        return plots.pairs(data, samples, names, **named)
    return plots.marginals(data, samples, names, **named)


def class_figure(spec: DataSpec, samples: np.ndarray, classes: Sequence[str]) -> Figure:
    """Samples of a model of labels, a row for each of them.

    Args:
        spec: of the data, images or clips.
        samples: (classes * n, C, H, W) in [0, 1], class by class; of clips the first few of each.
        classes: names of the labels.
    """
    columns = len(samples) // len(classes)
    if spec.kind == "video":
        few = max(1, _CLIPS // len(classes))
        some = samples.reshape(len(classes), columns, *samples.shape[1:])[:, :few]
        named = [name for name in classes for _ in range(some.shape[1])]
        clips = some.reshape(-1, *samples.shape[1:])
        return plots.strips(clips, f"{spec.name}, samples of each label", labels=named)
    figure = plots.image_grid(samples, f"{spec.name}, samples of each label", columns=columns)
    axes = figure.axes[0]
    height = axes.get_ylim()[0] / len(classes)
    axes.set_yticks([(row + 0.5) * height for row in range(len(classes))], [*classes])
    return figure


def completions_figure(
    spec: DataSpec, prepare: Prepare, model: Any, x: Tensor, *context: Tensor
) -> Figure:
    """A row for each example: what is observed of it, the whole, and several completions.

    Args:
        spec: of the data, images.
        prepare: to show x.
        model: completes parts of data.
        x: prepared, (N, *event_shape).
        context: of these, the last the mask.
    """
    shown = _shown(spec, prepare, x)
    rows = [_without(shown, context[-1] < 0.5), _coloured(shown)]
    for _ in range(_WAYS if hasattr(model, "prior") else 1):
        codes = conditioning.draw_codes(model, len(x), *context)
        decoded = _centre(spec, model.decode(codes, *context))
        rows.append(_coloured(_shown(spec, prepare, decoded)))
    images = np.stack(rows, 1).reshape(-1, *rows[0].shape[1:])
    title = f"{spec.name}: what is observed, the whole, completions"
    return plots.image_grid(images, title, columns=len(rows))


def write_completion(path: str | Path, run: Run, found: Completion) -> Path:
    """Write completions as .png (what was observed, then each) or .npy (n, *event_shape); of a clip
    also as .gif, the clip itself and then each.

    Raises:
        LowerboundError: as `write`.
    """
    spec = run.spec
    clips = spec.kind == "video"
    whole = np.concatenate([found.example[None], found.completions]) if clips else None

    def figure() -> Figure:
        if whole is not None:
            given = int((~found.missing).any((1, 2, 3)).sum())
            title = f"{given} frames given, and {len(found.completions)} ways to go on"
            names = ["data", *["model"] * len(found.completions)]
            shown = _unit(spec, whole)
            return plots.strips(shown[: _CLIPS + 1], title, labels=names[: _CLIPS + 1], given=given)
        if spec.kind != "image":
            return samples_figure(spec, found.completions, found.example[None], None)
        given = _without(_unit(spec, found.example[None]), torch.from_numpy(found.missing)[None])
        sheet = np.concatenate([given, _coloured(_unit(spec, found.completions))])
        return plots.image_grid(sheet, "what is observed, and completions", columns=len(sheet))

    return written(Path(path), figure, found.completions, _gif(spec, whole))


def write_classes(path: str | Path, run: Run, values: np.ndarray) -> Path:
    """Write samples of each class (classes * n, *event_shape), as .png a row for each.

    Raises:
        LowerboundError: as `write`.
    """
    classes = conditioning.classes_of(run) or ()
    gif = _gif(run.spec, values, columns=len(values) // max(1, len(classes)))
    return written(
        Path(path), lambda: class_figure(run.spec, _unit(run.spec, values), classes), values, gif
    )


def _without(images: np.ndarray, missing: Tensor) -> np.ndarray:
    """Images (N, C, H, W) in [0, 1] with what is missing of them in stripes, (N, 3, H, W).

    No grey, which could as well be the data's, and no one colour either, for the same reason.
    """
    height, width = images.shape[2:]
    place = np.add.outer(np.arange(height), np.arange(width)) // max(1, width // 24)
    stripes = np.where(place % 2, *(np.reshape(tone, (3, 1, 1)) for tone in _STRIPES))
    return np.where(_visible(missing.numpy()).any(1, keepdims=True), stripes, _coloured(images))


def _coloured(images: np.ndarray) -> np.ndarray:
    """Images (N, 1 or 3, H, W) with three channels."""
    return np.broadcast_to(images, (len(images), 3, *images.shape[2:]))


def write(path: str | Path, run: Run, values: np.ndarray, given: Any = None) -> Path:
    """Write samples of a run, in stored units, as .png (a sheet) or .npy (the array).

    Args:
        path: of the file.
        run: whose samples they are.
        values: ``(n, *event_shape)``.
        given: the condition that they were drawn under, as `lowerbound.api.sample` takes it: it
            stands in the title, and a table's samples beside data of that label alone.

    Raises:
        LowerboundError: the name ends in something else, or the file cannot be written.
    """
    if Path(path).suffix != ".npy" and (run.spec.kind == "audio" or Path(path).suffix == ".wav"):
        title = "" if given is None else f"{run.spec.name}: samples given {told(given)}"
        return listening.write(path, run, values, title)
    spec = run.spec

    def figure() -> Figure:
        title = None
        if given is not None:
            title = f"{spec.name}: {len(values)} samples given {told(given)}"
        if spec.kind in _PIXELS:
            return samples_figure(spec, _unit(spec, values), values, None, title)
        test = run.data().test
        chosen = torch.arange(len(test))
        label = _label_of(run, given)
        if label is not None and test.labels is not None:
            chosen = chosen[torch.as_tensor(np.asarray(test.labels)) == label]
            title = f"{title}, beside held-out data of that label"
        stored = test.stored(chosen[:_MAPPED].numpy()).numpy()
        return samples_figure(spec, values, stored, run.data().facts.columns, title)

    return written(Path(path), figure, values, _gif(spec, values))


def told(given: Any) -> str:
    """A condition in words.

    >>> told("label=3"), told({"smile": 1, "glasses": 0}), told([0.5, 1])
    ('label=3', 'smile=1, glasses=0', '0.5, 1')
    """
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return ", ".join(f"{name}={value}" for name, value in given.items())
    return ", ".join(map(str, given))


def _label_of(run: Run, given: Any) -> int | None:
    """The one label that is given; None of attributes, of nothing and of each in turn."""
    if given is None or given == "each" or conditioning.classes_of(run) is None:
        return None
    condition: Any = run.model.condition
    parsed = conditioning.parse_given(given) if isinstance(given, str) else given
    return int(condition.named(parsed))


def write_pairs(
    path: str | Path, run: Run, originals: np.ndarray, reconstructions: np.ndarray
) -> Path:
    """Write held-out examples over their reconstructions (.png), or (n, 2, *event) (.npy).

    Raises:
        LowerboundError: as `write`.
    """
    if Path(path).suffix != ".npy" and (run.spec.kind == "audio" or Path(path).suffix == ".wav"):
        return listening.write_pairs(path, run, originals, reconstructions)
    spec, names = run.spec, run.data().facts.columns
    pair = _unit(spec, originals), _unit(spec, reconstructions)
    both = np.stack([originals, reconstructions], 1)
    clips = both.reshape(-1, *originals.shape[1:])
    gif = _gif(spec, clips, columns=2 * math.ceil(math.sqrt(len(originals) / 2)))
    return written(Path(path), lambda: reconstructions_figure(spec, *pair, names), both, gif)


def _gif(
    spec: DataSpec, clips: np.ndarray | None, columns: int | None = None
) -> Callable[[], bytes] | None:
    """How clips (N, F, C, H, W) in stored units become a GIF; None of other data."""
    if spec.kind != "video" or clips is None:
        return None
    scale = plots.enlarged(clips, columns)
    return lambda: plots.gif(_unit(spec, clips), columns=columns, scale=scale)


def written(
    path: Path,
    figure: Callable[[], Figure],
    values: np.ndarray,
    gif: Callable[[], bytes] | None = None,
) -> Path:
    """Write what was drawn as .png (the figure), .npy (the values) or .gif, by the name's end."""
    if path.suffix == ".gif" and gif is None:
        raise LowerboundError(
            f"expected a name that ends in .png or .npy, as the data are no clips, came "
            f"'{path.name}'"
        )
    if path.suffix not in (".png", ".npy", ".gif"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{path.name}'")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            return plots.save(figure(), path)
        if gif is not None and path.suffix == ".gif":
            write_whole(path, gif())
            return path
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        write_whole(path, content.getvalue())
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    return path


def _unit(spec: DataSpec, values: np.ndarray) -> np.ndarray:
    """Stored values of images and clips in [0, 1]; others as they are."""
    if spec.kind not in _PIXELS:
        return values
    black, white = spec.shown
    return _visible(np.clip((values - black) / ((white - black) or 1.0), 0.0, 1.0))


def _shown(spec: DataSpec, prepare: Prepare, x: Tensor) -> np.ndarray:
    return _visible(prepare.unit(x).numpy()) if spec.kind in _PIXELS else prepare.restore(x).numpy()


def _visible(images: np.ndarray) -> np.ndarray:
    """Of other channels than grey or colour (…, C, H, W) the first three, or the first of two."""
    channels = images.shape[-3]
    return images if channels in (1, 3) else images[..., : 3 if channels > 3 else 1, :, :]


def reconstructions_figure(
    spec: DataSpec, originals: np.ndarray, found: np.ndarray, names: Sequence[str] | None = None
) -> Figure:
    """Held-out examples beside what a model makes of them; images in [0, 1]."""
    if spec.kind == "image":
        return plots.reconstructions(originals, found)
    if spec.kind == "video":
        both = np.stack([originals, found], 1)[: _CLIPS // 2].reshape(-1, *originals.shape[1:])
        title = "Held-out data, each over its reconstruction"
        return plots.strips(both, title, labels=["data", "model"] * (len(both) // 2))
    if spec.kind == "tokens":
        both = np.stack([originals, found], 1).reshape(-1, originals.shape[-1])
        return plots.token_strips(both, spec.levels or 2, "held-out data, each over its decoding")
    if spec.dimensions > plots.FEW_COLUMNS:
        return plots.traces(originals, found)
    return plots.against(originals, found, names)


def denoised_figure(
    spec: DataSpec,
    clean: np.ndarray,
    corrupted: np.ndarray,
    found: np.ndarray,
    names: Sequence[str] | None = None,
) -> Figure:
    """Held-out examples, the same corrupted, and denoised; images in [0, 1]."""
    if spec.kind == "video":  # a frame from the middle tells what there is to see
        clean, corrupted, found = (e[:, e.shape[1] // 2] for e in (clean, corrupted, found))
    if spec.kind in _PIXELS:
        title = f"{spec.name}: held-out data, corrupted, denoised"
        return plots.denoised(clean, corrupted, found, title)
    if spec.dimensions > plots.FEW_COLUMNS:
        return plots.traces(clean, found, "Held-out data, and as denoised when corrupted")
    title = "Held-out data, and as denoised when corrupted"
    return plots.against(clean, found, names, title)


def _report(run: Run, data: Data, paths: list[Path], sounds: list[Sound]) -> None:
    has_codes = tuple(getattr(run.model, "latent_shape", ())) != (0,)
    told = {
        path: _CAPTIONS.get(path.stem) or caption(path.stem, run.spec.kind, has_codes)
        for path in paths
    }
    write_report(
        run.path / "report.html",
        title=f"{run.name} on {run.spec.name}",
        facts=[*data.facts.lines(), *data.spec.lines(run.asked)],
        evaluation=run.evaluation,
        # The report draws the learning curves itself, beside the numbers of training.
        pictures=[Picture(each[0], path, each[1]) for path, each in told.items() if each],
        metrics=[for_curves(line) for line in run.metrics()],
        info=run.info,
        sounds=sounds,
    )
