"""Recipes of conditional models: p(x | label), p(x | attributes), p(missing part | the rest)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, takes
from ..slots import SlotValue
from .given import condition_of
from .parts import (
    Built,
    decoder_of,
    encoder_of,
    evidence_bound,
    latent_dim_of,
    latent_model,
    likelihood_of,
    networks_of,
)

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models.conditions import Condition

# Options of `latent_model` that a model without a Gaussian code has no use for.
_OF_GAUSSIAN_CODES = {"prior": ("standard-normal", "network"), "posterior": ("diagonal",)}


@takes(evidence_bound, latent_model, but=("condition", "kl"))
def cvae(
    data: DataSpec,
    *,
    given: Literal["labels", "attributes"] = "labels",
    latent: Literal["gaussian", "categorical"] = "gaussian",
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    recognition: Literal["exact", "network"] = "exact",
    **parts: Any,
) -> Built:
    """Conditional VAE: p(x | c) with c the label, or the attributes, of each example.

    Args:
        data: the data's shape, support and statistics, their classes and attributes.
        given: what the model is conditioned on.
        latent: the code: Gaussian, or one of latent-dim categories, which are summed exactly.
        prior: what codes look like: the same whatever the condition, so that a code is what the
            condition leaves open; or network, a function of the condition.
        recognition: of categorical codes: the exact posterior, or that of a network.
        **parts: see `evidence_bound` and `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data without labels or attributes; options that do not fit.

    Reference:
        Sohn, Lee & Yan 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS; Kingma et al. 2014, Semi-supervised learning with deep
        generative models, arXiv 1406.5298
    """
    condition = condition_of("cvae", data, given)
    assert condition is not None
    return _built(data, condition, latent, recognition, prior=prior, **parts)


@takes(evidence_bound, latent_model, but=("condition", "kl"))
def completion(
    data: DataSpec,
    *,
    missing: Annotated[int | None, Span(min=1, max=3, unit="quadrants")] = None,
    mask: str | None = None,
    latent: Literal["gaussian", "categorical", "none"] = "gaussian",
    prior: Annotated[SlotValue, Slot("prior")] = "network",
    recognition: Literal["exact", "network"] = "exact",
    **parts: Any,
) -> Built:
    """Completion: p(missing part | the rest), a conditional VAE of part of each example.

    Likelihoods are those of the missing part alone. With latent none it is the baseline: one
    network that predicts the missing part, without a code.

    Args:
        data: the data's shape, support and statistics.
        missing: quadrants of each image to predict: 1 is the lower right one, 2 the right half, 3
            all but the lower left one.
        mask: what is missing, in place of quadrants: left, right, top, bottom, centre; boxes
            (random ones, the default for images) or pixels (random ones, the default otherwise;
            pixels:0.5 for half of them), which make a model of any mask; or an image file of the
            data's size, bright where they are missing, which has to stay where it is.
        latent: the code: Gaussian, one of latent-dim categories, which are summed exactly, or none.
        prior: what codes look like: network, a function of what is observed; or the same for all.
        recognition: of categorical codes: the exact posterior, or that of a network.
        **parts: see `evidence_bound` and `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: a mask that does not fit the data; options that do not fit.

    Reference:
        Sohn, Lee & Yan 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS
    """
    import torch

    from ..models.conditions import GivenPart

    if missing is not None and mask is not None:
        raise LowerboundError(
            f"completion: expected one of missing and mask, came missing {missing} and mask {mask}"
        )
    image = len(data.event_shape) == 3
    name = f"quadrants:{missing}" if missing else mask or ("boxes" if image else "pixels")
    levels = data.levels if data.support == "categories" else None
    condition = GivenPart(data.event_shape, name, levels)
    condition.counting(torch.from_numpy(data.log_jacobians))
    return _built(data, condition, latent, recognition, prior=prior, **parts)


def _built(
    data: DataSpec,
    condition: Condition,
    latent: str,
    recognition: str,
    *,
    bound: Literal["elbo", "iwae"] = "elbo",
    samples: int | None = None,
    beta: float = 1.0,
    **parts: Any,
) -> Built:
    """The model with that code, and its phase."""
    from ..models.conditional import MaskedLikelihood
    from ..objectives import enumerated
    from ..training.phase import Phase

    if bound == "iwae" and latent != "gaussian":
        raise LowerboundError(f"bound iwae: expected latent gaussian, came latent {latent}")
    if latent == "gaussian":
        objective = evidence_bound(bound=bound, samples=samples, beta=beta)
        model = latent_model(data, condition=condition, **_with_network(parts))
        if condition.of_x:
            model.likelihood = MaskedLikelihood(model.likelihood)  # ty: ignore
        return Built(model, [Phase(bound, objective, [model])])
    for name, known in _OF_GAUSSIAN_CODES.items():
        value = parts.get(name, known[0])
        if not isinstance(value, str) or value not in known:
            raise LowerboundError(f"{name}: expected none with latent {latent}, came {value}")
    if latent == "none":
        model = _direct(data, condition, parts)
        return Built(model, [Phase("likelihood", enumerated.likelihood, [model])])
    model = _discrete(data, condition, recognition, parts)
    return Built(model, [Phase("elbo", partial(enumerated.enumerated, beta=beta), [model])])


def _with_network(parts: dict[str, Any]) -> dict[str, Any]:
    """A prior network as wide as the others, where nobody said otherwise."""
    prior = parts["prior"]
    named = {"name": prior} if isinstance(prior, str) else prior
    if not isinstance(named, Mapping) or named.get("name") != "network":
        return parts
    own = {n: parts.get(n) for n in ("hidden", "activation") if parts.get(n) is not None}
    return {**parts, "prior": {**own, **named}}


def _pieces(data: DataSpec, parts: dict[str, Any]) -> Any:
    family, reason = likelihood_of(data, parts.get("likelihood", "auto"))
    hidden, activation = parts.get("hidden"), parts.get("activation")
    return family, reason, networks_of(data, parts.get("network", "auto"), hidden, activation)


def _discrete(data: DataSpec, condition: Condition, recognition: str, parts: dict[str, Any]) -> Any:
    """A model with a code of one category, and the prior network that belongs to it."""
    from ..distributions import Head
    from ..distributions.onehot import OneHot
    from ..models.conditional import DiscreteLatentModel, MaskedLikelihood
    from ..networks import MLP

    count = parts.get("latent_dim") or latent_dim_of(data)
    family, reason, coder = _pieces(data, parts)
    codes = OneHot((count,))
    at_marginal = parts.get("start_at_marginal", True)
    decode = decoder_of(data, coder, parts.get("decoder"), count, family, at_marginal, condition)
    encode = None
    if recognition == "network":
        encode = encoder_of(data, coder, parts.get("encoder"), codes, condition)
    width, hidden = condition.width, parts.get("hidden")
    hidden = (512, 512) if hidden is None else hidden
    network = MLP((width,), (count,), hidden=hidden, activation=parts.get("activation") or "relu")
    return DiscreteLatentModel(
        Head(network, codes, condition.event_ranks, condition.embeddings()),
        MaskedLikelihood(decode) if condition.of_x else decode,
        encode,
        event_shape=data.event_shape,
        latent_shape=(count,),
        no_likelihood=reason,
        condition=condition,
    )


def _direct(data: DataSpec, condition: Condition, parts: dict[str, Any]) -> Any:
    """A network from what is observed to what is missing."""
    import torch

    from ..distributions import Head
    from ..models.conditional import DirectModel, Joined, MaskedLikelihood
    from ..networks import start

    family, reason, coder = _pieces(data, parts)
    network = coder.decoder((condition.width,), family.raw_shape)
    if parts.get("start_at_marginal", True):
        raw = family.start(torch.as_tensor(data.mean), torch.as_tensor(data.std))
        start(network, raw, torch.zeros(1, condition.width))
    head = Head(Joined(network), family, condition.event_ranks, condition.embeddings())
    return DirectModel(
        MaskedLikelihood(head) if condition.of_x else head,
        event_shape=data.event_shape,
        condition=condition,
        no_likelihood=reason,
    )


def _settled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with a mask's file from the root: a run is opened from any folder."""
    mask = arguments.get("mask")
    if isinstance(mask, str) and Path(mask).expanduser().is_file():
        return {**arguments, "mask": str(Path(mask).expanduser().resolve())}
    return dict(arguments)


completion.settled = _settled  # ty: ignore[missing-attribute]

RECIPES = {"cvae": cvae, "completion": completion}
