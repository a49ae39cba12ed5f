"""From a small image and a condition to the same image at a higher resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .conv import ResidualBlock
from .dcgan import _down, _up
from .start import initialise_, output_

_EDGE = 0.02  # how near to black and white a pixel comes before its logit is taken


class Refiner(nn.Module):
    """The second stage: what is added to the enlarged first image.

    The image goes down to half its sides, where the condition joins at every place, through
    residual blocks, and up to twice them, normalised over the batch: without, a critic soon drove
    it to ringing where eyes belong. The output starts as the enlarged image itself, and what the
    condition says is put right from there.

    Args:
        low: ``(C, h, w)`` of the small image.
        high: ``(C, H, W)`` of the large one, of sides about twice as long.
        context: numbers in the condition.
        channels: at the highest resolution; twice and three times as many below.
        blocks: residual blocks at half the small image's sides.
        unit: whether images lie in [0, 1] and the output is their logit.

    Shape:
        ``(N, C, h, w)``, ``(N, context)`` -> ``(N, C, H, W)``.

    Reference:
        Zhang et al. 2017, StackGAN, arXiv 1612.03242, section 3.4; the paper's second stage draws
        the image anew, this one corrects it

    >>> refine = Refiner((3, 8, 7), (3, 16, 13), 4, channels=4)
    >>> image = torch.full((2, 3, 8, 7), 0.25)
    >>> float(refine(image, torch.randn(2, 4)).sigmoid().mean().detach())
    0.25
    """

    def __init__(
        self,
        low: Sequence[int],
        high: Sequence[int],
        context: int,
        *,
        channels: int = 16,
        blocks: int = 2,
        unit: bool = True,
    ) -> None:
        super().__init__()
        depth, *small = low
        large = list(high[1:])
        half = [(side + 1) // 2 for side in small]
        wide = 3 * channels
        self.size, self.unit = (large[0], large[1]), unit
        self.begin = initialise_(nn.Conv2d(depth, 2 * channels, 3, padding=1), "linear")
        self.down = _down(2 * channels, wide, (small[0], small[1]), (half[0], half[1]))
        self.join = nn.Linear(context, wide, bias=False)
        self.blocks = nn.Sequential(*[ResidualBlock(wide, "leaky-relu") for _ in range(blocks)])
        self.up = _up(wide, 2 * channels, (half[0], half[1]), (small[0], small[1]))
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(n) for n in (2 * channels, wide, 2 * channels, channels)
        )
        self.enlarge = _up(2 * channels, channels, (small[0], small[1]), self.size)
        self.end = output_(nn.Conv2d(channels, depth, 3, padding=1), gain=0.0)
        for part in (self.begin, self.down, self.blocks, self.up, self.enlarge, self.end):
            part.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]

    def forward(self, image: Tensor, context: Tensor) -> Tensor:
        image = image.contiguous(memory_format=torch.channels_last)
        centred = 2.0 * image - 1.0 if self.unit else image
        begun, lowest, joined, highest = self.norms
        first = functional.leaky_relu(begun(self.begin(centred)), 0.2)
        h = lowest(self.down(first)) + self.join(context)[:, :, None, None]
        h = self.up(functional.leaky_relu(self.blocks(h), 0.2))
        h = functional.leaky_relu(joined(h + first), 0.2)
        h = self.end(functional.leaky_relu(highest(self.enlarge(h)), 0.2))
        large = functional.interpolate(image, self.size, mode="bilinear", align_corners=False)
        large = large.clamp(_EDGE, 1.0 - _EDGE).logit() if self.unit else large
        return (large + h).contiguous()
