"""Contestants that note when they begin and end: turns must not overlap, all get their share."""

import sys
from pathlib import Path

import pytest

from benchmarks import contest as module
from benchmarks.contest import Contestant, contest, quiet

_TOY = """
import sys, time
from pathlib import Path
from benchmarks.child import Link, Over

name, log = sys.argv[1], Path(sys.argv[2])
link = Link({"twice": lambda number: 2 * number})
print("what a library prints")
link.ready(note=name)
try:
    while True:
        asked = link.wait()
        with log.open("a") as file:
            file.write(f"begin {name}\\n")
        time.sleep(0.01)
        with log.open("a") as file:
            file.write(f"end {name}\\n")
        link.done(asked["examples"], round=asked["number"])
except Over:
    log.with_suffix(f".{name}").write_text("over")
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)
    script = tmp_path / "toy.py"
    script.write_text(_TOY, encoding="utf-8")
    return lambda name: Contestant(name, [sys.executable, str(script), name, str(tmp_path / "log")])


def test_turns_are_taken_one_after_the_other(toy, tmp_path: Path) -> None:
    asked = []
    turns = contest(
        [toy("a"), toy("b")],
        rounds=2,
        warm=1,
        arguments=lambda number: {"examples": 10, "number": number},
        finish=lambda each: asked.append(each.ask("twice", number=len(each.name))),
    )
    lines = (tmp_path / "log").read_text(encoding="utf-8").split("\n")[:-1]
    begun = [line.removeprefix("begin ") for line in lines[::2]]
    assert begun == ["b", "a", "a", "b", "b", "a"]  # the order turns round
    assert lines[1::2] == [f"end {name}" for name in begun]
    assert asked == [2, 2]
    for name, each in turns.items():
        assert [turn.about["round"] for turn in each] == [0, 1]  # the warm-up does not count
        assert all(turn.seconds >= 0.01 and turn.examples == 10 for turn in each)
        assert (tmp_path / f"log.{name}").read_text(encoding="utf-8") == "over"
    assert "core" in quiet(turns) or "not known" in quiet(turns)


def test_a_contestant_that_fails_says_why() -> None:
    broken = Contestant("broken", [sys.executable, "-c", "raise ValueError('no such module')"])
    with pytest.raises(RuntimeError, match="no such module"), broken:
        pass
