"""A run's decoder and encoder as modules from tensors to tensors, in the units of the data.

These are what is exported: what a model needs of its data's description (shift, scale, levels) is
in the graph, so that whoever runs it needs none of this library.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..conditioning import draw_codes
from ..data import DataSpec, Prepare
from ..errors import LowerboundError
from ..evaluation.codes import posterior_mean
from ..exploring.examples import centre_of
from ..latent.space import Space, space_of
from ..runs import Run
from ..sound import LEVELS
from .inputs import Input, contexts, inputs_of, typical, units

PICTURED = ("image", "video")


class Graph(nn.Module):
    """A part of a model that is exported.

    Attributes:
        inputs: what it is given, in order.
        outputs: names of what it returns.
        run: whose it is; not a module.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]

    def __init__(self, run: Run, space: Space) -> None:
        super().__init__()
        self.model: Any = run.model
        self.prepare = Prepare(run.spec)
        self._space, self._spec = space, run.spec

    @property
    def spec(self) -> DataSpec:
        """Of the data."""
        return self._spec

    def prepared(self, values: Tensor) -> Tensor:
        """Stored values as x, without chance: levels in the middle of their cells, grey pixels cut
        at one half. Sound comes as a wave."""
        spec, prepare = self._spec, self.prepare
        if spec.kind == "audio":
            values = mu_law(values)
        if spec.support == "categories":
            return values.long()
        middle = 0.5 * prepare.step if spec.dequantize == "uniform" else 0.0
        # What lies far from zero has more digits than float32 holds, until it is shifted.
        values = values if values.dtype == torch.float64 else values.float()
        x = ((values - prepare.shift).float() + middle) / prepare.scale
        return (x > 0.5).float() if spec.binarize != "none" else x


class DecoderGraph(Graph):
    """Codes ``(N, width)`` (and what the model is given) to what is shown of p(x|z).

    That is its mean in the units of the data, of pictures between black and white; of categories
    the likeliest; of sound a wave in [-1, 1]. Data far from zero come in float64.

    Args:
        run: of a model with ``decode``.

    Raises:
        LowerboundError: it decodes no codes, or by drawing number after number.
    """

    outputs = ("data",)

    def __init__(self, run: Run) -> None:
        space = space_of(run.model, "export", vectors=True, encoder=False, centre=centre_of(run))
        super().__init__(run, space)
        shape = " x ".join(map(str, space.shape))
        code = Input("code", (space.width,), torch.float32, f"a code, {shape} numbers in a row")
        self.inputs = (code, *inputs_of(self.model, run.spec))
        _refuse_draws(self, run)

    @property
    def space(self) -> Space:
        """Of the codes."""
        return self._space

    def forward(self, code: Tensor, *given: Tensor) -> Tensor:
        z = code.reshape(code.shape[0], *self._space.shape)
        context = contexts(self.model, self.prepared, given)
        found = self._space.centre(self._space.likelihood(z, *context))
        values = self.prepare.expected(found)
        if self._spec.kind == "audio":
            return expanded(values.float())
        if self._spec.kind in PICTURED:
            values = values.clamp(*self._spec.shown)
        return values


class EncoderGraph(Graph):
    """Data ``(N, *event)`` in their units (and what the model is given) to E_q[z] and Std_q[z].

    Args:
        run: of a model with ``encode``.

    Raises:
        LowerboundError: it has none, or a posterior without a mean in closed form.
    """

    outputs = ("mean", "std")

    def __init__(self, run: Run) -> None:
        super().__init__(run, space_of(run.model, "export", vectors=True, centre=centre_of(run)))
        spec = run.spec
        tokens = spec.support == "categories" and spec.kind != "audio"
        data = Input(
            "data",
            tuple(spec.event_shape),
            torch.int64 if tokens else units(spec),
            "a wave in [-1, 1]" if spec.kind == "audio" else "in their own units",
            int(spec.low) if spec.kind in PICTURED else 0,
            spec.levels if tokens else math.ceil(spec.high) + 1 if spec.kind in PICTURED else None,
            *typical(spec),
        )
        given = inputs_of(self.model, spec)
        self.inputs = (data, *given)
        self.outputs = ("mean", "std") if self._has_deviation() else ("mean",)

    def forward(self, data: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        context = contexts(self.model, self.prepared, given)
        q = self.model.encode(self.prepared(data), *context)
        if self._space.vectors:
            rows = self.model.posterior.in_rows(q.mode)
            return (self.model.quantizer.lookup(rows).flatten(1),)
        mean = posterior_mean(q).flatten(1)
        if len(self.outputs) == 1:
            return (mean.float(),)
        if getattr(q, "certain", False):
            return mean, torch.zeros_like(mean)
        return mean, q.variance.sqrt().flatten(1)

    def _has_deviation(self) -> bool:
        """Whether Std_q[z] is known; refuses where not even the mean is."""
        if self._space.vectors:
            return False
        if getattr(getattr(self.model, "condition", None), "side", None) == "position":
            raise LowerboundError("its posterior is fitted to each example, so there is no encoder")
        data, *given = examples(self, 2)
        with torch.no_grad():
            context = contexts(self.model, self.prepared, tuple(given))
            q = self.model.encode(self.prepared(data), *context)
            try:
                mean = q.mean
            except NotImplementedError:
                raise LowerboundError(
                    f"its posterior ({type(q).__name__}) knows no mean but by drawing"
                ) from None
            try:
                return mean.is_floating_point() and q.variance.shape == mean.shape
            except NotImplementedError:
                return False


def mu_law(wave: Tensor) -> Tensor:
    """Levels of a wave; see :func:`lowerbound.sound.mu_law`."""
    mu = LEVELS - 1
    v = wave.float().clamp(-1.0, 1.0)
    f = v.sign() * torch.log(1.0 + mu * v.abs()) / math.log1p(mu)
    return ((f + 1.0) * (0.5 * mu) + 0.5).floor()


def expanded(levels: Tensor) -> Tensor:
    """The wave of mu-law levels; see :func:`lowerbound.sound.expand`."""
    mu = LEVELS - 1
    f = 2.0 * levels / mu - 1.0
    return f.sign() * (torch.exp(f.abs() * math.log1p(mu)) - 1.0) / mu


def examples(graph: Graph, n: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Some inputs that fit, ``(n, ...)`` each; codes are draws of the prior where there is one."""
    generator = torch.Generator().manual_seed(seed)
    found = [each.example(n, generator) for each in graph.inputs]
    if isinstance(graph, DecoderGraph) and hasattr(graph.model, "prior"):
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = draw_codes(graph.model, n, *contexts(graph.model, graph.prepared, tuple(found[1:])))
            if graph.space.vectors:
                z = graph.model.quantizer.lookup(graph.model.posterior.in_rows(z))
        found[0] = z.reshape(n, -1).float()
    return tuple(found)


def _refuse_draws(graph: DecoderGraph, run: Run) -> None:
    """Refuse decoders whose data depend on one another given the code: they have no mean."""
    space: Space = graph.space
    code, *given = examples(graph, 2)
    with torch.no_grad():
        context = contexts(graph.model, graph.prepared, tuple(given))
        found = space.likelihood(code.reshape(2, *space.shape), *context)
    if getattr(found, "sampling_options", ()) or hasattr(found, "network"):
        raise LowerboundError(
            f"export: expected a decoder that gives a datum at once, came {run.path}, which draws "
            f"it number after number ({type(found).__name__}); export a vae, an autoencoder or a "
            "gan"
        )
