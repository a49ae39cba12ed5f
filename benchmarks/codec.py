"""A trained run as a codec: bits by the model's prior, and bits that are written.

Images of MNIST by a VQ-VAE (7 x 7 codes of 256) with a uniform and with a fitted prior. The rate is
-log2 p(codes) under the prior, in float64; the file is the .npz on the disk, its header and all.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

_SMALL: dict[str, Any] = {"quantizer": {"name": "vq", "levels": 256}, "channels": 64}


def main(argv: Sequence[str]) -> int:
    """Train, encode, decode and write docs/results/codec.md."""
    found = options.parser(__doc__, "codec")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=10)
    found.add_argument("--examples", type=int, default=2000, help="test images to code")
    found.add_argument("--limit", type=int, help="train on so many images only (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.codec import decode, encode
    from lowerbound.training.engine import versions

    limit: dict[str, Any] = {"limit": given.limit} if given.limit else {}
    data = lb.load(options.check_data(given.data), **limit)
    rows = []
    for prior in ("uniform", "pixelcnn"):
        run = lb.train(data, "vq-vae", prior=prior, epochs=given.epochs, **_SMALL)
        began = time.monotonic()
        codes = encode(run, data, split="test", limit=given.examples)
        coded = time.monotonic() - began
        with tempfile.TemporaryDirectory() as folder:
            path = codes.write(Path(folder) / "codes.npz")
            size = 8 * path.stat().st_size / codes.about.examples
            began = time.monotonic()
            values = decode(run, path)
            decoded = time.monotonic() - began
        assert np.array_equal(values, decode(run, codes)), "the codes came back otherwise"
        rows.append(
            [
                f"vq-vae, {prior}",
                f"{codes.rate:.2f}",
                f"{codes.coded:.2f} ({codes.coded / codes.rate - 1:+.2%})",
                f"{size:.2f} ({size / codes.rate - 1:+.2%})",
                f"{codes.about.examples / coded:.0f}",
                f"{codes.about.examples / decoded:.0f}",
            ]
        )
    header = ["model", "rate", "coded", "file", "encoded per second", "decoded per second"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"Bits per image; {given.epochs:g} epochs; decoded codes equal the encoded ones.",
    ]
    write(
        "codec",
        "Codes as bits",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("codec", argv),
        folder=given.out,
    )
    return 0
