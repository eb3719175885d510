"""What LiteRT makes of small graphs; `told` needs no LiteRT, the last tests ask it itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.sampling import draw_network

# Of all kernels of the random networks. Known: of several reshapes in a row, two of which have
# become one, the events do not say which.
ALLOWANCE = 0.01


def told(graph: Graph, dtype: str = "fp32") -> list[str]:
    """Kernels in one word each: ``conv+relu``."""
    return ["+".join(filter(None, (k.op, k.activation))) for k in fuse(graph, "litert", dtype)]


def test_norm_activation_and_border_join_their_convolution(net):
    x = net.input((1, 3, 32, 32))
    y = net.add_one("relu6", [net.norm(net.conv(x, 8, 3, stride=2, bias=False))])

    (kernel,) = fuse(net.finish([y]), "litert")

    assert (kernel.op, kernel.activation) == ("conv", "relu6")
    assert kernel.nodes == ("conv", "batch_norm", "relu6")


def test_what_is_no_clamp_stays_apart(net):
    x = net.conv(net.input((1, 8, 8, 8)), 8, 3)
    assert told(net.finish([net.add_one("hard_swish", [x])])) == ["conv", "hard_swish"]


def test_a_clamp_is_a_setting_of_a_sum(net):
    x = net.input((1, 8, 8, 8))
    y = net.add_one("relu", [net.add_up(x, net.add_one("tanh", [x]))])
    assert told(net.finish([y])) == ["tanh", "add+relu"]


def test_a_hard_sigmoid_leaves_all_but_a_product_to_the_convolution_before_it(net):
    x = net.conv(net.input((1, 8, 1, 1)), 8)
    kernels = fuse(net.finish([net.add_one("hard_sigmoid", [x])]), "litert")
    assert [(k.op, k.activation) for k in kernels] == [("pointwise", "relu6"), ("hard_sigmoid", "")]


def test_a_layer_norm_leaves_its_weights_to_the_linear_layer_behind_it(net):
    def norm(*more: str) -> Kernel:
        return next(k for k in fuse(net.finish(more), "litert") if k.op == "layer_norm")

    y = net.add_one(
        "layer_norm", [net.input((1, 5, 8)), net.weight(8), net.weight(8)], axes=1, eps=1e-6
    )
    assert norm(y).params == 16
    assert norm(net.linear(y, 4)).params == 0


def test_maps_are_kept_channels_last_and_tokens_need_no_transpose(net):
    x = net.conv(net.input((1, 3, 8, 8)), 8, 3)
    rows = net.add_one("reshape", [x], shape=(1, 8, 64))
    tokens = net.add_one("transpose", [rows], order=(0, 2, 1))
    assert told(net.finish([net.linear(tokens, 4)])) == ["conv", "reshape", "linear"]


def test_a_map_that_becomes_rows_by_channel_is_turned(net):
    x = net.conv(net.input((1, 3, 4, 4)), 8, 3)
    rows = net.add_one("reshape", [x], shape=(1, 128))
    assert told(net.finish([net.linear(rows, 4)])) == ["conv", "transpose", "reshape", "linear"]


def test_in_int8_a_chain_of_pointwise_operators_is_one_table(net):
    x = net.conv(net.input((1, 8, 8, 8)), 8, 3)
    y = net.add_one("mul", [x, net.add_one("sigmoid", [x])])
    graph = net.finish([net.conv(y, 8)])

    assert told(graph) == ["conv", "sigmoid", "mul", "pointwise"]
    kernels = fuse(graph, "litert", "int8")
    assert [k.op for k in kernels] == ["conv", "mul", "pointwise"]
    assert set(kernels[1].nodes) == {"sigmoid", "mul"}
    assert {k.dtype for k in kernels} == {"int8"}
    assert kernels[1].bytes_written == 8 * 8 * 8


def test_what_has_no_kernel_in_int8_stays_real_between_two_conversions(net):
    x, y = net.input((1, 8, 4, 4)), net.input((1, 8, 4, 4), name="other")
    graph = net.finish([net.add_one("div", [net.conv(x, 8), net.conv(y, 8)])])

    kernels = fuse(graph, "litert", "int8")

    assert [k.op for k in kernels] == [
        "pointwise", "pointwise", "dequantize", "dequantize", "div", "quantize",
    ]  # fmt: skip
    assert kernels[-2].dtype == "float32"


def test_operators_that_the_converter_lacks_are_kernels_all_the_same(net):
    from latprof.graph import Tensor

    x = net.conv(net.input((1, 8, 4, 4)), 8)
    (y,) = net.add("warp", [x], outputs=[Tensor("warp", (1, 8, 4, 4))])
    assert told(net.finish([net.conv(y, 8)])) == ["pointwise", "warp", "transpose", "pointwise"]


def differences(graph: Graph, dtype: str) -> tuple[int, list[str]]:
    """How many kernels were predicted, and what LiteRT does not agree in."""
    kernels = fuse(graph, "litert", dtype)
    session = runtimes.load("litert").open(graph, kernels, threads=1, profiled=True, dtype=dtype)
    session.run()
    found, strays = session.finish()
    seen = {times.kernel.name for times in found}
    return len(kernels), [*map(str, strays), *_names(k for k in kernels if k.name not in seen)]


def _names(kernels: Iterable[Kernel]) -> list[str]:
    return [f"{kernel.name} ({kernel.op})" for kernel in kernels]


@pytest.mark.skipif(runtimes.missing("litert") is not None, reason="LiteRT is not installed")
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.parametrize(
    "name",
    ["mobilenet_v3_small?size=96", "shufflenet_v1_g3?size=64", "block/inception",
     "block/shuffle_v2", "block/squeeze_excite", "vit_tiny?size=32"],
)  # fmt: skip
def test_a_zoo_network_launches_every_kernel_and_nothing_else(name, dtype, zoo_graph):
    kernels, found = differences(zoo_graph(name), dtype)
    assert found == []
    assert kernels > 3


@pytest.mark.skipif(runtimes.missing("litert") is not None, reason="LiteRT is not installed")
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_random_networks_launch_their_kernels_and_hardly_anything_else(dtype):
    kernels = offenders = 0
    for number in range(12):
        predicted, found = differences(draw_network(seed=2026, number=number), dtype)
        kernels, offenders = kernels + predicted, offenders + len(found)
    assert kernels > 200
    assert offenders <= ALLOWANCE * kernels


def test_a_clamp_of_what_is_clamped_already_is_no_launch(net):
    x = net.conv(net.input((1, 30, 8, 8)), 30, 3)
    y = net.add_one("relu6", [net.add_one("relu6", [x])])
    graph = net.finish([net.conv(y, 30, 3)])

    first, _ = fuse(graph, "litert")

    assert first.nodes == ("conv", "relu6", "relu6_1")
    assert first.elementwise_ops == 5 * 30 * 8 * 8  # the bias, and two of each clamp
