"""What a conditional model is conditioned on: from an example and what comes beside it, contexts.

A model with a ``condition`` is given, wherever it meets data, the contexts that the condition makes
of them; nothing else in training or evaluation knows of conditions.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LowerboundError, nearest
from . import masks

_FAR = 6.0  # standard deviations from the mean where there are no examples to learn from


class Condition(nn.Module):
    """Contexts of a model's conditionals.

    Abstract: a subclass sets the attributes and implements :meth:`forward`, :meth:`embeddings` and,
    where a user can name a condition, :meth:`named`.

    Attributes:
        side: what it needs of an example beside x: its ``labels``, ``attributes``, its
            ``position`` among the training examples, or one of several labels by its name; None if
            x is enough.
        of_x: whether the contexts are made of x itself: it then takes an example to have any.
        event_ranks: of each context, how many trailing dimensions are one condition.
        width: numbers in all embedded contexts of one example together.
    """

    side: str | None = None
    of_x: bool = False
    event_ranks: tuple[int, ...] = ()
    width: int = 0

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        """The contexts.

        Args:
            x: prepared data, ``(B, *event_shape)``.
            side: what comes beside each, ``(B, ...)``; None where nothing does.
        """
        raise NotImplementedError

    def embeddings(self) -> list[nn.Module]:
        """For a head, per context a module from ``(N, *condition)`` to vectors ``(N, w)``."""
        raise NotImplementedError

    def named(self, given: Mapping[str, Any] | Sequence[Any]) -> Tensor:
        """What a user names, as the side of one example.

        Args:
            given: by name, ``{"label": "cat"}`` or ``{"smile": 1, "glasses": 0}``; or values alone.

        Returns:
            what ``forward`` takes as side, without its batch dimension.

        Raises:
            LowerboundError: it is no such condition; the nearest is offered.
        """
        raise LowerboundError(
            "expected no condition by name, for the model is conditioned on a part of its data; "
            "pass an example to complete"
        )

    def describe(self) -> str:
        """What the model is conditioned on, in words."""
        return f"the {self.side}" if self.side else "a part of the datum"

    def example(self) -> str:
        """A condition that :meth:`named` takes, as a user types it: for messages."""
        return f"{self.side}=…"


class GivenLabel(Condition):
    """One class of each example.

    Args:
        classes: names of the classes.

    >>> condition = GivenLabel(("cat", "dog"))
    >>> condition.embeddings()[0](torch.tensor([1, 0]))
    tensor([[0., 1.],
            [1., 0.]])
    >>> condition.named({"label": "dog"})
    tensor(1)
    """

    side = "labels"
    event_ranks = (0,)

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.width = len(self.classes)

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        if side is None:
            raise LowerboundError(
                "expected data with labels, which the model is conditioned on, came none"
            )
        return (side,)

    def embeddings(self) -> list[nn.Module]:
        return [Indicator(len(self.classes))]

    def named(self, given: Mapping[str, Any] | Sequence[Any]) -> Tensor:
        """The number of the class of that name; numbers are names, too, where no class has one."""
        own = (self._called,)
        known = ("label", "labels", "class", "action") if self.side == "labels" else own
        items = [*given.items()] if isinstance(given, Mapping) else [(known[0], v) for v in given]
        if len(items) != 1 or items[0][0] not in known:
            came = ", ".join(f"{name}={value}" for name, value in items) or "none"
            raise LowerboundError(
                f"expected one {known[0]} as the condition, came {came}; pass --given "
                f"{self.example()}"
            )
        label = _text(items[0][1])
        if label in self.classes:
            return torch.tensor(self.classes.index(label))
        if label.isdigit() and int(label) < len(self.classes) and not self._numbered:
            return torch.tensor(int(label))
        shown = ", ".join(self.classes[:10]) + (", ..." if len(self.classes) > 10 else "")
        raise LowerboundError(
            f"expected a {known[0]} that the model was trained on ({shown}), came '{label}'"
            f"{self._nearest(label)}"
        )

    def example(self) -> str:
        return f"{self._called}={self.classes[0]}"

    @property
    def _called(self) -> str:
        return "label" if self.side == "labels" else str(self.side)

    @property
    def _numbered(self) -> bool:
        return all(name.lstrip("-").isdigit() for name in self.classes)

    def _nearest(self, label: str) -> str:
        if self._numbered and label.lstrip("-").isdigit():
            close = min(self.classes, key=lambda name: abs(int(name) - int(label)))
            return f"; did you mean '{close}'?"
        return nearest(label, self.classes)


class GivenFactor(GivenLabel):
    """One of several labels of each example: the speaker of a clip, say.

    Args:
        name: which of them.
        classes: its values.

    >>> GivenFactor("speaker", ("ann", "bob")).named({"speaker": "bob"})
    tensor(1)
    """

    def __init__(self, name: str, classes: tuple[str, ...]) -> None:
        super().__init__(classes)
        self.side = name

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        if side is None:
            raise LowerboundError(
                f"expected data with the label '{self.side}', which the model is conditioned on, "
                "came none"
            )
        return (side,)


class GivenAttributes(Condition):
    """Some numbers that go with each example, standardized before any network sees them.

    Args:
        names: of the numbers.
        mean: of each over the training examples.
        std: of each over the training examples; one that never changes may be 0.

    >>> condition = GivenAttributes(("smile", "year"), mean=(0.5, 1950.0), std=(0.5, 20.0))
    >>> side = condition.named({"year": 1990, "smile": 1})
    >>> condition.embeddings()[0](side[None])
    tensor([[1., 2.]])
    """

    side = "attributes"
    event_ranks = (1,)

    def __init__(
        self,
        names: Sequence[str],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.width = len(self.names)
        self._mean = tuple(mean) if mean is not None else (0.0,) * self.width
        self._std = tuple(std) if std is not None else (1.0,) * self.width

    @property
    def typical(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each number."""
        return self._mean, self._std

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        if side is None or side.shape[-1] != self.width:
            came = "none" if side is None else f"{side.shape[-1]}"
            raise LowerboundError(
                f"expected {self.width} attributes of each example ({', '.join(self.names[:8])}), "
                f"which the model is conditioned on, came {came}"
            )
        return (side,)  # float64 until it is standardized: time stamps are far from zero

    def embeddings(self) -> list[nn.Module]:
        return [Standardize(self._mean, self._std)]

    def named(self, given: Mapping[str, Any] | Sequence[Any]) -> Tensor:
        if not isinstance(given, Mapping):
            if len(given) != self.width:
                raise LowerboundError(
                    f"expected {self.width} numbers as the condition ({', '.join(self.names)}), "
                    f"came {len(given)}"
                )
            given = dict(zip(self.names, given, strict=True))
        for name in given:
            if name not in self.names:
                hint = nearest(str(name), self.names) or f"; there are: {', '.join(self.names)}"
                raise LowerboundError(f"the model knows no attribute '{name}'{hint}")
        missing = [name for name in self.names if name not in given]
        if missing:
            example = ",".join(f"{name}=…" for name in self.names)
            raise LowerboundError(
                f"expected all {self.width} attributes as the condition, none came for "
                f"{', '.join(missing)}; pass --given {example}"
            )
        numbers = []
        for name in self.names:
            try:
                numbers.append(float(given[name]))
            except (TypeError, ValueError):
                numbers.append(math.nan)
            if not math.isfinite(numbers[-1]):
                raise LowerboundError(f"{name}: expected a number, came '{given[name]}'")
        return torch.tensor(numbers, dtype=torch.float64)

    def example(self) -> str:
        return ",".join(f"{n}={mean:g}" for n, mean in zip(self.names, self._mean, strict=True))

    def beyond(self, side: Tensor) -> list[str]:
        """Attributes of one example that lie far outside those trained on, in words."""
        told = []
        for name, value, mean, std in zip(
            self.names, side.tolist(), self._mean, self._std, strict=True
        ):
            if abs(value - mean) > _FAR * std + 1e-6 * abs(mean):
                told.append(
                    f"{name}={value:g} lies far outside what the model was trained on (mean "
                    f"{mean:g}, standard deviation {std:g}): what it makes of it is a guess"
                )
        return told


class GivenPart(Condition):
    """The part of a datum that a mask leaves; the model completes the rest.

    Contexts are the observed values, zero where the datum is missing (of categories: ``levels``),
    and the mask, 1 where it is observed, both ``(B, *event_shape)``.

    Args:
        event_shape: of one datum.
        mask: which part is missing (`lowerbound.models.masks`): a name, or a fixed mask itself,
            bool ``event_shape``, True where the datum is missing.
        levels: of categories; None for numbers.

    Raises:
        LowerboundError: an unknown mask, one of another size, or one that hides all or nothing.

    References:
        Sohn, Lee and Yan, 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS

    >>> condition = GivenPart((4,), "right")
    >>> condition(torch.ones(1, 4), None)
    (tensor([[1., 1., 0., 0.]]), tensor([[1., 1., 0., 0.]]))
    """

    of_x = True
    missing: Tensor

    def __init__(
        self, event_shape: tuple[int, ...], mask: str | Tensor = "boxes", levels: int | None = None
    ) -> None:
        super().__init__()
        self.event_shape, self.levels = tuple(event_shape), levels
        self.event_ranks = (len(self.event_shape),) * 2
        self.mask = mask if isinstance(mask, str) else "own"
        self.random = isinstance(mask, str) and masks.is_random(mask)
        if self.random:
            self.fraction = masks.check_random(self.mask, self.event_shape)
            missing = torch.ones(self.event_shape, dtype=torch.bool)
        else:
            missing = (
                masks.fixed(mask, self.event_shape)
                if isinstance(mask, str)
                else masks.checked(mask.expand(self.event_shape).clone(), "mask")
            )
        self.register_buffer("missing", missing, persistent=False)
        # A position that is never observed, or a mask that never changes, tells a network nothing.
        places = torch.arange(missing.numel()) if self.random else (~missing.flatten()).nonzero()
        self._places = places.flatten()
        self.log_jacobian = 0.0
        self.width = len(self._places) * ((levels or 0) + 1)
        self.width += missing.numel() if self.random else 0

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        return self.observe(x, self.hidden(len(x), x.device))

    def hidden(self, count: int, device: torch.device) -> Tensor:
        """Masks of some examples, bool ``(count, *event_shape)``, True where they are missing."""
        if not self.random:
            return self.missing.expand(count, *self.event_shape)
        if self.mask == "boxes":
            return masks.boxes(count, self.event_shape, device)
        return masks.pixels(count, self.event_shape, device, self.fraction)

    def counting(self, log_jacobians: Tensor) -> GivenPart:
        """Tells what to add to a log-density of x for that of the stored values, on average.

        Args:
            log_jacobians: each position's part, nats, ``event_shape``.

        Returns:
            itself, with ``log_jacobian``.
        """
        share = self.missing.double()
        if self.random:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                share = self.hidden(4096, self.missing.device).double().mean(0)
        self.log_jacobian = float((share * log_jacobians).sum())
        return self

    def observe(self, x: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        """The contexts under given masks: observed values and mask, ``(B, *event_shape)`` each."""
        observed = x.masked_fill(missing, self.levels or 0)
        return observed, (~missing).to(x.dtype if x.is_floating_point() else torch.float32)

    def other(self, mask: Any) -> Tensor:
        """Another mask than the one that the model was trained with, where it can do with it.

        Args:
            mask: the name of a fixed mask, a file, or an array of the event's shape (for images
                also height and width), not zero where the datum is missing.

        Returns:
            bool ``event_shape``.

        Raises:
            LowerboundError: it is no such mask, or the model was trained with another fixed one.
        """
        if not isinstance(mask, str):
            named, missing = "an array", masks.of_array(mask, self.event_shape)
        else:
            if masks.is_random(mask):
                raise LowerboundError(
                    f"expected a mask that is fixed, came {mask}, which is drawn; pass "
                    f"{self._allowed()}"
                )
            known = self._names()
            if mask not in masks.NAMES and not masks.is_file(mask):
                hint = nearest(mask, known)
                raise LowerboundError(f"unknown mask '{mask}'{hint or f'; pass {self._allowed()}'}")
            named, missing = mask, masks.fixed(mask, self.event_shape)
        if not self.random and not torch.equal(missing, self.missing.cpu()):
            raise LowerboundError(
                f"expected mask {self.mask}, the only one that the model was trained with, came "
                f"{named}; train with --mask boxes or pixels for a model of any mask"
            )
        return missing

    def _names(self) -> list[str]:
        """Names of fixed masks that the model can do with."""
        found = []
        for name in masks.NAMES:
            if not masks.is_random(name):
                with contextlib.suppress(LowerboundError):  # of images alone, or hides nothing
                    missing = masks.fixed(name, self.event_shape)
                    if self.random or torch.equal(missing, self.missing.cpu()):
                        found.append(name)
        return found

    def _allowed(self) -> str:
        names = ", ".join(self._names())
        own = "a file or an array" if self.random else "none, for the one it was trained with"
        return f"{names}, or {own}" if names else own

    def embeddings(self) -> list[nn.Module]:
        observed = Places(self._places, (self.levels or 0) + 1 if self.levels else None)
        return [observed, Places(torch.arange(self.missing.numel() if self.random else 0), None)]

    def describe(self) -> str:
        return f"the part of each datum that mask {self.mask} leaves"


def _text(label: Any) -> str:
    """A label as its class is called: 3.0 and a tensor of 3 are 3."""
    if hasattr(label, "item"):
        with contextlib.suppress(ValueError, RuntimeError):  # of several numbers
            label = label.item()
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


class Indicator(nn.Module):
    """Classes ``(N,)`` to vectors ``(N, classes)``, float32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.eye(classes), persistent=False)

    def forward(self, labels: Tensor) -> Tensor:
        return self.codes.index_select(0, labels.reshape(-1))  # ty: ignore[not-callable]


class Standardize(nn.Module):
    """``(v - mean) / std`` of vectors ``(N, A)``, float32; one that never changes is only shifted.

    Of float64 vectors, numbers far from zero keep their digits: the mean is held in two float32
    (its value and what that leaves), for some accelerators have no float64.

    Args:
        mean: one of each number.
        std: one of each number.
    """

    mean: Tensor
    rest: Tensor
    scale: Tensor
    takes_float64 = True  # whoever moves contexts to a model leaves these digits to them

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        exact = torch.tensor(mean, dtype=torch.float64)
        self.register_buffer("mean", exact.float())
        self.register_buffer("rest", (exact - exact.float()).float(), persistent=False)
        self.register_buffer("scale", torch.tensor([s if s > 0.0 else 1.0 for s in std]))

    def forward(self, values: Tensor) -> Tensor:
        return (((values - self.mean) - self.rest) / self.scale).float()


class Places(nn.Module):
    """The numbers at some places of a datum: ``(N, *event)`` to ``(N, places)``.

    Args:
        places: positions in the flattened datum, ``(places,)``.
        levels: of categories, which become ``(N, places * levels)`` ones and zeros.
    """

    places: Tensor

    def __init__(self, places: Tensor, levels: int | None) -> None:
        super().__init__()
        self.register_buffer("places", places, persistent=False)
        self.levels = levels

    def forward(self, values: Tensor) -> Tensor:
        chosen = values.flatten(1).index_select(1, self.places)
        if self.levels is None:
            return chosen
        index = torch.arange(self.levels, device=values.device)
        return (chosen.unsqueeze(-1) == index).to(torch.get_default_dtype()).flatten(1)
