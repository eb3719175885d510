"""Stand-in weights: the time of a kernel does not depend on their values, with two exceptions.

Zeros let a runtime fold whole layers away, and denormal numbers are slow; so the numbers are
drawn as a trained network would hold them, the same for the same tensor every time.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from latprof.graph import Tensor

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


def weight_values(tensor: Tensor, *, positive: bool = False) -> np.ndarray[Any, Any]:
    """Numbers for a stored tensor.

    Parameters
    ----------
    tensor : Tensor
        One with `values` gets exactly those.
    positive : bool, default=False
        For norm scales and variances: numbers around 1, none near 0.

    Returns
    -------
    values : ndarray of ``tensor.shape``

    References
    ----------
    He et al., Delving Deep into Rectifiers, arXiv 1502.01852, eq. 10: a standard deviation of
    √(2 / fan-in) keeps activations in range through any depth.
    """
    dtype = NUMPY_DTYPES.get(tensor.dtype, np.float32)
    if tensor.values is not None:
        return np.array(tensor.values, dtype=dtype).reshape(tensor.shape)
    generator = np.random.default_rng(zlib.crc32(tensor.name.encode()))
    if not np.issubdtype(dtype, np.floating):
        return generator.integers(0, 2, size=tensor.shape).astype(dtype)
    if positive:
        return generator.uniform(0.5, 1.5, size=tensor.shape).astype(dtype)
    fan_in = max(1, tensor.elements // max(1, tensor.shape[0] if tensor.shape else 1))
    deviation = (2.0 / fan_in) ** 0.5 if len(tensor.shape) > 1 else 0.1
    drawn = generator.standard_normal(size=tensor.shape, dtype=np.float32)
    return (drawn * np.float32(deviation)).astype(dtype)


def input_values(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Numbers for a model input: like a normalised image, or small indices."""
    dtype = NUMPY_DTYPES.get(tensor.dtype, np.float32)
    generator = np.random.default_rng(zlib.crc32(tensor.name.encode()) + 1)
    if not np.issubdtype(dtype, np.floating):
        return generator.integers(0, 2, size=tensor.shape).astype(dtype)
    return generator.standard_normal(size=tensor.shape, dtype=np.float32).astype(dtype)
