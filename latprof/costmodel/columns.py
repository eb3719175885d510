"""Kernels as columns: plain arrays by field name, from objects or from a table."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from latprof.kernel import COLUMNS, SIGNATURE, Kernel

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]

# What surrounds a kernel, in few classes, so that a time once worked out serves many networks:
# octaves of what all kernels of its network move together, and pairs of octaves of what the
# kernel just before it moved. Both say how much of the caches is left to it.
NETWORK_OCTAVE = "network_octave"
BEFORE_OCTAVE = "before_octave"
CONTEXT = (NETWORK_OCTAVE, BEFORE_OCTAVE)
_LEAST_OCTAVE, _MOST_OCTAVE = 12, 27  # 4 KB: the first cache has room; 128 MB: no cache has
_TEXT = {f.name for f in fields(Kernel) if str(f.type) == "str"}


def columns_of(kernels: Sequence[Kernel] | pd.DataFrame) -> Columns:
    """Arrays by field name: numbers as float64, text as str; and the columns of `CONTEXT`.

    Parameters
    ----------
    kernels : sequence of Kernel, or DataFrame with the columns of a kernel
        In running order. A sequence is the kernels of one network; a frame may hold several,
        told apart by its column ``network``.
    """
    if isinstance(kernels, Sequence):
        values: dict[str, Any] = {n: [getattr(k, n) for k in kernels] for n in COLUMNS}
        networks = np.zeros(len(kernels), dtype=np.int64)
    else:
        values = {name: kernels[name].tolist() for name in COLUMNS}
        networks = np.unique(kernels["network"].to_numpy(dtype=str), return_inverse=True)[1]
    columns = {
        name: np.array(cells, dtype=str if name in _TEXT else np.float64)
        for name, cells in values.items()
    }
    moved = columns["bytes_read"] + columns["bytes_written"]
    return {**columns, **context(moved, networks)}


def context(moved: Array, networks: Array) -> dict[str, Array]:
    """The columns of `CONTEXT`.

    Parameters
    ----------
    moved : ndarray of shape (n,)
        Bytes that each kernel moves, in running order.
    networks : ndarray of shape (n,), int
        The network of each.
    """
    together = np.bincount(networks, weights=moved)[networks] if len(moved) else moved
    before = np.concatenate([[0.0], moved[:-1]]) if len(moved) else moved
    first = np.ones(len(moved), dtype=bool)
    first[1:] = networks[1:] != networks[:-1]
    return {
        NETWORK_OCTAVE: _octave(together, 1),
        BEFORE_OCTAVE: _octave(np.where(first, 0.0, before), 2),
    }


def _octave(moved: Array, step: int) -> Array:
    octave = np.round(np.log2(np.maximum(moved, 1.0)) / step) * step
    return np.clip(octave, _LEAST_OCTAVE, _MOST_OCTAVE)


def take(columns: Columns, chosen: Array) -> Columns:
    """The chosen rows: positions, or a flag for each."""
    return {name: values[chosen] for name, values in columns.items()}


def signature_hashes(columns: Columns) -> Array:
    """A 64-bit number for each kernel, equal for kernels alike in all that changes the time."""
    parts = [
        [str(v) for v in columns[name].tolist()]
        if name in _TEXT
        else [str(int(v)) for v in columns[name].tolist()]
        for name in SIGNATURE
    ]
    texts = ("|".join(row).encode() for row in zip(*parts, strict=True))
    hashes = [zlib.crc32(text) | zlib.crc32(text[::-1]) << 32 for text in texts]
    return np.array(hashes, dtype=np.uint64)
