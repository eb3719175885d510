"""An ONNX model in the making: nodes, and the initializers they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from latprof.graph import Call, Graph, Tensor
from latprof.runtimes.weights import NUMPY_DTYPES, norm_scales, weight_values

OPSET = 20
IR_VERSION = 10

ONNX_TYPES = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "int16": TensorProto.INT16,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


class Writer:
    """Collects ONNX nodes and initializers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # ONNX Runtime names what it fuses after tensors: a lone output is named like its node.
        kept = {*graph.inputs, *(o for n in graph.nodes if len(n.outputs) > 1 for o in n.outputs)}
        self.value_names = {
            node.outputs[0]: f"value:{node.name}" if node.name in kept else node.name
            for node in graph.nodes
            if len(node.outputs) == 1
        }
        self.positive = norm_scales(graph)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def weight(self, tensor: Tensor, *, transposed: bool = False) -> str:
        """The initializer that holds a stored tensor, or a matrix's transpose."""
        name = f"weight:{tensor.name}" + ("/transposed" if transposed else "")
        if name not in self.initializers:
            values = weight_values(tensor, positive=tensor.name in self.positive)
            values = np.ascontiguousarray(values.T) if transposed else values
            self.initializers[name] = numpy_helper.from_array(values, name)
        return name

    def value(self, name: str) -> str:
        """The ONNX name of an input or activation."""
        return self.value_names.get(name, name)

    def constant(self, name: str, values: Any, like: Tensor | None = None) -> str:
        """A small constant under a name derived from its node's; of whole numbers or as `like`."""
        dtype = np.int64 if like is None else NUMPY_DTYPES[like.dtype]
        self.initializers[name] = numpy_helper.from_array(np.array(values, dtype=dtype), name)
        return name

    def operand(self, tensor: Tensor | None) -> str:
        if tensor is None:
            return ""
        return self.weight(tensor) if tensor.is_weight else self.value(tensor.name)

    def operands(self, call: Call) -> list[str]:
        return [self.operand(tensor) for tensor in call.inputs]

    def node(
        self,
        op: str,
        call: Call,
        inputs: Sequence[str],
        *,
        suffix: str = "",
        output: int | None = None,
        **attributes: Any,
    ) -> str:
        """One ONNX node; with a `suffix` it is an inner step and gives an inner tensor.

        With `output` it gives that one of the call's outputs instead.
        """
        name = call.node.name + suffix
        outputs = [name] if suffix else [self.value(given) for given in call.node.outputs]
        if output is not None:
            outputs = [self.value(call.node.outputs[output])]
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=name, **attributes))
        return outputs[0]

    def finish(self) -> onnx.ModelProto:
        def value(name: str) -> onnx.ValueInfoProto:
            tensor = self.graph.tensors[name]
            kind = ONNX_TYPES[tensor.dtype]
            return helper.make_tensor_value_info(self.operand(tensor), kind, list(tensor.shape))

        proto = helper.make_graph(
            self.nodes,
            self.graph.name or "graph",
            [value(name) for name in self.graph.inputs],
            [value(name) for name in dict.fromkeys(self.graph.outputs)],
            list(self.initializers.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(
            proto, opset_imports=opsets, ir_version=IR_VERSION, producer_name="latprof"
        )


Write = Callable[[Writer, Call], object]


def simple(op: str, **attributes: Any) -> Write:
    """An operator that ONNX has under a name of its own."""
    return lambda w, call: w.node(op, call, w.operands(call), **attributes)


def flat_pads(pads: Sequence[Sequence[int]]) -> list[int]:
    """All beginnings, then all ends, as ONNX lists them."""
    return [pair[0] for pair in pads] + [pair[1] for pair in pads]
