"""Normalizing flows as models of data: exact log p(x), exact codes, exact samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..bounds import Terms
from ..distributions import PointMass, StandardNormal
from ..errors import LowerboundError
from ..flows import (
    ActNorm,
    Affine,
    Chain,
    FlowKind,
    Layer,
    Logit,
    MultiScale,
    StandardLogistic,
    vector_chain,
)

# Least standard deviation that data are divided by: of a pixel that never changes.
_LEAST = 1e-3


class FlowModel(nn.Module):
    """x = f⁻¹(z), z ~ p(z): one code for each datum, so that log p(x) needs no bound.

    Args:
        chain: f, from data to codes.
        event_shape: of one datum, D numbers.
        base: p(z), standard "normal" or "logistic" over D numbers.
        flat: whether the chain takes vectors ``(N, D)``, or data as they are.
        no_likelihood: why log p(x) must not be reported, where it must not.

    Attributes:
        latent_shape: ``(D,)``.
        bijective: True: encoder and decoder are each other's inverse, so that there is neither rate
            nor distortion, and no reconstruction error.

    Reference:
        Dinh, Krueger & Bengio 2015, NICE, arXiv 1410.8516; Papamakarios et al. 2021, Normalizing
        flows for probabilistic modeling and inference, arXiv 1912.02762

    >>> model = vector_flow((2,), "realnvp", hidden=(8,))
    >>> x = model.sample(5)
    >>> torch.allclose(model.decode(model.encode(x).mean).mean, x, atol=1e-5)
    True
    """

    bijective = True

    def __init__(
        self,
        chain: Layer,
        event_shape: tuple[int, ...],
        *,
        base: Literal["normal", "logistic"] = "normal",
        flat: bool = True,
        no_likelihood: str | None = None,
    ) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.latent_shape = (math.prod(self.event_shape),)
        self.chain = chain
        self.prior = (StandardLogistic if base == "logistic" else StandardNormal)(self.latent_shape)
        self.no_likelihood = no_likelihood
        self._inner_shape = self.latent_shape if flat else self.event_shape

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x) = log p(f(x)) + log |det ∂f/∂x|, exact.

        Args:
            x: data, ``(*B, *event_shape)``.
            context: none.

        Returns:
            ``B``, in nats.
        """
        z, log_det = self._coded(x, context)
        return self.prior().log_prob(z) + log_det

    def encode(self, x: Tensor, *context: Tensor) -> PointMass:
        """The one code of each datum, z = f(x).

        Args:
            x: data, ``(*B, *event_shape)``.
            context: none.

        Returns:
            A point of batch shape ``B`` and event shape ``latent_shape``.
        """
        return PointMass(self._coded(x, context)[0], 1)

    def decode(self, z: Tensor, *context: Tensor) -> PointMass:
        """The one datum of each code, x = f⁻¹(z).

        Args:
            z: codes, ``(*B, *latent_shape)``.
            context: none.

        Returns:
            A point of batch shape ``B`` and event shape ``event_shape``.
        """
        _none(context)
        lead = z.shape[:-1]
        x, _ = self.chain.inverse(z.reshape(math.prod(lead), *self.latent_shape))
        return PointMass(x.reshape(*lead, *self.event_shape), len(self.event_shape))

    @torch.no_grad()
    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """Codes z ~ p(z), ``(n, *latent_shape)``."""
        _none(context)
        return self.prior().sample((n,))

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, mean: bool = False) -> Tensor:
        """Data from the model, ``(n, *event_shape)``.

        Args:
            n: how many.
            context: none.
            mean: of x given its code, which is x itself.
        """
        return self.decode(self.sample_prior(n, *context)).mean

    @torch.no_grad()
    def start_(self, x: Tensor) -> None:
        """Set every ActNorm so that what comes out of it has mean 0 and standard deviation 1.

        Untrained flows built for their data's mean and standard deviation need it not; it is for
        data of which no more is known than a batch, before training.

        Args:
            x: a batch, ``(N, *event_shape)``, some hundreds.

        Reference:
            Kingma & Dhariwal 2018, Glow, arXiv 1807.03039, section 3.1
        """
        norms = [module for module in self.modules() if isinstance(module, ActNorm)]
        handles = [
            norm.register_forward_pre_hook(lambda norm, given: norm.start_at_(given[0]))
            for norm in norms
        ]
        try:
            self._coded(x, ())
        finally:
            for handle in handles:
                handle.remove()

    def _coded(self, x: Tensor, context: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """z ``(*B, D)`` and log |det ∂z/∂x| ``B``."""
        _none(context)
        rank = len(self.event_shape)
        lead, event = x.shape[: x.dim() - rank], x.shape[x.dim() - rank :]
        if event != self.event_shape:
            raise LowerboundError(
                f"expected x of shape (*batch, {', '.join(map(str, self.event_shape))}), came "
                f"{tuple(x.shape)}; reshape x, or build the model for its shape"
            )
        z, log_det = self.chain(x.reshape(math.prod(lead), *self._inner_shape))
        return z.reshape(*lead, *self.latent_shape), log_det.expand(math.prod(lead)).reshape(lead)


def negative_log_likelihood(model: FlowModel, x: Tensor, *context: Tensor) -> Terms:
    """−log p(x), exact: the objective of maximum likelihood.

    Args:
        model: has ``log_prob``.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, the mean of −log p(x) in nats; part ``log_likelihood`` = log p(x).
    """
    log_p = model.log_prob(x, *context)
    return Terms(-log_p.mean(), {"log_likelihood": log_p.detach()})


def vector_flow(
    event_shape: tuple[int, ...],
    kind: FlowKind,
    *,
    unit: bool = False,
    mean: Tensor | None = None,
    std: Tensor | None = None,
    transforms: int = 4,
    hidden: Sequence[int] = (128, 128),
    activation: str = "relu",
    bins: int = 8,
    no_likelihood: str | None = None,
) -> FlowModel:
    """A flow over vectors, or over flattened data, that starts at about the data's marginals.

    Args:
        event_shape: of one datum.
        kind: see :func:`lowerbound.flows.vector_chain`; "nice" has a logistic base.
        unit: whether data are in [0, 1]; a logit then comes first.
        mean: of the data, ``event_shape``; default zero (one half where ``unit``).
        std: of the data, ``event_shape``; default one.
        transforms, hidden, activation, bins: of the layers.
        no_likelihood: why log p(x) must not be reported, if so.
    """
    count = math.prod(event_shape)
    mean, std = _statistics(event_shape, mean, std, unit)
    layers: list[Layer] = []
    if unit:
        logit = Logit(1)
        mean, std = logit.moments(mean, std)
        layers.append(logit)
    mean, std = mean.reshape(-1), std.reshape(-1).clamp(min=_LEAST)
    # Features of a table have units of their own. Pixels share one: a border that never changes
    # would come in as noise as large as all the rest, so its own scale is taken at the end.
    common = std.square().mean().sqrt() if unit else std
    entry = Affine(count)
    entry.start_(mean, common)
    inner = vector_chain(
        kind, count, transforms=transforms, hidden=hidden, activation=activation, bins=bins
    )
    layers += [entry, *(layer for layer in inner.layers if isinstance(layer, Layer))]
    rest = std / common
    if kind == "nice":
        rest = rest * (math.sqrt(3.0) / math.pi)  # to the logistic's standard deviation
    elif unit:
        layers.append(Affine(count))
    if kind == "nice" or unit:
        top = layers[-1]
        assert isinstance(top, Affine)
        top.start_(torch.zeros(count), rest)
    base: Literal["normal", "logistic"] = "logistic" if kind == "nice" else "normal"
    return FlowModel(Chain(layers), event_shape, base=base, no_likelihood=no_likelihood)


def image_flow(
    event_shape: tuple[int, ...],
    kind: Literal["realnvp", "glow"] = "glow",
    *,
    unit: bool = True,
    mean: Tensor | None = None,
    std: Tensor | None = None,
    scales: int | None = None,
    steps: int = 4,
    width: int = 64,
    blocks: int = 1,
    activation: str = "relu",
    no_likelihood: str | None = None,
) -> FlowModel:
    """A multi-scale flow over images, which come to it standardized, channel by channel.

    Args:
        event_shape: C, H, W.
        kind: see :class:`lowerbound.flows.MultiScale`.
        unit: whether data are in [0, 1]; a logit then comes first.
        mean: of the data, ``event_shape``; default zero (one half where ``unit``).
        std: of the data, ``event_shape``; default one.
        scales, steps, width, blocks, activation: of the flow.
        no_likelihood: why log p(x) must not be reported, if so.
    """
    mean, std = _statistics(event_shape, mean, std, unit)
    layers: list[Layer] = []
    if unit:
        logit = Logit(3)
        mean, std = logit.moments(mean, std)
        layers.append(logit)
    middle = mean.mean((1, 2), keepdim=True)
    spread = std.square().mean((1, 2), keepdim=True)
    spread = (spread + (mean - middle).square().mean((1, 2), keepdim=True)).sqrt()
    entry = Affine((event_shape[0], 1, 1), tuple(event_shape))
    entry.start_(middle, spread.clamp(min=_LEAST))
    flow = MultiScale(
        event_shape,
        kind,
        scales=scales,
        steps=steps,
        width=width,
        blocks=blocks,
        activation=activation,
    )
    return FlowModel(
        Chain([*layers, entry, flow]), event_shape, flat=False, no_likelihood=no_likelihood
    )


def _statistics(
    event_shape: tuple[int, ...], mean: Tensor | None, std: Tensor | None, unit: bool
) -> tuple[Tensor, Tensor]:
    middle = torch.full(event_shape, 0.5 if unit else 0.0) if mean is None else mean
    return middle, torch.ones(event_shape) if std is None else std


def _none(context: tuple[Tensor, ...]) -> None:
    if context:
        raise LowerboundError(
            f"expected no context, on which this flow does not depend, came {len(context)}; pass "
            f"none, or take a recipe with a condition"
        )
