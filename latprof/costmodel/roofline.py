"""The roofline: no kernel is faster than its arithmetic, its traffic, or an empty launch.

Traffic has a ceiling for each size of working set, since what fits into a cache moves faster.

References
----------
Williams, Waterman & Patterson, Roofline: an insightful visual performance model for multicore
architectures, Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.costmodel.columns import Columns

Array = np.ndarray[Any, Any]

# Upper ends of the levels, in bytes moved by one kernel: about a first cache, a small and a large
# second, a share of a third; beyond is memory. They need not be this machine's sizes: between two
# ceilings nothing is claimed but that neither was beaten.
LEVELS = (2**15, 2**18, 2**21, 2**24)
_LEAST_UNCERTAIN = 1.02  # a ceiling lies this much above the fastest kernel seen
_NO_RATE = 1e12


@dataclass(frozen=True)
class Roofline:
    """Ceilings of a target.

    Parameters
    ----------
    peak_macs_per_ms : float
    level_bytes_per_ms : tuple of float, of length len(LEVELS) + 1
        Bandwidth of each level; none is faster than the one before.
    launch_ms : float
        Time of the smallest kernel.
    """

    peak_macs_per_ms: float
    level_bytes_per_ms: tuple[float, ...]
    launch_ms: float

    @property
    def bandwidth_bytes_per_ms(self) -> float:
        """Bandwidth where no cache helps."""
        return self.level_bytes_per_ms[-1]

    def bound_ms(self, columns: Columns) -> Array:
        """Least time of each kernel; it never falls when a kernel grows."""
        compute = columns["macs"] / self.peak_macs_per_ms
        moved = columns["bytes_read"] + columns["bytes_written"]
        level = np.searchsorted(LEVELS, moved, side="right")
        traffic = moved / np.array(self.level_bytes_per_ms)[level]
        bound: Array = np.maximum(np.maximum(compute, traffic), self.launch_ms)
        return bound

    def to_dict(self) -> dict[str, float | list[float]]:
        return {
            "peak_macs_per_ms": self.peak_macs_per_ms,
            "level_bytes_per_ms": list(self.level_bytes_per_ms),
            "launch_ms": self.launch_ms,
        }


def measure_roofline(columns: Columns, latency_ms: Array) -> Roofline:
    """Read the ceilings off measured kernels: the fastest ever seen."""
    moved = columns["bytes_read"] + columns["bytes_written"]
    macs = columns["macs"] / latency_ms
    peak = float(macs.max()) * _LEAST_UNCERTAIN if macs.any() else _NO_RATE
    level = np.searchsorted(LEVELS, moved, side="right")
    rates = []
    for number in range(len(LEVELS) + 1):
        mine = (moved / latency_ms)[level == number]
        rates.append(float(mine.max()) * _LEAST_UNCERTAIN if mine.any() else np.nan)
    # What a large working set reaches, a smaller one could; a level never seen is like the next.
    known = np.where(np.isnan(rates), 0.0, rates)
    falling = np.maximum.accumulate(known[::-1])[::-1]
    falling = np.where(falling > 0, falling, known.max() or _NO_RATE)
    launch = float(latency_ms.min()) / _LEAST_UNCERTAIN
    return Roofline(peak, tuple(map(float, falling)), launch)
