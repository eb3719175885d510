"""Many visits to many networks, brought to one state of the machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latprof.measurement.canary import Drift, pooled_elasticity
from latprof.measurement.records import times_of
from latprof.measurement.times import NetworkTimes, is_disturbed

# The canary's few runs in one visit scatter by themselves; the state of the machine lasts longer.
NEIGHBOURS = 2  # visits before and after whose canaries are heard too


@dataclass(frozen=True)
class Steadied:
    """Times of every network, brought to the canary's median over the whole measurement.

    Parameters
    ----------
    visits : mapping of int to tuple of NetworkTimes
        By number of the network, in running order.
    drift : Drift or None
        What they were corrected by; None where no canary ran.
    disturbed : int
        Visits left out, since something else got into them.
    """

    visits: Mapping[int, tuple[NetworkTimes, ...]]
    drift: Drift | None
    disturbed: int = 0


def steadied(records: Iterable[Mapping[str, Any]]) -> Steadied:
    """Correct the visits that a journal holds for the drift its canary saw."""
    found = [record for record in records if "error" not in record]
    times = [times_of(record) for record in found]
    numbers = [record["number"] for record in found]
    canary_ms = _smoothed([statistics.median(t.canary_ms) if t.canary_ms else 0.0 for t in times])
    kept = _calm(numbers, times)
    numbers, times = [numbers[i] for i in kept], [times[i] for i in kept]
    canary_ms = [canary_ms[i] for i in kept]
    drift = None
    if times and all(canary_ms):
        plain_ms = [statistics.median(t.times_ms) for t in times]
        elasticity = pooled_elasticity(numbers, plain_ms, canary_ms)
        drift = Drift(statistics.median(canary_ms), elasticity)
    by_number: dict[int, list[NetworkTimes]] = {}
    for number, visit, canary in zip(numbers, times, canary_ms, strict=True):
        by_number.setdefault(number, []).append(_with_canary(visit, canary).brought_to(drift))
    steady = {number: tuple(visits) for number, visits in by_number.items()}
    return Steadied(steady, drift, len(found) - len(kept))


def _calm(numbers: Sequence[int], times: Sequence[NetworkTimes]) -> list[int]:
    """Visits that nothing got into; of a network without any, all."""
    canaries = [ms for visit in times for ms in visit.canary_ms]
    usual_ms = statistics.median(canaries) if canaries else None
    calm = [not any(is_disturbed(r, usual_ms) for r in visit.rounds) for visit in times]
    reached = {number for number, good in zip(numbers, calm, strict=True) if good}
    return [i for i, good in enumerate(calm) if good or numbers[i] not in reached]


def _with_canary(times: NetworkTimes, canary_ms: float) -> NetworkTimes:
    return replace(times, rounds=tuple(replace(r, canary_ms=(canary_ms,)) for r in times.rounds))


def _smoothed(values: Sequence[float]) -> list[float]:
    return [
        statistics.median(values[max(0, i - NEIGHBOURS) : i + NEIGHBOURS + 1])
        for i in range(len(values))
    ]
