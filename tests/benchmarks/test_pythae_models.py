"""What the comparison with pythae stands on: the one evaluator against closed forms."""

import doctest
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MixtureSameFamily, MultivariateNormal

from benchmarks import evaluator, pythae_models
from benchmarks.contest import Turn
from benchmarks.model import CODES, HIDDEN, LAYERS, PIXELS
from lowerbound import estimate_log_likelihood
from lowerbound.distributions import Gaussian, Head
from lowerbound.mixtures import GaussianMixture


def _arrays(**scales: float) -> dict[str, np.ndarray]:
    """Random weights in the shared form; zero where no scale is given."""
    draw = np.random.default_rng(0)
    found = {}
    for name, (fan_in, out) in LAYERS.items():
        scale = scales.get(name.replace(".", "_"), 0.0)
        found[f"{name}.weight"] = scale * draw.standard_normal((out, fan_in)) / fan_in**0.5
        found[f"{name}.bias"] = scale * draw.standard_normal(out)
    return found


def _images(count: int) -> np.ndarray:
    return (np.random.default_rng(1).random((count, PIXELS)) < 0.3).astype(np.uint8)


def test_examples_run() -> None:
    found = doctest.testmod(pythae_models)
    assert found.attempted > 0 and found.failed == 0


def test_a_decoder_that_ignores_its_codes_has_the_probability_of_its_biases(tmp_path: Path) -> None:
    arrays = _arrays()
    arrays["decoder.logits.bias"][:] = np.linspace(-3, 3, PIXELS)
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays)  # ty: ignore[invalid-argument-type]
    x = _images(3)
    found = evaluator.measure(path, x, x, samples=4)
    p = 1 / (1 + np.exp(-np.linspace(-3, 3, PIXELS)))
    expected = (x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)
    # Encoder and prior are both N(0, I): every weight is p(x|z), which is exact.
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)
    assert found.ess == pytest.approx(4.0)


def test_the_vamp_prior_is_the_mixture_of_the_encoder_at_its_pseudo_inputs() -> None:
    arrays = _arrays(encoder_hidden=1.0, encoder_loc=1.0, encoder_log_scale=0.3)
    arrays["pseudo_inputs"] = np.random.default_rng(2).random((6, PIXELS))
    given = {name: torch.from_numpy(value).float() for name, value in arrays.items()}
    model = evaluator.latent_model(given)
    hidden = np.maximum(
        arrays["pseudo_inputs"] @ arrays["encoder.hidden.weight"].T + arrays["encoder.hidden.bias"],
        0,
    )
    loc, log_scale = (
        hidden @ arrays[f"encoder.{n}.weight"].T + arrays[f"encoder.{n}.bias"]
        for n in ("loc", "log_scale")
    )
    z = np.random.default_rng(3).standard_normal((4, 1, CODES))
    parts = -0.5 * ((z - loc) / np.exp(log_scale)) ** 2 - log_scale - 0.5 * math.log(2 * math.pi)
    expected = np.log(np.exp(parts.sum(-1)).mean(-1))
    found = model.prior().log_prob(torch.from_numpy(z[:, 0]).float())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


def test_laplace_of_a_linear_decoder_is_the_posterior() -> None:
    torch.manual_seed(0)
    sigma, weight, bias = 0.3, torch.randn(7, 2), torch.randn(7)
    linear = nn.Linear(2, 7)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    means, root = torch.tensor([[6.0, 0.0], [-6.0, 1.0]]), torch.randn(2, 2, 2)
    covariances = root @ root.mT + 0.1 * torch.eye(2)
    mixture = GaussianMixture((2,), 2).set_(torch.tensor([0.3, 0.7]), means, covariances)
    likelihood = Head(linear, Gaussian((7,), sigma="fixed", value=sigma))
    start = nn.Linear(7, 2)  # a search that begins anywhere, but in the component of the data
    with torch.no_grad():
        start.weight.copy_(torch.linalg.pinv(weight))
        start.bias.copy_(-(torch.linalg.pinv(weight) @ bias) + 0.5)
    model = evaluator.LaplaceModel(
        mixture, likelihood, start, evaluator.deviation("gaussian", sigma)
    )
    codes = means[[0, 1, 1]] + 0.2 * torch.randn(3, 2)
    x = codes @ weight.T + bias + sigma * torch.randn(3, 7)
    found = estimate_log_likelihood(model, x, *model.laplace(x), samples=50)
    noise = sigma**2 * torch.eye(7)
    exact = MixtureSameFamily(
        torch.distributions.Categorical(torch.tensor([0.3, 0.7])),
        MultivariateNormal(means @ weight.T + bias, weight @ covariances @ weight.T + noise),
    ).log_prob(x)
    # The far component has no part in it: the proposal is the posterior, each weight exact.
    torch.testing.assert_close(found.values, exact, rtol=0, atol=2e-3)
    assert float(found.ess.min()) > 49.9


def test_the_jacobian_is_autograds() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 4)), nn.Sigmoid()
    )
    z = torch.randn(5, 3)
    found, jacobian = evaluator.linearized(network, z)
    torch.testing.assert_close(found, network(z))
    for each, here in zip(z, jacobian, strict=True):
        torch.testing.assert_close(here, torch.autograd.functional.jacobian(network, each))


def test_deviations_are_roots_of_fishers_information() -> None:
    raw = torch.linspace(-4, 4, 9)
    p = raw.sigmoid()
    torch.testing.assert_close(evaluator.deviation("bernoulli", 1.0)(raw), (p * (1 - p)).sqrt())
    expected = torch.full((9,), 4.0)
    torch.testing.assert_close(evaluator.deviation("gaussian", 0.25)(raw), expected)


def test_an_autoencoder_without_a_use_for_its_codes_has_the_probability_of_its_biases() -> None:
    arrays = _arrays()
    for name in ("weight", "bias"):
        del arrays[f"encoder.log_scale.{name}"]
    arrays["decoder.logits.bias"][:] = -1.0
    arrays["mixture.weights"] = np.array([0.5, 0.5])
    arrays["mixture.means"] = np.zeros((2, CODES))
    arrays["mixture.covariances"] = np.stack([2.0 * np.eye(CODES)] * 2)
    x, p = _images(5), 1 / (1 + math.e)
    found = evaluator.measure(arrays, x, x, samples=500)
    expected = (x * math.log(p) + (1 - x) * math.log1p(-p)).sum(1)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)
    assert found.note == "s = 1"  # the proposal is the prior, and no other width is better
    assert arrays["encoder.hidden.weight"].shape == (HIDDEN, PIXELS)


def test_the_table_says_who_is_better_and_how_fast() -> None:
    who = (pythae_models.PYTHAE, pythae_models.OURS)
    spent = {who[0]: (4.0, 6.0, 2.0), who[1]: (2.0, 2.0, 1.0)}
    race = pythae_models.Race(
        "vae",
        0,
        {name: [Turn(s, 10) for s in spent[name]] for name in who},
        {name: {"setup": 3.0, "parameters": 5, "note": "how"} for name in who},
        {(who[0], "bernoulli"): np.array([-3.0, -2.0]), (who[1], "bernoulli"): np.array([-1, -1])},
        {(name, "bernoulli"): 7.0 for name in who},
        {(name, "bernoulli"): "" for name in who},
    )
    row = pythae_models._values([race]).splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["VAE", "2.50", "1.00", "+1.50 ± 0.50", "7", "7"]
    row = pythae_models._times([race]).splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:7] == ["VAE", "12.0", "5.0", "2.40", "2.50", "2.0 / 1.0", "3.0 / 3.0"]
    assert cells[7:] == [f"{15 / 8:.2f}", "5 / 5", "how"]
