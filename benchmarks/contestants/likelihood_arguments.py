"""What every contestant in estimation is told."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """``--data``, ``--weights``, ``--samples``; each reads ``--variant`` in its way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--variant", default="")
    return parser.parse_args()
