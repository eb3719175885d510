"""Which runtimes work on this machine: found out by loading each in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from latprof.errors import MeasurementError
from latprof.measurement.client import Worker
from latprof.measurement.environment import usable_cores
from latprof.runtimes import RUNTIMES, Entry, missing

LIMIT_S = 60.0  # importing torch on a cold disk takes most of a minute
_AT_ONCE = 2


@dataclass(frozen=True)
class Presence:
    """Whether a runtime works here.

    Parameters
    ----------
    entry : Entry
    version : str
        The library that answered, and its version; empty where none did.
    reason : str
        Why it does not work here; empty where it does.
    install : str
        What to type, where that may help.
    """

    entry: Entry
    version: str = ""
    reason: str = ""
    install: str = ""

    @property
    def works(self) -> bool:
        return not self.reason

    def to_dict(self) -> dict[str, Any]:
        entry = self.entry
        return {
            "name": entry.name,
            "about": entry.about,
            "aliases": list(entry.aliases),
            "works": self.works,
            "version": self.version,
            "reason": self.reason,
            "install": self.install,
            "dtypes": list(entry.dtypes),
            "processor": entry.processor,
            "most_threads": len(usable_cores()) if entry.processor == "cpu" else 1,
        }


def survey(entries: Sequence[Entry] | None = None, limit_s: float = LIMIT_S) -> list[Presence]:
    """Look for every runtime; only those whose libraries are there are loaded.

    Parameters
    ----------
    entries : sequence of Entry, optional
        All that latprof knows if not given.
    limit_s : float, default=60
        Longest that one may take to load, in seconds.
    """
    wanted = list(RUNTIMES.values()) if entries is None else entries
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda entry: _look(entry, limit_s), wanted))


def _look(entry: Entry, limit_s: float) -> Presence:
    lacking = missing(entry.name)
    if lacking:
        return Presence(entry, "", _without_advice(lacking, entry), entry.install)
    # A broken native library may end its process, or never come back.
    worker = Worker(entry.name, threads=1)
    try:
        worker.start(limit_s)
        return Presence(entry, version=worker.version)
    except MeasurementError as error:
        said = str(error)
        # A missing device, say, is not brought by installing what is there already.
        install = entry.install if entry.extra and entry.install in said else ""
        return Presence(entry, "", _without_advice(said, entry), install)
    finally:
        worker.stop()


def _without_advice(said: str, entry: Entry) -> str:
    """What went wrong, without what to do about it: that stands by itself in the answer."""
    said = said.removesuffix(f": {entry.install}")
    said = said.removeprefix(f"{entry.name} does not work here: ")
    return re.split(r"\.? (?:Try (?:`pip|again)|If the machine ran out)", said)[0].rstrip(". ")
