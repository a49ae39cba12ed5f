"""How data x samples is cut: blocks that share a draw of noise, tiles that are decoded at once.

The two cuts are separate so that the numbers do not depend on the speed setting. A *block* is
``block_data`` data by ``block_samples`` samples; its noise comes from one generator seeded by
(seed, block), and its size follows from the number of samples and the size of a code alone. A
*tile* is the part of a block that goes through the decoder in one call: ``rows`` sets it, and
changes nothing but the order in which a matrix product adds.
"""

from __future__ import annotations

from dataclasses import dataclass

# Numbers in a block's codes (4 MiB in float32): large enough that drawing them costs no calls,
# small enough to stay in the second-level cache's neighbourhood.
_BLOCK_NUMBERS = 2**20
# Data in a block at most: the last block is filled up, and that much encoding may be wasted.
_BLOCK_DATA = 64
# Numbers in a tile's output (4 MiB in float32): the cache decides, not the memory. For 784 pixels
# this gives 1,024 rows; at 1,000 samples, 256/1,024/4,096/16,384 rows took 13.8/6.9/9.8/26.8 ms
# per example on two cores. A GPU wants more work in a call.
_TILE_NUMBERS = {"cpu": 2**20, "other": 2**25}


@dataclass(frozen=True)
class Cut:
    """Sizes of blocks and tiles, constant through a run so that compilation happens once."""

    block_data: int
    block_samples: int
    tile_data: int
    tile_samples: int

    @property
    def rows(self) -> int:
        """Rows that go through the decoder in one call."""
        return self.tile_data * self.tile_samples

    def sample_tiles(self) -> list[slice]:
        """Tiles that cover a block's samples. The last one overlaps rather than being shorter."""
        last = self.block_samples - self.tile_samples
        starts = range(0, self.block_samples, self.tile_samples)
        return [slice(min(s, last), min(s, last) + self.tile_samples) for s in starts]

    def data_tiles(self, valid: int) -> list[slice]:
        """Tiles that cover the first ``valid`` data of a block."""
        return [slice(s, s + self.tile_data) for s in range(0, valid, self.tile_data)]


def cut(samples: int, code_numbers: int, event_numbers: int, rows: int | None, device: str) -> Cut:
    """Choose the sizes.

    Args:
        samples: importance samples for each datum, K.
        code_numbers: numbers in one code z.
        event_numbers: numbers in one datum x.
        rows: rows decoded at once; ``None`` lets the cache decide.
        device: ``"cpu"`` or another device's type.
    """
    block_samples = _even_part(samples, max(1, _BLOCK_NUMBERS // code_numbers))
    fits = max(1, _BLOCK_NUMBERS // (block_samples * code_numbers))
    block_data = min(_BLOCK_DATA, _power_of_two(fits))
    if rows is None:
        numbers = _TILE_NUMBERS["cpu" if device == "cpu" else "other"]
        rows = _power_of_two(max(1, numbers // event_numbers))
    tile_samples = _even_part(block_samples, rows)
    tile_data = min(block_data, _power_of_two(max(1, rows // tile_samples)))
    return Cut(block_data, block_samples, tile_data, tile_samples)


def _even_part(whole: int, most: int) -> int:
    """Size of the parts when ``whole`` is cut into as few equal parts of at most ``most``."""
    parts = -(-whole // most)
    return -(-whole // parts)


def _power_of_two(most: int) -> int:
    return 1 << (most.bit_length() - 1)
