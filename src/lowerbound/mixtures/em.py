"""Expectation maximization, an iteration at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import LowerboundError, nearest
from .model import GaussianMixture
from .start import kmeans_plus_plus, lloyd, sample, squared_distances
from .steps import Mixture, e_step, m_step, reseed, sums_of
from .units import Sweep, Units, measure

Start = Literal["k-means++", "random", "model"]

# Rows that starts are tried on, and at least so many for each component.
_SAMPLE, _SAMPLE_EACH = 10_000, 50
_LLOYD_STEPS = 20
_TRIAL_STEPS = 10
_TIE = 1e-6  # nats per example


class Iteration(dict[str, float]):
    """What one iteration of :func:`em` tells; each value under its name.

    ``log_likelihood``, mean log p(x), nats per example; ``smallest_weight``; ``at_floor``,
    components whose variance the floor holds up; ``reseeded``, empty components that the last
    M step had left and that were put elsewhere.
    """

    @property
    def log_likelihood(self) -> float:
        """Mean log p(x) of the model as it stands, nats per example."""
        return self["log_likelihood"]


@torch.no_grad()
def em(
    model: GaussianMixture,
    sweep: Sweep,
    *,
    start: Start = "k-means++",
    means: Tensor | None = None,
    responsibilities: Tensor | None = None,
    restarts: int = 5,
    floor: float = 1e-6,
    tolerance: float = 1e-4,
    max_iterations: int = 200,
    seed: int | None = None,
) -> Iterator[Iteration]:
    """Fit a mixture to the maximum of its likelihood; a generator that ends when it has converged.

    An iteration is one pass over the data. What it yields is true of the model *as it stands at
    that moment*: the pass measures the log-likelihood of the parameters that the model holds, and
    the M step changes them only when the next iteration is asked for. The first iteration is hence
    that of the start, ``n`` M steps make ``n + 1`` iterations, and the last one's value is that of
    the fitted model. It never falls (but for re-seeding, which raises it too, and for rounding).

    The start: of ``restarts`` drawn ones, each moved by ten EM steps on a sample of about 10,000
    examples, the one of greatest likelihood there (Biernacki et al. 2003).

    A component that explains no example any more is put at the example that the mixture explains
    worst, where this raises the likelihood. Eigenvalues of a covariance are kept at or above
    the floor; ``model.at_floor`` and ``model.collapsed`` tell where it came to that.

    Args:
        model: its parameters are set; its dtype and device are kept, all sums are float64.
        sweep: starts one pass over the data, batches ``(n, *event_shape)`` of any size. Every
            pass must bring the same examples in the same order.
        start: ``k-means++``; ``random``, examples as means; ``model``, the parameters that the
            model has.
        means: means to start from, ``(K, *event_shape)``, in place of ``start``: every example
            belongs to the nearest at first.
        responsibilities: those to start from, ``(N, K)``, in the data's order; for example one-hot
            labels.
        restarts: starts to choose from.
        floor: least variance in any direction, as a part of the data's variance (in each number of
            an example; of their mean where covariances are spherical). 0 for none: then a
            component that collapses is an error.
        tolerance: it has converged when an M step raises the log-likelihood by less, nats
            per example.
        max_iterations: M steps, at most.
        seed: of the draws of the start; None takes one from torch's generator.

    Yields:
        `Iteration`, a dict of numbers.

    Raises:
        LowerboundError: more components than (different) examples, data that are constant or not
            finite, a component that collapses without a floor.

    References:
        Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm,
        JRSS B 39(1); Biernacki, Celeux & Govaert 2003, Choosing starting values for the EM
        algorithm, CSDA 41; Hathaway 1985, on constrained variances, Annals of Statistics 13(2)

    >>> x = torch.cat([torch.randn(100, 2) - 4, torch.randn(100, 2) + 4])
    >>> model = GaussianMixture((2,), components=2, covariance="tied")
    >>> steps = list(em(model, lambda: [x]))
    >>> steps[-1].log_likelihood > -5, model.weights
    (True, tensor([0.5000, 0.5000]))
    """
    _check(start, restarts, floor, tolerance, max_iterations)
    kind = model.covariance
    units = measure(sweep, model.event_shape, common=kind == "spherical", total=kind == "tied")
    if units.count < model.components:
        raise LowerboundError(
            f"components: expected at most {units.count}, one for each example, came "
            f"{model.components}; pass fewer components"
        )
    if responsibilities is not None:
        mixture = _from_responsibilities(model, units, sweep, responsibilities, floor)
    elif means is None and start == "model":
        mixture = _from_model(model, units)
    else:
        mixture = _from_sample(model, units, sweep, start, means, restarts, floor, seed)
    before, moved = -float("inf"), False
    for iteration in range(max_iterations + 1):
        _write(model, mixture, units)
        sums = e_step(mixture, units.flat(sweep))
        log_likelihood = float(sums.log_likelihood) / units.count + units.log_jacobian
        yield Iteration(
            log_likelihood=log_likelihood,
            smallest_weight=float(mixture.weights.min()),
            at_floor=float(mixture.at_floor.sum()),
            reseeded=float(moved),
        )
        if iteration == max_iterations or (log_likelihood - before < tolerance and not moved):
            return
        before = log_likelihood
        mixture, moved = m_step(mixture, sums, floor, units.total), False
        if bool(mixture.empty.any()):
            mixture, moved = reseed(mixture, units.flat(sweep), units.count)


def _check(start: str, restarts: int, floor: float, tolerance: float, max_iterations: int) -> None:
    known = get_args(Start)
    if start not in known:
        hint = nearest(str(start), known) or f"; pass one of {', '.join(known)}"
        raise LowerboundError(f"start: expected one of {', '.join(known)}, came {start!r}{hint}")
    if restarts < 1 or max_iterations < 0 or not tolerance >= 0:
        raise LowerboundError(
            f"expected restarts of at least 1, max_iterations and tolerance of at least 0, came "
            f"restarts={restarts}, max_iterations={max_iterations}, tolerance={tolerance}"
        )
    if not 0 <= floor < 1:
        raise LowerboundError(
            f"floor: expected a part of the data's variance, from 0 to below 1, came {floor:g}; "
            f"pass floor=1e-6"
        )


def _from_model(model: GaussianMixture, units: Units) -> Mixture:
    """What the model holds, in the units of the fit."""
    weights, means, scale = (t.to(units.centre) for t in (model.weights, model.means, model.scale))
    kind, size = model.covariance, model.means.shape[1]
    if kind in ("full", "tied"):
        scale = scale / units.scale.unsqueeze(1)
        covariances = (scale @ scale.mT).reshape(-1, size, size)
    elif kind == "diagonal":
        covariances = (scale / units.scale).square()
    else:
        covariances = (scale / units.scale[0]).square().unsqueeze(1)
    none = torch.zeros(len(means), dtype=torch.bool, device=means.device)
    means = (means - units.centre) / units.scale
    return Mixture(kind, weights / weights.sum(), means, covariances, none, none)


def _like_data(model: GaussianMixture, units: Units) -> Mixture:
    """Every component as wide as the data."""
    count, size = model.means.shape
    means = units.centre.new_zeros(count, size)
    identity = torch.eye(size, dtype=means.dtype, device=means.device)
    covariances = {
        "full": lambda: identity.repeat(count, 1, 1),
        "tied": lambda: identity.unsqueeze(0),
        "diagonal": lambda: torch.ones_like(means),
        "spherical": lambda: means.new_ones(count, 1),
    }[model.covariance]()
    none = torch.zeros(count, dtype=torch.bool, device=means.device)
    weights = means.new_full((count,), 1.0 / count)
    return Mixture(model.covariance, weights, means, covariances, none, none)


def _from_responsibilities(
    model: GaussianMixture, units: Units, sweep: Sweep, given: Tensor, floor: float
) -> Mixture:
    """One M step from what somebody else holds each example to be."""
    if given.shape != (units.count, model.components):
        raise LowerboundError(
            f"responsibilities: expected shape ({units.count}, {model.components}), one for each "
            f"example and component, came {tuple(given.shape)}"
        )
    given = given.to(units.centre)

    def both() -> Iterator[tuple[Tensor, Tensor]]:
        first = 0
        for u in units.flat(sweep):
            yield u, given[first : first + len(u)]
            first += len(u)

    like = _like_data(model, units)
    return m_step(like, sums_of(both(), like), floor, units.total)


def _from_sample(
    model: GaussianMixture,
    units: Units,
    sweep: Sweep,
    start: Start,
    means: Tensor | None,
    restarts: int,
    floor: float,
    seed: int | None,
) -> Mixture:
    """The best of several starts, each tried on a sample."""
    drawn = int(torch.randint(2**62, ())) if seed is None else seed
    generator = torch.Generator().manual_seed(drawn)
    count, size = model.means.shape
    most = max(_SAMPLE, _SAMPLE_EACH * count)
    u = sample(units.flat(sweep), units.count, most, generator)
    total = u.mT @ u / len(u) if model.covariance == "tied" else None
    like = _like_data(model, units)
    best, best_value, trouble = None, -float("inf"), None
    for _ in range(1 if means is not None else restarts):
        if means is not None:
            if means.numel() != count * size:
                raise LowerboundError(
                    f"means: expected shape ({count}, {', '.join(map(str, model.event_shape))}), "
                    f"came {tuple(means.shape)}"
                )
            centres = (means.reshape(count, size).to(units.centre) - units.centre) / units.scale
        elif start == "random":
            chosen = torch.randperm(len(u), generator=generator)[:count]
            centres = u[chosen.to(u.device)]
        else:
            centres = lloyd(u, kmeans_plus_plus(u, count, generator), _LLOYD_STEPS)
        own = squared_distances(u, centres).argmin(1)
        belongs = torch.nn.functional.one_hot(own, count).to(u)
        try:
            like.means.copy_(centres)
            # A handful of rows has no covariance of its own yet: some of the average helps.
            found = m_step(like, sums_of([(u, belongs)], like), floor, total, prior=size + 1.0)
            value, tries = 0.0, 0 if restarts == 1 or means is not None else _TRIAL_STEPS
            for _ in range(tries):
                sums = e_step(found, [u])
                value, found = float(sums.log_likelihood), m_step(found, sums, floor, total)
        except LowerboundError as error:  # without a floor a start may collapse, and others not
            trouble = error
            continue
        # Starts that reach the same maximum differ by rounding: the first of them is taken.
        if best is None or value > best_value + _TIE * len(u):
            best, best_value = found, value
    if best is None:
        assert trouble is not None
        raise trouble
    return best


def _write(model: GaussianMixture, mixture: Mixture, units: Units) -> None:
    """The parameters in the data's units, into the model's buffers."""
    covariances, kind = mixture.covariances, mixture.covariance
    if kind in ("full", "tied"):
        scale = torch.linalg.cholesky(covariances) * units.scale.unsqueeze(1)
        scale = scale[0] if kind == "tied" else scale
    else:
        scale = covariances.sqrt() * units.scale
        scale = scale[:, 0] if kind == "spherical" else scale
    model.weights.copy_(mixture.weights)
    model.means.copy_(units.centre + units.scale * mixture.means)
    model.scale.copy_(scale)
    model.at_floor.copy_(mixture.at_floor)
