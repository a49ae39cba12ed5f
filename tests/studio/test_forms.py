"""A form is a recipe's signature; what it sends is what the command line reads."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from lowerbound.cli.data_options import data_options
from lowerbound.cli.parser import parse
from lowerbound.errors import LowerboundError
from lowerbound.options import options_of
from lowerbound.recipes import RECIPES
from lowerbound.slots import REGISTRIES
from lowerbound.studio import forms
from lowerbound.studio.views.comparing import suggested
from lowerbound.training.options import training_options


def fields_of(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for group in form["groups"] for each in group["fields"]}


def post(address: str, path: str, body: Any) -> Any:
    headers = {"X-Lowerbound": "1", "Content-Type": "application/json"}
    request = Request(f"{address}api/{path}", json.dumps(body).encode(), headers)
    with urlopen(request) as reply:
        return json.load(reply)


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_of_every_recipe_has_its_field(name: str) -> None:
    form = forms.form(name)
    fields = fields_of(form)
    others = {**options_of(training_options), **options_of(data_options)}
    for key, option in options_of(RECIPES[name]).items():
        field = fields[key]
        if key in others:
            continue  # one flag with that of training or of the data, as on the command line
        assert field["text"] == option.text or option.slot
        assert field["required"] == option.required
        if option.span is not None and key in {each["key"] for each in form["groups"][0]["fields"]}:
            assert (field["min"], field["max"]) == (option.span.min, option.span.max)
            assert field["unit"] == option.span.unit
        if option.slot is not None:
            assert field["kind"] == "slot"
            names = [each["name"] for each in form["slots"][field["registry"]]]
            assert names == list(REGISTRIES[option.slot.registry or ""])
    first = [each["key"] for each in form["groups"][1]["fields"]]
    assert first == ["epochs", "minutes", "batch_size", "learning_rate"]
    assert set(options_of(training_options)) <= set(fields)
    json.dumps(form, allow_nan=False)


def test_defaults_that_are_filled_in_change_nothing() -> None:
    """Every default, sent as it is shown, is the default that the recipe has."""
    for name in ("vae", "gan", "vq-vae", "td-vae", "cvae"):
        fields = fields_of(forms.form(name))
        values = {
            key: field["default"]
            for key, field in fields.items()
            if field["default"] not in (None, "") and key != "base"
        }
        found = parse(forms.words_of(name, "digits", values))
        assert isinstance(found, partial)
        for key, option in options_of(RECIPES[name]).items():
            if key in found.keywords and option.slot is None:
                assert found.keywords[key] == option.default, key


def test_a_form_and_a_command_line_say_the_same() -> None:
    values = {
        "latent_dim": "8", "hidden": "64,32", "likelihood": "gaussian",
        "likelihood.sigma": "learned", "start_at_marginal": "no", "skip_bad": "yes",
        "evaluate": "no", "epochs": "1.5", "split_seed": "3",
    }  # fmt: skip
    words = forms.words_of("vae", "my data.npy", values)
    assert forms.typed(words) == (
        "lowerbound train 'my data.npy' --recipe vae --latent-dim 8 --hidden 64,32 --likelihood "
        "gaussian --likelihood.sigma learned --no-start-at-marginal --skip-bad --no-evaluate "
        "--epochs 1.5 --split-seed 3"
    )
    found = parse(words)
    assert isinstance(found, partial)
    assert found.args == ("my data.npy",)
    assert found.keywords == {
        "recipe": "vae", "latent_dim": 8, "hidden": (64, 32), "evaluate": False, "epochs": 1.5,
        "likelihood": {"name": "gaussian", "sigma": "learned"}, "start_at_marginal": False,
        "skip_bad": True, "split_seed": 3,
    }  # fmt: skip
    # What a run keeps of it fills the form in again.
    again = forms.values_of({k: v for k, v in found.keywords.items() if k != "recipe"})
    assert again == values


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"latent_dim": "0"}, "--latent-dim: expected a whole number of at least 1"),
        ({"latent_dim": "-3"}, "--latent-dim: expected a whole number of at least 1"),
        ({"latent_dim": "two"}, "--latent-dim: expected a whole number"),
        ({"likelihood": "gausian"}, "--likelihood: unknown 'gausian'; did you mean 'gaussian'?"),
        ({"likelihood": "gaussian", "likelihood.sigma": "x"}, "--likelihood.sigma"),
        ({"start_at_marginal": "maybe"}, "--start-at-marginal: expected yes or no"),
        ({"latentdim": "3"}, "has no option 'latentdim'; did you mean 'latent_dim'?"),
    ],
)
def test_what_does_not_fit_is_said_as_at_a_terminal(values: dict[str, str], says: str) -> None:
    with pytest.raises(LowerboundError) as error:
        forms.checked(forms.words_of("vae", "digits", values))
    assert says in str(error.value)


def test_an_advice_becomes_flags_of_the_form() -> None:
    helps = "--learning-rate 3e-05, --warmup 500, --clip 1; --precision float32 if it is bfloat16"
    assert [each["values"] for each in suggested(helps, "vae")] == [
        {"learning_rate": "3e-05"}, {"warmup": "500"}, {"clip": "1"}, {"precision": "float32"},
    ]  # fmt: skip
    helps = "--likelihood.sigma fixed --likelihood.value 0.1; a wider --network, --recipe iwae"
    assert suggested(helps, "vae") == [
        {
            "recipe": "vae",
            "values": {"likelihood.sigma": "fixed", "likelihood.value": "0.1"},
            "shown": "--likelihood.sigma fixed --likelihood.value 0.1",
        },
        {"recipe": "iwae", "values": {}, "shown": "--recipe iwae"},
    ]
    helps = (
        "fit a prior: --recipe two-stage --base /tmp/my runs/a; a smaller --commitment, and more"
    )
    assert suggested(helps, "vae")[0]["values"] == {"base": "/tmp/my"}
    assert suggested("--beta 4", "pca") == [] and suggested("--beta 4", "evil.py:make") == []


def test_data_are_looked_at_before(studio: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "waves.npy", rng.normal(size=(50, 5)).astype(np.float32))
    source = {"kind": "path", "text": str(tmp_path / "waves.npy")}
    found = post(studio.address, "inspect", {"source": source, "values": {}})
    assert found["kind"] == "vector" and found["shape"] == [5]
    assert dict(found["facts"])["found"] == "50 rows in waves"
    assert found["likelihood"] == "gaussian" and found["examples"][0]["kind"] == "row"
    values = {"kind": "sequence", "test_fraction": "0.5"}
    found = post(studio.address, "inspect", {"source": source, "values": values})
    assert found["kind"] == "sequence" and "25 train, 25 test" in dict(found["facts"])["split"]
    found = post(
        studio.address, "inspect", {"source": {"kind": "name", "text": "digits"}, "values": {}}
    )
    assert found["examples"][0]["kind"] == "image" and found["labels"]


def test_data_that_are_away_are_not_fetched(studio: Any, monkeypatch: Any, tmp_path: Path) -> None:
    import pooch

    monkeypatch.setenv("LOWERBOUND_DATA", str(tmp_path))
    monkeypatch.setattr("lowerbound.data.named.cache_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: pytest.fail("asked the network"))
    with urlopen(f"{studio.address}api/new") as reply:
        data = json.load(reply)["data"]
    assert "cifar10" in data["away"] and "moving-mnist" in data["away"]
    (tmp_path / "mnist.npz").touch()
    with urlopen(f"{studio.address}api/new") as reply:
        assert "mnist" in json.load(reply)["data"]["fetched"]
    asked = {"recipe": "vae", "source": {"kind": "name", "text": "cifar10"}, "values": {}}
    found = post(studio.address, "command", asked)
    assert "lowerbound inspect cifar10" in found["problem"] and found["command"] is None


def test_the_form_in_a_browser(studio: Any, page: Any, tmp_path: Path) -> None:
    """Data, recipe, options, the command that follows, and an error beside its field."""
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(40, 3)))
    page.goto(f"{studio.address}#/new")
    start = page.get_by_role("button", name="Start training")
    page.get_by_text("Choose data to begin with.").wait_for()
    assert start.is_disabled()
    page.get_by_label("A file").check()
    page.get_by_label("Choose a file").set_input_files(tmp_path / "rows.npy")
    page.get_by_text("40 rows in").wait_for()
    page.get_by_label("A named set").first.check()
    page.locator("select").filter(has_text="wine").select_option("wine")
    page.get_by_text("178 rows in wine").wait_for()
    command = page.locator("pre.command")
    page.get_by_label("Find a recipe").fill("importance")
    page.locator(".recipes").get_by_text("iwae", exact=True).click()
    page.get_by_role("heading", name="Options of iwae").wait_for()
    page.get_by_label("latent dim").fill("2")
    page.get_by_label("likelihood --likelihood").select_option("gaussian")
    page.get_by_label("sigma --likelihood.sigma").select_option("learned")
    page.get_by_label("Name of the run").fill("my-run")
    command.filter(has_text="my-run").wait_for()
    home = studio.app.state.studio.folder.home
    assert command.inner_text() == (
        "lowerbound train wine --recipe iwae --checkpoint-minutes 0.1 --latent-dim 2 --likelihood "
        f"gaussian --likelihood.sigma learned --out {home}/my-run"
    )
    page.get_by_label("latent dim").fill("0")
    wrong = page.locator(".option .problem")
    wrong.wait_for()
    assert "expected a whole number of at least 1" in wrong.inner_text()
    assert page.get_by_label("latent dim").get_attribute("aria-invalid") == "true"
    assert start.is_disabled()
    # Another likelihood takes the options of the first one away with it.
    page.get_by_label("latent dim").fill("")
    page.get_by_label("likelihood --likelihood").select_option("auto")
    command.filter(has_not_text="sigma").wait_for()
    page.wait_for_timeout(100)
    assert start.is_enabled() and "gaussian" not in command.inner_text()


def test_the_form_of_a_run_is_filled_in(studio: Any, page: Any) -> None:
    """What an advice says is laid over it; of the lengths only the new one stays."""
    page.goto(f"{studio.address}#/new?from=digits&recipe=vae&set.steps=500&set.beta=2")
    page.locator("pre.command", has_text="--beta 2").wait_for()
    words = page.locator("pre.command").inner_text()
    assert words.startswith("lowerbound train digits --recipe vae ")
    for part in ("--latent-dim 2", "--hidden 32", "--compile no", "--steps 500"):
        assert part in words
    assert "--epochs" not in words
