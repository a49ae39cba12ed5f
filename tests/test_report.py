"""The report opens alone, and holds the numbers."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lowerbound import plots
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import Bound, Evaluation, Likelihood
from lowerbound.report import Picture, command, write_report


def evaluation(**changes: object) -> Evaluation:
    found = Likelihood(
        value=-87.1234,
        kind="estimate",
        note="importance-weighted estimate with k = 5,000",
        samples=5000,
        ess=412.5,
        standard_error=0.2412,
        bits_per_dim=0.16032,
    )
    content = {
        "model": "vae",
        "data": {"name": "mnist", "split": "test", "examples": 10_000},
        "log_likelihood": found,
        "no_likelihood": None,
        "bound": Bound(-91.5, 0.25),
        "rate": 25.31,
        "distortion": 66.19,
        "active_units": 21,
        "latent_dim": 50,
        "kl_per_dimension": None,
        "squared_error": 14.2,
        "baseline_bits_per_dim": 1.0,
    }
    return Evaluation(**{**content, **changes})


METRICS = [
    {"step": 10 * e, "epoch": e, "seconds": 61.0 * e, "split": "train", "bound": -100.0 + e}
    | {"distortion": 80.0, "rate": 20.0 - e, "examples_per_second": 20_000.0}
    for e in range(1, 5)
]
INFO = {
    "recipe": "vae",
    "arguments": {"latent_dim": 50, "hidden": [200, 200]},
    "given": {"latent_dim": 50, "hidden": [200, 200], "epochs": 4},
    "data": {"source": "mnist", "options": {"test_fraction": 0.2}},
    "training": {"epochs": 4, "ema": None, "seed": 0},
    "versions": {"torch": "2.13.0"},
}


class Page(HTMLParser):
    """Collects what a browser would fetch, and checks that tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(v) for k, v in attrs if k in ("src", "href", "data", "srcset")]
        if tag not in ("meta", "img", "link", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture
def png() -> bytes:
    return plots.to_png(plots.image_grid(np.zeros((4, 1, 3, 3)), "a"))


def test_opens_alone_and_holds_the_numbers(tmp_path: Path, png: bytes) -> None:
    (tmp_path / "map.png").write_bytes(png)
    pictures = [Picture("Samples", png, "of the prior"), ("Map", tmp_path / "map.png")]
    path = write_report(
        tmp_path / "new" / "report.html",
        "vae on <mnist>",
        {"likelihood": "bernoulli: grey & binarized"},
        evaluation(),
        pictures,
        METRICS,
        INFO,
    )
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    text = path.read_text("utf-8")
    page = Page(text)
    assert len(page.sources) == 3  # two pictures and the learning curves
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not re.search(r"https?://|url\(|@import", text)
    assert png in [base64.b64decode(source.split(",", 1)[1]) for source in page.sources]
    for expected in (
        "vae on &lt;mnist&gt;",
        "87.12 ± 0.24",
        "0.1603",
        "estimate",
        "k = 5,000",
        "412.5",
        "91.50 ± 0.25",
        "66.19",
        "25.31",
        "of 50",
        "bernoulli: grey &amp; binarized",
        "40 steps, 4 epochs",
        "4 min",
        "lowerbound train mnist --recipe vae --latent-dim 50 --hidden 200,200 --epochs 4",
        "prefers-color-scheme: dark",
        "torch 2.13.0",
    ):
        assert expected in text, expected


def test_from_json_and_before_there_is_anything(tmp_path: Path) -> None:
    content = evaluation().to_json()
    path = write_report(tmp_path / "a.html", "a", [("data", "b")], content, [], [], INFO)
    assert "87.12 ± 0.24" in path.read_text("utf-8")
    path = write_report(tmp_path / "a.html", "a", {}, None, [], [], {})
    text = path.read_text("utf-8")
    assert "Not evaluated yet" in text
    assert "87.12" not in text
    Page(text)


def test_no_likelihood_is_said(tmp_path: Path) -> None:
    found = evaluation(log_likelihood=None, bound=None, no_likelihood="squared error <alone>")
    text = write_report(tmp_path / "a.html", "a", {}, found, [], [], INFO).read_text("utf-8")
    assert "no likelihood: squared error &lt;alone&gt;" in text
    assert "bits/dim" not in text


def test_pictures_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(LowerboundError, match=r"expected a picture at .*gone\.png"):
        write_report(tmp_path / "a", "a", {}, None, [("x", tmp_path / "gone.png")], [], {})
    with pytest.raises(LowerboundError, match="expected PNG for the picture 'x'"):
        write_report(tmp_path / "a", "a", {}, None, [("x", b"GIF89a")], [], {})
    assert not list(tmp_path.iterdir())


def test_command_of_a_run() -> None:
    assert command({"command": "as it was"}) == "as it was"
    info = {
        "recipe": "vae",
        "given": {
            "test_fraction": 0.1,
            "likelihood": {"name": "gaussian", "sigma": "learned"},
            "skip_bad": True,
            "start_at_marginal": False,
            "hidden": [200, 100],
            "steps": None,
        },
        # What was resolved is no part of what was asked for.
        "data": {"source": "it's here.npz", "options": {"test_fraction": 0.1, "split_seed": 0}},
        "arguments": {"likelihood": {"name": "gaussian", "sigma": "learned"}, "beta": 1.0},
        "training": {"epochs": 20, "compile": "auto"},
    }
    assert command(info) == (
        "lowerbound train 'it'\"'\"'s here.npz' --recipe vae --test-fraction 0.1 "
        "--likelihood gaussian --likelihood.sigma learned --skip-bad --no-start-at-marginal "
        "--hidden 200,100"
    )


def test_every_option_and_an_unfinished_run(tmp_path: Path) -> None:
    """Those of the recipe too, and of a run that was interrupted that it was."""
    arguments = {"prior": {"name": "vamp", "components": 50}, "beta": 4.0, "hidden": [200, 100]}
    status = {"reason": "interrupted", "step": 1200}
    info = {**INFO, "arguments": arguments, "status": status}
    path = write_report(tmp_path / "r.html", "vae", [], evaluation(), [], METRICS, info)
    text = path.read_text("utf-8")
    for name, value in (("prior", "vamp (components 50)"), ("beta", "4.0"), ("epochs", "4")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text
    assert "<dt>hidden</dt><dd>200, 100</dd>" in text
    assert "Unfinished: training stopped at step 1,200 (interrupted)." in text
    done = write_report(tmp_path / "d.html", "vae", [], evaluation(), [], METRICS[:2], INFO)
    assert "Unfinished" not in done.read_text("utf-8")
    assert "Learning curves" not in done.read_text("utf-8")  # of two points


def test_captions_say_what_such_a_model_shows() -> None:
    from lowerbound.captions import caption

    told = {
        (stem, kind, codes): (caption(stem, kind, codes) or ("", ""))[1]
        for stem in ("samples", "reconstructions")
        for kind in ("image", "audio")
        for codes in (True, False)
    }
    assert "likelihood's mean" in told["samples", "image", True]
    assert "odes" not in told["samples", "image", False] + told["samples", "audio", False]
    assert "mean" not in told["samples", "audio", True] + told["reconstructions", "audio", True]
    assert caption("no such picture", "image", True) is None
