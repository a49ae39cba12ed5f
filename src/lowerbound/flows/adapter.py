"""Flows over vectors, from zuko: its networks and univariate maps in this library's chain.

zuko (Rozet, https://github.com/probabilists/zuko) is imported when a flow is built. Its lazy
modules are taken as they are; what stands around them is ours, for three reasons. Its flows take
exactly one context vector; its composition does not compile as one graph; and its couplings look
their places up at every call (5.2 ms against 3.6 for six of 64 numbers, forward and back).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform

from ..errors import LowerboundError, nearest
from ..networks.mlp import nonlinearity
from .base import Affine, Chain, Inverse, Layer

FlowKind = Literal["nice", "realnvp", "maf", "iaf", "neural-spline", "autoregressive-neural-spline"]
KINDS: tuple[str, ...] = get_args(FlowKind)

#: Beyond it a spline is the identity; data and codes come standardized.
SPLINE_BOUND = 5.0
# An untrained flow is near the identity: what it starts from is then the base's own density.
_START = 0.1


def import_zuko() -> Any:
    """The package; importing it leaves torch's validation of arguments as it was.

    zuko switches ``Distribution``'s checks off for the whole process. Only what builds its
    distributions by the thousand should do that, and it can say ``validate_args=False``.
    """
    before = Distribution._validate_args
    import zuko

    Distribution.set_default_validate_args(before)
    return zuko


def vector_chain(
    kind: FlowKind,
    features: int,
    *,
    context: int = 0,
    transforms: int = 4,
    hidden: Sequence[int] = (128, 128),
    activation: str = "relu",
    bins: int = 8,
) -> Chain:
    """The layers of a flow over vectors, from the value to the base.

    Args:
        kind: ``nice``, additive couplings and a learned scale (https://arxiv.org/abs/1410.8516);
            ``realnvp``, affine couplings (https://arxiv.org/abs/1605.08803); ``maf``, affine and
            autoregressive (https://arxiv.org/abs/1705.07057): scores in one pass, draws in as many
            as there are features; ``iaf``, its inverse (https://arxiv.org/abs/1606.04934): draws in
            one pass; ``neural-spline``, couplings by rational-quadratic splines, and
            ``autoregressive-neural-spline`` (https://arxiv.org/abs/1906.04032).
        features: D, numbers in a vector.
        context: numbers in a context vector, 0 for none.
        transforms: layers; couplings keep every other number, in turn, autoregressive layers
            reverse the order.
        hidden: widths of each layer's network.
        activation: its nonlinearity.
        bins: of a spline.

    >>> chain = vector_chain("realnvp", 3, transforms=2, hidden=(8,))
    >>> z, log_det = chain(torch.zeros(5, 3))
    >>> z.shape, log_det.shape
    (torch.Size([5, 3]), torch.Size([5]))
    """
    if kind not in KINDS:
        hint = nearest(str(kind), KINDS) or f"; there are: {', '.join(KINDS)}"
        raise LowerboundError(f"unknown kind of flow '{kind}'{hint}")
    univariate, shapes = univariate_of(kind, bins)
    autoregressive = kind in ("maf", "iaf", "autoregressive-neural-spline")
    build = autoregressive_layer if autoregressive else coupling_layer
    layers: list[Layer] = [
        build(features, context, number, univariate, shapes, hidden, activation)
        for number in range(transforms)
    ]
    if kind == "iaf":
        layers = [Inverse(layer) for layer in layers]
    if kind == "nice":
        layers.append(Affine(features))
    return Chain(layers)


def univariate_of(kind: str, bins: int = 8) -> tuple[Callable[..., Transform], list[tuple]]:
    """How one number is moved, and the shapes of the parameters that say so."""
    transforms = import_zuko().transforms
    if kind == "nice":
        return transforms.AdditiveTransform, [()]
    if "spline" in kind:
        spline = partial(transforms.MonotonicRQSTransform, bound=SPLINE_BOUND)
        return spline, [(bins,), (bins,), (bins - 1,)]
    return transforms.MonotonicAffineTransform, [(), ()]


def coupling_layer(
    features: int,
    context: int,
    number: int,
    univariate: Callable[..., Transform],
    shapes: Sequence[tuple],
    hidden: Sequence[int],
    activation: str,
) -> Layer:
    """Every other number as it is, the rest moved as those say; the next ``number`` swaps them."""
    kept = torch.arange(features) % 2 == number % 2
    lazy = import_zuko().flows.coupling.GeneralCouplingTransform(
        features,
        context,
        kept,
        univariate=univariate,
        shapes=shapes,
        hidden_features=tuple(hidden),
        activation=partial(nonlinearity, activation),
    )
    _start(lazy)
    return Lazy(lazy) if features == 1 else Coupling(lazy, kept)


def autoregressive_layer(
    features: int,
    context: int,
    number: int,
    univariate: Callable[..., Transform],
    shapes: Sequence[tuple],
    hidden: Sequence[int],
    activation: str,
) -> Layer:
    """Each number moved as those before it say; the next ``number`` reverses the order."""
    order = torch.arange(features)
    lazy = import_zuko().flows.autoregressive.MaskedAutoregressiveTransform(
        features,
        context,
        order=order.flip(0) if number % 2 else order,
        univariate=univariate,
        shapes=shapes,
        hidden_features=tuple(hidden),
        activation=partial(nonlinearity, activation),
    )
    _start(lazy)
    return Lazy(lazy) if features == 1 else Autoregressive(lazy)


@torch.no_grad()
def _start(lazy: nn.Module) -> None:
    linears = [
        module for module in lazy.modules() if isinstance(getattr(module, "bias", 0), Tensor)
    ]
    if linears:
        last = cast(nn.Linear, linears[-1])
        last.weight.mul_(_START)
        last.bias.zero_()
    else:  # without a context a single number's parameters are free
        for parameter in lazy.parameters():
            parameter.mul_(_START)


class Lazy(Layer):
    """A zuko ``LazyTransform`` over vectors as a layer.

    Args:
        lazy: ``lazy(context) -> Transform``.
    """

    def __init__(self, lazy: nn.Module) -> None:
        super().__init__()
        self.lazy = lazy

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        transform = self.lazy(context)
        y, log_det = transform.call_and_ladj(x)
        return y, _summed(log_det, transform)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        transform = self.lazy(context)
        x = transform.inv(y)
        return x, -_summed(transform.log_abs_det_jacobian(x, y), transform)


def _summed(log_det: Tensor, transform: Transform) -> Tensor:
    """Of an elementwise map each number has a determinant of its own."""
    return log_det.sum(-1) if transform.domain.event_dim == 0 else log_det


class Coupling(Layer):
    """A zuko coupling, with its split known once and for all, which the compiler wants.

    Args:
        lazy: a ``GeneralCouplingTransform``.
        kept: which numbers stay, bool ``(D,)``.
    """

    kept: Tensor
    moved: Tensor
    back: Tensor

    def __init__(self, lazy: Any, kept: Tensor) -> None:
        super().__init__()
        self.lazy = lazy
        places = torch.cat((kept.nonzero().squeeze(-1), (~kept).nonzero().squeeze(-1)))
        self.count = int(kept.sum())
        self.register_buffer("kept", places[: self.count], persistent=False)
        self.register_buffer("moved", places[self.count :], persistent=False)
        self.register_buffer("back", places.argsort(), persistent=False)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, transform = self._split(x, context)
        moved, log_det = transform.call_and_ladj(x.index_select(-1, self.moved))
        return self._merge(kept, moved), log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, transform = self._split(y, context)
        moved = y.index_select(-1, self.moved)
        x = transform.inv(moved)
        return self._merge(kept, x), -transform.log_abs_det_jacobian(x, moved)

    def _split(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Any]:
        kept = x.index_select(-1, self.kept)
        return kept, self.lazy.meta(context, kept)

    def _merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -1).index_select(-1, self.back)


class Autoregressive(Layer):
    """A zuko masked autoregressive transform.

    Args:
        lazy: a ``MaskedAutoregressiveTransform``.
    """

    def __init__(self, lazy: Any) -> None:
        super().__init__()
        self.lazy = lazy

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.lazy.meta(context, x).call_and_ladj(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = torch.zeros_like(y)
        for _ in range(self.lazy.passes):
            transform = self.lazy.meta(context, x)
            x = transform.inv(y)
        # A number's parameters depend on those before it, which the last pass knew already.
        return x, -transform.log_abs_det_jacobian(x, y)


def layers_of(lazy: nn.Module) -> list[Layer]:
    """The layers of a zuko ``LazyTransform``, its compositions and inverses taken apart."""
    zuko = import_zuko()
    if isinstance(lazy, zuko.lazy.LazyComposedTransform):
        return [layer for part in lazy.transforms for layer in layers_of(cast(nn.Module, part))]
    if isinstance(lazy, zuko.lazy.LazyInverse):
        return [Inverse(layer) for layer in reversed(layers_of(lazy.transform))]
    if isinstance(lazy, zuko.flows.coupling.GeneralCouplingTransform):
        return [Coupling(lazy, lazy.mask)]
    if isinstance(lazy, zuko.flows.autoregressive.MaskedAutoregressiveTransform):
        return [Autoregressive(lazy)]
    return [Lazy(lazy)]


def numbers(shape: int | Sequence[int]) -> int:
    """Numbers in a value of that shape."""
    return shape if isinstance(shape, int) else math.prod(shape)
