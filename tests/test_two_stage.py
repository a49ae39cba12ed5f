"""A prior fitted to the codes of a finished run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor, nn

import lowerbound as lb
from lowerbound import LowerboundError, Run, cli, evaluation
from lowerbound.data import held_out
from lowerbound.models.two_stage import TwoStage
from lowerbound.objectives.codes import code_density
from lowerbound.recipes import recipe

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False}
SMALL: dict[str, Any] = {"latent_dim": 2, "hidden": (32,), "learning_rate": 3e-3}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An autoencoder and a vae of digits."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("bases")
    for name in ("regularized-autoencoder", "vae"):
        lb.train("digits", name, out=folder / name, epochs=25, **SMALL, **QUICK)
    return folder


def codes(run: Run) -> Tensor:
    data, model = run.data(), cast("Any", run.model)
    with torch.no_grad():
        return model.encode(held_out(data.train, run.spec)).mean


def test_em_finds_the_gaussian_of_an_autoencoders_codes(bases: Path) -> None:
    base = bases / "regularized-autoencoder"
    prior = {"name": "gaussian-mixture", "components": 1}
    run = lb.train("digits", "two-stage", base=str(base), prior=prior, **QUICK)
    model: Any = run.model
    z, mixture = codes(run).double(), model.prior.mixture
    torch.testing.assert_close(codes(run), codes(Run.open(base)))
    torch.testing.assert_close(mixture.means[0].double(), z.mean(0), rtol=0, atol=1e-4)
    covariance = torch.cov(z.T, correction=0)
    torch.testing.assert_close(mixture.covariances[0].double(), covariance, rtol=1e-3, atol=1e-4)
    drawn = lb.sample(run, 2000)
    mean = run.data().train.all().numpy().mean(0)
    assert np.abs(drawn.mean(0) - mean).mean() < 1.5
    result = lb.evaluate(run, report=False)
    assert result.log_likelihood is None and "squared error has no variance" in str(
        result.no_likelihood
    )


def test_a_mixture_of_codes_is_as_likely_as_scikit_learns(bases: Path) -> None:
    base = str(bases / "regularized-autoencoder")
    prior = {"name": "gaussian-mixture", "components": 4}
    run = lb.train("digits", "two-stage", base=base, prior=prior, covariance="diagonal", **QUICK)
    z = codes(run).double()
    with torch.no_grad():
        found = float(cast("Any", run.model).double().prior().log_prob(z).mean())
    # EM ends where its start leads it: as likely as one of several fits is on average.
    fits = [
        Reference(4, covariance_type="diag", random_state=seed, tol=1e-4).fit(z)
        for seed in range(5)
    ]
    assert found > np.mean([fit.score(z) for fit in fits]) - 0.02
    told = run.info["status"]["values"]["code_log_density"]
    assert abs(told - found) < 1e-3


def test_the_run_opens_and_samples_when_its_base_is_gone(bases: Path, tmp_path: Path) -> None:
    shutil.copytree(bases / "vae", tmp_path / "base")
    run = lb.train("digits", "two-stage", base="base", out="two", **QUICK)
    assert Path(json.loads(run.info["arguments"]["base"])["run"]).is_absolute()
    expected = lb.sample(run, 5)
    shutil.rmtree("base")
    again = Run.open("two")
    assert np.array_equal(lb.sample(again, 5), expected)
    assert isinstance(again.model, TwoStage)
    with pytest.raises(LowerboundError, match="base: expected the folder of a finished run"):
        lb.train("digits", "two-stage", base=run.info["arguments"]["base"], **QUICK)


def test_a_fitted_prior_raises_the_bound_of_a_vae(bases: Path) -> None:
    base = Run.open(bases / "vae")
    run = lb.train("digits", "two-stage", base=str(base.path), samples=4, **QUICK)
    x = held_out(run.data().train, run.spec)
    found = [
        evaluation.estimate_log_likelihood(r.model, x, samples=50, seed=0) for r in (base, run)
    ]
    before, after = (f.rate.double().mean() for f in found)
    assert after < before - 0.05
    # only the prior has moved
    torch.testing.assert_close(found[0].distortion, found[1].distortion)
    result = lb.evaluate(run, samples=50, report=False)
    assert result.log_likelihood is not None and result.log_likelihood.kind == "estimate"


@pytest.mark.parametrize("name", ["gaussian-mixture", "vamp"])
def test_by_gradient_only_the_prior_moves(bases: Path, name: str) -> None:
    base = Run.open(bases / "vae")
    steps: dict[str, Any] = {"steps": 150, "learning_rate": 1e-2}
    prior = {"name": name, "components": 50 if name == "vamp" else 8}
    options: dict[str, Any] = {"base": str(base.path), "prior": prior, "fit": "gradient"}
    run = lb.train("digits", "two-stage", **options, **steps, **QUICK)
    for part in ("likelihood", "posterior"):
        there, here = (getattr(r.model, part).state_dict() for r in (base, run))
        assert all(torch.equal(there[key], here[key]) for key in there)
    x = held_out(run.data().train, run.spec)
    built: Any = run.built.model
    torch.manual_seed(0)
    fitted = float(code_density(cast("Any", run.model), x).loss.detach())
    torch.manual_seed(0)
    plain = float(code_density(cast("Any", base.model), x).loss.detach())
    torch.manual_seed(0)
    begun: Any = recipe("two-stage")(run.spec, **options).model
    torch.manual_seed(0)
    assert fitted < float(code_density(begun, x).loss.detach()) - 0.1
    # A mixture of few narrow posteriors is no better than the standard normal.
    assert name == "vamp" or fitted < plain - 0.05
    assert built.likelihood.training is False and built.train().posterior.training is False
    result = lb.evaluate(run, samples=20, limit=50, report=False)
    assert result.log_likelihood is not None


def test_the_loss_is_the_density_of_codes_and_none_of_it_reaches_the_encoder(bases: Path) -> None:
    base = Run.open(bases / "vae")
    built: Any = recipe("two-stage")(
        base.spec, base=str(base.path), prior={"name": "gaussian-mixture"}, fit="gradient"
    )
    model, (phase,) = built
    x = held_out(base.data().test, base.spec)[:20]
    torch.manual_seed(0)
    loss, parts = phase.objective(model, x)
    torch.manual_seed(0)
    z = model.encode(x).rsample()
    assert isinstance(model.prior, nn.Module)
    torch.testing.assert_close(parts["code_log_density"], model.prior().log_prob(z).detach())
    loss.backward()
    moved = {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert moved == {"prior"}


def test_the_verbs(bases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(bases / "regularized-autoencoder")
    words = ["train", "digits", "--recipe", "two-stage", "--base", base, "--out", "two"]
    more = ["--prior", "gaussian-mixture", "--prior.components", "3", "--covariance", "tied"]
    assert cli.main([*words, *more, "--no-evaluate"]) == 0
    assert cli.main(["sample", "two", "-n", "4", "-o", "s.npy"]) == 0
    assert np.load("s.npy").shape == (4, 1, 8, 8)
    assert cli.main(["train", "digits", "--recipe", "two-stage"]) == 2
    assert "base: expected the folder of a finished run, came none" in capsys.readouterr().err


def test_what_does_not_fit_is_refused(bases: Path) -> None:
    vae, ae, tokens = str(bases / "vae"), str(bases / "regularized-autoencoder"), "masked"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"base": "nowhere"}, "expected the folder of a finished run, came nowhere"),
        ({"base": "{}"}, "expected the folder of a run, came '{}'"),
        ({"base": vae, "prior": "standard-normal"}, "expected one with something to fit"),
        ({"base": vae, "prior": "vamp", "fit": "em"}, "which is for a gaussian-mixture"),
        ({"base": vae, "prior": {"components": 5, "x": 1}}, "has no option 'x'"),
        ({"base": ae, "prior": "vamp"}, "expected a posterior with a density"),
    ]
    for options, message in cases:
        with pytest.raises(LowerboundError, match=message):
            lb.train("digits", "two-stage", **options, **QUICK)
    random = np.random.default_rng(0)
    with pytest.raises(LowerboundError, match=r"expected the data that .* was trained on"):
        lb.train(random.random((50, 64), np.float32), "two-stage", base=vae, **QUICK)
    np.save("chain.npy", random.integers(0, 4, (50, 6)))
    lb.train("chain.npy", "masked-tokens", out=tokens, steps=1, width=8, heads=1, **QUICK)
    with pytest.raises(LowerboundError, match="one encoder and one decoder, came MaskedTokens"):
        lb.train("chain.npy", "two-stage", base=tokens, **QUICK)


def test_the_split_is_that_of_the_base() -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(100, 5)))
    split: dict[str, Any] = {"split_seed": 3, "test_fraction": 0.3, "validation_fraction": 0.1}
    options: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "steps": 5, **QUICK}
    base = lb.train("x.npy", "vae", out="base", **split, **options)
    run = lb.train("x.npy", "two-stage", base="base", out="two", **QUICK)
    for part in ("train", "validation", "test"):
        rows = [getattr(r.data(), part).rows for r in (base, run)]
        assert np.array_equal(*rows)
    assert Run.open("two").data().options["split_seed"] == 3
    again = lb.train("x.npy", "two-stage", base="base", split_seed=3, out="same", **QUICK)
    assert len(again.data().test) == 30
    message = "expected the split that .* was trained on, of split_seed 3, came 0; leave split_seed"
    with pytest.raises(LowerboundError, match=message):
        lb.train("x.npy", "two-stage", base="base", split_seed=0, **QUICK)
    with pytest.raises(LowerboundError, match="of limit None, came 40"):
        lb.train("x.npy", "two-stage", base="base", limit=40, **QUICK)
    values = np.load("x.npy")
    with pytest.raises(LowerboundError, match=r"of test_fraction 0\.3, came 0\.2"):
        lb.train(lb.load(values), "two-stage", base="base", **QUICK)
    lb.train(lb.load(values, **split), "two-stage", base="base", out="memory", **QUICK)
    with pytest.raises(LowerboundError, match="came other training examples"):
        lb.train(values[::-1].copy(), "two-stage", base="base", **QUICK)
    assert not list(Path().glob("runs/*"))
