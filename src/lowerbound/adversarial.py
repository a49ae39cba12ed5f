"""What two players of a game minimise: pure functions of logits, and of gradients at the data.

Values are for each example and in nats where a loss is a cross-entropy; no adversarial loss is a
likelihood, and none says how good samples are.

>>> discriminator_loss(torch.tensor([2.0]), torch.tensor([-1.0]), "hinge")
tensor([0.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Literal["non-saturating", "least-squares", "hinge", "wasserstein"]
Penalty = Literal["none", "r1", "wgan-gp"]
Critic = Callable[[Tensor], Tensor]


def discriminator_loss(real: Tensor, fake: Tensor, kind: Loss = "non-saturating") -> Tensor:
    """The discriminator's loss.

    With *non-saturating*, the binary cross-entropy in nats, the optimal logit is
    ``log p(x) − log p_G(x)``; *least-squares* has targets 1 and 0; *wasserstein* is no bound on a
    distance unless the critic is held 1-Lipschitz (:func:`lipschitz`).

    Args:
        real: logits of data, ``(B,)``.
        fake: logits of samples, ``(B,)``.
        kind: which loss.

    Returns:
        ``(B,)``.

    References:
        Goodfellow et al. 2014, arXiv 1406.2661; Mao et al. 2017, Least squares GAN, arXiv
        1611.04076; Lim & Ye 2017, Geometric GAN, arXiv 1705.02894 (hinge); Arjovsky et al. 2017,
        Wasserstein GAN, arXiv 1701.07875
    """
    if kind == "non-saturating":
        return softplus(-real) + softplus(fake)
    if kind == "least-squares":
        return 0.5 * (real - 1.0).square() + 0.5 * fake.square()
    if kind == "hinge":
        return relu(1.0 - real) + relu(1.0 + fake)
    return fake - real


def boundary(kind: Loss = "non-saturating") -> float | None:
    """The logit above which an example is taken for data; None where logits have no zero: the
    Wasserstein loss is the same of a critic plus any constant.

    >>> boundary("least-squares"), boundary("wasserstein")
    (0.5, None)
    """
    return {"least-squares": 0.5, "wasserstein": None}.get(kind, 0.0)


def told_apart(real: Tensor, fake: Tensor, middle: float = 0.0) -> Tensor:
    """The share of an example and a sample that logits tell right, ``(B,)``: 0, 0.5 or 1.

    Args:
        real: logits of data, ``(B,)``.
        fake: logits of samples, ``(B,)``.
        middle: see :func:`boundary`.

    >>> told_apart(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 3.0]))
    tensor([1.0000, 0.5000])
    """
    return ((real > middle).to(real) + (fake < middle).to(real)) / 2


def generator_loss(fake: Tensor, kind: Loss = "non-saturating") -> Tensor:
    """The generator's loss.

    Args:
        fake: logits of samples, ``(B,)``.
        kind: which loss.

    Returns:
        ``(B,)``.
    """
    if kind == "non-saturating":
        return softplus(-fake)
    if kind == "least-squares":
        return 0.5 * (fake - 1.0).square()
    return -fake


def slope(critic: Critic, x: Tensor) -> Tensor:
    """The gradient of each example's logit at the example, ``(B, *event)``.

    It carries a graph of its own where gradients are recorded, so that it can be punished.

    Args:
        critic: from ``(B, *event)`` to ``(B,)``, no example's logit depending on another's.
        x: ``(B, *event)``.
    """
    recording = torch.is_grad_enabled()
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(critic(at).sum(), at, create_graph=recording)
    return found


def r1(critic: Critic, x: Tensor) -> Tensor:
    """R1: the squared norm of the slope at data, ``(B,)``. Its weight in the papers is γ/2.

    Args:
        critic: see :func:`slope`.
        x: data, ``(B, *event)``.

    Reference:
        Mescheder, Geiger & Nowozin 2018, Which training methods for GANs do actually converge?,
        arXiv 1801.04406
    """
    return slope(critic, x).flatten(1).square().sum(1)


def lipschitz(critic: Critic, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """WGAN-GP: (‖slope‖ − 1)² between data and samples, ``(B,)``.

    Args:
        critic: see :func:`slope`.
        real: data, ``(B, *event)``.
        fake: samples, the same.
        share: of data in each point between them, in [0, 1], ``(B,)``.

    Reference:
        Gulrajani et al. 2017, Improved training of Wasserstein GANs, arXiv 1704.00028
    """
    share = share.view(-1, *[1] * (real.dim() - 1))
    between = share * real + (1.0 - share) * fake
    square = slope(critic, between).flatten(1).square().sum(1)
    # The root's own slope at 0 is infinite: a flat critic must not stop a run.
    return ((square + 1e-12).sqrt() - 1.0).square()
