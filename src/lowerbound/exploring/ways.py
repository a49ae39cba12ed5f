"""The two ways between data and codes of a run; arrays come in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import conditioning
from ..conditioning import Given
from ..latent.space import check_codes, space_of
from ..runs import Run
from .examples import centre_of, open_model, stored, take_all

Array = NDArray[Any]


def codes_of(run: str | Path | Run, examples: Sequence[Any], *, given: Given = None) -> Array:
    """Codes of examples: the posterior's means, ``(N, latent)``.

    Args:
        run: a run or its folder.
        examples: whatever :func:`~lowerbound.exploring.take` takes.
        given: of a conditional run, the condition; None takes those of held-out examples.
    """
    run, model = open_model(run)
    drawn = all(str(each).startswith("prior") for each in examples)
    space = space_of(model, "codes", vectors=True, encoder=not drawn, centre=centre_of(run))
    return take_all(run, examples, space, given)[1]


def decode_codes(run: str | Path | Run, codes: Any, *, given: Given = None) -> Array:
    """What codes decode to: the likelihood's mean at each, ``(N, *event)``.

    Args:
        run: a run or its folder.
        codes: ``(N, latent)``; of indices (a VQ-VAE's) the vectors behind them.
        given: of a conditional run, the condition of all of them; None takes one from the data.

    Raises:
        LowerboundError: codes of another width, or a model that decodes none.
    """
    run, model = open_model(run)
    space = space_of(model, "decode", vectors=True, encoder=False, centre=centre_of(run))
    rows = check_codes(np.asarray(codes, np.float64), space, "decode")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for decoders that draw
        context = conditioning.contexts_for(run, 1, given, 0)
        return stored(run, space.decode(rows, *context))
