"""The studio's latency: from a finger on a slider, or on the map, to the picture on the screen.

A VAE of pictures of 64 × 64 × 3 with a code of 32 numbers, by a multilayer perceptron and by
convolutions, in the studio, in headless Chromium (which draws WebGL by the processor here). The
decoder's weights matter little for its speed: it is trained for a few steps on noise alone. A
slider is set to places drawn by chance, as a finger would, and the map is pressed likewise; the
clock of the browser stops when the new picture has been decoded by it and a frame has been drawn.
The map is timed from the request for the view until its first points are drawn and until all are:
at first, when the examples are encoded while it is looked at (the run is open: its sliders were
there before), and again, when their codes are known. Goals: 100 ms, and 2 s until points are drawn.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

_FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
_SIDE, _LATENT = 64, 32
# Resolves with the milliseconds until the picture is another one and a frame has been drawn.
_TIMED = """async ([label, act]) => {
  const before = document.querySelector(`img[alt="${label}"]`)?.src;
  const box = document.querySelector(".scatter")?.getBoundingClientRect();
  const began = performance.now();
  if (act.kind === "slide") {
    const input = document.querySelectorAll(".sliders input")[act.which];
    input.value = String(Number(input.min) + act.share * (Number(input.max) - Number(input.min)));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  } else {
    const at = { clientX: box.left + act.x * box.width, clientY: box.top + act.y * box.height,
                 button: 0, pointerId: 1, bubbles: true };
    const map = document.querySelector(".scatter");
    map.setPointerCapture = () => {};
    map.dispatchEvent(new PointerEvent("pointerdown", at));
    map.dispatchEvent(new PointerEvent("pointerup", at));
  }
  let picture = null;
  while (!picture || picture.src === before) {
    await new Promise((done) => { const c = new MessageChannel(); c.port1.onmessage = done;
                                  c.port2.postMessage(0); });
    picture = document.querySelector(`img[alt="${label}"]`);
    if (performance.now() - began > 20000) throw new Error("no picture came");
  }
  await picture.decode();
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def main(argv: Sequence[str]) -> int:
    """Measure, and write docs/results/studio_latency.md."""
    found = options.parser(__doc__, "studio_latency")
    found.add_argument("--points", type=int, default=10_000, help="of the map")
    found.add_argument("--times", type=int, default=100, help="that each is done")
    given = found.parse_args(argv)
    browser = options.check_browser()
    from playwright.sync_api import sync_playwright

    from lowerbound.training.engine import versions

    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playing:
        root = Path(folder)
        _make(root, given.points)
        address, stop = _serve(root / "runs")
        chromium = playing.chromium.launch(executable_path=browser, args=_FLAGS)
        for network in ("mlp", "conv"):
            rows += _measured(chromium, address, network, given.points, given.times)
        version = chromium.version
        chromium.close()
        stop()
    header = ["decoder", "from … to …", "times", "median, ms", "95 %, ms"]
    text = [__doc__.partition("\n\n")[2].strip(), table(header, rows)]
    write(
        "studio_latency",
        "Latency of the studio",
        "\n\n".join(text),
        machine=describe(**versions(), chromium=version),
        command=command_line("studio_latency", argv),
        folder=given.out,
    )
    return 0


def _make(root: Path, points: int) -> None:
    """Two runs with as many held-out examples as there are to be points."""
    import lowerbound as lb

    count = round(points * 1.1)
    noise = np.random.default_rng(0).integers(0, 256, (count, _SIDE // 8, _SIDE // 8, 3), np.uint8)
    np.save(root / "pictures.npy", noise.repeat(8, 1).repeat(8, 2))
    quick: dict[str, Any] = {
        "steps": 3,
        "progress": False,
        "compile": "no",
        "likelihood": "gaussian",
    }
    quick |= {"test_fraction": points / count, "latent_dim": _LATENT}
    for network in ("mlp", "conv"):
        source = str(root / "pictures.npy")
        lb.train(source, "vae", out=root / "runs" / network, network=network, **quick)
        print(f"  made {network}", flush=True)


def _serve(runs: Path) -> tuple[str, Any]:
    import socket

    import uvicorn

    from lowerbound.studio.app import make_app

    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app([runs]), log_level="error"))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(10)

    return f"http://127.0.0.1:{bound.getsockname()[1]}/", stop


def _measured(
    chromium: Any, address: str, network: str, points: int, times: int
) -> list[list[Any]]:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en").new_page()
    page.set_default_timeout(300_000)
    random = np.random.default_rng(0)
    name = {"mlp": "perceptron", "conv": "convolutions"}[network]
    rows = []

    page.goto(f"{address}#/run/{network}/sliders")
    page.get_by_role("img", name="Decoded", exact=True).wait_for()
    done = []
    for _ in range(times + 5):
        share, which = float(random.uniform(0.05, 0.95)), int(random.integers(12))
        act = {"kind": "slide", "which": which, "share": share}
        done.append(page.evaluate(_TIMED, ["Decoded", act]))
    rows.append([name, "slider to picture", times, *_told(done[5:])])

    first, drawn = [], []
    for _ in range(1 + min(times, 10)):
        page.goto(f"{address}#/run/{network}/samples")
        page.get_by_role("img", name="sample 1", exact=True).wait_for()
        page.goto(f"{address}#/run/{network}/map")
        began = time.monotonic()
        if points > 2000:  # which are drawn where nobody asks for more
            page.locator(f"main select:has(option[value='{points}'])").select_option(str(points))
        page.locator(".scatter canvas[data-drawn]").wait_for()
        first.append(1000 * (time.monotonic() - began))
        page.locator(f".scatter canvas[data-drawn='{points}']").wait_for()
        drawn.append(1000 * (time.monotonic() - began))
    rows.append([name, "map, first time: first points", 1, round(first[0]), None])
    rows.append([name, f"map, first time: all of {points:,} points", 1, round(drawn[0]), None])
    rows.append([name, f"map, again: all of {points:,} points", len(drawn) - 1, *_told(drawn[1:])])

    done = []
    for _ in range(times + 5):
        x, y = random.uniform(0.3, 0.7, 2).tolist()
        done.append(page.evaluate(_TIMED, ["Here", {"kind": "press", "x": x, "y": y}]))
    rows.append([name, "click on the map to picture", times, *_told(done[5:])])
    print(f"  measured {network}", flush=True)
    return rows


def _told(found: list[float]) -> tuple[float, float]:
    """Median and 95 % quantile, whole milliseconds."""
    return round(float(np.median(found))), round(float(np.quantile(found, 0.95)))
