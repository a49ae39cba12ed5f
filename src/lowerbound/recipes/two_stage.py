"""A prior fitted after training, on the codes of a model that is left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, check
from ..slots import Around, SlotValue, build, resolve
from .parts import Built

if TYPE_CHECKING:
    from torch import nn

    from ..data import Data
    from ..data.spec import DataSpec
    from ..mixtures import Covariance, GaussianMixture

_DESCRIPTION = "run.json"
#: What the data are prepared by, which must be as it was for the base.
_CHOICES = ("likelihood", "binarize", "dequantize", "standardize", "network")
#: Which examples train and test, which must be as it was for the base: it has seen the others.
_SPLIT = ("key", "size", "test_fraction", "validation_fraction", "split_seed", "skip_bad", "limit")
_SPLIT += ("attributes",)
#: What must be the same of the data.
_SAME = ("event_shape", "support", "levels", "binarize", "dequantize", "shift", "scale")
_COMPONENTS = 10


def two_stage(
    data: DataSpec,
    *,
    base: str = "",
    prior: Annotated[SlotValue, Slot("prior")] = "auto",
    given: Literal["auto", "none", "labels", "attributes"] = "auto",
    covariance: Literal["full", "tied", "diagonal", "spherical"] = "full",
    fit: Literal["auto", "em", "gradient"] = "auto",
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
) -> Built:
    """Two stages: encoder and decoder of a finished run, and a prior fitted to their codes.

    It makes an autoencoder a model to draw from, and matches the prior of a VAE to its aggregate
    posterior. log p(x) is reported if the base has one. One component of full covariance is the
    Gaussian of the codes.

    Args:
        data: those that the base was trained on.
        base: folder of the finished run, of an autoencoder, a vae, …; the new run holds its
            weights, and opens without it.
        prior: p(z), what is fitted; auto is a gaussian-mixture, and of codes that are whole numbers
            pixelcnn, or transformer where they are no grid of two axes.
        given: what the prior is conditioned on; auto is what the base is, or nothing.
        covariance: of a gaussian-mixture that is fitted by em.
        fit: by em, which is for a gaussian-mixture alone, or by gradient; auto is em for it and
            gradient for others.
        samples: posterior samples of each example that em is given.

    Returns:
        The model and how its prior is fitted.

    Raises:
        LowerboundError: no base, one that has no codes, or other data than its own; a prior that
            has nothing to fit.

    Reference:
        Ghosh et al. 2020, From variational to deterministic autoencoders, arXiv 1903.12436; Dai &
        Wipf 2019, Diagnosing and enhancing VAE models, arXiv 1903.05789
    """
    from ..distributions import Delta
    from ..models.two_stage import TwoStage
    from ..objectives.codes import code_density
    from ..objectives.quantized import code_rate
    from ..training.phase import ClosedForm, Phase

    model = _base(data, _made_of(base))
    encoder, decoder = _halves(model)
    latent_shape, levels = tuple(model.latent_shape), getattr(model, "levels", None)
    value = resolve(prior, "gaussian-mixture" if levels is None else _for_codes(model))
    name = value["name"] if isinstance(value, dict) else None
    by_em = fit == "em" or (fit == "auto" and name == "gaussian-mixture")
    own = getattr(model, "condition", None)
    condition = _condition(data, own, given)
    if by_em:
        _refuse_em(model, condition)
        mixture = _mixture(value, latent_shape, covariance)
        fitted: nn.Module = mixture.as_prior()
    else:
        if name == "vamp" and isinstance(getattr(encoder, "family", None), Delta):
            raise LowerboundError(
                "prior vamp: expected a posterior with a density, of which it is a mixture, came "
                "the points of an autoencoder; pass --prior gaussian-mixture"
            )
        told = None if given == "none" else condition
        around = Around(data, encoder, told, levels, getattr(model, "heads", None))
        fitted = build("prior", value, latent_shape, around)
        if not any(p.requires_grad for p in fitted.parameters()):
            raise LowerboundError(
                f"prior: expected one with something to fit, came {name or type(fitted).__name__}; "
                f"pass --prior {'gaussian-mixture' if levels is None else _for_codes(model)}"
            )
        _refuse_other_codes(fitted, name, latent_shape, levels)
    found = TwoStage(
        fitted,
        decoder,
        encoder,
        base=model,
        base_conditions=own is not None,
        prior_conditions=condition is None or _takes_contexts(fitted, given),
        event_shape=tuple(model.event_shape),
        latent_shape=latent_shape,
        no_likelihood=model.no_likelihood,
        condition=condition,
    )
    if not by_em:
        objective = code_density if levels is None else code_rate
        return Built(found, [Phase(objective.__name__, objective, [found.prior])])

    def solve(model: Any, sweep: Any) -> Iterator[dict[str, float]]:
        return _em(model, sweep, samples)

    return Built(found, [ClosedForm("em", solve)])


def _em(model: Any, sweep: Any, samples: int) -> Iterator[dict[str, float]]:
    """EM on codes drawn once: every iteration must see the same."""
    from ..distributions import sample_with_log_prob
    from ..mixtures import em

    model.eval()
    codes = []
    for x in sweep():
        z, _ = sample_with_log_prob(model.encode(x), (samples,))
        codes.append(z.flatten(0, 1))
    for step in em(model.prior.mixture, lambda: iter(codes)):
        told = {name: value for name, value in step.items() if name != "log_likelihood"}
        yield {"code_log_density": step.log_likelihood, **told}


def _mixture(value: Any, latent_shape: tuple[int, ...], covariance: Covariance) -> GaussianMixture:
    from ..mixtures import GaussianMixture

    given = dict(value) if isinstance(value, Mapping) else {"name": type(value).__name__}
    if (name := given.pop("name")) != "gaussian-mixture":
        raise LowerboundError(
            f"fit: expected gradient for prior {name}, came em, which is for a gaussian-mixture; "
            "pass --fit gradient"
        )
    components = given.pop("components", None) or _COMPONENTS
    if given:
        raise LowerboundError(
            f"prior gaussian-mixture: expected components alone where it is fitted by em, came "
            f"{', '.join(given)}; pass --fit gradient"
        )
    return GaussianMixture(latent_shape, components, covariance)


# The base


def _made_of(base: str) -> dict[str, Any]:
    """What a base is made of: read off its folder, or written down in a run already.

    Returns:
        ``run`` (the folder), ``recipe``, ``arguments``, ``choices`` (how its data were prepared
        and split) and ``weights`` (what tells them from others; None where nobody noted it).
    """
    if base.startswith("{"):
        try:
            found = json.loads(base)
            made = {key: found[key] for key in ("run", "recipe", "arguments", "choices")}
            return {**made, "weights": found.get("weights")}
        except (ValueError, KeyError, TypeError):
            raise LowerboundError(
                f"base: expected the folder of a run, came {base[:60]!r}; pass --base runs/…"
            ) from None
    info = _description(base)
    options = info["data"]["options"]
    return {
        "run": str(Path(base).expanduser().resolve()),
        "recipe": info["recipe"],
        "arguments": info["arguments"],
        "choices": {
            **{name: options[name] for name in _CHOICES if name in options},
            **{name: options.get(name) for name in _SPLIT},
        },
        "weights": _digest(Path(base).expanduser()),
    }


def _digest(folder: Path) -> str | None:
    """Of the weights in a run's folder; None where there are none."""
    import hashlib

    path = _weights(folder)
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _weights(folder: Path) -> Path | None:
    """The file that holds them."""
    from ..training.state import CHECKPOINT, WEIGHTS

    return next((folder / n for n in (WEIGHTS, CHECKPOINT) if (folder / n).exists()), None)


def _description(base: str) -> dict[str, Any]:
    """The ``run.json`` of a base whose recipe is one of lowerbound's own."""
    from . import RECIPES

    path = Path(base).expanduser() / _DESCRIPTION
    if not base or not path.is_file():
        came = f"{base}, which is none" if base else "none"
        raise LowerboundError(
            f"base: expected the folder of a finished run, came {came}; pass --base runs/…"
        )
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        named, own = info["recipe"], info.get("own")
        _ = info["arguments"], info["data"]["options"], info["data"]["spec"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise LowerboundError(f"base: {path} is corrupt ({error}); restore it") from None
    if named not in RECIPES or own:
        raise LowerboundError(
            f"base: expected a run of a recipe of lowerbound's own, came {base} of "
            f"{named or 'code of its own'}, which cannot be built again; train it by such a recipe"
        )
    return info


def _base(data: DataSpec, made: Mapping[str, Any]) -> Any:
    """The base's model with its weights; untrained where its folder is gone or holds others by now,
    and the run that is being opened has them."""
    from ..training.checkpoint import fill, load_tensors
    from ..training.state import WEIGHTS, shipped
    from . import RECIPES

    folder = Path(made["run"])
    if made["recipe"] not in RECIPES:
        raise LowerboundError(f"base: expected a recipe of lowerbound's own, came {made['recipe']}")
    function = RECIPES[made["recipe"]]
    model: Any = function(data, **check(function, made["arguments"])).model
    if not (folder / _DESCRIPTION).is_file():
        return model
    path = _weights(folder)
    if made.get("weights") is not None and made["weights"] != _digest(folder):
        return model  # trained again: the prior belongs to the codes of the weights in its own run
    _refuse_other_data(data, _description(str(folder)), folder)
    if path is None:
        raise LowerboundError(
            f"base: expected a finished run, came {folder}, which has no weights yet; pass another"
        )
    found = load_tensors(path)[0]
    fill(model.state_dict(), found if path.name == WEIGHTS else shipped(found), path)
    return model


def _refuse_other_data(data: DataSpec, info: Mapping[str, Any], folder: Path) -> None:
    import numpy as np

    now, then = data.to_json(), info["data"]["spec"]
    for key in _SAME:
        left, right = now[key], then.get(key)
        if key in ("shift", "scale"):
            same = np.shape(left) == np.shape(right) and np.allclose(left, right, rtol=1e-6)
        else:
            same = left == right
        if not same:
            raise LowerboundError(
                f"base: expected the data that {folder} was trained on, of {key} {_brief(right)}, "
                f"came {_brief(left)}; pass the same data with the same options"
            )


def _brief(value: Any) -> str:
    return f"{value[:3]} …" if isinstance(value, list) and len(value) > 3 else str(value)


def _halves(model: Any) -> tuple[Any, Any]:
    """Encoder and decoder, modules from data to codes and back."""
    from torch import nn

    pairs = [("posterior", "likelihood"), ("encoder", "decoder")]
    for names in pairs:
        encoder, decoder = (getattr(model, name, None) for name in names)
        if isinstance(encoder, nn.Module) and isinstance(decoder, nn.Module):
            break
    else:
        raise LowerboundError(
            f"base: expected a model with one encoder and one decoder, came "
            f"{type(model).__name__}; pass a run of vae, autoencoder, …"
        )
    return encoder, decoder


def _for_codes(model: Any) -> str:
    """The prior that fits a grid of whole numbers."""
    axes = len(model.latent_shape) - bool(getattr(model, "heads", False))
    return "pixelcnn" if axes == 2 else "transformer"


def _condition(data: DataSpec, own: Any, given: str) -> Any:
    """What makes the contexts: the base's, or one for the prior alone; None for nothing."""
    from .given import condition_of

    if own is None:
        return None if given == "auto" else condition_of("two-stage", data, given)
    side = getattr(own, "side", None)
    if getattr(own, "of_x", False) or side == "position":
        raise LowerboundError(
            "base: expected a model of whole data without a condition, or given labels or "
            "attributes, came one with another; pass a run of vae, autoencoder, vq-vae, …"
        )
    if given not in ("auto", "none", side):
        raise LowerboundError(
            f"given: expected what the base is conditioned on, {side}, or none, came {given}; "
            f"pass --given {side}"
        )
    return own


def _takes_contexts(fitted: Any, given: str) -> bool:
    """Whether a prior was built for the condition."""
    return given != "none" and bool(getattr(fitted, "event_ranks", ()))


def _refuse_em(model: Any, condition: Any) -> None:
    if getattr(model, "levels", None) is not None:
        raise LowerboundError(
            "fit: expected codes that are numbers for em, came whole ones, of which there is no "
            f"density; pass --prior {_for_codes(model)}"
        )
    if condition is not None:
        raise LowerboundError(
            "base: expected an unconditional model, for a prior of the codes alone, came one with "
            "a condition; pass a run of vae, autoencoder, …, or --fit gradient"
        )


def _refuse_other_codes(
    fitted: Any, name: str | None, latent_shape: tuple[int, ...], levels: int | None
) -> None:
    """A prior of other codes than these."""
    network = getattr(fitted, "network", None)
    known = getattr(network, "levels", None)
    if (known is None) != (levels is None):
        raise LowerboundError(
            f"prior: expected one of codes that are {'real' if levels is None else 'whole'} "
            f"numbers, as the base's are, came {name or type(fitted).__name__}; pass --prior "
            f"{'gaussian-mixture' if levels is None else 'pixelcnn'}"
        )
    shape = tuple(getattr(fitted, "event_shape", latent_shape))
    if known != levels or shape != latent_shape:
        raise LowerboundError(
            f"prior: expected one of codes of shape {latent_shape} with {levels} levels, which the "
            f"base has, came one fitted to codes of shape {shape} with {known}; fit it to these"
        )


def settled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments to be kept in a run: the base as what it is made of, beside where it lies.

    Raises:
        LowerboundError: there is no such run.
    """
    made = _made_of(arguments["base"])
    _description(made["run"])  # one that is gone has no weights to begin with
    return {**arguments, "base": json.dumps(made)}


def prepared_for(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """How the data are prepared and split: as they were for the base."""
    return _made_of(arguments["base"])["choices"]


def refuse_data(
    arguments: Mapping[str, Any], data: Data, alike: Callable[[Data, Mapping[str, Any]], bool]
) -> None:
    """Refuse another split than the base's, whose training examples would be among those tested.

    Args:
        arguments: of the recipe.
        data: to be trained on.
        alike: whether training examples look like those that a run describes.

    Raises:
        LowerboundError: the options of the split differ, or the training examples.
    """
    made = _made_of(arguments["base"])
    for name in _SPLIT:
        if name not in made["choices"]:
            continue
        then, now = made["choices"][name], data.options.get(name)
        if _as_json(then) != _as_json(now):
            raise LowerboundError(
                f"base: expected the split that {made['run']} was trained on, of {name} {then}, "
                f"came {now}; leave {name} out, or pass {then}"
            )
    if (Path(made["run"]) / _DESCRIPTION).is_file():
        info = _description(made["run"])
        same_count = info["data"]["spec"].get("train") in (None, data.spec.train)
        if not same_count or not alike(data, info["data"]):
            raise LowerboundError(
                f"base: expected the data that {made['run']} was trained on, came other training "
                "examples, which may be those that it is tested on; pass the same data, split alike"
            )


def _as_json(value: Any) -> str:
    if isinstance(value, str) and "x" not in value and value.isdigit():  # a size, as text
        value = int(value)
    return json.dumps(value)


# The session that trains asks for them.
vars(two_stage).update(settled=settled, prepared_for=prepared_for, refuse_data=refuse_data)

RECIPES = {"two-stage": two_stage}
