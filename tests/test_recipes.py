"""Every recipe builds for the data it is for, starts at the marginal, and refuses the rest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec, Support
from lowerbound.distributions import Gaussian
from lowerbound.errors import LowerboundError
from lowerbound.models import Autoencoder, LatentModel, LinearGaussian
from lowerbound.options import check, describe, options_of
from lowerbound.recipes import RECIPES, autoencoder, pca, recipe, vae
from lowerbound.training.phase import ClosedForm, Phase


def make(
    support: Support,
    shape: tuple[int, ...],
    likelihood: str,
    levels: int | None = None,
    network: str = "mlp",
) -> tuple[DataSpec, Tensor]:
    """A spec and 64 examples of it."""
    torch.manual_seed(0)
    grey = torch.rand(64, *shape) * 0.8 + 0.1 * torch.rand(shape)
    x = {
        "binary": grey.bernoulli(),
        "levels": (grey * ((levels or 2) - 1)).round() / ((levels or 2) - 1),
        "unit": grey,
        "real": 3 * grey - 1,
        "categories": (grey * (levels or 2)).long(),
    }[support]
    kind = "tokens" if support == "categories" else "image" if len(shape) == 3 else "vector"
    mean, std = x.float().mean(0).numpy(), x.float().std(0).numpy()
    spec = DataSpec(
        "toy",
        kind,
        shape,
        support,
        levels=levels,
        likelihood=likelihood,
        network=network,
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
    )
    return spec, x


IMAGE, VECTOR = (2, 9, 7), (11,)
CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "binary image": (("binary", IMAGE, "bernoulli"), {}),
    "binary image conv": (("binary", IMAGE, "bernoulli"), {"network": "conv"}),
    "levels image": (("levels", IMAGE, "discretized-logistic", 17), {}),
    "levels image conv": (("levels", IMAGE, "discretized-logistic", 17), {"network": "conv"}),
    "unit image": (("unit", IMAGE, "continuous-bernoulli"), {}),
    "unit image gaussian conv": (("unit", IMAGE, "gaussian"), {"network": "conv"}),
    "real vector": (("real", VECTOR, "gaussian"), {}),
    "binary vector": (("binary", VECTOR, "bernoulli"), {}),
    "tokens": (("categories", VECTOR, "categorical", 5), {}),
    **{
        f"sigma {sigma}": (
            ("real", VECTOR, "gaussian"),
            {"likelihood": {"name": "gaussian", "sigma": sigma}},
        )
        for sigma in ("fixed", "learned", "per-dimension", "per-datum", "optimal")
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_vae_trains_on_data_of_every_kind(case: str, bound: str) -> None:
    made, options = CASES[case]
    spec, x = make(*made)
    model, (phase,) = vae(spec, **check(vae, {"latent_dim": 3, "bound": bound} | options))
    assert isinstance(model, LatentModel) and isinstance(phase, Phase)
    assert model.no_likelihood is None
    assert (model.event_shape, model.latent_shape) == (x.shape[1:], (3,))
    assert phase.moves == [model]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        terms = phase.objective(model, x)
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(float(terms.loss.detach()))
    assert all(map(math.isfinite, losses))
    assert all(part.shape == (64,) and part.isfinite().all() for part in terms.parts.values())
    assert sum(losses[-3:]) < sum(losses[:3])
    stuck = [name for name, p in model.named_parameters() if p.grad is None]
    assert stuck == []
    drawn = model.sample(4)
    assert drawn.shape == (4, *spec.event_shape)


@pytest.mark.parametrize("case", [c for c in CASES if c != "tokens"])
def test_an_untrained_decoder_returns_the_datas_mean(case: str) -> None:
    made, options = CASES[case]
    spec, x = make(*made)
    model = vae(spec, latent_dim=3, **options).model.eval()
    assert isinstance(model, LatentModel)
    with torch.no_grad():
        mean = model.sample(5000, mean=True).mean(0)
    assert (mean - x.mean(0)).abs().max() < 0.1
    elsewhere = vae(spec, latent_dim=3, start_at_marginal=False, **options).model.eval()
    assert isinstance(elsewhere, LatentModel)
    if "discretized" not in made[2]:
        with torch.no_grad():
            assert (elsewhere.sample(5000, mean=True).mean(0) - x.mean(0)).abs().max() > 0.1


def test_the_first_bound_is_about_that_of_the_marginals() -> None:
    spec, x = make("binary", (1, 8, 8), "bernoulli")
    model, (phase,) = vae(spec)
    assert isinstance(phase, Phase)
    p = x.mean(0).clamp(1e-3, 1 - 1e-3)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).sum()
    loss = phase.objective(model, x).loss.detach()
    assert abs(float(loss - entropy)) < 0.15 * float(entropy)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_autoencoder_learns(network: str) -> None:
    spec, x = make("unit", IMAGE, "gaussian")
    model, (phase,) = autoencoder(spec, latent_dim=3, network=network, activation="sigmoid")
    assert isinstance(model, Autoencoder) and isinstance(phase, Phase)
    assert model.latent_shape == (3,)
    first = phase.objective(model, x)
    variance = x.var(0, correction=0).sum()
    assert abs(float(first.loss.detach() - variance)) < 0.2 * float(variance)  # the mean
    first.loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_pca_solves_at_once_and_is_exact() -> None:
    spec, x = make("real", VECTOR, "gaussian")
    model, (phase,) = pca(spec, latent_dim=2)
    assert isinstance(model, LinearGaussian) and isinstance(phase, ClosedForm)
    (report,) = phase.solve(model, lambda: iter(x.split(20)))
    assert abs(report["log_likelihood"] - float(model.log_prob(x).mean())) < 1e-3
    assert model.no_likelihood is None


def test_the_iwae_papers_network_and_the_benchmarks() -> None:
    spec, _ = make("binary", (1, 28, 28), "bernoulli")
    given = {"network": "mlp", "hidden": [200, 200], "activation": "tanh", "latent_dim": 50}
    options = check(vae, {**given, "likelihood": "bernoulli"})
    model = vae(spec, **options).model
    assert isinstance(model, LatentModel)
    shapes = [tuple(p.shape) for p in model.posterior.parameters() if p.ndim == 2]
    assert shapes == [(200, 784), (200, 200), (100, 200)]
    assert [tuple(p.shape) for p in model.likelihood.parameters() if p.ndim == 2] == [
        (200, 50),
        (200, 200),
        (784, 200),
    ]
    bench = vae(spec, hidden=(512,), latent_dim=20).model
    encoder, decoder = 785 * 512 + 513 * 40, 21 * 512 + 513 * 784
    assert sum(p.numel() for p in bench.parameters()) == encoder + decoder


def test_auto_takes_what_the_data_suggest_and_options_without_a_name() -> None:
    spec, _ = make("real", VECTOR, "gaussian")
    model = vae(spec, likelihood={"sigma": "learned"}, network={"hidden": (7,)}).model
    assert isinstance(model, LatentModel)
    assert "learned" in repr(model.likelihood)
    assert next(model.posterior.parameters()).shape == (7, 11)
    image, _ = make("binary", (1, 16, 16), "bernoulli", network="conv")
    conv = vae(image).model
    assert any(isinstance(m, nn.Conv2d) for m in conv.modules())


def test_a_likelihood_that_is_none_is_labelled_and_one_that_cannot_be_is_refused() -> None:
    grey, x = make("unit", VECTOR, "continuous-bernoulli")
    model, (phase,) = vae(grey, likelihood="bernoulli")
    assert isinstance(phase, Phase) and isinstance(model, LatentModel)
    assert "likelihood bernoulli" in (model.no_likelihood or "")
    assert phase.objective(model, x).loss.isfinite()
    assert "likelihood gaussian" in str(
        pca(make("binary", VECTOR, "bernoulli")[0], latent_dim=2).model.no_likelihood
    )
    real, _ = make("real", VECTOR, "gaussian")
    with pytest.raises(LowerboundError, match="expected data that are binary, came real; pass"):
        vae(real, likelihood="bernoulli")


def test_ones_own_networks_and_family() -> None:
    spec, x = make("real", VECTOR, "gaussian")
    encoder = nn.Sequential(nn.Linear(11, 5), nn.BatchNorm1d(5), nn.Linear(5, 6))
    decoder = nn.Linear(3, 11)
    start = decoder.bias.detach().clone()
    options = check(vae, {"latent_dim": 3, "encoder": encoder, "decoder": decoder})
    model, (phase,) = vae(spec, **options)
    assert isinstance(phase, Phase) and isinstance(model, LatentModel)
    assert encoder[1].num_batches_tracked == 0 and encoder.training
    torch.testing.assert_close(decoder.bias, start)
    assert phase.objective(model, x).loss.isfinite()
    family = Gaussian((11,), sigma="fixed", value=0.1)
    own = vae(spec, likelihood=family).model
    assert isinstance(own, LatentModel) and own.likelihood.family is family


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"encoder": nn.Linear(11, 7)},
            "encoder: expected raw shape (N, 6), came (N, 7) from Linear for input (N, 11)",
        ),
        ({"encoder": nn.Linear(10, 6)}, "encoder: expected a network that takes (N, 11), came"),
        ({"decoder": nn.Linear(3, 22)}, "decoder: expected raw shape (N, 11), came (N, 22)"),
        (
            {"decoder": nn.Linear(3, 11), "likelihood": {"sigma": "per-datum"}},
            "decoder: expected raw shape (N, 22), came (N, 11)",
        ),
        ({"network": nn.Linear(3, 11)}, "pass encoder= and decoder= for networks of one's own"),
        ({"network": "conv"}, "network conv: expected images"),
        ({"network": "mpl"}, "unknown network 'mpl'; did you mean 'mlp'?"),
        ({"bound": "iwae", "beta": 2.0}, "beta: expected 1 with bound iwae"),
        ({"likelihood": Gaussian((12,))}, "likelihood: expected event_shape (11,)"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    spec, _ = make("real", VECTOR, "gaussian")
    with pytest.raises(LowerboundError) as error:
        vae(spec, latent_dim=3, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_option_the_network_does_not_have_is_refused() -> None:
    spec, _ = make("binary", (1, 16, 16), "bernoulli")
    with pytest.raises(LowerboundError, match="network mlp has no option 'channels'"):
        vae(spec, network={"name": "mlp", "channels": 3})


def test_categories_have_no_squared_error_and_no_covariance() -> None:
    spec, _ = make("categories", VECTOR, "categorical", 5)
    for build in (autoencoder, pca):
        with pytest.raises(LowerboundError, match="came categories; pass recipe vae"):
            build(spec)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_documented(name: str) -> None:
    summary, reference = describe(RECIPES[name])
    assert summary and reference
    options = options_of(RECIPES[name])
    assert all(option.text for option in options.values())
    assert not {"encoder", "decoder"} & set(options)
    assert check(recipe(name), {}).get("latent_dim") is None


@pytest.mark.parametrize("build", [vae, autoencoder, pca])
@pytest.mark.parametrize(("numbers", "codes"), [(784, 16), (32, 16), (31, 15), (11, 5), (2, 1)])
def test_codes_are_of_16_numbers_or_half_those_of_a_small_example(
    build: Any, numbers: int, codes: int
) -> None:
    spec, _ = make("real", (numbers,), "gaussian")
    assert build(spec).model.latent_shape == (codes,)
    assert build(spec, latent_dim=1).model.latent_shape == (1,)


def test_a_recipe_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from lowerbound.recipes import Built, vae\n"
        "def tiny(data: DataSpec, *, width: int = 4) -> Built:\n"
        "    return vae(data, latent_dim=2, hidden=(width,))\n"
    )
    tiny = recipe(f"{path}:tiny")
    spec, _ = make("real", VECTOR, "gaussian")
    model = tiny(spec, **check(tiny, {"width": 5})).model
    assert next(model.posterior.parameters()).shape == (5, 11)  # ty: ignore
    with pytest.raises(LowerboundError, match="no function 'tiyn'; did you mean 'tiny'"):
        recipe(f"{path}:tiyn")
    with pytest.raises(LowerboundError, match="expected a Python file, came no such file"):
        recipe(f"{tmp_path}/none.py:tiny")
    path.write_text("1 / 0")
    with pytest.raises(LowerboundError, match="does not run: ZeroDivisionError: division by zero"):
        recipe(f"{path}:tiny")
    with pytest.raises(LowerboundError, match="unknown recipe 'autoencodr'; did you mean"):
        recipe("autoencodr")


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_step_compiles_into_one_graph(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, x = make("binary", IMAGE, "bernoulli")
    model, (phase,) = vae(spec, latent_dim=3, network=network)
    assert isinstance(phase, Phase)
    compiled = torch.compile(phase.objective, fullgraph=True, backend="eager")
    torch.manual_seed(0)
    with monkeypatch.context() as patch:  # eager code draws other noise (lowerbound.noise)
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        expected = phase.objective(model, x).loss
    torch.manual_seed(0)
    torch.testing.assert_close(compiled(model, x).loss, expected)


def test_no_option_hides_another() -> None:
    """A flag of `train` is that of the recipe, of training or of the data: never of two, but for
    what data and recipe decide together."""
    from lowerbound.cli.data_options import choice_options, data_options
    from lowerbound.runs import CHOICES
    from lowerbound.training.options import training_options

    others = {*options_of(training_options), *options_of(data_options), *options_of(choice_options)}
    for name, function in RECIPES.items():
        assert {*options_of(function)} & others <= {*CHOICES}, name
