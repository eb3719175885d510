from __future__ import annotations

import pytest

from latprof.errors import UnknownName
from latprof.fusion import FUSIONS, fuse
from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.graph import Tensor


def only_kernel(net, output):
    (kernel,) = fuse(net.finish([output]), "torch-eager")
    return kernel


def test_an_unknown_runtime_is_told_the_known_ones(net):
    graph = net.finish([net.input((1, 8))])
    with pytest.raises(UnknownName, match="Did you mean 'onnxruntime'") as raised:
        fuse(graph, "onnxruntim")
    assert raised.value.known == sorted(FUSIONS)


def test_fields_of_a_convolution(net):
    kernel = only_kernel(net, net.conv(net.input((2, 16, 9, 8)), 32, 3, stride=2, groups=4))
    assert kernel.op == "grouped"
    assert (kernel.batch, kernel.in_channels, kernel.in_height, kernel.in_width) == (2, 16, 9, 8)
    assert (kernel.out_channels, kernel.out_height, kernel.out_width) == (32, 5, 4)
    assert (kernel.kernel_height, kernel.stride_width, kernel.groups) == (3, 2, 4)
    assert kernel.macs == 2 * 32 * 20 * 9 * 4
    assert kernel.params == 32 * 4 * 9 + 32
    assert kernel.weight_bytes == 4 * kernel.params
    assert kernel.bytes_read == 4 * 2 * 16 * 72 + kernel.weight_bytes
    assert kernel.bytes_written == 4 * 2 * 32 * 20


@pytest.mark.parametrize(
    ("kernel_size", "groups", "op"),
    [(1, 1, "pointwise"), (3, 1, "conv"), (3, 16, "depthwise"), (3, 2, "grouped"),
     (1, 2, "grouped")],
)  # fmt: skip
def test_a_convolution_is_told_by_its_kind(net, kernel_size, groups, op):
    x = net.input((1, 16, 8, 8))
    assert only_kernel(net, net.conv(x, 16, kernel_size, groups=groups)).op == op


@pytest.mark.parametrize(
    ("op", "shape", "weight", "fields"),
    [
        # one axis: a height of 1
        ("conv", (1, 4, 9), (8, 4, 3), (1, 4, 1, 9, 8, 1, 7, 1, 3)),
        # three: the first of them counts with the batch
        ("conv", (2, 4, 5, 6, 7), (8, 4, 1, 2, 3), (10, 4, 6, 7, 8, 5, 5, 2, 3)),
        ("conv_transpose", (1, 4, 5, 5), (4, 8, 2, 2), (1, 4, 5, 5, 8, 6, 6, 2, 2)),
    ],
)
def test_axes_are_folded_to_two(net, op, shape, weight, fields):
    k = only_kernel(net, net.add_one(op, [net.input(shape), net.weight(*weight)]))
    assert (
        k.batch, k.in_channels, k.in_height, k.in_width, k.out_channels, k.out_height,
        k.out_width, k.kernel_height, k.kernel_width,
    ) == fields  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "kernel", "fields"),
    [
        ((1, 4, 9), (3,), (1, 3, 1, 3)),
        ((1, 4, 9, 9), (3, 2), (3, 2, 3, 2)),
        ((1, 4, 9, 9, 9), (1, 2, 3), (2, 3, 2, 3)),
    ],
)
def test_pools_of_any_number_of_axes(net, shape, kernel, fields):
    k = only_kernel(net, net.add_one("avg_pool", [net.input(shape)], kernel=kernel))
    assert (k.kernel_height, k.kernel_width, k.stride_height, k.stride_width) == fields


def test_a_linear_layer_is_rows_times_inner_times_columns(net):
    kernel = only_kernel(net, net.linear(net.input((2, 197, 192)), 768))
    assert (kernel.batch, kernel.out_height) == (1, 394)
    assert (kernel.in_channels, kernel.out_channels) == (192, 768)
    assert kernel.macs == 394 * 192 * 768


def test_attention_is_heads_of_rows_and_columns(net):
    shape = (2, 3, 197, 64)
    q, k, v = (net.input(shape, name=name) for name in "qkv")
    kernel = only_kernel(net, net.add_one("attention", [q, k, v]))
    assert (kernel.batch, kernel.out_height, kernel.in_channels) == (6, 197, 64)
    assert (kernel.out_channels, kernel.operands) == (197, 3)


def test_a_captured_product_of_vectors_is_a_kernel(net):
    a, b = net.input((4,), name="a"), net.input((4,), name="b")
    (y,) = net.add("matmul", [a, b], outputs=[Tensor("y", ())])
    kernel = only_kernel(net, y)
    assert (kernel.macs, kernel.in_channels, kernel.out_channels) == (4, 4, 1)


def test_a_split_writes_all_its_parts(net):
    left, _ = net.add("split", [net.input((1, 8, 4, 4))], {"axis": 1, "sizes": (2, 6)})
    kernel = only_kernel(net, left)
    assert (kernel.in_channels, kernel.out_channels) == (8, 8)
    assert kernel.bytes_written == kernel.bytes_read == 4 * 128


def test_a_view_moves_nothing(net):
    kernel = only_kernel(net, net.add_one("reshape", [net.input((1, 8, 4, 4))], shape=(1, 128)))
    assert (kernel.bytes_read, kernel.bytes_written) == (0, 0)


def test_a_map_read_twice_is_loaded_once(net):
    x = net.input((1, 8, 4, 4))
    kernel = only_kernel(net, net.add_one("mul", [x, x]))
    assert (kernel.operands, kernel.bytes_read) == (2, 4 * 128)


def test_small_constants_are_no_weights(net):
    kernel = only_kernel(net, net.add_up(net.input((1, 8)), net.constant(1.0)))
    assert (kernel.params, kernel.weight_bytes, kernel.operands) == (0, 0, 1)


def test_an_unknown_operator_is_a_kernel_of_its_own_name(net):
    x = net.input((1, 8))
    (y,) = net.add("aten.fft", [x], outputs=[Tensor("y", (1, 8))], module="head")
    kernel = only_kernel(net, y)
    assert (kernel.op, kernel.module, kernel.macs) == ("aten.fft", "head", 0)
    assert (kernel.bytes_read, kernel.bytes_written) == (32, 32)


def test_a_mean_of_the_whole_map_is_one_however_it_is_written(net):
    x = net.input((1, 8, 7, 7))
    pooled = only_kernel(net, net.add_one("adaptive_avg_pool", [x], output_size=(1, 1)))
    reduced = only_kernel(net, net.add_one("mean", [x], axes=(2, 3), keepdims=True))
    assert pooled.signature == reduced.signature
    assert pooled.op == "mean"


def test_a_launch_list_finds_neighbours_as_rules_change_them(net):
    x = net.conv(net.input((1, 30, 8, 8)), 30)
    y = net.add_one("relu", [x])
    launches = LaunchList(net.finish([net.add_up(y, net.add_one("tanh", [y]))]))
    conv, relu, tanh, add = launches.all
    assert launches.producer(x) is conv
    assert launches.sole_reader(conv) is relu
    assert launches.sole_reader(relu) is None  # read by two
    assert launches.sole_reader(add) is None  # it leaves
    assert launches.leaves(add)
    launches.absorb(conv, relu)
    assert launches.alive == [conv, tanh, add]
    assert launches.producer(x) is None
    assert launches.producer(y) is conv
    launches.absorb(tanh, add)
    assert launches.readers(y) == [tanh, tanh]
    assert tanh.inputs == [y, y]


def test_what_comes_before_can_be_absorbed_too(net):
    x = net.input((1, 30, 8, 8))
    y = net.add_one("pad", [x], padding=((0, 0), (0, 0), (1, 1), (1, 1)))
    launches = LaunchList(net.finish([net.conv(y, 30)]))
    pad, conv = launches.all
    launches.absorb_before(conv, pad)
    assert launches.alive == [conv]
    assert launches.readers(x) == [conv]
    assert conv.inputs == [x]
    assert kernel_of(conv).nodes == ("pad", "conv")


def test_a_launch_is_its_node_at_first(net):
    graph = net.finish([net.conv(net.input((1, 3, 8, 8)), 8)])
    launch = Launch.of(graph.calls[0])
    assert (launch.inputs, launch.output, launch.calls) == (["input"], "conv", [graph.calls[0]])
