"""The numbers that every answer begins with: parameters, arithmetic, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latprof.counting.memory import peak_activation_bytes
from latprof.graph import Graph, Shape
from latprof.ops import OPS


@dataclass(frozen=True)
class ModelFacts:
    """Counts of a graph.

    Parameters
    ----------
    name, source : str
    inputs : tuple of shape
    params : int
        Trained numbers, each tensor once.
    macs : int
        Multiply-accumulates of convolutions, linear layers, products and attention; without
        those that `unknown_ops` may hide.
    elementwise_ops : int
        Everything else that computes: norms, activations, pools, additions.
    weight_bytes : int
        Parameters, buffers and constants.
    peak_activation_bytes : int
        Most that inputs and activations take at any one time.
    unknown_ops : mapping of str to int
        Operators without a formula, with how often each occurs.
    assumptions : tuple of str
        What was guessed while reading the model.
    bounded_ops : mapping of str to int
        Operators counted as the most they can cost, since it depends on the data; how often.
    """

    name: str
    source: str
    inputs: tuple[Shape, ...]
    params: int
    macs: int
    elementwise_ops: int
    weight_bytes: int
    peak_activation_bytes: int
    unknown_ops: Mapping[str, int]
    assumptions: tuple[str, ...]
    bounded_ops: Mapping[str, int] = field(default_factory=dict)

    @property
    def flops(self) -> int:
        return 2 * self.macs

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as under ``model`` in every JSON answer."""
        return {
            "name": self.name,
            "source": self.source,
            "inputs": [list(shape) for shape in self.inputs],
            "params": self.params,
            "macs": self.macs,
            "flops": self.flops,
            "elementwise_ops": self.elementwise_ops,
            "weight_bytes": self.weight_bytes,
            "peak_activation_bytes": self.peak_activation_bytes,
            "unknown_ops": dict(self.unknown_ops),
            "assumptions": list(self.assumptions),
            "bounded_ops": dict(self.bounded_ops),
        }


def count(graph: Graph) -> ModelFacts:
    """Count a graph; operators without a formula are listed, never dropped."""
    known = [(OPS[call.node.op], call) for call in graph.calls if call.node.op in OPS]
    weights = [tensor for tensor in graph.tensors.values() if tensor.is_weight]
    return ModelFacts(
        name=graph.name,
        source=graph.source,
        inputs=tuple(graph.tensors[name].shape for name in graph.inputs),
        params=sum(tensor.elements for tensor in weights if tensor.role == "parameter"),
        macs=sum(spec.macs(call) for spec, call in known),
        elementwise_ops=sum(spec.elementwise_ops(call) for spec, call in known),
        weight_bytes=sum(tensor.bytes for tensor in weights),
        peak_activation_bytes=peak_activation_bytes(graph),
        unknown_ops=Counter(node.op for node in graph.nodes if node.op not in OPS),
        assumptions=graph.assumptions,
        bounded_ops=Counter(call.node.op for spec, call in known if spec.bound),
    )


def other_dtypes(graph: Graph) -> tuple[str, ...]:
    """Types beside float32 that a network was quantised or cast to: it is no float32 model.

    Those that its products compute in, that their weights are kept in, and that numbers are
    quantized to on the way.
    """
    found = set(product_dtypes(graph))
    for call in graph.calls:
        if call.node.op == "quantize":
            found |= {tensor.dtype for tensor in call.outputs}
        elif call.node.op in OPS and OPS[call.node.op].family in ("convolution", "matmul"):
            found |= {tensor.dtype for tensor in call.weights if tensor.role == "parameter"}
    return tuple(sorted(found - {"float32", "int32"}))  # int32: a bias, or a sum of products


def product_dtypes(graph: Graph) -> tuple[str, ...]:
    """Types of the activations that go into products: what a network computes in.

    A convolution with int8 weights and float32 activations computes in float32.
    """
    found = {
        call.activations[0].dtype
        for call in graph.calls
        if call.node.op in OPS
        and OPS[call.node.op].family in ("convolution", "matmul")
        and call.activations
    }
    return tuple(sorted(found))
