"""How TFLite's arithmetic, activations, reductions and searches are said in latprof's words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite.layers import Translate, finish
from latprof.frontends.tflite.layout import PLAIN, order, position, stored
from latprof.frontends.tflite.translator import NotTold, Translator
from latprof.graph import DTYPE_BYTES, Role


def alike(t: Translator, inputs: Sequence[int]) -> tuple[list[str], int]:
    """Operands that stretch to fit each other, with axes for the spatial ones of the result."""
    shapes = {i: t.shape(i) for i in inputs}
    rank = max((len(shape) for shape in shapes.values()), default=0)
    spatial = t.spatial(t.call.outputs[0], rank)
    return [t.operand(i, spatial, rank, _role(t, i)) for i in inputs], spatial


def _role(t: Translator, index: int) -> Role:
    """A stored operand of arithmetic: a trained scale or shift if it is real and no lone number."""
    tensor = t.graph.tensors[t.resolve(index)]
    real = tensor.dtype.startswith(("float", "bfloat")) or tensor.quantized
    return "parameter" if real and math.prod(t.shape(index)) > 1 else "constant"


def _unary(op: str, **attributes: Any) -> Translate:
    def translate(t: Translator) -> None:
        (x,), spatial = alike(t, t.call.inputs[:1])
        t.give(t.emit(op, [x], dtype=t.dtype(t.call.outputs[0]), **attributes), spatial)

    return translate


def _binary(op: str) -> Translate:
    def translate(t: Translator) -> None:
        operands, spatial = alike(t, t.call.inputs[:2])
        finish(t, t.emit(op, operands, dtype=t.dtype(t.call.outputs[0])), spatial)

    return translate


def _leaky_relu(t: Translator) -> None:
    _unary("leaky_relu", slope=float(t.call.options["alpha"]))(t)


def _gelu(t: Translator) -> None:
    _unary("gelu", approximate="tanh" if t.call.options["approximate"] else "none")(t)


def _square(t: Translator) -> None:
    (x,), spatial = alike(t, t.call.inputs[:1])
    t.give(t.emit("mul", [x, x]), spatial)


def _squared_difference(t: Translator) -> None:
    operands, spatial = alike(t, t.call.inputs[:2])
    difference = t.emit("sub", operands)
    t.give(t.emit("mul", [difference, difference]), spatial)


def _add_n(t: Translator) -> None:
    (total, *rest), spatial = alike(t, t.call.inputs)
    for each in rest:
        total = t.emit("add", [total, each])
    t.give(total, spatial)


def _where(t: Translator) -> None:
    operands, spatial = alike(t, t.call.inputs[:3])
    t.give(t.emit("where", operands, dtype=t.dtype(t.call.outputs[0])), spatial)


def _quantize(t: Translator) -> None:
    if t.is_stored(t.call.inputs[0]):
        t.same(t.call.outputs[0], t.call.inputs[0])
    else:
        _unary("quantize")(t)


def _dequantize(t: Translator) -> None:
    """A stored tensor is taken as it is kept; an activation passes through a node."""
    if t.is_stored(t.call.inputs[0]):
        t.same(t.call.outputs[0], t.call.inputs[0])
    else:
        _unary("dequantize")(t)


def _fake_quant(t: Translator) -> None:
    (x,), spatial = alike(t, t.call.inputs[:1])
    rounded = t.emit("quantize", [x], dtype="int8")
    t.give(t.emit("dequantize", [rounded], dtype=t.dtype(t.call.outputs[0])), spatial)


def _axes(t: Translator, rank: int) -> tuple[int, ...]:
    """Axes that the second input names, from 0 in the file's order."""
    found = t.whole(1)
    if any(not -rank <= axis < rank for axis in found):
        raise ShapeMismatch(f"{t.call.kind} over the axes {found} of a rank-{rank} tensor.")
    return tuple(sorted({axis % rank for axis in found}))


def _reduce(op: str) -> Translate:
    def translate(t: Translator) -> None:
        axes = _axes(t, t.rank(t.call.inputs[0]))
        _reduce_axes(t, op, axes, keepdims=bool(t.call.options.get("keep_dims", False)))

    return translate


def _reduce_axes(t: Translator, op: str, axes: tuple[int, ...], *, keepdims: bool) -> None:
    x, shape, spatial = t.image(t.call.inputs[0])
    dtype = t.dtype(t.call.outputs[0])
    places = position(spatial, len(shape))
    left = [axis for axis in order(spatial, len(shape)) if axis not in axes]
    # What is left has to stand in the file's order, once there are too few axes for an image.
    direct = keepdims or left == sorted(left)
    name = t.emit(
        op, [x], dtype=dtype,
        axes=tuple(sorted(places[axis] for axis in axes)), keepdims=keepdims or not direct,
    )  # fmt: skip
    if keepdims or direct:
        t.give(name, spatial if keepdims else PLAIN)
        return
    kept = stored(t.builder.tensor(name).shape, spatial)
    name = t.relayout(name, kept, spatial, PLAIN)
    t.give(t.reshaped(name, tuple(shape[axis] for axis in sorted(left))))


def _arg(op: str) -> Translate:
    def translate(t: Translator) -> None:
        axes = _axes(t, t.rank(t.call.inputs[0]))
        _reduce_axes(t, op, axes, keepdims=False)

    return translate


def _last_axis(t: Translator) -> tuple[str, int, int]:
    """The first input, where its last axis stands, and its spatial axes."""
    x, shape, spatial = t.image(t.call.inputs[0])
    if not shape:
        raise ShapeMismatch(f"{t.call.kind} of a lone number.")
    return x, position(spatial, len(shape))[-1], spatial


def _softmax(op: str) -> Translate:
    def translate(t: Translator) -> None:
        x, axis, spatial = _last_axis(t)
        t.give(t.emit(op, [x], axis=axis), spatial)

    return translate


def _l2_norm(t: Translator) -> None:
    x, axis, spatial = _last_axis(t)
    finish(t, t.emit("l2_norm", [x], axes=(axis,)), spatial)


def _local_response_norm(t: Translator) -> None:
    x = t.operand(t.call.inputs[0], 2)
    size = 2 * int(t.call.options["radius"]) + 1
    t.give(t.emit("local_response_norm", [x], size=size), 2)


def _cumsum(t: Translator) -> None:
    x, shape, spatial = t.image(t.call.inputs[0])
    (axis,) = _axes(t, len(shape))
    t.give(t.emit("cumsum", [x], axis=position(spatial, len(shape))[axis]), spatial)


def _topk(t: Translator) -> None:
    (k,) = t.whole(1, 1)
    x, axis, spatial = _last_axis(t)
    dtypes = [t.dtype(index) for index in t.call.outputs]
    for number, name in enumerate(t.emit_all("topk", [x], dtypes=dtypes, k=k, axis=axis)):
        if number < len(t.call.outputs):
            t.give(name, spatial, number)


def _nonzero(t: Translator) -> None:
    if len(t.call.inputs) == 3:
        _where(t)
        return
    x = t.operand(t.call.inputs[0])
    t.give(t.emit("nonzero", [x], dtype=t.dtype(t.call.outputs[0])))
    t.doubt("how many elements are not zero depends on the data; counted as if all were")


def _bitcast(t: Translator) -> None:
    data, out = t.call.inputs[0], t.call.outputs[0]
    if DTYPE_BYTES[t.dtype(data)] != DTYPE_BYTES[t.dtype(out)]:
        raise NotTold
    _unary("identity")(t)


ELEMENTWISE: dict[str, Translate] = {
    **{
        kind: _unary(op)
        for kind, op in {
            "RELU": "relu", "RELU6": "relu6", "LOGISTIC": "sigmoid", "HARD_SWISH": "hard_swish",
            "TANH": "tanh", "ELU": "elu", "EXP": "exp", "LOG": "log", "SQRT": "sqrt",
            "RSQRT": "rsqrt", "NEG": "neg", "ABS": "abs", "FLOOR": "floor", "CEIL": "ceil",
            "ROUND": "round", "SIN": "sin", "COS": "cos", "SIGN": "sign", "LOGICAL_NOT": "not",
            "CAST": "cast",
        }.items()
    },
    "RELU_N1_TO_1": _unary("clip", low=-1.0, high=1.0),
    "RELU_0_TO_1": _unary("clip", low=0.0, high=1.0),
    "LEAKY_RELU": _leaky_relu,
    "GELU": _gelu,
    **{
        kind: _binary(op)
        for kind, op in {
            "ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "POW": "pow",
            "MINIMUM": "minimum", "MAXIMUM": "maximum", "FLOOR_DIV": "floor_div",
            "FLOOR_MOD": "mod", "ATAN2": "atan2", "PRELU": "prelu", "LOGICAL_AND": "and",
            "LOGICAL_OR": "or", "BITWISE_XOR": "xor", "GREATER": "greater",
            "GREATER_EQUAL": "greater", "LESS": "less", "LESS_EQUAL": "less", "EQUAL": "equal",
            "NOT_EQUAL": "equal",
        }.items()
    },
    "SQUARE": _square,
    "SQUARED_DIFFERENCE": _squared_difference,
    "ADD_N": _add_n,
    "SELECT": _where,
    "SELECT_V2": _where,
    "WHERE": _nonzero,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "FAKE_QUANT": _fake_quant,
    "BITCAST": _bitcast,
    **{
        kind: _reduce(op)
        for kind, op in {
            "MEAN": "mean", "SUM": "sum", "REDUCE_PROD": "prod", "REDUCE_MAX": "max",
            "REDUCE_MIN": "min", "REDUCE_ANY": "any", "REDUCE_ALL": "all",
        }.items()
    },
    "ARG_MAX": _arg("argmax"),
    "ARG_MIN": _arg("argmin"),
    "SOFTMAX": _softmax("softmax"),
    "LOG_SOFTMAX": _softmax("log_softmax"),
    "L2_NORMALIZATION": _l2_norm,
    "LOCAL_RESPONSE_NORMALIZATION": _local_response_norm,
    "CUMSUM": _cumsum,
    "TOPK_V2": _topk,
}  # fmt: skip
