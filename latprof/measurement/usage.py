"""What else happened on the machine while something was timed.

References
----------
Linux, Documentation/scheduler/sched-stats.rst (time spent waiting on a run queue) and
proc(5): /proc/stat (steal), /proc/self/status (VmHWM), /proc/self/clear_refs.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_PROCESS, _STAT = Path("/proc/self"), Path("/proc/stat")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


@dataclass(frozen=True)
class Usage:
    """Of one stretch of time; None where this system does not tell.

    Parameters
    ----------
    wall_s : float
    waiting_fraction : float or None
        Share of the time that threads of the process were ready and had no core.
    stolen_fraction : float or None
        Share of the machine's time that its host gave to others.
    page_faults : int
        Minor ones.
    peak_bytes : int or None
        Largest resident memory of the process.
    """

    wall_s: float = 0.0
    waiting_fraction: float | None = None
    stolen_fraction: float | None = None
    page_faults: int = 0
    peak_bytes: int | None = None


class Stopwatch:
    """Tells which share of a short stretch the process spent waiting for a core."""

    def __init__(self) -> None:
        self._started, self._waited_s = perf_counter(), _waited_s()

    def waiting_fraction(self) -> float | None:
        """Of the time since it was made; None where this system does not tell."""
        return _share(self._waited_s, _waited_s(), max(perf_counter() - self._started, 1e-9))


class Meter:
    """Starts when made; `read` tells what happened since."""

    def __init__(self) -> None:
        with suppress(OSError):  # the peak then counts from the start of the process
            (_PROCESS / "clear_refs").write_text("5")
        self._started = perf_counter()
        self._waited_s, self._stolen_s = _waited_s(), _stolen_s()
        self._faults = _page_faults()

    def read(self) -> Usage:
        """What happened so far."""
        wall_s = max(perf_counter() - self._started, 1e-9)
        waited_s, stolen_s = _waited_s(), _stolen_s()
        cores = os.cpu_count() or 1
        return Usage(
            wall_s=wall_s,
            waiting_fraction=_share(self._waited_s, waited_s, wall_s),
            stolen_fraction=_share(self._stolen_s, stolen_s, wall_s * cores),
            page_faults=_page_faults() - self._faults,
            peak_bytes=_peak_bytes(),
        )


def _share(before: float | None, after: float | None, whole: float) -> float | None:
    return None if before is None or after is None else min(1.0, max(0.0, after - before) / whole)


def _waited_s() -> float | None:
    """Seconds that the threads of this process have waited for a core."""
    waited_ns, told = 0, False
    for file in _PROCESS.glob("task/*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # a thread that has just ended
            waited_ns += int(file.read_text().split()[1])
            told = True
    return waited_ns / 1e9 if told else None


def _stolen_s() -> float | None:
    try:
        total = _STAT.read_text().splitlines()[0].split()
        return int(total[8]) * _TICK_S
    except (OSError, ValueError, IndexError):
        return None


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _peak_bytes() -> int | None:
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
        (peak,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
