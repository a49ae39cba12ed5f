"""Captions as a condition: of several sentences of an image, one is drawn each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import noise
from ..errors import LowerboundError
from ..words import Vocabulary, check_sentence
from .conditions import Condition

_LISTED = 6


class GivenCaptions(Condition):
    """A sentence beside each example.

    Args:
        told: how sentences become numbers: what ``DataSpec.captions`` holds.
        embed: sentences to vectors, where an encoder of one's own reads them: from N texts to
            ``(N, width)``.

    >>> condition = GivenCaptions({"pieces": ["a", "red", "disc"], "length": 3})
    >>> condition.named({"text": "a red disc"}) - 256
    tensor([1, 2, 3])
    """

    side = "captions"
    event_ranks = (1,)

    def __init__(
        self,
        told: Mapping[str, Any],
        embed: Callable[[Sequence[str]], Any] | None = None,
    ) -> None:
        super().__init__()
        self.encoder: str | None = told.get("encoder")
        self.vocabulary = None if self.encoder else Vocabulary.from_json(dict(told))
        self.length = int(told["width"]) if self.encoder else max(1, int(told["length"]))
        self.width = self.length
        self._embed = embed

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        """One sentence each, ``(B, L)``: the one that is given, or one of several at random."""
        if side is None:
            raise LowerboundError(
                "expected data with captions, which the model is conditioned on, came none; pass "
                "captions auto, or a table (--captions captions.csv)"
            )
        if side.dim() == 3:
            count = (side != 0).any(2).sum(1)
            at = (noise.uniform((len(side),), side.device) * count).long()
            side = side.gather(1, at[:, None, None].expand(-1, 1, side.shape[2])).squeeze(1)
        return (side if side.is_floating_point() else side.long(),)

    def embeddings(self) -> list[nn.Module]:
        raise LowerboundError(
            "expected labels or attributes for this recipe, came captions; pass recipe stack-gan"
        )

    def named(self, given: Mapping[str, Any] | Sequence[Any]) -> Tensor:
        """The numbers of one sentence, ``(L,)``.

        Args:
            given: ``{"text": "a smiling woman"}``, or the sentence in a list.
        """
        values = [*given.values()] if isinstance(given, Mapping) else [*given]
        if len(values) != 1 or (isinstance(given, Mapping) and "text" not in given):
            raise LowerboundError(
                f"expected one sentence as the condition, came {len(values)} values; pass "
                'text="..." (--text "...")'
            )
        return self.sentences([values[0]])[0]

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Sentences as the model takes them, ``(N, L)``.

        Raises:
            LowerboundError: one of them is empty, or too long.
        """
        for text in texts:
            check_sentence(text, "")
        if self.vocabulary is None:
            if self._embed is None:
                raise LowerboundError("expected an encoder of sentences, came none")
            return torch.as_tensor(self._embed(list(texts)))
        ids = [self.vocabulary.ids(text) for text in texts]
        found = torch.zeros(len(ids), max(self.length, *map(len, ids)), dtype=torch.int64)
        for row, each in enumerate(ids):
            found[row, : len(each)] = torch.tensor(each)
        return found

    def strange(self, texts: Sequence[str]) -> list[str]:
        """Words that no training caption holds, in a line each sentence; nothing as a rule."""
        if self.vocabulary is None:
            return []
        told = []
        for text in texts:
            unknown = self.vocabulary.unknown(text)
            if unknown:
                more = ", ..." if len(unknown) > _LISTED else ""
                told.append(
                    f"'{text}': the model was trained on no caption with "
                    f"{', '.join(unknown[:_LISTED])}{more}: what it makes of that is a guess"
                )
        return told

    def describe(self) -> str:
        return "a sentence"

    def example(self) -> str:
        return "text=…"
