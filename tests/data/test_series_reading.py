"""Sequences from files: every cell is read or named, and times are told as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import Data, load, tables
from lowerbound.errors import LowerboundError

Rows = list[list[object]]


def written(path: Path, rows: Rows, header: str = "time,a,b") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def rows(number: int, length: int = 8) -> Rows:
    random = np.random.default_rng(number)
    return [[60 * step, *random.normal(size=2).round(3)] for step in range(length)]


def folder(path: Path, change=lambda number, table: table, header: str = "time,a,b") -> Path:
    for number in range(6):
        written(path / f"s{number:02}.csv", change(number, rows(number)), header)
    return path


def with_cell(line: int, column: int, text: str, only: int | None = None):
    """One cell of each table (of the table `only`) replaced; the header is line 1."""

    def change(number: int, table: Rows) -> Rows:
        if only in (None, number):
            table[line - 2][column] = text
        return table

    return change


def dated(*stamps: str):
    return lambda number, table: [
        [stamp, *row[1:]] for stamp, row in zip(stamps, table, strict=False)
    ]


def told(data: Data) -> dict[str, str]:
    return dict(data.lines())


BROKEN = "expected a number in column a, came 'broken' in line 7 of {}; empty the cell, or mend it"


def test_a_text_among_numbers_is_named_by_its_cell(tmp_path: Path) -> None:
    for name, only, first in (("every", None, "s00.csv"), ("one", 4, "s04.csv")):
        where = folder(tmp_path / name, with_cell(7, 1, "broken", only))
        for time in (None, "time"):
            with pytest.raises(LowerboundError) as caught:
                load(where, time=time)
            assert str(caught.value) == BROKEN.format(first)
    # What a forecast goes on from is read by the table alone.
    for time in (None, "time"):
        with pytest.raises(LowerboundError) as caught:
            tables.read_steps(tmp_path / "one" / "s04.csv", time)
        assert str(caught.value) == BROKEN.format("s04.csv")


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = folder(tmp_path) / "s03.csv"
    path.write_text(path.read_text().replace("\n", "\n\n", 2).replace("420,", "420,x"))
    line = next(n for n, text in enumerate(path.read_text().split("\n"), 1) if "x" in text)
    assert line == 11
    with pytest.raises(LowerboundError, match=r"in line 11 of s03\.csv"):
        load(tmp_path)


def test_columns_of_texts_are_left_out_and_named(tmp_path: Path) -> None:
    where = folder(tmp_path, lambda n, t: [[*row, "north", f"n{n}"] for row in t], "t,a,b,at,y")
    data = load(where)
    assert data.spec.columns == ("t", "a", "b")
    assert told(data)["left out"] == "at (texts), y (texts)"
    only = folder(tmp_path / "only", lambda n, t: [["x", "y", "z"] for _ in t])
    with pytest.raises(LowerboundError, match=r"in s00\.csv, came only texts \(time, a, b\)"):
        load(only)


def test_a_column_called_as_labels_are_is_a_number_of_each_step(tmp_path: Path) -> None:
    where = folder(tmp_path, lambda n, t: [[r[0], r[1], i % 3] for i, r in enumerate(t)], "t,x,y")
    data = load(where, time="t")
    assert data.spec.columns == ("x", "y") and data.train.labels is None
    stored = data.train.stored(np.array([0])).numpy()
    np.testing.assert_array_equal(stored[0, :, 1], np.arange(8) % 3)


def test_tables_of_examples_may_hold_codes(tmp_path: Path) -> None:
    """A ticket is often a number: with a fifth of texts the column is left aside, and told."""
    codes = [[n / 7, f"PC {n}" if n % 5 == 0 else n] for n in range(40)]
    assert told(load(written(tmp_path / "t.csv", codes, "fare,ticket")))["left aside"] == (
        "columns of texts: ticket"
    )
    codes = [[n / 7, "broken" if n == 4 else n / 3] for n in range(40)]
    with pytest.raises(LowerboundError, match=r"column ticket, came 'broken' in line 6 of u\.csv"):
        load(written(tmp_path / "u.csv", codes, "fare,ticket"))


def test_columns_are_matched_by_name(tmp_path: Path) -> None:
    for number in range(6):
        table = rows(number)
        turned = number % 2 == 1
        if turned:
            table = [[b, time, a] for time, a, b in table]
        name = tmp_path / f"s{number:02}.csv"
        written(name, table, "b,time,a" if turned else "time,a,b")
    data = load(tmp_path, time="time", test_fraction=0.5)
    assert data.spec.columns == ("a", "b")
    found = np.concatenate([part.all().numpy() for part in (data.train, data.test)])
    order = np.concatenate([part.rows for part in (data.train, data.test)])
    for row, values in zip(order, found, strict=True):
        expected = [[a, b] for _, a, b in rows(int(row))]
        np.testing.assert_array_equal(values, np.array(expected, np.float32))
    written(tmp_path / "s99.csv", rows(9), "time,a,c")
    with pytest.raises(LowerboundError, match=r"\(a, c\) in s99\.csv: 'b' is not in s99\.csv"):
        load(tmp_path, time="time")
    written(tmp_path / "s99.csv", rows(9), "time,a,a")
    with pytest.raises(LowerboundError, match=r"different names in s99\.csv, came 'a' 2 times"):
        load(tmp_path)


DAYS = [f"2024-02-{day:02}" for day in range(26, 30)] + ["2024-03-01", "2024-03-02"]
HOURS = [f"2024-01-05 {hour:02}:30:00" for hour in (20, 21, 22, 23)]


@pytest.mark.parametrize(
    ("stamps", "gaps", "text"),
    [
        (DAYS, [86400] * 5, "every day, "),  # over a leap day
        ([f"{day}T00:00:00Z" for day in DAYS], [86400] * 5, "every day, "),
        (HOURS, [3600] * 3, "every hour, "),
        ([*HOURS, "2024-01-06T01:30:00+00:00"], [3600] * 3 + [7200], "irregular, 1 hour to 2 hour"),
        (["2024-01-05T13:30:00.25+01:00", "2024-01-05T12:30:01Z"], [0.75], "every 0.75 seconds, "),
    ],
)
def test_dates_are_times_in_seconds(tmp_path, stamps: list[str], gaps: list[float], text) -> None:
    where = folder(tmp_path, dated(*stamps), "stamp,a,b")
    data = load(where, time="stamp")
    assert data.train.times is not None
    np.testing.assert_array_equal(np.diff(data.train.times[0]), gaps)
    assert data.spec.time_step == np.median(gaps)
    assert told(data)["times"].startswith(text)
    assert told(data)["times"].endswith("by the dates in 'stamp'; counted in seconds")
    # The table alone, as a forecast reads it, has the same unit.
    _, times = tables.read_steps(tmp_path / "s00.csv", "stamp")
    assert times is not None
    assert times.dated
    np.testing.assert_allclose(np.diff(times.values), gaps, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "time", "message"),
    [
        (
            None,
            "tim",
            r"of the columns time, a, b of .*, came time 'tim' \(--time\); did you mean 'time'",
        ),
        (with_cell(6, 0, ""), "time", "empty cell in column 'time', line 6: fill it in"),
        (with_cell(9, 0, " "), "time", "empty cell in column 'time', line 9"),  # the last one
        (with_cell(4, 0, "5.1.2024"), "time", "time column 'time', came '5.1.2024' in line 4 of"),
        (with_cell(4, 0, "0"), "time", "came 60 and then 0 in lines 3 and 4: sort"),
        (dated(*DAYS[:3], "soon"), "time", "expected dates by ISO 8601.*came 'soon' in line 5"),
        (dated(*DAYS[:3], ""), "time", "empty cell in column 'time', line 5"),
        (dated(*DAYS[::-1]), "time", "came 2024-03-02 and then 2024-03-01 in lines 2 and 3"),
    ],
)
def test_times_that_are_none(tmp_path: Path, change, time: str, message: str) -> None:
    where = folder(tmp_path, *([change] if change else []))
    with pytest.raises(LowerboundError, match=message):
        load(where, time=time)
    with pytest.raises(LowerboundError, match=message):
        tables.read_steps(where / "s00.csv", time)


def test_dates_in_some_files_only(tmp_path: Path) -> None:
    written(folder(tmp_path) / "z.csv", dated(*DAYS)(0, rows(9)))
    with pytest.raises(LowerboundError, match=r"dates in z\.csv and numbers in s00\.csv"):
        load(tmp_path, time="time")


def test_regular_times_are_told_as_such(tmp_path: Path) -> None:
    data = load(folder(tmp_path / "even"), time="time")
    assert told(data)["times"] == "every 60"
    uneven = folder(tmp_path / "uneven", with_cell(9, 0, "600"))
    assert told(load(uneven, time="time"))["times"] == "irregular, 60 to 240 apart, usually 60"


def test_what_is_missing_is_counted_within_each_sequence(tmp_path: Path) -> None:
    lengths = (4, 10, 6)
    for number, length in enumerate(lengths):
        table = rows(number, length)
        table[1][1] = ""
        table[-1][1:] = ["", ""]  # its own step all the same
        written(tmp_path / "train" / f"{number}.csv", table)
    written(tmp_path / "test" / "t.csv", rows(9, 10))
    told_of = told(load(tmp_path, time="time"))
    assert told_of["missing"].startswith("15.0% of the numbers")  # 9 of 2 x 30
    assert told_of["lengths"] == "4 to 10 steps"
    x = np.random.default_rng(0).normal(size=(10, 8, 2))
    x[:5, 4:] = np.nan  # padding
    assert "missing" not in told(load(x, kind="sequence"))
    x[0, 1, 0] = np.nan
    assert told(load(x, kind="sequence"))["missing"].startswith("0.8% of")  # 1 of 120


def test_arrays_of_an_npz_each(tmp_path: Path) -> None:
    x = {n: np.random.default_rng(n).normal(size=(5 + n, 2)).astype(np.float32) for n in range(4)}
    for number, values in x.items():
        np.savez(tmp_path / f"{number}.npz", values)
    data = load(tmp_path, test_fraction=0.25)
    assert data.spec.kind == "sequence" and data.spec.event_shape == (8, 2)
    for row, values in zip(data.train.rows, data.train.all().numpy(), strict=True):
        np.testing.assert_array_equal(values[: len(x[row])], x[row])
    for number, values in x.items():
        when = 2.0 * np.arange(len(values))
        np.savez(tmp_path / f"{number}.npz", steps=values, other=values, when=when)
    with pytest.raises(LowerboundError, match=r"one array of steps in 0\.npz, .*--key steps"):
        load(tmp_path, time="when")
    data = load(tmp_path, time="when", key="steps")
    assert told(data)["times"] == "every 2"
    with pytest.raises(LowerboundError, match=r"came key 'step' \(--key\); did you mean 'steps'"):
        load(tmp_path, time="when", key="step")


def test_arrays_of_times(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(10, 6, 2))
    days = np.datetime64("2024-02-27") + np.arange(6)[None] + np.zeros((10, 1), int)
    data = load({"data": x, "when": days}, kind="sequence", time="when")
    assert data.spec.time_step == 86400.0
    assert told(data)["times"] == "every day, by the dates in 'when'; counted in seconds"
    times = np.tile(np.arange(6.0), (10, 1))
    for place, message in ((3, "a missing one in step 3 of sequence 2"), (5, "none of step 5 of")):
        gone = times.copy()
        gone[2, place] = np.nan
        with pytest.raises(LowerboundError, match=message):
            load({"data": x, "when": gone}, kind="sequence", time="when")
    padded = np.where(np.isnan(gone)[..., None], np.nan, x)
    assert load({"data": padded, "when": gone}, kind="sequence", time="when").spec.time_step == 1.0


def test_skipping_what_is_bad_throughout(tmp_path: Path) -> None:
    x = np.full((9, 5, 2), np.nan)
    for skip in (True, False):
        with pytest.raises(LowerboundError, match=r"all 9 are missing as a whole: pass other data"):
            load(x, kind="sequence", skip_bad=skip)
    where = folder(tmp_path, lambda n, t: [[row[0], "", ""] for row in t])
    with pytest.raises(LowerboundError, match="came none among 6 files: nothing is left"):
        load(where, time="time", skip_bad=True)


def test_hints(tmp_path: Path) -> None:
    even = told(load(folder(tmp_path / "a")))
    assert even["hint"] == "if 'time' says when the steps were, pass it as time (--time time)"
    assert "hint" not in told(load(tmp_path / "a", time="time"))
    assert "hint" not in told(load(folder(tmp_path / "b", with_cell(5, 0, "0"))))  # does not rise
    dates = told(load(folder(tmp_path / "c", dated(*DAYS), "timestamp,a,b")))
    assert dates["left out"] == "timestamp (texts)" and "--time timestamp" in dates["hint"]
    random = np.random.default_rng(0)
    narrow = told(load(random.normal(size=(40, 90, 2))))
    assert narrow["axes"].endswith("sequences of 90 steps of 2 numbers with kind sequence "
                                   "(--kind sequence)")  # fmt: skip
    assert "axes" not in told(load(random.normal(size=(40, 8, 8))))


def test_one_is_no_plural(tmp_path: Path) -> None:
    lines = told(load(np.random.default_rng(0).normal(size=(20, 9)), kind="sequence"))
    assert lines["shape"] == "up to 9 steps of 1 number"
    assert lines["network"].endswith("1 number a step")


def test_folders_of_other_files_say_what_sequences_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    for kind in ("auto", "sequence"):
        with pytest.raises(LowerboundError, match=r"sequences are \.csv, \.tsv, \.npy or \.npz"):
            load(tmp_path, kind=kind)


def test_what_is_read_from_the_disk_is_not_skipped(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 6))
    x[3, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(LowerboundError, match="mend them, or pass more memory"):
        load(tmp_path / "x.npy", skip_bad=True, memory=100)
    assert load(tmp_path / "x.npy", skip_bad=True).facts.train == 39
