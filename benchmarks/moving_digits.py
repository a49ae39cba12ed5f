"""Moving digits by TD-VAE: the first frames of a clip are given, the rest is rolled out in jumps.

A digit moves by a pixel a frame to the left or to the right, and comes in again on the other side;
digits of the test clips are none of those trained on. Direction: as in the benchmark video_digits,
the displacement of the centre of mass from frame to frame has the clip's sign and is, on average
over the frames that were rolled out, at least half as great. Place: the share of these frames whose
centre of mass is within two pixels across of where the clip's is. Identity: a classifier
(one hidden layer, trained on frames of training clips with the digit moved to the middle) calls a
frame what the clip's digit is; its accuracy on the clips' own frames beside it, and how often it
calls a frame what it calls the clip's own at that moment, right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write
from .video_digits import keeps, places

_JUMPS = (1, 4)


def main(argv: Sequence[str]) -> int:
    """Train, roll out and write docs/results/moving_digits.md and its GIF."""
    found = options.parser(__doc__, "moving_digits")
    found.add_argument("--steps", type=int, default=20_000, help="of training")
    found.add_argument("--jump", default="1-4", help="of td-vae")
    found.add_argument("--pairs", type=int, default=8, help="of frames in a training step")
    found.add_argument("--latent-dim", type=int, default=32)
    found.add_argument("--width", type=int, default=256, help="of the belief")
    found.add_argument("--hidden", type=int, default=256, help="width of the conditionals")
    found.add_argument("--frame", type=int, default=512, help="width of what reads and draws one")
    found.add_argument("--learning-rate", type=float, default=3e-3)
    found.add_argument("--frames", type=int, default=8, help="that are given")
    found.add_argument("--clips", type=int, default=200, help="test clips to go on from")
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as runs:
        return _all(given, runs / "run", argv)


def _all(given: Any, path: Path, argv: Sequence[str]) -> int:
    import lowerbound as lb
    from lowerbound.plots import enlarged, gif
    from lowerbound.training.engine import versions

    if path.exists():
        run = lb.open_run(path)
    else:
        run = lb.train(
            "moving-digits", "td-vae", out=path, jump=given.jump, pairs=given.pairs,
            latent_dim=given.latent_dim, belief_width=given.width, hidden=(given.hidden,),
            network={"name": "mlp", "hidden": [given.frame]}, learning_rate=given.learning_rate,
            steps=given.steps, threads=1, progress=False,
        )  # fmt: skip
    trained = run.info["status"]["seconds"] / 60
    test, count = run.data().test, given.clips
    clips = test.stored(np.arange(count)).numpy().astype(np.float32)
    horizon = clips.shape[1] - given.frames
    judge, labels = _judge(clips)
    rows = [_row("the clips themselves", clips, clips, given.frames, judge, labels)]
    made = {}
    for jump in _JUMPS:
        rolled = lb.forecast(
            run, clips, horizon=horizon, samples=1, at=given.frames, n=count, jump=jump
        )
        made[jump] = np.concatenate([clips[:, : given.frames], rolled.draws[0]], 1)
        name = "steps of 1" if jump == 1 else f"jumps of {jump}"
        rows.append(_row(name, made[jump], clips, given.frames, judge, labels))
    step = lb.evaluate(run, report=False, limit=count).sections[0].to_json()
    pairs = np.stack([clips[:12], made[_JUMPS[-1]][:12]], 1).reshape(-1, *clips.shape[1:])
    given.out.mkdir(parents=True, exist_ok=True)
    pairs = np.clip(pairs / (run.spec.high - run.spec.low), 0.0, 1.0)
    (given.out / "moving_digits.gif").write_bytes(gif(pairs, columns=6, scale=enlarged(pairs, 6)))
    header = [
        "roll-out", "direction kept, %", "within 2 pixels, %", "digit recognised, %",
        "called as the clip's own frame, %",
    ]  # fmt: skip
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{count} test clips, {given.frames} frames given, {horizon} rolled out (all of them "
        f"judged: frames {given.frames + 1} to {clips.shape[1]}); goal: direction kept in at least "
        f"95 %. −log p of a step given those before it {step['value'][0]:.2f} nats. Trained in "
        f"{given.steps:,} steps with jumps {given.jump}, {trained:.0f} minutes of one thread.",
        "![clips, each beside its roll-out in jumps](moving_digits.gif)",
    ]
    write(
        "moving_digits",
        "Moving digits rolled out by TD-VAE",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("moving_digits", argv),
        folder=given.out,
    )
    return 0


def _row(
    name: str, made: np.ndarray, clips: np.ndarray, frames: int, judge: Any, labels: np.ndarray
) -> list[str]:
    """Cells of one way to go on."""
    width = clips.shape[-1]
    off = (places(made) - places(clips) + width / 2) % width - width / 2
    near = np.abs(off[:, frames:]) <= 2.0
    said, own = (judge.predict(_centred(x[:, frames:])) for x in (made, clips))
    right = said.reshape(len(labels), -1) == labels[:, None]
    shares = (keeps(made, clips, frames).mean(), near.mean(), right.mean(), (said == own).mean())
    return [name, *(f"{100 * share:.1f}" for share in shares)]


def _judge(clips: np.ndarray) -> tuple[Any, np.ndarray]:
    """A classifier of frames, and what digits the test clips show."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    from lowerbound.data.named import read

    source = read("moving-digits")
    # The digits as the data set takes them: the last fifth is for test clips.
    target = load_digits().target
    cut = len(target) - len(target) // 5
    known: list[tuple[np.ndarray, np.ndarray]] = []
    for rows, digits in ((source.train, target[:cut]), (source.test, target[cut:])):
        some: Any = rows
        positions = np.arange(len(some))
        shown = digits[some.paths(positions).digit[:, 0]]
        known.append((some.take(positions[: max(len(clips), 2000)]), shown))
    (train, of_train), (test, of_test) = known
    if not np.array_equal(test[: len(clips)], clips):
        raise SystemExit("error: the run's test clips are not the first of moving-digits")
    frames = train[:, ::7]  # a frame differs from the next one by its place alone
    judge = MLPClassifier((256,), max_iter=60, random_state=0, early_stopping=True)
    judge.fit(_centred(frames), np.repeat(of_train[: len(train)], frames.shape[1]))
    return judge, of_test[: len(clips)]


def _centred(clips: np.ndarray) -> np.ndarray:
    """Frames ``(N, F, 1, H, W)`` with what they show moved around the sides to the middle,
    ``(N F, H W)``, of mean 0 and spread 1 each."""
    frames = np.clip(clips[:, :, 0], 0.0, None).reshape(-1, *clips.shape[-2:])
    for axis in (1, 2):
        size = frames.shape[axis]
        turn = np.exp(2j * np.pi * np.arange(size) / size)
        at = np.angle(frames.sum(3 - axis) @ turn) * size / (2 * np.pi)
        index = (np.arange(size) + np.rint(at).astype(int)[:, None] - size // 2) % size
        index = index[:, :, None] if axis == 1 else index[:, None, :]
        frames = np.take_along_axis(frames, np.broadcast_to(index, frames.shape), axis)
    flat = frames.reshape(len(frames), -1)
    return (flat - flat.mean(1, keepdims=True)) / np.maximum(flat.std(1, keepdims=True), 1e-6)
