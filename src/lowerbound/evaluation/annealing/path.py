"""The path from a distribution that can be drawn from to p(z) p(x|z), and its temperatures."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from ...distributions.base import where_codes_live
from ...errors import LowerboundError
from .hmc import Point

Schedule = Literal["sigmoid", "geometric", "linear"]
Start = Literal["prior", "posterior"]
# Of the sigmoid: at 4 the first and the last intermediate temperature are a twentieth as far from
# their neighbours as those in the middle (Wu et al. 2017, as Grosse et al. 2015).
_STEEPNESS = 4.0
_COLDEST = 1e-4  # first temperature of the geometric schedule


def temperatures(steps: int, schedule: Schedule = "sigmoid") -> list[float]:
    """β_0 = 0 < β_1 < … < β_steps = 1.

    Args:
        steps: how many after the first.
        schedule: ``sigmoid``: close together at both ends; ``geometric``: at 0 alone, each
            temperature the same multiple of the one before; ``linear``.

    >>> [round(beta, 3) for beta in temperatures(4)], temperatures(2, "linear")
    ([0.0, 0.105, 0.5, 0.895, 1.0], [0.0, 0.5, 1.0])
    """
    if schedule == "linear":
        return [t / steps for t in range(steps + 1)]
    if schedule == "geometric":
        last = max(steps - 1, 1)
        return [0.0, *(_COLDEST ** (1 - t / last) for t in range(steps - 1)), 1.0]
    if schedule != "sigmoid":
        raise LowerboundError(
            f"schedule: expected sigmoid, geometric or linear, came {schedule!r}; pass one of them"
        )
    raw = [1 / (1 + math.exp(-_STEEPNESS * (2 * t / steps - 1))) for t in range(steps + 1)]
    inner = [(each - raw[0]) / (raw[-1] - raw[0]) for each in raw[1:-1]]
    return [0.0, *inner, 1.0]


def log_likelihood(model: Any, z: Tensor, x: Tensor, *context: Tensor) -> Tensor:
    """log p(x|z,c), ``(M, B)``, of codes ``(M, B, *latent)``."""
    return model.decode(z, *context).log_prob(x)


@functools.cache
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(log_likelihood, fullgraph=True, dynamic=False)


class Path:
    """log f_β(z) = log p_0(z) + β [log p(z) + log p(x|z) − log p_0(z)].

    Two terms, the base log p_0 and the excess in brackets, with weights ``(1, β)``. Where p_0 is
    the prior, the excess is log p(x|z).

    Args:
        model: has ``prior`` and ``decode``; ``encode``, to start at the posterior.
        x: prepared data, ``(B, *event)``.
        context: ``(B, ...)`` each.
        start: p_0: the prior p(z|c), or the posterior q(z|x,c).
        compile: whether to compile log p(x|z) and its gradient; where that fails it is left.
    """

    def __init__(
        self,
        model: Any,
        x: Tensor,
        context: Sequence[Tensor],
        start: Start = "prior",
        compile: bool = False,
    ) -> None:
        self.model, self.x, self.context = model, x, tuple(context)
        self.compile = compile
        self.q: Distribution | None = None
        if start == "posterior":
            with torch.no_grad():
                self.q = model.encode(x, *context)

    def __call__(self, z: Tensor) -> Point:
        """Terms and gradients at codes ``(M, B, *latent)``."""
        # Contiguous: compiled code is specialised on strides.
        z = z.detach().contiguous().requires_grad_()
        with torch.enable_grad():
            excess = self._log_likelihood(z)
            base = self.model.prior(*self.context).log_prob(z)
            if self.q is not None:
                joint, base = base + excess, self.q.log_prob(z)
                excess = joint - base
            slopes = [
                torch.autograd.grad(term.sum(), z, retain_graph=place == 0, materialize_grads=True)[
                    0
                ]
                for place, term in enumerate((base, excess))
            ]
        return Point(z.detach(), torch.stack((base, excess)).detach(), torch.stack(slopes))

    def _log_likelihood(self, z: Tensor) -> Tensor:
        if self.compile:
            try:
                return _compiled()(self.model, z, self.x, *self.context)
            except Exception:  # whatever the compiler raises, the eager way is right
                self.compile = False
        return log_likelihood(self.model, z, self.x, *self.context)

    def draw(self, chains: int) -> Tensor:
        """Codes of p_0, ``(chains, B, *latent)``, from torch's generators."""
        with torch.no_grad():
            p = self.model.prior(*self.context) if self.q is None else self.q
            return p.sample((chains,) if p.batch_shape else (chains, len(self.x)))


def refuse(model: Any, x: Tensor, *context: Tensor, start: Start = "prior") -> None:
    """Refuse a model that cannot be annealed.

    Args:
        model: any.
        x: prepared data, ``(N, *event)``; one example is asked.
        context: ``(N, ...)`` each.
        start: where the path is to begin.

    Raises:
        LowerboundError: it has no prior or decoder, no likelihood, or codes that do not fill all
            of R^n, where Hamilton's equations hold.
    """
    name = type(model).__name__
    if start not in ("prior", "posterior"):
        raise LowerboundError(
            f"start: expected prior or posterior, came {start!r}; pass one of them"
        )
    if getattr(model, "bijective", False):
        raise LowerboundError(
            f"{name} has no codes to integrate out: its log p(x) is exact; evaluate without --ais"
        )
    needed = {"prior": "prior", "decode": "decoder"}
    needed |= {"encode": "posterior"} if start == "posterior" else {}
    for part, called in needed.items():
        if not hasattr(model, part):
            hint = {"prior": "fit one: --recipe two-stage --base RUN", "encode": "start at prior"}
            raise LowerboundError(
                f"annealed importance sampling needs a {called}, {name} has none; "
                + hint.get(part, "measure another model")
            )
    if getattr(model, "no_likelihood", None):
        raise LowerboundError(
            f"{name} has no likelihood ({model.no_likelihood}): expected a declared observation "
            "noise; pass --noise-std, say 0.1, in the units of x"
        )
    here, *c = (t[:1] for t in (x, *context))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        asked = {"prior": model.prior(*c)}
        if start == "posterior":
            asked["posterior"] = model.encode(here, *c)
    for role, distribution in asked.items():
        found = where_codes_live(distribution)
        if found is not None:
            raise LowerboundError(
                f"annealed importance sampling moves codes in all of R^n, those of {name}'s {role} "
                f"are {found}; evaluate without --ais"
            )
