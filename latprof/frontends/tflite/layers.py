"""How TFLite's layers are said in latprof's words: convolutions, pools, products, recurrence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite.layout import PLAIN, logical
from latprof.frontends.tflite.schema import ACTIVATIONS
from latprof.frontends.tflite.translator import Translator
from latprof.graph import Shape

Translate = Callable[[Translator], None]
Pads = tuple[tuple[int, int], ...]

SAME = 0


def finish(t: Translator, name: str, spatial: int = PLAIN) -> None:
    """Let the first output be `name`, after the activation that is fused into the call."""
    kind = t.call.options.get("activation", 0)
    activation = ACTIVATIONS[kind] if 0 <= kind < len(ACTIVATIONS) else ""
    if activation == "relu_n1_to_1":
        name = t.emit("clip", [name], low=-1.0, high=1.0, name=t.activation_name())
    elif activation == "sign_bit":
        name = t.emit("sign", [name], name=t.activation_name())
    elif activation:
        name = t.emit(activation, [name], name=t.activation_name())
    t.give(name, spatial)


def settings(t: Translator, name: str, axes: str) -> Shape:
    """An option that is written once for each axis, as in ``stride_h``."""
    found = tuple(int(t.call.options[f"{name}_{axis}"]) for axis in axes)
    if min(found) < 1:
        raise ShapeMismatch(f"{t.call.kind} of {name} {found}; every number must be at least 1.")
    return found


def explicit_pads(
    t: Translator, size: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> Pads:
    """SAME or VALID as numbers: SAME keeps ⌈size/stride⌉ pixels, the odd one goes behind.

    TensorFlow, tensorflow/lite/kernels/padding.h.
    """
    if t.call.options["padding"] != SAME:
        return ((0, 0),) * len(kernel)
    pads = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def _kernel(t: Translator, index: int, axes: tuple[int, ...]) -> str:
    """A convolution's weight with its axes in the order `axes`."""
    shape = t.shape(index)
    if len(shape) != len(axes):
        raise ShapeMismatch(f"{t.call.kind} with a weight of shape {shape}.")
    wanted = tuple(shape[axis] for axis in axes)
    if t.is_stored(index):
        return t.weight(index, wanted)
    name = t.operand(index)
    return t.emit("transpose", [name], order=axes) if axes != tuple(range(len(axes))) else name


def _bias(t: Translator, position: int) -> str:
    if len(t.call.inputs) <= position or t.call.inputs[position] < 0:
        return ""
    index = t.call.inputs[position]
    return t.weight(index, t.shape(index), "bias") if t.is_stored(index) else t.operand(index)


def _conv(t: Translator) -> None:
    _convolve(t, "hw", axes=(0, 3, 1, 2))  # stored as O, height, width, I/groups


def _conv_3d(t: Translator) -> None:
    _convolve(t, "dhw", axes=(4, 3, 0, 1, 2))  # stored as depth, height, width, I, O


def _depthwise(t: Translator) -> None:
    # Stored as 1, height, width, O. Every channel is a group of its own.
    _convolve(t, "hw", axes=(3, 0, 1, 2), depthwise=True)


def _convolve(
    t: Translator, letters: str, axes: tuple[int, ...], *, depthwise: bool = False
) -> None:
    data, spatial = t.call.inputs[0], len(letters)
    x = t.operand(data, spatial)
    weight = _kernel(t, t.call.inputs[1], axes)
    shape, kernel = t.builder.tensor(x).shape, t.builder.tensor(weight).shape
    if len(shape) != spatial + 2:
        raise ShapeMismatch(f"{t.call.kind} of a tensor of shape {shape}.")
    groups = shape[1] if depthwise else shape[1] // max(1, kernel[1])
    stride, dilation = settings(t, "stride", letters), settings(t, "dilation", letters)
    pads = explicit_pads(t, shape[2:], kernel[2:], stride, dilation)
    out = t.emit(
        "conv", [x, weight, _bias(t, 2)],
        dtype=t.dtype(t.call.outputs[0]),
        stride=stride, padding=pads, dilation=dilation, groups=max(1, groups),
    )  # fmt: skip
    finish(t, out, spatial)


def _conv_transpose(t: Translator) -> None:
    _transposed(t, "hw", (3, 0, 1, 2))  # stored as O, height, width, I


def _conv_3d_transpose(t: Translator) -> None:
    _transposed(t, "dhw", (4, 3, 0, 1, 2))  # stored as depth, height, width, O, I


def _transposed(t: Translator, letters: str, axes: tuple[int, ...]) -> None:
    """Inputs are the shape of the output, the weight, the image, and perhaps a bias."""
    wanted, spatial = t.whole(0), len(letters)
    x = t.operand(t.call.inputs[2], spatial)
    weight = _kernel(t, t.call.inputs[1], axes)
    shape, kernel = t.builder.tensor(x).shape, t.builder.tensor(weight).shape
    if not len(wanted) == len(shape) == spatial + 2:
        raise ShapeMismatch(f"{t.call.kind} from {shape} to {wanted}.")
    stride = settings(t, "stride", letters)
    dilation = (
        settings(t, "dilation", letters) if "dilation_h" in t.call.options else (1,) * spatial
    )
    size = logical(wanted, spatial)[2:]
    # Padded as the convolution that would lead back from the output.
    pads = explicit_pads(t, size, kernel[2:], stride, dilation)
    reached = (
        (n - 1) * s - sum(p) + d * (k - 1) + 1
        for n, k, s, d, p in zip(shape[2:], kernel[2:], stride, dilation, pads, strict=True)
    )
    extra = tuple(want - got for want, got in zip(size, reached, strict=True))
    if min(extra) < 0:
        raise ShapeMismatch(f"{t.call.kind} from {shape} gives more than the {wanted} it says.")
    out = t.emit(
        "conv_transpose", [x, weight, _bias(t, 3)],
        dtype=t.dtype(t.call.outputs[0]),
        stride=stride, padding=pads, dilation=dilation, groups=1, output_padding=extra,
    )  # fmt: skip
    finish(t, out, spatial)


def _pool(op: str) -> Translate:
    def translate(t: Translator) -> None:
        x = t.operand(t.call.inputs[0], 2)
        shape = t.builder.tensor(x).shape
        if len(shape) != 4:
            raise ShapeMismatch(f"{t.call.kind} of a tensor of shape {shape}.")
        kernel, stride = settings(t, "filter", "hw"), settings(t, "stride", "hw")
        attributes: dict[str, Any] = {
            "kernel": kernel,
            "stride": stride,
            "padding": explicit_pads(t, shape[2:], kernel, stride, (1, 1)),
            "ceil_mode": False,
        }
        if op == "avg_pool":
            attributes["count_padding"] = False  # TFLite divides by the pixels that are there
        finish(t, t.emit(op, [x], **attributes), 2)

    return translate


def _linear(t: Translator) -> None:
    data, matrix = t.call.inputs[0], t.call.inputs[1]
    shape, size = t.shape(data), t.shape(matrix)
    dtype = t.dtype(t.call.outputs[0])
    if len(size) != 2 or not shape:
        raise ShapeMismatch(f"FULLY_CONNECTED of {shape} with a weight of shape {size}.")
    keeps = bool(t.call.options["keep_num_dims"]) or len(shape) == 2
    spatial = t.spatial(data, len(shape)) if keeps else PLAIN
    if spatial and t.is_stored(matrix):
        # On an image, a linear layer is a convolution of one pixel.
        ones = (1,) * spatial
        split = len(shape) - spatial - 2
        if not split:
            weight = t.weight(matrix, (*size, *ones))
            x = t.operand(data, spatial)
            name = t.emit(
                "conv", [x, weight, _bias(t, 2)], dtype=dtype,
                stride=ones, padding=((0, 0),) * spatial, dilation=ones, groups=1,
            )  # fmt: skip
            finish(t, name, spatial)
            return
    rows = math.prod(shape) // max(1, size[1])
    x = t.operand(data) if keeps else flattened(t, data, (rows, size[1]))
    if t.is_stored(matrix):
        name = t.emit("linear", [x, t.weight(matrix, size), _bias(t, 2)], dtype=dtype)
    else:
        turned = t.emit("transpose", [t.operand(matrix)], order=(1, 0))
        name = t.emit("matmul", [x, turned, _bias(t, 2)], dtype=dtype)
    finish(t, name)


def flattened(t: Translator, index: int, shape: Shape) -> str:
    """A tensor as a matrix of rows.

    An image in a row of its own is flattened with its channels first: that only renames the
    columns of the weight behind it, as a converter would have to.
    """
    whole_pictures = shape[:1] == t.shape(index)[:1]
    return t.reshaped(t.image(index)[0] if whole_pictures else t.operand(index), shape)


def _matmul(t: Translator) -> None:
    left, right = t.call.inputs[:2]
    dtype = t.dtype(t.call.outputs[0])
    size = t.shape(right)
    a = t.operand(left)
    if t.call.options["adj_x"]:
        a = _turned(t, a)
    if t.is_stored(right) and len(size) == 2:
        # A linear layer; its weight is kept one row for each output, however it is stored.
        shape = size if t.call.options["adj_y"] else size[::-1]
        t.give(t.emit("linear", [a, t.weight(right, shape)], dtype=dtype))
        return
    b = t.weight(right, size) if t.is_stored(right) else t.operand(right)
    if t.call.options["adj_y"]:
        b = _turned(t, b)
    t.give(t.emit("matmul", [a, b], dtype=dtype))


def _turned(t: Translator, name: str) -> str:
    """A matrix, or a batch of them, transposed."""
    rank = len(t.builder.tensor(name).shape)
    if rank < 2:
        raise ShapeMismatch(f"{t.call.kind} of a tensor of rank {rank}.")
    return t.emit("transpose", [name], order=(*range(rank - 2), rank - 1, rank - 2))


LAYERS: dict[str, Translate] = {
    "CONV_2D": _conv,
    "CONV_3D": _conv_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _conv_transpose,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "AVERAGE_POOL_2D": _pool("avg_pool"),
    "MAX_POOL_2D": _pool("max_pool"),
    "FULLY_CONNECTED": _linear,
    "BATCH_MATMUL": _matmul,
}
