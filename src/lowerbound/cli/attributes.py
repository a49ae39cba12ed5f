"""The verbs ``attributes``, ``edit`` and ``analogy``: changing data by what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lowerbound.errors import LowerboundError

if TYPE_CHECKING:
    from lowerbound.latent import Directions

_PICTURES = (".png", ".jpg", ".jpeg", ".npy")
_NOTHING = 0.05  # a change of a logit that nobody sees


def attributes(
    run: str,
    /,
    *,
    how: Literal["regression", "means", "logistic"] = "regression",
    keep: str = "none",
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """List the attributes that data can be edited by, and how well codes tell each of them.

    Args:
        how: a direction from a regression of codes on all attributes together, from the difference
            of means, or the normal of a classifier's plane.
        keep: attributes whose logits an edit leaves as they are: all of the others, none, or
            names.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console, exploring

    opened = api.open_run(run, recipe)
    console.note("encoding training examples …")
    found = exploring.attributes(opened, how=how, keep=_kept(keep))
    if json:
        rows = [_row(found, name) for name in found.names]
        console.emit(
            {"format": 1, "how": how, "attributes": rows, "left_out": list(found.left_out)}
        )
        return
    _table(found)
    for reason in found.left_out.values():
        console.note(f"left out: {reason}")


def edit(
    run: str,
    example: str,
    /,
    *,
    add: str | None = None,
    subtract: str | None = None,
    strength: float | None = None,
    how: Literal["regression", "means", "logistic"] = "regression",
    keep: str = "none",
    detail: bool = True,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Add attributes to an example and take others away; an image comes back at its own size.

    Args:
        add: names of attributes (see the verb attributes), with commas between: smile,glasses, or
            smile:3 with a strength of its own.
        subtract: likewise.
        strength: by how much the classifier's logit of each is moved (0.7 doubles the odds); the
            default is what examples with the attribute differ by from those without it.
        how: as in attributes.
        keep: as in attributes.
        detail: keep what the model does not reproduce of an image, and bring in the change alone;
            --no-detail gives what the model decodes.
        given: of a conditional run, the condition, as in sample.
        out: file to write: .png or .jpg (of images), .npy, of sound .wav, of clips .gif, of tables
            .csv; the default is beside the example, with what was changed in its name.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console, exploring
    from lowerbound.exploring import writing
    from lowerbound.exploring.editing import parse_changes

    changes = parse_changes(add or "", subtract or "", strength)  # refuses
    opened = api.open_run(run, recipe)
    image = opened.spec.kind == "image"
    target = Path(out) if out is not None else None
    if target is None:
        stem = "-".join([Path(example).stem or "example", *changes])
        suffix = ".png" if image else writing.suffixes(opened.spec)[0]
        folder = Path(example).parent if Path(example).is_file() else opened.pictures
        target = folder / f"{_safe(stem)}{suffix}"
    elif image:
        if target.suffix.lower() not in _PICTURES:
            raise LowerboundError(
                f"expected a name that ends in .png, .jpg or .npy, came '{target.name}'"
            )
    else:
        writing.check_suffix(target, opened.spec)
    if Path(example).is_file() and target.exists() and target.samefile(example):
        raise LowerboundError(
            f"expected another name to write to, came {target}, which is the picture that is "
            "edited; pass another --out"
        )
    console.note("encoding training examples …")
    found = exploring.edit(
        opened, example, add=add or "", subtract=subtract or "", strength=strength, how=how,
        keep=_kept(keep), detail=detail, given=given,
    )  # fmt: skip
    if image or target.suffix == ".npy":
        path = found.save(target)
    else:
        path = writing.write_cells(
            target, opened, found.values[None, None], f"{opened.spec.name}: edited"
        )
    logits, after = found.found.logits[0], found.found.edited_logits[0]
    moved = [
        {"attribute": name, "logit": float(a), "edited": float(b), "changed": name in changes}
        for name, a, b in zip(found.found.names, logits, after, strict=True)
    ]
    if json:
        console.emit({"format": 1, "out": str(path), "how": how, "logits": moved})
        return
    for name in changes:
        if found.directions.vague(name):
            console.note(
                f"  {name}: codes hardly tell it, so the edit will hardly show; see lowerbound "
                f"attributes {run}"
            )
    for row in moved:
        if row["changed"]:
            before, now = float(row["logit"]), float(row["edited"])
            line = f"  {row['attribute']}: logit {before:+.1f} to {now:+.1f}"
            if abs(now - before) < _NOTHING:
                line += f", as far as such examples are; {row['attribute']}:3 goes on from there"
            console.note(line)
    console.line(str(path))


def analogy(
    run: str,
    a: str,
    b: str,
    c: str,
    /,
    *,
    given: str | None = None,
    out: str | None = None,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Draw what is to C as A is to B: decodes the code of A − B + C.

    Args:
        given: of a conditional run, the condition, as in sample.
        out: file to write; the default is analogy.png (.gif of clips, .wav of sound, .csv of
            tables) among the run's pictures.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    import numpy as np

    from lowerbound import api, console, exploring
    from lowerbound.exploring import writing

    opened = api.open_run(run, recipe)
    target = Path(out) if out else opened.pictures / f"analogy{writing.suffixes(opened.spec)[0]}"
    writing.check_suffix(target, opened.spec)
    found, taken = exploring.analogy(opened, a, b, c, given=given)
    own = [
        decoded if example.stored is None else example.stored
        for example, decoded in zip(taken, found.decoded[:3], strict=True)
    ]
    cells = np.stack([*own, found.decoded[3]])[None]
    words = ["A", "− B", "+ C", "="]
    title = f"{opened.spec.name}: A − B + C"
    path = writing.write_cells(target, opened, cells, title, columns=words)
    report = {"out": str(path), "code": found.code.tolist()}
    if json:
        console.emit({"format": 1, **report})
    else:
        console.line(str(path))


def _kept(keep: str) -> Any:
    return keep if keep in ("all", "none") else [name.strip() for name in keep.split(",")]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _row(found: Directions, name: str) -> dict[str, Any]:
    k = found.index(name)
    return {
        "name": name,
        "share": float(found.share[k]),
        "accuracy": float(found.accuracy[k]),
        "above": float(found.thresholds[k]),
        "typical_without": float(found.typical[k, 0]),
        "typical_with": float(found.typical[k, 1]),
    }


def _table(found: Directions) -> None:
    from rich import box
    from rich.table import Table

    from lowerbound import console

    table = Table(title="attributes that codes know of", title_justify="left", title_style="bold",
                  box=box.SIMPLE)  # fmt: skip
    table.add_column("attribute", no_wrap=True)
    for name in ("examples", "told by codes", "logit without", "logit with"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in found.names:
        row = _row(found, name)
        table.add_row(
            name,
            f"{100 * row['share']:.0f} %",
            f"{100 * row['accuracy']:.0f} %",
            f"{row['typical_without']:+.1f}",
            f"{row['typical_with']:+.1f}",
        )
    console.out().print(table)
    console.note("told by codes: share that a classifier on codes has right, of examples left out")
