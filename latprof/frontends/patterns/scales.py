"""A network quantised throughout → the float32 network that it stands for.

Cost models of int8 targets know networks as latprof quantizes them itself, from float32. One that
was quantised elsewhere can be told in the same words if all its products run on whole numbers of
8 bits with scales that were set beforehand.
"""

from __future__ import annotations

from dataclasses import replace

from latprof.frontends.patterns.composites import recognise
from latprof.graph import Call, Graph, Node, Tensor
from latprof.ops import OPS

_WHOLE = ("int8", "uint8")
_BETWEEN = ("quantize", "dequantize")


def without_scales(graph: Graph) -> Graph | None:
    """`graph` in float32, quantizing left out; None if it is not quantised throughout.

    What is quantised while it runs (dynamic), in its weights alone, or to other than 8 bits is
    another network than the one that an int8 target was measured on.
    """
    calls = list(graph.calls)
    if not any(map(_is_product, calls)) or not all(_is_whole(graph, call) for call in calls):
        return None
    same: dict[str, str] = {}
    nodes: list[Node] = []
    for call in calls:
        inputs = tuple(same.get(name, name) for name in call.node.inputs)
        if call.node.op in _BETWEEN:
            same[call.node.outputs[0]] = inputs[0]
        else:
            nodes.append(replace(call.node, inputs=inputs))
    outputs = tuple(same.get(name, name) for name in graph.outputs)
    used = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    tensors = {
        name: _real(tensor)
        for name, tensor in graph.tensors.items()
        if name in used or name in graph.inputs or name in outputs
    }
    return recognise(replace(graph, nodes=tuple(nodes), tensors=tensors, outputs=outputs))


def _is_product(call: Call) -> bool:
    known = call.node.op in OPS
    return known and OPS[call.node.op].family in ("convolution", "matmul")


def _is_whole(graph: Graph, call: Call) -> bool:
    """Whether a node fits into a network that is quantised throughout."""
    if call.node.op == "quantize":
        scales = [tensor for tensor in call.inputs[1:] if tensor is not None]
        return call.outputs[0].dtype in _WHOLE and all(tensor.is_weight for tensor in scales)
    if not _is_product(call):
        return True
    weights = [t for t in call.weights if t.role == "parameter" and len(t.shape) > 1]
    return all(t.dtype in _WHOLE for t in weights) and all(
        t.dtype in _WHOLE or _is_dequantized(graph, t.name) for t in call.activations
    )


def _is_dequantized(graph: Graph, tensor: str) -> bool:
    giver = graph.producers.get(tensor)
    return giver is not None and giver.op == "dequantize"


def _real(tensor: Tensor) -> Tensor:
    """The numbers that whole ones stand for; a bias is kept in 32 bits."""
    stands = tensor.dtype in _WHOLE or (tensor.dtype == "int32" and tensor.role == "parameter")
    return replace(tensor, dtype="float32", values=None) if stands else tensor
