"""How well a table covers a kernel: measured, interpolated, extrapolated, or only bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from latprof.costmodel.columns import Array, Columns, signature_hashes

BASES = ("measured", "interpolated", "extrapolated", "bound")
MEASURED, INTERPOLATED, EXTRAPOLATED, BOUND = range(4)

FEWEST_ROWS = 5  # an operator seen less often than this cannot be interpolated


@dataclass(frozen=True)
class Coverage:
    """What a table holds.

    Parameters
    ----------
    rows : mapping of str to int
        Kernels measured, by operator.
    hashes : ndarray of shape (n,), uint64
        Signatures of the kernels in the table, ascending.
    latency_ms : ndarray of shape (n,)
        Their median times.
    """

    rows: Mapping[str, int]
    hashes: Array
    latency_ms: Array

    def basis(self, columns: Columns, near: Array) -> Array:
        """Index into `BASES` for each kernel.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (n,)
        near : ndarray of shape (n,), bool
            Whether a kernel is no further from a measured one than those are from each other.
        """
        basis = np.full(len(columns["op"]), BOUND)
        for op, rows in self.rows.items():
            mine = columns["op"] == op
            basis[mine] = np.where(near[mine] & (rows >= FEWEST_ROWS), INTERPOLATED, EXTRAPOLATED)
        basis[self.find(columns) >= 0] = MEASURED
        return basis

    def find(self, columns: Columns) -> Array:
        """Position of each kernel in the table, -1 for one that is not there."""
        wanted = signature_hashes(columns)
        if not len(self.hashes):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        return np.where(self.hashes[at] == wanted, at, -1)


def coverage_of(columns: Columns, latency_ms: Array) -> Coverage:
    """What the kernels of a table cover."""
    unique, groups = alike(columns, latency_ms)
    return Coverage(
        rows={op: int((columns["op"] == op).sum()) for op in sorted(set(columns["op"].tolist()))},
        hashes=unique,
        latency_ms=np.array([np.median(group) for group in groups]),
    )


def alike(columns: Columns, latency_ms: Array) -> tuple[Array, list[Array]]:
    """Signatures of the kernels, ascending, and the times of all kernels of each."""
    unique, inverse = np.unique(signature_hashes(columns), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return unique, np.split(latency_ms[order], np.cumsum(np.bincount(inverse))[:-1])


def disagreement(columns: Columns, latency_ms: Array) -> dict[str, float]:
    """How much kernels alike in every column differ in time: what no model of them can explain.

    Returns
    -------
    said : dict
        ``repeated``: kernels that stand more than once; ``median_spread`` and ``worst_spread``:
        slowest over fastest of each, minus one.
    """
    several = [group for group in alike(columns, latency_ms)[1] if len(group) > 1]
    spreads = [float(group.max() / group.min()) - 1 for group in several]
    return {
        "repeated": len(several),
        "median_spread": float(np.median(spreads)) if spreads else 0.0,
        "worst_spread": max(spreads, default=0.0),
    }
