"""Which posterior may stand beside which prior."""

from __future__ import annotations

from typing import Any

from ..errors import LowerboundError

_SPACES = {"real": "all of R", "box": "a box", "sphere": "the unit sphere"}
# What to pass for a prior on that space.
_POSTERIORS = {"real": "diagonal", "box": "squashed-gaussian", "sphere": "von-mises-fisher"}


def refuse_mismatch(prior: Any, posterior: Any) -> None:
    """Refuse a posterior whose KL from the prior is infinite, or not defined.

    A prior and a posterior's family say where their codes lie by an attribute ``support``:
    ``"real"`` (also where there is none), ``"box"`` with its edges ``low`` and ``high``, or
    ``"sphere"``. A posterior on a box is fine under a prior on all of R; one on R has mass where a
    prior on a box has none.

    Args:
        prior: a conditional over codes.
        posterior: a family of codes, or a head that has one.

    Raises:
        LowerboundError: the pair does not fit; the message names the posterior that does.

    >>> from lowerbound.distributions import DiagonalGaussian, StandardNormal, UniformPrior
    >>> refuse_mismatch(StandardNormal(2), DiagonalGaussian(2))
    >>> refuse_mismatch(UniformPrior(2), DiagonalGaussian(2))
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: expected a posterior on a box, where the prior UniformPrior \
lies, came DiagonalGaussian on all of R: its KL is infinite; pass posterior squashed-gaussian
    """
    family = getattr(posterior, "family", posterior)
    wanted, came = (_support(thing) for thing in (prior, family))
    names = f"the prior {type(prior).__name__} lies, came {type(family).__name__}"
    if wanted == came == "box":
        (low, high), (from_, to) = ((d.low, d.high) for d in (prior, family))
        if from_ < low or to > high:
            raise LowerboundError(
                f"expected a posterior inside [{low:g}, {high:g}], where {names} on "
                f"[{from_:g}, {to:g}]: its KL is infinite; pass low={low:g} and high={high:g}"
            )
        return
    if wanted == came or (wanted, came) == ("real", "box"):
        return
    reason = "KL is infinite" if "sphere" not in (wanted, came) else "densities do not compare"
    raise LowerboundError(
        f"expected a posterior on {_SPACES[wanted]}, where {names} on {_SPACES[came]}: its "
        f"{reason}; pass posterior {_POSTERIORS[wanted]}"
    )


def _support(thing: Any) -> str:
    support = getattr(thing, "support", "real")
    return support if support in _SPACES else "real"
