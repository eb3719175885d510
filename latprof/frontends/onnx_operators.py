"""How each ONNX operator is said in latprof's words.

References
----------
https://onnx.ai/onnx/operators/: operators, their inputs and attributes by opset.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.onnx_calls import OnnxCall
from latprof.frontends.onnx_layers import LAYERS
from latprof.frontends.onnx_movements import MOVEMENTS, axis_of, rename
from latprof.frontends.onnx_translator import Translate, Translator
from latprof.frontends.onnx_values import Value
from latprof.graph import Shape
from latprof.ops.broadcasting import broadcast

Pads = tuple[tuple[int, int], ...]


def window_pads(call: OnnxCall, x: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pads:
    """Padding before and after each spatial axis, which a file may leave to the operator."""
    mode = call.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for size, k, s, d in zip(x[2:], kernel, stride, dilation, strict=True):
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            small, large = total // 2, total - total // 2
            pads.append((small, large) if mode == "SAME_UPPER" else (large, small))
        return tuple(pads)
    flat = call.ints("pads") if mode == "NOTSET" else ()
    flat = flat or (0,) * (2 * len(kernel))
    return tuple(zip(flat[: len(kernel)], flat[len(kernel) :], strict=True))


def emit_conv(t: Translator, call: OnnxCall, x: Value, weight: Value, bias: Value | None,
              *, dtype: str = "", inner: str = "") -> Value:  # fmt: skip
    """A convolution with the settings of `call`."""
    kernel = weight.shape[2:]
    ones = (1,) * len(kernel)
    stride, dilation = call.ints("strides") or ones, call.ints("dilations") or ones
    return t.emit(
        call,
        "conv",
        [x, weight, bias],
        inner=inner,
        dtype=dtype,
        stride=stride,
        padding=window_pads(call, x.shape, kernel, stride, dilation),
        dilation=dilation,
        groups=call.int("group", 1),
    )


def _conv(t: Translator, call: OnnxCall) -> None:
    emit_conv(t, call, call.input(0), call.input(1), call.get(2))


def _conv_transpose(t: Translator, call: OnnxCall) -> None:
    x, weight = call.input(0), call.input(1)
    kernel = weight.shape[2:]
    ones, none = (1,) * len(kernel), (0,) * len(kernel)
    stride, dilation = call.ints("strides") or ones, call.ints("dilations") or ones
    extra = call.ints("output_padding") or none
    pads = call.ints("pads") or none * 2
    padding = tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    asked = call.ints("output_shape")
    same = call.text("auto_pad", "NOTSET").startswith("SAME")
    if asked or same:
        wanted = asked[-len(kernel) :] if asked else [
            size * s for size, s in zip(x.shape[2:], stride, strict=True)
        ]  # fmt: skip
        totals = [
            s * (size - 1) + e + (k - 1) * d + 1 - out
            for size, s, e, k, d, out in zip(
                x.shape[2:], stride, extra, kernel, dilation, wanted, strict=True
            )
        ]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    t.emit(
        call,
        "conv_transpose",
        [x, weight, call.get(2)],
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=call.int("group", 1),
        output_padding=extra,
    )


def emit_product(t: Translator, call: OnnxCall, a: Value, b: Value, bias: Value | None = None,
                 *, dtype: str = "", inner: str = "") -> Value:  # fmt: skip
    """``a · b``: a linear layer where `b` is a stored matrix."""
    if b.stored and b.rank == 2 and not a.stored and a.rank:
        return t.emit(call, "linear", [a, t.turned(b), bias], dtype=dtype, inner=inner)
    if min(a.rank, b.rank) == 1:
        return _vector_product(t, call, a, b, dtype=dtype)
    return t.emit(call, "matmul", [a, b, bias], dtype=dtype, inner=inner)


def _vector_product(t: Translator, call: OnnxCall, a: Value, b: Value, *, dtype: str) -> Value:
    """A product with a lone vector, as one with a matrix of one row or column."""
    shape: Shape = ()
    if a.rank == 1:
        a = t.emit(call, "reshape", [a], inner="/row", shape=(1, *a.shape))
    else:
        shape = a.shape[:-1]
    if b.rank == 1:
        b = t.emit(call, "reshape", [b], inner="/column", shape=(*b.shape, 1))
    else:
        shape = (*b.shape[:-2], b.shape[-1])
    product = t.emit(call, "matmul", [a, b], dtype=dtype, inner="/product")
    return t.emit(call, "reshape", [product], shape=shape)


def _matmul(t: Translator, call: OnnxCall) -> None:
    emit_product(t, call, call.input(0), call.input(1))


def _gemm(t: Translator, call: OnnxCall) -> None:
    # alpha and beta cost nothing: a product is scaled while it is written.
    emit_gemm(t, call, call.input(0), call.input(1), call.get(2))


def emit_gemm(t: Translator, call: OnnxCall, a: Value, b: Value, c: Value | None,
              *, dtype: str = "") -> Value:  # fmt: skip
    """``a · b + c`` with the transpositions of `call`."""
    if call.int("transA"):
        a = t.emit(call, "transpose", [a], inner="/a", order=(1, 0))
    if call.int("transB"):
        b = t.turned(b) if b.stored and b.rank == 2 else (
            t.emit(call, "transpose", [b], inner="/b", order=(1, 0))
        )  # fmt: skip
    columns = b.shape[-1]
    if c is None or (c.stored and c.elements == columns and c.shape[-1] == columns):
        return emit_product(t, call, a, b, _flat(t, call, c), dtype=dtype)
    product = emit_product(t, call, a, b, dtype=dtype, inner="/product")
    return t.emit(call, "add", [product, c], dtype=dtype)


def _flat(t: Translator, call: OnnxCall, bias: Value | None) -> Value | None:
    if bias is None or bias.rank == 1:
        return bias
    return t.emit(call, "reshape", [bias], inner="/bias", shape=(bias.elements,))


def _batch_norm(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "batch_norm", call.inputs[:5], eps=call.float("epsilon", 1e-5))


def _layer_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axes = x.rank - axis_of(call.int("axis", -1), x.rank, call)
    t.emit(call, "layer_norm", call.inputs[:3], axes=axes, eps=call.float("epsilon", 1e-5))


def _rms_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axes = x.rank - axis_of(call.int("axis", -1), x.rank, call)
    t.emit(call, "rms_norm", call.inputs[:2], axes=axes, eps=call.float("epsilon", 1e-5))


def _group_norm(t: Translator, call: OnnxCall) -> None:
    eps = call.float("epsilon", 1e-5)
    t.emit(call, "group_norm", call.inputs[:3], groups=call.int("num_groups", 1), eps=eps)


def _instance_norm(t: Translator, call: OnnxCall) -> None:
    operands = call.inputs[:3]
    if _is_neutral(t, call.get(1), 1) and _is_neutral(t, call.get(2), 0):
        operands = call.inputs[:1]  # ONNX asks for a scale and a shift where there are none
    t.emit(call, "instance_norm", operands, eps=call.float("epsilon", 1e-5))


def _is_neutral(t: Translator, value: Value | None, neutral: int) -> bool:
    """Whether nothing was learned here: an exporter's constant that changes nothing."""
    if value is None or value.trained:
        return False
    numbers = t.known(value)
    return numbers is not None and bool((numbers == neutral).all())


def _mean_variance_norm(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "instance_norm", call.inputs[:1], eps=1e-9)


def _local_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    t.emit(call, "local_response_norm", [x], shapes=[x.shape], size=call.int("size", 1))


def _lp_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    if call.int("p", 2) != 2:
        t.emit(call, "onnx.LpNormalization", [x], shapes=[x.shape])
        return
    axes = (axis_of(call.int("axis", -1), x.rank, call),)
    t.emit(call, "l2_norm", [x], shapes=[x.shape], axes=axes)


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
    bounds = {key: bound for key, bound in (("low", low), ("high", high)) if bound is not None}
    return t.emit(call, "clip", [x], inner=inner, **bounds)


def _clip(t: Translator, call: OnnxCall) -> None:
    bounds: list[float | None] = []
    for index, name in ((1, "min"), (2, "max")):
        numbers = t.known(call.get(index))
        if numbers is not None and numbers.size:
            bound: float | None = float(numbers.reshape(-1)[0])
        else:
            bound = call.float(name) if call.has(name) else None
        bounds.append(None if bound is None or abs(bound) > 1e38 else bound)
    if bounds == [None, None] and call.get(1) is None and call.get(2) is None:
        rename(t, call)
    else:
        emit_clip(t, call, call.input(0), *bounds)


def _hard_sigmoid(t: Translator, call: OnnxCall) -> None:
    slope, shift = call.float("alpha", 0.2), call.float("beta", 0.5)
    usual = abs(slope - 1 / 6) < 1e-3 and shift == 0.5
    t.emit(
        call, "hard_sigmoid", [call.input(0)], **({} if usual else {"slope": slope, "shift": shift})
    )


def _leaky_relu(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "leaky_relu", [call.input(0)], slope=call.float("alpha", 0.01))


def _prelu(t: Translator, call: OnnxCall) -> None:
    x, slope = call.input(0), call.input(1)
    if slope.stored and slope.rank > 1:  # (C, 1, 1), as exporters stretch it
        slope = t.emit(call, "reshape", [slope], inner="/slope", shape=(slope.elements,))
    t.emit(call, "prelu", [x, slope])


def _gelu(t: Translator, call: OnnxCall) -> None:
    t.emit(call, "gelu", [call.input(0)], approximate=call.text("approximate", "none"))


def _swish(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    if call.float("alpha", 1.0) == 1.0:
        t.emit(call, "silu", [x])
        return
    scale = t.number(call.float("alpha"), x, f"{call.name}/alpha")
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


def _pool(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        emit_pool(t, call, op, call.input(0))

    return translate


def emit_pool(t: Translator, call: OnnxCall, op: str, x: Value, *, dtype: str = "") -> None:
    """A pool with the settings of `call`."""
    kernel = call.ints("kernel_shape")
    if not kernel:
        raise ShapeMismatch(f"node {call.name!r} ({call.op}) lacks its kernel_shape.")
    ones = (1,) * len(kernel)
    stride, dilation = call.ints("strides") or ones, call.ints("dilations") or ones
    settings: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "padding": window_pads(call, x.shape, kernel, stride, dilation),
        "ceil_mode": bool(call.int("ceil_mode")),
    }
    if op == "max_pool" or any(step != 1 for step in dilation):
        settings["dilation"] = dilation
    if op == "avg_pool":
        settings["count_padding"] = bool(call.int("count_include_pad"))
    t.emit(call, op, [x], dtype=dtype, **settings)


def _global_pool(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        t.emit(call, op, [x], output_size=(1,) * (x.rank - 2))

    return translate


def _reduce(op: str, before: str = "", after: str = "") -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        asked = t.axes(call, 1)
        if not asked and call.int("noop_with_empty_axes"):
            rename(t, call)
            return
        axes = tuple(sorted({axis_of(a, x.rank, call) for a in asked or range(x.rank)}))
        keep = bool(call.int("keepdims", 1))
        shape = tuple(
            1 if axis in axes else size
            for axis, size in enumerate(x.shape)
            if keep or axis not in axes
        )
        if before:
            operands = [x, x] if before == "mul" else [x]
            x = t.emit(call, before, operands, inner=f"/{before}")
        inner = f"/{op}" if after else ""
        x = t.emit(call, op, [x], inner=inner, shapes=[shape], axes=axes, keepdims=keep)
        if after:
            t.emit(call, after, [x])

    return translate


def _arg_reduce(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        axes = (axis_of(call.int("axis"), x.rank, call),)
        t.emit(call, op, [x], dtype="int64", axes=axes, keepdims=bool(call.int("keepdims", 1)))

    return translate


def _softmax(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        default = -1 if call.opset >= 13 else 1
        t.emit(call, op, [x], axis=axis_of(call.int("axis", default), x.rank, call))

    return translate


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

OPERATORS: Mapping[str, Callable[[Translator, OnnxCall], None]] = {
    **MOVEMENTS,
    **LAYERS,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "SimplifiedLayerNormalization": _rms_norm,  # ONNX Runtime writes it without a domain
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "MeanVarianceNormalization": _mean_variance_norm,
    "LRN": _local_norm,
    "LpNormalization": _lp_norm,
    **{name: unary(op) for name, op in _ACTIVATIONS.items()},
    **{name: _to_bool(op) for name, op in (("Not", "not"), ("IsNaN", "isnan"), ("IsInf", "isinf"))},
    **{name: binary(op) for name, op in _BINARY.items()},
    **{name: binary(op, "bool") for name, op in _COMPARISONS.items()},
    **{name: _chain(op) for name, op in (("Sum", "add"), ("Mean", "mean"), ("Max", "maximum"),
                                         ("Min", "minimum"))},
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Gelu": _gelu,
    "Swish": _swish,
    "Where": _where,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "GlobalAveragePool": _global_pool("adaptive_avg_pool"),
    "GlobalMaxPool": _global_pool("adaptive_max_pool"),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "ReduceProd": _reduce("prod"),
    "ReduceL1": _reduce("sum", "abs"),
    "ReduceL2": _reduce("norm"),
    "ReduceSumSquare": _reduce("sum", "mul"),
    "ReduceLogSum": _reduce("sum", after="log"),
    "ReduceLogSumExp": _reduce("logsumexp"),
    "ArgMax": _arg_reduce("argmax"),
    "ArgMin": _arg_reduce("argmin"),
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
}  # fmt: skip
