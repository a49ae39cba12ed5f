"""Small folders of sound files, made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

RATE = 8000


def tone(hertz: float, seconds: float, rate: int = RATE, amplitude: float = 0.5) -> np.ndarray:
    """A sine, (T,)."""
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def put(path: Path, wave: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Write a sound file."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of clips DIGIT_SPEAKER_INDEX.wav: two digits, two speakers."""

    def make(indices: int = 5, seconds: float = 0.1) -> Path:
        random = np.random.default_rng(0)
        for digit in range(2):
            for speaker, pitch in (("ann", 220), ("bob", 110)):
                for index in range(indices):
                    wave = tone(pitch * (2 + digit), seconds * (1 + 0.1 * index))
                    wave = wave + 0.01 * random.standard_normal(len(wave))
                    put(tmp_path / "clips" / f"{digit}_{speaker}_{index}.wav", wave)
        return tmp_path / "clips"

    return make
