"""What a cost model sees of a kernel: numbers that say how hard its shape is to run well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from latprof.costmodel.columns import Columns
from latprof.costmodel.roofline import Roofline

Matrix = np.ndarray[Any, Any]

# Families have an estimator each: their times follow different rules.
FAMILIES = {
    "dense": ("conv", "pointwise", "grouped", "conv_transpose"),
    "depthwise": ("depthwise",),
    "product": ("linear", "matmul", "attention", "einsum", "lstm", "gru", "rnn"),
}
OTHER = "memory"  # everything that mostly moves bytes
FAMILY_NAMES = (*FAMILIES, OTHER)

BLOCKS = (4, 8, 16, 32)  # channel counts that vector units and layouts like
LAYOUTS = ("nchw", "blocked", "from_plain")


def family_of(op: str) -> str:
    """The family of an operator's kernels."""
    return next((family for family, ops in FAMILIES.items() if op in ops), OTHER)


def feature_names(ops: Sequence[str], activations: Sequence[str]) -> list[str]:
    """Names of the columns of `feature_matrix`, in order."""
    return [
        *_NUMBERS,
        *(f"{side}_channels_waste_{block}" for side in ("in", "out") for block in BLOCKS),
        *(f"layout={layout}" for layout in LAYOUTS),
        *(f"activation={name}" for name in activations),
        *(f"op={name}" for name in ops),
    ]


def feature_matrix(
    columns: Columns, roofline: Roofline, ops: Sequence[str], activations: Sequence[str]
) -> Matrix:
    """Features of each kernel.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n,)
    roofline : Roofline
    ops, activations : sequence of str
        Those the model knows; an unknown one has zeros in all their columns.

    Returns
    -------
    features : ndarray of shape (n, len(feature_names(ops, activations)))
    """
    numbers = _numbers(columns, roofline)
    parts = [numbers[name] for name in _NUMBERS]
    for side in ("in", "out"):
        channels = columns[f"{side}_channels"]
        parts += [np.ceil(channels / block) * block / channels for block in BLOCKS]
    parts += [columns["layout"] == layout for layout in LAYOUTS]
    parts += [columns["activation"] == name for name in activations]
    parts += [columns["op"] == name for name in ops]
    return np.column_stack([np.asarray(part, dtype=np.float64) for part in parts])


_NUMBERS = (
    "log_macs",
    "log_elementwise_ops",
    "log_bytes_read",
    "log_bytes_written",
    "log_weight_bytes",
    "log_activation_bytes",
    "log_intensity",
    "log_bound_ms",
    "log_network_bytes",
    "batch",
    "log_in_channels",
    "log_out_channels",
    "log_in_per_group",
    "log_out_per_group",
    "groups",
    "log_in_pixels",
    "log_out_pixels",
    "in_width",
    "out_width",
    "out_height",
    "kernel_height",
    "kernel_width",
    "kernel_pixels",
    "stride_height",
    "stride_width",
    "dilation",
    "operands",
    "residual",
    "inplace",
    "out_width_tail_6",
    "out_width_tail_16",
)


def _numbers(columns: Columns, roofline: Roofline) -> dict[str, Matrix]:
    c = columns
    log = np.log2
    read, written = c["bytes_read"], c["bytes_written"]
    pixels_in, pixels_out = c["in_height"] * c["in_width"], c["out_height"] * c["out_width"]
    plain = ("batch", "groups", "in_width", "out_width", "out_height", "kernel_height",
             "kernel_width", "stride_height", "stride_width", "dilation", "operands", "residual",
             "inplace")  # fmt: skip
    return {
        "log_macs": log(c["macs"] + 1),
        "log_elementwise_ops": log(c["elementwise_ops"] + 1),
        "log_bytes_read": log(read + 1),
        "log_bytes_written": log(written + 1),
        "log_weight_bytes": log(c["weight_bytes"] + 1),
        "log_activation_bytes": log(np.maximum(read - c["weight_bytes"], 0) + written + 1),
        "log_intensity": log((c["macs"] + 1) / (read + written + 1)),
        "log_bound_ms": log(roofline.bound_ms(c)),
        "log_network_bytes": log(c["network_bytes"] + 1),
        "log_in_channels": log(c["in_channels"]),
        "log_out_channels": log(c["out_channels"]),
        "log_in_per_group": log(np.maximum(c["in_channels"] / c["groups"], 1)),
        "log_out_per_group": log(np.maximum(c["out_channels"] / c["groups"], 1)),
        "log_in_pixels": log(pixels_in),
        "log_out_pixels": log(pixels_out),
        "kernel_pixels": c["kernel_height"] * c["kernel_width"],
        "out_width_tail_6": c["out_width"] % 6,
        "out_width_tail_16": c["out_width"] % 16,
        **{name: c[name] for name in plain},
    }
