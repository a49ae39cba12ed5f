"""What people get wrong, through the real command line: one line that says what was expected, what
came and what to pass; exit code 2; no traceback; nothing written, nothing written over."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowerbound.cli import main
from lowerbound.training.checkpoint import load_tensors, save_tensors

QUICK = "--latent-dim 2 --hidden 8 --steps 3 --threads 1 --compile no --tensorboard no"
QUICK += " --no-evaluate"
random = np.random.default_rng(0)


@pytest.fixture(scope="session")
def run_of_old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps."""
    folder = tmp_path_factory.mktemp("run") / "run"
    assert main(["train", "digits", "--limit", "64", "--out", str(folder), *QUICK.split()]) == 0
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOWERBOUND_DATA", str(tmp_path / "no-cache"))
    return tmp_path


@pytest.fixture
def run(here: Path, run_of_old: Path) -> Path:
    """A copy of it that was interrupted, so that there is something to go on with."""
    shutil.copytree(run_of_old, here / "run")
    interrupt(here / "run")
    return here / "run"


def interrupt(run: Path) -> None:
    entries(status={"reason": "interrupted", "step": 3, "seconds": 0.1})(run)


def everything(folder: Path) -> dict[str, str]:
    """Every file and folder below, with a hash of what is in it."""
    return {
        str(path.relative_to(folder)): ""
        if path.is_dir()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"  # empty, and there to keep others away
    }


def refused(line: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(folder)
    capsys.readouterr()
    code = main(line.split())
    shown = capsys.readouterr()
    assert code == 2, shown
    assert shown.out == ""
    assert shown.err.startswith("error: "), shown.err
    assert shown.err.count("\n") == 1, shown.err
    assert message in shown.err
    assert everything(folder) == before


# Data


def grey(path: Path, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 256, size).astype(np.uint8)).save(path)


def nothing(_: Path) -> None: ...


def folder_of(count: int, *more: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(here: Path) -> None:
        (here / "images").mkdir()
        for number in range(count):
            grey(here / "images" / f"{number}.png")
        for one in more:
            one(here / "images")

    return make


def text(folder: Path) -> None:
    (folder / "note.png").write_text("this is no picture")


def truncated(folder: Path) -> None:
    grey(folder / "half.png", (64, 64))
    content = (folder / "half.png").read_bytes()
    (folder / "half.png").write_bytes(content[: len(content) // 2])


def larger(folder: Path) -> None:
    grey(folder / "larger.png", (9, 8))


def array(values: np.ndarray, allow_pickle: bool = False) -> Callable[[Path], None]:
    return lambda here: np.save(here / "x.npy", values, allow_pickle=allow_pickle)


def with_one(value: float) -> np.ndarray:
    values = random.normal(size=(40, 6))
    values[3, 2] = value
    return values


def arrays(**values: np.ndarray) -> Callable[[Path], None]:
    return lambda here: np.savez(here / "x.npz", **values)  # ty: ignore[invalid-argument-type]


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda here: (here / name).write_bytes(content) and None


def zipped(here: Path) -> None:
    with zipfile.ZipFile(here / "x.zip", "w") as file:
        file.writestr("readme.txt", "no pictures")


OBJECTS = np.array([{"a": 1}, None] * 20, dtype=object).reshape(20, 2)
DATA = {
    "missing path": (nothing, "nowhere.npy", "nowhere.npy, which does not exist"),
    "misspelt path": (array(np.ones((3, 3))), "y.npy", "did you mean 'x.npy'?"),
    "unknown name": (nothing, "mnits", "did you mean 'mnist'?"),
    "named data, offline": (nothing, "mnist --data-dir no-cache", "no-cache"),
    "empty folder": (folder_of(0), "images", "images"),
    "text named png": (folder_of(3, text), "images", "note.png"),
    "only a text named png": (folder_of(0, text), "images", "note.png"),
    "truncated image": (folder_of(3, truncated), "images", "half.png"),
    "mixed sizes": (folder_of(3, larger), "images", "--size"),
    "bad size": (folder_of(3), "images --size 8x", "size"),
    "size of an array": (array(with_one(0.0)), "x.npy --size 8", "leave it out"),
    "a text file": (written("x.txt", b"1 2 3"), "x.txt", "np.save"),
    "no npy": (written("x.npy", b"1 2 3"), "x.npy", "x.npy"),
    "empty npy": (written("x.npy", b""), "x.npy", "x.npy"),
    "no npz": (written("x.npz", b"PK-no-archive"), "x.npz", "x.npz"),
    "no zip": (written("x.zip", b"PK-no-archive"), "x.zip", "x.zip"),
    "zip without images": (zipped, "x.zip", "x.zip"),
    "nan": (array(with_one(np.nan)), "x.npy", "NaN"),
    "infinity": (array(with_one(np.inf)), "x.npy", "infinit"),
    "objects": (array(OBJECTS, True), "x.npy", "object"),
    "texts": (array(np.array([["a", "b"]] * 9)), "x.npy", "dtype <U1"),
    "complex": (array(np.ones((9, 3), complex)), "x.npy", "complex"),
    "one axis": (array(np.arange(9.0)), "x.npy", "(9,)"),
    "six axes": (array(np.ones((2, 2, 2, 2, 2, 2))), "x.npy", "(2, 2, 2, 2, 2, 2)"),
    "no examples": (array(np.ones((0, 4))), "x.npy", "(0, 4)"),
    "one example": (array(np.ones((1, 4))), "x.npy", "at least 2 examples"),
    "constant": (array(np.ones((50, 4))), "x.npy", "all the same"),
    "0 to 255 floats": (
        array(random.uniform(0, 255, (50, 4))),
        "x.npy --likelihood bernoulli",
        "bernoulli",
    ),
    "negative under bernoulli": (
        array(random.normal(size=(50, 4))),
        "x.npy --likelihood bernoulli",
        "bernoulli",
    ),
    "several arrays": (
        arrays(a=np.ones((9, 2)), b=np.ones((9, 2))),
        "x.npz",
        "--key",
    ),
    "no such key": (arrays(first=random.normal(size=(9, 2))), "x.npz --key frist", "first"),
    "shapes of the splits": (
        arrays(train=random.normal(size=(20, 4)), test=random.normal(size=(5, 3))),
        "x.npz",
        "test",
    ),
    "labels of another length": (
        arrays(train=random.normal(size=(20, 4)), labels=np.arange(7)),
        "x.npz",
        "labels",
    ),
    "test fraction": (array(with_one(0.0)), "x.npy --test-fraction 1.5", "--test-fraction"),
}


@pytest.mark.parametrize(("make", "arguments", "message"), DATA.values(), ids=list(DATA))
@pytest.mark.parametrize("verb", ["train", "inspect"])
def test_data(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    make: Callable[[Path], None],
    arguments: str,
    message: str,
) -> None:
    make(here)
    refused(f"{verb} {arguments}", message, here, capsys)


def test_a_bad_image_is_left_out_if_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder_of(12, truncated, text)(here)
    assert main(f"train images --skip-bad --out run {QUICK}".split()) == 0
    shown = capsys.readouterr()
    assert "half.png" in shown.err
    assert "note.png" in shown.err


# Options


OPTIONS = {
    "unknown recipe": ("digits --recipe vea", "did you mean 'vae'?"),
    "unknown flag": ("digits --latnt-dim 2", "Did you mean --latent-dim?"),
    "unknown likelihood": ("digits --likelihood gausian", "did you mean 'gaussian'?"),
    "unknown network": ("digits --network mpl", "did you mean 'mlp'?"),
    "out of range": ("digits --learning-rate 0", "--learning-rate: expected a number above 0"),
    "no number": ("digits --epochs many", "--epochs: expected a number"),
    "recipe file": ("digits --recipe mine.py:f", "expected a Python file, came no such file"),
    "no gpu": ("digits --accelerator cuda", "expected a cuda device because of --accelerator cuda"),
    "no gpu for pca": ("digits --recipe pca --accelerator cuda", "pass --accelerator cpu"),
    "no gpu, two": ("digits --devices 2 --accelerator cuda", "pass --accelerator cpu"),
    "patience": ("digits --patience 3", "pass --validation-fraction 0.1"),
    "small batch": ("digits --batch-size 2 --accumulate 4", "at least 4 examples"),
    "many components": ("digits --recipe pca --latent-dim 64", "64"),
    "beta of iwae": ("digits --bound iwae --beta 2", "pass bound elbo"),
    "bernoulli sigma": ("digits --likelihood bernoulli --likelihood.sigma learned", "sigma"),
    "out is a file": ("digits --out file", "file exists already"),
    "out below a file": ("digits --out file/run", "cannot make file/run"),
    "config": ("digits --config none.yaml", "none.yaml"),
}


@pytest.mark.parametrize(("arguments", "message"), OPTIONS.values(), ids=list(OPTIONS))
def test_options(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (here / "file").write_text("somebody's")
    refused(f"train {arguments}", message, here, capsys)


def test_a_recipe_file_that_does_not_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "own.py").write_text("def mine(data):\n    return nothing\n\nimport no_such_module\n")
    refused("train digits --recipe own.py:mine", "No module named 'no_such_module'", here, capsys)
    (here / "own.py").write_text("def mine(data):\n    return nothing\n")
    refused("train digits --recipe own.py:mien", "did you mean 'mine'?", here, capsys)


def test_compiling_without_a_compiler(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known once training is set up; the folder that was made for it is taken back."""
    from lowerbound.training import engine

    monkeypatch.setattr(engine, "can_compile", lambda device: "no C++ compiler was found")
    line = f"train digits --limit 64 --out run {QUICK}".replace("--compile no", "--compile yes")
    assert main(line.split()) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "error: expected to compile because of --compile yes, but no C++ compiler was found"
    )
    assert everything(here) == {}


# Runs


def broken_json(run: Path) -> None:
    (run / "run.json").write_text('{"format": 1, "recipe": "va')


def no_json(run: Path) -> None:
    (run / "run.json").unlink()


def entries(**changes: object) -> Callable[[Path], None]:
    def make(run: Path) -> None:
        info = json.loads((run / "run.json").read_text()) | changes
        kept = {name: value for name, value in info.items() if value != "gone"}
        (run / "run.json").write_text(json.dumps(kept))

    return make


def half(name: str) -> Callable[[Path], None]:
    def make(run: Path) -> None:
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[: len(content) // 2])

    return make


def without_weights(run: Path) -> None:
    (run / "weights.safetensors").unlink()
    (run / "checkpoint.safetensors").unlink()


def of_another_model(run: Path) -> None:
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        tensors, about = load_tensors(run / name)
        save_tensors(run / name, {**tensors, "stranger": torch.zeros(1)}, about)


READ = ("evaluate run", "sample run -n 2 -o new.png", "reconstruct run -o new.npy")
RUNS = {
    "corrupt": (broken_json, (*READ, "resume run"), "run.json is corrupt (JSONDecodeError"),
    "no description": (no_json, (*READ, "resume run"), "run is no run: it has no run.json"),
    "a key is gone": (entries(arguments="gone"), (*READ, "resume run"), "'arguments'"),
    "a key is changed": (entries(data=3), (*READ, "resume run"), "run.json is corrupt"),
    "an argument is changed": (
        entries(arguments={"latent_dim": "two"}),
        (*READ, "resume run"),
        "latent_dim: expected a whole number",
    ),
    "newer": (
        entries(format=99, arguments="gone", more=1),
        (*READ, "resume run"),
        "run is of run format 99, this version reads up to 1",
    ),
    "weights are torn": (half("weights.safetensors"), READ, "weights.safetensors is corrupt"),
    "checkpoint is torn": (
        half("checkpoint.safetensors"),
        ("resume run",),
        "checkpoint.safetensors is corrupt",
    ),
    "no weights yet": (without_weights, READ, "go on with: lowerbound resume run"),
    "weights of another model": (of_another_model, READ, "belongs to another model"),
}


@pytest.mark.parametrize(("spoil", "lines", "message"), RUNS.values(), ids=list(RUNS))
def test_a_run_that_cannot_be_opened(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    lines: tuple[str, ...],
    message: str,
) -> None:
    spoil(run)
    for line in lines:
        if line.startswith("resume") and "checkpoint" in message:
            assert main(line.split()) == 2  # after lines about the data
            assert message in capsys.readouterr().err.splitlines()[-1]
        else:
            refused(line, message, run.parent, capsys)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evaluate ran", "did you mean 'run'?"),
        ("resume nowhere", "nowhere is no run: there is no such folder"),
        ("sample run -o new.txt", "expected a name that ends in .png or .npy, came 'new.txt'"),
        ("train digits --out run", "go on with it: lowerbound resume run"),
        ("evaluate run --precision half", "--precision"),
    ],
)
def test_what_is_asked_of_a_run(
    run: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    refused(line, message, run.parent, capsys)


def test_data_that_have_changed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = random.normal(size=(40, 4))
    np.save(here / "x.npy", values)
    assert main(f"train x.npy --out run {QUICK}".split()) == 0
    np.save(here / "x.npy", values[:-10])
    interrupt(here / "run")
    message = "x.npy has changed since run was trained: expected train 32, came 24"
    refused("evaluate run", message, here, capsys)
    refused("resume run", message, here, capsys)
    np.save(here / "x.npy", values[::-1])
    refused("evaluate run", "has changed since run was trained: expected", here, capsys)
    (here / "x.npy").unlink()
    refused("evaluate run", "x.npy, which does not exist", here, capsys)


HOLDS = """
import sys, time
from lowerbound.runs import Run
with Run.open("run").locked():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_in_use(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], cwd=run.parent, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            message = "run is in use by another process; wait for it, stop it, or pass another"
            refused("resume run", message, run, capsys)
        finally:
            other.kill()
    assert main(["resume", "run", "--no-evaluate"]) == 0  # the system has lifted the lock


# A full disk


@pytest.fixture
def small_disk(here: Path) -> Iterator[Path]:
    place = here / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_before_training(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"train digits --limit 64 --out disk/run {QUICK}".replace("--hidden 8", "--hidden 500")
    assert main(line.split()) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the disk is full: disk/run/checkpoint.safetensors needs ")
    assert os.listdir(small_disk) == []


def test_a_full_disk_keeps_what_there_is(
    small_disk: Path, run_of_old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run_of_old, small_disk / "run")
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(b"x" * (free - 8192))
    before = everything(small_disk)
    refused("sample disk/run -o disk/new.npy -n 1000", "the disk is full", small_disk, capsys)
    refused("reconstruct disk/run -o disk/new.npy -n 64", "the disk is full", small_disk, capsys)
    assert main(["evaluate", "disk/run", "--samples", "4"]) == 2
    assert "disk" in capsys.readouterr().err.splitlines()[-1]
    kept = ("run.json", "weights.safetensors", "checkpoint.safetensors", "metrics.jsonl")
    for name in kept:
        assert everything(small_disk)[f"run/{name}"] == before[f"run/{name}"]
