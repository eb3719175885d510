"""Single operators: what each is in latprof's words."""

from __future__ import annotations

import pytest

from latprof.counting import count
from latprof.errors import ShapeMismatch
from latprof.frontends import read

from .tflite_writer import Subgraph, write


@pytest.fixture
def read_net(tmp_path):
    def read_back(net, *outputs):
        net.outputs = list(outputs)
        return read(str(write(tmp_path / "net.tflite", net)))

    return read_back


def test_same_padding_puts_the_odd_pixel_behind(read_net):
    net = Subgraph()
    x = net.input(1, 224, 224, 3)
    (call,) = read_net(net, net.conv(x, 32, 3, 2)).calls
    assert call.attributes["padding"] == ((0, 1), (0, 1))
    assert call.outputs[0].shape == (1, 32, 112, 112)


def test_groups_follow_from_the_weight(read_net):
    net = Subgraph()
    x, weight = net.input(1, 8, 8, 12), net.weight(6, 3, 3, 4)
    y = net.add("CONV_2D", [x, weight, net.weight(6)], (1, 6, 6, 6), padding=1,
                stride_w=1, stride_h=1)  # fmt: skip
    (call,) = read_net(net, y).calls
    assert (call.attributes["groups"], call.input(1).shape) == (3, (6, 4, 3, 3))


def test_a_depthwise_convolution_may_multiply_channels(read_net):
    net = Subgraph()
    x, weight = net.input(1, 8, 8, 4), net.weight(1, 3, 5, 8)
    y = net.add("DEPTHWISE_CONV_2D", [x, weight, net.weight(8)], (1, 8, 8, 8),
                stride_w=1, stride_h=1, dilation_w=1, dilation_h=2)  # fmt: skip
    graph = read_net(net, y)
    (call,) = graph.calls
    assert (call.attributes["groups"], call.input(1).shape) == (4, (8, 1, 3, 5))
    assert call.attributes["padding"] == ((2, 2), (2, 2))
    assert count(graph).macs == 8 * 8 * 8 * 15


def test_a_transposed_convolution_reaches_the_size_it_names(read_net):
    net = Subgraph()
    x, weight = net.input(1, 4, 4, 6), net.weight(5, 3, 3, 6)
    y = net.add("TRANSPOSE_CONV", [net.numbers(1, 8, 8, 5), weight, x], (1, 8, 8, 5),
                stride_w=2, stride_h=2)  # fmt: skip
    (call,) = read_net(net, y).calls
    assert (call.input(1).shape, call.outputs[0].shape) == ((6, 5, 3, 3), (1, 5, 8, 8))


@pytest.mark.parametrize(
    ("kind", "ops"),
    [(0, ["conv"]), (1, ["conv", "relu"]), (2, ["conv", "clip"]), (3, ["conv", "relu6"]),
     (4, ["conv", "tanh"])],
)  # fmt: skip
def test_a_fused_activation_is_a_node_of_its_own(kind, ops, read_net):
    net = Subgraph()
    y = net.conv(net.input(1, 8, 8, 3), 4, activation=kind)
    assert [node.op for node in read_net(net, y).nodes] == ops


def test_fused_operations_keep_their_own_names(read_net):
    net = Subgraph()
    name = "Net/Conv/Relu6;Net/Conv/BatchNorm/FusedBatchNormV3;Net/Conv/Conv2D"
    x = net.input(1, 8, 8, 3)
    inputs = [x, net.weight(4, 1, 1, 3, name="Net/Conv/weights"), net.weight(4)]
    y = net.add("CONV_2D", inputs, (1, 8, 8, 4), name=name, activation=3, stride_w=1, stride_h=1)
    conv, relu = read_net(net, y).nodes
    assert (conv.name, conv.module) == ("Net/Conv/Conv2D", "Net.Conv")
    assert (relu.name, relu.module) == ("Net/Conv/Relu6", "Net.Conv")
    assert conv.inputs[1] == "Net/Conv/weights"


def test_a_stored_weight_is_taken_as_it_is_kept(read_net):
    net = Subgraph()
    kept = net.weight(4, 1, 1, 3, dtype="float16")
    weight = net.add("DEQUANTIZE", [kept], (4, 1, 1, 3))
    x = net.input(1, 8, 8, 3)
    y = net.add("CONV_2D", [x, weight, -1], (1, 8, 8, 4), stride_w=1, stride_h=1)
    graph = read_net(net, y)
    assert [node.op for node in graph.nodes] == ["conv"]
    assert (graph.calls[0].input(1).dtype, graph.calls[0].input(1).role) == ("float16", "parameter")


def test_activations_pass_between_real_and_whole_numbers_in_nodes(read_net):
    net = Subgraph()
    q = net.add("QUANTIZE", [net.input(1, 8)], (1, 8), dtype="int8")
    y = net.add("DEQUANTIZE", [q], (1, 8))
    graph = read_net(net, y)
    assert [(n.op, graph.tensors[n.outputs[0]].dtype) for n in graph.nodes] == [
        ("quantize", "int8"), ("dequantize", "float32"),
    ]  # fmt: skip


def test_pools_average_what_is_there(read_net):
    net = Subgraph()
    y = net.add("AVERAGE_POOL_2D", [net.input(1, 9, 9, 4)], (1, 5, 5, 4), stride_w=2, stride_h=2,
                filter_w=3, filter_h=3)  # fmt: skip
    (call,) = read_net(net, y).calls
    assert call.attributes["padding"] == ((1, 1), (1, 1))
    assert call.attributes["count_padding"] is False
    assert call.outputs[0].shape == (1, 4, 5, 5)


def test_a_dense_layer_folds_what_comes_before_its_features(read_net):
    net = Subgraph()
    weight = net.weight(5, 12)
    rows = net.add("FULLY_CONNECTED", [net.input(2, 3, 12), weight, -1], (6, 5))
    kept = net.add("FULLY_CONNECTED", [net.input(2, 3, 12), weight, -1], (2, 3, 5),
                   keep_num_dims=True)  # fmt: skip
    graph = read_net(net, rows, kept)
    assert [graph.tensors[name].shape for name in graph.outputs] == [(6, 5), (2, 3, 5)]
    assert count(graph).params == 60


def test_a_matrix_that_is_computed_makes_a_product(read_net):
    net = Subgraph()
    y = net.add("FULLY_CONNECTED", [net.input(2, 12), net.input(5, 12), -1], (2, 5))
    graph = read_net(net, y)
    assert [node.op for node in graph.nodes] == ["transpose", "matmul"]
    assert count(graph).macs == 2 * 12 * 5


@pytest.mark.parametrize(
    ("masks", "begin", "end", "step", "shape"),
    [
        ({}, (0, 1, 2), (2, 3, 6), (1, 1, 2), (2, 2, 2)),
        ({"begin_mask": 7, "end_mask": 5}, (9, 9, 9), (9, 3, 9), (1, 1, 1), (2, 3, 6)),
        ({"shrink_axis_mask": 2}, (0, -1, 0), (2, 0, 6), (1, 1, 1), (2, 6)),
        (
            {"new_axis_mask": 1, "end_mask": 2},
            (0, 0),
            (0, 0),
            (1, 1),
            (1, 2, 4, 6),
        ),
        ({"ellipsis_mask": 1, "end_mask": 2}, (0, 3), (0, 0), (1, 1), (2, 4, 3)),
        ({"begin_mask": 4, "end_mask": 4}, (0, 0, 0), (2, 4, 0), (1, 1, -1), (2, 4, 6)),
    ],
)
def test_slices_are_those_of_numpy(masks, begin, end, step, shape, read_net):
    net = Subgraph()
    inputs = [net.input(2, 4, 6), *(net.numbers(*values) for values in (begin, end, step))]
    graph = read_net(net, net.add("STRIDED_SLICE", inputs, shape, **masks))
    assert graph.tensors[graph.outputs[0]].shape == shape
    assert not graph.assumptions


def test_blocks_of_pixels_become_channels_and_back(read_net):
    net = Subgraph()
    deep = net.add("SPACE_TO_DEPTH", [net.input(1, 8, 6, 4)], (1, 4, 3, 16), block_size=2)
    wide = net.add("DEPTH_TO_SPACE", [deep], (1, 8, 6, 4), block_size=2)
    graph = read_net(net, deep, wide)
    assert [graph.tensors[name].shape for name in graph.outputs] == [(1, 16, 4, 3), (1, 4, 8, 6)]


def test_dilation_written_as_batches_keeps_its_macs(read_net):
    net = Subgraph()
    x, block = net.input(1, 8, 8, 4), net.numbers(2, 2)
    y = net.add("SPACE_TO_BATCH_ND", [x, block, net.numbers(2, 2, 2, 2)], (4, 6, 6, 4))
    y = net.add("CONV_2D", [y, net.weight(5, 3, 3, 4), -1], (4, 4, 4, 5), padding=1,
                stride_w=1, stride_h=1)  # fmt: skip
    y = net.add("BATCH_TO_SPACE_ND", [y, block, net.numbers(0, 0, 0, 0)], (1, 8, 8, 5))
    graph = read_net(net, y)
    assert graph.tensors[graph.outputs[0]].shape == (1, 5, 8, 8)
    assert count(graph).macs == 8 * 8 * 5 * 4 * 9


def test_stacking_and_splitting_go_by_the_axes_of_the_file(read_net):
    net = Subgraph()
    x = net.input(2, 6)
    a, b = net.add("SPLIT", [net.numbers(1, shape=()), x], (2, 3), (2, 3))
    c, d = net.add("SPLIT_V", [x, net.numbers(2, -1), net.numbers(1, shape=())], (2, 2), (2, 4))
    packed = net.add("PACK", [a, b], (2, 2, 3), axis=1)
    e, _ = net.add("UNPACK", [packed], (2, 3), (2, 3), axis=1)
    graph = read_net(net, c, d, e)
    assert [graph.tensors[name].shape for name in graph.outputs] == [(2, 2), (2, 4), (2, 3)]
    assert [node.op for node in graph.nodes] == ["split", "split", "stack", "unbind"]


def test_a_number_of_pieces_that_does_not_fit_is_refused(read_net):
    net = Subgraph()
    a, _ = net.add("UNPACK", [net.input(3, 2)], (2,), (2,), axis=0)
    with pytest.raises(ShapeMismatch, match="UNPACK of 3 into 2"):
        read_net(net, a)


def test_rows_of_a_table_are_an_embedding(read_net):
    net = Subgraph()
    ids = net.input(1, 7, dtype="int32")
    y = net.add("GATHER", [net.weight(100, 16), ids], (1, 7, 16))
    z = net.add("EMBEDDING_LOOKUP", [net.input(7, dtype="int32"), net.weight(50, 8)], (7, 8))
    graph = read_net(net, y, z)
    assert [node.op for node in graph.nodes] == ["embedding", "embedding"]
    assert count(graph).params == 1600 + 400


def test_an_lstm_is_one_layer(read_net):
    net = Subgraph()
    features, units = 10, 16
    gates = [net.weight(units, features) for _ in range(4)]
    recurrent = [net.weight(units, units) for _ in range(4)]
    biases = [net.weight(units) for _ in range(4)]
    inputs = [net.input(1, 20, features), *gates, *recurrent, -1, -1, -1, *biases, -1, -1]
    inputs += [net.weight(1, units), net.weight(1, units)]
    y = net.add("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (1, 20, units), activation=4)
    graph = read_net(net, y)
    assert [node.op for node in graph.nodes] == ["lstm"]
    assert graph.tensors[graph.outputs[0]].shape == (1, 20, units)
    assert count(graph).macs == 20 * 4 * units * (features + units)
    assert count(graph).params == 4 * units * (features + units + 1)


def test_detections_end_in_a_bound_that_is_said(read_net):
    net = Subgraph()
    inputs = [net.input(1, 100, 4), net.input(1, 100, 91), net.weight(100, 4)]
    outputs = net.add("CUSTOM", inputs, (1, 10, 4), (1, 10), (1, 10), (1,),
                      custom="TFLite_Detection_PostProcess")  # fmt: skip
    graph = read_net(net, *outputs)
    shapes = [graph.tensors[name].shape for name in graph.outputs]
    assert shapes == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert "nms" in {node.op for node in graph.nodes}
    assert "counted as the most there can be" in graph.assumptions[0]


def test_settings_that_only_running_tells_leave_the_operator_unknown(read_net):
    net = Subgraph()
    y = net.add("TOPK_V2", [net.input(1, 8), net.input(dtype="int32")], (1, 3), (1, 3))[0]
    graph = read_net(net, y)
    assert [node.op for node in graph.nodes] == ["tflite.TOPK_V2"]
    assert "computed while running" in graph.assumptions[0]


def test_what_depends_on_no_input_is_stored(read_net):
    net = Subgraph()
    steps = net.add("RANGE", [net.numbers(v, shape=()) for v in (0, 8, 2)], (4,), dtype="int32")
    ones = net.add("FILL", [net.numbers(2, 4), net.numbers(1.0, shape=(), dtype="float32")], (2, 4))
    y = net.add("ADD", [net.input(2, 4), ones], (2, 4))
    z = net.add("ADD", [net.input(4, dtype="int32"), steps], (4,), dtype="int32")
    graph = read_net(net, y, z)
    assert [node.op for node in graph.nodes] == ["add", "add"]
    stored = graph.calls[1].input(1)
    assert (stored.role, stored.values) == ("constant", (0, 2, 4, 6))
