"""An LSTM that a compiled step calls as it is, instead of taking its steps apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

_LSTM = 2  # of torch's numbers for the kinds of cells
_KERNELS = torch.backends.mkldnn.is_available()
_Four = tuple[Tensor, Tensor, Tensor, Tensor]


class LSTM(nn.LSTM):
    """torch's LSTM, batch first and with its states given, which may stand in a compiled step.

    The compiler has no word for torch's own and unrolls it over its steps, which takes minutes to
    compile and is slow. On a CPU this one is an operator instead, around the same kernels.

    Shape:
        ``(B, T, in)`` and two states ``(layers, B, width)`` -> ``(B, T, width)`` and two states.
    """

    def __init__(self, in_width: int, width: int, layers: int = 1) -> None:
        super().__init__(in_width, width, layers, batch_first=True)

    @property
    def whole(self) -> bool:
        """Whether a compiled step leaves it in one piece."""
        return _KERNELS and self.weight_ih_l0.device.type == "cpu"

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As of :class:`torch.nn.LSTM`."""
        compiling = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
        if not (compiling and self.whole):
            return super().forward(input, hx)
        x, ends = input.transpose(0, 1).contiguous(), []
        for layer in range(self.num_layers):
            weights = [getattr(self, f"{name}_l{layer}") for name in _NAMES]
            one = slice(layer, layer + 1)
            x, *end, _ = one_layer(x, *weights, *(state[one].contiguous() for state in hx))
            ends.append(end)
        hidden, cell = (torch.cat(each) for each in zip(*ends, strict=True))
        return x.transpose(0, 1), (hidden, cell)


_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@torch.library.custom_op("lowerbound::lstm", mutates_args=())
def one_layer(
    x: Tensor, w_x: Tensor, w_h: Tensor, b_x: Tensor, b_h: Tensor, h: Tensor, c: Tensor
) -> _Four:
    """One layer, ``(T, B, in)``: what it says, its last states, and what the way back needs."""
    with torch.enable_grad():  # else the kernel keeps nothing for the way back
        found = torch.ops.aten.mkldnn_rnn_layer.default(
            x, w_x, w_h, b_x, b_h, h, c, False, [], _LSTM, h.shape[-1], 1, True, False, False, True
        )
    return tuple(each.detach() for each in found)


@one_layer.register_fake
def _(x: Tensor, w_x: Tensor, w_h: Tensor, b_x: Tensor, b_h: Tensor, h: Tensor, c: Tensor) -> _Four:
    # How much is kept for the way back the kernel alone knows: it is asked.
    with unset_fake_temporarily():
        sizes = [tuple(each.shape) for each in (x, w_x, w_h, b_x, b_h, h, c)]
        kept = one_layer(*(torch.zeros(size) for size in sizes))[3].shape
    out = x.new_empty((*x.shape[:2], h.shape[-1]))
    return out, torch.empty_like(h), torch.empty_like(c), x.new_empty(kept, dtype=torch.uint8)


@torch.library.custom_op("lowerbound::lstm_backward", mutates_args=())
def _backward(given: list[Tensor], found: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
    """Gradients of the seven inputs of :func:`one_layer`, of those of its first three outputs."""
    *outputs, kept = found
    back = torch.ops.aten.mkldnn_rnn_layer_backward.default(
        *given, *outputs, *gradients, False, _LSTM, given[-1].shape[-1], 1, True, True, False, [],
        False, kept,
    )  # fmt: skip
    return [each.clone() for each in back]


@_backward.register_fake
def _(given: list[Tensor], found: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
    return [torch.empty_like(each) for each in given]


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: _Four) -> None:
    ctx.save_for_backward(*inputs, *output)


def _gradients(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, ...]:
    saved = list(ctx.saved_tensors)
    given, found = saved[:7], saved[7:]
    full = [
        torch.zeros_like(of) if gradient is None else gradient.contiguous()
        for gradient, of in zip(gradients[:3], found[:3], strict=True)
    ]
    return tuple(_backward(given, found, full))


one_layer.register_autograd(_gradients, setup_context=_save)
