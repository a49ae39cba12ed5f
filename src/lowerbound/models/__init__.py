"""Models: the conditionals together, with the capabilities they really have."""

from .autoencoder import Autoencoder
from .base import CanDecode, CanEncode, CanSample, HasLogProb, Model
from .flow import FlowModel
from .hierarchical import HierarchicalVAE
from .linear import LinearGaussian
from .vae import VAE, LatentModel

__all__ = [
    "VAE",
    "Autoencoder",
    "CanDecode",
    "CanEncode",
    "CanSample",
    "FlowModel",
    "HasLogProb",
    "HierarchicalVAE",
    "LatentModel",
    "LinearGaussian",
    "Model",
]
