"""The page to give away: its size, how soon it opens, and pictures per second in Chromium.

Goal: at least 20 pictures a second with the network off, for decoders of 64 × 64 pixels. Models are
trained for a few steps, for neither size nor speed depends on what was learned; data are noise, the
worst for thumbnails. The decoder runs on one thread of WebAssembly. A picture is a code decoded,
drawn and encoded as PNG, one by one, as a slider asks for them, or 16 at a time, as a morph does.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_FLAGS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
_ONE = """async ({ seconds, count }) => {
  const { latent } = lowerbound;
  const draw = () => Array.from({ length: latent.about.width }, () => 2 * Math.random() - 1);
  const took = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const codes = Array.from({ length: count }, draw);
    const begun = performance.now();
    await latent.decode(codes, null);
    took.push((performance.now() - begun) / count);
  }
  return took;
}"""
MODELS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "conv, 64 × 64, grey": ((64, 64), {"network": "conv"}),
    "conv, 64 × 64, colour": ((64, 64, 3), {"network": "conv"}),
    "mlp, 28 × 28, grey": ((28, 28), {"network": "mlp"}),
    "mlp, 64 × 64, grey, Gaussian": ((64, 64), {"network": "mlp", "likelihood": "gaussian"}),
    "mlp, 64 × 64, colour, Gaussian": ((64, 64, 3), {"network": "mlp", "likelihood": "gaussian"}),
}


def main(argv: Sequence[str]) -> int:
    """Export, open, decode, and write docs/results/give_away.md."""
    found = options.parser(__doc__, "give_away")
    found.add_argument("--seconds", type=float, default=5.0, help="of decoding, each")
    found.add_argument("--examples", type=int, default=500, help="of data; a fifth are in the page")
    found.add_argument("--only", help="models whose name has this in it")
    given = found.parse_args(argv)
    browser = options.check_browser()
    from playwright.sync_api import sync_playwright

    from lowerbound.training.engine import versions

    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playing:
        models = {n: m for n, m in MODELS.items() if (given.only or "") in n}
        for name, (shape, chosen) in models.items():
            page, told = _exported(Path(folder), len(rows), shape, chosen, given.examples)
            chromium = playing.chromium.launch(executable_path=browser, args=_FLAGS)
            opened, one, many = _measured(chromium, page, given.seconds)
            version = chromium.version
            chromium.close()
            rows.append(
                [name, f"{told['weights']:.2f}", told["how"], f"{told['bytes'] / 1e6:.2f}",
                 f"{opened:.2f}", f"{1e3 / one:.0f}", f"{1e3 / many:.0f}"]
            )  # fmt: skip
    header = ["decoder", "float32 weights, MiB", "stored as", "page, MB", "opens in, s"]
    header += ["pictures/s, one by one", "pictures/s, 16 at once"]
    size = f"The worst: {min(int(row[5]) for row in rows)} pictures/s one by one (goal: 20)."
    body = [__doc__.partition("\n\n")[2].strip(), table(header, rows), size]
    write(
        "give_away",
        "The page to give away",
        "\n\n".join(body),
        machine=describe(**versions(), chromium=version),
        command=command_line("give_away", argv),
        folder=given.out,
    )
    return 0


def _exported(
    folder: Path, number: int, shape: tuple[int, ...], chosen: dict[str, Any], examples: int
) -> tuple[Path, dict[str, Any]]:
    import numpy as np

    import lowerbound as lb
    from lowerbound.shipping.graphs import DecoderGraph

    random = np.random.default_rng(0)
    data = {"train": random.integers(0, 256, (examples, *shape)).astype(np.uint8)}
    run = lb.train(
        data, "vae", out=folder / f"run{number}", latent_dim=16, steps=3, compile="no",
        threads=1, progress=False, tensorboard="no", **chosen,
    )  # fmt: skip
    done = lb.export(run, folder / f"{number}.html")
    weights = sum(p.numel() for p in DecoderGraph(run).model.likelihood.parameters())
    told = {"bytes": done.bytes, "how": done.quantized["decoder"], "weights": 4 * weights / 2**20}
    return done.out, told


def _measured(chromium: Any, page: Path, seconds: float) -> tuple[float, float, float]:
    """Seconds until it can be used; milliseconds a picture, one by one and 16 at once (medians)."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_offline(True)
    tab = context.new_page()
    began = time.perf_counter()
    tab.goto(page.as_uri())
    tab.get_by_role("navigation").wait_for()
    opened = time.perf_counter() - began
    tab.wait_for_timeout(2000)
    found = []
    for count in (1, 16):
        tab.evaluate(_ONE, {"seconds": 1.0, "count": count})
        found.append(statistics.median(tab.evaluate(_ONE, {"seconds": seconds, "count": count})))
    context.close()
    return opened, found[0], found[1]
