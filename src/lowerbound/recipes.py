"""Every named model: one typed function each, with its paper.

A recipe takes what there is to know of the data and returns a model and how it is trained. Its
keyword-only parameters are the options of the command line, of the YAML file and of the checkpoint
(:mod:`lowerbound.options`); its text is their help. Bodies import the models, this file imports no
torch.

One's own recipe is a function of the same form in a file, named ``path/to/file.py:function``.

>>> from lowerbound.data.spec import DataSpec
>>> spec = DataSpec("toy", "vector", (12,), "real")
>>> model, phases = vae(spec, latent_dim=2, hidden=(32,))
>>> model.latent_shape, [phase.name for phase in phases]
((2,), ['elbo'])
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from .errors import LowerboundError, nearest
from .options import Slot, Span
from .slots import Activation, SlotValue, build, resolve

if TYPE_CHECKING:
    from torch import nn

    from .data.spec import DataSpec
    from .distributions import Family
    from .networks import Pair
    from .training.phase import ClosedForm, Phase


class Built(NamedTuple):
    """What a recipe returns.

    Args:
        model: the model, on the CPU, in float32, untrained.
        phases: how it is trained: phases in the order they run within a step, or closed forms.
    """

    model: nn.Module
    phases: list[Phase | ClosedForm]


def vae(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    bound: Literal["elbo", "iwae"] = "elbo",
    samples: Annotated[int | None, Span(min=1, unit="samples")] = None,
    beta: Annotated[float, Span(min=0)] = 1.0,
    start_at_marginal: bool = True,
    encoder: Annotated[SlotValue, Slot()] = None,
    decoder: Annotated[SlotValue, Slot()] = None,
) -> Built:
    """Variational autoencoder: standard normal prior, diagonal Gaussian posterior.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in a code; by default 16, or half the numbers of a small example.
        likelihood: p(x|z); auto takes what fits the data's support.
        network: encoder and decoder; auto takes mlp up to 1024 numbers per example and for what is
            no image, else conv.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors;
            by default the network's own. None at all (an empty list) is one linear map each, with
            mlp and a learned-sigma gaussian probabilistic PCA.
        activation: nonlinearity; by default the network's own.
        bound: what is maximised: the ELBO, or the importance-weighted bound of IWAE.
        samples: codes drawn for each example; by default 1 for elbo, 5 for iwae.
        beta: weight of the rate in the objective of elbo; reported bounds are always at beta 1.
        start_at_marginal: start the decoder so that every code decodes to the data's mean.
        encoder: one's own network, (N, *event_shape) to (N, 2 * latent_dim): means, log scales.
        decoder: one's own network, (N, latent_dim) to (N, *raw_shape) of the likelihood.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114; Rezende, Mohamed
        & Wierstra 2014, Stochastic backpropagation, arXiv 1401.4082; iwae: Burda, Grosse &
        Salakhutdinov 2016, Importance weighted autoencoders, arXiv 1509.00519; beta: Higgins et al.
        2017, beta-VAE
    """
    from . import bounds
    from .distributions import DiagonalGaussian, StandardNormal
    from .models import LatentModel
    from .training.phase import Phase

    if bound == "iwae" and beta != 1.0:
        raise LowerboundError(
            f"beta: expected 1 with bound iwae, which is no sum of distortion and rate, "
            f"came {beta:g}; pass bound elbo"
        )
    latent_dim = latent_dim or _latent_dim(data)
    family, reason = _likelihood(data, likelihood)
    posterior = DiagonalGaussian(latent_dim)
    coder = _networks(data, network, hidden, activation)
    model = LatentModel(
        StandardNormal(latent_dim),
        _decoder(data, coder, decoder, latent_dim, family, start_at_marginal),
        _encoder(data, coder, encoder, posterior),
        event_shape=data.event_shape,
        latent_shape=(latent_dim,),
        no_likelihood=reason,
    )
    if bound == "iwae":
        objective = partial(bounds.iwae, samples=samples or 5)
    else:
        objective = partial(bounds.elbo, samples=samples or 1, beta=beta)
    return Built(model, [Phase(bound, objective, [model])])


def autoencoder(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    start_at_marginal: bool = True,
    encoder: Annotated[SlotValue, Slot()] = None,
    decoder: Annotated[SlotValue, Slot()] = None,
) -> Built:
    """Autoencoder: a bottleneck trained on squared error; no density, hence no likelihood.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in the bottleneck; by default 16, or half those of a small example.
        network: encoder and decoder; auto takes mlp up to 1024 numbers per example and for what is
            no image, else conv.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors;
            by default the network's own. None at all (an empty list) is one linear map each, with
            mlp the subspace of PCA.
        activation: nonlinearity; by default the network's own. Code and output are linear.
        start_at_marginal: start the decoder so that every code decodes to the data's mean.
        encoder: one's own network, (N, *event_shape) to (N, latent_dim).
        decoder: one's own network, (N, latent_dim) to (N, *event_shape).

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data.

    Reference:
        Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks,
        Science 313
    """
    from . import bounds
    from .distributions import Delta
    from .models import Autoencoder
    from .training.phase import Phase

    _refuse_categories(data, "autoencoder", "squared error")
    latent_dim = latent_dim or _latent_dim(data)
    coder = _networks(data, network, hidden, activation)
    model = Autoencoder(
        _encoder(data, coder, encoder, Delta((latent_dim,))),
        _decoder(data, coder, decoder, latent_dim, Delta(data.event_shape), start_at_marginal),
    )
    return Built(model, [Phase("squared_error", bounds.squared_error, [model])])


def pca(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
) -> Built:
    """Probabilistic PCA: the linear-Gaussian model, solved exactly and with exact likelihoods.

    Args:
        data: the data's shape and support.
        latent_dim: principal components, fewer than the numbers in an example; by default 16, or
            half those of a small example.

    Returns:
        The model and its closed form.

    Raises:
        LowerboundError: as many components as numbers, or data that are categories.

    Reference:
        Tipping & Bishop 1999, Probabilistic principal component analysis, JRSS B 61(3)
    """
    from .models import LinearGaussian
    from .training.phase import ClosedForm

    _refuse_categories(data, "pca", "a covariance")
    _, reason = _likelihood(data, "gaussian")
    latent_dim = latent_dim or _latent_dim(data)
    model = LinearGaussian(data.event_shape, latent_dim, no_likelihood=reason)
    return Built(model, [ClosedForm("pca", LinearGaussian.fit_)])  # ty: ignore[invalid-argument-type]


# What the data are prepared for where a recipe has no `likelihood` of its own (session.py asks).
autoencoder.prepared_for = "none"  # ty: ignore[missing-attribute]
pca.prepared_for = "gaussian"  # ty: ignore[missing-attribute]

RECIPES: dict[str, Callable[..., Built]] = {"vae": vae, "autoencoder": autoencoder, "pca": pca}


def recipe(name: str) -> Callable[..., Built]:
    """The recipe of that name, or one's own from a file.

    Args:
        name: a name of ``RECIPES``, or ``path/to/file.py:function``. The file is run: name only
            files that you trust.

    Raises:
        LowerboundError: an unknown name (the nearest is offered), file or function.

    >>> recipe("vea")
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: unknown recipe 'vea'; did you mean 'vae'?
    """
    if name in RECIPES:
        return RECIPES[name]
    path, _, function = name.rpartition(":")
    if path.endswith(".py"):
        return _from_file(Path(path).expanduser(), function)
    hint = nearest(name, RECIPES) or f"; there are: {', '.join(RECIPES)}, or file.py:function"
    raise LowerboundError(f"unknown recipe '{name}'{hint}")


def _from_file(path: Path, name: str) -> Callable[..., Built]:
    if not path.is_file():
        raise LowerboundError(f"recipe {path}:{name}: expected a Python file, came no such file")
    module_name = f"lowerbound_recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # where dataclasses and the like look themselves up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise LowerboundError(f"recipe {path}: the file does not run: {text}") from error
    function = getattr(module, name, None)
    if not callable(function):
        there = [key for key, value in vars(module).items() if callable(value)]
        raise LowerboundError(f"recipe {path} has no function '{name}'{nearest(name, there)}")
    return function


def _latent_dim(data: DataSpec) -> int:
    """Numbers in a code where nobody said."""
    return max(1, min(16, data.dimensions // 2))


def _likelihood(data: DataSpec, value: SlotValue) -> tuple[Family, str | None]:
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


def _networks(
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
    return build("network", given, data.event_shape, levels=levels)


def _encoder(data: DataSpec, coder: Pair, own: Any, family: Family) -> Any:
    """A head from data to codes, with the recipe's network or one's own."""
    from .distributions import Head

    if own is None:
        network = coder.encoder(family.raw_shape)
    else:
        network = own
        _check_own("encoder", own, data.event_shape, family.raw_shape, data.support == "categories")
    return Head(network, family, event_ranks=(len(data.event_shape),))


def _decoder(
    data: DataSpec, coder: Pair, own: Any, latent_dim: int, family: Family, at_marginal: bool
) -> Any:
    """A head from codes to data, with the recipe's network or one's own."""
    import torch

    from .distributions import Head
    from .networks import start

    # also sets a learned sigma
    raw = family.start(torch.as_tensor(data.mean), torch.as_tensor(data.std))
    if own is None:
        network = coder.decoder((latent_dim,), family.raw_shape)
        if at_marginal:
            half = torch.randn(128, latent_dim)
            start(network, raw, torch.cat((half, -half)))  # their mean is exactly zero
    else:
        network = own  # it may be trained already, and is left as it is
        _check_own("decoder", own, (latent_dim,), family.raw_shape, False)
    return Head(network, family, event_ranks=(1,))


def _check_own(
    role: str, network: Any, takes: tuple[int, ...], gives: tuple[int, ...], integers: bool
) -> None:
    """Whether one's own network has the shapes it needs, asked with two examples of zeros."""
    import torch

    weight = next(network.parameters(), torch.zeros(()))
    dtype = torch.int64 if integers else weight.dtype
    modes = [(module, module.training) for module in network.modules()]
    network.eval()  # the question must leave no trace in running statistics
    try:
        with torch.no_grad():
            raw = network(torch.zeros(2, *takes, dtype=dtype, device=weight.device))
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


def _refuse_categories(data: DataSpec, name: str, what: str) -> None:
    if data.support == "categories":
        raise LowerboundError(
            f"{name}: expected numbers, of which there is {what}, came categories; pass recipe vae"
        )
