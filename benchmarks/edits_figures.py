"""The figures of :mod:`benchmarks.edits`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_STEPS = 11  # α = 0, 0.1, …, 1
_FACES = 5


def paper_rows(bench: Any, path: Path) -> None:
    """Nine rows: four interpolations, five attribute vectors.

    References:
        Hou, Shen, Sun and Qiu, 2017, Deep feature consistent variational autoencoder, arXiv
        1610.00291, figs. 4 and 5
    """
    import numpy as np

    from lowerbound import plots
    from lowerbound.latent import along, interpolate

    model, centre = bench.run.model, bench.space.centre
    names, values = list(bench.names), bench.values_test
    rows, words = [], []
    for word, ends in (
        ("neutral to smile", _pair(bench, "smile", 0.0, 1.0, woman=1.0)),
        ("glasses off to on", _pair(bench, "glasses", 0.0, 1.0, woman=0.0)),
        ("man to woman", _man_and_woman(bench)),
        ("two of N(0, I)", np.random.default_rng(3).normal(size=(2, bench.space.width))),
    ):
        found = interpolate(model, ends, steps=_STEPS, centre=centre)
        rows.append(bench.unit(found.decoded))
        words.append(word)
    directions = bench.directions("regression", "all")
    woman = names.index("woman")
    for name, sign in (
        ("smile", 1), ("smile", -1), ("glasses", 1), ("glasses", -1), ("beard", 1)
    ):  # fmt: skip
        row, column = directions.index(name), names.index(name)
        side = (values[:, column] > directions.thresholds[row]) == (sign < 0)
        if name == "beard":
            side &= values[:, woman] < 0.5
        start = bench.codes_test[np.flatnonzero(side)[:1]]
        other = directions.typical[row, 1 if sign > 0 else 0]
        gap = float(other - directions.logits(start)[0, row])
        vector = gap * directions.vectors[row]
        line = along(model, start, vector, np.linspace(0, 1, _STEPS), centre=centre)
        rows.append(bench.unit(line.decoded[0]))
        words.append(f"{'add' if sign > 0 else 'subtract'} {name}")
    columns = [f"{a:.1f}" for a in np.linspace(0, 1, _STEPS)]
    title = "Interpolation and attribute vectors on avatars"
    figure = plots.cells(np.stack(rows), title, rows=words, columns=columns, xlabel="α")
    plots.save(figure, path)


def beside_truth(bench: Any, path: Path) -> None:
    """Held-out faces, what edits make of them, and the truth."""
    import numpy as np

    from lowerbound import plots

    from .edits import EDITED, _best, _unit_amount, target_of

    values = bench.values_test[:_FACES]
    codes = bench.codes_test[:_FACES]
    original, again = bench.unit(bench.x_test[:_FACES]), bench.decoded(codes)
    rows, words = [original], ["held out"]
    for name in EDITED:
        column = bench.names.index(name)
        wanted = target_of(values, name, bench.names)
        step = (wanted - values)[:, column]
        for word, how, keep in (("means", "means", "none"), ("ours", "regression", "all")):
            vector = bench.directions(how, keep).vectors[column]
            vector = vector * _unit_amount(bench, vector, column)
            amount = _best(bench, vector, name)
            decoded = bench.decoded(codes + amount * step[:, None] * vector)
            rows.append(np.clip(original + decoded - again, 0, 1))
            words.append(f"{name}: {word}")
        rows.append(bench.rendered(wanted))
        words.append(f"{name}: truth")
    figure = plots.cells(np.stack(rows), "Edits and what they should be", rows=words)
    plots.save(figure, path)


def smile_and_pose(bench: Any, path: Path) -> list[list[Any]]:
    """The plane of two code dimensions, and the correlations of its axes.

    Returns:
        a row for each axis: its name, correlation with smile, with pose, on held-out faces; of the
        dimensions, and of the directions that a regression finds.
    """
    import numpy as np

    from lowerbound import plots
    from lowerbound.latent import plane

    names = list(bench.names)
    both = [names.index("smile"), names.index("yaw")]
    fitted = np.corrcoef(bench.codes.T, bench.values[:, both].T)[:-2, -2:]
    up = int(np.abs(fitted[:, 1]).argmax())
    left = np.abs(fitted[:, 0]).copy()
    left[up] = -1
    right = int(left.argmax())
    spread, middle = bench.codes.std(0), bench.codes.mean(0)
    share = np.linspace(-2.5, 2.5, 7)
    signs = np.sign([fitted[right, 0], fitted[up, 1]])
    axes = np.eye(bench.space.width)[[right, up]] * signs[:, None]
    found = plane(
        bench.run.model, middle, *axes, across=share * spread[right], along=share * spread[up],
        centre=bench.space.centre,
    )  # fmt: skip
    words = [f"{s:+.1f}".replace("-", "−") for s in share]
    figure = plots.cells(
        np.stack([bench.unit(row) for row in found.decoded]),
        "Two code dimensions of an unsupervised VAE",
        rows=words[::-1], columns=words,
        xlabel=f"dimension {right}, standard deviations (smile)",
        ylabel=f"dimension {up} (pose)",
    )  # fmt: skip
    plots.save(figure, path)
    directions = bench.directions("regression", "all")
    rows = []
    for word, vector in (
        (f"dimension {right}", axes[0]),
        (f"dimension {up}", axes[1]),
        ("classifier of smile", directions.weights[both[0]]),
        ("classifier of pose", directions.weights[both[1]]),
    ):
        along = bench.codes_test @ vector
        told = [float(np.corrcoef(along, bench.values_test[:, k])[0, 1]) for k in both]
        rows.append([word, *(f"{value:+.2f}".replace("-", "−") for value in told)])
    return rows


def _pair(bench: Any, name: str, off: float, on: float, *, woman: float) -> Any:
    """Codes of one face without and with an attribute, drawn both times: ``(2, latent)``."""
    import numpy as np

    names = list(bench.names)
    chosen = np.flatnonzero(bench.values_test[:, names.index("woman")] == woman)[0]
    values = np.repeat(bench.values_test[chosen : chosen + 1], 2, 0)
    values[:, names.index(name)] = [off, on]
    return _encoded(bench, values)


def _man_and_woman(bench: Any) -> Any:
    import numpy as np

    woman = bench.values_test[:, list(bench.names).index("woman")]
    chosen = [np.flatnonzero(woman == who)[1] for who in (0.0, 1.0)]
    return bench.codes_test[chosen]


def _encoded(bench: Any, values: Any) -> Any:
    from .edits import _tensor

    return bench.space.encode(_tensor(bench, bench.rendered(values)))
