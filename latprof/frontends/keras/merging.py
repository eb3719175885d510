"""Layers that bring several values together, and layers that reorder one.

References
----------
Keras, keras/src/layers/merging/ and keras/src/layers/reshaping/.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.config import axis_number, shown, whole
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value


def chain(
    t: Translator, call: LayerCall, op: str, values: Sequence[Any], *, batch_first: bool
) -> Value:
    """`op` of the first two values, of that and the third, ...; of one value, it itself."""
    if len(values) < 2:
        return call.value
    names, image = t.aligned(call, values, batch_first=batch_first)
    left = names[0]
    for i, right in enumerate(names[1:]):
        found = t.emit(call, op, [left, right], part=str(i + 1) if i else "")
        t.follows(found, [left, right])
        left = found
    return Value(left, image)


def _merge(op: str, t: Translator, call: LayerCall) -> Result:
    return chain(t, call, op, call.values, batch_first=True)


def _average(t: Translator, call: LayerCall) -> Result:
    values = call.values
    total = chain(t, call, "add", values, batch_first=True)
    share = t.constant(call, 1 / max(len(values), 1))
    return t.elementwise(call, total, "mul", [share], part="mean")


def concatenate(t: Translator, call: LayerCall, values: Sequence[Value], axis: Any) -> Value:
    """`values` behind each other along an axis of Keras's order."""
    names, image = t.aligned(call, values)
    first = Value(names[0], image)
    place = t.axis(first, axis_number(axis, len(t.shape(first)), "axis"))
    if len(names) == 1:
        return first
    found = t.emit(call, "concat", names, axis=place)
    t.follows(found, names)
    return Value(found, image)


def _concatenate(t: Translator, call: LayerCall) -> Result:
    return concatenate(t, call, call.values, call.get("axis", -1))


def reshape_to(t: Translator, call: LayerCall, value: Value, wanted: Sequence[Any]) -> Value:
    """`value` in another shape of Keras's order; one size may be left open."""
    shape = t.shape(value)
    open_sizes = [i for i, size in enumerate(wanted) if size in (-1, None)]
    known = math.prod(whole(size, "a size") for size in wanted if size not in (-1, None))
    total = math.prod(shape)
    if len(open_sizes) > 1 and 0 in open_sizes and wanted[0] is None:
        known *= shape[0]  # None stands for the batch, -1 for the rest
        fixed = [shape[0], *wanted[1:]]
        return reshape_to(t, call, value, fixed)
    if len(open_sizes) > 1 or (open_sizes and (not known or total % known)):
        raise ShapeMismatch(
            f"layer {call.path!r}: cannot reshape {shape} to {shown(list(wanted))}."
        )
    full = tuple(total // known if i in open_sizes else int(size) for i, size in enumerate(wanted))
    if math.prod(full) != total:
        raise ShapeMismatch(f"layer {call.path!r}: cannot reshape {shape} to {full}.")
    return t.reshaped(call, value, full)


def _reshape(t: Translator, call: LayerCall) -> Result:
    wanted = call.get("target_shape")
    if not isinstance(wanted, (list, tuple)):
        raise UnreadableModel(f"layer {call.path!r} has the target_shape {shown(wanted)}.")
    value = call.value
    return reshape_to(t, call, value, [t.shape(value)[0], *wanted])


def permute(t: Translator, call: LayerCall, value: Value, order: Sequence[int]) -> Value:
    """`value` with its axes, of Keras's order, in another order."""
    order = list(order)
    rank = len(t.shape(value))
    if sorted(order) != list(range(rank)):
        raise ShapeMismatch(f"layer {call.path!r}: {shown(order)} does not order {rank} axes.")
    if value.split:
        if order != [*range(rank - 2), rank - 1, rank - 2]:
            return permute(t, call, t.plain(value), order)
        swapped = (0, 2, 1, *range(3, rank))
        return Value(t.emit(call, "transpose", [value], order=swapped), split=True)
    inside = tuple(t.axis(value, axis) for axis in order)
    if inside == tuple(range(rank)):
        return Value(value.name)  # held like that already
    second = (inside[0], inside[-1], *inside[1:-1])
    if rank >= 3 and second == tuple(range(rank)):
        return Value(value.name, True)
    return Value(t.emit(call, "transpose", [value], order=inside))


def _permute(t: Translator, call: LayerCall) -> Result:
    dims = call.get("dims", [])
    order = [0, *(whole(axis, "dims", least=1) for axis in dims)]
    return permute(t, call, call.value, order)


def _repeat_vector(t: Translator, call: LayerCall) -> Result:
    value = t.plain(call.value)
    batch, features = t.shape(value)
    count = whole(call.get("n"), "n", least=1)
    column = t.reshaped(call, value, (batch, 1, features), part="column")
    return Value(t.emit(call, "expand", [column], shape=(batch, count, features)))


LAYERS: dict[str, Handler] = {
    **{
        name: partial(_merge, op)
        for name, op in (
            ("Add", "add"), ("Subtract", "sub"), ("Multiply", "mul"), ("Maximum", "maximum"),
            ("Minimum", "minimum"),
        )
    },
    "Average": _average,
    "Concatenate": _concatenate,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
}  # fmt: skip
