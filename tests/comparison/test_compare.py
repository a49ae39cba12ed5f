"""What is compared, what is refused and why."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from scipy.stats import t as student
from sklearn.decomposition import PCA

from lowerbound.cli import main
from lowerbound.comparison import Comparison, Quantity, compare, measure, write
from lowerbound.comparison.measure import KEPT
from lowerbound.data import held_out
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run
from lowerbound.training.state import WEIGHTS

Runs = dict[str, Path]
EXACT, BOUND = Quantity("−log p(x)", "exact"), Quantity("−ELBO", "lower bound")


def held_apart(runs: Runs, *names: str, **options: Any) -> Comparison:
    return compare([runs[name] for name in names], samples=5, **options)


def test_exact_differences_equal_sklearns_on_the_same_points(runs: Runs) -> None:
    found = held_apart(runs, "pca", "pca1")
    run = Run.open(runs["pca"])
    data = run.data()
    train, test = (held_out(s, run.spec).double().numpy() for s in (data.train, data.test))
    two, one = (PCA(k).fit(train).score_samples(test) for k in (2, 1))
    # Another fit of the same model: sklearn divides variances by n − 1, not n.
    difference = found.difference("r-pca1", "r-pca")
    assert difference.mean == pytest.approx(float((two - one).mean()), abs=0.02)
    assert difference.error == pytest.approx(float((two - one).std(ddof=1)) / 80**0.5, rel=0.02)
    assert difference.error < 0.8 * difference.apart


def test_five_bits_are_not_compared_with_eight(runs: Runs) -> None:
    found = held_apart(runs, "eight", "five", "again")
    assert [[run.name for run in group.runs] for group in found.groups] == [
        ["r-eight", "r-again"],
        ["r-five"],
    ]
    assert "32 levels against 256 levels" in found.groups[1].apart[0]
    with pytest.raises(LowerboundError, match="32 levels against 256 levels"):
        found.difference("r-five", "r-eight")
    assert found.difference("r-again", "r-eight").examples == 30


def test_an_elbo_is_not_compared_with_an_exact_value_unsaid(runs: Runs) -> None:
    found = held_apart(runs, "pca", "vae")
    (group,) = found.groups  # the same data: beside one another, in columns of their own
    assert group.against(EXACT).name == "r-pca"
    vae = found.run("r-vae")
    assert group.difference(vae, EXACT) is None
    assert any(
        "held apart by kind: exact (r-pca), estimate k = 5 (r-vae)" in t for t in group.apart
    )
    with pytest.raises(LowerboundError, match=r"not both have −log p\(x\), exact"):
        found.difference("r-vae", "r-pca", EXACT)
    # One bound against the other is no matter of kinds.
    assert found.difference("r-vae", "r-pca", BOUND).examples == 80


def test_the_elbo_of_a_certain_posterior_is_called_one(runs: Runs) -> None:
    """Every draw is the same code: many of them are no importance-weighted estimate."""
    found = held_apart(runs, "vae", "vq")
    kinds = {quantity.kind for quantity in found.run("r-vq").values if quantity.of_likelihood}
    assert kinds == {"lower bound"}
    assert found.difference("r-vq", "r-vae", BOUND).examples == 80
    with pytest.raises(LowerboundError, match="not both have"):
        found.difference("r-vq", "r-vae", Quantity("−log p(x)", "estimate", 5))


def test_across_kinds_says_of_each_what_it_is(runs: Runs) -> None:
    found = held_apart(runs, "pca", "vae", across_kinds=True)
    text = str(found)
    assert "of any kind" in text
    assert "may be better than it seems, never worse" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any("exact" in row and "r-pca" in row for row in rows)
    assert any("estimate k = 5" in row and "r-vae" in row for row in rows)


@pytest.mark.parametrize("name", ["bernoulli", "autoencoder"])
def test_what_is_no_likelihood_is_compared_with_nothing(runs: Runs, name: str) -> None:
    found = held_apart(runs, "eight", name)
    other = found.runs[1]
    assert other.no_likelihood is not None
    assert not any(quantity.of_likelihood for quantity in other.values)
    with pytest.raises(LowerboundError, match="are not compared"):
        found.difference(other.name, "r-eight")
    reasons = [text for group in found.groups for text in group.apart]
    assert any("no likelihood" in text and "compared with nothing" in text for text in reasons)


def test_a_density_is_not_compared_with_a_probability(runs: Runs) -> None:
    found = held_apart(runs, "eight", "density")
    assert len(found.groups) == 2
    with pytest.raises(LowerboundError, match="dequantization"):
        found.difference("r-eight", "r-density")


def test_values_are_kept_and_those_of_other_weights_are_not_taken(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    copy = shutil.copytree(runs["eight"], tmp_path / "copy")
    (copy / KEPT).unlink(missing_ok=True)
    first = measure(Run.open(copy), samples=4)
    assert (copy / KEPT).is_file()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    # By its full name: the package has a function that is called like the module.
    module = importlib.import_module("lowerbound.comparison.measure")
    monkeypatch.setattr(module, "_measured", refuse)
    again = measure(Run.open(copy), samples=4)
    for quantity, values in first.values.items():
        assert np.array_equal(values, again.values[quantity])
    shutil.copy(runs["again"] / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(AssertionError, match="measured again"):
        measure(Run.open(copy), samples=4)


def test_the_same_run_differs_from_itself_by_nothing(runs: Runs, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(runs["eight"], tmp_path / "copy")
    found = compare([runs["eight"], copy], samples=4)
    difference = found.difference("copy", "r-eight")
    assert difference.mean == 0.0
    assert not difference.told


def test_written_as_page_text_json_and_picture(runs: Runs, tmp_path: Path) -> None:
    found = held_apart(runs, "eight", "again", "five")
    (page,) = write(found, tmp_path / "a.html")
    text = page.read_text()
    assert "data:image/png;base64," in text
    assert "<script" not in text
    assert "32 levels against 256 levels" in text
    beside = write(found, tmp_path / "b.md")
    assert [path.suffix for path in beside] == [".md", ".png"]
    assert beside[1].read_bytes()[:4] == b"\x89PNG"
    (report,) = write(found, tmp_path / "c.json")
    content = json.loads(report.read_text())
    row = content["groups"][0]["rows"][1]
    difference = found.difference("r-again", "r-eight")
    assert row["cells"][0]["difference"]["mean"] == pytest.approx(difference.mean)


def test_a_page_says_the_quantity_once_and_only_what_is_best_is_bold(
    runs: Runs, tmp_path: Path
) -> None:
    """In a column of its own a long quantity pushes the differences out of a window of 1280."""
    (path,) = write(held_apart(runs, "eight", "again"), tmp_path / "a.html")
    text = path.read_text()
    quantities = text.count('<tr class="quantity">')
    assert quantities == 3
    assert text.count('<th colspan="6">−ELBO, lower bound, nats</th>') == 1
    assert text.count("<strong>") == 2 * quantities  # name and value of the best run of each
    assert ".compared .number { font-weight: 400;" in text


def test_the_figure_has_panels_of_differences_alone(runs: Runs) -> None:
    from lowerbound.comparison.write import apart, panels
    from lowerbound.plots.comparison import comparison

    found = held_apart(runs, "eight", "again", "five")
    shown = panels(found)
    assert [len(panel["rows"]) for panel in shown] == [2, 2, 2]
    assert apart(found) == ["r-five is held apart: 32 levels against 256 levels"]
    # Both sides have 95 % intervals, and say so.
    values = next(iter(found.run("r-again").values.values()))
    row = shown[0]["rows"][1]
    error = values.std(ddof=1) / len(values) ** 0.5
    reach = student.ppf(0.975, len(values) - 1) * error
    assert row["value_high"] - row["value"] == pytest.approx(reach)
    figure = comparison(shown, apart(found))
    labels = {axes.get_xlabel() for axes in figure.findobj(Axes)}
    assert labels >= {"mean and 95 % interval (nats)"}
    assert all("95 % interval" in label for label in labels)
    only = held_apart(runs, "five", "eight")
    assert panels(only) == []
    assert "No two runs" in comparison([], apart(only)).get_suptitle()


def test_rate_and_distortion_are_points_of_a_curve(runs: Runs, tmp_path: Path) -> None:
    found = held_apart(runs, "eight", "again", "autoencoder", "five")
    curve, other = found.rate_distortion()
    assert [point.name for point in other.points] == ["r-five"]
    assert {point.name for point in curve.points} == {"r-eight", "r-again"}  # the other has none
    assert all(point.beta == 1.0 for point in curve.points)
    for point, bits in zip(curve.points, curve.bits(), strict=True):
        cost = found.run(point.name).values[BOUND].mean()
        assert point.rate + point.distortion == pytest.approx(cost, rel=1e-6)
        assert bits.sum() == pytest.approx(cost / (36 * np.log(2)), rel=1e-6)
    report = found.to_json()["groups"][0]["rate_distortion"]
    assert report["points"][0]["rate"] == curve.points[0].rate
    names = [path.name for path in write(found, tmp_path / "a.md", rate_distortion=True)]
    assert names == ["a.md", "a.png", "a-curve.png"]
    assert "### Rate against distortion" in (tmp_path / "a.md").read_text()
    (alone,) = write(found, tmp_path / "b.png", rate_distortion=True)
    assert alone.read_bytes() == (tmp_path / "a-curve.png").read_bytes()


def test_runs_without_a_rate_make_no_curve(runs: Runs) -> None:
    with pytest.raises(LowerboundError, match=r"came r-autoencoder, r-grey, which have no rate"):
        held_apart(runs, "autoencoder", "bernoulli").rate_distortion()


def test_the_verb_lists_rate_against_distortion(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "curve.png"
    line = f"compare {runs['eight']} {runs['again']} --samples 5 --rate-distortion --out {out}"
    assert main(line.split()) == 0
    shown = capsys.readouterr().out
    assert "Rate against distortion: eight" in shown
    assert "distortion, bits/dim" in shown
    assert shown.count("best bound") == 1
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_the_verb(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "found.md"
    line = f"compare {runs['eight']} {runs['again']} --samples 5 --out {out}"
    assert main(line.split()) == 0
    shown = capsys.readouterr().out
    assert "held against" in shown
    assert "r-again" in shown
    assert str(out) in shown
    assert main([*line.split()[:3], "--samples", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare", "RUNS requires an argument"),
        ("compare {eight}", "expected two runs or more, came 1"),
        ("compare {eight} {eight}", "came {eight} twice"),
        ("compare {eight} no-such", "no such folder"),
        ("compare {eight} {again} --out a.txt", "ends in .html, .md, .json or .png"),
        ("compare {eight} {again} --acros-kinds", "--across-kinds"),
    ],
)
def test_what_cannot_be_is_one_line(
    runs: Runs, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.format(**runs).split()) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert message.format(**runs) in shown
