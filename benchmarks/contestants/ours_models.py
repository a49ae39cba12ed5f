"""Ours beside `pythae_models`: recipes and `lowerbound.train`, with their defaults and reports."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import lowerbound
from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.models_arguments import arguments
from lowerbound.mixtures import GaussianMixture, em
from lowerbound.training.events import HeldOut, Started


class Turns:
    """A turn is an epoch and the glance at held-out data; what comes after the last is one more.

    Args:
        link: to the contest.
        examples: in an epoch.
    """

    def __init__(self, link: Link, examples: int) -> None:
        self.link, self.examples = link, examples

    def __call__(self, event: Any) -> None:
        """Take an event of training."""
        if isinstance(event, Started):
            chosen = event.resolved
            compiled = "compiled" if chosen["compile"] else "not compiled"
            note = f"{chosen['precision']}, {compiled}"
            self.link.ready(parameters=chosen["parameters"], note=note)
            self.link.wait()
        elif isinstance(event, HeldOut):
            self.link.done(self.examples)
            self.link.wait()


def recipe(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The recipe's name and its options."""
    shape = {"latent_dim": shared.CODES, "hidden": (shared.HIDDEN,), "activation": "relu"}
    if given.model == "ae-gmm":
        # pythae's ends in a sigmoid; so does this one, which is one's own network therefore.
        torch.manual_seed(given.seed)
        decoder = nn.Sequential(
            nn.Linear(shared.CODES, shared.HIDDEN),
            nn.ReLU(),
            nn.Linear(shared.HIDDEN, shared.PIXELS),
            nn.Sigmoid(),
            nn.Unflatten(1, (1, 28, 28)),
        )
        return "autoencoder", {**shape, "decoder": decoder}
    vae = {**shape, "likelihood": "bernoulli"}
    if given.model == "iwae":
        return "iwae", {**vae, "samples": given.samples}
    if given.model == "beta-vae":
        return "beta-vae", {**vae, "beta": given.beta}
    if given.model == "vamp":
        return "vae", {**vae, "prior": {"name": "vamp", "components": given.pseudo_inputs}}
    assert given.model == "vae", given.model
    return "vae", vae


@torch.no_grad()
def arrays(model: Any) -> dict[str, np.ndarray]:
    """Its weights in the names of `benchmarks.evaluator`."""
    encoder = getattr(model, "posterior", None) or model.encoder
    decoder = getattr(model, "likelihood", None) or model.decoder
    found = {}
    for side, head in (("encoder", encoder), ("decoder", decoder)):
        linears = [m for m in head.network.modules() if isinstance(m, nn.Linear)]
        for place, layer in zip(("hidden", "out"), linears, strict=True):
            for name, value in layer.named_parameters():
                found[f"{side}.{place}.{name}"] = value.detach().numpy()
    for name in ("weight", "bias"):
        found[f"decoder.logits.{name}"] = found.pop(f"decoder.out.{name}")
        out = found.pop(f"encoder.out.{name}")
        found[f"encoder.loc.{name}"] = out[: shared.CODES]
        if len(out) > shared.CODES:
            found[f"encoder.log_scale.{name}"] = out[shared.CODES :]
    pseudo = getattr(getattr(model, "prior", None), "pseudo_inputs", None)
    if pseudo is not None:
        found["pseudo_inputs"] = pseudo.reshape(len(pseudo), shared.PIXELS).numpy()
    return found


@torch.no_grad()
def mixture_of_codes(model: Any, x: torch.Tensor, components: int, seed: int) -> dict[str, Any]:
    """The Gaussian mixture of the codes by EM, to the tolerance that pythae's has."""
    codes = torch.cat([model.encode(some).mean for some in x.split(1000)])
    mixture = GaussianMixture(tuple(model.latent_shape), components)
    for _ in em(mixture, lambda: iter(codes.split(4096)), tolerance=1e-3, seed=seed):
        pass
    return {
        "mixture.weights": mixture.weights.numpy(),
        "mixture.means": mixture.means.numpy(),
        "mixture.covariances": mixture.covariances.numpy(),
    }


def main() -> None:
    """Train in turns."""
    given = arguments()
    train, test = shared.images(given.data, binary=True, limit=given.limit)
    shape = (-1, 28, 28)
    data = lowerbound.load({"train": train.reshape(shape), "test": test.reshape(shape)})
    name, options = recipe(given)
    found: dict[str, Any] = {}
    link = Link({"weights": lambda path: np.savez(path, **found)})
    with tempfile.TemporaryDirectory() as folder:
        run = lowerbound.train(
            data,
            name,
            out=Path(folder) / "run",
            progress=Turns(link, len(train)),
            epochs=given.epochs,
            batch_size=given.batch,
            learning_rate=given.learning_rate,
            schedule=given.schedule,
            seed=given.seed,
            threads=given.threads,
            **options,
        )
        model: Any = run.model
        found.update(arrays(model))
        if given.model == "ae-gmm":
            x = torch.from_numpy(train).float().view(-1, *model.event_shape)
            found.update(mixture_of_codes(model, x, given.components, given.seed))
    link.done(0)
    link.wait()


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
