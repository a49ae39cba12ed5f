"""Likelihoods p(x|z), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from ..options import Span
from .types import Builders

if TYPE_CHECKING:
    from ..distributions import Family


def bernoulli(event_shape: tuple[int, ...]) -> Family:
    """Bernoulli: binary values, each its own coin.

    Args:
        event_shape: shape of one example.
    """
    from ..distributions import Bernoulli

    return Bernoulli(event_shape)


def continuous_bernoulli(event_shape: tuple[int, ...]) -> Family:
    """Continuous Bernoulli: values in [0, 1], with the normalising constant that belongs to it.

    Args:
        event_shape: shape of one example.

    Reference:
        Loaiza-Ganem & Cunningham 2019, The continuous Bernoulli, arXiv 1907.06845
    """
    from ..distributions import ContinuousBernoulli

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
    from ..distributions import Gaussian

    return Gaussian(event_shape, sigma=sigma, value=value)


def categorical(
    event_shape: tuple[int, ...], *, levels: Annotated[int, Span(min=2, unit="classes")]
) -> Family:
    """Categorical: tokens, or levels without an order.

    Args:
        event_shape: shape of one example.
        levels: number of classes; recipes take it from the data.
    """
    from ..distributions import Categorical

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
    from ..distributions import DiscretizedLogisticMixture

    return DiscretizedLogisticMixture(event_shape, levels=levels, components=components)


def wavenet(
    event_shape: tuple[int, ...],
    *,
    levels: Annotated[int, Span(min=2, unit="levels")] = 256,
    width: Annotated[int, Span(min=1, unit="channels")] = 32,
    depth: Annotated[int, Span(min=1, unit="layers")] = 9,
    stacks: Annotated[int, Span(min=1)] = 2,
    skip: Annotated[int, Span(min=1, unit="channels")] = 64,
    local: Annotated[int, Span(min=1)] = 16,
    outputs: Literal["categorical", "logistic"] = "categorical",
    components: Annotated[int, Span(min=1)] = 4,
    drop: Annotated[float, Span(min=0, max=1)] = 0.0,
) -> Family:
    """WaveNet: samples of sound, each given those before it and the code around it.

    Args:
        event_shape: samples of one window.
        levels: mu-law levels of a sample; recipes take it from the data.
        width: channels of the residual path.
        depth: layers of a stack, dilated 1 to 2^(depth - 1).
        stacks: how many; a sample sees stacks * (2^depth - 1) before it.
        skip: channels of the output path.
        local: numbers in the context that each sample is told of the code.
        outputs: of a sample: categorical, or logistic, a mixture discretized on the levels.
        components: of the mixture.
        drop: share of training examples that are told nothing, so that samples can be guided.

    Reference:
        van den Oord et al. 2016, WaveNet: a generative model for raw audio, arXiv 1609.03499
    """
    from ..autoregressive.likelihood import WaveNetLikelihood

    return WaveNetLikelihood(
        event_shape, levels, width=width, depth=depth, stacks=stacks, skip=skip, local=local,
        outputs=outputs, components=components, drop=drop,
    )  # fmt: skip


BUILDERS: Builders = {
    "bernoulli": bernoulli,
    "continuous-bernoulli": continuous_bernoulli,
    "gaussian": gaussian,
    "categorical": categorical,
    "discretized-logistic": discretized_logistic,
    "wavenet": wavenet,
}
