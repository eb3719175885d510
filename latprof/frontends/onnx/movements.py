"""How each ONNX operator that moves or selects elements is said in latprof's words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latprof.errors import ShapeMismatch
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.folding import slice_of
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value, dtype_of, stored_value
from latprof.graph import Shape
from latprof.ops.broadcasting import broadcast

_PAD_MODES = {
    "constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular",
}  # fmt: skip


def axis_of(axis: int, rank: int, call: OnnxCall) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise ShapeMismatch(f"node {call.name!r} ({call.op}): axis {axis} of {rank} axes.")
    return axis % rank


def rename(t: Translator, call: OnnxCall) -> None:
    """The output is the first input, as it came."""
    t.define(call.outputs[0], call.input(0))


def dropout(t: Translator, call: OnnxCall) -> None:
    rename(t, call)
    for name in call.outputs[1:]:
        if name:  # the mask: all true at inference
            t.define(name, Value(t.free_name(name), call.input(0).shape, "bool", stored=True))


def _constant(t: Translator, call: OnnxCall) -> None:
    name = call.outputs[0]
    proto = call.tensor("value")
    if proto is not None:
        value = stored_value(proto, t.free_name(name), initializer=False)
        t.define(name, value)
    elif call.has("value_ints") or call.has("value_int"):
        lone = call.has("value_int")
        whole: Any = call.whole("value_int") if lone else call.wholes("value_ints")
        t.fold(call, [np.asarray(whole, dtype=np.int64)])
    elif call.has("value_floats") or call.has("value_float"):
        real = (
            (call.real("value_float"),) if call.has("value_float") else call.reals("value_floats")
        )
        array = np.asarray(real, dtype=np.float32)
        t.fold(call, [array.reshape(()) if call.has("value_float") else array])
    elif call.has("sparse_value"):
        sparse = call.attributes["sparse_value"].sparse_tensor
        values = sparse.values if sparse is not None else None
        if sparse is None or values is None:
            raise ShapeMismatch(f"node {call.name!r} holds no constant.")
        shape, dtype = tuple(sparse.dims), dtype_of(values.data_type, name)
        t.define(name, Value(t.free_name(name), shape, dtype, stored=True))
    else:  # text
        t.define(name, Value(t.free_name(name), (), "uint8", stored=True))


def reshape_to(t: Translator, call: OnnxCall, shape: Shape) -> None:
    """The first input in another shape; itself, if that is its own."""
    x = call.input(0)
    if shape == x.shape:
        t.define(call.outputs[0], x)
    else:
        t.emit(call, "reshape", [x], shape=shape)


def _reshape(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    wanted = t.axes(call, 1, "shape")
    if wanted is None:
        raise ShapeMismatch(f"node {call.name!r} (Reshape) says no shape.")
    if not call.whole("allowzero"):
        if any(size == 0 and index >= x.rank for index, size in enumerate(wanted)):
            raise ShapeMismatch(f"node {call.name!r}: {wanted} copies an axis {x.shape} lacks.")
        wanted = tuple(x.shape[i] if size == 0 else size for i, size in enumerate(wanted))
    if wanted.count(-1) == 1 and all(size > 0 for size in wanted if size != -1):
        rest = math.prod(size for size in wanted if size != -1)
        if x.elements % rest:
            raise ShapeMismatch(f"node {call.name!r}: cannot reshape {x.shape} to {wanted}.")
        wanted = tuple(x.elements // rest if size == -1 else size for size in wanted)
    reshape_to(t, call, wanted)


def _flatten(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axis = call.whole("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise ShapeMismatch(f"node {call.name!r} (Flatten): axis {axis} of {x.rank} axes.")
    axis += x.rank if axis < 0 else 0
    reshape_to(t, call, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _squeeze(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    asked = t.axes(call, 1)
    if asked is None:
        dropped = {axis for axis, size in enumerate(x.shape) if size == 1}
    else:
        dropped = {axis_of(axis, x.rank, call) for axis in asked}
    if any(x.shape[axis] != 1 for axis in dropped):
        raise ShapeMismatch(f"node {call.name!r} (Squeeze): axes {asked} of {x.shape} are not 1.")
    reshape_to(t, call, tuple(size for axis, size in enumerate(x.shape) if axis not in dropped))


def _unsqueeze(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    asked = t.axes(call, 1) or ()
    rank = x.rank + len(asked)
    added = {axis_of(axis, rank, call) for axis in asked}
    if len(added) != len(asked):
        raise ShapeMismatch(f"node {call.name!r} (Unsqueeze): axes {asked} repeat.")
    sizes = iter(x.shape)
    reshape_to(t, call, tuple(1 if axis in added else next(sizes) for axis in range(rank)))


def _transpose(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    order = call.wholes("perm") or tuple(reversed(range(x.rank)))
    if order == tuple(range(x.rank)):
        t.define(call.outputs[0], x)
    elif x.stored and order == (1, 0) and x.rank == 2:
        t.define(call.outputs[0], t.turned(x))
    else:
        t.emit(call, "transpose", [x], order=order)


def _concat(t: Translator, call: OnnxCall) -> None:
    parts = [value for value in call.inputs if value is not None and value.elements]
    parts = parts or [call.input(0)]  # empty parts add nothing; some exporters leave them in
    if len(parts) == 1:
        t.define(call.outputs[0], parts[0])
        return
    axis = axis_of(call.whole("axis", 1), parts[0].rank, call)
    t.emit(call, "concat", parts, axis=axis)


def _split(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axis = axis_of(call.whole("axis"), x.rank, call)
    sizes = t.axes(call, 1, "split")
    if sizes is None:
        parts = len(call.outputs)
        each = -(-x.shape[axis] // parts)
        sizes = (*([each] * (parts - 1)), x.shape[axis] - each * (parts - 1))
    if len(call.outputs) == 1 and sizes == (x.shape[axis],):
        t.define(call.outputs[0], x)
    else:
        t.emit(call, "split", [x], outputs=len(call.outputs), axis=axis, sizes=sizes)


def _slice(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    starts, ends = t.axes(call, 1, "starts") or (), t.axes(call, 2, "ends") or ()
    axes = t.axes(call, 3)
    steps = t.whole(call.get(4), call) or (1,) * len(starts)
    wanted = []
    for axis, start, end, step in zip(
        axes if axes is not None else range(len(starts)), starts, ends, steps, strict=True
    ):
        axis = axis_of(axis, x.rank, call)
        cut = slice_of(start, end, step, x.shape[axis])
        if cut.indices(x.shape[axis]) != (0, x.shape[axis], 1):
            wanted.append((axis, cut))
    if not wanted:
        t.define(call.outputs[0], x)
    for number, (axis, cut) in enumerate(wanted):
        inner = "" if number == len(wanted) - 1 else f"/axis{axis}"
        x = _one_slice(t, call, x, axis, cut, inner)


def _one_slice(t: Translator, call: OnnxCall, x: Value, axis: int, cut: slice, inner: str) -> Value:
    start, stop, step = cut.indices(x.shape[axis])
    if step < 0:  # back to front: as many elements, counted from the front
        count = len(range(start, stop, step))
        if count == x.shape[axis]:
            return t.emit(call, "copy", [x], inner=inner)
        step = -step
        start, stop = 0, min(count * step, x.shape[axis])
    return t.emit(call, "slice", [x], inner=inner, axis=axis, start=start, stop=stop, step=step)


def _pad(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    flat = t.axes(call, 1, "pads") or ()
    axes = t.whole(call.get(3), call)
    axes = tuple(range(x.rank)) if axes is None else axes
    pads = [(0, 0)] * x.rank
    for axis, before, after in zip(
        axes, flat[: len(flat) // 2], flat[len(flat) // 2 :], strict=True
    ):
        pads[axis_of(axis, x.rank, call)] = (before, after)
    if not any(map(any, pads)):
        t.define(call.outputs[0], x)
        return
    filled = t.known(call.get(2))
    value = call.real("value") if filled is None else float(filled.reshape(-1)[0])
    mode = _PAD_MODES[call.text("mode", "constant")]
    t.emit(call, "pad", [x], padding=tuple(pads), mode=mode, value=value)


def _resize(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    shape = _resized(t, call, x)
    if shape == x.shape:
        t.define(call.outputs[0], x)
        return
    kept = 2 if shape[:2] == x.shape[:2] and x.rank > 2 else int(shape[:1] == x.shape[:1])
    how = call.text("coordinate_transformation_mode", "half_pixel")
    t.emit(
        call,
        "resize",
        [x],
        size=shape[kept:],
        mode=call.text("mode", "nearest").removeprefix("bi"),
        align_corners=how == "align_corners",
    )


def _resized(t: Translator, call: OnnxCall, x: Value) -> Shape:
    """Sizes are said outright, or as scales: an attribute, the second or the third input."""
    axes = call.wholes("axes", range(x.rank))
    if len(call.inputs) > 3 and (sizes := t.whole(call.get(3), call)) is not None:
        if call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            ratios = [s / max(x.shape[a], 1) for a, s in zip(axes, sizes, strict=True)]
            larger = call.text("keep_aspect_ratio_policy") == "not_smaller"
            ratio = max(ratios) if larger else min(ratios)
            sizes = tuple(round(x.shape[axis] * ratio) for axis in axes)
        found = dict(zip(axes, sizes, strict=True))
    else:
        given = call.get(2) if len(call.inputs) > 2 else call.get(1)
        numbers = t.known(given)
        scales: Sequence[float] = call.reals("scales")
        if numbers is not None:
            scales = [float(number) for number in numbers.reshape(-1).tolist()]
        elif given is not None:
            t.whole(given, call)  # says why its numbers are not known
        found = {a: math.floor(x.shape[a] * s) for a, s in zip(axes, scales, strict=True)}
    return tuple(found.get(axis, size) for axis, size in enumerate(x.shape))


def _expand(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    shape = broadcast(x.shape, t.whole(call.input(1), call) or ())
    if shape == x.shape:
        t.define(call.outputs[0], x)
    else:
        t.emit(call, "expand", [x], shape=shape)


def _tile(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    repeats = t.whole(call.input(1), call) or ()
    shape = tuple(size * times for size, times in zip(x.shape, repeats, strict=True))
    if shape == x.shape:
        t.define(call.outputs[0], x)
    else:
        t.emit(call, "tile", [x], shapes=[shape], repeats=repeats)


def _depth_to_space(t: Translator, call: OnnxCall) -> None:
    """Three steps: split the channels, bring the pieces beside the pixels, merge."""
    x, r = call.input(0), call.whole("blocksize")
    batch, channels, height, width = x.shape
    if call.op == "SpaceToDepth":
        split: Shape = (batch, channels, height // r, r, width // r, r)
        order: Shape = (0, 3, 5, 1, 2, 4)
        merged: Shape = (batch, channels * r * r, height // r, width // r)
    else:
        inner = channels // (r * r)
        merged = (batch, inner, height * r, width * r)
        if call.text("mode", "DCR") == "CRD":
            split, order = (batch, inner, r, r, height, width), (0, 1, 4, 2, 5, 3)
        else:
            split, order = (batch, r, r, inner, height, width), (0, 3, 4, 1, 5, 2)
    pieces = t.emit(call, "reshape", [x], inner="/split", shape=split)
    moved = t.emit(call, "transpose", [pieces], inner="/moved", order=order)
    t.emit(call, "reshape", [moved], shape=merged)


def _cast(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    like = call.op == "CastLike"
    dtype = call.input(1).dtype if like else dtype_of(call.whole("to"), call.name)
    if dtype == x.dtype:
        t.define(call.outputs[0], x)
    else:
        t.emit(call, "cast", [x], dtype=dtype)


def _filled(t: Translator, call: OnnxCall) -> None:
    """What depends on no input value is stored with the model."""
    proto, name = call.tensor("value"), call.outputs[0]
    shape = t.whole(call.input(0), call) or ()
    dtype = "float32" if proto is None else dtype_of(proto.data_type, name)
    t.define(name, Value(t.free_name(name), shape, dtype, stored=True))


def _eye_like(t: Translator, call: OnnxCall) -> None:
    x, name = call.input(0), call.outputs[0]
    dtype = dtype_of(call.whole("dtype"), call.name) if call.has("dtype") else x.dtype
    t.define(name, Value(t.free_name(name), x.shape, dtype, stored=True))


def _random(t: Translator, call: OnnxCall) -> None:
    like = call.get(0)
    dtype = "float32" if like is None else like.dtype
    dtype = dtype_of(call.whole("dtype"), call.name) if call.has("dtype") else dtype
    shape = call.wholes("shape") if like is None else like.shape
    t.emit(call, f"onnx.{call.op}", call.inputs[:1], shapes=[shape], dtype=dtype)


def _copy(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "copy", [call.input(0)])


MOVEMENTS: Mapping[str, Translate] = {
    "Constant": _constant,
    "Identity": rename,
    "Dropout": dropout,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Expand": _expand,
    "Tile": _tile,
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
    **dict.fromkeys(("Cast", "CastLike"), _cast),
    "ConstantOfShape": _filled,
    "EyeLike": _eye_like,
    **dict.fromkeys(
        ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli"),
        _random,
    ),
    "ReverseSequence": _copy,
}
