"""Every objective is one graph: compiled values and gradients are the eager ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound import objectives
from lowerbound.distributions import Bernoulli, Delta, DiagonalGaussian, Head, StandardNormal
from lowerbound.models import Autoencoder, LatentModel

HALF = torch.tensor(0.5)
GROUPS = {
    "variants of the elbo": [
        partial(objectives.capacity, gamma=3.0, capacity=HALF),
        partial(objectives.free_bits, floor=HALF),
        partial(objectives.entropy_form, entropy=HALF, samples=2),
        partial(objectives.dip, kind="ii"),
        partial(objectives.info, weight=HALF),
        partial(objectives.info, alpha=HALF, kernel="imq", samples=2),
    ],
    "total correlation": [
        partial(objectives.beta_tc, examples=100, beta=HALF),
        partial(objectives.beta_tc, examples=100, sampling="weighted", samples=2),
        partial(objectives.factor, gamma=HALF),
        objectives.factor_discriminator,
    ],
    "several samples": [
        partial(objectives.miwae, groups=2, samples=3),
        partial(objectives.ciwae, samples=3, beta=HALF),
        objectives.sticking_the_landing,
        partial(objectives.importance_weighted, samples=3, estimator="stl"),
        partial(objectives.importance_weighted, samples=3, estimator="dreg"),
    ],
    "guesses": [
        partial(objectives.naive, samples=4),
        partial(objectives.monte_carlo_em, samples=4, proposal="prior"),
        partial(objectives.wake, samples=4),
        partial(objectives.score_function, samples=3, baseline="samples"),
    ],
}


# torch's own, on tracing an autograd.Function
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
def test_one_graph(group: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = LatentModel(
        StandardNormal(3),
        Head(nn.Linear(3, 6), Bernoulli(6)),
        Head(nn.Linear(6, 6), DiagonalGaussian(3)),
    )
    model.discriminator = nn.Linear(3, 1)
    x = torch.rand(8, 6).round()
    parameters = list(model.parameters())

    def losses(model: Any, x: Tensor) -> Tensor:
        return torch.stack([objective(model, x).loss for objective in group])

    def found(function: Any) -> list[Tensor]:
        torch.manual_seed(1)
        values = function(model, x)
        total = (values * torch.arange(1.0, len(group) + 1)).sum()
        return [values, *torch.autograd.grad(total, parameters, allow_unused=True)]

    with monkeypatch.context() as patch:  # eager code draws other noise (lowerbound.noise)
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        eager = found(losses)
    compiled = found(torch.compile(losses, fullgraph=True, backend="aot_eager"))
    for ours, theirs in zip(compiled, eager, strict=True):
        torch.testing.assert_close(ours, theirs)


@torch._dynamo.config.patch(trace_autograd_ops=True)
def test_the_gradient_penalty_compiles_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient in the loss: traced as the training step traces its own (lowerbound.training)."""
    encoder = Head(nn.Linear(6, 2), Delta(2))
    decoder = Head(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 6)), Delta(6))
    model, x = Autoencoder(encoder, decoder), torch.randn(8, 6)
    parameters = list(model.parameters())

    def step(x: Tensor) -> list[Tensor]:
        terms = objectives.regularized(model, x, gradient=HALF, decay=0.1)
        return [terms.loss.detach(), *torch.autograd.grad(terms.loss, parameters)]

    torch.manual_seed(1)
    with monkeypatch.context() as patch:
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        eager = step(x)
    torch.manual_seed(1)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")(x)
    for ours, theirs in zip(compiled, eager, strict=True):
        torch.testing.assert_close(ours, theirs)
