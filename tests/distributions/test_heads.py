"""A head folds, broadcasts and returns to float32; its network sees plain batches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import (
    Bernoulli,
    Conditional,
    DiagonalGaussian,
    Gaussian,
    Head,
    StandardNormal,
    set_precision,
)
from lowerbound.errors import LowerboundError


class Join(nn.Module):
    """A network of several contexts that records the shapes it was called with."""

    def __init__(self, sizes: int, out: int) -> None:
        super().__init__()
        self.layer = nn.Linear(sizes, out)
        self.seen: list[torch.Size] = []

    def forward(self, *parts: Tensor) -> Tensor:
        self.seen = [part.shape for part in parts]
        return self.layer(torch.cat([part.flatten(1) for part in parts], -1)).tanh()


class Recording(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.rows: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        return self.module(x)


@pytest.mark.parametrize("lead", [(), (5,), (3, 5), (2, 3, 5)])
def test_folding_equals_a_loop(lead: tuple[int, ...]) -> None:
    head = Head(nn.Linear(4, 6), DiagonalGaussian(3)).double()
    x = torch.randn(*lead, 4, dtype=torch.float64)
    q = head(x)
    assert q.batch_shape == lead
    rows = x.reshape(-1, 4)
    looped = torch.stack([head(row).loc for row in rows]).reshape(*lead, 3)
    torch.testing.assert_close(q.loc, looped)


def test_images_fold() -> None:
    head = Head(nn.Conv2d(2, 3, 1), Bernoulli((3, 4, 5)), event_ranks=(3,))
    x = torch.randn(6, 7, 2, 4, 5)
    p = head(x)
    assert p.batch_shape == (6, 7)
    torch.testing.assert_close(p.logits[2], head(x[2]).logits)


def test_contexts_of_different_leads_broadcast_after_embedding() -> None:
    """z (K, B, 4), an image (B, 2, 3, 3) and a label (): each embedded once, on its own rows."""
    image = Recording(nn.Conv2d(2, 1, 1))
    label = Recording(nn.Embedding(10, 5))
    network = Join(4 + 9 + 5, 6)
    head = Head(network, DiagonalGaussian(3), event_ranks=(1, 3, 0), embed=[None, image, label])
    z, picture, digit = torch.randn(8, 7, 4), torch.randn(7, 2, 3, 3), torch.tensor(3)
    q = head(z, picture, digit)
    assert q.batch_shape == (8, 7)
    assert network.seen == [(56, 4), (56, 1, 3, 3), (56, 5)]
    assert (image.rows, label.rows) == ([7], [1])
    for k, b in [(0, 0), (3, 6), (7, 2)]:
        alone = head(z[k, b], picture[b], digit)
        torch.testing.assert_close(q.loc[k, b], alone.loc)


def test_context_may_lead_the_first() -> None:
    head = Head(Join(6, 4), DiagonalGaussian(2), event_ranks=(1, 1))
    assert head(torch.randn(3), torch.randn(5, 3)).batch_shape == (5,)


@pytest.mark.parametrize("embed", [None, [nn.Linear(4, 4)]])
def test_reduced_precision_ends_at_the_head(embed: list[nn.Module] | None) -> None:
    network = nn.Linear(4, 6)
    seen: list[torch.dtype] = []
    network.register_forward_hook(lambda *a: seen.append(a[2].dtype))
    head = Head(network, DiagonalGaussian(3), embed=embed)
    holder = nn.ModuleDict({"encoder": head})
    x = torch.randn(2, 4)
    exact = head(x)
    set_precision(holder, torch.bfloat16)
    reduced = head(x)
    assert seen == [torch.float32, torch.bfloat16]
    assert reduced.loc.dtype == reduced.scale.dtype == torch.float32
    torch.testing.assert_close(reduced.loc, exact.loc, atol=0.05, rtol=0.05)
    assert reduced.log_prob(torch.zeros(3)).dtype == torch.float32
    assert not torch.equal(reduced.loc, exact.loc)
    set_precision(holder, None)
    assert torch.equal(head(x).loc, exact.loc)


def test_reduced_precision_trains_float32_weights() -> None:
    head = Head(nn.Linear(4, 6), DiagonalGaussian(3))
    set_precision(head, torch.bfloat16)
    head(torch.randn(2, 4)).rsample().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in head.parameters())


def test_float64_stays() -> None:
    head = Head(nn.Linear(4, 3), Gaussian(3)).double()
    assert head(torch.randn(2, 4, dtype=torch.float64)).loc.dtype == torch.float64


def test_conditionals() -> None:
    head = Head(nn.Linear(4, 6), DiagonalGaussian(3))
    prior = StandardNormal((2, 3))
    assert isinstance(head, Conditional)
    assert isinstance(prior, Conditional)
    assert head.event_shape == (3,)
    p = prior(torch.zeros(5, 7))
    assert (p.batch_shape, p.event_shape) == ((), (2, 3))
    assert p.rsample((4,)).shape == (4, 2, 3)
    assert not prior.state_dict()
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum((-2, -1))
    torch.testing.assert_close(prior.double()().log_prob(x), expected)


def test_wrong_calls_are_explained() -> None:
    head = Head(nn.Linear(4, 5), DiagonalGaussian(3))
    with pytest.raises(LowerboundError, match=r"network with output \(N, 6\).*came \(2, 5\)"):
        head(torch.zeros(2, 4))
    with pytest.raises(LowerboundError, match=r"expected 1 context.*came 2"):
        head(torch.zeros(2, 4), torch.zeros(2))
    with pytest.raises(LowerboundError, match="event dimension"):
        Head(nn.Linear(4, 6), DiagonalGaussian(3), event_ranks=(3,))(torch.zeros(2, 4))
    with pytest.raises(LowerboundError, match="one embedding"):
        Head(nn.Linear(4, 6), DiagonalGaussian(3), embed=[None, None])
