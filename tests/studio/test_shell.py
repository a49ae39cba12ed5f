"""The frame of the page, in a browser."""

from __future__ import annotations

from typing import Any


def test_the_page_lists_runs_in_both_languages(studio: Any, page: Any) -> None:
    page.goto(studio.address)
    page.get_by_role("link", name="digits").wait_for()
    assert page.get_by_role("heading", level=1).inner_text() == "Runs"
    page.get_by_label("Language").select_option("ko")
    assert page.get_by_role("heading", level=1).inner_text() == "학습 목록"
    page.reload()
    page.get_by_role("link", name="digits").wait_for()
    assert page.get_by_role("heading", level=1).inner_text() == "학습 목록"
    assert page.locator("html").get_attribute("lang") == "ko"


def test_dark_and_light(studio: Any, page: Any) -> None:
    page.goto(studio.address)
    paper = "getComputedStyle(document.body).backgroundColor"
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate(paper)
    page.get_by_label("Colours").select_option("light")
    light = page.evaluate(paper)
    assert sum(map(int, dark[4:-1].split(","))) < 200 < sum(map(int, light[4:-1].split(",")))
