"""A network quantised throughout is told as the float32 one that it stands for; others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from latprof.frontends import read
from latprof.frontends.patterns.scales import without_scales
from latprof.fusion import fuse
from latprof.graph import Tensor

TFLITE = Path(__file__).parents[2] / "data" / "tflite"


def quantised(net, *, measured=False):
    """x → quantize → dequantize → conv on an int8 weight, as QDQ files are."""
    x = net.input((1, 4, 8, 8))
    scale = net.add_one("abs", [x]) if measured else net.constant(0.1)
    (q,) = net.add("quantize", [x, scale], outputs=[Tensor("q", (1, 4, 8, 8), "uint8")])
    (r,) = net.add("dequantize", [q, scale], outputs=[Tensor("r", (1, 4, 8, 8))])
    weight = net.parameter("w", (8, 4, 3, 3), "int8")
    y = net.add_one("conv", [r, weight, net.parameter("b", (8,), "int32")], stride=(1, 1),
                    padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)  # fmt: skip
    return net.finish([y])


def test_scales_and_what_they_do_are_left_out(net):
    graph = without_scales(quantised(net))
    assert [node.op for node in graph.nodes] == ["conv"]
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"float32"}


def test_scales_found_while_running_are_another_network(net):
    assert without_scales(quantised(net, measured=True)) is None


def test_a_float_network_is_no_quantised_one(net):
    assert without_scales(net.finish([net.conv(net.input((1, 4, 8, 8)), 8)])) is None


@pytest.mark.parametrize("kind", ["mobilenet_v2-fp16", "mobilenet_v3_large-dynamic"])
def test_weights_alone_do_not_make_a_network_int8(kind):
    assert without_scales(read(str(TFLITE / f"{kind}.tflite"))) is None


def test_a_converted_network_launches_what_the_zoo_s_does(zoo_graph):
    graph = without_scales(read(str(TFLITE / "mobilenet_v2-int8.tflite")))
    convolutions = [
        sorted(k.op for k in fuse(each, "litert", "int8") if k.macs)
        for each in (graph, zoo_graph("mobilenet_v2"))
    ]
    assert convolutions[0] == convolutions[1]
