"""Every named model: one typed function each, with its paper.

A recipe takes what there is to know of the data and returns a model and how it is trained. Its
keyword-only parameters are the options of the command line, of the YAML file and of the checkpoint
(:mod:`lowerbound.options`); its text is their help. Bodies import the models, this package imports
no torch.

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
from pathlib import Path

from ..errors import LowerboundError, nearest
from . import (
    adversarial,
    autoencoders,
    autoregressive,
    conditional,
    disentangling,
    flows,
    hierarchical,
    importance,
    inference,
    linear,
    matched,
    mixtures,
    perceptual,
    quantized,
    sequences,
    stacked,
    tokens,
    two_grids,
    two_stage,
)
from . import vae as vaes
from .autoencoders import autoencoder
from .linear import pca
from .parts import Built, latent_model
from .vae import vae

__all__ = ["RECIPES", "Built", "autoencoder", "latent_model", "pca", "recipe", "vae"]

# In the order in which they are listed.
RECIPES: dict[str, Callable[..., Built]] = {
    name: function
    for group in (
        vaes,
        importance,
        disentangling,
        conditional,
        hierarchical,
        inference,
        autoencoders,
        tokens,
        linear,
        mixtures,
        flows,
        quantized,
        two_grids,
        autoregressive,
        adversarial,
        stacked,
        matched,
        perceptual,
        two_stage,
        sequences,
    )
    for name, function in group.RECIPES.items()
}


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
