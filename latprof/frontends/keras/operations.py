"""Operations of `keras.ops` that were called on the tensors of a Functional model.

Keras writes each as a layer whose class is the operation's (``Multiply`` of
``keras.src.ops.numpy``); settings stand in its configuration, tensors and numbers in its calls.

References
----------
Keras, keras/src/ops/: numpy.py, nn.py, math.py, core.py, image.py.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.activations import SIMPLE, over_axis
from latprof.frontends.keras.config import axis_number, axis_numbers, number, shown, whole
from latprof.frontends.keras.foreign import operation as foreign
from latprof.frontends.keras.movements import MOVEMENTS
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
    **MOVEMENTS,
    "Where": _where, "Square": _square, "LeakyRelu": _leaky_relu, "Elu": _elu, "Gelu": _gelu,
    "Softmax": partial(_softmax, "softmax"), "LogSoftmax": partial(_softmax, "log_softmax"),
    "Glu": partial(_softmax, "glu"), "Clip": _clip, "Cast": _cast, "Matmul": _matmul,
    "Einsum": _einsum,
    "Normalize": _normalize, "MaxPool": partial(_pool, "max_pool"),
    "AveragePool": partial(_pool, "avg_pool"), "Resize": _resize,
    "DotProductAttention": _attention,
}  # fmt: skip
