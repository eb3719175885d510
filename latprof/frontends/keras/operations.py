"""Operations of `keras.ops` that were called on the tensors of a Functional model.

Keras writes each as a layer whose class is the operation's (``Multiply`` of
``keras.src.ops.numpy``); settings stand in its configuration, tensors and numbers in its calls.

References
----------
Keras, keras/src/ops/: numpy.py, nn.py, math.py, core.py, image.py.
"""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.activations import SIMPLE, over_axis
from latprof.frontends.keras.config import Array, axis_number, axis_numbers, number, shown, whole
from latprof.frontends.keras.foreign import operation as foreign
from latprof.frontends.keras.merging import concatenate, permute, reshape_to
from latprof.frontends.keras.pools import pool, resize
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.graph import DTYPE_BYTES

_MANY = 10_000  # parts that a tensor is split into

# Class of the operation → our operator.
_UNARY = {
    "Absolute": "abs", "Abs": "abs", "Arccos": "acos", "Arcsin": "asin", "Arctan": "atan",
    "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Exp": "exp", "Floor": "floor", "Log": "log",
    "Negative": "neg", "Reciprocal": "reciprocal", "Round": "round", "Sign": "sign", "Sin": "sin",
    "Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan", "Rsqrt": "rsqrt", "Erf": "erf", "Copy": "copy",
}  # fmt: skip
_UNARY_BOOL = {"LogicalNot": "not", "Isnan": "isnan"}
_ACTIVATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Softsign": "softsign", "Silu": "silu", "LogSigmoid": "log_sigmoid",
    "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardSwish": "hard_silu",
    "Selu": "selu", "Celu": "celu", "TanhShrink": "tanh_shrink", "HardTanh": "hard_tanh",
    "HardShrink": "hard_shrink", "SoftShrink": "soft_shrink", "Threshold": "threshold",
    "Tanh": "tanh", "Mish": "mish",
}  # fmt: skip
_BINARY = {
    "Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "div", "TrueDivide": "div",
    "Power": "pow", "Maximum": "maximum", "Minimum": "minimum", "Mod": "mod",
}  # fmt: skip
_COMPARISONS = {
    "Greater": "greater", "GreaterEqual": "greater", "Less": "less", "LessEqual": "less",
    "Equal": "equal", "NotEqual": "equal", "LogicalAnd": "and", "LogicalOr": "or",
    "LogicalXor": "xor",
}  # fmt: skip
_REDUCTIONS = {
    "Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Amax": "max", "Amin": "min",
    "Prod": "prod", "Var": "var", "Std": "std", "Logsumexp": "logsumexp",
}  # fmt: skip
_SAME = ("StopGradient", "ConvertToTensor", "Array", "Real")


def _unary(op: str, dtype: str, t: Translator, call: LayerCall) -> Result:
    return t.elementwise(call, call.value, op, dtype=dtype)


def _activation(name: str, t: Translator, call: LayerCall) -> Result:
    op, settings = SIMPLE[name]
    return t.elementwise(call, call.value, op, **settings)


def _binary(op: str, dtype: str, t: Translator, call: LayerCall) -> Result:
    names, image = t.aligned(call, [call.argument(0, "x1"), call.argument(1, "x2")])
    tensors = [t.builder.tensor(name) for name in names]
    kept = dtype or next((x.dtype for x in tensors if not x.is_weight), tensors[0].dtype)
    found = t.emit(call, op, names, dtype=kept)
    t.follows(found, names)
    return Value(found, image)


def _where(t: Translator, call: LayerCall) -> Result:
    given = [call.argument(i, name) for i, name in enumerate(("condition", "x1", "x2"))]
    names, image = t.aligned(call, given)
    dtype = t.builder.tensor(names[1]).dtype
    return Value(t.emit(call, "where", names, dtype=dtype), image)


def _square(t: Translator, call: LayerCall) -> Result:
    return t.elementwise(call, call.value, "mul", [call.value.name])


def _reduce(op: str, dtype: str, t: Translator, call: LayerCall) -> Result:
    value = call.value
    rank = len(t.shape(value))
    axes = axis_numbers(call.argument(1, "axis"), rank, "axis")
    keepdims = call.argument(2, "keepdims", False) is True
    channels_left = rank - 1 not in axes and len(axes) < rank - 1
    if value.image and not keepdims and (0 in axes or not channels_left):
        # What is left has no channels, or no batch in front of them.
        value = t.plain(value) if 0 in axes else value
    inside = tuple(sorted(t.axis(value, axis) for axis in axes))
    found = t.emit(call, op, [value], axes=inside, keepdims=keepdims, dtype=dtype)
    left = rank if keepdims else rank - len(axes)
    return Value(found, value.image and (keepdims or (channels_left and left >= 3)))


def _leaky_relu(t: Translator, call: LayerCall) -> Result:
    slope = number(call.argument(1, "negative_slope", 0.2), "negative_slope")
    return t.elementwise(call, call.value, "leaky_relu", slope=slope)


def _elu(t: Translator, call: LayerCall) -> Result:
    return t.elementwise(call, call.value, "elu", alpha=number(call.get("alpha", 1.0), "alpha"))


def _gelu(t: Translator, call: LayerCall) -> Result:
    tanh = call.argument(1, "approximate", True) is not False
    return t.elementwise(call, call.value, "gelu", approximate="tanh" if tanh else "none")


def _softmax(op: str, t: Translator, call: LayerCall) -> Result:
    return over_axis(t, call, call.value, op, call.argument(1, "axis", -1))


def _clip(t: Translator, call: LayerCall) -> Result:
    low, high = call.argument(1, "x_min"), call.argument(2, "x_max")
    if (low, high) == (0, 6):
        return t.elementwise(call, call.value, "relu6")
    bounds: dict[str, Any] = {
        key: bound for key, bound in (("low", low), ("high", high))
        if isinstance(bound, (int, float))
    }  # fmt: skip
    return t.elementwise(call, call.value, "clip", **bounds)


def _cast(t: Translator, call: LayerCall) -> Result:
    dtype = call.argument(1, "dtype")
    if dtype not in DTYPE_BYTES:
        raise UnreadableModel(f"operation {call.path!r} casts to {shown(dtype)}.")
    value = call.value
    if t.stored(value).dtype == dtype:
        return value
    return t.elementwise(call, value, "cast", dtype=str(dtype))


def _same(t: Translator, call: LayerCall) -> Result:
    return call.value


def _matmul(t: Translator, call: LayerCall) -> Result:
    values = [t.plain(value) for value in call.values]
    shapes = [t.shape(value) for value in values]
    if len(values) != 2 or any(len(shape) < 2 for shape in shapes):
        return foreign(t, call)
    return Value(t.emit(call, "matmul", values))


def _einsum(t: Translator, call: LayerCall) -> Result:
    equation = call.get("subscripts")
    values = [t.plain(value) for value in call.values]
    given = call.given.get(0)
    if not isinstance(equation, str) or not values:
        return foreign(t, call)
    right = equation.replace(" ", "").partition("->")[2]
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    known: dict[str, int] = {}
    if len(terms) != len(values) or "." in equation or "->" not in equation:
        if given is None:
            return foreign(t, call)
        raise ShapeMismatch(
            f"operation {call.path!r}: cannot follow the equation {equation!r:.80}."
        )
    for term, value in zip(terms, values, strict=True):
        shape = t.shape(value)
        if len(term) != len(shape):
            raise ShapeMismatch(f"operation {call.path!r}: {term!r:.40} does not label {shape}.")
        known |= dict(zip(term, shape, strict=True))
    if any(label not in known for label in right):
        raise ShapeMismatch(f"operation {call.path!r}: cannot follow {equation!r:.80}.")
    shapes = [tuple(known[label] for label in right)]
    (found,) = t.emit_all(call, "einsum", values, shapes=shapes, equation=equation)
    return Value(found)


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


def _normalize(t: Translator, call: LayerCall) -> Result:
    value = call.value
    axis = axis_number(call.argument(1, "axis", -1), len(t.shape(value)), "axis")
    return t.elementwise(call, value, "l2_norm", axes=(t.axis(value, axis),))


def _pool(op: str, t: Translator, call: LayerCall) -> Result:
    return pool(
        t, call, op, len(t.shape(call.value)) - 2, window=call.argument(1, "pool_size"),
        strides=call.argument(2, "strides"), padding=call.argument(3, "padding", "valid"),
    )  # fmt: skip


def _resize(t: Translator, call: LayerCall) -> Result:
    held = call.argument(1, "size")
    if len(t.shape(call.value)) != 4 or not isinstance(held, (list, tuple)) or len(held) != 2:
        return foreign(t, call)
    last = call.get("data_format", "channels_last") != "channels_first"
    x = t.image(call.value) if last else t.plain(call.value)
    size = tuple(whole(n, "size", least=1) for n in held)
    return resize(t, call, x, size, call.argument(2, "interpolation", "bilinear"))


def _attention(t: Translator, call: LayerCall) -> Result:
    """(batch, tokens, heads, width) each; fewer key heads are shared."""
    held = call.values[:3]
    if len(held) < 3 or any(len(t.shape(value)) != 4 for value in held):
        return foreign(t, call)
    names = [
        t.emit(call, "transpose", [t.plain(value)], part=part, order=(0, 2, 1, 3))
        for value, part in zip(held, ("query", "key", "value"), strict=True)
    ]
    shapes = [t.builder.tensor(name).shape for name in names]
    for i in (1, 2):
        batch, pairs, tokens, width = shapes[i]
        if pairs != shapes[0][1]:
            if not pairs or shapes[0][1] % pairs:
                raise ShapeMismatch(f"operation {call.path!r}: heads of {shapes} do not fit.")
            times = shapes[0][1] // pairs
            part = f"shared{i}"
            column = (batch, pairs, 1, tokens, width)
            names[i] = t.emit(call, "reshape", [names[i]], part=part, shape=column)
            wide = (batch, pairs, times, tokens, width)
            names[i] = t.emit(call, "expand", [names[i]], part=part, shape=wide)
            full = (batch, math.prod((pairs, times)), tokens, width)
            names[i] = t.emit(call, "reshape", [names[i]], part=part, shape=full)
    causal = call.argument(-1, "is_causal", False) is True
    found = t.emit(call, "attention", names, part="attend", causal=causal)
    return Value(t.emit(call, "transpose", [found], order=(0, 2, 1, 3)))


OPERATIONS: dict[str, Handler] = {
    **{name: partial(_unary, op, "") for name, op in _UNARY.items()},
    **{name: partial(_unary, op, "bool") for name, op in _UNARY_BOOL.items()},
    **{name: partial(_activation, function) for name, function in _ACTIVATIONS.items()},
    **{name: partial(_binary, op, "") for name, op in _BINARY.items()},
    **{name: partial(_binary, op, "bool") for name, op in _COMPARISONS.items()},
    **{name: partial(_reduce, op, "") for name, op in _REDUCTIONS.items()},
    **{name: partial(_reduce, name.lower(), "int32") for name in ("Argmax", "Argmin")},
    **dict.fromkeys(_SAME, _same),
    "Where": _where, "Square": _square, "LeakyRelu": _leaky_relu, "Elu": _elu, "Gelu": _gelu,
    "Softmax": partial(_softmax, "softmax"), "LogSoftmax": partial(_softmax, "log_softmax"),
    "Glu": partial(_softmax, "glu"), "Clip": _clip, "Cast": _cast, "Matmul": _matmul,
    "Einsum": _einsum, "Concatenate": _concatenate, "Stack": _stack, "Reshape": _reshape,
    "ExpandDims": _expand_dims, "Squeeze": _squeeze, "Transpose": _transpose,
    "Swapaxes": _swapaxes, "Moveaxis": _moveaxis, "Pad": _pad, "GetItem": _get_item,
    "Split": _split, "ArraySplit": _split, "Unstack": _unstack, "Take": _take, "Repeat": _repeat,
    "Tile": _tile, "BroadcastTo": _broadcast_to, "Flip": _flip, "Roll": _flip,
    "Normalize": _normalize, "MaxPool": partial(_pool, "max_pool"),
    "AveragePool": partial(_pool, "avg_pool"), "Resize": _resize,
    "DotProductAttention": _attention,
}  # fmt: skip
