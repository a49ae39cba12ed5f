"""Sound said again under another condition: encoded, and decoded as another speaker.

>>> import lowerbound as lb
>>> (wave,) = lb.convert("runs/fsdd-vq-vae", "7_theo_0.wav", "jackson")  # doctest: +SKIP
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import conditioning
from .conditioning import Given
from .data import wave_of
from .errors import LowerboundError
from .runs import Run
from .sound import SILENCE, expand, mu_law

_TOGETHER = 64  # clips that are drawn together


def convert(
    run: str | Path | Run,
    sounds: str | Path | np.ndarray | Sequence[str | Path | np.ndarray],
    given: Given | Sequence[Given],
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[np.ndarray]:
    """Say sounds again under a condition: what was said by the code, who says it by the condition.

    Args:
        run: a run, or its folder, of a model of sound with codes and a condition: the recipe vq-vae
            with --given speaker.
        sounds: a file, a wave (T,) at the run's sampling rate, or several of either, of any length.
        given: the condition, as `lowerbound.api.sample` takes it; a list has one for each sound.
        temperature: of the draws from the decoder; below 1 they are calmer.
        seed: of the draws.

    Returns:
        the waves, float64 (T,) each in [-1, 1], as long as those that came.

    Raises:
        LowerboundError: a run of something else, a file that does not open or holds nothing, or a
            condition that the model does not know.
    """
    run = Run.open(run) if isinstance(run, str | Path) else run
    spec = run.spec
    if spec.kind != "audio" or not spec.sample_rate:
        raise LowerboundError(
            f"expected a run of sound to convert with, came {run.path}, of {spec.kinds}; train one "
            "on a folder of sound: --recipe vq-vae --given speaker"
        )
    condition: Any = getattr(run.model, "condition", None)
    if condition is None or condition.side is None:
        raise LowerboundError(
            f"expected a run that is conditioned on something to convert to, came {run.path}; "
            "train with --recipe vq-vae --given speaker"
        )
    if not hasattr(run.model, "encode") or not hasattr(run.model, "decode"):
        raise LowerboundError(
            f"expected a run with codes to convert by, came {run.path} "
            f"({type(run.model).__name__}); train with --recipe vq-vae --given speaker"
        )
    several = [sounds] if isinstance(sounds, str | Path | np.ndarray) else [*sounds]
    conditions = [*given] if isinstance(given, list) else [given] * len(several)
    if len(conditions) != len(several):
        raise LowerboundError(
            f"expected a condition for each of {len(several)} sounds, came {len(conditions)}"
        )
    contexts = [conditioning.contexts_for(run, 1, each, seed) for each in conditions]
    waves = [_wave(each, spec.sample_rate) for each in several]
    converted: list[np.ndarray] = []
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for first in range(0, len(waves), _TOGETHER):
            some = waves[first : first + _TOGETHER]
            context = tuple(map(torch.cat, zip(*contexts[first : first + _TOGETHER], strict=True)))
            found = again(run.model, _filled(run.model, some), *context, temperature=temperature)
            levels = found.numpy()
            converted += [expand(row[: len(wave)]) for row, wave in zip(levels, some, strict=True)]
    return converted


@torch.no_grad()
def again(model: Any, samples: Tensor, *context: Tensor, temperature: float = 1.0) -> Tensor:
    """Encode and decode under a condition.

    A model whose decoder draws sample by sample takes any number of them; others take windows of
    the length that they were trained on, one after the other.

    Args:
        model: has ``encode`` and ``decode``.
        samples: mu-law levels, int64 ``(N, T)``, T a multiple of what the model encodes at once.
        context: the conditions, ``(N, ...)`` each.
        temperature: of the draws.

    Returns:
        mu-law levels, int64 ``(N, T)``.
    """
    free = _of_any_length(model, samples.shape[1])
    if free is not None:
        vectors = model.quantizer.lookup(model.quantizer.codes(model.posterior.vectors(samples)))
        return free(vectors, *context).sample((), temperature=temperature)
    (window,) = model.event_shape
    parts = []
    for part in samples.split(window, 1):
        found = model.decode(model.encode(part, *context).mode, *context)
        drawn = found.sample() if hasattr(found, "network") else found.mean
        parts.append(drawn.round().long() if drawn.is_floating_point() else drawn)
    return torch.cat(parts, 1)


def _of_any_length(model: Any, length: int) -> Any:
    """The model's likelihood given vectors, of so many samples; None where that is fixed."""
    head = getattr(getattr(model, "likelihood", None), "head", None)
    if not hasattr(model, "quantizer") or not hasattr(head, "network"):
        return None
    if getattr(head.network, "grid", ()) is not None or not _stride(model):
        return None
    other = copy.copy(head)
    other.event_shape = (length,)
    return other


def _stride(model: Any) -> int:
    """Samples of a code, of an encoder that slides along; 0 of others."""
    return getattr(getattr(getattr(model, "posterior", None), "encoder", None), "stride", 0)


def _filled(model: Any, waves: Sequence[np.ndarray]) -> Tensor:
    """Waves as mu-law levels of one length, int64 (N, T), filled up with silence."""
    unit = _stride(model) or model.event_shape[0]
    longest = max(len(wave) for wave in waves)
    out = np.full((len(waves), -(-longest // unit) * unit), SILENCE, np.int64)
    for row, wave in zip(out, waves, strict=True):
        row[: len(wave)] = mu_law(wave)
    return torch.from_numpy(out)


def _wave(sound: str | Path | np.ndarray, rate: int) -> np.ndarray:
    if isinstance(sound, str | Path):
        return wave_of(sound, rate)
    wave = np.asarray(sound)
    if wave.ndim != 1 or not len(wave) or wave.dtype.kind != "f" or not np.isfinite(wave).all():
        raise LowerboundError(
            f"expected a wave (T,) of floats in [-1, 1], came {wave.dtype} of shape {wave.shape}"
        )
    return wave
