"""How each ONNX operator is said in latprof's words.

References
----------
https://onnx.ai/onnx/operators/: operators, their inputs and attributes by opset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.elementwise import ELEMENTWISE
from latprof.frontends.onnx.indexing import INDEXING
from latprof.frontends.onnx.layers import LAYERS
from latprof.frontends.onnx.movements import MOVEMENTS, axis_of, rename
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value
from latprof.graph import Shape

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
    flat = call.wholes("pads") if mode == "NOTSET" else ()
    flat = flat or (0,) * (2 * len(kernel))
    return tuple(zip(flat[: len(kernel)], flat[len(kernel) :], strict=True))


def emit_conv(t: Translator, call: OnnxCall, x: Value, weight: Value, bias: Value | None,
              *, dtype: str = "", inner: str = "") -> Value:  # fmt: skip
    """A convolution with the settings of `call`."""
    kernel = weight.shape[2:]
    ones = (1,) * len(kernel)
    stride, dilation = call.wholes("strides") or ones, call.wholes("dilations") or ones
    return t.emit(
        call,
        "conv",
        [x, weight, bias],
        inner=inner,
        dtype=dtype,
        stride=stride,
        padding=window_pads(call, x.shape, kernel, stride, dilation),
        dilation=dilation,
        groups=call.whole("group", 1),
    )


def _conv(t: Translator, call: OnnxCall) -> None:
    emit_conv(t, call, call.input(0), call.input(1), call.get(2))


def _conv_transpose(t: Translator, call: OnnxCall) -> None:
    x, weight = call.input(0), call.input(1)
    kernel = weight.shape[2:]
    ones, none = (1,) * len(kernel), (0,) * len(kernel)
    stride, dilation = call.wholes("strides") or ones, call.wholes("dilations") or ones
    extra = call.wholes("output_padding") or none
    pads = call.wholes("pads") or none * 2
    padding = tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    asked = call.wholes("output_shape")
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
        groups=call.whole("group", 1),
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
    if call.whole("transA"):
        a = t.emit(call, "transpose", [a], inner="/a", order=(1, 0))
    if call.whole("transB"):
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
    t.emit(call, "batch_norm", call.inputs[:5], eps=call.real("epsilon", 1e-5))


def _layer_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axes = x.rank - axis_of(call.whole("axis", -1), x.rank, call)
    t.emit(call, "layer_norm", call.inputs[:3], axes=axes, eps=call.real("epsilon", 1e-5))


def _rms_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axes = x.rank - axis_of(call.whole("axis", -1), x.rank, call)
    t.emit(call, "rms_norm", call.inputs[:2], axes=axes, eps=call.real("epsilon", 1e-5))


def _group_norm(t: Translator, call: OnnxCall) -> None:
    eps = call.real("epsilon", 1e-5)
    t.emit(call, "group_norm", call.inputs[:3], groups=call.whole("num_groups", 1), eps=eps)


def _instance_norm(t: Translator, call: OnnxCall) -> None:
    operands = call.inputs[:3]
    if _is_neutral(t, call.get(1), 1) and _is_neutral(t, call.get(2), 0):
        operands = call.inputs[:1]  # ONNX asks for a scale and a shift where there are none
    t.emit(call, "instance_norm", operands, eps=call.real("epsilon", 1e-5))


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
    t.emit(call, "local_response_norm", [x], shapes=[x.shape], size=call.whole("size", 1))


def _lp_norm(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    if call.whole("p", 2) != 2:
        t.emit(call, "onnx.LpNormalization", [x], shapes=[x.shape])
        return
    axes = (axis_of(call.whole("axis", -1), x.rank, call),)
    t.emit(call, "l2_norm", [x], shapes=[x.shape], axes=axes)


def _pool(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        emit_pool(t, call, op, call.input(0))

    return translate


def emit_pool(t: Translator, call: OnnxCall, op: str, x: Value, *, dtype: str = "") -> None:
    """A pool with the settings of `call`."""
    kernel = call.wholes("kernel_shape")
    if not kernel:
        raise ShapeMismatch(f"node {call.name!r} ({call.op}) lacks its kernel_shape.")
    ones = (1,) * len(kernel)
    stride, dilation = call.wholes("strides") or ones, call.wholes("dilations") or ones
    settings: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "padding": window_pads(call, x.shape, kernel, stride, dilation),
        "ceil_mode": bool(call.whole("ceil_mode")),
    }
    if op == "max_pool" or any(step != 1 for step in dilation):
        settings["dilation"] = dilation
    if op == "avg_pool":
        settings["count_padding"] = bool(call.whole("count_include_pad"))
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
        if not asked and call.whole("noop_with_empty_axes"):
            rename(t, call)
            return
        axes = tuple(sorted({axis_of(a, x.rank, call) for a in asked or range(x.rank)}))
        keep = bool(call.whole("keepdims", 1))
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
        axes = (axis_of(call.whole("axis"), x.rank, call),)
        t.emit(call, op, [x], dtype="int64", axes=axes, keepdims=bool(call.whole("keepdims", 1)))

    return translate


def _softmax(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x = call.input(0)
        default = -1 if call.opset >= 13 else 1
        t.emit(call, op, [x], axis=axis_of(call.whole("axis", default), x.rank, call))

    return translate


OPERATORS: Mapping[str, Callable[[Translator, OnnxCall], None]] = {
    **MOVEMENTS,
    **INDEXING,
    **LAYERS,
    **ELEMENTWISE,
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
