"""Ours, by `lowerbound.train` as a user calls it: metrics, held-out glances and checkpoints on.

Variants: auto, float32 (compiled), eager (float32).
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import lowerbound
from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.train_arguments import arguments
from benchmarks.machine import cores
from lowerbound.training.events import HeldOut, Started
from lowerbound.training.held_out import HeldOutSet

_CHOICES: dict[str, dict[str, str]] = {
    "auto": {},
    "float32": {"precision": "float32", "compile": "yes"},
    "eager": {"precision": "float32", "compile": "no"},
}
#: Long enough for `compile` auto to find that compiling pays; the contest ends it earlier.
_EPOCHS = 1000


class Follow:
    """Waits for its turn at every epoch's end, which the held-out report is."""

    def __init__(self, model: torch.nn.Module, batch: int) -> None:
        self.model, self.batch = model, batch
        self.link = Link({"weights": self.weights})
        self.step = 0
        self.glance = 0.0

    def __call__(self, event: Any) -> None:
        """Take an event of training."""
        if isinstance(event, Started):
            chosen = event.resolved
            count = sum(p.numel() for p in self.model.parameters())
            note = (
                f"precision {chosen['precision']}, compile {'yes' if chosen['compile'] else 'no'}"
            )
            self.link.ready(parameters=count, note=f"{note}, {chosen['threads']} threads")
            self.link.wait()
        elif isinstance(event, HeldOut):
            examples = (event.step - self.step) * self.batch
            self.link.done(examples, glance=self.glance, bound=event.values["bound"])
            self.step, self.glance = event.step, 0.0
            self.link.wait()

    def weights(self, path: str) -> None:
        """Write the weights in the form that all share."""
        save(self.model, path)

    def watch(self) -> None:
        """Take the time of held-out glances, which are part of the turn."""
        measure = HeldOutSet.measure

        def timed(*args: Any) -> dict:
            begin = time.perf_counter()
            try:
                return measure(*args)
            finally:
                self.glance += time.perf_counter() - begin

        HeldOutSet.measure = timed  # ty: ignore[invalid-assignment]


def save(model: Any, path: str | Path) -> None:
    """Write a model's weights in the form that all share."""
    found = {}
    for side, head in (("encoder", model.posterior), ("decoder", model.likelihood)):
        linears = [m for m in head.modules() if isinstance(m, torch.nn.Linear)]
        for place, layer in zip(("hidden", "out"), linears, strict=True):
            found[f"{side}.{place}"] = tuple(p.detach().numpy() for p in layer.parameters())
    weight, bias = found.pop("encoder.out")
    cut = shared.CODES
    found["encoder.loc"] = weight[:cut], bias[:cut]
    found["encoder.log_scale"] = weight[cut:], bias[cut:]
    found["decoder.logits"] = found.pop("decoder.out")
    shared.save(path, found)


def build(spec: Any) -> Any:
    """The shared model, untrained, by the recipe."""
    torch.manual_seed(0)
    recipe = lowerbound.recipe("vae")
    return recipe(spec, latent_dim=shared.CODES, hidden=(shared.HIDDEN,), activation="relu")


def data(path: str, *, binary: bool, limit: int | None) -> Any:
    """MNIST as ours loads it; grey pixels are binarized anew in every step."""
    train, test = shared.images(path, binary=binary, limit=limit)
    shape = (-1, 28, 28)
    return lowerbound.load({"train": train.reshape(shape), "test": test.reshape(shape)})


def main() -> None:
    """Train in turns."""
    given = arguments()
    loaded = data(given.data, binary=given.input == "fixed", limit=given.limit)
    assert loaded.spec.likelihood == "bernoulli", loaded.spec
    expected = "stochastic" if given.input == "dynamic" else "none"
    assert loaded.spec.binarize == expected, loaded.spec
    built = build(loaded.spec)
    follow = Follow(built.model, given.batch)
    follow.watch()
    with tempfile.TemporaryDirectory() as folder:
        lowerbound.train(
            loaded,
            built,
            out=Path(folder) / "run",
            progress=follow,
            epochs=_EPOCHS,
            batch_size=given.batch,
            schedule="constant",
            threads=cores(),  # as all the others have, whatever a busy start may suggest
            **_CHOICES[given.variant],
        )


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
