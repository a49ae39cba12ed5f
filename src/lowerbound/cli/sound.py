"""The verb ``convert``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lowerbound.errors import LowerboundError
from lowerbound.options import Span


def convert(
    run: str,
    sound: str,
    /,
    *,
    given: str,
    out: str | None = None,
    temperature: Annotated[float, Span(min=0)] = 1.0,
    picture: bool = False,
    seed: Annotated[int, Span(min=0)] = 0,
    recipe: str | None = None,
    json: bool = False,
) -> None:
    """Say a sound again as another: what is said by its codes, who says it by the condition.

    Args:
        given: what it is to be given, as the run was trained: speaker=jackson.
        out: file to write, .wav; by default beside the sound, with the condition in its name.
        temperature: of the draws; below 1 they are calmer, at 0 the likeliest each time.
        picture: also draw the spectrograms of both, OUT.png.
        seed: of the draws.
        recipe: the function that built the model, as file.py:function, if it was one of your own: a
            file that a run names is not run unless you name it, too.
        json: print the report as JSON.
    """
    if out is not None and Path(out).suffix.lower() != ".wav":
        raise LowerboundError(f"expected a name that ends in .wav, came '{Path(out).name}'")
    from lowerbound import api, console, listening, plots
    from lowerbound.converting import convert as converted
    from lowerbound.data import wave_of

    opened = api.open_run(run, recipe)
    (wave,) = converted(opened, sound, given, temperature=temperature, seed=seed)
    rate = listening.rate_of(opened.spec)
    word = "".join(c if c.isalnum() else "-" for c in given.rpartition("=")[2])
    beside = Path(sound).with_name(f"{Path(sound).stem}-{word}.wav")
    target = Path(out) if out is not None else beside
    path = listening.save(target, [wave], rate)
    report = {"out": str(path), "given": given, "seconds": len(wave) / rate, "sample_rate": rate}
    if picture:
        import numpy as np

        both = np.stack([wave_of(sound, rate), wave])
        named = (Path(sound).stem, given)
        figure = plots.spectrograms(both, rate, "As it came, and converted", names=named)
        report["picture"] = str(plots.save(figure, path.with_suffix(".png")))
    if json:
        console.emit({"format": 1, **report})
    else:
        for key in ("out", "picture"):
            if key in report:
                console.line(str(report[key]))
