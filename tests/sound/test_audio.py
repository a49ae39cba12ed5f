"""Sound files to windows and labels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.data import DataSpec, held_out
from lowerbound.data.audio import windows
from lowerbound.data.clips import by_pattern, where
from lowerbound.errors import LowerboundError
from lowerbound.sound import SILENCE, expand, mu_law

from .conftest import put, tone

PATTERN = "{digit}_{speaker}_{index}"
pytest.importorskip("soundfile")


def test_windows_cover_every_sample_once() -> None:
    counts = np.array([1, 4, 9, 16, 3])
    clip, start, length = windows(counts, 4)
    for place, count in enumerate(counts):
        own = clip == place
        covered = np.concatenate(
            [np.arange(s, s + n) for s, n in zip(start[own], length[own], strict=True)]
        )
        assert np.array_equal(covered, np.arange(count))


def test_stored_samples_are_those_of_the_file(folder) -> None:
    data = lb.load(folder(), pattern=PATTERN, test_where="index<2", window=0.032)
    rows = data.train.source
    import soundfile

    whole = {}
    for place in range(len(rows)):
        name = rows.names[rows.clip[place]]
        levels = rows.take(np.array([place]))[0]
        whole.setdefault(name, []).append(levels[: rows.lengths[place]])
        assert (levels[rows.lengths[place] :] == SILENCE).all()
    for name, parts in whole.items():
        wave, _ = soundfile.read(rows.files.names and Path(folder()) / name)
        found = np.concatenate(parts)
        assert np.array_equal(found, mu_law(wave))
        assert np.array_equal(mu_law(expand(found)), found)  # stored -> x -> stored


def test_x_is_the_stored_levels(folder) -> None:
    data = lb.load(folder(), pattern=PATTERN, window=0.032)
    x = held_out(data.test, data.spec)
    assert x.dtype.is_floating_point is False
    assert np.array_equal(x.numpy(), data.test.all().numpy())
    assert (data.spec.kind, data.spec.levels, data.spec.event_shape) == ("audio", 256, (256,))
    assert data.spec.log_jacobian == 0.0  # likelihoods are of the levels themselves
    assert DataSpec.from_json(data.spec.to_json()).factors == data.spec.factors


def test_labels_by_pattern(folder) -> None:
    data = lb.load(folder(), pattern=PATTERN, test_where="index<2")
    assert data.spec.factors == {"digit": ("0", "1"), "speaker": ("ann", "bob")}
    assert data.spec.classes == ("0", "1")  # the first field
    assert lb.load(folder(), pattern=PATTERN, key="speaker").spec.classes == ("ann", "bob")
    rows = data.train.source
    for place, clip in enumerate(rows.clip):
        digit, speaker, index = Path(rows.names[clip]).stem.split("_")
        assert data.spec.factors["digit"][data.train.factors["digit"][place]] == digit
        assert data.spec.factors["speaker"][data.train.factors["speaker"][place]] == speaker
        assert int(index) >= 2
    assert all(Path(n).stem[-1] in "01" for n in data.test.source.names)


def test_labels_by_table(folder) -> None:
    path = folder(indices=2)
    names = sorted(p.name for p in path.glob("*.wav"))
    lines = ["file,mood"] + [f"{n},{'low' if 'bob' in n else 'high'}" for n in names]
    (path.parent / "moods.csv").write_text("\n".join(lines))
    data = lb.load(path, labels=path.parent / "moods.csv")
    assert data.spec.classes == ("high", "low")
    (path / "labels.csv").write_text("\n".join(lines))
    assert lb.load(path).spec.classes == ("high", "low")
    (path / "labels.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(LowerboundError, match=r"every file in labels.csv, came none of 1_bob_1"):
        lb.load(path)


def test_labels_by_folders_and_their_split(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for number in range(2):
                pitch = 300 + 100 * number
                put(tmp_path / "pets" / part / name / f"{number}.flac", tone(pitch, 0.05))
    data = lb.load(tmp_path / "pets")
    assert data.spec.classes == ("cat", "dog")
    assert (len(data.train), len(data.test)) == (4, 4)
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for file in sorted((tmp_path / "pets").rglob("*.flac")):
            archive.write(file, file.relative_to(tmp_path))
    again = lb.load(tmp_path / "pets.zip")
    assert np.array_equal(again.train.all(), data.train.all())


def test_windows_of_a_clip_train_or_test_together(folder) -> None:
    data = lb.load(folder(), pattern=PATTERN, window=0.032, validation_fraction=0.3)
    clip = data.train.source.clip
    parts = [set(clip[part.rows]) for part in (data.train, data.validation, data.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert set.union(*parts) == set(clip)


def test_read_on_demand_is_the_same(folder) -> None:
    path = folder()
    whole = lb.load(path, pattern=PATTERN, window=0.064)
    demand = lb.load(path, pattern=PATTERN, window=0.064, memory=1000)
    assert not demand.train.in_memory
    assert np.array_equal(demand.train.stored(np.arange(7)), whole.train.stored(np.arange(7)))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "PCM_U8"])
def test_depths_and_channels(tmp_path: Path, subtype: str) -> None:
    wave = tone(440, 0.064)
    both = np.stack([wave, 0.5 * wave], 1)
    put(tmp_path / "a" / "one.wav", both, subtype=subtype)
    for number in range(3):
        put(tmp_path / "a" / f"{number}.wav", tone(300, 0.064), subtype=subtype)
    data = lb.load(tmp_path / "a", window=0.064)
    rows = data.train.source
    place = int(np.flatnonzero(rows.clip == rows.names.index("one.wav"))[0])
    found = expand(rows.take(np.array([place]))[0])[: len(wave)]
    room = 2 / 128 if subtype == "PCM_U8" else 1e-4
    bound = (256 ** (1 / 255) - 1) * (0.75 * np.abs(wave) + 1 / 255) + room
    assert (np.abs(found - 0.75 * wave) <= bound).all()  # the mean of both channels


def test_rates_are_made_one(tmp_path: Path) -> None:
    put(tmp_path / "a" / "one.wav", tone(440, 0.128, 44100), 44100)
    put(tmp_path / "a" / "two.wav", tone(440, 0.128), 8000)
    put(tmp_path / "a" / "three.wav", tone(500, 0.128), 8000)
    data = lb.load(tmp_path / "a", window=0.128)
    assert data.spec.sample_rate == 8000
    rows = data.train.source
    one, two = (
        expand(rows.take(np.flatnonzero(rows.clip == rows.names.index(name))[:1])[0])
        for name in ("one.wav", "two.wav")
    )
    assert np.abs(one - two)[100:-100].max() < 0.03  # a level or two of mu-law at half scale
    assert lb.load(tmp_path / "a", sample_rate=16000, window=0.128).spec.event_shape == (2048,)


def test_bad_files_are_named_or_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a" / "fine.wav", tone(440, 0.05))
    put(tmp_path / "a" / "fine2.wav", tone(300, 0.05))
    put(tmp_path / "a" / "fine3.wav", tone(350, 0.05))
    put(tmp_path / "a" / "none.wav", np.zeros(0))
    with pytest.raises(LowerboundError, match=r"came none.wav \(length 0\)"):
        lb.load(tmp_path / "a")
    good = (tmp_path / "a" / "fine.wav").read_bytes()
    (tmp_path / "a" / "broken.wav").write_bytes(b"RIFX" + good[4:30])
    with pytest.raises(LowerboundError, match=r"came broken.wav \(no sound file.*and 1 more"):
        lb.load(tmp_path / "a")
    data = lb.load(tmp_path / "a", skip_bad=True)
    assert len(data.train) + len(data.test) == 3
    told = dict(data.facts.notes)["skipped"]
    assert told.startswith("2 files that do not do: broken.wav (no sound file")


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "a" / f"{number}.wav", tone(440 + number, 0.05))
    whole = (tmp_path / "a" / "1.wav").read_bytes()
    (tmp_path / "a" / "1.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        LowerboundError, match=rf"1.wav \(cut short: {len(whole) // 2} of {len(whole)}"
    ):
        lb.load(tmp_path / "a")
    # written to a pipe: the length is not told, and what is there is all there is
    (tmp_path / "a" / "1.wav").write_bytes(whole[:4] + b"\xff" * 4 + whole[8:])
    data = lb.load(tmp_path / "a")
    assert len(data.train) + len(data.test) == 3


def test_silent_short_and_loud_clips_are_told(tmp_path: Path) -> None:
    put(tmp_path / "a" / "silent.wav", np.zeros(400))
    put(tmp_path / "a" / "short.wav", tone(440, 0.001))  # 8 samples: less than any stride
    put(tmp_path / "a" / "loud.wav", tone(440, 0.05, amplitude=3.0), subtype="FLOAT")
    data = lb.load(tmp_path / "a", test_fraction=0.34)
    notes = dict(data.facts.notes)
    assert notes["silent"] == "1 clips are nothing but silence: silent.wav"
    assert notes["clipped"].startswith("1 clips are beyond full scale")
    rows = data.train.source
    assert sorted(rows.lengths) == [8, 400, 400]
    with pytest.raises(LowerboundError, match="expected examples that differ"):
        (tmp_path / "a" / "short.wav").unlink()
        (tmp_path / "a" / "loud.wav").unlink()
        for number in range(2):
            put(tmp_path / "a" / f"silent{number}.wav", np.zeros(300))
        lb.load(tmp_path / "a")


def test_what_is_wrong_is_one_line(folder, tmp_path: Path, capsys) -> None:
    path = folder(indices=2)
    put(tmp_path / "other" / "a.wav", tone(400, 0.1))
    np.save(tmp_path / "x.npy", np.zeros((4, 3)))
    cases = [
        (f"{path} --pattern {{digit}}_{{speaker}}", "expected fields", False),
        (f"{path} --pattern {{digit}}-{{speaker}}", "names like the pattern", True),
        (f"{path} --pattern {{a}}_{{a}}", "each once", True),
        (f"{path} --pattern {PATTERN} --test-where inde<2", "did you mean 'index'?", True),
        (f"{path} --pattern {PATTERN} --test-where speaker<2", "expected numbers to compare", True),
        (f"{path} --pattern {PATTERN} --test-where speaker=carl", "which no file has", True),
        (f"{path} --pattern {PATTERN} --test-where index<9", "some files for testing", True),
        (f"{path} --pattern {PATTERN} --test-where index", "expected a condition such as", True),
        (f"{path} --pattern {PATTERN} --labels a.csv", "one of pattern and labels", True),
        (f"{path} --pattern {PATTERN} --key mood", "expected a label of the clips", True),
        (f"{path} --labels nowhere.csv", "expected a table of labels", True),
        (f"{path} --window 0.001", "expected a window of at least 0.032 s", True),
        (f"{tmp_path / 'x.npy'} --window 0.5", "window only with sound files", True),
        (f"{tmp_path / 'other'}", "expected at least 2 examples", True),
    ]
    for words, text, wrong in cases:
        code = main(["inspect", *words.split()])
        error = capsys.readouterr().err
        assert code == (2 if wrong else 0), words
        if wrong:
            assert text in error and len(error.strip().splitlines()) == 1, error


def test_patterns_and_conditions() -> None:
    found = by_pattern(["x/ann-marie_take_3.wav"], "{name}_{}_{number}.wav")
    assert found == {"name": ["ann-marie"], "number": ["3"]}
    assert by_pattern(["ann/take3.wav"], "{who}/take{n}") == {"who": ["ann"], "n": ["3"]}
    fields = {"n": ["1", "5", "10"], "who": ["ann", "bob", "ann"]}
    assert where(fields, "n>=5").tolist() == [False, True, True]  # as numbers, not as texts
    assert where(fields, "who!=ann").tolist() == [False, True, False]
    assert where(fields, "who=ann,bob and n<10").tolist() == [True, True, False]


def test_a_speaker_held_out_is_a_label_still(folder) -> None:
    data = lb.load(folder(), pattern=PATTERN, test_where="speaker=bob")
    assert "speaker" in data.spec.factors
    assert {n.split("_")[1] for n in data.test.source.names} == {"bob"}
    assert {n.split("_")[1] for n in data.train.source.names} == {"ann"}


def test_silence_is_trimmed(tmp_path: Path) -> None:
    for number in range(4):
        wave = np.concatenate([np.zeros(800), tone(400 + 100 * number, 0.05), np.zeros(800)])
        put(tmp_path / "a" / f"{number}.wav", wave)
    assert lb.load(tmp_path / "a", trim=40).train.source.lengths.tolist() == [400] * 4
    assert lb.load(tmp_path / "a").train.source.lengths.sum() == 8000


def test_the_official_split_of_fsdd() -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "fsdd"
    if not path.is_dir():
        pytest.skip(f"no FSDD at {path}")
    data = lb.load(path, pattern=PATTERN, test_where="index<5")
    assert len(data.spec.factors["speaker"]) == 6 and len(data.spec.factors["digit"]) == 10
    assert len(data.test.source.names) == 300 and len(data.train.source.names) == 2700
    assert data.spec.sample_rate == 8000
