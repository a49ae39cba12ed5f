"""What a diagnosis looks at: the run's own files, and a quick measurement of a few examples."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import held_out
from ..errors import LowerboundError
from ..evaluation import LogLikelihood, estimate_log_likelihood, held_out_contexts
from ..evaluation.codes import Codes, encode_all
from ..evaluation.conditional import counted
from ..evaluation.decoding import evaluating
from ..evaluation.effort import affordable
from ..training.phase import Phase
from ..training.schedules import Clock
from ..training.units import in_stored_units, known_log_jacobian, without_phase

if TYPE_CHECKING:
    from ..data import Split
    from ..runs import Run

Array = NDArray[np.float64]

#: Examples of each split that are measured at most, and operations of one measurement: seconds.
EXAMPLES, OPERATIONS = 500, 2e11
_SAMPLES = 50


class Curve(NamedTuple):
    """A learning curve: what is minimised, nats.

    Attributes:
        steps: of the reports.
        clock: the sum of the learning rates up to there.
        values: nats, less is better.
        name: of the quantity, as ``metrics.jsonl`` has it.
        split: of the data.
    """

    steps: Array
    clock: Array
    values: Array
    name: str
    split: str


class Evidence:
    """What is known of a run. All of it is found when it is first asked for.

    Args:
        run: opened.
        seed: of the choice of examples and of all noise.
    """

    def __init__(self, run: Run, seed: int = 0) -> None:
        self.run, self.info, self.seed = run, run.info, seed
        self.spec = run.spec
        self.metrics = run.metrics()
        #: Told of what was measured, whatever came of it: (name, value).
        self.measured: dict[str, str] = {}

    # What is written in the run

    @property
    def recipe(self) -> Any:
        """Of the library's own its name, else the function, or None where it is not known."""
        return self.run.recipe

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the recipe."""
        return self.info["arguments"]

    @property
    def training(self) -> dict[str, Any]:
        """Training options."""
        return self.info["training"]

    @property
    def status(self) -> dict[str, Any]:
        """How training ended: reason, step, and the error if there was one."""
        return self.info["status"]

    @property
    def solved(self) -> bool:
        """Whether the model was solved, not trained: its curve is no descent."""
        return self.status.get("reason") == "solved" or not any(
            "learning_rate" in line for line in self.metrics
        )

    @cached_property
    def model(self) -> Any:
        """The trained model; None where there is none to be had (`missing` says why)."""
        try:
            return self.run.model
        except LowerboundError as error:
            self.missing = str(error)
            return None

    missing: str = ""

    @cached_property
    def scheduled(self) -> bool:
        """Whether the objective changes in the course of the run, so that its loss may rise."""
        phases = self.run.built.phases
        return any(getattr(phase, "scheduled", None) for phase in phases)

    @cached_property
    def players(self) -> int:
        """Phases that descend on something of their own."""
        return len(self.run.built.phases)

    def curve(self, split: str, of: str | None = None) -> Curve | None:
        """What the run minimised, as it was reported.

        The loss of its only phase; −bound where the objective itself changes. Adversaries have no
        such curve, for each one's loss is the other's gain.

        Args:
            split: ``"train"``, or ``"held out"`` for validation or test, whichever was looked at.
            of: another quantity that was reported, ``"bound"``.
        """
        lines = [line for line in self.metrics if ("learning_rate" in line) == (split == "train")]
        rates = [
            (line["step"], line["learning_rate"])
            for line in self.metrics
            if line.get("learning_rate") is not None
        ]
        if not lines or not rates:
            return None
        told = [without_phase(line) for line in lines]
        wanted = self._wanted() if of is None else (of,)
        name = next((n for n in wanted if n in told[0]), None)
        if name is None:
            return None
        rows = [(line["step"], line[name]) for line in told if line.get(name) is not None]
        steps, values = (np.array(column, float) for column in zip(*rows, strict=True))
        at, rate = (np.array(column, float) for column in zip(*rates, strict=True))
        travelled = np.cumsum(rate * np.diff(at, prepend=0.0))
        clock = np.interp(steps, np.concatenate([[0.0], at]), np.concatenate([[0.0], travelled]))
        sign = 1.0 if name == "loss" else -1.0
        where = str(lines[0].get("split", split))
        return Curve(steps, clock, sign * values, name, where)

    def _wanted(self) -> tuple[str, ...]:
        bounds = ("log_likelihood", "iwae", "bound")
        return bounds if self.scheduled or self.players > 1 else ("loss",)

    @cached_property
    def _untrained(self) -> tuple[float, float] | None:
        """What `curve` would have reported before the first step: mean and standard error."""
        from ..recipes import RECIPES, Built

        named = self.run.recipe
        if named not in RECIPES or self.info.get("own"):
            return None
        try:
            spec, x = self.run.data().spec, self.x("train")
            context = self.context("train")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.training["seed"])
                built = Built(*RECIPES[str(named)](spec, **self.arguments))
                phase = built.phases[0]
                if len(built.phases) > 1 or not isinstance(phase, Phase):
                    return None
                beginning = Clock(0, 0.0, 0.0)
                numbers = {n: torch.tensor(s(beginning)) for n, s in phase.scheduled.items()}
                with torch.no_grad():
                    terms = [
                        phase.objective(
                            built.model, part, *(c[i : i + 64] for c in context), **numbers
                        )
                        for i, part in zip(range(0, len(x), 64), x.split(64), strict=True)
                    ]
        except LowerboundError:
            return None
        likelihood = getattr(built.model, "no_likelihood", None) is None
        rows = [
            in_stored_units(
                {"loss": float(t.loss), **{n: float(p.mean()) for n, p in t.parts.items()}},
                known_log_jacobian(spec, self.run.data().train),
                likelihood,
            )
            for t in terms
        ]
        name = next((n for n in self._wanted() if n in rows[0]), None)
        if name is None:
            return None
        values = np.array([row[name] for row in rows]) * (1.0 if name == "loss" else -1.0)
        error = float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        return float(values.mean()), error

    @property
    def start(self) -> float | None:
        """What `curve` would have reported before the first step, nats; None where it cannot be
        made again (a model of one's own, data that are gone)."""
        return None if self._untrained is None else self._untrained[0]

    @property
    def start_error(self) -> float:
        """Standard error of `start` over batches of examples."""
        return 0.0 if self._untrained is None else self._untrained[1]

    # What is measured

    @cached_property
    def _examples(self) -> dict[str, tuple[Tensor, tuple[Tensor, ...]]]:
        data = self.run.data()
        found = {}
        for name, split in (("train", data.train), ("test", data.test)):
            found[name] = self._some(split)
        return found

    def _some(self, split: Split) -> tuple[Tensor, tuple[Tensor, ...]]:
        count = len(split)
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(count, generator=generator)[:EXAMPLES]
        few = _Chosen(split, chosen)
        x = held_out(few, self.spec, self.seed)  # ty: ignore[invalid-argument-type]
        context = held_out_contexts(self.model, x, split, chosen, self.seed)
        return x, context

    def x(self, split: str) -> Tensor:
        """Prepared examples of ``train`` or ``test``, ``(N, *event)``."""
        return self._examples[split][0]

    def context(self, split: str) -> tuple[Tensor, ...]:
        """What they are conditioned on."""
        return self._examples[split][1]

    @property
    def probabilistic(self) -> bool:
        """Whether there are a prior, an encoder and a decoder to be asked, and no bijection."""
        return (
            self.model is not None
            and all(hasattr(self.model, name) for name in ("prior", "encode", "decode"))
            and not getattr(self.model, "bijective", False)
        )

    @property
    def has_likelihood(self) -> bool:
        """Whether log p(x) may be told."""
        return self.model is not None and getattr(self.model, "no_likelihood", None) is None

    @cached_property
    def codes(self) -> Codes:
        """Codes of the test examples."""
        x, context = self._examples["test"]
        return encode_all(self.model, x, *context, reconstruct=False)

    @property
    def exact(self) -> bool:
        """Whether the model knows log p(x) and its posterior: nothing is amortized."""
        return hasattr(self.model, "log_prob")

    @cached_property
    def log_likelihood(self) -> LogLikelihood:
        """Of the test examples, by importance sampling, units of x; a few samples each."""
        x, context = self._examples["test"]
        samples, examples = affordable(self.model, x, OPERATIONS, context)
        return estimate_log_likelihood(
            self.model,
            x[:examples],
            *(c[:examples] for c in context),
            samples=min(samples, _SAMPLES),
            compile=False,
            seed=self.seed,
        )

    @cached_property
    def values(self) -> Tensor:
        """log p(x) of the test examples, nats of the stored values, ``(n,)``: exact if the model
        knows it, else as `log_likelihood` estimates it, which is a little below."""
        if self.exact:
            return self.exact_values("test")
        found = self.log_likelihood.values
        context = self._examples["test"][1]
        shift, _ = counted(self.model, self.spec, *(c[: len(found)] for c in context))
        return found + shift

    def exact_values(self, split: str) -> Tensor:
        """log p(x) of examples of a split by a model that knows it, nats of stored values."""
        x, context = self._examples[split]
        with evaluating(self.model), torch.no_grad():
            found = [
                self.model.log_prob(part, *(c[i * 256 : (i + 1) * 256] for c in context))
                for i, part in enumerate(x.split(256))
            ]
        shift, _ = counted(self.model, self.spec, *context)
        return torch.cat(found) + shift


class _Chosen:
    """Some examples of a split, as `held_out` reads them."""

    def __init__(self, split: Split, chosen: Tensor) -> None:
        self.split, self.chosen = split, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def stored(self, positions: Any) -> Tensor:
        """Stored values at positions among the chosen ones."""
        return self.split.stored(self.chosen[torch.as_tensor(positions)])
