"""Sentences as vectors by a sentence-transformers model that lies on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.errors import LowerboundError

_MARKS = ("modules.json", "config_sentence_transformers.json", "config.json")


def checked(encoder: str) -> str:
    """The folder of a model, from the root.

    Raises:
        LowerboundError: there is no such folder, or no model in it; nothing is ever fetched.
    """
    path = Path(encoder).expanduser()
    if not path.is_dir() or not any((path / mark).is_file() for mark in _MARKS):
        raise LowerboundError(
            f"caption-encoder: expected the folder of a sentence-transformers model on this "
            f"machine, came {encoder}, which is none; fetch one there first, or leave it out: a "
            "text encoder is then learned from the captions"
        )
    return str(path.resolve())


def embedded(encoder: str, sentences: Sequence[str]) -> np.ndarray:
    """Vectors of sentences, of length 1, float32 (N, width).

    Raises:
        LowerboundError: sentence-transformers is not installed, or the model does not load.
    """
    model = _loaded(checked(encoder))
    once = list(dict.fromkeys(sentences))
    found = np.asarray(model.encode(once, show_progress_bar=False), np.float32)
    found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    place = {text: k for k, text in enumerate(once)}
    return found[[place[text] for text in sentences]]


@lru_cache(maxsize=1)
def _loaded(path: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # ty: ignore[import-not-found]
    except ImportError:
        raise LowerboundError(
            "caption-encoder: expected sentence-transformers to be installed, came none; install "
            "lowerbound[text], or leave it out: a text encoder is then learned from the captions"
        ) from None
    try:
        return SentenceTransformer(path, device="cpu", local_files_only=True)
    except Exception as error:  # whatever a broken file makes it raise
        text = str(error).partition("\n")[0][:120]
        raise LowerboundError(
            f"caption-encoder: {path} does not load as a sentence-transformers model "
            f"({type(error).__name__}: {text}); fetch it again"
        ) from None
