from __future__ import annotations

import pytest

from latprof.builder import GraphBuilder
from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.graph import Tensor


@pytest.fixture
def builder():
    return GraphBuilder("g", source="hand")


def test_shapes_and_names_are_inferred(builder):
    x = builder.input((1, 3, 8, 8))
    weight = builder.parameter("w", (16, 3, 3, 3))
    y = builder.add_one("conv", [x, weight], stride=(2, 2), padding=((1, 1), (1, 1)))
    graph = builder.finish([builder.add_one("relu", [y])])
    assert builder.tensor(y).shape == (1, 16, 4, 4)
    assert [node.name for node in graph.nodes] == ["conv", "relu"]
    assert (graph.name, graph.source) == ("g", "hand")
    assert (graph.inputs, graph.outputs) == (("input",), ("relu",))


def test_names_are_numbered_when_taken(builder):
    x = builder.input((1, 8))
    names = [builder.add_one("relu", [x]) for _ in range(3)]
    assert names == ["relu", "relu_1", "relu_2"]


def test_parts_are_numbered_from_zero(builder):
    x = builder.input((1, 8))
    parts = builder.add("split", [x], {"axis": 1, "sizes": (3, 5)})
    assert parts == ("split:0", "split:1")
    assert [builder.tensor(part).shape for part in parts] == [(1, 3), (1, 5)]


def test_outputs_take_the_dtype_of_the_first_input(builder):
    x = builder.input((1, 8), dtype="float16")
    assert builder.tensor(builder.add_one("relu", [x])).dtype == "float16"


def test_given_outputs_are_taken_as_they_are(builder):
    x = builder.input((1, 8))
    given = [Tensor("indices", (1,), "int64")]
    (out,) = builder.add("aten.nonzero", [x], outputs=given, module="head")
    graph = builder.finish([out])
    assert graph.tensors["indices"].dtype == "int64"
    assert graph.nodes[0].module == "head"


def test_a_name_is_given_once(builder):
    builder.input((1, 8))
    with pytest.raises(UnreadableModel, match="tensor 'input' of 'g' is defined twice"):
        builder.input((1, 8))
    assert "input" in builder
    assert "output" not in builder


def test_a_node_reads_what_is_there(builder):
    with pytest.raises(UnreadableModel, match="'relu' of 'g' reads 'x', which nothing defines"):
        builder.add_one("relu", ["x"])


def test_an_operator_that_is_not_known_cannot_be_inferred(builder):
    with pytest.raises(ShapeMismatch, match="unknown operator 'fft'"):
        builder.add_one("fft", [builder.input((1, 8))])


def test_an_optional_input_may_be_left_out(builder):
    x = builder.input((1, 4, 8))
    y = builder.add_one("layer_norm", [x, "", builder.parameter("shift", (8,))], axes=1, eps=1e-6)
    assert builder.finish([y]).calls[0].inputs[1] is None


def test_what_no_output_needs_is_dropped_with_its_weights(builder):
    x = builder.input((1, 8))
    y = builder.add_one("linear", [x, builder.parameter("kept", (4, 8))])
    aside = builder.add_one("linear", [x, builder.parameter("dropped", (2, 8))])
    builder.add_one("relu", [aside])
    graph = builder.finish([y])
    assert [node.name for node in graph.nodes] == ["linear"]
    assert set(graph.tensors) == {"input", "kept", "linear"}


def test_a_weight_that_a_kept_node_shares_stays(builder):
    x = builder.input((1, 8))
    shared = builder.parameter("shared", (8, 8))
    y = builder.add_one("linear", [x, shared])
    builder.add_one("linear", [y, shared])
    assert "shared" in builder.finish([y]).tensors


def test_parts_that_nobody_reads_stay_with_the_part_that_somebody_does(builder):
    x = builder.input((1, 8))
    _, right = builder.add("split", [x], {"axis": 1, "sizes": (3, 5)})
    graph = builder.finish([builder.add_one("relu", [right])])
    assert graph.nodes[0].outputs == ("split:0", "split:1")


def test_inputs_stay_even_if_nobody_reads_them(builder):
    x = builder.input((1, 8))
    builder.input((1, 2), name="unused")
    graph = builder.finish([builder.add_one("relu", [x])])
    assert graph.inputs == ("input", "unused")


def test_a_graph_can_be_finished_again_after_it_has_grown(builder):
    x = builder.input((1, 8))
    y = builder.add_one("relu", [x])
    first = builder.finish([y])
    second = builder.finish([builder.add_one("tanh", [y])])
    assert len(first.nodes) == 1
    assert len(second.nodes) == 2


def test_an_operator_says_the_type_of_what_it_gives(net):
    x = net.input((2, 8))
    above = net.add_one("greater", [x, net.constant(0.0)])
    chosen = net.add_one("where", [above, x, net.constant(0.0)])
    values, places = net.add("topk", [x], {"k": 3, "axis": 1})
    assert [net.tensor(name).dtype for name in (above, chosen, values, places)] == [
        "bool", "float32", "float32", "int64",
    ]  # fmt: skip
