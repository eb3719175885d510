"""What OpenVINO converts in half precision; where the processor has it, OpenVINO has to agree."""

from __future__ import annotations

import pytest

from latprof import runtimes
from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph


@pytest.fixture
def launched(blocks_of_sixteen):
    """The kernels of a graph in a dtype, by name."""

    def tell(graph: Graph, dtype: str) -> list[str]:
        kernels = fuse(graph, "openvino", dtype)
        if blocks_of_sixteen and runtimes.missing("openvino") is None:
            check(graph, kernels, dtype)
        return [kernel.name for kernel in kernels]

    return tell


def check(graph, kernels, dtype):
    try:
        session = runtimes.load("openvino").open(
            graph, kernels, threads=1, profiled=True, dtype=dtype
        )
    except MeasurementError as error:
        assert f"does not compute in {dtype}" in str(error)  # noqa: PT017
        return
    for _ in range(5):  # what takes less than half a microsecond may be told as none
        session.run()
    found, strays = session.finish()
    assert strays == ()
    assert {k.kernel.name for k in found} == {kernel.name for kernel in kernels}


def pooled(net) -> Graph:
    y = net.conv(net.input((1, 16, 56, 56)), 64, 3)
    y = net.add_one("mean", [y], axes=(2, 3), keepdims=True)
    return net.finish([net.linear(net.add_one("reshape", [y], shape=(1, 64)), 512)])


def test_bfloat16_is_made_as_the_input_is_reordered(net, launched):
    """A mean gives float32, and is converted for the layer behind it."""
    assert launched(pooled(net), "bf16") == [
        "input/reorder_input", "conv", "mean", "mean/cast", "linear",
    ]  # fmt: skip


def test_float16_begins_with_a_conversion_of_the_input(net, launched):
    assert launched(pooled(net), "fp16") == [
        "input/cast", "input/reorder_input", "conv", "mean", "mean/cast", "linear",
    ]  # fmt: skip


def test_float16_ends_with_a_conversion_behind_a_convolution(net, launched):
    graph = net.finish([net.conv(net.input((1, 16, 56, 56)), 64, 3)])
    assert launched(graph, "fp16")[-2:] == ["conv/reorder_output", "conv/cast"]


def test_hard_sigmoid_runs_in_float32(net):
    x = net.add_one("mean", [net.input((1, 16, 8, 8))], axes=(2, 3), keepdims=True)
    graph = net.finish([net.conv(net.add_one("hard_sigmoid", [net.conv(x, 8)]), 16)])
    kernels = {kernel.name: kernel for kernel in fuse(graph, "openvino", "bf16")}
    assert kernels["hard_sigmoid"].dtype == "float32"
    assert kernels["conv"].dtype == "bfloat16"
    assert {"conv/cast", "hard_sigmoid/cast"} <= kernels.keys()


def test_float32_is_converted_nowhere(net):
    assert all(kernel.op != "cast" for kernel in fuse(pooled(net), "openvino"))
