"""Convolutions: plain, depthwise, separable and transposed, of one, two or three dimensions.

References
----------
Keras, keras/src/layers/convolutional/: base_conv.py, base_depthwise_conv.py,
base_separable_conv.py, base_conv_transpose.py.
Keras, keras/src/backend/common/backend_utils.py: sizes of a transposed convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.activations import activate
from latprof.frontends.keras.config import shown, sizes, whole
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.graph import Shape

Pads = tuple[tuple[int, int], ...]


def channels_last(call: LayerCall) -> bool:
    """Whether the layer takes channels last, as it does unless it says otherwise."""
    found = call.get("data_format", "channels_last")
    if found not in ("channels_last", "channels_first"):
        raise UnreadableModel(f"layer {call.path!r} has the data_format {shown(found)}.")
    return bool(found == "channels_last")


def spatial(t: Translator, call: LayerCall, value: Value, axes: int) -> Value:
    """`value` held with channels second, which has `axes` axes behind them."""
    rank = len(t.shape(value))
    if rank != axes + 2:
        raise ShapeMismatch(
            f"layer {call.path!r} ({call.layer.kind}) takes {axes + 2} axes; it is given the shape "
            f"{t.shape(value)}."
        )
    return t.image(value) if channels_last(call) else t.plain(value)


def pads_for(padding: object, size: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pads:
    """What ``padding`` puts before and behind each spatial axis.

    ``same`` makes ⌈size / stride⌉ windows and puts the odd pixel behind (TensorFlow's rule,
    which Keras follows on every backend); ``causal`` pads before only.
    """
    if padding == "valid":
        return ((0, 0),) * len(size)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "causal":
        return tuple((r - 1, 0) for r in reach)
    if padding != "same":
        raise UnreadableModel(f"unknown padding {shown(padding)}.")
    totals = [
        max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(size, stride, reach, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def convolve(
    t: Translator, call: LayerCall, x: Value, weight: str, bias: str, *, groups: int,
    strides: Shape, dilation: Shape, padding: object, part: str = "",
) -> Value:  # fmt: skip
    """A convolution of `x`, held with channels second; a bias named "" is none."""
    size, kernel = t.stored(x).shape[2:], t.builder.tensor(weight).shape[2:]
    name = t.emit(
        call, "conv", [x, weight, *([bias] if bias else [])], part=part, stride=strides,
        padding=pads_for(padding, size, kernel, strides, dilation), dilation=dilation,
        groups=groups,
    )  # fmt: skip
    return Value(name, x.image)


def _windows(call: LayerCall, axes: int) -> tuple[Shape, Shape, Shape]:
    kernel = sizes(call.get("kernel_size"), axes, "kernel_size")
    strides = sizes(call.get("strides", 1), axes, "strides")
    return kernel, strides, sizes(call.get("dilation_rate", 1), axes, "dilation_rate")


def _bias(t: Translator, call: LayerCall, channels: int) -> str:
    return t.weight(call, "bias", (channels,)) if call.get("use_bias", True) else ""


def _conv(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, t.floating(call, call.value), axes)
    kernel, strides, dilation = _windows(call, axes)
    filters = whole(call.get("filters"), "filters", least=1)
    groups = whole(call.get("groups", 1), "groups", least=1)
    weight = t.weight(call, "kernel", (filters, t.stored(x).shape[1] // groups, *kernel))
    found = convolve(
        t, call, x, weight, _bias(t, call, filters), groups=groups, strides=strides,
        dilation=dilation, padding=call.get("padding", "valid"),
    )  # fmt: skip
    return activate(t, call, found)


def _depthwise(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, t.floating(call, call.value), axes)
    kernel, strides, dilation = _windows(call, axes)
    channels = t.stored(x).shape[1]
    outputs = channels * whole(call.get("depth_multiplier", 1), "depth_multiplier", least=1)
    weight = t.weight(call, "kernel", (outputs, 1, *kernel))
    found = convolve(
        t, call, x, weight, _bias(t, call, outputs), groups=channels, strides=strides,
        dilation=dilation, padding=call.get("padding", "valid"),
    )  # fmt: skip
    return activate(t, call, found)


def _separable(axes: int, t: Translator, call: LayerCall) -> Result:
    """Depthwise, then pointwise; the bias is the second's."""
    x = spatial(t, call, t.floating(call, call.value), axes)
    kernel, strides, dilation = _windows(call, axes)
    channels, ones = t.stored(x).shape[1], (1,) * axes
    middle = channels * whole(call.get("depth_multiplier", 1), "depth_multiplier", least=1)
    filters = whole(call.get("filters"), "filters", least=1)
    depthwise = t.weight(call, "depthwise_kernel", (middle, 1, *kernel))
    pointwise = t.weight(call, "pointwise_kernel", (filters, middle, *ones))
    x = convolve(
        t, call, x, depthwise, "", groups=channels, strides=strides, dilation=dilation,
        padding=call.get("padding", "valid"), part="depthwise",
    )  # fmt: skip
    found = convolve(
        t, call, x, pointwise, _bias(t, call, filters), groups=1, strides=ones, dilation=ones,
        padding="valid", part="pointwise",
    )  # fmt: skip
    return activate(t, call, found)


def _transposed(axes: int, t: Translator, call: LayerCall) -> Result:
    x = spatial(t, call, t.floating(call, call.value), axes)
    kernel, strides, dilation = _windows(call, axes)
    filters = whole(call.get("filters"), "filters", least=1)
    weight = t.weight(call, "kernel", (t.stored(x).shape[1], filters, *kernel))
    wanted = _transposed_sizes(call, t.stored(x).shape[2:], kernel, strides, dilation)
    pads, extra = [], []
    for n, k, s, d, size in zip(
        t.stored(x).shape[2:], kernel, strides, dilation, wanted, strict=True
    ):
        over = (n - 1) * s + d * (k - 1) + 1 - size  # what the full convolution has too much
        pads.append((max(over, 0) // 2, max(over, 0) - max(over, 0) // 2))
        extra.append(max(-over, 0))
    bias = _bias(t, call, filters)
    name = t.emit(
        call, "conv_transpose", [x, weight, *([bias] if bias else [])], stride=strides,
        padding=tuple(pads), dilation=dilation, groups=1, output_padding=tuple(extra),
    )  # fmt: skip
    return activate(t, call, Value(name, x.image))


def _transposed_sizes(
    call: LayerCall, size: Shape, kernel: Shape, strides: Shape, dilation: Shape
) -> Sequence[int]:
    padding, extra = call.get("padding", "valid"), call.layer.config.get("output_padding")
    found = []
    reaches = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    extras = None if extra is None else sizes(extra, len(size), "output_padding", least=0)
    for axis, (n, reach, s) in enumerate(zip(size, reaches, strides, strict=True)):
        if padding not in ("same", "valid"):
            raise UnreadableModel(f"unknown padding {shown(padding)}.")
        if extras is None:
            found.append(n * s + (max(reach - s, 0) if padding == "valid" else 0))
        else:
            shrunk = 2 * (reach // 2) if padding == "same" else 0
            found.append((n - 1) * s + reach - shrunk + extras[axis])
    return found


LAYERS: dict[str, Handler] = {}
for _axes in (1, 2, 3):
    LAYERS[f"Conv{_axes}D"] = LAYERS[f"Convolution{_axes}D"] = partial(_conv, _axes)
    LAYERS[f"Conv{_axes}DTranspose"] = partial(_transposed, _axes)
    if _axes < 3:
        LAYERS[f"DepthwiseConv{_axes}D"] = partial(_depthwise, _axes)
        LAYERS[f"SeparableConv{_axes}D"] = partial(_separable, _axes)
