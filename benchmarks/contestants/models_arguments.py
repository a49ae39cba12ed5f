"""What the contestants of `benchmarks.pythae_models` are told."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """The model, the data, and the settings that are the same for both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--schedule", default="constant", help="of ours; pythae has no default one")
    parser.add_argument("--samples", type=int, required=True, help="of IWAE")
    parser.add_argument("--beta", type=float, required=True)
    parser.add_argument("--pseudo-inputs", type=int, required=True)
    parser.add_argument("--components", type=int, required=True, help="of the mixture of codes")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()
