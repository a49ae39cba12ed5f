"""The perceptual VAE: its error against plain squares; a feature network that stays as it is."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lowerbound
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import kl
from lowerbound.distributions.gaussian import OptimalNormal, RunningVariance
from lowerbound.errors import LowerboundError
from lowerbound.models.perceptual import PerceptualVAE
from lowerbound.networks.perceptual import VGG19_WEIGHTS, FeatureNetwork, VGG19Features
from lowerbound.objectives import perceptual
from lowerbound.options import check
from lowerbound.recipes import RECIPES
from lowerbound.training.engine import Processes
from lowerbound.training.options import resolve
from lowerbound.training.stepper import Stepper

IMAGES = DataSpec("images", "image", (3, 12, 8), "levels", levels=256, train=100)
SMALL = {"network": {"name": "conv", "channels": 4, "blocks": 0}, "latent_dim": 3}


def built(data: DataSpec = IMAGES, **options) -> tuple[PerceptualVAE, list]:
    torch.manual_seed(0)
    given = {**SMALL, "feature_channels": 4, **options}
    return RECIPES["dfc-vae"](data, **check(RECIPES["dfc-vae"], given))


class Sees(nn.Module):
    """Features that are given channels of the image, times a number."""

    def __init__(self, channels: slice, times: float = 1.0) -> None:
        super().__init__()
        self.channels, self.times = channels, times

    def features(self, x: Tensor) -> list[Tensor]:
        return [self.times * x[:, self.channels]]


def with_features(sees: nn.Module) -> PerceptualVAE:
    model, _ = built()
    model.perceiver = sees
    model.units = torch.ones(1)
    model.variances = nn.ModuleList()
    return model


def test_features_that_are_the_image_give_plain_squared_error() -> None:
    model, x = with_features(Sees(slice(None))), torch.rand(6, 3, 12, 8)
    torch.manual_seed(1)
    terms = perceptual.perceptual_bound(model, x, weight=0.3)
    torch.manual_seed(1)
    q = model.encode(x)
    made = model.decode(q.rsample()).mean
    squared = 0.5 * (x - made).square().sum((1, 2, 3))
    torch.testing.assert_close(terms.parts["feature_error"], squared.detach())
    torch.testing.assert_close(terms.loss, (0.3 * squared + kl(q, model.prior())).mean())
    # In units of their spread, their scale does not matter.
    scaled = with_features(Sees(slice(None), 7.0))
    scaled.measure_units(x)
    plain = with_features(Sees(slice(None)))
    plain.measure_units(x)
    torch.testing.assert_close(plain.units[0], x.var((0, 2, 3)).mean().sqrt())
    other = (perceptual.feature_errors(m, x, 0.9 * x) for m in (scaled, plain))
    torch.testing.assert_close(*other)


def test_the_best_variance_makes_features_that_are_the_image_a_sigma_vae() -> None:
    """The loss is that of a normal density of best variance, its gradient too; afterwards the
    variance is what it was in training."""
    x = torch.rand(6, 3, 12, 8)
    model, _ = built()
    model.perceiver, model.units = Sees(slice(None)), torch.ones(1)
    model.variances = nn.ModuleList([RunningVariance(1.0)])
    weights = list(model.likelihood.parameters())
    torch.manual_seed(1)
    terms = perceptual.perceptual_bound(model, x)
    found = torch.autograd.grad(terms.loss, weights)
    torch.manual_seed(1)
    q = model.encode(x)
    made = OptimalNormal(model.decode(q.rsample()).mean, RunningVariance(1.0), 3)
    constant = 288 * 0.5 * math.log(2 * math.pi)
    loss = (kl(q, model.prior()) - made.log_prob(x) - constant).mean()
    torch.testing.assert_close(terms.loss, loss)
    torch.testing.assert_close(found, torch.autograd.grad(loss, weights))
    kept = made._tracked()
    torch.testing.assert_close(model.variances[0](), kept)
    half = terms.parts["feature_error"].mean()
    torch.testing.assert_close(half, 0.5 * 288 * kept)
    torch.manual_seed(1)
    torch.testing.assert_close(perceptual.perceptual_bound(model.eval(), x).loss, loss)


def test_a_channel_that_features_ignore_gets_no_gradient() -> None:
    model, x = with_features(Sees(slice(0, 2))), torch.rand(4, 3, 12, 8)
    made = torch.rand(4, 3, 12, 8, requires_grad=True)
    (found,) = torch.autograd.grad(perceptual.feature_errors(model, x, made).sum(), made)
    assert (found[:, 2] == 0).all()
    expected = 2.0 / 192 * (made - x)[:, :2].detach()
    torch.testing.assert_close(found[:, :2], expected)


def test_layers_count_alike_whatever_their_size() -> None:
    model, _ = built()
    x, made = torch.rand(5, 3, 12, 8), torch.rand(5, 3, 12, 8)
    model.measure_units(x)
    each = [
        ((f - g) / u).square().flatten(1).mean(1)
        for f, g, u in zip(model.features(x), model.features(made), model.units, strict=True)
    ]
    assert len(each) == 2  # 12 x 8, and 6 x 4
    torch.testing.assert_close(perceptual.feature_errors(model, x, made), torch.stack(each))
    model.decode = lambda z: SimpleNamespace(mean=made)  # ty: ignore[invalid-assignment]
    model.variances = nn.ModuleList()
    found = perceptual.perceptual_bound(model, x, weight=2.0)
    error = 0.5 * 288 * (each[0] + each[1]) / 2
    torch.testing.assert_close(found.parts["feature_error"], error)
    torch.testing.assert_close(found.loss, (2.0 * error + found.parts["rate"]).mean())


def test_turned_images_are_those_that_numpy_turns() -> None:
    x = torch.rand(10, 2, 5, 5)
    seen, by = perceptual.turned(x)
    assert by.bincount().tolist() == [3, 3, 2, 2]
    order = [k for first in range(4) for k in range(first, 10, 4)]
    for image, k, source in zip(seen, by, order, strict=True):
        expected = np.rot90(x[source].numpy(), int(k), (1, 2))
        assert np.array_equal(image.numpy(), expected)
    seen, by = perceptual.turned(torch.rand(4, 1, 3, 5))
    assert seen.shape == (4, 1, 3, 5) and by.tolist() == [0, 0, 1, 1]


def ramps(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Images brighter downwards, in one of three hues that are their class and attribute."""
    random = np.random.default_rng(seed)
    label = random.integers(3, size=count)
    ramp = np.linspace(0.2, 1.0, 12)[None, :, None, None] * np.eye(3)[label][:, None, None]
    noisy = np.clip(ramp + 0.05 * random.normal(size=(count, 12, 12, 3)), 0, 1)
    return {
        "train": (255 * noisy).astype(np.uint8),
        "labels": label,
        "attributes": np.stack([label / 2.0, random.normal(size=count)], 1).astype(np.float32),
    }


QUICK = {"threads": 1, "precision": "float32", "compile": "no", "tensorboard": "no"}


@pytest.mark.parametrize("features", ["labels", "attributes", "rotation"])
def test_features_are_learned_first_and_frozen_then(features: str) -> None:
    """They tell what they are to tell, and no step of the VAE moves them."""
    source = ramps(300)
    data = lowerbound.load(source).prepare(likelihood="none")
    model, phases = built(data.spec, features=features, feature_share=0.5)
    options = resolve({**QUICK, "steps": 80, "batch_size": 64, "learning_rate": 5e-3})
    stepper = Stepper(model, phases, data, options, None, Processes())
    weights = []
    for _ in range(80):
        stepper.advance()
        stepper.state.step += 1
        weights.append([p.detach().clone() for p in model.perceiver.parameters()])
        if len(weights) == 40:
            assert (model.units == 1).all()
    moved = [
        any(not torch.equal(a, b) for a, b in zip(now, then, strict=True))
        for then, now in pairwise(weights)
    ]
    assert moved == [True] * 39 + [False] * 40
    x = stepper.prepare(stepper.loader.tensor[:200])
    with torch.no_grad():
        if features == "attributes":
            told = perceptual.tell_attributes(model, x, stepper.loader.side[:200])
            assert told.parts["unexplained"].mean() < 0.75  # one of two is noise
        else:
            side = (stepper.loader.side[:200],) if features == "labels" else ()
            assert phases[1].objective(model, x, *side).parts["accuracy"].mean() > 0.95
    assert (model.units != 1).all()


def test_the_codes_know_nothing_of_labels_and_there_is_no_likelihood(tmp_path: Path) -> None:
    run = lowerbound.train(
        ramps(120), "dfc-vae", out=tmp_path / "run", progress=False, steps=4, **SMALL, **QUICK
    )
    assert "no density" in run.model.no_likelihood
    found = lowerbound.evaluate(run, report=False)
    assert found.no_likelihood is not None
    assert lowerbound.sample(run, 3).shape == (3, 3, 12, 12)  # not given anything


def test_auto_takes_what_the_data_have() -> None:
    def learns(**more) -> str:
        data = DataSpec("d", "image", (1, 8, 8), "levels", levels=256, **more)
        return built(data)[1][1].objective.__name__

    two = ("a", "b")
    assert learns(classes=two, attributes=two) == "tell_attributes"
    assert learns(classes=two) == "tell_labels"
    assert learns() == learns(classes=("a",)) == "tell_turns"


def random_vgg(path: Path) -> dict[str, Tensor]:
    torch.manual_seed(3)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256)}
    weights = {}
    for n, (out, into) in shapes.items():
        weights[f"features.{n}.weight"] = 0.05 * torch.randn(out, into, 3, 3)
        weights[f"features.{n}.bias"] = 0.05 * torch.randn(out)
    weights["classifier.0.weight"] = torch.zeros(2, 2)
    torch.save(weights, path / VGG19_WEIGHTS)
    return weights


def test_vgg_takes_the_layers_of_the_paper_from_torchvisions_file(tmp_path: Path) -> None:
    from torch.nn.functional import conv2d, max_pool2d, relu

    weights = random_vgg(tmp_path)
    network, x = VGG19Features().load_(tmp_path / VGG19_WEIGHTS), torch.rand(2, 1, 8, 8)

    def layer(n: int, at: Tensor) -> Tensor:
        w, b = (weights[f"features.{n}.{kind}"] for kind in ("weight", "bias"))
        return relu(conv2d(at, w, b, padding=1))

    at = x.expand(-1, 3, -1, -1) - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    first = layer(0, at / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
    second = layer(5, max_pool2d(layer(2, first), 2))
    third = layer(10, max_pool2d(layer(7, second), 2))
    for found, expected in zip(network.features(x), (first, second, third), strict=True):
        torch.testing.assert_close(found, expected)
    assert not [p for p in network.parameters() if p.requires_grad]
    (tmp_path / "other").write_bytes(b"no weights")
    with pytest.raises(LowerboundError, match="expected torchvision's weights of VGG-19"):
        VGG19Features().load_(tmp_path / "other")


def test_a_run_with_vgg_opens_without_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWERBOUND_DATA", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    weights = random_vgg(tmp_path)
    run = lowerbound.train(
        ramps(40),
        "dfc-vae",
        out=tmp_path / "run",
        features="vgg19",
        progress=False,
        steps=2,
        batch_size=8,
        **SMALL,
        **QUICK,
    )
    (tmp_path / VGG19_WEIGHTS).unlink()
    again = lowerbound.open_run(run.path).model
    assert torch.equal(again.perceiver.layers[0].weight, weights["features.0.weight"])
    with pytest.raises(LowerboundError, match=r"vgg19-dcbb9e9d.pth, in .*, came none"):
        lowerbound.train(ramps(40), "dfc-vae", features="vgg19", progress=False, steps=2)


def test_a_small_image_has_fewer_layers() -> None:
    for size, layers in [((1, 4, 4), 1), ((1, 8, 8), 2), ((3, 28, 28), 3), ((3, 64, 64), 3)]:
        assert len(FeatureNetwork(size, 2).layers) == layers


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (DataSpec("v", "vector", (5,), "real"), {}, "expected images, of which features are seen"),
        (IMAGES, {"features": "labels"}, "expected data with labels, came images without"),
        (IMAGES, {"features": "attributes"}, "expected data with attributes, came images"),
        (
            DataSpec("one", "image", (3, 8, 8), "levels", levels=256, classes=("a",)),
            {"features": "labels"},
            "expected two classes or more to tell, came 1; pass --features rotation",
        ),
        (
            DataSpec("five", "image", (5, 8, 8), "levels", levels=256),
            {"features": "vgg19"},
            "expected grey or RGB images, came 5 channels",
        ),
    ],
)
def test_bad_input_is_told_in_a_line(data: DataSpec, options: dict, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        built(data, **options)
    assert message in str(error.value) and "\n" not in str(error.value)
