"""Arrays as a source: numpy arrays, dicts of them, .npy and .npz files. Never unpickles."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.captions import of_list
from lowerbound.data.memory import host_budget
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError, nearest

_CHANNELS = (1, 3, 4)
_NARROW = 16  # sides up to which an image twice as high or higher may well be a sequence
_SPLITS = {"train": "train", "training": "train", "tr": "train", "test": "test", "te": "test"}
_SPLITS |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
_LABELS = {"label", "labels", "y", "target", "targets", "action", "actions"}
_ATTRIBUTES = {"attribute", "attributes", "attr", "attrs"}
_CAPTIONS = {"captions", "caption", "texts", "text", "sentences"}
_NAMES = ("attribute_names", "attributes_names", "names_attributes")
_VALUES = {"image", "images", "data", "x", "values", "samples", "inputs", "array", "features"}
_VALUES |= {"clips", "video", "videos", "frames"}


class ArrayRows:
    """Rows of an array (N, ...), with images laid out as (N, C, H, W), clips as (N, F, C, H, W).

    In memory the layout and the type are set once; a memory-mapped file keeps both and is
    converted as it is read.

    Args:
        array: the examples.
        name: of the array, for messages.
        clips: (N, F, H, W) are clips of grey frames, not images of F channels.
    """

    def __init__(self, array: np.ndarray, name: str, clips: bool = False) -> None:
        check_array(array, name)
        if clips:
            if array.ndim not in (4, 5):
                raise LowerboundError(
                    f"expected clips in {name} as (N, F, H, W), (N, F, H, W, C) or "
                    f"(N, F, C, H, W), came shape {array.shape}: leave out kind video"
                )
            array = array[:, :, None] if array.ndim == 4 else array
        if array.ndim == 5 and array.shape[1] < 2:
            raise LowerboundError(
                f"expected clips of at least 2 frames in {name}, came shape {array.shape}: "
                "drop the axis of one frame to read them as images"
            )
        self.channels_last = array.ndim > 3 and _channels_last(array.shape)
        self.in_memory = not isinstance(array, np.memmap)
        self._stored_as = _stored_type(array, self.in_memory)
        self.array = self._arrange(array) if self.in_memory else array

    @classmethod
    def of(cls, arranged: np.ndarray) -> ArrayRows:
        """Rows of an array (N, *event_shape) whose layout and type are right already."""
        rows = cls.__new__(cls)
        rows.array, rows.in_memory = arranged, True
        rows.channels_last, rows._stored_as = False, arranged.dtype
        return rows

    @property
    def event_shape(self) -> tuple[int, ...]:
        if self.in_memory:
            return self.array.shape[1:]
        shape = self.array.shape[1:]
        if len(shape) == 2:
            return (1, *shape)
        return (*shape[:-3], shape[-1], *shape[-3:-1]) if self.channels_last else shape

    @property
    def dtype(self) -> np.dtype:
        return self._stored_as

    def __len__(self) -> int:
        return len(self.array)

    def take(self, positions: np.ndarray) -> np.ndarray:
        if self.in_memory:
            return self.array[positions]
        return self._arrange(np.asarray(self.array[positions]))

    def _arrange(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 3:
            array = array[:, None]
        elif self.channels_last:
            array = np.moveaxis(array, -1, -3)
        return np.ascontiguousarray(array, dtype=self._stored_as)


def check_array(array: np.ndarray, name: str) -> None:
    """Refuse types and ranks that are no data.

    Raises:
        LowerboundError: objects, texts or complex numbers; not 2 to 5 axes; an empty axis.
    """
    if array.dtype == object:
        raise LowerboundError(
            f"expected numbers in {name}, came Python objects (dtype object), which only pickle "
            "can read: save it with a numeric dtype, e.g. np.stack(list).astype(np.float32)"
        )
    if array.dtype.kind not in "biuf":
        raise LowerboundError(
            f"expected real numbers in {name}, came dtype {array.dtype}: "
            "convert it to integers or floats"
        )
    if array.ndim not in (2, 3, 4, 5):
        fix = "reshape(-1, 1) makes one feature of it" if array.ndim == 1 else "reshape it"
        raise LowerboundError(
            f"expected {name} as (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W), clips with "
            f"frames as the second axis, came shape {array.shape}: {fix}"
        )
    if 0 in array.shape:
        raise LowerboundError(f"expected examples in {name}, came an empty array {array.shape}")


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Whether (…, ., ., .) is (…, H, W, C): the axis of 1, 3 or 4 is the channels'."""
    first, last = shape[-3] in _CHANNELS, shape[-1] in _CHANNELS
    return last and not first if first != last else shape[-1] < shape[-3]


def _stored_type(array: np.ndarray, in_memory: bool) -> np.dtype:
    """The smallest type that torch indexes and that keeps every value."""
    kind = array.dtype.kind
    if kind == "b" or array.dtype == np.uint8:
        return np.dtype(np.uint8)
    if kind in "iu":
        if not in_memory:
            small = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
            return np.dtype(small.get(array.dtype.name, array.dtype.newbyteorder("=")))
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high <= 255:
            return np.dtype(np.uint8)
        return np.dtype(np.int32 if low >= -(2**31) and high < 2**31 else np.int64)
    if array.dtype.itemsize <= 4 or not in_memory or array.ndim != 2:
        return np.dtype(np.float32)
    # A feature far from zero (a time stamp) would lose its digits in float32 before it is
    # standardized: kept as float64, and standardized there.
    with np.errstate(all="ignore"):
        rounded = np.abs(array.astype(np.float32) - array).max(axis=0)
        lost = rounded > 1e-3 * array.std(axis=0)
    return np.dtype(np.float64 if bool(np.any(lost & (rounded > 0))) else np.float32)


def read_array(
    path: Path, key: str | None, budget: int | None = None, clips: bool = False
) -> Source:
    """A .npy or .npz file; `clips` as in `ArrayRows`."""
    try:
        check_magic(path)
        if path.suffix == ".npz":
            # Opened here: where the file is cut short, np.load leaves its own handle open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                members = _Members(archive, path)
                return from_arrays(members, path.stem, key, clips)
        size = path.stat().st_size
        mapped = size > (host_budget() if budget is None else budget)
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise LowerboundError(
                f"expected numbers in {path.name}, came Python objects (dtype object), which are "
                "never unpickled here: save it with a numeric dtype, e.g. array.astype(np.float32)"
            ) from None
        raise LowerboundError(
            f"expected a {path.suffix} file that numpy wrote, came {path.name} which does not open "
            f"({_short(error)}): write it again with np.save{'z' * (path.suffix == '.npz')}"
        ) from None
    if key is not None:
        raise LowerboundError(f"expected no key for {path.name}, which is one array, came '{key}'")
    source = from_array(array, path.stem, clips)
    if mapped:
        source.notes.append(("memory", "larger than the memory budget: read from the file"))
    return source


def check_magic(path: Path) -> None:
    """Numpy takes any file it does not know for a pickle; say instead that it is not numpy's.

    Raises:
        ValueError: it is none of the kind that its name says.
        OSError: it does not open.
    """
    with path.open("rb") as file:
        start = file.read(6)
    if not start.startswith(b"PK" if path.suffix == ".npz" else b"\x93NUMPY"):
        raise ValueError("it begins with none of numpy's marks")


def from_array(array: Any, name: str = "array", clips: bool = False) -> Source:
    """One array (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W), or of clips (see `ArrayRows`)."""
    array = as_numpy(array)
    source = Source(name, ArrayRows(array, name, clips), as_came=str(array.dtype))
    return _told_frames(source, array.shape, clips)


def _told_frames(source: Source, shape: tuple[int, ...], clips: bool) -> Source:
    """Where an axis of "channels" may well be one of frames, or a side one of steps, say so."""
    if len(shape) == 4 and not clips and not {shape[1], shape[3]} & {1, 2, 3, 4}:
        channels = source.train.event_shape[0]
        text = f"read as images of {channels} channels; clips of grey frames with kind video"
        source.notes.append(("axes", f"{text} (--kind video)"))
    if len(shape) == 3 and shape[2] <= _NARROW and shape[1] >= 2 * shape[2]:
        text = f"read as images of {shape[1]} x {shape[2]}; sequences of {shape[1]} steps of "
        text += f"{shape[2]} number{'' if shape[2] == 1 else 's'} with kind sequence"
        source.notes.append(("axes", f"{text} (--kind sequence)"))
    return source


def from_arrays(
    arrays: Mapping[str, Any], name: str, key: str | None = None, clips: bool = False
) -> Source:
    """Named arrays: train and test, with or without labels, or the only one.

    Names are read by their words: `train`, `train_images` and `x_train` are the same, as are
    `train_labels` and `y_train`.

    Raises:
        LowerboundError: no such key; several arrays and no word on which; lengths that differ.
    """
    names = list(arrays)
    if not names:
        raise LowerboundError(f"expected arrays in '{name}', came none")
    found: dict[tuple[str, str], str] = {}
    for each in names:
        role = _role(each)
        if role is not None:
            found.setdefault(role, each)
    if key is not None:
        if key not in names:
            raise LowerboundError(
                f"expected a key of '{name}' ({', '.join(names)}), "
                f"came '{key}'{nearest(key, names)}"
            )
        role = _role(key)
        part = role[0] if role and role[1] == "values" else "train"
        sides = ("labels", "attributes", "captions")
        beside = {what: found.get((part, what)) for what in sides}
        found = {("train", "values"): key}
        for what, named in beside.items():
            if named is not None and named != key:
                found["train", what] = named
    elif ("train", "values") not in found:
        taken = (*found.values(), *_NAMES)
        others = [each for each in names if each not in taken]
        if len(others) != 1 or any(role[1] == "values" for role in found):
            raise LowerboundError(
                f"expected one array in '{name}', or 'train' and 'test', came {', '.join(names)}: "
                f"pass one of them as key (--key {(others or names)[0]})"
            )
        found["train", "values"] = others[0]
    came = as_numpy(arrays[found["train", "values"]])
    source = Source(name, ArrayRows(came, f"'{name}'", clips), as_came=str(came.dtype))
    _told_frames(source, came.shape, clips)
    source.labels = _labels(arrays, found, "train", len(came))
    source.attributes = _attributes(arrays, found, "train", len(came))
    source.captions = _captions(arrays, found, "train", len(came))
    for part in ("test", "validation"):
        if (part, "values") in found:
            values = as_numpy(arrays[found[part, "values"]])
            rows = ArrayRows(values, f"'{found[part, 'values']}'", clips)
            if rows.event_shape != source.train.event_shape:
                raise LowerboundError(
                    f"expected examples of one shape, came {source.train.event_shape} in "
                    f"'{found['train', 'values']}' and {rows.event_shape} in "
                    f"'{found[part, 'values']}'"
                )
            setattr(source, part, rows)
            setattr(source, f"{part}_labels", _labels(arrays, found, part, len(values)))
            beside = _attributes(arrays, found, part, len(values))
            setattr(source, f"{part}_attributes", beside)
            said = _captions(arrays, found, part, len(values))
            setattr(source, f"{part}_captions", said)
    source.attribute_names = _attribute_names(arrays, source)
    return source


def _attributes(
    arrays: Mapping[str, Any], found: Mapping[tuple[str, str], str], part: str, count: int
) -> np.ndarray | None:
    """Float64 (N, A) of one split: float32 would merge time stamps."""
    named = found.get((part, "attributes"))
    if named is None:
        return None
    values = as_numpy(arrays[named])
    if values.dtype.kind not in "biuf":
        raise LowerboundError(
            f"expected attributes of numbers in '{named}', came dtype {values.dtype}: convert them"
        )
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != count or not values.shape[1]:
        raise LowerboundError(
            f"expected attributes (N, A) in '{named}', one row for each of the {count} examples of "
            f"'{found[part, 'values']}', came shape {values.shape}"
        )
    return np.ascontiguousarray(values, dtype=np.float64)


def _attribute_names(arrays: Mapping[str, Any], source: Source) -> tuple[str, ...] | None:
    """What the attributes are called, by an array of texts or by their number; alike in all parts.

    Raises:
        LowerboundError: as many names as numbers are missing, or a split lacks its attributes.
    """
    if source.attributes is None:
        return None
    count = source.attributes.shape[1]
    for part in ("test", "validation"):
        beside = getattr(source, f"{part}_attributes")
        if getattr(source, part) is not None and (beside is None or beside.shape[1] != count):
            came = "none" if beside is None else f"{beside.shape[1]}"
            raise LowerboundError(
                f"expected {count} attributes of each {part} example, as those that train have, "
                f"came {came}: add an array '{part}_attributes' (N, {count})"
            )
    named = next((each for each in _NAMES if each in arrays), None)
    if named is None:
        return tuple(f"attribute{number}" for number in range(count))
    names = as_numpy(arrays[named])
    if names.shape != (count,) or names.dtype.kind not in "US":
        raise LowerboundError(
            f"expected {count} texts in '{named}', one for each attribute, came "
            f"{names.dtype} of shape {names.shape}"
        )
    return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names)


def _labels(
    arrays: Mapping[str, Any], found: Mapping[tuple[str, str], str], part: str, count: int
) -> np.ndarray | None:
    named = found.get((part, "labels"))
    if named is None:
        return None
    labels = as_numpy(arrays[named])
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise LowerboundError(
            f"expected {count} labels in '{named}', one per example of "
            f"'{found[part, 'values']}', came shape {labels.shape}"
        )
    return labels


def _captions(
    arrays: Mapping[str, Any], found: Mapping[tuple[str, str], str], part: str, count: int
) -> Any:
    named = found.get((part, "captions"))
    return None if named is None else of_list(arrays[named], count, named)


def _role(name: str) -> tuple[str, str] | None:
    """(split, "values", "labels", "attributes" or "captions") that a key's words say, None where
    they say something else."""
    words = [word for word in name.lower().replace("-", "_").replace("/", "_").split("_") if word]
    part, what = "train", "values"
    for word in words:
        if word in _SPLITS:
            part = _SPLITS[word]
        elif word in _LABELS:
            what = "labels"
        elif word in _ATTRIBUTES:
            what = "attributes"
        elif word in _CAPTIONS:
            what = "captions"
        elif word not in _VALUES:
            return None
    return part, what


def as_numpy(array: Any) -> np.ndarray:
    """A numpy array of what came: an array, a list of numbers, or a torch tensor."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float() if "bfloat16" in str(array.dtype) else array
        return array.numpy()
    try:
        return array if isinstance(array, np.ndarray) else np.asarray(array)
    except ValueError as error:
        raise LowerboundError(
            f"expected an array of numbers, came a list that is none ({_short(error)})"
        ) from None


class _Members(Mapping[str, np.ndarray]):
    """The arrays of an .npz, read when asked for, refusing what would need pickle."""

    def __init__(self, archive: Any, path: Path) -> None:
        self.archive, self.path = archive, path

    def __getitem__(self, key: str) -> np.ndarray:
        try:
            return self.archive[key]
        except ValueError as error:
            if "allow_pickle" not in str(error) and "Object" not in str(error):
                raise
            raise LowerboundError(
                f"expected numbers in '{key}' of {self.path.name}, came Python objects, which are "
                "never unpickled here: save it with a numeric dtype, e.g. .astype(np.float32)"
            ) from None

    def __iter__(self):
        return iter(self.archive.files)

    def __len__(self) -> int:
        return len(self.archive.files)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
