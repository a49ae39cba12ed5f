"""How a clip may go on: its first frames are given, codes of the others drawn from the prior."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import conditioning
from .autoregressive import Autoregressive
from .conditioning import Completion
from .data import Prepare, side_of
from .data.arrays import as_numpy
from .data.video import clip_frames
from .errors import LowerboundError
from .runs import Run

_HELD_OUT_SEED = 0  # as in every report on held-out data
_ROWS = 64  # continuations that are drawn together


def go_on(
    run: Run,
    example: Any,
    frames: int | None = None,
    *,
    n: int = 8,
    given: Any = None,
    values: str = "auto",
    seed: int = 0,
    **options: Any,
) -> Completion:
    """Continue a clip in several ways.

    Args:
        run: of a vq-vae of clips with an autoregressive prior, or of an autoregressive model of
            clips.
        example: a .gif, .npy, or array ``(F, C, H, W)`` in the units of the data, of which the
            first frames are looked at (a shorter one is continued); or the number of a held-out
            example.
        frames: so many first frames are given; None: all that a shorter clip has, else a quarter.
        n: how many continuations.
        given: of a conditional run, the condition; None takes a held-out example's own.
        values: at each code the likelihood's ``mean``, or a ``draw``; auto is the mean.
        seed: of the draws.
        **options: of the draws: temperature, top_k, top_p, guidance.

    Returns:
        The clip, which of its frames were drawn, and the continuations: the first `frames` of each
        as they came.

    Raises:
        LowerboundError: the run is none of clips, has no prior that can go on, or the example does
            not fit it.
    """
    whole = tuple(run.spec.event_shape)
    if run.spec.kind != "video":
        raise LowerboundError(
            f"expected a run of clips to continue one, came {run.path}, which is of "
            f"{run.spec.kinds}: leave frames out"
        )
    clip, number = clip_of(run, example)
    came = len(clip)
    frames = frames or (came if came < whole[0] else max(1, whole[0] // 4))
    if not 1 <= frames < whole[0] or frames > came:
        raise LowerboundError(
            f"frames: expected from 1 to {min(came, whole[0] - 1)} of the clip's {came} to go on "
            f"from, came {frames}; the model makes clips of {whole[0]}"
        )
    # Codes are of one frame each: what stands in the place of those to come is not looked at.
    last = clip[frames - 1 : frames]
    padded = np.concatenate([clip[:frames], np.repeat(last, whole[0] - frames, 0)])
    stored = torch.from_numpy(np.ascontiguousarray(padded))[None]
    x = Prepare(run.spec)(stored, torch.Generator().manual_seed(_HELD_OUT_SEED))
    context = _context(run, given, number)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        found = _drawn(run, x, frames, n, context, values, options)
    found[:, :frames] = clip[:frames]
    shown = clip if came == whole[0] else padded
    missing = np.zeros(whole, bool)
    missing[frames:] = True
    return Completion(shown, missing, found)


def _drawn(
    run: Run,
    x: torch.Tensor,
    frames: int,
    n: int,
    context: tuple[torch.Tensor, ...],
    values: str,
    options: dict[str, Any],
) -> np.ndarray:
    model: Any = run.model
    direct = not hasattr(model, "decode")
    p = model.likelihood(*context) if direct else model.prior(*context)
    if not isinstance(p, Autoregressive):
        raise LowerboundError(
            f"expected a run whose codes have an autoregressive prior, which can go on from the "
            f"first frames, came {run.path} ({type(p).__name__}): train with --prior transformer, "
            f"or fit one: --recipe two-stage --base {run.path} --prior transformer"
        )
    start = p.tokens(x if direct else model.encode(x).mode)
    given = start.shape[1] * frames // run.spec.event_shape[0]
    value = p.sample((n,), start=start[:, :given], **options)
    value = value.reshape(n, *value.shape[-p.event_rank :])
    prepare = Prepare(run.spec)
    if direct:
        return prepare.restore(value).numpy()
    parts = []
    for some in value.split(_ROWS):
        beside = [c.expand(len(some), *c.shape[1:]) for c in context]
        found = model.decode(some, *beside)
        if values == "draw":
            parts.append(prepare.restore(found.sample()))
        else:
            mean = found.mode if run.spec.support == "categories" else found.mean
            parts.append(prepare.expected(mean))
    return torch.cat(parts).numpy()


def _context(run: Run, given: Any, number: int | None) -> tuple[torch.Tensor, ...]:
    condition: Any = getattr(run.model, "condition", None)
    nothing = torch.zeros(1, *run.spec.event_shape)
    if condition is not None and given is None and number is not None:
        return condition(nothing, side_of(run.data().test, condition.side)[number : number + 1])
    side = conditioning.side_given(run, given, 1)
    return () if side is None else condition(nothing, side)


def clip_of(run: Run, example: Any) -> tuple[np.ndarray, int | None]:
    """Frames (F, C, H, W) in stored units, and which held-out example they are of, if so.

    Args:
        run: of clips.
        example: a .gif, .npy, array, or the number of a held-out example; shorter ones will do.

    Raises:
        LowerboundError: it does not open, or is of another size, or longer.
    """
    shape, spec = tuple(run.spec.event_shape), run.spec
    number = held_out_number(run, example)
    if number is not None:
        return run.data().test.stored(np.array([number]))[0].numpy(), number
    if isinstance(example, str | Path) and Path(example).suffix.lower() != ".npy":
        path = Path(example).expanduser()
        if not path.is_file():
            raise LowerboundError(f"expected a .gif, a .mp4 or a .npy, came no such file: {path}")
        found = clip_frames(lambda name: path.read_bytes(), path.name)
        if isinstance(found, str):
            raise LowerboundError(f"{path} does not open as a clip ({found})")
        pixels = np.stack(found).astype(np.float32)
        if shape[1] == 3 and pixels.shape[-1] == 1:
            pixels = np.repeat(pixels, 3, -1)
        clip = conditioning.on_levels(spec, np.moveaxis(pixels, -1, 1))
    else:
        clip = _array(example)
        clip = clip[:, None] if clip.ndim == 3 and shape[1] == 1 else clip
    if clip.ndim != 4 or clip.shape[1:] != shape[1:] or not len(clip) or len(clip) > shape[0]:
        raise LowerboundError(
            f"expected a clip of at most {shape[0]} frames ({', '.join(map(str, shape[1:]))}), as "
            f"{run.path} was trained on, came {tuple(clip.shape)}; crop and scale it"
        )
    if clip.dtype.kind not in "biuf" or not np.isfinite(clip).all():
        raise LowerboundError(f"expected a clip of finite numbers, came {clip.dtype}")
    return clip, None


def _array(example: Any) -> np.ndarray:
    """An array, or that of an .npy."""
    if not isinstance(example, str | Path):
        return as_numpy(example)
    try:
        return np.load(Path(example).expanduser(), allow_pickle=False)
    except FileNotFoundError:
        raise LowerboundError(f"expected a .gif or a .npy, came no such file: {example}") from None
    except (OSError, ValueError, EOFError):
        raise LowerboundError(f"{example} does not open as .npy: write it again") from None


def held_out_number(run: Run, example: Any) -> int | None:
    """Which held-out example is meant by a number, None where it is no number.

    Raises:
        LowerboundError: there are not so many.
    """
    text = isinstance(example, str) and example.isdigit() and not Path(example).exists()
    if not text and (isinstance(example, bool) or not isinstance(example, int | np.integer)):
        return None
    count = len(run.data().test)
    if not 0 <= int(example) < count:
        raise LowerboundError(
            f"expected the number of a held-out example, from 0 to {count - 1}, came {example}"
        )
    return int(example)
