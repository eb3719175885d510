"""What profiling costs, so that kernels can be told without it.

A profiler adds a little to every launch it times. Small networks run with and without it say
how much: end to end = Σ kernels − (cost of a launch)·launches + (cost of a run).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latprof.errors import CostModelError

Array = np.ndarray[Any, Any]

FEWEST_NETWORKS = 3
_ROUNDS = 30
_SMALLEST_SHARE = 0.2  # a kernel keeps at least this share of what the profiler said


@dataclass(frozen=True)
class Calibration:
    """Costs of profiling and of a run.

    Parameters
    ----------
    launch_ms : float
        What the profiler adds to each launch it times.
    run_ms : float
        What a run costs beside its kernels.
    networks : int
        How many networks it was learned from.
    error_fraction : float
        Median of |end to end − explained| over those networks, as a share of end to end.
    """

    launch_ms: float
    run_ms: float
    networks: int
    error_fraction: float

    def kernel_ms(self, profiled_ms: float, launches: int) -> float:
        """A kernel's time without the profiler's share."""
        return max(profiled_ms - self.launch_ms * launches, _SMALLEST_SHARE * profiled_ms)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(
    end_to_end_ms: Sequence[float], sum_of_kernels_ms: Sequence[float], launches: Sequence[int]
) -> Calibration:
    """Learn the costs from networks timed with and without the profiler.

    Parameters
    ----------
    end_to_end_ms : sequence of float
        Without the profiler, one for each network.
    sum_of_kernels_ms : sequence of float
        As the profiler says.
    launches : sequence of int
        How many launches each network makes; they must differ, or the two costs cannot be
        told apart.

    Raises
    ------
    CostModelError
        If there are fewer than three.

    Notes
    -----
    Least absolute deviations of the relative error, by iteratively reweighted least squares,
    so that a network hit by a neighbour's noise does not bend the line.
    """
    if len(end_to_end_ms) < FEWEST_NETWORKS:
        raise CostModelError(
            f"{len(end_to_end_ms)} networks cannot say what profiling costs; measure at least "
            f"{FEWEST_NETWORKS}, as in `latprof measure --time 1min`."
        )
    end_to_end = np.asarray(end_to_end_ms, dtype=float)
    counts = np.asarray(launches, dtype=float)
    gap = (end_to_end - np.asarray(sum_of_kernels_ms)) / end_to_end
    columns = np.column_stack([-counts, np.ones_like(counts)]) / end_to_end[:, None]
    weights = np.ones_like(gap)
    costs = np.zeros(2)
    for _ in range(_ROUNDS):
        root = np.sqrt(weights)
        costs = _not_negative(columns * root[:, None], gap * root)
        weights = 1 / np.maximum(np.abs(gap - columns @ costs), 1e-4)
    return Calibration(
        launch_ms=float(costs[0]),
        run_ms=float(costs[1]),
        networks=len(end_to_end),
        error_fraction=float(np.median(np.abs(gap - columns @ costs))),
    )


def _not_negative(columns: Array, wanted: Array) -> Array:
    """Least squares with two coefficients, neither below zero."""
    both, *_ = np.linalg.lstsq(columns, wanted, rcond=None)
    if (both >= 0).all():
        return np.asarray(both)
    # One of them is zero then, and the other explains what it can alone.
    alone = np.maximum(0.0, (columns.T @ wanted) / (columns * columns).sum(axis=0))
    return min(np.diag(alone), key=lambda costs: float(np.linalg.norm(wanted - columns @ costs)))
