"""Spoken digits said again by other speakers: a VQ-VAE with a WaveNet decoder on FSDD.

Free Spoken Digit Dataset, official split: clips with index 0 to 4 of each digit and speaker are for
testing, the others train. The decoder is told the speaker, so that codes need not tell it.

- Probes: logistic regressions of the digit and of the speaker on how often each code comes in each
  quarter of a clip; the same on the mean log-mel spectrum of each quarter beside.
- Conversion: 60 test clips, one of each digit and speaker, are said again by the next speaker. They
  are judged by two convolutional classifiers, of the digit and of the speaker, that the benchmark
  trains on log-mel spectrograms of the real training clips; their accuracy on all real test clips,
  on these 60, and on these 60 said again by their own speaker beside.

No number is published for this; the table pins our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .commands import description, lowerbound, shown
from .machine import describe
from .tables import ROOT, command_line, table, write

#: Flags after ``--`` replace these.
SETTINGS = {
    "--trim": 35,
    "--window": 0.512,
    "--quantizer.levels": 128,
    "--network.stride": 128,
    "--likelihood.width": 32,
    "--likelihood.depth": 8,
    "--likelihood.stacks": 2,
    "--batch-size": 8,
    "--learning-rate": "1e-3",
    "--schedule": "cosine",
}
_QUARTERS = 4
_SECONDS = 1.0  # of sound that the classifiers hear
_RATE = 8000


def main(argv: Sequence[str]) -> int:
    """Train, measure and write docs/results/fsdd.md and its figure."""
    found = options.parser(__doc__, "fsdd")
    found.add_argument("--data", type=Path, default=ROOT / "../shared/data/fsdd", help="the clips")
    found.add_argument("--minutes", type=float, default=60)
    found.add_argument("--classifier-epochs", type=int, default=30)
    found.add_argument("--temperature", type=float, default=0.9, help="of what is converted")
    found.add_argument("--limit", type=int, help="use so many windows only (to try it out)")
    found.add_argument("--run", type=Path, default=ROOT / "runs" / "fsdd-vq-vae")
    cut = list(argv).index("--") if "--" in argv else len(argv)
    given = found.parse_args(list(argv[:cut]))
    if not given.data.is_dir():
        print(f"error: expected FSDD at {given.data}, came no such folder; pass --data")
        return 2
    own = [str(word) for word in argv[cut + 1 :]]
    words: list[object] = ["train", given.data.resolve(), "--recipe", "vq-vae"]
    words += ["--pattern", "{digit}_{speaker}_{index}", "--test-where", "index<5"]
    words += ["--given", "speaker"]
    for flag, value in {**SETTINGS, "--minutes": f"{given.minutes:g}"}.items():
        words += [flag, value] if flag not in own else []
    words += own
    words += ["--limit", given.limit] if given.limit else []
    if not given.run.exists():
        lowerbound(*words, "--out", given.run)
    measured = measure(given.run, given.classifier_epochs, given.temperature, given.out)
    text = [
        __doc__.partition("\n\n")[2].strip(),
        _about(given.run),
        table(["probe of", "codes, %", "log-mel, %", "chance, %"], measured["probes"]),
        table(
            ["judged", "clips", "digit, %", "speaker asked for, %", "speaker as came, %"],
            measured["judged"],
        ),
        "![held-out clips, said again by their own speaker and by another](fsdd.png)",
        f"```sh\n{shown(words)}\n```",
    ]
    write(
        "fsdd",
        "Spoken digits, said again by another",
        "\n\n".join(text),
        machine=describe(**description(given.run)["versions"]),
        command=command_line("fsdd", argv),
        folder=given.out,
    )
    return 0


def measure(run: Path, epochs: int, temperature: float, out: Path) -> dict[str, Any]:
    """Probes, conversions and what classifiers make of them; draws the figure.

    Args:
        run: of the recipe vq-vae on FSDD.
        epochs: of the classifiers.
        temperature: of what is converted.
        out: folder of the figure.
    """
    import torch

    from lowerbound import Run, plots
    from lowerbound.converting import convert

    opened = Run.open(run)
    train, test = (clips_of(opened, part) for part in ("train", "test"))
    speakers = (opened.spec.factors or {})["speaker"]
    probes = []
    for name in ("digit", "speaker"):
        parts = [(p["codes"], p["mel"], p[name]) for p in (train, test)]
        (codes, mel, y), (test_codes, test_mel, test_y) = parts
        chance = float(np.bincount(test_y).max() / len(test_y))
        rows = [probe(codes, y, test_codes, test_y), probe(mel, y, test_mel, test_y), chance]
        probes.append([name, *(f"{100 * value:.1f}" for value in rows)])
    classifiers = {name: classifier(train["waves"], train[name], epochs) for name in _NAMES}
    chosen = _sixty(test)
    waves = [test["waves"][place] for place in chosen]
    own, digits = test["speaker"][chosen], test["digit"][chosen]
    target = (own + 1) % len(speakers)
    with torch.no_grad():
        again, other = (
            convert(
                opened, waves, [{"speaker": speakers[s]} for s in asked], temperature=temperature
            )
            for asked in (own, target)
        )
    rows = []
    for name, sounds, digit, asked, came in (
        ("real test clips", test["waves"], test["digit"], test["speaker"], test["speaker"]),
        ("real, those converted", waves, digits, own, own),
        ("said again, own speaker", again, digits, own, own),
        ("said again, next speaker", other, digits, target, own),
    ):
        said, who = (judged(classifiers[n], sounds) for n in _NAMES)
        shares = [np.mean(said == digit), np.mean(who == asked), np.mean(who == came)]
        rows.append([name, len(sounds), *(f"{100 * share:.1f}" for share in shares)])
    shown_ones = list(range(0, len(waves), 11))[:5]
    length = max(len(waves[place]) for place in shown_ones)
    sheet = [
        np.pad(wave[place], (0, length - len(wave[place])))
        for wave in (waves, again, other)
        for place in shown_ones
    ]
    names = [f"{digits[p]}: {speakers[own[p]]}, then {speakers[target[p]]}" for p in shown_ones]
    figure = plots.spectrograms(
        np.stack(sheet),
        _RATE,
        "Held-out clips, said again by their own speaker and by another",
        columns=len(shown_ones),
        names=names,
        rows=["held out", "own speaker", "another"],
    )
    plots.save(figure, out / "fsdd.png")
    return {"probes": probes, "judged": rows}


_NAMES = ("digit", "speaker")


def clips_of(run: Any, part: str) -> dict[str, Any]:
    """Clips of a part that one window begins: waves, labels, features of their quarters.

    Returns:
        ``waves``, (T,) each, windows of a clip joined; ``digit``, ``speaker`` (N,); ``codes`` and
        ``mel`` (N, 4 F), how often each code comes in each quarter, and its mean spectrum.
    """
    import torch

    from lowerbound.plots.sound import log_mel
    from lowerbound.sound import expand, mu_law

    split = getattr(run.data(), part)
    rows = split.source
    places = np.arange(len(split)) if split.rows is None else split.rows
    stored = split.stored(np.arange(len(split))).numpy()
    pieces: dict[int, list[np.ndarray]] = {}
    first: dict[int, int] = {}
    for row, place in enumerate(places):
        clip = int(rows.clip[place])
        first.setdefault(clip, row)
        pieces.setdefault(clip, []).append(stored[row, : rows.lengths[place]])
    waves = [expand(np.concatenate(pieces[clip])) for clip in first]
    heads = np.array(list(first.values()))
    stride = run.model.posterior.encoder.stride
    levels = run.model.levels
    codes, spectra = [], []
    for wave in waves:
        filled = np.pad(wave, (0, -len(wave) % stride))
        with torch.no_grad():
            vectors = run.model.posterior.vectors(
                torch.from_numpy(mu_law(filled)[None].astype(int))
            )
            index = run.model.quantizer.codes(vectors)[0, :, 0].numpy()
        counts = [np.bincount(q, minlength=levels) for q in np.array_split(index, _QUARTERS)]
        codes.append(np.concatenate([c / max(1, c.sum()) for c in counts]))
        spectrum = log_mel(wave[None], _RATE)[0]
        quarters = np.array_split(spectrum, _QUARTERS, axis=1)
        spectra.append([q.mean(1) if q.size else spectrum.mean(1) for q in quarters])
    return {
        "waves": waves,
        **{name: split.factors[name][heads] for name in _NAMES},
        "codes": np.stack(codes),
        "mel": np.stack(spectra).reshape(len(waves), -1),
    }


def probe(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Accuracy of a logistic regression on held-out clips."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.1)).fit(x, y)
    return float(fitted.score(test_x, test_y))


def classifier(waves: Sequence[np.ndarray], labels: np.ndarray, epochs: int) -> Any:
    """A convolutional network on log-mel spectrograms of real clips, moved and amplified at random.

    Args:
        waves: (T,) each.
        labels: (N,).
        epochs: passes over them.
    """
    import torch
    from torch import nn

    from lowerbound.sound import LogMel

    torch.manual_seed(0)
    count = int(labels.max()) + 1
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    layers += [nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(64 * 5 * 12, count)]
    mel, network = LogMel(_RATE, 256, 80, 40), nn.Sequential(*layers)
    x, y = torch.from_numpy(_alike(waves)).float(), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=max(1, epochs * -(-len(x) // 64))
    )
    model = nn.Sequential(mel, _Centred(), network)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            shift = int(torch.randint(0, 1600, ()))
            some = torch.roll(x[rows], shift, 1) * torch.empty(len(rows), 1).uniform_(0.5, 1.5)
            some = some + torch.randn_like(some) * 10 ** torch.empty(len(rows), 1).uniform_(
                -4, -2.5
            )
            loss = nn.functional.cross_entropy(model(some), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _Centred() -> Any:
    from torch import nn

    class Centred(nn.Module):
        """Spectrograms (N, bands, frames) less their mean, as one channel, without loudness."""

        def forward(self, spectrum: Any) -> Any:
            low = spectrum.clamp(min=-14.0)
            return ((low - low.mean((1, 2), keepdim=True)) / 3.0).unsqueeze(1)

    return Centred()


def judged(model: Any, waves: Sequence[np.ndarray]) -> np.ndarray:
    """Which class a classifier takes each wave for, (N,)."""
    import torch

    with torch.no_grad():
        parts = torch.from_numpy(_alike(waves)).float().split(256)
        return torch.cat([model(part).argmax(1) for part in parts]).numpy()


def _alike(waves: Sequence[np.ndarray]) -> np.ndarray:
    """Waves of any length as the first second of each, (N, 8000), filled up with silence."""
    out = np.zeros((len(waves), round(_SECONDS * _RATE)))
    for row, wave in zip(out, waves, strict=True):
        row[: min(len(row), len(wave))] = wave[: len(row)]
    return out


def _sixty(test: dict[str, Any]) -> np.ndarray:
    """The first test clip of each digit and speaker."""
    pairs = test["digit"] * 100 + test["speaker"]
    return np.array([int(np.flatnonzero(pairs == pair)[0]) for pair in np.unique(pairs)])


def _about(run: Path) -> str:
    """What the training was, and its bound."""
    import json

    info = description(run)
    spec, status = info["data"]["spec"], info["status"]
    rate, padding = spec["sample_rate"], spec["padding"]
    lines = [f"Trained for {status['seconds'] / 60:.0f} minutes, {status['step']:,} steps."]
    file = run / "evaluation.json"
    if file.is_file():
        found = json.loads(file.read_text(encoding="utf-8"))
        bits = found["log_likelihood"]["bits_per_dim"]
        code = found["rate"] / np.log(2) / (spec["event_shape"][0] / rate)
        lines.append(
            f"Held out, a window of {spec['event_shape'][0]:,} mu-law samples of 256 levels: "
            f"{bits:.3f} bits a sample in all, codes {code:.0f} bits a second. {padding:.0%} of "
            f"the samples fill windows up; without them it is at most {bits / (1 - padding):.3f} "
            "bits a sample."
        )
    return " ".join(lines)
