"""Operations of `keras.ops` that move numbers about: join, cut, reshape, repeat, pick.

References
----------
Keras, keras/src/ops/: numpy.py, core.py.
"""

from __future__ import annotations

import itertools

from latprof.errors import ShapeMismatch
from latprof.frontends.keras.config import Array, axis_number, axis_numbers, shown, whole
from latprof.frontends.keras.foreign import operation as foreign
from latprof.frontends.keras.merging import concatenate, permute, reshape_to
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value

_MANY = 10_000  # parts that a tensor is split into


def _concatenate(t: Translator, call: LayerCall) -> Result:
    return concatenate(t, call, call.values, call.argument(1, "axis", 0))


def _stack(t: Translator, call: LayerCall) -> Result:
    values = [t.plain(value) for value in call.values]
    if not values:
        return foreign(t, call)
    axis = axis_number(call.argument(1, "axis", 0), len(t.shape(values[0])) + 1, "axis")
    return Value(t.emit(call, "stack", values, axis=axis))


def _reshape(t: Translator, call: LayerCall) -> Result:
    wanted = call.argument(1, "newshape", call.kwargs.get("shape"))
    if isinstance(wanted, int):
        wanted = [wanted]
    if not isinstance(wanted, (list, tuple)) or any(isinstance(size, Value) for size in wanted):
        return foreign(t, call)
    return reshape_to(t, call, call.value, wanted)


def _expand_dims(t: Translator, call: LayerCall) -> Result:
    shape = list(t.shape(call.value))
    held = call.argument(1, "axis")
    axes = held if isinstance(held, (list, tuple)) else [held]
    for axis in sorted(axis_number(axis, len(shape) + len(axes), "axis") for axis in axes):
        shape.insert(axis, 1)
    return t.reshaped(call, call.value, shape)


def _squeeze(t: Translator, call: LayerCall) -> Result:
    shape = t.shape(call.value)
    held = call.argument(1, "axis")
    axes = axis_numbers(held, len(shape), "axis") if held is not None else range(len(shape))
    gone = [axis for axis in axes if shape[axis] == 1]
    return t.reshaped(call, call.value, [n for i, n in enumerate(shape) if i not in gone])


def _transpose(t: Translator, call: LayerCall) -> Result:
    rank = len(t.shape(call.value))
    axes = call.argument(1, "axes")
    axes = list(reversed(range(rank))) if axes is None else axes
    return permute(t, call, call.value, [axis_number(axis, rank, "axes") for axis in axes])


def _swapaxes(t: Translator, call: LayerCall) -> Result:
    rank = len(t.shape(call.value))
    a, b = (axis_number(call.argument(i, f"axis{i}"), rank, "axis") for i in (1, 2))
    order = list(range(rank))
    order[a], order[b] = order[b], order[a]
    return permute(t, call, call.value, order)


def _moveaxis(t: Translator, call: LayerCall) -> Result:
    rank = len(t.shape(call.value))
    pairs = []
    for i, name in ((1, "source"), (2, "destination")):
        held = call.argument(i, name)
        held = held if isinstance(held, (list, tuple)) else [held]
        pairs.append([axis_number(axis, rank, name) for axis in held])
    rest = iter([axis for axis in range(rank) if axis not in pairs[0]])
    placed = dict(zip(pairs[1], pairs[0], strict=True))
    order = [placed[axis] if axis in placed else next(rest) for axis in range(rank)]
    return permute(t, call, call.value, order)


def _pad(t: Translator, call: LayerCall) -> Result:
    value = call.value
    rank = len(t.shape(value))
    held = call.argument(1, "pad_width")
    if isinstance(held, (int, float)):
        held = [held]
    pairs = [item if isinstance(item, (list, tuple)) else [item, item] for item in held or []]
    if len(pairs) == 1:
        pairs *= rank
    if len(pairs) != rank or any(len(pair) not in (1, 2) for pair in pairs):
        raise ShapeMismatch(f"operation {call.path!r} pads {shown(held)} of {rank} axes.")
    widths = [(0, 0)] * rank
    for axis, pair in enumerate(pairs):
        widths[t.axis(value, axis)] = (whole(pair[0], "pad_width"), whole(pair[-1], "pad_width"))
    mode = call.argument(2, "mode", "constant")
    name = t.emit(call, "pad", [value], padding=tuple(widths), mode=str(mode)[:20], value=0.0)
    return Value(name, value.image)


def _get_item(t: Translator, call: LayerCall) -> Result:
    """``x[...]`` with numbers, slices, ``...`` and new axes; by tensors it is unknown."""
    value, held = call.value, call.argument(1, "key")
    keys = list(held) if isinstance(held, (list, tuple)) else [held]
    if not all(key is None or key is Ellipsis or isinstance(key, (int, slice)) for key in keys):
        return foreign(t, call)
    rank = len(t.shape(value))
    taken = sum(key is not None and key is not Ellipsis for key in keys)
    if taken > rank or keys.count(Ellipsis) > 1:
        raise ShapeMismatch(f"operation {call.path!r} takes {taken} of {rank} axes.")
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    keys[at : at + 1] = [slice(None)] * (rank - taken)
    if not all(isinstance(key, slice) for key in keys):
        value = t.plain(value)
    name, shape, axis = value.name, [], 0
    for key in keys:
        if key is None:
            shape.append(1)
            continue
        place = t.axis(value, axis)
        size = t.stored(value).shape[place]
        if isinstance(key, slice):
            start, stop, step = key.indices(size)
            if step < 0:
                name = t.emit(call, "copy", [name], part="reversed")
                start, stop, step = stop + 1, start + 1, -step
            if (start, stop, step) != (0, size, 1):
                name = t.emit(call, "slice", [name], axis=place, start=start, stop=stop, step=step)
            shape.append(t.builder.tensor(name).shape[place])
        else:
            index = axis_number(key, size, "an index")
            name = t.emit(call, "slice", [name], axis=place, start=index, stop=index + 1, step=1)
        axis += 1
    found = Value(name, value.image)
    return found if value.image else t.reshaped(call, found, shape, part="axes")


def _split(t: Translator, call: LayerCall) -> Result:
    value, held = call.value, call.argument(1, "indices_or_sections")
    axis = axis_number(call.argument(2, "axis", 0), len(t.shape(value)), "axis")
    size = t.shape(value)[axis]
    if isinstance(held, (list, tuple)):
        edges = [0, *(whole(edge, "indices") for edge in held), size]
        parts = [stop - start for start, stop in itertools.pairwise(edges)]
    else:
        count = whole(held, "sections", least=1)
        if size % count or count > _MANY:
            raise ShapeMismatch(f"operation {call.path!r} splits {size} into {count} parts.")
        parts = [size // count] * count
    names = t.emit_all(call, "split", [value], axis=t.axis(value, axis), sizes=tuple(parts))
    return [Value(name, value.image) for name in names]


def _unstack(t: Translator, call: LayerCall) -> Result:
    value = t.plain(call.value)
    axis = axis_number(call.argument(2, "axis", 0), len(t.shape(value)), "axis")
    if t.shape(value)[axis] > _MANY:
        raise ShapeMismatch(f"operation {call.path!r} falls into {t.shape(value)[axis]} parts.")
    return [Value(name) for name in t.emit_all(call, "unbind", [value], axis=axis)]


def _take(t: Translator, call: LayerCall) -> Result:
    value, indices = t.plain(call.value), call.argument(1, "indices")
    held = call.argument(2, "axis")
    if held is None:
        return foreign(t, call)
    axis = axis_number(held, len(t.shape(value)), "axis")
    if isinstance(indices, Value):
        name = t.plain(indices).name
    elif isinstance(indices, (int, list, Array)):
        name = t.constant(call, indices)
    else:
        return foreign(t, call)
    return Value(t.emit(call, "gather", [value.name, name], axis=axis))


def _repeat(t: Translator, call: LayerCall) -> Result:
    value = t.plain(call.value)
    held, repeats = call.argument(2, "axis"), call.argument(1, "repeats")
    if held is None or not isinstance(repeats, int):
        return foreign(t, call)
    shape = list(t.shape(value))
    axis = axis_number(held, len(shape), "axis")
    times = whole(repeats, "repeats", least=1)
    column = t.emit(
        call, "reshape", [value], part="column", shape=(*shape[: axis + 1], 1, *shape[axis + 1 :])
    )
    wide = (*shape[: axis + 1], times, *shape[axis + 1 :])
    name = t.emit(call, "expand", [column], part="wide", shape=wide)
    shape[axis] *= times
    return Value(t.emit(call, "reshape", [name], shape=tuple(shape)))


def _tile(t: Translator, call: LayerCall) -> Result:
    value, held = t.plain(call.value), call.argument(1, "repeats")
    repeats = [whole(n, "repeats", least=1) for n in (held if isinstance(held, list) else [held])]
    shape = t.shape(value)
    rank = max(len(shape), len(repeats))
    wide = (1,) * (rank - len(shape)) + shape
    times = [1] * (rank - len(repeats)) + repeats
    found = tuple(size * n for size, n in zip(wide, times, strict=True))
    (name,) = t.emit_all(call, "tile", [value], shapes=[found], repeats=tuple(times))
    return Value(name)


def _broadcast_to(t: Translator, call: LayerCall) -> Result:
    value, held = t.plain(call.value), call.argument(1, "shape")
    if not isinstance(held, (list, tuple)):
        return foreign(t, call)
    mine = t.shape(value)
    shape = tuple(
        mine[i - len(held)] if size in (None, -1) else whole(size, "shape")
        for i, size in enumerate(held)
    )
    return value if shape == mine else Value(t.emit(call, "expand", [value], shape=shape))


def _flip(t: Translator, call: LayerCall) -> Result:
    return t.elementwise(call, call.value, "copy")


MOVEMENTS: dict[str, Handler] = {
    "Concatenate": _concatenate, "Stack": _stack, "Reshape": _reshape,
    "ExpandDims": _expand_dims, "Squeeze": _squeeze, "Transpose": _transpose,
    "Swapaxes": _swapaxes, "Moveaxis": _moveaxis, "Pad": _pad, "GetItem": _get_item,
    "Split": _split, "ArraySplit": _split, "Unstack": _unstack, "Take": _take, "Repeat": _repeat,
    "Tile": _tile, "BroadcastTo": _broadcast_to, "Flip": _flip, "Roll": _flip,
}  # fmt: skip
