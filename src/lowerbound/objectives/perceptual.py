"""What a perceptual VAE minimises, and what the network is trained for that compares by features.

The feature error is no likelihood: features that are alike may be of images that are not, and how
many images have the same is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..bounds import LatentVariableModel, Terms, check_event
from ..distributions import has_closed_form, kl, sample_with_log_prob


class PerceptualModel(LatentVariableModel, Protocol):
    """A VAE with features of images."""

    perceiver: nn.Module
    units: Tensor

    def features(self, x: Tensor) -> list[Tensor]:
        """Layer by layer, ``(B, *layer)``, of x ``(B, *event_shape)``."""
        ...

    def standardized(self, attributes: Tensor) -> Tensor:
        """Attributes ``(B, A)`` as the perceiver learns to tell them."""
        ...


def perceptual_bound(
    model: PerceptualModel, x: Tensor, *context: Tensor, weight: float | Tensor = 1.0
) -> Terms:
    """DFC-VAE: w Σ_l ½ D/D_l ‖(f_l(x) − f_l(x'))/u_l‖² + KL(q‖p), of the reconstruction x'.

    Each layer l counts as if its D_l features were as many as the D numbers of an example, in units
    u_l of their spread over data: so that the sum is ½‖x − x'‖² where features are the image
    itself, and no layer drowns the others. Nothing but encoder and decoder moves.

    Args:
        model: a VAE with features.
        x: ``(B, *event_shape)``.
        context: not used: what the features alone are trained on.
        weight: w.

    Returns:
        loss; parts ``feature_error``, unweighted, and ``rate``, nats.

    Reference:
        Hou et al. 2017, Deep feature consistent variational autoencoder, arXiv 1610.00291
    """
    check_event(x, model.event_shape)
    q, prior = model.encode(x), model.prior()
    z, log_q = sample_with_log_prob(q)
    rate = kl(q, prior) if has_closed_form(q, prior) else log_q - prior.log_prob(z)
    error = feature_error(model, x, model.decode(z).mean)
    loss = (weight * error + rate).mean()
    return Terms(loss, {"feature_error": error.detach(), "rate": rate.detach()})


def feature_error(model: PerceptualModel, x: Tensor, made: Tensor) -> Tensor:
    """Σ_l ½ D/D_l ‖(f_l(x) − f_l(made))/u_l‖², ``(B,)``; see :func:`perceptual_bound`."""
    with torch.no_grad():
        wanted = model.features(x)
    numbers = x[0].numel()
    total = x.new_zeros(len(x))
    for found, want, unit in zip(model.features(made), wanted, model.units, strict=True):
        total = total + (found - want).square().flatten(1).mean(1) / unit.square()
    return 0.5 * numbers * total


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
