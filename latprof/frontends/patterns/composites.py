"""Operators that a file format must spell out in several nodes, put together again.

ONNX before opset 14 has no hard-swish, and never had SiLU; TFLite has no layer norm. Files spell
them in nodes, and what comes in one node from PyTorch comes in five from a file. Here such nodes
become one, graph to graph, if nothing else reads the values between them. What an author wrote
in several steps in PyTorch stays as the PyTorch frontends read it: they do not come here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from latprof.graph import Graph, Node, Tensor

TOLERANCE = 2e-3  # constants may be stored as float16
MAX_STEPS = 1_000_000  # of reading formulas, so that no file takes forever; a network takes 1,000


@dataclass(frozen=True)
class Found:
    """Nodes that compute one operator.

    Parameters
    ----------
    op : str
    inputs : tuple of str
    last : Node
        The node whose output is that of the operator; it lends its name and module.
    inside : collection of Node
        The other nodes; what they give is read by these nodes only.
    attributes : mapping
    before : tuple of (Node, Tensor)
        Nodes that prepare the inputs, each with what it gives.
    """

    op: str
    inputs: tuple[str, ...]
    last: Node
    inside: Collection[Node]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[tuple[Node, Tensor], ...] = ()


class Walk:
    """A graph to walk about in, from node to node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._outputs = frozenset(graph.outputs)
        self._steps = 0

    def may_go_on(self) -> bool:
        """Whether there are steps left; what comes after stays in several nodes."""
        self._steps += 1
        return self._steps <= MAX_STEPS

    def tensor(self, name: str) -> Tensor:
        return self.graph.tensors[name]

    def producer(self, name: str, *ops: str) -> Node | None:
        """The node that gives `name`, if it is one of `ops`."""
        node = self.graph.producers.get(name)
        return node if node is not None and (not ops or node.op in ops) else None

    def reader(self, node: Node, *ops: str) -> Node | None:
        """The node that alone reads what `node` gives, if it is one of `ops`."""
        if node.outputs[0] in self._outputs:
            return None
        readers = {reader.name: reader for reader in self.graph.consumers[node.outputs[0]]}
        if len(readers) != 1:
            return None
        (reader,) = readers.values()
        return reader if not ops or reader.op in ops else None

    def number(self, name: str) -> float | None:
        """The value of a constant of one element."""
        tensor = self.graph.tensors.get(name)
        if tensor is None or tensor.values is None or len(tensor.values) != 1:
            return None
        return float(tensor.values[0])

    def is_stored(self, name: str) -> bool:
        tensor = self.graph.tensors.get(name)
        return tensor is not None and tensor.is_weight

    def orders(self, node: Node) -> Iterator[tuple[str, str]]:
        """The operands of a node of two, both ways round."""
        if len(node.inputs) == 2:
            yield node.inputs[0], node.inputs[1]
            yield node.inputs[1], node.inputs[0]

    def other(self, node: Node, name: str) -> str | None:
        """The operand of a node of two that is not `name`."""
        return next((other for one, other in self.orders(node) if one == name), None)

    def is_closed(self, found: Found) -> bool:
        """Whether nothing outside reads a value between the nodes."""
        names = {found.last.name, *(node.name for node in found.inside)}
        return all(
            output not in self._outputs
            and all(reader.name in names for reader in self.graph.consumers[output])
            for node in found.inside
            for output in node.outputs
        )


Rule = Callable[[Walk, Node], Found | None]


def close(value: float | None, wanted: float) -> bool:
    """Whether a constant is the wanted one, to the precision of float16."""
    return value is not None and math.isclose(value, wanted, rel_tol=TOLERANCE)


def recognise(graph: Graph) -> Graph:
    """`graph` with spelled-out operators as one node each."""
    from latprof.frontends.patterns.activations import ACTIVATIONS
    from latprof.frontends.patterns.layers import LAYERS

    for rules in (ACTIVATIONS, LAYERS):
        graph = _apply(graph, rules)
    return graph


def _apply(graph: Graph, rules: Mapping[str, tuple[Rule, ...]]) -> Graph:
    """One round of rules, each tried where its operator stands."""
    walk = Walk(graph)
    taken: set[str] = set()
    replaced: dict[str, Found] = {}
    for node in graph.nodes:
        for rule in rules.get(node.op, ()):
            if node.name in taken:
                break
            found = rule(walk, node)
            if found is None:
                continue
            names = {found.last.name, *(inner.name for inner in found.inside)}
            if taken.isdisjoint(names) and walk.is_closed(found):
                taken |= names
                replaced[found.last.name] = found
                break
    return _replace(graph, taken, replaced) if replaced else graph


def _replace(graph: Graph, taken: set[str], replaced: Mapping[str, Found]) -> Graph:
    nodes: list[Node] = []
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        found = replaced.get(node.name)
        if found is not None:
            for added, tensor in found.before:
                nodes.append(added)
                tensors[tensor.name] = tensor
            nodes.append(
                replace(node, op=found.op, inputs=found.inputs, attributes=found.attributes)
            )
        elif node.name not in taken:
            nodes.append(node)
    used = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    touched = {
        name for node in graph.nodes if node.name in taken for name in (*node.inputs, *node.outputs)
    }
    kept = used | {*graph.inputs, *graph.outputs}
    return replace(
        graph,
        nodes=tuple(nodes),
        tensors={n: t for n, t in tensors.items() if n in kept or n not in touched},
    )
