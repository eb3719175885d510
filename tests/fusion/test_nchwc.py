"""The blocked layout on small graphs, told as in `conftest`.

`launched` asks ONNX Runtime itself, where the machine has AVX-512.
"""

from __future__ import annotations

import pytest

from latprof.fusion.onnxruntime import fuse

IN, OUT = "reorder_input", "reorder_output"


def test_a_convolution_is_blocked_between_two_reorders(net, by_name):
    y = net.conv(net.input((1, 32, 8, 8)), 48, 3)
    kernels = by_name(fuse(net.finish([y])))
    assert [k.op for k in kernels.values()] == [IN, "conv", OUT]
    before, after = kernels["input/reorder_input"], kernels["conv/reorder_output"]
    assert before.bytes_read == before.bytes_written == 4 * 32 * 64
    assert after.bytes_read == after.bytes_written == 4 * 48 * 64
    assert before.nodes == ("input/reorder_input",)
    assert kernels["conv"].layout == "blocked"


@pytest.mark.parametrize(
    ("channels", "out_channels", "groups", "told"),
    [
        (3, 32, 1, ["conv@from_plain", OUT]),  # the stem reads the image as it is
        (15, 32, 1, ["conv@from_plain", OUT]),
        (16, 32, 1, [IN, "conv@blocked", OUT]),
        (20, 18, 1, [IN, "conv@blocked", OUT]),  # 20 is padded to 32
        (30, 32, 1, ["conv"]),  # 30 % 4
        (58, 58, 58, ["depthwise"]),  # ShuffleNetV2's: 58 % 4
        (60, 60, 60, [IN, "depthwise@blocked", OUT]),
        (3, 3, 3, ["depthwise"]),
        (32, 64, 32, ["depthwise"]),  # two outputs a channel
        (32, 32, 2, [IN, "grouped@blocked", OUT]),  # 16 channels a group
        (32, 32, 4, ["grouped"]),  # 8
        (64, 48, 4, ["grouped"]),  # 16 to 12
    ],
)
def test_which_convolutions_are_blocked(net, launched, channels, out_channels, groups, told):
    x = net.input((1, channels, 8, 8))
    assert launched(net.finish([net.conv(x, out_channels, 3, groups=groups)])) == told


def test_convolutions_of_one_and_three_axes_stay_plain(net, launched):
    x = net.input((1, 32, 8))
    y = net.add_one("conv", [x, net.weight(32, 32, 3)])
    assert launched(net.finish([y])) == ["conv"]


def test_a_convolution_with_a_computed_weight_stays_plain(net, launched):
    x, w = net.input((1, 32, 8, 8)), net.input((32, 32, 1, 1), name="w")
    assert launched(net.finish([net.add_one("conv", [x, w])])) == ["pointwise"]


def test_neighbours_pass_the_layout_on(net, launched):
    # An inverted residual: one way in, one way out.
    x = net.input((1, 24, 8, 8))
    y = net.add_one("relu6", [net.norm(net.conv(x, 144, bias=False))])
    y = net.add_one("relu6", [net.norm(net.conv(y, 144, 3, groups=144, bias=False))])
    y = net.norm(net.conv(y, 32, bias=False))
    assert launched(net.finish([y])) == [
        IN, "pointwise+relu6@blocked", "depthwise+relu6@blocked", "pointwise@blocked", OUT,
    ]  # fmt: skip


def test_one_reorder_serves_all_who_read_the_same_map(net, launched):
    x = net.input((1, 32, 8, 8))
    y = net.add_one("concat", [net.conv(x, 32), net.conv(x, 32, 3)], axis=1)
    assert launched(net.finish([y])) == [
        IN, "pointwise@blocked", "conv@blocked", "concat@blocked", OUT,
    ]  # fmt: skip


@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish"])
def test_activations_that_join_a_blocked_convolution(net, launched, op):
    y = net.add_one(op, [net.conv(net.input((1, 32, 8, 8)), 32)])
    assert launched(net.finish([net.conv(y, 32)])) == [
        IN, f"pointwise+{op}@blocked", "pointwise@blocked", OUT,
    ]  # fmt: skip


def test_hard_swish_joins_a_blocked_convolution_only(net, launched):
    y = net.add_one("hard_swish", [net.conv(net.input((1, 30, 8, 8)), 30)])
    assert launched(net.finish([net.conv(y, 30)])) == ["pointwise", "hard_swish", "pointwise"]


def test_hard_swish_does_not_join_where_it_leaves_the_model(net, launched):
    y = net.add_one("hard_swish", [net.conv(net.input((1, 32, 8, 8)), 32)])
    assert launched(net.finish([y])) == [IN, "pointwise@blocked", "hard_swish@blocked", OUT]


@pytest.mark.parametrize("op", ["silu", "gelu"])
def test_activations_that_run_on_the_blocked_layout_alone(net, launched, op):
    y = net.add_one(op, [net.conv(net.input((1, 32, 8, 8)), 32)])
    assert launched(net.finish([y])) == [IN, "pointwise@blocked", f"{op}@blocked", OUT]


def test_other_activations_want_the_plain_layout(net, launched):
    y = net.add_one("exp", [net.conv(net.input((1, 32, 8, 8)), 32)])
    assert launched(net.finish([y])) == [IN, "pointwise@blocked", OUT, "exp"]


def test_an_activation_behind_a_pool_has_no_convolution_to_join(net, launched):
    y = net.add_one("relu", [net.max_pool(net.conv(net.input((1, 32, 8, 8)), 32))])
    assert launched(net.finish([y])) == [
        IN, "pointwise@blocked", "max_pool@blocked", "relu@blocked", OUT,
    ]  # fmt: skip


def test_the_gate_of_squeeze_excite_costs_two_reorders(net, launched):
    # A map times one number a channel is a product of the plain layout.
    x = net.conv(net.input((1, 32, 8, 8)), 32, 3)
    gate = net.add_one("adaptive_avg_pool", [x], output_size=(1, 1))
    gate = net.add_one("relu", [net.conv(gate, 8)])
    gate = net.add_one("hard_sigmoid", [net.conv(gate, 32)])
    y = net.conv(net.add_one("mul", [x, gate]), 32)
    assert launched(net.finish([y])) == [
        IN, "conv@blocked", OUT,
        "mean", IN, "pointwise+relu@blocked", OUT,  # 8 channels are read as they are
        "pointwise+hard_sigmoid@from_plain", OUT,
        "mul", IN, "pointwise@blocked", OUT,
    ]  # fmt: skip


def test_a_product_of_two_blocked_maps_stays_blocked(net, launched):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    y = net.add_one("mul", [x, net.conv(x, 32)])
    assert launched(net.finish([y])) == [
        IN, "pointwise@blocked", "pointwise@blocked", "mul@blocked", OUT,
    ]  # fmt: skip


def test_a_residual_joins_the_convolution_that_only_the_sum_reads(net, by_name):
    x = net.conv(net.input((1, 32, 8, 8)), 32)  # read twice
    y = net.conv(x, 32)
    y = net.add_one("relu", [net.add_up(x, y)])
    kernels = by_name(fuse(net.finish([y])))
    assert not kernels["conv"].residual
    assert kernels["conv_1"].residual
    assert kernels["conv_1"].activation == "relu"
    assert kernels["conv_1"].nodes == ("conv_1", "add", "relu")


def test_of_two_convolutions_the_first_of_the_sum_takes_it_and_runs_last(net, by_name):
    # ResNet's projection shortcut.
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    left, right = net.conv(x, 32, 3), net.conv(x, 32)
    kernels = fuse(net.finish([net.add_up(right, left)]))
    assert [(k.name, k.residual) for k in kernels[1:-1]] == [
        ("conv", False), ("conv_1", False), ("conv_2", True),
    ]  # fmt: skip


def test_a_convolution_that_is_active_already_takes_no_sum(net, launched):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    y = net.add_up(x, net.add_one("relu", [net.conv(x, 32)]))
    assert launched(net.finish([y])) == [
        IN, "pointwise@blocked", "pointwise+relu@blocked", "add@blocked", OUT,
    ]  # fmt: skip


def test_a_convolution_takes_one_sum(net, launched):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    once = net.add_up(net.conv(x, 32, 3), x)
    twice = net.add_up(once, x)
    assert launched(net.finish([twice])) == [
        IN, "pointwise@blocked", "conv+residual@blocked", "add@blocked", OUT,
    ]  # fmt: skip


def test_a_sum_with_a_plain_map_is_plain(net, launched):
    x = net.input((1, 32, 8, 8))
    assert launched(net.finish([net.add_up(x, net.conv(x, 32))])) == [
        IN, "pointwise@blocked", OUT, "add",
    ]  # fmt: skip


def test_a_narrow_convolution_reads_the_shortcut_blocked(net, launched):
    # Its input comes plain, what it adds to its result does not.
    x = net.add_one("relu", [net.conv(net.input((1, 32, 8, 8)), 32)])
    y = net.conv(net.conv(x, 8), 32)
    assert launched(net.finish([net.add_up(y, x)])) == [
        IN, "pointwise+relu@blocked", "pointwise@blocked", OUT,
        "pointwise+residual@from_plain", OUT,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("widths", "axis", "blocked"),
    [((32, 16), 1, True), ((32, 40), 1, False), ((32, 32), 2, False), ((32, 32), -3, False)],
)
def test_a_concatenation_of_whole_blocks_stays_blocked(net, launched, widths, axis, blocked):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    y = net.add_one("concat", [net.conv(x, width) for width in widths], axis=axis)
    told = launched(net.finish([net.conv(y, 32)]))
    three = [IN] + ["pointwise@blocked"] * 3
    if blocked:
        assert told == [*three, "concat@blocked", "pointwise@blocked", OUT]
    else:
        # Each part goes back to the plain layout, and the whole is blocked anew.
        assert told == [
            *three[:3], OUT, three[3], OUT, "concat", IN, "pointwise@blocked", OUT,
        ]  # fmt: skip


def test_a_concatenation_with_a_plain_map_is_plain(net, launched):
    x = net.input((1, 32, 8, 8))
    y = net.add_one("concat", [x, net.conv(x, 32)], axis=1)
    assert launched(net.finish([y])) == [IN, "pointwise@blocked", OUT, "concat"]


def test_a_norm_alone_on_the_blocked_layout_becomes_a_depthwise_convolution(net, by_name):
    # DenseNet: norm and activation come first.
    x = net.max_pool(net.conv(net.input((1, 32, 8, 8)), 32))
    y = net.conv(net.add_one("relu", [net.norm(x)]), 32)
    kernel = by_name(fuse(net.finish([y])))["batch_norm"]
    assert (kernel.op, kernel.activation, kernel.layout) == ("depthwise", "relu", "blocked")
    assert (kernel.macs, kernel.params) == (0, 4 * 32)


def test_a_norm_alone_on_the_plain_layout_is_a_norm(net, launched):
    y = net.norm(net.max_pool(net.input((1, 30, 8, 8))))
    assert launched(net.finish([y])) == ["max_pool", "batch_norm"]


@pytest.mark.parametrize(
    ("op", "settings", "channels", "blocked"),
    [
        ("max_pool", {}, 32, True),
        ("max_pool", {}, 40, False),  # no whole blocks
        ("max_pool", {"ceil_mode": True}, 32, True),
        ("avg_pool", {}, 32, True),
        ("avg_pool", {"ceil_mode": True}, 32, False),
        ("avg_pool", {"ceil_mode": True, "count_padding": False}, 32, True),
    ],
)
def test_which_pools_are_blocked(net, launched, op, settings, channels, blocked):
    x = net.input((1, channels, 8, 8))
    y = net.add_one(op, [x], kernel=(2, 2), stride=(2, 2), padding=((0, 0),) * 2, **settings)
    assert launched(net.finish([y])) == ([IN, f"{op}@blocked", OUT] if blocked else [op])


def test_an_adaptive_pool_is_a_window_unless_it_leaves_one_pixel(net, launched):
    x = net.input((1, 32, 14, 14))
    seven = net.add_one("adaptive_avg_pool", [x], output_size=(7, 7))
    assert launched(net.finish([seven])) == [IN, "adaptive_avg_pool@blocked", OUT]
    one = net.add_one("adaptive_avg_pool", [x], output_size=(1, 1))
    assert launched(net.finish([one])) == ["mean"]


@pytest.mark.parametrize(
    ("settings", "blocked"),
    [
        ({"mode": "nearest", "size": (16, 16)}, True),
        ({"mode": "nearest", "size": (24, 8)}, True),
        ({"mode": "nearest", "size": (12, 12)}, False),  # by one and a half
        ({"mode": "nearest", "size": (4, 4)}, False),
        ({"mode": "linear", "size": (16, 16)}, False),
        ({"mode": "linear", "size": (16, 16), "align_corners": True}, True),
        ({"mode": "cubic", "size": (16, 16)}, False),
    ],
)
def test_which_enlargements_are_blocked(net, launched, settings, blocked):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    told = launched(net.finish([net.add_one("resize", [x], **settings)]))
    assert told[2:] == (["resize@blocked", OUT] if blocked else [OUT, "resize"])


def test_an_enlargement_of_a_plain_map_is_plain(net, launched):
    x = net.input((1, 32, 8, 8))
    y = net.add_one("resize", [x], mode="nearest", size=(16, 16))
    assert launched(net.finish([y])) == ["resize"]


def test_channels_turned_last_are_the_reorder_itself(net, by_name):
    # ConvNeXt: depthwise convolution, channels last, norm, channels first, convolution.
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    y = net.add_one("transpose", [x], order=(0, 2, 3, 1))
    y = net.add_one("layer_norm", [y, net.weight(32), net.weight(32)], axes=1, eps=1e-6)
    y = net.add_one("transpose", [y], order=(0, 3, 1, 2))
    kernels = fuse(net.finish([net.conv(y, 32)]))
    assert [k.op for k in kernels] == [IN, "pointwise", OUT, "layer_norm", IN, "pointwise", OUT]
    assert by_name(kernels)["transpose"].op == OUT
    assert by_name(kernels)["transpose_1"].op == IN


def test_channels_turned_first_for_two_readers_are_a_transposition(net, launched):
    x = net.add_one("transpose", [net.input((1, 8, 8, 32))], order=(0, 3, 1, 2))
    y = net.add_one("concat", [net.conv(x, 32), x], axis=1)
    assert launched(net.finish([y])) == ["transpose", IN, "pointwise@blocked", OUT, "concat"]


def test_what_leaves_the_model_leaves_plain_even_if_it_goes_on_blocked(net, launched):
    x = net.conv(net.input((1, 32, 8, 8)), 32)
    assert launched(net.finish([x, net.conv(x, 32)])) == [
        IN, "pointwise@blocked", OUT, "pointwise@blocked", OUT,
    ]  # fmt: skip


def test_tokens_become_a_map_through_a_reorder_that_takes_the_channels_last(net, launched, by_name):
    x = net.add_one("gelu", [net.linear(net.input((1, 64, 48)), 32)])
    y = net.add_one("transpose", [x], order=(0, 2, 1))
    y = net.conv(net.add_one("reshape", [y], shape=(1, 32, 8, 8)), 16, 3)
    graph = net.finish([y])
    assert launched(graph) == ["linear", "gelu", "reshape", IN, "conv@blocked", OUT]
    kernels = by_name(fuse(graph))
    assert kernels["reshape"].nodes == ("transpose", "reshape")
    reorder = kernels["reshape/reorder_input"]
    assert (reorder.in_channels, reorder.in_height, reorder.in_width) == (8, 8, 32)
