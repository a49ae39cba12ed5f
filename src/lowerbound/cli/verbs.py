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
    metrics: str | None = None,
    features: Literal["auto", "classifier", "pca", "pixels", "inception"] = "auto",
    factors: str | None = None,
    ais: bool = False,
    ais_steps: Annotated[int, Span(min=1, unit="temperatures")] = 1000,
    chains: Annotated[int, Span(min=1, unit="chains for each example")] = 16,
    ais_start: Literal["prior", "posterior"] = "prior",
    bracket: bool = False,
    noise_std: Annotated[float | None, Span(min=0, open=True, unit="units of x")] = None,
    recipe: str | None = None,
    json: bool = False,
) -> int | None:
    """Measure a run on held-out data: log p(x) with its kind, rate, distortion, active units.

    Args:
        samples: samples of each example's posterior; more bring the estimate nearer to log p(x).
            The default is 1000, or as many as take about a minute.
        limit: measure so many held-out examples only.
        precision: of the decoder's products.
        seed: of the posterior's samples.
        gap: also refine the posterior of each example one by one, and tell what the encoder loses
            against that (the amortization gap).
        metrics: what to measure: likelihood, samples, representation, reconstruction, several with
            commas between them, or all; the default is likelihood.
        features: by which samples are compared with data; auto is a classifier of the run's labels,
            which is trained and kept, or pca without labels.
        factors: a table (.csv, .npz, .npy) of what varies in the test examples, which codes are
            held against; the default is labels and attributes.
        ais: also estimate log p(x) by annealed importance sampling, which needs no encoder; of as
            many examples as take some minutes, or of --limit. What is done is kept in the run.
        ais_steps: temperatures from the prior to the posterior.
        chains: annealed for each example.
        ais_start: where the chains begin.
        bracket: with --ais: also bound log p of data simulated from the model from both sides,
            which tells how far annealing may be off.
        noise_std: with --ais: anneal under a normal noise of this size around the decoder's mean,
            for decoders that are no likelihood (an autoencoder's, a GAN's).
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    from lowerbound import api, console
    from lowerbound.runs import effort, kept

    try:
        with console.Count("measuring on held-out data") as count:
            opened = run if recipe is None else api.open_run(run, recipe)
            result = api.evaluate(
                opened,
                samples=samples,
                limit=limit,
                precision=precision,
                seed=seed,
                gap=gap,
                metrics=metrics,
                features=features,
                factors=factors,
                ais=ais,
                ais_steps=ais_steps,
                chains=chains,
                ais_start=ais_start,
                bracket=bracket,
                noise_std=noise_std,
                progress=count,
            )
    except KeyboardInterrupt:
        console.note(_stopped(Path(run).expanduser(), ais))
        return INTERRUPTED
    now = effort({"data": result.data, **result.to_json()})
    before = kept(Path(run).expanduser(), now)
    if before is not None:
        console.note(f"{run} keeps its evaluation and report of {before}: these are of {now}")
    if json:
        console.emit(result.to_json())
    else:
        console.evaluation(result)
    return None


def _stopped(run: Path, ais: bool) -> str:
    """What an evaluation that was interrupted leaves, and how to go on."""
    parts = list((run / "annealed").glob("*.safetensors")) if ais else []
    if not parts:
        return f"interrupted; nothing of it is kept, and what {run} held before is as it was"
    return (
        f"interrupted; what was annealed is kept in {run / 'annealed'}, but for the last half "
        "minute: the same command goes on from there"
    )


def sample(
    run: str,
    /,
    *,
    n: Annotated[int | None, Span(min=1, unit="samples")] = None,
    given: str | None = None,
    text: list[str] | None = None,
    text_to: str | None = None,
    out: str | None = None,
    values: Literal["auto", "mean", "draw"] = "auto",
    temperature: Annotated[float, Span(min=0)] = 1.0,
    top_k: Annotated[int | None, Span(min=1, unit="values")] = None,
    top_p: Annotated[float | None, Span(min=0, max=1, open="min")] = None,
    guidance: Annotated[float, Span(min=0)] = 1.0,
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Draw from the model: codes from the prior, data from the likelihood; or data at once.

    Args:
        n: how many; by default 64, of a sentence 8, of each label as many.
        given: of a conditional run, what it is to be given: label=3, label=cat, smile=1,glasses=0;
            where no class is called by a number, label=0 is the first one. Without it conditions
            are drawn as often as the data have them; a picture of a run of labels has a row for
            each.
        text: of a run of captions, a sentence of your own: --text "a smiling woman with glasses";
            several of them with --text each, n images of each.
        text_to: another sentence: the picture goes from the one to the other in n steps.
        out: file to write: .png (a sheet) or .npy (an array in the data's own units); the default
            is samples.png among the run's pictures.
        values: at each code, the likelihood's mean, as papers show them, or a draw from it, which
            is a sample of p(x); auto is the mean in a picture of images, where it is known, else a
            draw.
        temperature: of what is drawn number by number, an autoregressive model or prior: below 1
            takes likelier values more often, 0 the likeliest each time.
        top_k: of the same, so many likeliest values of each number alone.
        top_p: of the same, the fewest likeliest values alone that have this share of the mass.
        guidance: of the same, given a condition: 1 is p(x|c), more exaggerates what it changes.
        seed: of the draws.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    _check_suffix(out)
    from lowerbound import api, console
    from lowerbound.conditioning import classes_of, far
    from lowerbound.drawing import given_options, has_mean

    opened = api.open_run(run, recipe)
    for told in far(opened, given):
        console.note(told)
    target = Path(out) if out is not None else opened.pictures / "samples.png"
    image = target.suffix != ".npy" and opened.spec.kind in ("image", "video")
    shown = "mean" if image and has_mean(opened.model) else "draw"
    kind = values if values != "auto" else shown
    options = given_options(temperature, top_k, top_p, guidance)
    if text or text_to:
        _sample_text(opened, target, text or [], text_to, n or 8, seed, given is not None, json)
        return
    n = 64 if n is None else n
    classes = classes_of(opened) if image and given is None else None
    if classes:
        n = -(-n // len(classes)) * len(classes)  # rows of one length
        drawn = api.sample(opened, n, given="each", values=kind, seed=seed, **options)
        path = api.write_classes(target, opened, drawn)
    else:
        drawn = api.sample(opened, n, given=given, values=kind, seed=seed, **options)
        path = api.write(target, opened, drawn, given)
    told = "each label" if classes else given
    report = {"out": str(path), "n": n, "given": told, "values": kind, "seed": seed}
    _written({**report, **options}, json)


def _sample_text(
    run: Run,
    target: Path,
    texts: list[str],
    to: str | None,
    n: int,
    seed: int,
    given: bool,
    json: bool,
) -> None:
    """Images of sentences, or ways from one to another, each of another code."""
    import numpy as np

    from lowerbound import api, console, sentences

    if given or not texts:
        raise LowerboundError(
            "expected --text, with --text-to or alone, came "
            f'{"--given too" if given else "--text-to without"}; pass --text "what is there"'
        )
    ways = 3 if to is not None and target.suffix != ".npy" else 1
    each = [api.sample(run, n, text=texts, text_to=to, seed=seed + way) for way in range(ways)]
    for line in sentences.strange(run, [*texts, *([] if to is None else [to])]):
        console.note(line)
    path = sentences.write(target, run, np.concatenate(each), texts, to, n)
    _written({"out": str(path), "n": n, "text": texts, "text_to": to, "seed": seed}, json)


def complete(
    run: str,
    example: str,
    /,
    *,
    mask: str | None = None,
    frames: Annotated[int | None, Span(min=1, unit="frames")] = None,
    given: str | None = None,
    temperature: Annotated[float, Span(min=0)] = 1.0,
    n: Annotated[int, Span(min=1, unit="completions")] = 8,
    out: str | None = None,
    values: Literal["auto", "mean", "draw"] = "auto",
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Complete an example of which a part is missing, in several ways; or go on with a clip.

    Args:
        mask: what is missing: left, right, top, bottom, centre, quadrants:1 to quadrants:3, or an
            image file of the data's size, bright where they are missing; the default is the mask
            that the run was trained with, or the right half if its masks were drawn.
        frames: of a clip, so many first frames are given, and the model goes on from there; the
            default is all that a shorter clip has, else a quarter.
        given: of a clip and a conditional run, the condition, as in sample.
        temperature: of a clip, of the draws of its codes, as in sample.
        n: how many.
        out: file to write: .png (what is observed, then each), .gif (of clips) or .npy (an array
            in the data's own units); the default is completions.png beside the example.
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
    name = "completions.gif" if opened.spec.kind == "video" else "completions.png"
    target = Path(out) if out is not None else Path(example).with_name(name)
    image = target.suffix != ".npy" and opened.spec.kind in ("image", "video")
    kind = values if values != "auto" else "mean" if image else "draw"
    clip = {"frames": frames, "given": given, "temperature": temperature}
    found = api.complete(opened, example, mask=mask, n=n, values=kind, seed=seed, **clip)
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
    if out is not None and Path(out).suffix not in (".png", ".npy", ".wav", ".gif"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{Path(out).name}'")


def _written(report: dict[str, Any], json: bool) -> None:
    from lowerbound import console

    if json:
        console.emit({"format": 1, **report})
    else:
        console.line(report["out"])
