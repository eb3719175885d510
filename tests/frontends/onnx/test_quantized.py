"""Quantised models: as ONNX Runtime's tools write them, and operator by operator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from latprof.counting import count
from latprof.frontends.onnx import reader as onnx_file

node = helper.make_node
IMAGE = {"x": (1, 3, 8, 8)}
QUANTIZED_IMAGE = {"x": (1, 3, 8, 8, "uint8")}
SCALE, ZERO = np.float32(0.1), np.uint8(128)
WEIGHT = np.ones((4, 3, 3, 3), np.int8)
SCALES = {"xs": SCALE, "xz": ZERO, "ws": SCALE, "wz": np.int8(0), "ys": SCALE, "yz": ZERO}


def stored(graph) -> dict[str, tuple[str, str]]:
    return {t.name: (t.role, t.dtype) for t in graph.tensors.values() if t.is_weight}


def test_a_stored_weight_keeps_its_eight_bits(read_onnx):
    graph = read_onnx(
        [
            node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
            node("DequantizeLinear", ["q", "xs", "xz"], ["r"]),
            node("DequantizeLinear", ["w", "ws", "wz"], ["wr"]),
            node("DequantizeLinear", ["b", "ws"], ["br"]),
            node("Conv", ["r", "wr", "br"], ["y"]),
        ],
        IMAGE,
        initializers={"w": WEIGHT, "b": np.ones(4, np.int32), **SCALES},
    )
    quantize, dequantize, conv = graph.calls
    assert [call.node.op for call in graph.calls] == ["quantize", "dequantize", "conv"]
    assert (quantize.outputs[0].dtype, dequantize.outputs[0].dtype) == ("uint8", "float32")
    assert [(t.name, t.dtype, t.role) for t in conv.weights] == [
        ("w", "int8", "parameter"), ("b", "int32", "parameter"),
    ]  # fmt: skip
    assert conv.outputs[0].dtype == "float32"
    assert stored(graph)["ws"] == ("constant", "float32")
    assert count(graph).params == 4 * 27 + 4


def test_a_convolution_on_integers(read_onnx):
    graph = read_onnx(
        [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])],
        QUANTIZED_IMAGE,
        initializers={"w": WEIGHT, **SCALES},
    )
    (conv,) = graph.calls
    assert (conv.node.op, conv.outputs[0].dtype, len(conv.inputs)) == ("conv", "uint8", 2)
    assert stored(graph) == {"w": ("parameter", "int8")} | {
        name: ("constant", str(array.dtype)) for name, array in SCALES.items()
    }


@pytest.mark.parametrize(
    ("nodes", "ops", "dtype"),
    [
        ([node("ConvInteger", ["x", "w"], ["y"])], ["conv"], "int32"),
        ([node("MatMulInteger", ["x", "m"], ["y"])], ["linear"], "int32"),
        ([node("QLinearMatMul", ["x", "xs", "xz", "m", "ws", "wz", "ys", "yz"], ["y"])],
         ["linear"], "uint8"),
        ([node("QLinearAdd", ["x", "xs", "xz", "x", "xs", "xz", "ys", "yz"], ["y"],
               domain="com.microsoft")], ["add"], "uint8"),
        ([node("QLinearGlobalAveragePool", ["x", "xs", "xz", "ys", "yz"], ["y"],
               domain="com.microsoft")], ["adaptive_avg_pool"], "uint8"),
        ([node("QLinearConcat", ["ys", "yz", "x", "xs", "xz", "x", "xs", "xz"], ["y"], axis=1,
               domain="com.microsoft")], ["concat"], "uint8"),
    ],
)  # fmt: skip
def test_operators_on_integers(read_onnx, nodes, ops, dtype):
    arrays = {"w": WEIGHT.astype(np.uint8), "m": np.ones((8, 5), np.int8), **SCALES}
    graph = read_onnx(nodes, QUANTIZED_IMAGE, initializers=arrays)
    assert [n.op for n in graph.nodes] == ops
    assert graph.tensors["y"].dtype == dtype


def test_scales_found_while_running_are_computed(read_onnx):
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("ConvInteger", ["q", "w", "z"], ["i"]),
        node("Cast", ["i"], ["f"], to=1),
        node("Mul", ["f", "s"], ["y"]),
    ]
    graph = read_onnx(nodes, IMAGE, initializers={"w": WEIGHT.astype(np.uint8)})
    ops = [n.op for n in graph.nodes]
    assert ops == ["min", "max", "sub", "div", "quantize", "conv", "cast", "mul"]


def test_four_bit_weights(read_onnx):
    packed = {"w": np.ones((16, 2, 16), np.uint8), "s": np.ones(32, np.float32)}
    graph = read_onnx(
        [node("MatMulNBits", ["x", "w", "s"], ["y"], K=64, N=16, bits=4, block_size=32,
              domain="com.microsoft")],
        {"x": (1, 5, 64)}, initializers=packed,
    )  # fmt: skip
    (call,) = graph.calls
    assert (call.node.op, call.weights[0].shape, call.weights[0].bytes) == ("linear", (16, 64), 512)


@pytest.fixture(scope="module")
def small_float_model(tmp_path_factory):
    """Two convolutions, a sum, a pool and a linear layer, in floats."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "b2": (8,), "m": (8, 10)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], "c1", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r"], "r"),
        node("Conv", ["r", "w2", "b2"], ["c2"], "c2", pads=[1, 1, 1, 1], group=8),
        node("Add", ["r", "c2"], ["a"], "a"),
        node("GlobalAveragePool", ["a"], ["p"], "p"),
        node("Flatten", ["p"], ["f"], "f"),
        node("MatMul", ["f", "m"], ["y"], "fc"),
    ]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("x", 1, (1, 3, 16, 16))],
        [helper.make_tensor_value_info("y", 1, (1, 10))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("quantized") / "float.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("form", "others"),
    [
        ("QDQ", {"quantize", "dequantize"}),
        ("QOperator", {"quantize", "dequantize"}),
    ],
)
def test_a_model_that_onnxruntime_quantised(small_float_model, form, others):
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Pictures(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"x": np.random.default_rng(1).random((1, 3, 16, 16), np.float32)}]

        def get_next(self):
            return self.left.pop() if self.left else None

    path = small_float_model.with_name(f"{form}.onnx")
    quantization.quantize_static(
        small_float_model, path, Pictures(), quant_format=quantization.QuantFormat[form],
        per_channel=True,
    )  # fmt: skip
    plain, quantized = onnx_file.read(small_float_model), onnx_file.read(path)
    assert count(quantized).macs == count(plain).macs
    assert count(quantized).params == count(plain).params
    assert count(quantized).unknown_ops == {}
    weights = [t for t in quantized.tensors.values() if t.role == "parameter"]
    assert {t.dtype for t in weights} == {"int8", "int32"}
    ops = {n.op for n in quantized.nodes}
    assert ops - others == {n.op for n in plain.nodes} - {"relu"}  # it is in the quantisation
