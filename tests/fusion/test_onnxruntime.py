"""What ONNX Runtime makes of small graphs; maps of 30 channels stay on the plain layout.

`launched` asks ONNX Runtime itself, where the machine has AVX-512. Where it is not used, the
profile says the same under names that cannot be traced back to a kernel.
"""

from __future__ import annotations

import pytest

from latprof.fusion.onnxruntime import fuse
from latprof.graph import Tensor


def test_a_norm_and_an_activation_join_their_convolution(net, by_name):
    x = net.input((1, 30, 8, 8))
    y = net.add_one("relu", [net.norm(net.conv(x, 30, 3, bias=False))])
    (kernel,) = fuse(net.finish([y]))
    assert kernel.nodes == ("conv", "batch_norm", "relu")
    assert (kernel.name, kernel.op, kernel.activation, kernel.layout) == (
        "conv", "conv", "relu", "nchw",
    )  # fmt: skip
    assert kernel.macs == 64 * 30 * 30 * 9
    assert kernel.elementwise_ops == (2 + 1) * 64 * 30  # norm and ReLU
    assert kernel.params == 30 * 30 * 9 + 4 * 30
    assert kernel.bytes_read == 4 * (30 * 64 + kernel.params)
    assert kernel.bytes_written == 4 * 30 * 64


@pytest.mark.parametrize("op", ["relu", "relu6", "clip", "sigmoid", "tanh", "hard_sigmoid"])
def test_activations_that_join_a_plain_convolution(net, launched, op):
    x = net.input((1, 30, 8, 8))
    assert launched(net.finish([net.add_one(op, [net.conv(x, 30, 3)])])) == [f"conv+{op}"]


@pytest.mark.parametrize("op", ["hard_swish", "silu", "gelu", "elu", "softplus", "exp"])
def test_activations_that_do_not(net, launched, op):
    x = net.input((1, 30, 8, 8))
    assert launched(net.finish([net.add_one(op, [net.conv(x, 30, 3)])])) == ["conv", op]


def test_nothing_joins_what_has_a_second_reader(net, launched):
    x = net.conv(net.input((1, 30, 8, 8)), 30, 3)
    y = net.add_one("relu", [x])
    assert launched(net.finish([net.add_one("mul", [x, y])])) == ["conv", "relu", "mul"]


def test_nothing_joins_what_leaves_the_model(net, launched):
    x = net.conv(net.input((1, 30, 8, 8)), 30, 3)
    assert launched(net.finish([x, net.add_one("relu", [x])])) == ["conv", "relu"]


def test_two_activations_do_not_both_join(net, launched):
    x = net.conv(net.input((1, 30, 8, 8)), 30, 3)
    y = net.add_one("sigmoid", [net.add_one("relu", [x])])
    assert launched(net.finish([y])) == ["conv+relu", "sigmoid"]


def test_norms_join_one_after_another_but_not_past_an_activation(net, launched):
    x = net.norm(net.norm(net.conv(net.input((1, 30, 8, 8)), 30)))
    assert launched(net.finish([x])) == ["pointwise"]
    x = net.norm(net.add_one("relu", [x]))
    assert launched(net.finish([x])) == ["pointwise+relu", "batch_norm"]


@pytest.mark.parametrize(
    ("op", "shape", "joins"),
    [
        ("mul", (30, 1, 1), True),  # layer scale
        ("mul", (1, 30, 1, 1), True),
        ("mul", (), True),
        ("mul", (1,), False),
        ("mul", (30, 8, 8), False),
        ("add", (30, 1, 1), True),
        ("add", (), False),
        ("sub", (30, 1, 1), False),
    ],
)
def test_a_constant_a_channel_folds_into_the_weights(net, launched, op, shape, joins):
    x = net.conv(net.input((1, 30, 8, 8)), 30)
    y = net.add_one(op, [x, net.weight(*shape)])
    expected = ["pointwise"] if joins else ["pointwise", op]
    assert launched(net.finish([net.add_one("exp", [y])])) == [*expected, "exp"]


@pytest.mark.parametrize(
    ("op", "joins"),
    [("relu", True), ("elu", True), ("softplus", True), ("relu6", False), ("gelu", False)],
)
def test_activations_behind_a_linear_layer(net, launched, op, joins):
    y = net.add_one(op, [net.linear(net.input((4, 32)), 8)])
    assert launched(net.finish([y])) == ([f"linear+{op}"] if joins else ["linear", op])


def test_nothing_joins_a_linear_layer_of_three_axes(net):
    # It becomes a product between two reshapes, and the activation comes after them.
    y = net.add_one("relu", [net.linear(net.input((2, 4, 32)), 8)])
    assert [k.op for k in fuse(net.finish([y]))] == ["linear", "relu"]


def test_x_times_its_sigmoid_is_one_silu(net, by_name):
    x = net.conv(net.input((1, 30, 8, 8)), 30)
    y = net.add_one("mul", [net.add_one("sigmoid", [x]), x])
    conv, silu = fuse(net.finish([y]))
    assert (silu.op, silu.nodes, conv.activation) == ("silu", ("sigmoid", "mul"), "")
    assert silu.bytes_read == silu.bytes_written == 4 * 30 * 64
    assert silu.operands == 1


def test_the_sigmoid_of_something_else_is_no_silu(net, launched):
    x, y = net.input((1, 30)), net.input((1, 30), name="gate")
    z = net.add_one("mul", [x, net.add_one("sigmoid", [y])])
    assert launched(net.finish([z])) == ["sigmoid", "mul"]


def test_a_sum_joins_a_plain_convolution_and_takes_its_activation_along(net):
    x = net.input((1, 30, 8, 8))
    y = net.norm(net.conv(net.add_one("relu", [net.conv(x, 30)]), 30))
    y = net.add_one("relu", [net.add_up(x, y)])
    first, second = fuse(net.finish([y]))
    assert (first.activation, first.residual) == ("relu", False)
    assert (second.activation, second.residual) == ("relu", True)
    assert second.nodes == ("conv_1", "batch_norm", "add", "relu_1")
    assert second.bytes_read == 4 * (2 * 30 * 64 + second.params)  # the shortcut too


def test_of_two_convolutions_the_first_takes_the_sum_and_so_runs_last(net, by_name):
    x = net.input((1, 30, 8, 8))
    first, second = net.conv(x, 30), net.conv(x, 30)
    kernels = fuse(net.finish([net.add_up(second, first)]))
    assert [(k.name, k.residual) for k in kernels] == [("conv_1", False), ("conv", True)]


@pytest.mark.parametrize("op", ["relu6", "leaky_relu", "hard_sigmoid"])
def test_a_plain_sum_takes_what_a_plain_convolution_takes(net, launched, op):
    x = net.input((1, 30, 8, 8))
    settings = {"slope": 0.1} if op == "leaky_relu" else {}
    y = net.add_one(op, [net.add_up(net.conv(x, 30), x)], **settings)
    assert launched(net.finish([y])) == [f"pointwise+residual+{op}"]


def test_a_plain_sum_needs_a_convolution_with_a_bias_and_without_an_activation(net, launched):
    x = net.input((1, 30, 8, 8))
    bare = net.conv(x, 30, bias=False)
    active = net.add_one("relu", [net.conv(x, 30)])
    assert launched(net.finish([net.add_up(bare, active)])) == [
        "pointwise", "pointwise+relu", "add",
    ]  # fmt: skip


def test_a_sum_that_stretches_stays_alone(net, launched):
    x = net.input((1, 30, 8, 8))
    mean = net.add_one("mean", [x], axes=(2, 3), keepdims=True)
    y = net.add_up(net.conv(mean, 30), x)
    assert launched(net.finish([y])) == ["mean", "pointwise", "add"]


def test_a_pad_of_zeros_joins_what_it_is_for(net):
    # TensorFlow's "same" padding, as timm writes it.
    x = net.input((1, 30, 8, 8))
    padded = net.add_one(
        "pad", [x], padding=((0, 0), (0, 0), (0, 1), (0, 1)), mode="constant", value=0.0
    )
    y = net.add_one("conv", [padded, net.weight(30, 30, 3, 3)], stride=(2, 2))
    (kernel,) = fuse(net.finish([y]))
    assert kernel.nodes == ("pad", "conv")
    assert kernel.bytes_read == 4 * (30 * 64 + 30 * 30 * 9)  # the map without its padding
    assert (kernel.in_height, kernel.out_height) == (8, 4)


@pytest.mark.parametrize(
    "settings",
    [
        {"value": 1.0},
        {"mode": "reflect"},
        {"padding": ((0, 0), (0, 1), (0, 1), (0, 1))},  # of channels
        {"padding": ((0, 0), (0, 0), (0, -1), (0, -1))},  # a crop
    ],
)
def test_other_pads_stand_alone(net, launched, settings):
    x = net.input((1, 29 if "padding" in settings else 30, 8, 8))
    spatial = {"padding": ((0, 0), (0, 0), (0, 1), (0, 1)), "mode": "constant", "value": 0.0}
    padded = net.add_one("pad", [x], **{**spatial, **settings})
    assert launched(net.finish([net.conv(padded, 30)])) == ["pad", "pointwise"]


def test_a_pad_that_two_read_stands_alone(net, launched):
    x = net.input((1, 30, 8, 8))
    y = net.add_one("pad", [x], padding=((0, 0), (0, 0), (1, 1), (1, 1)), mode="constant", value=0)
    graph = net.finish([net.conv(y, 30), net.conv(y, 30)])
    assert launched(graph) == ["pad", "pointwise", "pointwise"]


def test_what_only_knows_constants_is_computed_while_loading(net):
    scale = net.add_one("reshape", [net.add_one("exp", [net.weight(30)])], shape=(1, 30))
    (kernel,) = fuse(net.finish([net.add_one("mul", [net.input((2, 30)), scale])]))
    assert kernel.nodes == ("mul",)
    assert kernel.weight_bytes == 4 * 30


def test_an_unknown_operator_is_never_taken_for_a_constant(net):
    (table,) = net.add("aten.rand", [net.weight(30)], outputs=[Tensor("table", (30,))])
    y = net.add_one("mul", [net.input((2, 30)), table])
    assert [k.op for k in fuse(net.finish([y]))] == ["aten.rand", "mul"]


@pytest.mark.parametrize(
    ("op", "value", "stays"),
    [
        ("add", 0, False),  # how torch.sum starts
        ("mul", 1, False),
        ("sub", 0, False),
        ("div", 1, False),
        ("add", 1, True),
        ("mul", 0, True),
    ],
)
def test_arithmetic_that_changes_nothing_is_left_out(net, launched, op, value, stays):
    x = net.add_one("tanh", [net.input((1, 30))])
    y = net.add_one(op, [x, net.constant(value)])
    expected = [op] if stays else []
    assert launched(net.finish([net.add_one("exp", [y])])) == ["tanh", *expected, "exp"]


def test_zero_plus_x_is_x_and_zero_minus_x_is_not(net, launched):
    x = net.add_one("tanh", [net.input((1, 30))])
    y = net.add_one("sub", [net.constant(0), x])
    y = net.add_one("add", [net.constant(0), y])
    assert launched(net.finish([net.add_one("exp", [y])])) == ["tanh", "sub", "exp"]


def test_a_slice_to_the_end_is_left_out(net, launched):
    x = net.add_one("tanh", [net.input((1, 30))])
    whole = net.add_one("slice", [x], axis=0, start=0, stop=2**63 - 1, step=1)
    part = net.add_one("slice", [whole], axis=1, start=0, stop=30, step=1)  # it cannot tell
    assert launched(net.finish([net.add_one("exp", [part])])) == ["tanh", "slice", "exp"]


def test_an_expansion_to_the_same_shape_is_left_out(net, launched):
    x = net.add_one("tanh", [net.input((1, 30))])
    same = net.add_one("expand", [x], shape=(1, 30))
    wider = net.add_one("expand", [same], shape=(2, 30))
    assert launched(net.finish([net.add_one("exp", [wider])])) == ["tanh", "expand", "exp"]


def test_what_changes_nothing_stays_where_the_model_begins_or_ends(net, launched):
    first = net.add_one("expand", [net.input((1, 30))], shape=(1, 30))
    last = net.add_one("expand", [net.add_one("exp", [first])], shape=(1, 30))
    assert launched(net.finish([last])) == ["expand", "exp", "expand"]


def test_an_identity_leaves_its_neighbours_together(net, launched):
    x = net.add_one("identity", [net.conv(net.input((1, 30, 8, 8)), 30)])
    assert launched(net.finish([net.add_one("relu", [x])])) == ["pointwise+relu"]


def test_a_fused_graph_keeps_the_graph_as_it_was(net):
    x = net.add_one("identity", [net.conv(net.input((1, 32, 8, 8)), 32)])
    graph = net.finish([net.add_one("relu", [x])])
    before = graph.to_dict()
    assert fuse(graph) == fuse(graph)
    assert graph.to_dict() == before


def test_a_norm_joins_a_transposed_convolution_and_an_activation_does_not(net, launched):
    x = net.input((1, 30, 8, 8))
    y = net.add_one(
        "conv_transpose", [x, net.weight(30, 30, 2, 2), net.weight(30)], stride=(2, 2),
        padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1, output_padding=(0, 0),
    )  # fmt: skip
    y = net.add_one("relu", [net.norm(y)])
    assert launched(net.finish([y])) == ["conv_transpose", "relu"]


def test_the_transpose_of_keys_joins_attention(net, launched, by_name):
    parts = net.add("split", [net.input((1, 9, 192))], {"axis": 2, "sizes": (64, 64, 64)})
    by_head = [net.add_one("reshape", [part], shape=(1, 9, 2, 32)) for part in parts]
    turned = [net.add_one("transpose", [part], order=(0, 2, 1, 3)) for part in by_head]
    graph = net.finish([net.add_one("attention", turned, causal=False)])
    assert launched(graph) == [
        "split", *["reshape"] * 3, "transpose", "transpose", "attention",
    ]  # fmt: skip
    assert by_name(fuse(graph))["attention"].nodes == ("transpose_1", "attention")


def test_a_layer_on_rows_is_one_kernel_with_the_reshapes_around_it(net, launched):
    x = net.input((1, 9, 64))
    y = net.linear(net.add_one("gelu", [net.linear(x, 128)]), 64)
    assert launched(net.finish([y])) == ["linear", "gelu", "linear"]


def test_a_transpose_moved_behind_a_sum_is_still_found(net, launched):
    x = net.conv(net.input((1, 30, 8, 8)), 30, 3)
    y = net.add_one("reshape", [x], shape=(1, 30, 64))
    y = net.add_up(net.add_one("transpose", [y], order=(0, 2, 1)), net.weight(1, 64, 30))
    y = net.linear(y, 16)
    assert launched(net.finish([y])) == ["conv", "reshape", "transpose", "add", "linear"]


def test_a_sum_joins_the_norm_that_alone_reads_it(net, launched, by_name):
    x = net.input((1, 9, 64))
    y = net.add_up(net.linear(x, 64), x)
    y = net.add_one("layer_norm", [y, net.weight(64), net.weight(64)], axes=1, eps=1e-6)
    assert launched(net.finish([y])) == ["linear", "layer_norm+residual"]


def test_a_sum_that_others_read_too_does_not(net, launched):
    x = net.input((1, 9, 64))
    y = net.add_up(net.linear(x, 64), x)
    z = net.add_one("layer_norm", [y, net.weight(64), net.weight(64)], axes=1, eps=1e-6)
    assert launched(net.finish([net.add_up(y, z)])) == ["linear", "add", "layer_norm", "add"]


def test_what_is_turned_in_its_last_axes_joins_attention(net, launched, by_name):
    parts = net.add("split", [net.input((1, 3, 32, 36))], {"axis": 3, "sizes": (12, 12, 12)})
    turned = [net.add_one("transpose", [part], order=(0, 1, 3, 2)) for part in parts]
    graph = net.finish([net.add_one("attention", turned, causal=False)])
    assert launched(graph) == ["split", "attention"]
    nodes = by_name(fuse(graph))["attention"].nodes
    assert sorted(nodes) == ["attention", "transpose", "transpose_1", "transpose_2"]
