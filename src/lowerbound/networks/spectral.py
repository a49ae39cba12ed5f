"""Weights divided by their largest singular value."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Module = TypeVar("Module", bound=nn.Module)


def normalize_(network: Module) -> Module:
    """Divide every weight of a network by its largest singular value, from now on.

    Args:
        network: is changed in place.

    Reference:
        Miyato et al. 2018, Spectral normalization for generative adversarial networks,
        arXiv 1802.05957
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spectral_norm(module)
    return network
