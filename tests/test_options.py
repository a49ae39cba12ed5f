"""A signature is the schema: types, limits, texts, and errors that name the nearest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from lowerbound.errors import LowerboundError
from lowerbound.options import Slot, Span, check, describe, options_of, type_name


def bake(
    data: NotImportedAnywhere,  # noqa: F821  # ty: ignore[unresolved-reference]
    *,
    minutes: Annotated[float, Span(min=0, open=True, unit="minutes")] = 30.0,
    layers: Annotated[tuple[int, ...], Span(min=1)] = (),
    style: Literal["elbo", "iwae"] = "elbo",
    portions: Annotated[int | None, Span(min=1)] = None,
    limit: Annotated[Literal["auto"] | int, Span(min=2, unit="cakes")] = "auto",
    out: Path | None = None,
    warm: bool = True,
    likelihood: Annotated[object, Slot("likelihood")] = "auto",
    encoder: Annotated[object, Slot()] = None,
) -> None:
    """Bake a cake.

    A longer story.

    Args:
        data: flour.
        minutes: how long,
            and no longer.
        layers: one width
            for each: from below.
        style (Literal): how.

    References:
        Somebody 1999,
        A book
    """


def needs(*, levels: Annotated[int, Span(min=2)]) -> None:
    """No default."""


def test_options_have_types_spans_texts_and_choices() -> None:
    options = options_of(bake)
    assert list(options)[:3] == ["minutes", "layers", "style"]
    assert options["minutes"].type is float
    assert options["minutes"].span == Span(min=0, open=True, unit="minutes")
    assert options["minutes"].text == "how long, and no longer."
    assert options["layers"].type == tuple[int, ...]
    assert options["layers"].text == "one width for each: from below."
    assert options["style"].choices == ("elbo", "iwae")
    assert options["style"].text == "how."
    assert options["portions"].type == int | None
    assert options["limit"].choices == ()  # a number does as well
    assert options["likelihood"].slot == Slot("likelihood")
    assert options["likelihood"].type is str
    assert options_of(needs)["levels"].required


def test_a_limit_that_is_open_below_alone() -> None:
    span = Span(min=0, max=1, open="min")
    assert [value for value in (-1.0, 0.0, 0.5, 1.0, 1.5) if span.holds(value)] == [0.5, 1.0]


def test_python_only_slots_are_not_offered_but_accepted() -> None:
    assert "encoder" not in options_of(bake)
    assert "encoder" in options_of(bake, python=True)
    assert check(bake, {})["encoder"] is None


def test_describe_gives_summary_and_reference() -> None:
    assert describe(bake) == ("Bake a cake.", "Somebody 1999, A book")
    assert describe(needs) == ("No default.", "")


@pytest.mark.parametrize(
    ("given", "came"),
    [
        ({"minutes": 5}, 5.0),
        ({"layers": [200, 100]}, (200, 100)),
        ({"layers": []}, ()),
        ({"style": "iwae"}, "iwae"),
        ({"portions": None}, None),
        ({"portions": 3}, 3),
        ({"limit": 3}, 3),
        ({"limit": "auto"}, "auto"),
        ({"out": "runs/a"}, Path("runs/a")),
        ({"warm": False}, False),
        ({"likelihood": {"name": "gaussian", "sigma": "learned"}}, None),
        ({"likelihood": {"sigma": "learned"}}, None),
        ({"likelihood": "bernoulli"}, "bernoulli"),
    ],
)
def test_check_converts_what_fits(given: dict[str, Any], came: Any) -> None:
    ((name, value),) = given.items()
    checked = check(bake, given)
    assert checked[name] == (value if came is None else came)
    assert type(checked[name]) is type(value if came is None else came)
    assert len(checked) == 9  # the defaults of the others


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minuts": 3}, "bake has no option 'minuts'; did you mean 'minutes'?"),
        ({"zzz": 3}, "bake has no option 'zzz'; its options: minutes, layers"),
        ({"encodr": 3}, "its options"),  # what only Python can fill is no suggestion
        ({"minutes": "5"}, "minutes: expected a number above 0 (minutes), came '5' (str)"),
        ({"minutes": 0}, "minutes: expected a number above 0 (minutes), came 0"),
        ({"minutes": float("nan")}, "came nan"),
        ({"minutes": True}, "came True (bool)"),
        ({"layers": [3.5]}, "layers: expected whole numbers of at least 1, came [3.5] (list)"),
        ({"layers": [0]}, "layers: expected whole numbers of at least 1, came [0]"),
        ({"layers": "200,200"}, "came '200,200' (str)"),
        ({"style": "iwea"}, "expected 'elbo' or 'iwae', came 'iwea' (str); did you mean 'iwae'?"),
        ({"portions": 2.0}, "portions: expected a whole number of at least 1, came 2.0"),
        ({"portions": 0}, "came 0"),
        (
            {"limit": 2.5},
            "limit: expected 'auto' or a whole number of at least 2 (cakes), came 2.5",
        ),
        ({"warm": 1}, "warm: expected true or false, came 1 (int)"),
        ({"likelihood": "gausian"}, "unknown likelihood 'gausian'; did you mean 'gaussian'?"),
        (
            {"likelihood": {"name": "gaussian", "sigm": 1}},
            "likelihood gaussian has no option 'sigm'; did you mean 'sigma'?",
        ),
        ({"likelihood": {"sigm": 1}}, "likelihood has no option 'sigm'; did you mean 'sigma'?"),
        ({"likelihood": {"name": "gaussian", "value": 0}}, "likelihood gaussian: value: expected"),
        ({"likelihood": 3}, "came 3 (int)"),
        ({"encoder": "mlp"}, "encoder: expected an nn.Module (from Python), came 'mlp' (str)"),
    ],
)
def test_check_refuses_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        check(bake, given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_check_misses_what_has_no_default() -> None:
    with pytest.raises(LowerboundError, match="needs needs 'levels': a whole number of at least 2"):
        check(needs, {})
    assert check(needs, {}, partial=True) == {}


def test_an_option_without_a_type_is_refused() -> None:
    def loose(*, a=1) -> None:
        pass

    with pytest.raises(LowerboundError, match="expected a type such as `a: int`, none came"):
        options_of(loose)


def test_type_names_are_words() -> None:
    assert type_name(Literal["auto"] | int) == "'auto' or a whole number"
    assert type_name(Path | None) == "a path or none"


def test_schemas_import_no_torch() -> None:
    code = (
        "import sys, lowerbound.recipes as r, lowerbound.options as o;"
        "[o.check(f, {}) for f in r.RECIPES.values()];"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
