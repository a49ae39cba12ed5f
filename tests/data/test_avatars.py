"""Avatars: pictures as a function of their attributes, which are a function of the index."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from lowerbound.data import load
from lowerbound.data.avatars import (
    ATTRIBUTES,
    CAPTIONS,
    HUES,
    SKINS,
    attributes,
    captions,
    render,
)
from lowerbound.errors import LowerboundError


def plain(**changed: float) -> dict[str, np.ndarray]:
    """One face that looks straight ahead, in even light."""
    values = dict.fromkeys(ATTRIBUTES, 0.0) | {"brown_hair": 1.0, "hair_length": 0.2, "skin": 0.3}
    return {name: np.array([value]) for name, value in (values | changed).items()}


def test_attributes_are_those_of_the_index_alone_and_as_often_as_declared() -> None:
    index = np.arange(20_000)
    whole = attributes(index)
    assert list(whole) == list(ATTRIBUTES)
    chosen = np.array([7, 19_999, 0, 7])
    for name, values in attributes(chosen).items():
        np.testing.assert_array_equal(values, whole[name][chosen])
        low, high = ATTRIBUTES[name]
        assert low <= whole[name].min() and whole[name].max() <= high, name
    n = len(index)
    for name, share in (("glasses", 0.3), ("woman", 0.5), ("curly", 0.3), ("beard", 0.175)):
        error = np.sqrt(share * (1 - share) / n)
        assert abs(whole[name].mean() - share) < 4 * error, name
    for name in ("smile", "yaw", "tilt", "light"):  # uniform on [-1, 1]
        assert abs(whole[name].mean()) < 4 / np.sqrt(3 * n), name
        assert abs(whole[name].var() - 1 / 3) < 4 * np.sqrt(4 / 45 / n), name
    colours = sum(whole[name] for name in whole if name.endswith("_hair"))
    np.testing.assert_array_equal(colours, 1.0)
    assert not (whole["beard"] * whole["woman"]).any()
    # What is drawn apart is uncorrelated.
    apart = np.stack([whole[k] for k in ("smile", "glasses", "woman", "skin", "yaw", "light")])
    off = np.corrcoef(apart) - np.eye(len(apart))
    assert np.abs(off).max() < 4 / np.sqrt(n)


def test_a_face_is_drawn_alike_alone_and_among_others() -> None:
    index = np.arange(37)
    together = render(attributes(index), 24)
    for k in (0, 15, 16, 36):
        np.testing.assert_array_equal(render(attributes(index[k : k + 1]), 24)[0], together[k])
    by_rows = render(np.stack(list(attributes(index).values()), 1), 24)
    np.testing.assert_array_equal(by_rows, together)


def test_another_size_is_the_same_picture() -> None:
    """Anti-aliased: a large picture, averaged over blocks, is the small one."""
    some = attributes(np.arange(20))
    small = render(some, 32).astype(float)
    large = render(some, 256).astype(float).reshape(20, 3, 32, 8, 32, 8).mean((3, 5))
    assert np.abs(small - large).mean() < 2.5  # of 255 levels
    assert np.abs(small - render(attributes(np.arange(20) + 20), 32)).mean() > 25


def test_a_face_that_looks_ahead_in_even_light_is_symmetric_but_for_its_hair_and_nose() -> None:
    bald = plain(hair_length=0.0)
    face = render(bald, 64)[0].astype(float)
    mirrored = np.abs(face - face[:, :, ::-1]).max(0)
    nose = np.zeros((64, 64), bool)
    nose[28:44, 26:38] = True
    eyes = np.zeros((64, 64), bool)
    eyes[26:40, 14:50] = True  # glints are on one side
    assert mirrored[~(nose | eyes)].max() <= 1.0


def test_each_attribute_changes_the_picture_where_it_is() -> None:
    base = render(plain(), 64)[0].astype(float)

    def changed(**attribute: float) -> np.ndarray:
        return np.abs(render(plain(**attribute), 64)[0] - base).max(0) > 12

    rows, _ = np.mgrid[:64, :64]
    smile = changed(smile=1.0)
    # The mouth, and with it lids and brows, which a smile moves, too.
    assert smile[40:53].sum() > 40 and not smile[:24].any() and not smile[53:].any()
    glasses = changed(glasses=1.0)
    assert glasses.sum() > 60 and rows[glasses].min() > 24 and rows[glasses].max() < 44
    background = changed(background=0.5)
    assert background[:8, :8].all() and not background[30:40, 28:36].any()
    skin = changed(skin=0.9)
    assert skin[34, 20] and not skin[:6].any()
    for name, (low, high) in ATTRIBUTES.items():
        if not name.endswith("_hair") and name != "background":  # a hue: 0 and 1 are the same
            assert changed(**{name: high}).any() or changed(**{name: low}).any(), name
    # Yaw and its negative are mirrored but for hair (parted), nose and glints.
    left, right = (render(plain(yaw=way, hair_length=0.0), 64)[0].astype(float) for way in (-1, 1))
    assert np.abs(left - right[:, :, ::-1]).mean() < 1.0 < np.abs(left - right).mean()


def test_the_light_comes_from_its_side() -> None:
    lit = render(plain(light=1.0), 64)[0].mean(0)
    assert lit[36:44, 42:48].mean() > lit[36:44, 16:22].mean() + 10


def test_small_changes_are_small() -> None:
    """No attribute of degree jumps: the picture follows the finger."""
    for name in ("smile", "yaw", "tilt", "light", "skin", "age", "glasses"):
        low, high = ATTRIBUTES[name]
        path = {k: np.repeat(v, 21) for k, v in plain().items()} | {
            name: np.linspace(low, high, 21)
        }
        film = render(path, 48).astype(float)
        steps = np.abs(np.diff(film, axis=0)).mean((1, 2, 3))
        assert steps.max() < 0.2 * steps.sum(), name


def test_captions_say_what_is_there() -> None:
    index = np.arange(400)
    a, said = attributes(index), captions(index)
    assert {len(each) for each in said} == {CAPTIONS}
    for k, five in enumerate(said):
        for text in five:
            words = text.replace(",", "").replace(";", "").split()
            assert ("glasses" in words) == bool(a["glasses"][k])
            assert ("beard" in words) == bool(a["beard"][k])
            assert ({"woman", "lady"} & set(words) != set()) == bool(a["woman"][k])
            assert ("curly" in words) == bool(a["curly"][k] and a["hair_length"][k] > 0.04)
            assert ("left" in words) == bool(a["yaw"][k] < -0.35)
            happy = {"smiling", "happy", "cheerful"} & set(words) != set()
            assert happy == bool(a["smile"][k] >= 0.25)
            assert {*SKINS} & {*words} == {SKINS[int(3 * a["skin"][k])]} and "skin" in words
    assert len({text for five in said for text in five}) > 1000


def test_captions_name_the_background_that_is_seen() -> None:
    """The corner's hue: pink 0, yellow 60, green 120, teal 180, blue 240, purple 300 degrees."""
    index = np.arange(200)
    corners = render(attributes(index), 32)[:, :, 0, 0] / 255.0
    for (red, green, blue), five in zip(corners, captions(index), strict=True):
        turn = 6 * colorsys.rgb_to_hsv(red, green, blue)[0]
        nearest = {HUES[int(turn) % 6], HUES[int(turn + 1) % 6]}
        if abs(turn % 1 - 0.5) > 0.1:  # else it may be called either
            nearest = {HUES[round(turn) % 6]}
        for text in five:
            assert len({*HUES} & {*text.replace(",", "").split()} & nearest) == 1, text


def test_avatars_are_data_at_any_size() -> None:
    data = load("avatars", size=16, limit=60)
    assert data.spec.event_shape == (3, 16, 16) and data.spec.attributes == tuple(ATTRIBUTES)
    assert data.spec.classes == ("man", "woman")
    for split in (data.train, data.test):
        stored = split.stored(np.arange(len(split))).numpy()
        assert split.attributes is not None and split.labels is not None
        again = render(split.attributes, 16)
        assert np.abs(stored.astype(int) - again).max() <= 1  # attributes are float32
        np.testing.assert_array_equal(split.labels, split.attributes[:, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load("avatars", size=4), "expected a size of at least 8, came 4"),
        (lambda: load("avatars", size="16x32"), "expected a square size, came 16x32"),
        (lambda: load("digits", size=16), "expected size only with image files"),
        (lambda: render(np.zeros((2, 3))), "expected attributes (N, 17), came (2, 3)"),
        (lambda: render({"smile": np.zeros(1)}), "came others or not all"),
    ],
)
def test_bad_input_is_told_in_a_line(call, message: str) -> None:
    with pytest.raises(LowerboundError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)
