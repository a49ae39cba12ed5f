"""Every sample of every datum is decoded, in pieces of constant size."""

import pytest
import torch

from lowerbound.evaluation.tiles import cut


@pytest.mark.parametrize("samples", [1, 5, 1000, 7001])
@pytest.mark.parametrize("code", [1, 20, 3072, 2**21])
@pytest.mark.parametrize("rows", [1, 7, 1024, None])
def test_tiles_cover_their_block(samples: int, code: int, rows: int | None) -> None:
    sizes = cut(samples, code, 784, rows, "cpu")
    count = torch.zeros(sizes.block_samples, sizes.block_data)
    for data in sizes.data_tiles(sizes.block_data):
        for some in sizes.sample_tiles():
            tile = count[some, data]
            assert tile.shape == (sizes.tile_samples, sizes.tile_data)
            count[some, data] = 1
    assert count.min() == 1
    assert sizes.rows <= (rows or 1024)
    blocks = -(-samples // sizes.block_samples)
    assert blocks * sizes.block_samples - samples < blocks  # hardly any sample in vain
    assert sizes.block_samples * sizes.block_data * code <= max(2**20, code)


def test_rows_and_device_do_not_move_the_noise() -> None:
    sizes = [cut(1000, 20, 784, rows, device) for rows in (3, None) for device in ("cpu", "cuda")]
    assert {(s.block_data, s.block_samples) for s in sizes} == {(32, 1000)}


def test_the_cache_decides() -> None:
    assert cut(1000, 20, 784, None, "cpu").rows == 1000
    assert cut(1000, 20, 3072, None, "cpu").rows == 250
    assert cut(16, 20, 784, None, "cpu").rows == 1024
