"""StackGAN: a sentence, a small image of it, and a larger one that is put right."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from ..distributions import DiagonalNormal, Family, PointMass, Reducible
from ..distributions.families import LOG_SCALE_RANGE
from .base import drawn_from, one_for_each
from .discriminator import Discriminator, Verdict
from .gan import NO_LIKELIHOOD

Stage = Literal[0, 1]


class Augmentation(nn.Module):
    """Conditioning augmentation: q(c | sentence), a normal about what is read of it.

    Sentences are few, and what is between them has no image to learn from: drawn conditions fill it
    up, held near the standard normal by their rate.

    Args:
        features: numbers that a sentence becomes.
        width: numbers in c.
        drawn: whether c is drawn, or is the mean itself.

    Reference:
        Zhang et al. 2017, StackGAN, arXiv 1612.03242, section 3.2
    """

    def __init__(self, features: int, width: int, drawn: bool = True) -> None:
        super().__init__()
        self.width, self.drawn = width, drawn
        self.network = nn.Linear(features, 2 * width if drawn else width)
        self.scale = features**0.5  # sentences are vectors of length 1

    def forward(self, features: Tensor) -> DiagonalNormal:
        """q(c | sentence) of vectors ``(N, features)``; without draws of scale one, and unused."""
        raw = self.network(features * self.scale)
        if not self.drawn:
            return DiagonalNormal(raw, torch.zeros_like(raw))
        mean, log_scale = raw.chunk(2, 1)
        return DiagonalNormal(mean, log_scale.clamp(*LOG_SCALE_RANGE))

    def condition(self, q: DiagonalNormal, noise: Tensor) -> Tensor:
        """c of noise ``(N, width)``."""
        return torch.addcmul(q.loc, noise, q.scale) if self.drawn else q.loc

    def rate(self, q: DiagonalNormal) -> Tensor:
        """KL(q ‖ N(0, I)) in closed form, nats, ``(N,)`` (EQUATIONS 26); 0 where nothing is drawn.

        ``Σ [½(μ² + σ² − 1) − log σ]``.
        """
        if not self.drawn:
            return torch.zeros_like(q.loc[:, 0])
        each = 0.5 * (q.loc.square() + (2.0 * q.log_scale).exp() - 1.0) - q.log_scale
        return each.sum(1)


class Look(nn.Module):
    """Small images to vectors of length 1, from which sentences are learned.

    Args:
        network: ``(N, C, h, w)`` -> ``(N, features)``.
        centred: whether images lie in [0, 1] and are moved to [-1, 1] first.
    """

    def __init__(self, network: nn.Module, centred: bool = True) -> None:
        super().__init__()
        self.network, self.centred = network, centred
        #: Log of what similarities, which lie in [-1, 1], are multiplied with to be logits.
        self.sharpness = nn.Parameter(torch.tensor(2.5))

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.network(2.0 * x - 1.0 if self.centred else x), dim=1)


class Judge(Discriminator):
    """A discriminator of images and what sentences say of them, which looks at an image once."""

    def logits(self, x: Tensor, *sentences: Tensor | None) -> list[Tensor]:
        """Of x ``(N, *event)`` with each of some sentences ``(N, features)``: ``(N,)`` each.

        None stands for the image alone, of which a discriminator can judge that is told sentences
        by projection.
        """
        if (along := self.along) is None:
            return [self(x, each).logit for each in sentences]
        features = self._features(x, [])
        alone = self.logit(features).squeeze(1)

        def of(sentence: Tensor | None) -> Tensor:
            if sentence is None:
                return alone
            return alone + (features * along(self._vectors(x, sentence)[0])).sum(1)

        return [of(each) for each in sentences]


class Generator(Reducible):
    """A stage's generator: a network on codes and condition, a family on what it returns.

    Args:
        network: ``(N, ...)``, ``(N, width)`` -> ``(N, *raw_shape)``.
        family: turns that into a point.
        augmentation: of the stage's own.
    """

    def __init__(self, network: nn.Module, family: Family, augmentation: Augmentation) -> None:
        super().__init__()
        self.network, self.family, self.augmentation = network, family, augmentation

    def forward(self, start: Tensor, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """An image for each ``(N, *event)``, and the rate of its condition ``(N,)``."""
        q = self.augmentation(features)
        c = self.augmentation.condition(q, noise)
        if self.precision is None:
            raw = self.network(start, c)
        else:
            with torch.autocast(start.device.type, self.precision):
                raw = self.network(start, c).float()
        return self.family(raw).mean, self.augmentation.rate(q)


class StackGAN(nn.Module):
    """z and a sentence -> a small image -> a large one; a discriminator at each size.

    A code is three normals: of the image, and of both stages' conditions.

    Args:
        prior: p(z), a standard normal over ``latent_shape``.
        condition: the sentences.
        text: sentences as the condition gives them to vectors ``(N, features)`` of length 1.
        look: what `text` is learned from; None where sentences come as vectors.
        generators: of both stages.
        judges: the discriminators of both stages.
        low: ``(C, h, w)`` of the small image.
        high: of an example.
        noise: numbers in the code of the image.

    Reference:
        Zhang et al. 2017, StackGAN: text to photo-realistic image synthesis with stacked generative
        adversarial networks, arXiv 1612.03242
    """

    def __init__(
        self,
        prior: nn.Module,
        condition: nn.Module,
        text: nn.Module,
        look: Look | None,
        generators: tuple[Generator, Generator],
        judges: tuple[Judge, Judge],
        *,
        low: tuple[int, ...],
        high: tuple[int, ...],
        noise: int,
    ) -> None:
        super().__init__()
        self.prior, self.condition, self.text, self.look = prior, condition, text, look
        self.generators, self.judges = nn.ModuleList(generators), nn.ModuleList(judges)
        self.event_shape, self.low = tuple(high), tuple(low)
        self._widths = [noise, *(each.augmentation.width for each in generators)]
        self.latent_shape = (sum(self._widths),)
        self.no_likelihood: str | None = NO_LIKELIHOOD

    # Reading

    def read(self, sentences: Tensor) -> Tensor:
        """Vectors ``(N, features)`` of sentences as the condition gives them."""
        return self.text(sentences)

    def seen(self, x: Tensor) -> Tensor:
        """Vectors ``(N, features)``, of length 1, of data ``(N, *event_shape)``."""
        assert self.look is not None
        return self.look(self.sized(x, 0))

    def sized(self, x: Tensor, stage: Stage) -> Tensor:
        """Data ``(N, *event_shape)`` as the stage's discriminator sees them."""
        if stage == 1:
            return x
        return functional.adaptive_avg_pool2d(x, (self.low[1], self.low[2]))

    # Drawing

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """One code for each of `count` examples, ``(count, *latent_shape)``."""
        return one_for_each(self.prior(*context), count)

    def paint(self, z: Tensor, features: Tensor, stage: Stage = 1) -> tuple[Tensor, Tensor]:
        """Images of codes ``(N, *latent_shape)`` and what was read ``(N, features)``.

        A phase of the second stage asks for no gradient of the first.

        Returns:
            ``(N, C, h, w)`` or ``(N, *event_shape)``, and the rate of that stage's condition,
            nats, ``(N,)``.
        """
        of_image, first, second = z.split(self._widths, -1)
        if stage == 0:
            return self.generators[0](of_image, features, first)
        with torch.no_grad():
            small, _ = self.generators[0](of_image, features, first)
        return self.generators[1](small, features, second)

    def decode(self, z: Tensor, sentences: Tensor) -> Distribution:
        """The large images as points: batch ``(*S, *B)`` for z ``(*S, *B, *latent_shape)`` and
        sentences ``(*B, L)``."""
        lead = torch.broadcast_shapes(z.shape[:-1], sentences.shape[:-1])
        features = self.read(sentences.reshape(-1, sentences.shape[-1]))
        features = features.reshape(*sentences.shape[:-1], -1).expand(*lead, -1)
        codes = z.expand(*lead, -1).reshape(-1, z.shape[-1])
        return self._point(codes, features.reshape(codes.shape[0], -1), lead)

    def between(self, z: Tensor, left: Tensor, right: Tensor, share: Tensor) -> Distribution:
        """Images on the way from one sentence to another: what is read of them is mixed.

        Args:
            z: codes ``(N, *latent_shape)``.
            left: a sentence, ``(N, L)``.
            right: another, the same.
            share: of the right one, in [0, 1], ``(N,)``.
        """
        ends = torch.stack([self.read(left), self.read(right)])
        mixed = torch.lerp(ends[0], ends[1], share[:, None])
        return self._point(z, functional.normalize(mixed, dim=1), z.shape[:-1])

    def _point(self, codes: Tensor, features: Tensor, lead: Any) -> Distribution:
        images, _ = self.paint(codes, features)
        return PointMass(images.reshape(*lead, *self.event_shape), len(self.event_shape))

    def judge(self, x: Tensor, sentences: Tensor) -> Verdict:
        """The second discriminator's word on x ``(N, *event_shape)`` and its sentences."""
        return self.judges[1](x, self.read(sentences))

    @torch.no_grad()
    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """Codes ``(n, *B, *latent_shape)``, B the context's batch dimensions."""
        return drawn_from(self.prior(*context), n, self.condition, context)

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor) -> Tensor:
        """Data ``(n, *B, *event_shape)``."""
        return self.decode(self.sample_prior(n, *context), *context).mean
