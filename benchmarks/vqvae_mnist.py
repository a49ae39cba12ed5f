"""MNIST by a VQ-VAE and a PixelCNN over its codes: are samples digits, and what does a prior save?

One run learns the codes (7 x 7, 512 entries) and then their prior, conditioned on the label. A
classifier trained on MNIST's training images judges samples of each digit: the share that it gives
the label they were drawn for, beside that of the real test images; unconditional samples have no
label, so that its mean confidence stands beside as well. The gain is the rate under the uniform
prior minus that under the fitted one, nats per image, held out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Train, judge, and write docs/results/vqvae_mnist.md and its picture."""
    found = options.parser(__doc__, "vqvae_mnist")
    options.add_data(found)
    found.add_argument("--minutes", type=float, default=50.0, help="of the whole run")
    found.add_argument("--channels", type=int, default=64)
    found.add_argument("--prior", default="pixelcnn", help="pixelcnn, transformer or wavenet")
    found.add_argument("--samples", type=int, default=1000)
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound import pictures
    from lowerbound.training.engine import versions

    data = lb.load(options.check_data(given.data), limit=given.limit)
    judge, real = classifier(data)
    with tempfile.TemporaryDirectory() as folder:
        run = lb.train(
            data,
            "vq-vae",
            out=Path(folder) / "run",
            given="labels",
            prior=given.prior,
            channels=given.channels,
            minutes=given.minutes,
        )
        result = lb.evaluate(run, report=False)
        images, labels = [], []
        each = max(1, given.samples // 10)
        for digit in range(10):
            images.append(lb.sample(run, each, given=str(digit), seed=digit))
            labels += [digit] * each
        shown = np.concatenate([i[:8] for i in images])
        pictures.write_classes(given.out / "vqvae_mnist.png", run, shown)
        uniform = float(run.model.uniform_rate)  # ty: ignore[invalid-argument-type]
    drawn = np.concatenate(images).reshape(len(labels), -1)
    recognised, confidence = judged(judge, drawn, labels)
    bits = result.log_likelihood.bits_per_dim if result.log_likelihood else None
    rows = [
        ["samples given their label", f"{100 * recognised:.1f}", f"{100 * confidence:.1f}"],
        ["real test images", f"{100 * real[0]:.1f}", f"{100 * real[1]:.1f}"],
    ]
    fitted = result.rate or 0.0
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(["judged", "recognised, %", "mean confidence, %"], rows),
        f"Rate under the uniform prior {uniform:.1f} nats, under the fitted one {fitted:.1f}: a "
        f"gain of {uniform - fitted:.1f} nats per image. Bound with the fitted prior: "
        f"{bits:.4f} bits/dim." if bits is not None else "",
        "![samples, eight of each digit](vqvae_mnist.png)",
    ]  # fmt: skip
    write(
        "vqvae_mnist",
        "VQ-VAE and PixelCNN on MNIST",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("vqvae_mnist", argv),
        folder=given.out,
    )
    return 0


def classifier(data: Any) -> tuple[Any, tuple[float, float]]:
    """A network trained on the training images, and how it does on the test images."""
    from sklearn.neural_network import MLPClassifier

    train = _flat(data.train)
    judge = MLPClassifier((256,), max_iter=20, early_stopping=True, random_state=0)
    judge.fit(train / 255.0, np.asarray(data.train.labels))
    return judge, judged(judge, _flat(data.test), np.asarray(data.test.labels))


def judged(judge: Any, images: np.ndarray, labels: Any) -> tuple[float, float]:
    """Share of images (N, 784) in 0 to 255 that get their label, and the mean top probability."""
    probabilities = judge.predict_proba(np.clip(images, 0, 255) / 255.0)
    hit = judge.classes_[probabilities.argmax(1)] == np.asarray(labels)
    return float(hit.mean()), float(probabilities.max(1).mean())


def _flat(split: Any) -> np.ndarray:
    return split.all().reshape(len(split), -1).float().numpy()
