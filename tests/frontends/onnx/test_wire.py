"""Messages are read field by field, as far as anybody wants them, and never forever."""

# ruff: noqa: RUF009 (`one` and `many` make dataclass fields)

from __future__ import annotations

from dataclasses import dataclass

import pytest

from latprof.errors import UnreadableModel
from latprof.frontends.onnx.wire import MAX_DEPTH, MAX_FIELDS, Decoder, Message, many, one, varints


@dataclass(slots=True)
class Leaf(Message):
    number: int = one(1, int, 0)
    text: str = one(2, str, "")
    raw: memoryview | None = one(3, bytes)
    numbers: list[int] = many(4, int)
    reals: list[float] = many(5, float)
    real: float = one(6, float, 0.0)


@dataclass(slots=True)
class Tree(Message):
    leaves: list[Leaf] = many(1, "Leaf")
    inner: Tree | None = one(2, "Tree")


def decode(kind, data: bytes):
    return Decoder().decode(kind, memoryview(data))


def chunk(number: int, data: bytes) -> bytes:
    """A field with a length, of less than 128 bytes."""
    return bytes([number << 3 | 2, len(data)]) + data


def test_fields_are_read_by_their_numbers():
    leaf = decode(Leaf, b"\x08\x96\x01" + chunk(2, b"two") + chunk(3, b"raw"))
    assert (leaf.number, leaf.text, bytes(leaf.raw)) == (150, "two", b"raw")


def test_negative_numbers_take_ten_bytes():
    assert decode(Leaf, b"\x08" + b"\xff" * 9 + b"\x01").number == -1


def test_lists_come_packed_or_one_by_one():
    assert decode(Leaf, chunk(4, b"\x01\x02\x03") + b"\x20\x04").numbers == [1, 2, 3, 4]
    assert decode(Leaf, chunk(5, b"\0\0\x80\x3f") + b"\x2d\0\0\0\x40").reals == [1.0, 2.0]


def test_the_last_of_a_lone_field_counts():
    assert decode(Leaf, b"\x08\x01\x08\x02").number == 2


def test_messages_hold_messages():
    tree = decode(Tree, chunk(1, b"\x08\x05") + chunk(2, chunk(1, b"\x08\x06")))
    assert [leaf.number for leaf in tree.leaves] == [5]
    assert [leaf.number for leaf in tree.inner.leaves] == [6]


def test_fields_nobody_wants_are_stepped_over():
    assert (
        decode(Leaf, b"\xf8\x01\x07" + chunk(9, b"?") + b"\x51" + b"\0" * 8 + b"\x08\x03").number
        == 3
    )


def test_bytes_are_a_view_of_the_file():
    data = chunk(3, b"weights")
    assert decode(Leaf, data).raw.obj is data


def test_packed_numbers_are_read_as_far_as_asked():
    assert varints(memoryview(b"\x01\x96\x01\x03"), limit=2) == [1, 150]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x12\x7f", "cut off"),
        (b"\x08", "cut off"),
        (b"\x08" + b"\xff" * 11, "more than 64 bits"),
        (b"\x0b", "unknown kind 3"),
        (chunk(2, b"\xff"), "not UTF-8"),
        (b"\x10\x01", "a Leaf is not of its kind"),
    ],
)
def test_broken_bytes_are_refused(data, why):
    with pytest.raises(UnreadableModel, match=why):
        decode(Leaf, data)


def test_nesting_ends():
    data = b""
    for _ in range(MAX_DEPTH + 1):
        data = b"\x12" + _length(data) + data
    with pytest.raises(UnreadableModel, match="nested"):
        decode(Tree, data)


def test_reading_ends():
    decoder = Decoder(left=100)
    with pytest.raises(UnreadableModel, match=f"more than {MAX_FIELDS:,} fields"):
        decoder.decode(Tree, memoryview(chunk(1, b"") * 50))


def _length(data: bytes) -> bytes:
    length, found = len(data), b""
    while length > 127:
        found, length = found + bytes([length & 127 | 128]), length >> 7
    return found + bytes([length])
