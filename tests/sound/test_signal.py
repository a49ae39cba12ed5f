"""Mu-law, resampling, silence and mel spectrograms against what is known of them."""

from __future__ import annotations

import io
import math
import wave as waves

import numpy as np
import pytest
import torch

from lowerbound.plots.sound import band_centres, log_mel
from lowerbound.sound import (
    LEVELS,
    SILENCE,
    LogMel,
    expand,
    hertz,
    mel,
    mu_law,
    resample,
    sounding,
    write_wav,
)


def test_mu_law_is_its_formula() -> None:
    x = np.linspace(-1, 1, 1001)
    f = np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)
    assert np.array_equal(mu_law(x), np.floor((f + 1) / 2 * 255 + 0.5))
    assert mu_law(np.array([0.0]))[0] == SILENCE


def test_levels_survive_the_way_to_waves_and_back() -> None:
    assert np.array_equal(mu_law(expand(np.arange(LEVELS))), np.arange(LEVELS))


def test_the_error_is_that_of_half_a_level() -> None:
    """|f - f'| <= 1/255 in the companded domain bounds |x - x'| by x -> ((1+mu)^(1/mu) - 1)
    (|x| + 1/mu)."""
    x = np.linspace(-1, 1, 20001)
    bound = (256 ** (1 / 255) - 1) * (np.abs(x) + 1 / 255)
    error = np.abs(expand(mu_law(x)) - x)
    assert (error <= bound * (1 + 1e-9)).all()
    assert error.max() > 0.4 * bound.max()  # and is not far below it


def test_beyond_full_scale_is_clipped() -> None:
    assert mu_law(np.array([-3.0, 3.0])).tolist() == [0, 255]


@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (8000, 16000), (22050, 16000)])
def test_resampling_keeps_a_tone(source: int, target: int) -> None:
    t = np.arange(source) / source
    found = resample(0.7 * np.sin(2 * np.pi * 1000 * t), source, target)
    assert len(found) == target
    expected = 0.7 * np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    middle = slice(target // 10, -target // 10)  # away from the ends, where the tone begins
    assert np.abs(found - expected)[middle].max() < 1e-4


def test_resampling_folds_nothing_back() -> None:
    """A tone above the new Nyquist frequency would come back at 8000 - 5000 Hz."""
    found = resample(np.sin(2 * np.pi * 5000 * np.arange(44100) / 44100), 44100, 8000)
    assert np.abs(found[800:-800]).max() < 10 ** (-80 / 20)


def test_the_same_rate_changes_nothing() -> None:
    x = np.random.default_rng(0).standard_normal(100)
    assert resample(x, 8000, 8000) is x


def test_silence_before_and_after_is_found() -> None:
    x = np.zeros(8000)
    x[2000:5000] = np.sin(np.arange(3000) * 0.3)
    assert sounding(x, 8000, 40) == slice(2000, 5040)
    assert sounding(np.zeros(500), 8000, 40) == slice(0, 500)


def test_the_mel_scale_is_that_of_1000_mels_at_1000_hertz() -> None:
    assert math.isclose(float(mel(1000)), 1000, rel_tol=1e-3)
    assert np.allclose(hertz(mel(np.array([0.0, 440.0, 4000.0]))), [0, 440, 4000])


@pytest.mark.parametrize("pitch", [250, 700, 1500, 3000])
def test_a_tone_lies_in_its_band(pitch: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * pitch * np.arange(8000) / 8000)
    found = log_mel(wave[None], 8000)[0].mean(1)
    nearest = np.abs(band_centres(8000) - pitch).argmin()
    assert abs(int(found.argmax()) - int(nearest)) <= 1


def test_power_of_a_tone_is_its_amplitude_squared() -> None:
    """Summed over bands whose triangles add up to one: A² times the window's spread over bins."""
    wave = torch.sin(2 * torch.pi * 1000 * torch.arange(8192) / 8000)[None]
    quiet, loud = (LogMel(8000)(scale * wave)[0, :, 64].exp().sum() for scale in (0.1, 1.0))
    assert math.isclose(float(loud / quiet), 100, rel_tol=1e-3)
    # a Hann window puts 1 + 2/4 of a sine's power into its bin and those beside it
    assert math.isclose(float(loud), 1.5, rel_tol=0.02)


def test_the_transform_is_that_of_numpy() -> None:
    x = np.random.default_rng(0).standard_normal(1024)
    module = LogMel(8000, 256, 64, 40)
    found = module(torch.from_numpy(x).float()[None])[0].numpy()
    window = np.hanning(257)[:-1]
    padded = np.pad(x, (96, 96))
    frames = np.stack([padded[s : s + 256] for s in range(0, 1024, 64)])
    power = np.abs(np.fft.rfft(frames * window) * 2 / window.sum()) ** 2
    expected = np.log(module.filters.numpy() @ power.T + 1e-10)
    assert np.allclose(found, expected, atol=1e-4)


def test_a_wav_file_is_what_the_standard_library_reads() -> None:
    x = np.array([0.0, 0.5, -1.0, 1.0, 2.0])
    with waves.open(io.BytesIO(write_wav(x, 8000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        found = np.frombuffer(file.readframes(5), "<i2")
    assert found.tolist() == [0, 16384, -32767, 32767, 32767]
