"""How a training step is compiled: its checks before a call, and what we change of its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files
from torch.fx import Graph, Node


def compiled(method: Any, device: torch.device) -> Callable[..., Any]:
    """A method, compiled as one graph of fixed shapes for tensors on a device."""
    options: dict[str, Any] = {
        "guard_filter_fn": _guarded,
        "size_asserts": False,
        "post_grad_custom_pre_pass": _Pass(_read_mirrors),
        "post_grad_custom_post_pass": _Pass(_add_biases_apart),
    }
    if device.type == "cpu":
        # What calls the kernels is C++ as well, 2 to 4 % of a small VAE's step; apart from them it
        # is compiled with little effort, without which a long graph takes many minutes.
        options |= {"cpp_wrapper": True, "cpp_wrapper_build_separate": True}
    return torch.compile(_alone(method), fullgraph=True, dynamic=False, options=options)


class _Pass(CustomGraphPass):
    """What the compiler leaves undone on a CPU, on the graph of a whole step.

    Args:
        change: a function of the graph, which it changes in place.
    """

    def __init__(self, change: FunctionType) -> None:
        self.change = change

    def __call__(self, graph: Graph) -> None:
        self.change(graph)

    def uuid(self) -> Any:
        """What the compiler's cache tells versions of this apart by."""
        return get_hash_for_files((__file__,), self.change.__name__)


def _read_mirrors(graph: Graph) -> None:
    """Let products read the copy of a weight in their precision, where there is one.

    Autocast rounds each weight anew in each step. The optimizer has the new weight at hand and
    writes the rounded one beside it: one kernel over all weights less. A copy is known by what the
    graph ends with: it is given the same value as its weight.
    """
    ops = torch.ops
    written = {
        node.args[0]: node for node in graph.nodes if node.target is ops.aten.copy_.default
    }  # place -> its assignment
    owner = {node.args[1]: place for place, node in written.items()}
    for place, node in written.items():
        value = node.args[1]
        weight = owner.get(value.args[1]) if _is(value, ops.aten.copy.default) else None
        if weight is None:
            continue
        precision = place.meta["val"].dtype
        casts = [
            user
            for user in list(weight.users)
            if _is(user, ops.prims.convert_element_type.default) and user.args[1] is precision
        ]
        for cast in casts:
            cast.replace_all_uses_with(place)
            graph.erase_node(cast)
        if not casts:  # of a weight that is in no product
            graph.erase_node(node)


def _add_biases_apart(graph: Graph) -> None:
    """Let biases be added where a product is read, not by the product.

    oneDNN's bfloat16 product takes a quarter longer with a bias; the kernel behind it, a ReLU or a
    density, adds it at no cost: 3 to 6 % of a small VAE's step. The compiler puts both together, so
    this comes after all its own passes.
    """
    aten = torch.ops.aten
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if not _is(node, aten.addmm.default) or node.kwargs or value is None:
            continue
        if value.device.type != "cpu" or value.dtype is not torch.bfloat16:
            continue
        bias, left, right = node.args
        with graph.inserting_before(node):
            product = graph.call_function(aten.mm.default, (left, right))
            total = graph.call_function(aten.add.Tensor, (product, bias))
        for each in (product, total):
            each.meta.update(node.meta)
        node.replace_all_uses_with(total)
        graph.erase_node(node)


def _is(node: Any, target: Any) -> bool:
    return isinstance(node, Node) and node.target is target


#: What the compiler would look at before every call though no run changes it: which modules, types
#: and functions there are. Of 407 checks of a small VAE 320 are of these kinds, 5 % of its step.
_STRUCTURE = frozenset((
    "BUILTIN_MATCH", "CLASS_MATCH", "CLOSURE_MATCH", "DICT_KEYS_MATCH", "DUPLICATE_INPUT",
    "EMPTY_NN_MODULE_HOOKS_DICT", "MODULE_MATCH", "NOT_PRESENT_IN_GENERIC_DICT", "SEQUENCE_LENGTH",
    "TYPE_MATCH",
))  # fmt: skip


def _alone(method: Any) -> Callable[..., Any]:
    """The same method as code of its own.

    The compiler keeps what it made beside the code, and tells the steps of two phases or two runs
    apart by checks alone, those among them that are left out here.
    """
    function = method.__func__
    own = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return MethodType(own, method.__self__)


def _guarded(guards: Sequence[Any]) -> list[bool]:
    """Which checks stay: those of tensors, of constants and of torch's own state."""
    return [guard.guard_type not in _STRUCTURE for guard in guards]
