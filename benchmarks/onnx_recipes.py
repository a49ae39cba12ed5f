"""Every recipe as ONNX: how far ONNX Runtime is from torch, and what cannot be exported and why.

Each recipe is built on small data that it takes, without training: errors are of rounding, which
does not depend on what was learned. Inputs are draws from the prior and random data, 1 and 17 at a
time. Errors are in parts of the range of the outputs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_NEEDS: dict[str, dict[str, Any]] = {
    "completion": {"mask": "right"},
    "pixelcnn": {"width": 8, "layers": 2},
    "stack-gan": {"text_width": 16, "text_layers": 1, "refiner_channels": 2},
    "state-space-vae": {"belief_width": 8},
    "td-vae": {"belief_width": 8, "jump": "1-3"},
    "transformer": {"width": 16, "layers": 1},
    "vq-vae-2": {"channels": 16, "blocks": 1},
    "wavenet": {"width": 8, "depth": 3},
}
_KINDS = {"masked-tokens": "tokens", "state-space-vae": "sequence", "td-vae": "sequence"}
_KINDS |= {"stack-gan": "colour"}
_QUICK: dict[str, Any] = {
    "threads": 1,
    "compile": "no",
    "tensorboard": "no",
    "progress": False,
    "steps": 1,
}


def main(argv: Sequence[str]) -> int:
    """Export all and write docs/results/onnx_recipes.md."""
    found = options.parser(__doc__, "onnx_recipes")
    found.add_argument("recipes", nargs="*", help="these alone; without them all")
    given = found.parse_args(argv)
    import torch

    from lowerbound.recipes import RECIPES
    from lowerbound.training.engine import versions

    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.recipes or RECIPES:
            rows.append([name, *_exported(name, Path(folder))])
            print(" | ".join(rows[-1]), flush=True)
    header = ["recipe", "data", "decoder", "encoder"]
    write(
        "onnx_recipes",
        "Every recipe as ONNX",
        "\n\n".join([__doc__.partition("\n\n")[2].strip(), table(header, rows)]),
        machine=describe(**versions()),
        command=command_line("onnx_recipes", argv),
        folder=given.out,
    )
    return 0


def _exported(name: str, folder: Path) -> list[str]:
    """What the data are, and how decoder and encoder came out."""
    import lowerbound as lb
    from lowerbound.options import options_of
    from lowerbound.recipes import RECIPES
    from lowerbound.shipping.graphs import DecoderGraph, EncoderGraph
    from lowerbound.shipping.onnx_files import make_onnx

    kind = _KINDS.get(name, "grey")
    known = options_of(RECIPES[name])
    arguments = dict(_NEEDS.get(name, {}))
    small = {"latent_dim": 3, "hidden": (16,), "components": 3}
    arguments |= {key: value for key, value in small.items() if key in known}
    if "base" in known:
        base = folder / "base"
        if not base.exists():
            lb.train(_data(kind), "autoencoder", out=base, latent_dim=3, hidden=(16,), **_QUICK)
        arguments["base"] = str(base)
    run = lb.train(_data(kind), name, out=folder / name, **_QUICK, **arguments)
    told = [kind]
    for part, graph in (("decoder", DecoderGraph), ("encoder", EncoderGraph)):
        if not hasattr(run.model, part[:-1]):
            told.append("has none")
            continue
        try:
            made = make_onnx(graph(run), run, part)
            told.append(f"{made.error / max(made.range, 1e-30):.0e}")
        except lb.LowerboundError as error:
            told.append(_short(str(error)))
    return told


def _short(reason: str) -> str:
    """The part of a refusal that is its own."""
    for word in ("the operation ", "which draws it ", "its posterior ", "expected "):
        if word in reason:
            return word + reason.partition(word)[2].partition(";")[0]
    return reason


def _data(kind: str) -> dict[str, Any]:
    import numpy as np

    random = np.random.default_rng(0)
    count = 96
    labels = np.arange(count) % 3
    sides: dict[str, Any] = {"labels": labels}
    if kind == "tokens":
        return {"train": (labels[:, None] + np.arange(8)) % 5, **sides}
    if kind == "sequence":
        return {"train": 0.3 * random.normal(size=(count, 7, 2)).cumsum(1), **sides}
    ramp = np.linspace(0, 1, 8)[None, :, None] * (1 + labels)[:, None, None] / 3.0
    grey = 200 * np.clip(ramp + 0.1 * random.normal(size=(count, 8, 8)), 0, 1)
    if kind == "grey":
        return {"train": grey.astype(np.uint8), **sides}
    sides["captions"] = [[f"a ramp of kind {'abc'[label]}"] for label in labels]
    return {"train": (grey[..., None] * [1.0, 0.7, 0.4]).astype(np.uint8), **sides}
