import json

import pytest

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends import InputSpec, read
from latprof.graph import Tensor


@pytest.fixture
def saved(tmp_path, captured):
    """A graph, and the file it was saved to."""
    graph = captured("mobilenet_v2")
    path = tmp_path / "captured.json"
    path.write_text(json.dumps(graph.to_dict()))
    return graph, path


def test_a_saved_graph_comes_back_equal(saved):
    graph, path = saved
    assert read(str(path)) == graph


def test_inputs_must_be_those_it_was_captured_for(saved):
    graph, path = saved
    assert read(str(path), inputs=[InputSpec((1, 3, 32, 32))]) == graph
    with pytest.raises(ShapeMismatch, match="capture the model again"):
        read(str(path), inputs=[InputSpec((1, 3, 64, 64))])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"layers": []}', "is JSON, but not a graph that latprof saved"),
        ('{"format": "latprof graph", "schema": 99}', "schema 99"),
        ('{"format": "latprof graph", "schema": 1}', "is broken"),
        ('{"format": "latprof graph"', "is broken"),
        ('{"a": ' * 100_000, "nested too deeply"),
    ],
)
def test_json_that_is_no_graph(tmp_path, text, said):
    path = tmp_path / "graph.json"
    path.write_text(text)
    with pytest.raises(UnreadableModel, match=said) as caught:
        read(str(path))
    assert "graph.json" in str(caught.value)


def test_attributes_nested_beyond_the_stack(saved):
    graph, path = saved
    data = graph.to_dict()
    data["nodes"][0]["attributes"]["deep"] = "HERE"
    text = json.dumps(data).replace('"HERE"', "[" * 700 + "]" * 700)
    path.write_text(text)
    with pytest.raises(UnreadableModel, match="nested too deeply"):
        read(str(path))


def test_what_depends_on_the_data_may_have_any_size(net, tmp_path):
    x = net.input((4, 5))
    net.add("nonzero", [x], name="found", outputs=[Tensor("found", (2, 7), "int64")])
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(net.finish(["found"]).to_dict()))
    assert read(str(path)).tensors["found"].shape == (2, 7)
