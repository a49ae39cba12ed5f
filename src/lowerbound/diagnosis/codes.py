"""Whether codes say something of the data, and whether the prior knows where they are."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..distributions import sample_with_log_prob
from ..evaluation.codes import posterior_mean
from ..evaluation.decoding import evaluating
from . import check
from .advice import advise
from .check import Check
from .evidence import Evidence
from .finding import Finding, number

Array = NDArray[Any]

#: An entropy bound: with so little in the codes, they cannot even say in which half of the data an
#: example lies, once in seven (log 2 = 0.69 nats would say it always).
SAYS_NOTHING = 0.1
#: Chance that a classifier puts a code of data above a code of the prior: 1/2 where they are one.
TOLD_APART = 0.9
#: Codes below which a classifier of them is judged by too few.
JUDGED = 100
#: Of the entries that as many draws from uniform usage would show, how many have to be seen.
SEEN = 0.5


def collapsed(evidence: Evidence) -> Finding | None:
    """Whether the codes say anything of x, and whether the decoder listens."""
    if evidence.codes.index:
        return _unheard(evidence)
    rate = evidence.log_likelihood.rate.double()
    nats, size = float(rate.mean()), evidence.codes.means.shape[1]
    active = evidence.codes.active_units
    each = evidence.codes.kl_per_dimension
    heard = _listening(evidence)
    evidence.measured["rate"] = f"{number(nats)} nats, {active} of {size} dimensions active"
    if heard is not None:
        evidence.measured["decoder listens"] = f"another example's code costs {heard}"
    if evidence.exact or not math.isfinite(nats):
        return None  # the posterior is what it is: there was nothing to give up
    silent = active == 0 or (nats < SAYS_NOTHING and not (heard is not None and heard.surely))
    if not silent and not _ignored(heard, nats):
        return None
    numbers = {"rate": nats, "active_units": active, "latent_dim": size}
    text = f"rate {number(nats)} nats, {active} of {size} dimensions active"
    if each is not None:
        text += f", KL of the best dimension {number(float(each.max()))} nats"
        numbers["kl_per_dimension"] = each.tolist()
    if heard is not None:
        numbers["listens"] = heard.cost
        text += f"; decoding another example's code instead costs {heard}"
    says = "the codes say nothing of the data, and the decoder has learned to do without them"
    if not silent:
        says = "the codes have their rate, but the decoder says of every example the same"
    return given_up(evidence, says, text, numbers)


def given_up(evidence: Evidence, says: str, text: str, numbers: dict[str, Any]) -> Finding:
    """A collapse, and what helps: first of all against the weight of the rate, if it is greater."""
    beta = evidence.arguments.get("beta")
    if isinstance(beta, int | float) and beta > 1.0:
        says = f"the rate weighs β = {beta:g} times in the objective, so that any code costs more "
        says += "than it can save, and all were given up"
        helps = advise(evidence, "--beta 1, or less than it is by far")
        return Finding("posterior-collapse", says, text, helps, {**numbers, "beta": beta})
    flow = evidence.spec.dimensions <= 3 and evidence.spec.kind == "vector"
    helps = advise(
        evidence,
        "--recipe free-bits-vae",
        "--recipe beta-vae with a --warmup",
        "a weaker decoder",
        *(["of so few numbers a flow knows the density itself: --recipe neural-spline"] * flow),
    )
    return Finding("posterior-collapse", says, text, helps, numbers)


def _unheard(evidence: Evidence) -> Finding | None:
    """Whether the decoder listens to codes that are indices, whatever they cost."""
    if _levels(evidence.model) is None or evidence.model.no_likelihood is not None:
        return None
    heard = _listening(evidence)
    if heard is None:
        return None
    cost = f"decoding another example's codes costs {heard}"
    evidence.measured["decoder listens"] = cost
    rate = getattr(evidence.model, "uniform_rate", 0.0)
    if not _ignored(heard, rate if isinstance(rate, int | float) else 0.0):
        return None
    return Finding(
        "posterior-collapse",
        "the codes have their rate, but the decoder says of every example the same",
        cost,
        advise(
            evidence,
            "more --steps, if the run was short",
            "a smaller --commitment, if it was not",
            "a weaker decoder, if it is autoregressive in the data",
        ),
        {"listens": heard.cost},
    )


class Heard(NamedTuple):
    """What it costs to decode another example's code.

    Attributes:
        cost: mean over examples: of −log p(x|z), or where there is no likelihood of ‖x − E[x|z]‖²,
            as a part of what one's own code leaves of it.
        error: its standard error.
        unit: of both.
    """

    cost: float
    error: float
    unit: str

    @property
    def surely(self) -> bool:
        """Whether it costs anything: 3 standard errors, once in a thousand by chance."""
        return self.cost > 3.0 * self.error

    def __str__(self) -> str:
        return f"{number(self.cost)} ± {number(self.error)} {self.unit}"


def _ignored(heard: Heard | None, rate: float) -> bool:
    """Whether it is known that codes of such a rate save nothing: not where the noise is larger."""
    if heard is None or heard.surely:
        return False
    little = max(SAYS_NOTHING, 0.01 * rate) if heard.unit == "nats" else 0.01
    return heard.cost + 3.0 * heard.error <= little


def _listening(evidence: Evidence) -> Heard | None:
    """What another example's code costs; None where that is no number, or of too few examples."""
    x, context = evidence.x("test"), evidence.context("test")
    model: Any = evidence.model
    unit = "nats" if getattr(model, "no_likelihood", None) is None else ""
    parts, squares, left = [], [], []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(evidence.seed)
        for first in range(0, len(x), 128):
            here = x[first : first + 128]
            c = [each[first : first + 128] for each in context]
            if len(here) < 2:
                continue
            z = sample_with_log_prob(model.encode(here, *c), ())[0]
            own, others = model.decode(z, *c), model.decode(z.roll(1, 0), *c)
            parts.append(own.log_prob(here) - others.log_prob(here))
            if not unit and here.is_floating_point():
                errors = [(p.mean - here).flatten(1).square().sum(1) for p in (own, others)]
                squares.append(errors[1] - errors[0])
                left.append(errors[0])
    if squares:
        own_error = torch.cat(left).double().mean().clamp_min(1e-12)
        parts, unit = [each / own_error for each in squares], "times the squared error"
    if not parts:
        return None
    found = torch.cat(parts).double()
    if len(found) < check.LEAST or not bool(found.isfinite().all()):
        return None
    return Heard(float(found.mean()), float(found.std()) / math.sqrt(len(found)), unit or "nats")


def dead_codes(evidence: Evidence) -> Finding | None:
    """How many of a codebook's entries are used."""
    levels = _levels(evidence.model) or 1
    counts = _counts(evidence, levels)  # (books, K)
    per_head = (counts > 0).sum(1).tolist()
    draws = int(counts.sum(1).min())
    # Of K entries that are all as likely, n draws show K (1 − (1 − 1/K)^n) on average.
    expected = levels * -math.expm1(draws * math.log1p(-1.0 / levels)) if levels > 1 else 1.0
    used = float(np.mean(per_head))
    share = counts.double() / counts.sum(1, keepdim=True)
    perplexity = float(torch.special.entr(share).sum(1).exp().mean())
    evidence.measured["codebook"] = (
        f"{number(used)} of {levels} entries used, perplexity {number(perplexity)}"
    )
    if used >= SEEN * expected:
        return None
    return Finding(
        "dead-codes",
        "most entries of the codebook are never used: they lie where no encoder output comes, and "
        "an entry that is never chosen is never moved",
        f"{number(used)} of {levels} entries used by {draws:,} codes, where as many draws from "
        f"uniform usage would show {number(expected)}; perplexity {number(perplexity)}",
        advise(
            evidence,
            "a codebook that starts from the data and puts dead entries anew: --quantizer.start "
            "kmeans --quantizer.restart 0.05",
            "--quantizer fsq, which has no entries to die",
            "fewer entries",
        ),
        {"used": used, "levels": levels, "expected": expected, "perplexity": perplexity},
    )


def has_codebook(evidence: Evidence) -> str | None:
    """Asks for codes that are entries of a codebook."""
    why = check.codes(evidence)
    if why is not None:
        return why
    if _levels(evidence.model) is None:
        return "the codes are no entries of a codebook"
    return None


def _levels(model: Any) -> int | None:
    """K of a model of a codebook; None of others."""
    levels = getattr(model, "levels", None)
    return levels if isinstance(levels, int) and hasattr(model, "uniform_rate") else None


def _counts(evidence: Evidence, levels: int) -> Tensor:
    """How often each entry of each codebook was chosen for the test examples, ``(books, K)``."""
    model = evidence.model
    x, context = evidence.x("test"), evidence.context("test")
    parts = []
    with evaluating(model), torch.no_grad():
        for first in range(0, len(x), 128):
            c = [each[first : first + 128] for each in context]
            parts.append(posterior_mean(model.encode(x[first : first + 128], *c)))
    found = torch.cat(parts)
    if hasattr(model, "code_counts"):
        return model.code_counts(found)
    grid = tuple(getattr(model, "grid", found.shape[1:]))
    several = getattr(model, "heads", False) is True  # then the grid itself leads with them
    heads = grid[0] if several else max(1, found[0].numel() // max(1, math.prod(grid)))
    # Heads lead, as in (H, h, w): a residual codebook's first entries are no neighbours' of others.
    columns = found.reshape(len(found), heads, -1).transpose(0, 1).reshape(heads, -1)
    return torch.stack([torch.bincount(column, minlength=levels) for column in columns])


def hole(evidence: Evidence) -> Finding | None:
    """Whether codes drawn from the prior are where the decoder has ever been."""
    ours = torch.cat([_draws(evidence, split) for split in ("train", "test")])
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(evidence.seed + 1)
        theirs = evidence.model.prior().sample((len(ours),)).flatten(1)
    area, nats = told_apart(ours.numpy(), theirs.numpy(), evidence.seed)
    evidence.measured["codes against the prior"] = (
        f"told apart in {100 * area:.0f} % of pairs, KL(q(z)‖p(z)) at least {number(nats)} nats"
    )
    if area < TOLD_APART:
        return None
    numbers = {"told_apart": area, "kl_at_least": nats, "draws": len(ours)}
    beta = evidence.arguments.get("beta")
    helps = [
        f"fit a prior to the codes: --recipe two-stage --base {evidence.run.path}",
        "--prior flow in training",
        "--prior vamp in training",
    ]
    if isinstance(beta, int | float) and beta < 1.0:
        numbers["beta"] = beta
        helps = [f"--beta 1 (it is {beta:g}, so that the rate hardly counts)", *helps]
    return Finding(
        "prior-hole",
        "codes of data and codes from the prior lie apart, so that samples begin where the decoder "
        "was never trained",
        f"a classifier of codes (logistic, in their squares and products) ranks {len(ours):,} "
        f"codes of data above codes of the prior in {100 * area:.1f} % of held-out pairs (50 % "
        f"were they one); KL(q(z) ‖ p(z)) at least {number(nats)} nats",
        advise(evidence, *helps),
        numbers,
    )


def free_prior(evidence: Evidence) -> str | None:
    """Asks for a prior over numbers that depends on nothing else."""
    why = check.codes(evidence)
    if why is not None:
        return why
    if evidence.codes.index:
        return "codes are indices, of which the bound's rate says the same"
    if evidence.context("test"):
        return "the prior is one for each condition"
    count = len(evidence.x("train")) + len(evidence.x("test"))
    return None if count >= JUDGED else f"not told: {count} codes, fewer than {JUDGED}"


def _draws(evidence: Evidence, split: str) -> Tensor:
    """A code of each example, z ~ q(z|x): draws from the aggregate posterior ``(N, latent)``."""
    x = evidence.x(split)
    with evaluating(evidence.model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(evidence.seed)
        parts = [sample_with_log_prob(evidence.model.encode(p), ())[0] for p in x.split(128)]
    return torch.cat(parts).flatten(1).float()


def told_apart(ours: Array, theirs: Array, seed: int = 0) -> tuple[float, float]:
    """A classifier two-sample test, and what it says of the divergence.

    A logistic regression on codes, their squares and products (at most 40 directions, the ones of
    the greatest difference in mean or variance) is fitted to one half, and judged on the other.

    Args:
        ours: draws from q(z), ``(N, D)``.
        theirs: draws from p(z), ``(N, D)``.
        seed: of the halves.

    Returns:
        area under the receiver operating characteristic, of held-out draws: the chance that a draw
        of q is ranked above one of p; and a lower bound on KL(q‖p), nats, by Donsker and Varadhan:
        E_q[T] − log E_p[e^T], T the classifier's logit.

    References:
        Lopez-Paz & Oquab 2017, Revisiting classifier two-sample tests, arXiv 1610.06545;
        Donsker & Varadhan 1983; Rosca, Lakshminarayanan & Mohamed 2018, Distribution matching in
        variational inference, arXiv 1802.06847
    """
    from scipy.special import logsumexp
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    order = np.random.default_rng(seed).permutation(len(ours))
    ours, theirs = np.asarray(ours[order], np.float64), np.asarray(theirs, np.float64)
    scale = theirs.std(0) + 1e-12
    differs = np.abs(ours.mean(0) - theirs.mean(0)) / scale
    differs = differs + np.abs(np.log((ours.std(0) + 1e-12) / scale))
    kept = np.sort(np.argsort(-differs)[:40])
    # Far codes are as telling at 10 standard deviations as at a thousand, and fit better.
    ours, theirs = (np.clip((each[:, kept]) / scale[kept], -10, 10) for each in (ours, theirs))
    half = len(ours) // 2
    train = np.concatenate([ours[:half], theirs[:half]])
    label = np.repeat([1, 0], half)
    judge = make_pipeline(
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(C=0.05, max_iter=300),
    ).fit(train, label)
    of_ours, of_theirs = (judge.decision_function(each[half:]) for each in (ours, theirs))
    truth = np.repeat([1, 0], [len(of_ours), len(of_theirs)])
    area = float(roc_auc_score(truth, np.concatenate([of_ours, of_theirs])))
    bound = float(of_ours.mean() - (logsumexp(of_theirs) - np.log(len(of_theirs))))
    return area, max(0.0, bound)


CHECKS = (
    Check("posterior collapse", check.codes, collapsed),
    Check("codebook", has_codebook, dead_codes),
    Check("prior and codes", free_prior, hole),
)
