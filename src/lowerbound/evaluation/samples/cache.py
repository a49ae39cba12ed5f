"""Classifiers and features of reference splits, computed once and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from .classifier import Classifier

if TYPE_CHECKING:
    from ...data import Split

Array = NDArray[Any]

_LOOKED_AT = 4096  # examples of a split that its fingerprint is made of


def folder() -> Path:
    """The user's cache of features; nothing in it is needed, all of it can be deleted."""
    import pooch

    return Path(pooch.os_cache("lowerbound")) / "features"


def fingerprint(split: Split) -> str:
    """Of a split's examples and labels: other data have another.

    Of 4,096 examples at even distances, their number, and all labels.
    """
    positions = np.unique(np.linspace(0, len(split) - 1, min(len(split), _LOOKED_AT)).astype(int))
    stored = split.stored(positions).numpy()
    found = hashlib.blake2b(digest_size=10)
    found.update(repr((len(split), stored.shape, str(stored.dtype))).encode())
    found.update(np.ascontiguousarray(stored).tobytes())
    if split.labels is not None:
        found.update(np.ascontiguousarray(split.labels).tobytes())
    return found.hexdigest()


def kept_array(key: str, make: Callable[[], Array]) -> Array:
    """An array of the cache, made if it is not there.

    Args:
        key: names it, and all that it depends on.
        make: computes it.
    """
    path = folder() / f"{_short(key)}.npz"
    try:
        with np.load(path, allow_pickle=False) as found:
            if str(found["key"]) == key:
                return found["values"]
    except (OSError, ValueError, KeyError, EOFError):  # none, or cut short
        pass
    values = make()
    _write(path, lambda file: np.savez(file, values=values, key=np.array(key)))
    return values


def kept_classifier(key: str, make: Callable[[], Classifier]) -> Classifier:
    """A classifier of the cache, trained if it is not there.

    Args:
        key: names its data, seed and version.
        make: trains it.
    """
    path = folder() / f"{_short(key)}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.get("key") == key:
            found = Classifier(about["event_shape"], about["classes"], about["width"])
            found.load_state_dict(tensors)
            found.accuracy, found.trained_on = about["accuracy"], about["trained_on"]
            return found.eval().requires_grad_(False)
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError):  # none, or cut short
        pass
    made = make()
    about = {
        "key": key,
        "event_shape": list(made.event_shape),
        "classes": made.classes,
        "width": made.width,
        "accuracy": made.accuracy,
        "trained_on": made.trained_on,
    }
    tensors = {name: value.contiguous() for name, value in made.state_dict().items()}
    content = save(tensors, {"about": json.dumps(about)})
    _write(path, lambda file: file.write(content))
    return made


def _short(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _write(path: Path, write: Callable[[Any], Any]) -> None:
    """Aside first, then renamed; a cache that cannot be written is done without."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                write(file)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                file.close()
                Path(file.name).unlink(missing_ok=True)
                raise
