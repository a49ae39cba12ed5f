"""Adam and AdamW over lists of tensors: one arithmetic for the eager and the compiled step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam as functional_adam

from .mirrors import Mirrors

_TINY = torch.finfo(torch.float32).tiny  # the least number that is not denormal
_SELDOM = 256  # updates after which moments are looked at, if they need it no sooner


class Adam:
    """Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) with decoupled decay.

    Within a compiled step `update` is traced as plain arithmetic, which the compiler fuses with the
    end of each gradient: on a CPU the optimizer is bound by memory, and this reads every gradient
    once, in the precision it was computed in. In eager mode it is torch's own fused kernel.

    Args:
        parameters: the tensors to move, float32.
        beta1, beta2: decays of the two moments.
        epsilon: added to the root of the corrected second moment.
        weight_decay: see `decoupled`.
        decoupled: decay the weights themselves (AdamW) instead of adding to the gradient.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay, self.decoupled = weight_decay, decoupled
        self.first = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.second = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.count = 0  # updates done
        self.mirrors = Mirrors(self.parameters)
        self._counts = [torch.zeros((), dtype=torch.float32, device=p.device) for p in parameters]
        self._scalars = torch.empty(3)
        self._written = self._scalars.numpy()  # a tensor made of numbers costs 1 % of a small step
        # The least moments that are kept, of both kinds, and updates until those are denormal.
        self._least = (
            max(1e-12 * epsilon, 2.0**32 * _TINY),
            max(1e-16 * epsilon**2, 2.0**10 * _TINY),
        )
        self._settle_every = min(
            _SELDOM,
            *(
                max(1, int(math.log(_TINY / least) / math.log(beta)))
                for least, beta in zip(self._least, (beta1, beta2), strict=True)
                if 0.0 < beta < 1.0
            ),
        )

    def scalars(self, learning_rate: float) -> Tensor:
        """What changes from one update to the next, float32 (3,): learning rate, its
        bias-corrected value, and the correction of the second moment's root. The next call writes
        over it."""
        self.count += 1
        if self.count % self._settle_every == 0:
            self._settle()
        corrected = learning_rate / (1.0 - self.beta1**self.count)
        root = 1.0 / math.sqrt(1.0 - self.beta2**self.count)
        self._written[:] = learning_rate, corrected, root
        return self._scalars

    def _settle(self) -> None:
        """Set to zero the moments on a CPU that are too small to move their weights.

        The first moment of a weight that has no gradient any more (that of a pixel which is black
        in nearly every image) decays to a denormal number and stays one: times 0.9 it rounds to
        itself. A CPU's arithmetic is slow on those: Intel's took 5 times as long for the first
        layer on MNIST. Torch's `set_flush_denormal` reaches the main thread only.

        A first moment below 1e-12 epsilon moves its weight by less than 1e-12 of the learning rate;
        the root of a second one below 1e-16 epsilon^2 adds nothing to epsilon in float32.
        """
        for moments, least in zip((self.first, self.second), self._least, strict=True):
            for moment in moments:
                if moment.device.type == "cpu":
                    torch.ops.aten.hardshrink.out(moment, least, out=moment)

    def update(self, gradients: Sequence[Tensor], scalars: Tensor) -> None:
        """Move the parameters once."""
        if not self.parameters:
            return
        with torch.no_grad():
            if torch.compiler.is_compiling():
                self._traced(gradients, scalars)
            else:
                self._fused(gradients, float(scalars[0]))

    def _traced(self, gradients: Sequence[Tensor], scalars: Tensor) -> None:
        rate, corrected, root = scalars.unbind()
        mirrors = self.mirrors.copies or [None] * len(self.parameters)
        state = zip(self.parameters, gradients, self.first, self.second, mirrors, strict=True)
        for p, g, m, v, mirror in state:
            g = g.to(p.dtype)
            if self.weight_decay and self.decoupled:
                p.mul_(1.0 - rate * self.weight_decay)
            elif self.weight_decay:
                g = g + self.weight_decay * p
            m.mul_(self.beta1).add_(g, alpha=1.0 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1.0 - self.beta2)
            p.sub_(corrected * m / (v.sqrt() * root + self.epsilon))
            if mirror is not None:
                mirror.copy_(p)

    def _fused(self, gradients: Sequence[Tensor], rate: float) -> None:
        for count in self._counts:
            count.fill_(self.count - 1)
        functional_adam(
            self.parameters,
            [_laid_out(g, p) for g, p in zip(gradients, self.parameters, strict=True)],
            self.first,
            self.second,
            [],
            self._counts,
            fused=True,
            amsgrad=False,
            beta1=self.beta1,
            beta2=self.beta2,
            lr=rate,
            weight_decay=self.weight_decay,
            eps=self.epsilon,
            maximize=False,
            decoupled_weight_decay=self.decoupled,
        )


def _laid_out(gradient: Tensor, like: Tensor) -> Tensor:
    """The gradient with its numbers in the memory's order of ``like``.

    The fused kernel walks over memory and looks at no stride: beside weights that lie channels
    last, a gradient that does not would move the wrong ones.
    """
    if gradient.stride() == like.stride() and gradient.dtype == like.dtype:
        return gradient
    return torch.empty_like(like, requires_grad=False).copy_(gradient)
