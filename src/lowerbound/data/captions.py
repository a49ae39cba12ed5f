"""Captions beside images: read from a table, matched with files, told as numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lowerbound.data import beside
from lowerbound.data.beside import FILE, Named, cells_of, text_of
from lowerbound.data.captions_encoder import checked, embedded
from lowerbound.errors import LowerboundError, nearest
from lowerbound.words import PAD, Vocabulary, check_sentence

if TYPE_CHECKING:
    from lowerbound.data.splits import RowsSplit, Source

#: Of a folder or zip of images, where captions are looked for.
NAMES = ("captions.csv", "captions.tsv", "captions.jsonl")
SUFFIXES = (".csv", ".tsv", ".jsonl")
_TEXT = ("caption", "captions", "text", "sentence", "description")
#: Sentences of examples by their positions: (N,) -> N times one or more.
Sentences = Callable[[np.ndarray], list[tuple[str, ...]]]


class Row(NamedTuple):
    """A caption, and the file that it is of, in a line of a table."""

    line: int
    file: str
    caption: str


def read_table(name: str, content: bytes) -> list[Row]:
    """The rows of a table of captions.

    Args:
        name: of the file, whose ending says what it is: .csv and .tsv with columns ``file`` and
            ``caption``, .jsonl with objects ``{"file": ..., "caption": ...}``, where a caption may
            be a list of them.
        content: of the file.

    Raises:
        LowerboundError: no such columns, a line that is none, an empty caption, or one that is too
            long; the line is named.
    """
    short = PurePosixPath(name).name
    text = text_of(short, content)
    rows = _of_lines(short, text) if short.lower().endswith(".jsonl") else _of_table(short, text)
    if not rows:
        raise LowerboundError(f"expected captions in {short}, came none; add lines file,caption")
    for row in rows:
        check_sentence(row.caption, f"{short}, line {row.line} ({row.file}): ")
    return rows


def _of_table(name: str, text: str) -> list[Row]:
    table = cells_of(name, text)
    if not table:
        return []
    header = [cell.lower() for cell in table[0][1]]
    file = next((header.index(each) for each in FILE if each in header), None)
    said = next((header.index(each) for each in _TEXT if each in header), None)
    if file is None or said is None:
        missing, known = ("file", FILE) if file is None else ("caption", _TEXT)
        near = next((hint for each in header if (hint := nearest(each, known))), "")
        raise LowerboundError(
            f"expected columns file and caption in the first line of {name}, came "
            f"{', '.join(header)[:80]}, none of them '{missing}'{near}; write the line file,caption"
        )
    rows = []
    for line, cells in table[1:]:
        if len(cells) != len(header):
            raise LowerboundError(
                f"{name}, line {line}: expected {len(header)} cells, came {len(cells)}; put a "
                'caption that holds a comma into quotes: "a man, smiling"'
            )
        rows.append(Row(line, cells[file], cells[said]))
    return rows


def _of_lines(name: str, text: str) -> list[Row]:
    rows = []
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            found = json.loads(content)
            file = next(found[each] for each in FILE if each in found)
            said = next(found[each] for each in _TEXT if each in found)
        except (ValueError, TypeError, StopIteration):
            raise LowerboundError(
                f"{name}, line {line}: expected an object as "
                '{"file": "a.png", "caption": "what is there"}, came '
                f"{content.strip()[:60]}"
            ) from None
        several = said if isinstance(said, list) else [said]
        rows += [Row(line, str(file).strip(), check_sentence(s, _at(name, line))) for s in several]
    return rows


def _at(name: str, line: int) -> str:
    return f"{name}, line {line}: "


def matched(
    rows: Sequence[Row], images: Sequence[str], name: str, skip: bool = False
) -> dict[str, tuple[str, ...]]:
    """The captions of each image; see :func:`lowerbound.data.beside.matched`."""
    named = [Named(row.line, row.file) for row in rows]
    found = beside.matched(named, images, name, skip, one="caption")
    return {image: tuple(rows[k].caption for k in places) for image, places in found.items()}


def beside_images(
    asked: str, folder: str, files: Any, images: Sequence[str], skip_bad: bool
) -> dict[str, tuple[str, ...]] | None:
    """The captions of a folder's or zip's images.

    Args:
        asked: ``auto`` for a table of `NAMES` among the files, or the path of a table.
        folder: its name, for messages.
        files: of the folder or zip, to be read by name (`lowerbound.data.decode.Files`).
        images: those of them that are images.
        skip_bad: see :func:`matched`.

    Returns:
        By image, those left out missing; None where there is no table and none is asked for.

    Raises:
        LowerboundError: there is no such table, or it does not fit the images.
    """
    if asked == "auto":
        there = {PurePosixPath(name).name: name for name in sorted(files.names, reverse=True)}
        name = next((there[each] for each in NAMES if each in there), None)
        if name is None:
            return None
        return matched(read_table(name, files.read(name)), images, name, skip_bad)
    name, content = beside.find("captions", asked, folder, files, SUFFIXES)
    return matched(read_table(name, content), images, name, skip_bad)


def of_names(found: Mapping[str, tuple[str, ...]], names: Sequence[str]) -> Sentences:
    """Sentences by position, of the images in this order."""
    kept = list(names)
    return lambda positions: [found[kept[k]] for k in positions]


def of_list(values: Any, count: int, name: str) -> Sentences:
    """Sentences by position of a list: a text for each example, or a list of texts.

    Raises:
        LowerboundError: there are not as many as examples, or an example has none.
    """
    texts = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if len(texts) != count:
        raise LowerboundError(
            f"expected a caption, or a list of them, for each of {count} examples in '{name}', "
            f"came {len(texts)}"
        )
    found = []
    for k, said in enumerate(texts):
        several = [said] if isinstance(said, str) else list(said or ())
        several = [s for s in several if s] if isinstance(values, np.ndarray) else several
        if not several:
            raise LowerboundError(f"'{name}': expected a caption of example {k}, came none")
        found.append(tuple(check_sentence(s, f"'{name}', example {k}: ") for s in several))
    return lambda positions: [found[k] for k in positions]


def tell(
    source: Source, parts: Sequence[RowsSplit | None], encoder: str | None = None
) -> dict[str, Any] | None:
    """Put captions into each part as numbers, by a vocabulary of those that train.

    Args:
        source: whose sentences they are; the training examples come first in `parts`.
        parts: training, validation and test examples; their ``sentences`` and ``captions`` are set.
        encoder: folder of a sentence-transformers model, whose vectors take the place of numbers.

    Returns:
        What a model has to know of them, in JSON's types; None where there are no captions.

    Raises:
        LowerboundError: a part has none while another does.
    """
    own = (source.captions, source.validation_captions, source.test_captions)
    rows = (source.train, source.validation, source.test)
    if all(each is None for each in own):
        return None
    for split, said, there in zip(parts, own, rows, strict=True):
        if split is None:
            continue
        say = said if there is not None else source.captions
        if say is None:
            raise LowerboundError(
                f"expected captions of all examples of '{source.name}', came a split without; add "
                "them"
            )
        positions = np.arange(len(split.source)) if split.rows is None else split.rows
        split.sentences = say(positions)
    train = parts[0]
    assert train is not None and train.sentences is not None
    each = Counter(len(texts) for texts in train.sentences)
    told: dict[str, Any] = {"least": min(each), "most": max(each)}
    if encoder is not None:
        told |= {"encoder": checked(encoder), "width": 0}
    else:
        told |= Vocabulary.of(s for texts in train.sentences for s in texts).to_json()
    for split in parts:
        if split is not None:
            split.captions = numbers(split.sentences or [], told)
    if encoder is not None:
        assert train.captions is not None
        told["width"] = int(train.captions.shape[-1])
    return told


def numbers(sentences: Sequence[tuple[str, ...]], told: Mapping[str, Any]) -> np.ndarray:
    """Captions as a model takes them.

    Args:
        sentences: N times one or more.
        told: what :func:`tell` returned.

    Returns:
        int32 (N, K, L), zeros where there are fewer captions or pieces; of an encoder's vectors
        float32 (N, K, width).
    """
    most = max((len(texts) for texts in sentences), default=1)
    if "encoder" in told:
        flat = embedded(told["encoder"], [s for texts in sentences for s in texts])
        filled = np.zeros((len(sentences), most, flat.shape[-1]), np.float32)
        start = 0
        for row, texts in enumerate(sentences):
            filled[row, : len(texts)] = flat[start : start + len(texts)]
            start += len(texts)
        return filled
    known = Vocabulary.from_json(dict(told))
    cache: dict[str, list[int]] = {}
    ids = [[cache.setdefault(s, known.ids(s)) if s not in cache else cache[s] for s in texts]
           for texts in sentences]  # fmt: skip
    longest = max((len(each) for texts in ids for each in texts), default=1)
    found = np.full((len(sentences), most, longest), PAD, np.int32)
    for row, texts in enumerate(ids):
        for k, each in enumerate(texts):
            found[row, k, : len(each)] = each
    return found


def again(split: Any, told: Mapping[str, Any]) -> Any:
    """The same examples with their captions in another vocabulary's numbers: that of a run."""
    import copy

    changed = copy.copy(split)
    changed.captions = None if split.sentences is None else numbers(split.sentences, told)
    return changed


def line(told: Mapping[str, Any]) -> str:
    """What there is to say of captions."""
    least, most = told["least"], told["most"]
    each = f"{most}" if least == most else f"{least} to {most}"
    if "encoder" in told:
        return f"{each} of each image, as {told['width']} numbers by {Path(told['encoder']).name}"
    shown = f"{len(told['pieces']):,} words and letters, at most {told['length']} of them in one"
    return f"{each} of each image; {shown}"
