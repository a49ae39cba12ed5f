"""``python -m benchmarks [NAME | all] [options]``."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence

SPEED = ("startup", "train_speed", "profile_step", "likelihood_speed", "mixture_speed")
SPEED += ("sampling_speed", "fid_speed", "likelihood_cost")
RESULTS = (
    "mnist_bottleneck",
    "mnist_iwae",
    "cvae_quadrants",
    "mnist_2d",
    "denoising_probes",
    "pythae_models",
    "mnist_models",
    "dsprites",
    "rate_distortion",
    "fsdd",
    "vqvae_usage",
    "vqvae_mnist",
    "vqvae_cifar",
    "ais_mnist",
    "diagnosis",
    "codec",
    "video_digits",
    "edits",
    "vary_digits",
    "gan_modes",
    "dfc_vae",
    "aae_digits",
    "vae_against_gan",
    "stackgan",
    "dcgan_cifar",
    "oscillator",
    "maze",
    "moving_digits",
    "belief_memory",
    "jump_cost",
    "give_away",
    "studio_latency",
    "onnx_recipes",
)


def main(argv: Sequence[str]) -> int:
    """Run one benchmark with its options, or several with their defaults."""
    name = argv[0] if argv else "speed"
    if name in ("-h", "--help"):
        print(
            f"usage: python -m benchmarks [speed | all | {' | '.join(SPEED + RESULTS)}] [options]"
        )
        print("Without a name: speed, which is " + ", ".join(SPEED) + ".")
        return 0
    several = {"speed": SPEED, "all": SPEED + RESULTS}.get(name)
    if several is not None:
        return max([_guarded(each) for each in several])
    if name not in SPEED + RESULTS:
        print(f"error: no benchmark '{name}'; there are: {', '.join(SPEED + RESULTS)}")
        return 2
    return importlib.import_module(f"benchmarks.{name}").main(list(argv[1:]))


def _guarded(name: str) -> int:
    """Run one of several: the others go on if it fails."""
    try:
        return importlib.import_module(f"benchmarks.{name}").main([])
    except Exception:
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
