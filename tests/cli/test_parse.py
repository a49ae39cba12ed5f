"""Arguments to calls: exactly what was given, and what it is called with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lowerbound.cli import main
from lowerbound.cli.data_options import choice_options, data_options
from lowerbound.options import options_of


def given(api: Any, line: str) -> dict[str, Any]:
    """The options that `lowerbound train digits LINE` calls `api.train` with."""
    assert main(["train", "digits", "--no-evaluate", *line.split()]) == 0
    options = dict(api.options)
    assert options.pop("out") is None
    return options


def test_nothing_given_nothing_passed(api: Any) -> None:
    assert given(api, "") == {}
    assert api.calls[0][:2] == ("train", ("digits", "vae"))


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("--latent-dim 2", {"latent_dim": 2}),
        ("--latent-dim=2 --beta 4", {"latent_dim": 2, "beta": 4.0}),
        ("--learning-rate 3e-4", {"learning_rate": 3e-4}),
        ("--hidden 200,100", {"hidden": (200, 100)}),
        ("--hidden 200", {"hidden": (200,)}),
        ("--hidden []", {"hidden": ()}),
        ("--compile no --skip-bad", {"compile": "no", "skip_bad": True}),
        ("--no-start-at-marginal", {"start_at_marginal": False}),
        ("--size 48x64", {"size": "48x64"}),
        ("--size 64", {"size": 64}),
        ("--likelihood gaussian", {"likelihood": "gaussian"}),
        (
            "--likelihood gaussian --likelihood.sigma learned",
            {"likelihood": {"name": "gaussian", "sigma": "learned"}},
        ),
        (
            "--likelihood.sigma per-datum --network mlp --network.hidden 64,32",
            {
                "likelihood": {"name": "auto", "sigma": "per-datum"},
                "network": {"name": "mlp", "hidden": (64, 32)},
            },
        ),
    ],
)
def test_values(api: Any, line: str, options: dict[str, Any]) -> None:
    assert given(api, line) == options


def test_of_an_unnamed_filling_a_number_is_what_was_typed(api: Any) -> None:
    # a width is a fraction of petals, and whole of networks: which it will be is known later
    for text, kind in (("8", int), ("0.5", float)):
        api.calls.clear()
        prior = given(api, f"--recipe two-stage --base r --prior.width {text}")["prior"]
        assert prior["width"] == float(text)
        assert type(prior["width"]) is kind


def test_flags_may_precede_the_data(api: Any) -> None:
    assert main(["train", "--hidden", "8,4", "digits", "-o", "there", "--no-evaluate"]) == 0
    assert api.calls == [("train", ("digits", "vae"), {"out": "there", "hidden": (8, 4)})]


def test_the_recipe_decides_which_flags_there_are(api: Any, capsys: Any) -> None:
    assert main(["train", "digits", "--recipe", "pca", "--latent-dim", "2", "--no-evaluate"]) == 0
    assert api.calls[0][1] == ("digits", "pca")
    assert main(["train", "digits", "--recipe", "pca", "--beta", "4"]) == 2
    assert "--beta" in capsys.readouterr().err


def test_a_recipe_of_ones_own(api: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def mine(data, *, twist: float = 0.5):\n"
        '    """Mine.\n\n    Args:\n        data: any.\n        twist: it.\n    """\n'
    )
    assert given(api, f"--recipe {file}:mine --twist 2") == {"twist": 2.0}
    assert api.calls[0][1] == ("digits", f"{file}:mine")


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("sample RUN -n 9 -o a.npy", ("sample", 9, {"given": None, "values": "draw"})),
        ("sample RUN -n 9 -o a.png", ("sample", 9, {"given": None, "values": "mean"})),
        ("sample RUN -n 9", ("sample", 9, {"given": None, "values": "mean"})),
        (
            "sample RUN -n 9 -o a.npy --values mean",
            ("sample", 9, {"given": None, "values": "mean"}),
        ),
        (
            "sample RUN -n 9 -o a.png --values draw",
            ("sample", 9, {"given": None, "values": "draw"}),
        ),
        ("reconstruct RUN -n 4", ("reconstruct", 4, {})),
        ("inspect digits --limit 5", ("inspect", "digits", {"limit": 5})),
    ],
)
def test_other_verbs(api: Any, line: str, call: tuple[str, Any, Any]) -> None:
    assert main(line.split()) == 0
    verb, arguments, options = api.calls[0]
    options.pop("seed", None)
    assert (verb, arguments[-1], options) == call


@pytest.mark.parametrize("kind", ["vector", "tokens"])
@pytest.mark.parametrize("name", ["a.png", "a.npy"])
def test_what_is_no_image_is_drawn_as_it_is_distributed(api: Any, kind: str, name: str) -> None:
    api.kind = kind
    assert main(["sample", "RUN", "-o", name]) == 0
    assert api.calls[0][2]["values"] == "draw"


def test_what_is_drawn_is_written(api: Any) -> None:
    assert main(["sample", "RUN", "-o", "there.npy", "--given", "label=3"]) == 0
    verb, (path, run, _, given), _ = api.calls[1]
    assert (verb, path, run.path) == ("write", Path("there.npy"), api.folder)
    assert given == "label=3"  # which the picture's title says
    assert main(["reconstruct", "RUN", "-o", "there.npy"]) == 0
    verb, (path, run, _, _), _ = api.calls[3]
    assert (verb, path, run.path) == ("write_pairs", Path("there.npy"), api.folder)


def test_evaluate(api: Any) -> None:
    assert main(["evaluate", "RUN", "--samples", "50", "--json"]) == 0
    [(verb, arguments, options)] = api.calls
    assert (verb, arguments, options["samples"]) == ("evaluate", ("RUN",), 50)


def test_training_is_followed_by_an_evaluation(api: Any, capsys: Any) -> None:
    (api.folder / "pictures" / "samples.png").touch()
    assert main(["train", "digits"]) == 0
    assert [verb for verb, _, _ in api.calls] == ["train", "evaluate"]
    shown = capsys.readouterr().out
    assert "38.12 ± 0.35" in shown
    assert str(api.folder / "pictures" / "samples.png") in shown


def test_an_interrupt_says_how_to_resume(api: Any, capsys: Any) -> None:
    api.reason = "interrupted"
    assert main(["train", "digits"]) == 130
    assert [verb for verb, _, _ in api.calls] == ["train"]
    assert f"lowerbound resume {api.folder}" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["interrupted", "failed", "training"])
def test_a_run_that_was_stopped_is_resumed(api: Any, reason: str) -> None:
    api.before = reason
    assert main(["resume", "RUN"]) == 0
    assert [verb for verb, _, _ in api.calls] == ["resume", "evaluate"]


@pytest.mark.parametrize("reason", ["done", "early stopping", "solved"])
def test_a_run_that_has_ended_is_left_as_it_is(api: Any, capsys: Any, reason: str) -> None:
    api.before = reason
    assert main(["resume", "RUN"]) == 0
    assert api.calls == []
    shown = capsys.readouterr()
    note = (
        f"RUN has ended already ({reason} at step 1,200); measure it with: lowerbound evaluate RUN"
    )
    assert (shown.out, shown.err) == ("", note + "\n")
    assert main(["resume", "RUN", "--json"]) == 0
    assert api.calls == []
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["evaluation"]) == (reason, None)


def test_data_options_are_those_of_load() -> None:
    from lowerbound.data import load

    named = {**options_of(data_options), **options_of(choice_options)}
    there = options_of(load)
    assert {n: o.default for n, o in named.items()} == {n: o.default for n, o in there.items()}
