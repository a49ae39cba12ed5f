"""Folders and zips of sound files to windows of mu-law levels, with what is known of each clip."""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lowerbound.data import clips
from lowerbound.data.decode import Files, archive_files, folder_files
from lowerbound.data.memory import host_budget
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError, nearest
from lowerbound.sound import LEVELS, SILENCE, mu_law, resample, sounding

SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".aif", ".aiff", ".au", ".mp3"))
_MULTIPLE = 256  # of samples in a window: what strided networks divide by
_MOST_SECONDS = 1.024  # of a window where nobody said
_UNTOLD = 0xFFFFFF00  # bytes of a WAV file whose length is not told
_COVERED = 0.95  # share of the clips that such a window holds whole
_TOGETHER = 64  # files a thread reads in one go


@dataclass(frozen=True)
class Reading:
    """How a file becomes a wave.

    Attributes:
        rate: samples per second.
        trim: dB below the loudest from where the silence before and after is cut; None: kept.
    """

    rate: int
    trim: float | None = None


class AudioRows:
    """Windows of clips, mu-law levels uint8 (T,); short ones end in silence.

    Attributes:
        clip: of each window, which clip it is from, (N,).
        start: where in the clip it begins, samples, (N,).
        lengths: how many of its samples are of the clip; the rest is silence, (N,).
        names: of the clips.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        files: Files,
        names: Sequence[str],
        counts: np.ndarray,
        window: int,
        reading: Reading,
        codes: Mapping[str, np.ndarray] | None,
    ) -> None:
        self.files, self.names, self.reading = files, tuple(names), reading
        self.event_shape = (window,)
        self.clip, self.start, self.lengths = windows(counts, window)
        self.in_memory = codes is not None
        self.array = np.empty((0, window), np.uint8)
        if codes is not None:
            self.array = np.full((len(self.clip), window), SILENCE, np.uint8)
            self._fill(self.array, np.arange(len(self.clip)), codes)

    def __len__(self) -> int:
        return len(self.clip)

    def take(self, positions: np.ndarray) -> np.ndarray:
        if self.in_memory:
            return self.array[positions]
        out = np.full((len(positions), *self.event_shape), SILENCE, np.uint8)
        names = [self.names[clip] for clip in np.unique(self.clip[positions])]
        codes = {}
        for name, found in decoded(self.files, names, self.reading):
            if isinstance(found, str):
                raise bad([(name, found)])
            codes[name] = mu_law(found[0])
        self._fill(out, positions, codes)
        return out

    def _fill(
        self, out: np.ndarray, positions: np.ndarray, codes: Mapping[str, np.ndarray]
    ) -> None:
        places = zip(
            self.clip[positions], self.start[positions], self.lengths[positions], strict=True
        )
        for row, (clip, start, length) in enumerate(places):
            out[row, :length] = codes[self.names[clip]][start : start + length]


def windows(counts: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where windows lie that cover clips: one after the other, the last one as short as it is.

    Args:
        counts: samples of each clip, at least 1.
        window: samples of a window.

    Returns:
        the clip of each window, where it begins, and how many samples it has, int64 (N,) each.

    >>> windows(np.array([5, 3]), 4)
    (array([0, 0, 1]), array([0, 4, 0]), array([4, 1, 3]))
    """
    each = -(-np.asarray(counts, np.int64) // window)
    clip = np.repeat(np.arange(len(counts)), each)
    first = np.repeat(np.cumsum(each) - each, each)
    start = (np.arange(len(clip)) - first) * window
    return clip, start, np.minimum(window, np.asarray(counts)[clip] - start)


def names_in(files: Files) -> list[str]:
    """The sound files among files, in the order of their names."""
    return sorted(n for n in files.names if PurePosixPath(n).suffix.lower() in SUFFIXES)


def holds_sound(path: Path) -> bool:
    """Whether a folder, a zip or a file is of sound, more than of anything else."""
    if path.is_file() and path.suffix.lower() != ".zip":
        return path.suffix.lower() in SUFFIXES
    files = folder_files(path) if path.is_dir() else archive_files(path)
    found = Counter(PurePosixPath(name).suffix.lower() for name in files.names)
    sound = sum(found[suffix] for suffix in SUFFIXES)
    return sound > 0 and all(
        count <= sound for suffix, count in found.items() if suffix not in SUFFIXES
    )


def read(
    path: Path,
    *,
    pattern: str | None = None,
    labels: str | None = None,
    key: str | None = None,
    test_where: str | None = None,
    sample_rate: int | None = None,
    window: float | None = None,
    trim: float | None = None,
    skip_bad: bool = False,
    budget: int | None = None,
) -> Source:
    """A folder, zip or file of sound: any rate, number of channels, depth and length.

    Args:
        path: where it is.
        pattern: of the files' names, by which they are labelled: ``{digit}_{speaker}_{index}``.
        labels: a table (.csv) that labels them instead.
        key: which field is *the* label; None: one called ``label``, else the first.
        test_where: which files are for testing, by their fields: ``index<5``.
        sample_rate: to which all are resampled; None: that of most files.
        window: seconds of an example; None: as long as 95 % of the clips, up to about a second.
        trim: cut the silence before and after, so many dB below the loudest.
        skip_bad: leave out files that do not open, and say so.
        budget: bytes that may be held in memory; None: a share of what is free.

    Raises:
        LowerboundError: no sound; files that do not open or hold nothing; options that do not fit.
    """
    _soundfile()
    files = _one_file(path) if path.is_file() and path.suffix.lower() != ".zip" else None
    files = files or (folder_files(path) if path.is_dir() else archive_files(path))
    names = names_in(files)
    if not names:
        raise LowerboundError(
            f"expected sound ({', '.join(sorted(SUFFIXES))}) in {path}, came none: pass a "
            "folder or zip of sound files"
        )
    notes: list[tuple[str, str]] = []
    rate = sample_rate or _most_common_rate(files, names)
    if trim is not None and trim <= 0:
        raise LowerboundError(f"expected trim above 0 dB, came {trim:g}; pass e.g. 40")
    reading = Reading(rate, trim)
    names, counts, codes, told = _look(files, names, reading, skip_bad, budget)
    notes += told
    length = _window(window, counts, rate)
    fields, split, labelled = _fields(path, files, names, pattern, labels)
    if test_where is not None:
        if split is not None:
            raise LowerboundError(
                f"expected no condition for testing of {path.name}, which has folders train and "
                f"test, came {test_where}: leave out test_where (--test-where)"
            )
        chosen = clips.where(fields, test_where)
        if chosen.all() or not chosen.any():
            raise LowerboundError(
                f"expected some files for testing and some for training, came {chosen.sum()} of "
                f"{len(names)} with {test_where}"
            )
        split = np.where(chosen, "test", "train").tolist()
    numbering = clips.named_in(test_where) if test_where is not None else set()
    factors = {n: cells for n, cells in fields.items() if n not in numbering}
    unique = [n for n, cells in factors.items() if len(set(cells)) == len(cells) > 1]
    factors = {n: cells for n, cells in factors.items() if n not in unique}
    label = _the_label(factors, key)
    parts: dict[str, np.ndarray] = {"train": np.arange(len(names))}
    if split is not None:
        parts = {p: np.flatnonzero(np.array(split) == p) for p in ("train", "validation", "test")}
        parts = {p: rows for p, rows in parts.items() if len(rows)}
    rows = {}
    for part, chosen in parts.items():
        some = [names[place] for place in chosen]
        rows[part] = AudioRows(files, some, counts[chosen], length, reading, codes)
    source = Source(path.stem, rows["train"], levels=LEVELS, as_came="sound", kind="audio")
    source.test, source.validation = rows.get("test"), rows.get("validation")
    source.sample_rate = rate
    for part, chosen in parts.items():
        before = "" if part == "train" else f"{part}_"
        of_clip = rows[part].clip
        beside = {n: np.array(cells)[chosen][of_clip] for n, cells in factors.items()}
        setattr(source, f"{before}factors", beside)
        setattr(source, f"{before}labels", beside[label] if label else None)
    if "test" not in rows and len(names) > 1:
        source.groups = rows["train"].clip  # windows of a clip train or test together
    samples = sum(int(r.lengths.sum()) for r in rows.values())
    count = sum(len(r) for r in rows.values())
    source.padding = 1.0 - samples / (count * length)
    source.notes = [
        ("sound", _told_sound(rate, trim)),
        ("windows", _told_windows(counts, rate, length, count, source.padding)),
        *([("labels from", labelled)] if labelled else []),
        *([("left aside", f"fields without repetition: {', '.join(unique)}")] if unique else []),
        *notes,
    ]
    if codes is None:
        source.notes.append(("memory", "larger than the memory budget: read as it is needed"))
    return source


def wave_of(path: str | Path, rate: int, trim: float | None = None) -> np.ndarray:
    """One sound file as a wave of one channel at a sampling rate, float32 (T,) in [-1, 1].

    Raises:
        LowerboundError: it does not open, or holds nothing.
    """
    _soundfile()
    path = Path(path).expanduser()
    if path.is_dir():
        inside = names_in(folder_files(path))
        fix = f"; pass one of its files: {path / inside[0]}" if inside else ", with no sound in it"
        raise LowerboundError(f"expected a sound file, came a folder: {path}{fix}")
    if not path.is_file():
        raise LowerboundError(f"expected a sound file, came no such file: {path}")
    found = _open(_one_file(path), path.name, Reading(rate, trim))
    if isinstance(found, str):
        raise LowerboundError(f"expected a sound file, came {path}, which does not do ({found})")
    return found[0]


def decoded(
    files: Files, names: Sequence[str], reading: Reading
) -> Iterator[tuple[str, tuple[np.ndarray, str] | str]]:
    """Each name with its wave and what was done to it, or the reason why it does not open."""
    if len(names) < 2 * _TOGETHER:
        yield from ((name, _open(files, name, reading)) for name in names)
        return
    groups = [names[start : start + _TOGETHER] for start in range(0, len(names), _TOGETHER)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(groups), 16):  # a few ahead: waves must not pile up
            some = groups[start : start + 16]
            work = pool.map(lambda group: [_open(files, name, reading) for name in group], some)
            for group, found in zip(some, work, strict=True):
                yield from zip(group, found, strict=True)


def bad(reasons: Sequence[tuple[str, str]]) -> LowerboundError:
    """One line on files that do not do."""
    name, reason = reasons[0]
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return LowerboundError(
        f"expected sound files that open, came {name} ({reason}){more}: mend or remove them, or "
        "leave them out with skip_bad (--skip-bad)"
    )


def _open(files: Files, name: str, reading: Reading) -> tuple[np.ndarray, str] | str:
    """The wave, float32 (T,), and what it was: "", "clipped" or "silent"; or why there is none."""
    import soundfile

    try:
        content = files.read(name)
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate = file.samplerate
            wave = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        text = str(error).partition("\n")[0].partition(">: ")[2] or str(error)
        return f"no sound file: {text[:80].rstrip('.')}"
    if not len(wave):
        return "length 0"
    told = 8 + int.from_bytes(content[4:8], "little")
    # Who writes to a pipe does not know the length, and tells none or the greatest there is.
    if content[:4] == b"RIFF" and len(content) < told < _UNTOLD and told > 8:
        return f"cut short: {len(content):,} of {told:,} bytes"
    if not np.isfinite(wave).all():
        return "NaN or infinity in it"
    wave = resample(wave.mean(1), rate, reading.rate)
    if reading.trim is not None:
        wave = wave[sounding(wave, reading.rate, reading.trim)]
    most = float(np.abs(wave).max())
    return wave, "silent" if most == 0.0 else "clipped" if most > 1.05 else ""


def _look(
    files: Files, names: Sequence[str], reading: Reading, skip_bad: bool, budget: int | None
) -> tuple[list[str], np.ndarray, dict[str, np.ndarray] | None, list[tuple[str, str]]]:
    """One pass over all files: names that open, samples of each, levels (where they fit), notes."""
    budget = host_budget() if budget is None else budget
    codes: dict[str, np.ndarray] | None = {}
    counts, kept, wrong = [], [], []
    odd: dict[str, list[str]] = {"clipped": [], "silent": []}
    total = 0
    for name, found in decoded(files, names, reading):
        if isinstance(found, str):
            wrong.append((name, found))
            continue
        wave, what = found
        kept.append(name)
        counts.append(len(wave))
        total += len(wave)
        if what:
            odd[what].append(name)
        if total > budget:
            codes = None
        elif codes is not None:
            codes[name] = mu_law(wave)
    if wrong and (not skip_bad or not kept):
        raise bad(wrong)
    texts = {
        "clipped": "beyond full scale, where they are cut",
        "silent": "nothing but silence",
    }
    notes = [
        (what, f"{len(found):,} clips are {texts[what]}: {_some(found)}")
        for what, found in odd.items()
        if found
    ]
    if wrong:
        first = f"{wrong[0][0]} ({wrong[0][1]})" + (", ..." if wrong[1:] else "")
        notes.append(("skipped", f"{len(wrong)} files that do not do: {first}"))
    return kept, np.array(counts, np.int64), codes, notes


def _fields(
    path: Path, files: Files, names: list[str], pattern: str | None, labels: str | None
) -> tuple[clips.Fields, list[str] | None, str]:
    """What is known of each file, by a pattern, a table or folders; its part; where from."""
    if pattern is not None and labels is not None:
        raise LowerboundError(
            f"expected one of pattern and labels, came {pattern} and {labels}; pass one of them"
        )
    by_folder, split = clips.by_folder(names)
    if pattern is not None:
        return clips.by_pattern(names, pattern), split, f"the files' names, {pattern}"
    if labels is not None:
        table = Path(labels).expanduser()
        table = table if table.is_file() or not path.is_dir() else path / labels
        return clips.by_table(names, table), split, str(table)
    inside = [path / name for name in clips.TABLES if path.is_dir() and (path / name).is_file()]
    if inside:
        return clips.by_table(names, inside[0]), split, str(inside[0])
    return by_folder, split, "folders" if by_folder else ""


def _the_label(factors: clips.Fields, key: str | None) -> str | None:
    if key is not None and key not in factors:
        hint = nearest(key, factors) or f"; there are: {', '.join(factors) or 'none'}"
        raise LowerboundError(f"expected a label of the clips as key, came '{key}'{hint}")
    return key or ("label" if "label" in factors else next(iter(factors), None))


def _window(seconds: float | None, counts: np.ndarray, rate: int) -> int:
    """Samples of a window: a multiple of 256, so that networks with strides divide it."""
    if seconds is not None and not seconds > 0:
        raise LowerboundError(f"expected a window of more than 0 s, came {seconds:g}")
    if seconds is None:
        most = math.ceil(float(np.quantile(counts, _COVERED)) / _MULTIPLE)
        return _MULTIPLE * max(1, min(most, round(_MOST_SECONDS * rate / _MULTIPLE)))
    pieces = round(seconds * rate / _MULTIPLE)
    if not pieces:
        raise LowerboundError(
            f"expected a window of at least {_MULTIPLE / rate:.3g} s ({_MULTIPLE} samples at "
            f"{rate:,} a second), came {seconds:g}"
        )
    return _MULTIPLE * pieces


def _told_sound(rate: int, trim: float | None) -> str:
    cut = f"; silence before and after cut, {trim:g} dB below the loudest" if trim else ""
    return f"{rate:,} samples/s, one channel, mu-law in {LEVELS} levels{cut}"


def _told_windows(counts: np.ndarray, rate: int, window: int, count: int, padding: float) -> str:
    least, most = counts.min() / rate, counts.max() / rate
    return (
        f"{len(counts):,} clips of {least:.2f} to {most:.2f} s in {count:,} windows of "
        f"{window:,} samples ({window / rate:.3f} s), one after the other, the last one filled up "
        f"with silence ({padding:.0%} of all samples, which likelihoods count)"
    )


def _most_common_rate(files: Files, names: Sequence[str]) -> int:
    import soundfile

    rates: Counter[int] = Counter()
    for name in names:
        try:
            rates[soundfile.info(io.BytesIO(files.read(name))).samplerate] += 1
        except (soundfile.SoundFileError, OSError, ValueError, RuntimeError):
            continue
    # None opens: the pass over them says so.
    return max(rates, key=lambda rate: (rates[rate], -rate)) if rates else 8000


def _one_file(path: Path) -> Files:
    return Files((path.name,), lambda name: path.read_bytes())


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError):
        raise LowerboundError(
            "expected the package soundfile to read sound, came none; install it: pip install "
            "'lowerbound[audio]'"
        ) from None
    return soundfile


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if names[3:] else "")
