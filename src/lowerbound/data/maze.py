"""Games in a maze, seen through a window around a walker that eats what lies on the ground.

In the spirit of MiniPacman: the maze is always the same, the walker does not know where in it the
game began, and sees the walls, the pellets that are left and the ghosts of its surroundings alone.
What it says of the next step it has to remember: which way it came, where it is, which corridors it
has emptied. Walker and ghosts like to go straight on, and never turn back.

>>> games = play(2, steps=6)
>>> games.x.shape
(2, 6, 3, 5, 5)
>>> bool((abs(np.diff(games.walker, axis=1)).sum(-1) == 1).all())
True

References:
    Gregor, Papamakarios, Besse, Buesing & Weber 2019, Temporal difference variational auto-encoder,
    arXiv 1806.03107 (section 5.1); Racanière et al. 2017, Imagination-augmented agents for deep
    reinforcement learning, arXiv 1707.06203 (MiniPacman)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.splits import Source

MAZE = """
###################
#........#........#
#.##.###.#.###.##.#
#.................#
#.##.#.#####.#.##.#
#....#...#...#....#
####.###.#.###.####
#....#.......#....#
#.##.#.##.##.#.##.#
#..#...#...#...#..#
##.#.#.#.#.#.#.#.##
#....#...#...#....#
#.######.#.######.#
#.................#
###################
"""
STEPS, RADIUS, GHOSTS = 20, 2, 4
_KEEPS = 0.8  # chance to go straight on where a corridor branches
_TRAIN, _TEST = 10_000, 1_000
_TRAIN_SEED, _TEST_SEED = 1, 2
_WAYS = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # a way and the one back are two apart


class Games(NamedTuple):
    """Games, and what the walker does not see.

    Args:
        x: what it sees: ghosts, pellets and walls as 0 and 1, uint8 ``(N, T, 3, 5, 5)``.
        walker: row and column of the walker, int64 ``(N, T, 2)``.
        ghosts: of the ghosts, ``(N, T, G, 2)``.
        left: where pellets are left at the end, bool ``(N, 15, 19)``.
    """

    x: np.ndarray
    walker: np.ndarray
    ghosts: np.ndarray
    left: np.ndarray


def walls() -> np.ndarray:
    """Where the maze has a wall, bool (15, 19)."""
    return np.array([[sign == "#" for sign in row] for row in MAZE.split()])


def play(n: int, *, steps: int = STEPS, seed: int = 0) -> Games:
    """Games that begin anywhere in the maze, with a pellet at every other place.

    Args:
        n: games.
        steps: of each; the first shows where it begins.
        seed: of all that is drawn.
    """
    random = np.random.default_rng([seed, 0x3A2E])
    solid = walls()
    free = np.argwhere(~solid)
    place = free[random.integers(len(free), size=(n, 1 + GHOSTS))]  # the walker first
    way = np.full((n, 1 + GHOSTS), -1)
    pellets = np.broadcast_to(~solid, (n, *solid.shape)).copy()
    game = np.arange(n)
    seen, places = [], []
    for step in range(steps):
        if step:
            way = _turned(random, solid, place, way)
            place = place + _WAYS[way]
        pellets[game, place[:, 0, 0], place[:, 0, 1]] = False
        seen.append(_window(solid, pellets, place))
        places.append(place)
    walked = np.stack(places, 1)
    return Games(np.stack(seen, 1), walked[:, :, 0], walked[:, :, 1:], pellets)


def source() -> Source:
    """10,000 games to train on, 1,000 to test on."""
    train, test = (play(n, seed=s).x for n, s in ((_TRAIN, _TRAIN_SEED), (_TEST, _TEST_SEED)))
    found = Source("maze", ArrayRows.of(train), test=ArrayRows.of(test), levels=2, as_came="uint8")
    found.notes.append(("made", f"{STEPS} steps of games in a maze, seen from within; no file"))
    return found


def _turned(
    random: np.random.Generator, solid: np.ndarray, place: np.ndarray, way: np.ndarray
) -> np.ndarray:
    """Where all go next, (N, K): straight on or to a side, never back: no way ends dead."""
    ahead = place[:, :, None] + _WAYS
    chance = (~solid[ahead[..., 0], ahead[..., 1]]).astype(np.float64)  # (N, K, 4)
    came = way >= 0  # nobody came from anywhere at first
    turns = np.arange(4)
    chance = np.where((turns == (way[..., None] + 2) % 4) & came[..., None], 0.0, chance)
    straight = chance * ((turns == way[..., None]) & came[..., None])
    side = chance - straight
    count = side.sum(-1, keepdims=True)
    branches = straight.any(-1, keepdims=True) & (count > 0)
    chance = np.where(
        branches, _KEEPS * straight + (1 - _KEEPS) * side / np.maximum(count, 1), chance
    )
    sums = chance.cumsum(-1)
    drawn = random.random((*place.shape[:2], 1)) * sums[..., -1:]
    return (drawn >= sums).sum(-1)


def _window(solid: np.ndarray, pellets: np.ndarray, place: np.ndarray) -> np.ndarray:
    """What is around the walkers, uint8 (N, 3, 5, 5)."""
    n, room = len(place), RADIUS
    ghosts = np.zeros((n, *solid.shape), bool)
    ghosts[np.arange(n)[:, None], place[:, 1:, 0], place[:, 1:, 1]] = True
    all_walls = np.broadcast_to(solid, ghosts.shape)
    layers = [
        np.pad(each, ((0, 0), (room, room), (room, room)), constant_values=outside)
        for each, outside in ((ghosts, False), (pellets, False), (all_walls, True))
    ]
    across = np.arange(2 * room + 1)
    y = place[:, 0, 0, None, None] + across[:, None]
    x = place[:, 0, 1, None, None] + across
    game = np.arange(n)[:, None, None]
    return np.stack([each[game, y, x] for each in layers], 1).astype(np.uint8)
