"""What is looked at while a model trains, beside its objective: modes that its samples cover."""

from __future__ import annotations

from typing import Any

import torch

from .data import Data, Prepare
from .drawing import new_data
from .errors import LowerboundError
from .evaluation.samples.known import Normals, known_modes
from .training.fit import Watch

_DRAWS = 2500


def watch(data: Data) -> Watch | None:
    """What tells of a model of these data; None where the modes of the data are not known.

    Args:
        data: loaded by name, such as ``eight``.

    Returns:
        A function of the model, which gives ``modes``, how many have samples, and ``in_modes``, the
        share of samples that belong to one. Nothing of a conditional model, whose samples are not
        of all modes. What it draws is always the same, and leaves the process's chances as they
        were.
    """
    known = known_modes(data)
    if not isinstance(known, Normals):  # of stacked digits a classifier would have to be trained
        return None
    prepare = Prepare(data.spec)

    @torch.no_grad()
    def found(model: Any) -> dict[str, float]:
        samples = hasattr(model, "sample") or hasattr(model, "decode")
        if not samples or getattr(model, "condition", None) is not None:
            return {}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            try:
                x = new_data(model, data.spec, _DRAWS, values="draw")
            except LowerboundError:  # it has no codes to draw
                return {}
        told = known.covered(prepare.restore(x.cpu().float()).numpy())
        return {"modes": float(told.covered), "in_modes": told.good.value}

    return found
