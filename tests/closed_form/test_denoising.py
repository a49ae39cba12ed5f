"""The denoising autoencoder: without noise the autoencoder, on Gaussian data the posterior mean.

The optimum is found by L-BFGS in float64. The loss is an expectation over x~ = x + s e; of a
quadratic it is exact over the 2 D points e = +-sqrt(D) e_i, whose mean and covariance are those of
N(0, I), so that there is no noise to average away.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import squared_error
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models.denoising import DenoisingAutoencoder
from lowerbound.objectives.denoising import denoising
from lowerbound.recipes import RECIPES, recipe
from lowerbound.training.phase import Phase

NUMBERS, SIGMA = 5, 0.8


@pytest.fixture(scope="module")
def x() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(NUMBERS, NUMBERS, generator=generator).double()
    return torch.randn(300, NUMBERS, generator=generator).double() @ mixing.T + 0.7


def spec(x: Tensor) -> DataSpec:
    mean, std = x.mean(0).float().numpy(), x.std(0).float().numpy()
    return DataSpec("gaussian", "vector", (NUMBERS,), "real", mean=mean, std=std)


class Points(nn.Module):
    """2 D copies of the data, each with its own point of the noise."""

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        ends = SIGMA * math.sqrt(NUMBERS) * torch.eye(NUMBERS, dtype=x.dtype)
        noise = torch.cat([ends, -ends])
        return (x.reshape(-1, len(noise), NUMBERS) + noise).reshape(x.shape), None


def test_the_optimal_denoiser_of_gaussian_data_is_the_posterior_mean(x: Tensor) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"latent_dim": NUMBERS, "hidden": (), "corruption": Points()}
    model: Any = recipe("denoising-autoencoder")(spec(x), **options).model.double()
    many = x.repeat_interleave(2 * NUMBERS, 0)
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=3000,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        history_size=50,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = denoising(model, many).loss
        loss.backward()
        return loss

    optimizer.step(closure)
    mean, covariance = x.mean(0), torch.cov(x.T, correction=0)
    # E[x | x~] = mean + Sigma (Sigma + s^2 I)^-1 (x~ - mean)
    gain = covariance @ torch.linalg.inv(covariance + SIGMA**2 * torch.eye(NUMBERS).double())
    noisy = 3 * torch.randn(50, NUMBERS).double()
    expected = mean + (noisy - mean) @ gain.T
    torch.testing.assert_close(model.denoise(noisy), expected, rtol=0, atol=1e-5)
    # what is left: the posterior's variance
    left = float(torch.trace(covariance - gain @ covariance))
    assert abs(float(denoising(model, many).loss.detach()) - left) < 1e-9


@pytest.mark.parametrize(
    "corruption",
    [
        {"name": "gaussian", "sigma": 0},
        {"name": "masking", "rate": 0},
        {"name": "salt-and-pepper", "rate": 0},
    ],
)
def test_without_noise_it_is_the_autoencoder(x: Tensor, corruption: dict[str, Any]) -> None:
    found = {}
    for name in ("autoencoder", "denoising-autoencoder"):
        torch.manual_seed(3)
        given: dict[str, Any] = {} if name == "autoencoder" else {"corruption": corruption}
        model, (phase,) = recipe(name)(spec(x), latent_dim=2, hidden=(8,), **given)
        assert isinstance(phase, Phase)
        torch.manual_seed(4)
        loss, parts = phase.objective(model, x.float())
        loss.backward()
        gradients = [p.grad for p in model.parameters()]
        found[name] = (loss, parts["squared_error"], *gradients)
    assert len(found["autoencoder"]) == 10
    for left, right in zip(*found.values(), strict=True):
        assert left is not None and right is not None and torch.equal(left, right)


def test_the_loss_counts_all_numbers_or_the_hidden_ones(x: Tensor) -> None:
    given = {"latent_dim": 2, "hidden": (8,), "corruption": "masking"}
    losses = {}
    for error_on in ("all", "hidden"):
        torch.manual_seed(0)
        model, (phase,) = recipe("denoising-autoencoder")(spec(x), error_on=error_on, **given)
        assert isinstance(phase, Phase) and isinstance(model, DenoisingAutoencoder)
        torch.manual_seed(1)
        losses[error_on], parts = phase.objective(model, x.float())
        torch.manual_seed(1)
        corrupted, hidden = model.corruption(x.float())
        squares = (x.float() - model.denoise(corrupted)).square()
        torch.testing.assert_close(parts["squared_error"], squares.sum(1))
        torch.testing.assert_close(parts["hidden_error"], (squares * hidden).sum(1))
        chosen = squares if error_on == "all" else squares * hidden
        torch.testing.assert_close(losses[error_on].detach(), chosen.sum(1).mean())
    assert losses["hidden"] < losses["all"]


def test_clean_data_are_the_target() -> None:
    """A decoder that always answers x is perfect, whatever it is given."""

    class Oracle(nn.Module):
        event_shape = (NUMBERS,)

        def __init__(self, x: Tensor) -> None:
            super().__init__()
            self.x, self.seen = x, x

        def corruption(self, x: Tensor) -> tuple[Tensor, None]:
            return x + 1.0, None

        def encode(self, x: Tensor) -> Any:
            self.seen = x
            return torch.distributions.Normal(x, 1.0)

        def decode(self, z: Tensor) -> Any:
            return torch.distributions.Normal(self.x, 1.0)

    x = torch.rand(4, NUMBERS)
    model: Any = Oracle(x)
    assert float(denoising(model, x).loss) == 0.0
    assert torch.equal(model.seen, x + 1.0)


def test_the_statistics_of_the_data_are_in_the_weights(x: Tensor) -> None:
    model: Any = recipe("denoising-autoencoder")(spec(x), corruption="salt-and-pepper").model
    saved = model.state_dict()
    again: Any = recipe("denoising-autoencoder")(
        DataSpec("gaussian", "vector", (NUMBERS,), "real"), corruption="salt-and-pepper"
    ).model
    again.load_state_dict(saved)
    torch.testing.assert_close(again.corruption.low, (x.mean(0) - 2 * x.std(0)).float())
    torch.testing.assert_close(again.corruption.high, (x.mean(0) + 2 * x.std(0)).float())


def test_masked_autoencoder_is_judged_by_what_was_hidden() -> None:
    image = DataSpec("toy", "image", (1, 8, 8), "unit")
    model, (phase,) = recipe("masked-autoencoder")(image, latent_dim=4, hidden=(16,))
    assert isinstance(phase, Phase) and isinstance(model, DenoisingAutoencoder)
    x = torch.rand(6, 1, 8, 8)
    loss, parts = phase.objective(model, x)
    torch.testing.assert_close(loss.detach(), parts["hidden_error"].mean())
    assert bool((parts["hidden_error"] < parts["squared_error"]).all())


def test_what_does_not_fit_is_refused() -> None:
    image = DataSpec("toy", "image", (1, 8, 8), "unit")
    with pytest.raises(LowerboundError, match="expected all with a corruption that hides nothing"):
        recipe("masked-autoencoder")(image, corruption="gaussian")
    tokens = DataSpec("toy", "tokens", (8,), "categories", levels=5)
    for name in ("denoising-autoencoder", "masked-autoencoder", "regularized-autoencoder"):
        with pytest.raises(LowerboundError, match="came categories; pass recipe vae"):
            RECIPES[name](tokens)


# The regularized autoencoder


@pytest.mark.parametrize("regularizer", ["l2", "gradient-penalty", "none"])
def test_a_regularized_autoencoder_of_a_linear_decoder(x: Tensor, regularizer: str) -> None:
    """||J||^2 of a linear decoder is ||W||^2, ||theta||^2 has the bias besides."""
    torch.manual_seed(0)
    options = {"latent_dim": 2, "hidden": (), "regularizer": regularizer}
    built: Any = recipe("regularized-autoencoder")(spec(x), weight=0.3, code_norm=0.2, **options)
    model, (phase,) = built
    model.double()
    batch = x.repeat(400, 1)  # the Jacobian's norm is estimated
    decoder: Any = model.decoder.network
    weights = torch.cat([p.detach().flatten() for p in decoder.parameters()])
    matrix = next(p.detach() for p in decoder.parameters() if p.ndim == 2)
    codes = model.encode(batch).mean.detach()
    expected = squared_error(model, batch).loss.detach() + 0.1 * codes.square().sum(1).mean()
    tolerance = 1e-9
    if regularizer == "l2":
        expected = expected + 0.3 * weights.square().sum()
    elif regularizer == "gradient-penalty":
        expected = expected + 0.3 * matrix.square().sum()
        gram = matrix.T @ matrix  # of ||W v||^2 with v ~ N(0, I) the variance is 2 ||W^T W||^2
        tolerance = 4 * 0.3 * float((2 * gram.square().sum() / len(batch)).sqrt())
    loss, parts = phase.objective(model, batch)
    assert abs(float(loss.detach() - expected)) < tolerance
    assert torch.allclose(parts["code_norm"], 0.5 * codes.square().sum(1))


def test_spectral_normalization_makes_a_decoder_no_steeper_than_its_nonlinearity(x: Tensor) -> None:
    torch.manual_seed(0)
    options = {"latent_dim": 2, "hidden": (16,), "regularizer": "spectral-norm"}
    model: Any = recipe("regularized-autoencoder")(spec(x), **options).model
    for _ in range(30):  # a step of the power iteration each
        model.decode(torch.zeros(1, 2))
    model.eval()
    norms = [
        float(torch.linalg.matrix_norm(module.weight.detach(), 2))
        for module in model.decoder.modules()
        if isinstance(module, nn.Linear)
    ]
    assert norms == pytest.approx([1.0, 1.0], abs=1e-4)
    z = torch.randn(200, 2)
    apart = (model.decode(z).mean[1:] - model.decode(z).mean[:-1]).norm(dim=1)
    assert bool((apart <= (z[1:] - z[:-1]).norm(dim=1) * (1 + 1e-3)).all())
