"""The verbs, from Python: five lines train and measure a model, whatever it is made of."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lowerbound as lb
from lowerbound import Built, LowerboundError, Phase, Run, bounds, cli, evaluation
from lowerbound.data import Data
from lowerbound.evaluation.effort import affordable
from lowerbound.training.events import Finished, HeldOut, Progress, Started

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A vae of a few epochs on all digits."""
    out = tmp_path_factory.mktemp("digits") / "run"
    options = {"latent_dim": 4, "hidden": (64,), "epochs": 15, "learning_rate": 3e-3}
    return lb.train("digits", out=out, batch_size=64, **options, **QUICK)


# Five lines


def test_train_evaluate_sample(digits: Run) -> None:
    result = lb.evaluate(digits, samples=16, report=False)
    assert result.log_likelihood is not None
    # Uniform over 17 levels is -181.3 nats; the mean of each pixel alone -118.
    assert -110.0 < result.log_likelihood.value < -60.0
    assert result.log_likelihood.kind == "estimate"
    assert result.data["examples"] == 359
    assert result.bound is not None
    assert result.bound.value <= result.log_likelihood.value
    assert not digits.model.training


def test_samples_are_in_the_units_of_the_data(digits: Run) -> None:
    means = lb.sample(digits, 50)
    assert means.shape == (50, 1, 8, 8)
    assert 0.0 <= means.min() <= 2.0 < 10.0 < means.max() <= 16.0
    draws = lb.sample(digits, 50, values="draw")
    assert set(np.unique(draws)) <= set(range(17))
    # They look like digits at least in their mean: off by 4 of 16 where a blank sheet is by 5.
    mean = digits.data().train.all().numpy().mean(0)
    assert np.abs(means.mean(0) - mean).mean() < 1.5


def test_a_seed_is_a_sample(digits: Run) -> None:
    state = torch.random.get_rng_state()
    for values in ("mean", "draw"):
        first = lb.sample(digits, 8, values=values, seed=3)
        assert np.array_equal(lb.sample(digits, 8, values=values, seed=3), first)
        assert not np.array_equal(lb.sample(digits, 8, values=values, seed=4), first)
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's is left alone


def test_reconstructions_are_nearer_than_chance(digits: Run) -> None:
    originals, found = lb.reconstruct(digits, 64)
    assert originals.shape == found.shape == (64, 1, 8, 8)
    stored = digits.data().test.all().numpy().reshape(359, -1)
    rows = originals.reshape(64, -1)
    assert all((stored == row).all(1).any() for row in rows)  # held-out examples, as they are
    error = np.square(originals - found).mean()
    assert error < 0.6 * np.square(originals - stored.mean(0).reshape(1, 8, 8)).mean()
    again, _ = lb.reconstruct(digits, 64)
    assert np.array_equal(again, originals)
    assert not np.array_equal(lb.reconstruct(digits, 64, seed=1)[0], originals)
    assert len(lb.reconstruct(digits, 1000)[0]) == 359


def test_a_limit_takes_the_first_of_a_shuffle(digits: Run) -> None:
    few = [lb.evaluate(digits, samples=4, limit=20, seed=seed, report=False) for seed in (0, 0, 1)]
    values = [result.bound.value for result in few if result.bound is not None]
    assert values[0] == values[1] != values[2]
    assert (few[0].data["examples"], few[0].data["of"]) == (20, 359)


def test_an_evaluation_without_samples_takes_what_is_affordable(
    digits: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = lb.evaluate(digits, report=False)
    assert result.log_likelihood is not None
    assert result.log_likelihood.samples == 1000
    assert (result.data["examples"], result.data["of"]) == (359, 359)
    model: Any = digits.model
    shapes = [p.shape for p in model.likelihood.parameters() if p.ndim == 2]
    each = 2 * sum(rows * columns for rows, columns in shapes) + 20 * 64
    few = partial(affordable, budget=each * 10.0 * 200)
    monkeypatch.setattr(sys.modules[evaluation.evaluate.__module__], "affordable", few)
    result = lb.evaluate(digits, report=False)
    assert result.log_likelihood is not None
    assert result.log_likelihood.samples == 10
    assert (result.data["examples"], result.data["of"]) == (200, 359)
    # The examples of a limit of 200: the first of the same shuffle.
    same = lb.evaluate(digits, samples=10, limit=200, report=False)
    assert same.log_likelihood == result.log_likelihood


def test_an_evaluation_is_counted(digits: Run) -> None:
    told: list[tuple[int, int]] = []
    lb.evaluate(digits, samples=4, report=False, progress=lambda *count: told.append(count))
    assert told[0] == (0, 359)
    assert told[-1] == (359, 359)


def test_an_evaluation_leaves_a_report() -> None:
    options = {"limit": 64, "latent_dim": 2, "hidden": (8,), "epochs": 3}
    run = lb.train("digits", out="run", **options, **QUICK)
    result = lb.evaluate(run, samples=4)
    stored = json.loads((run.path / "evaluation.json").read_text())
    assert stored == json.loads(json.dumps(result.to_json()))
    assert run.evaluation is not None
    assert run.evaluation.to_json() == result.to_json()
    assert (run.path / "report.html").stat().st_size > 10_000
    names = {path.stem for path in run.pictures.glob("*.png")}
    assert {"reconstructions", "samples", "latent_map", "manifold", "learning_curves"} <= names


def test_events_are_told() -> None:
    told: list[Any] = []
    options = {**QUICK, "progress": told.append}
    lb.train("digits", out="run", limit=64, latent_dim=2, hidden=(8,), epochs=2, **options)
    kinds = [type(event) for event in told]
    assert issubclass(kinds[0], Data)
    assert kinds[1] is Started
    assert kinds[-1] is Finished
    assert {Progress, HeldOut} <= set(kinds)


def test_a_progress_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    options = {**QUICK, "progress": True}
    lb.train("digits", out="run", limit=64, latent_dim=2, hidden=(8,), epochs=2, **options)
    shown = capsys.readouterr()
    assert "done at step 2" in shown.err
    assert shown.out == ""


# Of one's own


def test_networks_of_ones_own_learn() -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    before = [p.detach().clone() for p in (*encoder.parameters(), *decoder.parameters())]
    options = {"latent_dim": 4, "likelihood": "bernoulli", "epochs": 2}
    run = lb.train("digits", out="run", encoder=encoder, decoder=decoder, **options, **QUICK)
    after = [*encoder.parameters(), *decoder.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert run.model.posterior.network is encoder
    held_out = [line["bound"] for line in run.metrics() if line["split"] == "test"]
    assert held_out[-1] > held_out[0]
    assert lb.sample(run, 2).shape == (2, 1, 8, 8)
    assert lb.evaluate(run, samples=2, limit=50).log_likelihood is not None


def test_a_network_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 9))
    with pytest.raises(
        LowerboundError, match=r"encoder: expected raw shape \(N, 8\), came \(N, 9\)"
    ):
        lb.train("digits", out="run", latent_dim=4, encoder=encoder, **QUICK)
    assert not (tmp_path / "run").exists()


class Own(nn.Module):
    """Conditionals of one's own: a posterior of unit variance and a likelihood of fixed sigma."""

    event_shape, latent_shape, no_likelihood = (6,), (2,), None

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.outward = nn.Linear(6, 2), nn.Linear(2, 6)
        self.prior = lb.StandardNormal(2)

    def encode(self, x: torch.Tensor) -> torch.distributions.Distribution:
        loc = self.inward(x)
        unit = torch.distributions.Normal(loc, torch.ones_like(loc), validate_args=False)
        return torch.distributions.Independent(unit, 1, validate_args=False)

    def decode(self, z: torch.Tensor) -> torch.distributions.Distribution:
        loc = self.outward(z)
        half = torch.distributions.Normal(loc, torch.full_like(loc, 0.5), validate_args=False)
        return torch.distributions.Independent(half, 1, validate_args=False)


def test_a_model_of_ones_own() -> None:
    values = np.random.default_rng(0).normal(size=(200, 6))
    model = Own()
    built = Built(model, [Phase("elbo", bounds.elbo, [model])])
    run = lb.train(values, built, out="run", epochs=3, batch_size=20, **QUICK)
    result = lb.evaluate(run, samples=8, limit=30, report=False)
    assert result.model == "Own"
    assert result.log_likelihood is not None
    assert lb.sample(run, 7).shape == (7, 6)
    assert lb.reconstruct(run, 3)[1].shape == (3, 6)
    opened = Run.open("run", lambda data: Built(Own(), []))
    opened.give(lb.load(values))
    assert np.array_equal(lb.sample(opened, 7), lb.sample(run, 7))


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        (
            lb.Bernoulli,
            "likelihood Bernoulli: a Bernoulli gives probabilities to 0 and 1 only, not to the "
            "greys between",
        ),
        (
            lb.Gaussian,
            "likelihood Gaussian: a density at isolated levels is not a probability and grows "
            "without bound as sigma shrinks; dequantize the data",
        ),
    ],
)
def test_what_is_no_density_of_such_data_is_no_likelihood(family: Any, reason: str) -> None:
    model = lb.LatentModel(
        lb.StandardNormal(2),
        lb.Head(nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8))), family((1, 8, 8))),
        lb.Head(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), lb.DiagonalGaussian(2), (3,)),
    )
    built = Built(model, [Phase("elbo", bounds.elbo, [model])])
    run = lb.train("digits", built, out="run", epochs=1, limit=60, **QUICK)
    assert run.spec.support == "levels"
    result = lb.evaluate(run, samples=4, limit=20)
    assert result.log_likelihood is None
    assert result.bound is None
    assert result.distortion is None
    assert result.no_likelihood == reason
    # What needs no density is measured all the same.
    assert result.rate is not None and result.squared_error is not None
    assert run.evaluation is not None and run.evaluation.log_likelihood is None
    # Of data that it is a density of, the same family has one.
    x = np.random.default_rng(0).integers(0, 2, (60, 1, 8, 8)).astype(np.uint8)
    if family is lb.Bernoulli:
        run = lb.train(x, built, out="binary", epochs=1, **QUICK)
    else:
        run = lb.train(
            "digits", built, out="unit", epochs=1, limit=60, dequantize="uniform", **QUICK
        )
    assert lb.evaluate(run, samples=4, limit=10).log_likelihood is not None


def test_a_run_of_ones_own_code_says_how_to_open_it() -> None:
    built = Built(model := Own(), [Phase("elbo", bounds.elbo, [model])])
    lb.train(np.random.default_rng(0).normal(size=(50, 6)), built, out="run", steps=2, **QUICK)
    with pytest.raises(LowerboundError) as caught:
        lb.sample("run", 3)
    assert "--recipe file.py:function" in str(caught.value)
    assert "lb.open_run('run', recipe='file.py:function')" in str(caught.value)
    with pytest.raises(LowerboundError, match=r"weights.safetensors is a file; .* the run: run$"):
        lb.sample("run/weights.safetensors", 3)


def test_a_likelihood_of_ones_own() -> None:
    family = lb.Gaussian(5, sigma="fixed", value=0.7)
    values = np.random.default_rng(0).normal(size=(100, 5))
    run = lb.train(values, out="run", latent_dim=2, likelihood=family, steps=5, **QUICK)
    assert run.model.likelihood.family is family
    assert run.info["own"] == ["likelihood"]
    assert lb.evaluate(run, values, samples=4).log_likelihood is not None


# Data


@pytest.mark.parametrize("kind", ["array", "dict", "Data", "path"])
def test_any_source(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(100, 5)) * 3.0 + 10.0
    np.save("x.npy", values)
    sources = {
        "array": values,
        "dict": {"train": values[:80], "test": values[80:]},
        "Data": lb.load(values),
        "path": Path("x.npy"),
    }
    options = {"latent_dim": 2, "hidden": (8,), "steps": 20}
    run = lb.train(sources[kind], out="run", **options, **QUICK)
    assert lb.evaluate(run, samples=4).data["examples"] == 20
    assert abs(lb.sample(run, 200).mean() - 10.0) < 2.0  # stored units


def test_other_data_are_measured_as_the_runs_own(digits: Run) -> None:
    values = np.random.default_rng(0).integers(0, 17, (100, 8, 8)).astype(np.uint8)
    noise = lb.evaluate(digits, values, samples=4)
    own = lb.evaluate(digits, samples=4, report=False)
    assert noise.data["examples"] == 20
    assert noise.bound is not None
    assert own.bound is not None
    assert noise.bound.value < own.bound.value - 50.0
    assert not (digits.path / "evaluation.json").exists()
    with pytest.raises(LowerboundError, match=r"expected data of shape \(1, 8, 8\).*\(1, 9, 9\)"):
        lb.evaluate(digits, np.zeros((50, 9, 9)) + np.arange(50)[:, None, None])
    with pytest.raises(LowerboundError, match=r"expected data in \[0, 16\].*scale them alike"):
        lb.evaluate(digits, values * 15)


@pytest.mark.parametrize("recipe", ["autoencoder", "pca"])
def test_other_recipes(recipe: str) -> None:
    small = {"hidden": (8,)} if recipe == "autoencoder" else {}
    run = lb.train("digits", recipe, out="run", latent_dim=3, steps=5, **small, **QUICK)
    result = lb.evaluate(run, samples=4)
    if recipe == "autoencoder":
        assert result.log_likelihood is None
        assert "squared error has no variance" in str(result.no_likelihood)
        with pytest.raises(LowerboundError, match=r"no prior .* --recipe two-stage --base run"):
            lb.sample(run, 3)
    else:
        assert result.log_likelihood is not None
        assert lb.sample(run, 3).shape == (3, 1, 8, 8)
    assert lb.reconstruct(run, 3)[1].shape == (3, 1, 8, 8)


def test_a_model_without_codes_says_so() -> None:
    np.save("chain.npy", np.random.default_rng(0).integers(0, 4, (50, 6)))
    run = lb.train("chain.npy", "masked-tokens", out="run", steps=1, width=8, heads=1, **QUICK)
    for verb in (lb.sample, lb.reconstruct):
        with pytest.raises(LowerboundError, match=r"run decodes no codes \(MaskedTokens"):
            verb(run, 3)


def test_what_auto_means(digits: Run) -> None:
    assert np.array_equal(lb.sample(digits, 5), lb.sample(digits, 5, values="mean"))
    values = np.random.default_rng(0).normal(size=(60, 4))
    run = lb.train(values, out="run", latent_dim=2, hidden=(8,), steps=5, **QUICK)
    assert np.array_equal(lb.sample(run, 5), lb.sample(run, 5, values="draw"))
    assert not np.array_equal(lb.sample(run, 5), lb.sample(run, 5, values="mean"))
    with pytest.raises(LowerboundError, match="values: expected auto, mean or draw, came 'mode'"):
        lb.sample(run, 5, values="mode")  # ty: ignore[invalid-argument-type]


def test_a_quick_evaluation_replaces_no_full_one(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"limit": 64, "latent_dim": 2, "hidden": (8,), "steps": 3}
    run = lb.train("digits", out="run", **options, **QUICK)
    lb.evaluate(run, samples=2, limit=10)  # there is none yet
    assert "10 of 64 test examples" in (run.path / "report.html").read_text()
    full = lb.evaluate(run, samples=2)
    written = (run.path / "report.html").read_bytes()
    lb.evaluate(run, samples=3, limit=10)
    assert run.evaluation is not None and run.evaluation.to_json() == full.to_json()
    assert (run.path / "report.html").read_bytes() == written
    assert cli.main(["evaluate", "run", "--limit", "10", "--samples", "2", "--json"]) == 0
    told = "run keeps its evaluation and report of 64 examples, k = 2: these are of 10 examples"
    assert told in capsys.readouterr().err
    assert cli.main(["evaluate", "run", "--samples", "1", "--json"]) == 0  # fewer samples of each
    assert "these are of 64 examples, k = 1" in capsys.readouterr().err
    assert run.evaluation.to_json() == full.to_json()
    more = lb.evaluate(run, samples=3)
    assert run.evaluation.to_json() == more.to_json()
    later = run.path / "weights.safetensors"  # trained on: the old numbers are of other weights
    os.utime(later, (later.stat().st_atime, (run.path / "evaluation.json").stat().st_mtime + 1))
    lb.evaluate(run, samples=2, limit=10)
    assert run.evaluation.data["examples"] == 10


def test_the_package_lists_what_is_public() -> None:
    assert dir(lb) == sorted(set(lb.__all__))
    with pytest.raises(LowerboundError, match="--given attributes with a table's columns as --att"):
        lb.train(np.random.default_rng(0).normal(size=(50, 6)), "cvae", out="run", **QUICK)


def test_tokens_are_tokens() -> None:
    values = np.random.default_rng(0).integers(0, 7, (60, 9))
    options = {"likelihood": "categorical", "latent_dim": 2, "hidden": (8,), "steps": 5}
    run = lb.train(values, out="run", **options, **QUICK)
    for kind in ("mean", "draw"):
        tokens = lb.sample(run, 20, values=kind)
        assert tokens.dtype == np.int64
        assert tokens.shape == (20, 9)
        assert set(np.unique(tokens)) <= set(range(7))
    assert set(np.unique(lb.reconstruct(run, 5, seed=0)[1])) <= set(range(7))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_images_of_any_channels_are_drawn(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, channels, 8, 8)).astype(np.uint8)
    run = lb.train(images, out="run", latent_dim=2, hidden=(8,), steps=2, **QUICK)
    lb.evaluate(run, samples=2)
    assert lb.sample(run, 3).shape == (3, channels, 8, 8)
    assert (run.pictures / "samples.png").exists()


def test_tensorboard_files_are_written() -> None:
    pytest.importorskip("tensorboard")
    options = {**QUICK, "tensorboard": "auto", "limit": 64, "latent_dim": 2, "hidden": (8,)}
    run = lb.train("digits", out="run", steps=3, **options)
    assert list((run.path / "tensorboard").glob("events.out.tfevents.*"))


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latnt_dim": 2}, "unknown option 'latnt_dim'; did you mean 'latent_dim'?"),
        ({"epoch": 2}, "did you mean 'epochs'?"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number above 0"),
        ({"latent_dim": "2"}, "latent_dim: expected a whole number"),
        ({"hidden": 8}, "hidden: expected whole numbers"),
        ({"likelihood": "gausian"}, "did you mean 'gaussian'?"),
        ({"patience": 2}, "--validation-fraction 0.1"),
    ],
)
def test_options_are_checked_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LowerboundError) as caught:
        lb.train("digits", out="run", **options, **QUICK)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_early_stopping_ends_a_run() -> None:
    options = {"limit": 200, "latent_dim": 2, "hidden": (64,), "learning_rate": 0.03}
    options |= {"schedule": "constant", "epochs": 500, "batch_size": 32}
    run = lb.train("digits", out="run", patience=3, validation_fraction=0.2, **options, **QUICK)
    assert run.info["status"]["reason"] == "early stopping"
    looks = [line for line in run.metrics() if line["split"] == "validation"]
    best = max(range(len(looks)), key=lambda place: looks[place]["bound"])
    assert len(looks) - 1 - best == 3
    with torch.no_grad():  # the weights that are shipped are those of the best report
        from lowerbound.data import Prepare

        x = Prepare(run.spec)(run.data().validation.all())
        terms = bounds.elbo(run.model, x, samples=64)
    assert float(terms.parts["bound"].mean()) == pytest.approx(looks[best]["bound"], abs=1.0)
