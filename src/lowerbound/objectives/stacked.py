"""StackGAN's phases: sentences learned from pairs, and two players at each of two resolutions."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..adversarial import Loss, discriminator_loss, generator_loss, r1
from ..bounds import Terms, check_event
from ..collectives import gather
from .players import seen, taken

Stage = Literal[0, 1]


def contrastive(model: Any, x: Tensor, sentences: Tensor) -> Terms:
    """Tell which sentence goes with which image of the batch, both ways round.

    The mean of two cross-entropies, of sentences given an image and of images given a sentence,
    with logits e^s ⟨image, sentence⟩. A sentence that stands in the batch twice counts as no wrong
    answer.

    Args:
        model: ``seen`` and ``read`` give vectors of length 1, ``look.sharpness`` is s.
        x: data, ``(B, *event_shape)``.
        sentences: as the model's condition gives them, ``(B, L)``.

    Returns:
        loss; parts ``loss_of_pairs``, nats (log B where nothing is told), and ``retrieval``, the
        share of images whose own sentence is the nearest one of the batch.

    References:
        van den Oord, Li & Vinyals 2018, Representation learning with contrastive predictive coding,
        arXiv 1807.03748; Radford et al. 2021, arXiv 2103.00020 (both ways round)
    """
    check_event(x, model.event_shape)
    images, words = gather(model.seen(x)), gather(model.read(sentences))
    all_sentences = gather(sentences)
    logits = model.look.sharpness.clamp(max=4.6).exp() * images @ words.T
    same = (all_sentences[:, None] == all_sentences[None]).all(2)
    own = torch.arange(len(logits), device=x.device)
    others = same & (own[:, None] != own[None])
    logits = logits.masked_fill(others, -torch.inf)
    found = cross_entropy(logits, own, reduction="none")
    found = 0.5 * (found + cross_entropy(logits.T, own, reduction="none"))
    right = (logits.argmax(1) == own).to(x.dtype)
    return Terms(found.mean(), {"loss_of_pairs": found.detach(), "retrieval": right})


def discriminator(
    model: Any,
    x: Tensor,
    sentences: Tensor,
    *,
    stage: Stage,
    loss: Loss = "non-saturating",
    weight: float = 0.0,
    mismatched: bool = True,
    alone: bool = False,
    share: float = 1.0,
) -> Terms:
    """A stage's discriminator: data with their own sentence, against samples, and against data with
    another example's sentence.

    Half of what is wrong are samples, half are mismatched pairs; a pair whose sentences are the
    same is none of these, and its sample counts for both. Where it can judge of images without
    their sentences it learns to tell samples by that, too: what sentences ask for is told apart
    soon, and a generator that overdoes it was taken for data.

    Args:
        model: a `lowerbound.models.stackgan.StackGAN`.
        x: data, ``(B, *event_shape)``.
        sentences: as the model's condition gives them, ``(B, L)``.
        stage: 0, the small images, or 1.
        loss: see `lowerbound.adversarial.discriminator_loss`.
        weight: of r1, the squared slope at data: γ/2.
        mismatched: whether mismatched pairs count.
        alone: whether images are judged without their sentence, too.
        share: of the batch at which the slope is punished.

    Returns:
        loss; parts ``accuracy``, the share told apart, of data and samples; ``matching``, the share
        of data of higher logit with their own sentence than with another's; ``real_logit``,
        ``fake_logit``; ``penalty``, unweighted, where it has a weight.

    References:
        Reed et al. 2016, Generative adversarial text to image synthesis, arXiv 1605.05396 (GAN-CLS)
        Zhang et al. 2017, arXiv 1612.03242; alone: Zhang et al. 2018, StackGAN++, arXiv 1710.10916
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        features = model.read(sentences)
        fake, _ = model.paint(model.draw(len(x), sentences), features, stage)
        real = model.sized(x, stage)
    other = features.roll(1, 0)
    differ = (sentences != sentences.roll(1, 0)).any(1)
    judge = model.judges[stage]
    none = [None] * alone
    real_logit, wrong_logit, *real_alone = judge.logits(real, features, other, *none)
    fake_logit, *fake_alone = judge.logits(fake, features, *none)
    values = discriminator_loss(real_logit, fake_logit, loss)
    if mismatched:
        pairs = discriminator_loss(real_logit, wrong_logit, loss)
        values = torch.where(differ, 0.5 * (values + pairs), values)
    if alone:
        values = values + discriminator_loss(real_alone[0], fake_alone[0], loss)
    # Where the sentences are the same neither is the higher one.
    higher = torch.where(differ, (real_logit > wrong_logit).to(x.dtype), 0.5)
    parts = {**seen(real_logit, fake_logit, loss), "matching": higher}
    if weight:
        some = slice(math.ceil(share * len(x)))
        steep = r1(lambda at: judge.logits(at, features[some])[0], real[some]).mean()
        values = values + weight * steep
        parts["penalty"] = steep.expand(len(x))
    return Terms(values.mean(), {name: value.detach() for name, value in parts.items()})


def generator(
    model: Any,
    x: Tensor,
    sentences: Tensor,
    *,
    stage: Stage,
    loss: Loss = "non-saturating",
    weight: float = 0.0,
    alone: bool = False,
) -> Terms:
    """A stage's generator: be taken for data with this sentence, its condition near its prior.

    Args:
        model: a `lowerbound.models.stackgan.StackGAN`.
        x: data, ``(B, *event_shape)``; how many there are counts, and nothing else of them.
        sentences: as the model's condition gives them, ``(B, L)``.
        stage: 0, the small images, or 1.
        loss: see `lowerbound.adversarial.generator_loss`.
        weight: of the rate of conditioning augmentation, KL(q(c | sentence) ‖ N(0, I)).
        alone: whether images are judged without their sentence, too.

    Returns:
        loss; parts ``fooled``, the share of samples taken for data, and ``augmentation_rate``,
        nats.

    Reference:
        Zhang et al. 2017, arXiv 1612.03242, equations 2 to 4
    """
    with torch.no_grad():
        features = model.read(sentences)
    fake, rate = model.paint(model.draw(len(x), sentences), features, stage)
    logit, *by_itself = model.judges[stage].logits(fake, features, *[None] * alone)
    values = generator_loss(logit, loss) + weight * rate
    if alone:
        values = values + generator_loss(by_itself[0], loss)
    parts = {**taken(logit, loss), "augmentation_rate": rate}
    return Terms(values.mean(), {name: value.detach() for name, value in parts.items()})
