"""The two players of a generative adversarial network, a phase each."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import cross_entropy

from .. import noise
from ..adversarial import (
    Loss,
    Penalty,
    boundary,
    discriminator_loss,
    generator_loss,
    lipschitz,
    r1,
    told_apart,
)
from ..bounds import Terms, check_event


class Judged(Protocol):
    """What a discriminator says of each example."""

    logit: Tensor
    classes: Tensor | None


class Game(Protocol):
    """A model with the two players."""

    event_shape: tuple[int, ...]

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent)``."""
        ...

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """The generator's samples, as points."""
        ...

    def judge(self, x: Tensor, *context: Tensor) -> Judged:
        """The discriminator's word on ``(B, *event)``, augmented where the model has it so."""
        ...


def discriminator(
    model: Game,
    x: Tensor,
    *context: Tensor,
    loss: Loss = "non-saturating",
    penalty: Penalty = "none",
    weight: float | Tensor = 0.0,
    class_weight: float = 1.0,
    share: float = 1.0,
) -> Terms:
    """The discriminator's phase: tell data from samples. It moves the discriminator alone.

    Args:
        model: the players.
        x: data, ``(B, *event_shape)``.
        context: conditions, ``(B, ...)`` each; with an auxiliary classifier the first is a label.
        loss: see `lowerbound.adversarial.discriminator_loss`.
        penalty: on the discriminator's slope: ``r1`` at the data, ``wgan-gp`` between data and
            samples.
        weight: of the penalty: γ/2 of r1, λ of wgan-gp.
        class_weight: of the auxiliary classifier's cross-entropy.
        share: of the batch at which the slope is punished: its mean is without bias at any, and at
            all of a batch of images it takes more than a quarter of a step's time.

    Returns:
        loss; parts ``accuracy``, the share told apart, where the loss has a boundary
        (`lowerbound.adversarial.boundary`); ``real_logit`` and ``fake_logit``; ``penalty``,
        unweighted; ``class_loss``, nats, of an auxiliary classifier, which learns of data alone
        (the paper's discriminator learns of samples, too).

    References:
        Goodfellow et al. 2014, arXiv 1406.2661; Odena, Olah & Shlens 2017, AC-GAN, arXiv 1610.09585
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        fake = model.decode(model.draw(len(x), *context), *context).mean
    # Apart, not joined: a spectral norm or an augmentation must treat both alike.
    of_real, of_fake = model.judge(x, *context), model.judge(fake, *context)
    real_logit, fake_logit = of_real.logit, of_fake.logit
    values = discriminator_loss(real_logit, fake_logit, loss)
    parts = seen(real_logit, fake_logit, loss)
    if of_real.classes is not None:
        assert of_fake.classes is not None
        wrong = cross_entropy(of_real.classes, context[0], reduction="none")
        values = values + class_weight * wrong
        parts["class_loss"] = wrong
    if penalty != "none":
        some = slice(math.ceil(share * len(x)))
        around = [each[some] for each in context]

        def logit(at: Tensor) -> Tensor:
            return model.judge(at, *around).logit

        if penalty == "r1":
            steep = r1(logit, x[some])
        else:
            between = noise.uniform((len(x[some]),), x.device).to(x.dtype)
            steep = lipschitz(logit, x[some], fake[some], between)
        values = values + weight * steep.mean()
        parts["penalty"] = steep.mean().expand(len(x))
    return Terms(values.mean(), {name: value.detach() for name, value in parts.items()})


def generator(
    model: Game,
    x: Tensor,
    *context: Tensor,
    loss: Loss = "non-saturating",
    class_weight: float = 1.0,
) -> Terms:
    """The generator's phase: be taken for data. It moves the generator alone.

    Args:
        model: the players.
        x: data, ``(B, *event_shape)``; how many there are counts, and nothing else of them.
        context: conditions, ``(B, ...)`` each.
        loss: see `lowerbound.adversarial.generator_loss`.
        class_weight: of the auxiliary classifier's cross-entropy.

    Returns:
        loss; part ``fooled``, the share of samples taken for data, where the loss has a boundary.
    """
    fake = model.decode(model.draw(len(x), *context), *context).mean
    judged = model.judge(fake, *context)
    values = generator_loss(judged.logit, loss)
    if judged.classes is not None:
        values = values + class_weight * cross_entropy(judged.classes, context[0], reduction="none")
    return Terms(values.mean(), taken(judged.logit, loss))


def seen(real_logit: Tensor, fake_logit: Tensor, loss: Loss) -> dict[str, Tensor]:
    """What is told of a discriminator's logits, (B,) each: parts by name."""
    parts = {"real_logit": real_logit, "fake_logit": fake_logit}
    if (middle := boundary(loss)) is None:
        return parts
    return {"accuracy": told_apart(real_logit, fake_logit, middle), **parts}


def taken(logit: Tensor, loss: Loss) -> dict[str, Tensor]:
    """What is told of the logits of samples, (B,): ``fooled``, or nothing."""
    middle = boundary(loss)
    return {} if middle is None else {"fooled": (logit > middle).to(logit).detach()}
