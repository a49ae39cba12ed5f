"""Priors of a fixed shape in the plane, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LowerboundError
from ..options import Span
from .types import Around, Builders

if TYPE_CHECKING:
    from torch.nn import Module


def petals(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    components: Annotated[int | None, Span(min=2)] = None,
    length: Annotated[float, Span(min=0, open=True)] = 0.5,
    width: Annotated[float, Span(min=0, open=True)] = 0.1,
) -> Module:
    """Gaussians around the origin of the plane, each long outwards; labels place the classes.

    Args:
        latent_shape: shape of one code: two numbers.
        around: what else there is of the model; given labels, each class has its own petals.
        components: how many; by default 10, or one for each class that is given.
        length: standard deviation outwards.
        width: standard deviation across.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """
    from ..distributions import shaped

    classes = _classes(latent_shape, around, "petals")
    return shaped.petals(components or (classes if classes > 1 else 10), length, width, classes)


def swiss_roll(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    turns: Annotated[float, Span(min=0, open=True, max=10)] = 2.0,
    width: Annotated[float, Span(min=0.01, max=1)] = 0.06,
) -> Module:
    """A spiral in the plane, uniform along its length; labels place the classes along it.

    Args:
        latent_shape: shape of one code: two numbers.
        around: what else there is of the model; given labels, each class has its own part.
        turns: how often it winds.
        width: standard deviation across.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """
    from ..distributions import shaped

    classes = _classes(latent_shape, around, "swiss-roll")
    return shaped.swiss_roll(turns, width, classes=classes)


def _classes(latent_shape: tuple[int, ...], around: Around, name: str) -> int:
    if tuple(latent_shape) != (2,):
        came = ", ".join(map(str, latent_shape))
        raise LowerboundError(
            f"prior {name}: expected codes of two numbers, came {came}; pass --latent-dim 2"
        )
    condition: Any = around.condition
    return len(getattr(condition, "classes", ())) or 1


BUILDERS: Builders = {"petals": petals, "swiss-roll": swiss_roll}
