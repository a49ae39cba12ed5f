"""Sessions of the lab: they run while somebody looks, hold, end, and leave others room."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch

from lowerbound.errors import LowerboundError
from lowerbound.studio.asked import Asked
from lowerbound.studio.lab import session as sessions
from lowerbound.studio.lab import setup as setups
from lowerbound.studio.lab.sessions import MOST, Sessions

SMALL = {"width": 8, "layers": 1, "points": 100, "batch": 20, "stride": 3}
HEADERS = {"X-Lowerbound": "1"}


@pytest.fixture
def lab() -> Iterator[Sessions]:
    found = Sessions(threading.RLock())
    yield found
    found.close()
    assert len(found) == 0
    assert not [each for each in threading.enumerate() if each.name.startswith("lab ")]


def begin(lab: Sessions, **choices: Any) -> sessions.Session:
    return lab.begin(*setups.read(Asked({**SMALL, **choices})))


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not true():
        time.sleep(0.01)
    return true()


def test_it_runs_only_while_somebody_looks(lab: Sessions) -> None:
    session = begin(lab)
    first = session.frame(0, 20)
    assert first["step"] == 0 and not first["running"]
    session.play(True)
    # One picture ahead of the page, and no further.
    assert until(lambda: session.step == 3)
    time.sleep(0.2)
    assert session.step == 3
    second = session.frame(first["number"], 20)
    assert second["step"] == 3 and second["number"] == first["number"] + 1
    assert until(lambda: session.step == 6)
    time.sleep(0.2)
    assert session.step == 6


def test_pause_stops_the_steps_and_one_step_is_one(lab: Sessions) -> None:
    session = begin(lab)
    number = session.frame(0, 20)["number"]
    session.play(True)
    for _ in range(5):
        number = session.frame(number, 20)["number"]
    session.play(False)
    frame = session.frame(number, 20)
    while frame["number"] > number:  # those that were on their way
        number = frame["number"]
        frame = session.frame(number, 0.3)
    held = session.step
    for _ in range(3):
        assert session.frame(number, 0.05)["step"] == held
    session.advance(1)
    frame = session.frame(number, 20)
    assert frame["step"] == held + 1 and "heat" in frame and not frame["running"]


def test_live_changes_are_seen(lab: Sessions) -> None:
    session = begin(lab, model="vae", sigma=0.3)
    session.frame(0, 20)
    session.advance(5)
    assert session.frame(1, 20)["step"] == 5
    session.live.beta, session.live.learning_rate = 50.0, 0.0
    weights = session._trainer.model.state_dict()
    before = {name: tensor.clone() for name, tensor in weights.items()}
    session.advance(5)
    terms = session.frame(2, 20)["terms"]
    assert terms["loss"] == pytest.approx(terms["distortion"] + 50 * terms["rate"], rel=1e-4)
    assert all(torch.equal(before[name], weights[name]) for name in before)


def test_it_closes_when_nobody_asks(lab: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "FORGOTTEN", 0.3)
    monkeypatch.setattr(sessions, "WAIT", 0.05)
    session = begin(lab)
    session.play(True)
    assert until(lambda: session.closed)
    assert until(lambda: not session._thread.is_alive())
    assert session.frame(0, 0.1)["closed"]


def test_there_is_room_for_a_few(lab: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [begin(lab, model="gmm", components=2) for _ in range(MOST)]
    with pytest.raises(LowerboundError, match=f"at most {MOST}"):
        begin(lab)
    made[1].asked -= 10.0  # nobody looks at this one
    begin(lab, model="gmm", components=2)
    assert made[1].closed and not made[0].closed
    with pytest.raises(LowerboundError, match="has ended"):
        lab.get(made[1].id)


def test_a_mixture_says_that_it_is_done(lab: Sessions) -> None:
    session = begin(lab, model="gmm", components=1, stride=20, slow=0)
    number = session.frame(0, 20)["number"]
    session.play(True)
    frame: dict[str, Any] = {}
    for _ in range(50):
        frame = session.frame(number, 5)
        number = frame["number"]
        if frame["done"] and not frame["running"]:
            break
    assert frame["done"] and not frame["running"] and frame["error"] is None


def test_what_goes_wrong_is_told_and_ends_it(lab: Sessions) -> None:
    session = begin(lab, model="flow", components=1)
    number = session.frame(0, 20)["number"]
    with torch.no_grad():
        for parameter in session._trainer.model.parameters():
            parameter.fill_(float("nan"))
    session.advance(1)
    assert until(lambda: session.closed)
    assert "not finite" in session.frame(number, 1)["error"]


def test_others_keep_their_random_numbers_and_threads(lab: Sessions) -> None:
    torch.manual_seed(3)
    expected = torch.randn(5)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    session = begin(lab)
    number = session.frame(0, 20)["number"]
    session.play(True)
    for _ in range(3):
        number = session.frame(number, 20)["number"]
    session.play(False)
    assert until(lambda: session.frame(number, 0.2)["number"] == session.frame(0, 0.2)["number"])
    with session._trainer.lock:
        assert torch.equal(torch.randn(5), expected)
    found: list[int] = []
    fresh = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    fresh.start()
    fresh.join()
    assert found == [threads]


def ask(address: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    """Status and body of a GET, or a POST of JSON."""
    data = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, data, {**HEADERS, **kind})) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_endpoints(serving: Any, tmp_path: Any) -> None:
    (tmp_path / "runs").mkdir()
    served = serving([tmp_path / "runs"])
    api = f"{served.address}api/lab"

    def found(path: str, body: dict[str, Any] | None = None) -> Any:
        status, content = ask(f"{api}{path}", body)
        assert status == 200, content
        return json.loads(content)

    about = found("")
    assert {"ring", "moons"} <= set(about["densities"])
    assert about["models"]["vae"]["defaults"]["latent"] == 2
    strokes = [[[-1, 0], [1, 0]]]
    body = {**SMALL, "model": "gmm", "components": 2, "density": "drawn", "strokes": strokes}
    told = found("", body)
    at = f"/{told['id']}"
    assert len(found(f"{at}/frame?after=0")["weights"]) == 2
    found(f"{at}/step", {"steps": 2})
    assert found(f"{at}/frame?after=1")["step"] == 2
    points = np.load(io.BytesIO(ask(f"{api}{at}/points.npy")[1]))
    assert points.shape == (100 + setups.HELD_OUT, 2)
    assert np.abs(points[:, 1]).max() < 0.6  # where it was drawn
    rows = ask(f"{api}{at}/samples.csv")[1].decode().split()
    assert rows[0] == "x,y" and len(rows) == 5001
    assert "gaussian-mixture" in found(f"{at}/code")["code"]
    assert ask(f"{api}{at}/live", {"latent": 3})[0] == 400
    assert ask(f"{api}{at}/passwd.npy")[0] == 400
    other = found("", {**SMALL, "instead": told["id"]})
    assert ask(f"{api}{at}/frame")[0] == 400  # it was let go for the other
    found(f"/{other['id']}/end", {})
    assert len(served.app.state.studio.parts["lab"]) == 0
    status, said = ask(api, {"model": "gan", "width": 10**6})
    assert status == 400 and "width" in json.loads(said)["error"]
