"""pythae's models with its default networks, by its own trainer and sampler."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from typing import Any

import numpy as np
import torch
from pythae import models as theirs  # ty: ignore[import-not-found]
from pythae.data.datasets import BaseDataset  # ty: ignore[import-not-found]
from pythae.samplers import (  # ty: ignore[import-not-found]
    GaussianMixtureSampler,
    GaussianMixtureSamplerConfig,
)
from pythae.trainers import BaseTrainer, BaseTrainerConfig  # ty: ignore[import-not-found]
from pythae.trainers.training_callbacks import (  # ty: ignore[import-not-found]
    TrainingCallback,
)

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.models_arguments import arguments


class Turns(TrainingCallback):
    """A turn is an epoch; what comes after the last is one more.

    Args:
        link: to the contest.
        about: what is told of the set-up.
        examples: in an epoch.
    """

    def __init__(self, link: Link, about: dict[str, Any], examples: int) -> None:
        self.link, self.about, self.examples = link, about, examples

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self.link.ready(**self.about)
        self.link.wait()

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        self.link.done(self.examples)
        self.link.wait()


def build(given: argparse.Namespace) -> Any:
    """The model, with pythae's default networks."""
    shape: dict[str, Any] = {"input_dim": (1, 28, 28), "latent_dim": shared.CODES}
    vae = {**shape, "reconstruction_loss": "bce"}
    if given.model == "ae-gmm":
        return theirs.AE(theirs.AEConfig(**shape))
    if given.model == "iwae":
        return theirs.IWAE(theirs.IWAEConfig(**vae, number_samples=given.samples))
    if given.model == "beta-vae":
        return theirs.BetaVAE(theirs.BetaVAEConfig(**vae, beta=given.beta))
    if given.model == "vamp":
        return theirs.VAMP(theirs.VAMPConfig(**vae, number_components=given.pseudo_inputs))
    assert given.model == "vae", given.model
    return theirs.VAE(theirs.VAEConfig(**vae))


@torch.no_grad()
def arrays(model: Any) -> dict[str, np.ndarray]:
    """Its weights in the names of `benchmarks.evaluator`."""
    encoder, decoder = model.encoder, model.decoder
    layers = {
        "encoder.hidden": encoder.layers[0][0],
        "encoder.loc": encoder.embedding,
        "decoder.hidden": decoder.layers[0][0],
        "decoder.logits": decoder.layers[1][0],
    }
    if hasattr(encoder, "log_var"):
        layers["encoder.log_scale"] = encoder.log_var  # twice the log scale
    found = {}
    for name, layer in layers.items():
        factor = 0.5 if name == "encoder.log_scale" else 1.0
        found[f"{name}.weight"] = (factor * layer.weight).numpy()
        found[f"{name}.bias"] = (factor * layer.bias).numpy()
    if hasattr(model, "pseudo_inputs"):
        found["pseudo_inputs"] = model.pseudo_inputs(model.idle_input).numpy()
    return found


def main() -> None:
    """Train in turns."""
    given = arguments()
    torch.set_num_threads(given.threads)
    train, _ = shared.images(given.data, binary=True, limit=given.limit)
    x = torch.from_numpy(train).float().view(-1, 1, 28, 28)
    dataset = BaseDataset(x, torch.zeros(len(x)))
    torch.manual_seed(given.seed)
    model = build(given)
    found: dict[str, Any] = {}
    link = Link({"weights": lambda path: np.savez(path, **found)})
    about = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "note": "float32",
    }
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=given.epochs,
            learning_rate=given.learning_rate,
            per_device_train_batch_size=given.batch,
            seed=given.seed,
        )
        trainer = BaseTrainer(model, dataset, None, config, [Turns(link, about, len(x))])
        trainer.train()
        # What it saves is the model of the epoch with the least training loss, not the last.
        best = trainer._best_model
        best.eval()
        found.update(arrays(best))
        if given.model == "ae-gmm":
            chosen = GaussianMixtureSamplerConfig(n_components=given.components)
            sampler = GaussianMixtureSampler(best, chosen)
            np.random.seed(given.seed)  # what scikit-learn draws from
            sampler.fit(x)
            found["mixture.weights"] = sampler.gmm.weights_
            found["mixture.means"] = sampler.gmm.means_
            found["mixture.covariances"] = sampler.gmm.covariances_
    link.done(0)
    link.wait()


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
