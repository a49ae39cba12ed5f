"""The verbs, for Python, the command line and the studio.

>>> import lowerbound as lb
>>> run = lb.train("digits", "vae", latent_dim=8, epochs=50)  # doctest: +SKIP
>>> print(lb.evaluate(run))  # doctest: +SKIP
>>> images = lb.sample(run, 64)  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from . import conditioning, drawing, sentences
from . import evaluation as evaluations
from .asking import refuse_annealing, refuse_parts
from .conditioning import Completion, Given
from .data import Data, Prepare, aligned, held_out, load, misfit
from .errors import LowerboundError
from .evaluation import Evaluation
from .measuring import chosen, joined, sections
from .runs import EVALUATION, Run
from .session import Follow, begin, go_on
from .training.checkpoint import write_whole
from .training.noise import mix

#: The test data are binarized or dequantized once, from this seed, in every run: so that the
#: numbers of two runs are about the same x.
HELD_OUT_SEED = 0
Values = Literal["auto", "mean", "draw"]
#: Where a run keeps what was annealed.
ANNEALED = "annealed"
_PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}


def train(
    data: Any,
    recipe: Any = "vae",
    *,
    out: str | Path | None = None,
    progress: bool | Follow = True,
    **options: Any,
) -> Run:
    """Train a model on data, in a new run.

    Args:
        data: what `load` takes (a name, a path, an array), or a `Data`.
        recipe: a name of `RECIPES`, ``"file.py:function"``, a recipe function, or a `Built` model
            with its phases.
        out: folder of the run, which must not exist; None makes one under ``runs``.
        progress: True shows a progress bar; a function is told the data and every event.
        **options: of the recipe (``latent_dim=8``), of training (``epochs=50``,
            ``learning_rate=1e-3``; see `lowerbound.training.options`) and of `load`.

    Returns:
        The run; its ``model`` is the trained one.

    Raises:
        LowerboundError: an unknown option (the nearest is offered), or data or values that do not
            fit; nothing has been written then.
    """
    with _following(progress) as follow:
        return begin(data, recipe, out, options, follow)


def resume(
    run: str | Path | Run,
    *,
    recipe: Any = None,
    data: Any = None,
    progress: bool | Follow = True,
) -> Run:
    """Go on with a run that was stopped or killed, to the same bits as if it had not been (CPU).

    Args:
        run: its folder.
        recipe: the function that built it, for a model of one's own.
        data: the data, for a run trained on arrays in memory.
        progress: see `train`.

    Raises:
        LowerboundError: it is no run, corrupt, in use, or its data have changed.
    """
    with _following(progress) as follow:
        return go_on(run, recipe, data, follow)


def evaluate(
    run: str | Path | Run,
    data: Any = None,
    *,
    samples: int | None = None,
    limit: int | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
    gap: bool = False,
    metrics: str | Sequence[str] | None = None,
    features: str = "auto",
    factors: str | Path | None = None,
    ais: bool = False,
    ais_steps: int = 1000,
    chains: int = 16,
    ais_start: Literal["prior", "posterior"] = "prior",
    bracket: bool = False,
    noise_std: float | None = None,
    report: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a run on held-out data: log p(x) with its kind, rate, distortion, active units.

    Args:
        run: a run or its folder.
        data: other data than the run's own, as `load` takes them; their test split is measured.
            Labels, attributes and columns of a table are known by their names.
        samples: importance samples for each example; None takes 1000, or fewer (and at last fewer
            examples) where that would be more than a minute or two of operations.
        limit: so many held-out examples at most, the first of a shuffle fixed by `seed`.
        precision: of the decoder's products; everything else is float32.
        seed: of the posterior's samples.
        gap: also refine the posterior of each example, and tell the amortization gap.
        metrics: what to measure: likelihood, samples, representation, reconstruction, several of
            them (``"likelihood,samples"``, or a list) or ``"all"``; None is likelihood.
        features: of samples and data, by which they are compared: classifier (trained on the
            run's labels), pca, pixels, or inception where its weights are found; auto is
            classifier with labels, else pca. Numbers by different features do not compare.
        factors: a table (.csv, .npz, .npy) of what varies in the test examples, a row for each,
            which codes are held against; None takes the run's labels and attributes.
        ais: also estimate log p(x) by annealed importance sampling, of as many examples as take a
            few minutes of operations unless `limit` says otherwise. What is done is kept in the
            run, and not done again.
        ais_steps: temperatures.
        chains: for each example.
        ais_start: where the chains begin: the prior p(z), or the posterior q(z|x).
        bracket: with `ais`, also bound log p of data simulated from the model from both sides
            (bidirectional Monte Carlo): how far annealing may be off.
        noise_std: with `ais`, anneal under a declared normal noise of this standard deviation, in
            units of x, around the decoder's mean, for decoders that are no likelihood.
        report: also write ``evaluation.json``, pictures and ``report.html`` into the run, unless an
            evaluation of more examples, or of more samples of each, of the same weights is there.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: it is no run, has no weights, or the data do not fit it.
    """
    asked = chosen(metrics)
    refuse_annealing(ais, bracket, noise_std, ais_steps, chains, ais_start)
    run = open_run(run)
    refuse_parts(run, asked, features, factors)
    ask = None
    if ais:
        how = evaluations.Anneal(ais_steps, chains, start=ais_start, seed=seed)
        store = evaluations.Store(run.path / ANNEALED)
        ask = evaluations.Ask(how, limit, bracket, noise_std, store)
    source = run.data() if data is None else _like(run, data)
    # By the same function as all other parts, so that these are of the same examples.
    examples = evaluations.choose_examples(run.model, source.test, run.spec, limit, seed)
    x, context, model = examples.x, examples.context, run.model
    if len(x) == examples.of:  # shuffled, for some of them may have to do
        order = evaluations.shuffled(len(x), seed)
        x, context = x[order], tuple(each[order] for each in context)
    if progress is not None:
        progress(0, len(x))
    try:
        result = evaluations.evaluate(
            model.to(_device()),
            run.spec,
            x,
            *context,
            name=run.name,
            samples=samples,
            precision=_PRECISIONS[precision],
            seed=seed,
            of=examples.of,
            gap=gap,
            unfinished=_unfinished(run),
            likelihood="likelihood" in asked,
            ais=ask,
            progress=progress,
        )
    finally:
        model.to("cpu")
    told = {"features": features, "factors": None if factors is None else str(factors)}
    more = tuple(sections(run, asked, limit=limit, seed=seed, progress=progress, **told))
    result = replace(result, sections=(*result.sections, *more))
    if report and data is None:
        whole = joined(run, result, "likelihood" in asked)
        if whole is None:
            return result
        write_whole(run.path / EVALUATION, json.dumps(whole.to_json(), indent=2).encode())
        from .pictures import draw

        draw(run, source)
    return result


def sample(
    run: str | Path | Run,
    n: int = 64,
    *,
    given: Given = None,
    text: str | Sequence[str] | None = None,
    text_to: str | None = None,
    values: Values = "auto",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    guidance: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """New data: codes from the prior, data from the likelihood; or data at once.

    Args:
        run: a run or its folder.
        n: how many.
        given: of a conditional run, the condition: ``{"label": "cat"}``, ``"cat"``, ``3``,
            ``{"smile": 1, "age": 30}``, numbers in the order of the attributes, or ``"each"`` for
            every label in turn, n of them together. Where no class is called by a number, 0 is the
            first one. None takes the conditions of examples drawn from the data: labels come
            as often as there, parts to complete from held-out examples.
        text: of a run of captions, a sentence of one's own, or several, of which n images each are
            drawn, sentence by sentence, from the same codes.
        text_to: another sentence: n steps from the first one to it, of one code.
        values: ``mean``, the likelihood's mean at each code, as papers show them (the likeliest of
            categories); or ``draw``, a draw from it, which is a sample of p(x). ``auto`` is the
            mean of images, where one is known, and a draw of other data.
        temperature: of what is drawn number by number (an autoregressive model, or prior): below 1
            takes likelier ones more often, 0 the likeliest each time.
        top_k: of the same, so many likeliest values of each number alone.
        top_p: of the same, the fewest likeliest values alone that have this share of the mass.
        guidance: of the same, given a condition: 1 is p(x|c), more exaggerates what it changes.
        seed: of the draws.

    Returns:
        (n, *event_shape) in the units of the data; the mean unrounded. Of several sentences n each.

    Raises:
        LowerboundError: the model has no prior to draw from, is not conditioned on that, or draws
            nothing number by number.
    """
    run = open_run(run)
    _check_count(n)
    if text is not None or text_to is not None:
        if given is not None or text is None:
            raise LowerboundError("expected text alone (and text_to), or given; pass text=...")
        return _stored(run, sentences.drawn(run, text, n, to=text_to, seed=seed), exact=False)
    model, spec = run.model, run.spec
    direct = not hasattr(model, "decode") and hasattr(model, "sample")
    if not hasattr(model, "decode") and not direct:
        raise _no_codes(run)
    if not direct and not hasattr(model, "prior") and not hasattr(model, "condition"):
        raise LowerboundError(
            f"{run.path} has no prior to draw codes from ({type(run.model).__name__}); fit one to "
            f"its codes: --recipe two-stage --base {run.path}, or train a vae"
        )
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        context = conditioning.contexts_for(run, n, given, seed)
        options = drawing.given_options(temperature, top_k, top_p, guidance)
        values = drawing.resolve_values(model, spec, values)
        found = drawing.new_data(model, spec, n, *context, values=values, **options)
    return _stored(run, found, exact=values == "draw")


def complete(
    run: str | Path | Run,
    example: Any,
    *,
    mask: Any = None,
    frames: int | None = None,
    given: Given = None,
    temperature: float = 1.0,
    n: int = 8,
    values: Values = "auto",
    seed: int = 0,
) -> Completion:
    """Complete an example of which a part is missing, in several ways; or go on with a clip.

    Args:
        run: a run of the recipe completion, or its folder; or a run of clips that has an
            autoregressive prior (see `lowerbound.continuing.go_on`).
        example: an image file (cropped and scaled as the data were), a .npy, or an array
            ``event_shape`` in the units of the data; what it holds where it is missing is not
            looked at.
        mask: what is missing: left, right, top, bottom, centre, quadrants:1 to quadrants:3, an
            image file of the data's size, bright where they are missing, or an array, not zero
            where they are. None takes the mask that the run was trained with, or the right half
            where masks were drawn.
        frames: of a clip, so many first frames are given, and those that follow are drawn.
        given: of a clip, the condition, as in `sample`.
        temperature: of a clip, of the draws of its codes, as in `sample`.
        n: how many completions.
        values: ``mean``, the likelihood's mean at each code, or ``draw``; auto as in `sample`.
        seed: of the draws.

    Raises:
        LowerboundError: the run completes nothing, the example or the mask is of another size, the
            mask hides all or nothing, or is not one that the run was trained with.
    """
    run = open_run(run)
    _check_count(n)
    if run.spec.kind == "video" or frames is not None:
        from .continuing import go_on

        options = {"given": given, "values": values, "seed": seed, "temperature": temperature}
        return go_on(run, example, frames, n=n, **options)
    stored = conditioning.example_of(run, example)
    x, missing = conditioning.part_of(run, stored, mask)
    context = tuple(c.expand(n, *c.shape[1:]) for c in run.model.condition.observe(x, missing))  # ty: ignore
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        found = _decoded(run, conditioning.draw_codes(run.model, n, *context), values, *context)
    return Completion(stored.numpy(), missing[0].numpy(), found)


def reconstruct(
    run: str | Path | Run, n: int = 16, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Held-out examples, and what the model makes of them: the mean at the posterior's mean.

    Returns:
        originals and reconstructions, (n, *event_shape) each, in the units of the data.
    """
    run = open_run(run)
    _check_count(n)
    if not hasattr(run.model, "decode"):
        raise _no_codes(run)
    if not hasattr(run.model, "encode"):
        raise LowerboundError(
            f"{run.path}: expected a model that encodes data and decodes codes, came "
            f"{type(run.model).__name__}; sample from it, or train a vae"
        )
    data = run.data()
    count = len(data.test)
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(mix(seed)))[:n]
    x = held_out(data.test, run.spec, HELD_OUT_SEED)[chosen]
    context = evaluations.held_out_contexts(run.model, x, data.test, chosen, HELD_OUT_SEED)
    with torch.no_grad():
        codes = evaluations.posterior_mean(run.model.encode(x, *context))  # ty: ignore[not-callable]
        return _stored(run, x), _decoded(run, codes, "mean", *context)


def inspect(data: Any, **options: Any) -> Data:
    """What data are, and which likelihood and networks fit them and why; as `load`."""
    return load(data, **options)


def open_run(path: str | Path | Run, recipe: Any = None) -> Run:
    """Open a run's folder; see `Run.open`."""
    return path if isinstance(path, Run) else Run.open(path, recipe)


def write(path: str | Path, run: Run, values: np.ndarray, given: Any = None) -> Path:
    """Write samples of a run as .png or .npy; see `lowerbound.pictures.write`."""
    from . import pictures

    return pictures.write(path, run, values, given)


def write_completion(path: str | Path, run: Run, found: Completion) -> Path:
    """Write completions as .png (what was observed, then each) or .npy (n, *event_shape)."""
    from . import pictures

    return pictures.write_completion(path, run, found)


def write_classes(path: str | Path, run: Run, values: np.ndarray) -> Path:
    """Write samples of each class, class by class, as .png (a row for each) or .npy."""
    from . import pictures

    return pictures.write_classes(path, run, values)


def write_pairs(
    path: str | Path, run: Run, originals: np.ndarray, reconstructions: np.ndarray
) -> Path:
    """Write held-out examples beside their reconstructions, as .png or .npy (n, 2, *event)."""
    from . import pictures

    return pictures.write_pairs(path, run, originals, reconstructions)


# Helpers


def _unfinished(run: Run) -> str | None:
    """How far a training came that did not come to its end."""
    from .report import UNFINISHED

    status = run.info["status"]
    if status["reason"] not in UNFINISHED:
        return None
    return f"{status['reason']} at step {status['step']:,}"


def _like(run: Run, source: Any) -> Data:
    """Other data, to be prepared as the run's own.

    Raises:
        LowerboundError: they are of another shape, have classes, columns or attributes of other
            names, or values that the model gives no probability.
    """
    data = source if isinstance(source, Data) else run.read(source)
    came, known = data.spec, run.spec
    if tuple(came.event_shape) != tuple(known.event_shape):
        raise LowerboundError(
            f"expected data of shape {tuple(known.event_shape)}, as {run.path} was trained on, "
            f"came {tuple(came.event_shape)}; pass others"
        )
    condition = getattr(run.model, "condition", None)
    side = getattr(condition, "side", None)
    data = aligned(data, known, str(run.path), side)
    found = misfit(data.test, known)
    if found is not None:
        raise LowerboundError(
            f"expected {found[0]}, as {run.path} was trained on, came {found[1]}; scale them alike"
        )
    return data


def _check_count(n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise LowerboundError(f"n: expected a whole number of at least 1, came {n}; pass e.g. 16")


def _no_codes(run: Run) -> LowerboundError:
    return LowerboundError(
        f"{run.path} decodes no codes ({type(run.model).__name__} is no model of codes), so there "
        "is nothing to sample or reconstruct; evaluate it, or train a vae"
    )


def _device() -> torch.device:
    return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")


def _decoded(run: Run, codes: torch.Tensor, values: str, *context: torch.Tensor) -> np.ndarray:
    if values not in ("auto", "mean", "draw"):
        raise LowerboundError(f"values: expected auto, mean or draw, came {values!r}")
    if values == "auto":
        values = "mean" if run.spec.kind == "image" else "draw"
    parts = []
    for some, *c in zip(codes.split(256), *(each.split(256) for each in context), strict=True):
        found = run.model.decode(some, *c)  # ty: ignore[not-callable]
        if values == "draw":
            parts.append(found.sample())
        else:
            parts.append(drawing.centre(run.spec, found))
    return _stored(run, torch.cat(parts), exact=values == "draw")


def _stored(run: Run, x: torch.Tensor, exact: bool = True) -> np.ndarray:
    """x in the units of the data; means are not rounded to levels."""
    prepare = Prepare(run.spec)
    return (prepare.restore(x) if exact else prepare.expected(x)).numpy()


class _following:
    def __init__(self, progress: bool | Follow) -> None:
        self.progress = progress
        self.bar: Any = None

    def __enter__(self) -> Follow:
        if self.progress is True:
            from .console import Follow as Bar

            self.bar = Bar()
            return self.bar.__enter__()
        return self.progress if callable(self.progress) else (lambda event: None)

    def __exit__(self, *error: Any) -> None:
        if self.bar is not None:
            self.bar.__exit__(*error)
