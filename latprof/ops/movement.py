"""Operators that compute nothing: they rename, move or select elements."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.graph import MAX_NODES, Call, Shape
from latprof.ops.broadcasting import broadcast
from latprof.ops.spec import OpSpec, axis_of, register, same_shape


def _reshape_shapes(call: Call) -> tuple[Shape, ...]:
    elements = call.input(0).elements
    wanted = tuple(call.attributes["shape"])
    if wanted.count(-1) > 1:
        raise ShapeMismatch(f"node {call.node.name!r}: two sizes of {wanted} are left open.")
    if -1 in wanted:
        known = math.prod(size for size in wanted if size != -1)
        wanted = tuple(elements // known if size == -1 else size for size in wanted)
    if math.prod(wanted) != elements:
        raise ShapeMismatch(
            f"node {call.node.name!r}: cannot reshape {call.input(0).shape} to {wanted}."
        )
    return (wanted,)


def _transpose_shapes(call: Call) -> tuple[Shape, ...]:
    x, order = call.input(0).shape, tuple(call.attributes["order"])
    if sorted(order) != list(range(len(x))):
        raise ShapeMismatch(f"node {call.node.name!r}: {order} does not order {len(x)} axes.")
    return (tuple(x[axis] for axis in order),)


def _concat_shapes(call: Call) -> tuple[Shape, ...]:
    axis = axis_of(call, default=1)
    shapes = [tensor.shape for tensor in call.inputs if tensor is not None]
    rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rest) != 1:
        raise ShapeMismatch(f"node {call.node.name!r}: cannot concatenate {shapes} on axis {axis}.")
    total = sum(shape[axis] for shape in shapes)
    return (shapes[0][:axis] + (total,) + shapes[0][axis + 1 :],)


def _split_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call, default=1), call.input(0).shape
    sizes = tuple(call.attributes["sizes"])
    if sum(sizes) != x[axis]:
        raise ShapeMismatch(f"node {call.node.name!r}: {sizes} do not add up to {x[axis]}.")
    return tuple(x[:axis] + (size,) + x[axis + 1 :] for size in sizes)


def _slice_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call, default=1), call.input(0).shape
    start, stop, step = (int(call.attributes[key]) for key in ("start", "stop", "step"))
    return (x[:axis] + (len(range(x[axis])[start:stop:step]),) + x[axis + 1 :],)


def _select_shapes(call: Call) -> tuple[Shape, ...]:
    axis, x = axis_of(call), call.input(0).shape
    return (x[:axis] + x[axis + 1 :],)


def _unbind_shapes(call: Call) -> tuple[Shape, ...]:
    parts = call.input(0).shape[axis_of(call)]
    if parts > MAX_NODES:
        raise ShapeMismatch(f"node {call.node.name!r} falls into {parts} parts.")
    return _select_shapes(call) * parts


def _stack_shapes(call: Call) -> tuple[Shape, ...]:
    shapes = [tensor.shape for tensor in call.inputs if tensor is not None]
    x, axis = call.input(0).shape, int(call.attributes.get("axis", 0))
    if len(set(shapes)) != 1 or not -len(x) - 1 <= axis <= len(x):
        raise ShapeMismatch(f"node {call.node.name!r}: cannot stack {shapes} on axis {axis}.")
    axis %= len(x) + 1
    return (x[:axis] + (len(shapes),) + x[axis:],)


def _pad_shapes(call: Call) -> tuple[Shape, ...]:
    x, pads = call.input(0).shape, tuple(call.attributes["padding"])
    return (tuple(size + sum(pair) for size, pair in zip(x, pads, strict=True)),)


def _shuffle_shapes(call: Call) -> tuple[Shape, ...]:
    groups = int(call.attributes["groups"])
    if call.input(0).shape[1] % groups:
        raise ShapeMismatch(
            f"node {call.node.name!r}: {call.input(0).shape[1]} channels do not make "
            f"{groups} groups."
        )
    return same_shape(call)


def _resize_shapes(call: Call) -> tuple[Shape, ...]:
    x, size = call.input(0).shape, tuple(call.attributes["size"])
    return ((*x[: -len(size)], *size),)


def _expand_shapes(call: Call) -> tuple[Shape, ...]:
    x, wanted = call.input(0).shape, tuple(call.attributes["shape"])
    if broadcast(x, wanted) != wanted:
        raise ShapeMismatch(f"node {call.node.name!r}: {x} does not stretch to {wanted}.")
    return (wanted,)


register(OpSpec("identity", "view", same_shape))
register(OpSpec("reshape", "view", _reshape_shapes))
register(OpSpec("expand", "view", _expand_shapes))
register(OpSpec("transpose", "movement", _transpose_shapes))
register(OpSpec("channel_shuffle", "movement", _shuffle_shapes))
register(OpSpec("concat", "movement", _concat_shapes))
register(OpSpec("split", "movement", _split_shapes))
register(OpSpec("slice", "movement", _slice_shapes))
register(OpSpec("select", "movement", _select_shapes))
register(OpSpec("unbind", "movement", _unbind_shapes))
register(OpSpec("stack", "movement", _stack_shapes))
register(OpSpec("pad", "movement", _pad_shapes))
register(OpSpec("resize", "movement", _resize_shapes))
register(OpSpec("copy", "movement", same_shape))
