"""Networks that are trained reach what the data allow, and no more."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.data.spec import DataSpec
from lowerbound.distributions import Delta, Head
from lowerbound.errors import LowerboundError
from lowerbound.models.vqvae import VQVAE
from lowerbound.quantize import VectorQuantizer
from lowerbound.recipes import RECIPES, Built
from lowerbound.training.state import WEIGHTS

QUICK: dict[str, Any] = {
    "threads": 1,
    "precision": "float32",
    "compile": "no",
    "tensorboard": "no",
    "progress": False,
}
START = np.array([0.6, 0.3, 0.1])
MOVES = np.array([[0.8, 0.15, 0.05], [0.1, 0.1, 0.8], [0.45, 0.45, 0.1]])


def chain(count: int, length: int, seed: int) -> np.ndarray:
    """Sequences of a Markov chain of three states, (count, length)."""
    random = np.random.default_rng(seed)
    x = np.zeros((count, length), np.int64)
    x[:, 0] = random.choice(3, count, p=START)
    for t in range(1, length):
        x[:, t] = (random.random(count)[:, None] > MOVES[x[:, t - 1]].cumsum(1)).sum(1)
    return x


def log_p(x: np.ndarray) -> np.ndarray:
    """Exact, nats, of each sequence."""
    return np.log(START[x[:, 0]]) + np.log(MOVES[x[:, :-1], x[:, 1:]]).sum(1)


def entropy(length: int) -> float:
    """Of a sequence, nats: H(x₁) + Σ_t E H(x_t | x_{t−1})."""
    rows, at, found = -(MOVES * np.log(MOVES)).sum(1), START, -(START * np.log(START)).sum()
    for _ in range(length - 1):
        found += at @ rows
        at = at @ MOVES
    return float(found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("transformer", {"width": 32, "layers": 1, "heads": 2}),
        ("wavenet", {"width": 24, "depth": 2, "stacks": 1}),
    ],
)
def test_a_known_chain_is_learned_to_its_entropy(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    data = {"train": chain(3000, 16, 0), "test": chain(1000, 16, 1)}
    run = lb.train(data, name, out=tmp_path / "run", steps=250, batch_size=100,
                   learning_rate=3e-3, **options, **QUICK)  # fmt: skip
    found = lb.evaluate(run, report=False)
    likelihood = found.log_likelihood
    assert likelihood is not None and likelihood.kind == "exact"
    exact = log_p(data["test"])
    error = exact.std() / math.sqrt(len(exact))
    assert abs(-likelihood.value - entropy(16)) < 4 * error
    # and against the truth about the same sequences, where the noise cancels: 0.01 nats a token
    assert -0.05 < exact.mean() - likelihood.value < 0.16
    drawn = lb.sample(run, 2000, seed=1)
    assert abs(-log_p(drawn).mean() - entropy(16)) < 4 * error * math.sqrt(1000 / 2000) + 0.16


def planted(data: DataSpec) -> Built:
    """A model whose codes are its data, rounded: four entries, at 0, 1, 2 and 3."""
    from lowerbound.training.phase import Phase

    length = data.event_shape[0]
    quantizer = VectorQuantizer(4, 1)
    book: Any = quantizer.codebook
    with torch.no_grad():  # entries are sums / counts
        book.sums.copy_(book.counts[..., None] * torch.arange(4.0)[:, None])
    scale = float(np.ravel(data.scale)[0])
    decoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(length, length))
    model = VQVAE(
        Rows(scale, float(np.ravel(data.shift)[0])),
        quantizer,
        Head(decoder, Delta((length,)), (2,)),
        (length,),
        event_shape=data.event_shape,
        no_likelihood="squared error",
    )
    objective = lb.bounds.squared_error
    return Built(model, [Phase("planted", lambda m, x: objective(Means(m), x), [decoder])])


class Means:
    """Codes as means, for the squared error."""

    def __init__(self, model: Any) -> None:
        self.model, self.event_shape = model, model.event_shape

    def encode(self, x: torch.Tensor) -> Any:
        return self.model.encode(x)

    def decode(self, z: torch.Tensor) -> Any:
        return self.model.decode(z)


class Rows(torch.nn.Module):
    """x back in the data's units, a position each."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.scale + self.shift).unsqueeze(-1)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Path]:
    """Labelled data whose codes are a chain, and a finished run of a model of them."""
    monkeypatch.setitem(RECIPES, "planted", planted)
    random = np.random.default_rng(0)
    data: dict[str, Any] = {}
    for split, count, seed in (("train", 3000, 0), ("test", 1000, 1)):
        x = chain(count, 8, seed)
        data[split] = (x + random.uniform(-0.3, 0.3, x.shape)).astype(np.float32)
    run = lb.train(data, "planted", out=tmp_path / "base", steps=1, standardize=False, **QUICK)
    return data, run.path


def test_a_prior_fitted_to_codes_reaches_their_entropy(
    base: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    data, folder = base
    run = lb.train(data, "two-stage", base=str(folder), out=tmp_path / "two", steps=250,
                   prior={"name": "wavenet", "width": 24, "depth": 2, "stacks": 1},
                   batch_size=100, learning_rate=3e-3, **QUICK)  # fmt: skip
    x = torch.from_numpy(data["test"])
    model: Any = run.model
    codes = model.encode(x).point
    assert np.array_equal(codes.numpy(), chain(1000, 8, 1))
    with torch.no_grad():
        rate = -model.prior().log_prob(codes).numpy()
    exact = log_p(codes.numpy())
    assert model.uniform_rate == pytest.approx(8 * math.log(4))
    assert rate.mean() < 0.75 * model.uniform_rate
    assert abs(rate.mean() - entropy(8)) < 4 * exact.std() / math.sqrt(1000)
    assert -0.05 < exact.mean() + rate.mean() < 0.08
    found = lb.evaluate(run, report=False)
    assert found.no_likelihood is not None  # squared error has none; the codes' rate has


def test_a_prior_of_other_codes_is_refused(
    base: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    from lowerbound.autoregressive import AutoregressiveConditional, WaveNet

    data, folder = base
    options = {"base": str(folder), "steps": 1, **QUICK}
    for levels, shape in ((4, (7,)), (5, (8,))):
        prior = AutoregressiveConditional(WaveNet(levels, width=4, depth=1), shape)
        message = rf"codes of shape \(8,\) with 4 levels, .* shape \({shape[0]},\) with {levels}"
        with pytest.raises(LowerboundError, match=message):
            lb.train(data, "two-stage", prior=prior, out=tmp_path / "x", **options)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"prior": "flow"}, "codes that are whole numbers, as the base's are, came flow"),
        ({"prior": "gaussian-mixture"}, "expected codes that are numbers for em"),
        ({"prior": "uniform"}, "expected one with something to fit"),
        ({"prior": "pixelcnn"}, "a grid of two axes"),
        ({"given": "labels"}, "expected data with labels"),
    ]
    for case, message in cases:
        with pytest.raises(LowerboundError, match=message):
            lb.train(data, "two-stage", out=tmp_path / "x", **{**options, **case})


def test_a_prior_belongs_to_the_codes_it_was_fitted_to(
    base: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    """A base that is trained again afterwards is another one: the run keeps its own."""
    data, folder = base
    run = lb.train(data, "two-stage", base=str(folder), prior="wavenet", out=tmp_path / "two",
                   steps=1, **QUICK)  # fmt: skip
    expected = {name: value.clone() for name, value in run.model.state_dict().items()}
    weights = folder / WEIGHTS
    assert weights.exists()
    weights.write_bytes(b"others by now")
    again = lb.open_run(run.path)
    assert again.model.state_dict().keys() == expected.keys()
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, expected[name]), name
