"""Over-fitting of models that are solved: log p of what they have seen against what they have not.

There is no curve of a model that is solved to tell when held-out data became worse, but log p(x) is
exact. Held against a density that cannot over-fit (independent normals), what it knows more of the
training examples splits in what is true of others, too, and what is of them alone.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from . import check
from .advice import advise
from .check import Check
from .evidence import Evidence
from .finding import Finding, number

#: Of what a model knows of its training examples beyond their means and spreads, the share that has
#: to be true of others.
TRUE_OF_OTHERS = 0.5
#: Of a column's spread over all columns, the least that the simple density may have.
_LEAST_SPREAD = 1e-3


def over_fits(evidence: Evidence) -> Finding | None:
    """Whether most of what the model knows is true of its training examples alone."""
    values = {split: evidence.exact_values(split).double() for split in ("train", "test")}
    plain = dict(zip(values, _independent(evidence), strict=True))
    train, test = (float(values[split].mean()) for split in values)
    gap = train - test
    error = math.sqrt(sum(float(each.var()) / len(each) for each in values.values()))
    evidence.measured["log p(x), training − held out"] = f"{number(gap)} ± {number(error)} nats"
    learned = {split: float((values[split] - plain[split]).mean()) for split in values}
    spread = math.sqrt(sum(float((values[s] - plain[s]).var()) / len(plain[s]) for s in values))
    lost = learned["train"] - learned["test"]
    if gap <= 3.0 * error or lost <= 3.0 * spread:  # once in a thousand by chance
        return None
    if lost <= (1.0 - TRUE_OF_OTHERS) * abs(learned["train"]):
        return None
    examples = evidence.spec.train
    text = (
        f"log p(x) {number(train)} nats of training examples{_seen(evidence)}, {number(test)} "
        "held out; beyond "
        f"independent normals {number(learned['train'])} and {number(learned['test'])}; "
        f"{examples:,} training examples of {evidence.spec.dimensions:,} numbers"
    )
    numbers: dict[str, Any] = {"train": train, "test": test, "examples": examples}
    numbers |= {"learned_train": learned["train"], "learned_test": learned["test"]}
    floor = getattr(evidence.model, "at_floor", None)
    if isinstance(floor, Tensor) and bool(floor.any()):
        numbers["at_floor"] = int(floor.sum())
        text += f"; {numbers['at_floor']} of {len(floor)} components are at the variance floor"
    return Finding(
        "overfitting",
        "the model keeps its training examples: most of what it knows of them is not true of "
        "others",
        text,
        advise(evidence, *_simpler(evidence), "more data"),
        numbers,
    )


def _seen(evidence: Evidence) -> str:
    """What the solution itself reported: of data that are drawn, log p of the very draws."""
    spec, last = evidence.spec, evidence.metrics[-1] if evidence.metrics else {}
    value = last.get("log_likelihood")
    if value is None or (spec.dequantize != "uniform" and spec.binarize != "stochastic"):
        return ""
    return f" drawn anew ({number(float(value))} as they were drawn for it)"


def _simpler(evidence: Evidence) -> list[str]:
    """Fewer numbers to fit, by the recipe's options that are not at their least already."""
    told = evidence.arguments
    found = []
    count = told.get("components")
    if isinstance(count, int) and count > 1:
        fewer = max(1, min(count // 2, evidence.spec.train // 20))
        found.append(f"--components {fewer} (it is {count}) or fewer")
    simpler = {"full": "tied", "tied": "diagonal", "diagonal": "spherical"}
    if told.get("covariance") in simpler:
        found.append(f"--covariance {simpler[told['covariance']]}")
    floor = told.get("floor")
    if isinstance(floor, float) and floor < 0.01:
        found.append(f"--floor 0.01 (it is {floor:g})")
    size = math.prod(getattr(evidence.model, "latent_shape", (1,)))
    if "latent_dim" in told and size > 1:
        found.append(f"--latent-dim {size // 2} (it is {size})")
    return found


def _independent(evidence: Evidence) -> tuple[Tensor, Tensor]:
    """log p of the training and test examples under a normal for each number, stored units."""
    train, test = (evidence.x(split).flatten(1).double() for split in ("train", "test"))
    spread = train.std(0)
    spread = spread.clamp_min(max(_LEAST_SPREAD * float(spread.mean()), 1e-12))
    normal = torch.distributions.Normal(train.mean(0), spread, validate_args=False)
    shift = evidence.spec.log_jacobian
    found = [normal.log_prob(x).sum(1) + shift for x in (train, test)]
    return found[0], found[1]


def solved(evidence: Evidence) -> str | None:
    """Asks for a model that was solved and knows log p(x)."""
    why = check.likelihood(evidence)
    if why is not None:
        return why
    if not evidence.solved:
        return "the model was trained by steps, and its curve is asked"
    if not evidence.exact:
        return "the model does not know log p(x)"
    if len(evidence.x("train")) < check.LEAST:
        return f"not told: fewer than {check.LEAST} training examples"
    return None


CHECKS = (Check("training against held out", solved, over_fits),)
