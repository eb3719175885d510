"""How ATen's convolutions, norms, pools and reductions are said in latprof's words.

`TRANSLATIONS` is the table of all: what the files beside this one translate is in it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from latprof.frontends.aten.calls import (
    AtenCall,
    Translate,
    Translator,
    axis_of,
    emit_first,
    shape_of,
    step,
)
from latprof.frontends.aten.elementwise import ELEMENTWISE
from latprof.frontends.aten.indexing import INDEXING
from latprof.frontends.aten.movements import MOVEMENTS
from latprof.frontends.aten.ordering import ORDERING
from latprof.frontends.aten.products import PRODUCTS
from latprof.frontends.aten.recurrent import RECURRENT


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _both_sides(pads: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((pad, pad) for pad in pads)


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


def _batch_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    operands += [call.get("running_mean"), call.get("running_var")]
    emit_first(t, call, "batch_norm", operands, eps=call.get("eps", 1e-5))


def _layer_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    axes = len(call.arguments["normalized_shape"])
    emit_first(t, call, "layer_norm", operands, axes=axes, eps=call.get("eps", 1e-5))


def _group_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    groups = call.get("num_groups", call.get("group"))
    emit_first(t, call, "group_norm", operands, groups=groups, eps=call.get("eps", 1e-5))


def _instance_norm(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments["input"], call.get("weight"), call.get("bias")]
    t.emit(call, "instance_norm", operands, eps=call.get("eps", 1e-5))


def _rms_norm(t: Translator, call: AtenCall) -> None:
    axes = len(call.arguments["normalized_shape"])
    operands = [call.arguments["input"], call.get("weight")]
    emit_first(t, call, "rms_norm", operands, axes=axes, eps=call.get("eps", 1e-5))


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
        emit_first(t, call, op, [call.arguments["self"]], **settings)

    return translate


def _adaptive(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axes = int(call.operator.removesuffix("_with_indices")[-2])
        size = _per_axis(call.arguments["output_size"], axes)
        emit_first(t, call, op, [call.arguments["self"]], output_size=size)

    return translate


def _reduce(op: str, **settings: Any) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        rank = len(shape_of(t, call))
        asked = call.get("dim", tuple(range(rank)))
        axes = (asked,) if isinstance(asked, int) else tuple(asked)
        axes = axes or tuple(range(rank))
        emit_first(
            t,
            call,
            op,
            [call.arguments["self"]],
            axes=tuple(sorted(axis_of(axis, rank) for axis in axes)),
            keepdims=call.get("keepdim", False),
            **settings,
        )

    return translate


def _softmax(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axis = axis_of(call.arguments["dim"], len(shape_of(t, call)))
        t.emit(call, op, [call.arguments["self"]], axis=axis)

    return translate


def _norm(t: Translator, call: AtenCall) -> None:
    order = call.get("p", call.get("ord", 2))
    if call.operator == "linalg_norm" and (call.get("ord") is not None or call.get("dim") is None):
        rank = len(shape_of(t, call))
        axes = call.get("dim")
        if not (isinstance(axes, int) or (axes is not None and len(axes) == 1) or rank == 1):
            t.emit(call, "aten.linalg_norm", [call.arguments["self"]])  # of a matrix
            return
    _reduce("norm", order=order)(t, call)


def _spread_and_mean(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        for part, output in zip((op, "mean"), call.outputs, strict=True):
            _reduce(part)(t, replace(call, outputs=(output,)))

    return translate


def _both_extremes(t: Translator, call: AtenCall) -> None:
    for part, output in zip(("min", "max"), call.outputs, strict=True):
        _reduce(part)(t, replace(call, outputs=(output,)))


def _scan(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axis = axis_of(call.arguments["dim"], len(shape_of(t, call)))
        t.emit(call, op, [call.arguments["self"]], axis=axis)

    return translate


def _conv_tbc(t: Translator, call: AtenCall) -> None:
    """A convolution over time with channels last: (time, batch, channels)."""
    x, weight = call.arguments["self"], call.arguments["weight"]
    (time, batch, channels), (kernel, taken, given) = shape_of(t, call), shape_of(t, call, "weight")
    length, _, _ = call.outputs[0].shape
    shape = (batch, channels, time)
    turned = step(t, call, "transpose", [x], shape, "channels_second", order=(1, 2, 0))
    shape = (given, taken, kernel)
    taps = step(t, call, "transpose", [weight], shape, "weight", order=(2, 1, 0))
    out = step(
        t, call, "conv", [turned, taps, call.get("bias")], (batch, given, length), "conv",
        stride=(1,), padding=_both_sides((call.get("pad", 0),)), dilation=(1,), groups=1,
    )  # fmt: skip
    t.emit(call, "transpose", [out], order=(2, 0, 1))


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
    **ELEMENTWISE,
    **INDEXING,
    **MOVEMENTS,
    **ORDERING,
    **PRODUCTS,
    **RECURRENT,
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv3d", "convolution", "_convolution", "_convolution_mode",
         "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        _conv,
    ),
    "conv_tbc": _conv_tbc,
    **dict.fromkeys(
        ("batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training",
         "_native_batch_norm_legit", "_batch_norm_with_update", "cudnn_batch_norm"),
        _batch_norm,
    ),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), _group_norm),
    "instance_norm": _instance_norm,
    **dict.fromkeys(("rms_norm", "_fused_rms_norm"), _rms_norm),
    **_POOLS,
    **_ADAPTIVE,
    **{
        name: _reduce(name)
        for name in ("mean", "sum", "argmax", "argmin", "prod", "var", "std", "all", "any",
                     "logsumexp")
    },
    **dict.fromkeys(("norm", "linalg_vector_norm", "frobenius_norm", "linalg_norm"), _norm),
    **{f"{kind}_mean": _spread_and_mean(kind) for kind in ("var", "std")},
    "aminmax": _both_extremes,
    **{f"a{kind}": _reduce(kind) for kind in ("max", "min")},
    **{kind: _extreme(kind) for kind in ("max", "min")},
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax"), _softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("log_softmax")),
    **{name: _scan(name) for name in ("cumsum", "cumprod")},
}  # fmt: skip
