"""A channel shuffle spelled in several nodes → one `channel_shuffle` node.

Frameworks have no operator for it that networks use: they cut the channels into groups with a
reshape, exchange the two axes, and join them again; or split, stack and join. Whoever reads the
graph should see one movement, whichever way and in whichever framework it was written.

References
----------
Zhang et al., ShuffleNet, arXiv 1707.01083, 3.1.
"""

from __future__ import annotations

import math
from dataclasses import replace

from latprof.graph import Graph, Node


def join_shuffles(graph: Graph) -> Graph:
    """`graph` with every spelled-out channel shuffle as one node.

    Only what the shapes prove is joined, and only where nobody else reads what lies between. The
    node keeps the name and module of the one that moves the elements.
    """
    joined: dict[str, Node] = {}  # by the node that ends a shuffle
    gone: set[str] = set()
    for node in graph.nodes:
        if node.op == "reshape":
            found = _exchange(graph, node) or _stack(graph, node)
            if found is not None and not gone.intersection(inner.name for inner in found[1]):
                joined[node.name] = found[0]
                gone |= {inner.name for inner in found[1]} | {node.name}
    if not joined:
        return graph
    nodes = tuple(
        joined.get(node.name, node)
        for node in graph.nodes
        if node.name not in gone or node.name in joined
    )
    lost = {name for node in graph.nodes if node.name in gone for name in node.outputs}
    lost -= {name for node in nodes for name in node.outputs}
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name not in lost}
    return replace(graph, nodes=nodes, tensors=tensors)


def _exchange(graph: Graph, end: Node) -> tuple[Node, list[Node]] | None:
    """(N, g·c, …) → (N, g, c, …) → (N, c, g, …) → (N, g·c, …); the pixels may lie flat between."""
    swap = _sole_source(graph, end, "transpose")
    start = _sole_source(graph, swap, "reshape") if swap is not None else None
    if swap is None or start is None or not start.inputs:
        return None
    whole, apart = graph.tensors[start.inputs[0]].shape, graph.tensors[start.outputs[0]].shape
    order = (0, 2, 1, *range(3, len(apart)))
    if len(apart) < 3 or len(whole) < 2 or tuple(swap.attributes.get("order", ())) != order:
        return None
    batch, groups, each = apart[:3]
    fits = (batch, groups * each) == whole[:2] and math.prod(apart[3:]) == math.prod(whole[2:])
    if not fits or 1 in (groups, each) or graph.tensors[end.outputs[0]].shape != whole:
        return None
    return _shuffle(swap, start.inputs[0], end, groups), [start, swap]


def _stack(graph: Graph, end: Node) -> tuple[Node, list[Node]] | None:
    """(N, g·c, …) → g parts (N, c, …) → (N, c, g, …) → (N, g·c, …)."""
    stack = _sole_source(graph, end, "stack")
    if stack is None or not stack.inputs:
        return None
    split = graph.producers.get(stack.inputs[0])
    if split is None or split.op != "split" or split.inputs == () or split.outputs != stack.inputs:
        return None
    whole = graph.tensors[split.inputs[0]].shape
    axis = int(stack.attributes.get("axis", 0)) % (len(whole) + 1)
    parts = [graph.tensors[name].shape for name in split.outputs]
    even = len(set(parts)) == 1 and parts[0][1:2] and parts[0][1] * len(parts) == whole[1]
    alone = all(_readers(graph, name) == 1 for name in split.outputs)
    if not even or not alone or axis != 2 or graph.tensors[end.outputs[0]].shape != whole:
        return None
    if 1 in (len(parts), parts[0][1]):
        return None
    return _shuffle(stack, split.inputs[0], end, len(parts)), [split, stack]


def _shuffle(mover: Node, source: str, end: Node, groups: int) -> Node:
    return Node(
        mover.name, "channel_shuffle", (source,), end.outputs, {"groups": groups}, mover.module
    )


def _sole_source(graph: Graph, node: Node, op: str) -> Node | None:
    """The node of kind `op` that gives the first input of `node` and is read by it alone."""
    name = node.inputs[0] if node.inputs else ""
    before = graph.producers.get(name)
    alone = before is not None and before.op == op and _readers(graph, name) == 1
    return before if alone else None


def _readers(graph: Graph, name: str) -> int:
    """How many read a tensor; the model's giving it back counts."""
    return len(graph.consumers[name]) + (name in graph.outputs)
