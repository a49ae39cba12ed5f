"""Sound that a run makes: to be heard (WAV) and to be looked at (spectrograms)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from . import conditioning, plots
from .data import Data, DataSpec, held_out
from .errors import LowerboundError
from .evaluation import held_out_contexts, posterior_mean
from .report import Sound
from .runs import Run
from .sound import LEVELS, expand, write_wav
from .training.checkpoint import write_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN, _SAMPLES = 4, 8
_PAUSE = 0.25  # seconds of silence between sounds in one file
_SEED = 0


def draw_or_mean(found: Any) -> Tensor:
    """What is heard of p(x|z): a draw where samples depend on one another, else their mean.

    The likeliest sample each time is silence, and draws that are independent are noise.
    """
    return found.sample() if hasattr(found, "network") else found.mean


def waves_of(values: np.ndarray) -> np.ndarray:
    """Stored values (N, T), mu-law levels, as waves (N, T) in [-1, 1]."""
    return expand(values, LEVELS)


def joined(waves: Sequence[np.ndarray], rate: int) -> np.ndarray:
    """Several waves (T,) one after the other, with a pause between."""
    pause = np.zeros(round(_PAUSE * rate))
    parts = [part for wave in waves for part in (wave, pause)]
    return np.concatenate(parts[:-1])


def save(path: str | Path, waves: Sequence[np.ndarray], rate: int) -> Path:
    """Write waves (T,) in [-1, 1] as one WAV file, one after the other with a pause between.

    Raises:
        LowerboundError: the name ends in something else, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".wav":
        raise LowerboundError(f"expected a name that ends in .wav, came '{path.name}'")
    return write_out(path, write_wav(joined(waves, rate), rate))


def rate_of(spec: DataSpec) -> int:
    """Samples per second of a run's sound.

    Raises:
        LowerboundError: its data are no sound.
    """
    if spec.kind != "audio" or not spec.sample_rate:
        raise LowerboundError(
            f"expected a run of sound, came one of {spec.kind} ({spec.name}); pass another name "
            "than .wav, or another run"
        )
    return spec.sample_rate


@torch.no_grad()
def drawn(run: Run, data: Data) -> tuple[dict[str, Figure], list[Sound]]:
    """Spectrograms of what a run reconstructs and draws, and the same to be heard.

    Returns:
        figures by name; sounds in the order of listening.
    """
    model: Any = run.model
    spec, rate = run.spec, rate_of(run.spec)
    figures: dict[str, Figure] = {}
    sounds: list[Sound] = []
    chosen = some_clips(data, _SHOWN)
    x = held_out(data.test, spec, _SEED)[chosen]
    context = held_out_contexts(model, x, data.test, chosen, _SEED)
    originals, named = waves_of(x.numpy()), clip_names(data, chosen)
    if hasattr(model, "decode"):
        found = model.decode(posterior_mean(model.encode(x, *context)), *context)
        again = waves_of(draw_or_mean(found).numpy())
        figures["reconstructions"] = pairs_figure(originals, again, rate, named)
        for name, wave, other in zip(named, originals, again, strict=True):
            sounds.append(Sound(f"held out: {name}", write_wav(wave, rate)))
            sounds.append(Sound(f"reconstructed: {name}", write_wav(other, rate)))
    if hasattr(model, "prior") or hasattr(model, "condition"):
        given = conditioning.contexts_for(run, _SAMPLES, None, _SEED)
        codes = conditioning.draw_codes(model, _SAMPLES, *given)
        new = waves_of(draw_or_mean(_decoded(model, codes, *given)).numpy())
        figures["samples"] = samples_figure(new, rate, f"samples of {spec.name}")
        sounds += [Sound(f"sample {n + 1}", write_wav(w, rate)) for n, w in enumerate(new)]
    return figures, sounds


def _decoded(model: Any, codes: Tensor, *context: Tensor) -> Any:
    return model.decode(codes, *context) if hasattr(model, "decode") else model.likelihood(*context)


def some_clips(data: Data, count: int) -> Tensor:
    """Held-out windows that begin clips, of as many labels as there are: int64 (count,)."""
    test = data.test
    rows: Any = test.source
    places = np.arange(len(test)) if test.rows is None else test.rows
    starts = np.flatnonzero(rows.start[places] == 0) if hasattr(rows, "start") else places * 0
    starts = starts if len(starts) >= count else np.arange(len(test))
    order = np.random.default_rng(_SEED).permutation(starts)
    return torch.from_numpy(np.sort(order[:count]))


def clip_names(data: Data, chosen: Tensor) -> list[str]:
    """Names of the clips that windows of the test data are from."""
    rows: Any = data.test.source
    places = chosen.numpy() if data.test.rows is None else data.test.rows[chosen.numpy()]
    if not hasattr(rows, "clip"):
        return [f"window {place}" for place in places]
    return [Path(rows.names[clip]).stem for clip in rows.clip[places]]


def samples_figure(waves: np.ndarray, rate: int, title: str) -> Figure:
    """Spectrograms of some waves (N, T), the first 16."""
    return plots.spectrograms(waves[:16], rate, title)


def pairs_figure(
    originals: np.ndarray, found: np.ndarray, rate: int, names: Sequence[str] | None = None
) -> Figure:
    """Held-out waves (N, T) over what a model makes of them, the first 6."""
    count = min(6, len(originals))
    both = np.concatenate([originals[:count], found[:count]])
    title = "Held-out sound, and what the model makes of it"
    rows = ("held out", "reconstructed")
    return plots.spectrograms(
        both, rate, title, columns=count, names=names and names[:count], rows=rows
    )


def write(path: str | Path, run: Run, values: np.ndarray, title: str = "") -> Path:
    """Write samples of a run (n, T), mu-law levels, as .wav or as spectrograms (.png).

    Raises:
        LowerboundError: the name ends in something else, the data are no sound, or the file cannot
            be written.
    """
    path, rate = Path(path), rate_of(run.spec)
    waves = waves_of(values)
    if path.suffix == ".wav":
        return save(path, list(waves), rate)
    figure = samples_figure(waves, rate, title or f"samples of {run.spec.name}")
    return _png(path, figure)


def write_pairs(path: str | Path, run: Run, originals: np.ndarray, found: np.ndarray) -> Path:
    """Write held-out sounds and what a run makes of them, (n, T) each; in a .wav in turn.

    Raises:
        LowerboundError: as `write`.
    """
    path, rate = Path(path), rate_of(run.spec)
    waves, others = waves_of(originals), waves_of(found)
    if path.suffix == ".wav":
        return save(path, [wave for pair in zip(waves, others, strict=True) for wave in pair], rate)
    return _png(path, pairs_figure(waves, others, rate))


def _png(path: Path, figure: Figure) -> Path:
    if path.suffix != ".png":
        raise LowerboundError(
            f"expected a name that ends in .wav, .png or .npy, came '{path.name}'"
        )
    try:
        return plots.save(figure, path)
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
