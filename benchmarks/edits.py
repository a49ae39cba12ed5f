"""Editing faces on avatars: smile, glasses and pose, held against the truth.

An avatar is a function of its attributes, so that every edit has a right answer: the same face,
drawn again with that attribute changed. A VAE is trained without them; directions are fitted to
codes of training examples by (a) the plain difference of means, (b) the same with the logits of all
other attributes kept, (c) a regression on all attributes together, (d) that with the others kept,
(e) a classifier's normal with the others kept. How far each goes for a change of one unit is chosen
on training examples, alike for all of them. Error: squared, per pixel in [0, 1]. Drift: by how much
the other attributes change (mean of |change| / standard deviation), as a ridge regression reads
them off pixels, with what it reads off the true edited picture as zero.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import edits_figures, options
from .commands import shown
from .machine import describe
from .tables import command_line, table, write

METHODS: dict[str, tuple[str, str]] = {
    "difference of means": ("means", "none"),
    "difference of means, others kept": ("means", "all"),
    "regression": ("regression", "none"),
    "regression, others kept": ("regression", "all"),
    "classifier's normal, others kept": ("logistic", "all"),
}
EDITED = ("smile", "glasses", "yaw")
_AMOUNTS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)


def main(argv: Sequence[str]) -> int:
    """Train a VAE on avatars and write docs/results/edits.md and its figures."""
    found = options.parser(__doc__, "edits")
    found.add_argument("--minutes", type=float, default=15, help="of processor time")
    found.add_argument("--size", type=int, default=32, help="pixels of a side")
    found.add_argument("--limit", type=int, help="use so many faces only")
    found.add_argument("--latent-dim", type=int, default=32)
    found.add_argument("--network", default="mlp", choices=["mlp", "conv", "dcgan"])
    found.add_argument("--channels", type=int, default=32, help="of convolutions")
    found.add_argument("--batch-size", type=int, default=64)
    found.add_argument("--hidden", default="512,256")
    found.add_argument("--examples", type=int, default=300, help="held-out faces that are edited")
    found.add_argument("--fitted", type=int, default=4000, help="training faces of the directions")
    found.add_argument("--run", type=Path, help="a run of avatars that is there already")
    given = found.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return _all(given, given.run or Path(folder) / "run", argv)


def _all(given: Any, path: Path, argv: Sequence[str]) -> int:
    import lowerbound as lb
    from lowerbound.training.engine import versions

    began = time.monotonic()
    words = ["train", "avatars", "--size", str(given.size), "--recipe", "vae"]
    words += ["--latent-dim", str(given.latent_dim), "--network", given.network]
    mlp = given.network == "mlp"
    words += ["--hidden", given.hidden] if mlp else ["--network.channels", str(given.channels)]
    words += ["--batch-size", str(given.batch_size)]
    words += ["--likelihood", "gaussian", "--minutes", f"{given.minutes:g}", "--threads", "1"]
    words += ["--held-out-every", "10"] + (["--limit", str(given.limit)] if given.limit else [])
    if not (path / "run.json").is_file():
        print("$ " + shown(words), flush=True)
        command = [sys.executable, "-m", "benchmarks.cpu_clock", *words, "--no-evaluate"]
        subprocess.run([*command, "--out", str(path)], check=True, stdout=subprocess.DEVNULL)
    run = lb.open_run(path)
    bench = Bench(run, given.fitted, given.examples)
    rows, floors = measured(bench)
    given.out.mkdir(parents=True, exist_ok=True)
    edits_figures.paper_rows(bench, given.out / "edits_rows.png")
    edits_figures.beside_truth(bench, given.out / "edits_truth.png")
    correlations = edits_figures.smile_and_pose(bench, given.out / "edits_plane.png")
    trained = run.info["status"]
    header = ["edit", "direction", "error to the truth, 10⁻³", "drift of others"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        table(["edit", "picture unchanged, 10⁻³", "reconstructed truth, 10⁻³"], floors),
        "Errors of the edited picture with the original's detail (only the change is taken from "
        "the model); in brackets those of what the model decodes. Picture unchanged: the error of "
        "no edit. Reconstructed truth: of the model's reconstruction of the right answer.",
        "![nine rows](edits_rows.png)\n\nInterpolation (neutral to smile, glasses off to on, man "
        "to woman, two codes drawn from N(0, I)) and attribute vectors, α = 0, 0.1, …, 1.",
        "![truth](edits_truth.png)\n\nHeld-out faces, edited, and the truth.",
        "![plane](edits_plane.png)\n\nThe plane of the two code dimensions that go most with smile "
        "and with pose, of a model that was told neither.",
        table(["axis", "correlation with smile", "correlation with pose"], correlations),
        f"{trained['step']:,} steps; {bench.x_test.shape[0]} held-out faces; "
        f"{(time.monotonic() - began) / 60:.0f} minutes in all.",
    ]
    write(
        "edits",
        "Edits of avatars against the truth",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("edits", argv),
        folder=given.out,
    )
    return 0


class Bench:
    """A run with the faces, codes and attributes that its edits are measured on.

    Args:
        run: of avatars.
        fitted: training faces.
        examples: held-out faces.
    """

    def __init__(self, run: Any, fitted: int, examples: int) -> None:
        import numpy as np
        from sklearn.linear_model import Ridge

        from lowerbound.exploring.examples import centre_of, examples_of
        from lowerbound.latent import space_of

        self.run, self.size = run, run.spec.event_shape[1]
        self.space = space_of(run.model, "edits", centre=centre_of(run))
        data = run.data()
        self.names = tuple(run.spec.attributes)
        train, test = examples_of(run, fitted, train=True), examples_of(run, examples)
        self.x_train, self.x_test = train.x.numpy(), test.x.numpy()
        self.values = np.asarray(data.train.attributes, np.float64)[train.positions]
        self.values_test = np.asarray(data.test.attributes, np.float64)[test.positions]
        self.codes = self.space.encode(train.x)
        self.codes_test = self.space.encode(test.x)
        # Linear in pixels, and never shown the model or what it decodes.
        self.spread = self.values.std(0)
        flat = self.unit(self.x_train).reshape(len(self.codes), -1)
        self.reader = Ridge(alpha=30.0).fit(flat, self.values)

    def directions(self, how: Any, keep: Any) -> Any:
        """Directions of a method."""
        from lowerbound.latent import fit_directions

        return fit_directions(self.codes, self.values, self.names, how=how, keep=keep)

    def unit(self, x: Any) -> Any:
        """Pictures in [0, 1]."""
        import torch

        from lowerbound.data import Prepare

        return Prepare(self.run.spec).unit(torch.from_numpy(x)).numpy()

    def rendered(self, values: Any) -> Any:
        """Pictures of attributes ``(N, 17)``, in [0, 1]."""
        from lowerbound.data.avatars import render

        return render(values, self.size) / 255.0

    def decoded(self, codes: Any) -> Any:
        """Pictures of codes, in [0, 1]."""
        return self.unit(self.space.decode(codes))

    def read(self, pictures: Any) -> Any:
        """Attributes as the ridge regression reads them, ``(N, 17)``."""
        return self.reader.predict(pictures.reshape(len(pictures), -1))


def target_of(values: Any, name: str, names: Sequence[str]) -> Any:
    """The attributes that an edit should lead to: smile and pose to the other side, glasses on or
    off."""
    import numpy as np

    wanted, column = values.copy(), list(names).index(name)
    had = values[:, column]
    wanted[:, column] = 1.0 - had if name == "glasses" else np.where(had > 0, -0.8, 0.8)
    return wanted


def measured(bench: Bench) -> tuple[list[list[Any]], list[list[Any]]]:
    """Rows of the table, and the errors that bound them."""
    import numpy as np

    rows, floors = [], []
    for name in EDITED:
        column = bench.names.index(name)
        wanted = target_of(bench.values_test, name, bench.names)
        truth = bench.rendered(wanted)
        original = bench.unit(bench.x_test)
        again = bench.decoded(bench.codes_test)
        step = wanted[:, column] - bench.values_test[:, column]
        others = [k for k in range(len(bench.names)) if k != column]
        aim = bench.read(truth)
        floor = bench.decoded(bench.space.encode(_tensor(bench, truth)))
        floors.append([name, _milli(original, truth), _milli(floor, truth)])
        for method, (how, keep) in METHODS.items():
            try:
                vector = bench.directions(how, keep).vectors[column]
            except Exception as error:  # too few faces of a try
                rows.append([name, method, str(error)[:40], None])
                continue
            vector = vector * _unit_amount(bench, vector, column)
            amount = _best(bench, vector, name)
            decoded = bench.decoded(bench.codes_test + amount * step[:, None] * vector)
            picture = np.clip(original + decoded - again, 0, 1)
            drift = np.abs(bench.read(picture) - aim)[:, others] / bench.spread[others]
            error = f"{_milli(picture, truth):.2f} ({_milli(decoded, truth):.2f})"
            rows.append([name, method, error, f"{drift.mean():.3f}"])
    return rows, floors


def _unit_amount(bench: Bench, vector: Any, column: int) -> float:
    """How much of a direction goes with one unit of the attribute, to begin with."""
    import numpy as np

    along = bench.codes @ vector / (vector @ vector)
    slope = np.polyfit(bench.values[:, column], along, 1)[0]
    return float(slope) if abs(slope) > 1e-9 else 1.0


def _best(bench: Bench, vector: Any, name: str) -> float:
    """The amount of the least error on training faces."""
    import numpy as np

    count = min(200, len(bench.codes))
    column = bench.names.index(name)
    values = bench.values[:count]
    wanted = target_of(values, name, bench.names)
    truth = bench.rendered(wanted)
    step = (wanted - values)[:, column]
    codes = bench.codes[:count]
    original, again = bench.unit(bench.x_train[:count]), bench.decoded(codes)
    errors = []
    for amount in _AMOUNTS:
        decoded = bench.decoded(codes + amount * step[:, None] * vector)
        errors.append(_milli(np.clip(original + decoded - again, 0, 1), truth))
    return _AMOUNTS[int(np.argmin(errors))]


def _tensor(bench: Bench, pictures: Any) -> Any:
    """x of pictures in [0, 1]."""
    import numpy as np
    import torch

    from lowerbound.data import Prepare

    stored = torch.from_numpy(np.rint(255 * pictures).astype(np.uint8))
    return Prepare(bench.run.spec)(stored, torch.Generator().manual_seed(0))


def _milli(a: Any, b: Any) -> float:
    import numpy as np

    return 1000 * float(np.square(np.asarray(a) - np.asarray(b)).mean())
