"""log p sums to one, draws are of what they are said to be, and contexts broadcast."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lowerbound.autoregressive import (
    Autoregressive,
    AutoregressiveConditional,
    CausalNetwork,
    LogisticOutput,
    PixelCNN,
    WaveNet,
    guided,
    output,
    restrict,
)
from lowerbound.bounds import elbo
from lowerbound.distributions import PointMass, set_precision
from lowerbound.errors import LowerboundError

from .nets import build


def everything(levels: int, length: int) -> Tensor:
    """All sequences, ``(levels^length, length)``."""
    return torch.tensor(list(itertools.product(range(levels), repeat=length)))


@pytest.mark.parametrize("family", ["categorical", "logistic"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [("pixelcnn", (2, 3)), ("pixelcnn", (3, 2, 1)), ("transformer", (6,)), ("wavenet", (2, 3, 1))],
)
def test_probabilities_sum_to_one(name: str, shape: tuple[int, ...], family: Any) -> None:
    """Over all data of three levels, with colours in any axis."""
    torch.manual_seed(1)
    heads = shape[0] if len(shape) == 3 else 1
    of = output(family, 3, components=2)
    network = build(name, shape[-2:] if len(shape) > 1 else shape, heads, 3, outputs=of.raw)
    p = Autoregressive(network, shape, output=of)
    x = everything(3, 6).reshape(-1, *shape)
    with torch.no_grad():
        log_p = p.log_prob(x)
    assert log_p.shape == (729,)
    torch.testing.assert_close(log_p.exp().sum(), torch.ones(()).double())
    assert log_p.std() > 0.1  # and they are not all the same


def test_draws_come_as_often_as_they_are_probable() -> None:
    """20,000 draws of nine sequences, each within four standard errors."""
    torch.manual_seed(0)
    p = Autoregressive(build("wavenet", (2,), levels=3), (2,))
    x = everything(3, 2)
    expected = p.log_prob(x).detach().exp()
    drawn = p.sample((20_000,))
    found = torch.bincount(3 * drawn[:, 0] + drawn[:, 1], minlength=9) / 20_000
    error = (expected * (1 - expected) / 20_000).sqrt()
    assert ((found - expected).abs() < 4 * error + 1e-12).all()


def test_temperature_top_k_and_top_p_of_a_known_categorical() -> None:
    p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    cases: list[tuple[dict[str, Any], list[float]]] = [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, [0.16 / 0.3, 0.09 / 0.3, 0.04 / 0.3, 0.01 / 0.3]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 0.4}, [1, 0, 0, 0]),
        ({"top_p": 0.41}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.89}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_p": 1.0}, [0.4, 0.3, 0.2, 0.1]),
        # after the other: of the two likeliest, 4/7 is enough for 0.5
        ({"top_k": 2, "top_p": 0.5}, [1, 0, 0, 0]),
        ({"temperature": 0.5, "top_k": 3}, [16 / 29, 9 / 29, 4 / 29, 0]),
    ]
    shuffled = torch.tensor([2, 0, 3, 1])
    for options, expected in cases:
        found = restrict(p.log()[shuffled] + 7.0, **options).softmax(-1)
        wanted = torch.tensor(expected, dtype=torch.float64)[shuffled]
        torch.testing.assert_close(found, wanted, msg=str(options))


class Known(CausalNetwork):
    """Tokens that are independent: logits are a table, moved by the context."""

    def __init__(self, table: Tensor, context: int = 0) -> None:
        super().__init__(table.shape[-1], 1, context=context)
        self.table = table

    def forward(self, tokens: Tensor, *context: Tensor) -> Tensor:
        moved = context[0] if context else torch.zeros(len(tokens), self.levels)
        return self.table.expand(*tokens.shape, -1) + moved.unsqueeze(1)

    def begin(self, count: int, *context: Tensor) -> Any:
        return context[0] if context else torch.zeros(count, self.levels)

    def step(self, state: Any, token: Tensor | None) -> tuple[Tensor, Any]:
        return self.table + state, state


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.75}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
    ],
)
def test_draws_are_of_the_restricted_distribution(
    options: dict[str, float], expected: list[float]
) -> None:
    torch.manual_seed(0)
    p = Autoregressive(Known(torch.tensor([0.4, 0.3, 0.2, 0.1]).log()), (4,))
    drawn = p.sample((5000,), **options)
    found = torch.bincount(drawn.flatten(), minlength=4) / drawn.numel()
    wanted = torch.tensor(expected)
    error = (wanted * (1 - wanted) / drawn.numel()).sqrt()
    assert ((found - wanted).abs() <= 4 * error).all(), found


def test_guidance_is_the_power_of_the_two_densities() -> None:
    """p(x)^(1 − w) p(x|c)^w, normalised, of a case with three values."""
    given, free = torch.tensor([0.7, 0.2, 0.1]).log(), torch.tensor([0.2, 0.3, 0.5]).log()
    for w in (0.0, 0.5, 1.0, 3.0):
        wanted = (free.exp() ** (1 - w)) * (given.exp() ** w)
        found = guided(given + 2.0, free - 1.0, w).softmax(-1)
        torch.testing.assert_close(found, wanted / wanted.sum())
    torch.manual_seed(0)
    table = torch.zeros(3)
    p = Autoregressive(Known(table, 3), (4,), given.expand(5000, 3), free=(free.expand(5000, 3),))
    drawn = p.sample((), guidance=3.0)
    wanted = (free.exp() ** -2) * (given.exp() ** 3)
    wanted /= wanted.sum()
    found = torch.bincount(drawn.flatten(), minlength=3) / drawn.numel()
    error = (wanted * (1 - wanted) / drawn.numel()).sqrt()
    assert ((found - wanted).abs() <= 4 * error).all(), found


def test_guidance_one_is_the_plain_conditional() -> None:
    torch.manual_seed(0)
    network = build("pixelcnn", (3, 3), context=2)
    p = AutoregressiveConditional(network, (3, 3), event_ranks=(1,), drop=0.2).double()
    c = torch.randn(4, 2).double()
    drawn = []
    for options in ({}, {"guidance": 1.0}, {"guidance": 30.0}):
        torch.manual_seed(1)
        drawn.append(p(c).sample((3,), **options))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_dropped_condition_is_what_guidance_leaves_out() -> None:
    """In training, a share of examples has the density that stands for none; held out, nobody."""
    torch.manual_seed(0)
    network = build("wavenet", (4,), context=2)
    p = AutoregressiveConditional(network, (4,), event_ranks=(1,), drop=0.3).double()
    assert p.none is not None
    torch.nn.init.normal_(p.none)
    c, x = torch.randn(1, 2).double().expand(4000, 2), torch.randint(4, (1, 4)).expand(4000, 4)
    plain = Autoregressive(network, (4,), c[:1]).log_prob(x[:1])
    free = Autoregressive(network, (4,), p.none[None]).log_prob(x[:1])
    found = p(c).log_prob(x)
    dropped = (found - free).abs() < 1e-9
    assert ((found - plain).abs() < 1e-9).logical_or(dropped).all()
    assert abs(float(dropped.double().mean()) - 0.3) < 4 * math.sqrt(0.21 / 4000)
    with torch.no_grad():
        torch.testing.assert_close(p(c).log_prob(x), plain.expand(4000))
    torch.testing.assert_close(p.eval()(c).log_prob(x), plain.expand(4000))


def test_leading_dimensions_broadcast() -> None:
    """Samples of contexts, and contexts of samples, as one by one."""
    torch.manual_seed(0)
    network = build("pixelcnn", (2, 3), context=2, local=3)
    embed = [None, torch.nn.Linear(5, 3).double()]
    p = AutoregressiveConditional(network, (2, 3), event_ranks=(1, 2), embed=embed)
    c, z = torch.randn(4, 2).double(), torch.randn(5, 4, 6, 5).double()
    q = p(c, z)
    assert q.batch_shape == (5, 4)
    x = torch.randint(4, (7, 5, 4, 2, 3))
    with torch.no_grad():
        found = q.log_prob(x)
        assert found.shape == (7, 5, 4)
        one = p(c[2:3], z[3, 2:3]).log_prob(x[6, 3, 2:3])
        torch.testing.assert_close(found[6, 3, 2], one[0])
        torch.testing.assert_close(
            q.log_prob(x[0, 0, 0]), q.log_prob(x[:1, :1, :1].expand(1, 5, 4, 2, 3))[0]
        )
    assert q.sample((2,)).shape == (2, 5, 4, 2, 3)


def test_colours_are_of_one_position_and_come_in_order() -> None:
    """Green of a pixel is told its red; the next pixel is told both."""
    p = Autoregressive(build("pixelcnn", (2, 2), heads=3), (3, 2, 2))
    x = torch.arange(12).reshape(1, 3, 2, 2)
    assert p.tokens(x)[0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(p.value(p.tokens(x)), x)


def test_levels_are_tokens_by_another_name() -> None:
    torch.manual_seed(0)
    network = build("wavenet", (5,))
    of_levels, of_tokens = Autoregressive(network, (5,), scale=3), Autoregressive(network, (5,))
    tokens = torch.randint(4, (6, 5))
    with torch.no_grad():
        found = of_levels.log_prob(tokens.float() / 3), of_tokens.log_prob(tokens)
    torch.testing.assert_close(*found)
    drawn = of_levels.sample((8,))
    assert torch.equal((3 * drawn).round() / 3, drawn) and set((3 * drawn).unique().tolist()) <= {
        0,
        1,
        2,
        3,
    }


def test_what_is_given_at_the_start_stays() -> None:
    """The rest is drawn given it: the same of cached and of naive sampling."""
    torch.manual_seed(0)
    p = Autoregressive(build("transformer", (8,)), (8,))
    start = torch.randint(4, (3, 5))
    drawn = []
    for cached in (True, False):
        torch.manual_seed(2)
        drawn.append(p.sample((2, 3), start=start, cached=cached))
    assert torch.equal(*drawn)
    assert torch.equal(drawn[0][..., :5], start.expand(2, 3, 5))


def test_it_is_a_prior_of_the_unchanged_bound() -> None:
    """The rate of a certain code is −log p of it."""
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        event_shape = (4,)
        prior = AutoregressiveConditional(build("wavenet", (4,)), (4,))

        def encode(self, x: Tensor) -> PointMass:
            return PointMass(x.long())

        def decode(self, z: Tensor) -> PointMass:
            return PointMass(z.double())

    model, x = Model(), torch.randint(4, (5, 4)).double()
    found = elbo(model, x).parts  # ty: ignore
    torch.testing.assert_close(found["rate"], -model.prior().log_prob(x.long()).detach())
    torch.testing.assert_close(found["distortion"], torch.zeros(5).double())


def test_reduced_precision_is_of_the_network_alone() -> None:
    torch.manual_seed(0)
    network = WaveNet(8, width=16, depth=3)
    p = AutoregressiveConditional(network, (12,))
    x = torch.randint(8, (5, 12))
    full = p().log_prob(x)
    set_precision(p, torch.bfloat16)
    reduced = p().log_prob(x)
    assert reduced.dtype is torch.float32
    assert not torch.equal(full, reduced)
    torch.testing.assert_close(full, reduced, rtol=0.02, atol=0.02)


def test_options_out_of_range_are_refused() -> None:
    p = Autoregressive(build("wavenet", (4,)), (4,))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"temperature": -1}, "temperature: expected 0 or more, came -1"),
        ({"temperature": math.nan}, "temperature: expected 0 or more"),
        ({"top_k": 0}, "top_k: expected 1 or more, came 0"),
        ({"top_p": 0.0}, r"top_p: expected above 0 and at most 1, came 0\.0"),
        ({"guidance": 2.0}, "guidance: expected 1 without a condition, came 2"),
    ]
    for options, message in cases:
        with pytest.raises(LowerboundError, match=message):
            p.sample((2,), **options)
    network = build("wavenet", (4,), context=1)
    conditional = AutoregressiveConditional(network, (4,), event_ranks=(1,))
    with pytest.raises(LowerboundError, match="was not trained without its condition"):
        conditional(torch.zeros(2, 1).double()).sample((), guidance=2.0)
    with pytest.raises(LowerboundError, match=r"6 outputs for each token, .* came 4; .*outputs=6"):
        AutoregressiveConditional(network, (4,), output=LogisticOutput(4, 2))
    with pytest.raises(LowerboundError, match=r"1 tokens at each of \(3, 3\) positions"):
        AutoregressiveConditional(PixelCNN(4, (2, 2), width=4), (3, 3))
    with pytest.raises(LowerboundError, match="categorical or logistic, came 'gaussian'"):
        output("gaussian", 4)  # ty: ignore
