"""Objectives of models whose aggregate posterior is matched to the prior by a game: the adversarial
autoencoder, and the VAE whose likelihood a discriminator has learned."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..adversarial import discriminator_loss, generator_loss, told_apart
from ..bounds import LatentVariableModel, Terms, check_event, log_likelihood
from ..distributions import has_closed_form, kl, sample_with_log_prob
from .players import Judged


class MatchedModel(LatentVariableModel, Protocol):
    """A latent-variable model with a critic that tells the prior's codes from the encoder's."""

    def judge_codes(self, z: Tensor, *context: Tensor) -> Judged:
        """The critic's word on codes ``(B, *latent_shape)``: logits ``(B,)``, or ``(B, C)`` of
        several critics, each of a part of the code."""
        ...

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent_shape)``."""
        ...


def reconstruction(model: LatentVariableModel, x: Tensor, *context: Tensor) -> Terms:
    """−E_q log p(x|z): the distortion alone, which leaves the rate to other phases.

    Args:
        model: posterior and likelihood.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, nats; part ``distortion``.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """
    check_event(x, model.event_shape)
    z = _codes(model, x, *context)
    distortion = -log_likelihood(model, x, z, *context)
    return Terms(distortion.mean(), {"distortion": distortion.detach()})


def critic(model: MatchedModel, x: Tensor, *context: Tensor) -> Terms:
    """The critic's phase: tell codes of p(z|c) from those of q(z|x, c). It moves the critic alone.

    At its optimum its logit is log p(z)/q(z), q being the aggregate posterior.

    Args:
        model: with a critic.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, nats; part ``accuracy``, the share told apart: 0.5 where they match.
    """
    with torch.no_grad():
        encoded, drawn = _codes(model, x, *context), model.draw(len(x), *context)
    real = model.judge_codes(drawn, *context).logit
    fake = model.judge_codes(encoded, *context).logit
    right = told_apart(real, fake)
    loss = _whole(discriminator_loss(real, fake)).mean()
    return Terms(loss, {"accuracy": right.reshape(len(x), -1).mean(1).detach()})


def matching(model: MatchedModel, x: Tensor, *context: Tensor) -> Terms:
    """The encoder's other phase: be taken for the prior. It moves the encoder alone.

    Args:
        model: with a critic.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, nats; part ``fooled``, the share of codes taken for the prior's.
    """
    logit = model.judge_codes(_codes(model, x, *context), *context).logit
    fooled = (logit > 0).to(x.dtype).reshape(len(x), -1).mean(1)
    return Terms(_whole(generator_loss(logit)).mean(), {"fooled": fooled.detach()})


class Classifier(Protocol):
    """A model that tells classes."""

    def classify(self, x: Tensor) -> Tensor:
        """Logits ``(B, K)``."""
        ...


def classification(model: Classifier, x: Tensor, label: Tensor) -> Terms:
    """The supervised phase: −log q(y|x) of the labels that there are. It moves the encoder alone.

    Args:
        model: a classifier.
        x: ``(B, *event_shape)``.
        label: int64 ``(B,)``.

    Returns:
        loss, nats; parts ``class_loss``, nats, and ``accuracy``.

    Reference:
        Makhzani et al. 2016, arXiv 1511.05644, section 5
    """
    logits = model.classify(x)
    wrong = cross_entropy(logits, label, reduction="none")
    right = (logits.argmax(-1) == label).to(x.dtype)
    return Terms(wrong.mean(), {"class_loss": wrong.detach(), "accuracy": right.detach()})


class FeatureModel(MatchedModel, Protocol):
    """A VAE with a discriminator of data, whose features are a likelihood."""

    def judge(self, x: Tensor, *context: Tensor) -> Judged:
        """Its word on data ``(B, *event_shape)``, augmented where the model has it so."""
        ...

    def features(self, x: Tensor, *context: Tensor) -> Tensor:
        """The discriminator's features of data, ``(B, F)``."""
        ...


def feature_bound(model: FeatureModel, x: Tensor, *context: Tensor) -> Terms:
    """VAE-GAN, the encoder's phase: −E_q log N(f(x); f(G(z)), I) + KL(q‖p). It moves the encoder.

    The features f are the discriminator's, as they are: no gradient reaches it, for it could
    otherwise make them all alike. They are no likelihood of x.

    Args:
        model: a VAE with a discriminator.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss; parts ``feature_error``, half the squared distance of features, and ``rate``, nats.

    Reference:
        Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric,
        arXiv 1512.09300
    """
    made, rate = _made(model, x, *context)
    error = _feature_error(model, x, made, *context)
    return Terms((error + rate).mean(), {"feature_error": error.detach(), "rate": rate.detach()})


def feature_discriminator(model: FeatureModel, x: Tensor, *context: Tensor) -> Terms:
    """VAE-GAN, the discriminator's phase: data against reconstructions and samples alike.

    Args:
        model: a VAE with a discriminator.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, nats; part ``accuracy``.
    """
    with torch.no_grad():
        made, _ = _made(model, x, *context)
        drawn = model.decode(model.draw(len(x), *context), *context).mean
    real = model.judge(x, *context).logit
    fakes = [model.judge(each, *context).logit for each in (made, drawn)]
    loss = sum(discriminator_loss(real, fake) for fake in fakes) / 2
    right = torch.stack([told_apart(real, fake) for fake in fakes]).mean(0)
    return Terms(torch.as_tensor(loss).mean(), {"accuracy": right.detach()})


def feature_generator(
    model: FeatureModel, x: Tensor, *context: Tensor, weight: float = 1e-2
) -> Terms:
    """VAE-GAN, the decoder's phase: features like the data's, and taken for data.

    Args:
        model: a VAE with a discriminator.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        weight: of the feature error, γ of the paper.

    Returns:
        loss; parts ``feature_error`` and ``fooled``.
    """
    with torch.no_grad():
        z = _codes(model, x, *context)
    made = model.decode(z, *context).mean
    drawn = model.decode(model.draw(len(x), *context), *context).mean
    error = _feature_error(model, x, made, *context)
    logits = [model.judge(each, *context).logit for each in (made, drawn)]
    taken = sum(generator_loss(logit) for logit in logits) / 2
    fooled = sum((logit > 0).to(x.dtype) for logit in logits) / 2
    parts = {"feature_error": error, "fooled": torch.as_tensor(fooled)}
    loss = weight * error + taken
    return Terms(loss.mean(), {name: value.detach() for name, value in parts.items()})


def _codes(model: LatentVariableModel, x: Tensor, *context: Tensor) -> Tensor:
    return sample_with_log_prob(model.encode(x, *context))[0]


def _whole(each: Tensor) -> Tensor:
    """``(B,)``, or the sum over several critics ``(B, C) -> (B,)``."""
    return each.reshape(len(each), -1).sum(1)


def _made(model: FeatureModel, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstructions, and the rate."""
    check_event(x, model.event_shape)
    q, prior = model.encode(x, *context), model.prior(*context)
    z, log_q = sample_with_log_prob(q)
    rate = kl(q, prior) if has_closed_form(q, prior) else log_q - prior.log_prob(z)
    return model.decode(z, *context).mean, rate


def _feature_error(model: FeatureModel, x: Tensor, made: Tensor, *context: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = model.features(x, *context)
    return 0.5 * (model.features(made, *context) - wanted).square().sum(1)
