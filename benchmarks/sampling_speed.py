"""Milliseconds for a position of an autoregressive sample: cached, naive, and a peer's.

WaveNet (20 layers of 64 channels) over 8,000 samples of 256 levels, PixelCNN (10 layers of 64
channels, kernel 5) and a transformer (4 layers of 128) over 28 x 28 codes of 512 entries, with
random weights: what a position costs does not depend on them. pythae's PixelCNN has as many layers,
channels and taps, masked and in one stack. The naive way is a pass over everything for each
position; of it, and of pythae's, so many positions of the sequence are measured in a turn, not all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from . import options
from .contest import Contestant, Turn, contest, quiet
from .machine import describe
from .tables import command_line, median, ratio, spread, table, write

_NETWORKS = ("wavenet", "pixelcnn", "transformer")
#: How many times as fast as the naive way a sample has to come.
GOALS = {"wavenet": 50, "pixelcnn": 10, "transformer": 10}


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/sampling_speed.md."""
    found = options.parser(__doc__, "sampling_speed")
    options.add_peers(found)
    found.add_argument("--rounds", type=int, default=5)
    found.add_argument("--length", type=int, default=8000, help="samples of sound")
    found.add_argument("--side", type=int, default=28, help="of the grid")
    found.add_argument("--counts", default="1,16", help="sequences drawn together")
    found.add_argument("--part", type=int, default=20, help="positions of the naive way in a turn")
    given = found.parse_args(argv)
    peers = options.has_peers(given.peers)
    import torch

    parts = [__doc__.partition("\n\n")[2].strip()]
    busy = []
    for count in map(int, given.counts.split(",")):
        turns: dict[str, list[Turn]] = {}
        about: dict[str, str] = {}
        for network in _NETWORKS:  # one after the other, so that few processes hold memory
            contestants = _contestants(network, count, given, peers)
            turns |= contest(contestants, given.rounds)
            about |= {each.name: each.about["note"] for each in contestants}
        parts += [f"## {count} at a time", _speed(turns, about, given)]
        busy.append(turns)
    parts.append(
        quiet({f"{i} {name}": t for i, each in enumerate(busy) for name, t in each.items()})
    )
    write(
        "sampling_speed",
        "Speed of autoregressive sampling",
        "\n\n".join(parts),
        machine=describe(torch=str(torch.__version__)),
        command=command_line("sampling_speed", argv),
        folder=given.out,
    )
    return 0


def _contestants(
    network: str, count: int, given: argparse.Namespace, peers: bool
) -> list[Contestant]:
    shared = ["--length", str(given.length), "--side", str(given.side)]
    shared += ["--count", str(count), "--part", str(given.part)]
    ours = [sys.executable, "-m", "benchmarks.contestants.ours_sampling", "--network", network]
    found = [
        Contestant(f"{network}, {way}", [*ours, "--way", way, *shared])
        for way in ("cached", "naive")
    ]
    if network == "pixelcnn" and peers:
        theirs = [given.peers, "-m", "benchmarks.contestants.pythae_sampling", *shared]
        for way in ("default", "no-grad"):
            name = "pythae" if way == "default" else "pythae, without gradients"
            found.append(Contestant(name, [*theirs, "--way", way]))
    return found


def _speed(
    turns: Mapping[str, Sequence[Turn]], about: Mapping[str, str], given: argparse.Namespace
) -> str:
    rows = []
    for name, each in turns.items():
        network = name.partition(",")[0]
        network = network if network in GOALS else "pixelcnn"
        positions = given.length if network == "wavenet" else given.side**2
        times = [1000 / turn.rate for turn in each]
        naive = [1000 / turn.rate for turn in turns[f"{network}, naive"]]
        cached = [1000 / turn.rate for turn in turns[f"{network}, cached"]]
        goal = f"≥ {GOALS[network]}" if name.endswith("cached") else None
        rows.append(
            [
                name,
                f"{median(times):.3f}",
                spread(times, 3),
                f"{median(times) * positions / 1000:,.1f}",
                f"{ratio(naive, times):,.0f}" if name.endswith("cached") else None,
                goal,
                None if name.endswith("cached") else f"{ratio(times, cached):,.0f}",
                about[name],
            ]
        )
    header = ["", "ms per position", "least–greatest", "s for all", "× naive", "goal",
              "cached is × it", "network"]  # fmt: skip
    return table(header, rows)
