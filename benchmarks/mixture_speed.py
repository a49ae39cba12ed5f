"""Milliseconds for one iteration of EM, and for a whole fit, beside scikit-learn.

The same data and, for an iteration, the same parameters to start from; in turns, with the same
number of threads. An iteration's time is that of several less that of one, so that what happens
before and after does not count; ours reads float32 batches of 4,096, scikit-learn has all
data as float64. A whole fit is what each does when it is asked for one: its own start, its own end.
Values are the mean log-likelihoods of the training data, in nats per example.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, median, ratio, spread, table, write

_KINDS = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}
_ROWS = 4096


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/mixture_speed.md."""
    found = options.parser(__doc__, "mixture_speed")
    found.add_argument("--rounds", type=int, default=7)
    found.add_argument("--examples", type=int, default=100_000)
    found.add_argument("--numbers", type=int, default=16, help="of an example")
    found.add_argument("--components", type=int, default=32)
    found.add_argument("--iterations", type=int, default=6, help="in a turn, at least 2")
    found.add_argument("--threads", type=int, default=2)
    given = found.parse_args(argv)
    import torch
    from sklearn import __version__ as their_version
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(given.threads)
    x = _data(given)
    with threadpool_limits(given.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge in a few iterations
        parts = [
            __doc__.partition("\n\n")[2].strip(),
            f"{given.examples:,} examples of {given.numbers} numbers from as many correlated "
            f"clusters as there are components, {given.components}; {given.threads} threads.",
            "## An iteration",
            _iterations(given, x),
            "## A whole fit",
            _fits(given, x),
        ]
    write(
        "mixture_speed",
        "Speed of Gaussian mixtures",
        "\n\n".join(parts),
        machine=describe(torch=str(torch.__version__), sklearn=their_version),
        command=command_line("mixture_speed", argv),
        folder=given.out,
    )
    return 0


def _data(given: argparse.Namespace) -> Any:
    import torch

    torch.manual_seed(0)
    centres = 2 * torch.randn(given.components, given.numbers)
    turns = 0.4 * torch.randn(given.components, given.numbers, given.numbers)
    own = torch.randint(given.components, (given.examples,))
    noise = torch.randn(given.examples, 1, given.numbers)
    parts = zip(noise.split(_ROWS), own.split(_ROWS), strict=True)
    return centres[own] + torch.cat([(n @ turns[k]).squeeze(1) for n, k in parts])


def _iterations(given: argparse.Namespace, x: Any) -> str:
    rows = []
    for kind in _KINDS:
        ours, theirs = _ours(given, kind, x), _theirs(given, kind, x)
        times: tuple[list[float], list[float]] = ([], [])
        values = (0.0, 0.0)
        for _ in range(given.rounds):
            first, ended = ours(), theirs()
            times[0].append(first[0])
            times[1].append(ended[0])
            values = first[1], ended[1]
        rows.append(
            [
                kind,
                *(f"{median(each):.1f}" for each in times),
                *(spread(each, 1) for each in times),
                f"{ratio(times[1], times[0]):.2f}",
                f"{values[0] - values[1]:+.1e}",
            ]
        )
    header = ["covariance", "ours, ms", "sklearn, ms", "ours, range", "sklearn, range"]
    text = f"Medians over {given.rounds} rounds; the ratio is the median within the rounds."
    columns = [*header, "× sklearn", "difference of values"]
    return "\n\n".join([table(columns, rows), text])


def _ours(given: argparse.Namespace, kind: str, x: Any) -> Callable[[], tuple[float, float]]:
    import torch

    from lowerbound.mixtures import GaussianMixture, em

    count, numbers = given.components, given.numbers
    model: Any = GaussianMixture((numbers,), count, kind).double()  # ty: ignore[invalid-argument-type]
    identity = torch.eye(numbers).expand(count, -1, -1)
    start = {"full": identity, "tied": identity[0]}.get(kind, torch.ones_like(model.scale))

    def turn() -> tuple[float, float]:
        model.set_(torch.ones(count), x[:count], start)
        limits: Any = {"tolerance": 0.0, "floor": 0.0, "max_iterations": given.iterations}
        steps = em(model, lambda: x.split(_ROWS), start="model", **limits)
        next(steps)  # the first pass measures the data as well
        begin = time.perf_counter()
        *_, last = steps
        return 1e3 * (time.perf_counter() - begin) / given.iterations, last.log_likelihood

    return turn


def _theirs(given: argparse.Namespace, kind: str, x: Any) -> Callable[[], tuple[float, float]]:
    import numpy as np
    from sklearn.mixture import GaussianMixture

    count, numbers = given.components, given.numbers
    data = x.double().numpy()
    identity = np.eye(numbers)
    start = {
        "full": np.stack([identity] * count),
        "tied": identity,
        "diagonal": np.ones((count, numbers)),
        "spherical": np.ones(count),
    }[kind]

    def fit(iterations: int) -> tuple[float, Any]:
        model = GaussianMixture(
            count,
            covariance_type=_KINDS[kind],
            tol=0.0,
            reg_covar=0.0,
            max_iter=iterations,
            weights_init=np.full(count, 1 / count),
            means_init=data[:count],
            precisions_init=start,
            # the quickest of its own starts, for none of it is used
            init_params="random_from_data",
        )
        begin = time.perf_counter()
        model.fit(data)
        return time.perf_counter() - begin, model

    def turn() -> tuple[float, float]:
        short, _ = fit(1)
        long, model = fit(given.iterations)
        return 1e3 * (long - short) / (given.iterations - 1), float(model.score(data))

    return turn


def _fits(given: argparse.Namespace, x: Any) -> str:
    from sklearn.mixture import GaussianMixture as Theirs

    from lowerbound.mixtures import GaussianMixture, em

    data, rows = x.double().numpy(), []
    for kind, name in _KINDS.items():
        for restarts in (1, 5):
            model: Any = GaussianMixture((given.numbers,), given.components, kind)  # ty: ignore[invalid-argument-type]
            begin = time.perf_counter()
            steps = list(
                em(model, lambda: x.split(_ROWS), restarts=restarts, tolerance=1e-3, seed=0)
            )
            seconds, value = time.perf_counter() - begin, f"{steps[-1].log_likelihood:.3f}"
            rows.append([f"{kind}, ours, best of {restarts} starts", f"{seconds:.2f}"])
            rows[-1] += [len(steps) - 1, value]
        begin = time.perf_counter()
        theirs = Theirs(given.components, covariance_type=name, random_state=0).fit(data)
        seconds, value = time.perf_counter() - begin, f"{theirs.score(data):.3f}"
        rows.append([f"{kind}, sklearn, 1 start", f"{seconds:.2f}", theirs.n_iter_, value])
    text = "Tolerance 1e-3 for both. One run each: the starts are drawn."
    return "\n\n".join([table(["", "seconds", "iterations", "log-likelihood"], rows), text])
