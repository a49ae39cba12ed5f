"""Types that the builders of all slots share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from torch.nn import Module

    from ..data.spec import DataSpec

    SlotValue = str | Mapping[str, Any] | Module | None
else:
    SlotValue = object

Builders = dict[str, Callable[..., Any]]

Activation = Literal["relu", "gelu", "silu", "elu", "leaky-relu", "softplus", "tanh", "sigmoid"]


class Around(NamedTuple):
    """What a prior may be made from beside the shape of a code.

    Args:
        data: what there is to know of the data.
        posterior: q(z | x, c), a module; None where there is none.
        condition: what the model is conditioned on, a module; None where it is on nothing.
        levels: of codes that are whole numbers, how many values each has; None of others.
        heads: of those, whether the first axis of a code are several of one position; None: if it
            has three axes.
        local: of those, what each position is told beside the condition: how many axes of a
            further context are one of it, the module from it to ``(N, P, width)``, and the width.
    """

    data: DataSpec
    posterior: Module | None = None
    condition: Module | None = None
    levels: int | None = None
    heads: bool | None = None
    local: tuple[int, Module, int] | None = None
