"""No advice that a recipe cannot follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lowerbound.data import DataSpec
from lowerbound.diagnosis import diagnose
from lowerbound.diagnosis.advice import NONE, advise, fits
from lowerbound.options import options_of
from lowerbound.recipes import RECIPES
from lowerbound.runs import Run
from lowerbound.training.options import training_options

SPEC = DataSpec("toy", "vector", (6,), "real")


def of(recipe: Any, solved: bool = False, **arguments: Any) -> Any:
    return SimpleNamespace(recipe=recipe, arguments=arguments, spec=SPEC, solved=solved)


@pytest.mark.parametrize(
    ("recipe", "text", "helps"),
    [
        ("vae", "--latent-dim 4", True),
        ("vae", "--components 4", False),
        ("gaussian-mixture", "--components 4", True),
        ("gaussian-mixture", "--covariance tied", True),
        ("gaussian-mixture", "--covariance round", False),
        ("gaussian-mixture", "--latent-dim 2", False),
        ("gaussian-mixture", "--prior flow", False),
        ("vae", "--prior flow in training", True),
        ("vae", "--prior no-such-prior", False),
        ("vae", "--likelihood gaussian", True),
        ("dfc-vae", "--likelihood gaussian", False),
        ("vae", "--likelihood.sigma optimal", True),
        ("vae", "--likelihood.components 3", False),  # of another likelihood than the run's
        ("vae", "--recipe iwae", True),
        ("iwae", "--recipe iwae", False),  # it is that
        ("vae", "--recipe no-such-recipe", False),
        ("vae", "--recipe beta-vae with a --warmup", True),
        ("vae", "--recipe two-stage --base runs/a", True),
        ("pca", "--recipe two-stage --components 3", False),  # asked of the other recipe
        ("vae", "--steps 100 or more", True),
        ("vae", "--binarize stochastic", True),
        ("vae", "more data", True),
        ("gan", "--discriminator-steps 1", True),
        ("vae", "--discriminator-steps 1", False),
        (lambda data, *, width=3: None, "--width 4", False),  # no type: no option is known
    ],
)
def test_advice_is_kept_where_the_recipe_can_follow_it(recipe: Any, text: str, helps: bool) -> None:
    if callable(recipe):
        recipe = None
    assert fits(of(recipe), text) == helps


def test_a_solved_model_has_no_options_of_training() -> None:
    assert not fits(of("pca", solved=True), "--learning-rate 0.001")
    assert fits(of("pca", solved=True), "--validation-fraction 0.1")
    assert fits(of("pca", solved=True), "--recipe vae --steps 100")  # of the other recipe


def test_a_recipe_of_ones_own_is_asked_for_its_options() -> None:
    def mine(data: Any, *, width: int = 3) -> None: ...

    assert fits(of(mine), "--width 4") and not fits(of(mine), "--hidden 4")
    assert fits(of(None, depth=2), "--depth 3") and not fits(of(None, depth=2), "--width 3")


def test_pieces_are_joined() -> None:
    told = advise(of("gaussian-mixture"), "--hidden 3", "--components 3", "more data")
    assert told == "--components 3; more data"
    some = ("smaller", ("--hidden 3", "--latent-dim 2"))
    assert advise(of("pca"), some) == "smaller (--latent-dim 2)"
    assert advise(of("gaussian-mixture"), some) == NONE
    assert advise(of("pca"), "--hidden 3") == NONE


@pytest.mark.parametrize(
    "name",
    ["copies", "three", "pca", "perceptual", "beta"],
)
def test_every_flag_that_is_told_is_one_of_the_recipe(
    made: Callable[[str], Run], name: str
) -> None:
    run = made(name)
    recipe = RECIPES[str(run.recipe)]
    solved = run.info["status"]["reason"] == "solved"
    for finding in diagnose(run.path).findings:
        for piece in re.split(r"[;,] ", finding.helps):
            if "--recipe" in piece:
                continue
            for flag in re.findall(r"--([a-z-]+)", piece):
                known = set(options_of(recipe)) | {"validation_fraction", "binarize", "dequantize"}
                known |= set() if solved else set(options_of(training_options))
                assert flag.replace("-", "_") in known, (flag, finding)
