"""The order of examples, a pure function of (seed, epoch), and the batches at its steps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.memory import device_budget
from lowerbound.data.splits import Split
from lowerbound.errors import LowerboundError

Batch = tuple[Tensor, Tensor | None]
#: What comes with an example: "labels", "attributes", "position", the "times" of a sequence's
#: steps, or one of several labels by name.
Side = str


class Order:
    """Which examples each step sees.

    An endless stream of permutations of `count` examples, one per epoch, each a function of
    (seed, epoch) alone; step `s` takes positions [s B, (s + 1) B) of it. So every batch is full,
    every epoch visits each example exactly once, and any step can be asked for in any order.

    >>> order = Order(5, seed=0)
    >>> sorted(torch.cat([order.positions(step, 2) for step in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.seed = count, seed
        self._recent: dict[int, Tensor] = {}

    def permutation(self, epoch: int) -> Tensor:
        """The order of one epoch, int64 (count,)."""
        found = self._recent.get(epoch)
        if found is None:
            drawn = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            found = torch.from_numpy(drawn)
            # Two suffice: a batch that crosses an epoch's end reads this one and the next.
            self._recent = dict([*self._recent.items(), (epoch, found)][-2:])
        return found

    def positions(self, step: int, batch_size: int) -> Tensor:
        """The examples of a step, int64 (batch_size,); a view, not to be written to."""
        start = step * batch_size
        epoch, first = divmod(start, self.count)
        if first + batch_size <= self.count:
            return self.permutation(epoch)[first : first + batch_size]
        parts, missing = [], batch_size
        while missing > 0:
            part = self.permutation(epoch)[first : first + missing]
            parts.append(part)
            missing, epoch, first = missing - len(part), epoch + 1, 0
        return torch.cat(parts)


def side_of(split: Split, side: Side, otherwise: str = "an unconditional recipe") -> Tensor:
    """What comes with each example of a split, (N, ...), on the CPU.

    Args:
        split: the examples.
        side: which of what comes with them.
        otherwise: what to pass where there is none, for the message.

    Raises:
        LowerboundError: the split has none.
    """
    if side == "position":
        return torch.arange(len(split))
    named = side not in ("labels", "attributes", "captions", "times")
    found = getattr(split, "factors", {}).get(side) if named else getattr(split, side, None)
    if found is None:
        raise LowerboundError(
            f"expected data with {'labels ' if named else ''}{side} to condition on, came none; "
            f"pass data that have them, or {otherwise}"
        )
    return torch.from_numpy(found)


class Loader:
    """Stored examples of a split, by position, on a device.

    Where the split fits the budget it lies on the device as one tensor (`resident`), and a batch is
    one `index_select`. Otherwise examples are read when asked for.

    Args:
        split: the examples.
        device: where the batches go.
        budget: bytes that may be resident; None: a share of what is free there.
        side: what comes with each example: its ``labels`` (int64), ``attributes`` (floats) or
            ``position`` in the split (int64); None for nothing.

    Raises:
        LowerboundError: the split has none of these.
    """

    def __init__(
        self,
        split: Split,
        device: torch.device | str = "cpu",
        budget: int | None = None,
        side: Side | None = None,
    ) -> None:
        self.split, self.device = split, torch.device(device)
        limit = device_budget(self.device) if budget is None else budget
        # What lies in main memory already costs nothing more there.
        shared = self.device.type == "cpu" and getattr(split, "rows", 0) is None
        shared = shared and getattr(split, "in_memory", False)
        self.resident = bool(shared and budget is None) or split.nbytes <= limit
        self.tensor = split.all().to(self.device) if self.resident else None
        beside = None if side is None else side_of(split, side)
        if beside is not None and self.device.type == "mps" and beside.is_floating_point():
            beside = beside.float()  # it has no float64
        self.side = beside.to(self.device) if self.resident and beside is not None else beside

    def __len__(self) -> int:
        return len(self.split)

    def batch(self, positions: Tensor) -> Batch:
        """Examples at positions (B,) on the CPU: stored (B, *event_shape), side (B, ...)."""
        if self.tensor is None:
            return self._arrive(self._read(positions))
        there = positions if self.device.type == "cpu" else positions.to(self.device)
        side = None if self.side is None else self.side.index_select(0, there)
        return self.tensor.index_select(0, there), side

    def steps(self, order: Order, batch_size: int, part: slice = slice(None), ahead: int = 2):
        """The batches of global steps; see `Steps`."""
        return Steps(self, order, batch_size, part, ahead)

    def sweep(self, batch_size: int) -> Iterator[Batch]:
        """Every example once, in the split's own order; the last batch may be smaller."""
        for start in range(0, len(self), batch_size):
            yield self.batch(torch.arange(start, min(start + batch_size, len(self))))

    def _read(self, positions: Tensor) -> Batch:
        stored = self.split.stored(positions)
        side = None if self.side is None else self.side.index_select(0, positions)
        if self.device.type == "cuda":  # pinned, so that the copy runs beside the step
            stored = stored.pin_memory()
            side = None if side is None else side.pin_memory()
        return stored, side

    def _arrive(self, batch: Batch) -> Batch:
        if self.device.type == "cpu":
            return batch
        stored, side = batch
        there = stored.to(self.device, non_blocking=True)
        return there, None if side is None else side.to(self.device, non_blocking=True)


class Steps:
    """The batch of any global step, ``steps(step) -> (stored, side | None)``.

    Where the data are not resident, a thread reads the coming steps ahead. Nothing here is state:
    a step asked for out of turn is read on the spot.

    Args:
        loader: where batches come from.
        order: which examples a step sees.
        batch_size: of the global batch.
        part: the slice of the global batch that this process takes.
        ahead: steps to read ahead.
    """

    def __init__(
        self,
        loader: Loader,
        order: Order,
        batch_size: int,
        part: slice = slice(None),
        ahead: int = 2,
    ) -> None:
        self.loader, self.order, self.batch_size = loader, order, batch_size
        self.part, self.ahead = part, ahead
        self._coming: dict[int, Future[Batch]] = {}
        self._reader: ThreadPoolExecutor | None = None
        if not loader.resident and ahead > 0:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")

    def positions(self, step: int) -> Tensor:
        """The examples of this process at a step, int64."""
        positions = self.order.positions(step, self.batch_size)
        return positions if self.part == slice(None) else positions[self.part]

    def __call__(self, step: int) -> Batch:
        if self._reader is None:
            return self.loader.batch(self.positions(step))
        wanted = range(step, step + self.ahead + 1)
        for late in [known for known in self._coming if known not in wanted]:
            self._coming.pop(late).cancel()
        for coming in wanted:
            if coming not in self._coming:
                # The order is asked here, in one thread, for its cache is not shared.
                positions = self.positions(coming)
                self._coming[coming] = self._reader.submit(self.loader._read, positions)
        return self.loader._arrive(self._coming.pop(step).result())

    def close(self) -> None:
        """Stop reading ahead."""
        if self._reader is not None:
            self._reader.shutdown(wait=True, cancel_futures=True)
            self._reader, self._coming = None, {}

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
