"""What fits a slot, by name: registries of typed builders.

A recipe asks for a likelihood or for networks by name; the builders' signatures are the options
that ``--likelihood gaussian --likelihood.sigma learned`` sets. Bodies import torch, this file does
not, so that ``--help`` and the check of a YAML file cost nothing.

A slot's value is ``"auto"``, a name, ``{"name": name, **options}``, or (from Python) an
``nn.Module`` that is already built.

>>> sorted(REGISTRIES["network"])
['conv', 'mlp']
>>> build("likelihood", {"name": "gaussian", "sigma": "learnt"}, (784,))
Traceback (most recent call last):
    ...
lowerbound.errors.LowerboundError: likelihood gaussian: sigma: expected 'fixed' or 'learned' or \
'per-dimension' or 'per-datum' or 'optimal', came 'learnt' (str); did you mean 'learned'?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .errors import LowerboundError, nearest
from .options import Slot, Span, check, name_of, options_of

if TYPE_CHECKING:
    from torch.nn import Module

    from .distributions import Family
    from .networks import Pair

    SlotValue = str | Mapping[str, Any] | Module | None
else:
    SlotValue = object

Activation = Literal["relu", "gelu", "silu", "elu", "leaky-relu", "softplus", "tanh", "sigmoid"]


def bernoulli(event_shape: tuple[int, ...]) -> Family:
    """Bernoulli: binary values, each its own coin.

    Args:
        event_shape: shape of one example.
    """
    from .distributions import Bernoulli

    return Bernoulli(event_shape)


def continuous_bernoulli(event_shape: tuple[int, ...]) -> Family:
    """Continuous Bernoulli: values in [0, 1], with the normalising constant that belongs to it.

    Args:
        event_shape: shape of one example.

    Reference:
        Loaiza-Ganem & Cunningham 2019, The continuous Bernoulli, arXiv 1907.06845
    """
    from .distributions import ContinuousBernoulli

    return ContinuousBernoulli(event_shape)


def gaussian(
    event_shape: tuple[int, ...],
    *,
    sigma: Literal["fixed", "learned", "per-dimension", "per-datum", "optimal"] = "optimal",
    value: Annotated[float, Span(min=0, open=True)] = 1.0,
) -> Family:
    """Gaussian: real values around a mean.

    Args:
        event_shape: shape of one example.
        sigma: the standard deviation: fixed at `value`, one learned number, one per dimension, one
            per datum and dimension (a network output), or the analytic optimum, which is the root
            of the mean squared error.
        value: the fixed sigma, in units of x; the others start at the data's standard deviation.

    Reference:
        Rybkin, Daniilidis & Levine 2021, Simple and effective VAE training with calibrated
        decoders (sigma-VAE), arXiv 2006.13202
    """
    from .distributions import Gaussian

    return Gaussian(event_shape, sigma=sigma, value=value)


def categorical(
    event_shape: tuple[int, ...], *, levels: Annotated[int, Span(min=2, unit="classes")]
) -> Family:
    """Categorical: tokens, or levels without an order.

    Args:
        event_shape: shape of one example.
        levels: number of classes; recipes take it from the data.
    """
    from .distributions import Categorical

    return Categorical(event_shape, levels=levels)


def discretized_logistic(
    event_shape: tuple[int, ...],
    *,
    levels: Annotated[int, Span(min=2, unit="levels")] = 256,
    components: Annotated[int, Span(min=1)] = 5,
) -> Family:
    """Mixture of discretized logistics: ordered levels, such as the 256 of an image.

    Args:
        event_shape: shape of one example.
        levels: number of levels on [0, 1]; recipes take it from the data.
        components: number of logistics in each value's mixture.

    Reference:
        Salimans et al. 2017, PixelCNN++, arXiv 1701.05517 (channels independent here)
    """
    from .distributions import DiscretizedLogisticMixture

    return DiscretizedLogisticMixture(event_shape, levels=levels, components=components)


def mlp(
    event_shape: tuple[int, ...],
    *,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (512, 512),
    activation: Activation = "relu",
    levels: Annotated[int | None, Span(min=2, unit="classes")] = None,
) -> Pair:
    """Fully connected encoder and decoder, for data of any shape.

    Args:
        event_shape: shape of one example.
        hidden: widths of the hidden layers from the data to the code; the decoder mirrors them. An
            empty list is one linear map.
        activation: nonlinearity of the hidden layers.
        levels: number of classes of integer tokens, which the encoder embeds first; recipes take it
            from the data.
    """
    from .networks.pairs import mlp_pair

    return mlp_pair(event_shape, hidden, activation, levels)


def conv(
    event_shape: tuple[int, ...],
    *,
    channels: Annotated[int, Span(min=1, unit="channels")] = 32,
    blocks: Annotated[int, Span(min=0)] = 1,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (),
    activation: Activation = "silu",
) -> Pair:
    """Residual convolutional encoder and decoder, for images of any size and channel count.

    Args:
        event_shape: channels, height, width of one image.
        channels: channels at full resolution; doubled with each halving, up to eight times.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers between the last feature map and the code; the
            decoder mirrors them.
        activation: nonlinearity.

    Reference:
        He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027
    """
    from .networks.pairs import conv_pair

    return conv_pair(event_shape, channels, blocks, hidden, activation)


Registry = Mapping[str, Callable[..., Any]]

LIKELIHOODS: dict[str, Callable[..., Any]] = {
    "bernoulli": bernoulli,
    "continuous-bernoulli": continuous_bernoulli,
    "gaussian": gaussian,
    "categorical": categorical,
    "discretized-logistic": discretized_logistic,
}
NETWORKS: dict[str, Callable[..., Any]] = {"mlp": mlp, "conv": conv}
REGISTRIES: dict[str, dict[str, Callable[..., Any]]] = {
    "likelihood": LIKELIHOODS,
    "network": NETWORKS,
}


def build(registry: str, value: Any, *args: Any, **defaults: Any) -> Any:
    """What a slot's value stands for.

    Args:
        registry: which registry names it: ``"likelihood"``, ``"network"``.
        value: a name, ``{"name": name, **options}``, or a built ``nn.Module``, which is returned as
            it is. ``"auto"`` has to be resolved first (:func:`resolve`).
        args: the builder's positional arguments (the event shape).
        defaults: option values where ``value`` gives none; those that the named builder does not
            know are left out.

    Raises:
        LowerboundError: an unknown name or option (the nearest is offered), or a bad value.
    """
    if _is_module(value):
        return value
    name, options = _split(registry, value)
    builder = _find(registry, name)
    known = options_of(builder)
    options = {k: v for k, v in defaults.items() if k in known and v is not None} | options
    return builder(*args, **_checked(registry, name, options))


def resolve(value: Any, auto: str, **options: Any) -> Any:
    """A slot's value with ``"auto"`` replaced by a name and options laid over it.

    Args:
        value: the slot's value; ``{"sigma": "learned"}`` without a name counts as auto's options.
        auto: the name that auto stands for.
        options: further options; those that are None are left out, the slot's own come first.

    >>> resolve("auto", "mlp", hidden=(200,), activation=None)
    {'name': 'mlp', 'hidden': (200,)}
    """
    if _is_module(value):
        return value
    given = dict(value) if isinstance(value, Mapping) else {"name": value}
    name = given.pop("name", "auto")
    laid = {k: v for k, v in options.items() if v is not None}
    return {"name": auto if name == "auto" else name, **laid, **given}


def check_slot(slot: Slot, option: str, value: Any, *, optional: bool = False) -> Any:
    """A slot's value, checked by name and option without building it.

    Args:
        slot: the slot.
        option: the name of the parameter, for errors.
        value: what was given for it.
        optional: whether None may stay None.
    """
    if _is_module(value) or (optional and value is None):
        return value
    if slot.registry is None:
        raise LowerboundError(
            f"{option}: expected an nn.Module (from Python), came {value!r} "
            f"({type(value).__name__})"
        )
    name, options = _split(slot.registry, value)
    if name == "auto":
        known = {k for builder in REGISTRIES[slot.registry].values() for k in options_of(builder)}
        for key in options:
            if key not in known:
                raise LowerboundError(f"{option} has no option '{key}'{nearest(str(key), known)}")
        return value
    # only what is given: what a builder requires may still come from the data (levels)
    _checked(slot.registry, name, options, partial=True)
    return value


def _split(registry: str, value: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    if isinstance(value, Mapping):
        options = dict(value)
        return str(options.pop("name", "auto")), options
    raise LowerboundError(
        f"{registry}: expected a name ({', '.join(REGISTRIES[registry])}), a mapping "
        f"{{'name': …}} or an nn.Module, came {value!r} ({type(value).__name__})"
    )


def _find(registry: str, name: str) -> Callable[..., Any]:
    known = REGISTRIES[registry]
    if name not in known:
        hint = nearest(name, known) or f"; there are: {', '.join(known)}"
        raise LowerboundError(f"unknown {registry} '{name}'{hint}")
    return known[name]


def _checked(
    registry: str, name: str, options: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Any]:
    """Checked under the builder's public name, not its Python one."""
    builder = _find(registry, name)
    try:
        return check(builder, options, partial=partial)
    except LowerboundError as error:
        own = f"{name_of(builder)} "
        text = str(error)
        text = text.removeprefix(own) if text.startswith(own) else f": {text}"
        raise LowerboundError(f"{registry} {name} {text}".replace(" : ", ": ", 1)) from None


def _is_module(value: Any) -> bool:
    """Whether it is an ``nn.Module``, asked without importing torch."""
    return any(
        cls.__module__.partition(".")[0] == "torch" and cls.__name__ == "Module"
        for cls in type(value).__mro__
    )
