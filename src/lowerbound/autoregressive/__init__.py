"""Autoregressive conditionals of whole numbers: codes, tokens, levels of pixels and of sound.

>>> import torch
>>> from lowerbound.autoregressive import AutoregressiveConditional, Transformer
>>> prior = AutoregressiveConditional(Transformer(16, (4, 4), width=16, layers=1), (4, 4))
>>> codes = prior().sample((3,))
>>> codes.shape, prior().log_prob(codes).shape
(torch.Size([3, 4, 4]), torch.Size([3]))
"""

from .base import CausalNetwork, State
from .conditional import AutoregressiveConditional
from .distribution import Autoregressive
from .levels import TwoLevelCodes, TwoLevelPrior
from .outputs import CategoricalOutput, LogisticOutput, Output, output
from .pixelcnn import PixelCNN
from .sampling import draw, guided, restrict
from .transformer import Transformer
from .wavenet import WaveNet

__all__ = [
    "Autoregressive",
    "AutoregressiveConditional",
    "CategoricalOutput",
    "CausalNetwork",
    "LogisticOutput",
    "Output",
    "PixelCNN",
    "State",
    "Transformer",
    "TwoLevelCodes",
    "TwoLevelPrior",
    "WaveNet",
    "draw",
    "guided",
    "output",
    "restrict",
]
