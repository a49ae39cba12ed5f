"""StackGAN on avatars: do faces show what their sentence says, with and without augmentation?

Avatars with five captions each, in two stages (32 to 64 pixels unless `--size` says otherwise). Red
hair with glasses, and blond hair on men with a beard, are held out of training: sentences that ask
for them ask for something new. Classifiers trained on real avatars, all combinations among them and
none of the generated ones, say of each generated face what it shows. Accuracy is balanced over the
two answers: a guess is right half the time; of the five colours of hair it is the plain share.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

_BALD = 0.04  # a length of hair below which none is drawn
_HAIR = (_BALD, 1.0)  # a bald man's sentences name no colour, and are not new
HELD: list[dict[str, Any]] = [
    {"red_hair": 1, "hair_length": _HAIR, "glasses": 1},
    {"blond_hair": 1, "hair_length": _HAIR, "beard": 1},
]
_RUNS = {"with augmentation": True, "without augmentation": False}
_ASKED = ("woman", "glasses", "beard", "long hair", "smile", "hair colour")
_TRAINED, _PROBED = 6000, 4000  # avatars of training, and, others, of the classifiers
_PICTURE = (
    "a young woman with long blond hair, smiling",
    "an old man with short grey hair and a beard",
    "a middle-aged man with short black hair and glasses, frowning",
    "a smiling young woman with long red hair and glasses",
)


def main(argv: Sequence[str]) -> int:
    """Train both, look at their faces, and write docs/results/stackgan.md and a picture."""
    found = options.parser(__doc__, "stackgan")
    found.add_argument("--minutes", type=float, default=60.0, help="of each run")
    found.add_argument("--size", type=int, default=64, help="of the large images")
    found.add_argument("--limit", type=int, default=_TRAINED, help="avatars to train on")
    found.add_argument("--probe", type=int, default=_PROBED, help="avatars for the classifiers")
    found.add_argument("--samples", type=int, default=1000, help="faces of each run to look at")
    found.add_argument("--batch-size", type=int, default=32)
    found.add_argument("--threads", type=int)
    found.add_argument("--runs", type=Path, help="folder to keep the runs in")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound import sentences
    from lowerbound.data.avatars import attributes, captions, render
    from lowerbound.data.combinations import hold_out
    from lowerbound.training.engine import versions

    index = np.arange(given.limit)
    seen, _ = hold_out(attributes(index), HELD)
    data = lb.load(
        {"train": render(attributes(seen), given.size), "captions": [*map(list, captions(seen))]},
        captions="auto",
        likelihood="none",
        test_fraction=0.05,
    )
    probes, real = classifiers(given.size, given.probe)
    # Other avatars than those of training and of the classifiers; half of the wishes are new.
    wishes = 1_000_000 + np.arange(20 * given.samples)
    usual, new = hold_out(attributes(wishes), HELD)
    wishes = {"seen combinations": usual[: given.samples], "held out": new[: given.samples]}
    wishes = {name: 1_000_000 + at for name, at in wishes.items()}
    rows: list[list[Any]] = []
    for name, at in wishes.items():
        shown = shows(probes, render(attributes(at), given.size) / 255.0)
        rows.append(["real avatars", name, *accuracies(shown, at), None])
    with tempfile.TemporaryDirectory() as temporary:
        for name, augmentation in _RUNS.items():
            folder = given.runs or Path(temporary)
            run = lb.train(
                data,
                "stack-gan",
                out=folder / name.replace(" ", "-"),
                progress=False,
                minutes=given.minutes,
                augmentation=augmentation,
                batch_size=given.batch_size,
                threads=given.threads,
            )
            step = run.info["status"]["step"]
            for kind, at in wishes.items():
                faces = of_sentences(run, [texts[0] for texts in captions(at)])
                shown = shows(probes, faces / 255.0)
                rows.append([name, kind, *accuracies(shown, at), f"{step:,}"])
                print("  " + "  ".join(str(cell) for cell in rows[-1]), flush=True)
            if augmentation:
                picture = given.out / "stackgan.png"
                sentences.write(picture, run, lb.sample(run, 8, text=_PICTURE), _PICTURE)
    header = ["faces", "sentences", *(f"{each}, %" for each in _ASKED), "mean, %", "steps"]
    right = ", ".join(f"{name} {100 * share:.1f} %" for name, share in real.items())
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{given.minutes:g} minutes each, {len(data.train):,} avatars to train on, "
        f"{given.samples:,} faces in each row, one of each sentence. The classifiers on real "
        f"avatars that they were not trained on: {right}. **Demonstrates** on drawn faces; no "
        "published number is of them.",
        "![Faces of four sentences; the last asks for a held-out combination](stackgan.png)",
    ]
    write(
        "stackgan",
        f"StackGAN on avatars, {given.size // 2} to {given.size} pixels",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("stackgan", argv),
        folder=given.out,
    )
    return 0


def truth(at: np.ndarray) -> dict[str, np.ndarray]:
    """What avatars show, as classes; -1 where neither is said: a length or a mood between."""
    from lowerbound.data.avatars import COLOURS, attributes

    a = attributes(at)
    length, smile = a["hair_length"], a["smile"]
    found = {name: a[name].astype(int) for name in ("woman", "glasses", "beard")}
    found["long hair"] = np.where(length > 0.6, 1, np.where(length < 0.31, 0, -1))
    found["smile"] = np.where(smile > 0.25, 1, np.where(smile < -0.25, 0, -1))
    colour = np.stack([a[f"{name}_hair"] for name in COLOURS]).argmax(0)
    found["hair colour"] = np.where(length < _BALD, -1, colour)  # there is none to see
    return found


def classifiers(size: int, count: int) -> tuple[dict[str, Any], dict[str, float]]:
    """A classifier of each of what is asked, and how often each is right on other avatars."""
    from lowerbound.data.avatars import attributes, render
    from lowerbound.evaluation.samples import train_classifier

    at = 500_000 + np.arange(count)
    side = min(size, 32)  # what is asked for is seen at that size, and at a quarter of the cost
    x, told = shrunk(render(attributes(at), size) / 255.0, side), truth(at)
    cut = count * 4 // 5
    found, right = {}, {}
    for name, y in told.items():
        some = (y >= 0) & (np.arange(count) < cut)
        others = (y >= 0) & (np.arange(count) >= cut)
        found[name] = train_classifier(x[some], y[some], classes=5 if "colour" in name else 2)
        right[name] = found[name].score(x[others], y[others])
        print(f"  classifier of {name}: {100 * right[name]:.1f} %", flush=True)
    return found, right


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    """Means of pixels, float32 (N, C, side, side)."""
    count, channels, size = images.shape[:3]
    step = size // side
    parts = images[:, :, : side * step, : side * step].reshape(
        count, channels, side, step, side, step
    )
    return parts.mean((3, 5)).astype(np.float32)


def shows(probes: Mapping[str, Any], images: np.ndarray) -> dict[str, np.ndarray]:
    """What the classifiers see in images (N, 3, size, size) in [0, 1]."""
    side = next(iter(probes.values())).event_shape[-1]
    x = shrunk(images, side)
    return {name: probe.predict(x) for name, probe in probes.items()}


def accuracies(shown: Mapping[str, np.ndarray], at: np.ndarray) -> list[str | None]:
    """Per cent right, balanced over the answers that are wished for; then their mean."""
    shares: list[float | None] = []
    for name, wished in truth(at).items():
        kinds = [k for k in np.unique(wished) if k >= 0]
        each = [float((shown[name][wished == k] == k).mean()) for k in kinds]
        plain = name == "hair colour"
        of_all = float((shown[name] == wished)[wished >= 0].mean())
        # Of one answer alone there is no balance to speak of.
        shares.append(of_all if plain or len(each) < 2 else float(np.mean(each)))
    known = [share for share in shares if share is not None]
    return [*(f"{100 * share:.1f}" for share in known), f"{100 * np.mean(known):.1f}"]


def of_sentences(run: Any, texts: Sequence[str]) -> np.ndarray:
    """A face for each sentence, each of another code, (N, 3, size, size) in 0 to 255."""
    import torch

    model: Any = run.model
    parts = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for first in range(0, len(texts), 100):
            sentences = model.condition.sentences(texts[first : first + 100])
            parts.append(model.decode(model.draw(len(sentences), sentences), sentences).mean)
    return 255.0 * torch.cat(parts).numpy()
