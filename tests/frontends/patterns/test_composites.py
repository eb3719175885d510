"""Operators spelled out in several nodes become one, unless somebody reads what lies between."""

from __future__ import annotations

import math

import pytest

from latprof.frontends.patterns.composites import recognise
from latprof.graph import Tensor

ROWS = (2, 5, 8)


@pytest.fixture
def number(net):
    """Add a constant of one number."""

    def add(value: float) -> str:
        name = f"number{len(net._tensors)}"
        return net.add_tensor(Tensor(name, (), "float32", "constant", (value,)))

    return add


@pytest.fixture
def x(net):
    return net.input(ROWS)


def ops(net, *outputs: str) -> list[str]:
    return [node.op for node in recognise(net.finish(outputs)).nodes]


def test_x_times_its_sigmoid_is_silu(net, x):
    gate = net.add_one("sigmoid", [x])
    assert ops(net, net.add_one("mul", [gate, x])) == ["silu"]


def test_a_gate_on_something_else_stays(net, x):
    other = net.add_one("relu", [x])
    gate = net.add_one("sigmoid", [x])
    assert ops(net, net.add_one("mul", [gate, other])) == ["relu", "sigmoid", "mul"]


def test_a_gate_that_is_read_twice_stays(net, x):
    gate = net.add_one("sigmoid", [x])
    assert ops(net, net.add_one("mul", [gate, x]), gate) == ["sigmoid", "mul"]


def hard_gate(net, number, x):
    shifted = net.add_one("add", [x, number(3.0)])
    return net.add_one("relu6", [shifted])


def test_hard_swish_in_each_order(net, number, x):
    first = net.add_one("mul", [x, hard_gate(net, number, x)])
    first = net.add_one("div", [first, number(6.0)])
    second = net.add_one("mul", [hard_gate(net, number, first), number(1 / 6)])
    second = net.add_one("mul", [second, first])
    assert ops(net, second) == ["hard_swish", "hard_swish"]


def test_hard_sigmoid(net, number, x):
    gate = net.add_one("div", [hard_gate(net, number, x), number(6.0)])
    assert ops(net, gate) == ["hard_sigmoid"]


def test_another_shift_is_no_hard_sigmoid(net, number, x):
    clipped = net.add_one("relu6", [net.add_one("add", [x, number(2.0)])])
    assert ops(net, net.add_one("div", [clipped, number(6.0)])) == ["add", "relu6", "div"]


@pytest.mark.parametrize("order", ["half first", "half last", "half on x"])
def test_gelu_by_the_error_function(net, number, x, order):
    curve = net.add_one("erf", [net.add_one("div", [x, number(math.sqrt(2))])])
    total = net.add_one("add", [curve, number(1.0)])
    if order == "half first":
        y = net.add_one("mul", [x, net.add_one("mul", [total, number(0.5)])])
    elif order == "half last":
        y = net.add_one("mul", [net.add_one("mul", [x, total]), number(0.5)])
    else:
        y = net.add_one("mul", [net.add_one("mul", [x, number(0.5)]), total])
    graph = recognise(net.finish([y]))
    assert [(n.op, n.attributes["approximate"]) for n in graph.nodes] == [("gelu", "none")]


@pytest.mark.parametrize("cube", ["power", "product"])
def test_gelu_by_the_tangent(net, number, x, cube):
    x = net.add_one("mul", [x, x])  # what it applies to may itself be a product
    if cube == "power":
        third = net.add_one("pow", [x, number(3.0)])
    else:
        third = net.add_one("mul", [net.add_one("mul", [x, x]), x])
    inner = net.add_one("add", [x, net.add_one("mul", [third, number(0.044715)])])
    curve = net.add_one("tanh", [net.add_one("mul", [inner, number(0.7978845608)])])
    total = net.add_one("add", [curve, number(1.0)])
    y = net.add_one("mul", [net.add_one("mul", [x, number(0.5)]), total])
    assert ops(net, y) == ["mul", "gelu"]


def test_mish(net, x):
    curve = net.add_one("tanh", [net.add_one("softplus", [x])])
    assert ops(net, net.add_one("mul", [x, curve])) == ["mish"]


def normalised(net, number, x, *, centred: bool):
    if centred:
        mean = net.add_one("mean", [x], axes=(2,), keepdims=True)
        x = net.add_one("sub", [x, mean])
    square = net.add_one("pow", [x, number(2.0)])
    spread = net.add_one("mean", [square], axes=(-1,), keepdims=True)
    root = net.add_one("sqrt", [net.add_one("add", [spread, number(1e-6)])])
    return net.add_one("div", [x, root])


def test_a_layer_norm(net, number, x):
    scaled = net.add_one("mul", [normalised(net, number, x, centred=True), net.weight(8)])
    graph = recognise(net.finish([net.add_one("add", [scaled, net.weight(8)])]))
    (call,) = graph.calls
    assert (call.node.op, dict(call.attributes)) == ("layer_norm", {"axes": 1, "eps": 1e-6})
    assert [tensor.shape for tensor in call.inputs] == [ROWS, (8,), (8,)]


def test_a_norm_by_the_mean_square(net, number, x):
    y = net.add_one("mul", [net.weight(8), normalised(net, number, x, centred=False)])
    assert ops(net, y) == ["rms_norm"]


def test_a_norm_without_weights(net, number, x):
    assert ops(net, normalised(net, number, x, centred=True)) == ["layer_norm"]


def test_a_norm_over_other_axes_stays(net, number, x):
    square = net.add_one("mul", [x, x])
    spread = net.add_one("mean", [square], axes=(1,), keepdims=True)
    root = net.add_one("sqrt", [net.add_one("add", [spread, number(1e-6)])])
    y = net.add_one("div", [x, root])
    assert ops(net, y) == ["mul", "mean", "add", "sqrt", "div"]


def test_a_group_norm(net):
    x = net.input((1, 6, 4, 4))
    apart = net.add_one("reshape", [x], shape=(1, 2, 48))
    normed = net.add_one("instance_norm", [apart, net.weight(2), net.weight(2)], eps=1e-5)
    back = net.add_one("reshape", [normed], shape=(1, 6, 4, 4))
    scaled = net.add_one("mul", [back, net.weight(6, 1, 1)])
    graph = recognise(net.finish([net.add_one("add", [scaled, net.weight(6, 1, 1)])]))
    (call,) = graph.calls
    assert (call.node.op, call.attributes["groups"], len(call.inputs)) == ("group_norm", 2, 3)
    assert len([t for t in graph.tensors.values() if t.is_weight]) == 2


def test_a_product_and_a_bias_are_a_linear_layer(net, x):
    product = net.add_one("linear", [x, net.weight(4, 8)])
    graph = recognise(net.finish([net.add_one("add", [net.weight(4), product])]))
    (call,) = graph.calls
    assert (call.node.op, len(call.inputs)) == ("linear", 3)


def test_a_sum_with_a_matrix_is_no_bias(net, x):
    product = net.add_one("linear", [x, net.weight(4, 8)])
    assert ops(net, net.add_one("add", [product, net.weight(5, 4)])) == ["linear", "add"]


def attention(net, number, *, both: bool, turned=(0, 1, 3, 2)):
    shape = (1, 2, 5, 4)
    query, value = net.input(shape, name="q"), net.input(shape, name="v")
    order = (0, 2, 3, 1) if turned == (0, 2, 3, 1) else turned
    key = net.input((1, 5, 2, 4) if turned == (0, 2, 3, 1) else shape, name="k")
    key = net.add_one("transpose", [key], order=order)
    query = net.add_one("mul", [query, number(4**-0.25)])
    if both:
        key = net.add_one("mul", [key, number(4**-0.25)])
    scores = net.add_one("softmax", [net.add_one("matmul", [query, key])], axis=-1)
    return net.add_one("matmul", [scores, value])


def test_attention_scaled_on_both_sides(net, number):
    assert ops(net, attention(net, number, both=True)) == ["attention"]


def test_heads_brought_forward_with_the_keys_are_brought_forward_still(net, number):
    y = attention(net, number, both=True, turned=(0, 2, 3, 1))
    graph = recognise(net.finish([y]))
    assert [n.op for n in graph.nodes] == ["transpose", "attention"]
    assert graph.nodes[0].attributes["order"] == (0, 2, 1, 3)
    assert graph.calls[1].input(1).shape == (1, 2, 5, 4)


def test_attention_that_the_author_wrote_out_stays(net, number):
    y = attention(net, number, both=False)
    assert ops(net, y) == ["transpose", "mul", "matmul", "softmax", "matmul"]


def test_what_costs_does_not_change_with_the_spelling(net, number, x):
    scaled = net.add_one("mul", [normalised(net, number, x, centred=True), net.weight(8)])
    before = net.finish([net.add_one("add", [scaled, net.weight(8)])])
    after = recognise(before)
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    parameters = [
        {t.name for t in g.tensors.values() if t.role == "parameter"} for g in (before, after)
    ]
    assert parameters[0] == parameters[1]
