from __future__ import annotations

import struct

import pytest

from latprof.errors import UnreadableModel
from latprof.frontends.tflite.flatbuffer import FlatBuffer

from .tflite_writer import Subgraph, content


def table_file(*fields: int, tail: bytes = b"") -> bytes:
    """A root table whose fields are these 32-bit numbers, then `tail`."""
    vtable = struct.pack(
        f"<HH{len(fields)}H", 4 + 2 * len(fields), 4 + 4 * len(fields),
        *(4 + 4 * i for i in range(len(fields))),
    )  # fmt: skip
    vtable += bytes(-len(vtable) % 4)
    at = 4 + len(vtable)
    return (
        struct.pack("<I", at) + vtable + struct.pack("<i", at - 4)
        + struct.pack(f"<{len(fields)}I", *fields) + tail
    )  # fmt: skip


def root(data: bytes):
    return FlatBuffer(data, "'model.tflite'").root


def test_a_field_is_found_by_its_number_and_one_left_out_has_its_default():
    table = root(table_file(7, 9))
    assert (table.whole(0, "I"), table.whole(1, "I"), table.whole(2, "I", 5)) == (7, 9, 5)


def test_vectors_text_and_tables_lie_behind_offsets():
    text = struct.pack("<I", 3) + b"abc\0"
    numbers = struct.pack("<I2i", 2, -1, 8)
    table = root(table_file(8, 12, tail=text + numbers))
    assert table.text(0) == "abc"
    assert table.numbers(1) == (-1, 8)


@pytest.mark.parametrize("offset", [0xFFFFFFFF, 0x7FFFFFFF, 1000])
def test_an_offset_out_of_the_file_is_refused(offset):
    with pytest.raises(UnreadableModel, match=r"'model.tflite' is a broken TFLite file"):
        root(table_file(offset)).numbers(0)


@pytest.mark.parametrize("count", [2, 2**30, 2**32 - 1])
def test_a_vector_longer_than_the_file_is_refused(count):
    with pytest.raises(UnreadableModel, match="reaches outside"):
        root(table_file(4, tail=struct.pack("<I", count) + b"\0\0\0\0")).numbers(0)


def test_a_table_layout_before_the_file_is_refused():
    data = bytearray(table_file(1))
    at = struct.unpack_from("<I", data)[0]
    struct.pack_into("<i", data, at, at + 100)
    with pytest.raises(UnreadableModel, match="before its beginning"):
        root(bytes(data))


def test_parts_read_many_times_over_are_refused():
    numbers = struct.pack("<I", 10_000) + bytes(40_000)
    table = root(table_file(4, tail=numbers))
    for _ in range(5):
        table.numbers(0)
    with pytest.raises(UnreadableModel, match="its parts overlap"):
        table.numbers(0)


@pytest.mark.parametrize("cut", [1, 5, 9, 50, 200])
def test_a_file_cut_off_is_refused(cut, tmp_path):
    from latprof.frontends import read

    net = Subgraph()
    net.outputs = [net.conv(net.input(1, 8, 8, 3), 4, 3)]
    path = tmp_path / "cut.tflite"
    path.write_bytes(content(net)[:-cut])
    with pytest.raises(UnreadableModel):
        read(str(path))
