"""Names as ONNX Runtime 1.31.1 gave them in profiles of quantized networks, November 2026."""

from __future__ import annotations

from latprof.kernel import Kernel
from latprof.runtimes.onnxruntime_profile import kernel_times


def node_time(launch: str, op: str, shape: list[int], dtype: str = "uint8") -> dict:
    args = {"op_name": op, "input_type_shape": [{dtype: shape}], "output_type_shape": []}
    return {"cat": "Node", "dur": 5, "args": args, "name": f"{launch}_kernel_time"}


def kernel(name: str, op: str, channels: int = 8, size: int = 4) -> Kernel:
    return Kernel(name, op, in_channels=channels, in_height=size, in_width=size, nodes=(name,))


def seen(events: list[dict], kernels: list[Kernel]) -> tuple[dict[str, tuple], list[str]]:
    found, strays = kernel_times(events, kernels)
    return {k.kernel.name: k.seen for k in found}, [stray.name for stray in strays]


def test_the_number_that_makes_a_name_its_only_one_is_no_part_of_it():
    events = [node_time("conv_token_14", "QLinearConv", [1, 4, 4, 8])]
    assert seen(events, [kernel("conv", "pointwise")]) == (
        {"conv": ("QLinearConv conv_token_14",)}, [],
    )  # fmt: skip


def test_each_reader_of_floats_has_a_launch_of_its_own():
    kernels = [kernel("relu/dequantize", "dequantize"), kernel("relu/dequantize/2", "dequantize")]
    events = [
        node_time("relu/dequantize", "DequantizeLinear", [1, 8, 4, 4]),
        node_time("relu/dequantize/duplicated_token_3", "DequantizeLinear", [1, 8, 4, 4]),
    ]
    found, strays = seen(events, kernels)
    assert (list(found), strays) == (["relu/dequantize", "relu/dequantize/2"], [])


def test_quantizing_that_was_carried_past_a_reshape_is_found():
    events = [node_time("mean_q", "QuantizeLinear", [1, 8, 1, 1], "float")]
    assert seen(events, [kernel("mean/quantize", "quantize")])[1] == []


def test_transpositions_are_told_by_what_they_turn():
    kernels = [kernel("x/reorder_input", "reorder_input"), kernel("y/reorder_output",
               "reorder_output", channels=16)]  # fmt: skip
    events = [
        node_time("Transpose_token_19", "Transpose", [1, 4, 4, 16]),
        node_time("Transpose", "Transpose", [1, 8, 4, 4]),
    ]
    found, strays = seen(events, kernels)
    assert found == {
        "x/reorder_input": ("Transpose Transpose",),
        "y/reorder_output": ("Transpose Transpose_token_19",),
    }
    assert strays == []


def test_a_conversion_that_nobody_foresaw_is_no_part_of_the_operator_it_follows():
    events = [
        node_time("conv", "QLinearConv", [1, 8, 4, 4]),
        node_time("conv/dequantize", "DequantizeLinear", [1, 8, 4, 4]),
    ]
    assert seen(events, [kernel("conv", "pointwise")])[1] == ["conv/dequantize"]


def test_conversions_inside_an_operator_are_part_of_it():
    events = [node_time("fc/weight/dequantize", "DequantizeLinear", [8, 8], "int8")]
    assert seen(events, [kernel("fc", "layer_norm")])[1] == []
