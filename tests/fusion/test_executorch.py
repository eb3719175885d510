"""Small networks, fused for ExecuTorch: each rule by itself, in one word a kernel."""

from __future__ import annotations

import pytest

from latprof.fusion import fuse


def told(graph) -> list[str]:
    return [
        k.op + (f"+{k.activation}" if k.activation else "") + f":{k.layout}"
        for k in fuse(graph, "executorch")
    ]


def test_a_norm_and_a_clamp_fold_into_the_convolution_between_two_turns(net):
    x = net.input((1, 8, 12, 12))
    graph = net.finish([net.add_one("relu6", [net.norm(net.conv(x, 8, 3, bias=False))])])
    assert told(graph) == ["reorder_input:nhwc", "conv+relu6:nhwc", "reorder_output:nchw"]


@pytest.mark.parametrize("op", ["sigmoid", "hard_swish", "leaky_relu", "gelu", "silu"])
def test_other_activations_are_launches_of_their_own(net, op):
    settings = {"slope": 0.1} if op == "leaky_relu" else {}
    graph = net.finish([net.add_one(op, [net.conv(net.input((1, 8, 12, 12)), 8, 3)], **settings)])
    assert told(graph)[1:3] == ["conv:nhwc", f"{op}:nhwc"]


def test_a_norm_by_itself_takes_a_clamp(net):
    graph = net.finish([net.add_one("relu", [net.norm(net.input((1, 8, 12, 12)))])])
    assert told(graph)[1] == "batch_norm+relu:nhwc"


def test_an_output_keeps_the_clamp_behind_it_apart(net):
    y = net.conv(net.input((1, 8, 12, 12)), 8, 3)
    assert "relu:nhwc" in told(net.finish([y, net.add_one("relu", [y])]))


def test_a_portable_kernel_between_two_parts_makes_both_turn(net):
    y = net.conv(net.input((1, 8, 12, 12)), 8, 3)
    graph = net.finish([net.conv(net.add_one("softmax", [y], axis=1), 8, 3)])
    assert told(graph) == [
        "reorder_input:nhwc", "conv:nhwc", "reorder_output:nchw",
        "softmax:portable",
        "reorder_input:nhwc", "conv:nhwc", "reorder_output:nchw",
    ]  # fmt: skip


def test_a_side_branch_that_is_portable_does_not_part_what_it_is_no_step_of(net):
    """Both convolutions are one part: the softmax only reads what the first gives."""
    y = net.conv(net.input((1, 8, 12, 12)), 8, 3)
    side = net.add_one("softmax", [y], axis=1)
    kernels = told(net.finish([side, net.conv(y, 8, 3)]))
    assert kernels.count("reorder_input:nhwc") == 1


def test_hard_sigmoid_computes_with_constants_channels_first(net):
    y = net.conv(net.input((1, 8, 12, 12)), 8, 1)
    graph = net.finish([net.add_one("mul", [y, net.add_one("hard_sigmoid", [y])])])
    assert told(graph) == [
        "reorder_input:nhwc", "pointwise:nhwc", "reorder_output:nchw", "hard_sigmoid:nchw",
        "reorder_input:nhwc", "mul:nhwc", "reorder_output:nchw",
    ]  # fmt: skip


def test_only_a_mean_that_keeps_both_axes_is_taken(net):
    x = net.input((1, 8, 12, 12))
    kept = net.add_one("mean", [x], axes=(2, 3), keepdims=True)
    dropped = net.add_one("mean", [x], axes=(2, 3), keepdims=False)
    kernels = [k for k in told(net.finish([kept, dropped])) if k.startswith("mean")]
    assert kernels == ["mean:nhwc", "mean:portable"]


def test_a_pool_whose_border_counts_is_left_to_a_portable_kernel(net):
    x = net.input((1, 8, 12, 12))
    counted = {"kernel": (3, 3), "stride": (1, 1), "padding": ((1, 1), (1, 1))}
    graph = net.finish([
        net.add_one("avg_pool", [x], count_padding=True, **counted),
        net.add_one("avg_pool", [x], count_padding=False, **counted),
    ])  # fmt: skip
    kernels = [k for k in told(graph) if k.startswith("avg_pool")]
    assert kernels == ["avg_pool:portable", "avg_pool:nhwc"]
