"""Image files in folders and zips to pixels, with a few threads."""

from __future__ import annotations

import io
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError

Size = tuple[int, int]  # height, width
_TOGETHER = 64  # files a thread decodes in one go
_SMALL = 8192  # bytes of a file
_GREY = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L")


@dataclass(frozen=True)
class Files:
    """Named files in a folder or a zip, read by name from any thread."""

    names: tuple[str, ...]
    read: Callable[[str], bytes]


def decode(
    files: Files, names: Sequence[str], size: Size | None
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Each name with its pixels, or with the reason why it does not open; in order."""
    # A small image spends its time in Python, where threads only wait for each other.
    large = len(names) > 1 and len(_bytes_of(files, names[0])) > _SMALL
    return _threaded(names, lambda name: open_image(files, name, size), large)


def _bytes_of(files: Files, name: str) -> bytes:
    try:
        return files.read(name)
    except FAILURES:
        return b""


def headers(
    files: Files, names: Sequence[str], size: Size | None
) -> Iterator[tuple[str, np.ndarray | str]]:
    """As `decode`, with pixels left unread: arrays that have the right shape only."""

    def header(name: str) -> np.ndarray | str:
        try:
            with Image.open(io.BytesIO(files.read(name))) as image:
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                shape = image.size if turned else image.size[::-1]
                colour = () if image.mode in _GREY else (3,)
        except FAILURES as error:
            return reason(error)
        return np.broadcast_to(np.uint8(0), (*(size or shape), *colour))

    return _threaded(names, header, threads=False)


def _threaded(
    names: Sequence[str], work: Callable[[str], np.ndarray | str], threads: bool
) -> Iterator[tuple[str, np.ndarray | str]]:
    if not threads:
        yield from ((name, work(name)) for name in names)
        return
    workers = os.cpu_count() or 1
    together = max(1, min(_TOGETHER, len(names) // (4 * workers)))
    groups = [names[start : start + together] for start in range(0, len(names), together)]
    with ThreadPoolExecutor(workers) as pool:
        waiting = []
        coming = iter(groups)
        for group in coming:  # a few groups ahead, so that decoded images do not pile up
            waiting.append((group, pool.submit(lambda some: [work(name) for name in some], group)))
            if len(waiting) >= 4 * workers:
                done, future = waiting.pop(0)
                yield from zip(done, future.result(), strict=True)
        for done, future in waiting:
            yield from zip(done, future.result(), strict=True)


FAILURES = (
    OSError,
    ValueError,
    SyntaxError,  # a broken PNG
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    Image.DecompressionBombError,
)


def open_image(
    files: Files, name: str, size: Size | None, spec: DataSpec | None = None
) -> np.ndarray | str:
    """Pixels (H, W) or (H, W, 3), uint8, or the reason why there are none.

    Args:
        files: where it is.
        name: of it.
        size: that it is cropped and scaled to; None leaves it.
        spec: of the data that it is held against; see `eight_bits`.
    """
    try:
        with Image.open(io.BytesIO(files.read(name))) as opened:
            # Looked for only where there is something: it costs as much as a small image.
            turned = "exif" in opened.info or opened.format == "TIFF"
            image = ImageOps.exif_transpose(opened) if turned else opened
            if image.mode.startswith("I;16"):
                image = eight_bits(image, spec)
            elif image.mode in ("I", "F"):
                return f"mode {image.mode}, more than 16 bits: save it as .npy"
            elif image.mode not in ("L", "RGB"):
                image = image.convert("L" if image.mode in _GREY else "RGB")
            return np.array(image if size is None else fitted(image, size))
    except FAILURES as error:
        return reason(error)


def eight_bits(image: Image.Image, spec: DataSpec | None = None) -> Image.Image:
    """A grey picture of 16 bits on 0 to 255, black to white.

    Args:
        image: of mode I;16.
        spec: of the data that it is held against: 255 is their white, unrounded (mode F), and the
            picture is in their units where these go beyond 8 bits. None, and data of 8 bits: the
            upper 8 bits.
    """
    values = np.asarray(image)
    if spec is None or (spec.levels is not None and spec.levels <= 256):
        return Image.fromarray((values >> 8).astype(np.uint8))
    black, white = spec.shown
    white = white if black == 0.0 and white > 255.0 else 65535.0
    return Image.fromarray((values * (255.0 / white)).clip(0.0, 255.0).astype(np.float32))


def fitted(image: Image.Image, size: Size) -> Image.Image:
    """The image cropped and scaled to height and width; as it is where it has them."""
    if image.size == (size[1], size[0]):
        return image
    return ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC)


def reason(error: BaseException) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "no image"
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


def folder_files(path: Path) -> Files:
    names = []
    for folder, below, files in os.walk(path):
        below[:] = sorted(each for each in below if not each.startswith((".", "__MACOSX")))
        inside = Path(folder).relative_to(path)
        names += [(inside / file).as_posix() for file in files if not file.startswith(".")]
    return Files(tuple(names), lambda name: (path / name).read_bytes())


def archive_files(path: Path) -> Files:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise LowerboundError(
            f"expected a zip of images, came {path.name} which does not open "
            f"({reason(error)}): copy or fetch it again"
        ) from None
    names = [each.filename for each in archive.infolist() if not each.is_dir()]
    names = [
        n for n in names if not any(p.startswith((".", "__MACOSX")) for p in PurePosixPath(n).parts)
    ]
    return Files(tuple(names), _ZipReader(path, archive))


class _ZipReader:
    """Reads members from any thread, one at a time; opens the zip again in another process."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self.archive, self.process = path, archive, os.getpid()
        self.lock = threading.Lock()

    def __call__(self, name: str) -> bytes:
        with self.lock:
            if self.process != os.getpid():
                self.archive, self.process = zipfile.ZipFile(self.path), os.getpid()
            return self.archive.read(name)
