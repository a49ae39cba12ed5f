"""Mutual information against tables whose answer is a sum, and tables of factors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.representation import (
    Factors,
    discretize,
    entropy,
    factor_entropies,
    information_matrix,
    mig,
    modularity,
    mutual_information,
    read_factors,
)


def test_information_of_a_table_is_its_closed_form() -> None:
    """A binary symmetric channel with errors in one of ten: log 2 − H(0.1)."""
    a = np.repeat([0, 0, 1, 1], [45, 5, 5, 45])
    b = np.repeat([0, 1, 0, 1], [45, 5, 5, 45])
    expected = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert mutual_information(a, b) == pytest.approx(expected, abs=1e-14)
    assert mutual_information(b, a) == pytest.approx(expected, abs=1e-14)


def test_information_of_any_table_is_the_sum_over_its_cells(random: np.random.Generator) -> None:
    counts = random.integers(0, 9, size=(4, 6))
    counts[0, 0] = counts[2, 3] = 0
    a, b = (np.repeat(each.ravel(), counts.ravel()) for each in np.indices(counts.shape))
    p = counts / counts.sum()
    expected = sum(
        p[i, j] * math.log(p[i, j] / (p[i].sum() * p[:, j].sum()))
        for i, j in np.ndindex(*p.shape)
        if p[i, j]
    )
    assert mutual_information(a, b) == pytest.approx(expected, abs=1e-13)
    assert mutual_information(a, b) == pytest.approx(float(mutual_info_score(a, b)), abs=1e-10)
    assert mutual_information(a, a) == pytest.approx(entropy(a), abs=1e-13)


def test_intervals_tell_less_than_there_is_and_most_of_it(random: np.random.Generator) -> None:
    """I of two normals is −½ log(1 − ρ²); what is cut can only lose of it."""
    z, e = random.normal(size=(2, 200_000, 1))
    v = 0.8 * z + 0.6 * e
    exact = -0.5 * math.log(1 - 0.8**2)
    found = information_matrix(z, v)[0, 0]
    bias = 19 * 19 / (2 * 200_000)
    assert 0.95 * exact < found - bias < exact


def test_intervals_have_equal_counts_and_are_mirrored(random: np.random.Generator) -> None:
    values = random.normal(size=(1000, 1))
    found = discretize(values, 20)
    assert np.bincount(found[:, 0]).tolist() == [50] * 20
    np.testing.assert_array_equal(discretize(-values, 20), 19 - found)
    np.testing.assert_array_equal(discretize(np.exp(3 * values), 20), found)


def test_equal_values_stay_together() -> None:
    values = np.repeat(np.arange(30.0), np.arange(30) + 1)[:, None]
    found = discretize(values, 10)
    assert all(len(np.unique(found[values == value])) == 1 for value in range(30))
    assert (np.diff(found[:, 0]) >= 0).all()


def test_mig_and_modularity_of_a_small_table() -> None:
    """One dimension tells half of factor 0, another all of it; none tells of factor 1."""
    v = np.array([[0, 0], [1, 0], [2, 0], [3, 0], [0, 1], [1, 1], [2, 1], [3, 1]])
    z = np.stack([v[:, 0] // 2, v[:, 0]], 1)
    np.testing.assert_allclose(
        information_matrix(z, v), [[math.log(2), 0], [math.log(4), 0]], atol=1e-14
    )
    np.testing.assert_allclose(factor_entropies(v), [math.log(4), math.log(2)])
    assert mig(z, v) == pytest.approx(((2 - 1) / 2 + 0) / 2)
    both = np.stack([v[:, 0] * 2 + v[:, 1], v[:, 1]], 1)  # log 4 and log 2; 0 and log 2
    assert modularity(both, v) == pytest.approx(((1 - 0.25) + 1) / 2)


def test_names_are_not_merged_into_intervals() -> None:
    """Thirty texts have no order: each stays itself, where numbers are cut."""
    texts = np.repeat([f"name {k}" for k in range(30)], 10)
    assert factor_entropies({"who": texts})[0] == pytest.approx(math.log(30))
    numbers = np.repeat(np.arange(30), 10)
    assert factor_entropies({"size": numbers})[0] < math.log(20) + 1e-9
    kept = Factors.of({"label": numbers}, unordered=("label",))
    assert factor_entropies(kept)[0] == pytest.approx(math.log(30))


# Tables of factors


def test_columns_are_told_apart(random: np.random.Generator) -> None:
    found = Factors.of(
        {
            "shape": np.array(["heart", "square"] * 50),
            "always": np.ones(100),
            "digits": np.array([f"{k % 4}" for k in range(100)]),
            "angle": random.uniform(size=100),
            "place": random.normal(size=(100, 2)),
        }
    )
    assert found.names == ("shape", "digits", "angle", "place 0", "place 1")
    assert found.discrete == (True, True, False, False, False)
    assert found.ordered == (False, True, True, True, True)
    assert found.counts()[:2] == [2, 4] and len(found) == 100


def test_rows_are_taken(random: np.random.Generator) -> None:
    found = Factors.of({"a": np.arange(100) % 5, "b": np.arange(100) // 50})
    part = found.take(np.arange(50))
    assert part.names == ("a",) and part.values.tolist() == [[k % 5] for k in range(50)]
    with pytest.raises(LowerboundError, match="at least one that varies among the examples"):
        found.take(np.array([0, 5]))


def test_files_of_factors_are_read(tmp_path: Path) -> None:
    expected = Factors.of({"size": [1.5, 2.5, 1.5], "shape": ["b", "a", "b"]})
    (tmp_path / "f.csv").write_text("size,shape\n1.5,b\n2.5,a\n1.5,b\n")
    (tmp_path / "f.tsv").write_text("size\tshape\n1.5\tb\n2.5\ta\n1.5\tb\n")
    np.savez(tmp_path / "f.npz", size=[1.5, 2.5, 1.5], shape=["b", "a", "b"])
    for name in ("f.csv", "f.tsv", "f.npz"):
        found = read_factors(tmp_path / name)
        assert found.names == expected.names and found.discrete == expected.discrete
        np.testing.assert_array_equal(found.values, expected.values)
    np.save(tmp_path / "f.npy", expected.values)
    np.testing.assert_array_equal(read_factors(tmp_path / "f.npy").values, expected.values)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file"),
        ("table.txt", "a,b\n1,2\n", "ends in .csv, .tsv, .npz, .npy, came 'table.txt'"),
        ("head.csv", "a,b\n", "a line of names and a line for each example"),
        ("torn.csv", "a,b\n1,2\n3\n", "each of as many cells"),
        ("bad.npz", "no zip", "does not open as a table"),
        ("nan.csv", "a,b\n1,nan\n2,3\n", "finite numbers in 'b'"),
        ("same.csv", "a\n1\n1\n", "at least one that varies, came none"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(LowerboundError, match=message) as caught:
        read_factors(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_bad_tables_are_refused() -> None:
    with pytest.raises(LowerboundError, match="columns of one length, came"):
        Factors.of({"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(LowerboundError, match=r"a table \(examples, factors\), came shape"):
        Factors.of(np.zeros((2, 2, 2)))
    with pytest.raises(LowerboundError, match="numbers or texts in 'a', came complex"):
        Factors.of({"a": np.array([1j, 2j])})
