"""Files that are whole or absent: the exact state of a run, written aside, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lowerbound.errors import LowerboundError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash at any instant, meets the old one or the new one.

    Raises:
        LowerboundError: the disk is full; the old file is untouched.
    """
    aside = path.with_name(f".{path.name}.writing")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        if os.name == "posix":  # the rename itself must reach the disk, too
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LowerboundError(
                f"the disk is full: {path} needs {len(content) / 1e6:.1f} MB; what was written "
                "before is kept: free some space, then resume the run"
            ) from None
        raise


def write_out(path: Path, content: bytes) -> Path:
    """Write a file that the user named, whole or not at all, and the folders on the way to it.

    Raises:
        LowerboundError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    return path


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and a JSON description as one safetensors file, atomically.

    Tensors that share memory are written once each: a loader finds every name.
    """
    plain = {name: t.detach().to("cpu", copy=False).contiguous() for name, t in tensors.items()}
    seen: set[int] = set()
    for name, tensor in plain.items():
        memory = tensor.untyped_storage().data_ptr()
        if memory in seen:  # safetensors refuses shared memory
            plain[name] = tensor.clone()
        seen.add(memory)
    write_whole(path, save(plain, {"about": json.dumps(about)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote. Runs no code from the file.

    Raises:
        LowerboundError: the file is missing, or is not what was written.
    """
    if not path.is_file():
        raise LowerboundError(f"{path} is missing: the run is not complete; train it again")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, struct.error, ValueError) as error:
        raise LowerboundError(f"{path} is corrupt ({error}); restore it or train again") from None


def read_about(path: Path) -> dict[str, Any]:
    """The description in a file of `save_tensors`, without its tensors; empty if it has none.

    Raises:
        LowerboundError: the file is not what was written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("about", "{}"))
    except (SafetensorError, json.JSONDecodeError, ValueError, OSError) as error:
        raise LowerboundError(f"{path} is corrupt ({error}); restore it or train again") from None


def fill(names: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: Path) -> None:
    """Copy stored tensors into existing ones, by name.

    Raises:
        LowerboundError: names or shapes differ: the file belongs to another model.
    """
    missing, extra = sorted(names.keys() - stored.keys()), sorted(stored.keys() - names.keys())
    if missing or extra:
        raise LowerboundError(
            f"{path} belongs to another model: expected '{(missing or extra)[0]}' "
            f"{'in it' if missing else 'in the model'} ({len(missing)} missing, {len(extra)} "
            "extra); open it with the recipe that it was trained with"
        )
    with torch.no_grad():
        for name, target in names.items():
            if target.shape != stored[name].shape:
                raise LowerboundError(
                    f"{path} belongs to another model: '{name}' has shape "
                    f"{tuple(stored[name].shape)}, the model's is {tuple(target.shape)}"
                )
            target.copy_(stored[name])
