"""A YAML file under the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lowerbound.cli import main
from lowerbound.cli.config import scalar


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        "data: digits\nrecipe: vae\nlatent-dim: 2\nlearning_rate: 1e-3\ncompile: no\n"
        "hidden: [64, 32]\nclip: null\nlikelihood: {name: gaussian, sigma: learned}\n"
    )
    return path


def train(api: Any, *arguments: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    assert main(["train", "--no-evaluate", *map(str, arguments)]) == 0
    _, positionals, options = api.calls[-1]
    return positionals, options


def test_every_kind_of_value(api: Any, file: Path) -> None:
    positionals, options = train(api, "--config", file)
    assert positionals == ("digits", "vae")
    assert options == {
        "out": None,
        "latent_dim": 2,
        "learning_rate": 1e-3,
        "compile": "no",
        "hidden": (64, 32),
        "clip": None,
        "likelihood": {"name": "gaussian", "sigma": "learned"},
    }


def test_the_command_line_wins(api: Any, file: Path) -> None:
    positionals, options = train(api, "mnist", "--config", file, "--latent-dim", 5)
    assert positionals == ("mnist", "vae")
    assert options["latent_dim"] == 5
    assert options["learning_rate"] == 1e-3


def test_another_filling_of_a_slot_drops_the_options_of_the_first(api: Any, file: Path) -> None:
    _, options = train(api, "--config", file, "--likelihood", "bernoulli")
    assert options["likelihood"] == "bernoulli"
    _, options = train(api, "--config", file, "--likelihood.value", "0.5")
    assert options["likelihood"] == {"name": "gaussian", "sigma": "learned", "value": 0.5}


def test_help_shows_the_files_values(file: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["train", "--config", str(file), "--help"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if "--latent-dim" in line]
    assert "[default: 2]" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latnt_dim: 2", "unknown key 'latnt_dim'; did you mean 'latent_dim'?"),
        ("recipe: vea", "did you mean 'vae'?"),
        ("likelihood: {name: gausian}", "did you mean 'gaussian'?"),
        ("likelihood: {name: gaussian, sgima: learned}", "did you mean 'likelihood.sigma'?"),
        ("latent_dim: two", "--latent-dim: expected a whole number"),
        ("latent_dim: 0", "--latent-dim: expected a whole number of at least 1"),
        ("sigma: learned", "unknown key 'sigma'; did you mean 'likelihood.sigma'?"),
        ("latent_dim: {a: 1}", "unknown key 'latent_dim.a'"),
        ("latent-dim: 2\nlatent_dim: 3", "the key 'latent_dim' stands here a second time"),
        ("latent_dim: [", "is no YAML"),
        ("- vae", "expected `flag: value` lines"),
    ],
)
def test_what_does_not_fit_is_refused(
    api: Any, tmp_path: Path, capsys: Any, text: str, message: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert main(["train", "digits", "--config", str(path)]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert not api.calls


def test_no_such_file(api: Any, capsys: Any) -> None:
    assert main(["train", "digits", "--config", "nowhere.yaml"]) == 2
    assert "nowhere.yaml cannot be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-2", -2),
        (".5", 0.5),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("~", None),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e", "1e"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)
