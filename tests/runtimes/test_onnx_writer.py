from __future__ import annotations

import onnx
import pytest
from onnx import numpy_helper

from latprof.builder import GraphBuilder
from latprof.errors import MeasurementError, ShapeMismatch, UnsupportedOp
from latprof.graph import Graph
from latprof.runtimes.onnx_writer import write_onnx
from latprof.sampling import draw_network


def written(op: str, shape: tuple[int, ...], *weights: tuple[int, ...], **settings: object):
    """The ONNX nodes of one call."""
    return list(write_onnx(one_call(op, shape, *weights, **settings)).graph.node)


def one_call(op: str, shape: tuple[int, ...], *weights: tuple[int, ...], **settings: object):
    builder = GraphBuilder("one-call")
    operands = [builder.input(shape)]
    operands += [builder.parameter(f"w{i}", size) for i, size in enumerate(weights)]
    return builder.finish([builder.add_one(op, operands, **settings)])


@pytest.mark.parametrize("number", range(8))
def test_random_networks_become_valid_onnx(number):
    model = write_onnx(draw_network(5, number))

    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("number", range(8))
def test_every_initializer_is_read_and_every_node_is_named_after_its_own(number):
    graph = draw_network(5, number)
    model = write_onnx(graph).graph

    assert {tensor.name for tensor in model.initializer} <= {
        name for node in model.node for name in node.input
    }
    nodes = {node.name for node in graph.nodes}
    assert {node.name.split("/")[0] for node in model.node} == nodes


def test_operators_become_what_the_exporter_of_pytorch_writes():
    def ops(*call, **settings):
        return [node.op_type for node in written(*call, **settings)]

    assert ops("adaptive_avg_pool", (1, 8, 7, 7), output_size=(1, 1)) == ["ReduceMean"]
    assert ops("adaptive_avg_pool", (1, 8, 6, 6), output_size=(3, 3)) == ["AveragePool"]
    assert ops("linear", (4, 8), (10, 8), (10,)) == ["Gemm"]
    assert ops("linear", (2, 4, 8), (10, 8), (10,)) == ["MatMul", "Add"]
    assert ops("silu", (1, 8)) == ["Sigmoid", "Mul"]
    assert ops("hard_swish", (1, 8)) == ["HardSwish"]


def test_the_weight_of_batched_rows_is_stored_transposed_and_only_so():
    model = write_onnx(one_call("linear", (2, 4, 8), (10, 8))).graph

    (weight,) = model.initializer
    assert list(weight.dims) == [8, 10]


def test_constants_have_the_dtype_of_what_they_meet():
    builder = GraphBuilder("half")
    x = builder.input((1, 8), dtype="float16")
    graph = builder.finish([builder.add_one("clip", [x], low=0.0, high=2.5)])

    bounds = [numpy_helper.to_array(t) for t in write_onnx(graph).graph.initializer]
    assert [(b.item(), str(b.dtype)) for b in bounds] == [(0.0, "float16"), (2.5, "float16")]


def test_a_shared_weight_is_written_once():
    builder = GraphBuilder("shared")
    x, weight = builder.input((4, 8)), builder.parameter("w", (8, 8))
    x = builder.add_one("linear", [builder.add_one("linear", [x, weight]), weight])

    assert len(write_onnx(builder.finish([x])).graph.initializer) == 1


def test_uneven_adaptive_pools_are_refused_with_the_way_out():
    with pytest.raises(UnsupportedOp, match=r"pools \(7, 7\) to \(3, 3\).*divides evenly"):
        written("adaptive_avg_pool", (1, 8, 7, 7), output_size=(3, 3))


def test_a_norm_without_stored_statistics_is_another_operator():
    with pytest.raises(ShapeMismatch, match=r"'batch_norm' .* lacks its input number 3"):
        written("batch_norm", (1, 8, 4, 4), (8,), (8,))


def test_more_weights_than_one_file_holds_are_refused_before_they_are_drawn():
    graph: Graph = one_call("linear", (1, 40_000), (20_000, 40_000))  # 800 M × 4 bytes

    with pytest.raises(MeasurementError, match=r"has 3\.2 GB of weights"):
        write_onnx(graph)
