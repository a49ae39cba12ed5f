"""The files that data sets come in: idx (MNIST and its kin) and CIFAR's records."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.errors import LowerboundError

IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
Part = tuple[np.ndarray, np.ndarray]  # images and labels
_PIXELS = 3 * 32 * 32


def read_idx(path: Path) -> np.ndarray:
    """An idx file of bytes, gzipped or not: its array, uint8."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        axes = raw[3]
        start = 4 + 4 * axes
        shape = tuple(np.frombuffer(raw[4:start], ">i4").tolist())
        if raw[:3] != b"\x00\x00\x08" or len(raw) != start + int(np.prod(shape)):
            raise ValueError("not an idx file of bytes, or cut short")
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise LowerboundError(
            f"expected an idx file of bytes, came {path} which does not open ({error}): "
            "fetch it again"
        ) from None
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy()


def read_idx_set(folder: Path) -> tuple[Part, Part]:
    """Train and test images and labels of the four files in a folder."""
    found = []
    for name in IDX:
        zipped, plain = folder / name, folder / name.removesuffix(".gz")
        found.append(read_idx(zipped if zipped.is_file() else plain))
    return (found[0], found[1]), (found[2], found[3])


def find_cifar(folder: Path, archive: str) -> Path | None:
    """CIFAR in a folder: the archive, its Python twin, or what either unpacks to."""
    twin = archive.replace("-binary", "-python")
    stem = archive.removesuffix("-binary.tar.gz")
    unpacked = [f"{stem}-batches-bin", f"{stem}-binary", f"{stem}-batches-py", f"{stem}-python"]
    for name in (archive, twin, *unpacked):
        if (folder / name).exists():
            return folder / name
    return None


def read_cifar(path: Path, label_bytes: int) -> tuple[Part, Part]:
    """CIFAR-10 (one label byte) or CIFAR-100 (coarse and fine): images (N, 3, 32, 32), labels."""
    members = dict(_members(path))
    train = sorted(name for name in members if name.startswith(("data_batch_", "train")))
    test = sorted(name for name in members if name.startswith("test"))
    if not train or not test:
        raise LowerboundError(
            f"expected CIFAR's batches in {path}, came {', '.join(members) or 'nothing'}: "
            "fetch it again"
        )
    return _joined(members, train, label_bytes), _joined(members, test, label_bytes)


def _joined(members: dict[str, bytes], names: list[str], label_bytes: int) -> Part:
    read = [_records(name, members[name], label_bytes) for name in names]
    return np.concatenate([part[0] for part in read]), np.concatenate([part[1] for part in read])


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the batches in a folder or a tar."""
    if path.is_dir():
        for each in sorted(path.iterdir()):
            if each.is_file() and _is_batch(each.name):
                yield each.name, each.read_bytes()
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                name = Path(member.name).name
                if file is not None and _is_batch(name):
                    yield name, file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise LowerboundError(
            f"expected a tar of CIFAR's batches, came {path} which does not open ({error}): "
            "fetch it again"
        ) from None


def _is_batch(name: str) -> bool:
    return name.startswith(("data_batch_", "test", "train")) and not name.endswith(
        (".txt", ".html")
    )


def _records(name: str, raw: bytes, label_bytes: int) -> Part:
    try:
        if not name.endswith(".bin"):
            return _pickled(raw)
        records = np.frombuffer(raw, np.uint8).reshape(-1, label_bytes + _PIXELS)
        images = records[:, label_bytes:].reshape(-1, 3, 32, 32)
        return images, records[:, label_bytes - 1].astype(np.int64)
    except (ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise LowerboundError(f"expected CIFAR's records in {name}, came {error}") from None


def _pickled(raw: bytes) -> Part:
    batch = _ArraysOnly(io.BytesIO(raw), encoding="bytes").load()
    labels = batch[b"fine_labels"] if b"fine_labels" in batch else batch[b"labels"]
    return np.asarray(batch[b"data"]).reshape(-1, 3, 32, 32), np.asarray(labels, np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles of plain containers and numpy arrays; whatever else one names is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        arrays = ("numpy.core.multiarray", "numpy._core.multiarray")
        if module in arrays and name == "_reconstruct":
            return lambda kind, shape, code: np.ndarray.__new__(np.ndarray, shape, code)
        raise pickle.UnpicklingError(f"code ({module}.{name}), which is not run here")
