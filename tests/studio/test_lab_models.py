"""What the lab trains and draws is the library's own, number for number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lowerbound.bounds import elbo
from lowerbound.data.planar import TOYS
from lowerbound.errors import LowerboundError
from lowerbound.mixtures import GaussianMixture, em
from lowerbound.studio.asked import Asked
from lowerbound.studio.lab import setup as setups
from lowerbound.studio.lab import surfaces
from lowerbound.studio.lab.frames import CODES, REACH, Looks, pack
from lowerbound.studio.lab.trainer import make

SMALL = {"width": 16, "layers": 1, "points": 300, "batch": 50}


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Nothing here may disturb the process's random numbers."""
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state())


def trainer(model: str, steps: int = 0, **choices: Any) -> Any:
    setup, live = setups.read(Asked({**SMALL, "model": model, **choices}))
    found = make(setup, live, threading.RLock())
    found.advance(steps)
    return found


def numbers(packed: dict[str, Any]) -> np.ndarray:
    import base64

    flat = np.frombuffer(base64.b64decode(packed["f32"]), "<f4")
    return flat.reshape(packed["shape"]).copy()


def test_numbers_travel_whole() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert numbers(pack(x)).tolist() == x.tolist()


@pytest.mark.parametrize("model", ["flow", "gan", "aae", "vae", "iwae", "ae"])
def test_the_code_trains_the_same_model(model: str, tmp_path: Path) -> None:
    """What stands under "as code", run with fewer steps, gives the lab's weights."""
    own = {} if model == "flow" else {"sigma": 0.2} if model in ("vae", "iwae", "aae") else {}
    own |= {"components": 2} if model == "flow" else {}
    found = trainer(model, 25, **own)
    code = setups.code(found.setup, found.live, 25)
    assert "steps=1000" in code
    code = code.replace("steps=1000", f"steps=25, progress=False, out={str(tmp_path / 'run')!r}")
    space: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        exec(code, space)
    weights = space["run"].model.state_dict()
    for name, tensor in found.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    found.close()


def test_the_code_of_a_vae_whose_beta_rises(tmp_path: Path) -> None:
    found = trainer("vae", 20)
    options = setups.recipe_options(found.setup, found.live, 1000)
    assert options["beta_schedule"] == "warmup" and options["rise"] == 0.3
    # As a run of 1,000 steps has it after 20 of them.
    assert float(found._beta(found.stepper.clock())) == pytest.approx(20 / 300)
    found.live.beta = 3.0
    assert float(found._beta(found.stepper.clock())) == pytest.approx(60 / 300)


def test_drawn_points_are_told_as_a_file() -> None:
    asked = Asked({"density": "drawn", "strokes": [[[0, 0], [1, 1]]], **SMALL, "model": "gmm"})
    setup, live = setups.read(asked)
    assert 'np.load("drawn.npy")' in setups.code(setup, live, 3)
    arrays = setup.arrays()
    assert arrays["train"].shape == (300, 2) and arrays["test"].shape == (setups.HELD_OUT, 2)


def test_a_mixtures_picture_is_that_of_em() -> None:
    found = trainer("gmm", 6, components=5)
    frame = Looks(found).frame()
    x = torch.as_tensor(found.setup.arrays()["train"]).float()
    model = GaussianMixture((2,), components=5)
    with torch.random.fork_rng(devices=[]):
        from lowerbound.training.noise import seed_noise

        seed_noise(torch.device("cpu"), 0, 0)
        steps = em(model, lambda: [x], start="random", restarts=1, tolerance=0.0)
        values = [next(steps) for _ in range(7)]
    assert found.step == 6
    assert numbers(frame["means"]) == pytest.approx(model.means.numpy(), abs=1e-6)
    assert numbers(frame["covariances"]) == pytest.approx(model.covariances.numpy(), abs=1e-6)
    assert frame["weights"] == pytest.approx(model.weights.tolist(), abs=1e-6)
    assert found.told()["log_likelihood"] == pytest.approx(values[-1].log_likelihood, abs=1e-6)
    test = torch.as_tensor(found.setup.arrays()["test"]).float()
    held = float(model.log_prob(test).mean())
    assert frame["reading"]["held_out"] == pytest.approx(held, abs=1e-5)
    assert frame["which"] == model.responsibilities(x).argmax(1).tolist()
    found.close()


def test_em_says_when_it_has_converged() -> None:
    found = trainer("gmm", 500, components=1)
    assert found.done and found.step < 10
    found.advance(3)
    found.close()


def test_a_flows_surface_is_its_density() -> None:
    found = trainer("flow", 60, components=3)
    frame = Looks(found).frame()
    heat = numbers(frame["heat"])
    with torch.no_grad():
        exact = found.model.log_prob(surfaces.places(REACH))
    assert heat.ravel() == pytest.approx(exact.numpy(), abs=1e-5)
    # On a plane that holds all of it, finely enough.
    with torch.no_grad():
        wide = surfaces.over(found.model.log_prob, 8.0, 400)
    assert float(wide.exp().sum()) * (16.0 / 400) ** 2 == pytest.approx(1.0, abs=2e-3)
    # Data and codes are the same points of one map.
    nodes, codes = numbers(frame["nodes"]), numbers(frame["node_codes"])
    with torch.no_grad():
        back = found.model.encode(torch.as_tensor(nodes).reshape(-1, 2)).mean
    assert back.numpy() == pytest.approx(codes.reshape(-1, 2), abs=1e-3)
    assert frame["reading"]["held_out"] == pytest.approx(float(_held(found)), abs=1e-5)
    found.close()


def _held(found: Any) -> torch.Tensor:
    test = torch.as_tensor(found.setup.arrays()["test"]).float()
    with torch.no_grad():
        return found.model.log_prob(test).mean()


def test_a_vaes_terms_are_those_of_the_elbo() -> None:
    """A step's terms, from the model before it, the same examples and the same noise."""
    found = trainer("vae", 10, sigma=0.3, beta=2.0)
    found.told()
    from lowerbound.training.noise import seed_noise

    with torch.random.fork_rng(devices=[]):
        source, index, _ = found.stepper.first_batch()
        index = found.stepper.batches.positions(10)
        seed_noise(torch.device("cpu"), 0, 10, 0, 0)
        with torch.no_grad():
            loss, parts = elbo(found.model, source[index], beta=2.0)
    found.advance(1)
    told = found.told()
    assert told["loss"] == pytest.approx(float(loss), rel=1e-5)
    for name in ("bound", "distortion", "rate"):
        assert told[name] == pytest.approx(float(parts[name].mean()), rel=1e-5)
    assert told["loss"] == pytest.approx(told["distortion"] + 2.0 * told["rate"], rel=1e-5)
    found.close()


def test_a_vaes_surface_is_a_mixture_of_what_it_decodes() -> None:
    found = trainer("vae", 30, sigma=0.25)
    looks = Looks(found)
    frame = looks.frame()
    with torch.no_grad(), found.looking():
        p = found.model.decode(looks.many)
        exact = surfaces.log_mixture_prob(p, surfaces.places(REACH)[::97])
        q = found.model.encode(looks.x[:28])
    seen = np.maximum(exact.numpy(), np.log(1e-30))  # below which there is nothing to see
    assert numbers(frame["heat"]).ravel()[::97] == pytest.approx(seen, abs=1e-3)
    posteriors = numbers(frame["posteriors"])
    assert posteriors[:, :2] == pytest.approx(q.mean.numpy(), abs=1e-6)
    assert posteriors[:, 2:] == pytest.approx(q.scale.numpy(), abs=1e-6)
    assert numbers(frame["decoded"])[:, 2:] == pytest.approx(0.25)
    # All mass is on the plane: the aggregate posterior's on that of the codes.
    wide = numbers(frame["code_heat"])
    assert np.exp(wide).sum() * (2 * CODES / surfaces.SIDE) ** 2 == pytest.approx(1.0, abs=0.02)
    found.close()


def test_an_estimate_of_log_p_on_a_model_that_knows_it() -> None:
    """A mixture of decoded normals is what it says, by a sum over its codes."""
    loc, scale = torch.tensor([[0.0, 1.0], [-1.0, 0.5]]), torch.tensor([[0.4, 0.2], [0.3, 0.6]])
    from lowerbound.distributions import DiagonalNormal

    p = DiagonalNormal(loc, scale.log())
    exact = surfaces.over(lambda x: surfaces.log_mixture_prob(p, x), 2.0, 16)
    assert torch.allclose(surfaces.log_mixture(loc, scale, 2.0, 16), exact, atol=1e-4)
    fine = surfaces.log_mixture(loc, scale, 5.0, 300).exp().sum() * (10 / 300) ** 2
    assert float(fine) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("loss", ["non-saturating", "wasserstein"])
def test_a_gans_surface_and_its_arrows(loss: str) -> None:
    found = trainer("gan", 20, loss=loss)
    frame = Looks(found).frame()
    with torch.no_grad():
        exact = found.model.judge(surfaces.places(REACH)).logit
    assert numbers(frame["heat"]).ravel() == pytest.approx(exact.numpy(), abs=1e-5)
    # Along an arrow the generator's loss falls, as fast as the arrow is long.
    arrows = torch.as_tensor(numbers(frame["arrows"])).double()
    at, pull = arrows[:, :2], arrows[:, 2:]
    from lowerbound.adversarial import generator_loss

    model = found.model.double()
    with torch.no_grad():
        ahead, behind = (
            generator_loss(model.judge(at + sign * 1e-5 * pull).logit, loss) for sign in (1, -1)
        )
    falls = (behind - ahead) / 2e-5
    assert falls.numpy() == pytest.approx(pull.square().sum(1).numpy(), rel=2e-3, abs=1e-6)
    found.close()


def test_players_change_their_pace_while_they_play() -> None:
    found = trainer("gan", 3)
    phases = {step.phase.name: step for step in found.stepper.steps}
    assert [s.optimizer.count for s in phases.values()] == [3, 3]
    found.live.repeats = 3
    found.live.rate = 0.5
    found.advance(6)
    assert phases["discriminator"].optimizer.count == 9
    assert phases["generator"].optimizer.count == 5
    assert phases["discriminator"].phase.learning_rate == 0.5
    found.close()


def test_a_critics_surface_over_codes() -> None:
    found = trainer("aae", 20)
    frame = Looks(found).frame()
    with torch.no_grad():
        exact = found.model.judge_codes(surfaces.places(CODES)).logit
    assert numbers(frame["code_heat"]).ravel() == pytest.approx(exact.numpy(), abs=1e-5)
    found.close()


@pytest.mark.parametrize(
    ("model", "latent"),
    [
        ("vae", 1),
        ("vae", 5),
        ("iwae", 2),
        ("aae", 1),
        ("aae", 3),
        ("gan", 1),
        ("gan", 3),
        ("ae", 2),
    ],
)  # fmt: skip
def test_every_model_is_drawn_with_codes_of_any_width(model: str, latent: int) -> None:
    found = trainer(model, 2, latent=latent, density="eight")
    looks = Looks(found)
    frame = looks.frame()
    width = min(2, latent)
    assert numbers(frame["node_codes"]).shape[-1] == width
    assert numbers(frame["nodes"]).shape[-1] == 2
    if "codes" in frame:
        assert numbers(frame["codes"]).shape == (300, width)
    if model == "vae" and latent == 5:
        assert len(frame["rates"]) == 5 and len(set(frame["pair"])) == 2
    assert 0 <= frame["reading"]["modes"] <= 8
    assert looks.draw(50).shape == (50, 2)
    assert looks.about()["modes"] == 8
    found.close()


def test_the_same_noise_makes_the_same_samples() -> None:
    found = trainer("vae", 2)
    looks = Looks(found)
    first, second = (numbers(looks.frame()["samples"]) for _ in range(2))
    assert (first == second).all()
    found.close()


def test_what_diverges_is_told() -> None:
    found = trainer("vae", 1)
    with torch.no_grad():
        next(found.model.parameters()).fill_(float("nan"))
    found.advance(1)
    with pytest.raises(LowerboundError, match="learning-rate"):
        found.told()
    found.close()


@pytest.mark.parametrize(
    "choices",
    [
        {"model": "transformer"}, {"density": "../../etc"}, {"points": 10**7}, {"latent": 0},
        {"latent": 1.5}, {"sigma": "wide"}, {"learning_rate": float("nan")}, {"loss": "none"},
        {"density": "drawn"}, {"stride": 0}, {"seed": -1},
    ],
)  # fmt: skip
def test_choices_out_of_range_are_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(LowerboundError, match="expected"):
        setups.read(Asked(choices))


def test_what_needs_a_new_model_is_no_live_change() -> None:
    _, live = setups.read(Asked({}))
    setups.change(live, Asked({"beta": 4}))
    assert live.beta == 4
    with pytest.raises(LowerboundError, match="new model"):
        setups.change(live, Asked({"latent": 1}))


def test_toys_have_no_other_names() -> None:
    assert {"ring", "grid", "moons", "spiral"} <= set(TOYS)
