"""Operators that compare elements to put them in order or to pick some."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, axis_of, output_elements, register, same_shape


def comparisons(among: int) -> int:
    """Comparisons that place one element among so many in order: ⌈log₂(among)⌉, at least one.

    What a comparison sort needs for each element in leading order (Knuth, The Art of Computer
    Programming, vol. 3, 5.3.1), and what a binary search or a heap takes.
    """
    return max(1, (among - 1).bit_length()) if among > 0 else 1


def _sort_shapes(call: Call) -> tuple[Shape, ...]:
    axis_of(call, default=-1)
    return same_shape(call) * (2 if call.node.op == "sort" else 1)


def _sort_ops(call: Call) -> int:
    x, axis = call.input(0), axis_of(call, default=-1)
    return x.elements * comparisons(x.shape[axis])


def _topk_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x, k = axis_of(call, default=-1), call.input(0).shape, int(call.attributes["k"])
    if not 0 <= k <= x[axis]:
        raise ShapeMismatch(f"node {call.node.name!r}: no {k} largest among {x[axis]}.")
    return ((*x[:axis], k, *x[axis + 1 :]),) * 2


def _topk_ops(call: Call) -> int:
    # Each element against a heap of the k best.
    return call.input(0).elements * comparisons(int(call.attributes["k"]))


def _kth_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call, default=-1), call.input(0).shape
    keep = (1,) if call.attributes.get("keepdims", False) else ()
    return ((*x[:axis], *keep, *x[axis + 1 :]),) * 2


def _kth_ops(call: Call) -> int:
    # Selection is linear on average (Hoare's quickselect, 1961): two comparisons an element.
    return 2 * call.input(0).elements


def _search_shapes(call: Call) -> tuple[Shape, ...]:
    call.input(0)
    return (call.input(1).shape,)


def _search_ops(call: Call) -> int:
    edges = call.input(0).shape
    return output_elements(call) * comparisons(edges[-1] if edges else 1)


def _nonzero_shapes(call: Call) -> tuple[Shape, ...]:
    x = call.input(0)
    return ((x.elements, len(x.shape)),)


def _nonzero_ops(call: Call) -> int:
    return call.input(0).elements


_INDICES = ("int64",)
_VALUES_AND_INDICES = (0, "int64")
for _name, _shapes, _ops, _dtypes in (
    ("sort", _sort_shapes, _sort_ops, _VALUES_AND_INDICES),
    ("argsort", _sort_shapes, _sort_ops, _INDICES),
    ("topk", _topk_shapes, _topk_ops, _VALUES_AND_INDICES),
    ("kth_value", _kth_shapes, _kth_ops, _VALUES_AND_INDICES),
    ("searchsorted", _search_shapes, _search_ops, _INDICES),
):
    register(OpSpec(_name, "ordering", _shapes, elementwise_ops=_ops, dtypes=_dtypes))
register(
    OpSpec(
        "nonzero",
        "ordering",
        _nonzero_shapes,
        elementwise_ops=_nonzero_ops,
        dtypes=_INDICES,
        bound="as if no element were zero",
    )
)
