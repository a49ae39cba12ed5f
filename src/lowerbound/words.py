"""Sentences as numbers: a vocabulary of words, with pieces for what it does not know.

Words are runs of letters, marks and digits of any script; every other sign is a word of its own. A
word that the vocabulary lacks is spelled: by its characters, and a character that is unknown, too,
by its bytes in UTF-8. So every sentence can be read, and spelled words are learned from training
sentences that hold rare ones.

>>> known = Vocabulary.of(["a red disc", "a red disc", "a blue disc", "a blue disc"])
>>> [known.piece(i) for i in known.ids("A red bed")]
['a', 'red', 'b', 'e', 'd']
>>> known.unknown("a RED dog")
['dog']
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import LowerboundError

#: Pieces that one sentence may have: several times what captions have.
LONGEST = 256
PAD = 0
_BYTES = 256
_MOST_WORDS, _MOST_CHARACTERS = 8000, 2000
_ASCII = re.compile(r"[a-z0-9_]+|[^\sa-z0-9_\x00-\x1f\x7f]")
_TWICE = 2  # a word met once is spelled, so that spelling is learned


def words(text: str) -> list[str]:
    """The words of a text, case folded.

    >>> words("Ein Café, 3 Gäste!"), words("안경을 쓴 여자")
    (['ein', 'café', ',', '3', 'gäste', '!'], ['안경을', '쓴', '여자'])
    """
    if text.isascii():  # the same, ten times as fast
        return _ASCII.findall(text.lower())
    found: list[str] = []
    open_word = False
    for sign in unicodedata.normalize("NFC", text).casefold():
        # A mark (the vowels of many scripts) belongs to the letter before it.
        part = sign.isalnum() or sign == "_" or (open_word and unicodedata.category(sign)[0] == "M")
        if part and open_word:
            found[-1] += sign
        elif part or not (sign.isspace() or unicodedata.category(sign)[0] == "C"):
            found.append(sign)
        open_word = part
    return found


def check_sentence(text: Any, where: str) -> str:
    """The text, if it is a sentence that can be read.

    Args:
        text: what came.
        where: it came from, to begin a message with: ``"captions.csv, line 7: "``, or nothing.

    Raises:
        LowerboundError: it is no text, empty, or longer than `LONGEST` words.
    """
    if not isinstance(text, str):
        raise LowerboundError(f"{where}expected a sentence, came {type(text).__name__}; pass text")
    # Counted roughly first: a text of millions of letters is not worth being taken apart.
    count = len(text.split())
    if count <= LONGEST:
        count = len(words(text))
    if not count:
        raise LowerboundError(f"{where}expected a sentence, came an empty one; write what is there")
    if count > LONGEST:
        raise LowerboundError(
            f"{where}expected a sentence of at most {LONGEST} words, came {count:,}; shorten it"
        )
    return text


class Vocabulary:
    """Numbers for words: 0 fills up, 1 to 256 are bytes, then come words and characters.

    Args:
        pieces: words and characters in the order of their numbers.
        length: of the longest training sentence, in pieces.
    """

    def __init__(self, pieces: Sequence[str], length: int = 1) -> None:
        self.pieces = tuple(pieces)
        self.length = length
        self._number = {piece: k + 1 + _BYTES for k, piece in enumerate(self.pieces)}

    def __len__(self) -> int:
        """How many numbers there are."""
        return 1 + _BYTES + len(self.pieces)

    @classmethod
    def of(cls, sentences: Iterable[str]) -> Vocabulary:
        """Every word of the sentences that occurs twice, and every character; the most frequent
        ones, if there are too many.

        Args:
            sentences: to be trained on.
        """
        kept = list(sentences)
        counts = Counter(word for text in kept for word in words(text))
        frequent = [w for w, n in _ordered(counts) if n >= _TWICE][:_MOST_WORDS]
        signs: Counter[str] = Counter()  # of all words: a new one is spelled with them
        for word, count in counts.items():
            for sign in word:
                signs[sign] += count
        few = [sign for sign, _ in _ordered(signs) if sign not in set(frequent)]
        found = cls([*frequent, *few[:_MOST_CHARACTERS]])
        found.length = max((len(found.ids(text)) for text in kept), default=1)
        return found

    def ids(self, text: str) -> list[int]:
        """The numbers of a sentence's pieces.

        Raises:
            LowerboundError: there are more than `LONGEST`, the spelled words counted by pieces.
        """
        found: list[int] = []
        for word in words(text):
            known = self._number.get(word)
            found += [known] if known is not None else self._spelled(word)
        if len(found) > LONGEST:
            raise LowerboundError(
                f"expected a sentence of at most {LONGEST} words, or letters of words that no "
                f"training caption holds, came {len(found):,}; shorten it"
            )
        return found

    def unknown(self, text: str) -> list[str]:
        """The words of a sentence that the vocabulary lacks, in their order."""
        return [word for word in dict.fromkeys(words(text)) if word not in self._number]

    def piece(self, number: int) -> str:
        """What a number stands for, to be read by people."""
        if number == PAD:
            return ""
        if number <= _BYTES:
            return f"<{number - 1:02x}>"
        return self.pieces[number - 1 - _BYTES]

    def _spelled(self, word: str) -> list[int]:
        found: list[int] = []
        for sign in word:
            known = self._number.get(sign)
            found += [known] if known is not None else [1 + byte for byte in sign.encode()]
        return found

    def to_json(self) -> dict[str, Any]:
        """In JSON's types."""
        return {"pieces": list(self.pieces), "length": self.length}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Vocabulary:
        """What `to_json` wrote."""
        return cls(content["pieces"], int(content["length"]))


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, and in the order of their signs where they occur as often."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
