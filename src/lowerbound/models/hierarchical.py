"""Hierarchical latent-variable models: L stochastic layers, z_1 next to the data, z_L on top.

p(x, z_1 … z_L) = p(x|z) p(z_L) Π_l p(z_l|z_{l+1} … z_L), every layer a diagonal Gaussian whose mean
and scale come down a deterministic path.

A *code* here is all layers' noise in one vector, ε_l = (z_l − μ_l)/σ_l with the mean and scale that
p(z_l|z_{l+1} …) has given the layers above. So the prior of a code is N(0, I) exactly, whatever the
layers learned; moving one number of a higher layer moves all that follows from it, where moving z_L
beside a fixed z_1 would often move nothing; and every tool for one layer of codes works unchanged.
Densities change with the volume of that map, which cancels in log p(z) − log q(z|x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..bounds import Terms, check_event, parts_of
from ..collectives import mean_over_processes
from ..distributions import Head, UnitNormal, kl
from ..errors import LowerboundError
from ..networks.ladder import Rung
from .ladder import Draw, LadderInference, TopDown, refuse_context
from .vae import LatentModel

Inference = Literal["top-down", "bottom-up"]


class HierarchicalVAE(LatentModel):
    """A likelihood on top of L layers of codes, with their prior and their posterior.

    Args:
        rungs: the networks of each layer, from the bottom up (:mod:`lowerbound.networks.ladder`).
        likelihood: a head from the lowest state s_1 to p(x|z).
        inference: "top-down": q(z_L|x) Π q(z_l|z_{l+1} …, x), each relative to the layer's prior,
            which it leaves only as far as the data ask for; "bottom-up":
            q(z_1|x) Π q(z_{l+1}|z_l), which sees the data through z_1 alone.
        no_likelihood: why log p(x) must not be reported, where it must not.

    Attributes:
        latent_shape: ``(n,)``, all layers' numbers; layer 1 comes first.

    References:
        Sønderby et al. 2016, Ladder variational autoencoders, arXiv 1602.02282 (top-down);
        Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519 (bottom-up);
        Vahdat & Kautz 2020, NVAE, arXiv 2007.03898 (posterior relative to the prior)

    >>> from lowerbound.distributions import Bernoulli
    >>> from lowerbound.networks.ladder import mlp_ladder
    >>> rungs, output = mlp_ladder((8,), (4, 2), hidden=(16,))
    >>> head = Head(output((8,)), Bernoulli(8))
    >>> model = HierarchicalVAE(rungs, head)
    >>> model.latent_shape, model.sample(3).shape
    ((6,), torch.Size([3, 8]))
    >>> sorted(ladder_elbo(model, torch.ones(5, 8)).parts)
    ['bound', 'distortion', 'rate', 'rate_1', 'rate_2']
    """

    prior: TopDown
    likelihood: LadderLikelihood
    posterior: LadderInference

    def __init__(
        self,
        rungs: Sequence[Rung],
        likelihood: Head,
        *,
        inference: Inference = "top-down",
        no_likelihood: str | None = None,
    ) -> None:
        event_shape = tuple(likelihood.event_shape)
        prior = TopDown(rungs)
        rank = len(rungs[0].state_shape)
        if likelihood.event_ranks != (rank,):
            raise LowerboundError(
                f"expected a likelihood of the lowest state, with event ranks ({rank},), came "
                f"{likelihood.event_ranks}; pass Head(…, event_ranks=({rank},))"
            )
        super().__init__(
            prior,
            LadderLikelihood(likelihood, prior),
            LadderInference(rungs, prior, event_shape, inference),
            event_shape=event_shape,
            latent_shape=prior.event_shape,
            no_likelihood=no_likelihood,
        )

    def layers(self, code: Tensor) -> list[Tensor]:
        """The layers' own values z_1 … z_L for a code.

        Args:
            code: ``(*S, *latent_shape)``.

        Returns:
            ``(*S, *shape of z_l)`` each.
        """
        return [step.z for step in self.prior.descend(code)[0]]


class LadderLikelihood(nn.Module):
    """p(x|z): down the prior's path, then the head.

    Args:
        head: from the lowest state s_1.
        prior: whose path it is; shared, and not registered, so that its weights have one name.
    """

    def __init__(self, head: Head, prior: TopDown) -> None:
        super().__init__()
        self.head = head
        self.family = head.family
        self._shared = (prior,)

    def forward(self, code: Tensor, *context: Tensor) -> Any:
        """code ``(*S, B, n)`` -> batch shape ``(*S, B)``."""
        refuse_context(context)
        return self.head(self._shared[0].descend(code)[1])


def ladder_elbo(
    model: HierarchicalVAE,
    x: Tensor,
    *context: Tensor,
    samples: int = 1,
    beta: float | Tensor = 1.0,
    free_bits: float | Tensor = 0.0,
    kl: Literal["analytic", "sampled"] = "analytic",
) -> Terms:
    """The evidence lower bound of a ladder, with each layer's rate, in one pass.

    It is :func:`lowerbound.bounds.elbo` of the same model in expectation; the path down is walked
    once instead of twice, and each layer's rate E_q KL(q(z_l|…)‖p(z_l|…)) is exact given the layers
    that were drawn before it. With bottom-up inference that holds for the top, whose posterior was
    not drawn before its prior; the other layers' rates are sampled.

    Args:
        model: the model.
        x: ``(B, *event_shape)``.
        context: none: the layers depend on nothing else.
        samples: draws per example.
        beta: weight of the rate in the loss.
        free_bits: nats per layer whose rate costs nothing: the loss takes max(free_bits, the
            batch's mean rate) of each layer, so that none is abandoned early in training.
        kl: "analytic", or "sampled" for log q − log p of the draws alone.

    Returns:
        loss; parts ``bound``, ``distortion`` and ``rate``, unmodified by `beta` and `free_bits`,
        and ``rate_1`` … ``rate_L``, whose sum the rate is.

    References:
        Kingma et al. 2016, arXiv 1606.04934, appendix C.8 (free bits);
        Sønderby et al. 2016, arXiv 1602.02282
    """
    check_event(x, model.event_shape)
    if kl not in ("analytic", "sampled"):
        raise LowerboundError(f"expected kl 'analytic' or 'sampled', came {kl!r}; pass one of them")
    refuse_context(context)
    shape = () if samples == 1 else (samples,)
    drawn = model.posterior(x).draw(shape)
    distortion = -model.likelihood.head(drawn.state).log_prob(x)
    rates = _rates(drawn, model.prior, analytic=kl == "analytic")
    if shape:
        distortion = distortion.mean(0)
        rates = [rate.mean(0) if rate.dim() > 1 else rate for rate in rates]
    rate = sum(rates[1:], rates[0])
    free = isinstance(free_bits, float | int) and free_bits == 0
    cost = rate.mean() if free else sum(_beyond(each.mean(), free_bits) for each in rates)
    plain = isinstance(beta, float | int) and beta == 1
    loss = distortion.mean() + (cost if plain else beta * cost)
    parts = parts_of(distortion, rate)
    parts |= {f"rate_{level}": each.detach() for level, each in enumerate(rates, 1)}
    return Terms(loss, parts)


def _rates(drawn: Draw, prior: TopDown, analytic: bool) -> list[Tensor]:
    """Each layer's rate, ``(*S, B)`` or ``(B,)``, nats."""
    rates = []
    for e, log_q, q in zip(prior.split(drawn.code), drawn.log_q, drawn.q, strict=True):
        unit = UnitNormal(torch.zeros_like(e), q.event_rank if q else e.dim() - log_q.dim())
        rates.append(kl(q, unit) if analytic and q is not None else log_q - unit.log_prob(e))
    return rates


def _beyond(rate: Tensor, free: float | Tensor) -> Tensor:
    """max(rate, free), decided by the rate over all processes: each has the same gradient."""
    costs = mean_over_processes(rate.detach()) > free
    return torch.where(costs, rate, torch.zeros_like(rate) + free)
