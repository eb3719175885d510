"""Keras on TensorFlow, by TensorFlow's profiler: what ``keras-flops`` and its kin print."""

from __future__ import annotations

import math

from latprof.counting.conventions.spec import (
    RECURRENT,
    Convention,
    per_input,
    per_output,
    register,
)
from latprof.graph import Call


def _with_bias(call: Call, macs: int) -> int:
    biased = len(call.inputs) > 2 and call.inputs[2] is not None
    return 2 * macs + (call.outputs[0].elements if biased else 0)


def _batch_norm(call: Call, macs: int) -> int:
    # Keras writes it as operations: for each channel epsilon is added (1), a reciprocal root
    # taken (2), the scale and the mean multiplied by it (2) and subtracted (1); for each element
    # one multiplication and one addition.
    x = call.input(0)
    return 2 * x.elements + 6 * (x.shape[1] if len(x.shape) > 1 else 0)


def _pool(call: Call, macs: int) -> int:
    return math.prod(map(int, call.attributes["kernel"])) * call.outputs[0].elements


def _reduced(call: Call, macs: int) -> int:
    return call.input(0).elements - call.outputs[0].elements


register(
    Convention(
        name="keras",
        called="FLOPs",
        means="2 for each multiply-accumulate, biases, batch norms as written out, sums and "
        "products of elements, pools; ReLU, ReLU6 and sigmoid count 0",
        source="TensorFlow 2.21.0, tensorflow/python/profiler/internal/flops_registry.py, of "
        "keras.applications of Keras 3.15.1",
        rules={
            "conv": _with_bias,
            "conv_transpose": _with_bias,
            "linear": _with_bias,
            "matmul": _with_bias,
            "batch_norm": _batch_norm,
            **dict.fromkeys(
                ("add", "sub", "mul", "div", "pow", "maximum", "minimum"), per_output(1)
            ),
            "silu": per_output(2),  # its slope of one is multiplied too
            "hard_sigmoid": per_output(2),  # an addition and a division around a ReLU6
            "hard_swish": per_output(3),
            "softmax": per_output(5),
            **dict.fromkeys(("mean", "adaptive_avg_pool"), per_input(1)),
            **dict.fromkeys(("sum", "argmax", "argmin"), _reduced),
            **dict.fromkeys(("max_pool", "avg_pool"), _pool),
        },
        unreproduced=RECURRENT
        | {"attention", "einsum", "layer_norm", "group_norm", "instance_norm", "rms_norm", "gelu"},
        notes=(
            "networks of keras.applications end in a softmax and, some of them, begin by scaling "
            "the image; both count there and may be missing in a PyTorch network of the same name",
        ),
    )
)
