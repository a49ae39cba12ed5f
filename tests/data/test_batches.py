"""The order of examples and their batches, whatever step is asked for first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowerbound.data import Loader, Order, load


@pytest.mark.parametrize(("count", "batch_size"), [(10, 3), (10, 10), (7, 20), (1, 4), (12, 4)])
def test_each_epoch_is_a_permutation(count: int, batch_size: int):
    order = Order(count, seed=3)
    steps = 3 * count
    stream = torch.cat([order.positions(step, batch_size) for step in range(steps)])
    assert len(stream) == steps * batch_size
    epochs = stream.view(-1, count)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(count).expand_as(epochs))


def test_epochs_and_seeds_differ():
    order = Order(100, seed=0)
    assert not torch.equal(order.permutation(0), order.permutation(1))
    assert not torch.equal(order.permutation(0), Order(100, seed=1).permutation(0))


def test_any_step_can_be_asked_for():
    steps = list(range(50))
    straight = {step: Order(11, seed=5).positions(step, 4) for step in steps}
    order = Order(11, seed=5)
    for step in np.random.default_rng(0).permutation(steps).tolist():
        assert torch.equal(order.positions(step, 4), straight[step])


def test_the_stream_does_not_depend_on_the_batch_size():
    small, large = Order(9, seed=1), Order(9, seed=1)
    parts = [small.positions(step, 2) for step in range(12)]
    assert torch.equal(torch.cat(parts), torch.cat([large.positions(s, 8) for s in range(3)]))


@pytest.fixture
def data():
    values = np.arange(60 * 4 * 4, dtype=np.float64).reshape(60, 4, 4)
    return load({"train": values, "labels": np.arange(60) % 3, "test": values[:5] + 1})


@pytest.mark.parametrize("budget", [None, 0])
def test_resident_and_streamed_batches_are_the_same(data, budget: int | None):
    loader = Loader(data.train, budget=budget, side="labels")
    assert loader.resident is (budget is None)
    order = Order(len(data.train), seed=2)
    with loader.steps(order, 7) as steps:
        for step in (0, 1, 2, 9, 3, 8, 8):
            positions = order.positions(step, 7)
            stored, labels = steps(step)
            assert torch.equal(stored, data.train.all()[positions])
            assert labels is not None
            assert torch.equal(labels, torch.from_numpy(data.train.labels)[positions])


def test_processes_share_a_global_batch(data):
    loader, order = Loader(data.train), Order(len(data.train), seed=2)
    whole, _ = loader.steps(order, 8)(4)
    halves = [loader.steps(order, 8, slice(rank * 4, rank * 4 + 4))(4)[0] for rank in range(2)]
    assert torch.equal(torch.cat(halves), whole)


def test_sweep_visits_everything_in_order(data):
    loader = Loader(data.train, budget=0)
    parts = [stored for stored, _ in loader.sweep(7)]
    assert [len(part) for part in parts] == [7] * 8 + [4]
    assert torch.equal(torch.cat(parts), data.train.all())


def test_what_lies_in_memory_is_not_copied(data):
    tensor = Loader(data.train).tensor
    assert tensor is not None and tensor.data_ptr() == data.train.all().data_ptr()


def test_a_failing_read_is_told_at_its_step(data, monkeypatch):
    loader, order = Loader(data.train, budget=0), Order(len(data.train))

    def fails(positions):
        raise OSError("the disk is gone")

    monkeypatch.setattr(loader.split, "stored", fails)
    with loader.steps(order, 7) as steps, pytest.raises(OSError, match="the disk is gone"):
        steps(0)
