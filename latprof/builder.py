"""Grow a graph node by node; the operators infer the shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from latprof.errors import UnreadableModel
from latprof.graph import Call, Graph, Node, Tensor
from latprof.ops import OPS, infer_shapes


class GraphBuilder:
    """Collects tensors and nodes in running order; `finish` gives the frozen graph.

    Parameters
    ----------
    name, source : str
        As in `Graph`.
    """

    def __init__(self, name: str, source: str = "") -> None:
        self.name, self.source = name, source
        self.assumptions: list[str] = []
        self._nodes: list[Node] = []
        self._tensors: dict[str, Tensor] = {}
        self._inputs: list[str] = []
        self._node_names: set[str] = set()

    def __contains__(self, tensor_name: str) -> bool:
        return tensor_name in self._tensors

    @property
    def node_count(self) -> int:
        """How many nodes were added so far."""
        return len(self._nodes)

    @property
    def node_names(self) -> tuple[str, ...]:
        """The nodes added so far, in their order."""
        return tuple(node.name for node in self._nodes)

    def tensor(self, name: str) -> Tensor:
        """A tensor added before."""
        return self._tensors[name]

    def add_tensor(self, tensor: Tensor) -> str:
        """Put a tensor in; its name comes back."""
        if tensor.name in self._tensors:
            raise UnreadableModel(f"tensor {tensor.name!r} of {self.name!r} is defined twice.")
        self._tensors[tensor.name] = tensor
        if tensor.role == "input":
            self._inputs.append(tensor.name)
        return tensor.name

    def input(self, shape: Sequence[int], dtype: str = "float32", name: str = "input") -> str:
        """Add a model input."""
        return self.add_tensor(Tensor(name, tuple(shape), dtype, "input"))

    def parameter(self, name: str, shape: Sequence[int], dtype: str = "float32") -> str:
        """Add a trained weight."""
        return self.add_tensor(Tensor(name, tuple(shape), dtype, "parameter"))

    def add(
        self,
        op: str,
        inputs: Iterable[str],
        attributes: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        module: str = "",
        outputs: Sequence[Tensor] | None = None,
    ) -> tuple[str, ...]:
        """Add a node; the names of its outputs come back.

        Without `outputs` the operator infers them from its inputs.
        """
        node = Node(self._free_name(name or op), op, tuple(inputs), (), attributes or {}, module)
        found = self._infer(node) if outputs is None else outputs
        self._node_names.add(node.name)
        self._nodes.append(replace(node, outputs=tuple(self.add_tensor(t) for t in found)))
        return self._nodes[-1].outputs

    def add_one(self, op: str, inputs: Iterable[str], **attributes: Any) -> str:
        """Add a node with one output and keyword attributes; the output's name comes back."""
        (output,) = self.add(op, inputs, attributes)
        return output

    def finish(self, outputs: Iterable[str]) -> Graph:
        """The graph as built so far, without nodes that no output needs, as runtimes drop them."""
        outputs = tuple(outputs)
        needed, nodes = set(outputs), []
        for node in reversed(self._nodes):
            if needed.intersection(node.outputs):
                needed |= set(node.inputs)
                nodes.append(node)
        dropped = {
            name
            for node in self._nodes
            if not needed.intersection(node.outputs)
            for name in (*node.inputs, *node.outputs)
        }
        kept = needed | set(self._inputs) | {name for node in nodes for name in node.outputs}
        return Graph(
            name=self.name,
            nodes=tuple(reversed(nodes)),
            tensors={n: t for n, t in self._tensors.items() if n in kept or n not in dropped},
            inputs=tuple(self._inputs),
            outputs=outputs,
            source=self.source,
            assumptions=tuple(self.assumptions),
        )

    def _free_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._node_names:
            name, count = f"{wanted}_{count}", count + 1
        return name

    def _infer(self, node: Node) -> list[Tensor]:
        unknown = [name for name in node.inputs if name and name not in self._tensors]
        if unknown:
            raise UnreadableModel(
                f"node {node.name!r} of {self.name!r} reads {unknown[0]!r}, which nothing defines."
            )
        inputs = tuple(self._tensors[name] if name else None for name in node.inputs)
        call = Call(node, inputs, ())
        shapes, spec = infer_shapes(call), OPS[node.op]
        if len(shapes) == 1:
            return [Tensor(node.name, shapes[0], spec.dtype(call, 0))]
        return [
            Tensor(f"{node.name}:{i}", shape, spec.dtype(call, i)) for i, shape in enumerate(shapes)
        ]
