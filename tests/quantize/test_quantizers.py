"""Quantizers against numpy, k-means steps in closed form, and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from lowerbound.errors import LowerboundError
from lowerbound.noise import uniform
from lowerbound.quantize import (
    Codebook,
    FiniteScalarQuantizer,
    GumbelQuantizer,
    Quantizer,
    ResidualQuantizer,
    VectorQuantizer,
    as_gradient,
    histogram,
    kmeans,
    nearest,
    use,
)

ALL: dict[str, Callable[[], Quantizer]] = {
    "vq": lambda: VectorQuantizer(16, 6),
    "vq gradient": lambda: VectorQuantizer(16, 6, update="gradient"),
    "vq heads": lambda: VectorQuantizer(16, 6, heads=3),
    "rq": lambda: ResidualQuantizer(16, 6, depth=3),
    "rq gradient": lambda: ResidualQuantizer(16, 6, depth=2, update="gradient"),
    "fsq": lambda: FiniteScalarQuantizer((4, 3, 5)),
    "gumbel": lambda: GumbelQuantizer(16, 6, heads=2),
}
CERTAIN = [name for name in ALL if name != "gumbel"]


@pytest.fixture(autouse=True)
def _seeded() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def vectors(quantizer: Quantizer, n: int = 8, positions: int = 5) -> Tensor:
    return torch.randn(n, positions, quantizer.inputs)


def started(name: str) -> Quantizer:
    """A quantizer whose codebook lies among the vectors."""
    quantizer = ALL[name]()
    quantizer.upkeep(vectors(quantizer, 64), 0)
    return quantizer


def moved(quantizer: Quantizer, v: Tensor, decay: float) -> None:
    """What a training step does to parameters that average."""
    for module in quantizer.modules():
        for key in getattr(module, "averages", {}):
            parameter = getattr(module, key)
            (found,) = torch.autograd.grad(quantizer(v).codebook.mean(), [parameter])
            parameter.grad = found
    with torch.no_grad():
        for parameter in quantizer.parameters():
            if parameter.grad is not None:
                parameter.lerp_(parameter.grad, 1 - decay)
                parameter.grad = None


# Search


@pytest.mark.parametrize("heads", [1, 3])
def test_nearest_equals_a_search_by_numpy(heads: int) -> None:
    v = torch.randn(200, heads, 5, dtype=torch.float64)
    entries = torch.randn(heads, 33, 5, dtype=torch.float64)
    gaps = np.linalg.norm(v.numpy()[:, :, None] - entries.numpy()[None], axis=-1)
    assert np.array_equal(nearest(v, entries).numpy(), gaps.argmin(-1))


def test_quantized_vectors_are_the_nearest_entries() -> None:
    quantizer = started("vq heads")
    v = vectors(quantizer)
    found = quantizer(v)
    entries = quantizer.codebook.entries.numpy()  # ty: ignore
    parts = v.reshape(8, 5, 3, 2).numpy()
    gaps = ((parts[:, :, :, None] - entries[None, None]) ** 2).sum(-1)
    assert np.array_equal(found.indices.numpy(), gaps.argmin(-1))
    torch.testing.assert_close(found.commitment.detach(), torch.tensor(gaps.min(-1).sum((1, 2))))


def test_residuals_are_quantized_in_turn() -> None:
    """By a loop of numpy over the codebooks."""
    quantizer = started("rq")
    v = vectors(quantizer)
    left = v.numpy().reshape(-1, 6)
    chosen, gaps = [], np.zeros(len(left))
    for book in quantizer.codebooks:  # ty: ignore
        entries = book.entries[0].numpy()  # ty: ignore
        index = ((left[:, None] - entries) ** 2).sum(-1).argmin(1)
        left = left - entries[index]
        gaps += (left**2).sum(1)
        chosen.append(index)
    found = quantizer(v)
    assert np.array_equal(found.indices.reshape(-1, 3).numpy(), np.stack(chosen, -1))
    torch.testing.assert_close(found.commitment, torch.tensor(gaps).float().view(8, 5).sum(1))


def test_kmeans_finds_the_clusters_that_sklearn_finds() -> None:
    centres = torch.randn(5, 3) * 10
    v = (centres[:, None] + 0.1 * torch.randn(5, 40, 3)).reshape(-1, 3)
    reference = KMeans(5, n_init=5, random_state=0).fit(v.numpy()).cluster_centers_
    ours = kmeans(v, 5).numpy()
    order = lambda a: a[np.lexsort(a.T)]  # noqa: E731
    np.testing.assert_allclose(order(ours), order(reference), atol=1e-4)


def test_kmeans_of_fewer_rows_than_centres_keeps_them_all() -> None:
    v = torch.randn(3, 2)
    found = kmeans(v, 8)
    assert found.shape == (8, 2)
    assert torch.equal(found[:3], v)
    assert len(found.unique(dim=0)) == 8


# Gradients


@pytest.mark.parametrize("name", CERTAIN)
def test_straight_through_is_the_gradient_of_the_identity(name: str) -> None:
    quantizer = started(name)
    v = vectors(quantizer).requires_grad_()
    found = quantizer(v)
    weight = torch.randn_like(found.vectors)
    (gradient,) = torch.autograd.grad((found.vectors * weight).sum(), [v])
    if isinstance(quantizer, FiniteScalarQuantizer):  # of the bound that comes before
        bounded = quantizer.bound(v) / (quantizer.sizes // 2)
        (weight,) = torch.autograd.grad((bounded * weight).sum(), [v])
    torch.testing.assert_close(gradient, weight)


@pytest.mark.parametrize("name", ["vq", "vq gradient", "vq heads", "rq"])
def test_commitment_moves_the_encoder_alone_and_codebook_the_entries_alone(name: str) -> None:
    quantizer = started(name)
    v = vectors(quantizer).requires_grad_()
    found = quantizer(v)
    parameters = list(quantizer.parameters())
    of_commitment = torch.autograd.grad(
        found.commitment.sum(), [v, *parameters], allow_unused=True, retain_graph=True
    )
    assert all(g is None for g in of_commitment[1:])
    of_codebook = torch.autograd.grad(found.codebook.sum(), [v, *parameters], allow_unused=True)
    assert of_codebook[0] is None and all(g is not None for g in of_codebook[1:])
    if name.startswith("vq"):  # 2 (v − e)
        torch.testing.assert_close(of_commitment[0], 2 * (v - found.vectors).detach())


@pytest.mark.parametrize("name", ["vq gradient", "rq gradient"])
def test_a_codebook_descends_its_squared_distance(name: str) -> None:
    """The gradient that is handed over is autograd's of ‖sg v − e‖², its value the distance."""
    quantizer = started(name)
    v = vectors(quantizer)
    found = quantizer(v)
    books = [m for m in quantizer.modules() if hasattr(m, "table")]
    tables: list[Any] = [book.table for book in books]
    ours = torch.autograd.grad(found.codebook.mean(), tables)
    total, expected = torch.zeros_like(v), []
    for m, table in enumerate(tables):
        e = table[0][found.indices[..., m]]
        gap = (v - total - e).square().sum((1, 2)).mean()
        expected += torch.autograd.grad(gap, [table])
        total = total + e.detach()
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(found.codebook, found.commitment)


def test_as_gradient_is_zero_with_that_gradient() -> None:
    parameter, statistic = torch.randn(3, requires_grad=True), torch.randn(3)
    found = as_gradient(parameter, statistic)
    assert float(found.detach()) == 0.0
    assert torch.equal(torch.autograd.grad(found, [parameter])[0], statistic)


# Learning a codebook by running means


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("name", ["vq", "vq heads", "rq"])
def test_running_means_are_the_step_of_kmeans(name: str, decay: float) -> None:
    """n <- γ n + (1 − γ) n', m <- γ m + (1 − γ) Σ v, e = m / n; at γ = 0 e is the mean of what
    chose it (van den Oord et al. 2017, appendix A.1)."""
    quantizer = started(name)
    v = vectors(quantizer, 64)
    parts = v.reshape(-1, *((3, 2) if name == "vq heads" else (1, 6)))
    books = [m for m in quantizer.modules() if isinstance(m, Codebook)]
    wanted, left = [], parts
    for book in books:
        index = book.nearest(left)  # ty: ignore
        for head in range(left.shape[1]):
            for k in range(16):
                mine = left[index[:, head] == k, head]
                n = decay * book.counts[head, k] + (1 - decay) * len(mine) / len(left)  # ty: ignore
                m = decay * book.sums[head, k] + (1 - decay) * mine.sum(0) / len(left)  # ty: ignore
                wanted.append(m.detach() / n.detach() if len(mine) or decay else None)
        left = left - book.lookup(index) if name == "rq" else left  # ty: ignore
    moved(quantizer, v, decay)
    entries = [e for book in books for e in book.entries.reshape(-1, parts.shape[2])]  # ty: ignore
    for found, expected in zip(entries, wanted, strict=True):
        if expected is not None:
            torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vq", "vq gradient", "rq"])
def test_the_loss_is_the_same_at_any_batch_size(name: str) -> None:
    """Of the same data, 8 and 64 at a time, and every gradient too."""
    quantizer = started(name)
    one = vectors(quantizer, 8)
    results = []
    for v in (one, one.repeat(8, 1, 1)):
        v = v.clone().requires_grad_()
        found = quantizer(v)
        loss = found.commitment.mean() + found.codebook.mean()
        gradients = torch.autograd.grad(loss, list(quantizer.parameters()))
        results.append((loss.detach(), *gradients))
    for small, large in zip(*results, strict=True):
        torch.testing.assert_close(small, large)


# Starting, and restarting


def test_the_start_is_on_the_data() -> None:
    """Of clusters as many as entries, each gets one."""
    quantizer = VectorQuantizer(4, 2)
    centres = torch.tensor([[0.0, 10.0], [10.0, 0.0], [-10.0, 0.0], [0.0, -10.0]])
    v = (centres[:, None] + 0.01 * torch.randn(4, 30, 2)).reshape(12, 10, 2)
    quantizer.upkeep(v, 0)
    gaps = torch.cdist(centres, quantizer.codebook.entries[0]).min(1).values
    assert float(gaps.max()) < 0.1
    assert float(use_of(quantizer, v)["usage"]) == 1.0


def use_of(quantizer: Quantizer, v: Tensor) -> dict[str, Tensor]:
    return use(histogram(quantizer.codes(v), quantizer.levels))


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_dead_entries_are_put_on_the_data_and_others_left(update: Any) -> None:
    quantizer = VectorQuantizer(8, 2, update=update, start="uniform", restart=0.1)
    book = quantizer.codebook
    with torch.no_grad():
        book.recent[0] = torch.tensor([0.5, 0.4, 0.1 - 1e-3, 1e-3, 0.0, 0.0, 0.0, 0.0])
    before = book.entries.clone()
    v = 5.0 + torch.randn(10, 4, 2)
    quantizer.upkeep(v, 100)
    alive = [0, 1, 2]
    torch.testing.assert_close(book.entries[0, alive], before[0, alive])
    for entry in book.entries[0, 3:]:
        assert float((v.reshape(-1, 2) - entry).abs().sum(1).min()) < 1e-5
    torch.testing.assert_close(book.recent[0, 3:].detach(), torch.full((5,), 1 / 8))
    again = book.entries.clone()
    quantizer.upkeep(v, 200)  # none is dead now
    assert torch.equal(book.entries, again)


def test_without_remedies_upkeep_does_nothing() -> None:
    quantizer = VectorQuantizer(8, 2, start="uniform", restart=0.0)
    before = [p.clone() for p in quantizer.parameters()]
    for step in (0, 100):
        quantizer.upkeep(torch.randn(10, 4, 2), step)
    assert all(torch.equal(a, b) for a, b in zip(before, quantizer.parameters(), strict=True))


# Indices and back


@pytest.mark.parametrize("name", list(ALL))
def test_indices_say_it_all(name: str) -> None:
    """Looked up, they are the vectors that the decoder saw, bit for bit; codes are the indices."""
    quantizer = started(name)
    v = vectors(quantizer)
    found = quantizer(v)
    torch.testing.assert_close(quantizer.lookup(found.indices), found.vectors, rtol=0, atol=1e-6)
    assert found.indices.shape == (8, 5, quantizer.heads) and found.indices.dtype == torch.int64
    assert found.vectors.shape == (8, 5, quantizer.dim)
    if name in CERTAIN:
        assert torch.equal(quantizer.codes(v), found.indices)
        expected = 5 * quantizer.heads * math.log(quantizer.levels)
        torch.testing.assert_close(found.rate, torch.full((8,), expected))


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize("index", [-1, 60])
def test_codes_outside_the_codebook(name: str, index: int) -> None:
    quantizer = ALL[name]()
    codes = torch.zeros(2, 5, quantizer.heads, dtype=torch.int64)
    codes[1, 3] = index
    with pytest.raises(LowerboundError, match=rf"from 0 to {quantizer.levels - 1}.*came {index}"):
        quantizer.lookup(codes)
    with pytest.raises(LowerboundError, match="whole number"):
        quantizer.lookup(codes.clamp(min=0, max=1).float())


# Finite scalars, and categorical posteriors


def test_finite_scalars_are_rounded_to_exactly_their_levels() -> None:
    """Every combination is reached, and is where the paper's grid has it."""
    quantizer = FiniteScalarQuantizer((4, 3, 5))
    everything = torch.arange(60).view(1, 60, 1)
    points = quantizer.lookup(everything)
    assert len(points[0].unique(dim=0)) == 60
    values = [sorted(set(points[0, :, i].tolist())) for i in range(3)]
    assert values == [[-1.0, -0.5, 0.0, 0.5], [-1.0, 0.0, 1.0], [-1.0, -0.5, 0.0, 0.5, 1.0]]
    far = 100.0 * torch.randn(1, 5000, 3)
    reached = quantizer(torch.cat([far, 2 * torch.randn(1, 5000, 3)], 1)).indices
    assert len(reached.unique()) == 60
    # A vector that lies on a point of the grid, seen through the bound's inverse, is that point.
    half = (quantizer.sizes - 1) * (1 + 1e-3) / 2
    offset = torch.where(quantizer.sizes % 2 == 0, 0.5, 0.0)
    whole = points * (quantizer.sizes // 2)
    v = torch.atanh((whole + offset) / half) - torch.atanh(offset / half)
    assert torch.equal(quantizer.codes(v), everything)


def test_the_rate_of_a_categorical_posterior() -> None:
    """KL(q‖uniform) = positions·heads·log K − H(q), by torch's own."""
    quantizer = GumbelQuantizer(7, 4, heads=2)
    v = torch.randn(6, 5, 14)
    q = torch.distributions.Categorical(logits=v.view(6, 5, 2, 7))
    expected = 10 * math.log(7) - q.entropy().sum((1, 2))
    torch.testing.assert_close(quantizer(v).rate, expected)


def test_gumbel_draws_are_draws_of_the_posterior() -> None:
    quantizer = GumbelQuantizer(4, 2)
    logits = torch.tensor([2.0, 0.5, -1.0, 0.0])
    found = quantizer(logits.expand(100, 400, 4)).indices
    shares = torch.bincount(found.flatten(), minlength=4) / 40_000
    p = logits.softmax(0)
    assert bool(((shares - p).abs() < 4 * (p * (1 - p) / 40_000).sqrt()).all())


def test_gumbel_gradient_is_that_of_its_relaxation() -> None:
    """By the same noise: of softmax((logits + noise) / τ) times the table."""
    quantizer = GumbelQuantizer(5, 3)
    v, weight = torch.randn(2, 4, 5, requires_grad=True), torch.randn(2, 4, 3)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        found = quantizer(v, temperature=0.7)
    (ours,) = torch.autograd.grad((found.vectors * weight).sum(), [v])
    torch.manual_seed(3)
    noise = -torch.log(
        -torch.log(uniform(torch.Size((2, 4, 1, 5)), v.device).clamp(1e-9, 1 - 1e-7))
    )
    soft = ((v + noise[:, :, 0]) / 0.7).softmax(-1)
    relaxed = soft @ quantizer.table[0].detach()
    (expected,) = torch.autograd.grad((relaxed * weight).sum(), [v])
    torch.testing.assert_close(ours, expected)


# What is told, and what cannot be


def test_usage_and_perplexity() -> None:
    counts = torch.tensor([[8.0, 4.0, 4.0, 0.0]])
    p = np.array([0.5, 0.25, 0.25])
    found = use(counts)
    assert float(found["usage"]) == 0.75
    assert float(found["perplexity"]) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VectorQuantizer(1, 4), "levels: expected at least 2, came 1"),
        (lambda: VectorQuantizer(8, 5, heads=2), "share, came 5; pass .*--quantizer.dim 32"),
        (lambda: GumbelQuantizer(8, 5, heads=2), "share, came 5; pass .*--quantizer.dim 32"),
        (lambda: ResidualQuantizer(8, 4, depth=0), "depth: expected at least 1"),
        (lambda: FiniteScalarQuantizer((4, 1)), "levels: expected at least 2, came 1"),
        (lambda: FiniteScalarQuantizer(()), "how many numbers"),
    ],
)
def test_quantizers_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        make()
