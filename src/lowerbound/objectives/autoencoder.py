"""The regularized autoencoder: a deterministic code, kept smooth without noise."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from ..bounds import CodingModel, Terms, check_event
from ..noise import normal


class RegularizableModel(CodingModel, Protocol):
    """An autoencoder whose decoder's weights can be asked for."""

    @property
    def decoder(self) -> nn.Module:
        """f."""
        ...


def regularized(
    model: RegularizableModel,
    x: Tensor,
    *context: Tensor,
    code_norm: float | Tensor = 1e-2,
    gradient: float | Tensor = 0.0,
    decay: float | Tensor = 0.0,
) -> Terms:
    """‖x − f(z)‖² + β/2·‖z‖² + λ_g·‖∂f/∂z‖²_F + λ_w·‖θ_f‖², z = g(x): no likelihood, no nats.

    Codes are kept near zero and the decoder smooth, by a penalty on its Jacobian or its weights; a
    density fitted to the codes afterwards makes it generative.

    Args:
        model: an autoencoder.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        code_norm: β.
        gradient: λ_g; the squared Frobenius norm is estimated without bias from one random
            direction for each example. A Python 0 costs nothing.
        decay: λ_w.

    Returns:
        loss, the mean over examples; parts ``squared_error``, ``code_norm`` = ½‖z‖², and where
        they are punished ``gradient_norm`` = ‖∂f/∂z‖²_F and ``weight_norm`` = ‖θ_f‖², all
        unweighted.

    References:
        Ghosh et al., 2020, From variational to deterministic autoencoders,
        https://arxiv.org/abs/1903.12436; Hutchinson, 1990 (the trace estimate)
    """
    check_event(x, model.event_shape)
    z = model.encode(x, *context).mean

    slope = None
    if isinstance(gradient, Tensor) or gradient:
        with torch.enable_grad():  # a report without gradients needs this one
            z = z if z.requires_grad else z.detach().requires_grad_()
            reconstruction = model.decode(z, *context).mean
            # uᵀJ with u ~ N(0, I) over data, E ‖uᵀJ‖² = ‖J‖²_F
            along = normal(reconstruction.shape, z.dtype, z.device)
            (found,) = torch.autograd.grad(reconstruction, z, along, create_graph=True)
        slope = found.flatten(1).square().sum(1)
    else:
        reconstruction = model.decode(z, *context).mean
    check_event(x, reconstruction.shape[1:])
    error = (x - reconstruction).flatten(1).square().sum(1)
    codes = 0.5 * z.flatten(1).square().sum(1)
    loss = (error + code_norm * codes).mean()
    parts = {"squared_error": error.detach(), "code_norm": codes.detach()}
    if slope is not None:
        loss = loss + gradient * slope.mean()
        parts["gradient_norm"] = slope.detach()
    if isinstance(decay, Tensor) or decay:
        weights = torch.stack([w.square().sum() for w in model.decoder.parameters()]).sum()
        loss = loss + decay * weights
        parts["weight_norm"] = weights.detach().expand(len(x))
    return Terms(loss, parts)
