from __future__ import annotations

import pytest

from latprof.errors import ShapeMismatch
from latprof.ops import OPS


@pytest.mark.parametrize(
    ("op", "per_element"),
    [
        ("relu", 1),  # max(x, 0)
        ("relu6", 2),  # min(max(x, 0), 6)
        ("sigmoid", 4),  # negate, exp, add, divide
        ("hard_sigmoid", 4),  # divide, add, max, min
        ("hard_swish", 5),  # and a product
        ("silu", 5),
        ("gelu", 5),
    ],
)
def test_activations_count_the_operations_of_their_formula(call_of, op, per_element):
    call = call_of(op, (1, 16, 4, 4))
    assert call.outputs[0].shape == (1, 16, 4, 4)
    assert OPS[op].elementwise_ops(call) == per_element * 256
    assert OPS[op].macs(call) == 0


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "maximum", "greater"])
def test_arithmetic_counts_one_operation_an_output(call_of, op):
    # The gate of squeeze-excite: one number a channel stretches over the map.
    call = call_of(op, (1, 16, 4, 4), (1, 16, 1, 1))
    assert call.outputs[0].shape == (1, 16, 4, 4)
    assert OPS[op].elementwise_ops(call) == 256


def test_both_sides_may_stretch(call_of):
    assert call_of("add", (4, 1), (1, 5)).outputs[0].shape == (4, 5)
    assert call_of("where", (3, 1), (2,), ()).outputs[0].shape == (3, 2)


def test_sides_that_do_not_fit_are_named(call_of):
    with pytest.raises(ShapeMismatch, match=r"shapes \(1, 16, 4, 4\), \(1, 8, 4, 4\) do not fit"):
        call_of("add", (1, 16, 4, 4), (1, 8, 4, 4))


def test_prelu_is_shaped_like_its_first_input(call_of):
    assert call_of("prelu", (1, 16, 4, 4), (16,)).outputs[0].shape == (1, 16, 4, 4)


def test_a_gate_halves_its_axis(call_of):
    call = call_of("glu", (1, 16, 4, 4), axis=1)
    assert call.outputs[0].shape == (1, 8, 4, 4)
    assert OPS["glu"].elementwise_ops(call) == 5 * 128
    with pytest.raises(ShapeMismatch, match="3 does not halve"):
        call_of("glu", (1, 3), axis=1)


def test_three_operands_stretch_too(call_of):
    call = call_of("lerp", (4, 1), (1, 5), ())
    assert call.outputs[0].shape == (4, 5)
    assert OPS["lerp"].elementwise_ops(call) == 3 * 20
