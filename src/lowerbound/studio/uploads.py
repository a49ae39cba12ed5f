"""Files that a browser brings: kept for a while under names of our own."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from ..errors import LowerboundError

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".mp4",
    ".wav", ".flac", ".npy", ".npz", ".csv", ".txt", ".zip",
)  # fmt: skip
_KEPT = 64


class Uploads:
    """A folder of files, the oldest of which go when there are many."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lowerbound-studio-")
        self._files: OrderedDict[str, tuple[Path, str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, name: str, content: bytes) -> str:
        """Keep a file.

        Args:
            name: as it was called; only its suffix is used.
            content: of it.

        Returns:
            Its id.

        Raises:
            LowerboundError: a suffix that nothing here reads, or an empty file.
        """
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise LowerboundError(f"expected {', '.join(SUFFIXES)}, came '{Path(name).name}'")
        if not content:
            raise LowerboundError(f"expected a file, came an empty one: '{Path(name).name}'")
        found = secrets.token_urlsafe(9)
        path = Path(self._folder.name) / f"{found}{suffix}"
        with self._lock:
            path.write_bytes(content)
            self._files[found] = path, Path(name).name
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)[1][0].unlink(missing_ok=True)
        return found

    def path(self, found: str) -> Path:
        """Where a file is.

        Raises:
            LowerboundError: there is none of that id (any more).
        """
        if found not in self._files:
            raise LowerboundError("that file is no longer here; choose it again")
        return self._files[found][0]

    def named(self, message: str) -> str:
        """A message with files called what their owner calls them."""
        for path, name in list(self._files.values()):
            message = message.replace(str(path), name).replace(path.name, name)
        return message

    def close(self) -> None:
        """Delete all of them."""
        self._folder.cleanup()
