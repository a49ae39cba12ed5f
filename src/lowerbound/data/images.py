"""Folders and zips of image files: class folders become labels, train/ and test/ the split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from lowerbound.data import attribute_tables
from lowerbound.data.arrays import ArrayRows
from lowerbound.data.captions import NAMES, beside_images, of_names
from lowerbound.data.decode import (
    Files,
    Size,
    archive_files,
    decode,
    folder_files,
    headers,
    open_image,
)
from lowerbound.data.memory import host_budget
from lowerbound.data.splits import Rows, Source
from lowerbound.errors import LowerboundError

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".pgm", ".ppm", ".pbm", ".pnm", ".bmp", ".gif", ".tif",
     ".tiff", ".webp")
)  # fmt: skip
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_PARTS |= dict.fromkeys(("val", "valid", "validation"), "validation")


class ImageRows:
    """Images decoded when asked for, as uint8 (C, H, W)."""

    in_memory = False
    dtype = np.dtype(np.uint8)

    def __init__(self, files: Files, channels: int, size: Size, resize: bool) -> None:
        self.files, self.channels, self.size, self.resize = files, channels, size, resize
        self.event_shape = (channels, *size)

    def __len__(self) -> int:
        return len(self.files.names)

    def take(self, positions: np.ndarray) -> np.ndarray:
        names = [self.files.names[position] for position in positions]
        out = np.empty((len(names), *self.event_shape), np.uint8)
        target = self.size if self.resize else None
        for row, (name, image) in enumerate(decode(self.files, names, target)):
            if isinstance(image, str):
                raise bad_files([(name, image)])
            if image.shape[:2] != self.size:
                raise _mixed(name, image.shape[:2], names[0], self.size)
            out[row] = _with_channels(image, self.channels)
        return out


def read(
    path: Path,
    size: Size | None,
    skip_bad: bool,
    budget: int | None = None,
    captions: str | None = None,
    attributes: str | None = None,
) -> Source:
    """A folder or zip of images.

    Colour and grey images together are all read as colour; transparency is dropped; 16 bits are
    read as 8.

    Raises:
        LowerboundError: no images; images that do not open; sizes that differ without `size`.
    """
    files = folder_files(path) if path.is_dir() else archive_files(path)
    named = [(name, PurePosixPath(name)) for name in files.names]
    images = sorted(name for name, inner in named if inner.suffix.lower() in SUFFIXES)
    if not images:
        raise LowerboundError(
            f"expected images ({', '.join(sorted(SUFFIXES))}) in {path}, came "
            f"{f'{len(named)} other files' if named else 'nothing'}: pass a folder or zip of "
            "images; sequences are .csv, .tsv, .npy or .npz, one in each file"
        )
    told, found = None, len(images)
    if captions is not None:
        told = beside_images(captions, path.name, files, images, skip_bad)
        images = images if told is None else [name for name in images if name in told]
    no_captions = captions is not None and told is None
    without = found - len(images)
    numbers = None
    if attributes is not None:
        numbers = attribute_tables.beside_images(attributes, path.name, files, images, skip_bad)
        images = [name for name in images if name in numbers.values]
    bare = found - without - len(images)
    grouped, inside = parted(images)
    reader = _Reader(files, size, skip_bad, host_budget() if budget is None else budget)
    rows = reader.all(
        {part: grouped[part] for part in ("train", "validation", "test") if part in grouped}
    )
    source = Source(path.stem, rows["train"][0], as_came="uint8", notes=reader.notes)
    source.validation = rows["validation"][0] if "validation" in rows else None
    source.test = rows["test"][0] if "test" in rows else None
    label(source, {part: kept for part, (_, kept) in rows.items()}, inside)
    if told is not None:
        for part, (_, kept) in rows.items():
            name = "captions" if part == "train" else f"{part}_captions"
            setattr(source, name, of_names(told, kept))
    if numbers is not None:
        attribute_tables.put(source, numbers, {part: kept for part, (_, kept) in rows.items()})
    if bare:
        source.notes.append(("skipped", f"{bare} images without attributes"))
    if no_captions:
        source.notes.append(("captions", f"none: there is no {', '.join(NAMES)}"))
    if without:
        source.notes.append(("skipped", f"{without} images without a caption"))
    others = len(named) - found - (told is not None and any(i.name in NAMES for _, i in named))
    others -= attributes in files.names
    if others:
        source.notes.append(("left aside", f"{others} files that are no images"))
    return source


def parted(names: list[str]) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Names by the split that their folders say, and of each the folders within that.

    All of them are "train" where no folder of that name stands beside the others.
    """
    base = _common(names)
    grouped: dict[str, list[str]] = {}
    inside: dict[str, tuple[str, ...]] = {}
    for name in names:
        parts = PurePosixPath(name).parts[base:]
        part = _PARTS.get(parts[0].lower()) if len(parts) > 1 else None
        grouped.setdefault(part or "", []).append(name)
        inside[name] = parts[1:] if part else parts
    if "train" not in grouped or "" in grouped:
        # No train/ beside the others: a class may well be called "test".
        return {"train": names}, {name: PurePosixPath(name).parts[base:] for name in names}
    return grouped, inside


def parse_size(size: int | str | Sequence[int] | None) -> Size | None:
    """(height, width) of ``64``, ``"64"``, ``"48x64"`` or ``(48, 64)``."""
    if size is None:
        return None
    sides = re.split(r"[x, ]+", size.strip().lower()) if isinstance(size, str) else size
    try:
        numbers = [int(sides)] if isinstance(sides, int) else [int(side) for side in sides]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers) < 1:
        raise LowerboundError(f"expected size as 64 or 48x64 (height x width), came '{size}'")
    return numbers[0], numbers[-1]


class _Reader:
    """Decodes all images into memory where they fit, else checks them and decodes on demand."""

    def __init__(self, files: Files, size: Size | None, skip_bad: bool, budget: int) -> None:
        self.files, self.size, self.skip_bad, self.budget = files, size, skip_bad, budget
        self.notes: list[tuple[str, str]] = []
        self.bad: list[tuple[str, str]] = []
        self.first: tuple[str, Size] | None = None
        self.grey = self.colour = 0

    def all(self, groups: dict[str, list[str]]) -> dict[str, tuple[Rows, list[str]]]:
        names = [name for group in groups.values() for name in group]
        shape = self._guess(names)
        fits = len(names) * int(np.prod(shape)) <= self.budget
        pixels: dict[str, np.ndarray] = {}
        kept: dict[str, list[str]] = {}
        for part, group in groups.items():
            kept[part], array = self._pass(group, shape, fits)
            if array is not None:
                pixels[part] = array
        if self.bad:
            if not self.skip_bad:
                raise bad_files(self.bad)
            shown = ", ".join(name for name, _ in self.bad[:3]) + (", ..." if self.bad[3:] else "")
            self.notes.append(("skipped", f"{len(self.bad)} images that do not open: {shown}"))
        if not kept["train"] or self.first is None:
            raise bad_files(self.bad)
        channels = 3 if self.colour else 1
        if self.colour and self.grey:
            self.notes.append(
                ("channels", f"{self.colour:,} colour and {self.grey:,} grey images, all as RGB")
            )
        result: dict[str, tuple[Rows, list[str]]] = {}
        for part, group in kept.items():
            if fits:
                rows: Rows = ArrayRows.of(_as_channels(pixels[part], channels))
            else:
                some = Files(tuple(group), self.files.read)
                rows = ImageRows(some, channels, self.first[1], self.size is not None)
            result[part] = (rows, group)
        if not fits:
            self.notes.append(("memory", "larger than the memory budget: decoded on demand"))
        return result

    def _guess(self, names: list[str]) -> tuple[int, int, int]:
        """(C, H, W) of the first image that opens; the others are checked as they come."""
        for name in names:
            image = open_image(self.files, name, self.size)
            if not isinstance(image, str):
                return (image.shape[2] if image.ndim == 3 else 1, *image.shape[:2])
        return (1, 1, 1)  # none opens; the pass over them says so

    def _pass(
        self, names: list[str], shape: tuple[int, int, int], fits: bool
    ) -> tuple[list[str], np.ndarray | None]:
        """The names whose images open, and their pixels (N, C, H, W) where they are kept."""
        out = np.empty((len(names), *shape), np.uint8) if fits else None
        # Without keeping pixels a header tells size and mode, but not whether the rest decodes.
        work = decode if fits or self.skip_bad else headers
        kept: list[str] = []
        for name, image in work(self.files, names, self.size):
            if isinstance(image, str):
                self.bad.append((name, image))
                continue
            self.first = self.first or (name, image.shape[:2])
            if image.shape[:2] != self.first[1]:
                raise _mixed(name, image.shape[:2], *self.first)
            colour = image.ndim == 3
            self.colour, self.grey = self.colour + colour, self.grey + (not colour)
            if out is not None:
                if colour and out.shape[1] == 1:
                    out = _as_channels(out, 3)
                out[len(kept)] = _with_channels(image, out.shape[1])
            kept.append(name)
        return kept, None if out is None else out[: len(kept)]


def label(
    source: Source,
    kept: dict[str, list[str]],
    inside: dict[str, tuple[str, ...]],
    what: str = "images",
) -> None:
    """Labels from the first folder of each image, where every image has one."""
    every = [inside[name] for names in kept.values() for name in names]
    folders = sorted({parts[0] for parts in every if len(parts) > 1})
    if len(folders) < 2:
        return
    if any(len(parts) == 1 for parts in every):
        source.notes.append(("labels", f"none: some {what} lie outside the class folders"))
        return
    source.classes = tuple(folders)
    number = {folder: index for index, folder in enumerate(folders)}
    for part, names in kept.items():
        labels = np.array([number[inside[name][0]] for name in names], np.int64)
        setattr(source, "labels" if part == "train" else f"{part}_labels", labels)


def _as_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """(N, C, H, W) with grey repeated where colour is asked for."""
    return pixels if pixels.shape[1] == channels else np.repeat(pixels, channels, axis=1)


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(C, H, W) of (H, W) or (H, W, 3)."""
    if image.ndim == 3:
        return image.transpose(2, 0, 1)
    return np.broadcast_to(image, (channels, *image.shape))


def _common(names: Sequence[str]) -> int:
    """How many leading folders all images share, not counting train/ and the like."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    shared = 0
    while all(len(parts) > shared for parts in folders):
        here = {parts[shared] for parts in folders}
        if len(here) > 1 or next(iter(here)).lower() in _PARTS:
            break
        shared += 1
    return shared


def bad_files(bad: Sequence[tuple[str, str]], what: str = "images") -> LowerboundError:
    """What to say of files that do not open, (name, reason) each."""
    shown = "; ".join(f"{name} ({reason})" for name, reason in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    return LowerboundError(
        f"expected {what} that open, came {len(bad)} that do not: {shown}{more}: "
        "replace them, or leave them out with skip_bad (--skip-bad)"
    )


def _mixed(name: str, shape: Size, other: str, size: Size) -> LowerboundError:
    return LowerboundError(
        f"expected images of one size, came {size[0]} x {size[1]} ({other}) and "
        f"{shape[0]} x {shape[1]} ({name}): pass size, e.g. --size {min(*size, *shape)}"
    )
