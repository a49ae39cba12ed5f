"""Codes in a file: an .npz of their bits and of what is needed to read them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lowerbound.data.arrays import check_magic
from lowerbound.errors import LowerboundError

FORMAT = 1
_MEMBERS = ("about", "words")


@dataclass(frozen=True)
class About:
    """What a file of codes says of itself.

    Attributes:
        run: name of the model that made them. model: its `fingerprint`.
        examples: how many are coded. event_shape: of the codes of one.
        batch: so many examples were coded together.
        rate: −log2 p(codes) under the model's prior, bits per example.
        uniform: the same under a uniform prior, log2 of the number of possible codes.
        check: CRC-32 of the codes, by which a decoder knows that it got them.
        versions: of torch and of the coder.
        format: of the file.
    """

    run: str
    model: str
    examples: int
    event_shape: tuple[int, ...]
    batch: int
    rate: float
    uniform: float
    check: int
    versions: dict[str, str]
    format: int = FORMAT


def fingerprint(model: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell one model's weights from another's."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        found.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        found.update(value.reshape(-1).view(_bytes()).numpy().tobytes())
    return found.hexdigest()[:16]


def check(codes: np.ndarray) -> int:
    """CRC-32 of codes, as int64."""
    return zlib.crc32(np.ascontiguousarray(codes, np.int64).tobytes())


def pack(about: About, words: np.ndarray, side: np.ndarray | None) -> bytes:
    """An .npz: `about` as JSON's bytes, `words` uint32, and `side` (labels) where there is one."""
    text = json.dumps(asdict(about), separators=(",", ":")).encode()
    members = {"about": np.frombuffer(text, np.uint8), "words": words}
    if side is not None:
        members["side"] = _small(side)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **members)
    return content.getvalue()


def unpack(path: Path) -> tuple[About, np.ndarray, np.ndarray | None]:
    """What `pack` wrote.

    Raises:
        LowerboundError: there is no such file, it is cut short, damaged, or no file of codes.
    """
    if path.suffix != ".npz":
        raise LowerboundError(
            f"expected a file of codes, .npz or .npy, came {path.name}; pass one that lowerbound "
            "encode wrote"
        )
    try:
        check_magic(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if any(name not in archive.files for name in _MEMBERS):
                raise LowerboundError(
                    f"expected a file of codes that lowerbound encode wrote, came {path.name} with "
                    f"{', '.join(archive.files) or 'nothing'}"
                )
            content = json.loads(archive["about"].tobytes())
            words = archive["words"]
            side = archive["side"] if "side" in archive.files else None
    except FileNotFoundError:
        raise LowerboundError(f"expected a file of codes, came {path}: there is none") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise LowerboundError(
            f"expected a file of codes, came {path.name} which does not open "
            f"({(str(error).splitlines() or ['damaged'])[0][:80]}): it is cut short or damaged; "
            "encode the data again"
        ) from None
    return _about(content, path), words, side


def _about(content: Any, path: Path) -> About:
    try:
        if content["format"] > FORMAT:
            raise LowerboundError(
                f"{path.name} is of codes format {content['format']}, this version reads up to "
                f"{FORMAT}: it was made by a newer lowerbound; upgrade to open it"
            )
        content["event_shape"] = tuple(content["event_shape"])
        return About(**content)
    except (KeyError, TypeError) as error:
        raise LowerboundError(
            f"expected a file of codes that lowerbound encode wrote, came {path.name} ({error})"
        ) from None


def _small(side: np.ndarray) -> np.ndarray:
    """Whole numbers in the smallest type that holds them."""
    if side.dtype.kind not in "iu":
        return side
    return side.astype(np.min_scalar_type(max(0, int(side.max(initial=0)))))


def _bytes() -> Any:
    import torch

    return torch.uint8
