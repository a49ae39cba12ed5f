"""A run of sentences: it follows them, goes on to the same bits, and draws one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.cli import main
from lowerbound.data.avatars import attributes
from lowerbound.data.combinations import hold_out
from lowerbound.errors import LowerboundError
from lowerbound.plots.captioned import captioned, families, wrapped
from lowerbound.training.events import Checkpointed

from .discs import COLOURS, GROUNDS, discs

QUICK: dict[str, Any] = {
    "threads": 1, "compile": "no", "precision": "float32", "batch_size": 32, "channels": 4,
    "refiner_channels": 2, "refiner_blocks": 1, "text_layers": 1, "text_width": 32,
    "tensorboard": "no", "held_out_every": 1000,
}  # fmt: skip
RED = "a large red disc on white"
STEPS = 850


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lb.Run:
    images, captions, _ = discs(600)
    out = tmp_path_factory.mktemp("runs") / "discs"
    data = {"train": images, "captions": captions}
    options = {"learning_rate": 1e-3, "text_until": 0.2, "stage_until": 0.8, "ema": 0.98}
    return lb.train(data, "stack-gan", out=out, progress=False, steps=STEPS, **options, **QUICK)


def held_out() -> tuple[torch.Tensor, list[list[str]], list[tuple[str, str, str]]]:
    images, captions, told = discs(200, seed=9)
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255.0, captions, told


def test_learned_sentences_find_their_own_images(run: lb.Run) -> None:
    """Of twelve kinds of image, each new sentence is nearest to images of its own kind."""
    x, captions, told = held_out()
    model: Any = run.model
    with torch.no_grad():
        seen = model.seen(x)
        read = model.read(model.condition.sentences([c[k % 3] for k, c in enumerate(captions)]))
    found = (read @ seen.T).argmax(1).tolist()
    right = np.mean([told[k] == told[f] for k, f in enumerate(found)])
    assert right > 0.9  # one in twelve by chance


def test_mismatched_captions_score_lower(run: lb.Run) -> None:
    x, captions, told = held_out()
    model: Any = run.model
    with torch.no_grad():
        sentences = model.condition.sentences([c[0] for c in captions])
        differ = torch.tensor([told[k] != told[k - 1] for k in range(len(told))])
        for stage in (0, 1):
            real, features = model.sized(x, stage), model.read(sentences)
            own, other = model.judges[stage].logits(real, features, features.roll(1, 0))
            gap = (own - other)[differ]
            assert float(gap.mean()) > 4 * float(gap.std()) / len(gap) ** 0.5
            assert float((gap > 0).double().mean()) > 0.75


def test_samples_follow_the_ground_that_a_sentence_names(run: lb.Run) -> None:
    texts = [f"a small {colour} disc on {ground}" for colour in COLOURS for ground in GROUNDS]
    found = lb.sample(run, 20, text=texts, seed=1)
    assert found.shape == (120, 3, 16, 16)
    bright = found.mean((1, 2, 3)).reshape(len(COLOURS), 2, 20)
    assert np.mean(bright[:, 0] > bright[:, 1]) > 0.9  # white above black, from the same code


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """The caption that is drawn at a step is a function of the step."""
    images, captions, _ = discs(64)
    data = {"train": images, "captions": captions}
    options = {**QUICK, "steps": 12, "checkpoint_minutes": 0.0, "text_until": 0.3}
    whole = lb.train(data, "stack-gan", out=tmp_path / "whole", progress=False, **options)

    def stop(event: Any) -> None:
        if isinstance(event, Checkpointed) and event.step >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lb.train(data, "stack-gan", out=tmp_path / "half", progress=stop, **options)
    half = lb.resume(tmp_path / "half", data=data, progress=False)
    expected, found = whole.model.state_dict(), half.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_a_way_between_sentences_begins_and_ends_at_them(run: lb.Run) -> None:
    other = "black background, small blue disc"
    way = lb.sample(run, 6, text=RED, text_to=other, seed=3)
    assert np.allclose(way[0], lb.sample(run, 1, text=RED, seed=3)[0], atol=1e-2)
    assert np.allclose(way[-1], lb.sample(run, 1, text=[other], seed=3)[0], atol=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ""}, "expected a sentence, came an empty one"),
        ({"text": []}, "expected a sentence, came none"),
        ({"text": "word " * 10_000}, "at most 256 words, came 10,000; shorten it"),
        ({"text": [RED, RED], "text_to": RED}, "expected one sentence to go from and at least 2"),
        ({"text_to": RED}, "expected text alone"),
        ({"text": RED, "given": 3}, "expected text alone"),
    ],
)
def test_sentences_that_cannot_be_drawn_are_told_in_a_line(
    run: lb.Run, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LowerboundError) as error:
        lb.sample(run, 4, **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_run_of_no_captions_takes_no_text(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    other = lb.train(x, out=tmp_path / "run", progress=False, steps=2, threads=1, compile="no")
    with pytest.raises(LowerboundError, match="expected a run of captions to draw sentences with"):
        lb.sample(other, 4, text="a red disc")


def test_the_command_line_from_a_folder_to_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "discs").mkdir()
    images, captions, _ = discs(24)
    lines = ["file,caption"]
    for k, image in enumerate(images):
        Image.fromarray(image).save(f"discs/{k}.png")
        lines += [f"{k}.png,{text}" for text in captions[k][:1]]
    Path("said.csv").write_text("\n".join(lines))
    words = "--recipe stack-gan --channels 2 --refiner-channels 2 --steps 3 --threads 1"
    words += " --compile no --batch-size 8 --text-width 16 --text-layers 1 --no-evaluate"
    asked = ["train", "discs", "--captions", "said.csv", "--out", "run", *words.split()]
    assert main(asked) == 0
    text = ["--text", "a small, red disc on white", "--text", "하얀 바탕에 빨간 원"]
    assert main(["sample", "run", *text, "-n", "3", "--out", "two.png"]) == 0
    assert "no caption with 하얀, 바탕에, 빨간, 원: what it makes" in capsys.readouterr().err
    assert main(["sample", "run", *text, "-n", "3", "--out", "two.npy"]) == 0
    assert np.load("two.npy").shape == (6, 3, 16, 16)
    way = ["--text", RED, "--text-to", "a small blue disc on black"]
    assert main(["sample", "run", *way, "--out", "way.png"]) == 0
    for name in ("two.png", "way.png"):
        with Image.open(name) as image:
            assert np.asarray(image.convert("L")).std() > 5
    assert main(["sample", "run", "--text-to", RED]) == 2
    assert "--text-to without; pass --text" in capsys.readouterr().err


# Pictures


def test_fonts_are_those_that_have_the_letters() -> None:
    assert families("a smile, é") == ["DejaVu Sans"]
    found = families("웃는 여자")
    assert found[0] == "DejaVu Sans" and len(found) > 1


def test_long_sentences_take_three_lines_and_wide_letters_more_room() -> None:
    text = wrapped("word " * 60, 40)
    assert text.count("\n") == 2 and text.endswith("…")
    assert max(map(len, wrapped("안경을 쓴 여자가 웃고 있다 " * 2, 24).splitlines())) <= 13


def test_sentences_stand_below_their_own_images() -> None:
    images = np.linspace(0, 1, 3 * 4 * 3 * 8 * 8).reshape(3, 4, 3, 8, 8)
    texts = ["one $5", "안경 two", "three"]
    figure = captioned(images, texts, "title", first="data")
    figure.draw_without_rendering()
    axes = [each for each in figure.axes if each.images]
    assert len(axes) == 3
    for each, text in zip(axes, texts, strict=True):
        below = [t for t in each.texts if t.get_text().replace("\\", "") == text]
        assert len(below) == 1
        assert below[0].get_position()[1] > each.images[0].get_size()[0]


# Combinations that are held out


def test_held_out_combinations_are_in_no_training_example() -> None:
    ask = attributes(np.arange(3000))
    combinations = [{"red_hair": 1, "glasses": 1}, {"woman": 0, "age": (0.7, 1.0), "curly": 1}]
    train, held = hold_out(ask, combinations)
    assert sorted([*train, *held]) == list(range(3000))
    red = (ask["red_hair"] == 1) & (ask["glasses"] == 1)
    old = (ask["woman"] == 0) & (ask["age"] >= 0.7) & (ask["curly"] == 1)
    assert np.array_equal(np.flatnonzero(red | old), held)
    assert ask["red_hair"][train].sum() > 0 and ask["glasses"][train].sum() > 0


@pytest.mark.parametrize(
    ("combinations", "message"),
    [
        ([{"red": 1}], "there is no attribute 'red'"),
        ([{"woman": 1, "beard": 1}], "expected examples with woman=1 and beard=1, came none"),
        ([{"glasses": 1}], "in other combinations, came none; hold fewer"),
        ([], "came none"),
    ],
)
def test_combinations_that_tell_nothing_are_refused(combinations: list, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        hold_out(attributes(np.arange(200)), combinations)
    assert message in str(error.value) and "\n" not in str(error.value)
