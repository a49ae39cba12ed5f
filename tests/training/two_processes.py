"""A script: two processes train what one process trains, and a NaN on one of them; JSON to stdout.

    python two_processes.py FOLDER

Of each case come the greatest differences between two processes and one: of the averaged gradients
after the first step and over all of them, and of the weights after the last.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import lowerbound
from lowerbound.bounds import Terms, elbo
from lowerbound.data import Data, load
from lowerbound.errors import LowerboundError
from lowerbound.recipes import vae
from lowerbound.training.choices import choose
from lowerbound.training.engine import Processes
from lowerbound.training.fit import _Loop
from lowerbound.training.launch import launch
from lowerbound.training.options import resolve
from lowerbound.training.phase import Phase
from lowerbound.training.stepper import Stepper

OPTIONS = {"threads": 1, "precision": "float32", "compile": "no", "batch_size": 32, "steps": 6}
OPTIONS |= {"clip": 1.0, "learning_rate": 1e-2}
CASES = ("elbo", "optimal", "noiseless")


def noiseless(model: Any, x: Tensor) -> Terms:
    """Distortion at the posterior's mean: nothing is drawn."""
    distortion = -model.decode(model.encode(x).mean).log_prob(x)
    return Terms(distortion.mean(), {"distortion": distortion.detach()})


def built(case: str) -> tuple[nn.Module, list[Phase], Data]:
    """elbo: pixels drawn anew, codes drawn. optimal, noiseless: sigma from the batch."""
    if case == "elbo":
        data = load("digits", limit=128, binarize="stochastic")
        options = {}
    else:
        data = load(np.random.default_rng(0).normal(size=(160, 6)))
        options = {"likelihood": {"name": "gaussian", "sigma": "optimal"}}
    torch.manual_seed(0)
    model, _ = vae(data.spec, latent_dim=3, hidden=(16,), **options)
    objective = noiseless if case == "noiseless" else elbo
    return model, [Phase(case, objective, [model])], data


def steps(case: str, processes: Processes, **options: Any) -> dict[str, Tensor]:
    """Gradients as they reach the optimizer, weights and buffers after some steps."""
    model, phases, data = built(case)
    stepper = Stepper(model, phases, data, resolve({**OPTIONS, **options}), None, processes)
    seen: list[Tensor] = []
    [step] = stepper.steps
    update = step.optimizer.update

    def spy(gradients: Any, scalars: Tensor) -> None:
        seen.append(torch.cat([g.reshape(-1) for g in gradients]))
        update(gradients, scalars)

    resolved = choose(stepper, {})
    step.optimizer.update = spy  # ty: ignore[invalid-assignment]
    losses = []
    for event in _Loop(stepper, data).run(resolved, lambda: False):
        losses += [event.values["loss"]] if hasattr(event, "learning_rate") else []
    buffers = [b.reshape(-1).float() for b in model.buffers()]
    weights = [p.detach().reshape(-1) for p in model.parameters()]
    return {
        "gradients": torch.stack(seen),
        "weights": torch.cat(weights),
        "buffers": torch.cat(buffers),
        "losses": torch.tensor(losses),
    }


def sour(model: Any, x: Tensor) -> Terms:
    """An objective that is no number on the second process, from its fourth call on."""
    model.calls += 1
    terms = elbo(model, x)
    if torch.distributed.get_rank() == 1 and model.calls > 8:
        return terms._replace(loss=terms.loss * float("nan"))
    return terms


def poisoned(processes: Processes, folder: Path) -> None:
    model, _, data = built("elbo")
    model.calls = 0
    phases = [Phase("sour", sour, [model])]
    stepper = Stepper(model, phases, data, resolve({**OPTIONS, "devices": 2}), None, processes)
    try:
        for _ in _Loop(stepper, data).run({}, lambda: False):
            pass
    except LowerboundError as error:
        (folder / f"{processes.rank}.txt").write_text(str(error))


def everything(processes: Processes, folder: Path) -> None:
    found = {case: steps(case, processes, devices=2) for case in CASES}
    torch.save(found, folder / f"{processes.rank}.pt")
    poisoned(processes, folder)


def differences(two: dict[str, Tensor], one: dict[str, Tensor]) -> dict[str, float]:
    apart = {name: float((two[name] - one[name]).abs().max()) for name in one}
    first = float((two["gradients"][0] - one["gradients"][0]).abs().max())
    return {**apart, "first": first, "size": float(one["gradients"].abs().max())}


def between(*runs: lowerbound.Run) -> float:
    """The greatest difference between what two runs ended with."""
    pairs = zip(*(run.model.state_dict().values() for run in runs), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def main() -> None:
    folder = Path(sys.argv[1])
    launch(everything, resolve({"devices": 2, "accelerator": "cpu"}), folder)
    two, other = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    report: dict[str, Any] = {"apart": max(differences(two[c], other[c])["weights"] for c in CASES)}
    for case in CASES:
        for accumulate in (1, 2):
            one = steps(case, Processes(), accumulate=accumulate)
            report[f"{case} {accumulate}"] = differences(two[case], one)
    report["poisoned"] = [(folder / f"{rank}.txt").read_text() for rank in (0, 1)]
    # The whole way: processes started, a run's folder kept by the first, one model in the end.
    quick = {"limit": 64, "latent_dim": 2, "hidden": (8,), "epochs": 3, "tensorboard": "no"}
    quick |= {"accelerator": "cpu", "threads": 1, "precision": "float32", "compile": "no"}
    runs = [
        lowerbound.train("digits", out=folder / name, progress=False, **quick, **more)
        for name, more in (("two", {"devices": 2}), ("one", {"accumulate": 2}))
    ]
    report["run"] = between(*runs)
    # A codebook is begun by k-means, follows running means, and its dead entries begin anew.
    quick = {name: value for name, value in quick.items() if name != "latent_dim"}
    quick |= {"recipe": "vq-vae", "network": "mlp", "epochs": 24, "batch_size": 16}
    book = {"name": "vq", "levels": 24, "restart": 0.5}
    two, one, left = (
        lowerbound.train(
            "digits", out=folder / f"codes {name}", progress=False, **quick, quantizer=book, **more
        )
        for name, book, more in (
            ("two", book, {"devices": 2}),
            ("one", book, {"accumulate": 2}),
            ("left alone", {**book, "restart": 0.0}, {"accumulate": 2}),
        )
    )
    report["codes"] = [between(two, one), between(left, one)]
    report["info"] = json.loads((folder / "two" / "run.json").read_text())
    report["metrics"] = [[m["step"] for m in run.metrics()] for run in runs]
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
