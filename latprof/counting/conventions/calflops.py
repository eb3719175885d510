"""calflops: FLOPs of functions, most activations and pools among them."""

from __future__ import annotations

import math

from latprof.counting.conventions.spec import (
    RECURRENT,
    Convention,
    per_input,
    per_norm,
    register,
)
from latprof.graph import Call


def _twice(call: Call, macs: int) -> int:
    return 2 * macs


def _convolution(call: Call, macs: int) -> int:
    biased = len(call.inputs) > 2 and call.inputs[2] is not None
    return 2 * macs + (call.outputs[0].elements if biased else 0)


def _transposed(call: Call, macs: int) -> int:
    x, weight = call.input(0).shape, call.input(1).shape
    axes = len(weight) - 2
    groups = int(call.attributes.get("groups", 1))
    products = math.prod(weight[2:]) * x[1] * (weight[1] // groups) * x[0] * math.prod(x[2:])
    if len(call.inputs) < 3 or call.inputs[2] is None:
        return 2 * products
    # Its bias counts the outputs that a plain convolution of the same settings would give.
    strides = call.attributes.get("stride", (1,) * axes)
    dilations = call.attributes.get("dilation", (1,) * axes)
    paddings = call.attributes.get("padding", ((0, 0),) * axes)
    pixels = 1
    for size, k, s, d, p in zip(x[2:], weight[2:], strides, dilations, paddings, strict=True):
        pixels *= int((size + sum(p) - (d * (k - 1) + 1)) // s + 1)
    return 2 * products + weight[1] * x[0] * pixels


def _product(call: Call, macs: int) -> int:
    left, right = call.input(0), call.input(1).shape
    addend = call.inputs[2] if len(call.inputs) > 2 else None
    return 2 * left.elements * right[-1] + (addend.elements if addend is not None else 0)


register(
    Convention(
        name="calflops",
        called="FLOPs",
        means="2 for each multiply-accumulate, biases of convolutions, norms, pools, and "
        "activations but ReLU6 and the hard ones; no fused attention",
        source="calflops 0.3.2, calflops/pytorch_ops.py",
        rules={
            "conv": _convolution,
            "conv_transpose": _transposed,
            "linear": _twice,
            "matmul": _product,
            "batch_norm": per_norm(1, 2),
            "layer_norm": per_norm(4, 5),
            "group_norm": per_norm(4, 5),
            "instance_norm": per_norm(4, 5),
            **dict.fromkeys(
                ("relu", "prelu", "elu", "leaky_relu", "silu", "gelu", "softmax", "max_pool",
                 "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "resize"),
                per_input(1),
            ),
        },
        unreproduced=RECURRENT | {"einsum"},
        notes=(
            "ReLU6 is counted as the layer nn.ReLU6, which calls hardtanh and counts 0: F.relu6 "
            "counts 1 an element",
            "products are counted as torch.matmul or addmm: written with @, mm or bmm they count "
            "0; so do sums and products of elements written with + and *",
            "resizing is counted as by a factor: to a size it counts that size, once",
        ),
    )
)  # fmt: skip
