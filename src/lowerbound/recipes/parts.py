"""What recipes share: the pieces of a model, chosen from the data and from options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from ..errors import LowerboundError
from ..options import Slot, Span
from ..slots import Activation, Around, SlotValue, build, resolve

if TYPE_CHECKING:
    from torch import nn

    from ..bounds import Terms
    from ..data.spec import DataSpec
    from ..distributions import Family
    from ..models import LatentModel
    from ..networks import Pair
    from ..training.phase import ClosedForm, Phase

_LEAST_STRIDED = 12  # pixels of a side from which players have strided networks


class Built(NamedTuple):
    """What a recipe returns.

    Args:
        model: the model, on the CPU, in float32, untrained.
        phases: how it is trained: phases in the order they run within a step, or closed forms.
    """

    model: nn.Module
    phases: list[Phase | ClosedForm]


def latent_model(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    posterior: Annotated[SlotValue, Slot("posterior")] = "diagonal",
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    start_at_marginal: bool = True,
    encoder: Annotated[SlotValue, Slot()] = None,
    decoder: Annotated[SlotValue, Slot()] = None,
    condition: Annotated[Any, Slot()] = None,
) -> LatentModel:
    """Prior, likelihood and posterior, by name or one's own: what all recipes of VAEs begin with.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in a code; by default 16, or half the numbers of a small example.
        prior: p(z), what codes look like.
        posterior: q(z|x), the family whose parameters the encoder gives.
        likelihood: p(x|z); auto takes what fits the data's support.
        network: encoder and decoder; auto takes mlp up to 1024 numbers per example and for what is
            no image, else conv.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors;
            by default the network's own. None at all (an empty list) is one linear map each, with
            mlp and a learned-sigma gaussian probabilistic PCA.
        activation: nonlinearity; by default the network's own.
        start_at_marginal: start the decoder so that every code decodes to the data's mean.
        encoder: one's own network, (N, *event_shape) to (N, *raw_shape) of the posterior; of the
            diagonal one 2 * latent_dim numbers: means, log scales.
        decoder: one's own network, (N, latent_dim) to (N, *raw_shape) of the likelihood.
        condition: what the model is conditioned on (`lowerbound.models.conditions`).

    Returns:
        The model, untrained.

    Raises:
        LowerboundError: options that do not fit the data or each other.
    """
    from ..distributions.pairing import refuse_mismatch
    from ..models import LatentModel

    latent_dim = latent_dim or latent_dim_of(data)
    family, reason = likelihood_of(data, likelihood)
    coder = networks_of(data, network, hidden, activation)
    codes = build("posterior", posterior, (latent_dim,))
    # In this order, which decides what each draws from the seed.
    decode = decoder_of(data, coder, decoder, latent_dim, family, start_at_marginal, condition)
    encode = encoder_of(data, coder, encoder, codes, condition)
    of_codes = build("prior", prior, (latent_dim,), Around(data, encode, condition))
    refuse_mismatch(of_codes, codes)
    return LatentModel(
        of_codes,
        decode,
        encode,
        event_shape=data.event_shape,
        latent_shape=(latent_dim,),
        no_likelihood=reason,
        condition=condition,
    )


def evidence_bound(
    *,
    bound: Literal["elbo", "iwae"] = "elbo",
    samples: Annotated[int | None, Span(min=1, unit="samples")] = None,
    beta: Annotated[float, Span(min=0)] = 1.0,
    kl: Literal["analytic", "sampled"] = "analytic",
) -> Callable[..., Terms]:
    """The objective of a VAE.

    Args:
        bound: what is maximised: the ELBO, or the importance-weighted bound of IWAE.
        samples: codes drawn for each example; by default 1 for elbo, 5 for iwae.
        beta: weight of the rate in the objective of elbo; reported bounds are always at beta 1.
        kl: the rate of elbo in closed form, where prior and posterior have one, or sampled.

    Raises:
        LowerboundError: a weighted rate with iwae.
    """
    from .. import bounds

    if bound == "elbo":
        return partial(bounds.elbo, samples=samples or 1, beta=beta, kl=kl)
    if beta != 1.0:
        raise LowerboundError(
            f"beta: expected 1 with bound iwae, which is no sum of distortion and rate, "
            f"came {beta:g}; pass bound elbo"
        )
    return partial(bounds.iwae, samples=samples or 5)


def latent_dim_of(data: DataSpec) -> int:
    """Numbers in a code where nobody said."""
    return max(1, min(16, data.dimensions // 2))


def likelihood_of(data: DataSpec, value: SlotValue) -> tuple[Family, str | None]:
    """The likelihood's family, and why log p(x) must not be reported, if so."""
    value = resolve(value, data.likelihood)
    if isinstance(value, dict) and value["name"] == data.likelihood:
        value = {**data.likelihood_options, **value}
    family = build("likelihood", value, data.event_shape, levels=data.levels)
    if tuple(family.event_shape) != tuple(data.event_shape):
        raise LowerboundError(
            f"likelihood: expected event_shape {data.event_shape}, that of the data, "
            f"came {tuple(family.event_shape)}"
        )
    if data.support in family.supports:
        return family, None
    name = value["name"] if isinstance(value, dict) else type(value).__name__
    if data.support in family.not_a_likelihood:
        return family, f"likelihood {name}: {family.not_a_likelihood[data.support]}"
    raise LowerboundError(
        f"likelihood {name}: expected data that are {' or '.join(sorted(family.supports))}, came "
        f"{data.support}; pass likelihood {data.likelihood}"
    )


def networks_of(
    data: DataSpec, value: SlotValue, hidden: tuple[int, ...] | None, activation: str | None
) -> Pair:
    """The pair of networks; options that the named network does not have are refused."""
    given = resolve(value, data.network, hidden=hidden, activation=activation)
    if not isinstance(given, dict):
        raise LowerboundError(
            f"network: expected the name of a pair of networks, came {type(given).__name__}; pass "
            f"encoder= and decoder= for networks of one's own"
        )
    levels = data.levels if data.support == "categories" else None
    return build("network", given, data.event_shape, levels=levels, rate=data.sample_rate)


def game_networks_of(
    data: DataSpec,
    value: SlotValue,
    hidden: tuple[int, ...] | None = None,
    activation: str | None = None,
) -> Pair:
    """The networks of two players: auto takes strided ones for images, which have no hidden layers.

    Theirs of samples are normalised over the batch, which keeps samples apart. A discriminator's
    are not: its slope at an example is punished, and must not depend on the others.
    """
    image = data.kind == "image" and min(data.event_shape[1:]) >= _LEAST_STRIDED
    layers = hidden is not None or (isinstance(value, Mapping) and "hidden" in value)
    strided = image and not layers
    given = resolve(value, "dcgan" if strided else data.network)
    if isinstance(given, dict) and given["name"] == "dcgan" and "norm" not in given:
        given = {"decoder_norm": "batch", **given}
    return networks_of(data, given, hidden, activation)


def encoder_of(data: DataSpec, coder: Pair, own: Any, family: Any, condition: Any = None) -> Any:
    """A head from data (and condition) to codes, with the recipe's network or one's own."""
    from ..distributions import Head

    ranks, embed, width = _given(condition)
    if own is None:
        network = coder.encoder(family.raw_shape, context=width)
    else:
        network = own
        integers = data.support == "categories"
        _check_own("encoder", own, data.event_shape, family.raw_shape, integers, width)
    return Head(network, family, (len(data.event_shape), *ranks), [None, *embed])


def decoder_of(
    data: DataSpec,
    coder: Pair,
    own: Any,
    latent_dim: int,
    family: Family,
    at_marginal: bool,
    condition: Any = None,
) -> Any:
    """A head from codes (and condition) to data, with the recipe's network or one's own."""
    import torch

    from ..distributions import Head
    from ..networks import start

    ranks, embed, width = _given(condition)
    # also sets a learned sigma
    raw = family.start(torch.as_tensor(data.mean), torch.as_tensor(data.std))
    if own is None:
        network = coder.decoder((latent_dim,), family.raw_shape, context=width)
        if at_marginal:
            half = torch.randn(128, latent_dim)
            codes = torch.cat((half, -half))  # their mean is exactly zero
            start(network, raw, codes, *([torch.zeros(256, width)] if width else []))
    else:
        network = own  # it may be trained already, and is left as it is
        _check_own("decoder", own, (latent_dim,), family.raw_shape, False, width)
    return Head(network, family, (1, *ranks), [None, *embed])


def _given(condition: Any) -> tuple[tuple[int, ...], list[Any], int]:
    """Event ranks of a condition's contexts, their embeddings, and the numbers in these."""
    if condition is None:
        return (), [], 0
    return condition.event_ranks, condition.embeddings(), condition.width


def _check_own(
    role: str,
    network: Any,
    takes: tuple[int, ...],
    gives: tuple[int, ...],
    integers: bool,
    context: int,
) -> None:
    """Whether one's own network has the shapes it needs, asked with two examples of zeros."""
    import torch

    weight = next(network.parameters(), torch.zeros(()))
    dtype = torch.int64 if integers else weight.dtype
    modes = [(module, module.training) for module in network.modules()]
    network.eval()  # the question must leave no trace in running statistics
    try:
        with torch.no_grad():
            x = torch.zeros(2, *takes, dtype=dtype, device=weight.device)
            raw = network(x, *([x.new_zeros(2, context)] if context else []))
    except Exception as error:
        text = str(error).partition("\n")[0]
        raise LowerboundError(
            f"{role}: expected a network that takes (N, {_numbers(takes)}), came "
            f"{type(network).__name__}, which raised {type(error).__name__}: {text}"
        ) from error
    finally:
        for module, mode in modes:
            module.training = mode
    came = tuple(raw.shape) if isinstance(raw, torch.Tensor) else type(raw).__name__
    if came != (2, *gives):
        shown = (
            f"(N, {_numbers(came[1:])})" if isinstance(came, tuple) and came[:1] == (2,) else came
        )
        raise LowerboundError(
            f"{role}: expected raw shape (N, {_numbers(gives)}), came {shown} from "
            f"{type(network).__name__} for input (N, {_numbers(takes)})"
        )


def _numbers(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def refuse_categories(data: DataSpec, name: str, what: str) -> None:
    if data.support == "categories":
        raise LowerboundError(
            f"{name}: expected numbers, of which there is {what}, came categories; pass recipe vae"
        )
