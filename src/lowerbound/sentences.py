"""What a run of captions makes of a user's own sentences, and the pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .conditioning import draw_codes
from .data import Data, Prepare, held_out
from .errors import LowerboundError
from .words import check_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .data import DataSpec
    from .runs import Run

_ROWS = 128  # images that are drawn together
_SEED = 0
#: Of a run's own picture: held-out captions, and samples of each.
_SHOWN, _SAMPLES = 6, 7


def asked(run: Run, text: str | Sequence[str]) -> list[str]:
    """The sentences that a run is to draw.

    Raises:
        LowerboundError: it takes none, there is none, or one cannot be read.
    """
    condition: Any = getattr(run.model, "condition", None)
    if getattr(condition, "side", None) != "captions":
        raise LowerboundError(
            f"expected a run of captions to draw sentences with, came {run.path} "
            f"({type(run.model).__name__}); train one with recipe stack-gan, or leave out text "
            "(--text)"
        )
    texts = [text] if isinstance(text, str) else list(text)
    if not texts:
        raise LowerboundError('expected a sentence, came none; pass text="..." (--text "...")')
    return [check_sentence(each, "") for each in texts]


def strange(run: Run, texts: Sequence[str]) -> list[str]:
    """What of these sentences a run was not trained on, in words; nothing as a rule."""
    condition: Any = run.model.condition
    return condition.strange(texts)


def drawn(
    run: Run, text: str | Sequence[str], n: int, *, to: str | None = None, seed: int = 0
) -> Tensor:
    """Images of sentences.

    Args:
        run: of captions.
        text: one sentence or several.
        n: images of each; with `to`, steps from one sentence to the other.
        to: a sentence to go to, from one sentence; all steps have one code.
        seed: of the codes: the same ones for each sentence.

    Returns:
        x ``(sentences * n, *event_shape)``, sentence by sentence.

    Raises:
        LowerboundError: several sentences to go from, or one step to go.
    """
    texts, model = asked(run, text), run.model
    ends = [] if to is None else asked(run, to)
    if ends and (len(texts) != 1 or n < 2):
        raise LowerboundError(
            f"expected one sentence to go from and at least 2 steps, came {len(texts)} and {n}; "
            "pass one text and text_to (--text-to), and n of 2 or more"
        )
    condition: Any = model.condition
    read = condition.sentences([*texts, *ends])
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codes = draw_codes(model, 1 if ends else n)
        parts = []
        if ends:
            share = torch.linspace(0.0, 1.0, n)
            one, other = (each.expand(n, -1) for each in read)
            between: Any = model.between
            return between(codes.expand(n, -1), one, other, share).mean
        decode: Any = model.decode
        for sentence in read:
            for some in codes.split(_ROWS):
                parts.append(decode(some, sentence.expand(len(some), -1)).mean)
    return torch.cat(parts)


def figure(
    spec: DataSpec,
    images: np.ndarray,
    texts: Sequence[str],
    to: str | None = None,
    *,
    steps: int | None = None,
    first: str | None = None,
) -> Figure:
    """Images over their sentences.

    Args:
        spec: of the data.
        images: ``(sentences * n, C, H, W)`` in [0, 1], sentence by sentence; with `to`, strips from
            the one sentence, one after the other.
        texts: the sentences.
        to: where strips go to.
        steps: images of each strip; None: there is one strip.
        first: what the first image of each sentence is, where it is no sample.
    """
    from .plots.captioned import captioned

    if to is not None:
        rows = images.reshape(-1, steps or len(images), *images.shape[1:])
        title = f"{spec.name}: from one sentence to another"
        return captioned(rows, [""] * len(rows), title, ends=(texts[0], to))
    rows = images.reshape(len(texts), -1, *images.shape[1:])
    title = f"{spec.name}: samples of sentences"
    return captioned(rows, texts, title, first=first)


def own_figure(run: Run, data: Data) -> Figure:
    """Held-out examples over their captions, each with samples of it."""
    split: Any = data.test
    prepare, spec = Prepare(run.spec), run.spec
    chosen = torch.randperm(len(split), generator=torch.Generator().manual_seed(_SEED))[:_SHOWN]
    texts = [split.sentences[k][0] for k in chosen.tolist()]
    real = prepare.unit(held_out(split, spec, _SEED)[chosen])
    found = prepare.unit(drawn(run, texts, _SAMPLES, seed=_SEED))
    rows = torch.cat([real[:, None], found.view(len(texts), -1, *real.shape[1:])], 1)
    return figure(spec, _visible(rows.flatten(0, 1).numpy()), texts, first="data")


def write(
    path: str | Path,
    run: Run,
    values: np.ndarray,
    texts: Sequence[str],
    to: str | None = None,
    steps: int | None = None,
) -> Path:
    """Write images of sentences as .png, the sentences below them, or .npy.

    Args:
        path: of the file.
        run: that drew them.
        values: as `lowerbound.api.sample` returns them; of a way between sentences one strip or
            several, one after the other.
        texts: the sentences.
        to: where strips go to.
        steps: images of each strip; None: there is one strip.

    Raises:
        LowerboundError: the name ends in something else, or the file cannot be written.
    """
    from .pictures import written

    spec = run.spec
    span = (spec.high - spec.low) or 1.0

    def made() -> Figure:
        shown = _visible(((values - spec.low) / span).clip(0.0, 1.0))
        return figure(spec, shown, texts, to, steps=steps)

    return written(Path(path), made, values)


def _visible(images: np.ndarray) -> np.ndarray:
    """Grey or colour of any number of channels ``(N, C, H, W)``."""
    channels = images.shape[1]
    return images if channels in (1, 3) else images[:, : 3 if channels > 3 else 1]
