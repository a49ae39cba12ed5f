"""The score-function gradient: for posteriors that cannot be reparameterized, and to compare."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..bounds import LatentVariableModel, Terms, check_event, log_likelihood, parts_of
from ..errors import LowerboundError
from .drawing import Drawn

Baseline = Literal["none", "samples", "batch"]


def score_function(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 1,
    baseline: Baseline | Tensor = "none",
) -> Terms:
    """The ELBO, its posterior's gradient as E_q[(log w − b) ∇log q(z|x)]: REINFORCE.

    Nothing is asked of q but draws and densities: codes may be discrete.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: draws per example.
        baseline: b: "none"; "samples", the mean log w of the example's other draws; "batch", that
            of the other examples; or a tensor that broadcasts to ``(samples, B)`` and depends on no
            draw. None of them changes the gradient's mean.

    Returns:
        loss and parts of :func:`~lowerbound.bounds.elbo` with a sampled KL.

    References:
        Williams, 1992, Machine Learning 8; Paisley, Blei and Jordan, 2012,
        https://arxiv.org/abs/1206.6430; samples: Kool, van Hoof and Welling, 2019
    """
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    drawn = Drawn.of(q, samples, moved=False)
    z, log_q = drawn.z, drawn.score(q)  # (samples, B)
    fit = log_likelihood(model, x, z, *context)
    log_prior = model.prior(*context).log_prob(z)
    reward = (fit + log_prior - log_q).detach()
    advantage = reward - _baseline(reward, baseline)
    # log q minus itself: no value, only a gradient
    surrogate = fit + log_prior - log_q.detach() + advantage * (log_q - log_q.detach())
    return Terms(-surrogate.mean(), parts_of(-fit.mean(0), (log_q - log_prior).mean(0)))


def _baseline(reward: Tensor, baseline: Baseline | Tensor) -> Tensor:
    """``(samples, B)`` -> what broadcasts to it."""
    if isinstance(baseline, Tensor):
        return baseline
    if baseline == "none":
        return torch.zeros_like(reward[:1])
    if baseline not in ("samples", "batch"):
        raise LowerboundError(
            f"expected baseline 'none', 'samples', 'batch' or a tensor, came {baseline!r}; pass "
            f"one of them"
        )
    axis = 0 if baseline == "samples" else 1
    others = reward.shape[axis] - 1
    if not others and torch.is_grad_enabled():
        raise LowerboundError(
            f"expected two or more {'samples' if axis == 0 else 'examples'} for the baseline "
            f"{baseline!r}, came one; pass samples=2, or baseline='none'"
        )
    return (reward.sum(axis, keepdim=True) - reward) / max(others, 1)
