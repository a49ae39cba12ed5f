"""VQ-VAEs: the unchanged bound, exact rates, phases that keep to their own, runs that reopen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lowerbound as lb
from lowerbound.bounds import elbo
from lowerbound.data import load
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models.vqvae import VQVAE
from lowerbound.networks.grid import GridDecoder, GridEncoder, coarser
from lowerbound.objectives.quantized import code_rate, quantized
from lowerbound.options import check
from lowerbound.recipes.quantized import vq_vae
from lowerbound.training.engine import Processes
from lowerbound.training.options import resolve
from lowerbound.training.phase import Phase
from lowerbound.training.stepper import Stepper

QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}
SHAPES = {"vector": (10,), "grey": (1, 9, 8), "rgb": (3, 8, 8), "film": (3, 1, 8, 8)}
QUANTIZERS: dict[str, dict[str, Any]] = {
    "vq": {"name": "vq", "levels": 16, "dim": 8},
    "heads": {"name": "vq", "levels": 8, "dim": 8, "heads": 2},
    "gradient": {"name": "vq", "levels": 16, "dim": 8, "update": "gradient"},
    "rq": {"name": "rq", "levels": 8, "dim": 8, "depth": 2},
    "fsq": {"name": "fsq", "levels": (4, 4)},
    "gumbel": {"name": "gumbel", "levels": 8, "dim": 8},
}
PIXELCNN = {"name": "pixelcnn", "width": 8, "layers": 2}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(shape: str = "grey", quantizer: str = "vq", **options: Any) -> tuple[Any, list[Phase]]:
    support: Any = "real" if shape == "vector" else "levels"
    likelihood = "gaussian" if support == "real" else "discretized-logistic"
    levels = None if support == "real" else 8
    kind: Any = "video" if shape == "film" else "vector" if shape == "vector" else "image"
    spec = DataSpec("toy", kind, SHAPES[shape], support, levels=levels, likelihood=likelihood)
    small: dict[str, Any] = {"hidden": (16,)} if shape == "vector" else {"channels": 8, "blocks": 1}
    model, phases = vq_vae(spec, quantizer=QUANTIZERS[quantizer], **{**small, **options})
    return model, phases  # ty: ignore


def some(model: VQVAE, n: int = 6) -> Tensor:
    if len(model.event_shape) == 1:
        return torch.randn(n, *model.event_shape)
    return torch.randint(0, 8, (n, *model.event_shape)) / 7.0


def positions(model: VQVAE) -> int:
    return math.prod(model.latent_shape)


# The bound


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("quantizer", ["vq", "heads", "rq", "fsq"])
def test_the_unchanged_bound_has_the_exact_uniform_rate(shape: str, quantizer: str) -> None:
    """positions · log K, and the distortion of the entries that the encoder chose."""
    model, _ = built(shape, quantizer)
    x = some(model)
    model.upkeep(x, step=0)
    _, parts = elbo(model, x)
    expected = positions(model) * math.log(model.levels)
    assert torch.equal(parts["rate"], torch.full((6,), expected))
    assert model.uniform_rate == expected
    codes = model.encode(x).mode
    assert codes.dtype == torch.int64 and codes.shape == (6, *model.latent_shape)
    torch.testing.assert_close(parts["distortion"], -model.decode(codes).log_prob(x).detach())


@pytest.mark.parametrize("quantizer", ["vq", "heads", "rq", "fsq", "gradient"])
def test_what_trains_is_what_is_told(quantizer: str) -> None:
    """The objective's bound is that of the unchanged elbo, of the same weights."""
    model, _ = built("rgb", quantizer)
    x = some(model)
    model.upkeep(x, step=0)
    loss, parts = quantized(model, x, commitment=0.5)
    for name, value in elbo(model, x).parts.items():
        torch.testing.assert_close(parts[name], value)
    own = parts["commitment"] * (1.5 if quantizer == "gradient" else 0.5)
    torch.testing.assert_close(loss.detach(), (own - parts["bound"]).mean())
    used = len(model.encode(x).mode.unique())
    if quantizer == "vq":
        assert float(parts["usage"][0]) == used / 16


def test_a_categorical_posterior_has_its_kl_for_a_rate() -> None:
    model, _ = built("grey", "gumbel")
    x = some(model)
    q = model.encode(x)
    expected = positions(model) * math.log(8) - q.entropy()
    torch.testing.assert_close(quantized(model, x).parts["rate"], expected.detach())
    with torch.no_grad():  # no gradient flows through draws of indices, but the bound is told
        torch.testing.assert_close(elbo(model, x).parts["rate"], expected)


def test_a_fitted_prior_is_charged_by_the_same_bound() -> None:
    model, _ = built("grey", "vq", prior=PIXELCNN)
    x = some(model)
    parts = code_rate(model, x).parts
    torch.testing.assert_close(parts["rate"], elbo(model, x).parts["rate"])
    torch.testing.assert_close(parts["gain"], model.uniform_rate - parts["rate"])


# Phases


@pytest.mark.parametrize("quantizer", list(QUANTIZERS))
def test_gradients_reach_exactly_their_phase(quantizer: str) -> None:
    """All of encoder, quantizer and decoder by the codes' objective, all of the prior by its own,
    and none of the other's."""
    model, phases = built("grey", quantizer, prior=PIXELCNN)
    assert [(p.name, p.window) for p in phases] == [("codes", (0.0, 0.5)), ("prior", (0.5, 1.0))]
    x = some(model)
    model.upkeep(x, step=0)
    parameters = dict(model.named_parameters())
    for phase in phases:
        numbers = {name: torch.tensor(1.0) for name in phase.scheduled}
        loss = phase.objective(model, x, **numbers).loss
        own = {id(p) for module in phase.moves for p in module.parameters()}
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
            assert (gradient is not None) == (id(parameter) in own), f"{phase.name}: {name}"


def test_one_run_learns_codes_and_then_their_prior(tmp_path: Path) -> None:
    """Of two sorts of data a code need tell one bit, which is what codes cost when the prior is
    fitted; and samples are of these sorts."""
    values = np.tile(np.array([[2.0], [-2.0]]), (40, 4)) + 1e-3 * np.arange(80)[:, None] / 80
    run = lb.train(values, "vq-vae", out=tmp_path / "run", progress=False, steps=300, **QUICK,
                   hidden=(16,), positions=2, quantizer={"name": "vq", "levels": 2, "dim": 2},
                   prior={"name": "transformer", "width": 16, "layers": 1, "heads": 1},
                   batch_size=32, learning_rate=1e-2, standardize=False)  # fmt: skip
    found = lb.evaluate(run, report=False)
    assert found.log_likelihood is not None and found.log_likelihood.kind == "lower bound"
    assert found.rate == pytest.approx(math.log(2), abs=0.05)  # uniform: 2 log 2
    drawn = lb.sample(run, 200, values="mean")
    assert bool((np.abs(np.abs(drawn) - 2.0) < 0.2).all())
    assert 0.3 < float((drawn[:, 0] > 0).mean()) < 0.7  # within 4 standard errors, and more


# Training


def test_codebook_statistics_do_not_depend_on_microbatches() -> None:
    """Two microbatches are the batch: codebook, counts and all else."""
    data = load("digits", limit=128)
    found = []
    for accumulate in (1, 2):
        torch.manual_seed(1)
        model, phases = vq_vae(data.spec, quantizer=QUANTIZERS["vq"], channels=8, blocks=1)
        options = resolve({**QUICK, "steps": 6, "batch_size": 32, "accumulate": accumulate})
        stepper = Stepper(model, phases, data, options, None, Processes())  # ty: ignore
        for _ in range(4):
            stepper.advance()
            stepper.state.step += 1
        found.append(model.state_dict())
    for name, one in found[0].items():
        torch.testing.assert_close(one, found[1][name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("shape", "quantizer"),
    [
        ("vector", "heads"),
        ("grey", "rq"),
        ("rgb", "fsq"),
        ("vector", "gumbel"),
        ("grey", "gradient"),
    ],
)
def test_every_quantizer_learns_on_every_kind(shape: str, quantizer: str) -> None:
    """The bound after some steps on four different data is above that of one code for all."""
    model, phases = built(shape, quantizer)
    x = some(model, 4)
    spread = torch.arange(4.0).view(-1, *[1] * (x.dim() - 1)) / 3
    x = (spread.expand_as(x) * 7).round() / 7 if shape != "vector" else x
    [phase] = phases
    if phase.upkeep is not None:
        model.upkeep(x, step=0)
    moved = [p for m in phase.moves for p in m.parameters()]
    optimizer = torch.optim.Adam(moved, 1e-2)
    numbers = {name: torch.tensor(0.7) for name in phase.scheduled}
    bounds = []
    for _ in range(30):
        loss, parts = phase.objective(model, x, **numbers)
        grads = torch.autograd.grad(loss, moved)
        for p, g in zip(moved, grads, strict=True):
            p.grad = g
        for module in model.modules():  # running means are no descent
            for name, decay in getattr(module, "averages", {}).items():
                parameter = getattr(module, name)
                parameter.data.lerp_(parameter.grad, 1 - decay)
                parameter.grad = None
        optimizer.step()
        bounds.append(float(parts["bound"].mean()))
    assert np.mean(bounds[-5:]) > np.mean(bounds[:5]) + 1.0


# Runs


def test_save_and_load_give_the_same_codes_and_bound(tmp_path: Path) -> None:
    run = lb.train("digits", "vq-vae", out=tmp_path / "run", progress=False, steps=8, limit=120,
                   channels=8, blocks=1, given="labels", **QUICK)  # fmt: skip
    again = lb.open_run(run.path)
    x = run.data().test.all()[:20].float() / 16
    codes = run.model.encode(x).mode  # ty: ignore
    assert torch.equal(codes, again.model.encode(x).mode)  # ty: ignore
    first, second = (lb.evaluate(r, report=False) for r in (run, again))
    assert first.bound == second.bound
    assert first.rate == pytest.approx(4 * math.log(512), rel=1e-6)


def test_codes_outside_the_codebook_are_refused() -> None:
    model, _ = built("grey", "vq")
    codes = torch.zeros(2, *model.latent_shape, dtype=torch.int64)
    codes[0, 0, 0] = 16
    with pytest.raises(LowerboundError, match=r"codes from 0 to 15, .*came 16; pass codes of this"):
        model.decode(codes)
    with pytest.raises(LowerboundError, match=r"codes of shape \(…, 3, 2\), came \(2, 3\)"):
        model.decode(codes[..., 0])


def test_options_without_a_name_are_those_of_what_fills_the_slot_by_default() -> None:
    found = check(vq_vae, {"quantizer": {"levels": 16}})
    assert found["quantizer"] == {"name": "vq", "levels": 16}
    with pytest.raises(LowerboundError, match="uniform has no option 'width'"):
        check(vq_vae, {"prior": {"width": 16}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "standard-normal"}, "expected uniform, pixelcnn, transformer, wavenet"),
        ({"prior": {"name": "uniform", "low": -3.0}}, "expected no options over codes.*came low"),
        ({"downsampling": 3}, "power of two, came 3"),
        ({"downsampling": 64}, "at most the image's 9 pixels, came 64"),
        ({"given": "labels"}, "expected data with labels, came toy without"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        built("grey", "vq", **options)


# Networks


@pytest.mark.parametrize("size", [(7, 9), (8, 8), (28, 31)])
@pytest.mark.parametrize("downsampling", [1, 2, 4])
def test_every_position_sees_its_own_part_of_the_image(
    size: tuple[int, int], downsampling: int
) -> None:
    """A pixel moves the vector above it, and a vector moves the pixels under it."""
    encoder = GridEncoder((1, *size), 3, downsampling=downsampling, channels=16, blocks=1)
    decoder = GridDecoder(3, (1, *size), downsampling=downsampling, channels=16, blocks=1)
    grid = coarser(size, downsampling)
    assert encoder.grid == decoder.grid == grid
    x = torch.randn(1, 1, *size, requires_grad=True)
    row, column = size[0] - 1, size[1] - 1  # the last pixel, under the last position
    v = encoder(x).reshape(*grid, 3)
    (gradient,) = torch.autograd.grad(v[-1, -1].square().sum(), [x])
    assert float(gradient[0, 0, row, column].abs()) > 0
    codes = torch.randn(1, math.prod(grid), 3, requires_grad=True)
    image = decoder(codes)
    assert image.shape == (1, 1, *size)
    (gradient,) = torch.autograd.grad(image[0, 0, row, column], [codes])
    assert float(gradient[0, -1].abs().sum()) > 0


def test_frames_are_encoded_one_by_one() -> None:
    """A film's codes are those of its frames, in order."""
    encoder = GridEncoder((3, 1, 8, 8), 5, channels=4)
    film = torch.randn(2, 3, 1, 8, 8)
    alone = [encoder.maps(film[:, frame]).flatten(2).mT for frame in range(3)]
    torch.testing.assert_close(encoder(film), torch.cat(alone, 1))
    assert encoder.grid == (3, 2, 2)


def small_run(path: Path, quantizer: str, steps: int) -> lb.Run:
    """On digits, with four codes each."""
    small: dict[str, Any] = {"hidden": (32,), "positions": 4, "progress": False, **QUICK}
    return lb.train(
        "digits", "vq-vae", out=path, quantizer=QUANTIZERS[quantizer], steps=steps, **small
    )


def test_a_posterior_over_entries_is_measured_by_its_likeliest_codes(tmp_path: Path) -> None:
    """The mean of indices is no code; and positions · log K is not what drawn codes cost."""
    run = small_run(tmp_path / "run", "gumbel", 30)
    found = lb.evaluate(run, report=False, samples=5)
    assert found.uniform_rate is None and found.codebook is not None
    assert found.rate is not None and 0 < found.rate < 4 * math.log(8)
    assert len(lb.reconstruct(run, 3)[1]) == 3
    lb.diagnose(run)


def test_draws_of_a_certain_posterior_are_one_lower_bound(tmp_path: Path) -> None:
    found = lb.evaluate(small_run(tmp_path / "run", "vq", 5), report=False, samples=50)
    assert found.log_likelihood is not None
    assert found.log_likelihood.kind == "lower bound"  # fifty times the same code
    assert found.uniform_rate == pytest.approx(4 * math.log(16))
