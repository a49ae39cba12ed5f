"""Sentences as numbers: words of any script, pieces of unknown ones, and what is refused."""

from __future__ import annotations

import json
import unicodedata

import pytest

from lowerbound.errors import LowerboundError
from lowerbound.words import LONGEST, Vocabulary, check_sentence, words

KOREAN = ["안경을 쓴 여자가 웃고 있다", "안경을 쓴 남자가 웃고 있다", "수염이 있는 남자"]


def spelled(known: Vocabulary, text: str) -> list[str]:
    return [known.piece(number) for number in known.ids(text)]


def test_a_vocabulary_holds_words_met_twice_and_spells_the_others() -> None:
    known = Vocabulary.of(["a red disc", "a red disc", "a bluish disc"])
    assert set(known.pieces) >= {"a", "red", "disc"} and "bluish" not in known.pieces
    assert spelled(known, "a RED disc") == ["a", "red", "disc"]
    assert spelled(known, "blue disc") == ["b", "l", "u", "e", "disc"]
    assert known.unknown("a Blue disc, blue and red") == ["blue", ",", "and"]
    assert known.length == 2 + len("bluish")  # a caption with a spelled word is the longest


def test_a_letter_that_no_training_caption_holds_is_its_bytes() -> None:
    known = Vocabulary.of(["a red disc", "a red disc"])
    assert [n - 1 for n in known.ids("é")] == list("é".encode())
    assert [n - 1 for n in known.ids("원")] == list("원".encode())
    assert all(0 < n < len(known) for n in known.ids("日本 مرحبا हिन्दी 😀"))


def test_korean_is_read_like_any_other_script() -> None:
    known = Vocabulary.of(KOREAN)
    assert {"안경을", "쓴", "웃고", "있다", "남자"} & set(known.pieces) == {
        "안경을", "쓴", "웃고", "있다"
    }  # fmt: skip
    # What is met once is spelled by syllables that training captions hold.
    assert spelled(known, "안경을 쓴 여자") == ["안경을", "쓴", "여", "자"]
    # Decomposed letters (as some systems write file names and texts) are the same.
    assert known.ids(unicodedata.normalize("NFD", KOREAN[0])) == known.ids(KOREAN[0])


def test_words_keep_marks_and_leave_signs_apart() -> None:
    assert words("Woman's hair; very-long") == ["woman", "'", "s", "hair", ";", "very", "-", "long"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]  # vowel signs belong to their letters
    assert words("  \n\t ") == []
    # Plain letters go a faster way, to the same words.
    signs = "".join(map(chr, range(128)))
    assert [*words(signs), "é"] == words(signs + " é")


def test_a_vocabulary_is_plain_json_and_comes_back() -> None:
    known = Vocabulary.of([*KOREAN, "a red disc", "a red disc"])
    again = Vocabulary.from_json(json.loads(json.dumps(known.to_json(), ensure_ascii=True)))
    text = "a red 안경을 쓴 discoteca"
    assert again.ids(text) == known.ids(text) and len(again) == len(known)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "came an empty one"),
        (" \n ", "came an empty one"),
        ("word " * 10_000, f"at most {LONGEST} words, came 10,000"),
        (3, "expected a sentence, came int"),
    ],
)
def test_what_is_no_sentence_is_told_in_a_line(text: object, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        check_sentence(text, "captions.csv, line 7: ")
    assert message in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith("captions.csv, line 7: ") and len(str(error.value)) < 150


def test_a_sentence_whose_spelled_words_are_too_long_is_refused() -> None:
    known = Vocabulary.of(["a red disc", "a red disc"])
    with pytest.raises(LowerboundError, match="came 10,000; shorten it"):
        known.ids("x" * 10_000)
