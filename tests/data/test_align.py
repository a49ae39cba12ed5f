"""Other data than a run's own: what is the same has the same name, not the same number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.data import aligned, load
from lowerbound.errors import LowerboundError

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False, "hidden": (16,), "latent_dim": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    """Numbers around three far places, by the class."""
    torch.set_num_threads(1)
    labels = np.arange(600) % 3
    values = np.random.default_rng(0).normal(size=(600, 2)) + labels[:, None] * 10.0
    source = {"train": values, "labels": labels}
    out = tmp_path_factory.mktemp("align") / "run"
    return lb.train(source, "cvae", out=out, epochs=20, learning_rate=1e-2, **QUICK)


def test_classes_are_known_by_their_names(run: lb.Run) -> None:
    """A file of classes 1 and 2 alone is measured as the same rows of the run's own."""
    own = run.data()
    assert own.test.labels is not None
    chosen = np.flatnonzero(own.test.labels > 0)
    rows, labels = own.test.stored(chosen).numpy(), own.test.labels[chosen]
    first = own.train.stored(np.flatnonzero(own.train.labels > 0)).numpy()  # ty: ignore
    more = own.train.labels[own.train.labels > 0]  # ty: ignore
    some = {"train": first, "train_labels": more, "test": rows, "test_labels": labels}
    whole = {
        "train": own.train.all().numpy(), "train_labels": own.train.labels,
        "test": rows, "test_labels": labels,
    }  # fmt: skip
    assert load(some).spec.classes == ("1", "2")
    found, expected = (lb.evaluate(run, source, samples=50) for source in (some, whole))
    assert found.log_likelihood is not None and expected.log_likelihood is not None
    assert found.log_likelihood.value == expected.log_likelihood.value
    assert found.bound == expected.bound
    assert found.log_likelihood.value > -6.0  # near two standard normals, not 10 off
    other = {"data": rows, "labels": np.where(labels == 1, 1, 7)}
    with pytest.raises(LowerboundError, match=r"trained on \(0, 1, 2\), came '7'"):
        lb.evaluate(run, other, samples=5)


def test_unconditional_runs_ask_for_no_labels(run: lb.Run) -> None:
    other = load({"data": np.random.default_rng(0).normal(size=(50, 2)), "labels": [8, 9] * 25})
    assert aligned(other, run.spec, "run").test.labels is not None


def test_columns_and_attributes_are_known_by_their_names(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(60, 4))

    def table(name: str, header: str, order: list[int]) -> lb.Data:
        rows = [",".join(f"{v:.6f}" for v in row) for row in values[:, order]]
        (tmp_path / name).write_text("\n".join([header, *rows]))
        return load(tmp_path / name, attributes=tuple(n for n in "pq" if n in header.split(",")))

    known = table("a.csv", "u,v,p,q", [0, 1, 2, 3])
    other = table("b.csv", "q,v,p,u", [3, 1, 2, 0])
    other = replace(other, spec=replace(other.spec, attributes=("q", "p")))
    assert other.test.attributes is not None and known.test.attributes is not None
    other.test.attributes = other.test.attributes[:, ::-1]
    assert known.spec.columns == ("u", "v") and other.spec.columns == ("v", "u")
    assert lb.DataSpec.from_json(known.spec.to_json()).columns == ("u", "v")
    found = aligned(other, known.spec, "run", "attributes")
    every = np.arange(len(known.test))
    np.testing.assert_array_equal(found.test.stored(every), known.test.stored(every))
    np.testing.assert_array_equal(found.test.attributes, known.test.attributes)
    assert found.spec.columns == known.spec.columns
    third = table("c.csv", "u,w,p,q", [0, 1, 2, 3])
    with pytest.raises(LowerboundError, match=r"columns that run .* \(u, v\), came 'w'"):
        aligned(third, known.spec, "run")
    fourth = replace(known, spec=replace(known.spec, attributes=("p", "r")))
    with pytest.raises(LowerboundError, match="attributes p, q, as run was trained on, came p, r"):
        aligned(fourth, known.spec, "run", "attributes")
