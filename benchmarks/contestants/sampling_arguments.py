"""What every contestant in sampling is told."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """``--network``, ``--way``, ``--length``, ``--side``, ``--count``, ``--part``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="pixelcnn")
    parser.add_argument("--way", default="cached")
    parser.add_argument("--length", type=int, default=8000, help="of a wavenet's sequence")
    parser.add_argument("--side", type=int, default=28, help="of a grid")
    parser.add_argument("--count", type=int, default=1, help="sequences drawn together")
    parser.add_argument("--part", type=int, default=20, help="positions of the naive way in a turn")
    return parser.parse_args()
