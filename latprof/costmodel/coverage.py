"""How well a table covers a kernel: measured, interpolated, extrapolated, or only bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.costmodel.columns import Columns, signature_hashes

Array = np.ndarray[Any, Any]

BASES = ("measured", "interpolated", "extrapolated", "bound")
MEASURED, INTERPOLATED, EXTRAPOLATED, BOUND = range(4)

# What must lie within the table's range, operator by operator, to count as inside it.
RANGED = (
    "macs",
    "bytes_read",
    "bytes_written",
    "in_channels",
    "out_channels",
    "out_height",
    "out_width",
    "kernel_height",
    "kernel_width",
    "stride_height",
    "dilation",
    "groups",
    "batch",
)
# Ranges hold this share of slack: 2 % beyond the largest measured shape is not another world.
_SLACK = 1.02
FEWEST_ROWS = 5  # an operator seen less often than this cannot be interpolated


@dataclass(frozen=True)
class Coverage:
    """What a table holds.

    Parameters
    ----------
    ranges : mapping of str to ndarray of shape (2, len(RANGED))
        Least and greatest value of each ranged column, by operator.
    rows : mapping of str to int
        Kernels measured, by operator.
    hashes : ndarray of shape (n,), uint64
        Signatures of the kernels in the table, ascending.
    latency_ms : ndarray of shape (n,)
        Their median times.
    """

    ranges: Mapping[str, Array]
    rows: Mapping[str, int]
    hashes: Array
    latency_ms: Array

    def basis(self, columns: Columns) -> Array:
        """Index into `BASES` for each kernel."""
        basis = np.full(len(columns["op"]), BOUND)
        values = np.column_stack([columns[name] for name in RANGED])
        for op, (least, greatest) in self.ranges.items():
            mine = columns["op"] == op
            inside = ((values >= least / _SLACK) & (values <= greatest * _SLACK)).all(axis=1)
            enough = self.rows[op] >= FEWEST_ROWS
            basis[mine & inside & enough] = INTERPOLATED
            basis[mine & ~(inside & enough)] = EXTRAPOLATED
        basis[self.find(columns) >= 0] = MEASURED
        return basis

    def find(self, columns: Columns) -> Array:
        """Position of each kernel in the table, -1 for one that is not there."""
        wanted = signature_hashes(columns)
        at = np.minimum(np.searchsorted(self.hashes, wanted), max(len(self.hashes) - 1, 0))
        if not len(self.hashes):
            return np.full(len(wanted), -1)
        return np.where(self.hashes[at] == wanted, at, -1)


def coverage_of(columns: Columns, latency_ms: Array) -> Coverage:
    """What the kernels of a table cover."""
    ops: Sequence[str] = sorted(set(columns["op"].tolist()))
    values = np.column_stack([columns[name] for name in RANGED])
    ranges = {op: np.stack([values[columns["op"] == op].min(axis=0),
                            values[columns["op"] == op].max(axis=0)]) for op in ops}  # fmt: skip
    hashes = signature_hashes(columns)
    unique, inverse = np.unique(hashes, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    groups = np.split(latency_ms[order], np.cumsum(np.bincount(inverse))[:-1])
    return Coverage(
        ranges=ranges,
        rows={op: int((columns["op"] == op).sum()) for op in ops},
        hashes=unique,
        latency_ms=np.array([np.median(group) for group in groups]),
    )
