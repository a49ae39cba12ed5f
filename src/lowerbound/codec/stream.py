"""Symbols to bits and back: a range coder, fed with a table of probabilities for each symbol."""

from __future__ import annotations

from typing import Any

import numpy as np

from lowerbound.errors import LowerboundError


class Encoder:
    """Writes symbols, first in, first out.

    >>> encoder = Encoder()
    >>> table = np.array([[3.0, 1.0]] * 4)
    >>> encoder.put(np.array([0, 1, 0, 0]), table)
    >>> Decoder(encoder.words()).take(table)
    array([0, 1, 0, 0])
    """

    def __init__(self) -> None:
        self._coder = _coding().queue.RangeEncoder()
        self._family = _coding().model.Categorical(perfect=False)

    def put(self, symbols: np.ndarray, weights: np.ndarray) -> None:
        """Code symbols int ``(N,)`` by weights ``(N, K)``; of no other value than one, nothing."""
        if weights.shape[-1] > 1:
            self._coder.encode(symbols.astype(np.int32), self._family, weights)

    def words(self) -> np.ndarray:
        """What has been written, uint32."""
        return self._coder.get_compressed()


class Decoder:
    """Reads what an `Encoder` has written, given the same weights.

    Args:
        words: uint32.
    """

    def __init__(self, words: np.ndarray) -> None:
        self._coder = _coding().queue.RangeDecoder(np.ascontiguousarray(words, np.uint32))
        self._family = _coding().model.Categorical(perfect=False)

    def take(self, weights: np.ndarray) -> np.ndarray:
        """The next symbols, int64 ``(N,)``, by weights ``(N, K)``.

        Raises:
            LowerboundError: the words are no code under these weights.
        """
        if weights.shape[-1] == 1:
            return np.zeros(len(weights), np.int64)
        try:
            return self._coder.decode(self._family, weights).astype(np.int64)
        except (AssertionError, ValueError) as error:
            raise LowerboundError(
                f"expected codes that decode, came a stream that does not ({error}): the file is "
                "damaged; encode the data again"
            ) from None


def _coding() -> Any:
    try:
        import constriction
    except ImportError:
        raise LowerboundError(
            "the codec needs the package constriction, which is not installed; install it with: "
            "pip install 'lowerbound[codec]'"
        ) from None
    return constriction.stream  # ty: ignore[missing-attribute]
