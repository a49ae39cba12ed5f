"""The sweep finds a known best, loses no trial, and never looks at test data to choose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.data import held_out
from lowerbound.errors import LowerboundError
from lowerbound.plots.sweep import sweep as picture
from lowerbound.runs import Run
from lowerbound.sweeps import Sweep, Tried
from lowerbound.sweeps.plan import Plan, numbers_of, unit_of
from lowerbound.sweeps.plan import plan as plan_of
from lowerbound.sweeps.study import so_far
from lowerbound.sweeps.trial import measured

QUICK: dict[str, Any] = {"threads": 1, "compile": "no", "tensorboard": "no"}
RANK = 3


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors from a linear-Gaussian model of rank 3, in 8 dimensions."""
    random = np.random.default_rng(4)
    basis = np.linalg.qr(random.normal(size=(8, 8)))[0][:, :RANK]
    codes = random.normal(size=(600, RANK)) * [3.0, 2.0, 1.5]
    x = codes @ basis.T + 0.4 * random.normal(size=(600, 8))
    path = tmp_path_factory.mktemp("data") / "vectors.npy"
    np.save(path, x.astype(np.float32))
    return path


def swept(vectors: Path, out: Path, **options: Any) -> Sweep:
    defaults: dict[str, Any] = {
        "vary": {"latent_dim": [1, 2, 3, 5, 7]},
        "seeds": 0,
        "standardize": "no",
        **QUICK,
    }
    return lb.sweep(str(vectors), "pca", out=out, **{**defaults, **options})


def test_finds_the_rank_of_a_linear_gaussian_model(vectors: Path, tmp_path: Path) -> None:
    from sklearn.decomposition import PCA

    found = swept(vectors, tmp_path / "sweep", seeds=2)
    assert found.winner is not None
    assert found.winner.options == {"latent_dim": RANK}
    run = Run.open(found.winner.run)
    data = run.data()
    assert data.validation is not None
    train, validation, test = (
        held_out(split, run.spec).double().numpy()
        for split in (data.train, data.validation, data.test)
    )
    assert len(validation) == 48  # a tenth of the training examples
    for tried in found.trials:
        model = PCA(tried.options["latent_dim"]).fit(train)
        # sklearn divides variances by n − 1: half a thousandth each.
        assert tried.value == pytest.approx(model.score(validation), abs=0.01)
    reference = PCA(RANK).fit(train).score(test)
    assert [each.test for each in found.seeds] == pytest.approx([reference] * 2, abs=0.01)
    assert found.test is not None
    assert found.test[1] == pytest.approx(0.0, abs=1e-6)


def test_each_of_few_combinations_is_tried_once(vectors: Path, tmp_path: Path) -> None:
    found = swept(vectors, tmp_path / "sweep", trials=50)
    assert sorted(t.options["latent_dim"] for t in found.trials) == [1, 2, 3, 5, 7]


def test_a_range_is_searched(vectors: Path, tmp_path: Path) -> None:
    found = swept(vectors, tmp_path / "sweep", vary=["latent_dim=1:7"], trials=6)
    values = [t.options["latent_dim"] for t in found.trials]
    assert len(values) == 6
    assert all(isinstance(value, int) and 1 <= value <= 7 for value in values)
    best = max(t.value for t in found.trials if t.value is not None)
    assert found.winner is not None
    assert found.winner.value == best


def test_stopped_it_goes_on_where_it_was(vectors: Path, tmp_path: Path) -> None:
    class Stop(KeyboardInterrupt):
        pass

    def after_two(tried: Tried) -> None:
        if tried.number == 1:
            raise Stop

    first = swept(vectors, tmp_path / "sweep", progress=after_two)
    assert first.unfinished is not None
    before = {t.number: t.value for t in first.trials if t.state == "complete"}
    assert len(before) == 2
    whole = swept(vectors, tmp_path / "sweep")
    assert sorted(t.options["latent_dim"] for t in whole.trials) == [1, 2, 3, 5, 7]
    assert {n: t.value for n, t in enumerate(whole.trials) if n in before} == before
    assert whole.winner is not None
    assert whole.winner.options == {"latent_dim": RANK}


def test_killed_it_goes_on_and_loses_no_trial(vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    line = [
        *("sweep", str(vectors), "--recipe", "vae", "--vary", "latent_dim=1,2,3", "--seeds", "1"),
        *("--hidden", "8", "--steps", "400", "--checkpoint-minutes", "0", "--threads", "1"),
        *("--compile", "no", "--tensorboard", "no", "--no-prune", "--out", str(out)),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "lowerbound", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    second = out / "trials" / "0001" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not second.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert second.exists()
    assert main(line) == 0
    journal = (out / "journal.log").read_text().splitlines()
    assert len(journal) > 3
    runs = sorted(path.name for path in (out / "trials").iterdir())
    assert runs == ["0000", "0001", "0002"]
    ended = [Run.open(out / "trials" / name).info["status"] for name in runs]
    assert [(status["reason"], status["step"]) for status in ended] == [("done", 400)] * 3
    found = lb.sweep(
        str(vectors),
        "vae",
        vary=["latent_dim=1,2,3"],
        seeds=1,
        hidden=(8,),
        steps=400,
        checkpoint_minutes=0.0,
        threads=1,
        compile="no",
        tensorboard="no",
        prune=False,
        out=out,
    )
    assert sorted(t.options["latent_dim"] for t in found.trials) == [1, 2, 3]
    assert all(t.state == "complete" for t in found.trials)


def test_chooses_by_validation_data_alone(vectors: Path, tmp_path: Path) -> None:
    """With test data that are noise everything but what is told of them stays as it was."""
    x = np.load(vectors)
    other = tmp_path / "other.npz"
    same = tmp_path / "same.npz"
    noise = 50 * np.random.default_rng(0).normal(size=(120, 8))
    np.savez(same, train=x[:480], test=x[480:])
    np.savez(other, train=x[:480], test=noise.astype(np.float32))
    found = [swept(path, tmp_path / path.stem, seeds=1) for path in (same, other)]
    values = [[t.value for t in each.trials] for each in found]
    assert values[0] == values[1]
    winners = [each.winner and each.winner.options for each in found]
    assert winners[0] == winners[1]
    tests = [each.seeds[0].test for each in found]
    assert tests[0] is not None
    assert tests[1] is not None
    assert tests[1] < tests[0] - 100.0


def test_several_workers_and_pruning(vectors: Path, tmp_path: Path) -> None:
    found = lb.sweep(
        str(vectors),
        "vae",
        vary=["learning_rate=1e-6:1e-2:log"],
        trials=9,
        best="bound",
        seeds=0,
        workers=2,
        hidden=(8,),
        epochs=6,
        out=tmp_path / "sweep",
        **QUICK,
    )
    states = [t.state for t in found.trials]
    assert len(states) == 9
    assert set(states) <= {"complete", "pruned"}
    assert states.count("complete") >= 5
    assert found.direction == "maximize"
    assert found.winner is not None
    assert found.winner.options["learning_rate"] > 1e-4  # 1e-6 does not move in 30 steps


def test_a_trial_that_fails_is_told_and_the_others_go_on(vectors: Path, tmp_path: Path) -> None:
    told: list[Tried] = []
    found = lb.sweep(
        str(vectors),
        "vae",
        vary={"likelihood": ["gaussian", "bernoulli"]},
        seeds=0,
        hidden=(8,),
        steps=5,
        out=tmp_path / "sweep",
        progress=told.append,
        **QUICK,
    )
    states = {t.options["likelihood"]: t for t in found.trials}
    assert states["gaussian"].state == "complete"
    assert states["bernoulli"].state == "failed"
    assert "bernoulli" in states["bernoulli"].why
    assert len(told) == 2


def test_the_verb(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sweep"
    line = f"sweep {vectors} --recipe pca --vary latent_dim=1,3 --vary seed=0,1 --seeds 1"
    line += f" --threads 1 --tensorboard no --out {out}"
    assert main([*line.split(), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["trials"]) == 4
    assert content["winner"]["options"]["latent_dim"] == RANK
    assert Path(content["picture"]).read_bytes()[:4] == b"\x89PNG"
    assert main(line.split()) == 0  # nothing left to do but to show it
    assert "best of 4 trials by validation log_likelihood: latent_dim 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--recipe pca", "--vary: expected an option and its values"),
        ("--recipe pca --vary latent_dim", "expected OPTION=VALUE"),
        ("--recipe pca --vary latentdim=1,2", "did you mean 'latent_dim'"),
        ("--recipe pca --vary latent_dim=0,2", "latent_dim"),
        ("--recipe pca --vary latent_dim=5:2", "from a lesser to a greater"),
        ("--recipe pca --vary latent_dim=1:5:logg", "did you mean 'log'"),
        ("--recipe pca --vary latent_dim=1 --vary latent_dim=2", "varied twice"),
        (
            "--recipe pca --vary latent_dim=1,2 --best log_likelyhood",
            "did you mean 'log_likelihood'",
        ),
        ("--recipe pca --vary latent_dim=1,2 --latent-dim 3", "varied and given as well"),
        ("--recipe pca --vary standardize=yes,no", "changes the data"),
        ("--recipe pac --vary latent_dim=1,2", "did you mean 'pca'"),
        ("--recipe vae --vary likelihood=gausian", "gaussian"),
        ("--recipe vae --vary learning_rate=fast", "learning_rate"),
        ("--recipe pca --vary latent_dim=1,2 --worker 2", "--workers"),
        (
            "--recipe autoencoder --hidden 8 --vary latent_dim=1,2",
            "recipe autoencoder has no such number (",
        ),
        ("--recipe autoencoder --hidden 8 --vary latent_dim=1,2", "pass --best squared_error"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    vectors: Path,
    tmp_path: Path,
    flags: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(f"sweep {vectors} {flags}".split()) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert message in shown
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_a_model_are_those_that_are_measured(vectors: Path, tmp_path: Path) -> None:
    data = lb.load(str(vectors), validation_fraction=0.1)
    for name, options in (
        ("pca", {"latent_dim": 2}),
        ("vae", {"latent_dim": 2, "hidden": (8,)}),
        ("autoencoder", {"latent_dim": 2, "hidden": (8,)}),
        ("realnvp", {}),
    ):
        small: dict[str, Any] = {"progress": False, **QUICK}
        small |= {} if name == "pca" else {"steps": 2}
        run = lb.train(data, name, out=tmp_path / name, **options, **small)
        there, why = numbers_of(run.model, run.spec)
        assert set(measured(run, data.test)) == set(there)
        assert (why is None) == ("log_likelihood" in there)


def test_a_number_that_training_lacks_ends_the_sweep_at_the_first_trial(
    vectors: Path, tmp_path: Path
) -> None:
    ended: list[Tried] = []
    with pytest.raises(LowerboundError, match=r"--best perplexity: these runs have no such number"):
        swept(vectors, tmp_path / "s", best="perplexity", progress=ended.append)
    assert len(list((tmp_path / "s" / "trials").iterdir())) == 1


def test_numbers_are_told_with_their_unit(vectors: Path, tmp_path: Path) -> None:
    found = swept(vectors, tmp_path / "s", seeds=1, vary={"latent_dim": [2, 3]})
    assert found.unit == found.to_json()["unit"] == "nats"
    assert found.claim().endswith(" nats")
    assert unit_of("squared_error") == "per example"


@pytest.mark.parametrize(
    ("low", "high"), [(1e-4, 1e-2), (2e-3, 5e-3), (1e-3, 8e-3), (1e-6, 1.0), (3e-4, 3e-4)]
)
def test_labels_of_a_logarithmic_axis_stand_apart(low: float, high: float) -> None:
    random = np.random.default_rng(0)
    rates = np.exp(random.uniform(np.log(low), np.log(high), 12))
    trials = [
        {"number": i, "options": {"learning_rate": float(r)}, "value": i}
        for i, r in enumerate(rates)
    ]
    title = "vae: greatest log_likelihood on validation data"
    figure = picture(trials, "log_likelihood (nats)", 3, ["learning_rate"], title)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    canvas: Any = figure.canvas
    renderer = canvas.get_renderer()
    labels = [
        label.get_window_extent(renderer)
        for label in (*axes.get_xticklabels(), *axes.get_xticklabels(minor=True))
        if label.get_text()
    ]
    assert labels
    boxes = sorted((box.x0, box.x1) for box in labels)
    assert all(one[1] + 4 < other[0] for one, other in pairwise(boxes))
    suptitle: Any = vars(figure)["_suptitle"]
    heading = suptitle.get_window_extent(renderer)
    assert heading.x1 <= figure.bbox.x1


def test_another_sweep_in_the_folder_is_refused(vectors: Path, tmp_path: Path) -> None:
    swept(vectors, tmp_path / "sweep", trials=1)
    with pytest.raises(LowerboundError, match="holds another sweep: its vary is"):
        swept(vectors, tmp_path / "sweep", vary={"latent_dim": [1, 2]})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    with pytest.raises(LowerboundError, match="nothing is written over"):
        swept(vectors, tmp_path / "full")


@pytest.mark.parametrize(
    ("best", "direction", "values", "known"),
    [
        ("gain", "maximize", {"gain": 5.0, "loss": 1.0}, 5.0),
        ("rate", "maximize", {"rate": 3.0, "bound": -9.0}, 3.0),
        ("rate", "minimize", {"rate": 3.0, "bound": -9.0}, 3.0),
        ("squared_error", "minimize", {"bound": -9.0, "loss": 1.0}, 9.0),
        ("log_likelihood", "maximize", {"bound": -9.0}, -9.0),
        ("log_likelihood", "maximize", {"loss": 4.0}, -4.0),
    ],
)
def test_trials_are_pruned_by_their_number_in_its_direction(
    best: str, direction: Any, values: dict[str, float], known: float
) -> None:
    plan = Plan("digits", "vae", (), {}, best, direction, True, 0)
    assert so_far(values, plan) == known


def test_what_rises_is_maximized() -> None:
    vary = {"beta": [1.0, 2.0]}
    for best in ("gain", "usage", "perplexity", "explained_variance", "bound"):
        assert plan_of("digits", "vq-vae", vary, {}, best, "auto", False).direction == "maximize"
    assert plan_of("digits", "vq-vae", vary, {}, "rate", "auto", False).direction == "minimize"


def test_covered_modes_rise_and_a_players_loss_decides_nothing() -> None:
    vary = {"latent_dim": [2, 4]}
    for best in ("modes", "in_modes"):
        found = plan_of("eight", "gan", vary, {"steps": 20}, best, "auto", False)
        assert found.direction == "maximize"
    with pytest.raises(LowerboundError, match=r"--best loss: recipe gan is a game"):
        plan_of("eight", "gan", vary, {"steps": 20}, "loss", "auto", False)
    found = plan_of("eight", "autoencoder", vary, {"steps": 20}, "loss", "auto", False)
    assert found.direction == "minimize"
