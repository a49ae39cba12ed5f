"""Moving digits: the first frames of a clip are given, the rest is generated in code space.

A VQ-VAE encodes each frame by itself; a causal transformer over the codes in the order of time goes
on from those of the first frames. Digits of the test clips are none of those trained on. Direction:
the displacement of the centre of mass (around a circle, for what leaves on one side comes in on the
other) summed over the generated frames has the sign of the clip's own, and is at least half as
great. Beside it the same of the clips themselves, which checks the judge.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

_ROWS = 50  # clips that are continued together


def main(argv: Sequence[str]) -> int:
    """Train, continue the test clips and write docs/results/video_digits.md and its GIF."""
    found = options.parser(__doc__, "video_digits")
    found.add_argument("--data", default="moving-digits", help="or moving-mnist")
    found.add_argument("--epochs", type=float, default=100)
    found.add_argument("--channels", type=int, default=64)
    found.add_argument("--frames", type=int, default=4, help="that are given")
    found.add_argument("--clips", type=int, default=200, help="test clips to continue")
    found.add_argument("--temperature", type=float, default=1.0)
    found.add_argument("--limit", type=int, help="train on so many clips only (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.plots import enlarged, gif
    from lowerbound.training.engine import versions

    extra = {} if given.limit is None else {"limit": given.limit}
    began = time.monotonic()
    run = lb.train(
        given.data,
        "vq-vae",
        quantizer={"name": "vq", "levels": 256},
        prior={"name": "transformer", "width": 128, "layers": 4},
        channels=given.channels,
        epochs=given.epochs,
        batch_size=64,
        learning_rate=1e-3,
        **extra,
    )
    trained = (time.monotonic() - began) / 60
    data = run.data()
    count = min(given.clips, len(data.test))
    clips = data.test.stored(np.arange(count)).numpy().astype(np.float64)
    made = np.concatenate(
        [
            lb.complete(
                run, number, frames=given.frames, n=1, temperature=given.temperature, seed=number
            ).completions
            for number in range(count)
        ]
    )
    kept = [keeps(each, clips, given.frames) for each in (made, clips)]
    errors = [np.abs(moved(each, given.frames) - moved(clips, given.frames)) for each in (made,)]
    rate = lb.encode(run, data, split="test", limit=count).about
    span = run.spec.high - run.spec.low
    pairs = np.stack([clips[:12], made[:12]], 1).reshape(-1, *clips.shape[1:]) / span
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "video_digits.gif"
    path.write_bytes(gif(pairs, columns=6, scale=enlarged(pairs, 6)))
    rows = [
        ["direction kept, generated", f"{100 * kept[0].mean():.1f} %"],
        ["direction kept, the clips themselves", f"{100 * kept[1].mean():.1f} %"],
        ["error of the displacement per frame, median", f"{np.median(errors[0]):.3f} pixels"],
        ["codes, uniform prior", f"{rate.uniform:.0f} bits a clip"],
        ["codes, the transformer's", f"{rate.rate:.0f} bits a clip"],
    ]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(["", ""], rows),
        f"{count} test clips of {clips.shape[1]} frames, {given.frames} given; goal: at least "
        f"95 %. {given.epochs:g} epochs, half of them the prior's; training {trained:.0f} minutes, "
        f"run {run.path}.",
        "![clips, each beside its continuation](video_digits.gif)",
    ]
    write(
        "video_digits",
        "Moving digits continued in code space",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("video_digits", argv),
        folder=given.out,
    )
    return 0


def places(clips: np.ndarray) -> np.ndarray:
    """Where the centre of mass is across, around the circle, of each frame, pixels, (N, F)."""
    mass = np.clip(clips[:, :, 0], 0, None).sum(-2)  # (N, F, W)
    width = mass.shape[-1]
    turn = np.exp(2j * np.pi * np.arange(width) / width)
    return np.angle((mass * turn).sum(-1)) * width / (2 * np.pi)


def moved(clips: np.ndarray, frames: int) -> np.ndarray:
    """Pixels to the right in a frame, on average over those after the given ones, (N,)."""
    width = clips.shape[-1]
    steps = np.diff(places(clips[:, frames - 1 :]), axis=1)
    return ((steps + width / 2) % width - width / 2).mean(1)


def keeps(made: np.ndarray, clips: np.ndarray, frames: int) -> np.ndarray:
    """Whether each moves as its clip does, bool (N,)."""
    expected = moved(clips, frames)
    return moved(made, frames) * np.sign(expected) >= 0.5 * np.abs(expected)
