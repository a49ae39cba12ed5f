"""What is left of data when they are encoded and decoded: MSE, PSNR, SSIM, rate and distortion."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import Prepare
from ..distributions import has_closed_form, kl, sample_with_log_prob
from ..errors import LowerboundError
from .arithmetic import mean_and_error
from .chosen import choose_examples
from .codes import posterior_mean
from .conditional import counted
from .decoding import batch, evaluating, home
from .rows import Row, number, with_error

if TYPE_CHECKING:
    from ..runs import Run

Progress = Callable[[int, int], None]

_BATCH = 128
#: Of SSIM's window, and of its two constants (Wang et al. 2004).
WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error over the numbers of each datum, ``(N,)``.

    Args:
        x: ``(N, *event)``.
        y: the same shape.
    """
    _same_shape(x, y)
    return (x - y).flatten(1).square().mean(1)


def psnr(x: Tensor, y: Tensor, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio of each datum, dB, ``(N,)``: 10 log₁₀ peak² / MSE.

    Infinite where nothing differs: a mean over data is best taken of the MSE first.

    Args:
        x: ``(N, *event)``.
        y: the same shape.
        peak: the distance between the least and the greatest possible value.

    >>> psnr(torch.zeros(1, 4), torch.full((1, 4), 0.1)).round(decimals=4)
    tensor([20.])
    """
    return 10.0 * torch.log10(peak**2 / mse(x, y))


def ssim(x: Tensor, y: Tensor, peak: float = 1.0) -> Tensor:
    """Structural similarity of images, in [−1, 1], ``(N,)``: 1 for equal ones.

    Means, variances and covariances are taken in a Gaussian window of 11 x 11 pixels and standard
    deviation 1.5 around every pixel whose window lies inside the image (which leaves out 5 pixels
    at each side), by population formulas; the mean over these pixels and over the channels.

    Args:
        x: ``(N, C, H, W)``, H and W at least 11.
        y: the same shape.
        peak: the distance between the least and the greatest possible value.

    Raises:
        LowerboundError: not two batches of images of one shape, or images below 11 pixels.

    References:
        Wang, Bovik, Sheikh & Simoncelli 2004, Image quality assessment, IEEE TIP 13(4)
    """
    _same_shape(x, y)
    if x.dim() != 4 or min(x.shape[2:]) < WINDOW:
        raise LowerboundError(
            f"ssim: expected images (N, C, H, W) of at least {WINDOW} x {WINDOW} pixels, came "
            f"{tuple(x.shape)}; leave SSIM out"
        )
    channels = x.shape[1]
    at = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    line = torch.exp(-0.5 * (at / SIGMA).square())
    line = line / line.sum()

    def blurred(image: Tensor) -> Tensor:
        rows = line.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
        across = line.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1)
        return F.conv2d(F.conv2d(image, rows, groups=channels), across, groups=channels)

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x = blurred(x * x) - mean_x * mean_x
    variance_y = blurred(y * y) - mean_y * mean_y
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).flatten(1).mean(1)


@dataclass(frozen=True)
class Reconstruction:
    """What :func:`measure` returns; means over held-out examples.

    Attributes:
        examples: measured.
        of: how many there are.
        scale: what the errors are of: ``"[0, 1]"`` (images, from the least to the greatest stored
            value) or ``"x"`` (as the model sees it).
        mse: mean squared error of a number, of the likelihood's mean at the posterior's mean.
        mse_error: its standard error over the examples.
        psnr: 10 log₁₀ 1 / mse, dB; None but for images.
        ssim: structural similarity; None but for images of 11 pixels or more.
        ssim_error: likewise.
        sampled_mse: the same as `mse` with codes drawn from the posterior: what the rate pays for.
            Greater than `mse`. None without a rate.
        rate: mean KL(q(z|x)‖p(z)), nats; None without a prior.
        distortion: mean E_q[−log p(x|z)] of the stored values, nats; None without a likelihood.
        rate_bits: the rate in bits for each of the datum's numbers; distortion_bits: likewise.
        notes: what there is to say beside the table.
        settings: likewise.
    """

    examples: int
    of: int
    scale: str
    mse: float
    mse_error: float | None
    psnr: float | None = None
    ssim: float | None = None
    ssim_error: float | None = None
    sampled_mse: float | None = None
    rate: float | None = None
    distortion: float | None = None
    rate_bits: float | None = None
    distortion_bits: float | None = None
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = "reconstruction"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; a number that is not finite becomes ``None``."""
        content = asdict(self)
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in content.items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Reconstruction:
        """What :meth:`to_json` wrote. Keys of later versions are left aside."""
        given = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        given["notes"] = tuple(given.get("notes", ()))
        return cls(**given)

    def rows(self) -> list[Row]:
        """The numbers for people."""
        unit = "of [0, 1]" if self.scale == "[0, 1]" else "of x"
        text = "mean over numbers of (x − E[x|z])², z the posterior mean"
        rows = [Row("MSE", with_error(self.mse, self.mse_error), unit, "", text)]
        if self.psnr is not None:
            rows.append(Row("PSNR", f"{self.psnr:.2f}", "dB", "", "10 log₁₀ 1 / MSE"))
        if self.ssim is not None:
            text = "Gaussian windows of 11 x 11 pixels inside the image (none over its edge)"
            rows.append(Row("SSIM", with_error(self.ssim, self.ssim_error), "", "", text))
        if self.sampled_mse is not None:
            text = "the same with z drawn from the posterior, as the rate pays for"
            rows.append(Row("MSE, drawn codes", number(self.sampled_mse), unit, "", text))
        if self.rate_bits is not None and self.rate is not None:
            bits = f"{self.rate_bits:.4f}"
            rows.append(Row("rate", bits, "bits/dim", "", f"{number(self.rate)} nats for a datum"))
        if self.distortion_bits is not None and self.distortion is not None:
            text = f"{number(self.distortion)} nats for a datum; with the rate it is −bound"
            rows.append(Row("distortion", f"{self.distortion_bits:.4f}", "bits/dim", "", text))
        return rows


def measure(
    run: Run, *, limit: int | None = None, seed: int = 0, progress: Progress | None = None
) -> Reconstruction:
    """Measure how a run reconstructs held-out data, and at which rate.

    Args:
        run: its model encodes and decodes.
        limit: so many held-out examples at most, drawn by `seed`; None: all.
        seed: see above, and of the drawn codes.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: the model does not encode and decode, or data are categories, of which
            there is no squared error.
    """
    model: Any = run.model
    spec = run.spec
    if not (hasattr(model, "encode") and hasattr(model, "decode")):
        raise LowerboundError(
            f"{run.path} reconstructs nothing ({type(model).__name__} does not encode and decode); "
            "leave out reconstruction, or train a vae"
        )
    if getattr(model, "bijective", False):
        raise LowerboundError(
            f"{run.path} reconstructs everything: its codes are the data through a bijection; "
            "leave out reconstruction"
        )
    if spec.support == "categories":
        raise LowerboundError(
            f"{run.path} is of categories, between which there is no squared error; leave out "
            "reconstruction"
        )
    chosen = choose_examples(model, run.data().test, spec, limit, seed)
    images = spec.kind == "image"
    unit = Prepare(spec).unit if images else (lambda x: x)
    similar = images and len(spec.event_shape) == 3 and min(spec.event_shape[1:]) >= WINDOW
    found: dict[str, list[Tensor]] = {}
    for x, means, draws, rate, distortion in _decoded(model, chosen.x, chosen.context, seed):
        here = unit(x).double()
        parts = {"mse": mse(here, unit(means).double())}
        if draws is not None:
            parts["sampled"] = mse(here, unit(draws).double())
        if similar:
            parts["ssim"] = ssim(here, unit(means).double())
        if rate is not None:
            parts["rate"] = rate.double()
        if distortion is not None:
            parts["distortion"] = distortion.double()
        for name, values in parts.items():
            found.setdefault(name, []).append(values)
        if progress is not None:
            progress(sum(map(len, found["mse"])), len(chosen.x))
    values = {name: torch.cat(parts) for name, parts in found.items()}
    reason = getattr(model, "no_likelihood", None)
    shift, dimensions = counted(model, spec, *chosen.context)
    notes = []
    if hasattr(model, "denoise"):
        notes.append("of clean data; the table above has the error of corrupted ones")
    if reason is not None:
        notes.append(f"no distortion in nats: {reason}")
        values.pop("distortion", None)
    if "distortion" in values:
        values["distortion"] = values["distortion"] - shift
    mean, error = mean_and_error(values["mse"])
    averaged = {name: mean_and_error(values[name]) for name in values}
    bits = dimensions * math.log(2)
    rate, distortion = (averaged.get(name, (None,))[0] for name in ("rate", "distortion"))
    return Reconstruction(
        examples=len(chosen.x),
        of=chosen.of,
        scale="[0, 1]" if images else "x",
        mse=mean,
        mse_error=error,
        psnr=10 * math.log10(1 / mean) if images and mean > 0 else None,
        ssim=averaged.get("ssim", (None, None))[0],
        ssim_error=averaged.get("ssim", (None, None))[1],
        sampled_mse=averaged["sampled"][0] if "sampled" in averaged and rate is not None else None,
        rate=rate,
        distortion=distortion,
        rate_bits=None if rate is None else rate / bits,
        distortion_bits=None if distortion is None else distortion / bits,
        notes=tuple(notes),
        settings={"seed": seed},
    )


def _decoded(model: Any, x: Tensor, context: tuple[Tensor, ...], seed: int) -> Any:
    """Batches of x, its reconstruction at the posterior mean, at a draw, its rate and distortion;
    those that a model does not have are None."""
    device, _ = home(model, x)
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for start in range(0, len(x), _BATCH):
            here, *c = batch(model, slice(start, start + _BATCH), x, *context)
            q = model.encode(here, *c)
            means = model.decode(posterior_mean(q), *c).mean
            draws = rate = distortion = None
            if hasattr(model, "prior"):
                p = model.prior(*c)
                z, log_q = sample_with_log_prob(q)
                rate = kl(q, p) if has_closed_form(q, p) else log_q - p.log_prob(z)
                likelihood = model.decode(z, *c)
                draws = likelihood.mean
                if getattr(model, "no_likelihood", None) is None:
                    distortion = -likelihood.log_prob(here)
            parts = (here, means, draws, rate, distortion)
            yield tuple(None if part is None else part.cpu() for part in parts)


def _same_shape(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.dim() < 2 or len(x) == 0:
        raise LowerboundError(
            f"expected two batches of one shape (N, *event), came {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
