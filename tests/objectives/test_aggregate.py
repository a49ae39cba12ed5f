"""DIP-VAE and InfoVAE: their penalties written out, and where they are the ELBO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo
from lowerbound.distributions import GaussianMixtureDistribution, VonMisesFisherDistribution
from lowerbound.distributions.onehot import OneHotCategorical
from lowerbound.divergences import inverse_multiquadratic, mmd
from lowerbound.errors import LowerboundError
from lowerbound.objectives import dip, info


def seeded(objective: Any, *arguments: Any, **options: Any) -> Any:
    torch.manual_seed(1)
    return objective(*arguments, **options)


def same(ours: Tensor, theirs: Tensor, model: Any) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    parameters = list(model.parameters())
    pairs = zip(
        torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters), strict=True
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["i", "ii"])
def test_dip_is_the_papers_penalty(linear: Any, x: Tensor, kind: Any) -> None:
    ours = seeded(dip, linear, x, kind=kind, off_diagonal=3.0, diagonal=torch.tensor(5.0))
    q = linear.encode(x)
    spread = np.cov(q.mean.detach().numpy().T, bias=True)
    if kind == "ii":
        spread = spread + np.diag(q.variance.detach().numpy().mean(0))
    off = spread[0, 1] ** 2 + spread[1, 0] ** 2
    penalty = 3.0 * off + 5.0 * ((np.diag(spread) - 1) ** 2).sum()
    theirs = seeded(elbo, linear, x)
    assert float(ours.loss.detach() - theirs.loss.detach()) == pytest.approx(penalty, rel=1e-10)
    torch.testing.assert_close(ours.parts["covariance"], torch.full_like(x[:, 0], penalty))
    for name, value in theirs.parts.items():
        torch.testing.assert_close(ours.parts[name], value, rtol=0, atol=0)


def test_dip_of_a_white_posterior_is_the_elbo(linear: Any, x: Tensor) -> None:
    """Means whose covariance is the identity cost nothing, nor does their gradient."""
    with torch.no_grad():
        centred = x - x.mean(0)
        _, values, right = torch.linalg.svd(centred, full_matrices=False)
        whiten = (right[:2] / values[:2, None]) * len(x) ** 0.5
        linear.slope.copy_(whiten)
        linear.offset.zero_()
    ours = seeded(dip, linear, x)
    same(ours.loss, seeded(elbo, linear, x).loss, linear)


def test_dip_knows_full_covariances(linear: Any, x: Tensor) -> None:
    full = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=x.dtype)
    encode = linear.encode
    linear.encode = lambda x: MultivariateNormal(encode(x).loc, full, validate_args=False)
    spread = np.cov(encode(x).loc.detach().numpy().T, bias=True) + full.numpy()
    penalty = 2 * spread[0, 1] ** 2 + ((np.diag(spread) - 1) ** 2).sum()
    parts = dip(linear, x, kind="ii", off_diagonal=1.0, diagonal=1.0).parts
    torch.testing.assert_close(parts["covariance"], torch.full_like(x[:, 0], penalty))


def test_dip_knows_what_couples_dimensions(linear: Any, x: Tensor) -> None:
    """Of a mixture and of a von Mises-Fisher by many draws of q(z); a flow has to say."""
    locations = torch.tensor([[1.0, 1.0], [-1.0, -0.5]], dtype=x.dtype)
    ones = torch.ones_like(locations)
    encode = linear.encode

    def mixture(x: Tensor) -> GaussianMixtureDistribution:
        loc = encode(x).loc.unsqueeze(-2) + locations
        return GaussianMixtureDistribution(loc[..., 0] * 0, loc, 0.5 * ones.expand_as(loc))

    def sphere(x: Tensor) -> VonMisesFisherDistribution:
        loc = encode(x).loc
        return VonMisesFisherDistribution(loc / loc.norm(dim=-1, keepdim=True), loc[:, 0] ** 2 + 1)

    options = {"kind": "ii", "off_diagonal": 1.0, "diagonal": 0.0}
    for posterior in (mixture, sphere):
        linear.encode = posterior
        with torch.no_grad():
            found = float(dip(linear, x, **options).parts["covariance"][0])
            codes = posterior(x).sample((40_000,)).flatten(0, 1)
        about = codes - codes.mean(0)
        products = about[:, 0] * about[:, 1]
        error = float(products.std()) / len(products) ** 0.5
        assert abs((found / 2) ** 0.5 - abs(float(products.mean()))) < 4 * error
    linear.encode = lambda x: OneHotCategorical(encode(x).loc)
    with torch.no_grad(), pytest.raises(LowerboundError, match="came OneHotCategorical; pass kind"):
        dip(linear, x, **options)


def test_info_vae_without_information_is_the_elbo(linear: Any, x: Tensor) -> None:
    same(
        seeded(info, linear, x, alpha=0.0, weight=1.0).loss,
        seeded(elbo, linear, x).loss,
        linear,
    )


def test_wae_has_no_rate_and_a_discrepancy(linear: Any, x: Tensor) -> None:
    for kernel in ("rbf", "imq", inverse_multiquadratic):
        ours = seeded(info, linear, x, alpha=1.0, weight=torch.tensor(50.0), kernel=kernel)
        torch.manual_seed(1)
        q = linear.encode(x)
        z = q.rsample()
        drawn = linear.prior().sample((len(x),))
        discrepancy = mmd(z, drawn, kernel)
        same(ours.loss, -linear.decode(z).log_prob(x).mean() + 50.0 * discrepancy, linear)
        torch.testing.assert_close(ours.parts["mmd"], discrepancy.detach().expand(len(x)))


def test_the_discrepancy_knows_where_the_prior_is(linear: Any, x: Tensor) -> None:
    """Nothing between q(z) = p(z) and p(z), within 4 standard errors; much for one far away."""
    with torch.no_grad():
        linear.slope.zero_()
        linear.offset.zero_()
        linear.log_scale.zero_()
        found = torch.stack([info(linear, x).parts["mmd"][0] for _ in range(300)])
        error = found.std() / len(found) ** 0.5
        assert found.mean().abs() < 4 * error
        linear.offset.add_(3.0)
        assert info(linear, x).parts["mmd"][0] > 30 * error


def test_several_samples_do_not_change_the_discrepancys_size(linear: Any, x: Tensor) -> None:
    terms = seeded(info, linear, x, alpha=0.0, weight=1.0, samples=4)
    same(terms.loss, seeded(elbo, linear, x, samples=4).loss, linear)


def test_a_lone_example_is_reported_and_not_trained_on(linear: Any, x: Tensor) -> None:
    with torch.no_grad():
        assert info(linear, x[:1]).parts["mmd"] == 0.0
    with pytest.raises(LowerboundError, match="pass a larger batch"):
        info(linear, x[:1])


def test_unknown_kind_is_refused(linear: Any, x: Tensor) -> None:
    with pytest.raises(LowerboundError, match="expected kind 'i' or 'ii', came 'iii'"):
        dip(linear, x, kind="iii")  # ty: ignore
