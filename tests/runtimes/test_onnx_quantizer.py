"""The quantizer, against ONNX Runtime's own: the same model, node by node and number by number."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from latprof.graph import Graph
from latprof.runtimes.onnx_writer import write_onnx
from latprof.runtimes.onnxruntime_int8 import quantized_model
from latprof.runtimes.weights import input_values
from latprof.sampling import draw_network


class OneInput(CalibrationDataReader):
    def __init__(self, feed: dict[str, np.ndarray]) -> None:
        self._left = [feed]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None


def inputs_of(graph: Graph) -> dict[str, np.ndarray]:
    return {name: input_values(graph.tensors[name]) for name in graph.inputs}


def quantized_by_onnxruntime(graph: Graph, folder: Path) -> onnx.ModelProto:
    plain, prepared, quantized = (str(folder / f"{name}.onnx") for name in "abc")
    onnx.save(write_onnx(graph), plain)
    logging.disable(logging.WARNING)
    try:
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, quantized, OneInput(inputs_of(graph)), per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(quantized)


def outline(model: onnx.ModelProto) -> Counter:
    """Every node with what it reads: operators, or types and shapes of stored numbers."""
    givers = {name: node.op_type for node in model.graph.node for name in node.output}
    stored = {t.name: (t.data_type, tuple(t.dims)) for t in model.graph.initializer}
    return Counter(
        (node.op_type, *(str(givers.get(name, stored.get(name))) for name in node.input))
        for node in model.graph.node
    )


def outputs_of(model: onnx.ModelProto, graph: Graph) -> list[np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs_of(graph))


# Numbers of random networks that between them hold every block.
@pytest.mark.parametrize("number", [1, 3, 6, 7, 9, 11])
def test_it_makes_the_model_that_quantize_static_makes(number, tmp_path):
    graph = draw_network(11, number)
    theirs = quantized_by_onnxruntime(graph, tmp_path)
    ours = onnx.load_model_from_string(quantized_model(graph, write_onnx(graph)))

    assert outline(ours) == outline(theirs)
    for one, other in zip(outputs_of(ours, graph), outputs_of(theirs, graph), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "vit_tiny"])
def test_it_does_so_for_whole_networks(name, zoo_graph, tmp_path):
    graph = zoo_graph(f"{name}?size=64")
    theirs = quantized_by_onnxruntime(graph, tmp_path)
    ours = onnx.load_model_from_string(quantized_model(graph, write_onnx(graph)))
    assert outline(ours) == outline(theirs)


@pytest.mark.parametrize("activations", [("relu", "relu"), ("relu6", "relu", "relu6")])
def test_activations_in_a_row_are_all_left_to_the_range(net, tmp_path, activations):
    x = net.conv(net.input((1, 16, 8, 8)), 16, 3)
    for activation in activations:
        x = net.add_one(activation, [x])
    graph = net.finish([net.conv(x, 8)])

    ours = onnx.load_model_from_string(quantized_model(graph, write_onnx(graph)))

    assert not {"Relu", "Clip"} & {node.op_type for node in ours.graph.node}
    theirs = quantized_by_onnxruntime(graph, tmp_path)
    assert outline(ours) == outline(theirs)
    for got, wanted in zip(outputs_of(ours, graph), outputs_of(theirs, graph), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_a_relu_is_left_to_the_range_of_what_it_follows(net):
    x = net.add_one("relu", [net.conv(net.input((1, 8, 8, 8)), 8, 3)])
    graph = net.finish([x])
    model = onnx.load_model_from_string(quantized_model(graph, write_onnx(graph)))
    assert "Relu" not in {node.op_type for node in model.graph.node}


def test_numbers_beyond_float32_do_not_stand_in_the_way(net):
    x = net.input((1, 8, 8, 8))
    for _ in range(9):
        x = net.add_one("mul", [x, x])  # squared nine times over: some numbers overflow
    graph = net.finish([x])
    model = onnx.load_model_from_string(quantized_model(graph, write_onnx(graph)))
    assert Counter(node.op_type for node in model.graph.node)["QuantizeLinear"] == 10
