"""Decoded data as files: one array, or a folder with a file of its own for each example."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lowerbound.data import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run
from lowerbound.training.checkpoint import write_whole

_ENDINGS = {"image": ".png", "video": ".gif", "audio": ".wav"}


def refuse_name(out: str | Path, kind: str | None = None) -> None:
    """Refuse a name under which nothing can be written.

    Args:
        out: the name.
        kind: of the data; None where it is not known yet.

    Raises:
        LowerboundError: it ends in something else than these data are written as.
    """
    ending = Path(out).suffix.lower()
    own = _ENDINGS.values() if kind is None else [e for k, e in _ENDINGS.items() if k == kind]
    if ending not in ("", ".npy", *own) or (kind is not None and not ending and not own):
        known = " or ".join((".npy", *own))
        folder = ", or that of a folder" if own else ""
        raise LowerboundError(
            f"expected a name that ends in {known}{folder}, came '{Path(out).name}'"
        )


def write(path: str | Path, run: Run, values: np.ndarray) -> list[Path]:
    """Write decoded data.

    Args:
        path: ``.npy`` for one array in the units of the data; ``.png``, ``.gif`` or ``.wav`` for
            one example of that kind; a name without an ending for a folder with a file for each.
        run: whose data they are.
        values: ``(N, *event_shape)`` in the units of the data.

    Returns:
        the files.

    Raises:
        LowerboundError: the data are not written as that, several are to become one file, or it
            cannot be written.
    """
    path, spec = Path(path), run.spec
    refuse_name(path, spec.kind)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".npy":
            content = io.BytesIO()
            np.save(content, values, allow_pickle=False)
            write_whole(path, content.getvalue())
            return [path]
        file = _writer(spec)
        if path.suffix:
            if len(values) != 1:
                raise LowerboundError(
                    f"expected one example to write as {path.name}, came {len(values)}: pass the "
                    f"name of a folder (-o {path.stem})"
                )
            write_whole(path, file(values[0]))
            return [path]
        path.mkdir(exist_ok=True)
        digits = max(5, len(str(len(values) - 1)))
        files = [path / f"{n:0{digits}}{_ENDINGS[spec.kind]}" for n in range(len(values))]
        for each, value in zip(files, values, strict=True):
            write_whole(each, file(value))
    except OSError as error:
        raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
    return files


def _writer(spec: DataSpec) -> Callable[[np.ndarray], bytes]:
    """From an example in stored units to a file's content."""
    if spec.kind == "audio":
        from lowerbound.sound import expand, write_wav

        rate = spec.sample_rate or 1
        return lambda value: write_wav(expand(value), rate)
    if spec.kind == "video":
        from lowerbound.plots import gif

        return lambda value: gif(_unit(spec, value))
    return lambda value: _png(_unit(spec, value))


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    levels = np.rint(image * 255.0).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)).save(
        content, "png"
    )
    return content.getvalue()


def _unit(spec: DataSpec, value: np.ndarray) -> np.ndarray:
    """Pixels (…, C, H, W) in [0, 1]."""
    channels = value.shape[-3]
    if channels not in (1, 3):
        raise LowerboundError(
            f"expected a name that ends in .npy, as the data have {channels} channels, came another"
        )
    black, white = spec.shown
    return np.clip((value - black) / ((white - black) or 1.0), 0.0, 1.0)
