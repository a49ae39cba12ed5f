"""Our Adam is torch's, in both of its arithmetics."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.training.adam import Adam

RATE = 2.0**-7  # a power of two: the scalars of an update are float32, and this one is exact there
CASES: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.25},
    {"weight_decay": 0.25, "decoupled": True},
    {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
]


def start() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 4), (5,), (), (3, 4, 2, 2)]
    drawn = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    # Weights of convolutions lie channels last; gradients may come in either order.
    drawn[-1] = drawn[-1].to(memory_format=torch.channels_last)
    return [nn.Parameter(d) for d in drawn]


def gradients(step: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step + 1)
    return [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in start()]


def reference(case: dict[str, Any], steps: int) -> list[Tensor]:
    parameters = start()
    kind = torch.optim.AdamW if case.get("decoupled") else torch.optim.Adam
    optimizer = kind(
        parameters,
        lr=RATE,
        betas=(case.get("beta1", 0.9), case.get("beta2", 0.999)),
        eps=case.get("epsilon", 1e-8),
        weight_decay=case.get("weight_decay", 0.0),
        foreach=False,
    )
    for step in range(steps):
        for parameter, gradient in zip(parameters, gradients(step), strict=True):
            parameter.grad = gradient
        optimizer.step()
    return [p.detach() for p in parameters]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("last", [False, True])
def test_the_eager_update_is_torchs(case: dict[str, Any], last: bool) -> None:
    parameters = start()
    adam = Adam(parameters, **case)
    for step in range(5):
        found = gradients(step)
        if last:
            found[-1] = found[-1].to(memory_format=torch.channels_last)
        adam.update(found, adam.scalars(RATE))
    for ours, theirs in zip(parameters, reference(case, 5), strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_the_traced_update_is_torchs(case: dict[str, Any]) -> None:
    parameters = start()
    adam = Adam(parameters, **case)
    for step in range(5):
        adam.scalars(RATE)  # counts the update
        corrected = RATE / (1.0 - adam.beta1**adam.count)
        root = (1.0 - adam.beta2**adam.count) ** -0.5
        # As `scalars` has it, in float64.
        scalars = torch.tensor([RATE, corrected, root], dtype=torch.float64)
        with torch.no_grad():
            adam._traced(gradients(step), scalars)
    for ours, theirs in zip(parameters, reference(case, 5), strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-12, atol=1e-13)


def test_scalars_are_the_learning_rate_and_two_corrections() -> None:
    adam = Adam(start(), beta1=0.5, beta2=0.75)
    assert adam.scalars(0.125).tolist() == [0.125, 0.25, 2.0]  # 1 - 0.5, 1 - 0.75
    assert adam.scalars(0.125).tolist() == pytest.approx([0.125, 0.125 / 0.75, 0.4375**-0.5])


@pytest.mark.parametrize("beta1", [0.9, 0.5])  # the latter is looked at more often
@pytest.mark.parametrize("compiled", [False, True])
def test_moments_without_gradients_end_at_zero_and_never_as_denormal_numbers(
    compiled: bool, beta1: float
) -> None:
    """On Intel's CPUs an update of denormal moments takes five times as long."""
    parameters = [nn.Parameter(torch.ones(64))]
    adam = Adam(parameters, beta1=beta1)
    gradient = torch.zeros(64)
    gradient[:32] = 1.0
    update = torch.compile(adam.update, backend="eager") if compiled else adam.update
    for step in range(2000):
        update([gradient if step == 0 else torch.zeros(64)], adam.scalars(1e-3))
        nonzero = adam.first[0][adam.first[0] != 0]
        assert nonzero.numel() == 0 or nonzero.abs().min() >= torch.finfo(torch.float32).tiny
    assert not adam.first[0].any()
    assert adam.second[0][:32].min() > 1e-5  # 1e-3 * 0.999^2000: what still counts is kept
