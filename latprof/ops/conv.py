"""Convolutions of one, two or three spatial dimensions, grouped, dilated and transposed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, register

Pads = tuple[tuple[int, int], ...]


def conv_macs(
    *,
    batch: int,
    out_channels: int,
    out_pixels: int,
    in_channels: int,
    kernel_pixels: int,
    groups: int,
) -> int:
    """Multiply-accumulates of a convolution, bias excluded.

    Every output element is a dot product over the kernel window and the input channels of
    its group (Dumoulin & Visin, A guide to convolution arithmetic, arXiv 1603.07285).
    `out_pixels` and `kernel_pixels` are products over the spatial dimensions. Arguments are
    ints for one kernel, or columns for many.
    """
    return batch * out_channels * out_pixels * kernel_pixels * (in_channels // groups)


def conv_out_size(size: int, kernel: int, stride: int, dilation: int, pads: Sequence[int]) -> int:
    """Output size of one spatial dimension (arXiv 1603.07285, relationship 15)."""
    reach = dilation * (kernel - 1) + 1
    padded = size + pads[0] + pads[1]
    if padded < reach:
        raise ShapeMismatch(
            f"a kernel reaching over {reach} pixels does not fit a padded size of {padded}; "
            "use a larger input."
        )
    return (padded - reach) // stride + 1


def _settings(call: Call) -> tuple[Shape, Shape, Shape, Pads, int]:
    kernel = call.input(1).shape[2:]
    ones = (1,) * len(kernel)
    stride = tuple(call.attributes.get("stride", ones))
    dilation = tuple(call.attributes.get("dilation", ones))
    pads: Pads = tuple(call.attributes.get("padding", ((0, 0),) * len(kernel)))
    return kernel, stride, dilation, pads, int(call.attributes.get("groups", 1))


def _conv_shapes(call: Call) -> tuple[Shape, ...]:
    x, weight = call.input(0).shape, call.input(1).shape
    kernel, stride, dilation, pads, groups = _settings(call)
    if x[1] != weight[1] * groups:
        raise ShapeMismatch(
            f"node {call.node.name!r}: {x[1]} input channels, but the weight of shape {weight} "
            f"with {groups} groups takes {weight[1] * groups}."
        )
    if weight[0] % groups:
        raise ShapeMismatch(
            f"node {call.node.name!r}: {weight[0]} output channels do not make {groups} groups."
        )
    sizes = (
        conv_out_size(*each) for each in zip(x[2:], kernel, stride, dilation, pads, strict=True)
    )
    return ((x[0], weight[0], *sizes),)


def _conv_cost(call: Call) -> int:
    out, weight = call.outputs[0].shape, call.input(1).shape
    groups = int(call.attributes.get("groups", 1))
    return conv_macs(
        batch=out[0],
        out_channels=out[1],
        out_pixels=math.prod(out[2:]),
        in_channels=weight[1] * groups,
        kernel_pixels=math.prod(weight[2:]),
        groups=groups,
    )


def _transposed_shapes(call: Call) -> tuple[Shape, ...]:
    x, weight = call.input(0).shape, call.input(1).shape
    kernel, stride, dilation, pads, groups = _settings(call)
    extra = tuple(call.attributes.get("output_padding", (0,) * len(kernel)))
    if x[1] != weight[0]:
        raise ShapeMismatch(
            f"node {call.node.name!r}: {x[1]} input channels, but the weight of shape {weight} "
            f"takes {weight[0]}."
        )
    sizes = (
        (size - 1) * s - sum(p) + d * (k - 1) + e + 1
        for size, k, s, d, p, e in zip(x[2:], kernel, stride, dilation, pads, extra, strict=True)
    )
    return ((x[0], weight[1] * groups, *sizes),)


def _transposed_cost(call: Call) -> int:
    # Every input element is spread over one kernel window and the output channels of its group.
    x, weight = call.input(0), call.input(1).shape
    return x.elements * weight[1] * math.prod(weight[2:])


def _bias_adds(call: Call) -> int:
    has_bias = len(call.inputs) > 2 and call.inputs[2] is not None
    return call.outputs[0].elements if has_bias else 0


register(OpSpec("conv", "convolution", _conv_shapes, _conv_cost, _bias_adds))
register(OpSpec("conv_transpose", "convolution", _transposed_shapes, _transposed_cost, _bias_adds))
