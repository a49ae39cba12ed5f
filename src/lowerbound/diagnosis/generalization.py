"""Who of the two over-fits: the bound's fall from training to held-out data, taken apart.

log p(x) − ELBO is what the encoder loses; refined posteriors take its part out (EQUATIONS 21). So

    ELBO(train) − ELBO(test) = [refined(train) − refined(test)] + [gap(test) − gap(train)]

where the first bracket is the decoder's and the second, amortization gaps, the encoder's (Cremer,
Li & Duvenaud 2018, arXiv 1801.03558, section 5.3).
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import LowerboundError
from ..evaluation import amortization_gap
from .evidence import Evidence

#: A few seconds: examples of each split, and steps of refinement.
EXAMPLES, STEPS, SAMPLES = 32, 50, 50


class Gaps(NamedTuple):
    """Nats for each example, training − held out.

    Attributes:
        encoder: amortization gap of held-out examples less that of training examples.
        decoder: bound of refined posteriors of training examples less that of held-out ones.
    """

    encoder: float
    decoder: float


def gaps(evidence: Evidence) -> Gaps | None:
    """The two parts, from a few examples; None of models without a diagonal normal to refine."""
    if not (evidence.probabilistic and evidence.has_likelihood):
        return None
    found = {}
    for split in ("train", "test"):
        x, context = evidence.x(split)[:EXAMPLES], evidence.context(split)
        try:
            found[split] = amortization_gap(
                evidence.model,
                x,
                *(c[:EXAMPLES] for c in context),
                steps=STEPS,
                samples=SAMPLES,
                seed=evidence.seed,
            )
        except LowerboundError:
            return None
    train, test = found["train"], found["test"]
    return Gaps(test.amortization - train.amortization, train.refined - test.refined)
