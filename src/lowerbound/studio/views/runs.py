"""The list of runs, and what goes on with them."""

from __future__ import annotations

import threading
from typing import Any

from starlette.responses import FileResponse

from ...errors import LowerboundError
from ..asked import Asked, Studio, path_of, route
from ..jobs import Jobs
from ..snapshots import last_snapshot

_MAKING = threading.Lock()


def jobs_of(studio: Studio) -> Jobs:
    """The work that this studio has started."""
    with _MAKING:
        found = studio.parts.get("jobs")
        if found is None:
            found = studio.parts["jobs"] = Jobs(lambda: studio.folder.home)
        return found


def runs(studio: Studio, asked: Asked) -> Any:
    """All of them, each with what the studio does with it."""
    going = {job.path: job for job in jobs_of(studio).all() if job.running}
    found = studio.folder.told()
    for info in found:
        job = next((job for path, job in going.items() if str(path) == info["path"]), None)
        info["job"] = None if job is None else job.told()
        info["snapshot"] = last_snapshot(studio, info)
    return found


def jobs(studio: Studio, asked: Asked) -> Any:
    """All work, the newest first, and where new runs are made."""
    paths = {path: run for run, path in studio.folder.paths().items()}
    told = []
    for job in jobs_of(studio).all():
        run = None if job.path is None else paths.get(job.path)
        told.append({**job.told(), "run": run})
    return {"home": str(studio.folder.home), "jobs": told}


def job(studio: Studio, asked: Asked) -> Any:
    """One, with the last lines that it said."""
    found = jobs_of(studio).get(asked.text("job"))
    paths = {path: run for run, path in studio.folder.paths().items()}
    run = None if found.path is None else paths.get(found.path)
    return {**found.told(), "run": run, "said": found.said()[-40:]}


def stop(studio: Studio, asked: Asked) -> Any:
    """Ask for an end; what trains saves first."""
    return jobs_of(studio).stop(asked.text("job")).told()


def forget(studio: Studio, asked: Asked) -> Any:
    """Take one that has ended out of the list."""
    jobs_of(studio).forget(asked.text("job"))
    return {}


def delete(studio: Studio, asked: Asked) -> Any:
    """Move a run aside; the browser has to say its id twice."""
    run = asked.text("run")
    asked.text("confirm", among=(run,))
    if jobs_of(studio).at(path_of(studio, asked)) is not None:
        raise LowerboundError(f"something is being done with {run}; stop it first")
    return {"moved": str(studio.folder.delete(run))}


def picture(studio: Studio, asked: Asked) -> Any:
    """A file of a run's pictures."""
    return FileResponse(studio.folder.picture(asked.text("run"), asked.text("name")))


ROUTES = [
    route("GET", "runs", runs),
    route("GET", "jobs", jobs),
    route("GET", "job/{job}", job),
    route("POST", "job/{job}/stop", stop),
    route("POST", "job/{job}/forget", forget),
    route("POST", "run/{run}/delete", delete),
    route("GET", "run/{run}/picture/{name}", picture),
]
