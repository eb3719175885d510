"""A FlatBuffer read with every offset checked against the file, and never copied.

The `flatbuffers` package reads whatever an offset points at, which suits files one has written
oneself. A stranger's file may point outside, back at itself, or a million times at one vector:
here an offset has to lie inside the file, and all that is read together has to stay in
proportion to the file's size.

References
----------
FlatBuffers, "Internals": a table begins with a signed 32-bit distance back to its vtable, which
lists where each field lies, 0 for a field left at its default; tables, vectors and strings are
reached by unsigned 32-bit distances forward. Everything is little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

from latprof.errors import UnreadableModel

# A sound file is read about once; MLIR's writer shares nothing but vtables and equal strings.
_READS_OF_THE_FILE = 4
_FREE_BYTES = 1 << 16
MAX_TABLES = 200_000  # the largest real networks have some ten thousand

_ITEM_BYTES = {"b": 1, "B": 1, "?": 1, "i": 4, "I": 4, "f": 4, "q": 8}


class FlatBuffer:
    """The bytes of a file, and how much of them may still be read.

    Parameters
    ----------
    data : bytes or mmap
    name : str
        What to call the file in errors.
    kind : str
        What it is, said there too.
    most_tables : int
    """

    def __init__(
        self,
        data: bytes | mmap.mmap,
        name: str,
        kind: str = "TFLite file",
        most_tables: int = MAX_TABLES,
    ) -> None:
        self.data, self.name, self.kind, self.size = data, name, kind, len(data)
        self._bytes_left = _READS_OF_THE_FILE * self.size + _FREE_BYTES
        self._most_tables = self._tables_left = most_tables

    @property
    def root(self) -> Table:
        """The table that the file begins with an offset to."""
        return Table(self, self.number("I", 0))

    def number(self, code: str, at: int) -> int:
        """One whole number, of the type that `struct` calls `code`."""
        if at < 0:  # struct would count from the end
            raise self.broken(f"an offset points {-at} bytes before its beginning")
        try:
            found: int = struct.unpack_from("<" + code, self.data, at)[0]
        except struct.error:
            raise self.broken(f"an offset points to byte {at} of {self.size}") from None
        return found

    def span(self, at: int, count: int, item_bytes: int) -> tuple[int, int]:
        """Begin and end of `count` items at `at`, which must lie inside the file."""
        end = at + count * item_bytes
        if at < 0 or end > self.size:
            raise self.broken(f"something of {count * item_bytes} bytes at {at} reaches outside")
        return at, end

    def charge(self, byte_count: int) -> None:
        """Count bytes that are about to be read."""
        self._bytes_left -= byte_count
        if self._bytes_left < 0:
            raise self.broken("its parts overlap: reading them takes many times its size")

    def charge_table(self) -> None:
        """Count one more table."""
        self._tables_left -= 1
        if self._tables_left < 0:
            raise self.broken(f"it holds over {self._most_tables:,} tables, more than any real one")

    def broken(self, why: str) -> UnreadableModel:
        """The error that says what is wrong with the file."""
        return UnreadableModel(
            f"{self.name} is a broken {self.kind}: {why}. Convert or fetch it again."
        )


class Table:
    """One table of a FlatBuffer; fields go by their number in the schema."""

    __slots__ = ("_at", "_buffer", "_fields", "_vtable")

    def __init__(self, buffer: FlatBuffer, at: int) -> None:
        buffer.charge_table()
        self._buffer, self._at = buffer, at
        vtable = at - buffer.number("i", at)
        length = buffer.number("H", vtable)
        if length < 4 or length % 2:
            raise buffer.broken(f"the layout of the table at {at} is {length} bytes long")
        buffer.span(vtable, length, 1)
        # Looked up when asked for: a layout may have 32,000 fields, and tables share layouts.
        self._vtable, self._fields = vtable, (length - 4) // 2

    def _field(self, number: int) -> int:
        """Where a field lies; 0 if it was left at its default."""
        if number >= self._fields:
            return 0
        offset = self._buffer.number("H", self._vtable + 4 + 2 * number)
        return self._at + offset if offset else 0

    def whole(self, number: int, code: str = "i", default: int = 0) -> int:
        """A field that holds a whole number or a bool."""
        at = self._field(number)
        return self._buffer.number(code, at) if at else default

    def real(self, number: int, default: float = 0.0) -> float:
        """A field that holds a float."""
        at = self._field(number)
        if not at:
            return default
        found: float = struct.unpack_from("<f", self._buffer.data, self._buffer.span(at, 1, 4)[0])[
            0
        ]
        return found

    def table(self, number: int) -> Table | None:
        """A field that holds another table."""
        at = self._field(number)
        return Table(self._buffer, at + self._buffer.number("I", at)) if at else None

    def _vector(self, number: int, item_bytes: int) -> tuple[int, int]:
        at = self._field(number)
        if not at:
            return 0, 0
        at += self._buffer.number("I", at)
        count = self._buffer.number("I", at)
        return self._buffer.span(at + 4, count, item_bytes)

    def has(self, number: int) -> bool:
        """Whether a field was written at all."""
        return bool(self._field(number))

    def numbers(self, number: int, code: str = "i") -> tuple[int, ...]:
        """A vector of numbers."""
        size = _ITEM_BYTES[code]
        begin, end = self._vector(number, size)
        self._buffer.charge(end - begin)
        return struct.unpack(f"<{(end - begin) // size}{code}", self._buffer.data[begin:end])

    def count(self, number: int, item_bytes: int = 4) -> int:
        """How many items a vector has, without reading them."""
        begin, end = self._vector(number, item_bytes)
        return (end - begin) // item_bytes

    def tables(self, number: int) -> Iterator[Table]:
        """A vector of tables."""
        begin, end = self._vector(number, 4)
        self._buffer.charge(end - begin)
        for at in range(begin, end, 4):
            yield Table(self._buffer, at + self._buffer.number("I", at))

    def text(self, number: int) -> str:
        """A string; bytes that are not UTF-8 are replaced."""
        begin, end = self._vector(number, 1)
        self._buffer.charge(end - begin)
        return self._buffer.data[begin:end].decode("utf-8", "replace")

    def extent(self, number: int) -> tuple[int, int]:
        """Begin and end of a vector of bytes in the file, which are not read."""
        return self._vector(number, 1)
