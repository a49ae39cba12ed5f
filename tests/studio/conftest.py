"""A studio with small runs, and a browser that looks at it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

import lowerbound as lb
from lowerbound.studio.app import make_app

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]  # fmt: skip


class Serving:
    """A studio that listens in a thread.

    Attributes:
        app: of Starlette.
        address: with a slash at its end.
    """

    def __init__(self, roots: list[Path], **options: Any) -> None:
        self.app = make_app(roots, **options)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        config = uvicorn.Config(self.app, log_level="error", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)

    def close(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small trained runs that tests only read: `digits` (codes of two numbers)."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    options: dict[str, Any] = {"epochs": 2, "compile": "no", "progress": False}
    lb.train("digits", "vae", out=folder / "digits", latent_dim=2, hidden=(32,), **options)
    return folder


@pytest.fixture(scope="session")
def studio(runs: Path) -> Iterator[Serving]:
    """A studio over `runs`."""
    serving = Serving([runs])
    yield serving
    serving.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., Serving]]:
    """Start studios of one's own; all are closed at the end."""
    made: list[Serving] = []

    def start(roots: list[Path], **options: Any) -> Serving:
        made.append(Serving(roots, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser."""
    if BROWSER is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as found:
        browser = found.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page of its own; any error on its console, and any request to elsewhere, fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    page = context.new_page()
    page.set_default_timeout(15_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)

    def asked(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:")):
            wrong.append(f"request to {request.url}")

    page.on("request", asked)
    # A refusal that a test provokes shows up on the console; the test takes it out by `expected`.
    page.wrong = wrong
    yield page
    context.close()
    assert not wrong


def noise(seed: int, *shape: int) -> Any:
    """Numbers for data of one's own."""
    return np.random.default_rng(seed).normal(size=shape)


# The latent views: a small run of every kind of data and model that they differ by


@pytest.fixture(scope="session")
def latent_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that tests only read: `plain`, `given`, `table`, `sound`, `clips`, `gan`, `indices`."""
    from lowerbound.sound import write_wav

    folder = tmp_path_factory.mktemp("latent")
    runs, data = folder / "runs", folder / "data"
    (data / "tones").mkdir(parents=True)
    quick: dict[str, Any] = {"compile": "no", "progress": False, "threads": 1}
    steps = np.arange(4096) / 8000
    for k in range(12):
        wave = 0.5 * np.sin(2 * np.pi * (200 + 40 * k) * steps) * np.exp(-3 * steps)
        (data / "tones" / f"{k}.wav").write_bytes(write_wav(wave, 8000))
    rows = np.eye(3, 4)[np.arange(120) % 3] + 0.2 * noise(0, 120, 4)
    lines = ["height,weight,age,shoe", *(",".join(f"{v:.4f}" for v in row) for row in rows)]
    (data / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def train(name: str, source: str, recipe: str, **options: Any) -> None:
        lb.train(source, recipe, out=runs / name, **options, **quick)

    train("plain", "digits", "vae", latent_dim=2, hidden=(32,), steps=100)
    train("given", "digits", "cvae", latent_dim=3, hidden=(32,), steps=50)
    train("gan", "digits", "gan", latent_dim=4, hidden=(16,), steps=5)
    train("indices", "digits", "vq-vae", steps=2)
    train("table", str(data / "people.csv"), "vae", latent_dim=2, hidden=(8,), steps=20)
    wave: dict[str, Any] = {"name": "wave", "channels": 8, "blocks": 1}
    train("sound", str(data / "tones"), "vae", latent_dim=2, window=0.064, steps=2,
          batch_size=4, network=wave)  # fmt: skip
    train("clips", "moving-digits", "vae", latent_dim=2, limit=24, steps=2)
    train("words", "avatars", "stack-gan", limit=40, size=16, steps=4, latent_dim=4, channels=2,
          refiner_channels=2, text_width=16, text_layers=1, batch_size=16)  # fmt: skip
    np.save(data / "waves.npy", np.sin(0.4 * np.arange(24) + noise(1, 60, 1))[..., None])
    train("series", str(data / "waves.npy"), "td-vae", kind="sequence", steps=2)
    return runs


@pytest.fixture(scope="session")
def latent_studio(latent_runs: Path) -> Iterator[Serving]:
    """A studio over `latent_runs`."""
    serving = Serving([latent_runs])
    yield serving
    serving.close()
