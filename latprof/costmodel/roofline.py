"""The roofline: no kernel is faster than its arithmetic, its traffic, or an empty launch.

References
----------
Williams, Waterman & Patterson, Roofline: an insightful visual performance model for multicore
architectures, Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latprof.costmodel.columns import Columns

# The best of a table is noise; its 99th percentile is a rate that many kernels come near.
_BEST = 99.0
_FASTEST_LAUNCH = 1.0
_ENOUGH_MS = 0.05  # a rate is read off kernels that last long enough to show one


@dataclass(frozen=True)
class Roofline:
    """Ceilings of a target.

    Parameters
    ----------
    peak_macs_per_ms : float
    bandwidth_bytes_per_ms : float
    launch_ms : float
        Time of the smallest kernel.
    """

    peak_macs_per_ms: float
    bandwidth_bytes_per_ms: float
    launch_ms: float

    def bound_ms(self, columns: Columns) -> np.ndarray[Any, Any]:
        """Least time of each kernel."""
        compute = columns["macs"] / self.peak_macs_per_ms
        moved = columns["bytes_read"] + columns["bytes_written"]
        return np.maximum(np.maximum(compute, moved / self.bandwidth_bytes_per_ms), self.launch_ms)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def measure_roofline(columns: Columns, latency_ms: np.ndarray[Any, Any]) -> Roofline:
    """Read the ceilings off measured kernels."""
    long = latency_ms > min(_ENOUGH_MS, float(np.median(latency_ms)))
    moved = columns["bytes_read"] + columns["bytes_written"]
    mac_rate = (columns["macs"] / latency_ms)[long & (columns["macs"] > 0)]
    byte_rate = (moved / latency_ms)[long & (moved > 0)]
    return Roofline(
        peak_macs_per_ms=float(np.percentile(mac_rate, _BEST)) if mac_rate.size else 1e12,
        bandwidth_bytes_per_ms=float(np.percentile(byte_rate, _BEST)) if byte_rate.size else 1e12,
        launch_ms=float(np.percentile(latency_ms, _FASTEST_LAUNCH)),
    )
