"""Codes from N(0, I), decoded by an autoencoder and by a VAE: only one was trained on such."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..evaluation.samples import Classifier, frechet, precision_recall
from .digits import Digits, digits, fit
from .result import Demonstration, number

_SURE = 0.9


class Generated(NamedTuple):
    """Images of decoded codes, and what is said of them.

    Attributes:
        images: ``(N, 1, H, W)`` in [0, 1].
        sure: share that the classifier gives more than 0.9 to one class.
        fid: Fréchet distance of its features from those of held-out images.
        fid_error: its standard error.
        at_home: share of the drawn codes that lie where codes of held-out data do (precision in
            code space, k = 3); None of real images.
    """

    images: Tensor
    sure: float
    fid: float
    fid_error: float | None
    at_home: float | None


def judged(
    judge: Classifier, images: Tensor, real: Tensor, at_home: float | None = None
) -> Generated:
    """What a classifier says of images beside real ones."""
    found = frechet(judge.features(images), judge.features(real))
    sure = float((judge.proba(images).max(1) > _SURE).mean())
    return Generated(images, sure, found.value, found.standard_error, at_home)


def generated(model: Any, codes: Tensor, of_data: Tensor, found: Digits) -> Generated:
    """Codes ``(N, L)``, decoded; `of_data` are those of held-out images, ``(M, L)``."""
    with torch.no_grad():
        images = model.decode(codes).mean.clamp(0.0, 1.0).unflatten(1, found.test.shape[1:])
    home = precision_recall(of_data.numpy(), codes.numpy()).precision.value
    return judged(found.judge, images, found.test, home)


def _than(ours: Generated, theirs: Generated) -> str:
    """How one distance stands to another, no difference below two standard errors of it."""
    error = 2.0 * math.hypot(ours.fid_error or 0.0, theirs.fid_error or 0.0)
    if abs(ours.fid - theirs.fid) <= error:
        return "not told apart from"
    return "less than" if ours.fid < theirs.fid else "more than"


def demonstrate(
    *, seed: int = 0, steps: int = 2000, latent: int = 16, count: int = 1000
) -> Demonstration:
    """One architecture, trained on squared error and on the bound."""
    from ..plots.arguments import generated_sheets

    found = digits(seed=seed)
    sigma = {"name": "gaussian", "sigma": "learned"}
    autoencoder = fit("autoencoder", found.train, latent=latent, steps=steps, seed=seed)
    vae = fit("vae", found.train, latent=latent, steps=steps, seed=seed, likelihood=sigma)
    random = torch.Generator().manual_seed(seed)
    prior = torch.randn(count, latent, generator=random)
    with torch.no_grad():
        learnt = autoencoder.encode(found.train.flatten(1)).mean
        points = autoencoder.encode(found.test.flatten(1)).mean
        posterior = vae.encode(found.test.flatten(1))
        # The aggregate posterior: what the prior has to look like.
        spread = posterior.mean + posterior.variance.sqrt() * torch.randn(
            posterior.mean.shape, generator=random
        )
    own = torch.linalg.cholesky(torch.cov(learnt.T))
    made = {
        "autoencoder, codes from N(0, I)": generated(autoencoder, prior, points, found),
        "autoencoder, codes from a normal fitted to its codes": generated(
            autoencoder, learnt.mean(0) + prior @ own.T, points, found
        ),
        "VAE, codes from N(0, I)": generated(vae, prior, spread, found),
    }
    made["training images"] = judged(found.judge, found.train[:count], found.test)
    deviation = learnt.std(0)
    rows = [
        (
            name,
            f"{100 * each.sure:.1f} %",
            number(each.fid, 1) + ("" if each.fid_error is None else f" ± {each.fid_error:.1f}"),
            "" if each.at_home is None else f"{100 * each.at_home:.1f} %",
        )
        for name, each in made.items()
    ]
    one, fitted, two, real = made.values()
    return Demonstration(
        "Codes from N(0, I) fit a VAE's decoder, and not an autoencoder's",
        f"{count} codes of {latent} numbers from N(0, I), decoded by an autoencoder and by a VAE "
        "of one architecture, trained on the same digits. An autoencoder's codes have any place "
        f"and scale they like (here standard deviations of {float(deviation.min()):.1f} to "
        f"{float(deviation.max()):.1f}, and correlations, where N(0, I) has 1 and none), and its "
        f"decoder has never seen the gaps between them: {100 * (one.at_home or 0):.1f} % of the "
        "drawn codes fall where codes of the data lie. The rate of the VAE pulls its codes to "
        "N(0, I), and noise on them fills the gaps. It is the codes that decide, not the decoder: "
        "of codes from a normal fitted to the autoencoder's own, which is what recipe two-stage "
        f"does, it makes images at a Fréchet distance of {number(fitted.fid, 1)}, "
        f"{_than(fitted, two)} the VAE's {number(two.fid, 1)}, where codes from N(0, I) give "
        f"it {number(one.fid, 1)}. The classifier's confidence tells none of this: it was never "
        f"shown what is no digit, and is sure of {100 * one.sure:.1f} %, "
        f"{100 * fitted.sure:.1f} % and {100 * two.sure:.1f} %; its features tell. "
        "(Fréchet distance of the features of a classifier, right about "
        f"{100 * float(found.judge.accuracy or 0):.1f} % held out, from those of "
        f"{len(found.test)} held-out images; biased upwards by the small count, alike for all.)",
        {
            "fid_autoencoder": one.fid,
            "fid_autoencoder_fitted": fitted.fid,
            "fid_vae": two.fid,
            "fid_real": real.fid,
            "sure_autoencoder": one.sure,
            "sure_vae": two.sure,
            "sure_real": real.sure,
            "at_home_autoencoder": one.at_home or 0.0,
            "at_home_vae": two.at_home or 0.0,
        },
        ("images", "surely a digit (> 0.9)", "FID", "codes where the data's are"),
        rows,
        generated_sheets(
            {
                "autoencoder, N(0, I)": one.images[:60, 0].numpy(),
                "autoencoder, fitted normal": fitted.images[:60, 0].numpy(),
                "VAE, N(0, I)": two.images[:60, 0].numpy(),
                "training images": np.asarray(found.train[:60, 0]),
            },
            {
                "autoencoder": (points.numpy(), prior.numpy()),
                "VAE": (spread.numpy(), prior.numpy()),
            },
        ),
        {"seed": seed, "steps": steps, "codes": latent, "samples": count},
    )
