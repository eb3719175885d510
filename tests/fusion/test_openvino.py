"""What OpenVINO launches, rule by rule; where it is installed, it has to agree."""

from __future__ import annotations

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.graph import Graph


@pytest.fixture
def launched(avx512):
    """The kernels of a graph under OpenVINO, in one word each."""

    def tell(graph: Graph) -> list[str]:
        kernels = fuse(graph, "openvino")
        if avx512 and runtimes.missing("openvino") is None:
            session = runtimes.load("openvino").open(graph, kernels, threads=1, profiled=True)
            session.run()
            found, strays = session.finish()
            assert strays == ()
            assert [k.kernel for k in found] == list(kernels)
        return [
            kernel.op
            + "+residual" * kernel.residual
            + f"+{kernel.activation}" * bool(kernel.activation)
            + f"@{kernel.layout}" * (kernel.layout != "nchw")
            for kernel in kernels
        ]

    return tell


@pytest.fixture(scope="session")
def avx512(blocks_of_sixteen) -> bool:
    return blocks_of_sixteen


def test_a_convolution_runs_channels_last_between_two_reorders(net, launched):
    x = net.input((1, 16, 8, 8))
    y = net.add_one("silu", [net.norm(net.conv(x, 32, 3, bias=False))])

    assert launched(net.finish([y])) == [
        "reorder_input@nhwc", "conv+silu@nhwc", "reorder_output",
    ]  # fmt: skip


def test_maps_of_one_pixel_need_no_reorder(net, launched):
    x = net.add_one("mean", [net.input((1, 16, 8, 8))], axes=(2, 3), keepdims=True)
    y = net.add_one("relu", [net.conv(x, 32)])

    assert launched(net.finish([y])) == ["mean", "pointwise+relu@nhwc"]


def test_a_sum_and_what_follows_join_the_convolution(net, launched):
    x = net.add_one("relu", [net.conv(net.input((1, 16, 8, 8)), 16, 3)])
    y = net.add_one("relu", [net.conv(x, 32)])
    y = net.add_one("relu", [net.add_up(net.conv(y, 16), x)])

    assert launched(net.finish([y])) == [
        "reorder_input@nhwc", "conv+relu@nhwc", "pointwise+relu@nhwc",
        "pointwise+residual+relu@nhwc", "reorder_output",
    ]  # fmt: skip


def test_a_sum_stays_apart_where_the_convolution_reads_its_other_operand(net, launched):
    x = net.add_one("relu", [net.conv(net.input((1, 16, 8, 8)), 16, 3)])
    y = net.add_one("relu", [net.add_up(net.conv(x, 16, 3), x)])

    assert launched(net.finish([y])) == [
        "reorder_input@nhwc", "conv+relu@nhwc", "conv@nhwc", "add+relu@nhwc", "reorder_output",
    ]  # fmt: skip


def test_a_sum_stays_apart_where_its_other_operand_is_read_later(net, launched):
    x = net.add_one("relu", [net.conv(net.input((1, 16, 8, 8)), 16, 3)])
    y = net.add_one("relu", [net.conv(x, 32)])
    y = net.add_up(net.conv(y, 16), x)
    late = net.add_one("relu", [net.conv(x, 8, 3)])

    assert launched(net.finish([y, late])) == [
        "reorder_input@nhwc", "conv+relu@nhwc", "pointwise+relu@nhwc", "pointwise@nhwc",
        "add@nhwc", "conv+relu@nhwc", "reorder_output", "reorder_output",
    ]  # fmt: skip


def test_elementwise_operators_in_a_row_are_one_launch(net, launched):
    x, y = (net.input((1, 16, 8, 8), name=name) for name in "xy")
    z = net.add_one("sigmoid", [net.add_one("relu", [net.add_up(x, y)])])

    assert launched(net.finish([z])) == ["add+sigmoid"]


def test_hard_sigmoid_runs_plain_and_by_itself(net, launched):
    x = net.conv(net.input((1, 16, 8, 8)), 16)
    y = net.add_one("hard_sigmoid", [x])

    assert launched(net.finish([y])) == [
        "reorder_input@nhwc", "pointwise@nhwc", "reorder_output", "hard_sigmoid",
    ]  # fmt: skip


def test_a_concatenation_of_concatenations_is_one(net, launched):
    x, y, z = (net.input((1, 4, 8, 8), name=name) for name in "xyz")
    inner = net.add_one("concat", [x, y], axis=1)

    assert launched(net.finish([net.add_one("concat", [inner, z], axis=1)])) == ["concat"]


def test_activations_join_matrix_products_and_sums_do_not(net, launched):
    x = net.input((8, 512))
    y = net.add_one("gelu", [net.linear(x, 1024)])
    y = net.add_up(net.linear(y, 512), x)

    assert launched(net.finish([y])) == ["linear+gelu", "linear", "add"]


def test_channels_last_are_rows_of_tokens_already(net, launched):
    x = net.conv(net.input((1, 3, 16, 16)), 32, 3)
    rows = net.add_one("reshape", [x], shape=(1, 32, 256))
    rows = net.add_one("transpose", [rows], order=(0, 2, 1))

    assert launched(net.finish([net.linear(rows, 8)])) == [
        "reorder_input@nhwc", "conv@nhwc", "linear",
    ]  # fmt: skip


def test_a_shuffle_of_one_group_is_no_launch(net, launched):
    x = net.add_one("relu", [net.conv(net.input((1, 8, 6, 6)), 8)])
    y = net.add_one("reshape", [x], shape=(1, 1, 8, 6, 6))
    y = net.add_one("transpose", [y], order=(0, 2, 1, 3, 4))
    y = net.add_one("reshape", [y], shape=(1, 8, 6, 6))

    assert launched(net.finish([net.conv(y, 4)])) == [
        "reorder_input@nhwc", "pointwise+relu@nhwc", "pointwise@nhwc", "reorder_output",
    ]  # fmt: skip


def test_attention_takes_in_the_transposes_that_move_heads(net, launched):
    x = net.input((1, 16, 64))
    heads = []
    for _ in range(3):
        rows = net.add_one("reshape", [net.linear(x, 64)], shape=(1, 16, 4, 16))
        heads.append(net.add_one("transpose", [rows], order=(0, 2, 1, 3)))
    y = net.add_one("transpose", [net.add_one("attention", heads)], order=(0, 2, 1, 3))
    y = net.linear(net.add_one("reshape", [y], shape=(1, 16, 64)), 8)

    assert launched(net.finish([y])) == ["linear", "linear", "linear", "attention", "linear"]
