"""Tables of factors whose codes are known."""

from itertools import product

import numpy as np
import pytest


@pytest.fixture(scope="session")
def grid() -> np.ndarray:
    """Every combination of 3, 4 and 5 values, 20 times each: independent to the last count."""
    return np.repeat(np.array(list(product(range(3), range(4), range(5)))), 20, axis=0)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
