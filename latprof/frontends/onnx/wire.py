"""Protocol Buffers' wire format: messages read field by field, bounded, nothing copied unasked.

Why not the library: it copies every weight of a file, twice 2 GB at worst, to get at shapes;
here bytes are views of the file, and how much is decoded is limited. A message is a dataclass that
says which of its fields are wanted; all others are stepped over.

References
----------
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import dataclasses
import struct
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from latprof.errors import UnreadableModel

VARINT, I64, BYTES, I32 = 0, 1, 2, 5

# A graph of 50,000 nodes comes to two million; decoding this many takes a few seconds.
MAX_FIELDS = 3_000_000
MESSAGE_COST = 5  # what a message counts beside its fields
MAX_DEPTH = 64  # messages within messages; graphs nest within attributes of nodes of graphs

M = TypeVar("M", bound="Message")


def one(number: int, kind: Any, default: Any = None) -> Any:
    """A field that holds one value: a message's class name, ``str``, ``int``, ``float``, ``bytes``.

    ``bytes`` come as a view of the file.
    """
    return dataclasses.field(default=default, metadata={"number": number, "kind": kind})


def many(number: int, kind: Any) -> Any:
    """A field that holds a list; of ``bytes``, a list of views, each of many packed values."""
    return dataclasses.field(
        default_factory=list, metadata={"number": number, "kind": kind, "many": True}
    )


class Message:
    """A dataclass with fields made by `one` and `many`."""

    __slots__ = ()


@dataclasses.dataclass(slots=True)
class Decoder:
    """Decodes messages until `MAX_FIELDS` of them have been seen."""

    left: int = MAX_FIELDS
    depth: int = 0

    def decode(self, kind: type[M], view: memoryview) -> M:
        """The message of class `kind` that `view` holds.

        Raises
        ------
        UnreadableModel
            If the bytes are no such message, or are made to take forever.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableModel(f"its parts are nested more than {MAX_DEPTH} deep.")
        self._spend(MESSAGE_COST)
        message, wanted = kind(), _wanted(kind)  # type: ignore[arg-type]
        for number, wire, value in self._fields(view):
            field = wanted.get(number)
            if field is None:
                continue
            name, what, is_list = field
            if not is_list:
                setattr(message, name, self._value(what, wire, value, kind))
            elif wire == BYTES and what in (int, float):
                getattr(message, name).extend(self._packed(what, value))
            else:
                getattr(message, name).append(self._value(what, wire, value, kind))
        self.depth -= 1
        return message

    def _spend(self, count: int = 1) -> None:
        self.left -= count
        if self.left < 0:
            raise UnreadableModel(
                f"it has more than {MAX_FIELDS:,} fields: no real network is so large, or its "
                "weights are stored as lists of numbers in nodes' attributes."
            )

    def _fields(self, view: memoryview) -> Iterator[tuple[int, int, Any]]:
        position, end = 0, len(view)
        while position < end:
            self._spend()
            key, position = _varint(view, position, end)
            wire = key & 7
            if wire == VARINT:
                value, position = _varint(view, position, end)
                yield key >> 3, wire, value
                continue
            if wire == BYTES:
                length, position = _varint(view, position, end)
            elif wire in (I32, I64):
                length = 4 if wire == I32 else 8
            else:
                raise UnreadableModel(f"it holds a field of the unknown kind {wire}.")
            stop = position + length
            if stop > end:
                raise UnreadableModel("it was cut off, or the length of one of its parts is wrong.")
            yield key >> 3, wire, view[position:stop]
            position = stop

    def _value(self, what: Any, wire: int, value: Any, owner: type[Message]) -> Any:
        if what is int and wire == VARINT:
            return _signed(value)
        if wire == BYTES:
            if what is str:
                return _text(value)
            if what is bytes:
                return value
            if isinstance(what, type) and issubclass(what, Message):
                return self.decode(what, value)
        if what is float and wire == I32:
            return struct.unpack("<f", value)[0]
        raise UnreadableModel(f"a field of a {owner.__name__} is not of its kind.")

    def _packed(self, what: Any, view: memoryview) -> Iterator[Any]:
        if what is float:
            self._spend(len(view) // 4)
            for (value,) in struct.iter_unpack("<f", view[: len(view) // 4 * 4]):
                yield value
            return
        position, end = 0, len(view)
        while position < end:
            self._spend()
            number, position = _varint(view, position, end)
            yield _signed(number)


def varints(view: memoryview, limit: int) -> list[int]:
    """At most `limit` signed numbers, packed in `view`."""
    found: list[int] = []
    position, end = 0, len(view)
    while position < end and len(found) < limit:
        number, position = _varint(view, position, end)
        found.append(_signed(number))
    return found


@cache
def _wanted(kind: type[Message]) -> dict[int, tuple[str, Any, bool]]:
    """Name, kind and multiplicity of the fields of a message, by their numbers."""
    home = vars(sys.modules[kind.__module__])
    found = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        what = field.metadata["kind"]
        what = home[what] if isinstance(what, str) else what
        found[field.metadata["number"]] = (field.name, what, "many" in field.metadata)
    return found


def _varint(view: memoryview, position: int, end: int) -> tuple[int, int]:
    result = shift = 0
    while position < end:
        byte = view[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            break
    raise UnreadableModel("it was cut off, or holds a number of more than 64 bits.")


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _text(view: memoryview) -> str:
    try:
        return str(view, "utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableModel("one of its names is not UTF-8 text.") from error
