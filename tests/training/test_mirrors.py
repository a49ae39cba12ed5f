"""A compiled step keeps rounded weights beside the weights, and never trains on old ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lowerbound import load
from lowerbound.distributions import set_precision
from lowerbound.recipes import autoencoder
from lowerbound.training.engine import Processes, can_compile
from lowerbound.training.mirrors import Mirrors
from lowerbound.training.options import resolve
from lowerbound.training.stepper import Stepper

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of inductor


def stepper(compiled: bool, rate: float = 1e-3) -> Stepper:
    """Of an autoencoder, which has no noise, in bfloat16."""
    torch.manual_seed(0)
    digits = load("digits", limit=128, likelihood="none")
    model, phases = autoencoder(digits.spec, latent_dim=4, hidden=(32,))
    set_precision(model, torch.bfloat16)
    options = {"steps": 20, "batch_size": 32, "learning_rate": rate, "schedule": "constant"}
    found = Stepper(model, phases, digits, resolve(options), None, Processes())
    found.steps[0].probe(*found.first_batch(), {})
    if compiled:
        assert found.compile() is None
    return found


def loss(of: Stepper, steps: int = 1) -> float:
    """The last of some steps' losses."""
    for _ in range(steps):
        of.advance()
        of.state.step += 1
    return float(of.pending[0][-1][1][0])


def add_apart(parameter: nn.Parameter) -> None:
    with torch.no_grad():
        parameter.add_(0.25)


def add_through_data(parameter: nn.Parameter) -> None:
    parameter.data.add_(0.25)


@pytest.fixture(autouse=True)
def _needs_compiler() -> None:
    if trouble := can_compile(torch.device("cpu")):
        pytest.skip(trouble)


def test_they_are_the_weights_rounded_and_what_is_read() -> None:
    ours = stepper(compiled=True)
    mirrors = ours.steps[0].optimizer.mirrors
    start = [w.detach().clone() for w in mirrors.weights]
    before = loss(ours, 3)
    assert len(mirrors.copies) == len(mirrors.weights) == 8
    for weight, copy, old in zip(mirrors.weights, mirrors.copies, start, strict=True):
        assert not torch.equal(weight, old)
        assert torch.equal(copy, weight.detach().bfloat16())
    for copy in mirrors.copies:  # behind the weights' back: whatever is lost must show
        copy.zero_()
    assert loss(ours) > 1.5 * before


@pytest.mark.parametrize("change", [add_apart, add_through_data])
def test_a_weight_that_others_change_is_read_anew(change: Callable[[nn.Parameter], None]) -> None:
    """Between two steps in place; between two reports through `.data` too. A rate of nearly zero,
    so that nothing but the change can move the loss."""
    losses: list[list[float]] = []
    for compiled in (False, True):
        ours = stepper(compiled, rate=1e-12)
        found = [loss(ours, 2)]
        if change is add_through_data:
            ours.collect()
        change(ours.steps[0].parameters[0])
        found.append(loss(ours))
        losses.append(found)
    eager, compiled_losses = losses
    assert eager[1] != pytest.approx(eager[0], rel=0.02)
    assert compiled_losses == pytest.approx(eager, rel=1e-3)


def test_full_precision_and_the_eager_step_keep_none() -> None:
    weights = [nn.Parameter(torch.ones(3))]
    mirrors = Mirrors(weights)
    mirrors.keep(None)
    assert mirrors.copies == []
    mirrors.keep(torch.bfloat16)
    assert [copy.dtype for copy in mirrors.copies] == [torch.bfloat16]
    ours = stepper(compiled=True)
    ours.steps[0].eager()
    assert ours.steps[0].optimizer.mirrors.copies == []


@pytest.mark.parametrize("steps", [8])
def test_bfloat16_compiled_is_bfloat16_eager(steps: int) -> None:
    """Up to what one rounding moves: 3e-3 of the greatest weight, measured."""
    found: list[Tensor] = []
    for compiled in (False, True):
        ours = stepper(compiled)
        loss(ours, steps)
        found.append(torch.cat([p.detach().reshape(-1) for p in ours.steps[0].parameters]))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=5e-3)
