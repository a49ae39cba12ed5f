"""pythae's own trainer on its own VAE: with its default networks it is the shared model."""

from __future__ import annotations

import contextlib
import tempfile
from typing import Any

import torch
from pythae.data.datasets import BaseDataset  # ty: ignore[import-not-found]
from pythae.models import VAE, VAEConfig  # ty: ignore[import-not-found]
from pythae.trainers import BaseTrainer, BaseTrainerConfig  # ty: ignore[import-not-found]
from pythae.trainers.training_callbacks import TrainingCallback  # ty: ignore[import-not-found]

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.train_arguments import arguments


class Turns(TrainingCallback):
    """Waits for its turn before every epoch.

    Args:
        model: trained.
        dataset: its ``data``, float32, are drawn anew from `grey` at an epoch's start, in the turn.
        grey: probabilities, or None for data that stay as they are.
    """

    def __init__(self, model: VAE, dataset: BaseDataset, grey: torch.Tensor | None) -> None:
        self.model, self.dataset, self.grey = model, dataset, grey
        self.link = Link({"weights": lambda path: save(model, path)})

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        count = sum(p.numel() for p in self.model.parameters())
        self.link.ready(parameters=count, note=f"float32, {torch.get_num_threads()} threads")

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        self.link.wait()
        if self.grey is not None:
            torch.bernoulli(self.grey, out=self.dataset.data)

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        self.link.done(len(self.dataset))


def _layers(model: VAE) -> dict[str, torch.nn.Linear]:
    encoder, decoder = model.encoder, model.decoder
    return {
        "encoder.hidden": encoder.layers[0][0],
        "encoder.loc": encoder.embedding,
        "encoder.log_scale": encoder.log_var,  # twice the log scale
        "decoder.hidden": decoder.layers[0][0],
        "decoder.logits": decoder.layers[1][0],
    }


def build() -> VAE:
    """The shared model."""
    torch.manual_seed(0)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=shared.CODES, reconstruction_loss="bce")
    return VAE(config)


@torch.no_grad()
def save(model: VAE, path: str) -> None:
    """Write the weights in the form that all share."""
    found = {}
    for name, layer in _layers(model).items():
        factor = 0.5 if name == "encoder.log_scale" else 1.0
        found[name] = (layer.weight * factor).numpy(), (layer.bias * factor).numpy()
    shared.save(path, found)


@torch.no_grad()
def load(model: VAE, path: str) -> None:
    """Take weights from the form that all share."""
    weights = shared.load(path)
    for name, layer in _layers(model).items():
        factor = 2.0 if name == "encoder.log_scale" else 1.0
        weight, bias = map(torch.from_numpy, weights[name])
        layer.weight.copy_(weight * factor)
        layer.bias.copy_(bias * factor)


def main() -> None:
    """Train in turns."""
    given = arguments()
    fixed = given.input == "fixed"
    train, _ = shared.images(given.data, binary=fixed, limit=given.limit)
    values = torch.from_numpy(train).float().view(-1, 1, 28, 28)
    values = values if fixed else values / 255
    dataset = BaseDataset(values.clone(), torch.zeros(len(values)))
    model = build()
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=1_000_000,
            learning_rate=1e-3,
            per_device_train_batch_size=given.batch,
        )
        turns = Turns(model, dataset, None if fixed else values)
        trainer = BaseTrainer(model, dataset, None, config, [turns])
        trainer.train()


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
