"""Stand-in weights: the time of a kernel does not depend on their values, with two exceptions.

Zeros let a runtime fold whole layers away, and denormal numbers are slow; so the numbers are
drawn as a trained network would hold them, the same for the same tensor every time.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np

from latprof.errors import UnsupportedOp
from latprof.graph import Graph, Tensor

NUMPY_DTYPES = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint8": np.uint8,
    "bool": np.bool_,
}

# Nothing drawn is closer to zero than this share of its standard deviation.
_SMALLEST_SHARE = 1e-3
_POOL = 1_048_583  # a prime: tensors of round sizes do not repeat each other
_NORM_SCALES = (1, 4)  # where a norm takes its scale and its variance


def norm_scales(graph: Graph) -> frozenset[str]:
    """Weights that a norm multiplies or divides by: they have to be positive."""
    return frozenset(
        node.inputs[index]
        for node in graph.nodes
        if node.op.endswith("_norm")
        for index in _NORM_SCALES
        if index < len(node.inputs) and node.inputs[index]
    )


def check_dtypes(graph: Graph, runtime: str) -> None:
    """Refuse numbers that cannot be made here, rather than measure others in their place.

    Raises
    ------
    UnsupportedOp
    """
    strange = sorted({tensor.dtype for tensor in graph.tensors.values()} - NUMPY_DTYPES.keys())
    if strange:
        raise UnsupportedOp(
            f"{graph.name!r} holds {', '.join(strange)} numbers, which latprof cannot yet run "
            f"under {runtime}. Measure the model in float32; `latprof predict` answers as it is."
        )


def weight_values(tensor: Tensor, *, positive: bool = False) -> np.ndarray[Any, Any]:
    """Numbers for a stored tensor.

    Parameters
    ----------
    tensor : Tensor
        One with `values` gets exactly those; indices and masks without are 0 or 1.
    positive : bool, default=False
        For `norm_scales`: numbers from 0.5 to 1.5.

    Returns
    -------
    values : ndarray of ``tensor.shape``

    References
    ----------
    He et al., Delving Deep into Rectifiers, arXiv 1502.01852, eq. 10: a standard deviation of
    √(2 / fan-in) keeps activations in range through any depth.
    """
    dtype = NUMPY_DTYPES[tensor.dtype]
    if tensor.values is not None:
        return np.array(tensor.values, dtype=dtype).reshape(tensor.shape)
    generator = np.random.default_rng(zlib.crc32(tensor.name.encode()))
    if not np.issubdtype(dtype, np.floating):
        return _shaped(generator.integers(0, 2, size=tensor.shape), tensor)
    if positive:
        return _shaped(generator.uniform(0.5, 1.5, size=tensor.shape), tensor)
    fan_in = max(1, tensor.elements // max(1, tensor.shape[0] if tensor.shape else 1))
    deviation = (2.0 / fan_in) ** 0.5 if len(tensor.shape) > 1 else 0.1
    drawn = _normals(tensor) * np.float32(deviation)
    least = np.float32(np.finfo(dtype).smallest_normal)
    if least > _SMALLEST_SHARE * deviation:  # half floats run out sooner
        drawn = np.copysign(np.maximum(np.abs(drawn), least), drawn)
    return _shaped(drawn, tensor)


@cache
def _pool() -> np.ndarray[Any, Any]:
    """Normal numbers, none closer to zero than `_SMALLEST_SHARE`."""
    drawn = np.random.default_rng(0).standard_normal(_POOL, dtype=np.float32)
    return np.copysign(np.maximum(np.abs(drawn), np.float32(_SMALLEST_SHARE)), drawn)


def _normals(tensor: Tensor) -> np.ndarray[Any, Any]:
    """As many normal numbers as `tensor` has, from a place in the pool that its name chooses.

    Drawing anew for each tensor took most of the time that opening a small network does.
    """
    start = zlib.crc32(tensor.name.encode()) % _POOL
    found = np.empty(tensor.elements, dtype=np.float32)
    filled = 0
    while filled < len(found):
        part = _pool()[start : start + len(found) - filled]
        found[filled : filled + len(part)] = part
        filled, start = filled + len(part), 0
    return found


def input_values(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Numbers for a model input: like a normalised image, or small indices."""
    dtype = NUMPY_DTYPES[tensor.dtype]
    generator = np.random.default_rng(zlib.crc32(tensor.name.encode()) + 1)
    if not np.issubdtype(dtype, np.floating):
        return _shaped(generator.integers(0, 2, size=tensor.shape), tensor)
    return _shaped(generator.standard_normal(size=tensor.shape, dtype=np.float32), tensor)


def _shaped(drawn: Any, tensor: Tensor) -> np.ndarray[Any, Any]:
    """As an array even where NumPy gives a lone number."""
    return np.asarray(drawn, dtype=NUMPY_DTYPES[tensor.dtype]).reshape(tensor.shape)
