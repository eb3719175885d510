"""Values of the tensors in the zip archives that PyTorch writes, without PyTorch and its pickles.

The bytes of a tensor lie uncompressed in the archive and are mapped, not read: nothing of the
file runs, and the memory holds a piece at a time.

References
----------
PyTorch, torch/serialization.py and torch/_utils.py: persistent ids, _rebuild_tensor_v2 and _v3.
PyTorch, torch/export/pt2_archive/constants.py: the members of a ``.pt2`` archive.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from latprof.errors import UnreadableModel
from latprof.frontends.bounded import open_zip, parse_json, read_member
from latprof.frontends.torch.pickle_outline import Elsewhere, Global, Made, Pairs, outline

# torch's names → how to tell zeros: NumPy's type, and for types that NumPy lacks the bits that
# are not the sign.
_TYPES: Mapping[str, tuple[str, int]] = {
    "float64": ("f8", 0), "double": ("f8", 0), "float32": ("f4", 0), "float": ("f4", 0),
    "float16": ("f2", 0), "half": ("f2", 0), "bfloat16": ("u2", 0x7FFF), "int64": ("i8", 0),
    "long": ("i8", 0), "int32": ("i4", 0), "int": ("i4", 0), "int16": ("i2", 0),
    "short": ("i2", 0), "int8": ("i1", 0), "char": ("i1", 0), "uint8": ("u1", 0),
    "byte": ("u1", 0), "uint16": ("u2", 0), "uint32": ("u4", 0), "uint64": ("u8", 0),
    "bool": ("u1", 0), "complex64": ("c8", 0), "float8_e4m3fn": ("u1", 0x7F),
    "float8_e5m2": ("u1", 0x7F),
}  # fmt: skip
# ScalarType in torch/_export/serde/schema.py.
_CODES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 10: "complex64", 12: "bool", 13: "bfloat16", 28: "uint16",
    29: "float8_e4m3fn", 30: "float8_e5m2",
}  # fmt: skip
_TRANSPARENT = ("_parameters", "_buffers", "_modules")
_MOST_VISITED = 1_000_000
_WEIGHTS = re.compile(r"([^/]+/)?data/weights/[^/]*weights_config\.json")


@dataclass(frozen=True)
class _Place:
    """Where the values of a tensor lie, and how."""

    member: str
    type_name: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class ZipValues:
    """Arrays in a zip archive, by the names that the model gives them.

    Raises
    ------
    UnreadableModel
        If the archive holds no tensors that can be read this way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_zip(path) as archive:
            self._members = {info.filename: info for info in archive.infolist()}
            found = next((name for name in self._members if _WEIGHTS.fullmatch(name)), None)
            try:
                places = _of_pt2(archive, found) if found else _of_pickle(archive, path)
                self._places = dict(places)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise UnreadableModel(
                    f"cannot find the weights in {str(path)!r}: {error!r}. Save it again."
                ) from error
        self.names = list(self._places)
        order = next((n for n in self._members if n.split("/", 1)[-1] == "byteorder"), None)
        with open_zip(path) as archive:
            self._order = ">" if order and read_member(archive, order, 16) == b"big" else "<"
        with path.open("rb") as file:
            self._map = mmap(file.fileno(), 0, access=ACCESS_READ)

    def array(self, name: str) -> Any:
        """The values of one tensor, or None where they cannot be read.

        Of a type that NumPy lacks come the bits that are zero where the value is.
        """
        place = self._places[name]
        if place.type_name not in _TYPES or place.member not in self._members:
            return None
        kind, bits = _TYPES[place.type_name]
        data = self._bytes(self._members[place.member])
        if data is None:
            return None
        dtype = np.dtype(self._order + kind)
        stored = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)
        if len(place.shape) != len(place.strides) or min((0, *place.shape, *place.strides)) < 0:
            return None
        elements = math.prod(place.shape)
        if elements == 0:
            return np.zeros(place.shape, dtype)
        reach = zip(place.shape, place.strides, strict=True)
        last = place.offset + sum((size - 1) * step for size, step in reach)
        if place.offset < 0 or last >= len(stored) or elements > len(stored):
            return None  # broken, or one stored number made to stand for many
        steps = tuple(step * dtype.itemsize for step in place.strides)
        values = np.lib.stride_tricks.as_strided(
            stored[place.offset :], place.shape, steps, writeable=False
        )
        return values & bits if bits else values

    def _bytes(self, info: zipfile.ZipInfo) -> memoryview | None:
        """Contents of a member that is stored as it is."""
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            return None
        head = self._map[info.header_offset : info.header_offset + 30]
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            return None
        name_bytes, extra_bytes = struct.unpack("<HH", head[26:30])
        start = info.header_offset + 30 + name_bytes + extra_bytes
        if start + info.file_size > len(self._map):
            return None
        return memoryview(self._map)[start : start + info.file_size]


def _of_pt2(archive: zipfile.ZipFile, config: str) -> Iterator[tuple[str, _Place]]:
    folder = config.rpartition("/")[0]
    held = parse_json(read_member(archive, config), repr(config))["config"]
    for name, entry in held.items():
        meta = entry["tensor_meta"]
        if entry.get("use_pickle"):
            continue
        yield (
            str(name),
            _Place(
                f"{folder}/{entry['path_name']}",
                _CODES.get(meta["dtype"], "unknown"),
                int(meta["storage_offset"]["as_int"]),
                tuple(int(size["as_int"]) for size in meta["sizes"]),
                tuple(int(step["as_int"]) for step in meta["strides"]),
            ),
        )


def _of_pickle(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, _Place]]:
    member = next(
        (name for name in archive.namelist() if name.split("/", 1)[-1] == "data.pkl"), None
    )
    if member is None:
        raise UnreadableModel(
            f"{str(path)!r} keeps its weights in a way that is not read. Save it with this PyTorch."
        )
    folder = member.removesuffix("data.pkl")
    root = outline(io.BytesIO(read_member(archive, member)), repr(str(path)))
    for name, tensor in _tensors(root):
        place = _place_of(tensor, folder)
        if place is not None:
            yield name, place


def _tensors(root: Any) -> Iterator[tuple[str, Made]]:
    """Every tensor in a pickled network, a script or a state dict, with its dotted path."""
    waiting: list[tuple[str, Any]] = [("", root)]
    seen: set[int] = set()
    visited = 0
    while waiting and visited < _MOST_VISITED:
        path, value = waiting.pop()
        visited += 1
        if isinstance(value, Made) and value.class_name.startswith("torch._utils._rebuild_param"):
            value = value.arguments[0]
        if isinstance(value, Made) and value.class_name.startswith("torch._utils._rebuild_tensor"):
            yield path, value
            continue
        if id(value) in seen:  # a network may refer to itself
            continue
        seen.add(id(value))
        for key, inner in _items(value):
            if isinstance(key, (str, int)) and isinstance(inner, (Made, Pairs)):
                joined = path if key in _TRANSPARENT else f"{path}.{key}".lstrip(".")
                waiting.append((joined, inner))


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Pairs):
        return value.items
    if not isinstance(value, Made):
        return []
    pairs = [item for item in value.items if isinstance(item, tuple) and len(item) == 2]
    return pairs + (_items(value.state) if isinstance(value.state, (Pairs, Made)) else [])


def _place_of(tensor: Made, folder: str) -> _Place | None:
    arguments = tensor.arguments
    if not isinstance(arguments, tuple) or len(arguments) < 4:
        return None
    storage, offset, shape, strides = arguments[:4]
    identity = storage.identity if isinstance(storage, Elsewhere) else None
    if not isinstance(identity, tuple) or len(identity) < 3:
        return None
    kind = arguments[6] if tensor.class_name.endswith("_v3") and len(arguments) > 6 else identity[1]
    whole = (offset, *shape, *strides)
    if not isinstance(kind, Global) or not all(isinstance(number, int) for number in whole):
        return None
    type_name = kind.name.rpartition(".")[2].removesuffix("Storage").lower()
    return _Place(f"{folder}data/{identity[2]}", type_name, offset, tuple(shape), tuple(strides))
