"""What a person gets wrong: one line, exit code 2, nothing done. What we get wrong: a traceback."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import Any

import pytest

from lowerbound.cli import main
from lowerbound.errors import LowerboundError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tran digits", 'Did you mean "train"?'),
        ("train digits --latnt-dim 2", "Did you mean --latent-dim?"),
        ("train digits --recipe vea", "did you mean 'vae'?"),
        ("train digits --likelihood gausian", "did you mean 'gaussian'?"),
        ("train digits --likelihood.sgima learned", "Did you mean --likelihood.sigma?"),
        ("train digits --likelihood gaussian --likelihood.sigma learnd", 'Did you mean "learned"?'),
        ("train digits --sigma learned", "Did you mean --likelihood.sigma?"),
        ("train digits --sgima learned", "Did you mean --likelihood.sigma?"),
        ("train digits --recipe pca --likelihood gaussian", "recipe pca has no --likelihood;"),
        ("train digits --recipe pca --likelihood.sigma learned", "recipe pca has no --likelihood;"),
        (
            "train digits --latent-dim 0",
            "--latent-dim: expected a whole number of at least 1 (dimensions), came 0",
        ),
        (
            "train digits --epochs 0",
            "--epochs: expected a number above 0 (passes over the data), came 0",
        ),
        ("train digits --latent-dim 2.5", "--latent-dim: expected a whole number"),
        ("train digits --hidden 8,x", "--hidden: expected whole numbers"),
        ("train digits --ema 1.5", "--ema: expected a number of at least 0 and at most 1"),
        ("train digits more", "expected no further argument, came more"),
        ("train", "DATA requires an argument"),
        ("train digits --latent-dim", "--latent-dim requires an argument"),
        ("train digits --recipe nowhere.py:mine", "nowhere.py:mine"),
        ("sample RUN -n 0", "-n: expected a whole number of at least 1 (samples), came 0"),
        ("sample RUN -o a.jpg", "expected a name that ends in .png or .npy, came 'a.jpg'"),
        ("reconstruct RUN -o a", "expected a name that ends in .png or .npy, came 'a'"),
        ("evaluate RUN --sampels 5", "Did you mean --samples?"),
    ],
)
def test_one_line_and_exit_code_2(api: Any, capsys: Any, line: str, message: str) -> None:
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not api.calls


def test_what_the_library_refuses(api: Any, capsys: Any) -> None:
    api.raises = LowerboundError("expected a folder,\ncame [nothing]; pass one " + "x" * 300)
    assert main(["inspect", "nowhere"]) == 2
    text = f"error: expected a folder, came [nothing]; pass one {'x' * 300}\n"
    assert capsys.readouterr().err == text


def test_a_full_disk(api: Any, capsys: Any) -> None:
    api.raises = OSError(errno.ENOSPC, "No space left on device", "/runs/weights")
    assert main(["resume", "RUN"]) == 2
    assert capsys.readouterr().err.startswith("error: no space left on the disk at /runs/weights")


def test_an_interrupt(api: Any) -> None:
    api.raises = KeyboardInterrupt()
    assert main(["evaluate", "RUN"]) == 130


@pytest.mark.parametrize("error", [ValueError("a bug"), PermissionError(errno.EACCES, "no")])
def test_a_bug_keeps_its_traceback(api: Any, error: Exception) -> None:
    api.raises = error
    with pytest.raises(type(error)):
        main(["evaluate", "RUN"])


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("train digits", {"format", "run", "status", "evaluation", "pictures"}),
        ("resume RUN", {"format", "run", "status", "evaluation", "pictures"}),
        ("evaluate RUN", {"answer", "nothing", "path"}),
        ("sample RUN", {"format", "out", "n", "given", "values", "seed"}),
        ("reconstruct RUN", {"format", "out", "n", "seed"}),
        ("inspect digits", {"format", "answer", "nothing", "path"}),
        ("recipes", {"format", "recipes"}),
    ],
)
def test_json_alone_on_stdout_with_stable_keys(
    api: Any, capsys: Any, line: str, keys: set[str]
) -> None:
    assert main([*line.split(), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == keys


def test_json_has_no_nan(api: Any, capsys: Any) -> None:
    assert main(["evaluate", "RUN", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"answer": 1.5, "nothing": None, "path": str(api.folder)}


def test_recipes_come_with_their_papers(capsys: Any) -> None:
    assert main(["recipes", "--json"]) == 0
    recipes = {row["name"]: row for row in json.loads(capsys.readouterr().out)["recipes"]}
    assert "1312.6114" in recipes["vae"]["paper"]
    assert all(row["summary"] and row["paper"] for row in recipes.values())


@pytest.mark.parametrize(
    "line", ["--help", "--version", "recipes", "train --help", "train d --likelihood gaussian -h"]
)
def test_help_imports_neither_torch_nor_numpy(line: str) -> None:
    code = (
        "import sys; from lowerbound.cli import main; "
        f"assert main({line.split()!r}) == 0; "
        "heavy = {'torch', 'numpy', 'matplotlib', 'PIL', 'zuko', 'sklearn'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("line", ["sample RUN -o a.jpg", "reconstruct RUN -o a.jpg"])
def test_a_file_that_cannot_be_written_is_refused_at_once(line: str) -> None:
    code = (
        "import sys; from lowerbound.cli import main; "
        f"assert main({line.split()!r}) == 2; "
        "heavy = {'torch', 'numpy', 'matplotlib', 'PIL'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ".png or .npy, came 'a.jpg'" in done.stderr


def test_help_shows_flags_in_groups(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["train", "d", "--likelihood", "gaussian", "--latent-dim", "2", "--help"]) == 0
    text = capsys.readouterr().out
    titles = ["─ Training ─", "─ Data ─", "─ Recipe: vae ─", "─ Likelihood: gaussian ─"]
    assert sorted(titles, key=text.index) == titles
    [line] = [line for line in text.splitlines() if "--latent-dim" in line]
    assert "by default 16, or half the numbers of a small example (dimensions; at least 1)." in line
    [line] = [line for line in text.splitlines() if "--beta " in line]
    assert "(at least 0). [default: 1.0]" in line
    assert "--likelihood.sigma" in text
    assert "--network.hidden" not in text


def test_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "lowerbound", "recipes", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
