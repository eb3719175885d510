"""A float ONNX model → the same model in QDQ form: int8 weights, uint8 activations.

Does by itself what `onnxruntime.quantization.quantize_static` (1.31.1) does with ``per_channel``,
``activation_type=QUInt8`` and ``weight_type=QInt8``, which its documentation names for x86 with
VNNI: which tensors pass through QuantizeLinear and DequantizeLinear depends on the operators that
give and take them, as listed below. It takes milliseconds where that takes half a second: nothing
is written to files, and no tensor is looked up by walking a list.

References
----------
onnxruntime/python/tools/quantization, 1.31.1: registry.py (`QDQRegistry`, `QLinearOpsRegistry`),
operators/*.py (the `QDQ...` classes), qdq_quantizer.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]

# Operators of which every input and output is quantized (QDQOperatorBase, where no class of its
# own is registered): the keys of `QLinearOpsRegistry` without one, and CumSum.
_WHOLE = frozenset(
    {"ArgMax", "Add", "Mul", "LeakyRelu", "Sigmoid", "GlobalAveragePool", "Concat", "Softmax",
     "CumSum"}
)  # fmt: skip
# Operators that only pass numbers on (QDQDirect8BitOp): what comes in quantized leaves as it came.
_DIRECT = frozenset(
    {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Resize", "MaxPool", "AveragePool",
     "Slice", "TopK"}
)  # fmt: skip
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm"})
_NORMS = frozenset({"InstanceNormalization", "LayerNormalization", "BatchNormalization"})
_WEIGHT_LIMIT = 127  # int8 weights are symmetric: -127 to 127


class _Bias(NamedTuple):
    """A bias: in int32, at the scale of the products it is added to."""

    node: str
    name: str
    activation: str
    weight: str


class _Scale(NamedTuple):
    """Initializers that hold a scale and a zero point, and the scale itself."""

    scale: str
    zero_point: str
    value: Array


class Quantizer:
    """Finds what to quantize in a model, then does it.

    Parameters
    ----------
    model : ModelProto
        After ONNX Runtime's basic optimisations, types of all its values told.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        graph = model.graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        told = (*graph.value_info, *graph.input, *graph.output)
        self._types = {value.name: value.type.tensor_type.elem_type for value in told}
        self._types |= {name: tensor.data_type for name, tensor in self._weights.items()}
        self._inputs = {value.name for value in graph.input}
        self._outputs = {value.name for value in graph.output}
        self._readers = Counter(name for node in graph.node for name in node.input if name)
        self._same_as: dict[str, str] = {}  # tensor → the one whose scale it takes
        self._marked: dict[str, None] = {}  # activations and constants, in the order found
        self._channels: dict[str, int | None] = {}  # weight → axis of its channels
        self._biases: list[_Bias] = []
        self._removed: set[str] = set()  # nodes, and what leaves in place of what they took
        self._renamed: dict[str, str] = {}
        for node in list(graph.node):
            self._mark_node(node)

    @property
    def activations(self) -> tuple[str, ...]:
        """What a run has to tell the range of, to find scales."""
        sources = {self._source(name) for name in self._marked}
        return tuple(sorted(name for name in sources if name not in self._weights))

    def quantized(self, ranges: Mapping[str, tuple[float, float]]) -> onnx.ModelProto:
        """The model in QDQ form.

        Parameters
        ----------
        ranges : mapping of str to pair of float
            Least and largest number seen in each of `activations`.
        """
        graph = self._model.graph
        for node in graph.node:
            for index, name in enumerate(node.output):
                node.output[index] = self._final_name(name)
        writer = _Writer(self._weights, self._outputs)
        first_reader = {
            name: node.name
            for node in reversed(graph.node)
            if node.name not in self._removed
            for name in node.input
        }
        for name in self._marked:
            writer.scale_of(self._source(name), ranges)
        for name, axis in self._channels.items():
            writer.weight(name, axis, first_reader.get(name, name))
        for name in self._marked:
            writer.pair(name, self._source(name), first_reader.get(name, name))
        for bias in self._biases:
            writer.bias(bias, self._source(bias.activation))
        kept = [node for node in graph.node if node.name not in self._removed]
        bias_of = {(bias.node, bias.name) for bias in self._biases}
        for node in kept:
            writer.rewire(node, bias_of)
        del graph.node[:]
        graph.node.extend(_in_order(kept + writer.nodes, self._inputs))
        used = {name for node in graph.node for name in node.input}
        kept_weights = [tensor for name, tensor in writer.initializers.items() if name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept_weights)
        del graph.value_info[:]  # the types of before
        return self._model

    def _final_name(self, tensor: str) -> str:
        """What leaves in place of a tensor, behind any number of activations that went."""
        while tensor in self._renamed:
            tensor = self._renamed[tensor]
        return tensor

    def _source(self, tensor: str) -> str:
        while tensor in self._same_as:
            tensor = self._same_as[tensor]
        return tensor

    def _mark(self, tensor: str, *, like: str = "") -> None:
        if not tensor or self._types.get(tensor) != TensorProto.FLOAT:
            return
        if like:
            self._same_as[tensor] = like
        self._marked.setdefault(tensor)

    def _mark_weight(self, tensor: str, axis: int | None) -> None:
        if tensor in self._weights:
            self._channels.setdefault(tensor, axis)
        else:
            self._mark(tensor)

    def _mark_node(self, node: onnx.NodeProto) -> None:
        op, inputs, outputs = node.op_type, node.input, node.output
        if op in _WHOLE:
            for name in (*inputs, *outputs):
                self._mark(name)
        elif op in _PRODUCTS:
            self._mark_product(node)
        elif op == "MatMul":
            for name in inputs:
                rank = len(self._weights[name].dims) if name in self._weights else 0
                self._mark_weight(name, 1 if rank > 1 else None)
            self._mark(outputs[0])
        elif op in _NORMS:
            self._mark_norm(node)
        elif op in ("Relu", "Clip"):
            self._mark_activation(node)
        elif op == "Split":
            self._mark(inputs[0])
            for name in outputs:
                self._mark(name, like=inputs[0])
        elif op == "Pad":
            for name in inputs:
                self._mark(name)
            self._mark(outputs[0], like=inputs[0] if self._pads_alike(node) else "")
        elif op in ("Gather", "GatherElements"):
            if inputs[0] in self._weights:
                self._mark(inputs[0])
            if inputs[0] in self._marked:
                self._mark(outputs[0], like=inputs[0])
        elif op == "Where":
            if inputs[1] in self._marked and inputs[2] in self._marked:
                self._mark(outputs[0])
        elif op in _DIRECT and inputs[0] in self._marked:
            self._mark(outputs[0], like=inputs[0])

    def _mark_product(self, node: onnx.NodeProto) -> None:
        self._mark(node.input[0])
        self._mark(node.output[0])
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        axis = 0 if node.op_type == "Conv" or turned else 1
        self._mark_weight(node.input[1], axis)
        if len(node.input) == 3:
            self._mark_bias(node)

    def _mark_norm(self, node: onnx.NodeProto) -> None:
        self._mark(node.input[0])
        rank = len(self._weights[node.input[1]].dims) if node.input[1] in self._weights else 0
        self._mark_weight(node.input[1], 1 if rank > 1 else None)
        if len(node.input) > 2 and node.input[2]:
            self._mark_bias(node)
        for name in node.output:
            self._mark(name)

    def _mark_bias(self, node: onnx.NodeProto) -> None:
        if node.input[2] in self._weights and node.input[1] in self._weights:
            self._biases.append(_Bias(node.name, node.input[2], node.input[0], node.input[1]))

    def _mark_activation(self, node: onnx.NodeProto) -> None:
        """A ReLU or clip behind what is quantized: the range of numbers does its work."""
        source, output = node.input[0], node.output[0]
        if source not in self._marked:
            return
        alone = self._readers[source] == 1 and source not in self._inputs | self._outputs
        if alone:
            self._renamed[source] = output
            del self._marked[source]
            self._same_as.pop(source, None)
            self._removed.add(node.name)
        self._mark(output)

    def _pads_alike(self, node: onnx.NodeProto) -> bool:
        mode = next((a.s for a in node.attribute if a.name == "mode"), b"constant")
        if mode != b"constant" or len(node.input) < 3 or not node.input[2]:
            return True
        value = self._weights.get(node.input[2])
        return value is not None and float(numpy_helper.to_array(value)) == 0.0


class _Writer:
    """The nodes and initializers that a quantized model has beside those of the float one."""

    def __init__(self, weights: Mapping[str, onnx.TensorProto], outputs: set[str]) -> None:
        self.initializers = dict(weights)
        self.nodes: list[onnx.NodeProto] = []
        self._outputs = outputs
        self._scales: dict[str, _Scale] = {}
        self._dequantized: dict[str, str] = {}  # tensor → what its readers read instead
        self._biases: dict[tuple[str, str], str] = {}
        self._left_as: dict[str, str] = {}  # output of the model → what its node gives instead

    def scale_of(self, tensor: str, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Find scale and zero point of an activation, or of a constant that is handled as one."""
        if tensor in self._scales:
            return
        if tensor in self.initializers:
            values = numpy_helper.to_array(self.initializers[tensor])
            low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
        else:
            low, high = ranges[tensor]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / 255.0
        zero_point = 0
        if scale < float(np.finfo(np.float32).tiny):
            scale = 1.0
        else:
            zero_point = int(np.clip(np.round(-low / scale), 0, 255))
        self._scales[tensor] = self._stored(
            tensor, np.array(scale, np.float32), np.array(zero_point, np.uint8)
        )

    def weight(self, tensor: str, axis: int | None, reader: str) -> None:
        """Store a weight in int8, each channel at a scale of its own."""
        values = numpy_helper.to_array(self.initializers[tensor])
        others = tuple(i for i in range(values.ndim) if i != axis) if axis is not None else None
        largest = np.abs(values).max(axis=others).astype(np.float64)
        scale = largest / _WEIGHT_LIMIT
        scale = np.where(scale < np.finfo(np.float32).tiny, 1.0, scale).astype(np.float32)
        spread = scale
        if axis is not None:
            spread = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        whole = np.clip(np.rint(values / spread), -_WEIGHT_LIMIT, _WEIGHT_LIMIT).astype(np.int8)
        kept = self._stored(tensor, scale, np.zeros(scale.shape, np.int8))
        self._scales[tensor] = kept
        name = self._keep(f"{tensor}/int8", whole)
        self._dequantized[tensor] = self._dequantize(name, kept, f"{reader}/weight", axis)

    def pair(self, tensor: str, source: str, reader: str) -> None:
        """QuantizeLinear and DequantizeLinear behind an activation; the latter for a constant."""
        kept = self._scales[source]
        if tensor in self.initializers:
            values = numpy_helper.to_array(self.initializers[tensor])
            zero_point = int(numpy_helper.to_array(self.initializers[kept.zero_point]))
            whole = np.clip(np.rint(values / kept.value) + zero_point, 0, 255).astype(np.uint8)
            name = self._keep(f"{tensor}/uint8", whole)
            self._dequantized[tensor] = self._dequantize(name, kept, f"{reader}/constant/{tensor}")
            return
        given, leaves = tensor, tensor in self._outputs
        if leaves:
            given = self._left_as[tensor] = f"{tensor}/float"
        inputs = [given, kept.scale, kept.zero_point]
        name = f"{tensor}/quantize"
        self.nodes.append(helper.make_node("QuantizeLinear", inputs, [name], name=name))
        result = self._dequantize(name, kept, tensor, output=tensor if leaves else "")
        self._dequantized[tensor] = result

    def bias(self, bias: _Bias, source: str) -> None:
        """Store a bias in int32, at the scale of input times weight."""
        values = numpy_helper.to_array(self.initializers[bias.name])
        scale = self._scales[source].value * self._scales[bias.weight].value
        scale = np.atleast_1d(np.asarray(scale, np.float32))
        limits = np.iinfo(np.int32)
        rounded = np.rint(values.astype(np.float64) / scale.astype(np.float64))
        whole = np.clip(rounded, limits.min, limits.max).astype(np.int32)
        key = f"{bias.node}/bias"
        zero_points = np.zeros(scale.shape if scale.size > 1 else (), np.int32)
        kept = self._stored(key, scale, zero_points)
        axis = 0 if scale.size > 1 else None
        result = self._dequantize(self._keep(f"{key}/int32", whole), kept, key, axis)
        self._biases[bias.node, bias.name] = result

    def rewire(self, node: onnx.NodeProto, biases: set[tuple[str, str]]) -> None:
        """Let a node read what was dequantized."""
        for index, name in enumerate(node.input):
            if (node.name, name) in biases and index == 2:
                node.input[index] = self._biases[node.name, name]
            elif name in self._dequantized:
                node.input[index] = self._dequantized[name]
        for index, name in enumerate(node.output):
            node.output[index] = self._left_as.get(name, name)

    def _stored(self, tensor: str, scale: Array, zero_point: Array) -> _Scale:
        names = self._keep(f"{tensor}/scale", scale), self._keep(f"{tensor}/zero_point", zero_point)
        return _Scale(*names, scale)

    def _keep(self, name: str, values: Array) -> str:
        self.initializers[name] = numpy_helper.from_array(values, name)
        return name

    def _dequantize(
        self, tensor: str, scale: _Scale, of: str, axis: int | None = None, *, output: str = ""
    ) -> str:
        name = f"{of}/dequantize"
        settings: dict[str, Any] = {} if axis is None else {"axis": axis}
        inputs = [tensor, scale.scale, scale.zero_point]
        output = output or name
        node = helper.make_node("DequantizeLinear", inputs, [output], name=name, **settings)
        self.nodes.append(node)
        return output


def _in_order(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    """Nodes in an order in which they can run, near to the one they came in."""
    producers = {name: node for node in nodes for name in node.output}
    done: set[int] = set()
    ordered: list[onnx.NodeProto] = []
    for last in nodes:
        waiting = [last]
        while waiting:
            node = waiting[-1]
            if id(node) in done:
                waiting.pop()
                continue
            before = [producers[name] for name in node.input if name in producers]
            missing = [other for other in before if id(other) not in done]
            if missing:
                waiting += missing
            else:
                done.add(id(node))
                ordered.append(node)
                waiting.pop()
    return ordered
