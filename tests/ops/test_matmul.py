from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import ShapeMismatch
from latprof.ops import OPS
from latprof.ops.matmul import matmul_macs


def macs(call):
    return OPS[call.node.op].macs(call)


def elementwise_ops(call):
    return OPS[call.node.op].elementwise_ops(call)


def test_macs_of_a_product():
    assert matmul_macs(batch=2, rows=3, inner=4, columns=5) == 120


def test_the_last_layer_of_mobilenet_v2(call_of):
    call = call_of("linear", (1, 1280), (1000, 1280), (1000,))
    assert call.outputs[0].shape == (1, 1000)
    assert macs(call) == 1_280_000
    assert elementwise_ops(call) == 1000  # the bias


def test_a_linear_layer_treats_all_leading_axes_as_rows(call_of):
    call = call_of("linear", (2, 197, 192), (768, 192))
    assert call.outputs[0].shape == (2, 197, 768)
    assert macs(call) == 2 * 197 * 192 * 768
    assert elementwise_ops(call) == 0


def test_a_linear_layer_says_how_many_features_it_takes(call_of):
    with pytest.raises(ShapeMismatch, match=r"128 input features, but .* \(10, 64\) takes 64"):
        call_of("linear", (1, 128), (10, 64))


@pytest.mark.parametrize(
    ("a", "b", "out", "expected"),
    [
        ((3, 4), (4, 5), (3, 5), 60),
        ((2, 3, 4), (4, 5), (2, 3, 5), 120),  # one right side for both
        ((6, 1, 3, 4), (2, 4, 5), (6, 2, 3, 5), 12 * 60),
    ],
)
def test_products(call_of, a, b, out, expected):
    call = call_of("matmul", a, b)
    assert call.outputs[0].shape == out
    assert macs(call) == expected


@pytest.mark.parametrize(
    ("a", "b", "out", "expected"),
    [((4,), (4, 5), (5,), 20), ((3, 4), (4,), (3,), 12), ((4,), (4,), (), 4)],
)
def test_a_captured_product_of_vectors_has_a_cost(call_of, a, b, out, expected):
    # Their shapes come from the framework, as in every captured graph.
    made = call_of("matmul", (3, 4), (4, 5))
    inputs = tuple(type(made.inputs[0])(f"v{i}", shape) for i, shape in enumerate((a, b)))
    call = type(made)(made.node, inputs, (type(inputs[0])("out", out),))
    assert macs(call) == expected


def test_matrices_that_do_not_fit_are_both_named(call_of):
    with pytest.raises(ShapeMismatch, match=r"cannot multiply \(3, 4\) by \(5, 6\)"):
        call_of("matmul", (3, 4), (5, 6))
    with pytest.raises(ShapeMismatch, match="do not fit each other"):
        call_of("matmul", (2, 3, 4), (3, 4, 5))


def test_attention_is_two_products_a_head(call_of):
    # Scores 3·5 over 4, then 3·6 over 5, in each of 2 heads.
    call = call_of("attention", (1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 6))
    assert call.outputs[0].shape == (1, 2, 3, 6)
    assert macs(call) == 2 * (3 * 5 * 4 + 3 * 6 * 5) == 300
    assert elementwise_ops(call) == 6 * 2 * 3 * 5  # scale, then a softmax of five


def test_the_attention_of_vit_tiny_costs_178_8_million(call_of):
    # 12 layers of 3 heads of 64 features on 197 tokens; fvcore leaves these out.
    tokens = (1, 3, 197, 64)
    call = call_of("attention", tokens, tokens, tokens)
    assert 12 * macs(call) == 12 * 2 * 197 * 197 * 192 == 178_831_872


@pytest.mark.parametrize(
    ("key", "value"), [((1, 2, 5, 3), (1, 2, 5, 6)), ((1, 2, 5, 4), (1, 2, 6, 6))]
)
def test_attention_that_does_not_fit_names_all_three(call_of, key, value):
    with pytest.raises(ShapeMismatch, match=r"queries \(1, 2, 3, 4\), keys .* do not fit"):
        call_of("attention", (1, 2, 3, 4), key, value)


@given(
    left=st.lists(st.integers(1, 3), max_size=2),
    right=st.lists(st.integers(1, 3), max_size=2),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
)
def test_a_product_has_the_shape_torch_gives_it(call_of, left, right, sizes):
    rows, inner, columns = sizes
    a, b = (*left, rows, inner), (*right, inner, columns)
    try:
        there = torch.matmul(torch.empty(a, device="meta"), torch.empty(b, device="meta"))
    except RuntimeError:
        with pytest.raises(ShapeMismatch):
            call_of("matmul", a, b)
    else:
        assert call_of("matmul", a, b).outputs[0].shape == tuple(there.shape)
