"""The regularized autoencoder: each penalty against its closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import squared_error
from lowerbound.distributions import Delta, Head
from lowerbound.models import Autoencoder
from lowerbound.objectives import regularized


@pytest.fixture
def autoencoder() -> Autoencoder:
    encoder = Head(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), Delta(2))
    decoder = Head(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 6)), Delta(6))
    return Autoencoder(encoder, decoder)


def test_without_penalties_it_is_the_squared_error(autoencoder: Autoencoder) -> None:
    x = torch.randn(7, 6)
    ours = regularized(autoencoder, x, code_norm=0.0)
    theirs = squared_error(autoencoder, x)
    torch.testing.assert_close(ours.loss, theirs.loss)
    torch.testing.assert_close(ours.parts["squared_error"], theirs.parts["squared_error"])
    assert ours.parts.keys() == {"squared_error", "code_norm"}


def test_codes_and_weights_by_hand(autoencoder: Autoencoder) -> None:
    x = torch.randn(7, 6)
    terms = regularized(autoencoder, x, code_norm=3.0, decay=torch.tensor(0.5))
    z = autoencoder.encode(x).mean
    weights = sum(float(w.detach().square().sum()) for w in autoencoder.decoder.parameters())
    torch.testing.assert_close(terms.parts["code_norm"], 0.5 * z.detach().square().sum(1))
    torch.testing.assert_close(terms.parts["weight_norm"], torch.full((7,), weights))
    expected = squared_error(autoencoder, x).loss + 1.5 * z.square().sum(1).mean() + 0.5 * weights
    torch.testing.assert_close(terms.loss, expected)


def test_gradient_penalty_is_the_jacobians_norm(
    autoencoder: Autoencoder, gradients: Any, agree: Any
) -> None:
    """One random direction for each example: unbiased for ‖∂f/∂z‖²_F, and so is its gradient."""
    x = torch.randn(3, 6)

    def decoded(z: Tensor) -> Tensor:
        return autoencoder.decode(z).mean

    codes = autoencoder.encode(x).mean
    norms = torch.stack(
        [
            torch.autograd.functional.jacobian(decoded, z[None], create_graph=True).square().sum()
            for z in codes
        ]
    )
    many = x[:, None].expand(-1, 4000, -1).reshape(-1, 6)  # the same example, other directions
    terms = regularized(autoencoder, many, code_norm=0.0, gradient=1.0)
    values = terms.parts["gradient_norm"].view(3, 4000)
    error = values.std(1) / math.sqrt(4000)
    assert ((values.mean(1) - norms.detach()).abs() < 4 * error).all()
    parameters = [*autoencoder.encoder.parameters(), *autoencoder.decoder.parameters()]
    parameters.pop()  # the decoder's last bias, on which no slope depends
    truth = torch.cat([g.flatten() for g in torch.autograd.grad(norms.mean(), parameters)])
    error = squared_error(autoencoder, x).loss
    plain = torch.cat([g.flatten() for g in torch.autograd.grad(error, parameters)])
    drawn = gradients(
        lambda: regularized(autoencoder, x, code_norm=0.0, gradient=1.0).loss, parameters, 1000
    )
    agree(drawn - plain, truth)


def test_it_can_be_reported_without_gradients(autoencoder: Autoencoder) -> None:
    x = torch.randn(7, 6)
    torch.manual_seed(1)
    with torch.no_grad():
        reported = regularized(autoencoder, x, gradient=torch.tensor(0.1), decay=0.1)
    torch.manual_seed(1)
    trained = regularized(autoencoder, x, gradient=torch.tensor(0.1), decay=0.1)
    torch.testing.assert_close(reported.loss, trained.loss.detach())
    torch.testing.assert_close(reported.parts, trained.parts)


def test_training_with_the_penalty_flattens_the_decoder(autoencoder: Any) -> None:
    x = torch.randn(64, 6)
    search = torch.optim.Adam(autoencoder.parameters(), 1e-2)
    before = regularized(autoencoder, x, gradient=1.0).parts["gradient_norm"].mean()
    for _ in range(60):
        search.zero_grad()
        regularized(autoencoder, x, gradient=10.0).loss.backward()
        search.step()
    after = regularized(autoencoder, x, gradient=1.0).parts["gradient_norm"].mean()
    assert after < 0.2 * before
