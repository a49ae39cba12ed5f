"""A code that is a class and a style, of which few labels tell; labels that place the modes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound
from lowerbound.data import held_out
from lowerbound.data.few import balanced
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import StandardNormal
from lowerbound.distributions.beside import Beside, ClassAndStyle
from lowerbound.distributions.onehot import OneHotCategorical
from lowerbound.errors import LowerboundError
from lowerbound.objectives import matched
from lowerbound.recipes import RECIPES

LABELLED = DataSpec("labelled", "vector", (5,), "real", classes=("a", "b", "c"), train=100)
QUICK = {"compile": "no", "precision": "float32", "threads": 1, "tensorboard": "no"}


def built(data: DataSpec = LABELLED, **options):
    torch.manual_seed(0)
    return RECIPES["adversarial-autoencoder"](data, **{"hidden": (16,), **options})


def clusters(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five round clusters on a circle."""
    random = np.random.default_rng(seed)
    label = random.integers(5, size=n)
    angle = 2 * np.pi * label / 5
    centre = 2.0 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (centre + 0.35 * random.normal(size=(n, 2))).astype(np.float32), label


def test_a_class_beside_a_style_has_the_density_and_moments_of_both() -> None:
    torch.manual_seed(0)
    prior = ClassAndStyle(4, StandardNormal(2), 2)()
    z = prior.sample((40_000,))
    assert ((z[:, :4] == 1).sum(1) == 1).all() and prior.event_shape == (6,)
    expected = -math.log(4) - 0.5 * z[:, 4:].square().sum(1) - math.log(2 * math.pi)
    torch.testing.assert_close(prior.log_prob(z), expected)
    error = (prior.variance / len(z)).sqrt()
    assert ((z.mean(0) - prior.mean).abs() < 4 * error).all()
    torch.testing.assert_close(prior.mean, torch.tensor([0.25] * 4 + [0.0] * 2))
    torch.testing.assert_close(prior.variance, torch.tensor([0.1875] * 4 + [1.0] * 2))
    batch = Beside(OneHotCategorical(torch.zeros(3, 2)), OneHotCategorical(torch.zeros(3, 4)))
    assert batch.sample((5,)).shape == (5, 3, 6) and batch.batch_shape == (3,)


def test_few_labels_are_balanced_and_of_the_seed() -> None:
    labels = np.random.default_rng(0).choice(4, size=500, p=[0.7, 0.2, 0.08, 0.02])
    chosen = balanced(labels, 22, seed=1)
    assert sorted(np.bincount(labels[chosen]).tolist()) == [5, 5, 6, 6]
    assert np.array_equal(chosen, balanced(labels, 22, seed=1))
    assert not np.array_equal(chosen, balanced(labels, 22, seed=2))
    rare = np.bincount(labels)[3]
    assert np.bincount(labels[balanced(labels, 120)])[3] == rare  # all that there are
    assert np.array_equal(balanced(labels, 500), np.arange(500))


def test_both_critics_are_told_from_their_own_part_of_the_code() -> None:
    model, phases = built(supervision="classes", latent_dim=2)
    x, y = torch.randn(12, 5), torch.arange(12) % 3
    z = model.encode(x).mean
    torch.testing.assert_close(z[:, :3], model.classify(x).softmax(-1))
    logits = model.judge_codes(z).logit
    moved = z.clone()
    moved[:, 3:] += 1.0
    other = model.judge_codes(moved).logit
    assert torch.equal(logits[:, 0], other[:, 0]) and not torch.equal(logits[:, 1], other[:, 1])
    torch.manual_seed(1)
    terms = matched.matching(model, x, y)
    torch.testing.assert_close(terms.loss, torch.nn.functional.softplus(-logits).sum(1).mean())
    supervised = {phase.name: phase for phase in phases}["supervised"].objective(model, x, y)
    expected = -z[torch.arange(12), y].log().mean()
    torch.testing.assert_close(supervised.loss, expected)
    assert phases[1].moves == [model.critic, model.class_critic]
    assert model.sample(4).shape == (4, 5) and model.latent_shape == (5,)


def trained(path: Path, x, y, **options):
    return lowerbound.train(
        {"train": x, "labels": y},
        "adversarial-autoencoder",
        out=path,
        progress=False,
        **{**QUICK, "held_out_every": 1000, "batch_size": 128, **options},
    )


def test_ten_labels_classify_clusters(tmp_path: Path) -> None:
    """Two of each of five: the rest is found without them."""
    x, y = clusters(3000)
    run = trained(
        tmp_path / "run",
        x,
        y,
        supervision="classes",
        labelled=10,
        latent_dim=1,  # a place in the plane needs the class besides
        hidden=(64,),
        critic_hidden=(64,),
        steps=1000,
        learning_rate=2e-3,
    )
    test = run.data().test
    logits = run.model.classify(held_out(test, run.spec, 0))
    assert (logits.argmax(1).numpy() == test.labels).mean() > 0.98
    share = logits.softmax(1).mean(0)
    assert (share - 0.2).abs().max() < 0.05  # the prior's
    again = lowerbound.open_run(run.path).model
    torch.testing.assert_close(again.classify(held_out(test, run.spec, 0)), logits)


def test_labels_that_are_not_told_change_nothing(tmp_path: Path) -> None:
    """Wrong labels for all but the few that are chosen: the same weights to the bit."""
    x, y = clusters(200)
    data = lowerbound.load({"train": x, "labels": y})
    told = balanced(data.train.labels, 10)
    found = []
    for scrambled in (False, True):
        if scrambled:
            wrong = (data.train.labels + 1) % 5
            wrong[told] = data.train.labels[told]
            # Which are chosen follows from the labels: choose the same.
            data.train.labels[:] = wrong
        model, phases = built(data.spec, supervision="classes", labelled=10, latent_dim=2)
        phases[3].among = lambda split: told
        options = lowerbound.training.options.resolve({**QUICK, "steps": 12, "batch_size": 32})
        for _ in lowerbound.fit(model, phases, data, options):
            pass
        found.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_labels_place_the_modes_and_the_encoder_does_without(tmp_path: Path) -> None:
    x, y = clusters(2000)
    run = trained(
        tmp_path / "run",
        x,
        y,
        supervision="modes",
        prior="petals",
        hidden=(64,),
        critic_hidden=(64, 64),
        steps=1000,
        learning_rate=2e-3,
    )
    model, test = run.model, run.data().test
    z = model.encode(held_out(test, run.spec, 0)).mean
    label = torch.tensor(test.labels)
    prior = model.prior
    own = torch.stack([prior(torch.full((len(z),), c)).log_prob(z) for c in range(5)])
    assert (own.argmax(0) == label).float().mean() > 0.9
    assert model.sample(7).shape == (7, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"supervision": "classes", "labelled": 101}, "from 3 (one of each class) to 100"),
        ({"supervision": "classes", "labelled": 2}, "from 3 (one of each class) to 100"),
        ({"labelled": 10}, "labelled: expected none with supervision none, came 10; pass --sup"),
        (
            {"supervision": "modes"},
            "a prior with places for classes, came standard-n",
        ),
        (
            {"supervision": "classes", "given": "labels"},
            "classes: expected nothing given",
        ),
        (
            {"supervision": "classes", "posterior": "diagonal"},
            "expected posterior point, came diagonal",
        ),
    ],
)
def test_bad_input_is_told_in_a_line(options: dict, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        built(**options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_one_class_only_is_refused() -> None:
    one = DataSpec("one", "vector", (3,), "real", classes=("a",), train=10)
    with pytest.raises(LowerboundError, match="expected two classes or more, came 1"):
        built(one, supervision="classes")
    with pytest.raises(LowerboundError, match="expected data with labels"):
        built(DataSpec("none", "vector", (3,), "real", train=10), supervision="classes")
    with pytest.raises(LowerboundError, match="of two classes or more, came 1"):
        balanced(np.zeros(10, np.int64), 5)
