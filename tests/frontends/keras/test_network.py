import pytest

from latprof.counting import count
from latprof.errors import UnreadableModel
from latprof.frontends.keras.config import flat, references
from latprof.graph import Graph


def params(graph: Graph) -> int:
    return sum(t.elements for t in graph.tensors.values() if t.role == "parameter")


def test_a_shared_layer_holds_its_weights_once(graph_of, describe):
    d = describe
    layers = [
        d.called(d.image(6, name="x")),
        d.called(d.layer("Dense", units=6), [d.tensor("x")], [d.tensor("dense", 0)]),
    ]
    graph = graph_of(d.functional(layers, ["x", 0, 0], ["dense", 1, 0]))
    assert [node.name for node in graph.nodes] == ["dense", "dense_1"]
    assert params(graph) == 6 * 6 + 6
    assert count(graph).macs == 2 * 36


def test_a_nested_network_is_part_of_the_path(graph_of, describe):
    d = describe
    inner = d.sequential(d.image(6, name="y"), d.layer("Dense", units=3), name="head")
    graph = graph_of(d.sequential(d.image(6, name="x"), inner))
    (node,) = graph.nodes
    assert (node.name, node.module) == ("head.dense", "head.dense")
    assert "head/dense/kernel" in graph.tensors


def test_one_object_in_two_places_is_one_weight(graph_of, describe):
    d = describe
    shared = d.layer("Dense", units=6) | {"shared_object_id": 7}
    inner = d.sequential(d.image(6, name="y"), shared, name="inner")
    graph = graph_of(d.sequential(d.image(6, name="x"), shared, inner))
    assert len(graph.nodes) == 2
    assert params(graph) == 42


def test_a_frozen_network_freezes_what_is_in_it(graph_of, describe):
    d = describe
    inner = d.sequential(
        d.image(6, name="y"), d.layer("Dense", units=6), name="body", trainable=False
    )
    graph = graph_of(d.sequential(d.image(6, name="x"), inner, d.layer("Dense", "head", units=2)))
    assert not graph.tensors["body/dense/kernel"].trainable
    assert graph.tensors["head/kernel"].trainable


def test_layers_run_when_what_they_read_is_there(graph_of, describe):
    d = describe
    layers = [
        d.called(d.layer("Dense", "last", units=2), [d.tensor("first")]),
        d.called(d.layer("Dense", "first", units=4), [d.tensor("x")]),
        d.called(d.image(6, name="x")),
    ]
    graph = graph_of(d.functional(layers, ["x", 0, 0], ["last", 0, 0]))
    assert [node.name for node in graph.nodes] == ["first", "last"]


def test_a_circle_is_refused(graph_of, describe):
    d = describe
    layers = [d.called(d.image(6, name="x")), d.called(d.layer("ReLU"), [d.tensor("relu")])]
    with pytest.raises(UnreadableModel, match="its layers form a circle"):
        graph_of(d.functional(layers, ["x", 0, 0], ["relu", 0, 0]))


def test_two_layers_of_one_name_are_refused(graph_of, describe):
    layers = [describe.image(6), describe.layer("ReLU"), describe.layer("ReLU")]
    with pytest.raises(UnreadableModel, match="two layers of 'sequential' have the same name"):
        graph_of(describe.sequential(*layers))


def test_a_shape_in_the_file_that_does_not_fit_is_noted(graph_of, describe):
    d = describe
    layers = [
        d.called(d.image(6, name="x")),
        d.called(d.layer("Dense", units=4), [d.tensor("x")]),
        d.called(d.layer("ReLU"), [d.tensor("dense", shape=(None, 5))]),
    ]
    graph = graph_of(d.functional(layers, ["x", 0, 0], ["relu", 0, 0]))
    assert any("gives [None, 5] by the file and [1, 4] by its settings" in s
               for s in graph.assumptions)  # fmt: skip


def test_calls_as_keras_2_wrote_them(graph_of, describe):
    d = describe
    dense = d.layer("Dense", units=4) | {"name": "dense", "inbound_nodes": [[["x", 0, 0, {}]]]}
    add = d.layer("Add") | {
        "name": "add", "inbound_nodes": [[["dense", 0, 0, {}], ["x", 0, 0, {}]]],
    }  # fmt: skip
    image = d.layer("InputLayer", "x", batch_input_shape=[None, 4]) | {
        "name": "x", "inbound_nodes": [],
    }  # fmt: skip
    graph = graph_of(d.functional([image, dense, add], [["x", 0, 0]], [["add", 0, 0]]))
    assert [node.op for node in graph.nodes] == ["linear", "add"]


def test_outputs_may_be_nested_and_named():
    held = references({"b": ["x", 0, 0], "a": [["y", 0, 1], ["z", 2, 0]]})
    assert [(ref.layer, ref.call, ref.output) for ref in flat(held)] == [
        ("y", 0, 1), ("z", 2, 0), ("x", 0, 0),
    ]  # fmt: skip
