"""Annealing as a part of an evaluation, and the noise that is declared for what has none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.data import Prepare, held_out, load
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import Delta, Head, StandardNormal
from lowerbound.distributions.masked import Masked
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import Ask, Evaluation, Store, evaluate
from lowerbound.evaluation.annealing import Anneal, Noisy, RoundedNormal
from lowerbound.models import LatentModel, LinearGaussian
from lowerbound.training.units import known_log_jacobian

QUICK = Anneal(steps=40, chains=64, leaps=2)


def spec_of(**rest: Any) -> DataSpec:
    return DataSpec("planted", "vector", (4,), **{"support": "real", **rest})


@pytest.fixture
def x(linear: LinearGaussian) -> Tensor:
    torch.manual_seed(2)
    return linear.sample(30)


class Generator(nn.Module):
    """The same decoder without its noise, as a GAN has it: no likelihood, no encoder."""

    event_shape, latent_shape, no_likelihood = (4,), (2,), "adversarial"

    def __init__(self, linear: LinearGaussian) -> None:
        super().__init__()
        p = linear.linear
        network = nn.Linear(2, 4).double()
        with torch.no_grad():
            network.weight.copy_(p.weight)
            network.bias.copy_(p.mean)
        self.prior, self.decode = StandardNormal(2).double(), Head(network, Delta(4))


def test_a_row_of_its_own_beside_importance_sampling(
    linear: LinearGaussian, inexact: Callable[..., LatentModel], x: Tensor
) -> None:
    ask = Ask(QUICK, examples=6, bracket=True)
    found = evaluate(inexact(), spec_of(log_jacobian=-3.0), x, samples=500, ais=ask)
    known = float(linear.log_prob(x[:6]).mean()) - 3
    a = found.annealing
    assert a is not None and a.same is not None and a.bracket is not None
    assert a.log_likelihood.value == pytest.approx(known, abs=0.1)
    assert a.same == pytest.approx(known, abs=0.05)
    assert (a.log_likelihood.kind, a.log_likelihood.samples, a.examples) == ("estimate", 64, 6)
    bits = -a.log_likelihood.value / (4 * math.log(2))
    assert a.log_likelihood.bits_per_dim == pytest.approx(bits)
    assert a.bracket.gap == pytest.approx(a.bracket.upper - a.bracket.lower, abs=1e-9)
    assert abs(a.bracket.gap) < 0.3 and a.bracket.examples == 6
    rows = {(row.quantity, row.unit): row for row in found.table()}
    own = rows["−log p(x), AIS", "nats"]
    assert own.kind == "estimate" and "over 6 of these examples" in own.note
    assert "importance sampling of the same examples: " in own.note
    assert "annealed importance sampling from the prior, 40 temperatures, 64 chains" in own.note
    assert ("−log p(x)", "nats") in rows and ("AIS bracket", "nats") in rows
    assert "6 examples simulated from the model" in rows["AIS bracket", "nats"].note
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == found


def test_a_declared_noise_is_a_likelihood_and_is_told(linear: LinearGaussian, x: Tensor) -> None:
    model = Generator(linear)
    with pytest.raises(LowerboundError, match=r"declared observation noise; pass --noise-std"):
        evaluate(model, spec_of(), x, ais=Ask(QUICK))
    ask = Ask(QUICK, noise_std=0.5**0.5)
    found = evaluate(model, spec_of(), x, ais=ask)
    assert found.log_likelihood is None and found.no_likelihood == "adversarial"
    a = found.annealing
    assert a is not None and a.examples == 30 and a.same is None
    assert a.log_likelihood.value == pytest.approx(float(linear.log_prob(x).mean()), abs=0.1)
    told = "normal around the decoder's mean, declared σ = 0.707107 of x"
    assert a.log_likelihood.note.endswith(told)
    assert a.settings["noise_std"] == 0.5**0.5
    assert found.squared_error is None and found.latent_dim == 2


def test_refused_noises(linear: LinearGaussian) -> None:
    model = Generator(linear)
    for support in ("binary", "categories"):
        with pytest.raises(LowerboundError, match=f"came {support} data; train on others"):
            Noisy(model, spec_of(support=support), 0.1)
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(LowerboundError, match="noise_std: expected a number above 0, came"):
            Noisy(model, spec_of(), sigma)


@pytest.mark.parametrize("sigma", [0.003, 0.05, 0.4, 5.0])
def test_a_rounded_normal_is_a_distribution_over_levels(sigma: float) -> None:
    """It sums to one, inner bins are what quadrature gives, and the tails keep their figures."""
    levels = torch.arange(17).double() / 16
    p = RoundedNormal(torch.full((17, 1), 0.37).double(), sigma, 17, 1)
    mass = p.log_prob(levels[:, None])
    assert float(mass.exp().sum()) == pytest.approx(1, abs=1e-12)
    normal = torch.distributions.Normal(torch.tensor(0.37).double(), sigma)
    lower = torch.where(levels > 0, normal.cdf(levels - 1 / 32), 0.0)
    upper = torch.where(levels < 1, normal.cdf(levels + 1 / 32), 1.0)
    known = upper - lower
    seen = known > 1e-9
    torch.testing.assert_close(mass.exp()[seen], known[seen], rtol=1e-6, atol=0)
    assert torch.isfinite(mass).all()
    z = torch.full((1,), 0.37, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(RoundedNormal(z, sigma, 17, 1).log_prob(levels[12:13]), z)
    step = 1e-6
    ends = [
        RoundedNormal(z.detach() + s, sigma, 17, 1).log_prob(levels[12:13]) for s in (step, -step)
    ]
    assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-4)
    drawn = RoundedNormal(torch.full((4000, 1), 0.37), sigma, 17, 1).sample()
    assert set((drawn * 16).round().int().flatten().tolist()) <= set(range(17))


def test_levels_get_a_rounded_noise(linear: LinearGaussian) -> None:
    spec = spec_of(support="levels", levels=9)
    noisy = Noisy(Generator(linear), spec, 0.2)
    p = noisy.decode(torch.zeros(3, 2).double())
    assert isinstance(p, RoundedNormal) and p.batch_shape == (3,) and p.levels == 9
    assert noisy.said().startswith("likelihood: rounded normal")


def test_what_is_done_is_kept(linear: LinearGaussian, x: Tensor, tmp_path: Any) -> None:
    ask = Ask(QUICK, examples=5, bracket=True, store=Store(tmp_path / "annealed"))
    one, two = (evaluate(linear, spec_of(), x, ais=ask).annealing for _ in range(2))
    assert one == two
    assert len(list((tmp_path / "annealed").glob("*.safetensors"))) == 3  # held out, two ways


class Completion(nn.Module):
    """The linear decoder, of which a part of each datum is known and tells nothing of the code."""

    event_shape, latent_shape, no_likelihood = (4,), (2,), None

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.prior, self.whole = model.prior, model.decode
        self.condition = SimpleNamespace(of_x=True, side=None, event_ranks=(1, 1))

    def decode(self, z: Tensor, observed: Tensor, mask: Tensor) -> Masked:
        return Masked(self.whole(z), observed, mask)


def log_p_hidden(linear: LinearGaussian, x: Tensor, mask: Tensor) -> Tensor:
    """Of the marginal normal of the missing numbers, ``(N,)``."""
    p = linear.linear
    covariance = p.weight @ p.weight.T + 0.5 * torch.eye(4).double()
    found = []
    for each, known in zip(x, mask, strict=True):
        h = (known < 0.5).nonzero().flatten()
        marginal = torch.distributions.MultivariateNormal(p.mean[h], covariance[h][:, h])
        found.append(marginal.log_prob(each[h]))
    return torch.stack(found)


def test_a_declared_noise_is_of_the_missing_part_alone(linear: LinearGaussian, x: Tensor) -> None:
    model = Completion(Generator(linear))
    model.no_likelihood = "adversarial"
    mask = torch.tensor([1.0, 0.0, 0.0, 1.0]).double().expand(30, 4)
    ask = Ask(QUICK, noise_std=0.5**0.5)
    found = evaluate(model, spec_of(), x, x * mask, mask, ais=ask).annealing
    assert found is not None
    known = float(log_p_hidden(linear, x, mask).mean())
    assert found.log_likelihood.value == pytest.approx(known, abs=0.1)
    assert found.log_likelihood.bits_per_dim == pytest.approx(
        -found.log_likelihood.value / (2 * math.log(2))
    )


def test_the_missing_levels_alone_have_a_rounded_noise(linear: LinearGaussian) -> None:
    noisy = Noisy(Completion(Generator(linear)), spec_of(support="levels", levels=9), 0.2)
    z, x = torch.zeros(2, 1, 2).double(), torch.tensor([[0.5, 0.25, 1.0, 0.0]]).double()
    mask = torch.tensor([[0.0, 1.0, 0.0, 1.0]]).double()
    p = noisy.decode(z, x * mask, mask)
    mean = linear.decode(z).mean
    known = sum(
        RoundedNormal(mean[..., d : d + 1], 0.2, 9, 1).log_prob(x[:, d : d + 1]) for d in (0, 2)
    )
    torch.testing.assert_close(p.log_prob(x), known)


def test_bits_are_of_the_numbers_that_the_first_examples_miss(
    linear: LinearGaussian, x: Tensor
) -> None:
    """The first five miss one number each, all others four: the sum is over the first five."""
    mask = torch.zeros(30, 4).double()
    mask[:5, 1:] = 1.0
    spec = spec_of(scale=math.e, log_jacobian=-4.0)
    ask = Ask(QUICK, examples=5)
    found = evaluate(Completion(linear), spec, x, x * mask, mask, ais=ask).annealing
    assert found is not None and found.examples == 5
    known = float(log_p_hidden(linear, x[:5], mask[:5]).mean()) - 1
    assert found.log_likelihood.value == pytest.approx(known, abs=0.1)
    assert found.log_likelihood.bits_per_dim == pytest.approx(-known / math.log(2), abs=0.15)


def test_what_is_kept_of_one_noise_does_not_come_back_for_another(
    linear: LinearGaussian, x: Tensor, tmp_path: Any
) -> None:
    found = []
    for std, store in ((0.5, Store(tmp_path)), (1.0, Store(tmp_path)), (1.0, None)):
        ask = Ask(QUICK, examples=4, noise_std=std, store=store)
        torch.manual_seed(0)
        annealing = evaluate(Generator(linear), spec_of(), x, samples=10, ais=ask).annealing
        assert annealing is not None
        found.append(annealing.log_likelihood.value)
    assert found[1] == pytest.approx(found[2], abs=1e-9) and abs(found[0] - found[1]) > 0.1


@pytest.mark.parametrize("top", [3, 255])
def test_a_declared_noise_is_the_same_whether_levels_were_spread_or_not(top: int) -> None:
    stored = np.random.default_rng(0).integers(0, top + 1, (40, 6, 5), dtype=np.uint8)
    stored[0, 0, :2] = 0, top
    mean = torch.rand(40, 1, 6, 5, generator=torch.Generator().manual_seed(1)) * top
    found = []
    for likelihood in ("none", "gaussian"):
        data = load({"train": stored, "test": stored}, likelihood=likelihood)
        spec, prepare = data.spec, Prepare(data.spec)
        # The mean of x whose stored values have this mean.
        scale, half = float(spec.scale), 0.5 * float(spec.step)  # ty: ignore[invalid-argument-type]
        loc = (mean + half * (spec.dequantize == "uniform")) / scale
        torch.testing.assert_close(prepare.expected(loc), mean)
        point = SimpleNamespace(mean=loc)
        model = SimpleNamespace(decode=lambda z, point=point: point, event_shape=(1, 6, 5))
        noise = Noisy(model, spec, 0.1).decode(torch.zeros(40, 2))
        x = held_out(data.test, spec)
        found.append(noise.log_prob(x) + known_log_jacobian(spec, data.test))
        again = noise.sample((200,))  # on the levels, and about where the mean is
        levels = prepare.restore(again)
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
        between = (mean > 0.3 * top) & (mean < 0.7 * top)
        assert (levels.mean(0) - mean)[between].abs().max() < 0.1 * top
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-3)
