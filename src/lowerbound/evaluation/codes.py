"""What an encoder does with data: codes, rate, units in use, reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..distributions import (
    DiagonalNormal,
    IndependentCategorical,
    has_closed_form,
    kl,
    sample_with_log_prob,
)
from .decoding import batch, evaluating, home

# Data encoded and decoded at once: small enough for convolutional networks on a small machine.
_BATCH = 256


@dataclass(frozen=True)
class Codes:
    """What :func:`encode_all` returns; on the CPU.

    Attributes:
        means: E_q[z] of each datum, ``(N, latent)``, flattened.
        rate: KL(q(z|x) || p(z)) of each datum, nats, ``(N,)``; ``None`` without a closed form.
        kl_per_dimension: the same for each latent dimension, averaged over the data, nats,
            ``(latent,)``; ``None`` where q or p couples the dimensions, or without a prior.
        squared_error: ``||x - E[x|z]||^2`` at ``z = E_q[z]``, summed over the datum, in the
            units of x squared, ``(N,)``; ``None`` for data without a distance or
            without a decoder. Of a denoiser, x is corrupted as in training before it is encoded.
        hidden_error: of a denoiser whose corruption hides, the part of it that was hidden.
        index: whether a code is an index, whose value is no quantity.
    """

    means: Tensor
    rate: Tensor | None
    kl_per_dimension: Tensor | None
    squared_error: Tensor | None
    hidden_error: Tensor | None = None
    index: bool = False

    @property
    def active_units(self) -> int | None:
        """Latent dimensions whose posterior mean moves with x: ``Var_x(E_q[z]) > 0.01``.

        ``None`` of indices, which have no variance, and of a single datum, which has none either.

        References:
            Burda, Grosse, Salakhutdinov: Importance weighted autoencoders. arXiv 1509.00519, 5.2.
        """
        if self.index or len(self.means) < 2:
            return None
        return int((self.means.double().var(0) > 0.01).sum())


def encode_all(
    model: Any,
    x: Tensor,
    *context: Tensor,
    reconstruct: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Codes:
    """Encode all data, and measure the codes.

    Args:
        model: has ``encode(x, *c)``; the rate wants ``prior(*c)``, the squared error ``decode``,
            and, of a denoiser, ``corruption``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        reconstruct: whether to decode the mean codes too.
        progress: called with (examples done, examples in all).
    """
    device, _ = home(model, x)
    coding = not getattr(model, "bijective", False)  # else codes are x in other words
    distance = coding and reconstruct and hasattr(model, "decode") and x.is_floating_point()
    parts: dict[str, list[Tensor]] = {"means": [], "rate": [], "kl": [], "error": [], "hidden": []}
    corruption = getattr(model, "corruption", None) if hasattr(model, "denoise") else None
    index = False
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(0)  # for corruptions, and posteriors that know no mean but by sampling
        for start in range(0, len(x), _BATCH):
            here, *c = batch(model, slice(start, start + _BATCH), x, *context)
            q = model.encode(here, *c)
            mean = posterior_mean(q)
            index = not mean.is_floating_point()
            parts["means"].append(mean.flatten(1).cpu())
            point = getattr(q, "certain", False) and mean.is_floating_point()  # of no finite rate
            if coding and hasattr(model, "prior") and not point:
                p = model.prior(*c)
                if has_closed_form(q, p):
                    parts["rate"].append(kl(q, p).cpu())
                each = _kl_per_dimension(q, p)
                if each is not None:
                    parts["kl"].append(each.sum(0).double().cpu())
            if distance:
                hidden = None
                if corruption is not None:
                    corrupted, hidden = corruption(here)
                    mean = posterior_mean(model.encode(corrupted, *c))
                squares = (model.decode(mean, *c).mean - here).flatten(1).square()
                parts["error"].append(squares.sum(1).cpu())
                if hidden is not None:
                    parts["hidden"].append((squares * hidden.flatten(1)).sum(1).cpu())
            if progress is not None:
                progress(start + len(here), len(x))
    return Codes(
        torch.cat(parts["means"]),
        torch.cat(parts["rate"]) if parts["rate"] else None,
        torch.stack(parts["kl"]).sum(0) / len(x) if parts["kl"] else None,
        torch.cat(parts["error"]) if parts["error"] else None,
        torch.cat(parts["hidden"]) if parts["hidden"] else None,
        index,
    )


def pseudo_likelihood(model: Any, x: Tensor, seed: int = 0) -> Tensor:
    """Mean log p(x_t | the tokens that are not hidden) over hidden places, nats, ``(N,)``.

    As many places are hidden at once as in training, all of them by the mask. It is no
    log-likelihood of a sequence, nor a part of one.

    Args:
        model: has ``masking``, ``mask`` and ``predict``
            (:class:`~lowerbound.models.masked_tokens.MaskedTokens`).
        x: tokens, ``(N, T)``.
        seed: of the places.

    References:
        Besag 1975, Statistical analysis of non-lattice data
    """
    device, _ = home(model, x)
    devices = [device] if device.type == "cuda" else []
    found = []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for here in x.split(_BATCH):
            tokens = here.to(device)
            _, chosen = model.masking(tokens)
            log_p = model.predict(tokens.masked_fill(chosen, model.mask))
            each = log_p.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
            found.append(((each * chosen).sum(1) / chosen.sum(1)).cpu())
    return torch.cat(found)


def posterior_mean(q: Distribution) -> Tensor:
    """E_q[z], ``(B, *latent)``; the mean of 64 draws where q does not know it (a flow).

    Of indices the likeliest: the mean of indices is no code.
    """
    if isinstance(q, IndependentCategorical):
        return q.mode
    try:
        return q.mean
    except NotImplementedError:
        return sample_with_log_prob(q, (64,))[0].mean(0)


def _kl_per_dimension(q: Distribution, p: Distribution) -> Tensor | None:
    """``(B, latent)``, nats, for pairs of normals that factorise; else ``None``."""
    left, right = normal_factors(q), normal_factors(p)
    if left is None or right is None:
        return None
    return kl(left, right).flatten(1)


def normal_factors(d: Distribution) -> DiagonalNormal | None:
    """A diagonal normal as one normal for each dimension; None of what is none."""
    if isinstance(d, DiagonalNormal):
        return DiagonalNormal(d.loc, d.log_scale, 0)
    while isinstance(d, Independent):
        d = d.base_dist
    return DiagonalNormal(d.loc, d.scale.log(), 0) if isinstance(d, Normal) else None
