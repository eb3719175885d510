"""Images have channels second in a graph, whatever TFLite keeps; everything else stays as it is."""

from __future__ import annotations

import pytest

from latprof.counting import count
from latprof.frontends import read
from latprof.frontends.tflite.layout import find_images, logical, moves, order, position, stored

from .tflite_writer import Subgraph, write


@pytest.fixture
def graph_of(tmp_path):
    """The graph of a network that ends in one tensor."""

    def read_back(net, *outputs):
        net.outputs = list(outputs)
        return read(str(write(tmp_path / "net.tflite", net)))

    return read_back


def told(graph):
    return [(call.node.op, call.outputs[0].shape) for call in graph.calls]


@pytest.mark.parametrize("spatial", [0, 2, 3])
@pytest.mark.parametrize("rank", [5, 6])
def test_stored_and_logical_order_undo_each_other(spatial, rank):
    shape = tuple(range(2, 2 + rank))
    assert stored(logical(shape, spatial), spatial) == shape
    assert tuple(order(spatial, rank)[place] for place in position(spatial, rank)) == tuple(
        range(rank)
    )


def test_axes_of_size_one_are_free_to_go():
    assert moves((1, 5, 5, 3), (0, 3, 1, 2))
    assert not moves((1, 1, 1, 3), (0, 3, 1, 2))
    assert not moves((7, 5, 5, 1), (0, 3, 1, 2))


def test_what_a_convolution_takes_and_gives_is_an_image_and_what_is_added_to_it():
    net = Subgraph()
    x, other = net.input(1, 8, 8, 3), net.input(1, 8, 8, 4)
    y = net.conv(x, 4)
    z = net.add("RELU", [net.add("ADD", [y, other], (1, 8, 8, 4))], (1, 8, 8, 4))
    assert {x, y, other, z} <= find_images(net_as_file(net)).keys()


def net_as_file(net):
    from latprof.frontends.tflite.flatbuffer import FlatBuffer
    from latprof.frontends.tflite.model import TfliteModel

    from .tflite_writer import content

    return TfliteModel(FlatBuffer(content(net), "net")).subgraphs[0]


def test_axes_of_an_image_are_named_as_in_our_order(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 8, 6, 3), 4)
    y = net.add("CONCATENATION", [x, x], (1, 8, 6, 8), axis=-1)
    y = net.add("PAD", [y, net.numbers(0, 0, 1, 2, 3, 4, 0, 0, shape=(4, 2))], (1, 11, 13, 8))
    y = net.add("SLICE", [y, net.numbers(0, 0, 0, 2), net.numbers(1, 11, -1, 4)], (1, 11, 13, 4))
    y = net.add("SOFTMAX", [y], (1, 11, 13, 4))
    y = net.add("TILE", [y, net.numbers(1, 2, 1, 3)], (1, 22, 13, 12))
    y = net.add("MEAN", [y, net.numbers(1, 2)], (1, 12))
    graph = graph_of(net, y)
    attributes = {call.node.op: call.attributes for call in graph.calls}
    assert attributes["concat"]["axis"] == 1
    assert attributes["pad"]["padding"] == ((0, 0), (0, 0), (1, 2), (3, 4))
    assert (attributes["slice"]["axis"], attributes["slice"]["start"]) == (1, 2)
    assert attributes["softmax"]["axis"] == 1
    assert attributes["tile"]["repeats"] == (1, 3, 2, 1)
    assert attributes["mean"]["axes"] == (2, 3)
    assert graph.tensors[graph.outputs[0]].shape == (1, 12)


def test_one_number_a_channel_stretches_over_the_pixels(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 8, 8, 3), 4)
    y = net.add("MUL", [x, net.weight(4)], (1, 8, 8, 4))
    y = net.add("ADD", [y, net.weight(1, 1, 1, 4)], (1, 8, 8, 4))
    pooled = net.add("MEAN", [y, net.numbers(1, 2)], (1, 4))
    y = net.add("MUL", [y, pooled], (1, 8, 8, 4))
    graph = graph_of(net, y)
    scale, shift, squeeze = (c for c in graph.calls if c.node.op in ("mul", "add"))
    assert (scale.input(1).shape, scale.input(1).role) == ((4, 1, 1), "parameter")
    assert (shift.input(1).shape, shift.input(1).role) == ((1, 4, 1, 1), "parameter")
    assert squeeze.input(1).shape == (1, 4, 1, 1)


def test_a_constant_used_by_an_image_and_by_a_vector_is_counted_once(graph_of):
    net = Subgraph()
    scale = net.weight(4)
    image = net.add("MUL", [net.conv(net.input(1, 8, 8, 3), 4), scale], (1, 8, 8, 4))
    vector = net.add("MUL", [net.input(1, 4), scale], (1, 4))
    graph = graph_of(net, image, vector)
    assert count(graph).params == 4 * 3 + 4 + 4


def test_a_shuffle_of_channels_splits_them_where_they_stand(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 5, 3), 6)
    y = net.add("RESHAPE", [x, net.numbers(1, 4, 5, 2, 3)], (1, 4, 5, 2, 3))
    y = net.add("TRANSPOSE", [y, net.numbers(0, 1, 2, 4, 3)], (1, 4, 5, 3, 2))
    y = net.add("RESHAPE", [y, net.numbers(1, 4, 5, 6)], (1, 4, 5, 6))
    graph = graph_of(net, net.conv(y, 2))
    shuffle = graph.nodes[1]
    assert (shuffle.op, dict(shuffle.attributes)) == ("channel_shuffle", {"groups": 2})
    assert told(graph)[1] == ("channel_shuffle", (1, 6, 4, 5))


def test_pixels_that_become_tokens_are_told_from_channels(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 4, 3), 6)
    tokens = net.add("RESHAPE", [x, net.numbers(1, 16, 6)], (1, 16, 6))
    turned, flat = graph_of(net, tokens).nodes[1:]
    # The file moves nothing here; in our order channels stood second.
    assert (turned.op, turned.attributes["order"], turned.attributes["moved"]) == (
        "transpose", (0, 2, 3, 1), False,
    )  # fmt: skip
    assert (flat.op, flat.attributes["shape"]) == ("reshape", (1, 16, 6))


def test_flattening_for_a_classifier_is_only_a_view(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 4, 3), 6)
    flat = net.add("RESHAPE", [x, net.numbers(-1, 96)], (1, 96))
    y = net.add("FULLY_CONNECTED", [flat, net.weight(10, 96), -1], (1, 10))
    assert [node.op for node in graph_of(net, y).nodes] == ["conv", "reshape", "linear"]


def test_a_dense_layer_takes_whole_pictures_or_every_pixel(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 4, 3), 6)
    whole = net.add("FULLY_CONNECTED", [x, net.weight(10, 96), -1], (1, 10))
    pixels = net.add("FULLY_CONNECTED", [x, net.weight(5, 6), -1], (16, 5))
    assert [node.op for node in graph_of(net, whole, pixels).nodes][1:] == [
        "reshape", "linear", "transpose", "reshape", "linear",
    ]  # fmt: skip


def test_attention_heads_are_no_images(graph_of):
    net = Subgraph()
    tokens = net.input(1, 16, 32)
    heads = net.add("RESHAPE", [tokens, net.numbers(1, 16, 4, 8)], (1, 16, 4, 8))
    heads = net.add("TRANSPOSE", [heads, net.numbers(0, 2, 1, 3)], (1, 4, 16, 8))
    scores = net.add("BATCH_MATMUL", [heads, heads], (1, 4, 16, 16), adj_y=True)
    half = net.numbers(0.5, shape=(), dtype="float32")
    scores = net.add("MUL", [scores, half], (1, 4, 16, 16))
    scores = net.add("SOFTMAX", [scores], (1, 4, 16, 16))
    mixed = net.add("BATCH_MATMUL", [scores, heads], (1, 4, 16, 8))
    graph = graph_of(net, mixed)
    assert told(graph) == [
        ("reshape", (1, 16, 4, 8)), ("transpose", (1, 4, 16, 8)), ("transpose", (1, 4, 8, 16)),
        ("matmul", (1, 4, 16, 16)), ("mul", (1, 4, 16, 16)), ("softmax", (1, 4, 16, 16)),
        ("matmul", (1, 4, 16, 8)),
    ]  # fmt: skip
    assert graph.nodes[5].attributes["axis"] == 3
    assert count(graph).macs == 2 * 4 * 16 * 16 * 8


def test_a_product_of_an_image_works_on_its_channels(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 4, 3), 6)
    y = net.add("BATCH_MATMUL", [x, net.weight(6, 5)], (1, 4, 4, 5))
    graph = graph_of(net, net.conv(y, 2))
    assert told(graph)[1:] == [
        ("transpose", (1, 4, 4, 6)), ("linear", (1, 4, 4, 5)), ("transpose", (1, 5, 4, 4)),
        ("conv", (1, 2, 4, 4)),
    ]  # fmt: skip
    assert [n.attributes["moved"] for n in graph.nodes if n.op == "transpose"] == [False, False]


def test_a_dense_layer_on_an_image_is_a_pointwise_convolution(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 4, 3), 6)
    y = net.add("FULLY_CONNECTED", [x, net.weight(5, 6), -1], (1, 4, 4, 5), keep_num_dims=True)
    graph = graph_of(net, y)
    assert told(graph)[-1] == ("conv", (1, 5, 4, 4))
    assert count(graph).macs == 16 * (3 * 6 + 6 * 5)


def test_a_mean_over_rows_leaves_columns_before_channels(graph_of):
    net = Subgraph()
    x = net.conv(net.input(1, 4, 5, 3), 6)
    rows = net.add("MEAN", [x, net.numbers(1)], (1, 5, 6))
    graph = graph_of(net, rows)
    assert told(graph)[1:] == [
        ("mean", (1, 6, 1, 5)), ("transpose", (1, 1, 5, 6)), ("reshape", (1, 5, 6)),
    ]  # fmt: skip


def test_volumes_have_three_axes_behind_their_channels(graph_of):
    net = Subgraph()
    x = net.input(1, 4, 6, 8, 3)
    y = net.add(
        "CONV_3D", [x, net.weight(3, 3, 3, 3, 5), net.weight(5)], (1, 2, 6, 8, 5),
        stride_d=2, stride_h=1, stride_w=1,
    )  # fmt: skip
    graph = graph_of(net, y)
    assert graph.tensors["tensor0"].shape == (1, 3, 4, 6, 8)
    assert graph.calls[0].input(1).shape == (5, 3, 3, 3, 3)
    assert told(graph) == [("conv", (1, 5, 2, 6, 8))]
