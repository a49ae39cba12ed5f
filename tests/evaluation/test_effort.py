"""How much is affordable follows from the operations, and from nothing else."""

import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import Bernoulli, DiagonalGaussian, Head, StandardNormal
from lowerbound.evaluation.effort import AFFORDABLE, affordable
from lowerbound.models import LatentModel

IMAGE = (1, 28, 28)
# Two operations for each weight of a product, and twenty for each number of the output.
MLP = 2 * (20 * 512 + 512 * 512 + 512 * 784) + 20 * 784
CONV = 2 * (20 * 784 + 9 * 32 * 784 + 9 * 32 * 784) + 20 * 784


def model_of(*decoder: nn.Module) -> LatentModel:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 40))
    return LatentModel(
        StandardNormal(20),
        Head(nn.Sequential(*decoder), Bernoulli(IMAGE)),
        Head(encoder, DiagonalGaussian(20), event_ranks=(3,)),
    )


@pytest.fixture
def mlp() -> LatentModel:
    layers = nn.Linear(20, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 784)
    return model_of(*layers, nn.Unflatten(1, IMAGE))


@pytest.fixture
def conv() -> LatentModel:
    layers = nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 3, padding=1)
    return model_of(nn.Linear(20, 784), nn.Unflatten(1, IMAGE), *layers)


def images(count: int) -> Tensor:
    return torch.zeros(1, *IMAGE).expand(count, *IMAGE)


def test_the_papers_setting_is_affordable_on_all_of_mnist(mlp: LatentModel) -> None:
    assert AFFORDABLE >= 10_000 * 1000 * MLP
    assert affordable(mlp, images(10_000)) == (1000, 10_000)


@pytest.mark.parametrize(("kind", "each"), [("mlp", MLP), ("conv", CONV)])
def test_operations_are_counted(kind: str, each: int, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    for samples, fewer in ((1000, 500), (500, 250), (50, 25), (25, 10)):
        budget = 300.0 * samples * each
        assert affordable(model, images(300), budget) == (samples, 300)
        assert affordable(model, images(300), budget - 1) == (fewer, 300)


def test_examples_are_left_out_only_at_the_fewest_samples(mlp: LatentModel) -> None:
    assert affordable(mlp, images(300), 10.0 * MLP * 200) == (10, 200)
    assert affordable(mlp, images(300), 10.0 * MLP * 99) == (10, 100)
    assert affordable(mlp, images(300), 1.0) == (10, 100)
    assert affordable(mlp, images(40), 1.0) == (10, 40)


def test_a_costly_decoder_gets_fewer_samples(conv: LatentModel) -> None:
    wide = nn.Conv2d(1, 256, 3, padding=1), nn.Conv2d(256, 256, 3, padding=1), nn.Conv2d(256, 1, 1)
    costly = model_of(nn.Linear(20, 784), nn.Unflatten(1, IMAGE), *wide)
    each = 2 * (20 * 784 + 9 * 256 * 784 + 9 * 256 * 256 * 784 + 256 * 784) + 20 * 784
    assert affordable(conv, images(10_000)) == (1000, 10_000)
    # 0.93e9 operations for each code: 25 samples of 1,000 examples are too many, 10 are not.
    assert AFFORDABLE / each / 1000 == pytest.approx(16.0, abs=0.5)
    assert affordable(costly, images(1000)) == (10, 1000)
    assert affordable(costly, images(10_000)) == (10, int(AFFORDABLE / each / 10))


def test_it_is_deterministic_and_leaves_no_trace(mlp: LatentModel) -> None:
    mlp.train()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    found = {affordable(mlp, images(n), 5e11) for n in (2000, 2000, 2000)}
    assert len(found) == 1
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in mlp.modules())
    assert all(p.grad is None for p in mlp.parameters())
