"""What a person points at: a held-out example, a file, a code, a draw from the prior."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import conditioning, drawing, listening
from ..conditioning import Given
from ..continuing import clip_of, held_out_number
from ..data import Prepare, Split, wave_of
from ..errors import LowerboundError
from ..evaluation import held_out_contexts
from ..evaluation.chosen import Chosen, choose_examples, part_of, shuffled, taken_of_whole
from ..latent.space import Centre, Space
from ..runs import Run
from ..sound import SILENCE, mu_law
from .uploads import Upload, open_upload

Array = NDArray[Any]

_SEED = 0
_MOST_KEPT = 2**30  # bytes of a whole split that is kept prepared
_KEPT: WeakKeyDictionary[Run, dict[tuple[int | None, bool], Chosen]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Example:
    """One example of a run.

    Attributes:
        name: what it is called.
        x: as the model sees it, ``(1, *event)``; None of a code.
        stored: in the units of the data, ``event_shape``; None of a code.
        context: ``(1, ...)`` each.
        code: ``(latent,)`` where it came as one, else None.
        upload: the picture that it was cut from, None of what is no image file.
    """

    name: str
    x: Tensor | None
    stored: Array | None
    context: tuple[Tensor, ...]
    code: Array | None = None
    upload: Upload | None = None

    def code_in(self, space: Space) -> Array:
        """The code, ``(latent,)``: as it came, or the posterior's mean."""
        if self.code is not None:
            return self.code
        assert self.x is not None
        return space.encode(self.x, *self.context)[0]


def open_model(run: str | Path | Run) -> tuple[Run, Any]:
    """A run and its model."""
    run = run if isinstance(run, Run) else Run.open(run)
    return run, run.model


def centre_of(run: Run) -> Centre:
    """What is looked at of p(x|z), by the kind of data."""
    if run.spec.kind == "audio":
        return listening.draw_or_mean
    return lambda found: drawing.centre(run.spec, found)


def stored(run: Run, x: Array) -> Array:
    """Means of x ``(*lead, *event)`` in the units of the data."""
    event = tuple(run.spec.event_shape)
    lead = x.shape[: x.ndim - len(event)]
    flat = torch.from_numpy(np.ascontiguousarray(x)).reshape(-1, *event)
    return Prepare(run.spec).expected(flat).numpy().reshape(*lead, *event)


def take(run: Run, what: Any, space: Space, given: Given = None) -> Example:
    """An example of a run, by whatever names it.

    Args:
        run: the run.
        what: the number of a held-out example; an image of any size (its middle is cut out and
            scaled), a .wav, .gif or .npy; a row of a table as ``1.5,2,0`` or the first of a .csv;
            an array ``event_shape`` in the units of the data; a code, as .npy or array; ``prior``
            or ``prior:7``, a draw from the prior by that seed.
        space: of the run's codes.
        given: of a conditional run, the condition; None takes that of a held-out example.

    Raises:
        LowerboundError: it is nothing of these, does not fit the data, or lacks a condition.
    """
    if isinstance(what, str) and (what == "prior" or what.startswith("prior:")):
        return _of_prior(run, what, space, given)
    number = held_out_number(run, what)
    if number is not None:
        return _held_out(run, number, given)
    code = _as_code(run, what, space)
    if code is not None:
        return Example("code", None, None, _context(run, None, given), code)
    upload = None
    if run.spec.kind == "image" and _is_text(what):
        upload = open_upload(Path(what).expanduser(), run.spec)
        values: Any = torch.from_numpy(conditioning.on_levels(run.spec, upload.pixels))
    elif run.spec.kind == "audio" and isinstance(what, str | Path) and _suffix(what) != ".npy":
        values = torch.from_numpy(_sound(run, what))
    elif run.spec.kind == "video":
        values = torch.from_numpy(_whole_clip(run, what))
    elif run.spec.kind in ("vector", "tokens") and _is_text(what):
        values = conditioning.example_of(run, _row(run, str(what)))
    else:
        values = conditioning.example_of(run, what)
    x = Prepare(run.spec)(values[None], torch.Generator().manual_seed(_SEED))
    name = Path(what).name if isinstance(what, str | Path) else "example"
    return Example(name, x, values.numpy(), _context(run, x, given), None, upload)


def take_all(
    run: Run, whats: Any, space: Space, given: Given = None
) -> tuple[list[Example], Array, tuple[Tensor, ...]]:
    """Several examples, their codes ``(N, latent)`` and contexts ``(N, ...)``."""
    found = [take(run, what, space, given) for what in whats]
    codes = np.stack([example.code_in(space) for example in found])
    context = tuple(torch.cat(each) for each in zip(*(e.context for e in found), strict=True))
    return found, codes, context


def examples_of(run: Run, limit: int | None, *, train: bool = False) -> Chosen:
    """Some examples of a run and their contexts, prepared once; see `choose_examples`."""
    known = _KEPT.setdefault(run, {})
    split = run.data().train if train else run.data().test
    limit = None if limit is None or limit >= len(split) else limit
    if (limit, train) not in known:
        if train and limit is not None:
            # Only these: the whole split may take long to read.
            order = torch.randperm(len(split), generator=torch.Generator().manual_seed(_SEED))
            rows = order[:limit]
            x = Prepare(run.spec)(split.stored(rows), torch.Generator().manual_seed(_SEED))
            context = held_out_contexts(run.model, x, split, rows)
            known[limit, train] = Chosen(x, context, rows.numpy(), len(split))
        elif limit is not None and _kept_whole(run, split):
            whole = examples_of(run, None)
            known[limit, train] = part_of(whole, shuffled(len(split))[:limit])
        else:
            known[limit, train] = choose_examples(run.model, split, run.spec, limit)
    return known[limit, train]


def _kept_whole(run: Run, split: Split) -> bool:
    """Whether all of a split is prepared for any part of it, and small enough to be kept."""
    size = 4 * len(split) * run.spec.dimensions
    return size <= _MOST_KEPT and taken_of_whole(run.model, split, run.spec)


def _held_out(run: Run, number: int, given: Given) -> Example:
    test = run.data().test
    position = torch.tensor([number])
    values = test.stored(position)
    if _kept_whole(run, test):  # the same x as beside others
        x, context, *_ = part_of(examples_of(run, None), position)
    elif taken_of_whole(run.model, test, run.spec):
        x, context, *_ = part_of(choose_examples(run.model, test, run.spec), position)
    else:
        x = Prepare(run.spec)(values, torch.Generator().manual_seed(_SEED))
        context = held_out_contexts(run.model, x, test, position, _SEED)
    if given is not None:
        context = _context(run, x, given)
    return Example(f"held-out {number}", x, values[0].numpy(), context)


def _of_prior(run: Run, what: str, space: Space, given: Given) -> Example:
    seed = what.partition(":")[2] or "0"
    if not seed.isdigit() or not hasattr(run.model, "prior"):
        raise LowerboundError(
            f"expected prior or prior:SEED of a model with a prior, came '{what}' of {run.path}; "
            "pass a held-out example"
        )
    context = conditioning.contexts_for(run, 1, given, int(seed))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        z = conditioning.draw_codes(run.model, 1, *context)
        if space.vectors:
            model: Any = run.model
            z = model.quantizer.lookup(model.posterior.in_rows(z))
    return Example(what, None, None, context, z.flatten().double().numpy())


def _context(run: Run, x: Tensor | None, given: Given) -> tuple[Tensor, ...]:
    condition: Any = getattr(run.model, "condition", None)
    if condition is not None and condition.of_x:
        if x is None:
            raise LowerboundError(
                f"expected an example, as {run.path} is conditioned on a part of it, came a code"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            return condition(x, None)
    if given is None and (condition is None or condition.side == "position"):
        return ()
    nothing = torch.zeros(1, *run.spec.event_shape) if x is None else x
    side = conditioning.side_given(run, given, 1)
    return () if side is None else condition(nothing, side)


def _as_code(run: Run, what: Any, space: Space) -> Array | None:
    """A code, where what came has its shape and not that of the data."""
    if isinstance(what, str | Path):
        path = Path(what).expanduser()
        if path.suffix.lower() != ".npy" or not path.is_file():
            return None
        try:
            what = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None  # told where it is read as an example
    found = what.detach().cpu().numpy() if isinstance(what, Tensor) else what
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        return None
    event = tuple(run.spec.event_shape)
    fits = found.shape in (space.shape, (space.width,), (1, space.width))
    if not fits or found.shape == event or not np.isfinite(found).all():
        return None
    return found.reshape(-1).astype(np.float64)


def _suffix(what: Any) -> str:
    return Path(what).suffix.lower() if isinstance(what, str | Path) else ""


def _is_text(what: Any) -> bool:
    """A file of the data's own kind, or words; not an array."""
    return isinstance(what, str | Path) and _suffix(what) != ".npy"


def _sound(run: Run, path: str | Path) -> Array:
    """The first window of a sound, in levels; a shorter one ends in silence."""
    (length,) = run.spec.event_shape
    levels = mu_law(wave_of(path, listening.rate_of(run.spec)))[:length]
    return np.pad(levels, (0, length - len(levels)), constant_values=SILENCE)


def _whole_clip(run: Run, what: Any) -> Array:
    """A clip of all frames; a shorter one ends with its last frame."""
    clip, _ = clip_of(run, what)
    missing = run.spec.event_shape[0] - len(clip)
    return np.concatenate([clip, np.repeat(clip[-1:], missing, 0)])


def _row(run: Run, text: str) -> Array:
    """Numbers with commas between, or the first row of a .csv by the names of its columns."""
    path = Path(text).expanduser()
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                row = next(csv.DictReader(file))
            names = run.spec.columns or ()
            missing = [name for name in names if name not in row]
            if missing or not names:
                raise LowerboundError(
                    f"expected a table with the columns of {run.path}, came {path.name} without "
                    f"{', '.join(missing) or 'them'}"
                )
            return np.array([float(row[name]) for name in names])
        return np.array([float(part) for part in text.split(",")])
    except FileNotFoundError:
        raise LowerboundError(f"expected a table, came no such file: {path}") from None
    except (ValueError, StopIteration):
        raise LowerboundError(
            f"expected the number of a held-out example, a .npy, a .csv or numbers with commas "
            f"between, came '{text}'"
        ) from None
