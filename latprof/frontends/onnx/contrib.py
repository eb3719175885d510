"""ONNX Runtime's fused operators (com.microsoft), which its own optimiser writes into files.

A fused layer is read as its parts; an operator that is missing here stays under its own name.

References
----------
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.elementwise import emit_clip, unary
from latprof.frontends.onnx.layers import emit_attention, split_heads
from latprof.frontends.onnx.operators import (
    OPERATORS,
    emit_conv,
    emit_gemm,
    emit_product,
)
from latprof.frontends.onnx.quantized import QUANTIZED
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value

_ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "LeakyRelu": "leaky_relu",
    "HardSigmoid": "hard_sigmoid", "HardSwish": "hard_swish", "Gelu": "gelu", "Elu": "elu",
    "Softplus": "softplus",
}  # fmt: skip


def _fused_conv(t: Translator, call: OnnxCall) -> None:
    """A convolution, perhaps a sum, perhaps an activation."""
    activation, residual = call.text("activation"), call.get(3)
    more = bool(activation or residual is not None)
    found = emit_conv(t, call, call.input(0), call.input(1), call.get(2),
                      inner="/conv" if more else "")  # fmt: skip
    if residual is not None:
        found = t.emit(call, "add", [found, residual], inner="/sum" if activation else "")
    if activation:
        _activate(t, call, found, activation, call.reals("activation_params"))


def _activate(
    t: Translator, call: OnnxCall, x: Value, activation: str, settings: tuple[float, ...] = ()
) -> None:
    if activation == "Clip":
        low, high = (*settings, None, None)[:2]
        emit_clip(t, call, x, low, high)
    elif activation in _ACTIVATIONS:
        slope: dict[str, Any] = (
            {"slope": settings[0] if settings else 0.01} if activation == "LeakyRelu" else {}
        )
        t.emit(call, _ACTIVATIONS[activation], [x], **slope)
    else:
        t.emit(call, f"onnx.{activation}", [x], shapes=[x.shape])


def _fused_gemm(t: Translator, call: OnnxCall) -> None:
    plain = OPERATORS["Gemm"]
    activation = call.text("activation")
    if not activation:
        plain(t, call)
        return
    name = f"{call.outputs[0]}/product"
    before = OnnxCall("Gemm", f"{call.name}/product", call.inputs, (name,), call.attributes,
                      call.opset, call.module)  # fmt: skip
    found = emit_gemm(t, before, call.input(0), call.input(1), call.get(2))
    _activate(t, call, found, activation, (call.real("activation_alpha", 0.01),))


def _fused_matmul(t: Translator, call: OnnxCall) -> None:
    operands = []
    for index, setting in enumerate(("transA", "transB")):
        value = call.input(index)
        if call.whole(setting):
            order = (*range(value.rank - 2), value.rank - 1, value.rank - 2)
            if value.stored and value.rank == 2:
                value = t.turned(value)
            else:
                value = t.emit(call, "transpose", [value], inner=f"/{index}", order=order)
        operands.append(value)
    emit_product(t, call, *operands)


def _quick_gelu(t: Translator, call: OnnxCall) -> None:
    """``x · sigmoid(alpha · x)``: what silu costs, which it is for an alpha of 1."""
    x, alpha = call.input(0), call.real("alpha", 1.702)
    if alpha == 1.0:
        t.emit(call, "silu", [x])
        return
    scale = t.number(alpha, x, f"{call.name}/alpha")
    scaled = t.emit(call, "mul", [x, scale], inner="/scaled")
    gate = t.emit(call, "sigmoid", [scaled], inner="/gate")
    t.emit(call, "mul", [x, gate])


def _bias_gelu(t: Translator, call: OnnxCall) -> None:
    x, bias = call.input(0), call.get(1)
    if bias is not None:
        x = t.emit(call, "add", [x, bias], inner="/sum")
    approximate = "tanh" if call.op.endswith("FastGelu") else "none"
    t.emit(call, "gelu", [x], approximate=approximate)


def _skip_norm(op: str) -> Translate:
    """A sum of input, skip and perhaps a bias; then a norm. The sum may be wanted too."""

    def translate(t: Translator, call: OnnxCall) -> None:
        simplified = op == "rms_norm"
        weights = call.inputs[2:3] if simplified else call.inputs[2:4]
        bias = call.get(3 if simplified else 4)
        total = t.emit(call, "add", [call.input(0), call.input(1)], inner="/sum")
        if bias is not None:
            total = t.emit(call, "add", [total, bias], inner="/shifted")
        eps = call.real("epsilon", 1e-5)
        t.emit(call, op, [total, *weights], axes=1, eps=eps)
        if len(call.outputs) > 3 and call.outputs[3]:
            t.define(call.outputs[3], total)

    return translate


def _group_norm(t: Translator, call: OnnxCall) -> None:
    """A norm, then perhaps a swish; with the channels last it stays under its own name."""
    if call.whole("channels_last", 1):
        unknown(t, call)
        return
    swish = bool(call.whole("activation"))
    found = t.emit(
        call, "group_norm", call.inputs[:3], inner="/norm" if swish else "",
        groups=call.whole("groups", 1), eps=call.real("epsilon", 1e-5),
    )  # fmt: skip
    if swish:
        t.emit(call, "silu", [found])


def _attention(t: Translator, call: OnnxCall) -> None:
    """One linear layer for queries, keys and values; then attention; a cache is not read."""
    if call.get(4) is not None or call.wholes("qkv_hidden_sizes"):
        unknown(t, call)
        return
    x, heads = call.input(0), call.whole("num_heads")
    weight, bias = call.input(1), call.get(2)
    operands = [x, t.turned(weight), bias] if weight.stored else [x, weight, bias]
    op = "linear" if weight.stored else "matmul"
    all_three = t.emit(call, op, operands, inner="/qkv")
    batch, rows, features = all_three.shape
    if heads <= 0 or features % (3 * heads):
        raise ShapeMismatch(f"node {call.name!r}: {features} features do not make {heads} heads.")
    shape = (batch, rows, 3, heads, features // (3 * heads))
    apart = t.emit(call, "reshape", [all_three], inner="/apart", shape=shape)
    turned = t.emit(call, "transpose", [apart], inner="/heads", order=(2, 0, 3, 1, 4))
    query, key, value = t.emit_all(call, "unbind", [turned], inner="/part", outputs=3, axis=0)
    emit_attention(t, call, query, key, value, None, merge=True,
                   causal=bool(call.whole("unidirectional")))  # fmt: skip


def _multi_head_attention(t: Translator, call: OnnxCall) -> None:
    key, value = call.get(1), call.get(2)
    if key is None or value is None or call.get(6) is not None or key.rank == 5:
        unknown(t, call)
        return
    heads = call.whole("num_heads")
    parts = [("query", call.input(0)), ("key", key), ("value", value)]
    query, key, value = (split_heads(t, call, part, heads, name) for name, part in parts)
    causal = bool(call.whole("unidirectional"))
    emit_attention(t, call, query, key, value, None, merge=True, causal=causal)


def unknown(t: Translator, call: OnnxCall) -> None:
    """An operator we have no word for, under its own name.

    Its outputs are shaped as the file says; where it says nothing, as its first input.
    """
    name = call.op if "." in call.op else f"onnx.{call.op}"
    first = next((value for value in call.inputs if value is not None and not value.stored), None)
    shapes, dtypes = [], []
    for output in call.outputs:
        shape, dtype = t.declared.get(output, (None, ""))
        if shape is None:
            t.assume(f"what {name} gives is assumed to be shaped like what it takes", call.name)
            shape = () if first is None else first.shape
        elif t.reshaped:
            t.assume(f"what {name} gives is shaped as the file says, for other inputs", call.name)
        shapes.append(shape)
        dtypes.append(dtype or ("float32" if first is None else first.dtype))
    t.emit(call, name, call.inputs, shapes=shapes, dtype=dtypes, outputs=len(shapes))


CONTRIB: Mapping[str, Translate] = {
    "FusedConv": _fused_conv,
    "FusedGemm": _fused_gemm,
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul"), _fused_matmul),
    **dict.fromkeys(("Gelu", "FastGelu", "BiasGelu"), _bias_gelu),
    "QuickGelu": _quick_gelu,
    "SkipLayerNormalization": _skip_norm("layer_norm"),
    "SkipSimplifiedLayerNormalization": _skip_norm("rms_norm"),
    "GroupNorm": _group_norm,
    "Attention": _attention,
    "MultiHeadAttention": _multi_head_attention,
    "Swish": unary("silu"),
    # Operators that mean what ONNX's own of that name mean.
    **{name: OPERATORS[name] for name in (
        "LayerNormalization", "SimplifiedLayerNormalization", "Trilu", "GridSample", "Unique",
        "Pad",
    )},
}  # fmt: skip

TRANSLATIONS: Mapping[str, Translate] = {
    **OPERATORS,
    **QUANTIZED,
    **{f"com.microsoft.{name}": translate for name, translate in CONTRIB.items()},
}
