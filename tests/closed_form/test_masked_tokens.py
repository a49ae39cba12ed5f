"""Masked tokens: the conditionals of a Markov chain, which Bayes' rule gives exactly."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models.masked_tokens import MaskedTokens
from lowerbound.networks.sequence import SequenceEncoder
from lowerbound.objectives.denoising import masked_tokens
from lowerbound.recipes import recipe
from lowerbound.training.phase import Phase

LEVELS, LENGTH, COUNT, STEPS = 3, 5, 20_000, 400
SPEC = DataSpec("chain", "tokens", (LENGTH,), "categories", levels=LEVELS)


def chain(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences (COUNT, LENGTH) of a stationary chain, and its transitions."""
    transition = torch.rand(LEVELS, LEVELS, generator=generator).square()
    transition = transition / transition.sum(1, keepdim=True)
    start = torch.linalg.matrix_power(transition, 200)[0]
    tokens = [torch.multinomial(start, COUNT, True, generator=generator)]
    for _ in range(LENGTH - 1):
        drawn = torch.multinomial(transition[tokens[-1]], 1, generator=generator)
        tokens.append(drawn[:, 0])
    return torch.stack(tokens, 1), transition


def test_it_recovers_the_conditionals_of_a_markov_chain() -> None:
    """p(x_t | the rest) = p(x_t | x_{t-1}) p(x_{t+1} | x_t) / sum: neighbours are all it needs."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x, transition = chain(generator)
    torch.manual_seed(0)
    model, (phase,) = recipe("masked-tokens")(SPEC, width=16, layers=1, heads=2)
    assert isinstance(phase, Phase) and isinstance(model, MaskedTokens)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        batch = x[torch.randint(0, COUNT, (256,), generator=generator)]
        optimizer.zero_grad()
        phase.objective(model, batch).loss.backward()
        optimizer.step()
        schedule.step()
    joint = transition[:, :, None] * transition  # (before, here, after)
    exact = joint / joint.sum(1, keepdim=True)
    place = 2
    some = x[:4000].clone()
    before, after = some[:, place - 1], some[:, place + 1]
    expected = exact[before, :, after]
    some[:, place] = model.mask
    with torch.no_grad():
        found = model.predict(some)[:, place].exp()
    away = 0.5 * (found - expected).abs().sum(1)  # total variation
    assert float(away.mean()) < 0.03 and float(away.max()) < 0.1
    # neither the frequencies nor the token before alone come near
    for guess in (x.flatten().bincount() / x.numel(), transition[before]):
        assert float(0.5 * (guess - expected).abs().sum(1).mean()) > 0.1
    filled = model.fill(some)
    likeliest = expected.topk(2).values
    clear = likeliest[:, 0] - likeliest[:, 1] > 0.25
    assert torch.equal(filled[clear, place], expected.argmax(1)[clear])
    assert torch.equal(filled[:, :place], x[:4000, :place])


def test_the_loss_is_the_mean_cross_entropy_of_the_chosen_places() -> None:
    torch.manual_seed(0)
    x = torch.randint(0, LEVELS, (50, LENGTH))
    model: Any = recipe("masked-tokens")(SPEC, width=8, layers=1, heads=2, rate=0.5).model
    torch.manual_seed(1)
    loss, parts = masked_tokens(model, x)
    torch.manual_seed(1)
    tokens, chosen = model.masking(x)
    logits = model.output(model.network(tokens))
    expected = functional.cross_entropy(logits[chosen], x[chosen])
    torch.testing.assert_close(loss, expected)
    assert parts["masked_token"].shape == (50,)
    # untrained, no token is likelier than another
    assert abs(float(loss.detach()) - math.log(LEVELS)) < 0.1
    assert "pseudo-likelihood" in model.no_likelihood


def test_every_place_sees_every_other_and_no_order_is_lost() -> None:
    torch.manual_seed(0)
    network = SequenceEncoder(5, 7, width=8, layers=1, heads=2)
    tokens = torch.randint(0, 4, (1, 7))
    before = network(tokens)
    for place in range(7):
        other = tokens.clone()
        other[0, place] = 4
        assert bool((network(other) != before).any(2).all())
    turned = network(tokens.flip(1)).flip(1)
    assert not torch.allclose(turned, before, atol=1e-3)
    torch.testing.assert_close(network(tokens[:, :5])[0, 0].shape, before[0, 0].shape)


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    network = SequenceEncoder(5, 7, width=8, layers=1, heads=2)
    (block,) = network.blocks
    reference = torch.nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    pairs = {
        "self_attn.in_proj_weight": "read.weight",
        "self_attn.in_proj_bias": "read.bias",
        "self_attn.out_proj.weight": "write.weight",
        "self_attn.out_proj.bias": "write.bias",
        "linear1.weight": "network.0.weight",
        "linear1.bias": "network.0.bias",
        "linear2.weight": "network.2.weight",
        "linear2.bias": "network.2.bias",
        "norm1.weight": "before_attention.weight",
        "norm1.bias": "before_attention.bias",
        "norm2.weight": "before_network.weight",
        "norm2.bias": "before_network.bias",
    }
    own = block.state_dict()
    reference.load_state_dict({theirs: own[ours] for theirs, ours in pairs.items()})
    h = torch.randn(3, 7, 8)
    torch.testing.assert_close(block(h), reference(h))


def test_the_code_of_a_sequence_is_a_point() -> None:
    model: Any = recipe("masked-tokens")(SPEC, width=8, heads=2).model
    x = torch.randint(0, LEVELS, (4, 2, LENGTH))
    code = model.encode(x).mean
    assert code.shape == (4, 2, 8)
    torch.testing.assert_close(code[1, 1], model.network(x[1, 1][None]).mean(1)[0])
    assert model.conditional(x).event_shape == (LENGTH,)
    log_probs = model.predict(x).gather(-1, x.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(model.conditional(x).log_prob(x), log_probs.sum(-1))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (DataSpec("a", "vector", (6,), "real"), {}, "expected sequences of whole numbers"),
        (SPEC, {"rate": 1.0}, "came rate 1; pass --rate 0.15"),
        (SPEC, {"width": 10}, "width: expected a multiple of 4 heads, came 10; pass 12"),
        (
            DataSpec("a", "tokens", (1,), "categories", levels=3),
            {},
            "came sequences of one token; pass longer sequences",
        ),
    ],
)
def test_what_cannot_be_is_refused(spec: DataSpec, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        recipe("masked-tokens")(spec, **options)
