"""Operators that place or fetch elements by indices, and select by position."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.broadcasting import broadcast
from latprof.ops.spec import OpSpec, axis_of, output_elements, register, same_shape


def _gather_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call), call.input(0).shape
    return (x[:axis] + call.input(1).shape + x[axis + 1 :],)


def _gather_nd_shapes(call: Call) -> tuple[Shape, ...]:
    # numpy's advanced indexing: the indices stretch to one shape, which stands where the first
    # of them does if their axes are neighbours, else in front.
    x, axes = call.input(0).shape, tuple(map(int, call.attributes["axes"]))
    picked = broadcast(*(call.input(1 + i).shape for i in range(len(axes))))
    if sorted(set(axes)) != list(axes) or not all(0 <= axis < len(x) for axis in axes):
        raise ShapeMismatch(f"node {call.node.name!r}: axes {axes} of a rank-{len(x)} tensor.")
    together = axes[-1] - axes[0] == len(axes) - 1
    front = axes[0] if together else 0
    rest = [size for axis, size in enumerate(x) if axis not in axes]
    return ((*rest[:front], *picked, *rest[front:]),)


def _take_along_shapes(call: Call) -> tuple[Shape, ...]:
    call.input(0)
    return (call.input(1).shape,)


def _scatter_shapes(call: Call) -> tuple[Shape, ...]:
    # A whole slice is overwritten without indices; the value may be one number for all.
    call.input(0)
    axis_of(call)
    return same_shape(call)


def _embedding_shapes(call: Call) -> tuple[Shape, ...]:
    return ((*call.input(1).shape, call.input(0).shape[1]),)


def _one_hot_shapes(call: Call) -> tuple[Shape, ...]:
    shape = call.input(0).shape
    axis = int(call.attributes.get("axis", -1))
    if not -len(shape) - 1 <= axis <= len(shape):
        raise ShapeMismatch(f"node {call.node.name!r}: axis {axis} of a rank-{len(shape)} tensor.")
    axis %= len(shape) + 1
    return ((*shape[:axis], int(call.attributes["depth"]), *shape[axis:]),)


def _strided_shapes(call: Call) -> tuple[Shape, ...]:
    call.input(0)
    return (tuple(map(int, call.attributes["shape"])),)


def _windows_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call), call.input(0).shape
    size, step = int(call.attributes["size"]), int(call.attributes["step"])
    if size > x[axis]:
        raise ShapeMismatch(f"node {call.node.name!r}: no window of {size} in {x[axis]}.")
    return ((*x[:axis], (x[axis] - size) // step + 1, *x[axis + 1 :], size),)


def _tile_shapes(call: Call) -> tuple[Shape, ...]:
    x, repeats = call.input(0).shape, tuple(map(int, call.attributes["repeats"]))
    rank = max(len(x), len(repeats))
    wide, times = (1,) * (rank - len(x)) + x, (1,) * (rank - len(repeats)) + repeats
    return (tuple(size * n for size, n in zip(wide, times, strict=True)),)


def _repeat_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call), call.input(0).shape
    return ((*x[:axis], x[axis] * int(call.attributes["repeats"]), *x[axis + 1 :]),)


def _patches(call: Call, size: Shape) -> int:
    """Windows that fit a map of `size`: product of the sizes that a convolution would give."""
    a = call.attributes
    kernel, ones = tuple(a["kernel"]), (1,) * len(size)
    pads = tuple(a.get("padding", ((0, 0),) * len(size)))
    settings = (kernel, a.get("stride", ones), a.get("dilation", ones), pads)
    return math.prod(
        (whole + sum(p) - d * (k - 1) - 1) // s + 1
        for whole, k, s, d, p in zip(size, *settings, strict=True)
    )


def _unfold_shapes(call: Call) -> tuple[Shape, ...]:
    batch, channels, *size = call.input(0).shape
    window = math.prod(call.attributes["kernel"])
    return ((batch, channels * window, _patches(call, tuple(size))),)


def _fold_shapes(call: Call) -> tuple[Shape, ...]:
    batch, rows, columns = call.input(0).shape
    size = tuple(map(int, call.attributes["output_size"]))
    window = math.prod(call.attributes["kernel"])
    if rows % window or columns != _patches(call, size):
        raise ShapeMismatch(
            f"node {call.node.name!r}: columns {call.input(0).shape} do not make a map of {size}."
        )
    return ((batch, rows // window, *size),)


def _fold_ops(call: Call) -> int:
    # Every element of the columns is added to the pixel that it came from.
    return call.input(0).elements


register(OpSpec("gather", "movement", _gather_shapes))
register(OpSpec("gather_nd", "movement", _gather_nd_shapes))
register(OpSpec("take_along", "movement", _take_along_shapes))
register(OpSpec("scatter", "movement", _scatter_shapes))
register(OpSpec("embedding", "movement", _embedding_shapes))
register(OpSpec("tile", "movement", _tile_shapes))
register(OpSpec("repeat", "movement", _repeat_shapes))
register(OpSpec("trilu", "movement", same_shape))
register(OpSpec("unfold", "movement", _unfold_shapes))
register(OpSpec("fold", "pool", _fold_shapes, elementwise_ops=_fold_ops))
register(OpSpec("one_hot", "elementwise", _one_hot_shapes, elementwise_ops=output_elements))
register(OpSpec("as_strided", "view", _strided_shapes))
register(OpSpec("windows", "view", _windows_shapes))
# What a tensor holds once a part of it, the second input, has been overwritten in place; the
# writing itself is what the node that gives the part does.
register(OpSpec("write", "view", same_shape))
