"""Ways to break a model file: bytes, zip members, and the values of a JSON document.

Everything is drawn from a `random.Random`, so that a seed and a number name one broken file.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

# Lengths and sizes where readers stumble, as they are stored.
_NUMBERS = (0, 1, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1)
_ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**60, -(2**63), 10**40, 0.5, -1e308, "", "x", "../../x",
    "\u202e\0\ud83d", "a" * 5000, [], {}, [[]], [-1], [2**60] * 8,
)  # fmt: skip
_DEPTH = 2000  # of nested lists: beyond Python's recursion limit


def flip_bits(draw: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
    return bytes(broken)


def set_bytes(draw: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(draw.choice((1, 2, 4, 16))):
        broken[draw.randrange(len(broken))] = draw.choice(
            (0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256))
        )
    return bytes(broken)


def set_number(draw: random.Random, data: bytes) -> bytes:
    """Put one of the numbers where readers stumble somewhere, in 1 to 8 bytes or as a varint."""
    number, at = draw.choice(_NUMBERS), draw.randrange(len(data))
    if draw.random() < 0.3:
        stored = _varint(number)
    else:
        width = draw.choice("BHIQ")
        stored = struct.pack(f"<{width}", number & (2 ** (8 * struct.calcsize(width)) - 1))
    return data[:at] + stored + data[at + len(stored) :]


def cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(1, len(data))] if len(data) > 1 else data


def remove(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + data[at + draw.choice((1, 2, 4, 8, 100)) :] or b"\0"


def insert(draw: random.Random, data: bytes) -> bytes:
    at, size = draw.randrange(len(data)), draw.choice((1, 2, 4, 8, 100))
    return data[:at] + draw.randbytes(size) + data[at:]


def repeat(draw: random.Random, data: bytes) -> bytes:
    """Copy a stretch of the file over or into another place."""
    start, at = draw.randrange(len(data)), draw.randrange(len(data))
    stretch = data[start : start + draw.choice((2, 8, 64, 1000))]
    keep = len(stretch) if draw.random() < 0.5 else 0
    return data[:at] + stretch + data[at + keep :]


BYTES: tuple[Mutation, ...] = (
    flip_bits, set_bytes, set_number, set_number, cut, remove, insert, repeat,
)  # fmt: skip


def break_bytes(draw: random.Random, data: bytes) -> bytes:
    """One to three of `BYTES`."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice(BYTES)(draw, data)
    return data


def break_json(draw: random.Random, data: bytes) -> bytes:
    """Change one or a few values of a JSON document, or nest one too deeply, or break its bytes."""
    if draw.random() < 0.15:
        return break_bytes(draw, data)
    if draw.random() < 0.02:
        return b"[" * _DEPTH * 50
    document = json.loads(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        document = _change(draw, document)
    return json.dumps(document).encode()


def break_zip(draw: random.Random, data: bytes) -> bytes:
    """Break the archive itself, or one member behind a checksum that fits."""
    if draw.random() < 0.25:
        return break_bytes(draw, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = draw.randrange(len(members))
    if draw.random() < 0.6:  # weights are of little interest: prefer what steers the reader
        texts = [
            i for i, (name, _) in enumerate(members) if name.endswith((".json", ".py", ".pkl"))
        ]
        at = draw.choice(texts or [at])
    name, held = members[at]
    action = draw.random()
    if action < 0.8 and held:
        broken = break_json if name.endswith(".json") else break_bytes
        members[at] = (name, broken(draw, held))
    elif action < 0.86:
        del members[at]
    elif action < 0.92:
        members.append((name, held))
    elif action < 0.96:
        members[at] = (draw.choice(("../" + name, "/" + name, name.upper(), "", "x" * 300)), held)
    else:
        members[at] = (name, bytes(draw.choice((0, 10**6, 3 * 10**8))))
    return _zipped(draw, members)


def _zipped(draw: random.Random, members: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    if sum(len(held) for _, held in members) > 10**7:
        method = zipfile.ZIP_DEFLATED  # a bomb, not a large file
    with zipfile.ZipFile(stream, "w", method, compresslevel=1) as archive:
        for name, held in members:
            archive.writestr(zipfile.ZipInfo(name), held, compress_type=method)
    return stream.getvalue()


def _change(draw: random.Random, value: Any) -> Any:
    """`value` with one value in it, at any depth, changed."""
    if isinstance(value, dict) and value and draw.random() < 0.93:
        key = draw.choice(list(value))
        action = draw.random()
        if action < 0.05:
            return {k: v for k, v in value.items() if k != key}
        if action < 0.08:
            return value | {draw.choice(("", "x", key + "_")): value[key]}
        return value | {key: _change(draw, value[key])}
    if isinstance(value, list) and value and draw.random() < 0.93:
        at = draw.randrange(len(value))
        action = draw.random()
        if action < 0.05:
            return value[:at] + value[at + 1 :]
        if action < 0.1:
            return value[:at] + [value[draw.randrange(len(value))]] + value[at:]
        if action < 0.13:
            return value[::-1]
        return value[:at] + [_change(draw, value[at])] + value[at + 1 :]
    if isinstance(value, int) and not isinstance(value, bool) and draw.random() < 0.5:
        return draw.choice((value + 1, value - 1, -value, value * 2, value * 10**6))
    if isinstance(value, str) and value and draw.random() < 0.3:
        return value[:-1]
    if draw.random() < 0.03:
        nested: Any = value
        for _ in range(draw.choice((5, 100, 300))):  # json itself writes no deeper ones
            nested = [nested]
        return nested
    return draw.choice(_ODD_VALUES)


def _varint(number: int) -> bytes:
    stored = bytearray()
    while number > 127:
        stored.append(number & 127 | 128)
        number >>= 7
    return bytes([*stored, number])


def break_file(draw: random.Random, kind: str, data: bytes) -> bytes:
    """A broken copy of a whole file of that kind."""
    if kind == "json":
        return break_json(draw, data)
    if data.startswith(b"PK"):
        return break_zip(draw, data)
    return break_bytes(draw, data)
