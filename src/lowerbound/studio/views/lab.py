"""The lab: what there is to try, sessions, their pictures, and what is taken home."""

from __future__ import annotations

import io
from typing import Any

from starlette.responses import Response

from ..asked import Asked, Studio, route

_TAKEN = 5000  # samples in a file
_PREVIEW = 400  # points in a thumbnail


def _sessions(studio: Studio) -> Any:
    from ..lab.sessions import Sessions

    return studio.parts.setdefault("lab", Sessions(studio.models.lock))


def about(studio: Studio, asked: Asked) -> Any:
    """Densities, models and limits."""
    from ...data.planar import TOYS
    from ..lab.frames import pack
    from ..lab.setup import KINDS, LIMITS, LOSSES, Live, Setup

    return {
        "densities": {name: pack(toy().sample(_PREVIEW)) for name, toy in TOYS.items()},
        "models": {
            name: {
                "recipe": kind.recipe,
                "controls": kind.controls,
                "defaults": _plain({**vars(Setup()), **vars(Live()), **kind.defaults}),
            }
            for name, kind in KINDS.items()
        },
        "limits": LIMITS,
        "losses": LOSSES,
    }


def begin(studio: Studio, asked: Asked) -> Any:
    """A new session, which stands still; and what is told of it once."""
    from ..lab.setup import read

    before = asked.text("instead", None)
    setup, live = read(asked)
    if before is not None:
        _sessions(studio).end(before)
    return _sessions(studio).begin(setup, live).about


def frame(studio: Studio, asked: Asked) -> Any:
    """The next picture."""
    session = _sessions(studio).get(asked.text("session"))
    return session.frame(asked.whole("after", 0))


def live(studio: Studio, asked: Asked) -> Any:
    """Change what needs no new model, run or hold."""
    from ..lab.setup import change

    session = _sessions(studio).get(asked.text("session"))
    change(session.live, asked)
    running = asked.get("running", None)
    if running is not None:
        session.play(bool(running))
    return {}


def step(studio: Studio, asked: Asked) -> Any:
    """A few steps by hand."""
    session = _sessions(studio).get(asked.text("session"))
    session.advance(asked.whole("steps", 1, low=1, high=1000))
    return {}


def end(studio: Studio, asked: Asked) -> Any:
    """The page goes away."""
    _sessions(studio).end(asked.text("session"))
    return {}


def code(studio: Studio, asked: Asked) -> Any:
    """Python that does the same."""
    return {"code": _sessions(studio).get(asked.text("session")).code()}


def taken(studio: Studio, asked: Asked) -> Any:
    """Samples of the model, or the points of the density, as a file."""
    import numpy as np

    session = _sessions(studio).get(asked.text("session"))
    what = asked.text("what", among=("samples", "points"))
    kind = asked.text("kind", among=("npy", "csv"))
    values = session.samples(_TAKEN) if what == "samples" else session.points()
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, values)
        return Response(file.getvalue(), media_type="application/octet-stream")
    np.savetxt(file, values, "%.6g", ",", header="x,y", comments="")
    return Response(file.getvalue(), media_type="text/csv")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("strokes", "model")}


ROUTES = [
    route("GET", "lab", about),
    route("POST", "lab", begin),
    route("GET", "lab/{session}/frame", frame),
    route("POST", "lab/{session}/live", live),
    route("POST", "lab/{session}/step", step),
    route("POST", "lab/{session}/end", end),
    route("GET", "lab/{session}/code", code),
    route("GET", "lab/{session}/{what}.{kind}", taken),
]
