"""The loop that a page of PyTorch would show: DataLoader, module, loss, Adam; float32."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.train_arguments import arguments


class Model(nn.Module):
    """The shared model."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {name.replace(".", "_"): nn.Linear(*sizes) for name, sizes in shared.LAYERS.items()}
        )

    def forward(self, x: Tensor) -> Tensor:
        """The negative bound's mean, nats, of x (N, 784)."""
        layer = self.layers
        h = layer["encoder_hidden"](x).relu()
        loc, log_scale = layer["encoder_loc"](h), layer["encoder_log_scale"](h)
        z = loc + log_scale.exp() * torch.randn_like(loc)
        logits = layer["decoder_logits"](layer["decoder_hidden"](z).relu())
        distortion = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        rate = 0.5 * (loc.square() + (2 * log_scale).exp() - 2 * log_scale - 1).sum(1)
        return (distortion + rate).mean()

    def save(self, path: str) -> None:
        """Write the weights in the form that all share."""
        found: dict[str, Any] = {
            name: tuple(
                p.detach().numpy() for p in self.layers[name.replace(".", "_")].parameters()
            )
            for name in shared.LAYERS
        }
        shared.save(path, found)


def main() -> None:
    """Train in turns."""
    given = arguments()
    fixed = given.input == "fixed"
    train, _ = shared.images(given.data, binary=fixed, limit=given.limit)
    values = torch.from_numpy(train).float()
    loader = DataLoader(
        TensorDataset(values if fixed else values / 255), batch_size=given.batch, shuffle=True
    )
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    link = Link({"weights": model.save})
    count = sum(p.numel() for p in model.parameters())
    link.ready(parameters=count, note=f"float32, {torch.get_num_threads()} threads")
    while True:
        link.wait()
        total = 0.0
        for (x,) in loader:
            loss = model(x if fixed else torch.bernoulli(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        link.done(len(values), loss=total / len(loader))


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
