"""What a perceptual VAE minimises, and what the network is trained for that compares by features.

The feature error is no likelihood: features that are alike may be of images that are not, and how
many images have the same is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..bounds import LatentVariableModel, Terms, check_event
from ..distributions import has_closed_form, kl, sample_with_log_prob

_LEAST = 1e-6  # of a feature's spread: less is not asked for


class PerceptualModel(LatentVariableModel, Protocol):
    """A VAE with features of images."""

    perceiver: nn.Module
    units: Tensor
    variances: nn.ModuleList

    def features(self, x: Tensor) -> list[Tensor]:
        """Layer by layer, ``(B, *layer)``, of x ``(B, *event_shape)``."""
        ...

    def standardized(self, attributes: Tensor) -> Tensor:
        """Attributes ``(B, A)`` as the perceiver learns to tell them."""
        ...


def perceptual_bound(
    model: PerceptualModel, x: Tensor, *context: Tensor, weight: float | Tensor = 1.0
) -> Terms:
    """DFC-VAE: w ½D mean_l (e_l/v_l + log v_l) + KL(q‖p), e_l = mean_d ((f_l(x) − f_l(x'))/u_l)².

    Each layer l counts as if its features were D over the number of layers, D the numbers of an
    example, in units u_l of their spread over data: so that with v_l = 1 it is ½‖x − x'‖² where
    features are the image itself, and no layer drowns the others.

    v_l is how much a feature may be off. It is 1, the spread itself, if the model keeps no
    ``variances``, as in the paper, where the weight has to be found by trial; else what is best for
    it, the mean of e_l over data (of the batch in training, of recent ones in evaluation): then
    this is a normal density of features, and what a code may cost follows from how well they are
    met. Nothing but encoder and decoder moves.

    Args:
        model: a VAE with features.
        x: ``(B, *event_shape)``.
        context: not used: what the features alone are trained on.
        weight: w.

    Returns:
        loss; parts ``feature_error``, ½D mean_l e_l, and ``rate``, nats.

    References:
        Hou et al. 2017, Deep feature consistent variational autoencoder, arXiv 1610.00291; v_l:
        Rybkin, Daniilidis & Levine 2021, Simple and effective VAE training with calibrated
        decoders, arXiv 2006.13202
    """
    check_event(x, model.event_shape)
    q, prior = model.encode(x), model.prior()
    z, log_q = sample_with_log_prob(q)
    rate = kl(q, prior) if has_closed_form(q, prior) else log_q - prior.log_prob(z)
    errors = feature_errors(model, x, model.decode(z).mean)
    half = 0.5 * x[0].numel()
    kept: Any = model.variances
    variance = torch.ones_like(errors)
    if len(kept):
        off = zip(kept, errors.detach().mean(1), strict=True)
        variance = torch.stack([each.of(e) for each, e in off]).clamp_min(_LEAST)[:, None]
    misfit = half * (errors / variance + variance.log()).mean(0)
    parts = {"feature_error": half * errors.detach().mean(0), "rate": rate.detach()}
    return Terms((weight * misfit + rate).mean(), parts)


def feature_errors(model: PerceptualModel, x: Tensor, made: Tensor) -> Tensor:
    """e_l of :func:`perceptual_bound`, ``(layers, B)``."""
    with torch.no_grad():
        wanted = model.features(x)
    return torch.stack(
        [
            (found - want).square().flatten(1).mean(1) / unit.square()
            for found, want, unit in zip(model.features(made), wanted, model.units, strict=True)
        ]
    )


def tell_labels(model: PerceptualModel, x: Tensor, label: Tensor) -> Terms:
    """The features' phase: tell the class. It moves the feature network alone.

    Returns:
        loss, nats; parts ``class_loss``, nats, and ``accuracy``.
    """
    return _told(model.perceiver(x), label)


def tell_attributes(model: PerceptualModel, x: Tensor, attributes: Tensor) -> Terms:
    """The features' phase: tell the attributes, standardized.

    Returns:
        loss, half the sum of squares; part ``unexplained``, the mean squared error of an attribute
        in units of its variance: 1 where nothing is told.
    """
    square = (model.perceiver(x) - model.standardized(attributes)).square()
    return Terms(0.5 * square.sum(1).mean(), {"unexplained": square.mean(1).detach()})


def tell_turns(model: PerceptualModel, x: Tensor) -> Terms:
    """The features' phase where nothing is known of the images: tell which way up each is.

    Returns:
        loss, nats; parts ``class_loss``, nats, and ``accuracy``.

    Reference:
        Gidaris, Singh & Komodakis 2018, arXiv 1803.07728
    """
    seen, by = turned(x)
    return _told(model.perceiver(seen), by)


def _told(scores: Tensor, label: Tensor) -> Terms:
    wrong = cross_entropy(scores, label, reduction="none")
    right = (scores.argmax(1) == label).to(scores.dtype)
    return Terms(wrong.mean(), {"class_loss": wrong.detach(), "accuracy": right.detach()})


def turned(x: Tensor) -> tuple[Tensor, Tensor]:
    """Images turned by quarter turns, as many by each (by half turns where they are not square).

    Args:
        x: ``(N, C, H, W)``.

    Returns:
        the same images in another order, ``(N, C, H, W)``, and by which turn, int64 ``(N,)``.

    Reference:
        Gidaris, Singh & Komodakis 2018, Unsupervised representation learning by predicting image
        rotations, arXiv 1803.07728
    """
    count = turns(x.shape[1:])
    parts = [x[k::count].rot90(k * 4 // count, (2, 3)) for k in range(count)]
    by = [torch.full((len(part),), k, device=x.device) for k, part in enumerate(parts)]
    return torch.cat(parts), torch.cat(by)


def turns(event_shape: Sequence[int]) -> int:
    """Turns after which an image has its sides as they were."""
    return 4 if event_shape[1] == event_shape[2] else 2
