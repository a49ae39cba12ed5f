"""Networks of hierarchical models: one rung for each stochastic layer, tensor to tensor.

Features are read off the data from the bottom up; a state comes down from the top, takes in each
layer's code, and ends at the data. What a rung's networks return is made a distribution elsewhere
(:mod:`lowerbound.models.hierarchical`).

>>> ladder = mlp_ladder((784,), (100, 50))
>>> [rung.code_shape for rung in ladder.rungs]
[(100,), (50,)]
>>> [rung.code_shape for rung in conv_ladder((1, 28, 28), (2, 4), channels=4).rungs]
[(2, 7, 7), (4, 4, 4)]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import LowerboundError
from .conv import ResidualBlock, Resize, _channels_last, _strides, stages, widths
from .mlp import MLP, TokenEmbedding, nonlinearity
from .start import initialise_, output_

Shape = tuple[int, ...]


class Rung(NamedTuple):
    """The networks of one stochastic layer z_l, for plain batches ``(N, ...)``.

    Args:
        code_shape: of z_l.
        features_shape: of h_l, what is read off the data for this layer.
        state_shape: of s_l, what the layers from here up pass down.
        features: ``(N, *below) -> (N, *features_shape)``; below are the features (or, with
            inference from the bottom up, the code) of the layer below, for the lowest the data.
        posterior: ``(h_l, s_{l+1}) -> `` two raw numbers for each of the code, ``(N, 2 c, ...)``;
            takes only h_l at the top, and everywhere with inference from the bottom up.
        prior: ``s_{l+1} -> `` likewise; None at the top, whose prior depends on nothing.
        path: ``(s_{l+1}, z_l) -> s_l``, at the top ``z_l -> s_l``; None where s_l is z_l itself.
    """

    code_shape: Shape
    features_shape: Shape
    state_shape: Shape
    features: nn.Module
    posterior: nn.Module
    prior: nn.Module | None
    path: nn.Module | None


class Ladder(NamedTuple):
    """All layers' networks, and the way from the lowest state to the data.

    Args:
        rungs: from the bottom up.
        output: ``output(raw_shape) -> `` a network from the lowest state to raw parameters.
    """

    rungs: list[Rung]
    output: Callable[[Shape], nn.Module]


def mlp_ladder(
    event_shape: Shape,
    layers: Sequence[int],
    *,
    hidden: Sequence[int] = (200, 200),
    activation: str = "tanh",
    bottom_up: bool = False,
    residual: bool = False,
    levels: int | None = None,
) -> Ladder:
    """Fully connected layers: each depends on the code above alone, or on a residual state.

    Without `residual` and with `bottom_up` it is the two-layer model of Burda et al. 2016 for
    ``layers=(100, 50)``: x-200-200-z1(100)-100-100-z2(50), and back the same way.

    Args:
        event_shape: shape of one example.
        layers: numbers in each layer's code, from the bottom up.
        hidden: widths of the hidden layers between the data and the lowest code, from the data on;
            each higher layer has half of the one below. With `residual`, the last is the width of
            all layers, and there are as many blocks between two of them.
        activation: nonlinearity.
        bottom_up: whether a posterior sees the code below it in place of data and code above.
        residual: whether the state passes the codes by, so that x depends on all of them.
        levels: number of classes, where the examples are integer tokens.

    References:
        Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519; Sønderby et al. 2016, arXiv 1602.02282
    """
    _check(layers)
    front = None if levels is None else TokenEmbedding(levels)
    below: Shape = event_shape if front is None else (*event_shape, front.width)
    if residual:
        return _residual_mlp(below, layers, hidden, activation, bottom_up, front)
    wide = [[max(1, width // 2**level) for width in hidden] for level in range(len(layers))]
    rungs = []
    for level, code in enumerate(layers):
        features = Dense(below, wide[level], activation, front if level == 0 else None)
        above = 0 if level + 1 == len(layers) else layers[level + 1]
        prior = None
        if above:
            upper = wide[level + 1][::-1]
            prior = MLP((above,), (2 * code,), hidden=upper, activation=activation)
        seen = 0 if bottom_up else above
        posterior = MLP(
            features.out_shape,
            (2 * code,),
            # What is read off the data and what came from above meet in a layer of their own.
            hidden=wide[level][-1:] if seen else (),
            activation=activation,
            context=seen,
        )
        rungs.append(
            Rung((code,), features.out_shape, (code,), features, posterior, prior, path=None)
        )
        below = (code,) if bottom_up else features.out_shape
    output = partial(MLP, (layers[0],), hidden=wide[0][::-1], activation=activation)
    return Ladder(rungs, output)


def _residual_mlp(
    below: Shape,
    layers: Sequence[int],
    hidden: Sequence[int],
    activation: str,
    bottom_up: bool,
    front: nn.Module | None,
) -> Ladder:
    if not hidden:
        raise LowerboundError(
            "hidden: expected one or more widths for a residual path, came none; pass hidden "
            "(200, 200), or a path of codes"
        )
    width, blocks = hidden[-1], len(hidden)

    def read(out: int, context: int = 0) -> MLP:
        return MLP(
            (width,),
            (out,),
            hidden=(width,) if context else (),
            activation=activation,
            context=context,
            front=nonlinearity(activation),
        )

    def quiet(network: MLP) -> MLP:
        """A prior that starts at N(0, 1), whatever came from above."""
        last = network.layers[-1]
        assert isinstance(last, nn.Linear)
        output_(last, gain=0.0)
        return network

    def stack() -> list[nn.Module]:
        return [ResidualDense(width, activation) for _ in range(blocks)]

    rungs = []
    for level, code in enumerate(layers):
        top = level + 1 == len(layers)
        parts: list[nn.Module] = []
        if level == 0 or bottom_up:
            parts += [front] if level == 0 and front is not None else []
            parts += [nn.Flatten(), initialise_(nn.Linear(math.prod(below), width), "linear")]
        rungs.append(
            Rung(
                (code,),
                (width,),
                (width,),
                nn.Sequential(*parts, *stack()),
                read(2 * code, 0 if top or bottom_up else width),
                None if top else quiet(read(2 * code)),
                Joined(initialise_(nn.Linear(code, width), "linear"), stack(), (width,), top),
            )
        )
        below = (code,)
    output = partial(MLP, (width,), activation=activation, front=nonlinearity(activation))
    return Ladder(rungs, output)


def conv_ladder(
    event_shape: Shape,
    layers: Sequence[int],
    *,
    channels: int = 32,
    blocks: int = 1,
    activation: str = "silu",
    bottom_up: bool = False,
) -> Ladder:
    """Residual convolutions: codes are maps, spread evenly from the lowest resolution on.

    Args:
        event_shape: ``(C, H, W)`` of one image, H and W at least 4.
        layers: channels of each layer's map, from the bottom up.
        channels: channels at full resolution, doubled with each halving up to eight times.
        blocks: residual blocks at each resolution and layer, both ways.
        activation: nonlinearity.
        bottom_up: whether a posterior sees the code below it in place of data and code above.

    Reference:
        Vahdat & Kautz 2020, NVAE, arXiv 2007.03898 (the order of layers and the residual state;
        plain blocks without normalisation here)
    """
    _check(layers)
    if len(event_shape) != 3 or min(event_shape[1:]) < 4:
        raise LowerboundError(
            f"network conv: expected images (channels, height >= 4, width >= 4), came examples of "
            f"shape {event_shape}; pass network mlp"
        )
    f = activation
    depth, height, width = event_shape
    sizes = stages(height, width)
    wide = widths(channels, len(sizes))
    places = _places(len(layers), len(sizes) - 1)

    def stack(place: int) -> list[nn.Module]:
        return [ResidualBlock(wide[place], f) for _ in range(blocks)]

    def conv(takes: int, gives: int, name: str = f) -> nn.Conv2d:
        return initialise_(nn.Conv2d(takes, gives, 3, padding=1), name)

    def down(start: int, end: int) -> list[nn.Module]:
        parts: list[nn.Module] = []
        for place in range(start + 1, end + 1):
            stride = _strides(sizes[place - 1], sizes[place])
            halve = nn.Conv2d(wide[place - 1], wide[place], 3, stride=stride, padding=1)
            parts += [nonlinearity(f), initialise_(halve, f), *stack(place)]
        return parts or stack(end)

    def up(start: int, end: int) -> list[nn.Module]:
        parts: list[nn.Module] = []
        for place in range(start, end, -1):
            grow = conv(wide[place], wide[place - 1])
            parts += [*stack(place), nonlinearity(f), Resize(sizes[place - 1]), grow]
        return parts or stack(end)

    rungs, below, came = [], depth, 0
    for level, (code, place) in enumerate(zip(layers, places, strict=True)):
        top, here = level + 1 == len(layers), wide[place]
        code_shape, map_shape = (code, *sizes[place]), (here, *sizes[place])
        # The image itself, and a code, are no activations: gain 1.
        begin = [conv(below, wide[came], "linear")] if level == 0 or bottom_up else []
        ends: list[nn.Module] = [nonlinearity(f), output_(nn.Conv2d(here, 2 * code, 3, padding=1))]
        if not (top or bottom_up):
            ends = [nonlinearity(f), conv(2 * here, here), *ends]
        # A prior that starts at N(0, 1), whatever came from above.
        quiet = output_(nn.Conv2d(here, 2 * code, 3, padding=1), gain=0.0)
        leads = places[level - 1] if level else place
        state = (wide[leads], *sizes[leads])
        path = [*stack(place), *(up(place, leads) if leads != place else [])]
        rungs.append(
            Rung(
                code_shape,
                map_shape,
                state,
                _last(*begin, *down(came, place)),
                Channels(_last(*ends)),
                None if top else Channels(_last(*stack(place), nonlinearity(f), quiet)),
                Joined(conv(code, here, "linear"), path, map_shape, top),
            )
        )
        below, came = code, place

    def output(raw_shape: Shape) -> nn.Module:
        last = output_(nn.Conv2d(wide[0], raw_shape[0], 3, padding=1, bias=False))
        return Painting(_last(*up(places[0], 0), nonlinearity(f), last), raw_shape)

    return Ladder(rungs, output)


def _places(layers: int, levels: int) -> list[int]:
    """Which of the resolutions each layer's map has, from the bottom up.

    >>> _places(2, 3), _places(6, 3), _places(3, 4), _places(2, 0)
    ([2, 3], [1, 1, 2, 2, 3, 3], [2, 3, 4], [0, 0])
    """
    return [levels - (above * levels) // layers for above in range(layers)][::-1]


class Dense(nn.Module):
    """Fully connected hidden layers, the last nonlinearity included: features, no output.

    Args:
        in_shape: shape of one input (of what `front` returns).
        hidden: widths; none at all is the flattened input.
        activation: nonlinearity.
        front: called on the input first.

    Shape:
        ``(N, *in_shape)`` -> ``(N, hidden[-1])``.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        hidden: Sequence[int],
        activation: str,
        front: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.front = front
        sizes = [math.prod(in_shape), *hidden]
        layers: list[nn.Module] = []
        for takes, gives in pairwise(sizes):
            layers += [initialise_(nn.Linear(takes, gives), activation), nonlinearity(activation)]
        self.layers = nn.Sequential(*layers)
        self.out_shape = (sizes[-1],)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.front is None else self.front(x)
        return self.layers(x.flatten(1))


class ResidualDense(nn.Module):
    """``x + linear(f(linear(f(x))))``, which starts as the identity.

    Args:
        width: numbers in and out.
        activation: nonlinearity.

    Reference:
        He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027
    """

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.f = nonlinearity(activation)
        self.first = initialise_(nn.Linear(width, width), activation)
        self.second = output_(nn.Linear(width, width), gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.f(self.first(self.f(x))))


class Joined(nn.Module):
    """A layer's code is added to the state that came from above (at the top to a learned one).

    Args:
        enter: ``z_l`` to the shape of the state above.
        on: what follows.
        state_shape: of the state above.
        top: whether there is no state above.

    Shape:
        ``(N, *state_shape), (N, *code_shape)`` (at the top the code alone) -> the state below.
    """

    def __init__(
        self, enter: nn.Module, on: Sequence[nn.Module], state_shape: Shape, top: bool
    ) -> None:
        super().__init__()
        self.enter = enter
        self.on = _last(*on) if len(state_shape) == 3 else nn.Sequential(*on)
        # Maps begin with one learned for every place; a vector has the bias of `enter`.
        begins = top and len(state_shape) == 3
        self.begin = nn.Parameter(torch.zeros(state_shape)) if begins else None

    def forward(self, *inputs: Tensor) -> Tensor:
        entered = self.enter(inputs[-1])
        above = inputs[0] if len(inputs) == 2 else self.begin
        return self.on(entered if above is None else above + entered)


class Channels(nn.Module):
    """Maps joined along their channels, then a network.

    Args:
        network: takes all channels.

    Shape:
        ``(N, c_i, H, W)`` each -> what the network returns.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> Tensor:
        return self.network(torch.cat(maps, 1) if len(maps) > 1 else maps[0])


class Painting(nn.Module):
    """A network to raw parameters of an image, plus a learned offset for each of them.

    Args:
        network: ``(N, *state_shape) -> (N, *raw_shape)``.
        raw_shape: shape of one output.
    """

    def __init__(self, network: nn.Module, raw_shape: Shape) -> None:
        super().__init__()
        self.network = network
        self.offset = nn.Parameter(torch.zeros(raw_shape))

    def forward(self, state: Tensor) -> Tensor:
        return self.network(state) + self.offset

    @torch.no_grad()
    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw``, its output."""
        self.offset.copy_(raw.reshape(self.offset.shape))


class _Contiguous(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def _last(*parts: nn.Module) -> nn.Sequential:
    """Convolutions in the layout in which they are fastest, which their input is brought to."""
    return _channels_last(nn.Sequential(_Contiguous(), *parts))


def _check(layers: Sequence[int]) -> None:
    if not layers or min(layers) < 1:
        raise LowerboundError(
            f"layers: expected one or more sizes of codes, each at least 1, came {tuple(layers)}; "
            f"pass layers (100, 50), from the bottom up"
        )
