"""What a cost model sees of a kernel: numbers that say how hard its shape is to run well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from latprof.costmodel.columns import BEFORE_OCTAVE, NETWORK_OCTAVE, Columns

Matrix = np.ndarray[Any, Any]

# Families have estimators each: their times follow different rules.
FAMILIES = {
    "dense": ("conv", "pointwise", "grouped", "conv_transpose"),
    "depthwise": ("depthwise",),
    "product": ("linear", "matmul", "attention", "einsum", "lstm", "gru", "rnn"),
}
OTHER = "memory"  # everything that mostly moves bytes
FAMILY_NAMES = (*FAMILIES, OTHER)

BLOCKS = (4, 8, 16, 32)  # channel counts that vector units and layouts like
TILES = (6, 16)  # pixels of a row that a kernel takes at once


def family_of(op: str) -> str:
    """The family of an operator's kernels."""
    return next((family for family, ops in FAMILIES.items() if op in ops), OTHER)


def number_names() -> list[str]:
    """Names of the columns of `feature_matrix` that are numbers; they come first."""
    return [
        *_NUMBERS,
        *(f"{side}_channels_waste_{block}" for side in ("in", "out") for block in BLOCKS),
        *(f"out_width_waste_{tile}" for tile in TILES),
    ]


def feature_names(
    ops: Sequence[str],
    activations: Sequence[str],
    layouts: Sequence[str],
    dtypes: Sequence[str],
) -> list[str]:
    """Names of the columns of `feature_matrix`, in order."""
    return [
        *number_names(),
        *(f"dtype={dtype}" for dtype in dtypes),
        *(f"layout={layout}" for layout in layouts),
        *(f"activation={name}" for name in activations),
        *(f"op={name}" for name in ops),
    ]


def feature_matrix(
    columns: Columns,
    law_ms: Matrix,
    ops: Sequence[str],
    activations: Sequence[str],
    layouts: Sequence[str],
    dtypes: Sequence[str],
) -> Matrix:
    """Features of each kernel.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n,)
    law_ms : ndarray of shape (n,)
        What the law of times says.
    ops, activations, layouts, dtypes : sequence of str
        Those the model knows; an unknown one has zeros in all their columns.

    Returns
    -------
    features : ndarray of shape (n, len(feature_names(ops, activations, layouts, dtypes)))
    """
    numbers = _numbers(columns, law_ms)
    parts = [numbers[name] for name in _NUMBERS]
    parts += [_waste(columns[f"{s}_channels"], b) for s in ("in", "out") for b in BLOCKS]
    parts += [_waste(columns["out_width"], tile) for tile in TILES]
    parts += [columns["dtype"] == dtype for dtype in dtypes]
    parts += [columns["layout"] == layout for layout in layouts]
    parts += [columns["activation"] == name for name in activations]
    parts += [columns["op"] == name for name in ops]
    matrix = np.empty((len(columns["op"]), len(parts)))
    for position, part in enumerate(parts):
        matrix[:, position] = part
    return matrix


_NUMBERS = (
    "log_law_ms",
    "log_macs",
    "log_elementwise_ops",
    "log_activation_bytes",
    "log_bytes_written",
    "log_weight_bytes",
    "log_bytes_moved",
    NETWORK_OCTAVE,
    BEFORE_OCTAVE,
    "log_batch",
    "log_in_per_group",
    "log_out_per_group",
    "log_groups",
    "log_in_pixels",
    "log_out_pixels",
    "log_out_width",
    "log_out_height",
    "log_kernel_pixels",
    "kernel_width",
    "stride_height",
    "log_dilation",
    "operands",
    "residual",
    "inplace",
)


def _waste(size: Matrix, block: int) -> Matrix:
    """Octaves of work that whole blocks add."""
    size = np.maximum(size, 1.0)
    return np.log2(np.ceil(size / block) * block / size)


def _log(value: Matrix) -> Matrix:
    return np.log2(np.maximum(value, 1.0))


def _numbers(columns: Columns, law_ms: Matrix) -> dict[str, Matrix]:
    c = columns
    read, written = c["bytes_read"], c["bytes_written"]
    plain = (NETWORK_OCTAVE, BEFORE_OCTAVE, "kernel_width", "stride_height", "operands",
             "residual", "inplace")  # fmt: skip
    return {
        "log_law_ms": np.log2(law_ms),
        "log_macs": _log(c["macs"]),
        "log_elementwise_ops": _log(c["elementwise_ops"]),
        "log_activation_bytes": _log(read - c["weight_bytes"]),
        "log_bytes_written": _log(written),
        "log_weight_bytes": _log(c["weight_bytes"]),
        "log_bytes_moved": _log(read + written),
        "log_batch": _log(c["batch"]),
        "log_in_per_group": _log(c["in_channels"] / np.maximum(c["groups"], 1)),
        "log_out_per_group": _log(c["out_channels"] / np.maximum(c["groups"], 1)),
        "log_groups": _log(c["groups"]),
        "log_in_pixels": _log(c["in_height"] * c["in_width"]),
        "log_out_pixels": _log(c["batch"] * c["out_height"] * c["out_width"]),
        "log_out_width": _log(c["out_width"]),
        "log_out_height": _log(c["out_height"]),
        "log_kernel_pixels": _log(c["kernel_height"] * c["kernel_width"]),
        "log_dilation": _log(c["dilation"]),
        **{name: c[name] for name in plain},
    }
