"""Where a user's own tables, cost models and captured graphs are kept."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from latprof.errors import BadReference

_STALE_S = 3600.0  # nothing takes so long to write


def home() -> Path:
    """The folder: ``LATPROF_HOME`` if set, else the platform's place for user data."""
    asked = os.environ.get("LATPROF_HOME")
    if asked:
        try:
            return Path(asked).expanduser()
        except RuntimeError as error:
            raise BadReference(
                f"LATPROF_HOME is {asked!r}, and there is no such user. Name a folder."
            ) from error
    from platformdirs import user_data_path

    return Path(user_data_path("latprof", appauthor=False))


def checked_name(kind: str, name: str) -> str:
    """`name`, if it can safely be part of a path.

    Raises
    ------
    BadReference
        If it is empty or holds anything but letters, digits, ``-``, ``_`` and ``.``.
    """
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not plain.isalnum() or not plain.isascii() or name.startswith("."):
        raise BadReference(
            f"{name!r} cannot name a {kind}; use letters, digits, '-', '_' and '.', as in pixel6."
        )
    return name


@contextlib.contextmanager
def exclusively(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock file, so that no other process is in here; a kill frees it too.

    Where files cannot be locked, as on some network file systems, go on without.

    Raises
    ------
    BlockingIOError
        If another process is in here, and this one should not `wait`.
    OSError
        If the file cannot be opened.
    """
    with path.open("a+") as file:
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:
            pass  # no locks here
        yield  # closing the file frees it


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` whole or not at all.

    Raises
    ------
    BadReference
        If the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise BadReference(
            f"cannot write {path}: {error.strerror or error}. Choose another place, or set "
            "LATPROF_HOME to a folder you may write to."
        ) from error


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left behind."""
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE_S:
                partial.unlink()
