"""Which priors and posteriors fit: those with a finite KL."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lowerbound.distributions import (
    DiagonalGaussian,
    Family,
    FullGaussian,
    GaussianMixturePrior,
    Head,
    MixtureOfGaussians,
    SphereUniform,
    SquashedGaussian,
    StandardNormal,
    UniformPrior,
    VampPrior,
    VonMisesFisher,
    kl,
    refuse_mismatch,
)
from lowerbound.errors import LowerboundError

FAMILIES: dict[str, Family] = {
    "diagonal": DiagonalGaussian(2),
    "full": FullGaussian(2),
    "mixture": MixtureOfGaussians(2),
    "squashed": SquashedGaussian(2),
    "inner box": SquashedGaussian(2, -0.5, 0.5),
    "outer box": SquashedGaussian(2, -2.0, 2.0),
    "sphere": VonMisesFisher(2),
}


def head(family: Family) -> Head:
    return Head(nn.Linear(3, family.raw_shape[0]), family)


def vamp(name: str) -> VampPrior:
    return VampPrior(head(FAMILIES[name]), (3,), 4)


PRIORS: dict[str, nn.Module] = {
    "standard": StandardNormal(2),
    "mixture": GaussianMixturePrior(2),
    "uniform": UniformPrior(2),
    "sphere": SphereUniform(2),
    "vamp": vamp("diagonal"),
    "vamp on the sphere": vamp("sphere"),
}
ON_R = {"diagonal", "full", "mixture", "squashed", "inner box", "outer box"}
FITS = {
    "standard": ON_R,
    "mixture": ON_R,
    "vamp": ON_R,
    "uniform": {"squashed", "inner box"},
    "sphere": {"sphere"},
    "vamp on the sphere": {"sphere"},
}


@pytest.mark.parametrize("name", PRIORS)
def test_pairs_that_fit_have_a_finite_kl(name: str) -> None:
    torch.manual_seed(0)
    prior = PRIORS[name]
    for key, family in FAMILIES.items():
        if key in FITS[name]:
            refuse_mismatch(prior, family)
            refuse_mismatch(prior, head(family))
            q = family(torch.randn(4, *family.raw_shape))
            assert kl(q, prior(), samples=50).isfinite().all()
        else:
            with pytest.raises(LowerboundError, match=r"expected a posterior .* pass "):
                refuse_mismatch(prior, family)


def test_the_message_names_what_fits() -> None:
    for prior, family, posterior in (
        ("uniform", "diagonal", "posterior squashed-gaussian"),
        ("sphere", "diagonal", "posterior von-mises-fisher"),
        ("standard", "sphere", "posterior diagonal"),
        ("uniform", "outer box", "low=-1 and high=1"),
    ):
        with pytest.raises(LowerboundError, match=f"pass {posterior}$"):
            refuse_mismatch(PRIORS[prior], FAMILIES[family])


def test_what_says_nothing_of_itself_is_on_all_of_r() -> None:
    refuse_mismatch(nn.Identity(), DiagonalGaussian(2))
    with pytest.raises(LowerboundError, match="posterior squashed-gaussian"):
        refuse_mismatch(UniformPrior(2), nn.Identity())
