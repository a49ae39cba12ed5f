"""Folders and zips of clips: GIFs, movies, or a folder of frames each; class folders are labels.

A clip is (F, C, H, W), frames first: the frames of a clip fold into a batch of images without a
copy, and codes in the order of the array are codes in the order of time.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageSequence

from lowerbound import movies
from lowerbound.data import images
from lowerbound.data.arrays import ArrayRows
from lowerbound.data.decode import (
    FAILURES,
    Files,
    Size,
    archive_files,
    fitted,
    folder_files,
    open_image,
    reason,
)
from lowerbound.data.memory import host_budget
from lowerbound.data.splits import Rows, Source
from lowerbound.errors import LowerboundError

_BLINKS = 2  # frames from which a GIF is a clip


def holds_clips(path: Path) -> bool:
    """Whether there are movies in a folder or zip, or all images are GIFs, the first animated."""
    files = folder_files(path) if path.is_dir() else archive_files(path)
    if any(PurePosixPath(name).suffix.lower() in movies.SUFFIXES for name in files.names):
        return True
    found = sorted(n for n in files.names if PurePosixPath(n).suffix.lower() in images.SUFFIXES)
    if not found or any(PurePosixPath(name).suffix.lower() != ".gif" for name in found):
        return False
    try:
        with Image.open(io.BytesIO(files.read(found[0]))) as image:
            return getattr(image, "n_frames", 1) >= _BLINKS
    except FAILURES:
        return False


class ClipRows:
    """Clips decoded when asked for, as uint8 (F, C, H, W)."""

    in_memory = False
    dtype = np.dtype(np.uint8)

    def __init__(self, reader: Reader, clips: Sequence[str], shape: tuple[int, ...]) -> None:
        self.reader, self.clips, self.event_shape = reader, clips, shape

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, positions: np.ndarray) -> np.ndarray:
        out = np.empty((len(positions), *self.event_shape), np.uint8)
        for row, position in enumerate(positions):
            out[row] = self.reader.clip(self.clips[position], self.event_shape)
        return out


def read(
    path: Path,
    size: Size | None,
    skip_bad: bool,
    budget: int | None = None,
    frames: int | None = None,
) -> Source:
    """A folder or zip of clips.

    A GIF with several frames is a clip, a movie (.mp4, …) is, and so is a folder that holds images
    directly, in the order of the numbers in their names. ``class/clip.gif`` and
    ``class/clip/frame.png`` are labelled with the class; ``train/`` and ``test/`` above are the
    split. Grey and colour clips together are all read as colour.

    Args:
        path: of the folder or zip.
        size: height and width that frames are cropped and scaled to.
        skip_bad: leave out clips that do not open.
        budget: bytes that they may take before they are decoded on demand.
        frames: the first so many of each clip; None: all.

    Raises:
        LowerboundError: no clips, clips of one frame, of several lengths or sizes, or that do not
            open.
    """
    files = folder_files(path) if path.is_dir() else archive_files(path)
    reader = Reader(files, size, frames)
    if not reader.frames_of:
        raise LowerboundError(
            f"expected clips (animated .gif, .mp4, or folders of frames) in {path}, came "
            f"{f'{len(files.names)} other files' if files.names else 'nothing'}: pass a folder or "
            "zip of clips; sequences are .csv, .tsv, .npy or .npz, one in each file"
        )
    grouped, inside = images.parted(list(reader.frames_of))
    kept = {part: reader.look(group) for part, group in grouped.items()}
    if reader.bad and (not skip_bad or not kept["train"]):
        raise images.bad_files(reader.bad, "clips")
    assert reader.shape is not None
    shape = (*reader.shape[:1], reader.channels, *reader.shape[1:])
    source = Source(path.stem, reader.rows(kept["train"], shape, budget), as_came="uint8")
    for part in ("validation", "test"):
        if kept.get(part):
            setattr(source, part, reader.rows(kept[part], shape, budget))
    if reader.bad:
        shown = ", ".join(name for name, _ in reader.bad[:3]) + (", ..." * (len(reader.bad) > 3))
        source.notes.append(("skipped", f"{len(reader.bad)} clips that do not open: {shown}"))
    images.label(source, kept, inside, "clips")
    return source


class Reader:
    """Clips by name: their frames, decoded, and what is alike in all of them.

    Args:
        files: in the folder or zip.
        size: that frames are brought to.
        frames: taken of each clip, None for all.

    Attributes:
        frames_of: of each clip the files of its frames, one for a GIF.
        shape: (F, H, W) of the clips that were looked at.
        channels: 1 while all of them are grey, then 3.
        bad: clips that do not open, with the reason.
    """

    def __init__(self, files: Files, size: Size | None, frames: int | None) -> None:
        self.files, self.size, self.frames = files, size, frames
        self.shape: tuple[int, int, int] | None = None
        self.first = ""
        self.channels = 1
        self.bad: list[tuple[str, str]] = []
        self.frames_of = _clips(files.names)

    def look(self, clips: Sequence[str]) -> list[str]:
        """Decode all of them once, and keep the names of those that open.

        Raises:
            LowerboundError: one is of another length or size than those before.
        """
        kept = []
        for name in clips:
            found = self._decoded(name)
            if isinstance(found, str):
                self.bad.append((name, found))
                continue
            length, height, width = found.shape[:3]
            self._fits(name, (length, height, width))
            if found.shape[-1] == 3:
                self.channels = 3
            kept.append(name)
        return kept

    def rows(self, clips: list[str], shape: tuple[int, ...], budget: int | None) -> Rows:
        """The clips in memory where they fit, else decoded when asked for."""
        found = ClipRows(self, clips, shape)
        room = host_budget() if budget is None else budget
        if len(clips) * int(np.prod(shape)) > room:
            return found
        return ArrayRows.of(found.take(np.arange(len(clips))))

    def clip(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """One clip, uint8 (F, C, H, W).

        Raises:
            LowerboundError: it does not open any more.
        """
        found = self._decoded(name)
        if isinstance(found, str):
            raise images.bad_files([(name, found)], "clips")
        return np.broadcast_to(np.moveaxis(found, -1, 1), shape)

    def _fits(self, name: str, shape: tuple[int, int, int]) -> None:
        if shape[0] < 2:
            raise LowerboundError(
                f"expected clips of at least 2 frames, came {name} with one: leave it out, or "
                "read the files as images (--kind image)"
            )
        if self.shape is None:
            self.shape, self.first = shape, name
        before = self.shape
        if shape[0] != before[0]:
            raise LowerboundError(
                f"expected clips of one length, came {before[0]} frames ({self.first}) and "
                f"{shape[0]} ({name}): pass frames to take the first so many of each, e.g. "
                f"--frames {min(shape[0], before[0])}"
            )
        if shape[1:] != before[1:]:
            raise LowerboundError(
                f"expected frames of one size, came {before[1]} x {before[2]} ({self.first}) and "
                f"{shape[1]} x {shape[2]} ({name}): pass size, e.g. --size {min(shape[1:])}"
            )

    def _decoded(self, name: str) -> np.ndarray | str:
        """Frames (F, H, W, 1 or 3), or the reason why there are none."""
        files = self.frames_of[name]
        if files == [name]:
            found = clip_frames(self.files.read, name, self.size)
        else:
            found = []
            for file in files:
                frame = open_image(self.files, file, self.size)
                if isinstance(frame, str):
                    return f"{PurePosixPath(file).name}: {frame}"
                found.append(frame if frame.ndim == 3 else frame[..., None])
        if isinstance(found, str):
            return found
        if self.frames is not None:
            if len(found) < self.frames:
                raise LowerboundError(
                    f"expected clips of at least {self.frames} frames, as was asked for, came "
                    f"{name} with {len(found)}: pass --frames {max(2, len(found))} or leave it out"
                )
            found = found[: self.frames]
        sizes = {frame.shape[:2] for frame in found}
        if len(sizes) > 1:
            one, other = sorted(sizes)[:2]
            return f"frames of {one[0]} x {one[1]} and {other[0]} x {other[1]}, which size mends"
        if len({frame.shape[2] for frame in found}) > 1:
            found = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in found]
        return np.stack(found)


def clip_frames(read, name: str, size: Size | None = None) -> list[np.ndarray] | str:
    """The frames of a GIF or a movie, uint8 (H, W, 1) where all are grey, else (H, W, 3).

    A frame that is shown twice as long as the shortest stands there twice: equal frames in a row
    are written as one, by Pillow among others.

    Args:
        read: the bytes of a file by its name.
        name: of the file.
        size: height and width to crop and scale to.

    Returns:
        the frames, or the reason why it does not open.
    """
    if PurePosixPath(name).suffix.lower() in movies.SUFFIXES:
        return _movie_frames(read(name), size)
    try:
        with Image.open(io.BytesIO(read(name))) as image:
            found, shown = [], []
            for frame in ImageSequence.Iterator(image):
                shown.append(float(frame.info.get("duration", 0)))
                frame = frame.convert("RGB")
                found.append(np.asarray(frame if size is None else fitted(frame, size)))
    except (*FAILURES, IndexError, struct.error) as error:  # what a GIF that is cut short raises
        return reason(error)
    shortest = min(shown)
    times = [round(each / shortest) if shortest else 1 for each in shown]
    found = [frame for frame, many in zip(found, times, strict=True) for _ in range(many)]
    return _grey(found)


def _movie_frames(content: bytes, size: Size | None) -> list[np.ndarray] | str:
    found = movies.frames_of(content)
    if isinstance(found, str) or not found:
        return found or "no frames"
    if size is not None:
        found = [np.asarray(fitted(Image.fromarray(frame), size)) for frame in found]
    return _grey(found)


def _grey(frames: list[np.ndarray]) -> list[np.ndarray]:
    """With one channel, where all of them are grey."""
    if all((frame == frame[..., :1]).all() for frame in frames):
        return [frame[..., :1] for frame in frames]
    return frames


def _clips(names: Sequence[str]) -> dict[str, list[str]]:
    """The clips among files: a GIF or a movie is one, and so is a folder of other images."""
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=_natural):
        path = PurePosixPath(name)
        if path.suffix.lower() in (".gif", *movies.SUFFIXES):
            found[name] = [name]
        elif path.suffix.lower() in images.SUFFIXES:
            found.setdefault(str(path.parent), []).append(name)
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """frame_2 before frame_10."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", name)]
