"""Stored tensors of an ONNX file: their dtype, their shape, and the few numbers worth reading."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.onnx.messages import TensorProto
from latprof.frontends.onnx.wire import varints
from latprof.graph import DTYPE_BYTES, Shape

Array = np.ndarray[Any, Any]

# onnx.proto, TensorProto.DataType; formats of one width go by the name of their family.
DTYPES: Mapping[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64",
    15: "complex128", 16: "bfloat16", 17: "float8", 18: "float8", 19: "float8", 20: "float8",
    21: "int4", 22: "int4", 23: "int4", 24: "float8",
}  # fmt: skip
TEXT = 8  # what a tensor of strings has in place of a dtype
EXTERNAL = 1  # TensorProto.data_location

MAX_RANK = 64
MAX_KNOWN = 4096  # numbers read from one tensor: shapes, axes, sizes and scalars, never weights


@dataclass(eq=False, slots=True)
class Value:
    """What a name of an ONNX graph stands for.

    Parameters
    ----------
    name : str
        Of the tensor in our graph.
    shape : tuple of int
    dtype : str
        As operators see it: a weight stored as int8 for a float convolution is a float.
    stored : bool
        Whether it is known before the model runs.
    kept_as : str
        The dtype it is stored in.
    trained : bool
        Whether it looks like a parameter: many numbers that are not whole, among the initializers.
    proto : TensorProto, optional
        Where its numbers are, if nobody has read them.
    numbers : ndarray, optional
    transposed : Value, optional
        The stored matrix that this is the transpose of.
    """

    name: str
    shape: Shape
    dtype: str
    stored: bool = False
    kept_as: str = ""
    trained: bool = False
    proto: TensorProto | None = field(default=None, repr=False)
    numbers: Array | None = None
    transposed: Value | None = None

    def __post_init__(self) -> None:
        if len(self.shape) > MAX_RANK:
            raise ShapeMismatch(f"{self.name!r} has {len(self.shape)} axes; {MAX_RANK} at most.")
        self.kept_as = self.kept_as or self.dtype

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def stored_value(proto: TensorProto, name: str, *, initializer: bool) -> Value:
    """The value of a tensor in the file."""
    dtype, shape = dtype_of(proto.data_type, name), tuple(proto.dims)
    if any(size < 0 for size in shape):
        raise ShapeMismatch(f"the stored tensor {name!r} has the shape {shape}.")
    value = Value(name, shape, dtype, stored=True, proto=proto)
    value.trained = initializer and "float" in dtype and value.elements > 1
    return value


def dtype_of(code: int, name: str) -> str:
    """Our name of an ONNX dtype; text counts one byte an element."""
    if code == TEXT:
        return "uint8"
    if code not in DTYPES:
        raise UnreadableModel(
            f"{name!r} has the dtype number {code}, which latprof does not know. Update latprof, "
            "or convert the model to float32."
        )
    return DTYPES[code]


def from_numbers(numbers: Any, name: str) -> Value:
    """A value that was computed while reading."""
    array = np.asarray(numbers)
    dtype = array.dtype.name if array.dtype.name in DTYPE_BYTES else "float32"
    return Value(name, array.shape, dtype, stored=True, numbers=array)


def read_numbers(proto: TensorProto, folder: Path) -> Array | None:
    """The numbers of a small stored tensor; None for a large one, or of a dtype numpy lacks.

    Raises
    ------
    UnreadableModel
        If they are not all there.
    """
    dtype, count = DTYPES.get(proto.data_type, ""), math.prod(proto.dims)
    if not hasattr(np, dtype.replace("bool", "bool_")) or not 0 <= count <= MAX_KNOWN:
        return None
    kind = np.dtype(dtype)
    if proto.data_location == EXTERNAL:
        raw: Any = _read_external(proto, count * kind.itemsize, folder)
        array = np.frombuffer(raw, dtype=kind.newbyteorder("<"))
    elif proto.raw_data is not None:
        raw = proto.raw_data[: count * kind.itemsize]
        if len(raw) % kind.itemsize:
            raise UnreadableModel(_lacks(proto, count))
        array = np.frombuffer(raw, dtype=kind.newbyteorder("<"))
    else:
        array = _from_lists(proto, kind, count)
    if array.size < count:
        raise UnreadableModel(_lacks(proto, count))
    return array[:count].reshape(proto.dims).astype(kind)


def _from_lists(proto: TensorProto, kind: np.dtype[Any], count: int) -> Array:
    """Numbers that stand in lists of their own instead of in raw bytes."""
    if kind.name == "float32":
        return np.frombuffer(_first(proto.float_data, 4 * count), dtype="<f4")
    if kind.name == "float64":
        return np.frombuffer(_first(proto.double_data, 8 * count), dtype="<f8")
    wide = {"int64": proto.int64_data, "uint32": proto.uint64_data, "uint64": proto.uint64_data}
    packed = wide.get(kind.name, proto.int32_data)
    found = [n for view in packed for n in varints(view, count)][:count]
    bits = np.array(found, dtype=np.int64)
    if kind.name == "float16":  # stored as the bits of its 16
        return bits.astype(np.uint16).view(np.float16)
    return bits.astype(kind)


def _first(views: list[memoryview], length: int) -> bytes:
    found = b"".join(bytes(view[:length]) for view in views)[:length]
    return found[: len(found) // 4 * 4] if len(found) == length else b""


def _read_external(proto: TensorProto, length: int, folder: Path) -> bytes:
    """A few bytes of a file of weights, which must lie within the model's folder."""
    said = {entry.key: entry.value for entry in proto.external_data}
    location = said.get("location", "")
    try:
        path = (folder / location).resolve()
        offset = int(said.get("offset", "0") or "0")
        if not location or not path.is_relative_to(folder.resolve()):
            raise UnreadableModel(
                f"the numbers of {proto.name!r} are said to be in {location[:200]!r}, outside the "
                "model's folder; latprof does not look there. Put the file beside the model."
            )
        if not path.is_file():
            raise UnreadableModel(
                f"the numbers of {proto.name!r} are in {location[:200]!r}, which is not beside the "
                "model. Copy that file too."
            )
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        # RuntimeError: a loop of symbolic links; ValueError: a null byte, or no number.
        raise UnreadableModel(
            f"cannot read the numbers of {proto.name!r} from {location[:200]!r}: {error}."
        ) from error


def _lacks(proto: TensorProto, count: int) -> str:
    return f"the stored tensor {proto.name!r} does not hold the {count} numbers of its shape."
