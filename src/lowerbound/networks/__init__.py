"""Plain networks, tensor to tensor: they know neither distributions nor bounds.

Each takes ``(N, *in_shape)`` and any number of context vectors ``(N, c)``, and returns
``(N, *out_shape)``. Leading sample dimensions are folded by whoever calls them.
"""

from .conv import ConvDecoder, ConvEncoder
from .mlp import MLP, TokenEmbedding, nonlinearity
from .pairs import Pair, conv_pair, mlp_pair
from .start import start

__all__ = [
    "MLP",
    "ConvDecoder",
    "ConvEncoder",
    "Pair",
    "TokenEmbedding",
    "conv_pair",
    "mlp_pair",
    "nonlinearity",
    "start",
]
