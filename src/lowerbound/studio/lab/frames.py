"""What is drawn of a model as it stands, as numbers: the page draws, and computes nothing.

Codes and noise are drawn once, so that a sample moves as the model does, and not because it is
another one.
"""

from __future__ import annotations

import base64
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.planar import Blobs, entropy
from ...distributions import DiagonalNormal, kl
from ...divergences import gaussian_kernel, mmd
from ...evaluation.codes import normal_factors
from ...evaluation.samples.modes import Modes
from . import surfaces
from .trainer import Trainer

REACH, CODES = 3.0, 3.6  # of the squares that are shown
SAMPLES, SHOWN, MARKED, ARROWS, MANY = 1500, 600, 28, 80, 4096
_NODES, _CURVE = 25, 201
_LATER = 4.0  # surfaces take at most one part in so many of the time …
_SOON = 0.1  # … and are no older than so many seconds, if that lets them


def pack(values: Any) -> dict[str, Any]:
    """Numbers for the page: little-endian float32 in base64, and their shape."""
    array = np.ascontiguousarray(np.asarray(values), "<f4")
    return {"shape": list(array.shape), "f32": base64.b64encode(array.tobytes()).decode()}


class Looks:
    """How a trainer's model is looked at.

    Args:
        trainer: of the model.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.setup, self.model = trainer, trainer.setup, trainer.model
        self.density = self.setup.planar()
        self.x = trainer.data.train.all().float()
        self.test = trainer.data.test.all().float()
        self.latent = {"flow": 2, "gmm": 0}.get(self.setup.model, self.setup.latent)
        self.pair = list(range(min(2, self.latent)))
        generator = torch.Generator().manual_seed(self.setup.seed)
        self.z = torch.randn(SAMPLES, self.latent, generator=generator)
        self.noise = torch.randn(SAMPLES, 2, generator=generator)
        self.many = _spread(MANY, self.latent, self.setup.seed)
        self._told = self._cost = 0.0

    # What does not change

    def about(self) -> dict[str, Any]:
        """Of the density and its points; told once."""
        nats, error = entropy(self.density)
        truth = self.density.log_prob(surfaces.places(REACH).double().numpy())
        side = surfaces.SIDE
        found = {
            "reach": REACH,
            "codes_reach": CODES,
            "points": pack(self.x),
            "truth": pack(np.maximum(truth, -60.0).reshape(side, side)),
            "entropy": {"nats": nats, "error": error},
            "latent": self.latent,
            "noise": pack(self.z[:, :2]),
            "modes": None,
        }
        if isinstance(self.density, Blobs):
            found["modes"] = len(self.density.centres)
        return found

    # What does

    def frame(self, whole: bool = True) -> dict[str, Any]:
        """The picture as numbers.

        Args:
            whole: with the surfaces, also if they are not due.
        """
        begin = time.perf_counter()
        due = whole or begin - self._told >= max(_SOON, _LATER * self._cost)
        with self.trainer.alone(), torch.no_grad(), self.trainer.looking():
            torch.manual_seed(self.setup.seed)  # a mixture's samples, and nothing else
            found = self._light()
            if due:
                found |= self._heavy(found["samples"])
        if due:
            self._told = time.perf_counter()
            self._cost = self._told - begin
        return {name: _packed(value) for name, value in found.items() if value is not None}

    def draw(self, count: int) -> np.ndarray:
        """Samples of the model as it stands, ``(count, 2)``; reconstructions of one without."""
        with self.trainer.alone(), torch.no_grad(), self.trainer.looking():
            torch.manual_seed(self.setup.seed + self.trainer.step)
            if self.setup.model == "ae":
                return self._reconstructed(self.x[:count]).numpy()
            return self.model.sample(count).numpy()

    def _light(self) -> dict[str, Any]:
        if self.setup.model == "gmm":
            return {"samples": self.model.sample(SAMPLES), **self._components()}
        found: dict[str, Any] = {}
        if self.setup.model == "ae":
            found["samples"] = self._reconstructed(self.x[:SAMPLES])
        else:
            p = self.model.decode(self.z)
            found["samples"] = p.mean + p.variance.sqrt() * self.noise
        found |= self._encoded()
        nodes = self._nodes(found.get("codes"))
        place = torch.zeros(*nodes.shape[:2], self.latent)
        place[..., self.pair] = nodes
        found["nodes"], found["node_codes"] = self.model.decode(place).mean, nodes
        if self.setup.model == "gan":
            at = found["samples"][:ARROWS]
            found["arrows"] = torch.cat([at, surfaces.pull(self._judge, at, self._loss)], 1)
        return found

    def _heavy(self, samples: Tensor) -> dict[str, Any]:
        found: dict[str, Any] = {"reading": self._reading(samples)}
        match self.setup.model:
            case "flow" | "gmm":
                found["heat"] = surfaces.over(self.model.log_prob, REACH)
            case "vae" | "iwae" | "aae":
                p = self.model.decode(self.many)
                found["heat"] = surfaces.log_mixture(p.mean, p.variance.sqrt(), REACH)
            case "gan":
                found["heat"] = surfaces.over(self._judge, REACH)
        if self.setup.model == "aae":
            found["code_heat"] = self._critic()
        elif self.setup.model in ("vae", "iwae"):
            found["code_heat"] = self._aggregate()
        return found

    def _reading(self, samples: Tensor) -> dict[str, Any]:
        """Numbers on held-out points, and on samples against them."""
        found: dict[str, Any] = {}
        if self.setup.model in ("flow", "gmm"):
            found["held_out"] = float(self.model.log_prob(self.test).mean())
        elif self.setup.model in ("vae", "iwae", "aae"):
            p = self.model.decode(self.many[:2048])
            found["held_out"] = float(surfaces.log_mixture_prob(p, self.test[:400]).mean())
        near = partial(gaussian_kernel, width=0.5)
        found["mmd"] = float(mmd(samples[:500], self.test[:500], near))
        if isinstance(self.density, Blobs):
            count = len(self.density.centres)
            modes = Modes(self.density.centres, self.density.std)
            least = max(1, len(samples) // (10 * count))
            covered = modes.coverage(samples.double().numpy(), least=least)
            found["modes"], found["good"] = covered.covered, float(covered.good.value)
        return found

    def _encoded(self) -> dict[str, Any]:
        """Codes of some points, posteriors of a few, and what the decoder makes of these."""
        if not hasattr(self.model, "encode"):
            return {}
        x = self.x[:SHOWN]
        q = self.model.encode(x)
        found: dict[str, Any] = {}
        rates = self._rates(q)
        if rates is not None and self.latent > 2:
            self.pair = sorted(rates.argsort(descending=True)[:2].tolist())
        found["codes"] = q.mean[:, self.pair]
        found["rates"] = None if rates is None else rates.tolist()
        found["pair"] = self.pair
        if isinstance(q, DiagonalNormal):
            marked = torch.cat([q.mean, q.scale.expand_as(q.mean)], 1)
            of = [*self.pair, *(self.latent + k for k in self.pair)]
            found["posteriors"] = marked[:MARKED, of]
        p = self.model.decode(q.mean[:MARKED])
        if self.setup.model in ("vae", "iwae", "aae"):
            found["decoded"] = torch.cat([p.mean, p.variance.sqrt()], 1)
            found["sigma"] = float(p.variance.mean().sqrt())
        return found

    def _rates(self, q: Any) -> Tensor | None:
        """KL of each dimension of the code, nats; of one without, the spread of its codes."""
        if self.setup.model in ("vae", "iwae"):
            factors, prior = normal_factors(q), normal_factors(self.model.prior())
            assert factors is not None and prior is not None
            return kl(factors, prior).mean(0)
        return None if self.latent <= 2 else q.mean.var(0)

    def _nodes(self, codes: Tensor | None) -> Tensor:
        """A grid of the prior's quantiles, of equal mass in each cell, ``(rows, columns, 1 or
        2)``; where there is no prior one over the codes that there are."""
        count = _CURVE if len(self.pair) == 1 else _NODES
        share = torch.linspace(0.0, 1.0, count)
        if self.setup.model == "ae":
            assert codes is not None
            low, high = codes.amin(0), codes.amax(0)
            axes = [a + (b - a) * share for a, b in zip(low, high, strict=True)]
        else:
            least = 0.002 if len(self.pair) == 1 else 0.006
            axes = [torch.special.ndtri(share.clamp(least, 1.0 - least))] * len(self.pair)
        if len(axes) == 1:
            return axes[0][None, :, None]
        y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")
        return torch.stack([x, y], -1)

    def _components(self) -> dict[str, Any]:
        covariances = self.model.covariances
        answers = self.model.responsibilities(self.x[:SAMPLES])
        return {
            "weights": self.model.weights.tolist(),
            "means": self.model.means,
            "covariances": covariances,
            "which": answers.argmax(1).tolist(),
        }

    def _aggregate(self) -> Tensor:
        """log of the aggregate posterior 1/N Σ q(z|x) of the points shown: a surface, or a curve
        where codes are one number."""
        q = self.model.encode(self.x[:SHOWN])
        loc, scale = q.mean[:, self.pair], q.scale.expand_as(q.mean)[:, self.pair]
        if len(self.pair) == 2:
            return surfaces.log_mixture(loc, scale, CODES)
        at = surfaces.middles(CODES, 2 * surfaces.SIDE)
        return surfaces.log_mixture_prob(DiagonalNormal(loc, scale.log()), at[:, None])

    def _critic(self) -> Tensor:
        """The critic's logits: a surface, or a curve."""

        def judge(at: Tensor) -> Tensor:
            codes = torch.zeros(len(at), self.latent)
            codes[:, self.pair] = at
            return self.model.judge_codes(codes).logit

        if len(self.pair) == 2:
            return surfaces.over(judge, CODES)
        return judge(surfaces.middles(CODES, 2 * surfaces.SIDE)[:, None])

    def _judge(self, x: Tensor) -> Tensor:
        return self.model.judge(x).logit

    @property
    def _loss(self) -> Any:
        return self.setup.loss

    def _reconstructed(self, x: Tensor) -> Tensor:
        return self.model.decode(self.model.encode(x).mean).mean


def _packed(value: Any) -> Any:
    return pack(value.numpy()) if isinstance(value, Tensor) else value


def _spread(count: int, latent: int, seed: int) -> Tensor:
    """Codes of N(0, I), more evenly than draws: a Sobol sequence through its quantiles."""
    if latent == 0:
        return torch.empty(count, 0)
    u = torch.quasirandom.SobolEngine(latent, scramble=True, seed=seed).draw(count)
    return torch.special.ndtri(u.clamp(1e-6, 1.0 - 1e-6))
