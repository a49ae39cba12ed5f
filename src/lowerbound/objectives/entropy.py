"""The bound in its entropy form, and without its entropy."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from ..bounds import LatentVariableModel, Terms, check_event, log_likelihood, parts_of
from ..distributions import sample_with_log_prob


def entropy_form(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    entropy: float | Tensor = 1.0,
    samples: int = 1,
) -> Terms:
    """E_q[log p(x|z) + log p(z)] + H(q) (EQUATIONS 15): the ELBO, H(q) exact where q knows it.

    Without H(q) the best q is a point at the mode of p(x, z): a learned σ falls until something
    stops it. With it the best q is the posterior.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        entropy: weight of H(q) in the loss; 0 leaves it out, 1 is the bound.
        samples: reparameterized draws per example.

    Returns:
        loss; besides the common parts ``entropy``, H(q) in nats.

    References:
        Jordan et al., 1999, An introduction to variational methods for graphical models, Machine
        Learning 37; Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114
    """
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    z, log_q = sample_with_log_prob(q, (samples,))
    # Not by catching what the others raise, which could not be compiled: flows and mixtures.
    known = type(q).entropy is not Distribution.entropy
    spread = q.entropy() if known else -log_q.mean(0)
    distortion = -log_likelihood(model, x, z, *context).mean(0)
    cross = -model.prior(*context).log_prob(z).mean(0)
    loss = (distortion + cross - entropy * spread).mean()
    parts = parts_of(distortion, cross - spread)
    return Terms(loss, {**parts, "entropy": spread.detach()})
