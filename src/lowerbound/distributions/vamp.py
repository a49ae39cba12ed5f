"""The variational mixture of posteriors as a prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from ..errors import LowerboundError
from .base import EventDistribution
from .mixture import AT_ONCE, GaussianMixtureDistribution
from .normal import DiagonalNormal

# Pseudo-inputs start at least this far from 0 and 1, where the sigmoid still moves.
_INSIDE = 0.01


class EqualMixture(EventDistribution):
    """The mixture of a distribution's own batch, with equal weights.

    Args:
        parts: batch shape ``(K,)``.

    >>> parts = DiagonalNormal(torch.tensor([[-3.0], [3.0]]), torch.zeros(2, 1))
    >>> EqualMixture(parts).log_prob(torch.tensor([3.0]))  # that of one part, less log 2
    tensor(-1.6121)
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, parts: Distribution) -> None:
        self._batch_shape, self._event_shape = torch.Size(), parts.event_shape
        self._event_dims = tuple(range(-len(parts.event_shape), 0))
        self.parts = parts

    @property
    def support(self) -> constraints.Constraint | None:
        """That of the parts."""
        return self.parts.support

    @property
    def mean(self) -> Tensor:
        """``(*event)``."""
        return self.parts.mean.mean(0)

    @property
    def variance(self) -> Tensor:
        """``(*event)``."""
        return self.parts.variance.mean(0) + self.parts.mean.var(0, correction=0)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *event)``, without a gradient."""
        with torch.no_grad():
            count, (parts,) = math.prod(sample_shape), self.parts.batch_shape
            size = self._at_once()
            pieces = []
            for start in range(0, count, size):
                here = min(size, count - start)
                # A distribution of any kind draws from all its parts; one draw of each is kept.
                z = self.parts.sample((here,))
                chosen = torch.randint(parts, (here,), device=z.device)
                pieces.append(z[torch.arange(here, device=z.device), chosen])
            return torch.cat(pieces).view(*sample_shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        lead = value.shape[: value.dim() - self.event_rank]
        rows = value.reshape(-1, 1, *self.event_shape)
        # Training keeps everything for the backward pass anyway; evaluation holds a part.
        size = len(rows) if torch.is_grad_enabled() else self._at_once()
        pieces = [self.parts.log_prob(some).logsumexp(-1) for some in rows.split(max(size, 1))]
        return torch.cat(pieces).view(lead) - math.log(self.parts.batch_shape[0])

    def _at_once(self) -> int:
        return max(1, AT_ONCE // (self.parts.batch_shape.numel() * self.event_shape.numel()))


class VampPrior(nn.Module):
    """p(z) = 1/K Σ_k q(z | u_k): the posterior's own mixture at K learned pseudo-inputs u_k.

    The encoder is shared with the model and not registered here, so that its weights have one
    name in the state dict. In evaluation mode without gradients the K posteriors are computed
    once, and again as soon as a weight has another value or the mode is set anew: the weights that
    they belong to are kept, and compared each time.

    Args:
        encode: q(z | x) of the model, ``(N, *event_shape)`` to a distribution of batch shape
            ``(N,)``: a head.
        event_shape: of one datum.
        components: K.
        start: pseudo-inputs to start from, ``(K, *event_shape)``, such as examples; by default
            random ones.
        data: "real", or "unit" for data in [0, 1] (binary ones and levels too), in which the
            pseudo-inputs then stay, through a sigmoid.
        latent_shape: of one code; by default what the encoder says.

    References:
        Tomczak and Welling, 2018, VAE with a VampPrior, https://arxiv.org/abs/1705.07120

    >>> from lowerbound.distributions import DiagonalGaussian, Head
    >>> encode = Head(nn.Linear(3, 4), DiagonalGaussian(2))
    >>> prior = VampPrior(encode, (3,), components=5)
    >>> prior().sample((7,)).shape, list(prior.state_dict())
    (torch.Size([7, 2]), ['raw'])
    """

    def __init__(
        self,
        encode: Callable[..., Distribution],
        event_shape: tuple[int, ...],
        components: int = 500,
        start: Tensor | None = None,
        *,
        data: Literal["real", "unit"] = "real",
        latent_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        if components < 1:
            raise LowerboundError(
                f"expected one or more components, came {components}; pass components=500"
            )
        if data not in ("real", "unit"):
            raise LowerboundError(
                f"expected data 'real' or 'unit', came {data!r}; pseudo-inputs are numbers, so "
                f"pass another prior for categories"
            )
        shape = (components, *event_shape)
        if start is None:
            raw = torch.randn(shape)
        elif start.shape != shape:
            raise LowerboundError(
                f"expected start of shape {shape}, one pseudo-input for each component, came "
                f"{tuple(start.shape)}; pass as many examples as components"
            )
        else:
            raw = start.detach().to(torch.get_default_dtype(), copy=True)
            raw = raw.clamp(_INSIDE, 1 - _INSIDE).logit() if data == "unit" else raw
        self.raw = nn.Parameter(raw)
        self.data = data
        family = getattr(encode, "family", encode)
        self.support = getattr(family, "support", "real")
        known = latent_shape or getattr(encode, "event_shape", None)
        if known is None:
            raise LowerboundError(
                f"expected an encoder that knows its event_shape, came {type(encode).__name__}; "
                f"pass latent_shape="
            )
        self.event_shape = tuple(known)
        self._shared = (encode,)
        self._cached: tuple[Any, list[Tensor], Distribution] | None = None

    @property
    def pseudo_inputs(self) -> Tensor:
        """u, in the data's range: ``(K, *event_shape)``."""
        return self.raw.sigmoid() if self.data == "unit" else self.raw

    def forward(self, *context: Tensor) -> Distribution:
        """The mixture, with an empty batch shape."""
        if context:
            raise LowerboundError(
                f"VampPrior: expected a model without conditions, came {len(context)}; pass prior "
                f"gaussian-mixture"
            )
        if torch.compiler.is_compiling():
            return self._mixture()
        (encode,) = self._shared
        training = self.training or getattr(encode, "training", False)
        if training or torch.is_grad_enabled():
            self._cached = None
            return self._mixture()
        (settings, weights), kept = self._state(), self._cached
        # By value: a version counter does not see what is written through ``.data``.
        if kept is None or kept[0] != settings or not all(map(torch.equal, kept[1], weights)):
            kept = (settings, [t.clone() for t in weights], self._mixture())
            self._cached = kept
        return kept[2]

    def train(self, mode: bool = True) -> VampPrior:
        """Training or evaluation mode; what was computed is forgotten."""
        self._cached = None
        return super().train(mode)

    def _state(self) -> tuple[Any, list[Tensor]]:
        """What decides the mixture: settings, and weights."""
        (encode,) = self._shared
        tensors: list[Tensor] = [self.raw]
        if isinstance(encode, nn.Module):
            tensors += [*encode.parameters(), *encode.buffers()]
        kinds = tuple((t.dtype, t.device) for t in tensors)
        return (kinds, getattr(encode, "precision", None)), tensors

    def _mixture(self) -> Distribution:
        (encode,) = self._shared
        parts = encode(self.pseudo_inputs)
        if isinstance(parts, DiagonalNormal):
            logits = torch.zeros_like(parts.loc.flatten(1)[:, 0])
            scale = parts.scale.expand_as(parts.loc)
            return GaussianMixtureDistribution(logits, parts.loc, scale, parts.event_rank)
        return EqualMixture(parts)

    def extra_repr(self) -> str:
        return f"{self.event_shape}, components={len(self.raw)}, data={self.data}"
