"""FID, KID, precision, recall, density and coverage of 10,000 + 10,000 digits: time and memory.

Real images are MNIST's test split; the others stand in for samples: training images shifted by a
pixel. The first pass trains the classifier and computes the features of the reference; the second
finds both in the cache, as every later evaluation on these data does. Memory is what the process
holds at most, beyond what it held with the data loaded. All of `sample_quality` also measures as
many training images as a floor, and finds the two nearest of all training images for 1,000 samples
and 1,000 held-out images.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Time each and write docs/results/fid_speed.md."""
    found = options.parser(__doc__, "fid_speed")
    options.add_data(found)
    found.add_argument("--count", type=int, nargs="+", default=[2000, 10000])
    found.add_argument("--features", default="classifier")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    data = options.check_data(given.data)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # so that the first pass is a first one
        rows, versions = _measure(data, given)
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(["step", *(f"{count:,} + {count:,}, s" for count in given.count)], rows),
        f"Features: {given.features}.",
    ]
    write(
        "fid_speed",
        "Sample metrics: time and memory",
        "\n\n".join(text),
        machine=describe(**versions),
        command=command_line("fid_speed", argv),
        folder=given.out,
    )
    return 0


def _measure(path: Any, given: Any) -> tuple[list[list[Any]], dict[str, str]]:
    import numpy as np

    import lowerbound as lb
    from lowerbound.evaluation import samples
    from lowerbound.training.engine import versions

    limit: dict[str, Any] = {"limit": given.limit} if given.limit else {}
    data = lb.load(path, **limit)
    stored = data.train.all().numpy()
    columns: list[list[float]] = []
    names: list[str] = []
    before = _peak()

    def draw(n: int, seed: int) -> Any:
        chosen = np.random.default_rng(seed).integers(len(stored), size=n)
        return np.roll(stored[chosen], 1, axis=-1)

    for place, count in enumerate(given.count):
        times: dict[str, float] = {}

        def timed(name: str, function: Callable[[], Any], times: dict[str, float] = times) -> Any:
            began = time.perf_counter()
            made = function()
            times[name] = time.perf_counter() - began
            return made

        view = samples.View(data)
        network = timed("feature network made", lambda: samples.network(given.features, data))
        if place:  # it is in the cache by now
            times["feature network made"] = float("nan")
        rows = np.arange(min(count, len(data.test)))

        def reference(network: Any = network, rows: Any = rows, view: Any = view) -> Any:
            return network.of_split(view, data.test, rows, "test examples")

        timed("features of the reference", reference)
        real = timed("the same, from the cache", reference)
        x = view(draw(count, 0))
        fake = timed("features of the samples", lambda n=network, x=x: n.of(x))
        for name in ("frechet", "kid", "precision_recall", "density_coverage"):
            function = getattr(samples, name)
            timed(name, lambda f=function, a=real, b=fake: f(a, b))
        whole = timed(
            "all of `sample_quality`, features cached",
            lambda c=count: samples.sample_quality(draw, data, count=c, features=given.features),
        )
        times["memory at most, MiB more than the data"] = _peak() - before
        names = list(times)
        columns.append(list(times.values()))
        print(f"  {count:,}: {whole.fid}", flush=True)
    rows_ = [
        [name, *(None if np.isnan(column[i]) else float(column[i]) for column in columns)]
        for i, name in enumerate(names)
    ]
    return rows_, versions()


def _peak() -> float:
    """Most memory that this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
