"""Rules of inductor; each was seen in the wrappers PyTorch 2.13 wrote in November 2026."""

from __future__ import annotations

import pytest

from latprof.fusion.inductor import fuse, fuse_for_gpu


def names(kernels):
    return [(kernel.op, kernel.activation, kernel.residual) for kernel in kernels]


def test_an_activation_and_a_norm_join_their_convolution(net):
    x = net.input((1, 3, 16, 16))
    y = net.add_one("hard_swish", [net.norm(net.conv(x, 16, 3, bias=False))])
    graph = net.finish([net.add_one("mean", [y], axes=(2, 3))])

    assert names(fuse(graph)) == [
        ("reorder_input", "", False),  # channels last, once
        ("conv", "hard_swish", False),
        ("mean", "", False),
    ]


def test_of_two_convolutions_that_are_added_the_second_takes_the_sum(net):
    x = net.conv(net.input((1, 3, 16, 16)), 16, 3)
    y = net.add_up(net.conv(x, 16), net.conv(x, 16))
    graph = net.finish([net.add_one("mean", [net.add_one("relu", [y])], axes=(2, 3))])

    found = fuse(graph)
    assert names(found)[2:4] == [("pointwise", "", False), ("pointwise", "relu", True)]


def test_loops_between_two_library_calls_are_one_launch(net):
    x = net.conv(net.input((1, 3, 16, 16)), 16, 3)
    y = net.add_one("exp", [net.add_one("neg", [x])])
    graph = net.finish([net.add_one("mean", [net.conv(y, 32)], axes=(2, 3))])

    loops = [kernel for kernel in fuse(graph) if kernel.layout == "loops"]
    assert [kernel.nodes for kernel in loops][1] == ("neg", "exp")


def test_the_bias_of_a_linear_is_added_by_the_loops_behind_it(net):
    x = net.linear(net.input((4, 32)), 16)
    graph = net.finish([net.add_one("gelu", [x])])
    assert [k.op for k in fuse(graph)] == ["linear", "gelu"]


def test_a_last_linear_leaves_a_launch_for_its_bias(net):
    graph = net.finish([net.linear(net.input((4, 32)), 16)])
    assert [k.name for k in fuse(graph)] == ["linear", "linear/bias"]


def test_an_activation_behind_a_concatenation_is_computed_part_by_part(net):
    x = net.conv(net.input((1, 3, 16, 16)), 16, 3)
    parts = [net.conv(x, 16), net.max_pool(x)]
    joined = net.add_one("concat", [parts[0], net.conv(x, 16)], axis=1)
    graph = net.finish(
        [net.add_one("mean", [net.add_one("relu", [joined])], axes=(2, 3)), parts[1]]
    )

    convs = [k for k in fuse(graph) if k.op == "pointwise"]
    assert [k.activation for k in convs] == ["relu"] * len(convs)


def test_a_map_that_leaves_the_model_is_put_back_in_order(net):
    graph = net.finish([net.conv(net.input((1, 3, 16, 16)), 16, 3)])
    assert [k.op for k in fuse(graph)] == ["reorder_input", "conv", "reorder_output"]


@pytest.mark.parametrize(("channels", "launches"), [(8, 2), (9, 1)])
def test_a_short_bias_is_written_into_the_code(net, channels, launches):
    x = net.conv(net.input((1, 3, 16, 16)), 16, 3)
    graph = net.finish([net.add_one("mean", [net.conv(x, channels)], axes=(2, 3))])

    names = [kernel.name for kernel in fuse(graph)]
    assert names.count("conv_1/bias") + names.count("conv_1") == launches


def test_on_a_gpu_an_activation_stays_with_the_loops(net):
    x = net.conv(net.input((1, 3, 16, 16)), 16, 3)
    graph = net.finish([net.add_one("relu", [x])])
    assert [(k.op, k.dtype) for k in fuse_for_gpu(graph, "bf16")][1:] == [
        ("conv", "bfloat16"),
        ("relu", "bfloat16"),
    ]
