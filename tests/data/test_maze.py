"""Games in a maze follow its rules, and what is seen is what there is."""

from __future__ import annotations

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.data import maze

GAMES = maze.play(200, steps=30, seed=3)
SOLID = maze.walls()


def test_the_maze_is_closed_and_of_one_piece() -> None:
    free = {tuple(each) for each in np.argwhere(~SOLID).tolist()}
    reached, border = set(), {next(iter(free))}
    while border:
        reached |= border
        steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
        around = {(y + dy, x + dx) for y, x in border for dy, dx in steps}
        border = (around & free) - reached
    assert reached == free
    assert SOLID[[0, -1]].all() and SOLID[:, [0, -1]].all()


def test_all_walk_by_one_place_and_never_through_walls() -> None:
    everybody = np.concatenate([GAMES.walker[:, :, None], GAMES.ghosts], 2)
    assert not SOLID[everybody[..., 0], everybody[..., 1]].any()
    assert (np.abs(np.diff(everybody, axis=1)).sum(-1) == 1).all()


def test_nobody_turns_back_but_from_dead_ends_and_most_go_straight_on() -> None:
    everybody = np.concatenate([GAMES.walker[:, :, None], GAMES.ghosts], 2)
    moved = np.diff(everybody, axis=1)
    back = (moved[:, 1:] == -moved[:, :-1]).all(-1)
    y, x = everybody[:, 1:-1, :, 0], everybody[:, 1:-1, :, 1]
    ways = sum((~SOLID[y + dy, x + dx]).astype(int) for dy, dx in maze._WAYS.tolist())
    assert np.array_equal(back, ways == 1)
    ahead = moved[:, :-1]
    can = ~SOLID[y + ahead[..., 0], x + ahead[..., 1]] & (ways > 2)
    straight = (moved[:, 1:] == ahead).all(-1)[can]
    error = (maze._KEEPS * (1 - maze._KEEPS) / straight.size) ** 0.5
    assert abs(straight.mean() - maze._KEEPS) < 4 * error


def test_the_window_shows_what_is_around() -> None:
    game, radius = 17, maze.RADIUS
    left = ~SOLID
    left = left.copy()
    for step, (y, x) in enumerate(GAMES.walker[game].tolist()):
        left[y, x] = False
        ghosts = {tuple(each) for each in GAMES.ghosts[game, step].tolist()}
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                at = (y + dy, x + dx)
                inside = 0 <= at[0] < SOLID.shape[0] and 0 <= at[1] < SOLID.shape[1]
                expected = [at in ghosts, inside and left[at], not inside or SOLID[at]]
                seen = GAMES.x[game, step, :, dy + radius, dx + radius].astype(bool)
                assert seen.tolist() == [bool(each) for each in expected]
    assert np.array_equal(GAMES.left[game], left)


def test_by_name() -> None:
    data = lb.load("maze", limit=50)
    assert data.spec.event_shape == (maze.STEPS, 3, 5, 5)
    assert data.spec.likelihood == "bernoulli"
    again = maze.play(maze._TRAIN, seed=maze._TRAIN_SEED).x
    stored = data.train.stored(np.arange(5)).numpy()
    assert any(np.array_equal(stored[0], each) for each in again)
    with pytest.raises(lb.LowerboundError, match="maze"):
        lb.load("mazes")
