"""The linear-Gaussian model, where everything has a closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from ..distributions import DiagonalNormal, StandardNormal
from ..errors import LowerboundError
from .vae import LatentModel

# Relative to the largest eigenvalue: below it the discarded variance is rounding, not noise.
_NO_NOISE = 1e-12


class LinearGaussian(LatentModel):
    """z ~ N(0, I), x | z ~ N(W z + mu, diag(sigma2)): probabilistic PCA and factor analysis.

    The posterior and log p(x) are exact, so the bound is tight and every importance weight equals
    log p(x): the rule that estimators are held against. Everything is a buffer, nothing is trained
    by gradients; :meth:`fit_` solves for the maximum of the likelihood. ``model.double()`` makes it
    float64.

    Args:
        event_shape: shape of one example, D numbers.
        latent_dim: numbers in a code, below D.
        weight: W, ``(D, latent_dim)``; default zero.
        mean: mu, ``(D,)`` or ``event_shape``; default zero.
        sigma2: noise variance, ``()`` for one of all dimensions (probabilistic PCA) or ``(D,)`` for
            one of each (factor analysis); default one.
        no_likelihood: why log p(x) must not be reported, if so.

    Raises:
        LowerboundError: ``latent_dim`` is not below D.

    Reference:
        Tipping & Bishop 1999, Probabilistic principal component analysis, JRSS B 61(3)

    >>> model = LinearGaussian((3,), 1, weight=torch.tensor([[2.0], [0.0], [0.0]]))
    >>> model.encode(torch.tensor([5.0, 1.0, 1.0])).mean  # 2 x / (1 + 2^2)
    tensor([2.])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        latent_dim: int,
        *,
        weight: Tensor | None = None,
        mean: Tensor | None = None,
        sigma2: Tensor | None = None,
        no_likelihood: str | None = None,
    ) -> None:
        numbers = math.prod(event_shape)
        if not 1 <= latent_dim < numbers:
            raise LowerboundError(
                f"latent_dim: expected 1 to {numbers - 1}, fewer than the {numbers} numbers of an "
                f"example of shape {tuple(event_shape)}, came {latent_dim}"
            )
        likelihood = LinearLikelihood(
            tuple(event_shape),
            torch.zeros(numbers, latent_dim) if weight is None else weight,
            torch.zeros(numbers) if mean is None else mean.reshape(-1),
            torch.ones(()) if sigma2 is None else sigma2,
        )
        super().__init__(
            StandardNormal(latent_dim),
            likelihood,
            LinearPosterior(likelihood),
            event_shape=tuple(event_shape),
            latent_shape=(latent_dim,),
            no_likelihood=no_likelihood,
        )

    @property
    def linear(self) -> LinearLikelihood:
        """The likelihood, which holds W (``weight``), mu (``mean``) and ``sigma2``."""
        assert isinstance(self.likelihood, LinearLikelihood)
        return self.likelihood

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x), exact, by the matrix inversion and determinant lemmas (D x D is never formed).

        Args:
            x: data, ``(*B, *event_shape)``.
            context: ignored.

        Returns:
            ``B``, in nats.
        """
        p = self.linear
        centred = x.flatten(-len(self.event_shape)) - p.mean  # (*B, D)
        z = self.posterior(x).mean
        # At the posterior mean the exponent splits into two sums of squares: no difference of
        # large numbers, as the inversion lemma written out would have.
        square = ((centred - z @ p.weight.mT) ** 2 / p.sigma2).sum(-1) + (z**2).sum(-1)
        log_det = (
            2 * p.precision_factor().diagonal().log().sum()
            + p.sigma2.log().expand(p.mean.shape).sum()
        )
        return -0.5 * (square + log_det + p.mean.numel() * math.log(2 * math.pi))

    @torch.no_grad()
    def fit_(self, batches: Iterable[Tensor]) -> dict[str, float]:
        """Sets W, mu and one sigma2 to the maximum of the likelihood, in one pass.

        sigma2 is the mean of the discarded eigenvalues of the covariance (by 1/N, as the maximum of
        the likelihood has it; scikit-learn's PCA divides by N - 1).

        Args:
            batches: the data, each ``(n, *event_shape)``.

        Returns:
            ``log_likelihood``: mean log p(x) of these data, nats per example; ``sigma2``;
            ``explained_variance``: the kept part of the total variance; ``examples``.

        Raises:
            LowerboundError: too few examples, or data without noise left: with a discarded variance
                of zero the likelihood has no maximum.

        Reference:
            Tipping & Bishop 1999, equations 7 and 8
        """
        count, mean, covariance = moments(batches, self.event_shape)
        (latent,), numbers = self.latent_shape, mean.numel()
        values, vectors = torch.linalg.eigh(covariance)
        values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)  # largest first
        kept, discarded = values[:latent], values[latent:]
        sigma2 = discarded.mean()
        if not sigma2 > _NO_NOISE * values[0]:
            raise LowerboundError(
                f"pca: expected variance beyond {latent} latent dimensions, came none in {count} "
                f"examples of shape {self.event_shape}; pass a smaller latent_dim"
            )
        # An eigenvector's sign is arbitrary; the largest entry positive makes it reproducible.
        top = vectors[:, :latent]
        top = top * top.gather(0, top.abs().argmax(0, keepdim=True)).sign()
        p = self.linear
        p.weight.copy_(top * (kept - sigma2).clamp(min=0).sqrt())
        p.mean.copy_(mean)
        p.sigma2 = sigma2.to(p.sigma2)
        log_det = kept.log().sum() + (numbers - latent) * sigma2.log()
        log_likelihood = -0.5 * (numbers * math.log(2 * math.pi) + log_det + numbers)
        return {
            "log_likelihood": float(log_likelihood),
            "sigma2": float(sigma2),
            "explained_variance": float(kept.sum() / values.sum()),
            "examples": float(count),
        }


class LinearLikelihood(nn.Module):
    """p(x | z) = N(W z + mu, diag(sigma2)).

    Args:
        event_shape: shape of one example, D numbers.
        weight: W, ``(D, latent_dim)``.
        mean: mu, ``(D,)``.
        sigma2: ``()`` or ``(D,)``, positive.
    """

    weight: Tensor
    mean: Tensor
    sigma2: Tensor

    def __init__(
        self, event_shape: tuple[int, ...], weight: Tensor, mean: Tensor, sigma2: Tensor
    ) -> None:
        super().__init__()
        self.event_shape = event_shape
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("mean", mean.detach().clone())
        self.register_buffer("sigma2", sigma2.detach().clone())

    def forward(self, z: Tensor, *context: Tensor) -> DiagonalNormal:
        """z ``(*S, latent_dim)`` -> batch shape ``S``, event shape ``event_shape``."""
        loc = (z @ self.weight.mT + self.mean).unflatten(-1, self.event_shape)
        log_scale = 0.5 * self.sigma2.log()
        if log_scale.ndim:
            log_scale = log_scale.reshape(self.event_shape)
        return DiagonalNormal(loc, log_scale, len(self.event_shape))

    def precision_factor(self) -> Tensor:
        """Cholesky factor of the posterior precision I + W' diag(1/sigma2) W, latent x latent."""
        weighted = self.weight.mT / self.sigma2
        identity = torch.eye(
            self.weight.shape[1], dtype=self.weight.dtype, device=self.weight.device
        )
        return torch.linalg.cholesky(identity + weighted @ self.weight)


class LinearPosterior(nn.Module):
    """p(z | x), exact: normal, with a mean linear in x and one covariance for all x.

    Args:
        likelihood: the likelihood whose posterior it is, under a standard normal prior. It is
            shared, and not registered, so that its buffers have one name in the state dict.
    """

    def __init__(self, likelihood: LinearLikelihood) -> None:
        super().__init__()
        self._shared = (likelihood,)

    def forward(self, x: Tensor, *context: Tensor) -> MultivariateNormal:
        """x ``(*B, *event_shape)`` -> batch shape ``B``, event shape ``(latent_dim,)``."""
        (p,) = self._shared
        centred = x.flatten(-len(p.event_shape)) - p.mean  # (*B, D)
        factor = p.precision_factor()
        projected = centred @ (p.weight.mT / p.sigma2).mT  # (*B, latent)
        loc = torch.cholesky_solve(projected.unsqueeze(-1), factor).squeeze(-1)
        scale_tril = torch.linalg.cholesky(torch.cholesky_inverse(factor))
        return MultivariateNormal(loc, scale_tril=scale_tril, validate_args=False)


def moments(batches: Iterable[Tensor], event_shape: tuple[int, ...]) -> tuple[int, Tensor, Tensor]:
    """Mean and covariance of data that come in batches, in one pass and float64.

    Args:
        batches: each ``(n, *event_shape)``.
        event_shape: shape of one example, D numbers.

    Returns:
        Number of examples, mean ``(D,)``, covariance ``(D, D)`` divided by the number.

    Raises:
        LowerboundError: another shape, or fewer than two examples.
    """
    count, shift, total, outer = 0, None, None, None
    for batch in batches:
        if tuple(batch.shape[1:]) != tuple(event_shape):
            raise LowerboundError(
                f"expected examples of shape {tuple(event_shape)}, came {tuple(batch.shape[1:])}"
            )
        if batch.device.type == "mps":  # has no float64
            batch = batch.cpu()
        x = batch.flatten(1).double()
        if shift is None or total is None or outer is None:
            # about the first batch's mean: sums of squares about zero would lose digits
            shift = x.mean(0)
            total, outer = torch.zeros_like(shift), shift.new_zeros(len(shift), len(shift))
        x = x - shift
        count += len(x)
        total += x.sum(0)
        outer += x.mT @ x
    if count < 2 or shift is None or total is None or outer is None:
        raise LowerboundError(f"expected at least two examples, came {count}")
    offset = total / count
    return count, shift + offset, outer / count - torch.outer(offset, offset)
