import doctest
from pathlib import Path

import pytest

from benchmarks import ab_step, commands, mnist_iwae, model, profile_step, tables
from benchmarks.contest import Turn


@pytest.mark.parametrize("module", [commands, profile_step, tables])
def test_examples_run(module) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0 and found.failed == 0


def test_columns_of_numbers_are_flush_right() -> None:
    text = tables.table(["", "rate", "how"], [["a", 12345.6, "x"], ["b", 7, "yz"]])
    assert text.splitlines() == [
        "|     | rate   | how |",
        "|-----|-------:|-----|",
        "| a   | 12,346 | x   |",
        "| b   |      7 | yz  |",
    ]


def test_a_result_names_the_machine_and_the_command(tmp_path: Path) -> None:
    path = tables.write(
        "toy", "A toy", "text", machine="m; 2 cores", command="python -m x", folder=tmp_path
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# A toy"
    assert lines[3:5] == ["- machine: m; 2 cores", "- command: `python -m x`"]
    assert lines[-1] == "text"


def test_ratios_are_of_rounds_not_of_medians() -> None:
    # Medians are 2 and 2, but within each round ours is twice as fast or more.
    assert tables.ratio([2.0, 9.0, 2.0], [1.0, 3.0, 1.0]) == 2.0


def test_checkouts_are_held_against_the_first_in_the_same_round() -> None:
    """Both slow down by the same in the second round; the second is twice as fast in each."""
    turns = {"a": [Turn(0.4, 1), Turn(4.0, 1)], "b": [Turn(0.2, 1), Turn(2.0, 1)]}
    assert ab_step._rows(turns) == [["a", "5.500", "1.000"], ["b", "2.750", "0.500"]]


def test_the_shared_model_is_784_512_20() -> None:
    assert model.PARAMETERS == 835_384
    assert model.TRAINING_FLOPS == 2 * (3 * 833_536 - 784 * 512)


def test_the_command_of_a_run_is_read_from_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(
        '{"data": {"source": "/a/mnist.npz"}, "recipe": "vae",'
        ' "given": {"latent_dim": 50, "hidden": [200, 200]}}',
        encoding="utf-8",
    )
    words = commands.shown(mnist_iwae.trained_by(tmp_path)[:-1])
    assert words == (
        "lowerbound train mnist.npz --recipe vae --latent-dim 50 --hidden 200,200 --out"
    )
