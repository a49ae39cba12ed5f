"""How training went: read off what was reported, without a look at the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import check
from .advice import advise
from .check import Check
from .evidence import Curve, Evidence
from .finding import CONSEQUENCES, Finding, number
from .series import NOISE, left_to_learn, noise_of, since_best, worst_rise

#: Adam's step is about the learning rate; 1e-3 is what its authors propose (Kingma & Ba 2015), and
#: what is an order of magnitude below is held for the reason why a run has not come far.
ADAM, LOW = 1e-3, 1e-4
#: A rise counts where it gives back so much of what was learned until then.
GIVES_BACK = 0.5
#: Of all that was learned, what may still be to come, or have been lost since the best report.
STILL_LEFT, LOST = 0.05, 0.10
#: Fewer examples than numbers in each leave directions that no example tells of; and no fewer than
#: so many tell what examples have in common.
LEAST_EXAMPLES = 100


def died(evidence: Evidence) -> Finding | None:
    """Whether training stopped at a number that is none."""
    status = evidence.status
    if status.get("reason") != "failed":
        return None
    error = str(status.get("error", "no message was kept"))
    rate = evidence.training["learning_rate"]
    if "not finite" not in error:
        return Finding(
            "no-weights" if evidence.model is None else "unfinished",
            "training failed",
            error,
            f"mend what the message says, then: lowerbound resume {evidence.run.path}",
            {"step": status.get("step")},
        )
    return Finding(
        "diverged",
        "the loss or a gradient became infinite or no number, and training stopped there",
        f"{error.partition(';')[0]}; learning rate {rate:g}",
        f"{_gentler(rate)}; --precision float32 if it was bfloat16",
        {"step": status.get("step"), "learning_rate": rate},
    )


def unfinished(evidence: Evidence) -> Finding | None:
    """Whether the model is not the one that was asked for."""
    reason = evidence.status.get("reason")
    if reason not in ("training", "interrupted"):
        return None
    where = evidence.run.path
    at = evidence.metrics[-1]["step"] if evidence.metrics else evidence.status.get("step", 0)
    total = evidence.training.get("steps")
    of = f" of {total:,}" if total else ""
    how = "it still trains, or was killed" if reason == "training" else "it was stopped"
    says = f"{how}, so that this is not the model that was asked for"
    cause = "no-weights" if evidence.model is None else "unfinished"
    return Finding(
        cause, says, f"step {at:,}{of}", f"lowerbound resume {where}", {"step": at, "of": total}
    )


def rate_too_high(evidence: Evidence) -> Finding | None:
    """Whether training gave back what it had learned: a step too long, not too many of them."""
    curve = evidence.curve("train")
    assert curve is not None
    values, steps = curve.values, curve.steps
    noise = noise_of(values)
    found = worst_rise(values)
    assert found is not None
    rate = evidence.training["learning_rate"]
    helps = _gentler(rate)
    tail = values[-max(3, len(values) // 10) :]
    end, start = float(np.median(tail)), evidence.start
    numbers = {"first": float(values[0]), "last": end, "greatest": float(values.max())}
    numbers |= {"noise": noise, "learning_rate": rate}
    if start is not None:
        numbers["start"] = start
        # The standard error of a median, by the median deviation from it: spikes do not count.
        error = 1.2533 * 1.4826 * float(np.median(np.abs(tail - end))) / np.sqrt(len(tail))
        if end - start > max(3.0 * error, NOISE * evidence.start_error):
            return Finding(
                "learning-rate-high",
                "the steps are so long that the trained model is worse than the untrained one",
                f"{_called(curve)} {number(start)} before the first step, up to "
                f"{number(float(values.max()))} at step {steps[int(values.argmax())]:,.0f}, "
                f"{number(end)} at the end; learning rate {rate:g}",
                helps,
                numbers,
                CONSEQUENCES,
            )
    # In units of all that the run learned: what is given back of the first few steps' gain is no
    # leap, and is soon won again.
    learned = (values[0] if start is None else max(start, values[0])) - values.min()
    if found.rise > NOISE * noise and found.rise > GIVES_BACK * learned > 0.0 and _leaps(evidence):
        return Finding(
            "learning-rate-high",
            "the loss leaps up, by more than half of all that the run has learned",
            f"{_called(curve)} rises by {number(found.rise)} at step {steps[found.place]:,.0f}, "
            f"where {number(float(learned))} were learned in all; {NOISE:g} σ of the noise between "
            f"two reports is {number(NOISE * noise)}; learning rate {rate:g}",
            helps,
            {**numbers, "rise": found.rise},
        )
    return None


def _leaps(evidence: Evidence) -> bool:
    """Whether the bound leaps with the loss, where it is reported.

    A weighted objective (β) magnifies what is small by itself, and trades one part of the bound
    for the other: the bound is in nats whatever the weights, and has to leap as well.
    """
    curve = evidence.curve("train", "bound")
    if curve is None or len(curve.values) < 3:
        return True
    found = worst_rise(curve.values)
    assert found is not None
    learned = curve.values[0] - curve.values.min()
    return found.rise > max(NOISE * noise_of(curve.values), GIVES_BACK * learned)


def stopped_early(evidence: Evidence) -> Finding | None:
    """Whether the descent was still under way when the run ended, and why."""
    curve = evidence.curve("held out")
    if curve is None or len(curve.values) < 5 or _few(evidence, curve):
        curve = evidence.curve("train")  # few looks at what was held out, or at few examples
    assert curve is not None
    found = left_to_learn(curve.clock, curve.values)
    if found is None:
        return None
    evidence.measured["still to learn"] = (
        f"about {number(found.left)} nats, {number(found.learned)} learned"
        if np.isfinite(found.left)
        else f"no end in sight, {number(found.learned)} nats learned"
    )
    if found.left < STILL_LEFT * found.learned:
        return None
    rate, steps = evidence.training["learning_rate"], curve.steps[-1]
    left = (
        f"about {number(found.left)} more to come if it goes on so"
        if np.isfinite(found.left)
        else "no sign of an end"
    )
    text = (
        f"the second half of the way that the weights could go (Σ learning rate, "
        f"{number(float(curve.clock[-1]))}) brought {100 * found.share:.0f} % of the "
        f"{number(found.learned)} nats learned in {steps:,.0f} steps, {left}"
    )
    numbers = {"share": found.share, "learned": found.learned, "left": found.left}
    numbers |= {"learning_rate": rate, "steps": float(steps)}
    if rate <= LOW:
        return Finding(
            "learning-rate-low",
            "the steps are so short that the model has not come far",
            f"{text}; learning rate {rate:g}, Adam's authors propose {ADAM:g}",
            f"--learning-rate {ADAM:g}",
            numbers,
        )
    return Finding(
        "too-short",
        "the model was still learning fast when training ended",
        text,
        f"--steps {_rounded(4 * steps):,.0f}".replace(",", "") + " or more (or --epochs)",
        numbers,
    )


def over_fits(evidence: Evidence) -> Finding | None:
    """Whether held-out data have become worse for what was learned of the training data."""
    curve, trained = evidence.curve("held out"), evidence.curve("train")
    if curve is None or trained is None or curve.split == "train" or len(curve.values) < 5:
        return None
    if _few(evidence, curve) or evidence.training.get("patience") is not None:
        return None  # the best weights are what was kept
    found = since_best(curve.values)
    assert found is not None
    learned = max(found.learned, 0.0)
    evidence.measured["lost since the best held-out report"] = f"{number(found.lost)} nats"
    if found.lost <= LOST * learned or found.lost <= NOISE * noise_of(curve.values):
        return None
    at_best = float(np.interp(curve.steps[found.best], trained.steps, trained.values))
    gained = at_best - _end(trained)
    if gained <= 0.0:
        return None  # training lost as well: that is no over-fitting
    examples, weights = evidence.spec.train, _weights(evidence)
    text = (
        f"held-out {_called(curve)} {number(float(curve.values[found.best]))} at step "
        f"{curve.steps[found.best]:,.0f}, {number(found.lost)} worse at the end, while training "
        f"gained {number(gained)}"
    )
    numbers: dict[str, Any] = {
        "lost": found.lost,
        "gained": gained,
        "best_step": float(curve.steps[found.best]),
    }
    numbers["examples"] = examples
    stop = "--validation-fraction 0.1 --patience 5"
    if examples < max(LEAST_EXAMPLES, evidence.spec.dimensions):
        return Finding(
            "few-examples",
            "there are so few training examples that the model keeps them instead of learning "
            "what they have in common",
            f"{examples:,} training examples of {evidence.spec.dimensions:,} numbers"
            + (f" for {weights:,} weights; " if weights else "; ")
            + text,
            advise(
                evidence,
                "more data",
                ("else a smaller model", ("--hidden 32", "--latent-dim 2")),
                stop,
                "--weight-decay 1e-3",
            ),
            numbers,
        )
    beta = evidence.arguments.get("beta")
    weighs = []
    if isinstance(beta, int | float) and beta < 1.0:
        numbers["beta"] = beta
        weighs = [f"--beta 1 (it is {beta:g}: the rate, which keeps codes apart, hardly counts)"]
    return Finding(
        "overfitting",
        "the model learns its training examples by heart: " + _who(evidence, numbers),
        text,
        advise(
            evidence,
            *weighs,
            stop,
            ("a smaller model", ("--hidden",)),
            "--weight-decay 1e-3",
            "more data",
        ),
        numbers,
    )


def _who(evidence: Evidence, numbers: dict) -> str:
    """Encoder or decoder, by how far each one's bound falls behind on held-out data."""
    from .generalization import gaps

    found = gaps(evidence)
    if found is None:
        return "its density is sharper about them than about others"
    numbers |= found._asdict()
    whole = found.encoder + found.decoder
    share = found.encoder / whole if whole > 0 else 0.0
    evidence.measured["generalization gap"] = (
        f"{number(whole)} nats, encoder {number(found.encoder)}, decoder {number(found.decoder)}"
    )
    guilty = "encoder" if share > 0.5 else "decoder"
    return (
        f"mostly the {guilty} (of {number(whole)} nats between training and held-out bounds, "
        f"{number(found.encoder)} are the encoder's, {number(found.decoder)} the decoder's)"
    )


def _few(evidence: Evidence, curve: Curve) -> bool:
    """Whether a held-out curve is of too few examples to tell anything."""
    count = evidence.spec.validation if curve.split == "validation" else evidence.spec.test
    return count < check.LEAST


def _weights(evidence: Evidence) -> int | None:
    if evidence.model is None:
        return None
    return sum(parameter.numel() for parameter in evidence.model.parameters())


def _end(curve: Curve) -> float:
    """The mean of the last tenth of the reports."""
    return float(curve.values[-max(1, len(curve.values) // 10) :].mean())


def _called(curve: Curve) -> str:
    names = {"bound": "−ELBO", "iwae": "−IWAE bound", "log_likelihood": "−log p(x)"}
    return names.get(curve.name, curve.name)


def _smaller(rate: float) -> float:
    """A tenth, or what Adam's authors propose, whichever is less."""
    return min(rate / 10.0, ADAM) if rate > ADAM else rate / 10.0


def _gentler(rate: float) -> str:
    return f"--learning-rate {_smaller(rate):g}, --warmup 500, --clip 1"


def _rounded(steps: float) -> float:
    """Up to one figure.

    >>> _rounded(120.0), _rounded(4000.0)
    (200.0, 4000.0)
    """
    size = 10.0 ** np.floor(np.log10(max(1.0, steps)))
    return float(np.ceil(steps / size) * size)


CHECKS = (
    Check("end of training", check.nothing, died),
    Check("unfinished", check.nothing, unfinished),
    Check("learning rate too high", check.descent, rate_too_high),
    Check("length and learning rate", check.descent, stopped_early),
    Check("over-fitting", check.descent, over_fits),
)
