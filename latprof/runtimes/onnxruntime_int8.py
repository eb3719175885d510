"""A float model → the int8 model that ONNX Runtime's own quantizer would make of it.

Three steps, as its documentation tells users to take: its basic optimisations (norms fold into
convolutions), a run that shows the range of every activation, and QuantizeLinear and
DequantizeLinear put in between (`onnx_quantizer`).

References
----------
onnxruntime.quantization 1.31.1: `shape_inference.quant_pre_process` and `quantize_static`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from latprof.graph import Graph
from latprof.runtimes.onnx_quantizer import Quantizer
from latprof.runtimes.onnxruntime_pool import options_for
from latprof.runtimes.weights import input_values

_MOST_BYTES = 500_000_000  # of activations kept at a time while their ranges are found


def quantized_model(graph: Graph, model: onnx.ModelProto) -> bytes:
    """The int8 model of `graph`, of which `model` is the float one.

    Raises
    ------
    Exception
        Of ONNX Runtime's own kinds, if it cannot load or run the float model.
    """
    feed = {name: input_values(graph.tensors[name]) for name in graph.inputs}
    basic = _optimised(_with_functions_written_out(model))
    quantizer = Quantizer(basic)
    ranges = _ranges(basic, quantizer.activations, feed)
    quantized: bytes = quantizer.quantized(ranges).SerializeToString()
    return quantized


def _with_functions_written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """The operators that ONNX Runtime writes out anew while loading, written out under our names.

    It calls the parts of a hard-swish or mish by numbers, and no number leads back to its node.
    """
    nodes = list(model.graph.node)
    if not any(node.op_type in ("HardSwish", "Mish") for node in nodes):
        return model
    del model.graph.node[:]
    for node in nodes:
        x, name = node.input[0], node.name
        if node.op_type == "HardSwish":
            model.graph.node.extend([
                helper.make_node("HardSigmoid", [x], [f"{name}/gate"], name=f"{name}/gate",
                                 alpha=1.0 / 6.0, beta=0.5),
                helper.make_node("Mul", [x, f"{name}/gate"], node.output, name=name),
            ])  # fmt: skip
        elif node.op_type == "Mish":
            model.graph.node.extend([
                helper.make_node("Softplus", [x], [f"{name}/plus"], name=f"{name}/plus"),
                helper.make_node("Tanh", [f"{name}/plus"], [f"{name}/gate"], name=f"{name}/gate"),
                helper.make_node("Mul", [x, f"{name}/gate"], node.output, name=name),
            ])  # fmt: skip
        else:
            model.graph.node.append(node)
    return model


def _optimised(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="latprof-") as folder:
        file = Path(folder) / "basic.onnx"
        options = _options(ort.GraphOptimizationLevel.ORT_ENABLE_BASIC)
        options.optimized_model_filepath = str(file)
        _session(model, options)
        return onnx.shape_inference.infer_shapes(onnx.load_model_from_string(file.read_bytes()))


def _ranges(
    model: onnx.ModelProto, names: tuple[str, ...], feed: dict[str, Any]
) -> dict[str, tuple[float, float]]:
    """Least and largest number in each tensor, of one input; few at a time if they are large."""
    softmaxes = {node.output[0] for node in model.graph.node if node.op_type == "Softmax"}
    ranges = {name: _range(feed[name]) for name in names if name in feed}
    ranges |= {name: (0.0, 1.0) for name in names if name in softmaxes}  # as quantize_static has it
    wanted = [name for name in names if name not in ranges]
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    values = {value.name: value for value in model.graph.value_info}
    outputs = {value.name for value in model.graph.output}
    shown.graph.output.extend(values[name] for name in wanted if name not in outputs)
    options = _options(ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    session = _session(shown, options)
    for part in _portions(wanted, {value.name: value for value in shown.graph.output}):
        for name, found in zip(part, session.run(part, feed), strict=True):
            ranges[name] = _range(found)
    return ranges


def _portions(names: list[str], values: dict[str, onnx.ValueInfoProto]) -> list[list[str]]:
    portions: list[list[str]] = []
    used = 0
    for name in names:
        sizes = [axis.dim_value for axis in values[name].type.tensor_type.shape.dim]
        size = 4 * int(np.prod(sizes, dtype=np.int64))
        if not portions or used + size > _MOST_BYTES:
            portions.append([])
            used = 0
        portions[-1].append(name)
        used += size
    return portions


def _range(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    if not np.isfinite(values).all():  # drawn weights make a few very deep networks overflow
        values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _options(level: ort.GraphOptimizationLevel) -> ort.SessionOptions:
    options = options_for(threads=1)  # no pool to start and stop
    options.graph_optimization_level = level
    return options


def _session(model: onnx.ModelProto, options: ort.SessionOptions) -> ort.InferenceSession:
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
