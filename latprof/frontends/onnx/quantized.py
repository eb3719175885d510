"""Quantised ONNX models: QDQ (QuantizeLinear, DequantizeLinear) and QOperator (QLinearConv, ...).

A weight that is stored as int8 stays int8: its DequantizeLinear is no node. Scales and zero points
are constants of the graph, whoever takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.movements import axis_of
from latprof.frontends.onnx.operators import emit_conv, emit_gemm, emit_pool, emit_product
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value, dtype_of


def _quantize(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    zero = call.get(2)
    dtype = "uint8" if zero is None else zero.dtype
    if call.has("output_dtype") and zero is None:
        dtype = dtype_of(call.whole("output_dtype"), call.name)
    if x.stored:  # a float weight that is quantised while loading
        name = call.outputs[0]
        value = Value(x.name, x.shape, dtype, stored=True, trained=x.trained)
        value.name = t.free_name(name)
        t.define(name, value)
    else:
        operands = [x, call.get(1), zero]
        t.emit(call, "quantize", operands, shapes=[x.shape], dtype=dtype)


def _dequantize(t: Translator, call: OnnxCall) -> None:
    x, scale = call.input(0), call.get(1)
    dtype = "float32" if scale is None else scale.dtype
    if x.stored:
        _note(t, call.inputs[1:])
        t.define(call.outputs[0], as_real(t, x, dtype))
    else:
        operands = [x, scale, call.get(2)]
        t.emit(call, "dequantize", operands, shapes=[x.shape], dtype=dtype)


def as_real(t: Translator, x: Value, dtype: str = "float32") -> Value:
    """A stored integer tensor that stands for real numbers."""
    trained = x.elements > 1
    return Value(x.name, x.shape, dtype, stored=True, kept_as=x.kept_as, trained=trained)


def _note(t: Translator, values: Iterable[Value | None]) -> None:
    for value in values:
        t.note_stored(value)


def _dynamic_quantize(t: Translator, call: OnnxCall) -> None:
    """The scale is found from the values: their least and largest, then as ever."""
    x = call.input(0)
    axes = tuple(range(x.rank))
    least, most = (
        t.emit(call, op, [x], inner=f"/{op}", axes=axes, keepdims=False) for op in ("min", "max")
    )
    spread = t.emit(call, "sub", [most, least], inner="/range")
    steps = t.number(255, x, f"{call.name}/steps")
    scale = t.emit(call, "div", [spread, steps], inner="/scale")
    t.emit(call, "quantize", [x, scale], shapes=[x.shape], dtype="uint8")
    scale_name, zero_name = (*call.outputs[1:], "", "")[:2]
    if scale_name:
        t.define(scale_name, scale)
    if zero_name:
        t.define(zero_name, t.emit(call, "cast", [scale], inner="/zero", dtype="uint8"))


def _qlinear_conv(t: Translator, call: OnnxCall) -> None:
    _note(t, (call.get(index) for index in (1, 2, 4, 5, 6, 7)))
    dtype = call.input(7).dtype
    emit_conv(t, call, call.input(0), call.input(3), call.get(8), dtype=dtype)


def _conv_integer(t: Translator, call: OnnxCall) -> None:
    _note(t, call.inputs[2:4])
    emit_conv(t, call, call.input(0), call.input(1), None, dtype="int32")


def _qlinear_matmul(t: Translator, call: OnnxCall) -> None:
    _note(t, (call.get(index) for index in (1, 2, 4, 5, 6, 7)))
    emit_product(t, call, call.input(0), call.input(3), dtype=call.input(7).dtype)


def _matmul_integer(t: Translator, call: OnnxCall) -> None:
    _note(t, call.inputs[2:4])
    emit_product(t, call, call.input(0), call.input(1), dtype="int32")


def _qgemm(t: Translator, call: OnnxCall) -> None:
    _note(t, (call.get(index) for index in (1, 2, 4, 5, 7, 8)))
    zero = call.get(8)
    dtype = "float32" if zero is None else zero.dtype
    emit_gemm(t, call, call.input(0), call.input(3), call.get(6), dtype=dtype)


def _matmul_integer_to_float(t: Translator, call: OnnxCall) -> None:
    """A, B, their scales and zero points, a bias; the result is float."""
    _note(t, call.inputs[2:6])
    emit_product(t, call, call.input(0), call.input(1), call.get(6), dtype="float32")


def _dynamic_quantize_matmul(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    _note(t, call.inputs[2:4])
    quantized = t.emit(call, "quantize", [x], inner="/quantized", shapes=[x.shape], dtype="uint8")
    emit_product(t, call, quantized, call.input(1), call.get(4), dtype="float32")


def _matmul_bits(t: Translator, call: OnnxCall) -> None:
    """MatMulNBits: a linear layer whose weight is packed, `bits` to a number."""
    x, packed = call.input(0), call.input(1)
    _note(t, call.inputs[2:5])
    shape = (call.whole("N"), call.whole("K"))
    kept = "int4" if call.whole("bits", 4) <= 4 else "uint8"
    weight = Value(packed.name, shape, x.dtype, stored=True, kept_as=kept, trained=True)
    t.emit(call, "linear", [x, weight, call.get(5)])


def _qlinear_binary(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        _note(t, (call.get(index) for index in (1, 2, 4, 5, 6, 7)))
        a, b = call.input(0), call.input(3)
        t.emit(call, op, [a, b], dtype=a.dtype)

    return translate


def _qlinear_unary(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        _note(t, call.inputs[1:5])
        x = call.input(0)
        t.emit(call, op, [x], shapes=[x.shape])

    return translate


def _qlinear_softmax(t: Translator, call: OnnxCall) -> None:
    _note(t, call.inputs[1:5])
    x = call.input(0)
    t.emit(call, "softmax", [x], axis=axis_of(call.whole("axis", -1), x.rank, call))


def _qlinear_pool(t: Translator, call: OnnxCall) -> None:
    _note(t, call.inputs[1:5])
    x = call.input(0)
    if call.whole("channels_last"):
        t.emit(call, call.op, [x], shapes=[x.shape])
    elif call.op.endswith("GlobalAveragePool"):
        t.emit(call, "adaptive_avg_pool", [x], output_size=(1,) * (x.rank - 2))
    else:
        emit_pool(t, call, "avg_pool", x)


def _qlinear_reduce_mean(t: Translator, call: OnnxCall) -> None:
    _note(t, call.inputs[1:5])
    x = call.input(0)
    axes = tuple(sorted({axis_of(a, x.rank, call) for a in call.wholes("axes") or range(x.rank)}))
    t.emit(call, "mean", [x], axes=axes, keepdims=bool(call.whole("keepdims", 1)))


def _qlinear_concat(t: Translator, call: OnnxCall) -> None:
    """The result's scale and zero point; then each operand with its own."""
    _note(t, call.inputs[:2])
    _note(t, call.inputs[3::3])
    _note(t, call.inputs[4::3])
    parts = [value for value in call.inputs[2::3] if value is not None]
    axis = axis_of(call.whole("axis"), parts[0].rank, call)
    t.emit(call, "concat", parts, axis=axis)


QUANTIZED: Mapping[str, Translate] = {
    **dict.fromkeys(("QuantizeLinear", "com.microsoft.QuantizeLinear"), _quantize),
    **dict.fromkeys(("DequantizeLinear", "com.microsoft.DequantizeLinear"), _dequantize),
    "DynamicQuantizeLinear": _dynamic_quantize,
    "QLinearConv": _qlinear_conv,
    "com.microsoft.QLinearConv": _qlinear_conv,
    "ConvInteger": _conv_integer,
    "QLinearMatMul": _qlinear_matmul,
    "MatMulInteger": _matmul_integer,
    "com.microsoft.MatMulIntegerToFloat": _matmul_integer_to_float,
    "com.microsoft.DynamicQuantizeMatMul": _dynamic_quantize_matmul,
    "com.microsoft.MatMulNBits": _matmul_bits,
    "com.microsoft.QGemm": _qgemm,
    "com.microsoft.QLinearAdd": _qlinear_binary("add"),
    "com.microsoft.QLinearMul": _qlinear_binary("mul"),
    "com.microsoft.QLinearSigmoid": _qlinear_unary("sigmoid"),
    "com.microsoft.QLinearLeakyRelu": _qlinear_unary("leaky_relu"),
    "com.microsoft.QLinearSoftmax": _qlinear_softmax,
    "com.microsoft.QLinearAveragePool": _qlinear_pool,
    "com.microsoft.QLinearGlobalAveragePool": _qlinear_pool,
    "com.microsoft.QLinearReduceMean": _qlinear_reduce_mean,
    "com.microsoft.QLinearConcat": _qlinear_concat,
}
