"""TD-VAE: exact where its conditionals are exact, and near it once it has learnt them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from lowerbound.data.spec import DataSpec
from lowerbound.distributions.gaussian import RunningVariance
from lowerbound.errors import LowerboundError
from lowerbound.objectives.temporal import td_elbo
from lowerbound.recipes.sequences import state_space_vae, td_vae
from lowerbound.sequences import Jumps, LinearDynamics, Packed, pack, unpack

from . import exact
from .exact import DYNAMICS, Exact, with_gaps

STEPS = 9
SMALL = {"latent_dim": 2, "hidden": (8,), "belief_width": 8}


def spec(steps: int = STEPS, features: int = 1) -> DataSpec:
    return DataSpec("toy", "sequence", (steps, features), "real", likelihood="gaussian",
                    likelihood_options={"sigma": "per-dimension"})  # fmt: skip


def draws(n: int = 6, steps: int = STEPS) -> Tensor:
    return with_gaps(DYNAMICS.sample(n, steps, seed=4)[1])


def test_every_weight_is_the_exact_evidence_of_a_step() -> None:
    x = draws()
    found = Exact(STEPS).evidence(x, samples=7)
    exact = DYNAMICS.filter(x).log_evidence
    for values in (found.value, found.bound):
        back = unpack(values, found.packed)
        torch.testing.assert_close(back.nan_to_num(0.0), exact, rtol=0, atol=1e-9)
    assert torch.equal(unpack(found.value, found.packed).isnan(), x[..., 0].isnan())
    torch.testing.assert_close(found.effective[found.packed.steps].min().item(), 7.0)


def test_the_objective_is_tight_with_exact_conditionals() -> None:
    """Mean over draws, for the KL in it is taken in closed form and the rest is drawn."""
    x, model = draws(), Exact(STEPS)
    exact = DYNAMICS.log_evidence(x)
    values = torch.stack([td_elbo(model, x).parts["bound"] for _ in range(400)])
    error = (values.mean(0) - exact) / (values.std(0) / 20.0)
    assert error.abs().max() < 4.0


def test_the_look_ahead_is_the_mean_over_what_is_foreseen() -> None:
    """E log N(x; C z, R) over z ~ N(m, P), the filter's prediction, in closed form; and a bound."""
    x, model = DYNAMICS.sample(6, STEPS, seed=4)[1], Exact(STEPS)
    found = DYNAMICS.filter(x)
    c, noise = DYNAMICS.emission[0], DYNAMICS.emission_noise[0, 0]
    off = (x[..., 0] - found.predicted_mean @ c).square() + c @ found.predicted_covariance @ c
    exact = -0.5 * (off / noise + (2.0 * math.pi * noise).log()).mean()
    values = []
    for _ in range(400):
        terms = td_elbo(model, x, beta=0.0, ahead=1.0)
        values.append(terms.parts["distortion"].mean() / STEPS - terms.loss)
    drawn = torch.stack(values)
    assert abs(drawn.mean() - exact) < 4.0 * drawn.std() / 20.0
    assert drawn.mean() < found.log_evidence.mean()


def test_a_jump_bounds_the_prediction_over_it() -> None:
    """What lies between is seen by the later belief: a bound, and a loose one."""
    x, model = DYNAMICS.sample(4, STEPS, seed=4)[1], Exact(STEPS)
    hidden = x.clone()
    hidden[:, 1:3] = torch.nan
    predicted = DYNAMICS.filter(hidden).log_evidence[:, 3]  # log p(x_4 | x_1)
    b = model.beliefs(model.pack(x))
    rows = (b[:, 1], b[:, 4], torch.full((4,), 3.0), x[:, 3], ~x[:, 3].isnan())
    weights = model.weigh(*rows, samples=4000)[0]
    assert (weights.mean(0) - 4 * weights.std(0) / 4000**0.5 < predicted).all()


def test_smoothing_backwards_from_the_last_belief_is_the_smoother() -> None:
    x = draws()
    model, smoothed = Exact(STEPS), DYNAMICS.smooth(x[4:])
    steps = model.pack(x[4:])
    b = model.beliefs(steps)
    z = b[:, -1, :2]
    means = [z]
    for t in reversed(range(1, STEPS)):  # the mean of a mean: all of it is linear
        z = model.smoothing(z, b[:, t], b[:, t + 1], torch.ones(2)).mean
        means.append(z)
    found = torch.stack(means[::-1], 1)
    torch.testing.assert_close(found, smoothed.mean, rtol=0, atol=1e-10)


def learnt(belief: str = "gru") -> tuple[torch.nn.Module, LinearDynamics]:
    torch.manual_seed(0)
    true = LinearDynamics.of([[0.9]], [[0.2]], [[1.0]], [[0.3]]).stationary()
    model, phases = td_vae(
        spec(20), jump="1", latent_dim=1, hidden=(), belief_width=16, belief=belief
    )
    x = true.sample(2000, 20, seed=1)[1].float()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    for step in range(500):
        optimizer.zero_grad()
        chosen, beta = x[torch.randint(len(x), (64,))], torch.tensor(min(1.0, step / 250))
        phases[0].objective(model, chosen, beta=beta).loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval(), true


def test_a_learnt_linear_model_comes_near_the_exact_evidence() -> None:
    model, true = learnt()
    x = true.sample(500, 20, seed=2)[1]
    exact = true.filter(x)
    with torch.no_grad():
        found = model.evidence(x.float(), samples=64)
        gap = float((exact.log_evidence - found.bound).mean())
        assert -0.01 < gap < 0.05, "nats a step"
        assert abs(float((exact.log_evidence - found.value).mean())) < 0.05


def test_steps_that_are_missing_change_nothing() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, STEPS, 2)
    times = torch.arange(STEPS).float().expand(3, -1)
    for recipe, options in ((td_vae, {"jump": "1-3"}), (state_space_vae, {})):
        for belief in ("gru", "lstm", "transformer"):
            model, _ = recipe(spec(features=2), belief=belief, **options, **SMALL)
            longer = torch.cat((x, torch.full((3, 4, 2), torch.nan)), 1)
            gap = longer.clone()
            gap[:, 3:5] = torch.nan
            kept = torch.cat((x[:, :3], x[:, 5:]), 1)
            at = torch.cat((times[:, :3], times[:, 5:]), 1)
            with torch.no_grad():
                for one, other in (((x,), (longer,)), ((kept, at), (gap,))):
                    short, long = model.pack(*one), model.pack(*other)
                    count = one[0].shape[1]
                    b = model.beliefs(short)
                    torch.testing.assert_close(model.beliefs(long)[:, : count + 1], b)
                    torch.testing.assert_close(long.times[:, :count], short.times)
                    assert torch.equal(long.x[:, :count], short.x)
                    assert not long.steps[:, count:].any()
        # What stands in a missing place is nowhere looked at.
        torch.manual_seed(1)
        first = model.evidence(gap, samples=3).value
        torch.manual_seed(1)
        packed = model.pack(gap)
        assert first[~packed.steps].eq(0).all()


def test_jumps_of_one_step_are_training_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, one pair after the other, where no draw differs from its mean."""
    torch.manual_seed(0)
    model, _ = td_vae(spec(), jump="1", **SMALL)
    monkeypatch.setattr(
        "lowerbound.distributions.normal.normal",
        lambda shape, dtype, device: torch.zeros(shape, dtype=dtype, device=device),
    )
    x = draws().float()
    steps = model.pack(x)
    b = model.beliefs(steps)
    since = steps.since()
    bounds = torch.zeros(len(x))
    for row in range(len(x)):
        for t in range(int(steps.lengths[row])):
            before, now, gap = b[row, t], b[row, t + 1], since[row, t]
            z2 = model.belief(now).mean
            q = model.smoothing(z2, before, now, gap)
            z1 = q.mean
            p1 = model.belief(before)
            kl = torch.distributions.kl_divergence(
                torch.distributions.Normal(q.loc, q.scale),
                torch.distributions.Normal(p1.loc, p1.scale),
            ).sum()
            fit = model.likelihood(z2).log_prob(steps.x[row, t])
            moved = model.transition(z1, gap).log_prob(z2) - model.belief(now).log_prob(z2)
            bounds[row] += fit + moved - kl
    torch.testing.assert_close(td_elbo(model, x).parts["bound"], bounds.detach())
    torch.testing.assert_close(td_elbo(model, x).loss, -(bounds / steps.lengths).mean())


def test_drawn_pairs_of_neighbours_are_all_pairs_on_average() -> None:
    torch.manual_seed(0)
    model, _ = td_vae(spec(), jump="1", **SMALL)
    x = draws().float()
    with torch.no_grad():
        every = torch.stack([td_elbo(model, x).parts["bound"] for _ in range(300)])
        some = torch.stack(
            [td_elbo(model, x, jumps=Jumps.parse("1"), pairs=20).parts["bound"] for _ in range(300)]
        )
    error = ((every.var(0) + some.var(0)) / 300).sqrt()
    assert ((every.mean(0) - some.mean(0)).abs() < 4 * error).all()


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (td_vae, {"belief": "transformer", "jump": "1-3,2-4:0.5"}),
        (td_vae, {"belief": "transformer", "jump": "1", "layers": 2}),
        (state_space_vae, {"belief": "transformer", "posterior": "mean-field"}),
        (state_space_vae, {"belief": "transformer", "posterior": "filtering"}),
    ],
)
def test_compiled_objectives_are_the_eager_ones(
    recipe, options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss and the gradient of every weight, with draws that are the same in both."""

    def still(shape: tuple[int, ...]) -> Tensor:
        return (12.9898 * torch.arange(math.prod(shape), dtype=torch.float32).view(shape)).sin()

    places = "lowerbound.distributions.normal.normal", "lowerbound.sequences.jumps.uniform"
    monkeypatch.setattr(places[0], lambda shape, dtype, device: 1.4 * still(shape).to(dtype))
    monkeypatch.setattr(places[1], lambda shape, device: 0.499 * still(shape) + 0.5)
    torch.manual_seed(0)
    model, phases = recipe(spec(4), **options, **SMALL)
    x = torch.randn(5, 4, 1)
    x[0, 2] = torch.nan

    def step(x: Tensor) -> tuple[Tensor, ...]:
        weights = {name: torch.tensor(0.7) for name in phases[0].scheduled}
        terms = phases[0].objective(model, x, **weights)
        found = torch.autograd.grad(terms.loss, list(model.parameters()))
        return (terms.loss.detach(), *found)

    eager = step(x)
    with torch._dynamo.config.patch(trace_autograd_ops=True):
        compiled = torch.compile(step, fullgraph=True, dynamic=False, backend="aot_eager")(x)
    assert len(eager) == len(compiled) > 20
    for one, other in zip(eager, compiled, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)
    # The states, the time between them and what was seen all count.
    assert all(each.abs().max() > 0 for each in eager)


def test_pairs_are_drawn_as_they_were_asked_for() -> None:
    jumps = Jumps.parse("1-10:0.8,1-120:0.2")
    torch.manual_seed(0)
    lengths = torch.tensor([200, 5])
    first, second = jumps.pairs(lengths, 40_000)
    gap = second - first
    assert first.min() == 0 and (second.max(1).values == lengths).all() and gap.min() == 1
    share = (gap[0] > 10).double().mean()
    expected = 0.2 * 110 / 120
    assert abs(share - expected) < 4 * (expected * (1 - expected) / 40_000) ** 0.5
    ones = first[0][gap[0] == 1].double()  # uniform over the 200 places there are
    assert abs(ones.mean() - 99.5) < 4 * 200 / (12 * len(ones)) ** 0.5
    assert gap[1].max() == 5
    usual = [Jumps.parse(text).usual for text in ("1", "1-10:0.8,1-120:0.2", "1-2,7-9:3")]
    assert usual == [1, 5, 8]


@pytest.mark.parametrize("text", ["0-3", "5-2", "a", "1-10:", "", "1.5"])
def test_jumps_that_are_none(text: str) -> None:
    with pytest.raises(LowerboundError, match="jump: expected steps of at least 1"):
        Jumps.parse(text)


def test_jumps_longer_than_the_sequence() -> None:
    with pytest.raises(LowerboundError, match=r"at most 9 steps.*came 20; pass e.g. --jump 1-9"):
        td_vae(spec(), jump="1-20")


def test_data_that_are_no_sequences() -> None:
    image = DataSpec("digits", "image", (1, 8, 8), "unit")
    for recipe in (td_vae, partial(state_space_vae)):
        with pytest.raises(LowerboundError, match=r"expected sequences of steps.*came image data"):
            recipe(image)


def test_layers_know_their_density() -> None:
    """log_prob of a draw is what drawing said of it, and the density integrates to one."""
    torch.manual_seed(0)
    model, _ = td_vae(spec(), jump="1", latent_dim=1, layers=2, hidden=(4,), belief_width=8)
    p = model.belief(torch.randn(1, 8))
    z, log_p = p.rsample_and_log_prob((5,))
    torch.testing.assert_close(p.log_prob(z), log_p)
    line = torch.linspace(-12, 12, 300)
    grid = torch.cartesian_prod(line, line)[:, None]
    mass = p.log_prob(grid).exp().sum().detach() * (line[1] - line[0]) ** 2
    assert abs(float(mass) - 1.0) < 1e-3


def test_steps_without_anything_keep_the_order_of_the_others() -> None:
    x = torch.tensor([[1.0, torch.nan, 3.0, torch.nan], [torch.nan, 2.0, 5.0, 7.0]])[..., None]
    found = pack(x)
    assert found.x[..., 0].tolist() == [[1, 3, 0, 0], [2, 5, 7, 0]]
    assert found.times.tolist() == [[0, 2, 2, 2], [1, 2, 3, 3]]
    # Time 0 is the first place.
    assert found.since(9.0).tolist() == [[9, 2, 0, 0], [10, 1, 1, 0]]
    torch.testing.assert_close(unpack(found.x, found), x, equal_nan=True)


def test_the_best_variance_is_of_the_fit_and_not_of_the_look_ahead() -> None:
    """The variance that a run is evaluated with is the same with the second bound and without."""
    optimal = replace(spec(), likelihood_options={"sigma": "optimal"})
    tracked = []
    for ahead in (None, 0.0, 1.0):
        torch.manual_seed(0)
        model, _ = td_vae(optimal, jump="1-3", **SMALL)
        torch.manual_seed(1)
        td_elbo(model.train(), draws().float(), jumps=Jumps.parse("1-3"), ahead=ahead)
        (kept,) = (each for each in model.modules() if isinstance(each, RunningVariance))
        assert kept.count == 1
        tracked.append(float(kept.total))
    assert tracked[0] > 0.0 and len(set(tracked)) == 1


def test_time_passes_before_the_first_known_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random walk, of which nothing is known for four steps, has gone as far by then."""
    one = torch.eye(2, dtype=torch.float64)
    walk = LinearDynamics.of(one, 0.5 * one, [[1.0, 0.5]], [[0.4]], [0.0, 0.0], one)
    monkeypatch.setattr(exact, "DYNAMICS", walk)

    class Walk(Exact):
        def beliefs(self, steps: Packed) -> Tensor:
            found = super().beliefs(steps)
            start = torch.cat((torch.zeros(2), (0.5 * one).flatten()))  # a step before the first
            return torch.cat((start.expand(len(found), 1, -1), found[:, 1:]), 1)

    x = torch.full((1, 6, 1), torch.nan, dtype=torch.float64)
    x[0, 4], x[0, 5] = 5.0, 4.0
    found = Walk(6).evidence(x, samples=7)
    known = unpack(found.value, found.packed).nan_to_num(0.0)
    torch.testing.assert_close(known, walk.filter(x).log_evidence, rtol=0, atol=1e-9)
    values = torch.stack([td_elbo(Walk(6), x).parts["bound"] for _ in range(400)])
    error = (values.mean(0) - walk.log_evidence(x)) / (values.std(0) / 20.0)
    assert error.abs().max() < 4.0
