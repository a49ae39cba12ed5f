"""StackGAN's parts against what they must be: rates, losses, and who moves what."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.adversarial import discriminator_loss, generator_loss, r1
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import DiagonalNormal, StandardNormal, kl
from lowerbound.errors import LowerboundError
from lowerbound.models.captioned import GivenCaptions
from lowerbound.models.stackgan import Augmentation
from lowerbound.networks.refine import Refiner
from lowerbound.networks.text import TextEncoder
from lowerbound.objectives import stacked
from lowerbound.recipes import RECIPES

TOLD = {"pieces": ["a", "red", "blue", "disc"], "length": 4, "least": 1, "most": 3}
SPEC = DataSpec("discs", "image", (3, 12, 13), "levels", levels=256, captions=TOLD, train=50)
A, RED, BLUE, DISC = 257, 258, 259, 260


def built(**options):
    torch.manual_seed(0)
    small = {"channels": 2, "refiner_channels": 2, "refiner_blocks": 1, "text_width": 16}
    model, phases = RECIPES["stack-gan"](SPEC, **{**small, **options})
    return model, {phase.name: phase for phase in phases}


def batch(count: int = 6) -> tuple[Tensor, Tensor]:
    sentences = torch.tensor([[A, RED, DISC, 0], [A, BLUE, DISC, 0]] * (count // 2))
    return torch.rand(count, 3, 12, 13), sentences


# Conditioning augmentation


def test_the_rate_of_the_augmentation_is_the_closed_form() -> None:
    torch.manual_seed(0)
    augmentation = Augmentation(8, 5).double()
    q = augmentation(torch.randn(7, 8, dtype=torch.float64))
    rate = augmentation.rate(q)
    torch.testing.assert_close(rate, kl(q, StandardNormal(5)()), rtol=1e-12, atol=1e-12)
    own = torch.distributions.Normal(q.loc, q.scale)
    by_torch = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(rate, by_torch, rtol=1e-12, atol=1e-12)
    # And Monte Carlo, within four standard errors.
    c = augmentation.condition(q, torch.randn(100_000, 7, 5, dtype=torch.float64))
    prior = DiagonalNormal(torch.zeros_like(q.loc), torch.zeros_like(q.loc))
    drawn = q.log_prob(c) - prior.log_prob(c)
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - rate).abs() < 4 * error).all()


def test_without_augmentation_there_is_a_point_and_no_rate() -> None:
    plain = Augmentation(8, 5, drawn=False)
    q = plain(torch.randn(3, 8))
    assert torch.equal(plain.condition(q, torch.randn(3, 5)), q.loc)
    assert torch.equal(plain.rate(q), torch.zeros(3))
    model, phases = built(augmentation=False)
    x, sentences = batch()
    parts = phases["small-generator"].objective(model, x, sentences).parts
    assert torch.equal(parts["augmentation_rate"], torch.zeros(6))


@pytest.mark.parametrize("alone", [False, True])
def test_the_generators_loss_is_its_own_and_its_rate_weighed(alone: bool) -> None:
    model, _ = built()
    x, sentences = batch()
    for stage in (0, 1):
        torch.manual_seed(3)
        terms = stacked.generator(model, x, sentences, stage=stage, weight=0.3, alone=alone)
        torch.manual_seed(3)
        features = model.read(sentences)
        fake, rate = model.paint(model.draw(6), features, stage)
        value = generator_loss(model.judges[stage](fake, features).logit)
        if alone:
            value = value + generator_loss(by_image(model.judges[stage], fake))
        torch.testing.assert_close(terms.loss, (value + 0.3 * rate).mean())
        torch.testing.assert_close(terms.parts["augmentation_rate"], rate.detach())
        assert tuple(fake.shape[1:]) == ((3, 6, 7), (3, 12, 13))[stage]


# Discriminators


def by_image(judge: Any, x: Tensor) -> Tensor:
    """The logit without a sentence: what is left where the sentence's vector is zero."""
    return judge.logit(judge.network(2.0 * x - 1.0)).squeeze(1)


@pytest.mark.parametrize(
    ("joins", "alone"), [("projection", False), ("projection", True), ("concatenation", False)]
)
@pytest.mark.parametrize("stage", [0, 1])
def test_half_of_what_is_wrong_are_mismatched_pairs(stage: int, joins: str, alone: bool) -> None:
    model, phases = built(joins=joins)
    assert phases["large-generator"].objective.keywords["alone"] == (joins == "projection")
    x, sentences = batch()
    sentences[1] = sentences[0]  # three in a row have one sentence: two mismatched pairs less
    torch.manual_seed(3)
    terms = stacked.discriminator(model, x, sentences, stage=stage, weight=0.7, alone=alone)
    torch.manual_seed(3)
    features, judge = model.read(sentences).detach(), model.judges[stage]
    fake = model.paint(model.draw(6), features, stage)[0].detach()
    real = x if stage == 1 else nn.functional.adaptive_avg_pool2d(x, (6, 7))
    own, other = judge(real, features).logit, judge(real, features.roll(1, 0)).logit
    made = judge(fake, features).logit
    zero = torch.zeros(6)
    of_data, of_samples = discriminator_loss(own, zero - 40), discriminator_loss(zero + 40, made)
    of_pairs = discriminator_loss(zero + 40, other)
    half = of_data + 0.5 * of_samples + 0.5 * of_pairs
    expected = torch.where(torch.tensor([True, False, False, True, True, True]), half,
                           of_data + of_samples)  # fmt: skip
    if alone:
        expected = expected + discriminator_loss(by_image(judge, real), by_image(judge, fake))
    expected = expected + 0.7 * r1(lambda at: judge(at, features).logit, real)
    torch.testing.assert_close(terms.loss, expected.mean(), rtol=1e-5, atol=1e-5)
    higher = (own > other).float()
    higher[1:3] = 0.5
    assert torch.equal(terms.parts["matching"], higher)


def test_each_phase_leaves_what_others_move_alone() -> None:
    model, phases = built()
    assert list(phases) == ["text", "small-discriminator", "small-generator",
                            "large-discriminator", "large-generator"]  # fmt: skip
    assert [phases[name].window for name in phases] == [
        (0.0, 0.15), (0.15, 0.6), (0.15, 0.6), (0.6, 1.0), (0.6, 1.0)
    ]  # fmt: skip
    moved: dict[int, str] = {}
    for name, phase in phases.items():
        for module in phase.moves:
            for parameter in module.parameters():
                assert moved.setdefault(id(parameter), name) == name
    assert {id(p) for p in model.parameters() if p.requires_grad} == set(moved)
    x, sentences = batch()
    for name, phase in phases.items():
        before = copy.deepcopy(model.state_dict())
        own = [p for module in phase.moves for p in module.parameters()]
        loss = phase.objective(model, x, sentences).loss
        found = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        if not name.endswith("generator"):  # whose way leads through the discriminator
            others = [p for p in model.parameters() if p.requires_grad and moved[id(p)] != name]
            assert not [
                g for g in torch.autograd.grad(loss, others, allow_unused=True) if g is not None
            ]
        with torch.no_grad():
            for p, g in zip(own, found, strict=True):
                assert g is not None, name
                p -= 0.1 * g
        mine = {id(p) for p in own}
        changed = {k for k, p in model.named_parameters() if not torch.equal(p, before[k])}
        assert changed
        assert {id(p) for k, p in model.named_parameters() if k in changed} <= mine, name
        assert all(p.grad is None for p in model.parameters())


def test_the_second_stage_asks_for_no_gradient_of_the_first() -> None:
    model, phases = built()
    x, sentences = batch()
    loss = phases["large-generator"].objective(model, x, sentences).loss
    first = list(model.generators[0].parameters())
    assert all(g is None for g in torch.autograd.grad(loss, first, allow_unused=True))


# Sentences


def test_pairs_that_are_told_apart_have_the_loss_of_the_closed_form() -> None:
    """Images and sentences on the axes of a space: the loss is log(1 + (B − 1) e^−s)."""

    class Axes(nn.Module):
        event_shape = (4,)

        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Module()
            self.look.sharpness = nn.Parameter(torch.tensor(0.7))

        def seen(self, x: Tensor) -> Tensor:
            return x

        def read(self, sentences: Tensor) -> Tensor:
            return torch.eye(4)[sentences[:, 0]]

    model = Axes()
    right = torch.arange(4)[:, None]
    s = torch.tensor(0.7).exp()
    terms = stacked.contrastive(model, torch.eye(4), right)
    torch.testing.assert_close(terms.loss, torch.log1p(3 * (-s).exp()))
    assert terms.parts["retrieval"].tolist() == [1.0] * 4
    wrong = stacked.contrastive(model, torch.eye(4), right.roll(1, 0))
    torch.testing.assert_close(wrong.loss, torch.log(s.exp() + 3.0))
    assert wrong.parts["retrieval"].tolist() == [0.0] * 4
    # A sentence that stands there twice is no wrong answer: two classes are left.
    x = torch.eye(4)[[0, 1, 0]]
    twice = stacked.contrastive(model, x, torch.tensor([[0], [1], [0]]))
    expected = torch.log1p(torch.tensor([1.0, 2.0, 1.0]) * (-s).exp())
    torch.testing.assert_close(twice.parts["loss_of_pairs"], expected)


def test_a_sentence_is_the_same_however_far_it_is_filled_up() -> None:
    torch.manual_seed(0)
    read = TextEncoder(300, 8, 16, 2)
    short = torch.tensor([[A, RED, DISC], [A, BLUE, 0]])
    filled = torch.cat([short, torch.zeros(2, 9, dtype=torch.int64)], 1)
    torch.testing.assert_close(read(short), read(filled), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(read(short).norm(dim=1), torch.ones(2))
    other = read(torch.tensor([[A, DISC, RED]]))  # order matters
    assert (read(short)[:1] - other).norm() > 1e-3
    assert torch.equal(read(torch.zeros(1, 3, dtype=torch.int64)), torch.zeros(1, 8))


def test_captions_are_drawn_as_often_as_each_other_and_by_the_noise_alone() -> None:
    condition = GivenCaptions(TOLD)
    side = torch.tensor([[[A, RED], [A, BLUE], [A, DISC]], [[RED, 0], [BLUE, 0], [0, 0]]])
    many = side[:, None].expand(2, 4000, 3, 2).reshape(8000, 3, 2)
    torch.manual_seed(0)
    (drawn,) = condition(torch.zeros(8000, 1), many)
    torch.manual_seed(0)
    assert torch.equal(condition(torch.zeros(8000, 1), many)[0], drawn)
    for rows, values, share in ((drawn[:4000, 1], (RED, BLUE, DISC), 1 / 3),
                                (drawn[4000:, 0], (RED, BLUE), 1 / 2)):  # fmt: skip
        for value in values:
            found = float((rows == value).double().mean())
            assert abs(found - share) < 4 * (share * (1 - share) / 4000) ** 0.5
    one = side[:, 0]
    assert torch.equal(condition(torch.zeros(2, 1), one)[0], one)
    assert condition.strange(["a red disc", "a GREEN disc"]) == [
        "'a GREEN disc': the model was trained on no caption with green: what it makes of that is "
        "a guess"
    ]


# The whole


def test_untrained_the_large_image_is_the_small_one_enlarged() -> None:
    torch.manual_seed(0)
    refine = Refiner((3, 6, 7), (3, 12, 13), 4, channels=2)
    image = torch.rand(5, 3, 6, 7) * 0.9 + 0.05
    expected = nn.functional.interpolate(image, (12, 13), mode="bilinear", align_corners=False)
    torch.testing.assert_close(refine(image, torch.randn(5, 4)).sigmoid(), expected)


def test_shapes_lead_and_a_way_between_sentences_ends_at_both() -> None:
    model, _ = built()
    model.eval()
    _, sentences = batch(2)
    z = model.sample_prior(5, sentences)
    assert z.shape == (5, 2, *model.latent_shape)
    images = model.decode(z, sentences).mean
    assert images.shape == (5, 2, 3, 12, 13)
    alone = model.decode(z[3, 1], sentences[1]).mean
    torch.testing.assert_close(images[3, 1], alone, rtol=1e-4, atol=1e-5)
    codes = z[:, 0]
    ends = [each.expand(5, -1) for each in sentences]
    way = model.between(codes, *ends, torch.tensor([0.0, 1.0, 0.5, 0.0, 1.0])).mean
    for k, sentence in ((0, 0), (1, 1), (3, 0), (4, 1)):
        expected = model.decode(codes[k], sentences[sentence]).mean
        torch.testing.assert_close(way[k], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, in tracing
@torch._dynamo.config.patch(trace_autograd_ops=True)
def test_a_traced_phase_is_the_eager_one() -> None:
    model, phases = built(text_layers=1)
    x, _ = batch()
    side = torch.tensor([[[A, RED, DISC, 0], [A, BLUE, DISC, 0]]] * 6)
    side[::2] = side[::2].flip(1)
    torch._dynamo.reset()
    for name in ("text", "large-discriminator", "large-generator"):
        phase = phases[name]
        own = [p for module in phase.moves for p in module.parameters()]

        def loss(x: Tensor, side: Tensor, phase=phase, own=own) -> list[Tensor]:
            terms = phase.objective(model, x, *model.condition(x, side))
            found = torch.autograd.grad(terms.loss, own, allow_unused=True)
            return [terms.loss.detach(), *(g for g in found if g is not None)]

        traced = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=False)
        torch.manual_seed(1)
        found = traced(x, side)
        with pytest.MonkeyPatch.context() as patch:  # which noise is drawn depends on it
            patch.setattr(torch.compiler, "is_compiling", lambda: True)
            torch.manual_seed(1)
            expected = loss(x, side)
        for mine, other in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ({"captions": None}, {}, "expected images with captions, came discs without; put captions"),
        ({"kind": "vector", "event_shape": (5,)}, {}, "expected images, came vector data (5,)"),
        ({"event_shape": (3, 3, 9)}, {}, "expected sides of at least 4, which the first stage"),
        ({}, {"text_until": 0.7}, "text-until below stage-until below 1, came 0.7 and 0.6"),
        ({}, {"text_width": 12}, "text width: expected a multiple of 8, came 12; pass 16"),
    ],
)
def test_bad_input_is_told_in_a_line(spec: dict, options: dict, message: str) -> None:
    from dataclasses import replace

    import numpy as np

    nothing = np.empty(0, np.float32)
    data = replace(SPEC, **spec, mean=nothing, std=nothing)
    with pytest.raises(LowerboundError) as error:
        RECIPES["stack-gan"](data, **{"text_width": 16, **options})
    assert message in str(error.value) and "\n" not in str(error.value)
