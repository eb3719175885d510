"""Reading that stops: a forged file must not fill the memory or the stack."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from latprof.errors import UnreadableModel

# The JSON of a graph of 10,000 nodes with their stack traces is about 30 MB.
MAX_BYTES = 256 * 2**20


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive at `path`, its table of contents read."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise UnreadableModel(
            f"{str(path)!r} begins like a zip archive but has no table of contents at its end: it "
            "was cut off while being saved, copied or downloaded. Save or fetch it again."
        ) from error


def read_member(archive: zipfile.ZipFile, member: str, limit: int = MAX_BYTES) -> bytes:
    """Contents of one member, if it is at most `limit` bytes long.

    The declared size is not trusted: at most ``limit + 1`` bytes are ever unpacked.
    """
    try:
        if archive.getinfo(member).file_size <= limit:
            with archive.open(member) as stream:
                data = stream.read(limit + 1)
            if len(data) <= limit:
                return data
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
        ValueError,
    ) as error:  # fmt: skip
        # NotImplementedError: an unknown compression; RuntimeError: the member is encrypted;
        # ValueError: its name is not UTF-8.
        raise UnreadableModel(
            f"cannot unpack {member!r} in {archive.filename!r}: {error}. Save or fetch it again."
        ) from error
    raise UnreadableModel(_too_long(f"{member!r} in {archive.filename!r}", limit))


def refuse_bomb(path: Path) -> None:
    """Refuse an archive that unpacks to far more than its own size; torch does not compress."""
    with open_zip(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > path.stat().st_size + MAX_BYTES:
        raise UnreadableModel(
            f"{str(path)!r} would unpack to {unpacked // 2**20} MiB, far more than its own size; "
            "it is broken or was made to fill the memory. Save the model again."
        )


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Contents of a file, if it is at most `limit` bytes long."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise UnreadableModel(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    if len(data) > limit:
        raise UnreadableModel(_too_long(repr(str(path)), limit))
    return data


def read_head(path: Path, length: int) -> bytes:
    """The first bytes of a file, `length` of them or as many as there are."""
    try:
        with path.open("rb") as stream:
            return stream.read(length)
    except OSError as error:
        raise UnreadableModel(f"cannot read {str(path)!r}: {error.strerror or error}.") from error


def parse_json(data: bytes, what: str) -> Any:
    """The value that `data` spells; `what` names it in errors."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise UnreadableModel(
            f"the JSON of {what} is nested too deeply for a real model."
        ) from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, a number of 5,000 digits
        raise UnreadableModel(
            f"the JSON of {what} is broken: {error}. Save or fetch the file again."
        ) from error


def _too_long(what: str, limit: int) -> str:
    return (
        f"{what} is longer than {limit // 2**20} MiB, more than any real network needs; it is "
        "broken or was made to fill the memory. Export the model again."
    )
