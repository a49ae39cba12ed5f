"""VQ-VAE-2: two grids, of which the fine one is told the coarse one, and a prior of both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import lowerbound as lb
from lowerbound.autoregressive import PixelCNN, Transformer, TwoLevelPrior
from lowerbound.autoregressive.conditional import AutoregressiveConditional
from lowerbound.autoregressive.levels import CoarseCodes
from lowerbound.bounds import elbo
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.quantize import GumbelQuantizer, TwoLevels, VectorQuantizer, use
from lowerbound.recipes.quantized import vq_vae
from lowerbound.recipes.two_grids import vq_vae_2

CODERS: dict[str, dict[str, Any]] = {
    "vq": {"name": "vq", "levels": 16, "dim": 8},
    "rq": {"name": "rq", "levels": 8, "dim": 8, "depth": 2},
    "fsq": {"name": "fsq", "levels": (4, 4)},
}
LABELS = {"classes": ("a", "b")}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def spec(**more: Any) -> DataSpec:
    return DataSpec(
        "toy", "image", (1, 9, 14), "levels", levels=8, likelihood="discretized-logistic", **more
    )


def built(coder: str = "vq", **options: Any) -> Any:
    data = spec(**(LABELS if options.get("given") == "labels" else {}))
    return vq_vae_2(data, quantizer=CODERS[coder], channels=8, blocks=1, **options)


def images(n: int = 4) -> torch.Tensor:
    return torch.randint(0, 8, (n, 1, 9, 14)) / 7.0


@pytest.mark.parametrize("coder", list(CODERS))
def test_the_unchanged_bound_has_the_exact_uniform_rate(coder: str) -> None:
    model, _ = built(coder)
    x = images()
    model.upkeep(x, step=0)
    # 9 x 14 by 4 is 3 x 4, and by 8 it is 2 x 2.
    heads = 2 if coder == "rq" else 1
    levels = 8 if coder == "rq" else 16
    assert model.uniform_rate == pytest.approx((12 + 4) * heads * math.log(levels))
    terms = elbo(model, x)
    torch.testing.assert_close(
        terms.parts["rate"], torch.full((4,), model.uniform_rate), rtol=1e-5, atol=1e-4
    )
    found = model.quantize(x)
    z = model.encode(x).point
    assert torch.equal(model.posterior.on_grid(found.indices), z)
    distortion = -model.decode_vectors(found.vectors).log_prob(x)
    torch.testing.assert_close(terms.parts["distortion"], distortion)
    torch.testing.assert_close(-model.decode(z).log_prob(x), distortion)


def test_fine_codes_are_the_nearest_entries_after_what_the_coarse_ones_tell() -> None:
    between = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3, 4 * 3), nn.Unflatten(1, (4, 3)))
    two = TwoLevels(VectorQuantizer(5, 3), VectorQuantizer(5, 3), 2, between)
    for coder in (two.coarse, two.fine):
        assert isinstance(coder, VectorQuantizer)
        nn.init.normal_(coder.codebook.sums, std=0.2)
    v = torch.randn(7, 6, 3)
    with torch.no_grad():
        a = torch.cdist(v[:, :2], two.coarse.codebook.entries[0]).argmin(-1)
        e = two.coarse.codebook.entries[0][a]
        b = torch.cdist(v[:, 2:] + between(e), two.fine.codebook.entries[0]).argmin(-1)
    expected = torch.cat((a, b), 1)[..., None]
    assert torch.equal(two.codes(v), expected)
    assert torch.equal(two(v).indices, expected)
    assert torch.equal(two.lookup(expected), two(v).vectors)


def test_two_levels_refuse_quantizers_that_do_not_match() -> None:
    between = nn.Identity()
    with pytest.raises(LowerboundError, match="expected two quantizers of the same levels"):
        TwoLevels(VectorQuantizer(5, 3), VectorQuantizer(6, 3), 2, between)
    with pytest.raises(LowerboundError, match="certain of its choice"):
        TwoLevels(GumbelQuantizer(5, 3), GumbelQuantizer(5, 3), 2, between)


def prior(heads: int = 1) -> TwoLevelPrior:
    """K = 2 on a grid of 1 x 2 and one of 2 x 2, or with two codes at each position."""
    lead = (heads,) if heads > 1 else ()
    coarse = Transformer(2, (1, 1), width=8, layers=1, heads=heads, attention_heads=2)
    fine = PixelCNN(2, (1, 2), width=8, layers=1, kernel=3, heads=heads, local=4)
    told = CoarseCodes(2, (1, 1), (1, 2), 4, heads)
    found = TwoLevelPrior(
        AutoregressiveConditional(coarse, (*lead, 1, 1), heads=heads > 1),
        AutoregressiveConditional(
            fine, (*lead, 1, 2), heads=heads > 1, event_ranks=(len(lead) + 2,), embed=[told]
        ),
    )
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.5)
    return found


@pytest.mark.parametrize("heads", [1, 2])
def test_the_prior_sums_to_one_and_draws_what_it_says(heads: int) -> None:
    p = prior(heads)()
    shape = (heads, 3) if heads > 1 else (3,)
    assert tuple(p.event_shape) == shape
    every = torch.tensor(list(itertools.product((0, 1), repeat=3 * heads))).reshape(-1, *shape)
    with torch.no_grad():
        mass = p.log_prob(every).double().exp()
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(mass.max()) > 3 * float(mass.min())  # nothing like uniform
    n = 20_000
    drawn = p.sample((n,)).reshape(n, -1)
    places = (drawn * 2 ** torch.arange(3 * heads - 1, -1, -1)).sum(1)
    share = torch.bincount(places, minlength=len(mass)).double() / n
    error = (mass * (1 - mass) / n).sqrt()
    assert ((share - mass).abs() <= 4.5 * error + 1e-9).all()


def test_leading_dimensions_broadcast() -> None:
    p = prior()()
    z = p.sample((4, 5))
    assert z.shape == (4, 5, 3)
    with torch.no_grad():
        apart = torch.stack([p.log_prob(each) for each in z])
        torch.testing.assert_close(p.log_prob(z), apart)


def test_a_fitted_prior_lowers_the_rate_of_codes_that_are_alike(tmp_path: Any) -> None:
    """Stripes: the fine codes follow from the coarse one, which the prior finds out."""
    import numpy as np

    random = np.random.default_rng(0)
    dark = random.integers(0, 2, (256, 1, 1))
    across = np.indices((8, 8))[0] // 4 % 2
    x = ((across + dark) % 2 * 255).astype(np.uint8)
    run = lb.train(
        lb.load(x[:, None]),
        "vq-vae-2",
        out=tmp_path / "run",
        quantizer=CODERS["vq"],
        prior={"name": "pixelcnn", "width": 16, "layers": 2},
        channels=16,
        blocks=1,
        steps=300,
        batch_size=32,
        learning_rate=3e-3,
        compile="no",
        threads=1,
        tensorboard="no",
        progress=False,
    )
    found = lb.evaluate(run, report=False)
    assert found.rate is not None and found.uniform_rate is not None
    # One bit is all there is to know.
    assert found.rate < 0.25 * found.uniform_rate
    assert found.rate == pytest.approx(math.log(2), abs=0.5)
    assert found.codebook is not None and 0 < found.codebook["usage"] <= 1
    again = lb.open_run(run.path)
    torch.testing.assert_close(lb.sample(again, 3, seed=1), lb.sample(run, 3, seed=1))


def test_labels_reach_both_priors() -> None:
    model, phases = built(given="labels", prior={"name": "pixelcnn", "width": 8, "layers": 2})
    assert [phase.name for phase in phases] == ["codes", "prior"]
    c = torch.tensor([0, 1, 1])
    assert model.prior(c).sample((2,), temperature=0.5, guidance=1.5).shape == (2, 3, 16)
    assert torch.isfinite(model.prior(c).log_prob(torch.zeros(3, 16, dtype=torch.int64))).all()


def test_only_images_have_two_grids() -> None:
    flat = DataSpec("toy", "vector", (10,), "real", likelihood="gaussian")
    with pytest.raises(LowerboundError, match="two grids: expected images"):
        vq_vae_2(flat)
    with pytest.raises(LowerboundError, match="two grids: expected images"):
        vq_vae(spec(), grids=2, hidden=(8,))
    with pytest.raises(LowerboundError, match="downsampling: expected at most"):
        vq_vae_2(spec(), downsampling=8)


def test_each_grid_has_a_codebook_of_its_own() -> None:
    """Coarse codes that use one half of their entries, fine ones that use the other."""
    between = nn.Sequential(nn.Flatten(), nn.Linear(4 * 3, 8 * 3), nn.Unflatten(1, (8, 3)))
    two = TwoLevels(VectorQuantizer(8, 3), VectorQuantizer(8, 3), 4, between)
    indices = torch.cat((torch.arange(4), torch.arange(4, 8), torch.arange(4, 8)))
    found = use(two.counts(indices.expand(5, 12)[..., None]))
    assert float(found["usage"]) == 0.5
    assert float(found["perplexity"]) == pytest.approx(4.0)
