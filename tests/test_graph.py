from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import LatprofError, ShapeMismatch, UnreadableModel
from latprof.graph import DTYPE_BYTES, ROLES, Call, Graph, Node, Tensor
from latprof.zoo import ENTRIES

X = Tensor("x", (1, 3, 4, 4), role="input")
Y = Tensor("y", (1, 3, 4, 4))
RELU = Node("relu", "relu", ("x",), ("y",))


def graph_of(*nodes, tensors=(X, Y), inputs=("x",), outputs=("y",)):
    return Graph("g", nodes, {t.name: t for t in tensors}, inputs, outputs)


def test_a_tensor_knows_its_size():
    assert (X.elements, X.bytes) == (48, 192)
    assert Tensor("scalar", ()).elements == 1
    assert Tensor("empty", (0, 5)).bytes == 0
    assert Tensor("half", (3,), "float16").bytes == 6
    assert Tensor("nibbles", (3,), "int4").bytes == 2  # a byte and a half, rounded up


@pytest.mark.parametrize("role", ROLES)
def test_weights_are_what_is_stored_with_the_model(role):
    stored = role in ("parameter", "buffer", "constant")
    assert Tensor("t", (1,), role=role).is_weight == stored


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"dtype": "float31"}, UnreadableModel, "'t' has the unknown dtype 'float31'"),
        ({"shape": (1, -3)}, ShapeMismatch, r"shape \(1, -3\); no size may be negative"),
        ({"shape": (2**20, 2**29)}, ShapeMismatch, "would hold 562949953421312 elements"),
        ({"shape": (2,), "values": (1, 2, 3)}, ShapeMismatch, "3 values instead of 2"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(settings, kind, said):
    with pytest.raises(kind, match=said):
        Tensor("t", **{"shape": (1,), **settings})


def test_a_zoo_network_can_be_walked(net):
    x = net.input((1, 3, 8, 8))
    y = net.conv(x, 16, 3)
    graph = net.finish([net.add_up(y, y)])
    conv, add = graph.calls
    assert [t.name for t in conv.activations] == ["input"]
    assert [t.shape for t in conv.weights] == [(16, 3, 3, 3), (16,)]
    assert conv.input(1).shape == (16, 3, 3, 3)
    assert graph.producers[y].name == "conv"
    assert [n.name for n in graph.consumers[y]] == ["add", "add"]  # read twice
    assert graph.consumers[add.outputs[0].name] == ()


def test_an_input_that_is_not_there_is_named():
    call = Call(Node("n", "add", ("x", ""), ("y",)), (X, None), (Y,))
    for index in (1, 2):
        with pytest.raises(ShapeMismatch, match=rf"'n' \(add\) lacks its input number {index}"):
            call.input(index)


def test_attributes_are_frozen_down_to_their_lists():
    node = Node("n", "pad", ("x",), ("y",), {"padding": [[0, 0], [1, 1]]})
    assert node.attributes["padding"] == ((0, 0), (1, 1))
    with pytest.raises(TypeError):
        node.attributes["padding"] = ()
    with pytest.raises(FrozenInstanceError):
        node.op = "relu"


def test_a_graph_does_not_change_with_the_dict_it_was_made_of():
    tensors = {"x": X, "y": Y}
    graph = Graph("g", (RELU,), tensors, ("x",), ("y",))
    tensors.clear()
    assert set(graph.tensors) == {"x", "y"}
    with pytest.raises(TypeError):
        graph.tensors["z"] = X


def test_two_nodes_of_one_name():
    twice = replace(RELU, inputs=("y",), outputs=("z",))
    with pytest.raises(UnreadableModel, match="'g' has two nodes named 'relu'"):
        graph_of(RELU, twice, tensors=(X, Y, Tensor("z", (1,))))


def test_an_input_that_nothing_defines():
    with pytest.raises(UnreadableModel, match=r"'relu' of 'g' reads 'w', which no earlier"):
        graph_of(replace(RELU, inputs=("w",)))


def test_an_input_that_is_defined_later():
    first = Node("first", "relu", ("y",), ("z",))
    with pytest.raises(UnreadableModel, match="'first' of 'g' reads 'y', which no earlier"):
        graph_of(first, RELU, tensors=(X, Y, Tensor("z", (1,))))


def test_an_output_that_no_node_computes():
    with pytest.raises(UnreadableModel, match="'g' has outputs that no node computes"):
        graph_of(RELU, tensors=(X, Y, Tensor("z", (1,))), outputs=("z",))


def test_a_tensor_that_is_only_a_name():
    with pytest.raises(UnreadableModel, match=r"says nothing about the tensors \['z'\]"):
        graph_of(RELU, outputs=("z",))
    with pytest.raises(UnreadableModel, match=r"says nothing about the tensors \['y'\]"):
        graph_of(RELU, tensors=(X,))


def test_a_tensor_that_two_nodes_give():
    with pytest.raises(UnreadableModel, match="tensor 'y' of 'g' is defined twice"):
        graph_of(RELU, replace(RELU, name="again"))


def test_a_node_that_gives_nothing():
    with pytest.raises(UnreadableModel, match="node 'relu' of 'g' gives no output"):
        graph_of(replace(RELU, outputs=()), outputs=("x",))


def test_more_nodes_than_any_network_has(monkeypatch):
    monkeypatch.setattr("latprof.graph.MAX_NODES", 1)
    second = Node("second", "relu", ("y",), ("z",))
    with pytest.raises(UnreadableModel, match="'g' has 2 nodes; 1 at most"):
        graph_of(RELU, second, tensors=(X, Y, Tensor("z", (1,))))


@pytest.mark.parametrize("nodes", [(), (RELU,)])
def test_a_graph_is_never_pickled(nodes):
    graph = graph_of(*nodes, outputs=("y",) if nodes else ("x",))
    with pytest.raises(TypeError):
        pickle.dumps(graph)


def test_a_node_that_is_pickled_says_what_to_use():
    with pytest.raises(TypeError, match="saved as JSON"):
        pickle.dumps(RELU)


def round_trip(graph):
    return Graph.from_dict(json.loads(json.dumps(graph.to_dict())))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_zoo_network_survives_json(name, zoo_graph):
    graph = zoo_graph(name)
    assert round_trip(graph) == graph
    assert len(graph.nodes) > (50 if ENTRIES[name].kind == "network" else 1)


names = st.text(max_size=6)
scalars = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.booleans(), st.text(max_size=4)
)
settings = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@st.composite
def graphs(draw):
    """Chains of made-up operators, some of which read a weight."""
    tensors, nodes = [], []
    shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)
    dtypes = st.sampled_from(sorted(DTYPE_BYTES))
    labels = draw(st.lists(names.filter(bool), unique=True, min_size=2, max_size=6))
    x = Tensor(labels[0], draw(shapes), draw(dtypes), "input")
    tensors.append(x)
    before = x.name
    for index, label in enumerate(labels[1:]):
        inputs = [before]
        if draw(st.booleans()):
            values = draw(st.lists(st.integers() | st.floats(allow_nan=False), max_size=3))
            role = draw(st.sampled_from(["parameter", "buffer", "constant"]))
            weight = Tensor(f"{label}/w", (len(values),), draw(dtypes), role, tuple(values))
            tensors.append(weight)
            inputs += ["", weight.name]
        tensors.append(Tensor(label, draw(shapes), draw(dtypes)))
        attributes = draw(st.dictionaries(names, settings, max_size=3))
        nodes.append(Node(f"n{index}", draw(names), tuple(inputs), (label,), attributes,
                          draw(names)))  # fmt: skip
        before = label
    assumed = tuple(draw(st.lists(names, max_size=2)))
    named = {tensor.name: tensor for tensor in tensors}
    return Graph(draw(names), tuple(nodes), named, (x.name,), (before,), draw(names), assumed)


@given(graphs().filter(lambda graph: len(graph.tensors) > 1))
def test_any_graph_survives_json(graph):
    assert round_trip(graph) == graph


@given(
    st.recursive(
        st.none() | scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_is_not_a_graph_is_one_of_our_errors(data):
    with pytest.raises(LatprofError, match="not a latprof graph"):
        Graph.from_dict(data)


SAVED = graph_of(
    RELU,
    Node("add", "add", ("y", "k"), ("z",), {"alpha": 1.5, "axes": (1, (2, 3))}, "features.0"),
    tensors=(X, Y, Tensor("k", (1,), role="constant", values=(2.0,)), Tensor("z", (1, 3, 4, 4))),
    outputs=("z",),
).to_dict()


def _places(data, path=()):
    """The path of every value inside `data`."""
    yield path
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            yield from _places(value, (*path, key))
        else:
            yield (*path, key)


PLACES = [place for place in _places(SAVED) if place]


@given(
    st.sampled_from(PLACES),
    st.one_of(
        st.none(),
        scalars,
        st.floats(),
        st.lists(scalars, max_size=3),
        st.dictionaries(names, scalars, max_size=2),
    ),
)
def test_a_graph_with_one_value_changed_is_a_graph_or_one_of_our_errors(place, value):
    data = copy.deepcopy(SAVED)
    *above, last = place
    inner = data
    for key in above:
        inner = inner[key]
    inner[last] = value
    try:
        graph = Graph.from_dict(data)
    except LatprofError:
        return
    assert graph.to_dict().keys() == SAVED.keys()
    for node in graph.nodes:
        hash(tuple(node.attributes.values()))  # frozen all the way down


@given(st.sampled_from([p for p in PLACES if not isinstance(p[-1], int)]))
def test_a_graph_with_one_key_gone_is_refused(place):
    data = copy.deepcopy(SAVED)
    *above, last = place
    inner = data
    for key in above:
        inner = inner[key]
    del inner[last]
    optional = last == "values" or "attributes" in above
    if optional:
        assert Graph.from_dict(data).name == "g"
    else:
        with pytest.raises(UnreadableModel):
            Graph.from_dict(data)


def test_a_graph_of_the_future_says_what_to_do():
    with pytest.raises(UnreadableModel, match=r"schema 2; this latprof reads 1.*update latprof"):
        Graph.from_dict({**SAVED, "schema": 2})


def test_a_broken_graph_says_what_is_broken():
    tensors = [*SAVED["tensors"], {"name": "t", "shape": [1], "dtype": "float32", "role": "boss"}]
    with pytest.raises(UnreadableModel, match=r"broken: .*unknown role 'boss'"):
        Graph.from_dict({**SAVED, "tensors": tensors})


def test_a_tensor_that_is_saved_twice():
    with pytest.raises(UnreadableModel, match="defines a tensor twice"):
        Graph.from_dict({**SAVED, "tensors": SAVED["tensors"] * 2})


def test_attributes_hold_no_objects():
    nodes = [{**SAVED["nodes"][0], "attributes": {"deep": [[{"a": 1}]]}}, SAVED["nodes"][1]]
    with pytest.raises(UnreadableModel, match="not objects"):
        Graph.from_dict({**SAVED, "nodes": nodes})


def test_attributes_nested_beyond_the_stack():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    nodes = [{**SAVED["nodes"][0], "attributes": {"deep": deep}}, SAVED["nodes"][1]]
    with pytest.raises(UnreadableModel, match="nested too deeply"):
        Graph.from_dict({**SAVED, "nodes": nodes})
