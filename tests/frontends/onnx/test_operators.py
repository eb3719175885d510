"""Operators of ONNX in latprof's words: names, settings, shapes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from latprof.counting import count

node = helper.make_node
IMAGE = (1, 8, 6, 6)


def only(read_onnx, *args, **kwargs):
    """The call of a graph of one node, with its output's shape."""
    graph = read_onnx(*args, **kwargs)
    (call,) = graph.calls
    return call, call.outputs[0].shape


@pytest.mark.parametrize(
    ("op", "settings", "name", "attributes"),
    [
        ("Relu", {}, "relu", {}),
        ("LeakyRelu", {"alpha": 0.5}, "leaky_relu", {"slope": 0.5}),
        ("HardSigmoid", {"alpha": 1 / 6}, "hard_sigmoid", {}),
        ("HardSwish", {}, "hard_swish", {}),
        ("Softmax", {"axis": 1}, "softmax", {"axis": 1}),
        ("Softmax", {}, "softmax", {"axis": 3}),
        ("GlobalAveragePool", {}, "adaptive_avg_pool", {"output_size": (1, 1)}),
        ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, "mean",
         {"axes": (2, 3), "keepdims": False}),
        ("ArgMax", {"axis": 1}, "argmax", {"axes": (1,), "keepdims": True}),
        ("Cast", {"to": 10}, "cast", {}),
        ("LRN", {"size": 5}, "local_response_norm", {"size": 5}),
        ("Transpose", {"perm": [0, 2, 3, 1]}, "transpose", {"order": (0, 2, 3, 1)}),
    ],
)  # fmt: skip
def test_an_operator_of_one_input(read_onnx, op, settings, name, attributes):
    call, _ = only(read_onnx, [node(op, ["x"], ["y"], **settings)], {"x": IMAGE})
    assert (call.node.op, dict(call.attributes)) == (name, attributes)


def test_before_opset_13_softmax_begins_at_the_second_axis(read_onnx):
    call, _ = only(read_onnx, [node("Softmax", ["x"], ["y"])], {"x": IMAGE}, opset=12)
    assert call.attributes["axis"] == 1


@pytest.mark.parametrize(
    ("low", "high", "op", "attributes"),
    [
        (0, 6, "relu6", {}),
        (0, None, "relu", {}),
        (-1, 1, "clip", {"low": -1.0, "high": 1.0}),
        (0, 3.4e38, "relu", {}),
    ],
)
def test_a_clip_is_named_after_its_bounds(read_onnx, low, high, op, attributes):
    bounds = {"low": low, "high": high}
    arrays = {name: np.float32(bound) for name, bound in bounds.items() if bound is not None}
    names = [name if name in arrays else "" for name in bounds]
    call, _ = only(
        read_onnx, [node("Clip", ["x", *names], ["y"])], {"x": IMAGE}, initializers=arrays
    )
    assert (call.node.op, dict(call.attributes)) == (op, attributes)


def test_old_files_say_bounds_axes_and_pads_as_attributes(read_onnx):
    graph = read_onnx(
        [
            node("Clip", ["x"], ["a"], min=0.0, max=6.0),
            node("Pad", ["a"], ["b"], pads=[0, 0, 1, 1, 0, 0, 1, 1]),
            node("Slice", ["b"], ["c"], starts=[0], ends=[4], axes=[1]),
            node("Unsqueeze", ["c"], ["d"], axes=[0]),
            node("Squeeze", ["d"], ["e"], axes=[0]),
            node("Upsample", ["e", "scales"], ["y"]),
        ],
        {"x": IMAGE},
        initializers={"scales": np.array([1, 1, 2, 2], np.float32)},
        opset=9,
    )
    assert [n.op for n in graph.nodes] == ["relu6", "pad", "slice", "reshape", "reshape", "resize"]
    assert graph.tensors["y"].shape == (1, 4, 16, 16)


@pytest.mark.parametrize(
    ("mode", "pads"), [("SAME_UPPER", ((0, 1), (0, 1))), ("SAME_LOWER", ((1, 0), (1, 0)))]
)
def test_same_padding_is_worked_out(read_onnx, mode, pads):
    nodes = [node("Conv", ["x", "w"], ["y"], strides=[2, 2], auto_pad=mode)]
    weight = {"w": np.ones((4, 8, 3, 3), np.float32)}
    call, shape = only(read_onnx, nodes, {"x": IMAGE}, initializers=weight)
    assert (call.attributes["padding"], shape) == (pads, (1, 4, 3, 3))


def test_a_depthwise_convolution_of_one_dimension(read_onnx):
    nodes = [node("Conv", ["x", "w"], ["y"], group=8, dilations=[2], pads=[2, 2])]
    weight = {"w": np.ones((8, 1, 3), np.float32)}
    call, shape = only(read_onnx, nodes, {"x": (1, 8, 20)}, initializers=weight)
    assert (call.attributes["groups"], call.attributes["dilation"], shape) == (8, (2,), (1, 8, 20))


def test_a_transposed_convolution_to_a_wanted_size(read_onnx):
    nodes = [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], output_shape=[12, 12])]
    weight = {"w": np.ones((8, 4, 3, 3), np.float32)}
    assert only(read_onnx, nodes, {"x": IMAGE}, initializers=weight)[1] == (1, 4, 12, 12)


def test_a_slice_of_several_axes_is_several_slices(read_onnx):
    arrays = {
        "starts": np.array([1, 0]),
        "ends": np.array([2**63 - 1, 3]),
        "axes": np.array([1, 3]),
    }
    graph = read_onnx(
        [node("Slice", ["x", *arrays], ["y"])], {"x": IMAGE}, initializers=arrays
    )  # fmt: skip
    assert [n.op for n in graph.nodes] == ["slice", "slice"]
    assert graph.tensors["y"].shape == (1, 7, 6, 3)


def test_going_backwards_is_a_copy(read_onnx):
    arrays = {
        "starts": np.array([-1]), "ends": np.array([-(2**63)]), "axes": np.array([3]),
        "steps": np.array([-1]),
    }  # fmt: skip
    call, shape = only(
        read_onnx, [node("Slice", ["x", *arrays], ["y"])], {"x": IMAGE}, initializers=arrays
    )
    assert (call.node.op, shape) == ("copy", IMAGE)


@pytest.mark.parametrize("op", ["Identity", "Dropout"])
def test_what_changes_nothing_is_no_node(read_onnx, op):
    nodes = [node("Relu", ["x"], ["a"]), node(op, ["a"], ["b"]), node("Relu", ["b"], ["y"])]
    assert [n.op for n in read_onnx(nodes, {"x": IMAGE}).nodes] == ["relu", "relu"]


def test_pixels_shuffled_are_three_movements(read_onnx):
    graph = read_onnx([node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")], {"x": IMAGE})
    assert [n.op for n in graph.nodes] == ["reshape", "transpose", "reshape"]
    assert graph.tensors["y"].shape == (1, 2, 12, 12)


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(read_onnx, op, gates):
    arrays = {
        "w": np.ones((2, gates * 5, 7), np.float32), "r": np.ones((2, gates * 5, 5), np.float32),
    }  # fmt: skip
    graph = read_onnx(
        [node(op, ["x", "w", "r"], ["y", "h"], hidden_size=5, direction="bidirectional")],
        {"x": (10, 3, 7)},
        outputs=("y", "h"),
        initializers=arrays,
    )
    shapes = [graph.tensors[name].shape for name in graph.outputs]
    assert shapes == [(10, 2, 3, 5), (2, 3, 5)]
    assert count(graph).macs == 10 * 3 * 2 * gates * 5 * (7 + 5)
    assert count(graph).params == 2 * gates * 5 * (7 + 5)


def test_attention_of_three_axes_is_split_into_heads(read_onnx):
    shape = (1, 10, 32)
    graph = read_onnx(
        [node("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=4)],
        {"q": shape, "k": shape, "v": shape},
        opset=23,
    )
    assert graph.tensors["y"].shape == shape
    assert count(graph).macs == 2 * 10 * 10 * 32
