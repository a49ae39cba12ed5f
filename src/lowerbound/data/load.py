"""`load`: any source of data to one `Data`, inspected, split and described."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data import audio, images, named, sequences, tables, video
from lowerbound.data import captions as sentences
from lowerbound.data.arrays import from_array, from_arrays, read_array
from lowerbound.data.attribute_tables import SUFFIXES as TABLES
from lowerbound.data.choose import choose, likelihood_name
from lowerbound.data.clean import name_labels, refuse_or_skip
from lowerbound.data.facts import Facts
from lowerbound.data.inspect import inspect
from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import RowsSplit, Source, divide
from lowerbound.errors import LowerboundError, nearest

_OF_SOUND = ("pattern", "labels", "test_where", "sample_rate", "window", "trim")
_SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".zip", ".wav", ".flac")


@dataclass(frozen=True, repr=False)
class Data:
    """Examples to train and test on, what was found in them, and what was chosen from that.

    Attributes:
        spec: the data as a model sees them.
        train: examples that train.
        validation: examples set aside from those that train, None unless asked for.
        test: held-out examples.
        facts: what was found.
        source: the name or path they came from, None for arrays in memory.
        options: what `load` was called with, in JSON's types: ``load(source, **options)``
            loads the same data with the same split again.
        asked: which of likelihood and network are taken from the data, as a model asks for them.
    """

    spec: DataSpec
    train: RowsSplit
    validation: RowsSplit | None
    test: RowsSplit
    facts: Facts
    source: str | None
    options: dict[str, Any]
    asked: tuple[str, ...] = ("likelihood", "network")

    def prepare(self, **choices: Any) -> Data:
        """The same examples with other choices; nothing is read again.

        Args:
            **choices: `likelihood`, `binarize`, `dequantize`, `standardize`, `network`, as in
                `choose`; those left out are chosen anew.

        Raises:
            LowerboundError: a choice that the data do not support.
        """
        spec = describe(self.facts, **choices)
        return replace(self, spec=spec, options={**self.options, **_plain(choices, self.facts)})

    def __repr__(self) -> str:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        counts = ", ".join(f"{name}={len(part)}" for name, part in parts.items() if part)
        return f"Data({self.spec.name!r}, {self.spec.kind}, {self.spec.event_shape}, {counts})"

    def lines(self) -> list[tuple[str, str]]:
        """What was found and chosen, as (name, text) pairs."""
        return [*self.facts.lines(), *self.spec.lines(self.asked)]

    def to_json(self) -> dict[str, Any]:
        """What was found and chosen, in JSON's types."""
        return {"source": self.source, "facts": self.facts.to_json(), "spec": self.spec.to_json()}


def load(
    source: Any,
    *,
    kind: str = "auto",
    key: str | None = None,
    size: int | str | tuple[int, int] | None = None,
    frames: int | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    split_seed: int = 0,
    skip_bad: bool = False,
    data_dir: str | Path | None = None,
    likelihood: Any = "auto",
    binarize: str = "auto",
    dequantize: str = "auto",
    standardize: bool | str = "auto",
    network: Any = "auto",
    limit: int | None = None,
    memory: int | None = None,
    attributes: tuple[str, ...] | None = None,
    captions: str | None = None,
    caption_encoder: str | None = None,
    pattern: str | None = None,
    labels: str | None = None,
    test_where: str | None = None,
    sample_rate: int | None = None,
    window: float | None = None,
    trim: float | None = None,
    time: str | None = None,
) -> Data:
    """Read data, look at them, split them and choose how a model sees them.

    Args:
        source: a name (`digits`, `mnist`, `cifar10`, ...), a path (.npy, .npz, .csv, a folder or
            zip of images), an array (N, ...), or a dict of arrays such as ``{"train": ...,
            "test": ..., "labels": ...}``.
        kind: "video" for clips, where arrays (N, F, H, W) or folders of frames could as well be
            images; "image" for animated GIFs of which the first frame is to be taken; "sequence"
            for arrays (N, T) or (N, T, D) of T steps; "auto".
        key: the array of an .npz to take, or a table's column of labels.
        size: height and width that images are cropped and scaled to, ``64`` or ``"48x64"``.
        frames: take the first so many frames of each clip of a folder; None takes all.
        test_fraction: share set aside for testing where the source has no test split.
        validation_fraction: share of the training examples set aside for validation.
        split_seed: draws the splits that the source does not bring, and no other random numbers:
            trainings of different seeds are measured on the same examples.
        skip_bad: leave out images that do not open and rows with NaN or infinity.
        data_dir: folder to look for named data in, before the user's cache.
        likelihood: "auto", a name, ``{"name": ...}``, or "none" for models without one.
        binarize: "auto", "none", "stochastic" or "threshold".
        dequantize: "auto", "none" or "uniform".
        standardize: "auto", True or False.
        network: "auto" or a name.
        limit: take at most this many examples of each split, drawn with `split_seed`.
        memory: bytes that decoded images or an array may take before they are read on demand;
            None: a share of what is free.
        attributes: columns of a table that are no features but attributes of each example, which a
            conditional model may be given; of a folder or zip of images a table (.csv, .tsv with a
            column file and one for each attribute, or CelebA's .txt), here or in the folder.
        captions: a table of sentences beside images (.csv or .tsv with columns file and caption, or
            .jsonl), or ``"auto"`` for those that the data bring; None reads none.
        caption_encoder: folder of a sentence-transformers model on this machine that reads them.
        pattern: of the names of sound files, by which they are labelled, such as
            ``{digit}_{speaker}_{index}``.
        labels: a table (.csv) that labels sound files, of which a column names them.
        test_where: which sound files are for testing, by their fields: ``index<5``.
        sample_rate: of sound, to which all files are resampled; None: that of most.
        window: seconds of sound in an example; None: as most clips have, up to about one.
        trim: cut silence before and after each clip of sound, so many dB below its loudest.
        time: of sequences, the column (of an .npz the array) that holds the times of the steps, as
            numbers or as dates by ISO 8601, which are counted in seconds.

    Raises:
        LowerboundError: what came cannot be used; the message says what to pass.
    """
    sound = {
        "pattern": pattern,
        "labels": labels if labels is None else _here(labels),
        "test_where": test_where,
        "sample_rate": sample_rate,
        "window": window,
        "trim": trim,
    }
    _known_kind(kind)
    found = _read(
        source,
        kind=kind,
        frames=frames,
        key=key,
        attributes=attributes,
        size=size,
        skip_bad=skip_bad,
        data_dir=data_dir,
        memory=memory,
        sound=sound,
        time=time,
        captions=None if captions is None else _here(captions),
    )
    steps = found.kind == "sequence"
    (sequences.refuse_or_skip if steps else refuse_or_skip)(found, skip_bad)
    name_labels(found)
    parts = divide(
        found,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        seed=split_seed,
        limit=limit,
    )
    drawn = _drawn(found, parts, split_seed)
    seen = (sequences.look if steps else inspect)(found, *parts)
    facts = replace(seen, drawn=drawn, **_attributes(parts[0]))
    if captions is not None:
        facts = replace(facts, captions=sentences.tell(found, parts, caption_encoder))
    choices = {
        "likelihood": likelihood,
        "binarize": binarize,
        "dequantize": dequantize,
        "standardize": standardize,
        "network": network,
    }
    options = {
        "kind": kind if kind != "auto" else None,
        "frames": frames,
        "key": key,
        "size": size,
        "test_fraction": test_fraction,
        "validation_fraction": validation_fraction,
        "split_seed": split_seed,
        "skip_bad": skip_bad,
        "limit": limit,
        "memory": memory,
        "attributes": None if attributes is None else tuple(map(_here, attributes)),
        "captions": captions if captions is None else _here(captions),
        "caption_encoder": (facts.captions or {}).get("encoder"),
        "time": time,
        **sound,
    }
    where = None
    if isinstance(source, str | Path):
        where = str(source)
        options["data_dir"] = None if data_dir is None else str(data_dir)
    train, validation, test = parts
    given = {name: value for name, value in choices.items() if value != "auto"}
    options = {name: value for name, value in options.items() if value is not None}
    return Data(
        spec=describe(facts, **choices),
        train=train,
        validation=validation,
        test=test,
        facts=facts,
        source=where,
        options=_plain({**options, **given}, facts),
    )


def taken_by(source: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `load` that were meant for other data, less those that this source cannot have.

    A size is of image files, frames are of clips, a pattern is of sound, a key of several arrays:
    nobody asked for them of data of another kind, and `load` would refuse them.
    """
    where = Path(source).expanduser() if isinstance(source, str | Path) else None
    there = where if where is not None and where.exists() else None
    sound = there is not None and audio.holds_sound(there)
    folder = there is not None and (there.is_dir() or there.suffix.lower() == ".zip")
    files = there if folder and not sound else None
    drawn = where is not None and there is None and named.is_drawn(str(source))
    clips = files is not None and (options.get("kind") == "video" or video.holds_clips(files))
    one = not isinstance(source, Mapping) and (where is None or where.suffix.lower() == ".npy")
    can = {"size": files is not None or drawn, "frames": clips, "key": not one}
    can |= dict.fromkeys(_OF_SOUND, sound)
    return {name: value for name, value in options.items() if can.get(name, True)}


def describe(facts: Facts, **choices: Any) -> DataSpec:
    """The facts and the choices (see `choose`) as a `DataSpec`."""
    chosen = choose(facts, **choices)
    steps = np.broadcast_to(chosen.step, math.prod(facts.event_shape)).reshape(facts.event_shape)
    scale = np.broadcast_to(chosen.scale, steps.size).reshape(facts.event_shape)
    shift = np.broadcast_to(chosen.shift, steps.size).reshape(facts.event_shape)
    noise = steps if chosen.dequantize == "uniform" else np.zeros(facts.event_shape)
    mean = (facts.mean + noise / 2.0 - shift) / scale
    std = np.sqrt(facts.std**2 + noise**2 / 12.0) / scale
    if chosen.binarize != "none":
        # Thresholded pixels are taken as drawn ones: this only starts a decoder's bias.
        mean = np.clip(mean, 0.0, 1.0)
        std = np.sqrt(mean * (1.0 - mean))
    on_grid = facts.levels is not None
    spec = DataSpec(
        name=facts.name,
        kind=chosen.kind,
        event_shape=facts.event_shape,
        support=chosen.support,
        levels=chosen.levels,
        binarize=chosen.binarize,
        dequantize=chosen.dequantize,
        shift=chosen.shift,
        scale=chosen.scale,
        step=chosen.step,
        low=facts.grid_low,
        high=facts.grid_low + facts.grid_step * (facts.levels - 1) if on_grid else facts.high,
        log_jacobian=chosen.log_jacobian,
        classes=facts.classes,
        columns=facts.columns,
        attributes=facts.attributes,
        factors=facts.factors,
        captions=facts.captions,
        sample_rate=facts.sample_rate,
        padding=facts.padding,
        attribute_mean=facts.attribute_mean,
        attribute_std=facts.attribute_std,
        train=facts.train,
        validation=facts.validation,
        test=facts.test,
        likelihood=chosen.likelihood,
        likelihood_options=chosen.likelihood_options,
        network=chosen.network,
        why=chosen.why,
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
    )
    return sequences.lifted(spec, facts) if facts.steps else spec


def _drawn(
    found: Source, parts: tuple[RowsSplit, RowsSplit | None, RowsSplit], seed: int
) -> str | None:
    """Which examples of the split were drawn, and from which seed; None where none were."""
    train, validation, test = parts
    own = validation is not None and found.validation is None
    if test.rows is None and (train.rows is None or own):
        return f"validation drawn with split seed {seed}" if own else None
    return f"drawn with split seed {seed}"


def _attributes(train: RowsSplit) -> dict[str, Any]:
    """Mean and standard deviation of each attribute over the training examples."""
    if train.attributes is None:
        return {}
    values = train.attributes.astype(np.float64)
    return {
        "attribute_mean": tuple(values.mean(0).tolist()),
        "attribute_std": tuple(values.std(0).tolist()),
    }


def _read(
    source: Any,
    *,
    kind: str,
    frames: int | None,
    key: str | None,
    attributes: tuple[str, ...] | None,
    size: int | str | tuple[int, int] | None,
    skip_bad: bool,
    data_dir: str | Path | None,
    memory: int | None,
    sound: Mapping[str, Any],
    time: str | None,
    captions: str | None = None,
) -> Source:
    """Dispatch on what the source is."""
    where = Path(source).expanduser() if isinstance(source, str | Path) else None
    if where is not None and where.exists() and audio.holds_sound(where):
        _not_images(size, where.name)
        return audio.read(where, key=key, skip_bad=skip_bad, budget=memory, **sound)
    _not_sound(sound)
    if (steps := sequences.read(source, kind, key=key, time=time, skip_bad=skip_bad)) is not None:
        return steps
    kind = "video" if kind == "sequence" else kind  # what is left of them: clips, named sets
    folder = where is not None and (where.is_dir() or where.suffix.lower() == ".zip")
    if captions not in (None, "auto") and not folder:
        raise LowerboundError(
            f"expected a table of captions only with a folder or zip of images, came {captions} "
            "with another source: pass captions auto for those that the data bring"
        )
    table = isinstance(source, str | Path) and Path(source).suffix.lower() in (".csv", ".tsv")
    beside = _beside(attributes) if folder else None
    if attributes is not None and not table and beside is None:
        raise LowerboundError(
            f"expected attributes of a table's columns, or the table of a folder of images "
            f"(--attributes attributes.csv), came {', '.join(attributes)} with another source: an "
            ".npz or a dict of arrays has them in an array 'attributes' (N, A), and their names in "
            "'attribute_names'"
        )
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        if named.resolve(str(source)) is not None and not path.exists():
            if not named.is_drawn(str(source)):
                _not_images(size, str(source))
            return named.read(str(source), data_dir, images.parse_size(size))
        if not path.exists():
            raise _missing(path, str(source))
        if path.is_dir() or path.suffix.lower() == ".zip":
            pixels = images.parse_size(size)
            if kind == "video" or (kind == "auto" and video.holds_clips(path)):
                _only_images(attributes, path.name)
                return video.read(path, pixels, skip_bad, memory, frames)
            _only_clips(frames, path.name)
            return images.read(path, pixels, skip_bad, memory, captions, beside)
        _not_images(size, path.name)
        _only_clips(frames, path.name)
        if path.suffix.lower() in (".npy", ".npz"):
            return read_array(path, key, memory, kind == "video")
        if path.suffix.lower() in (".csv", ".tsv"):
            return tables.read(path, key, attributes)
        raise LowerboundError(
            f"expected a folder, {', '.join(_SUFFIXES)}, or a name, came {path.name}: "
            "put images in a folder, or save an array with np.save"
        )
    _not_images(size, "arrays")
    _only_clips(frames, "arrays")
    if isinstance(source, Mapping):
        return from_arrays(source, "arrays", key, kind == "video")
    if key is not None:
        raise LowerboundError(f"expected no key for one array, came '{key}': pass a dict of arrays")
    return from_array(source, clips=kind == "video")


def _missing(path: Path, given: str) -> LowerboundError:
    """A path that is not there, with the nearest name of a data set or of a sibling."""
    looks_like_path = path.suffix or "/" in given or "\\" in given
    siblings = [] if not path.parent.is_dir() else [each.name for each in path.parent.iterdir()]
    siblings = [name for name in siblings if not name.startswith(".")]
    hint = "" if looks_like_path else nearest(given, named.NAMES)
    hint = hint or nearest(path.name, siblings)
    if looks_like_path:
        return LowerboundError(
            f"expected a file or folder, came {given}, which does not exist{hint}"
        )
    names = ", ".join(named.NAMES)
    return LowerboundError(
        f"expected a path or one of {names}, came '{given}', which is neither{hint}"
    )


def _not_images(size: Any, name: str) -> None:
    if size is not None:
        raise LowerboundError(
            f"expected size only with image files, came size {size} with {name}: leave it out"
        )


def _only_clips(frames: int | None, name: str) -> None:
    if frames is not None:
        raise LowerboundError(
            f"expected frames only with a folder or zip of clips, came frames {frames} with "
            f"{name}: leave it out, or pass kind video (--kind video)"
        )


def _beside(attributes: tuple[str, ...] | None) -> str | None:
    """The table of attributes beside images; None where they are the names of columns."""
    tables = tuple(attributes or ())
    return tables[0] if len(tables) == 1 and tables[0].lower().endswith(TABLES) else None


def _only_images(attributes: tuple[str, ...] | None, name: str) -> None:
    if attributes is not None:
        raise LowerboundError(
            f"expected attributes only of a folder or zip of images, came clips in {name}: leave "
            "them out"
        )


def _known_kind(kind: str) -> None:
    known = ("auto", "image", "video", "sequence")
    if kind not in known:
        raise LowerboundError(
            f"expected kind as auto, image, video or sequence, came '{kind}'{nearest(kind, known)}"
        )


def _not_sound(options: Mapping[str, Any]) -> None:
    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise LowerboundError(
            f"expected {given} only with sound files, came {given} {options[given]} with another "
            "source: leave it out"
        )


def _here(table: str | Path) -> str:
    """A table's path from the root where it is a file: a run is gone on with from any folder."""
    path = Path(table).expanduser()
    known = path.suffix.lower() in (*TABLES, ".jsonl") and path.is_file()
    return str(path.resolve()) if known else str(table)


def _plain(options: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Options in JSON's types; a built likelihood by the name that prepares the data alike."""
    texts = (str, int, float, bool, list, tuple, dict, type(None))
    plain = {}
    for name, value in options.items():
        if isinstance(value, texts):
            plain[name] = value
        else:
            plain[name] = likelihood_name(value, facts) if name == "likelihood" else str(value)
    return plain
