"""How held-out sequences may go on; `Forecast` of ``studio/src/latent.ts``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...forecasting import Forecasted
from ...forecasting import forecast as roll
from ...runs import Run
from .. import shown
from ..asked import Asked, Studio, path_of, route

Array = NDArray[Any]

_HORIZON, _SAMPLES = 1000, 200  # at most, of one request
_FILMS = 4  # draws of clips that are shown


def forecast(studio: Studio, asked: Asked) -> Any:
    """Mean, interval and paths of vectors; of frames the clip and some draws."""
    run, found = forecasted(studio, asked)
    past, truth = found.past[0], found.truth[0]
    told: dict[str, Any] = {"at": len(past), "horizon": found.mean.shape[1], "level": found.level}
    if past.ndim > 2:
        whole = [np.concatenate([past, draw]) for draw in found.draws[:_FILMS, 0]]
        data = shown.datum(run.spec, np.concatenate([past, truth]))
        return {**told, "films": {"data": data, "draws": shown.data(run.spec, np.stack(whole))}}
    series = {
        "past": past, "truth": truth, "mean": found.mean[0], "low": found.low[0],
        "high": found.high[0],
    }  # fmt: skip
    steps = {name: [shown.numbers(row) for row in values] for name, values in series.items()}
    draws = [[shown.numbers(row) for row in each] for each in found.draws[:, 0]]
    return {**told, "series": {"names": list(found.columns), **steps, "draws": draws}}


def forecasted(studio: Studio, asked: Asked) -> tuple[Run, Forecasted]:
    """A forecast of one sequence."""
    path = path_of(studio, asked)
    with studio.models.lock:
        run = studio.models.get(path).run
        return run, roll(
            run,
            asked.whole("number", 0, low=0, high=max(0, len(run.data().test) - 1)),
            at=asked.whole("at", low=1, high=run.spec.event_shape[0]),
            horizon=asked.whole("horizon", 50, low=1, high=_HORIZON),
            samples=asked.whole("samples", 20, low=2, high=_SAMPLES),
            seed=asked.whole("seed", 0),
        )


ROUTES = [route("POST", "run/{run}/forecast", forecast)]
