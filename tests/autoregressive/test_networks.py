"""Every network is causal, sees all that comes before, and steps as it passes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lowerbound.autoregressive import PixelCNN, Transformer, WaveNet, draw, output
from lowerbound.errors import LowerboundError

from .nets import CASES, LEVELS, build, case


@pytest.mark.parametrize(("name", "grid", "contexts"), CASES)
def test_every_output_depends_on_all_tokens_before_it_and_on_no_others(
    name: str, grid: str, contexts: str
) -> None:
    """By gradients with respect to every token's embeddings, position by position."""
    network, given, tokens = case(name, grid, contexts, count=1)
    length = tokens.shape[1]
    hot = torch.nn.functional.one_hot(tokens, LEVELS).double().requires_grad_()
    # the same tokens by products, through which a gradient flows to each of them
    heads = network.heads
    network.embed = torch.nn.ModuleList(
        Soft(each.weight, hot[:, m::heads]) for m, each in enumerate(network.embed)
    )
    network.beside = torch.nn.ModuleList(
        Soft(each.weight, hot[:, m::heads]) for m, each in enumerate(network.beside)
    )
    raw = network(tokens, *given)
    for t in range(length):
        (found,) = torch.autograd.grad(raw[0, t].square().sum(), hot, retain_graph=True)
        reached = found[0].abs().sum(-1) > 0
        assert reached.tolist() == [other < t for other in range(length)], t


class Soft(torch.nn.Module):
    def __init__(self, weight: Tensor, hot: Tensor) -> None:
        super().__init__()
        self.weight, self.hot = torch.nn.Parameter(weight.detach()), hot

    def forward(self, tokens: Tensor) -> Tensor:
        return self.hot @ self.weight


@pytest.mark.parametrize(("name", "grid", "contexts"), CASES)
def test_contexts_reach_every_output(name: str, grid: str, contexts: str) -> None:
    network, given, tokens = case(name, grid, contexts)
    raw = network(tokens, *given)
    for place, context in enumerate(given):
        others = [*given]
        others[place] = context + 1.0
        assert ((network(tokens, *others) - raw).abs().sum(-1) > 1e-9).all()


@pytest.mark.parametrize(("name", "grid", "contexts"), CASES)
def test_a_step_is_a_row_of_the_pass(name: str, grid: str, contexts: str) -> None:
    network, given, tokens = case(name, grid, contexts)
    state = network.begin(len(tokens), *given)
    rows = []
    for t in range(tokens.shape[1]):
        row, state = network.step(state, None if t == 0 else tokens[:, t - 1])
        rows.append(row.clone())
    with torch.no_grad():
        torch.testing.assert_close(torch.stack(rows, 1), network(tokens, *given))


@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize(("name", "grid", "contexts"), CASES)
def test_cached_sampling_is_naive_sampling(
    name: str, grid: str, contexts: str, guidance: float
) -> None:
    """Token for token, from the same seed."""
    network, given, tokens = case(name, grid, contexts)
    if guidance != 1.0 and not given:
        return
    free = [torch.zeros_like(each) for each in given]
    drawn = []
    for cached in (True, False):
        torch.manual_seed(5)
        drawn.append(
            draw(
                network,
                output("categorical", LEVELS),
                len(tokens),
                tokens.shape[1],
                given,
                free,
                temperature=0.8,
                top_k=3,
                guidance=guidance,
                cached=cached,
            )
        )
    assert torch.equal(*drawn)
    assert len(set(map(tuple, drawn[0].tolist()))) > 1


@pytest.mark.parametrize("name", ["pixelcnn", "transformer", "wavenet"])
def test_cached_sampling_is_naive_sampling_at_length(name: str) -> None:
    """Across many rows of a grid, and over several rounds of the queues, in float32."""
    torch.manual_seed(0)
    network = build(name, (12, 12), levels=8).float()
    drawn = []
    for cached in (True, False):
        torch.manual_seed(3)
        drawn.append(draw(network, output("categorical", 8), 2, 144, cached=cached))
    assert torch.equal(*drawn)


def test_dilations_cover_what_they_say() -> None:
    """A WaveNet's reach, by the farthest token that moves an output."""
    torch.manual_seed(0)
    network = WaveNet(4, width=6, depth=3, stacks=2).double()
    tokens = torch.randint(4, (1, 40))
    raw = network(tokens)[0, -1]
    moved = []
    for t in range(40):
        other = tokens.clone()
        other[0, t] = (other[0, t] + 1) % 4
        moved.append(bool((network(other)[0, -1] - raw).abs().sum() > 0))
    assert moved.index(True) == 39 - network.reach
    assert all(moved[39 - network.reach : 39])


def test_what_does_not_fit_is_refused() -> None:
    network = build("pixelcnn", (3, 4), context=2)
    tokens, given = torch.zeros(2, 12, dtype=torch.int64), torch.zeros(2, 2).double()
    with pytest.raises(LowerboundError, match=r"expected tokens of 12 positions of 1 each, came 8"):
        network(tokens[:, :8], given)
    with pytest.raises(LowerboundError, match=r"expected 2 numbers of global context, came .*none"):
        network(tokens)
    with pytest.raises(LowerboundError, match="expected 0 numbers of local context"):
        network(tokens, given, torch.zeros(2, 12, 3).double())
    with pytest.raises(LowerboundError, match="a grid of two axes"):
        PixelCNN(4, (3,))
    with pytest.raises(LowerboundError, match="an odd kernel of 3 or more"):
        PixelCNN(4, (3, 3), kernel=4)
    with pytest.raises(LowerboundError, match="a multiple of 4 attention heads, came 30; pass 32"):
        Transformer(4, (3,), width=30)
