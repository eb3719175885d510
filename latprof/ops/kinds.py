"""Operators as people tell them apart: a convolution is pointwise, depthwise, grouped or dense."""

from __future__ import annotations

import math

from latprof.graph import Call


def kind_of(call: Call) -> str:
    """The operator's name; a convolution by its kind, a pool of a whole map as ``mean``."""
    op = call.node.op
    if op == "conv":
        weight, groups = call.input(1).shape, int(call.attributes.get("groups", 1))
        if groups > 1:
            return "depthwise" if weight[1] == 1 else "grouped"
        return "pointwise" if math.prod(weight[2:]) == 1 else "conv"
    if op == "adaptive_avg_pool" and math.prod(call.attributes["output_size"]) == 1:
        return "mean"
    return op
