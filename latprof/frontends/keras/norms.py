"""Normalisations.

References
----------
Keras, keras/src/layers/normalization/, and keras/src/layers/preprocessing/normalization.py.
"""

from __future__ import annotations

import math
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.keras.config import (
    Array,
    axis_number,
    axis_numbers,
    flat,
    number,
    value,
    whole,
)
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.graph import Shape


def _channels(t: Translator, call: LayerCall, held: Value) -> tuple[Value, int]:
    """The value laid out so that the axis of its channels is second, and their number."""
    shape = t.shape(held)
    axis = axis_number(call.get("axis", -1), len(shape), "axis")
    if axis == len(shape) - 1 and axis > 1:
        held = t.image(held)
    elif axis == 1:
        held = t.plain(held)
    return held, shape[axis]


def _batch_norm(t: Translator, call: LayerCall) -> Result:
    x, channels = _channels(t, call, call.value)
    weights = [
        t.weight(call, name, (channels,)) if call.get(setting, True) else ""
        for name, setting in (("gamma", "scale"), ("beta", "center"))
    ]
    weights += [
        t.weight(call, name, (channels,), role="buffer")
        for name in ("moving_mean", "moving_variance")
    ]
    return t.elementwise(call, x, "batch_norm", weights, eps=_epsilon(call, 1e-3))


def _epsilon(call: LayerCall, default: float) -> float:
    return number(call.get("epsilon", default), "epsilon")


def over_axes(
    t: Translator, call: LayerCall, held: Value, op: str, axes: tuple[int, ...],
    weights: list[str], **settings: Any,
) -> Value:  # fmt: skip
    """A norm over the last axes; over others they are moved there, and back."""
    rank = len(t.shape(held))
    last = tuple(range(rank - len(axes), rank))
    if axes == last:
        if len(axes) < rank - 1:  # over all but the batch, any layout will do
            held = t.plain(held)
        return t.elementwise(call, held, op, weights, axes=len(axes), **settings)
    held = t.plain(held)
    order = (*(i for i in range(rank) if i not in axes), *axes)
    name = t.emit(call, "transpose", [held], part="axes_last", order=order)
    name = t.emit(call, op, [name, *weights], axes=len(axes), **settings)
    back = tuple(order.index(i) for i in range(rank))
    return Value(t.emit(call, "transpose", [name], part="axes_back", order=back))


def _layer_norm(t: Translator, call: LayerCall) -> Result:
    held = call.value
    shape = t.shape(held)
    axes = axis_numbers(call.get("axis", -1), len(shape), "axis")
    scaled = tuple(shape[axis] for axis in axes)
    if call.get("rms_scaling", False):
        weights = [t.weight(call, "gamma", scaled)]
        return over_axes(t, call, held, "rms_norm", axes, weights, eps=_epsilon(call, 1e-3))
    weights = [
        t.weight(call, name, scaled) if call.get(setting, True) else ""
        for name, setting in (("gamma", "scale"), ("beta", "center"))
    ]
    return over_axes(t, call, held, "layer_norm", axes, weights, eps=_epsilon(call, 1e-3))


def _rms_norm(t: Translator, call: LayerCall) -> Result:
    held = call.value
    shape = t.shape(held)
    axes = axis_numbers(call.get("axis", -1), len(shape), "axis")
    weights = [t.weight(call, "scale", tuple(shape[axis] for axis in axes))]
    return over_axes(t, call, held, "rms_norm", axes, weights, eps=_epsilon(call, 1e-6))


def _group_norm(t: Translator, call: LayerCall) -> Result:
    x, channels = _channels(t, call, call.value)
    asked = call.get("groups", 32)
    groups = channels if asked == -1 else whole(asked, "groups", least=1)
    if channels % groups:
        raise ShapeMismatch(
            f"layer {call.path!r}: {channels} channels do not make {groups} groups."
        )
    weights = [
        t.weight(call, name, (channels,)) if call.get(setting, True) else ""
        for name, setting in (("gamma", "scale"), ("beta", "center"))
    ]
    return t.elementwise(call, x, "group_norm", weights, groups=groups, eps=_epsilon(call, 1e-3))


def _unit_norm(t: Translator, call: LayerCall) -> Result:
    held = call.value
    axes = axis_numbers(call.get("axis", -1), len(t.shape(held)), "axis")
    inside = tuple(sorted(t.axis(held, axis) for axis in axes))
    return t.elementwise(call, held, "l2_norm", axes=inside)


def _normalization(t: Translator, call: LayerCall) -> Result:
    """(x - mean) / √variance, by statistics that were learned or are written in the file."""
    held = t.floating(call, call.value)
    shape = t.shape(held)
    asked = call.layer.config.get("axis", -1)
    asked = [] if asked is None else asked
    axes = axis_numbers(asked, len(shape), "axis") if asked != [] else ()
    kept: Shape = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    names = []
    for name in ("mean", "variance"):
        written = value(call.layer.config.get(name))
        if written is None:
            inside = (kept[0], kept[-1], *kept[1:-1]) if held.image else kept
            names.append(t.weight(call, name, inside, role="buffer"))
        else:
            leaves = flat(written) if isinstance(written, list) else [written]
            given = leaves[0] if len(leaves) == 1 else _spread(leaves, kept)
            names.append(t.constant(call, given, len(shape) if held.image else 0))
    if call.layer.config.get("mean") is None:
        t.weight(call, "count", (), role="buffer", dtype="int32")
    if call.get("invert", False):
        held = t.elementwise(call, held, "mul", [names[1]], part="scale")
        return t.elementwise(call, held, "add", [names[0]], part="shift")
    held = t.elementwise(call, held, "sub", [names[0]], part="center")
    return t.elementwise(call, held, "div", [names[1]], part="scale")


def _spread(leaves: list[Any], kept: Shape) -> Any:
    """Numbers in the shape that stretches over the value: one list for each axis but the last."""
    if len(leaves) != math.prod(kept):
        raise ShapeMismatch(f"{len(leaves)} statistics are given where {math.prod(kept)} fit.")
    trimmed = [size for i, size in enumerate(kept) if any(n != 1 for n in kept[: i + 1])]
    return Array(tuple(trimmed), tuple(leaves))


def _rescaling(t: Translator, call: LayerCall) -> Result:
    held = t.floating(call, call.value)
    rank = len(t.shape(held)) if held.image else 0
    scale, offset = value(call.get("scale", 1.0)), value(call.get("offset", 0.0))
    held = t.elementwise(call, held, "mul", [t.constant(call, scale, rank)], part="scale")
    if offset == 0:
        return held
    return t.elementwise(call, held, "add", [t.constant(call, offset, rank)], part="offset")


LAYERS: dict[str, Handler] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "GroupNormalization": _group_norm,
    "UnitNormalization": _unit_norm,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
}
