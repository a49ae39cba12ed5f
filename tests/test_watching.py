"""What is watched while a model trains: the modes that its samples are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lowerbound as lb
from lowerbound.data.toys import modes_of
from lowerbound.watching import watch


class Known(nn.Module):
    """Samples the data's own density, or so many of its modes alone."""

    def __init__(self, data: Any, modes: int) -> None:
        super().__init__()
        self.spec, self.modes = data.spec, modes

    def sample(self, n: int) -> Tensor:
        density = modes_of("eight")
        assert density is not None
        which = torch.randint(self.modes, (n,)).numpy()
        x = density.centres[which] + density.std * torch.randn(n, 2).numpy()
        return torch.from_numpy((x - self.spec.shift) / self.spec.scale).float()


@pytest.mark.parametrize("modes", [1, 3, 8])
def test_modes_are_counted(modes: int) -> None:
    data = lb.load("eight")
    look = watch(data)
    assert look is not None
    state = torch.get_rng_state()
    found = look(Known(data, modes))
    assert torch.equal(torch.get_rng_state(), state)
    assert found["modes"] == modes
    inside = 1.0 - np.exp(-0.5 * 3.0**2)  # of a round normal of the plane, within 3 deviations
    assert abs(found["in_modes"] - inside) < 4 * np.sqrt(inside * (1 - inside) / 2500)


def test_nothing_is_watched_where_no_modes_are_known() -> None:
    assert watch(lb.load("digits")) is None
    assert watch(lb.load(np.random.default_rng(0).normal(size=(50, 2)))) is None
    look = watch(lb.load("eight"))
    assert look is not None
    assert look(nn.Linear(2, 2)) == {}  # it samples nothing


def test_a_run_writes_them_and_is_what_it_was(tmp_path: Path, monkeypatch: Any) -> None:
    """The weights are those of a run that nobody watches."""
    quick: dict[str, Any] = {"steps": 12, "hidden": (8,), "threads": 1, "limit": 300}
    quick |= {"batch_size": 30, "progress": False, "tensorboard": "no"}
    runs = [lb.train("eight", "gan", out=tmp_path / "watched", **quick)]
    monkeypatch.setattr("lowerbound.session.watch", lambda data: None)
    runs.append(lb.train("eight", "gan", out=tmp_path / "alone", **quick))
    one, other = (run.model.state_dict() for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    lines = [json.loads(line) for line in (runs[0].path / "metrics.jsonl").read_text().splitlines()]
    assert all("modes" in line and 0 <= line["in_modes"] <= 1 for line in lines
               if line["split"] == "test")  # fmt: skip
    assert not any("modes" in line for line in lines if line["split"] == "train")
