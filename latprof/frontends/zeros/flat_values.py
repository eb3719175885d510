"""Values of the tensors in files that hold them as they are: safetensors and ONNX.

References
----------
Hugging Face, safetensors: README.md, "Format".
ONNX, onnx.proto: TensorProto.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latprof.errors import UnreadableModel
from latprof.frontends.bounded import parse_json, read_head
from latprof.frontends.onnx.messages import ModelProto
from latprof.frontends.onnx.values import DTYPES
from latprof.frontends.onnx.wire import Decoder
from latprof.frontends.torch.safetensors import weights_in

# dtypes → NumPy's type, and for types that NumPy lacks the bits that are not the sign.
_TYPES: Mapping[str, tuple[str, int]] = {
    **{name: (f"<{kind}", 0) for name, kind in (
        ("float64", "f8"), ("float32", "f4"), ("float16", "f2"), ("int64", "i8"), ("int32", "i4"),
        ("int16", "i2"), ("int8", "i1"), ("uint8", "u1"), ("uint16", "u2"), ("uint32", "u4"),
        ("uint64", "u8"), ("bool", "u1"))},
    "bfloat16": ("<u2", 0x7FFF),
    "float8": ("u1", 0x7F),
}  # fmt: skip


class FlatValues:
    """Arrays in a file, by the names that the file gives them: see `safetensors` and `onnx`."""

    def __init__(self, held: Mapping[str, tuple[str, tuple[int, ...], memoryview]]) -> None:
        self._held = held
        self.names = list(held)

    def array(self, name: str) -> Any:
        """The values of one tensor, or None where they cannot be read."""
        dtype, shape, data = self._held[name]
        if dtype not in _TYPES or min((0, *shape)) < 0:
            return None
        kind, bits = _TYPES[dtype]
        elements = math.prod(shape)
        if len(data) != elements * np.dtype(kind).itemsize:
            return None
        values = np.frombuffer(data, kind).reshape(shape)
        return values & bits if bits else values


def safetensors(path: Path) -> FlatValues:
    """The weights of a safetensors file, mapped."""
    (collection,) = weights_in(path)
    length = int.from_bytes(read_head(path, 8), "little")
    header = parse_json(read_head(path, 8 + length)[8:], f"the header of {str(path)!r}")
    content = _mapped(path)[8 + length :]
    held = {}
    for name, weight in collection.weights.items():
        start, stop = _offsets(header[name])
        if weight.shape is not None and 0 <= start <= stop <= len(content):
            held[name] = (weight.dtype, weight.shape, content[start:stop])
    return FlatValues(held)


def onnx(path: Path) -> FlatValues:
    """The initializers of an ONNX file that stand in the file itself, mapped."""
    try:
        graph = Decoder().decode(ModelProto, _mapped(path)).graph
    except RecursionError as error:
        raise UnreadableModel(f"{str(path)!r} is nested too deeply for a real model.") from error
    held = {}
    for tensor in graph.initializer if graph else ():
        lists = tensor.float_data if tensor.data_type == 1 else []
        data = lists[0] if tensor.raw_data is None and len(lists) == 1 else tensor.raw_data
        if data is not None:
            held[tensor.name] = (DTYPES.get(tensor.data_type, ""), tuple(tensor.dims), data)
    return FlatValues(held)


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _offsets(entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    whole = isinstance(offsets, list) and len(offsets) == 2 and all(type(o) is int for o in offsets)
    return (offsets[0], offsets[1]) if isinstance(offsets, list) and whole else (0, -1)
