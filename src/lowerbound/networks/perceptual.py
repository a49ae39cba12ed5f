"""Networks whose hidden layers say what an image looks like: a small one to train, and VGG-19."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, relu

from ..errors import LowerboundError
from .mlp import MLP
from .start import initialise_

#: torchvision's file of the weights that were trained on ImageNet, by its own name.
VGG19_WEIGHTS = "vgg19-dcbb9e9d.pth"
_VGG19 = (64, 64, 0, 128, 128, 0, 256)  # 0 halves the sides; as far as relu3_1
_VGG19_TAKEN = (1, 6, 11)  # relu1_1, relu2_1, relu3_1
_LEAST = 4  # pixels that a side of the last feature map has


class FeatureNetwork(nn.Module):
    """Convolutions at full, half and quarter resolution, and scores of what they are trained for.

    Averaged, not skipped, on the way down, so that a layer's features move little when the image
    does.

    Args:
        event_shape: ``(C, H, W)``, values in [0, 1].
        targets: numbers that it is trained to tell.
        channels: of the first layer, doubled with each halving.
        layers: how many, as far as the sides go.

    >>> network = FeatureNetwork((3, 16, 12), 5, channels=4)
    >>> [tuple(f.shape[1:]) for f in network.features(torch.zeros(2, 3, 16, 12))]
    [(4, 16, 12), (8, 8, 6)]
    >>> network(torch.zeros(2, 3, 16, 12)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self, event_shape: Sequence[int], targets: int, *, channels: int = 16, layers: int = 3
    ) -> None:
        super().__init__()
        depth, *sides = event_shape
        halvings = int(math.log2(max(1.0, min(sides) / _LEAST)))
        count = max(1, min(layers, 1 + halvings))
        wide = [depth, *(channels * 2**level for level in range(count))]
        pairs = pairwise(wide)
        self.layers = nn.ModuleList(
            initialise_(nn.Conv2d(a, b, 3, padding=1), "relu") for a, b in pairs
        )
        # In one more, which nothing is compared by: what the task alone needs need not be seen.
        self.last = initialise_(nn.Conv2d(wide[-1], wide[-1], 3, padding=1), "relu")
        self.scores = MLP((wide[-1], _LEAST, _LEAST), (targets,), hidden=(128,))

    def features(self, x: Tensor) -> list[Tensor]:
        """Feature maps of each layer, ``(N, C_l, H_l, W_l)``, of x ``(N, C, H, W)``."""
        found, at = [], 2.0 * x - 1.0
        for layer in self.layers:
            at = relu(layer(at if not found else avg_pool2d(at, 2)))
            found.append(at)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Scores, ``(N, targets)``."""
        at = relu(self.last(self.features(x)[-1]))
        return self.scores(adaptive_avg_pool2d(at, _LEAST))


class VGG19Features(nn.Module):
    """The layers relu1_1, relu2_1 and relu3_1 of VGG-19, as far as they need it, frozen.

    Grey images are seen as ones whose three colours are alike.

    References:
        Simonyan & Zisserman 2015, arXiv 1409.1556; which layers: Hou et al. 2017, Deep feature
        consistent variational autoencoder, arXiv 1610.00291 (VAE-123)
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _VGG19:
            if width:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers)
        # Of ImageNet, which the weights were trained with.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
        self.requires_grad_(False)

    def load_(self, path: Path) -> VGG19Features:
        """Take over weights.

        Args:
            path: of a file with torchvision's names; no code in it is run.

        Raises:
            LowerboundError: it is none.
        """
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            wanted = {
                f"{n}.{kind}": found[f"features.{n}.{kind}"]
                for n, layer in enumerate(self.layers)
                if isinstance(layer, nn.Conv2d)
                for kind in ("weight", "bias")
            }
            self.layers.load_state_dict(wanted)
        except Exception as error:  # a file may be anything
            text = str(error).partition("\n")[0]
            raise LowerboundError(
                f"expected torchvision's weights of VGG-19 in {path}, came a file without "
                f"({type(error).__name__}: {text}); fetch {VGG19_WEIGHTS} anew"
            ) from error
        return self

    def features(self, x: Tensor) -> list[Tensor]:
        """Feature maps, ``(N, C_l, H_l, W_l)``, of x ``(N, 1 or 3, H, W)`` in [0, 1]."""
        at = (x.expand(-1, 3, -1, -1) - self.mean) / self.std
        found = []
        for number, layer in enumerate(self.layers):
            at = layer(at)
            if number in _VGG19_TAKEN:
                found.append(at)
        return found
