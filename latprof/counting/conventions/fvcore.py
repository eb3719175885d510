"""fvcore.nn.FlopCountAnalysis: multiply-accumulates, norms, some pools and resizing."""

from __future__ import annotations

import math

from latprof.counting.conventions.spec import (
    RECURRENT,
    Convention,
    per_norm,
    per_output,
    products,
    register,
)
from latprof.graph import Call

# A contraction of many operands has a best order, and finding it takes time that doubles with
# each; no layer has more than these.
_MOST_OPERANDS = 5


def _product(call: Call, macs: int) -> int:
    # Its rule for matmul takes the left operand's own size, even where that is broadcast.
    left, right = call.input(0).shape, call.input(1).shape
    if len(call.inputs) > 2 and len(left) == 3:
        return 0  # baddbmm has no rule
    return math.prod(left) * right[-1]


def _batch_norm(call: Call, macs: int) -> int:
    # One by the batch's own statistics (of weights, say, to standardise them) counts like others.
    statistics = [tensor for tensor in call.inputs[3:5] if tensor is not None]
    rule = per_norm(1, 2) if statistics else per_norm(4, 5)
    return rule(call, macs)


def _adaptive_average(call: Call, macs: int) -> int:
    # Only aten::adaptive_avg_pool2d has a rule.
    return call.input(0).elements if len(call.attributes["output_size"]) == 2 else 0


def _resize(call: Call, macs: int) -> int:
    # Only nearest and bilinear, both of two axes, have a rule.
    per_element = {"nearest": 1, "linear": 4}.get(str(call.attributes.get("mode")), 0)
    flat = len(call.attributes["size"]) == 2
    return per_element * call.outputs[0].elements if flat else 0


def _einsum(call: Call, macs: int) -> int:
    shapes = [tensor.shape for tensor in call.inputs if tensor is not None]
    equation = _by_order(str(call.attributes["equation"]))
    if len(shapes) > _MOST_OPERANDS:
        return macs
    if equation == "abc,abd->acd":
        return math.prod(shapes[0]) * shapes[1][-1]
    if equation == "abc,adc->adb":
        return math.prod(shapes[0]) * shapes[1][1]
    import numpy as np

    # fvcore reads the count off NumPy's printed plan, which has four digits.
    operands = [np.broadcast_to(np.zeros(()), shape) for shape in shapes]
    plan = np.einsum_path(equation, *operands, optimize="optimal")[1]
    line = next(line for line in str(plan).splitlines() if "optimized flop" in line.lower())
    return math.floor(float(line.split(":")[-1]) / 2)


def _by_order(equation: str) -> str:
    """The equation with its letters renamed a, b, c, ... in the order they come up."""
    text = equation.replace(" ", "")
    letters = list(dict.fromkeys(letter for letter in text if letter.isalpha()))
    return text.translate({ord(letter): 97 + index for index, letter in enumerate(letters)})


register(
    Convention(
        name="fvcore",
        called="FLOPs",
        means="1 for each multiply-accumulate, 2 for each element of a batch norm (4 or 5 of other "
        "norms), the inputs of 2-d adaptive pools, resized outputs; no fused attention",
        source="fvcore 0.1.5.post20221221, fvcore/nn/flop_count.py and jit_handles.py",
        rules={
            "conv": products,
            "conv_transpose": products,
            "linear": products,
            "matmul": _product,
            "einsum": _einsum,
            "batch_norm": _batch_norm,
            "layer_norm": per_norm(4, 5),
            "group_norm": per_norm(4, 5),
            "instance_norm": per_norm(4, 5),
            "adaptive_avg_pool": _adaptive_average,
            "resize": _resize,
            "grid_sample": per_output(4),
        },
        unreproduced=RECURRENT,
        notes=(
            "fused attention, baddbmm, RMS norms, activations, additions and other pools count 0, "
            "with a warning",
        ),
    )
)
