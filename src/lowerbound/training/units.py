"""Reported values in the units of the stored data, as evaluation reports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from lowerbound.data import DataSpec, Split

_RISES = ("bound", "iwae", "log_likelihood")
_EXAMPLES, _ROWS = 10_000, 500  # that are looked at, and together


def without_phase(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name without that of their phase; of a name that several have, the first phase's.

    >>> without_phase({"vae/loss": 3.0, "critic/loss": 0.7, "step": 5})
    {'loss': 3.0, 'step': 5}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        found.setdefault(name.rpartition("/")[2], value)
    return found


def for_curves(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without their phase, and where several phases have a loss each of those by its name.

    >>> for_curves({"critic/loss": 0.7, "generator/loss": 1.2, "step": 5})
    {'loss': 0.7, 'step': 5, 'critic loss': 0.7, 'generator loss': 1.2}
    """
    losses = [name for name in values if name.endswith("/loss")]
    players = losses if len(losses) > 1 else []
    return without_phase(values) | {name.replace("/", " "): values[name] for name in players}


def in_stored_units(
    values: Mapping[str, float], log_jacobian: float, likelihood: bool = True
) -> dict[str, float]:
    """Nats of x to nats of the stored values: log p(v) = log p(x) + log |dx/dv|.

    The objective keeps the units of x, where gradients do not care; what is told must not depend on
    them, or a standardized table would look better than the same table as it is.

    Args:
        values: means by name; the part after the last "/" says what they are.
        log_jacobian: of the data (:func:`known_log_jacobian`), nats per example.
        likelihood: whether the model has one; if not, what would claim to be one is left out.

    >>> in_stored_units({"loss": 3.0, "bound": -3.0, "distortion": 2.0, "rate": 1.0}, -10.0)
    {'loss': 13.0, 'bound': -13.0, 'distortion': 12.0, 'rate': 1.0}
    >>> in_stored_units({"vae/loss": 3.0, "vae/bound": -3.0, "critic/loss": 0.7}, -10.0)
    {'vae/loss': 13.0, 'vae/bound': -13.0, 'critic/loss': 0.7}
    >>> in_stored_units({"loss": 3.0, "bound": -12.0, "steps": 4.0}, -10.0)
    {'loss': 5.5, 'bound': -22.0, 'steps': 4.0}
    >>> in_stored_units({"loss": 3.0, "bound": -3.0, "rate": 1.0}, 0.0, likelihood=False)
    {'loss': 3.0, 'rate': 1.0}
    """
    # Of each phase: an auxiliary one, a discriminator's say, has a loss that is no bound on log p.
    bounded = {n.rpartition("/")[0] for n in values if n.rpartition("/")[2] in _RISES}
    told: dict[str, float] = {}
    for name, value in values.items():
        phase, _, kind = name.rpartition("/")
        if kind in (*_RISES, "distortion") and not likelihood:
            continue
        if kind in _RISES:
            value += log_jacobian
        elif kind == "distortion":
            value -= log_jacobian
        elif kind == "loss" and phase in bounded and likelihood:
            # Of a sequence it is that of a step, the mean over those that there are.
            value -= log_jacobian / values.get(name.removesuffix("loss") + "steps", 1.0)
        told[name] = value
    return told


def known_log_jacobian(spec: DataSpec, split: Split, rows: Tensor | None = None) -> float:
    """log |dx/dv| of the numbers of an example that are known: the mean over examples, nats.

    What is missing in a sequence, its steps after the end of a shorter one above all, has no
    likelihood, and no units either.

    Args:
        spec: of the data.
        split: examples.
        rows: positions of those that are meant; None: all, of many evenly spaced ones.
    """
    if spec.kind != "sequence" or spec.log_jacobian == 0.0:
        return spec.log_jacobian
    import torch

    if rows is None:
        rows = torch.linspace(0, len(split) - 1, min(_EXAMPLES, len(split)), dtype=torch.float64)
        rows = rows.round().long()
    known = torch.zeros(spec.event_shape, dtype=torch.float64)
    for some in rows.split(_ROWS):
        known += (~split.stored(some).isnan()).sum(0)
    if bool((known == len(rows)).all()):
        return spec.log_jacobian
    return float((known / len(rows) * torch.from_numpy(spec.log_jacobians)).sum())
