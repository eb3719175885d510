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

Columns = Mapping[str, np.ndarray[Any, Any]]

NETWORK_BYTES = "network_bytes"
_TEXT = {f.name for f in fields(Kernel) if str(f.type) == "str"}


def columns_of(kernels: Sequence[Kernel] | pd.DataFrame) -> Columns:
    """Arrays by field name: numbers as float64, text as str.

    One column is not a field: ``network_bytes``, what all kernels of the same network move
    together. It says how much of the caches is left to a kernel by those around it.

    Parameters
    ----------
    kernels : sequence of Kernel, or DataFrame with the columns of a kernel
        A sequence is the kernels of one network; a frame may hold several, told apart by its
        column ``network``.
    """
    if isinstance(kernels, Sequence):
        values: dict[str, Any] = {n: [getattr(k, n) for k in kernels] for n in COLUMNS}
        moved = sum(kernel.bytes_moved for kernel in kernels)
        values[NETWORK_BYTES] = [moved] * len(kernels)
    else:
        values = {name: kernels[name].tolist() for name in COLUMNS}
        moved_each = kernels["bytes_read"] + kernels["bytes_written"]
        together = moved_each.groupby(kernels["network"]).transform("sum")
        values[NETWORK_BYTES] = together.tolist()
    return {
        name: np.array(cells, dtype=str if name in _TEXT else np.float64)
        for name, cells in values.items()
    }


def signature_hashes(columns: Columns) -> np.ndarray[Any, Any]:
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
