"""Conditions: contexts of data, what a user may name, and models that change with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.conditioning import parse_given
from lowerbound.data.spec import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models import LatentModel
from lowerbound.models.conditional import DirectModel, DiscreteLatentModel
from lowerbound.models.conditions import GivenAttributes, GivenFactor, GivenLabel, GivenPart
from lowerbound.options import check
from lowerbound.recipes import RECIPES, vae

SHAPES: dict[str, tuple[Any, ...]] = {
    "vector": ("vector", (11,), "real", "gaussian", None, "mlp"),
    "grey": ("image", (1, 9, 7), "binary", "bernoulli", 2, "mlp"),
    "colour": ("image", (3, 8, 8), "levels", "discretized-logistic", 17, "conv"),
    "tokens": ("tokens", (6,), "categories", "categorical", 5, "mlp"),
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "labels": ("cvae", {}),
    "labels, prior network": ("cvae", {"prior": "network"}),
    "labels, iwae": ("cvae", {"bound": "iwae", "samples": 3}),
    "attributes": ("cvae", {"given": "attributes"}),
    "attributes, categorical": ("cvae", {"given": "attributes", "latent": "categorical"}),
    "half": ("completion", {"mask": "right"}),
    "any part": ("completion", {"mask": "pixels"}),
    "half, categorical": (
        "completion",
        {"mask": "left", "latent": "categorical", "recognition": "network"},
    ),
    "half, direct": ("completion", {"mask": "left", "latent": "none"}),
}


def toy(name: str) -> tuple[DataSpec, Tensor, Tensor, Tensor]:
    """A spec, 48 examples of it, their labels and attributes, on which they depend."""
    kind, shape, support, likelihood, levels, network = SHAPES[name]
    torch.manual_seed(0)
    labels = torch.arange(48) % 3
    attributes = torch.stack([labels.float(), torch.randn(48)], 1)
    centres = torch.rand(3, *shape)[labels]
    u = (0.7 * centres + 0.3 * torch.rand(48, *shape)).clamp(0, 1)
    x: Tensor = {
        "real": 3 * u - 1,
        "binary": u.round(),
        "levels": (u * ((levels or 2) - 1)).round() / ((levels or 2) - 1),
        "categories": (u * ((levels or 2) - 1)).round().long(),
    }[support]
    spec = DataSpec(
        "toy",
        kind,
        shape,
        support,
        levels=levels,
        likelihood=likelihood,
        network=network,
        classes=("ant", "bee", "cat"),
        attributes=("kind", "size"),
        attribute_mean=tuple(attributes.mean(0).tolist()),
        attribute_std=tuple(attributes.std(0).tolist()),
        mean=x.float().mean(0).numpy().astype(np.float32),
        std=x.float().std(0).numpy().astype(np.float32),
    )
    return spec, x, labels, attributes


def build(case: str, shape: str, **more: Any) -> tuple[Any, Any, Tensor, tuple[Tensor, ...]]:
    spec, x, labels, attributes = toy(shape)
    name, options = MODELS[case]
    options = {"latent_dim": 3, "hidden": (24,), **options, **more}
    if SHAPES[shape][-1] == "conv":
        options |= {"network": {"name": "conv", "channels": 4}}
    recipe = RECIPES[name]
    model, (phase,) = recipe(spec, **check(recipe, options))
    side = {"labels": labels, "attributes": attributes, None: None}[model.condition.side]
    return model, phase, x, model.condition(x, side)


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_trains_and_its_distributions_change_with_the_condition(case: str, shape: str) -> None:
    model, phase, x, context = build(case, shape)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        terms = phase.objective(model, x, *context)
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(float(terms.loss.detach()))
    assert all(np.isfinite(losses)) and sum(losses[-3:]) < sum(losses[:3])
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(part.shape == (48,) for part in terms.parts.values())
    model.eval()
    with torch.no_grad():
        z = torch.zeros(2, *model.latent_shape)
        one, other = (tuple(c[i : i + 1].expand(2, *c.shape[1:]) for c in context) for i in (0, 1))
        free = slice(None)
        if case.startswith("half"):  # what is observed differs in any case
            free = model.condition.missing
        first, second = (model.decode(z, *c).mean[0][free] for c in (one, other))
        assert (first - second).abs().max() > 1e-4
        q = model.encode(x[:2], *(c[:2] for c in context)).mean
        assert isinstance(model, DirectModel) or (q[0] - q[1]).abs().max() > 1e-4
        if "network" in case or (case[:4] in ("half", "any ") and hasattr(model, "prior")):
            p = [model.prior(*c).mean[0] for c in (one, other)]
            assert (p[0] - p[1]).abs().max() > 1e-5


@pytest.mark.parametrize("case", MODELS)
def test_the_step_compiles_into_one_graph(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, phase, x, _ = build(case, "grey")
    _, labels, attributes = toy("grey")[1:]
    side = {"labels": labels, "attributes": attributes, None: None}[model.condition.side]

    def loss(x: Tensor) -> Tensor:
        return phase.objective(model, x, *model.condition(x, side)).loss

    torch._dynamo.reset()  # every case is a function of its own
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    torch.manual_seed(0)
    with monkeypatch.context() as patch:  # eager code draws other noise (lowerbound.noise)
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        expected = loss(x)
    torch.manual_seed(0)
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.parametrize("case", MODELS)
def test_a_model_from_its_weights_is_the_same(case: str) -> None:
    first, phase, x, context = build(case, "grey")
    torch.manual_seed(9)
    second = build(case, "grey")[0]
    torch.nn.init.normal_(next(second.parameters()))
    second.load_state_dict(first.state_dict())
    losses = []
    for model in (first, second):
        torch.manual_seed(1)
        losses.append(float(phase.objective(model, x, *context).loss.detach()))
    assert losses[0] == losses[1]
    assert not any("codes" in key or "places" in key for key in first.state_dict())


def test_a_fixed_mask_costs_no_inputs_that_say_nothing() -> None:
    condition = GivenPart((1, 28, 28), "quadrants:3")
    assert condition.width == 196
    x = torch.rand(2, 1, 28, 28)
    observed, mask = condition.embeddings()
    c = condition(x, None)
    assert observed(c[0]).shape == (2, 196) and mask(c[1]).shape == (2, 0)
    torch.testing.assert_close(observed(c[0])[0], x[0, 0, 14:, :14].flatten())
    anything = GivenPart((1, 28, 28), "boxes")
    assert anything.width == 2 * 784


def test_tokens_that_are_missing_are_no_token() -> None:
    condition = GivenPart((3,), "right", levels=4)
    observed, mask = condition(torch.tensor([[2, 0, 3]]), None)
    assert observed.tolist() == [[2, 4, 4]] and mask.tolist() == [[1.0, 0.0, 0.0]]
    (codes, _) = condition.embeddings()
    assert codes(observed).tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0]]


def test_labels_and_attributes_by_name() -> None:
    label = GivenLabel(("0", "1", "10"))
    assert label.named({"label": 10}).item() == 2 and label.named(["1"]).item() == 1
    named = GivenLabel(("cat", "dog"))
    assert named.named({"label": "dog"}).item() == 1 and named.named({"label": "1"}).item() == 1
    attributes = GivenAttributes(("smile", "age"), (0.5, 40.0), (0.5, 10.0))
    side = attributes.named({"age": "50", "smile": 1})
    assert side.tolist() == [1.0, 50.0] and torch.equal(side, attributes.named([1, 50]))
    (standardize,) = attributes.embeddings()
    assert standardize(side[None]).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label": "catt"}, "(cat, dog), came 'catt'; did you mean 'cat'?"),
        ({"label": "7"}, "expected a label that the model was trained on (cat, dog), came '7'"),
        ({"smile": 1}, "expected one label as the condition, came smile=1; pass --given label=cat"),
        (["cat", "dog"], "expected one label as the condition, came label=cat, label=dog"),
    ],
)
def test_labels_that_are_none(given: Any, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        GivenLabel(("cat", "dog")).named(given)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "condition",
    [GivenLabel(("cat", "dog")), GivenFactor("speaker", ("ann",)), GivenAttributes(("a", "b"))],
)
def test_an_example_of_a_condition_is_one(condition: Any) -> None:
    condition.named(parse_given(condition.example()))


def test_the_nearest_number_is_offered() -> None:
    with pytest.raises(LowerboundError, match="came '12'; did you mean '9'"):
        GivenLabel(tuple(map(str, range(10)))).named({"label": "12"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"smil": 1, "age": 3}, "the model knows no attribute 'smil'; did you mean 'smile'?"),
        ({"smile": 1}, "expected all 2 attributes as the condition, none came for age"),
        ([1, 2, 3], "expected 2 numbers as the condition (smile, age), came 3"),
        ({"smile": "yes", "age": 3}, "smile: expected a number, came 'yes'"),
        ({"smile": float("nan"), "age": 3}, "smile: expected a number, came 'nan'"),
    ],
)
def test_attributes_that_are_none(given: Any, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        GivenAttributes(("smile", "age")).named(given)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_condition_of_the_wrong_length() -> None:
    condition = GivenAttributes(("smile", "age"))
    with pytest.raises(LowerboundError, match=r"expected 2 attributes of each example .* came 3"):
        condition(torch.zeros(4, 1), torch.zeros(4, 3))
    with pytest.raises(
        LowerboundError, match=r"expected 2 attributes of each example .* came none"
    ):
        condition(torch.zeros(4, 1), None)


def test_what_the_data_lack_is_said() -> None:
    plain = DataSpec("plain", "vector", (4,), "real")
    cvae, completion = RECIPES["cvae"], RECIPES["completion"]
    for call, message in (
        (lambda: cvae(plain), "cvae: expected data with labels, came plain without"),
        (lambda: cvae(plain, given="attributes"), "expected data with attributes, came plain"),
        (lambda: completion(plain, missing=2), "mask quadrants:2: expected images"),
        (lambda: completion(plain, mask="left", missing=2), "expected one of missing and mask"),
        (
            lambda: completion(plain, latent="none", bound="iwae"),
            "bound iwae: expected latent gaussian, came latent none",
        ),
        (
            lambda: completion(plain, latent="categorical", posterior="iaf"),
            "posterior: expected none with latent categorical, came iaf",
        ),
        (lambda: vae(plain, prior="network"), "prior network: expected a model with a condition"),
    ):
        with pytest.raises(LowerboundError) as error:
            call()
        assert message in str(error.value) and "\n" not in str(error.value)


def test_kinds_of_models() -> None:
    assert isinstance(build("labels", "grey")[0], LatentModel)
    assert isinstance(build("attributes, categorical", "grey")[0], DiscreteLatentModel)
    direct, _, x, context = build("half, direct", "grey")
    assert direct.latent_shape == (0,) and direct.encode(x).mean.shape == (48, 0)
    with torch.no_grad():
        same = direct.decode(torch.zeros(5, 48, 0), *context).mean
        assert same.shape == (5, 48, 1, 9, 7) and torch.equal(same[0], same[4])
        torch.testing.assert_close(same[0], direct.decode(torch.zeros(48, 0), *context).mean)
        assert direct.sample(2, *context).shape == (2, 48, 1, 9, 7)
