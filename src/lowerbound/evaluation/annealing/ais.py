"""Annealed importance sampling: log p(x) of any decoder, forwards from below, backwards from above.

Chains go from p_0 to p(z) p(x|z) through temperatures β_0 = 0 < … < β_T = 1; the weight of one is
the product of f_{β_t}(z) / f_{β_{t−1}}(z) along its way, whose expectation is p(x), so that the log
of their mean is in expectation a lower bound. From an exact code of x (which data drawn from the
model have) the same way backwards has weights whose *inverse* has the expectation 1 / p(x): an
upper bound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...errors import LowerboundError
from ..decoding import batch, evaluating, home
from ..likelihood import mixed, moved, own_noise, refuse_nan
from .adapt import ACCEPTANCE, CHAINS, adapted
from .hmc import Point, transition
from .path import Path, Schedule, Start, refuse, temperatures
from .store import EVERY, Store, fingerprint, weights_of

#: Called with (examples done, examples in all); the first may be a part of one.
Progress = Callable[[Any, int], None]

# Chains that move at once: enough for the calls not to matter, few enough to be kept often.
_MOST_ROWS = {"cpu": 4096, "other": 65_536}
# Numbers that the decoder puts out altogether above which compiling (half a minute at worst) pays:
# a minute and a half of a mixture of logistics on one core, of which it takes half away.
_PAYS_BACK = {"cpu": 4e8, "other": 4e10}
_PILOT, _MOVE, _DRAW = 1, 2, 3  # what noise is for, of its seed
_JITTER = 0.2  # steps are ±20 %, lest a length of path be a period of the motion


@dataclass(frozen=True)
class Anneal:
    """How to anneal.

    Attributes:
        steps: temperatures after the first, T.
        chains: for each datum, M.
        leaps: leapfrog steps of each move.
        schedule: of the temperatures: ``sigmoid``, ``geometric`` or ``linear``.
        start: p_0: the ``prior`` p(z), or the ``posterior`` q(z|x).
        acceptance: share of accepted moves that the step sizes are adapted to.
        seed: of all noise.
    """

    steps: int = 1000
    chains: int = 16
    leaps: int = 10
    schedule: Schedule = "sigmoid"
    start: Start = "prior"
    acceptance: float = ACCEPTANCE
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "chains", "leaps"):
            if getattr(self, name) < 1:
                raise LowerboundError(
                    f"{name}: expected at least 1, came {getattr(self, name)}; pass e.g. "
                    f"{getattr(Anneal, name)}"
                )
        temperatures(self.steps, self.schedule)


@dataclass(frozen=True)
class Annealed:
    """What :func:`anneal` returns, on the CPU, float64.

    Attributes:
        values: log p(x) of each datum, ``(N,)``, nats: in expectation below it, or above it where
            the chains went backwards.
        log_weights: of each chain, ``(M, N)``, nats.
        ess: effective sample size over the chains, ``(N,)``.
        acceptance: mean over temperatures and chains, ``(N,)``.
        settings: how it was done.
        backwards: whether the chains began at exact codes.
    """

    values: Tensor
    log_weights: Tensor
    ess: Tensor
    acceptance: Tensor
    settings: Anneal
    backwards: bool = False


def anneal(
    model: Any,
    x: Tensor,
    *context: Tensor,
    settings: Anneal | None = None,
    codes: Tensor | None = None,
    compile: bool | Literal["auto"] = "auto",
    store: Store | None = None,
    progress: Progress | None = None,
) -> Annealed:
    """Estimate log p(x|c) by annealed importance sampling with Hamiltonian moves.

    The noise follows from the seed and the datum's place in x; other data change nothing. The
    caller's random states are left as they were.

    Args:
        model: has ``prior(*c)`` and ``decode(z, *c)``, with codes in R^n. In evaluation mode
            meanwhile, in its own dtype, on its own device.
        x: prepared data, ``(N, *event)``.
        context: what the model is conditioned on, ``(N, ...)`` each.
        settings: temperatures, chains, moves.
        codes: exact draws of p(z|x,c), ``(N, *latent)``: the chains begin there and go backwards.
        compile: whether to compile the likelihood and its gradient; ``"auto"``: where it pays back
            within this call, judged from the sizes.
        store: keeps finished parts and the state of the one under way; what it has is not done
            anew.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: codes that are discrete or constrained, no likelihood, a shape that does
            not fit, or a density that is not a number.

    References:
        Neal 2001, Annealed importance sampling, Statistics and Computing 11;
        Wu, Burda, Salakhutdinov & Grosse 2017, On the quantitative analysis of decoder-based
        generative models, arXiv 1611.04273;
        Grosse, Ghahramani & Adams 2015, Sandwiching the marginal likelihood using bidirectional
        Monte Carlo, arXiv 1511.02543

    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 1, weight=torch.tensor([[2.0], [0.0], [0.0]])).double()
    >>> x = torch.tensor([[5.0, 1.0, 1.0]], dtype=torch.float64)
    >>> found = anneal(model, x, settings=Anneal(steps=100, chains=64))
    >>> bool((found.values - model.log_prob(x)).abs() < 0.1)
    True
    """
    how = settings or Anneal()
    event_shape = tuple(model.event_shape)
    if x.shape[1:] != event_shape or len(x) == 0:
        expected = ", ".join(["N", *map(str, event_shape)])
        raise LowerboundError(f"expected x of shape ({expected}), got {tuple(x.shape)}")
    device, dtype = home(model, x)
    size = _at_once(model, how.chains, device.type)
    numbers = float(how.steps * how.leaps * how.chains * len(x) * math.prod(event_shape))
    if compile == "auto":
        compile = numbers > _PAYS_BACK["cpu" if device.type == "cpu" else "other"]
    seal = weights_of(model) if store is not None else ""
    pieces: list[dict[str, Tensor]] = []
    with evaluating(model), own_noise(device):
        refuse(model, *batch(model, slice(1), x, *context), start=how.start)
        for block, start in enumerate(range(0, len(x), size)):
            valid = min(size, len(x) - start)
            index = torch.arange(start, start + valid)
            here, *c = batch(model, index, x, *context)
            begin = None if codes is None else moved(codes, index, device, dtype)
            name = fingerprint(
                [here, *c, begin], model=seal, block=block, compile=compile, **asdict(how)
            )
            done = store.get(name) if store is not None else None
            if done is None:
                # Compiled for one shape; what is left over at the end is not worth another.
                fast = compile and (valid == size or block == 0)
                run = _Block(model, here, c, how, block, size, fast)

                def told(share: float, start: int = start, valid: int = valid) -> None:
                    if progress is not None:
                        progress(start + share * valid, len(x))

                done = run(begin, store, f"{name}.part", told)
                if store is not None:
                    store.put(name, done)
                    store.drop(f"{name}.part")
            if codes is None:
                refuse_nan(done["log_weights"].sum(0), start)
            pieces.append(done)
            if progress is not None:
                progress(start + valid, len(x))
    log_weights = torch.cat([piece["log_weights"] for piece in pieces], 1)
    acceptance = torch.cat([piece["acceptance"] for piece in pieces])
    signed = log_weights if codes is None else -log_weights
    shares = signed.softmax(0)
    values = signed.logsumexp(0) - math.log(how.chains)
    return Annealed(
        values if codes is None else -values,
        log_weights,
        1 / shares.square().sum(0),
        acceptance,
        how,
        codes is not None,
    )


class _Block:
    """Some data, annealed together; the same noise whatever came before it."""

    def __init__(
        self,
        model: Any,
        x: Tensor,
        context: Sequence[Tensor],
        how: Anneal,
        block: int,
        size: int,
        compile: bool,
    ) -> None:
        self.model, self.x, self.context, self.how = model, x, context, how
        self.block, self.size = block, size
        self.device, self.dtype = home(model, x)
        self.latent = tuple(model.latent_shape)
        self.betas = temperatures(how.steps, how.schedule)
        self.path = Path(model, x, context, how.start, compile)

    def __call__(
        self,
        codes: Tensor | None,
        store: Store | None,
        name: str,
        told: Callable[[float], None],
    ) -> dict[str, Tensor]:
        """``log_weights`` (M, B) and ``acceptance`` (B,) of chains from p_0, or from exact codes
        backwards."""
        how, backwards = self.how, codes is not None
        state = store.get(name) if store is not None else None
        if state is None:
            steps = self._steps()
            many = None if codes is None else codes.expand(how.chains, *codes.shape)
            z = self._drawn(how.chains) if many is None else many
            point, begun = self.path(z), 0
            log_weights = torch.zeros(z.shape[:2], dtype=torch.float64, device=self.device)
            accepted = torch.zeros(len(self.x), dtype=torch.float64, device=self.device)
            if backwards:  # from one code to many: a move more, at β = 1
                point, _ = self._move(point, how.steps, steps, how.steps)
        else:
            state = {key: t.to(self.device) for key, t in state.items()}
            steps, log_weights, accepted = (state[k] for k in ("steps", "log_weights", "accepted"))
            point = Point(*(state[key] for key in Point._fields))
            begun = int(state["begun"])
        spoke = saved = time.monotonic()
        for k in range(begun, how.steps):
            t = how.steps - k if backwards else k + 1
            log_weights += (self.betas[t] - self.betas[t - 1]) * point.terms[1].double()
            if k < how.steps - 1:
                at = t - 1 if backwards else t
                point, chance = self._move(point, at, steps, k)
                accepted += chance.double().mean(0)
            now = time.monotonic()
            if store is not None and now - saved > EVERY:
                saved = now
                parts = {"steps": steps, "log_weights": log_weights, "accepted": accepted}
                store.put(name, {**parts, **point._asdict(), "begun": torch.tensor(k + 1)})
            if now - spoke > 0.2:
                spoke = now
                told((k + 1) / how.steps)
        acceptance = accepted / max(how.steps - 1, 1)
        return {"log_weights": log_weights.cpu(), "acceptance": acceptance.cpu()}

    def _steps(self) -> Tensor:
        """Step sizes, ``(T + 1, B)``."""
        chains = CHAINS
        return adapted(
            Path(
                self.model, self.x, self.context, self.how.start
            ),  # of another shape: not compiled
            self.betas,
            self.how.leaps,
            self._drawn(chains, _PILOT),
            lambda number: self._noise(_PILOT, number, chains),
            self.how.acceptance,
        )

    def _move(self, point: Point, at: int, steps: Tensor, number: int) -> tuple[Point, Tensor]:
        momentum, uniform, jitter = self._noise(_MOVE, number, self.how.chains)
        return transition(
            self.path,
            point,
            (1.0, self.betas[at]),
            steps[at] * jitter,
            momentum=momentum,
            uniform=uniform,
            leaps=self.how.leaps,
        )

    def _noise(self, purpose: int, number: int, chains: int) -> tuple[Tensor, Tensor, Tensor]:
        """Drawn for a full block, so that a datum's noise does not follow from how many follow."""
        generator = torch.Generator(self.device)
        generator.manual_seed(mixed(self.how.seed, self.block, purpose, number))
        kind: dict[str, Any] = {"generator": generator, "dtype": self.dtype, "device": self.device}
        momentum = torch.randn(chains, self.size, *self.latent, **kind)
        uniform, jitter = torch.rand(2, chains, self.size, **kind)
        valid = slice(len(self.x))
        return momentum[:, valid], uniform[:, valid], 1 + _JITTER * (2 * jitter[:, valid] - 1)

    def _drawn(self, chains: int, purpose: int = 0) -> Tensor:
        torch.manual_seed(mixed(self.how.seed, self.block, _DRAW, purpose))
        whole = self.path
        if len(self.x) < self.size:
            fill = torch.arange(self.size, device=self.device).clamp(max=len(self.x) - 1)
            x, *context = (t[fill] for t in (self.x, *self.context))
            whole = Path(self.model, x, context, self.how.start)
        return whole.draw(chains)[:, : len(self.x)].to(self.dtype)


def _at_once(model: Any, chains: int, device: str) -> int:
    """Data in a block: it follows from the model's sizes and the chains, not from the data."""
    event, code = math.prod(model.event_shape), math.prod(model.latent_shape)
    kind = "cpu" if device == "cpu" else "other"
    numbers = {"cpu": 2**20, "other": 2**25}[kind]
    rows = min(_MOST_ROWS[kind], max(1, numbers // max(event, code)))
    return max(1, rows // chains)
