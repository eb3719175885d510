"""How each ATen operator is said in latprof's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from latprof.frontends.aten_calls import AtenCall, Translator
from latprof.frontends.aten_movements import MOVEMENTS, Translate, axis_of, shape_of


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _both_sides(pads: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((pad, pad) for pad in pads)


def _emit_first(
    t: Translator, call: AtenCall, op: str, operands: Sequence[Any], **settings: Any
) -> None:
    """`op` gives the first output; the rest (indices, saved statistics) are not costed.

    They are nodes of an unknown operator, and fall out of the graph if nobody reads them.
    """
    t.emit(replace(call, outputs=call.outputs[:1]), op, operands, **settings)
    for extra in call.outputs[1:]:
        t.emit(replace(call, outputs=(extra,)), f"aten.{call.operator}", operands[:1])


def _conv(t: Translator, call: AtenCall) -> None:
    x, weight = call.arguments["input"], call.arguments["weight"]
    spatial = len(t.tensor(weight).shape) - 2
    kernel = t.tensor(weight).shape[2:]
    stride = _per_axis(call.get("stride", 1), spatial)
    dilation = _per_axis(call.get("dilation", 1), spatial)
    pads: tuple[tuple[int, int], ...]
    asked = call.get("padding", 0)
    if asked == "same":  # the odd pixel goes behind, as in nn.Conv2d(padding="same")
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads = tuple((r // 2, r - r // 2) for r in reach)
    elif asked == "valid":
        pads = ((0, 0),) * spatial
    else:
        pads = _both_sides(_per_axis(asked, spatial))
    operands = [x, weight, call.get("bias")]
    settings: dict[str, Any] = {
        "stride": stride,
        "padding": pads,
        "dilation": dilation,
        "groups": call.get("groups", 1),
    }
    if call.get("transposed", False) or call.operator.startswith("conv_transpose"):
        settings["output_padding"] = _per_axis(call.get("output_padding", 0), spatial)
        t.emit(call, "conv_transpose", operands, **settings)
    else:
        t.emit(call, "conv", operands, **settings)


def _linear(t: Translator, call: AtenCall) -> None:
    t.emit(call, "linear", [call.arguments["input"], call.arguments["weight"], call.get("bias")])


def _product(t: Translator, call: AtenCall) -> None:
    """mm, bmm, matmul, addmm: a linear layer when the right side is a transposed weight."""
    left = call.get("mat1", call.get("self"))
    right = call.get("mat2", call.get("other"))
    bias = call.get("self") if call.operator in ("addmm", "baddbmm") else None
    left = call.get("batch1", left)
    right = call.get("batch2", right)
    weight = t.untransposed(right)
    if weight is not None:
        t.emit(call, "linear", [left, weight, bias])
    elif bias is None:
        t.emit(call, "matmul", [left, right])
    else:
        t.emit(call, "matmul", [left, right, bias])


def _batch_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    operands += [call.get("running_mean"), call.get("running_var")]
    _emit_first(t, call, "batch_norm", operands, eps=call.get("eps", 1e-5))


def _layer_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    axes = len(call.arguments["normalized_shape"])
    _emit_first(t, call, "layer_norm", operands, axes=axes, eps=call.get("eps", 1e-5))


def _group_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    t.emit(
        call, "group_norm", operands, groups=call.arguments["num_groups"], eps=call.get("eps", 1e-5)
    )


def _attention(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments[key] for key in ("query", "key", "value")]
    operands.append(call.get("attn_mask"))
    _emit_first(t, call, "attention", operands, causal=call.get("is_causal", False))


def _unary(op: str, **attributes: Any) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        t.emit(call, op, [call.get("self", call.get("input"))], **attributes)

    return translate


def _clip(t: Translator, call: AtenCall) -> None:
    low = call.get("min_val", call.get("min", -1.0 if call.operator == "hardtanh" else None))
    high = call.get("max_val", call.get("max", 1.0 if call.operator == "hardtanh" else None))
    operand = [call.arguments["self"]]
    if (low, high) == (0, 6):
        t.emit(call, "relu6", operand)
    elif low == 0 and high is None:
        t.emit(call, "relu", operand)
    else:
        bounds = {k: v for k, v in (("low", low), ("high", high)) if v is not None}
        t.emit(call, "clip", operand, **bounds)


def _leaky_relu(t: Translator, call: AtenCall) -> None:
    slope = call.get("negative_slope", 0.01)
    t.emit(call, "leaky_relu", [call.arguments["self"]], slope=slope)


def _gelu(t: Translator, call: AtenCall) -> None:
    t.emit(call, "gelu", [call.arguments["self"]], approximate=call.get("approximate", "none"))


def _binary(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        t.emit(call, op, [call.get("self"), call.get("other", call.get("exponent"))])

    return translate


def _reversed_sub(t: Translator, call: AtenCall) -> None:
    t.emit(call, "sub", [call.arguments["other"], call.arguments["self"]])


def _where(t: Translator, call: AtenCall) -> None:
    t.emit(call, "where", [call.arguments[key] for key in ("condition", "self", "other")])


def _masked_fill(t: Translator, call: AtenCall) -> None:
    t.emit(call, "where", [call.arguments[key] for key in ("mask", "value", "self")])


def _instance_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    t.emit(call, "instance_norm", operands, eps=call.get("eps", 1e-5))


def _rms_norm(t: Translator, call: AtenCall) -> None:
    axes = len(call.arguments["normalized_shape"])
    operands = [call.arguments["input"], call.get("weight")]
    _emit_first(t, call, "rms_norm", operands, axes=axes, eps=call.get("eps", 1e-5))


def _extreme(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        if "other" in call.arguments:
            t.emit(call, f"{op}imum", [call.arguments["self"], call.arguments["other"]])
            return
        _reduce(op)(t, replace(call, outputs=call.outputs[:1]))
        if call.outputs[1:]:  # falls out of the graph if nobody reads the indices
            _reduce(f"arg{op}")(t, replace(call, outputs=call.outputs[1:]))

    return translate


def _pool(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        kernel_given = call.arguments["kernel_size"]
        axes = int(call.operator[-2]) if call.operator[-1] == "d" else len(kernel_given)
        kernel = _per_axis(kernel_given, axes)
        settings: dict[str, Any] = {
            "kernel": kernel,
            "stride": _per_axis(call.get("stride") or kernel, axes),
            "padding": _both_sides(_per_axis(call.get("padding", 0), axes)),
            "ceil_mode": call.get("ceil_mode", False),
        }
        if op == "max_pool":
            settings["dilation"] = _per_axis(call.get("dilation", 1), axes)
        else:
            settings["count_padding"] = call.get("count_include_pad", True)
        _emit_first(t, call, op, [call.arguments["self"]], **settings)

    return translate


def _adaptive(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axes = int(call.operator.removesuffix("_with_indices")[-2])
        size = _per_axis(call.arguments["output_size"], axes)
        _emit_first(t, call, op, [call.arguments["self"]], output_size=size)

    return translate


def _reduce(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        rank = len(shape_of(t, call))
        asked = call.get("dim", tuple(range(rank)))
        axes = (asked,) if isinstance(asked, int) else tuple(asked)
        axes = axes or tuple(range(rank))
        _emit_first(
            t,
            call,
            op,
            [call.arguments["self"]],
            axes=tuple(sorted(axis_of(axis, rank) for axis in axes)),
            keepdims=call.get("keepdim", False),
        )

    return translate


def _softmax(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axis = axis_of(call.arguments["dim"], len(shape_of(t, call)))
        t.emit(call, op, [call.arguments["self"]], axis=axis)

    return translate


def _embedding(t: Translator, call: AtenCall) -> None:
    t.emit(call, "embedding", [call.arguments["weight"], call.arguments["indices"]])


def _square(t: Translator, call: AtenCall) -> None:
    t.emit(call, "mul", [call.arguments["self"], call.arguments["self"]])


_POOLS = {
    f"{kind}_pool{n}d{suffix}": _pool(f"{kind}_pool")
    for kind in ("max", "avg")
    for n in (1, 2, 3)
    for suffix in ("", "_with_indices")
}
_ADAPTIVE = {
    f"{prefix}adaptive_{kind}_pool{n}d": _adaptive(f"adaptive_{kind}_pool")
    for prefix in ("", "_")
    for kind in ("avg", "max")
    for n in (1, 2, 3)
}

TRANSLATIONS: dict[str, Translate] = {
    **MOVEMENTS,
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv3d", "convolution", "_convolution", "_convolution_mode",
         "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        _conv,
    ),
    "linear": _linear,
    **dict.fromkeys(("mm", "bmm", "matmul", "addmm", "baddbmm"), _product),
    **dict.fromkeys(
        ("batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training",
         "_native_batch_norm_legit", "cudnn_batch_norm"),
        _batch_norm,
    ),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    **dict.fromkeys(("rms_norm", "_fused_rms_norm"), _rms_norm),
    "scaled_dot_product_attention": _attention,
    "relu": _unary("relu"),
    "relu6": _unary("relu6"),
    **dict.fromkeys(("hardtanh", "clamp", "clamp_min", "clip"), _clip),
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "hardswish": _unary("hard_swish"),
    "hardsigmoid": _unary("hard_sigmoid"),
    **{
        name: _unary(name)
        for name in (
            "sigmoid", "silu", "elu", "mish", "softplus", "tanh", "exp", "log", "sqrt", "rsqrt",
            "reciprocal", "neg", "abs", "erf", "floor", "round", "sin", "cos",
        )
    },
    "prelu": lambda t, c: t.emit(c, "prelu", [c.arguments["self"], c.arguments["weight"]]),
    **{name: _binary(name) for name in ("add", "sub", "mul", "div", "pow", "minimum", "maximum")},
    "rsub": _reversed_sub,
    "remainder": _binary("mod"),
    **dict.fromkeys(("gt", "ge"), _binary("greater")),
    **dict.fromkeys(("lt", "le"), _binary("less")),
    **dict.fromkeys(("eq", "ne"), _binary("equal")),
    **dict.fromkeys(("logical_not", "bitwise_not"), _unary("not")),
    "where": _where,
    "masked_fill": _masked_fill,
    "square": _square,
    **_POOLS,
    **_ADAPTIVE,
    **{name: _reduce(name) for name in ("mean", "sum", "argmax", "argmin", "prod", "var")},
    **{f"a{kind}": _reduce(kind) for kind in ("max", "min")},
    **{kind: _extreme(kind) for kind in ("max", "min")},
    **dict.fromkeys(("softmax", "_softmax"), _softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("log_softmax")),
    "embedding": _embedding,
}  # fmt: skip
