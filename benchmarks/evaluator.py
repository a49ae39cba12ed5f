"""One evaluator of log p(x) for weights of any library: MLPs 784-512-20-512-784 with ReLU.

Weights travel as an .npz of float32 arrays in the names of `benchmarks.model`: ``encoder.hidden``,
``encoder.loc``, ``encoder.log_scale`` (none in an autoencoder), ``decoder.hidden`` and
``decoder.logits``, each with ``.weight`` (out, in) and ``.bias``. Beside them ``pseudo_inputs``
(K, 784) make the prior a VampPrior, and ``mixture.weights`` (K,), ``mixture.means`` (K, 20) and
``mixture.covariances`` (K, 20, 20) are a Gaussian mixture over an autoencoder's codes.

Whatever trained them, the model that is measured is built here, and measured by
`lowerbound.estimate_log_likelihood` in float32 with the same noise.

An autoencoder has no likelihood. Its decoder and the mixture of its codes are measured in two ways:
as p(x) = ∫ Bernoulli(x; f(z)) p(z) dz, a probability of the binary images, for squared error has
E[x|z] for its minimum as the Bernoulli likelihood has; and as the density with N(x; f(z), σ² I) in
its place, σ² the mean squared error on training images. Importance samples of both are drawn from
N(mode, s² H⁻¹) around the posterior's mode (Laplace's approximation: Gauss–Newton steps from the
code g(x)), with s the one of a few that raises the bound of training images most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

import lowerbound
from lowerbound.distributions import (
    Bernoulli,
    DiagonalGaussian,
    FullNormal,
    Gaussian,
    GaussianMixtureDistribution,
    Head,
    StandardNormal,
)
from lowerbound.mixtures import GaussianMixture

from .model import CODES, HIDDEN, PIXELS

Pixels = Literal["bernoulli", "gaussian"]

#: Factors s of the proposal's standard deviations that are tried.
WIDENED = (0.8, 1.0, 1.2, 1.5, 2.0)
_TRIED, _TRIED_SAMPLES = 200, 100
_ERRORS = 10_000  # training images that give σ²
_STEPS, _AT_ONCE = 12, 250
_DAMPING = (1e-3, 10.0, 0.3)  # at first; after a step that failed; after one that did not


@dataclass(frozen=True)
class Measured:
    """log p(x) of test images.

    Args:
        values: nats, (N,).
        ess: mean effective sample size.
        note: how it was measured, where that is the model's own.
    """

    values: np.ndarray
    ess: float
    note: str = ""


def measure(
    weights: Mapping[str, np.ndarray] | Path,
    test: np.ndarray,
    train: np.ndarray,
    *,
    samples: int,
    pixels: Pixels = "bernoulli",
) -> Measured:
    """Estimate log p(x) of test images (N, 784) with 0 and 1 for pixels.

    Args:
        weights: arrays by name, or the file that holds them.
        test: images that are measured.
        train: images of the same kind that trained it; those that set the proposal.
        samples: k.
        pixels: the likelihood of an autoencoder's output.
    """
    if isinstance(weights, Path):
        with np.load(weights) as file:
            weights = dict(file)
    given = {name: torch.from_numpy(np.array(value)).float() for name, value in weights.items()}
    x, seen = (torch.from_numpy(some).float() for some in (test, train))
    if "mixture.means" not in given:
        found = lowerbound.estimate_log_likelihood(latent_model(given), x, samples=samples)
        return Measured(found.values.numpy(), float(found.ess.mean()))
    model, sigma = autoencoder(given, seen[:_ERRORS], pixels)

    def estimated(x: Tensor, mode: Tensor, root: Tensor, widened: float, samples: int) -> Any:
        return lowerbound.estimate_log_likelihood(model, x, mode, widened * root, samples=samples)

    few = seen[:_TRIED], *model.laplace(seen[:_TRIED])
    bounds = {s: float(estimated(*few, s, _TRIED_SAMPLES).values.mean()) for s in WIDENED}
    widened = max(bounds, key=lambda each: bounds[each])
    found = estimated(x, *model.laplace(x), widened, samples)
    note = f"s = {widened:g}" + (f", σ = {sigma:.3f}" if pixels == "gaussian" else "")
    return Measured(found.values.numpy(), float(found.ess.mean()), note)


def latent_model(given: Mapping[str, Tensor]) -> lowerbound.LatentModel:
    """The latent-variable model of these weights."""
    encoder = _mlp(given, "encoder", ("loc", "log_scale"))
    posterior = Head(encoder, DiagonalGaussian((CODES,)))
    prior: nn.Module = StandardNormal((CODES,))
    if "pseudo_inputs" in given:
        with torch.no_grad():
            prior = _Posteriors(posterior(given["pseudo_inputs"]))
    likelihood = Head(_mlp(given, "decoder", ("logits",)), Bernoulli((PIXELS,)))
    return lowerbound.LatentModel(
        prior, likelihood, posterior, event_shape=(PIXELS,), latent_shape=(CODES,)
    ).eval()


class _Posteriors(nn.Module):
    """The equal mixture of posteriors at pseudo-inputs, which are fixed by now."""

    def __init__(self, parts: Any) -> None:
        super().__init__()
        self.loc, self.scale = parts.loc, parts.scale.expand_as(parts.loc)
        self.event_shape = (CODES,)

    def forward(self) -> GaussianMixtureDistribution:
        logits = torch.zeros_like(self.loc[:, 0])
        return GaussianMixtureDistribution(logits, self.loc, self.scale, 1)


def autoencoder(
    given: Mapping[str, Tensor], seen: Tensor, pixels: Pixels
) -> tuple[LaplaceModel, float]:
    """The density that an autoencoder and a mixture of its codes make, and its σ."""
    encoder, decoder = _mlp(given, "encoder", ("loc",)), _mlp(given, "decoder", ("logits",))
    with torch.no_grad():
        sigma = float((decoder(encoder(seen)).sigmoid() - seen).square().mean().sqrt())
    weights, means, covariances = (
        given[f"mixture.{name}"] for name in ("weights", "means", "covariances")
    )
    mixture = GaussianMixture((CODES,), len(means)).set_(weights, means, covariances)
    if pixels == "bernoulli":
        likelihood = Head(decoder, Bernoulli((PIXELS,)))
    else:
        decoder = nn.Sequential(decoder, nn.Sigmoid())
        likelihood = Head(decoder, Gaussian((PIXELS,), sigma="fixed", value=sigma))
    return LaplaceModel(mixture, likelihood, encoder, deviation(pixels, sigma)).eval(), sigma


def deviation(pixels: Pixels, sigma: float) -> Callable[[Tensor], Tensor]:
    """From raw outputs to the standard deviation of their log-likelihood's gradient, the root of
    Fisher's information of each."""
    if pixels == "gaussian":
        return lambda raw: torch.full_like(raw, 1.0 / sigma)
    return lambda raw: (0.5 * raw).cosh().reciprocal() * 0.5  # the root of p (1 − p)


class LaplaceModel(nn.Module):
    """A mixture p(z), a likelihood p(x|z), and Laplace's approximation for a posterior.

    Args:
        mixture: p(z).
        likelihood: p(x|z), a head on ``(N, D)`` codes with one raw output for each pixel.
        start: where the search for the mode begins, ``(N, P)`` to ``(N, D)``.
        deviation: from raw outputs ``(N, P)`` to the root of their Fisher information.
    """

    def __init__(
        self,
        mixture: GaussianMixture,
        likelihood: Head,
        start: nn.Module,
        deviation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.prior = mixture.as_prior()
        self.likelihood, self.start, self.deviation = likelihood, start, deviation
        self.event_shape = tuple(likelihood.event_shape)
        self.latent_shape = tuple(mixture.event_shape)

    def encode(self, x: Tensor, mode: Tensor, root: Tensor) -> FullNormal:
        """N(mode, root rootᵀ), both found beforehand for these data."""
        return FullNormal(mode, root)

    def decode(self, z: Tensor, *found: Tensor) -> Any:
        """p(x|z)."""
        return self.likelihood(z)

    def laplace(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Modes ``(N, D)`` and the roots ``(N, D, D)`` of their inverse curvatures."""
        modes, roots = zip(*(self._laplace(some) for some in x.split(_AT_ONCE)), strict=True)
        return torch.cat(modes), torch.cat(roots)

    @torch.no_grad()
    def _laplace(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mode of log p(x, z), and the root of H⁻¹, H the Gauss–Newton precision there.

        p(z) is the component that is likeliest at the start. Damped steps (Levenberg–Marquardt,
        each datum with a damping of its own) are kept where they raise log p(x, z).
        """
        z = self.start(x)
        mixture = self.prior.mixture
        own = mixture.responsibilities(z).argmax(-1)
        mean = mixture.means[own]
        precision = torch.linalg.inv(mixture.covariances)[own]

        def joint(z: Tensor) -> Tensor:
            apart = z - mean
            rate = 0.5 * (apart * (precision @ apart.unsqueeze(-1)).squeeze(-1)).sum(-1)
            return self.decode(z).log_prob(x) - rate

        first, worse, better = _DAMPING
        damping = torch.full_like(z[:, 0], first)
        value = joint(z)
        gradient, curvature = self._local(z, x, mean, precision)
        for _ in range(_STEPS):
            diagonal = curvature.diagonal(dim1=-2, dim2=-1)
            damped = curvature + torch.diag_embed(damping.unsqueeze(-1) * diagonal)
            there = z + torch.linalg.solve(damped, gradient)
            found = joint(there)
            good = found > value
            z = torch.where(good.unsqueeze(-1), there, z)
            value = torch.where(good, found, value)
            damping = damping * torch.where(good, better, worse)
            gradient, curvature = self._local(z, x, mean, precision)
        root = torch.linalg.cholesky(torch.linalg.inv(curvature))
        return z, root

    def _local(
        self, z: Tensor, x: Tensor, mean: Tensor, precision: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradient of log p(x, z) in z, and the Gauss–Newton precision."""
        raw, jacobian = linearized(self.likelihood.network, z)
        with torch.enable_grad():
            leaf = raw.detach().requires_grad_()
            family = self.likelihood.family(leaf)
            (slope,) = torch.autograd.grad(family.log_prob(x).sum(), leaf)
        pull = (precision @ (mean - z).unsqueeze(-1)).squeeze(-1)
        gradient = (jacobian.mT @ slope.unsqueeze(-1)).squeeze(-1) + pull
        rooted = self.deviation(raw).unsqueeze(-1) * jacobian
        return gradient, rooted.mT @ rooted + precision


def linearized(network: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    """A plain network's output at codes and its Jacobian: ``(N, D)`` to ``(N, P)``, ``(N, P, D)``.

    Args:
        network: `nn.Linear`, `nn.ReLU` and `nn.Sigmoid`, one after the other.
        z: codes.
    """
    slopes = torch.eye(z.shape[-1]).expand(len(z), -1, -1)  # (N, D, width)
    for layer in network.modules():
        if isinstance(layer, nn.Sequential):
            continue
        z = layer(z)
        if isinstance(layer, nn.Linear):
            slopes = slopes @ layer.weight.mT
        elif isinstance(layer, nn.ReLU):
            slopes = slopes * (z > 0).unsqueeze(-2)
        elif isinstance(layer, nn.Sigmoid):
            slopes = slopes * (z * (1 - z)).unsqueeze(-2)
        else:
            raise TypeError(f"expected Linear, ReLU or Sigmoid, came {type(layer).__name__}")
    return z, slopes.mT


def _mlp(given: Mapping[str, Tensor], side: str, outputs: tuple[str, ...]) -> nn.Sequential:
    """One hidden layer of ReLU, and outputs side by side."""
    last = [(given[f"{side}.{n}.weight"], given[f"{side}.{n}.bias"]) for n in outputs]
    weight, bias = (torch.cat(parts) for parts in zip(*last, strict=True))
    hidden = given[f"{side}.hidden.weight"], given[f"{side}.hidden.bias"]
    expected = (HIDDEN, PIXELS) if side == "encoder" else (HIDDEN, CODES)
    assert hidden[0].shape == expected, (side, hidden[0].shape)
    return nn.Sequential(_linear(*hidden), nn.ReLU(), _linear(weight, bias))


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.requires_grad_(False)
