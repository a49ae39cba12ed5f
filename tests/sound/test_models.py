"""Models of sound: networks, likelihood, conversion, files, pictures and the report."""

from __future__ import annotations

import math
import re
import wave as waves
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound import converting, listening
from lowerbound.autoregressive.likelihood import WaveNetLikelihood
from lowerbound.cli import main
from lowerbound.data import DataSpec
from lowerbound.distributions import PointMass
from lowerbound.errors import LowerboundError
from lowerbound.models.conditions import GivenFactor
from lowerbound.networks.wave import Upsample, WaveEncoder, stride_of, wave_pair
from lowerbound.recipes import recipe
from lowerbound.sound import mu_law

from .conftest import put, tone

PATTERN = "{digit}_{speaker}_{index}"
pytest.importorskip("soundfile")
SMALL = {
    "quantizer": {"name": "vq", "levels": 8, "dim": 8},
    "network": {"name": "wave", "channels": 16, "blocks": 1, "stride": 64},
    "likelihood": {"name": "wavenet", "width": 8, "depth": 3, "stacks": 1, "skip": 8, "local": 4},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """A run of a few steps on two digits by two speakers."""
    folder = tmp_path_factory.mktemp("sound")
    for digit in range(2):
        for speaker, pitch in (("ann", 220), ("bob", 110)):
            for index in range(6):
                wave = tone(pitch * (2 + digit), 0.06 + 0.004 * index)
                put(folder / "clips" / f"{digit}_{speaker}_{index}.wav", wave)
    return lb.train(
        str(folder / "clips"), "vq-vae", out=folder / "run", progress=False, pattern=PATTERN,
        test_where="index<2", given="speaker", window=0.064, steps=4, batch_size=4, compile="no",
        precision="float32", **SMALL,
    )  # fmt: skip


def test_codes_of_sound_come_back_as_sounds(run: lb.Run, tmp_path: Path, capsys: Any) -> None:
    """A WaveNet has no mean: what is heard is a draw, the same each time, of each one's speaker."""
    file = tmp_path / "codes.npz"
    assert (
        main(["encode", str(run.path), str(Path(run.path).parent / "clips"), "-o", str(file)]) == 0
    )
    levels = lb.decode(run, file)
    assert np.array_equal(levels, lb.decode(run, file))
    assert levels.shape[1:] == run.spec.event_shape
    assert ((levels == np.round(levels)) & (levels >= 0) & (levels <= 255)).all()
    assert main(["decode", str(run.path), str(file), "-o", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.wav"))) == len(levels)


def test_a_position_is_about_16_ms() -> None:
    assert [stride_of(rate) for rate in (8000, 16000, 44100)] == [128, 256, 256]


@pytest.mark.parametrize("front", ["mel", "samples"])
def test_positions_see_what_is_around_them(front: str) -> None:
    """A change of the samples changes codes near them and none far away."""
    torch.manual_seed(0)
    encoder = WaveEncoder(4, 8000, 64, channels=8, blocks=1, front=front, center=False).eval()
    x = torch.randint(0, 256, (1, 64 * 40))
    other = x.clone()
    other[:, 64 * 20 : 64 * 21] = 255 - other[:, 64 * 20 : 64 * 21]
    gap = (encoder(x) - encoder(other)).abs().sum(-1)[0]
    assert gap[20] > 0
    far = torch.tensor([abs(place - 20) > 8 for place in range(40)])
    assert gap[far].max() < 1e-5 * gap.max()


def test_loudness_is_taken_off_with_the_mean() -> None:
    """Half as loud is a constant in the log-mel spectrum: without its mean, the same codes."""
    torch.manual_seed(0)
    encoder = WaveEncoder(4, 8000, 64, channels=8, blocks=1, center=True).eval()
    wave = 0.2 * np.random.default_rng(0).standard_normal(4096)  # sounds in every band
    loud, soft = (torch.from_numpy(mu_law(a * wave).astype(int))[None] for a in (1.0, 0.5))
    other = WaveEncoder(4, 8000, 64, channels=8, blocks=1, center=False).eval()
    other.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        centred, plain = (e(loud) - e(soft) for e in (encoder, other))
    assert centred.abs().mean() < 0.1 * plain.abs().mean()  # what mu-law rounds is left


def test_every_sample_is_told_of_its_position() -> None:
    """The context of a sample hangs on the vectors around its position, and only on those."""
    torch.manual_seed(0)
    up = Upsample(3, 2, 16, channels=8, blocks=1)
    vectors = torch.randn(1, 12, 3, requires_grad=True)
    found = up(vectors)
    assert found.shape == (1, 12 * 16, 2)
    (gradient,) = torch.autograd.grad(found[0, 16 * 6 + 3].sum(), vectors)
    reached = gradient[0].abs().sum(-1) > 0
    assert reached[6] and not reached[:2].any() and not reached[11:].any()


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LowerboundError, match="multiples of 64"):
        WaveEncoder(4, 8000, 64, channels=8)(torch.zeros(1, 100, dtype=torch.int64))
    with pytest.raises(LowerboundError, match="a multiple of 128 samples"):
        wave_pair((200,), 8000)
    with pytest.raises(LowerboundError, match="a power of two, 8 or more, came 100"):
        wave_pair((200,), 8000, stride=100)
    with pytest.raises(LowerboundError, match="mel or samples"):
        WaveEncoder(4, 8000, front="melody")


@pytest.mark.parametrize("outputs", ["categorical", "logistic"])
def test_probabilities_of_levels_sum_to_one(outputs: Any) -> None:
    """p(x_1) p(x_2 | x_1) over all pairs of 4 levels, given a code and a speaker."""
    torch.manual_seed(0)
    family = WaveNetLikelihood(
        (2,), 4, width=4, depth=2, stacks=1, skip=4, local=2, outputs=outputs
    )
    condition = GivenFactor("speaker", ("ann", "bob"))
    up = torch.nn.Upsample(scale_factor=1)
    p = family.conditional(up, condition.event_ranks, condition.embeddings(), 2)
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    log_p = p(torch.randn(1, 2, 2).expand(16, 2, 2), torch.zeros(16, dtype=torch.int64)).log_prob(
        pairs
    )
    assert math.isclose(float(log_p.detach().exp().sum()), 1.0, rel_tol=1e-5)


def test_nats_are_those_of_the_stored_levels(run: lb.Run) -> None:
    """What is reported is −E log p of mu-law levels, summed over the window: nothing is added, and
    bits/dim divide by the samples of a window."""
    found = lb.evaluate(run, report=False)
    x = run.data().test.all().long()
    speaker = torch.from_numpy(run.data().test.factors["speaker"])
    model: Any = run.model
    with torch.no_grad():
        codes = model.encode(x).point
        raw = model.decode(codes, speaker)
        logits = raw.network(x, *raw.context)
        nats = -torch.log_softmax(logits, -1).gather(-1, x[..., None]).squeeze(-1).sum(1)
    assert math.isclose(found.distortion, float(nats.mean()), rel_tol=1e-5)
    assert math.isclose(found.rate, 8 * math.log(8), rel_tol=1e-6)
    bits = (found.distortion + found.rate) / (512 * math.log(2))
    assert math.isclose(found.log_likelihood.bits_per_dim, bits, rel_tol=1e-5)
    assert math.isclose(found.baseline_bits_per_dim, 8.0)


def test_untrained_it_knows_nothing() -> None:
    """A WaveNet with silent outputs gives 8 bits a sample."""
    family = WaveNetLikelihood((64,), 256, width=4, depth=2, stacks=1, skip=4, local=2)
    p = family.conditional(torch.nn.Identity(), (), [], 0)
    torch.nn.init.zeros_(p.network.write)
    x = torch.randint(0, 256, (3, 64))
    assert torch.allclose(p(torch.zeros(3, 64, 2)).log_prob(x), torch.tensor(-64 * math.log(256)))


class Lossless(torch.nn.Module):
    """Codes are the samples; the speaker turns them around: level k is 255 − k of bob."""

    event_shape = (256,)

    def __init__(self) -> None:
        super().__init__()
        self.condition = GivenFactor("speaker", ("ann", "bob"))

    def encode(self, x: torch.Tensor, *context: torch.Tensor) -> PointMass:
        return PointMass(x)

    def decode(self, z: torch.Tensor, speaker: torch.Tensor) -> PointMass:
        return PointMass(torch.where(speaker[:, None] == 0, z, 255 - z))


def toy() -> Any:
    spec = DataSpec("toy", "audio", (256,), "categories", 256, sample_rate=8000)
    found = lb.Run.__new__(lb.Run)
    found.path, found.info, found._data = Path("toy"), {}, None
    found.__dict__["model"] = Lossless()
    found._data = SimpleNamespace(spec=spec)  # ty: ignore
    return found


def test_the_same_speaker_and_a_lossless_code_give_it_back() -> None:
    from lowerbound.sound import expand

    run, clips = toy(), [tone(300, 0.1), tone(500, 0.013)]
    found = converting.convert(run, clips, {"speaker": "ann"})
    for before, after in zip(clips, found, strict=True):
        assert np.array_equal(after, expand(mu_law(before)))
    first, second = converting.convert(run, clips, [{"speaker": "ann"}, {"speaker": "bob"}])
    assert np.array_equal(first, expand(mu_law(clips[0])))
    assert np.array_equal(mu_law(second), 255 - mu_law(clips[1]))


def test_conversion_takes_clips_of_any_length(run: lb.Run, tmp_path: Path) -> None:
    for samples in (8, 512, 1333):
        (found,) = converting.convert(run, tone(200, samples / 8000), {"speaker": "bob"})
        assert len(found) == samples and np.abs(found).max() <= 1
    path = put(tmp_path / "in.wav", tone(300, 0.1, 16000), 16000)
    again = [converting.convert(run, path, "speaker=ann", seed=s)[0] for s in (0, 0, 1)]
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], again[2])
    assert len(again[0]) == 800


def test_a_whole_clip_is_encoded_as_its_windows_are(run: lb.Run) -> None:
    """A clip of one window has the codes that training gives it."""
    model: Any = run.model
    x = run.data().test.all().long()[:2]
    codes = model.quantizer.codes(model.posterior.vectors(x))[..., 0]
    assert torch.equal(codes, model.encode(x).point)
    with torch.no_grad():
        torch.manual_seed(0)
        free = converting.again(model, x, torch.zeros(2, dtype=torch.int64))
        torch.manual_seed(0)
        same = model.decode(codes, torch.zeros(2, dtype=torch.int64)).sample()
    assert torch.equal(free, same)


def read(path: Path) -> tuple[int, int]:
    """Sampling rate and samples of a WAV file."""
    with waves.open(str(path)) as file:
        return file.getframerate(), file.getnframes()


def test_the_command_line(run: lb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = put(tmp_path / "in.wav", tone(300, 0.1))
    out = tmp_path / "out.wav"
    words = ["convert", str(run.path), str(sound), "--given", "speaker=bob"]
    assert main([*words, "-o", str(out), "--picture"]) == 0
    assert read(out) == (8000, 800) and (tmp_path / "out.png").is_file()
    assert main(words) == 0 and read(tmp_path / "in-bob.wav") == (8000, 800)
    more = tmp_path / "three.wav"
    assert (
        main(["sample", str(run.path), "-n", "3", "--given", "speaker=ann", "-o", str(more)]) == 0
    )
    assert read(more) == (8000, 3 * 512 + 2 * 2000)
    assert main(["reconstruct", str(run.path), "-n", "2", "-o", str(more)]) == 0
    assert read(more) == (8000, 4 * 512 + 3 * 2000)
    assert main(["sample", str(run.path), "-n", "2", "-o", str(tmp_path / "x.npy")]) == 0
    assert np.load(tmp_path / "x.npy").shape == (2, 512)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("IN --given speaker=bop", "came 'bop'; did you mean 'bob'?"),
        ("IN --given digit=1", "expected one speaker as the condition, came digit=1"),
        ("IN --given speaker=bob -o x.mp3", "a name that ends in .wav, came 'x.mp3'"),
        ("nowhere.wav --given speaker=bob", "came no such file: nowhere.wav"),
        ("FOLDER --given speaker=bob", "a folder: FOLDER; pass one of its files: FOLDER/a/one.wav"),
        ("BARE --given speaker=bob", "a folder: BARE, with no sound in it"),
        ("BROKEN --given speaker=bob", "which does not do (no sound file"),
        ("EMPTY --given speaker=bob", "which does not do (length 0)"),
    ],
)
def test_what_cannot_be_converted_is_one_line(
    run: lb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, text: str
) -> None:
    files = {
        "IN": put(tmp_path / "in.wav", tone(300, 0.1)),
        "EMPTY": put(tmp_path / "empty.wav", np.zeros(0)),
        "BROKEN": tmp_path / "broken.wav",
    }
    files["BROKEN"].write_bytes(b"RIFF\x00\x00")
    files |= {"FOLDER": tmp_path / "folder", "BARE": tmp_path / "bare"}
    put(files["FOLDER"] / "a" / "one.wav", tone(300, 0.1))
    files["BARE"].mkdir()
    text = re.sub("FOLDER|BARE", lambda found: str(files[found[0]]), text)
    named = [str(files.get(word, word)) for word in words.split()]
    assert main(["convert", str(run.path), *named]) == 2
    error = capsys.readouterr().err
    assert text in error and len(error.strip().splitlines()) == 1, error


def test_what_is_no_run_of_sound_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = lb.load({"train": np.random.default_rng(0).random((40, 4))})
    other = lb.train(data, "vae", out=tmp_path / "v", progress=False, steps=1, compile="no")
    with pytest.raises(LowerboundError, match="expected a run of sound to convert with"):
        converting.convert(other, tone(300, 0.1), "ann")
    assert main(["sample", str(tmp_path / "v"), "-o", str(tmp_path / "x.wav")]) == 2
    assert "expected a run of sound" in capsys.readouterr().err


def test_options_that_are_none_of_sound(run: lb.Run) -> None:
    data = run.data()
    for options, text in (
        ({"hidden": (8,)}, "no hidden or positions of sound"),
        ({"given": "speakers"}, "expected data with speakers, .* pass --given speaker or digit$"),
        ({"network": "mlp"}, "expected wave, whose codes lie along time"),
    ):
        with pytest.raises(LowerboundError, match=text):
            recipe("vq-vae")(data.spec, **options)
    unlabelled = replace(data.spec, classes=None, factors=None)
    text = "--pattern {mood}_{}) or a table that labels them (--labels labels.csv) with --given"
    with pytest.raises(LowerboundError, match=re.escape(text)):
        recipe("vq-vae")(unlabelled, given="mood")
    with pytest.raises(LowerboundError, match="pass --recipe vq-vae"):
        recipe("vae")(data.spec, likelihood="wavenet")


def test_the_report_is_heard_and_seen(run: lb.Run) -> None:
    lb.evaluate(run)
    page = (run.path / "report.html").read_text()
    assert len(re.findall("<audio controls", page)) == 2 * 4 + 8
    assert (
        'src="data:audio/wav;base64,UklGR' in page and "http" not in page.partition("</style>")[2]
    )
    names = {path.stem for path in (run.path / "pictures").glob("*.png")}
    assert {"reconstructions", "samples"} <= names


def test_sounds_stand_one_after_the_other() -> None:
    both = listening.joined([np.ones(10), -np.ones(5)], 8000)
    assert len(both) == 10 + 2000 + 5
    assert (both[:10] == 1).all() and (both[10:2010] == 0).all() and (both[2010:] == -1).all()


def test_a_vae_of_sound(run: lb.Run, tmp_path: Path) -> None:
    """One vector to all samples: another recipe on the same data."""
    source = run.info["data"]["source"]
    found = lb.train(
        source, "vae", out=tmp_path / "vae", progress=False, pattern=PATTERN, window=0.064,
        steps=2, batch_size=4, compile="no", latent_dim=2,
        network={"name": "wave", "channels": 8, "blocks": 1},
    )  # fmt: skip
    model: Any = found.model
    x = found.data().test.all().long()
    with torch.no_grad():
        p = model.decode(model.encode(x).mean)
        bits = -p.log_prob(x).mean() / (512 * math.log(2))
    assert 5.0 < float(bits) < 9.0  # untrained, near the uniform distribution over 256 levels
    assert torch.allclose(p.probs.sum(-2), torch.tensor(1.0))
