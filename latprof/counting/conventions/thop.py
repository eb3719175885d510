"""thop (pytorch-OpCounter): multiply-accumulates, norms twice over, average pools."""

from __future__ import annotations

import math

from latprof.counting.conventions.spec import (
    RECURRENT,
    Convention,
    per_input,
    per_norm,
    per_output,
    products,
    register,
)
from latprof.graph import Call

# A bicubic pixel: 224 to find its coefficients and 35 to apply them.
_PER_RESIZED = {("nearest", 1): 1, ("nearest", 2): 1, ("nearest", 3): 1,
                ("linear", 1): 5, ("linear", 2): 11, ("cubic", 2): 259}  # fmt: skip


def _transposed(call: Call, macs: int) -> int:
    # Counted like a convolution, from its outputs: more than it does where it upsamples.
    channels = call.input(0).shape[1] // int(call.attributes.get("groups", 1))
    return call.outputs[0].elements * channels * math.prod(call.input(1).shape[2:])


def _adaptive_average(call: Call, macs: int) -> int:
    # Sizes from the third axis on, whether or not the first is a batch.
    x, out = call.input(0).shape[2:], call.outputs[0].shape[2:]
    window = math.prod(size / into for size, into in zip(x, out, strict=True))
    return int((window + 1) * call.outputs[0].elements)


def _softmax(call: Call, macs: int) -> int:
    axis = int(call.attributes["axis"])
    features = call.input(0).shape[axis]
    return call.input(0).elements // features * (3 * features - 1) if features else 0


def _resize(call: Call, macs: int) -> int:
    key = (str(call.attributes.get("mode")), len(call.attributes["size"]))
    return _PER_RESIZED.get(key, 0) * call.outputs[0].elements


register(
    Convention(
        name="thop",
        called="MACs",
        means="multiply-accumulates, 4 for each element of a norm, average pools; no product "
        "outside a linear layer, no attention",
        source="thop 0.1.1.post2209072238, thop/profile.py and thop/vision/",
        rules={
            "conv": products,
            "conv_transpose": _transposed,
            "linear": products,
            "batch_norm": per_norm(2, 4),
            "layer_norm": per_norm(2, 4),
            "instance_norm": per_norm(2, 4),
            "prelu": per_input(1),
            "softmax": _softmax,
            "avg_pool": per_output(1),
            "adaptive_avg_pool": _adaptive_average,
            "resize": _resize,
        },
        unreproduced=RECURRENT,
        notes=(
            "only layers of torch.nn itself are counted: a class derived from one (timm's "
            "BatchNormAct2d), group norms and functions (F.linear, F.softmax) count 0",
        ),
    )
)
