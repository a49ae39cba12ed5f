"""The verbs: each reads its flags, calls :mod:`lowerbound.api`, and prints what came of it.

Keyword-only parameters are flags, with limits in their types and texts under ``Args:``. What a verb
needs is imported when it runs. Reports go to stdout, or as JSON with stable keys with ``--json``;
progress goes to stderr.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lowerbound.errors import LowerboundError
from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.runs import Run

RECIPE = "vae"
INTERRUPTED = 130


def train(
    data: str,
    /,
    *,
    recipe: str = RECIPE,
    out: str | None = None,
    evaluate: bool = True,
    json: bool = False,
    **options: Any,
) -> int:
    """Train a model on data, then measure it and draw pictures.

    The recipe's own flags come last; --recipe NAME --help shows those of another.

    Args:
        recipe: what to train: a name of `lowerbound recipes`, or your own function as
            file.py:function.
        out: folder of the run, which must not exist yet; the default is a new one under runs/.
        evaluate: measure the trained model on held-out data and draw pictures.
        json: print the report as JSON; progress goes to stderr.
    """
    from lowerbound import api, console

    with console.Follow() as follow:
        run = api.train(data, recipe, out=out, progress=follow, **options)
    return _trained(run, evaluate=evaluate, json=json)


def resume(
    run: str,
    /,
    *,
    recipe: str | None = None,
    evaluate: bool = True,
    json: bool = False,
) -> int:
    """Go on with a run that was stopped or killed, as if it never had been.

    Args:
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        evaluate: measure the trained model on held-out data and draw pictures.
        json: print the report as JSON; progress goes to stderr.
    """
    from lowerbound import api, console

    opened = api.open_run(run)
    status = opened.info["status"]
    if status["reason"] in ("done", "early stopping", "solved"):
        console.note(
            f"{run} has ended already ({status['reason']} at step {status['step']:,}); measure it "
            f"with: lowerbound evaluate {run}"
        )
        return _trained(opened, evaluate=False, json=True) if json else 0
    with console.Follow() as follow:
        resumed = api.resume(run, recipe=recipe, progress=follow)
    return _trained(resumed, evaluate=evaluate, json=json)


def evaluate(
    run: str,
    /,
    *,
    samples: Annotated[int | None, Span(min=1, unit="importance samples")] = None,
    limit: Annotated[int | None, Span(min=1, unit="examples")] = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    seed: Annotated[int, Span(min=0)] = 0,
    gap: bool = False,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Measure a run on held-out data: log p(x) with its kind, rate, distortion, active units.

    Args:
        samples: samples of each example's posterior; more bring the estimate nearer to log p(x).
            The default is 1000, or as many as take about a minute.
        limit: measure so many held-out examples only.
        precision: of the decoder's products.
        seed: of the posterior's samples.
        gap: also refine the posterior of each example one by one, and tell what the encoder loses
            against that (the amortization gap).
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console
    from lowerbound.runs import kept

    with console.Count("measuring on held-out data") as count:
        opened = run if recipe is None else api.open_run(run, recipe)
        result = api.evaluate(
            opened,
            samples=samples,
            limit=limit,
            precision=precision,
            seed=seed,
            gap=gap,
            progress=count,
        )
    measured = result.data["examples"]
    before = kept(Path(run).expanduser(), measured)
    if before is not None:
        console.note(f"{run} keeps its evaluation and report of {before:,}: these are {measured:,}")
    if json:
        console.emit(result.to_json())
    else:
        console.evaluation(result)


def sample(
    run: str,
    /,
    *,
    n: Annotated[int, Span(min=1, unit="samples")] = 64,
    given: str | None = None,
    out: str | None = None,
    values: Literal["auto", "mean", "draw"] = "auto",
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Draw from the model: codes from the prior, data from the likelihood.

    Args:
        n: how many.
        given: of a conditional run, what it is to be given: label=3, label=cat, smile=1,glasses=0;
            where no class is called by a number, label=0 is the first one. Without it conditions
            are drawn as often as the data have them; a picture of a run of labels has a row for
            each.
        out: file to write: .png (a sheet) or .npy (an array in the data's own units); the default
            is samples.png among the run's pictures.
        values: at each code, the likelihood's mean, as papers show them, or a draw from it, which
            is a sample of p(x); auto is the mean in a picture of images, else a draw.
        seed: of the draws.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    _check_suffix(out)
    from lowerbound import api, console
    from lowerbound.conditioning import classes_of, far

    opened = api.open_run(run, recipe)
    for text in far(opened, given):
        console.note(text)
    target = Path(out) if out is not None else opened.pictures / "samples.png"
    image = target.suffix != ".npy" and opened.spec.kind == "image"
    kind = values if values != "auto" else "mean" if image else "draw"
    classes = classes_of(opened) if image and given is None else None
    if classes:
        n = -(-n // len(classes)) * len(classes)  # rows of one length
        drawn = api.sample(opened, n, given="each", values=kind, seed=seed)
        path = api.write_classes(target, opened, drawn)
    else:
        drawn = api.sample(opened, n, given=given, values=kind, seed=seed)
        path = api.write(target, opened, drawn, given)
    told = "each label" if classes else given
    _written({"out": str(path), "n": n, "given": told, "values": kind, "seed": seed}, json)


def complete(
    run: str,
    example: str,
    /,
    *,
    mask: str | None = None,
    n: Annotated[int, Span(min=1, unit="completions")] = 8,
    out: str | None = None,
    values: Literal["auto", "mean", "draw"] = "auto",
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Complete an example of which a part is missing, in several ways.

    Args:
        mask: what is missing: left, right, top, bottom, centre, quadrants:1 to quadrants:3, or an
            image file of the data's size, bright where they are missing; the default is the mask
            that the run was trained with, or the right half if its masks were drawn.
        n: how many.
        out: file to write: .png (what is observed, then each) or .npy (an array in the data's own
            units); the default is completions.png beside the example.
        values: at each code, the likelihood's mean or a draw from it; auto is the mean in a picture
            of images, else a draw.
        seed: of the draws.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    _check_suffix(out)
    from lowerbound import api, console
    from lowerbound.conditioning import DEFAULT_MASK

    opened = api.open_run(run, recipe)
    if mask is None and getattr(getattr(opened.model, "condition", None), "random", False):
        mask = DEFAULT_MASK
        console.note(f"no --mask: taken as missing: {mask} (the run was trained with drawn masks)")
    target = Path(out) if out is not None else Path(example).with_name("completions.png")
    image = target.suffix != ".npy" and opened.spec.kind == "image"
    kind = values if values != "auto" else "mean" if image else "draw"
    found = api.complete(opened, example, mask=mask, n=n, values=kind, seed=seed)
    path = api.write_completion(target, opened, found)
    report = {"out": str(path), "n": n, "mask": mask, "values": kind, "seed": seed}
    _written({**report, "missing": int(found.missing.sum())}, json)


def reconstruct(
    run: str,
    /,
    *,
    n: Annotated[int, Span(min=1, unit="examples")] = 10,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Draw held-out examples beside what the model makes of them.

    Args:
        n: how many.
        out: file to write, .png or .npy (pairs along the second axis); the default is
            reconstructions.png among the run's pictures.
        seed: of the choice of examples.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    _check_suffix(out)
    from lowerbound import api

    opened = api.open_run(run, recipe)
    target = Path(out) if out is not None else opened.pictures / "reconstructions.png"
    path = api.write_pairs(target, opened, *api.reconstruct(opened, n, seed=seed))
    _written({"out": str(path), "n": n, "seed": seed}, json)


def inspect(data: str, /, *, json: bool = False, **options: Any) -> None:
    """Show what data are, and which likelihood and networks that suggests and why.

    Args:
        json: print the report as JSON.
    """
    from lowerbound import api, console

    found = api.inspect(data, **options)
    if json:
        console.emit({"format": 1, **found.to_json()})
    else:
        console.inspection(found)


def recipes(*, json: bool = False) -> None:
    """List what can be trained, each with its paper.

    Args:
        json: print the report as JSON.
    """
    from lowerbound import console
    from lowerbound.options import describe
    from lowerbound.recipes import RECIPES

    rows = [(name, *describe(function)) for name, function in RECIPES.items()]
    if json:
        listed = [{"name": n, "summary": summary, "paper": paper} for n, summary, paper in rows]
        console.emit({"format": 1, "recipes": listed})
    else:
        console.recipes(rows)


def _trained(run: Run, *, evaluate: bool, json: bool) -> int:
    """What came of training: the evaluation, the pictures and where they lie."""
    from lowerbound import api, console

    path, reason = run.path, run.info["status"]["reason"]
    stopped = reason == "interrupted"
    if stopped:
        console.note(f"saved; go on with: lowerbound resume {path}")
    collapsed = None if stopped else getattr(run.model, "collapsed", None)
    if collapsed:
        console.note(collapsed)
    result = None
    if evaluate and not stopped:
        with console.Count("measuring on held-out data") as count:
            result = api.evaluate(run, progress=count)
    pictures = sorted((path / "pictures").glob("*.png"))
    if json:
        paths = [str(picture) for picture in pictures]
        measured = result.to_json() if result is not None else None
        report = {"format": 1, "run": str(path), "status": reason}
        console.emit({**report, "evaluation": measured, "pictures": paths})
    else:
        if result is not None:
            console.evaluation(result)
        console.files(path, pictures)
    return INTERRUPTED if stopped else 0


def _check_suffix(out: str | None) -> None:
    """Refuse a file that cannot be written before anything slow is imported or drawn."""
    if out is not None and Path(out).suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{Path(out).name}'")


def _written(report: dict[str, Any], json: bool) -> None:
    from lowerbound import console

    if json:
        console.emit({"format": 1, **report})
    else:
        console.line(report["out"])
