"""Fully connected networks between tensors of any shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..errors import LowerboundError, nearest
from .start import initialise_, output_

_NONLINEARITIES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "leaky-relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def nonlinearity(name: str) -> nn.Module:
    """The nonlinearity of that name, as a module.

    Args:
        name: relu, gelu, silu, elu, leaky-relu, softplus, tanh or sigmoid.

    Raises:
        LowerboundError: another name.

    >>> nonlinearity("tanh")
    Tanh()
    """
    if name not in _NONLINEARITIES:
        hint = nearest(name, _NONLINEARITIES) or f"; there are: {', '.join(_NONLINEARITIES)}"
        raise LowerboundError(f"unknown activation '{name}'{hint}")
    return _NONLINEARITIES[name]()


class MLP(nn.Module):
    """A fully connected network from one tensor shape to another.

    Without hidden layers it is a single affine map, so that linear models are MLPs with
    ``hidden=()``. Hidden weights start as He et al. 2015 prescribe for the nonlinearity (smaller in
    a network of one hidden layer, see :func:`lowerbound.networks.start.initialise_`), the output
    layer at half of 1/sqrt(fan in), biases at zero: what comes out first is close to the output
    bias, which :meth:`start_` sets.

    Args:
        in_shape: shape of one input.
        out_shape: shape of one output.
        hidden: widths of the hidden layers, from input to output.
        activation: nonlinearity after each hidden layer (:func:`nonlinearity`).
        context: numbers in all context vectors together; they are joined to the flattened input.
        front: called on the input first (:class:`TokenEmbedding`); ``in_shape`` is then the shape
            of what it returns.

    Shape:
        input ``(N, *in_shape)``, contexts ``(N, c_i)`` with sum ``context`` -> ``(N, *out_shape)``.

    Reference:
        He et al. 2015, Delving deep into rectifiers, arXiv 1502.01852 (initialisation)

    >>> MLP((1, 28, 28), (40,), hidden=(512,))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 40])
    >>> MLP((20,), (3, 5, 7), context=10)(torch.zeros(2, 20), torch.zeros(2, 10)).shape
    torch.Size([2, 3, 5, 7])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        hidden: Sequence[int] = (),
        activation: str = "relu",
        context: int = 0,
        front: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.context = context
        self.front = front
        widths = [math.prod(self.in_shape) + context, *hidden]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [
                initialise_(nn.Linear(fan_in, fan_out), activation, alone=len(hidden) == 1),
                nonlinearity(activation),
            ]
        self.layers = nn.Sequential(*layers, output_(nn.Linear(widths[-1], math.prod(out_shape))))

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        if self.front is not None:
            x = self.front(x)
        x = x.flatten(1)
        if context:
            x = torch.cat((x, *context), dim=1)
        x = self.layers(x)
        return x if len(self.out_shape) == 1 else x.unflatten(1, self.out_shape)

    @torch.no_grad()
    def start_(self, raw: Tensor) -> None:
        """Sets the output bias, so that the untrained network returns about ``raw``.

        Args:
            raw: the output to start from, shape ``out_shape``.
        """
        output = self.layers[-1]
        assert isinstance(output, nn.Linear)
        output.bias.copy_(raw.reshape(-1))


class TokenEmbedding(nn.Module):
    """A learned vector for each token: the front of an encoder of categories.

    Args:
        levels: number of classes.
        width: numbers per token; by default one per class, at most 64.

    Shape:
        ``(N, *event)`` of int64 classes -> ``(N, *event, width)``.

    >>> TokenEmbedding(17)(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 17])
    """

    def __init__(self, levels: int, width: int | None = None) -> None:
        super().__init__()
        self.width = width or min(levels, 64)
        self.table = nn.Embedding(levels, self.width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens.long())
