"""A model of each token given the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..distributions import IndependentCategorical, PointMass
from ..networks.corruption import MaskTokens
from ..networks.sequence import SequenceEncoder

NO_LIKELIHOOD = (
    "each token is predicted from the others: a pseudo-likelihood, no likelihood of the sequence"
)


class MaskedTokens(nn.Module):
    """p(x_t | the other tokens), for any set of places t at once, by a bidirectional transformer.

    Its code of a sequence is the mean of the last layer's vectors.

    Args:
        network: tokens (and the mask, token ``levels``) ``(N, T)`` to vectors ``(N, T, width)``.
        masking: hides tokens in training.
        event_shape: ``(T,)``.
        levels: number of tokens.
        width: numbers per vector.

    Reference:
        Devlin et al. 2019, BERT: pre-training of deep bidirectional transformers, arXiv 1810.04805
    """

    def __init__(
        self,
        network: SequenceEncoder,
        masking: MaskTokens,
        event_shape: tuple[int, ...],
        levels: int,
        width: int,
    ) -> None:
        super().__init__()
        self.network, self.masking = network, masking
        self.output = nn.Linear(width, levels)
        nn.init.zeros_(self.output.bias)
        nn.init.normal_(self.output.weight, std=0.02)
        self.levels = levels
        self.event_shape = tuple(event_shape)
        self.latent_shape: tuple[int, ...] = (width,)
        self.no_likelihood: str | None = NO_LIKELIHOOD

    @property
    def mask(self) -> int:
        """The token that stands for one that is not known."""
        return self.levels

    def predict(self, tokens: Tensor) -> Tensor:
        """log p(x_t | tokens), nats.

        Args:
            tokens: int64 ``(*B, T)``, :attr:`mask` where one is not known.

        Returns:
            ``(*B, T, levels)``; of a place that is not masked, what its token should have been if
            it was replaced in training.
        """
        found = self.network(tokens.reshape(-1, tokens.shape[-1]))
        return self.output(found).log_softmax(-1).reshape(*tokens.shape, self.levels)

    def conditional(self, tokens: Tensor) -> IndependentCategorical:
        """The same as a distribution over sequences, whose places are independent given `tokens`:
        batch shape ``B``, event shape ``(T,)``."""
        return IndependentCategorical(self.predict(tokens).mT)

    @torch.no_grad()
    def fill(self, tokens: Tensor) -> Tensor:
        """Each masked token replaced by its likeliest value given the others, int64 ``(*B, T)``."""
        return torch.where(tokens == self.mask, self.predict(tokens).argmax(-1), tokens)

    def encode(self, x: Tensor, *context: Tensor) -> PointMass:
        """The mean vector of a sequence, as a point; x ``(*B, T)`` -> event ``(width,)``."""
        found = self.network(x.reshape(-1, x.shape[-1]).long()).mean(1)
        return PointMass(found.reshape(*x.shape[:-1], -1))
