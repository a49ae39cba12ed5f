"""Data: any source to examples, a description of them, and batches."""

from lowerbound.data.align import aligned
from lowerbound.data.audio import AudioRows, wave_of
from lowerbound.data.batches import Loader, Order, Side, Steps, side_of
from lowerbound.data.choose import Choices, choose
from lowerbound.data.facts import Facts
from lowerbound.data.inspect import inspect
from lowerbound.data.load import Data, describe, load, taken_by
from lowerbound.data.prepare import Prepare, held_out
from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import RowsSplit, Split
from lowerbound.data.support import misfit

__all__ = [
    "AudioRows",
    "Choices",
    "Data",
    "DataSpec",
    "Facts",
    "Loader",
    "Order",
    "Prepare",
    "RowsSplit",
    "Side",
    "Split",
    "Steps",
    "aligned",
    "choose",
    "describe",
    "held_out",
    "inspect",
    "load",
    "misfit",
    "side_of",
    "taken_by",
    "wave_of",
]
