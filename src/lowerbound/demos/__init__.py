"""Why the bound is needed, runnable: small experiments whose answers are known.

Each is a module with a function ``demonstrate(*, seed=0, …) -> Demonstration``: numbers, a table
and a figure, in less than a minute on one thread. Its smaller functions measure, and draw nothing.

>>> run("divergence")
Traceback (most recent call last):
    ...
lowerbound.errors.LowerboundError: unknown demo 'divergence'; did you mean 'divergences'?
"""

from __future__ import annotations

import importlib

from ..errors import LowerboundError, nearest
from .result import Demonstration

__all__ = ["DEMOS", "Demonstration", "run"]

#: Name and what it shows, in the order in which they are listed.
DEMOS = {
    "evidence": "log p(x) = L + KL(q‖p(z|x)) all through training: q-steps tighten, p-steps raise",
    "prior-sampling": "codes from the prior explain nothing: 1 of 1,000 counts at 50 dimensions",
    "gradients": "score-function and reparameterized gradients: the same mean, far apart in noise",
    "entropy": "the bound without H(q): a learned σ falls to 0; with it, to the posterior's",
    "divergences": "KL(p‖q) is not KL(q‖p): one fit covers two modes, the other takes one",
    "em": "expectation-maximization, a picture for each iteration: log p(x) never falls",
    "densities": "boxes and a slope: one Gaussian < mixture of 3 < continuous latent < one of 10",
    "generation": "a mixture of autoencoder codes draws better digits than one of pixels",
    "shift": "squared error prefers a broken digit to a shifted one; features and log p(x) do not",
    "ae-against-vae": "codes from N(0, I): an autoencoder never learnt them, a VAE did; their FID",
    "paths": "lines between codes, decoded: their length, their largest jump, and through what",
    "parzen": "kernel densities and annealing disagree on which decoder is better",
    "denoiser": "the best denoiser of Gaussian data is the posterior mean, and training finds it",
    "manifolds": "a noisy curve and a swiss roll as PCA and an autoencoder reconstruct them",
    "markov": "masked tokens recover a Markov chain's conditionals",
}


def run(name: str, *, seed: int = 0) -> Demonstration:
    """Run a demonstration.

    Args:
        name: a key of `DEMOS`.
        seed: of all that is drawn.

    Raises:
        LowerboundError: an unknown name (the nearest is offered).
    """
    if name not in DEMOS:
        hint = nearest(name, DEMOS) or f"; there are: {', '.join(DEMOS)}"
        raise LowerboundError(f"unknown demo '{name}'{hint}")
    module = importlib.import_module(f".{name.replace('-', '_')}", __name__)
    return module.demonstrate(seed=seed)
