"""The library's own training, a few steps at a time: the same phases, order, noise and Adam as in a
run, without its folder. What the lab shows after n steps is what `lowerbound.train` has then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import torch

from ...data import Data, load
from ...options import trained_with
from ...recipes import RECIPES, Built
from ...training.engine import Processes
from ...training.events import Progress
from ...training.options import resolve
from ...training.phase import ClosedForm, Phase
from ...training.schedules import ramp
from ...training.solve import solve
from ...training.stepper import Stepper
from .setup import (
    DATA_OPTIONS,
    KINDS,
    WARM_UP,
    Live,
    Setup,
    recipe_options,
    training_options,
)

_ENDLESS = 10**9  # steps
_SLICE = 0.015  # seconds that the lock is held at a time
_BREATH = 0.0005  # seconds between, for those who wait


class Trainer:
    """A model on its way.

    Args:
        setup: what is trained on what.
        live: what may change meanwhile; read at every step.
        lock: held while random numbers, which are the process's own, are drawn.

    Attributes:
        model: as it stands.
        data: points that train, and held-out ones.
        step: steps done; of a mixture M steps.
        done: whether there is nothing more to do.

    Raises:
        LowerboundError: choices that do not fit each other.
    """

    def __init__(self, setup: Setup, live: Live, lock: AbstractContextManager[Any]) -> None:
        self.setup, self.live, self.lock = setup, live, lock
        self.step, self.done = 0, False
        kind = KINDS[setup.model]
        function = RECIPES[kind.recipe]
        options = recipe_options(setup, live)
        wanted = getattr(function, "prepared_for", None) or options.get("likelihood", "auto")
        with self.alone():
            self.data: Data = load(setup.arrays(), likelihood=wanted, **DATA_OPTIONS)
            torch.manual_seed(setup.seed)
            self.built = Built(*function(self.data.spec, **options))
        given = {**trained_with(function), **training_options(setup, live, _ENDLESS)}
        self.options = resolve({**given, "accelerator": "cpu"})
        self.model: Any = self.built.model
        self._begin()

    def advance(self, steps: int, stop: Callable[[], bool] = lambda: False) -> None:
        """So many steps, or fewer if it is done.

        Args:
            steps: how many.
            stop: asked every now and then; True leaves the rest.
        """
        left = steps
        while left > 0 and not self.done and not stop():
            with self.alone():
                end = time.perf_counter() + _SLICE
                while left > 0 and not self.done and time.perf_counter() < end:
                    self._once()
                    left -= 1
            time.sleep(_BREATH)

    def told(self) -> dict[str, float]:
        """Means of what the steps since the last call have told, by the names of the library."""
        raise NotImplementedError

    def looking(self) -> AbstractContextManager[Any]:
        """The model in evaluation mode, with the weights that a run would ship."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """The lock, and the process's random state as it was afterwards."""
        with self.lock, torch.random.fork_rng(devices=[]):
            yield

    def _begin(self) -> None:
        raise NotImplementedError

    def _once(self) -> None:
        raise NotImplementedError


class Descent(Trainer):
    """Phases, by gradients."""

    def _begin(self) -> None:
        phases = [phase for phase in self.built.phases if isinstance(phase, Phase)]
        self._players = {phase.name: phase for phase in phases}
        if self.setup.model == "vae":
            self._players["elbo"].scheduled["beta"] = self._beta
        with self.alone():
            self.stepper = Stepper(self.model, phases, self.data, self.options, None, Processes())
            self.stepper.rate = lambda clock: self.live.learning_rate
            source, index, side = self.stepper.first_batch()
            with self.stepper.state.untouched():
                numbers = self.stepper.scheduled(self.stepper.clock())
                for step, scheduled in zip(self.stepper.steps, numbers, strict=True):
                    step.probe(source, index, side, scheduled)

    def _beta(self, clock: Any) -> float:
        """β as it is now; where σ is learned it rises at first: else codes are given up before σ
        is small enough for them to pay."""
        if self.setup.sigma:
            return self.live.beta
        return ramp(0.0, self.live.beta, steps=WARM_UP)(clock)

    def _once(self) -> None:
        judge = self._players.get("discriminator") or self._players.get("critic")
        if judge is not None:
            judge.learning_rate = self.live.rate
        if "generator" in self._players:
            self._players["generator"].every = self.live.repeats
        self.stepper.advance()
        self.stepper.state.step += 1
        self.step += 1

    def told(self) -> dict[str, float]:
        """See `Trainer`."""
        return self.stepper.collect()

    def looking(self) -> AbstractContextManager[Any]:
        """See `Trainer`."""
        return self.stepper.state.shipped_weights()

    def close(self) -> None:
        """See `Trainer`."""
        self.stepper.batches.close()


class Expectation(Trainer):
    """A mixture, by EM; an iteration is a step."""

    def _begin(self) -> None:
        phase = self.built.phases[0]
        assert isinstance(phase, ClosedForm)
        self._events: Any = solve(self.model, phase, self.data, self.options, None, lambda: False)
        self._values: dict[str, float] = {}
        with self.alone():
            self._next()  # the start, before any M step

    def _once(self) -> None:
        self._next()
        self.step += not self.done

    def _next(self) -> None:
        # Between its iterations `solve` leaves gradients switched off: not for the rest of us.
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            for event in self._events:
                if isinstance(event, Progress):
                    self._values = event.values
                    return
        self.done = True

    def told(self) -> dict[str, float]:
        """See `Trainer`."""
        return dict(self._values)

    def looking(self) -> AbstractContextManager[Any]:
        """See `Trainer`."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """See `Trainer`."""
        self._events.close()


def make(setup: Setup, live: Live, lock: AbstractContextManager[Any]) -> Trainer:
    """The trainer that suits the model."""
    return (Expectation if setup.model == "gmm" else Descent)(setup, live, lock)
