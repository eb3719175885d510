"""What runs within a node: functions, branches, loops."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

node = helper.make_node
IMAGE = {"x": (1, 4)}
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]


def branch(*ops: str):
    """A graph that applies `ops` to x."""
    names = ["x", *(f"v{i}" for i in range(len(ops)))]
    nodes = [node(op, [names[i]], [names[i + 1]]) for i, op in enumerate(ops)]
    result = helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [result])


def choice(condition: str):
    return node("If", [condition], ["y"], name="choice", then_branch=branch("Relu"),
                else_branch=branch("Tanh", "Sigmoid"))  # fmt: skip


@pytest.mark.parametrize(("value", "ops"), [(True, ["relu"]), (False, ["tanh", "sigmoid"])])
def test_a_branch_whose_condition_is_known_is_followed(read_onnx, value, ops):
    graph = read_onnx([choice("c")], IMAGE, initializers={"c": np.array(value)})
    assert [n.op for n in graph.nodes] == ops
    assert graph.assumptions == ()


def test_a_condition_on_shapes_is_known(read_onnx):
    nodes = [node("Size", ["x"], ["n"]), node("Equal", ["n", "four"], ["c"]), choice("c")]
    graph = read_onnx(nodes, IMAGE, initializers={"four": np.array(4)})
    assert [n.op for n in graph.nodes] == ["relu"]


def test_where_the_input_decides_the_longer_branch_counts(read_onnx):
    graph = read_onnx([choice("c")], {**IMAGE, "c": ("bool",)})
    assert [n.op for n in graph.nodes] == ["tanh", "sigmoid"]
    assert graph.assumptions == (
        "the input decides which branch of an If runs: the longer is counted (choice)",
    )


def test_a_loop_is_noted_and_not_counted(read_onnx):
    carried = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Relu", ["state"], ["next"]),
         node("Relu", ["next"], ["seen"])],
        "body",
        [carried("i", TensorProto.INT64, ()), carried("go", TensorProto.BOOL, ()),
         carried("state", TensorProto.FLOAT, (1, 4))],
        [carried("on", TensorProto.BOOL, ()), carried("next", TensorProto.FLOAT, (1, 4)),
         carried("seen", TensorProto.FLOAT, (1, 4))],
    )  # fmt: skip
    graph = read_onnx(
        [node("Loop", ["trips", "", "x"], ["y", "all"], name="loop", body=body)],
        IMAGE, outputs=("y", "all"), initializers={"trips": np.array(7)},
    )  # fmt: skip
    assert [n.op for n in graph.nodes] == ["onnx.Loop"]
    assert [graph.tensors[name].shape for name in graph.outputs] == [(1, 4), (7, 1, 4)]
    assert graph.assumptions == ("what a Loop runs is not counted (loop)",)


def test_a_function_of_the_model_is_read_in_place(read_onnx):
    inner = node("LeakyRelu", ["a"], ["b"])
    reference = inner.attribute.add(name="alpha", type=1)
    reference.ref_attr_name = "slope"
    function = helper.make_function(
        "mine", "Twice", ["a"], ["c"], [inner, node("Relu", ["b"], ["c"])], OPSETS, ["slope"]
    )
    graph = read_onnx(
        [node("Twice", ["x"], ["m"], name="one", domain="mine", slope=0.5),
         node("Twice", ["m"], ["y"], name="two", domain="mine", slope=0.25)],
        IMAGE, functions=[function],
    )  # fmt: skip
    assert [(n.name, n.op) for n in graph.nodes] == [
        ("one/b", "leaky_relu"), ("one/c", "relu"), ("two/b", "leaky_relu"), ("two/c", "relu"),
    ]  # fmt: skip
    assert [n.attributes.get("slope") for n in graph.nodes] == [0.5, None, 0.25, None]


def test_a_function_sees_nothing_of_its_caller(read_onnx):
    from latprof.errors import UnreadableModel

    function = helper.make_function("mine", "F", ["a"], ["c"], [node("Relu", ["x"], ["c"])], OPSETS)
    with pytest.raises(UnreadableModel, match="reads 'x'"):
        read_onnx([node("F", ["x"], ["y"], domain="mine")], IMAGE, functions=[function])
