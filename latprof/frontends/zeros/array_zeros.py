"""Zeros in an array, counted a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from latprof.counting.sparsity import WeightZeros

_PIECE = 2**22  # elements looked at at once: a few MB, however large the array


def zeros_in(values: Any, mask: Any = None) -> WeightZeros:
    """The zeros of an array, and of `mask` times it if there is one.

    Parameters
    ----------
    values, mask : ndarray
        Of one shape. They may be maps of a file: no more than a piece is in memory.
    """
    shape = tuple(int(size) for size in values.shape)
    nonzero = 0
    rows = np.zeros(shape[0] if shape else 0, bool)
    columns = np.zeros(shape[1] if len(shape) > 1 else 0, bool)
    for index in _pieces(shape):
        piece = values[index] != 0
        if mask is not None:
            piece &= mask[index] != 0
        nonzero += int(np.count_nonzero(piece))
        if shape:
            rows[index[0]] |= piece.reshape(piece.shape[0], -1).any(axis=1)
        if len(shape) > 1:
            other = tuple(axis for axis in range(piece.ndim) if axis != 1)
            columns[index[1]] |= piece.any(axis=other)
    elements = int(np.prod(shape, dtype=np.int64))
    return WeightZeros(
        shape=shape,
        zeros=elements - nonzero,
        zero_rows=int(np.count_nonzero(~rows)) if elements else 0,
        zero_columns=int(np.count_nonzero(~columns)) if elements else 0,
    )


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Slices along the first two axes that cover the array."""
    if not shape:
        yield ()
        return
    inner = int(np.prod(shape[2:], dtype=np.int64)) if len(shape) > 2 else 1
    width = shape[1] if len(shape) > 1 else 1
    across = max(1, min(width, _PIECE // max(1, inner)))
    down = max(1, _PIECE // max(1, inner * across))
    for top in range(0, shape[0], down):
        rows = slice(top, top + down)
        if len(shape) == 1:
            yield (rows,)
            continue
        for left in range(0, width, across):
            yield rows, slice(left, left + across)
