"""How ONNX's activations and arithmetic are said in latprof's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.movements import rename
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value
from latprof.ops.broadcasting import broadcast


def unary(op: str, **attributes: Any) -> Translate:
    """An operator of one operand that keeps its shape."""

    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        t.emit(call, op, [x], shapes=[x.shape], **attributes)

    return translate


def _to_bool(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        t.emit(call, op, [x], shapes=[x.shape], dtype="bool")

    return translate


def emit_clip(t: Translator, call: OnnxCall, x: Value, low: float | None, high: float | None,
              *, inner: str = "") -> Value:  # fmt: skip
    """A clip under the name of the activation it is."""
    if (low, high) == (0, 6):
        return t.emit(call, "relu6", [x], inner=inner)
    if low == 0 and high is None:
        return t.emit(call, "relu", [x], inner=inner)
    bounds: dict[str, Any] = {
        key: bound for key, bound in (("low", low), ("high", high)) if bound is not None
    }
    return t.emit(call, "clip", [x], inner=inner, **bounds)


def _clip(t: Translator, call: OnnxCall) -> None:
    bounds: list[float | None] = []
    for index, name in ((1, "min"), (2, "max")):
        numbers = t.known(call.get(index))
        if numbers is not None and numbers.size:
            bound: float | None = float(numbers.reshape(-1)[0])
        else:
            bound = call.real(name) if call.has(name) else None
        bounds.append(None if bound is None or abs(bound) > 1e38 else bound)
    if bounds == [None, None] and call.get(1) is None and call.get(2) is None:
        rename(t, call)
    else:
        emit_clip(t, call, call.input(0), *bounds)


def _hard_sigmoid(t: Translator, call: OnnxCall) -> None:
    slope, shift = call.real("alpha", 0.2), call.real("beta", 0.5)
    usual = abs(slope - 1 / 6) < 1e-3 and shift == 0.5
    settings: dict[str, Any] = {} if usual else {"slope": slope, "shift": shift}
    t.emit(call, "hard_sigmoid", [call.input(0)], **settings)


def _thresholded_relu(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "threshold", [call.input(0)], value=call.real("alpha", 1.0))


def _leaky_relu(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "leaky_relu", [call.input(0)], slope=call.real("alpha", 0.01))


def _prelu(t: Translator, call: OnnxCall) -> None:
    x, slope = call.input(0), call.input(1)
    if slope.stored and slope.rank > 1:  # (C, 1, 1), as exporters stretch it
        slope = t.emit(call, "reshape", [slope], inner="/slope", shape=(slope.elements,))
    t.emit(call, "prelu", [x, slope])


def _gelu(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "gelu", [call.input(0)], approximate=call.text("approximate", "none"))


def _swish(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    if call.real("alpha", 1.0) == 1.0:
        t.emit(call, "silu", [x])
        return
    scale = t.number(call.real("alpha"), x, f"{call.name}/alpha")
    scaled = t.emit(call, "mul", [x, scale], inner="/scaled")
    gate = t.emit(call, "sigmoid", [scaled], inner="/gate")
    t.emit(call, "mul", [x, gate])


def _chain(op: str) -> Translate:
    """Sum, Mean, Min, Max of any number of operands: two at a time."""

    def translate(t: Translator, call: OnnxCall) -> None:
        found, rest = call.input(0), call.inputs[1:]
        if not rest:
            rename(t, call)
        for number, operand in enumerate(rest):
            inner = "" if number == len(rest) - 1 and op != "mean" else f"/{number}"
            found = t.emit(call, "add" if op == "mean" else op, [found, operand], inner=inner)
        if rest and op == "mean":
            count = t.number(len(call.inputs), found, f"{call.name}/count")
            t.emit(call, "div", [found, count])

    return translate


def binary(op: str, dtype: str = "") -> Translate:
    """An operator of two operands."""

    def translate(t: Translator, call: OnnxCall) -> None:
        a, b = call.input(0), call.input(1)
        t.emit(call, op, [a, b], dtype=dtype, shapes=[broadcast(a.shape, b.shape)])

    return translate


def _where(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "where", call.inputs[:3], dtype=call.input(1).dtype)


_ACTIVATIONS = {
    "Relu": "relu", "Elu": "elu", "Selu": "selu", "Celu": "celu", "Sigmoid": "sigmoid",
    "HardSwish": "hard_swish", "Mish": "mish",
    "Softplus": "softplus", "Softsign": "softsign", "Tanh": "tanh", "Exp": "exp", "Log": "log",
    "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Neg": "neg", "Abs": "abs", "Erf": "erf",
    "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign", "Sin": "sin",
    "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh",
    "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
    "BitwiseNot": "not",
}  # fmt: skip
_COMPARISONS = {
    "Greater": "greater", "GreaterOrEqual": "greater", "Less": "less", "LessOrEqual": "less",
    "Equal": "equal", "And": "and", "Or": "or", "Xor": "xor",
}  # fmt: skip
_BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Mod": "mod",
    "BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor",
}  # fmt: skip

ELEMENTWISE: Mapping[str, Translate] = {
    **{name: unary(op) for name, op in _ACTIVATIONS.items()},
    **{name: _to_bool(op) for name, op in (("Not", "not"), ("IsNaN", "isnan"), ("IsInf", "isinf"))},
    **{name: binary(op) for name, op in _BINARY.items()},
    **{name: binary(op, "bool") for name, op in _COMPARISONS.items()},
    **{
        name: _chain(op)
        for name, op in (("Sum", "add"), ("Mean", "mean"), ("Max", "maximum"), ("Min", "minimum"))
    },
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "ThresholdedRelu": _thresholded_relu,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Gelu": _gelu,
    "Swish": _swish,
    "Where": _where,
}
