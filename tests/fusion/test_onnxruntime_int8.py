"""What ONNX Runtime makes of small quantised graphs; it has to agree itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.graph import Graph

IN, OUT = "quantize", "dequantize"
LAST, FIRST = "reorder_input@nhwc", "reorder_output@nhwc"


@pytest.fixture
def launched() -> Callable[[Graph], list[str]]:
    """Kernels as ``op@layout``, ``:f`` where one runs on floats."""

    def tell(graph: Graph) -> list[str]:
        kernels = fuse(graph, "onnxruntime", "int8")
        session = runtimes.load("onnxruntime").open(
            graph, kernels, threads=1, profiled=True, dtype="int8"
        )
        session.run()
        found, strays = session.finish()
        assert strays == ()
        assert {k.kernel.name for k in found} == {k.name for k in kernels}
        return [
            k.op + ("" if k.layout == "nchw" else f"@{k.layout}") + ":f" * (k.dtype == "float32")
            for k in kernels
        ]

    return tell


def test_a_convolution_runs_on_whole_numbers_with_channels_last(net, launched):
    x = net.add_one("relu", [net.norm(net.conv(net.input((1, 8, 6, 6)), 8, 3, bias=False))])
    assert launched(net.finish([x])) == [IN, LAST, "conv@nhwc", FIRST, OUT]


def test_between_convolutions_nothing_is_turned_or_converted(net, launched):
    x = net.conv(net.input((1, 8, 6, 6)), 16)
    y = net.conv(net.conv(x, 16, 3, groups=16), 16)
    assert launched(net.finish([net.add_up(x, y)])) == [
        IN, LAST, "pointwise@nhwc", "depthwise@nhwc", "pointwise@nhwc", "add@nhwc", FIRST, OUT,
    ]  # fmt: skip


def test_a_mean_runs_on_floats(net, launched):
    x = net.conv(net.input((1, 8, 6, 6)), 8)
    mean = net.add_one("adaptive_avg_pool", [x], output_size=(1, 1))
    y = net.linear(net.add_one("reshape", [mean], shape=(1, 8)), 4)
    assert launched(net.finish([y])) == [
        IN, LAST, "pointwise@nhwc", FIRST, OUT, "mean:f", IN, "reshape", "linear", OUT,
    ]  # fmt: skip


def test_a_transposed_convolution_has_no_whole_numbered_form(net, launched):
    x = net.input((1, 8, 6, 6))
    y = net.add_one(
        "conv_transpose", [x, net.weight(8, 8, 2, 2), net.weight(8)], stride=(2, 2),
        padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1, output_padding=(0, 0),
    )  # fmt: skip
    assert launched(net.finish([y])) == [IN, OUT, "conv_transpose:f", IN, OUT]


def test_the_gate_of_a_hard_swish_reads_floats(net, launched):
    x = net.add_one("hard_swish", [net.conv(net.input((1, 8, 6, 6)), 8)])
    y = net.conv(x, 8)
    assert launched(net.finish([y])) == [
        IN, LAST, "pointwise@nhwc", f"{OUT}@nhwc", "hard_swish@nhwc", "pointwise@nhwc", FIRST, OUT,
    ]  # fmt: skip


def test_a_pool_turns_with_the_convolutions_around_it(net, launched):
    x = net.max_pool(net.conv(net.input((1, 8, 6, 6)), 8))
    assert launched(net.finish([net.conv(x, 8)])) == [
        IN, LAST, "pointwise@nhwc", "max_pool@nhwc", "pointwise@nhwc", FIRST, OUT,
    ]  # fmt: skip


def test_a_shuffle_takes_channels_last_and_gives_them_first(net, launched):
    x = net.add_one("channel_shuffle", [net.conv(net.input((1, 8, 6, 6)), 8)], groups=2)
    assert launched(net.finish([net.conv(x, 8)])) == [
        IN, LAST, "pointwise@nhwc", "channel_shuffle", LAST, "pointwise@nhwc", FIRST, OUT,
    ]  # fmt: skip


def test_what_no_quantizer_knows_keeps_its_floats(net, launched):
    x = net.add_one("gelu", [net.linear(net.input((1, 9, 16)), 8)])
    assert launched(net.finish([net.linear(x, 8)])) == [
        IN, "linear", OUT, "gelu:f", IN, "linear", OUT,
    ]  # fmt: skip


def test_bytes_are_those_of_whole_numbers(net):
    x = net.conv(net.input((1, 8, 6, 6)), 16)
    kernels = {k.op: k for k in fuse(net.finish([x]), "onnxruntime", "int8")}
    assert kernels["pointwise"].weight_bytes == 8 * 16 + 4 * 16  # a bias is kept in int32
    assert kernels["pointwise"].bytes_read == 8 * 36 + 8 * 16 + 4 * 16
    assert kernels["pointwise"].bytes_written == 16 * 36
    assert (kernels["quantize"].bytes_read, kernels["quantize"].bytes_written) == (
        4 * 8 * 36, 8 * 36,
    )  # fmt: skip


def test_it_reads_a_graph_without_changing_it(net):
    x = net.add_one("relu", [net.conv(net.input((1, 8, 6, 6)), 8)])
    graph = net.finish([x])
    before = graph.to_dict()
    assert fuse(graph, "onnxruntime", "int8") == fuse(graph, "onnxruntime", "int8")
    assert graph.to_dict() == before
