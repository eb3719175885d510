"""Linear layers, matrix products and attention."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.broadcasting import broadcast
from latprof.ops.spec import OpSpec, output_elements, register


def matmul_macs(*, batch: int, rows: int, inner: int, columns: int) -> int:
    """Multiply-accumulates of `batch` products (rows × inner)·(inner × columns)."""
    return batch * rows * inner * columns


def _linear_shapes(call: Call) -> tuple[Shape, ...]:
    x, weight = call.input(0).shape, call.input(1).shape
    if x[-1] != weight[1]:
        raise ShapeMismatch(
            f"node {call.node.name!r}: {x[-1]} input features, but the weight of shape {weight} "
            f"takes {weight[1]}."
        )
    return ((*x[:-1], weight[0]),)


def _linear_macs(call: Call) -> int:
    out, inner = call.outputs[0].shape, call.input(1).shape[1]
    return matmul_macs(batch=1, rows=math.prod(out[:-1]), inner=inner, columns=out[-1])


def _bias_adds(call: Call) -> int:
    has_bias = len(call.inputs) > 2 and call.inputs[2] is not None
    return output_elements(call) if has_bias else 0


def _matmul_shapes(call: Call) -> tuple[Shape, ...]:
    a, b = call.input(0).shape, call.input(1).shape
    # A lone vector is a row on the left, a column on the right (numpy.matmul's rule).
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    if a[-1] != b[-2 if len(b) > 1 else -1]:
        raise ShapeMismatch(f"node {call.node.name!r}: cannot multiply {a} by {b}.")
    return ((*broadcast(a[:-2], b[:-2]), *rows, *columns),)


def _matmul_macs(call: Call) -> int:
    # Every output element is one dot product, of matrices and of lone vectors alike.
    return call.outputs[0].elements * call.input(0).shape[-1]


def _attention_shapes(call: Call) -> tuple[Shape, ...]:
    query, key, value = (call.input(i).shape for i in range(3))
    if query[-1] != key[-1] or key[-2] != value[-2]:
        raise ShapeMismatch(
            f"node {call.node.name!r}: queries {query}, keys {key} and values {value} do not fit."
        )
    return ((*query[:-1], value[-1]),)


def _attention_macs(call: Call) -> int:
    # softmax(Q·Kᵀ)·V (Vaswani et al., arXiv 1706.03762, eq. 1): two products per head.
    query, key, value = (call.input(i).shape for i in range(3))
    heads, rows, columns = math.prod(query[:-2]), query[-2], key[-2]
    scores = matmul_macs(batch=heads, rows=rows, inner=query[-1], columns=columns)
    return scores + matmul_macs(batch=heads, rows=rows, inner=columns, columns=value[-1])


def _attention_elementwise(call: Call) -> int:
    # Scaling, then softmax counted as in `softmax`: max, subtract, exp, sum, divide.
    query, key = call.input(0).shape, call.input(1).shape
    return 6 * math.prod(query[:-2]) * query[-2] * key[-2]


register(OpSpec("linear", "matmul", _linear_shapes, _linear_macs, _bias_adds))
register(OpSpec("matmul", "matmul", _matmul_shapes, _matmul_macs))
register(OpSpec("attention", "matmul", _attention_shapes, _attention_macs, _attention_elementwise))
