"""DCGAN on CIFAR-10: learning curves, samples, and FID by features that are named.

The recipe's defaults: strided generator and critic as in Radford et al. (2016), the critic's norms
over groups of channels in place of the batch's; non-saturating losses with r1 of weight 0.02,
averaged generator, a learning rate of 1e-3 that falls to zero; all training images, and two cores
for as long as `--minutes` says: a short run of what takes hours on a GPU.
Features are those of a classifier that the library trains on the images itself, so that its FID is
none by Inception's: *real* is the same number of as many training images (which it was trained on).
The images are JPEG copies of CIFAR-10, which are smoother than the originals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .rows import image_rows
from .tables import ROOT, command_line, table, write
from .vqvae_usage import CIFAR

#: By Inception's features, after 100,000 steps of 128 images (pytorch-gan-collections).
PUBLISHED = "42.72"
_ROWS, _SHOWN = 4, 10
_MEASURES = (("fid", "FID", 1, 2), ("kid", "KID", 1, 3), ("precision", "precision, %", 100, 1),
             ("recall", "recall, %", 100, 1), ("coverage", "coverage, %", 100, 1),
             ("sharpness", "sharpness", 1, 4))  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Train it and write docs/results/dcgan_cifar.md and its figures."""
    found = options.parser(__doc__, "dcgan_cifar")
    found.add_argument("--data", type=Path, default=ROOT / CIFAR, help="cifar10_jpeg.zip")
    found.add_argument("--minutes", type=float, default=30.0, help="of training")
    found.add_argument("--channels", type=int, default=32, help="of the widest pictures")
    found.add_argument("--batch-size", type=int, default=64)
    found.add_argument("--count", type=int, default=10_000, help="samples that are measured")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    found.add_argument("--threads", type=int)
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as runs:
        return _all(given, runs / "dcgan", argv)


def _all(given: Any, path: Path, argv: Sequence[str]) -> int:
    import lowerbound as lb
    from lowerbound.evaluation.samples import View
    from lowerbound.plots.curves import learning_curves
    from lowerbound.plots.style import save
    from lowerbound.sample_quality import measure
    from lowerbound.training.engine import versions
    from lowerbound.training.units import for_curves

    if (path / "weights.safetensors").exists():
        run = lb.open_run(path)
    else:
        data = lb.load(options.check_data(given.data), limit=given.limit, likelihood="none")
        run = lb.train(
            data, "gan", out=path, minutes=given.minutes, batch_size=given.batch_size,
            network={"name": "dcgan", "channels": given.channels}, threads=given.threads,
            held_out_every=2,
        )  # fmt: skip
    quality = measure(run, count=given.count, pictures=False)
    rows = []
    for key, text, times, digits in _MEASURES:
        number: Any = getattr(quality, key)
        told = [number.value, number.real]
        rows.append([text, *("–" if n is None else f"{times * n:.{digits}f}" for n in told)])
    given.out.mkdir(parents=True, exist_ok=True)
    drawn = View(run.data())(lb.sample(run, _ROWS * _SHOWN, seed=1)).numpy()
    image_rows(
        {" " * row: drawn[row::_ROWS] for row in range(_ROWS)}, given.out / "dcgan_cifar.png"
    )
    save(learning_curves(map(for_curves, run.metrics()), ""), given.out / "dcgan_cifar_curves.png")
    status = run.info["status"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(["", "samples", "real"], rows),
        f"Features: {quality.features}, {quality.features_text}. {given.count:,} samples. "
        f"{status['step']:,} steps of {given.batch_size} images in {given.minutes:g} minutes. "
        f"Published FID by Inception's features, of full training: {PUBLISHED}.",
        "![samples](dcgan_cifar.png)",
        "![learning curves](dcgan_cifar_curves.png)",
    ]
    write(
        "dcgan_cifar",
        "DCGAN on CIFAR-10",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("dcgan_cifar", argv),
        folder=given.out,
    )
    return 0
