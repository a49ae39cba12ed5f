"""Annealing as a part of an evaluation: what is asked for, and the numbers with their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..arithmetic import binarized, bits_per_dim, mean_and_error
from ..conditional import counted
from ..effort import affordable_chains
from ..rows import of_what
from ..sections import Annealing, Bracket
from .ais import Anneal, anneal
from .bdmc import sandwich
from .observation import Noisy
from .path import refuse
from .store import Store

if TYPE_CHECKING:
    from ...data import DataSpec

_MOST_SIMULATED = 100


@dataclass(frozen=True)
class Ask:
    """What is to be annealed.

    Attributes:
        settings: temperatures, chains, moves.
        examples: the first so many; None: as many as are affordable
            (:func:`~lowerbound.evaluation.effort.affordable_chains`).
        bracket: whether to bound log p of simulated data from both sides, too.
        noise_std: a declared observation noise, in units of x, in place of the model's likelihood.
        store: keeps what is done.
    """

    settings: Anneal = field(default_factory=Anneal)
    examples: int | None = None
    bracket: bool = False
    noise_std: float | None = None
    store: Store | None = None

    def model(self, model: Any, spec: DataSpec) -> Any:
        """The model whose log p(x) is measured."""
        return model if self.noise_std is None else Noisy(model, spec, self.noise_std)

    def refuse(self, model: Any, spec: DataSpec, x: Tensor, *context: Tensor) -> None:
        """Refuse what cannot be annealed, before anything is measured.

        Raises:
            LowerboundError: see :func:`~lowerbound.evaluation.annealing.refuse`.
        """
        from ..decoding import batch, evaluating

        refuse_bare(model)
        found = self.model(model, spec)
        with evaluating(found):
            refuse(found, *batch(found, slice(1), x, *context), start=self.settings.start)


def refuse_bare(model: Any) -> None:
    """Refuse what has no prior or no decoder, before a noise is put around it."""
    from ...errors import LowerboundError

    for part, called in (("prior", "prior"), ("decode", "decoder")):
        if not hasattr(model, part):
            raise LowerboundError(
                f"annealed importance sampling needs a {called}, {type(model).__name__} has none; "
                "measure another model"
                + (", or fit one to its codes: --recipe two-stage" if part == "prior" else "")
            )


def annealed(
    model: Any,
    spec: DataSpec,
    x: Tensor,
    *context: Tensor,
    ask: Ask,
    values: Tensor | None = None,
    kind: str = "",
    given: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Annealing:
    """Anneal held-out data, and simulated data if that is asked for.

    Args:
        model: has ``prior`` and ``decode``.
        spec: of the data.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        ask: what is to be done.
        values: log p(x) of the stored values as it was found otherwise, ``(N,)``, or None.
        kind: of these, in words.
        given: what a conditional model is given.
        progress: called with (examples done, examples in all).
    """
    how, measured = ask.settings, ask.model(model, spec)
    count = ask.examples
    if count is None:
        moves = float(how.chains * how.steps * how.leaps)
        count = affordable_chains(measured, x, moves, context=context)
    count = min(count, len(x))
    x, context = x[:count], tuple(c[:count] for c in context)
    # Of these examples: where parts are missing, each may count as many numbers as it likes.
    shift, dimensions = counted(model, spec, *context)
    effort = f"{how.steps:,} temperatures, {how.chains:,} chains for each example"
    stage(progress, f"annealing, {effort}")
    found = anneal(measured, x, *context, settings=how, store=ask.store, progress=progress)
    value, error = mean_and_error(found.values + shift)
    settings: dict[str, Any] = {**asdict(how), "noise_std": ask.noise_std, "observation": None}
    note = _note(ask, spec)
    if isinstance(measured, Noisy):
        settings["observation"] = measured.said()
    bracket = None
    if ask.bracket:
        stage(progress, f"bracketing, on simulated data, to and fro, {effort}")
        many = min(count, _MOST_SIMULATED)
        both = sandwich(
            measured,
            many,
            *(c[:many] for c in context),
            settings=how,
            store=ask.store,
            progress=progress,
        )
        moved = shift[:many] if isinstance(shift, Tensor) else shift
        lower, upper = ((each + moved).mean() for each in (both.lower, both.upper))
        bracket = Bracket(float(lower), float(upper), *mean_and_error(both.gap), many)
    from ..result import Likelihood

    return Annealing(
        Likelihood(
            value,
            "estimate",
            of_what(note, given) + (f"; {measured.said()}" if isinstance(measured, Noisy) else ""),
            how.chains,
            float(found.ess.mean()),
            error,
            bits_per_dim(value, dimensions),
            ess_min=float(found.ess.min()),
            ess_p5=float(found.ess.quantile(0.05)),
        ),
        count,
        float(found.acceptance.mean()),
        settings,
        None if values is None or ask.noise_std is not None else float(values[:count].mean()),
        None if values is None or ask.noise_std is not None else kind,
        bracket,
    )


def stage(progress: Any, text: str) -> None:
    """Tell a progress that can be told what is being done now."""
    tell = getattr(progress, "stage", None)
    if tell is not None:
        tell(text)


def _note(ask: Ask, spec: DataSpec) -> str:
    """What the number is, in words that can stand beside it in a paper."""
    how = ask.settings
    dequantized = spec.dequantize == "uniform"
    target = "the discrete log P(x)" if dequantized else "log p(x)"
    note = (
        f"annealed importance sampling from the {how.start}, {how.steps:,} temperatures, "
        f"{how.chains:,} chains{' of the dequantized density' if dequantized else ''}; in "
        f"expectation a lower bound on {target}"
    )
    return note + binarized(spec)
