"""What a conditional is, and what the library's own distributions share."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from ..errors import LowerboundError


@runtime_checkable
class Conditional(Protocol):
    """p(value | context): a module that returns a distribution.

    Any ``nn.Module`` whose ``forward(*context)`` returns a ``torch.distributions.Distribution``
    is one: :class:`~lowerbound.distributions.Head`,
    :class:`~lowerbound.distributions.StandardNormal`, a zuko flow, or a user's own. What comes
    back has the datum's whole shape as its ``event_shape`` and the leading dimensions of the
    contexts as its ``batch_shape``, and was built with ``validate_args=False``: data are
    checked once, where they enter, not at every step.
    """

    def __call__(self, *context: Tensor) -> Distribution:
        """The distribution given contexts of shape ``(*lead, *event)`` each."""
        ...


class EventDistribution(Distribution):
    """A distribution over a whole datum, light enough to build at every step.

    It is ``Independent(..., rank)`` without the second object and without argument checks. A
    subclass hands over one parameter of full shape, ``(*batch, *event)``, sums its
    log-densities with :meth:`_sum` and offers ``log_prob`` in nats.

    Args:
        parameter: a tensor ``(*batch, *event)`` from which the shapes are read.
        event_rank: how many trailing dimensions are one datum.
    """

    _validate_args = False

    def __init__(self, parameter: Tensor, event_rank: int) -> None:
        # Not super().__init__: its checks are what this class exists to leave out.
        shape = parameter.shape
        cut = len(shape) - event_rank
        self._batch_shape = shape[:cut]
        self._event_shape = shape[cut:]
        self._event_dims = tuple(range(-event_rank, 0))

    @property
    def event_rank(self) -> int:
        """How many trailing dimensions are one datum."""
        return len(self._event_dims)

    def _sum(self, elementwise: Tensor) -> Tensor:
        """Sum over the datum: ``(*lead, *event) -> (*lead,)``."""
        return elementwise.sum(self._event_dims) if self._event_dims else elementwise

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``, without a gradient."""
        with torch.no_grad():
            return self.rsample(sample_shape)


class Sphere(constraints.Constraint):
    """Unit vectors."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """Whether the length is 1, to rounding: ``(*lead, d) -> (*lead,)``."""
        return (value.square().sum(-1) - 1).abs() < 1e-5


def where_codes_live(p: Distribution) -> str | None:
    """In words; None for a density on all of R^n, and for what does not tell.

    >>> from lowerbound.distributions import StandardNormal, UniformPrior
    >>> where_codes_live(StandardNormal(2)()), where_codes_live(UniformPrior(2)())
    (None, 'numbers in a box')
    """
    if getattr(p, "certain", False):
        return "certain, points without a density"
    try:
        support: Any = p.support
    except NotImplementedError:
        return None
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if support is None or support is constraints.real:
        return None
    if support is constraints.one_hot:
        return "categories, vectors with a single one"
    if support.is_discrete:
        return "categories or counts"
    if isinstance(support, Sphere):
        return "unit vectors, on a sphere"
    if isinstance(support, constraints.interval):
        return "numbers in a box"
    return f"numbers of support {support}"


class Located(EventDistribution):
    """Of real numbers around ``loc``, which is mean and mode: what all normal distributions share.

    Args:
        loc: ``(*batch, *event)``.
        event_rank: how many trailing dimensions are one datum.
    """

    has_rsample = True
    loc: Tensor

    def __init__(self, loc: Tensor, event_rank: int) -> None:
        super().__init__(loc, event_rank)
        self.loc = loc

    @property
    def support(self) -> constraints.Constraint:
        """All of R^event."""
        return constraints.independent(constraints.real, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.loc


#: Below it, softplus of float32 is a constant: e^-28 = 7e-13, whose cube is no denormal number.
_SOFTPLUS_LEAST = -28.0


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), elementwise; to full precision in float64, in float32 but for 7e-13 where the
    value is less than that.

    A CPU's log1p squares its argument, and arithmetic on denormal numbers is slow: with logits
    below -45, as those of pixels that are always black become, Intel's took 14 times as long.
    """
    if x.dtype == torch.float64:
        return -F.logsigmoid(-x)
    if not torch.compiler.is_compiling():
        return F.softplus(x.clamp_min(_SOFTPLUS_LEAST), threshold=-_SOFTPLUS_LEAST)
    # What the compiler makes of F.softplus is slower, and of F.logsigmoid it goes through 64-bit
    # integers. The derivative of a maximum is one half where both are equal.
    small = torch.exp((-x.abs()).clamp_min(_SOFTPLUS_LEAST))
    return torch.maximum(x, x.new_zeros(())) + torch.log1p(small)


def draw(p: Distribution, shape: tuple[int, ...] = ()) -> Tensor:
    """Draws with all of their gradient, ``(*shape, *batch, *event)``.

    Raises:
        LowerboundError: p cannot be reparameterized and its parameters want a gradient, which the
            draws would not carry.
    """
    if p.has_rsample:
        return p.rsample(shape)
    z = p.sample(shape)
    if torch.is_grad_enabled() and p.log_prob(z[(0,) * len(shape)]).requires_grad:
        _refuse_sample(p)
    return z


def _refuse_sample(p: Distribution) -> NoReturn:
    raise LowerboundError(
        f"expected a distribution with reparameterized samples (has_rsample), came "
        f"{type(p).__name__}, through whose samples no gradient flows; train with another "
        f"prior or posterior, or evaluate under torch.no_grad()"
    )


def sample_with_log_prob(q: Distribution, shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
    """Reparameterized draws and their log-density, in one pass where q knows how.

    Flows score what they have just drawn without inverting themselves, by their
    ``rsample_and_log_prob`` (Papamakarios et al., 2021, https://arxiv.org/abs/1912.02762).

    Args:
        q: any distribution.
        shape: leading sample dimensions.

    Returns:
        z ``(*shape, *batch, *event)`` and log q(z) ``(*shape, *batch)`` in nats.

    Raises:
        LowerboundError: q cannot be reparameterized and its parameters want a gradient: the
            samples would carry none, and the gradient of a bound would be silently wrong.

    >>> from lowerbound.distributions import StandardNormal
    >>> q = StandardNormal(2)()
    >>> z, log_q = sample_with_log_prob(q, (5,))
    >>> z.shape, torch.allclose(log_q, q.log_prob(z))
    (torch.Size([5, 2]), True)
    """
    fused = getattr(q, "rsample_and_log_prob", None)
    if fused is not None:
        return fused(shape)
    if q.has_rsample:
        z = q.rsample(shape)
        return z, q.log_prob(z)
    z = q.sample(shape)
    log_q = q.log_prob(z)
    if log_q.requires_grad:
        _refuse_sample(q)
    return z, log_q
