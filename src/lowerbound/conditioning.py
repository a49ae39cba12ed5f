"""Conditions and parts of examples that a user names, as contexts of a run's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .data import Prepare, held_out, side_of
from .errors import LowerboundError
from .evaluation import held_out_contexts

if TYPE_CHECKING:
    from .data import DataSpec
    from .runs import Run

Given = Mapping[str, Any] | Sequence[Any] | str | float | None

#: What is missing, of a run that was trained with masks that are drawn.
DEFAULT_MASK = "right"
_NAMED = 12  # columns of a table that a message lists


class Completion(NamedTuple):
    """What `lowerbound.api.complete` returns; arrays in the units of the data.

    Attributes:
        example: as it came, ``event_shape``.
        missing: which part of it was completed, bool ``event_shape``.
        completions: ``(n, *event_shape)``, the rest as it came.
    """

    example: np.ndarray
    missing: np.ndarray
    completions: np.ndarray


def parse_given(text: str) -> dict[str, str] | list[str]:
    """``label=3``, ``smile=1,glasses=0`` or ``1,0`` as the condition that they name.

    Raises:
        LowerboundError: a part of it is neither.

    >>> parse_given("smile=1,glasses=0"), parse_given("1, 0.5")
    ({'smile': '1', 'glasses': '0'}, ['1', '0.5'])
    """
    parts = [part.strip() for part in text.split(",")]
    named = [part.partition("=") for part in parts]
    if all(equals for _, equals, _ in named):
        names = [name.strip() for name, _, _ in named]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise LowerboundError(
                f"expected each name of the condition once, came {twice} more than once in "
                f"'{text}'; pass one condition at a time"
            )
        return dict(zip(names, (value.strip() for _, _, value in named), strict=True))
    if any(equals for _, equals, _ in named) or not all(parts):
        raise LowerboundError(
            f"expected a condition as name=value,name=value or as numbers, came '{text}'; pass "
            "e.g. --given label=3"
        )
    return parts


def classes_of(run: Run) -> tuple[str, ...] | None:
    """The labels that a run is conditioned on; None of any other run."""
    condition = getattr(run.model, "condition", None)
    return getattr(condition, "classes", None) if condition is not None else None


def contexts_for(run: Run, n: int, given: Given, seed: int) -> tuple[Tensor, ...]:
    """Contexts of n samples; none of an unconditional run. See `lowerbound.api.sample`.

    Raises:
        LowerboundError: the run is not conditioned on what is given, or on anything.
    """
    condition: Any = getattr(run.model, "condition", None)
    if condition is None or condition.side == "position":
        if given is not None:
            raise LowerboundError(
                f"{run.path} is conditioned on nothing, came a condition; leave out --given, or "
                "train with recipe cvae"
            )
        return ()
    nothing = torch.zeros(n, *run.spec.event_shape)
    if given == "each":
        classes = classes_of(run)
        if classes is None:
            raise LowerboundError(
                f"expected a run conditioned on labels to sample each, came one on "
                f"{condition.describe()}"
            )
        return condition(nothing, torch.arange(n) * len(classes) // n)
    if given is not None:
        side = condition.named(_as_given(condition, given))
        return condition(nothing, side.expand(n, *side.shape))
    try:
        data = run.data()
    except LowerboundError as error:
        if condition.of_x:
            raise
        how = "--text" if condition.side == "captions" else "--given"
        raise LowerboundError(f"{error}; or name the condition: {how} …") from None
    split = data.test if condition.of_x else data.train
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(split), (n,), generator=generator)
    if condition.of_x:
        x = held_out(split, run.spec, 0)[chosen]
        return held_out_contexts(run.model, x, split, chosen, seed)
    return condition(nothing, side_of(split, condition.side)[chosen])


def side_given(run: Run, given: Given, n: int) -> Tensor | None:
    """What comes beside each of n examples whose condition is named, ``(n, ...)``.

    Returns:
        None of a run that is conditioned on nothing.

    Raises:
        LowerboundError: the run is not conditioned on that, or nothing is given to one that is.
    """
    condition: Any = getattr(run.model, "condition", None)
    if condition is None or condition.side == "position":
        contexts_for(run, n, given, 0)  # refuses a condition
        return None
    if given is None:
        raise LowerboundError(
            f"expected a condition, as {run.path} is conditioned on {condition.describe()}, came "
            f"none; pass --given {condition.example()}"
        )
    side = condition.named(_as_given(condition, given))
    return side.expand(n, *side.shape)


def far(run: Run, given: Given) -> list[str]:
    """What of a condition lies far outside the training examples, in words; nothing as a rule."""
    condition: Any = getattr(run.model, "condition", None)
    if given is None or not hasattr(condition, "beyond"):
        return []
    return condition.beyond(condition.named(_as_given(condition, given)))


def _as_given(condition: Any, given: Any) -> Mapping[str, Any] | Sequence[Any]:
    """What a user gives, by name or as a list of values.

    Raises:
        LowerboundError: it is neither.
    """
    if isinstance(given, str):
        own = given in (getattr(condition, "classes", None) or ())  # it may hold a comma
        return [given] if own else parse_given(given)
    if isinstance(given, np.ndarray | np.generic | Tensor):
        given = given.tolist()
    if isinstance(given, bool | int | float):
        return [given]
    if not isinstance(given, Mapping | Sequence):
        raise LowerboundError(
            f"expected a condition as a name, numbers or {{name: value}}, came "
            f"{type(given).__name__}; pass e.g. given={{'label': 3}}"
        )
    return given


def draw_codes(model: Any, n: int, *context: Tensor, **options: Any) -> Tensor:
    """One code z ~ p(z|c) for each context, ``(n, *latent)``; without contexts n of p(z).

    Of a model without codes, codes of no numbers. Options are the prior's own: temperature and the
    like of one that is drawn from step by step.
    """
    if not hasattr(model, "prior"):
        return torch.zeros(n, *model.latent_shape)
    prior = model.prior(*context)
    shape = () if context and prior.batch_shape == (n,) else (n,)
    return prior.sample(shape, **options)


def example_of(run: Run, example: Any) -> Tensor:
    """One example in stored units, ``event_shape``, from an image file, a .npy or an array.

    Raises:
        LowerboundError: it does not open, or is of another shape.
    """
    from .data.arrays import as_numpy

    shape, spec = tuple(run.spec.event_shape), run.spec
    name = "the example"
    if isinstance(example, str | Path):
        path = Path(example).expanduser()
        name = path.name
        found = _read(path, spec, scaled=run.info["data"]["options"].get("size") is not None)
        if path.suffix.lower() != ".npy":
            found = on_levels(spec, found)
    else:
        found = as_numpy(example)
    if len(shape) == 3 and found.shape == (*shape[1:], shape[0]):
        found = np.moveaxis(found, -1, 0)
    if len(shape) == 3 and shape[0] == 1 and found.shape == shape[1:]:
        found = found[None]
    if tuple(found.shape) != shape:
        raise LowerboundError(
            f"expected an example of shape {shape}, as {run.path} was trained on, came "
            f"{tuple(found.shape)} in {name}; {_advice(spec)}"
        )
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise LowerboundError(f"expected finite numbers in {name}, came {found.dtype}")
    return torch.from_numpy(np.ascontiguousarray(found))


def _advice(spec: DataSpec) -> str:
    """What to do about an example of another shape."""
    if spec.kind in ("image", "video"):
        return "crop and scale it"
    if spec.columns and len(spec.columns) <= _NAMED:
        return f"pass {len(spec.columns)} numbers: {', '.join(spec.columns)}"
    return "pass one of that shape"


def on_levels(spec: DataSpec, pixels: np.ndarray) -> np.ndarray:
    """0 to 255, black to white (`DataSpec.shown`), in stored units: on levels where data have some.

    Args:
        spec: of the data.
        pixels: of any shape.

    Returns:
        float32 of the same shape.
    """
    black, white = spec.shown
    found = black + pixels.astype(np.float64) / 255.0 * (white - black)
    if spec.levels is not None and not isinstance(spec.step, list) and spec.step > 0:
        found = spec.low + np.rint((found - spec.low) / spec.step) * spec.step
        if spec.support != "real":  # nothing lies beyond the levels
            found = found.clip(spec.low, spec.high)
    return found.astype(np.float32)


def part_of(run: Run, stored: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
    """x and what of it is missing, ``(1, *event_shape)`` each, of one example.

    Raises:
        LowerboundError: the run completes nothing, or not under that mask.
    """
    condition: Any = getattr(run.model, "condition", None)
    if condition is None or not condition.of_x:
        on = "nothing" if condition is None else condition.describe()
        raise LowerboundError(
            f"expected a run of recipe completion to complete with, came {run.path}, which is "
            f"conditioned on {on}"
        )
    if mask is None and condition.random:
        mask = DEFAULT_MASK
    missing = condition.missing if mask is None else condition.other(mask)
    generator = torch.Generator().manual_seed(0)
    x = Prepare(run.spec)(stored[None], generator)
    return x, missing[None]


def _read(path: Path, spec: DataSpec, scaled: bool) -> np.ndarray:
    """A .npy, or an image's pixels (H, W) or (H, W, 3), 0 to 255; scaled where the data were."""
    from PIL import Image

    from .data.decode import eight_bits, fitted

    shape = tuple(spec.event_shape)
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        with Image.open(path) as image:
            grey = len(shape) != 3 or shape[0] == 1
            if image.mode.startswith("I;16"):
                image = eight_bits(image, spec)
            if image.mode != "F":
                image = image.convert("L" if grey else "RGB")
            pixels = np.asarray(fitted(image, shape[1:]) if scaled else image)  # ty: ignore
            return pixels if grey or pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)
    except FileNotFoundError:
        raise LowerboundError(f"expected an image or a .npy, came no such file: {path}") from None
    except (OSError, ValueError) as error:
        text = str(error).partition("\n")[0]
        raise LowerboundError(f"{path} does not open as an image or a .npy ({text})") from None
