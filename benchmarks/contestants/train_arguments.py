"""What every contestant in training is told."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """``--data``, ``--batch``, ``--input``, ``--limit``; each reads ``--variant`` in its way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--input", choices=("dynamic", "fixed"), required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--variant", default="")
    return parser.parse_args()
