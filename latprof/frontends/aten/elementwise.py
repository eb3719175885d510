"""How each ATen operator that treats every element alike is said in latprof's words."""

from __future__ import annotations

from latprof.frontends.aten.calls import AtenCall, Translate, Translator, axis_of, shape_of


def _unary(op: str, *settings: str) -> Translate:
    """`op` of the one operand, with those of the call's arguments that are named."""

    def translate(t: Translator, call: AtenCall) -> None:
        kept = {key: call.get(key) for key in settings if call.get(key) is not None}
        t.emit(call, op, [call.get("self", call.get("input"))], **kept)

    return translate


def _binary(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        # x + alpha·y
        scaled = {} if call.get("alpha", 1) == 1 else {"alpha": call.get("alpha")}
        t.emit(call, op, [call.get("self"), call.get("other", call.get("exponent"))], **scaled)

    return translate


def _div(t: Translator, call: AtenCall) -> None:
    op = "floor_div" if call.get("rounding_mode") == "floor" else "div"
    rounding = {"rounding": "trunc"} if call.get("rounding_mode") == "trunc" else {}
    t.emit(call, op, [call.get("self"), call.get("other")], **rounding)


def _reversed_sub(t: Translator, call: AtenCall) -> None:
    scaled = {} if call.get("alpha", 1) == 1 else {"alpha": call.get("alpha")}
    t.emit(call, "sub", [call.arguments["other"], call.arguments["self"]], **scaled)


def _clip(t: Translator, call: AtenCall) -> None:
    low = call.get("min_val", call.get("min", -1.0 if call.operator == "hardtanh" else None))
    high = call.get("max_val", call.get("max", 1.0 if call.operator == "hardtanh" else None))
    operand = [call.arguments["self"]]
    if "Tensor" in call.target:  # bounds of the elements' own
        _clip_by_tensors(t, call)
    elif (low, high) == (0, 6):
        t.emit(call, "relu6", operand)
    elif low == 0 and high is None:
        t.emit(call, "relu", operand)
    else:
        bounds = {k: v for k, v in (("low", low), ("high", high)) if v is not None}
        t.emit(call, "clip", operand, **bounds)


def _clip_by_tensors(t: Translator, call: AtenCall) -> None:
    low, high = call.get("min"), call.get("max")
    operand = call.arguments["self"]
    if low is None:
        t.emit(call, "minimum", [operand, high])
    elif high is None:
        t.emit(call, "maximum", [operand, low])
    else:
        t.emit(call, "clip", [operand, low, high])


def _leaky_relu(t: Translator, call: AtenCall) -> None:
    slope = call.get("negative_slope", 0.01)
    t.emit(call, "leaky_relu", [call.arguments["self"]], slope=slope)


def _rrelu(t: Translator, call: AtenCall) -> None:
    """At inference, a leaky ReLU with the mean of its slopes."""
    slope = (call.get("lower", 1 / 8) + call.get("upper", 1 / 3)) / 2
    t.emit(call, "leaky_relu", [call.arguments["self"]], slope=slope)


def _gelu(t: Translator, call: AtenCall) -> None:
    t.emit(call, "gelu", [call.arguments["self"]], approximate=call.get("approximate", "none"))


def _glu(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", -1), len(shape_of(t, call)))
    t.emit(call, "glu", [call.arguments["self"]], axis=axis)


def _where(t: Translator, call: AtenCall) -> None:
    if "self" in call.arguments:
        t.emit(call, "where", [call.arguments[key] for key in ("condition", "self", "other")])
    else:  # of the condition alone: the indices of what is true, an axis each
        for output in call.outputs:
            parts = AtenCall(call.target, call.arguments, (output,), call.module)
            t.emit(parts, "aten.where", [call.arguments["condition"]])


def _masked_fill(t: Translator, call: AtenCall) -> None:
    t.emit(call, "where", [call.arguments[key] for key in ("mask", "value", "self")])


def _square(t: Translator, call: AtenCall) -> None:
    t.emit(call, "mul", [call.arguments["self"], call.arguments["self"]])


def _ternary(t: Translator, call: AtenCall) -> None:
    """addcmul, addcdiv: x + value · (a with b)."""
    operands = [call.arguments[key] for key in ("self", "tensor1", "tensor2")]
    t.emit(call, call.operator, operands, value=call.get("value", 1))


def _lerp(t: Translator, call: AtenCall) -> None:
    t.emit(call, "lerp", [call.arguments[key] for key in ("self", "end", "weight")])


def _prelu(t: Translator, call: AtenCall) -> None:
    t.emit(call, "prelu", [call.arguments["self"], call.arguments["weight"]])


_SAME_NAME = (
    "relu", "relu6", "sigmoid", "silu", "mish", "tanh", "selu", "exp", "exp2", "expm1", "log",
    "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "neg", "abs", "erf", "erfc", "floor",
    "ceil", "round", "trunc", "frac", "sign", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "asinh", "acosh", "atanh", "isnan", "isinf", "isfinite", "nan_to_num", "erfinv",
    "logit",
)  # fmt: skip
_OTHER_NAME = {
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "log_sigmoid": "log_sigmoid",
    "log_sigmoid_forward": "log_sigmoid",
    "special_erf": "erf",
    "special_expit": "sigmoid",
    "sgn": "sign",
    "absolute": "abs",
    "negative": "neg",
    "fix": "trunc",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "logical_not": "not",
    "bitwise_not": "not",
}
_WITH_SETTINGS = {
    "elu": ("elu", "alpha", "scale", "input_scale"),
    "celu": ("celu", "alpha"),
    "softplus": ("softplus", "beta", "threshold"),
    "threshold": ("threshold", "threshold", "value"),
    "hardshrink": ("hard_shrink", "lambd"),
    "softshrink": ("soft_shrink", "lambd"),
}
_TWO_OPERANDS = {
    **{name: name for name in ("add", "sub", "mul", "pow", "minimum", "maximum", "atan2")},
    "float_power": "pow",
    **dict.fromkeys(("multiply",), "mul"),
    "subtract": "sub",
    "fmin": "minimum",
    "fmax": "maximum",
    "arctan2": "atan2",
    **dict.fromkeys(("remainder", "fmod"), "mod"),
    **dict.fromkeys(("floor_divide",), "floor_div"),
    **dict.fromkeys(("gt", "ge", "greater", "greater_equal"), "greater"),
    **dict.fromkeys(("lt", "le", "less", "less_equal"), "less"),
    **dict.fromkeys(("eq", "ne", "not_equal"), "equal"),
    **dict.fromkeys(("logical_and", "bitwise_and", "__and__"), "and"),
    **dict.fromkeys(("logical_or", "bitwise_or", "__or__"), "or"),
    **dict.fromkeys(("logical_xor", "bitwise_xor", "__xor__"), "xor"),
}

ELEMENTWISE: dict[str, Translate] = {
    **{name: _unary(name) for name in _SAME_NAME},
    **{name: _unary(op) for name, op in _OTHER_NAME.items()},
    **{name: _unary(op, *settings) for name, (op, *settings) in _WITH_SETTINGS.items()},
    **{name: _binary(op) for name, op in _TWO_OPERANDS.items()},
    **dict.fromkeys(("div", "divide", "true_divide"), _div),
    "rsub": _reversed_sub,
    **dict.fromkeys(("hardtanh", "clamp", "clamp_min", "clamp_max", "clip"), _clip),
    "leaky_relu": _leaky_relu,
    "rrelu": _rrelu,
    "gelu": _gelu,
    "glu": _glu,
    **dict.fromkeys(("prelu", "_prelu_kernel"), _prelu),
    "where": _where,
    "masked_fill": _masked_fill,
    "square": _square,
    **dict.fromkeys(("addcmul", "addcdiv"), _ternary),
    "lerp": _lerp,
}
