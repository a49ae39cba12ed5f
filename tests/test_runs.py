"""A run's folder: made once, opened as what it was, never running code that nobody named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lowerbound
from lowerbound import Built, LowerboundError, Phase, Run, bounds
from lowerbound.recipes import vae
from lowerbound.runs import new_path
from lowerbound.training.checkpoint import load_tensors, save_tensors
from lowerbound.training.events import Checkpointed, Started

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "compile": "no"}
QUICK |= {"tensorboard": "no", "progress": False, "steps": 4, "batch_size": 16}
SMALL: dict[str, Any] = {"limit": 64, "latent_dim": 2, "hidden": (8,)}

OWN = '''
import torch
from torch import nn
from lowerbound.recipes import Built, vae

def mine(data, *, latent_dim: int = 2, width: int = 4) -> Built:
    """A vae with networks of one's own."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 2 * latent_dim))
    decoder = nn.Sequential(nn.Linear(latent_dim, 64), nn.Unflatten(1, (1, 8, 8)))
    options = {"likelihood": "bernoulli", "latent_dim": latent_dim}
    return vae(data, encoder=encoder, decoder=decoder, **options)
'''


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == twin and torch.equal(a, b) for (name, a), (twin, b) in pairs)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture
def run() -> Run:
    return lowerbound.train("digits", out="run", **SMALL, **QUICK)


def test_a_run_is_opened_as_it_was(run: Run) -> None:
    opened = Run.open("run")
    assert same(opened.model, run.model)
    assert not opened.model.training
    assert opened.spec.to_json() == run.spec.to_json()
    assert opened.metrics() == run.metrics() != []
    assert opened.info == run.info
    assert torch.equal(opened.data().train.all(), run.data().train.all())
    assert opened.name == "vae"


def test_what_is_in_the_folder(run: Run) -> None:
    names = {path.name for path in run.path.iterdir()} - {".lock"}
    assert names == {"run.json", "weights.safetensors", "checkpoint.safetensors", "metrics.jsonl"}
    info = json.loads((run.path / "run.json").read_text())
    assert info["recipe"] == "vae"
    assert info["arguments"]["hidden"] == [8]
    assert info["training"]["steps"] == 4
    assert info["resolved"]["precision"] == "float32"
    assert info["versions"]["torch"] == torch.__version__
    assert info["status"] == run.info["status"]
    assert (info["status"]["reason"], info["status"]["step"]) == ("done", 4)
    assert info["data"]["source"] == "digits"


def test_weights_do_not_depend_on_the_callers_generator(run: Run) -> None:
    before = torch.random.get_rng_state()
    again = lowerbound.train("digits", out="again", **SMALL, **QUICK)
    assert same(again.model, run.model)
    torch.rand(5)
    other = lowerbound.train("digits", out="other", seed=1, **SMALL, **QUICK)
    assert not same(other.model, run.model)
    assert before.shape == torch.random.get_rng_state().shape


@pytest.mark.parametrize("recipe", ["vae", "autoencoder", "pca"])
def test_every_recipe_opens_again(recipe: str) -> None:
    small = {k: v for k, v in SMALL.items() if recipe != "pca" or k != "hidden"}
    run = lowerbound.train("digits", recipe, out="run", **small, **QUICK)
    assert same(Run.open("run").model, run.model)
    resumed = lowerbound.resume("run", progress=False)
    assert same(resumed.model, run.model)
    assert resumed.info["status"]["reason"] == run.info["status"]["reason"]


# Killed and continued: the weights are those of the last checkpoint


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


def kill_at(step: int) -> Callable[[Any], None]:
    def follow(event: Any) -> None:
        if isinstance(event, Checkpointed) and event.step >= step:
            raise Killed
        if isinstance(event, Started) and step == 0:
            raise Killed

    return follow


OFTEN = {**QUICK, "steps": 40, "checkpoint_minutes": 0}


def test_a_killed_run_is_that_of_its_last_checkpoint() -> None:
    with pytest.raises(Killed):
        lowerbound.train("digits", out="run", **SMALL, **{**OFTEN, "progress": kill_at(8)}, ema=0.5)
    run = Run.open("run")
    tensors, about = load_tensors(run.path / "checkpoint.safetensors")
    assert about["step"] == 8
    average = tensors["average.likelihood.network.layers.0.weight"]
    assert torch.equal(run.model.state_dict()["likelihood.network.layers.0.weight"], average)
    assert not torch.equal(tensors["model.likelihood.network.layers.0.weight"], average)
    assert run.info["status"]["reason"] == "training"


def test_weights_that_are_older_than_the_checkpoint_are_passed_over(run: Run) -> None:
    path = run.path / "checkpoint.safetensors"
    tensors, about = load_tensors(path)
    newer = {name: tensor + 1 for name, tensor in tensors.items()}
    save_tensors(path, newer, {**about, "step": about["step"] + 1})
    name, weight = next(iter(Run.open("run").model.state_dict().items()))
    assert torch.equal(weight, newer[f"model.{name}"])


def test_before_the_first_checkpoint_there_are_no_weights() -> None:
    with pytest.raises(Killed):
        lowerbound.train("digits", out="run", **SMALL, **{**OFTEN, "progress": kill_at(0)})
    with pytest.raises(LowerboundError, match="go on with: lowerbound resume run"):
        _ = Run.open("run").model
    resumed = lowerbound.resume("run", progress=False)
    whole = lowerbound.train("digits", out="whole", **SMALL, **OFTEN)
    assert same(resumed.model, whole.model)


# Models of one's own


def own_built(data: Any) -> Built:
    model, _ = vae(data, latent_dim=2, hidden=(8,))
    return Built(model, [Phase("mine", bounds.elbo, [model])])


def test_a_recipe_of_ones_own_is_run_only_if_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    run = lowerbound.train("digits", "own.py:mine", out="run", limit=64, width=3, **QUICK)
    assert run.info["recipe"] == f"{tmp_path / 'own.py'}:mine"
    assert run.info["arguments"] == {"latent_dim": 2, "width": 3}
    assert run.name == "mine"
    with pytest.raises(LowerboundError, match=r"--recipe .*own\.py:mine"):
        _ = Run.open("run").model
    assert same(Run.open("run", "own.py:mine").model, run.model)
    assert same(lowerbound.resume("run", recipe="own.py:mine", progress=False).model, run.model)


def test_a_run_names_no_code_that_opening_it_runs(run: Run, tmp_path: Path) -> None:
    """A run from somebody else may name a file, and bring it along."""
    (run.path / "evil.py").write_text("open('was-run', 'w')\n")
    run.update(recipe="run/evil.py:vae")
    for verb in (lowerbound.evaluate, lowerbound.sample, lowerbound.reconstruct):
        with pytest.raises(LowerboundError, match="name the function that builds the model"):
            verb("run")
    with pytest.raises(LowerboundError, match="name the function that builds the model"):
        lowerbound.resume("run", progress=False)
    assert not (tmp_path / "was-run").exists()


def test_networks_of_ones_own_are_not_in_the_run() -> None:
    networks = {
        "encoder": nn.Sequential(nn.Flatten(), nn.Linear(64, 4)),
        "decoder": nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8))),
    }
    small = {"limit": 64, "latent_dim": 2, "likelihood": "bernoulli"}
    run = lowerbound.train("digits", out="run", **small, **networks, **QUICK)
    assert run.info["own"] == ["encoder", "decoder"]
    with pytest.raises(LowerboundError, match=r"--recipe file\.py:function"):
        _ = Run.open("run").model

    def build(data: Any, *, latent_dim: int = 9, likelihood: str = "auto") -> Built:
        assert (latent_dim, likelihood) == (2, "bernoulli")  # what the run knows is told
        return vae(
            data,
            latent_dim=latent_dim,
            likelihood=likelihood,
            encoder=nn.Sequential(nn.Flatten(), nn.Linear(64, 4)),
            decoder=nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8))),
        )

    assert same(Run.open("run", build).model, run.model)
    assert same(lowerbound.resume("run", recipe=build, progress=False).model, run.model)


def test_initial_weights_of_ones_own_survive_a_kill() -> None:
    """They cannot be made again from the seed, so they are saved before the first step."""
    data = lowerbound.load("digits", limit=64)
    torch.manual_seed(77)
    built = own_built(data.spec)
    start = {name: tensor.clone() for name, tensor in built.model.state_dict().items()}
    with pytest.raises(Killed):
        lowerbound.train(data, built, out="run", **{**OFTEN, "progress": kill_at(0)})
    built.model.load_state_dict(start)
    whole = lowerbound.train(data, built, out="whole", **OFTEN)
    resumed = lowerbound.resume("run", recipe=own_built, progress=False)
    assert same(resumed.model, whole.model)
    with pytest.raises(LowerboundError, match="which is not in the run"):
        lowerbound.resume("whole", progress=False)


# Data


def test_data_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(60, 4)))
    lowerbound.train("x.npy", out="run", latent_dim=2, hidden=(8,), **QUICK)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(Run.open("../run").data().train) == 48


def test_arrays_in_memory_are_passed_again() -> None:
    values = np.random.default_rng(0).normal(size=(60, 4))
    lowerbound.train(values, out="run", latent_dim=2, hidden=(8,), **QUICK)
    with pytest.raises(LowerboundError, match="arrays in memory"):
        Run.open("run").data()
    resumed = lowerbound.resume("run", data=values, progress=False)
    assert resumed.info["status"]["reason"] == "done"
    for changed in (values + 1, values[::-1], values[:-5], values[:, :3]):
        with pytest.raises(LowerboundError, match="what was passed has changed since run"):
            lowerbound.resume("run", data=changed, progress=False)


@pytest.mark.parametrize("recipe", ["vae", "pca"])
def test_loaded_data_are_prepared_as_the_run_wants_them(recipe: str) -> None:
    data = lowerbound.load("digits", limit=64)
    options = {"likelihood": "bernoulli"} if recipe == "vae" else {}
    run = lowerbound.train(data, recipe, out="run", latent_dim=2, **options, **QUICK)
    opened = Run.open("run")
    opened.give(lowerbound.load("digits", limit=64))
    assert opened.spec.to_json() == run.spec.to_json()
    assert same(lowerbound.resume("run", data=data, progress=False).model, run.model)


# Refusals


def test_nothing_is_written_over(run: Run, tmp_path: Path) -> None:
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(LowerboundError, match=r"run exists already.*lowerbound resume run"):
        lowerbound.train("digits", out="run", **SMALL, **QUICK)
    assert (run.path / "run.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(LowerboundError, match=r"mine exists already.*pass another --out$"):
        lowerbound.train("digits", out="mine", **SMALL, **QUICK)
    (tmp_path / "empty").mkdir()
    lowerbound.train("digits", out="empty", **SMALL, **QUICK)


def test_new_folders_are_numbered(tmp_path: Path) -> None:
    assert new_path("digits", "vae", tmp_path) == tmp_path / "digits-vae"
    (tmp_path / "digits-vae").mkdir()
    assert new_path("digits", "vae", tmp_path) == tmp_path / "digits-vae-2"
    assert new_path("my data/x", "vae", tmp_path) == tmp_path / "my-data-x-vae"


def test_two_cannot_train_in_one_run(run: Run) -> None:
    with (
        run.locked(),
        pytest.raises(LowerboundError, match="in use by another process"),
        Run.open("run").locked(),
    ):
        pass
    with Run.open("run").locked():
        pass


def test_a_failed_run_says_why_and_a_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    options = {**SMALL, **QUICK, "steps": 30}
    with pytest.raises(LowerboundError, match="is not finite at step"):
        lowerbound.train("digits", out="run", **options, learning_rate=1e30)
    status = Run.open("run").info["status"]
    assert status["reason"] == "failed"
    assert "is not finite at step" in status["error"]

    def broken(model: Any, x: torch.Tensor) -> bounds.Terms:
        raise LowerboundError("no")

    model, _ = vae(lowerbound.load("digits", limit=64).spec, latent_dim=2)
    with pytest.raises(LowerboundError, match="no"):
        built = Built(model, [Phase("broken", broken, [model])])
        lowerbound.train("digits", built, out="none", limit=64, **QUICK | {"tensorboard": "yes"})
    assert not (tmp_path / "none").exists()


def test_other_versions_are_announced(run: Run) -> None:
    run.update(versions={**run.info["versions"], "torch": "2.0.0"})
    said: list[Any] = []
    lowerbound.resume("run", progress=said.append)
    assert [text for text in said if isinstance(text, str)] == [
        f"not bit-exact: began with lowerbound {lowerbound.__version__}, torch 2.0.0, goes on with "
        f"lowerbound {lowerbound.__version__}, torch {torch.__version__}"
    ]


@pytest.mark.parametrize(
    ("recipe", "asked"),
    [("vae", {"likelihood", "network"}), ("autoencoder", {"network"}), ("vq-vae", {"likelihood"}),
     ("pixelcnn", set()), ("pca", set())],
)  # fmt: skip
def test_only_what_the_model_takes_from_the_data_is_told(recipe: str, asked: set[str]) -> None:
    """Whose network is its own is not said to have the data's."""
    made = lowerbound.train("digits", recipe, out="run", limit=64, **{**QUICK, "steps": 1})
    seen = {name for name, _ in made.data().spec.lines(made.asked)}
    assert seen & {"likelihood", "network"} == asked


def test_a_model_of_frames_has_not_the_network_of_clips() -> None:
    small = {"limit": 4, "latent_dim": 2, "belief_width": 4, "hidden": (4,)}
    made = lowerbound.train("moving-digits", "td-vae", out="run", **small, **{**QUICK, "steps": 1})
    assert made.asked == ("likelihood",)
