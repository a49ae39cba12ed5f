"""The game: each player's phase, conditions in three ways, and data whose answer is known."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound
from lowerbound.adversarial import Loss, discriminator_loss
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models.discriminator import Discriminator
from lowerbound.networks.augment import Augment
from lowerbound.networks.dcgan import StridedDecoder, StridedEncoder
from lowerbound.objectives import players
from lowerbound.options import trained_with
from lowerbound.recipes import RECIPES

VECTORS = DataSpec("vectors", "vector", (3,), "real", train=100)
LABELLED = DataSpec("labelled", "vector", (3,), "real", classes=("a", "b", "c"), train=100)
IMAGES = DataSpec("images", "image", (3, 14, 11), "levels", levels=256, classes=("a", "b"))


def built(data: DataSpec, name: str = "gan", **options):
    torch.manual_seed(0)
    return RECIPES[name](data, **{"hidden": (16,), **options})


@pytest.mark.parametrize("loss", ["non-saturating", "least-squares", "hinge", "wasserstein"])
def test_each_phase_leaves_the_other_player_alone(loss: str) -> None:
    model, phases = built(VECTORS, loss=loss)
    players_of = {"discriminator": model.discriminator, "generator": model.generator}
    x = torch.randn(20, 3)
    for phase in phases:
        before = {name: copy.deepcopy(each.state_dict()) for name, each in players_of.items()}
        own = [p for module in phase.moves for p in module.parameters()]
        terms = phase.objective(model, x)
        gradients = torch.autograd.grad(terms.loss, own, allow_unused=True)
        assert all(g is not None and g.isfinite().all() for g in gradients)
        with torch.no_grad():
            for p, g in zip(own, gradients, strict=True):
                p -= 0.01 * g
        other = next(name for name in players_of if players_of[name] is not phase.moves[0])
        assert phase.moves == [players_of[phase.name]]
        for key, value in players_of[other].state_dict().items():
            assert torch.equal(value, before[other][key])
        assert all(p.grad is None for p in model.parameters())
    assert not [p for p in model.prior.parameters() if p.requires_grad]


@pytest.mark.parametrize(("share", "steep_at"), [(1.0, 50), (0.25, 13)])
def test_the_discriminator_phase_is_its_loss_on_data_and_samples(
    share: float, steep_at: int
) -> None:
    """… with the slope's squared norm at so many of the data."""
    model, _ = built(VECTORS)
    x = torch.randn(50, 3)
    torch.manual_seed(3)
    terms = players.discriminator(model, x, penalty="r1", weight=0.7, share=share)
    torch.manual_seed(3)
    fake = model.decode(model.draw(50)).mean.detach()
    real_logit, fake_logit = model.judge(x).logit, model.judge(fake).logit
    expected = discriminator_loss(real_logit, fake_logit)
    at = x[:steep_at].clone().requires_grad_()
    (steep,) = torch.autograd.grad(model.judge(at).logit.sum(), at)
    penalty = steep.square().sum(1).mean()
    torch.testing.assert_close(terms.loss, expected.mean() + 0.7 * penalty)
    assert float(terms.parts["penalty"].mean()) == pytest.approx(float(penalty), rel=1e-5)
    right = ((real_logit > 0).float() + (fake_logit < 0).float()) / 2
    assert torch.equal(terms.parts["accuracy"], right)


@pytest.mark.parametrize("apart", [2.0, 6.0])
@pytest.mark.parametrize("loss", ["non-saturating", "least-squares", "hinge"])
def test_the_share_told_apart_is_that_of_the_best_discriminator(apart: float, loss: Loss) -> None:
    """Of N(0, 1) and N(s, 1) the best one is right where its argument is on its side of s / 2."""
    data, samples = torch.randn(100_000), apart + torch.randn(100_000)

    def logit(x: torch.Tensor) -> torch.Tensor:
        ratio = apart * (apart / 2 - x)
        if loss == "least-squares":
            return ratio.sigmoid()
        return ratio if loss == "non-saturating" else ratio.sign()

    right = 0.5 * (1 + math.erf(apart / 2 / math.sqrt(2)))
    told = players.seen(logit(data), logit(samples), loss)
    assert float(told["accuracy"].mean()) == pytest.approx(right, abs=0.005)
    fooled = players.taken(logit(samples), loss)["fooled"].mean()
    assert float(fooled) == pytest.approx(1 - right, abs=0.005)


def test_a_wasserstein_critic_has_no_share_told_apart() -> None:
    """It is the same critic plus any constant."""
    logits = torch.randn(2, 10)
    assert set(players.seen(*logits, "wasserstein")) == {"real_logit", "fake_logit"}
    assert players.taken(logits[0], "wasserstein") == {}


def test_a_game_is_not_stopped_by_its_players_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a discriminator is least where the generator is worst; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    data = lowerbound.load({"train": torch.randn(200, 2).numpy()}, validation_fraction=0.2)
    with pytest.raises(LowerboundError, match=r"patience 3: .* 'discriminator' and 'generator'"):
        lowerbound.train(data, "gan", steps=20, patience=3, progress=False, compile="no")
    assert list(tmp_path.iterdir()) == []


def test_a_projection_discriminator_differs_between_classes_by_its_features() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh())
    onehot = torch.nn.Embedding.from_pretrained(torch.eye(3))
    tells = Discriminator(network, 8, embed=[onehot], width=3, joins="projection")
    x = torch.randn(6, 3)
    a, b = (tells(x, torch.full((6,), c)).logit for c in (0, 2))
    assert tells.along is not None
    v = tells.along.weight
    torch.testing.assert_close(a - b, network(x) @ (v[:, 0] - v[:, 2]))


def test_an_auxiliary_classifier_does_not_see_the_label_it_tells() -> None:
    model, _ = built(LABELLED, "conditional-gan", joins="classifier")
    x, label = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    told, other = model.judge(x, label), model.judge(x, (label + 1) % 3)
    assert torch.equal(told.logit, other.logit) and told.classes.shape == (5, 3)
    terms = players.discriminator(model, x, label, penalty="none")
    wrong = torch.nn.functional.cross_entropy(told.classes, label, reduction="none")
    torch.testing.assert_close(terms.parts["class_loss"], wrong.detach())


@pytest.mark.parametrize("joins", ["projection", "concatenation", "classifier"])
def test_conditions_reach_the_generator(joins: str) -> None:
    model, _ = built(LABELLED, "conditional-gan", joins=joins)
    z = torch.randn(4, model.latent_shape[0])
    a, b = (model.decode(z, torch.full((4,), c)).mean for c in (0, 1))
    assert (a - b).abs().min() > 1e-4
    assert model.sample(6, torch.tensor([0, 1])).shape == (6, 2, 3)


def test_a_gan_finds_a_gaussian(tmp_path) -> None:
    rng = np.random.default_rng(0)
    x = (3.0 + rng.normal(size=(4000, 2)) @ np.array([[0.5, 0.3], [0.0, 0.4]])).astype(np.float32)
    run = lowerbound.train(
        x,
        "gan",
        out=tmp_path / "run",
        progress=False,
        steps=1500,
        latent_dim=4,
        hidden=(32,),
        batch_size=256,
        held_out_every=1000,
        compile="no",
        precision="float32",
        threads=1,
    )
    drawn = lowerbound.sample(run, 4000)
    assert np.abs(drawn.mean(0) - x.mean(0)).max() < 0.12
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(x.T), atol=0.09)
    assert run.info["training"]["beta1"] == 0.5 and run.info["training"]["ema"] == 0.999


def test_a_diverged_player_is_named(tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    with pytest.raises(LowerboundError, match=r"phase '(discriminator|generator)' is not finite"):
        lowerbound.train(
            x,
            "gan",
            out=tmp_path / "run",
            progress=False,
            steps=60,
            learning_rate=1e30,
            compile="no",
            loss="least-squares",
        )


def test_recipes_defaults_of_training_are_their_own_and_can_be_set() -> None:
    assert trained_with(RECIPES["gan"])["learning_rate"] == 1e-3
    assert trained_with(RECIPES["vae"]) == {}


def test_help_shows_them(capsys) -> None:
    from lowerbound.cli import main

    assert main(["train", "digits", "--recipe", "gan", "--help"]) == 0
    told = capsys.readouterr().out
    assert "0.001" in told and "0.999" in told


@pytest.mark.parametrize(
    "size", [(6, 6), (7, 13), (16, 16), (28, 28), (32, 32), (33, 20), (64, 64)]
)
def test_strided_networks_come_back_to_the_size(size: tuple[int, int]) -> None:
    shape = (2, *size)
    makes = StridedDecoder((5,), shape, channels=4)
    tells = StridedEncoder(shape, (7,), channels=4)
    x = makes(torch.randn(3, 5))
    assert x.shape == (3, *shape)
    # Normalised within an example: what else is in the batch changes nothing.
    torch.testing.assert_close(tells(x)[:1], tells(x[:1]), atol=1e-5, rtol=1e-4)


def test_shifts_are_whole_pixels_as_often_each_way() -> None:
    torch.manual_seed(0)
    rows = torch.arange(16.0).view(1, 1, 16, 1) + 1
    columns = 100.0 * (torch.arange(16.0).view(1, 1, 1, 16) + 1)
    x = (rows + columns).expand(4000, 1, 16, 16)
    y = Augment(("translation",))(x)
    middle = y[:, 0, 8, 8]
    down, across = 8 - (middle % 100 - 1), 8 - (middle // 100 - 1)
    for by in (down, across):
        values, counts = by.unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert (counts - 800).abs().max() < 4 * (4000 * 0.2 * 0.8) ** 0.5
    for k in range(20):  # moved as a whole, zeros come in
        d, a = int(down[k]), int(across[k])
        expected = torch.zeros(16, 16)
        source = x[0, 0]
        expected[max(d, 0) : 16 + min(d, 0), max(a, 0) : 16 + min(a, 0)] = source[
            max(-d, 0) : 16 + min(-d, 0), max(-a, 0) : 16 + min(-a, 0)
        ]
        assert torch.equal(y[k, 0], expected)


def test_cutout_hides_a_rectangle_and_colour_keeps_what_it_says() -> None:
    torch.manual_seed(0)
    x = torch.rand(200, 3, 12, 16) + 0.1
    kept = Augment(("cutout",))(x) != 0
    assert (kept[:, 0] == kept[:, 1]).all()
    hidden = ~kept[:, 0]
    area = hidden.sum((1, 2))
    assert area.max() == 6 * 8 and (area >= 3 * 4).all()
    for each in hidden[:50]:
        inside = each[each.any(1)][:, each.any(0)]
        assert inside.all()  # a full rectangle
    # Contrast and saturation are linear about means: the mean moves by the brightness alone.
    y = Augment(("colour",))(x)
    moved = (y - x).mean((1, 2, 3))
    assert moved.abs().max() <= 0.5 and 0.2 < moved.std() < 0.4
    grey = x.mean(1, keepdim=True).expand_as(x).contiguous()
    y = Augment(("colour",))(grey)
    torch.testing.assert_close(y[:, 0], y[:, 2])  # what has no colour gets none


def test_images_in_zero_to_one_are_changed_as_the_papers_are() -> None:
    """Its pixels lie in [-1, 1]: brightness by a quarter of the range, hidden parts are grey."""
    x = torch.rand(500, 3, 12, 16)
    moved = (Augment(("colour",), unit=True)(x) - x).mean((1, 2, 3))
    assert moved.abs().max() <= 0.25 and moved.std() == pytest.approx(0.5 / 12**0.5, abs=0.01)
    y = Augment(("cutout",), unit=True)(x)
    changed = (y - x).abs() > 1e-6
    assert changed.any() and (y[changed] - 0.5).abs().max() < 1e-6


def test_a_gradient_goes_through_augmentation() -> None:
    x = torch.rand(8, 3, 12, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(Augment()(x).square().sum(), x)
    assert gradient.isfinite().all() and (gradient.flatten(1).abs().sum(1) > 0).all()


def test_spectral_norm_holds_every_layer_at_one() -> None:
    model, _ = built(IMAGES, network={"name": "dcgan", "channels": 4}, hidden=None,
                     spectral_norm=True, augment="all")  # fmt: skip
    x = torch.rand(4, 3, 14, 11)
    for _ in range(50):  # the power iteration
        model.judge(x)
    seen = 0
    for module in model.discriminator.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
            assert abs(float(largest) - 1.0) < 0.02
            seen += 1
    assert seen > 3


def test_samples_of_pixels_are_pixels() -> None:
    model, _ = built(IMAGES, hidden=None, network={"name": "conv", "channels": 4, "blocks": 0})
    drawn = model.sample(5)
    assert drawn.shape == (5, 3, 14, 11) and drawn.min() >= 0 and drawn.max() <= 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: built(VECTORS, "conditional-gan"), "expected data with labels, came vectors"),
        (
            lambda: built(
                DataSpec("one", "vector", (3,), "real", classes=("a",)), "conditional-gan"
            ),
            "expected two classes or more, came 1",
        ),
        (lambda: built(VECTORS, augment="all"), "augment: expected none with data that are no"),
        (
            lambda: built(DataSpec("t", "tokens", (5,), "categories", levels=4)),
            "came categories",
        ),
        (
            lambda: built(IMAGES.__class__("s", "image", (3, 4, 5), "levels", levels=256),
                          network="dcgan", hidden=None),
            "height >= 6, width >= 6",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_a_line(call, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)
