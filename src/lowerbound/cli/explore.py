"""The verbs that walk through code space: traverse, plane, interpolate, vary, map, search."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.runs import Run

_ROWS_SHOWN = 40  # lines of a table that are printed


def traverse(
    run: str,
    example: str | None = None,
    /,
    *,
    dimensions: tuple[int, ...] | None = None,
    most: Annotated[int, Span(min=1, unit="dimensions")] = 8,
    steps: Annotated[int, Span(min=2, unit="values")] = 9,
    width: Annotated[float, Span(min=0, open=True, unit="standard deviations")] = 2.0,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Move one dimension of a code at a time and decode, those of the largest rate first.

    Args:
        dimensions: which to move, in this order; the default is by their rate.
        most: of these, so many.
        steps: values of each.
        width: a dimension runs over mean ± so many of the codes of data.
        given: of a conditional run, the condition, as in sample.
        out: file to write; the default is traversals.png (.gif of clips, .wav of sound, .csv of
            tables) among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, exploring

    opened = api.open_run(run, recipe)
    target = _target(opened, out, "traversals")
    found = exploring.traverse(
        opened, example, dimensions=dimensions, most=most, steps=steps, width=width, given=given
    )
    rows = [
        f"z{d}" + ("" if found.kl is None else f"  {found.kl[i]:.1f} nats")
        for i, d in enumerate(found.dimensions)
    ]
    columns = [""] * steps
    columns[0], columns[-1] = "−", "+"
    _write(
        target, opened, found.decoded, f"{opened.spec.name}: one code dimension moved at a time",
        {"dimensions": list(found.dimensions), "kl": None if found.kl is None else
         found.kl.tolist(), "values": found.values.tolist()}, json, rows=rows, columns=columns,
        xlabel=f"over mean ± {width:g} standard deviations of the codes of data",
    )  # fmt: skip


def plane(
    run: str,
    example: str | None = None,
    /,
    *,
    right: str | None = None,
    up: str | None = None,
    steps: Annotated[int, Span(min=2, unit="pictures along an edge")] = 7,
    width: Annotated[float, Span(min=0, open=True)] = 2.0,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Decode a plane of codes: two attributes or two dimensions, or all of a 2-D code space.

    Args:
        right: what grows to the right: an attribute or label of the data, or a dimension's number;
            the default is the whole prior of codes of two numbers, else the two dimensions of the
            largest rate.
        up: what grows upwards.
        steps: along an edge.
        width: dimensions run over mean ± so many standard deviations; attributes, to both sides,
            over so many halves of the step from examples without to those with them.
        given: of a conditional run, the condition, as in sample.
        out: file to write; the default is plane.png (.gif, .wav, .csv) among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, exploring

    opened = api.open_run(run, recipe)
    target = _target(opened, out, "plane")
    found = exploring.plane(
        opened, example, right=right, up=up, steps=steps, width=width, given=given
    )
    below, columns = _axis(right, found.axes[0], found.codes[steps // 2], found.right)
    beside, rows = _axis(up, found.axes[1], found.codes[:, steps // 2], found.up)
    _write(
        target, opened, found.decoded, f"{opened.spec.name}: a plane of codes",
        {"right": columns.tolist(), "up": rows.tolist()}, json,
        rows=[_signed(v) for v in rows], columns=[_signed(v) for v in columns],
        xlabel=below, ylabel=beside,
    )  # fmt: skip


def interpolate(
    run: str,
    ends: tuple[str, ...],
    /,
    *,
    path: Literal["linear", "spherical", "geodesic"] = "linear",
    steps: Annotated[int, Span(min=2, unit="pictures of each leg")] = 9,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Decode what lies between two examples or more, as a strip or a film.

    Args:
        path: linear; spherical, along the arc; or geodesic, the shortest as the decoder measures
            it, which takes some seconds.
        steps: with its two ends.
        given: of a conditional run, the condition of all, as in sample; by default it goes from
            that of one held-out example to that of the next.
        out: file to write: .png (a strip), .gif or .mp4 (a film), .npy, of sound .wav, of tables
            .csv; the default is interpolation.png (.gif of clips, …) among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console, exploring

    opened = api.open_run(run, recipe)
    target = _target(opened, out, "interpolation")
    if path == "geodesic":
        console.note("looking for the shortest path …")
    found = exploring.interpolate(opened, ends, steps=steps, path=path, given=given)
    words = [""] * len(found.codes)
    for place, end in enumerate(ends):
        words[place * (steps - 1)] = _short(end)
    lengths, straight = found.lengths.tolist(), found.straight.tolist()
    if path != "linear" and not json:
        for leg, (here, line) in enumerate(zip(lengths, straight, strict=True)):
            console.note(
                f"  {_short(ends[leg])} to {_short(ends[leg + 1])}: data move by {here:.4g} along "
                f"the path, by {line:.4g} along the straight line"
            )
    _write(
        target, opened, found.decoded[None], f"{opened.spec.name}: {path} interpolation",
        {"path": path, "lengths": lengths, "straight": straight}, json, columns=words,
    )  # fmt: skip


def vary(
    run: str,
    example: str,
    /,
    *,
    n: Annotated[int, Span(min=1, unit="variations")] = 16,
    spread: Annotated[float, Span(min=0, open=True)] = 1.0,
    given: str | None = None,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Like this one, but different: decodes of draws from the posterior q(z|x).

    Args:
        n: how many.
        spread: 1 draws from the posterior; above, codes lie so many times farther from its mean.
        given: of a conditional run, the condition, as in sample.
        out: file to write; the default is variations.png (.gif of clips, .wav of sound, .csv of
            tables) among the run's pictures.
        seed: of the draws.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    import math

    from lowerbound import api, exploring

    opened = api.open_run(run, recipe)
    target = _target(opened, out, "variations")
    found = exploring.vary(opened, example, n, given=given, spread=spread, seed=seed)
    values = found.decoded[0]
    across = math.ceil(math.sqrt(n))
    pictures = opened.spec.kind == "image" and target.suffix == ".png" and n % across == 0
    shaped = values.reshape(-1, across, *values.shape[1:]) if pictures else values[None]
    _write(
        target, opened, shaped, f"{opened.spec.name}: {n} draws of the posterior of "
        f"{_short(example)}", {"n": n, "seed": seed, "spread": found.spread[0].tolist()}, json,
    )  # fmt: skip


def map_(
    run: str,
    /,
    *,
    colour: str | None = None,
    method: Literal["auto", "raw", "pca", "umap"] = "auto",
    limit: Annotated[int, Span(min=3, unit="held-out examples")] = 2000,
    thumbnails: bool = True,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Draw where held-out data lie in code space, and what lies where.

    Args:
        colour: label, an attribute or class of the data, density, bound (on log p(x), nats) or
            error (of the reconstruction); the default is the label, else density.
        method: raw codes where they have two numbers, else their principal components, or umap
            (with lowerbound[umap]).
        limit: at most so many.
        thumbnails: of images, also draw some at their places.
        out: .png or .npy (the points) to write; the default is map.png among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    import numpy as np

    from lowerbound import api, exploring, plots
    from lowerbound.errors import LowerboundError

    target = Path(out) if out is not None else None
    if target is not None and target.suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{target.name}'")
    opened = api.open_run(run, recipe)
    target = target or opened.pictures / "map.png"
    found = exploring.map_codes(opened, colour=colour, method=method, limit=limit)
    if target.suffix == ".npy":
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, found.map.points)
    else:
        pictures = None
        if thumbnails and opened.spec.kind in ("image", "video"):
            pictures = exploring.writing.unit(opened.spec, found.pictures)
            pictures = pictures if pictures.ndim == 4 else pictures[:, pictures.shape[1] // 2]
        units = {"density": "log density of the map", "bound": "bound on log p(x), nats"}
        units["error"] = "squared error of the reconstruction"
        figure = plots.places(
            found.map, found.values, units.get(found.colour, found.colour),
            classes=found.classes, shown=found.thumbnails, pictures=pictures,
            title=f"{opened.spec.name}: codes of {len(found.map.points):,} held-out examples",
        )  # fmt: skip
        plots.save(figure, target)
    explained = found.map.explained_variance
    _report({
        "out": str(target), "method": found.map.method, "colour": found.colour,
        "examples": len(found.map.points),
        "explained_variance": None if explained is None else explained.tolist(),
    }, json)  # fmt: skip


def search(
    run: str,
    example: str | None = None,
    /,
    *,
    k: Annotated[int, Span(min=1, unit="examples")] = 8,
    by: Literal["auto", "code", "reconstruction", "bound"] = "auto",
    train: bool = False,
    limit: Annotated[int | None, Span(min=2, unit="examples")] = None,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Find the examples nearest to one; or, without one, those that fit the model least.

    Args:
        k: how many.
        by: of neighbours, the distance of codes (auto) or of reconstructions; of anomalies, the
            bound on -log p(x) (auto), the distance of the code to its fifth neighbour, or the
            error of the reconstruction.
        train: search the training examples, not the held-out ones.
        limit: search so many at most.
        given: of a conditional run, the condition of the example, as in sample.
        out: file to write; the default is neighbours.png or anomalies.png (.gif of clips, .wav of
            sound, .csv of tables) among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    import numpy as np

    from lowerbound import api, console, exploring

    opened = api.open_run(run, recipe)
    target = _target(opened, out, "anomalies" if example is None else "neighbours")
    found = exploring.search(opened, example, k=k, by=by, train=train, limit=limit, given=given)
    values, again = found.values, found.decoded
    columns = [f"{p}" for p in found.positions]
    if found.example is not None and found.example.stored is not None:
        assert found.again is not None
        values = np.concatenate([found.example.stored[None], values])
        again = np.concatenate([found.again[None], again])
        columns = [_short(found.example.name), *columns]
    both = np.stack([values, again]) if opened.spec.kind == "image" else values[None]
    what = "nearest to it" if example is not None else "that fit least"
    title = f"{opened.spec.name}: {found.split} examples {what}, by {found.unit}"
    rows = [{"position": int(p), found.unit.replace(" ", "_"): float(s)}
            for p, s in zip(found.positions, found.score, strict=True)]  # fmt: skip
    if not json:
        for row in rows:
            position, score = row.values()
            console.line(f"{position:>8,}  {score:.6g} {found.unit}")
    labels = ["data", "model"] if opened.spec.kind == "image" else None
    _write(
        target, opened, both, title, {"found": rows, "searched": found.searched,
        "split": found.split}, json, rows=labels, columns=columns, show=False,
    )  # fmt: skip


def _target(run: Run, out: str | None, name: str) -> Path:
    """Where to write; refused before anything slow where the name does not fit the data."""
    from lowerbound.exploring import writing

    if out is None:
        return run.pictures / f"{name}{writing.suffixes(run.spec)[0]}"
    writing.check_suffix(out, run.spec)
    return Path(out)


def _write(
    target: Path,
    run: Run,
    values: Any,
    title: str,
    report: dict[str, Any],
    json: bool,
    *,
    show: bool = True,
    **words: Any,
) -> None:
    """Write cells, print rows of a short table, and the report."""
    from lowerbound import console
    from lowerbound.exploring import writing

    path = writing.write_cells(target, run, values, title, **words)
    if not json and show and run.spec.kind == "vector" and run.spec.dimensions <= 12:
        lines = writing.as_csv(run, values, words.get("rows"), words.get("columns")).splitlines()
        for cells in csv.reader(lines[: _ROWS_SHOWN + 1]):
            console.line("  ".join(f"{cell:>10}" for cell in cells))
    _report({"out": str(path), **report}, json)


def _report(report: dict[str, Any], json: bool) -> None:
    from lowerbound import console

    if json:
        console.emit({"format": 1, **report})
    else:
        console.line(report["out"])


def _short(name: str) -> str:
    """A file by its name, a held-out example by its number."""
    return Path(name).name if not name.startswith("prior") else name


def _axis(name: str | None, axis: Any, codes: Any, amounts: Any) -> tuple[str, Any]:
    """What an axis of a plane shows, and its values: of a dimension those of the codes there."""
    if name is None or name.isdigit():
        dimension = int(axis.argmax())
        return f"dimension {dimension}", codes[:, dimension]
    return f"{name.replace('_', ' ')} (logit)", amounts


def _signed(value: float) -> str:
    return f"{float(f'{value:.2g}') if abs(value) > 1e-9 else 0.0:g}".replace("-", "−")
