"""What a check is. A new one is a function of the evidence and a line in a list.

def too_large(evidence: Evidence) -> Finding | None: ...

CHECKS = (Check("size", needs_model, too_large),)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .evidence import Evidence
from .finding import Finding


@dataclass(frozen=True)
class Check:
    """One question to a run.

    Attributes:
        name: of the question, in a word or two.
        needs: why it cannot be asked of this run (a capability of the model that is not there, a
            number that was not reported); None where it can.
        look: the answer; None where nothing is wrong. It may leave what it measured in
            ``evidence.measured``.
    """

    name: str
    needs: Callable[[Evidence], str | None]
    look: Callable[[Evidence], Finding | None]


#: Held-out examples below which nothing is told by them: a tenth of them is one.
LEAST = 10


def enough(evidence: Evidence) -> str | None:
    """Asks for held-out examples to tell something by."""
    count = len(evidence.x("test"))
    if count >= LEAST:
        return None
    return f"not told: {count} held-out example{'' if count == 1 else 's'}, fewer than {LEAST}"


def nothing(evidence: Evidence) -> str | None:
    """Can always be asked."""
    return None


def model(evidence: Evidence) -> str | None:
    """Asks for a trained model."""
    return None if evidence.model is not None else "there is no trained model"


def codes(evidence: Evidence) -> str | None:
    """Asks for prior, encoder and decoder, with a likelihood or without."""
    if evidence.model is None:
        return "there is no trained model"
    return enough(evidence) if evidence.probabilistic else "the model has no prior over codes"


def likelihood(evidence: Evidence) -> str | None:
    """Asks for a model that has a likelihood."""
    if evidence.model is None:
        return "there is no trained model"
    if not evidence.has_likelihood:
        return "the model has no likelihood"
    known = hasattr(evidence.model, "log_prob") or evidence.probabilistic
    return enough(evidence) if known else "the model has no prior and no log p(x)"


def descent(evidence: Evidence) -> str | None:
    """Asks for a training curve that is minimised."""
    if evidence.solved:
        return "the model was solved, not trained by steps"
    curve = evidence.curve("train")
    if curve is None or len(curve.values) < 3:
        return "fewer than three reports of something that is minimised"
    return None
