"""How each ATen operator is said in latprof's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from latprof.frontends.aten_calls import AtenCall, Translator
from latprof.graph import Shape

Translate = Callable[[Translator, AtenCall], None]


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _both_sides(pads: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((pad, pad) for pad in pads)


def _axis(axis: int, rank: int) -> int:
    return axis % rank if rank else 0


def _shape(t: Translator, call: AtenCall, key: str = "self") -> Shape:
    return t.tensor(call.arguments[key]).shape


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
    t.emit(
        call, "linear", [call.arguments["input"], call.arguments["weight"], call.get("bias")]
    )


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


def _transpose(t: Translator, call: AtenCall) -> None:
    rank = len(_shape(t, call))
    if call.operator == "permute":
        order = tuple(_axis(axis, rank) for axis in call.arguments["dims"])
    else:
        axes = list(range(rank))
        a, b = _axis(call.get("dim0", 0), rank), _axis(call.get("dim1", -1), rank)
        axes[a], axes[b] = axes[b], axes[a]
        order = tuple(axes)
    source = call.arguments["self"]
    if order == (1, 0) and t.is_weight(source):
        t.note_transposed_weight(call)
    else:
        t.emit(call, "transpose", [source], order=order)


def _batch_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    operands += [call.get("running_mean"), call.get("running_var")]
    # The native forms also give the saved statistics; at inference nobody reads them.
    first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
    t.emit(first, "batch_norm", operands, eps=call.get("eps", 1e-5))


def _layer_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    axes = len(call.arguments["normalized_shape"])
    first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
    t.emit(first, "layer_norm", operands, axes=axes, eps=call.get("eps", 1e-5))


def _group_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    t.emit(
        call, "group_norm", operands, groups=call.arguments["num_groups"], eps=call.get("eps", 1e-5)
    )


def _attention(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments[key] for key in ("query", "key", "value")]
    first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
    t.emit(
        first, "attention", [*operands, call.get("attn_mask")], causal=call.get("is_causal", False)
    )


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
        first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
        t.emit(first, op, [call.arguments["self"]], **settings)

    return translate


def _adaptive(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axes = int(call.operator.removesuffix("_with_indices")[-2])
        size = _per_axis(call.arguments["output_size"], axes)
        first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
        t.emit(first, op, [call.arguments["self"]], output_size=size)

    return translate


def _reduce(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        rank = len(_shape(t, call))
        asked = call.get("dim", tuple(range(rank)))
        axes = (asked,) if isinstance(asked, int) else tuple(asked)
        axes = axes or tuple(range(rank))
        first = AtenCall(call.target, call.arguments, call.outputs[:1], call.module)
        t.emit(
            first,
            op,
            [call.arguments["self"]],
            axes=tuple(sorted(_axis(axis, rank) for axis in axes)),
            keepdims=call.get("keepdim", False),
        )

    return translate


def _softmax(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axis = _axis(call.arguments["dim"], len(_shape(t, call)))
        t.emit(call, op, [call.arguments["self"]], axis=axis)

    return translate


def _reshape(t: Translator, call: AtenCall) -> None:
    source = call.arguments["self"]
    if t.is_weight(source) or call.outputs[0].shape != t.tensor(source).shape:
        t.emit(call, "reshape", [source], shape=call.outputs[0].shape)
    else:
        t.rename(call.outputs[0].name, source)


def _expand(t: Translator, call: AtenCall) -> None:
    source = call.arguments["self"]
    if call.outputs[0].shape == t.tensor(source).shape:
        t.rename(call.outputs[0].name, source)
    else:
        t.emit(call, "expand", [source], shape=call.outputs[0].shape)


def _concat(t: Translator, call: AtenCall) -> None:
    refs = call.arguments["tensors"]
    if call.operator == "stack":
        rank = len(call.outputs[0].shape)
        t.emit(call, "stack", refs, axis=_axis(call.get("dim", 0), rank))
    else:
        t.emit(call, "concat", refs, axis=_axis(call.get("dim", 0), len(t.tensor(refs[0]).shape)))


def _split(t: Translator, call: AtenCall) -> None:
    axis = _axis(call.get("dim", 0), len(_shape(t, call)))
    sizes = tuple(tensor.shape[axis] for tensor in call.outputs)
    t.emit(call, "split", [call.arguments["self"]], axis=axis, sizes=sizes)


def _unbind(t: Translator, call: AtenCall) -> None:
    axis = _axis(call.get("dim", 0), len(_shape(t, call)))
    t.emit(call, "unbind", [call.arguments["self"]], axis=axis)


def _slice(t: Translator, call: AtenCall) -> None:
    shape = _shape(t, call)
    axis = _axis(call.get("dim", 0), len(shape))
    start, stop, step = slice(
        call.get("start"), call.get("end"), call.get("step", 1)
    ).indices(shape[axis])
    if (start, stop, step) == (0, shape[axis], 1):
        t.rename(call.outputs[0].name, call.arguments["self"])
    else:
        t.emit(
            call, "slice", [call.arguments["self"]], axis=axis, start=start, stop=stop, step=step
        )


def _select(t: Translator, call: AtenCall) -> None:
    shape = _shape(t, call)
    axis = _axis(call.get("dim", 0), len(shape))
    index = call.arguments["index"] % shape[axis]
    t.emit(call, "select", [call.arguments["self"]], axis=axis, index=index)


def _pad(t: Translator, call: AtenCall) -> None:
    rank, flat = len(_shape(t, call)), list(call.arguments["pad"])
    # Listed from the last axis backwards, two numbers an axis (torch.nn.functional.pad).
    pairs = [tuple(flat[i : i + 2]) for i in range(0, len(flat), 2)]
    pads = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]
    t.emit(
        call,
        "pad",
        [call.arguments["self"]],
        padding=tuple(pads),
        mode=call.get("mode", "constant"),
        value=call.get("value", 0.0),
    )


def _resize(t: Translator, call: AtenCall) -> None:
    mode = "nearest" if "nearest" in call.operator else "linear"
    mode = "cubic" if "bicubic" in call.operator else mode
    t.emit(
        call,
        "resize",
        [call.get("self", call.get("input"))],
        size=call.outputs[0].shape[2:],
        mode=mode,
        align_corners=call.get("align_corners", False),
    )


def _embedding(t: Translator, call: AtenCall) -> None:
    t.emit(call, "embedding", [call.arguments["weight"], call.arguments["indices"]])


def _shuffle(t: Translator, call: AtenCall) -> None:
    t.emit(call, "channel_shuffle", [call.arguments["self"]], groups=call.arguments["groups"])


def _rename(t: Translator, call: AtenCall) -> None:
    t.rename(call.outputs[0].name, call.get("self", call.get("input")))


def _cast(t: Translator, call: AtenCall) -> None:
    source = call.get("self")
    if t.tensor(source).dtype == call.outputs[0].dtype:
        t.rename(call.outputs[0].name, source)
    else:
        t.emit(call, "cast", [source])


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
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv3d", "convolution", "_convolution", "conv_transpose1d",
         "conv_transpose2d", "conv_transpose3d"),
        _conv,
    ),
    "linear": _linear,
    **dict.fromkeys(("mm", "bmm", "matmul", "addmm", "baddbmm"), _product),
    **dict.fromkeys(("t", "transpose", "permute", "swapaxes"), _transpose),
    **dict.fromkeys(
        ("batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training",
         "_native_batch_norm_legit", "cudnn_batch_norm"),
        _batch_norm,
    ),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    "group_norm": _group_norm,
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
    "square": _square,
    **_POOLS,
    **_ADAPTIVE,
    **{name: _reduce(name) for name in ("mean", "sum", "argmax", "argmin", "prod", "var")},
    **{f"a{kind}": _reduce(kind) for kind in ("max", "min")},
    **dict.fromkeys(("softmax", "_softmax"), _softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("log_softmax")),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view"),
        _reshape,
    ),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), _concat),
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), _split),
    "unbind": _unbind,
    "slice": _slice,
    "select": _select,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(
        ("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "interpolate"),
        _resize,
    ),
    "embedding": _embedding,
    "channel_shuffle": _shuffle,
    **dict.fromkeys(
        ("dropout", "feature_dropout", "alpha_dropout", "detach", "contiguous", "clone", "alias",
         "lift_fresh_copy", "identity"),
        _rename,
    ),
    **dict.fromkeys(("to", "_to_copy", "type_as", "float", "half"), _cast),
}  # fmt: skip
