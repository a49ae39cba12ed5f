"""Kernel densities and annealing disagree."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import KernelDensity

from lowerbound.demos import parzen
from lowerbound.evaluation import Anneal


def test_the_kernel_density_is_scikit_learns() -> None:
    random = torch.Generator().manual_seed(0)
    samples, x = torch.randn(300, 5, generator=random), torch.randn(20, 5, generator=random)
    known = KernelDensity(bandwidth=0.4).fit(samples.double().numpy()).score_samples(x.double())
    np.testing.assert_allclose(parzen.kernel_density(samples, x, 0.4), known, rtol=1e-6)


def test_the_order_is_turned_round() -> None:
    data = parzen.images()
    assert [len(each) for each in data] == [1288, 150, 359]
    how = Anneal(60, 4, 3)
    few, many = (
        parzen.measure(d, data, steps=3000, samples=3000, examples=40, how=how) for d in (3, 30)
    )
    assert few.kernel > many.kernel
    assert many.importance > few.importance + 3
    # Annealing is a lower bound, too: what it says of the better one is no less than this.
    assert many.annealed > few.importance
