"""Whether the likelihood is one of such data, fits its errors, and beats what costs nothing."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..data import Prepare
from ..distributions.families import LOG_SCALE_RANGE
from ..evaluation.codes import posterior_mean
from ..evaluation.decoding import evaluating
from . import check
from .advice import advise, has
from .check import Check
from .codes import given_up
from .evidence import Evidence
from .finding import Finding, number

#: σ is off where it is wrong by more than a factor of two on held-out data.
OFF = 2.0
#: Of a column's standard deviation: a density that knows three digits of a number.
SHARP = 1e-3
#: The same of a number that repeats: on its way there, as nothing holds it.
NARROW = 0.02
#: Of a column, the share that has one value: it is an atom, which no density describes.
REPEATED = 0.05
#: Share of the numbers of which this has to be true.
MANY = 0.02
#: Of the energy of the finest detail: half its amplitude.
FINE = 0.25
_FEW = 20  # columns of which a mixture of normals is fitted in a second
_COMPONENTS = 10
_FITS = {
    "binary": "bernoulli",
    "levels": "discretized-logistic",
    "unit": "continuous-bernoulli",
    "real": "gaussian",
    "categories": "categorical",
}


def wrong(evidence: Evidence) -> Finding | None:
    """Whether the likelihood is no distribution of such data."""
    model, spec = evidence.model, evidence.spec
    family = getattr(getattr(model, "likelihood", None), "family", None)
    supports = getattr(family, "supports", None)
    reason = getattr(model, "no_likelihood", None)
    if family is None or supports is None or spec.support in supports:
        return None
    if not supports and not has(evidence, "likelihood"):
        # Of such decoders no data are: the recipe does without a likelihood, and nothing is wrong.
        evidence.measured["log p(x)"] = f"none: {reason}"
        return None
    told = getattr(family, "not_a_likelihood", {}).get(spec.support)
    name = type(family).__name__
    low, high = number(spec.low), number(spec.high)
    levels = f"{spec.levels} levels" if spec.levels else "continuous values"
    helps = [f"--likelihood {_FITS.get(spec.support, 'auto')}"]
    if name == "Bernoulli":
        helps += ["or --binarize stochastic, to make the data what a Bernoulli is of"]
    elif name == "Gaussian":
        helps += ["or --dequantize uniform, to give the data a density"]
    of = f"of {' or '.join(sorted(supports))} data" if supports else "of no data"
    return Finding(
        "wrong-likelihood",
        f"a {name} is no likelihood of such data: {told or reason}. Its loss is no −log p(x), can "
        "be compared with nothing, and its best parameters are others than those of the data",
        f"data with {levels} from {low} to {high} ({spec.support}); the likelihood is one {of}",
        advise(evidence, *helps),
        {"family": name, "support": spec.support},
    )


def gaussian(evidence: Evidence) -> str | None:
    """Asks for a decoder with a mean and a σ."""
    why = check.codes(evidence) or check.likelihood(evidence)
    if why is not None:
        return why
    if _likelihood_at(evidence, evidence.x("test")[:2], evidence.context("test")) is None:
        return "the likelihood has no σ"
    return None


def _likelihood_at(evidence: Evidence, x: Tensor, context: Any) -> tuple[Tensor, Tensor] | None:
    """Mean and σ at the posterior's means, ``(N, *event)`` each; None where there is no σ."""
    model = evidence.model
    context = tuple(c[: len(x)] for c in context)
    with evaluating(model), torch.no_grad():
        parts = []
        for first in range(0, len(x), 128):
            c = [each[first : first + 128] for each in context]
            codes = posterior_mean(model.encode(x[first : first + 128], *c))
            found = model.decode(codes, *c)
            if not hasattr(found, "loc") or not hasattr(found, "scale"):
                return None
            parts.append((found.mean, found.scale.expand_as(found.mean)))
    means, sigmas = zip(*parts, strict=True)
    return torch.cat(means), torch.cat(sigmas)


def repeated(x: Tensor) -> Tensor:
    """Which numbers have the very value of many others of their column: ``(N, D)`` to bool.

    >>> repeated(torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 4.0]]))[:, 0].tolist()
    [True, True, False]
    """
    found = torch.zeros_like(x, dtype=torch.bool)
    for d, column in enumerate(x.T):
        _, place, count = column.unique(return_inverse=True, return_counts=True)
        found[:, d] = count[place] > max(1.0, REPEATED * len(x))
    return found


def sigma_vanishes(evidence: Evidence) -> Finding | None:
    """Whether the likelihood grows by certainty about numbers that repeat themselves."""
    x = evidence.x("test")
    found = _likelihood_at(evidence, x, evidence.context("test"))
    assert found is not None
    _, sigma = found
    spread = x.flatten(1).std(0) if len(x) > 1 else torch.ones(x[0].numel())
    relative = sigma.flatten(1) / spread.clamp_min(1e-12)
    floor = sigma.flatten(1) < 2.0 * math.exp(LOG_SCALE_RANGE[0])
    sharp = (relative < SHARP) | floor | (repeated(x.flatten(1)) & (relative < NARROW))
    share = float(sharp.float().mean())
    least = float(sigma.min())
    evidence.measured["σ"] = (
        f"{number(float(sigma.median()))} in the middle, {number(least)} at least"
    )
    if share < MANY:
        return None
    columns = [int(c) for c in (sharp.float().mean(0) > MANY).nonzero().flatten()]
    gained = float(-(relative.clamp_min(1e-12).log() * sharp).sum(1).mean())
    return Finding(
        "sigma-vanishes",
        "σ runs towards zero where numbers repeat themselves or follow from others, and a density "
        "grows there without limit: −log p(x) falls without anything being learned",
        f"{100 * share:.1f} % of held-out numbers have a σ below {SHARP:g} of their column's "
        f"spread, or below {NARROW:g} of it where they repeat (least {number(least)}), in "
        f"{len(columns)} of {relative.shape[1]} columns; about "
        f"{number(gained)} nats of log p(x) come from there",
        advise(
            evidence,
            "--likelihood.sigma optimal or --likelihood.sigma fixed --likelihood.value 0.1",
            "--dequantize uniform where the data are rounded",
            "leave out columns that never vary",
        ),
        {"share": share, "columns": columns[:50], "least": least, "gained": gained},
    )


def sigma_off(evidence: Evidence) -> Finding | None:
    """Whether errors on held-out data are of the size that σ says."""
    x = evidence.x("test")
    found = _likelihood_at(evidence, x, evidence.context("test"))
    assert found is not None
    mean, sigma = found
    # E[(x − μ)² / σ²] = 1 where σ is right; its root is the factor by which errors are larger. A σ
    # that all numbers share is right of them together: where it is the best one, some columns err
    # by more and others by less. Where each has its own, the median over columns: one is no rule.
    sigma = sigma.flatten(1)
    shared = bool((sigma == sigma[:, :1]).all())
    squares = ((x - mean).flatten(1) / sigma).double().square().mean(0)
    factor = float(squares.mean().sqrt() if shared else squares.sqrt().median())
    evidence.measured["errors in units of σ"] = number(factor)
    if 1.0 / OFF <= factor <= OFF:
        return None
    # log density of N(0, (fσ)²) data under N(0, σ²) against under its own: (f² − 1)/2 − log f.
    best = math.log(factor) if factor > 0 else -math.inf
    cost = evidence.spec.dimensions * ((factor**2 - 1.0) / 2.0 - best)
    variance = x.flatten(1).double().var(0)
    spread = (variance.mean() if shared else variance).sqrt().clamp_min(1e-12)
    explodes = float((sigma / spread).median())
    how = "larger" if factor < 1 else "smaller"
    if factor > 0:
        times = 1 / factor if factor < 1 else factor
        says = f"σ is {number(times)} times {how} than the model's errors on held-out data"
    else:
        says = f"σ is {number(float(sigma.median()))}, and the model makes no errors at all"
    if explodes > OFF:
        says = f"σ has grown to {number(explodes)} times the spread of the data themselves; " + says
    kind = evidence.arguments.get("likelihood")
    fixed = isinstance(kind, dict) and kind.get("sigma") == "fixed"
    helps = ["--likelihood.sigma optimal, the maximizer of the bound, which follows the errors"]
    if factor > 1 and not fixed:
        helps += ["the errors are larger than in training: more data, a smaller model"]
    return Finding(
        "sigma-off",
        says,
        f"root mean square of (x − mean)/σ is {number(factor)}"
        f"{'' if shared else ' in the middle column'}, 1 where σ is right; about "
        f"{number(cost)} nats of log p(x) are lost by it",
        advise(evidence, *helps),
        {"factor": factor, "cost": cost, "of_spread": explodes},
    )


def beaten(evidence: Evidence) -> Finding | None:
    """Whether a description that costs nothing is better than the model."""
    reference = _reference(evidence)
    assert reference is not None
    name, values = reference
    ours = evidence.values.double()
    paired = values[: len(ours)] - ours
    ahead = float(paired.mean())
    error = float(paired.std()) / math.sqrt(len(paired)) if len(paired) > 1 else math.inf
    evidence.measured[f"against {name}"] = (
        f"{number(-ahead)} ± {number(error)} nats better" if ahead < 0 else f"{number(ahead)} worse"
    )
    if ahead <= 3.0 * error:  # once in a thousand by chance
        return None
    rate = None
    if evidence.probabilistic and not evidence.codes.index:
        rate = float(evidence.log_likelihood.rate.mean())
    text = (
        f"−log p(x) {number(-float(ours.mean()))} nats held out, of {name} "
        f"{number(-float(values[: len(ours)].mean()))}: {number(ahead)} ± {number(error)} better "
        "on the same examples"
    )
    numbers = {"ahead": ahead, "error": error, "rate": rate}
    # Codes that do not even part the data in two, and more is left unsaid than they say. Of a model
    # that knows its posterior they say what the best such model says: it is too simple.
    if rate is not None and not evidence.exact and rate < min(ahead, math.log(2.0)):
        says = "the codes say less of the data than what the model misses: it has settled on "
        says += "little more than their mean and spread, and the objective keeps it there"
        return given_up(evidence, says, f"{text}; rate {number(rate)} nats", numbers)
    return Finding(
        "underfitting",
        f"the data are described better by {name} than by the model",
        text,
        _richer(evidence),
        numbers,
    )


def _richer(evidence: Evidence) -> str:
    """More to describe data with, by options that the recipe has."""
    told = evidence.arguments
    few = evidence.spec.dimensions <= _FEW and evidence.spec.kind == "vector"
    pieces = ["a flow, whose density is exact: --recipe neural-spline"] if few else []
    count, size = told.get("components"), told.get("latent_dim")
    if isinstance(count, int):
        pieces = [f"--components {2 * count} (it is {count})", *pieces]
    if told.get("covariance") in ("tied", "diagonal", "spherical"):
        pieces.append(f"--covariance full (it is {told['covariance']})")
    if size is None and evidence.probabilistic:
        size = math.prod(evidence.model.latent_shape)
    linear = evidence.exact and evidence.solved and "latent_dim" in told
    if isinstance(size, int) and not (linear and 2 * size >= evidence.spec.dimensions):
        pieces.append(f"--latent-dim {2 * size} (it is {size})")
    if linear:
        pieces.append("a decoder that is not linear: --recipe vae")
    elif has(evidence, "posterior"):
        pieces += ["--recipe iwae", "--prior gaussian-mixture"]
    return advise(evidence, *pieces, "a wider network: --hidden 256,256")


def has_reference(evidence: Evidence) -> str | None:
    """Asks for a likelihood of x alone and something to hold it against."""
    why = check.likelihood(evidence)
    if why is not None:
        return why
    if evidence.context("test"):
        return "the model is given something, which the reference is not"
    if evidence.spec.support == "categories" or _reference(evidence) is None:
        return "there is no reference for such data"
    return None


def _reference(evidence: Evidence) -> tuple[str, Tensor] | None:
    """A density that is fitted in a second, and log p of the test examples under it, stored units.

    Few real columns: a mixture of ten normals. Levels and binary numbers: each its own histogram,
    with one count added to every level (Laplace).
    """
    spec = evidence.spec
    train, test = evidence.x("train"), evidence.x("test")
    if spec.support in ("binary", "levels") and spec.levels != 1:
        levels = 2 if spec.support == "binary" else int(spec.levels or 2)
        top = levels - 1
        seen, asked = ((x.flatten(1) * top).round().long().clamp(0, top) for x in (train, test))
        counts = torch.nn.functional.one_hot(seen, levels).sum(0).double() + 1.0
        log_p = (counts / counts.sum(1, keepdim=True)).log()
        values = log_p.gather(1, asked.T).sum(0)
        return "independent histograms of each number", values + spec.log_jacobian
    if spec.support in ("real", "unit") and spec.dimensions <= _FEW and spec.kind == "vector":
        return _mixture(train, test, spec.log_jacobian, evidence.seed)
    return None


def _mixture(train: Tensor, test: Tensor, shift: float, seed: int) -> tuple[str, Tensor] | None:
    import warnings

    from sklearn.mixture import GaussianMixture

    count = min(_COMPONENTS, len(train) // (10 * train.shape[1]))
    if count < 1:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that has not converged is a reference as well
        # A floor under the variances, so that no component sits on one point.
        found = GaussianMixture(count, random_state=seed, reg_covar=1e-4, max_iter=100)
        found.fit(train.double().numpy())
    values = torch.from_numpy(found.score_samples(test.double().numpy()))
    name = f"a mixture of {count} normals" if count > 1 else "one normal"
    return name, values + shift


def blur(evidence: Evidence) -> Finding | None:
    """Whether reconstructions have the fine detail of the data."""
    model = evidence.model
    x, context = evidence.x("test")[:200], tuple(c[:200] for c in evidence.context("test"))
    with evaluating(model), torch.no_grad():
        found = model.decode(posterior_mean(model.encode(x, *context)), *context).mean
    prepare = Prepare(evidence.spec)
    data, made = prepare.unit(x).double(), prepare.unit(found).double()
    ratio = float(_fine(made) / _fine(data).clamp_min(1e-12))
    evidence.measured["fine detail kept"] = f"{100 * ratio:.0f} % of its energy"
    if ratio >= FINE:
        return None
    return Finding(
        "blur",
        "reconstructions lack the fine detail of the data",
        f"energy of the finest detail (variance of the Laplacian) of held-out reconstructions is "
        f"{100 * ratio:.0f} % of the data's",
        _sharper(evidence),
        {"kept": ratio},
    )


def _sharper(evidence: Evidence) -> str:
    told = evidence.arguments
    count, beta = told.get("components"), told.get("beta")
    pieces: list[str] = []
    if isinstance(count, int):
        pieces.append(f"--components {2 * count} (it is {count}: each has one picture)")
    if "latent_dim" in told:
        size = math.prod(evidence.model.latent_shape)
        pieces.append(f"--latent-dim {2 * size} (it is {size})")
    if isinstance(beta, int | float) and beta > 1.0:
        pieces.append(f"--beta 1 (it is {beta:g})")
    if has(evidence, "posterior"):
        pieces += ["--network conv with wider --hidden", "--recipe hierarchical-vae"]
    return advise(evidence, *pieces)


def images(evidence: Evidence) -> str | None:
    """Asks for grey or coloured images and a decoder with a mean."""
    if evidence.model is None:
        return "there is no trained model"
    if evidence.spec.kind != "image" or evidence.spec.support == "binary":
        return "the data are no images of grey or colour"
    able = all(hasattr(evidence.model, name) for name in ("encode", "decode"))
    if not able or getattr(evidence.model, "bijective", False):
        return "the model makes no reconstructions"
    if min(evidence.spec.event_shape[-2:]) < 5:
        return "the images are too small"
    return check.enough(evidence)


def _fine(images: Tensor) -> Tensor:
    """Mean over images of the variance of the Laplacian, ``(N, C, H, W)`` to ``()``."""
    inner = images[..., 1:-1, 1:-1]
    around = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    around = around + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return (4.0 * inner - around).flatten(1).var(1).mean()


CHECKS = (
    Check("likelihood of such data", check.model, wrong),
    Check("σ towards zero", gaussian, sigma_vanishes),
    Check("σ and errors", gaussian, sigma_off),
    Check("against a simple density", has_reference, beaten),
    Check("blur", images, blur),
)
