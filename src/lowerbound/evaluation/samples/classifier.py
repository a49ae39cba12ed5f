"""A small classifier of the user's own training data: features and a judge of samples."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...errors import LowerboundError

Array = NDArray[Any]

#: Of the recipe below: a change of it makes other features, and cached ones are then not used.
VERSION = 1
_BATCH = 128
# Examples seen in training, in all: 5 passes over 60,000, 60 over 5,000 or fewer.
_SEEN, _PASSES = 300_000, (5, 60)
_LARGEST = 64  # pixels of a side; larger images are averaged down to it
_RATE = 2e-3
_NOISE = 0.05  # samples are never as clean as scans
_AT_ONCE = 1024
_SCALED = 2000  # training examples that give the features' unit


class Classifier(nn.Module):
    """Class probabilities and features of images ``(C, H, W)`` in [0, 1], or of vectors ``(D,)``.

    Args:
        event_shape: of one example.
        classes: how many.
        width: numbers in the features, the layer before the scores.

    Attributes:
        accuracy: share of held-out examples that it is right about; None where none were passed.
        trained_on: examples.

    >>> Classifier((3, 20, 31), 5).features(torch.zeros(2, 3, 20, 31)).shape
    (2, 128)
    """

    shift: Tensor
    scale: Tensor
    unit: Tensor

    def __init__(self, event_shape: Sequence[int], classes: int, width: int = 128) -> None:
        super().__init__()
        self.event_shape, self.classes, self.width = tuple(event_shape), classes, width
        self.accuracy: float | None = None
        self.trained_on = 0
        self.register_buffer("shift", torch.zeros(_statistics_shape(self.event_shape)))
        self.register_buffer("scale", torch.ones(_statistics_shape(self.event_shape)))
        self.body = (
            _convolutions(self.event_shape, width)
            if self.is_image
            else _layers(self.event_shape, width)
        )
        self.scores = nn.Linear(width, classes)
        self.register_buffer("unit", torch.ones(()))  # of the features

    @property
    def is_image(self) -> bool:
        """Whether it is of images, else of vectors."""
        return len(self.event_shape) == 3

    @property
    def fingerprint(self) -> str:
        """Of its weights: other weights make other features."""
        found = hashlib.blake2b(digest_size=8)
        for name, value in self.state_dict().items():
            found.update(name.encode())
            found.update(value.detach().cpu().contiguous().numpy().tobytes())
        return f"classifier-{VERSION}-{found.hexdigest()}"

    def hidden(self, x: Tensor) -> Tensor:
        """The last hidden layer, ``(N, width)``, of x ``(N, *event_shape)``."""
        x = (x.float() - self.shift) / self.scale
        if self.is_image and max(x.shape[2:]) > _LARGEST:
            x = functional.adaptive_avg_pool2d(
                x, (min(x.shape[2], _LARGEST), min(x.shape[3], _LARGEST))
            )
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (logits), ``(N, classes)``, of x ``(N, *event_shape)``."""
        return self.scores(self.hidden(x))

    def features(self, x: Tensor | Array) -> Array:
        """Features ``(N, width)``, float32, of x ``(N, *event_shape)``.

        In units in which those of the training examples have a variance of 1 on average: distances
        of two classifiers' features are of one order, though not comparable.
        """
        return self._in_parts(lambda some: self.hidden(some) / self.unit, x)

    def proba(self, x: Tensor | Array) -> Array:
        """p(class | x), ``(N, classes)``, float32, of x ``(N, *event_shape)``."""
        return self._in_parts(lambda some: self(some).softmax(1), x)

    def predict(self, x: Tensor | Array) -> Array:
        """The likeliest class, int64 ``(N,)``, of x ``(N, *event_shape)``."""
        return self.proba(x).argmax(1)

    def score(self, x: Tensor | Array, y: Tensor | Array) -> float:
        """Share of examples that it is right about, in [0, 1]."""
        return float((self.predict(x) == np.asarray(y)).mean())

    @torch.no_grad()
    def _in_parts(self, function: Callable[[Tensor], Tensor], x: Tensor | Array) -> Array:
        x = self._checked(x)
        device = self.scores.weight.device
        parts = [function(some.to(device)).cpu() for some in x.split(_AT_ONCE)]
        return torch.cat(parts).numpy()

    def _checked(self, x: Tensor | Array) -> Tensor:
        x = torch.as_tensor(x)
        if x.shape[1:] != self.event_shape or len(x) == 0:
            raise LowerboundError(
                f"expected examples of shape {self.event_shape}, as the classifier was trained on, "
                f"came {tuple(x.shape)}; pass (N, *event_shape)"
            )
        return x


def train_classifier(
    x: Tensor | Array,
    y: Tensor | Array,
    *,
    classes: int | None = None,
    held_out: tuple[Tensor | Array, Tensor | Array] | None = None,
    width: int = 128,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """Train a classifier: 98.5 % and more of MNIST in less than a minute on one thread.

    Two convolutions or more and one hidden layer for images, two hidden layers for vectors;
    Adam, a rate that rises and falls once; a little noise on the inputs, and images shifted by a
    pixel in fourteen at most.

    Args:
        x: images ``(N, C, H, W)`` in [0, 1], or vectors ``(N, D)`` in any units.
        y: classes, whole numbers from 0, ``(N,)``.
        classes: how many; None: the greatest of y and one.
        held_out: x and y of others, to measure its accuracy on.
        width: numbers in its features.
        seed: of the weights, the batches and the noise; the same seed gives the same classifier (on
            a CPU with as many threads).
        device: to train on; it comes back on the CPU.
        progress: called with (steps done, steps in all).

    Raises:
        LowerboundError: no labels, one class only, or shapes that are neither images nor vectors.

    >>> x = torch.cat([torch.zeros(50, 2), torch.ones(50, 2)])
    >>> y = torch.arange(100) // 50
    >>> train_classifier(x, y, held_out=(x, y)).accuracy
    1.0
    """
    x, y = torch.as_tensor(x), torch.as_tensor(np.asarray(y)).long()
    _check(x, y)
    classes = int(y.max()) + 1 if classes is None else classes
    passes = min(max(_SEEN / len(x), _PASSES[0]), _PASSES[1])
    batch = min(_BATCH, len(x))
    steps = max(1, math.ceil(passes * len(x) / batch))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = Classifier(tuple(x.shape[1:]), classes, width)
    found.shift.copy_(_mean(x, found.is_image))
    found.scale.copy_(_std(x, found.is_image))
    found.to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(found.parameters(), _RATE, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=max(2, steps), pct_start=0.2
    )
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(len(x), generator=generator)])
        chosen, order = order[:batch], order[batch:]
        some = _disturbed(x[chosen].float(), found, generator).to(device)
        loss = functional.cross_entropy(found(some), y[chosen].to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    found = found.to("cpu").eval().requires_grad_(False)
    found.trained_on = len(x)
    variance = found.features(x[torch.linspace(0, len(x) - 1, min(len(x), _SCALED)).long()]).var(0)
    found.unit.fill_(math.sqrt(float(variance.mean())) or 1.0)
    if held_out is not None:
        found.accuracy = found.score(*held_out)
    return found


def _disturbed(x: Tensor, found: Classifier, generator: torch.Generator) -> Tensor:
    """A batch with noise on it; images also shifted, the whole batch alike, edges repeated."""
    noise = torch.randn(x.shape, generator=generator)
    if not found.is_image:
        return x + _NOISE * found.scale.cpu() * noise
    height, width = x.shape[2:]
    reach = [side // 14 for side in (height, width)]
    if any(reach):
        down, right = (
            int(torch.randint(2 * most + 1, (1,), generator=generator)) - most for most in reach
        )
        padded = functional.pad(x, (reach[1], reach[1], reach[0], reach[0]), mode="replicate")
        top, left = reach[0] + down, reach[1] + right
        x = padded[:, :, top : top + height, left : left + width]
    return x + _NOISE * noise


def _convolutions(event_shape: tuple[int, ...], width: int) -> nn.Module:
    """Halved until 7 pixels or fewer are left, the channels doubled each time."""
    channels, *sides = event_shape
    sides = [min(side, _LARGEST) for side in sides]
    layers: list[nn.Module] = []
    wide, kernel = 16 if channels == 1 else 32, 5
    while max(sides) > 7:
        layers += [nn.Conv2d(channels, wide, kernel, stride=2, padding=kernel // 2), nn.ReLU()]
        sides = [(side + 1) // 2 for side in sides]
        channels, wide, kernel = wide, min(2 * wide, 128), 3
    if len(layers) < 4:  # small images
        layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()]
        channels = wide
    end = nn.Linear(channels * math.prod(sides), width)
    return nn.Sequential(*layers, nn.Flatten(), end, nn.ReLU())


def _layers(event_shape: tuple[int, ...], width: int) -> nn.Module:
    inner = 256
    return nn.Sequential(
        nn.Linear(math.prod(event_shape), inner), nn.ReLU(), nn.Linear(inner, width), nn.ReLU()
    )


def _statistics_shape(event_shape: tuple[int, ...]) -> tuple[int, ...]:
    return (event_shape[0], 1, 1) if len(event_shape) == 3 else event_shape


def _mean(x: Tensor, image: bool) -> Tensor:
    return x.float().mean((0, 2, 3), keepdim=True)[0] if image else x.float().mean(0)


def _std(x: Tensor, image: bool) -> Tensor:
    found = x.float().std((0, 2, 3), keepdim=True)[0] if image else x.float().std(0)
    return torch.where(found > 0, found, 1.0)


def _check(x: Tensor, y: Tensor) -> None:
    if x.ndim not in (2, 4):
        raise LowerboundError(
            f"expected images (N, C, H, W) or vectors (N, D) to classify, came {tuple(x.shape)}"
        )
    if y.shape != (len(x),):
        raise LowerboundError(
            f"expected a label for each of {len(x)} examples, came {tuple(y.shape)}; pass (N,)"
        )
    if len(y.unique()) < 2 or int(y.min()) < 0:
        raise LowerboundError(
            f"expected labels from 0 of two classes or more, came {len(y.unique())} from "
            f"{int(y.min())}; pass data of several"
        )
