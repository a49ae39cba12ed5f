"""Results of parts of a long measurement, kept so that one that is killed can go on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...errors import LowerboundError

#: Seconds between two states of a part that is under way.
EVERY = 30.0


class Store:
    """A folder of tensors under names that say what they follow from.

    Args:
        folder: made when the first result comes.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, name: str) -> dict[str, Tensor] | None:
        """What was kept, or None; a file that cannot be read counts as none."""
        path = self._path(name)
        try:
            return load_file(path) if path.is_file() else None
        except (OSError, SafetensorError):
            return None

    def put(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep, in one step: a reader sees all of it or what was before.

        Raises:
            LowerboundError: the folder cannot be written in.
        """
        path = self._path(name)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, aside)
            os.replace(aside, path)
        except OSError as error:
            raise LowerboundError(f"cannot write {path}: {error.strerror}") from None

    def drop(self, name: str) -> None:
        """Forget a state that is no longer needed."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def fingerprint(tensors: Iterable[Tensor | None], **settings: Any) -> str:
    """A name for what follows from tensors and settings: another bit, another name."""
    seal = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for tensor in tensors:
        if tensor is None:
            seal.update(b"none")
            continue
        plain = tensor.detach().cpu().contiguous()
        seal.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        seal.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return seal.hexdigest()[:20]


def weights_of(model: nn.Module) -> str:
    """The fingerprint of a model's weights and structure."""
    tensors = [*model.parameters(), *model.buffers()]
    return fingerprint(tensors, model=repr(model))
