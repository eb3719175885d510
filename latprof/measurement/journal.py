"""A measurement as it grows: one JSON line a visit, safe against a crash at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from latprof.errors import MeasurementError
from latprof.home import exclusively

SCHEMA = 2


class Journal:
    """An append-only file: a header line, then a line for each visit to a network.

    A line counts once it is whole: what a kill cut off is dropped when the file is next opened.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from measuring into this file meanwhile.

        Raises
        ------
        MeasurementError
            If one already is, or the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(exclusively(self.path.with_suffix(".lock"), wait=False))
            except BlockingIOError as error:
                raise MeasurementError(
                    f"another latprof is measuring into {self.path}. Wait until it has ended, or "
                    "measure another target."
                ) from error
            except OSError as error:
                raise self._cannot_write(error) from error
            yield

    def start(self, header: Mapping[str, Any]) -> None:
        """Begin anew.

        Raises
        ------
        MeasurementError
            If the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_write(error) from error
        self.append({"format": "latprof journal", "schema": SCHEMA, **header})

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk when this returns.

        Raises
        ------
        MeasurementError
            If the disk is full or the file cannot be written.
        """
        line = json.dumps(record, separators=(",", ":")) + "\n"
        try:
            with self.path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._cannot_write(error) from error

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Header and records; a line that a kill cut short is removed from the file.

        Raises
        ------
        MeasurementError
            If there is no journal, its header is not one, or the file cannot be written.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise MeasurementError(
                f"there is no measurement to go on with at {self.path}. Start one with "
                "`latprof measure`."
            ) from error
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            try:
                os.truncate(self.path, len(whole))
            except OSError as error:
                raise self._cannot_write(error) from error
        records = list(_records(whole))
        if not records or records[0].get("format") != "latprof journal":
            raise MeasurementError(
                f"{self.path} is not a measurement journal; remove it and measure anew."
            )
        if records[0].get("schema") != SCHEMA:
            raise MeasurementError(
                f"{self.path} was written by another latprof (schema "
                f"{records[0].get('schema')!r}); measure anew without --resume."
            )
        return records[0], records[1:]

    def _cannot_write(self, error: OSError) -> MeasurementError:
        return MeasurementError(
            f"cannot write {self.path}: {error.strerror or error}. What was measured before is "
            "kept; free space or set LATPROF_HOME to another folder, then add --resume."
        )


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a line damaged on the disk costs one network, not the measurement
        if isinstance(record, dict):
            yield record
