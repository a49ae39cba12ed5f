"""Tables with a header: numbers are features, a column of classes labels them."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.data import load
from lowerbound.errors import LowerboundError

TABLE = "height,name,width,species\n" + "".join(
    f"{index}.5,n{index},{index * index % 7 + 0.25},{'ab'[index % 2]}\n" for index in range(20)
)


def written(tmp_path, text: str, name: str = "t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_features_and_labels(tmp_path):
    data = load(written(tmp_path, TABLE))
    rows = data.train.rows
    expected = np.column_stack([rows + 0.5, rows * rows % 7 + 0.25])
    assert np.array_equal(data.train.all().numpy(), expected.astype(np.float32))
    assert data.spec.classes == ("a", "b")
    assert [data.spec.classes[each] for each in data.train.labels] == [
        "ab"[row % 2] for row in rows
    ]
    lines = dict(data.lines())
    assert lines["features"] == "height, width"
    assert lines["left aside"] == "columns of texts: name"
    assert (data.spec.likelihood, data.spec.likelihood_options) == (
        "gaussian",
        {"sigma": "per-dimension"},
    )


@pytest.mark.parametrize(("name", "mark"), [("t.tsv", "\t"), ("t.csv", ";")])
def test_other_separators(tmp_path, name, mark):
    data = load(written(tmp_path, TABLE.replace(",", mark), name))
    assert data.spec.event_shape == (2,)


def test_a_column_of_labels_by_name(tmp_path):
    assert load(written(tmp_path, TABLE), key="name").spec.classes is not None
    with pytest.raises(LowerboundError, match="did you mean 'name'"):
        load(written(tmp_path, TABLE), key="nam")


BAD = {
    "missing": (TABLE + ",n,1.5,a\n", "1 NaN .* column 'height'"),
    "short": (TABLE + "1.5,n\n", "came 2 in line 22"),
    "no header": ("1,2\n3,4\n", "add a header line"),
    "no rows": ("a,b\n", "came 1 line in all"),
    "texts": ("a,b\nx,y\nz,w\n", "came only texts"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables(tmp_path, case):
    text, match = BAD[case]
    with pytest.raises(LowerboundError, match=match):
        load(written(tmp_path, text))


def test_missing_cells_are_skipped_when_asked_for(tmp_path):
    data = load(written(tmp_path, TABLE + ",n,1.5,a\n"), skip_bad=True)
    assert data.facts.train + data.facts.test == 20


def test_bytes_are_no_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xff\xfe\x00\x81" * 9)
    with pytest.raises(LowerboundError, match="expected a table of texts"):
        load(path)


def test_a_column_of_fractions_is_no_label(tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n" + "\n".join(f"{i},{i / 7}" for i in range(30)))
    data = load(tmp_path / "points.csv")
    assert data.facts.columns == ("x", "y") and data.train.labels is None
    named = load(tmp_path / "points.csv", key="y")  # who says so means it
    assert named.facts.columns == ("x",) and len(named.spec.classes) == 30
