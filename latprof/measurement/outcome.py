"""A journal's records → the rows and facts of a table, graded."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latprof import __version__
from latprof.errors import MeasurementError
from latprof.kernel import COLUMNS, Kernel
from latprof.measurement.calibration import Calibration, calibrate
from latprof.measurement.certainty import relative_variances, uncertainty_fraction
from latprof.measurement.grade import LETTERS, UNCERTAINTY, Grade, letter_for, worst
from latprof.measurement.records import merged
from latprof.measurement.steadiness import Steadiness
from latprof.measurement.steadying import Steadied, steadied
from latprof.measurement.times import NetworkTimes, typical_kernels_ms
from latprof.measurement.timing import Summary, quantile, summarize
from latprof.tables import HOST, Target, write_table

_FAILURES_LISTED = 20


def keep_table(
    target: Target,
    environment: Mapping[str, str],
    records: Sequence[Mapping[str, Any]],
    seed: int,
) -> Path:
    """Turn journal records into the table of `target` and write it.

    Raises
    ------
    MeasurementError
        If no network was measured.
    """
    failed = {str(r["network"]): str(r["error"]) for r in records if "error" in r}
    found = steadied(records)
    if not found.visits:
        causes = " ".join(sorted(set(failed.values())))
        raise MeasurementError(f"no network could be measured. {causes[:500]}")
    calibration = calibration_of(found)
    rows = _rows(found, calibration, {r["number"]: str(r["network"]) for r in records})
    graded = table_grade(rows, records)
    drift = found.drift
    facts = {
        "source": "latprof measure",
        "how": "random small networks, each visited several times with others in between; kernels "
        "timed in context by the runtime's profiler, its cost removed; end to end without the "
        "profiler; all times brought to one state of the machine by a canary network",
        "statistic": "kernels: mean over the typical runs; end to end: median",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "latprof": __version__,
        "seed": seed,
        "networks": len(found.visits),
        "visits": sum(len(visits) for visits in found.visits.values()),
        "disturbed_visits": found.disturbed,
        "failures": len(failed),
        "failed": [f"{name}: {error}" for name, error in failed.items()][:_FAILURES_LISTED],
        "seconds": round(sum(float(record["seconds"]) for record in records), 1),
        "grade": graded.letter,
        "grade_reasons": list(graded.reasons),
        "environment": dict(environment),
        "calibration": calibration.to_dict(),
    }
    if drift is not None:
        facts["canary"] = {
            "reference_ms": round(drift.reference_ms, 6),
            "elasticity": round(drift.elasticity, 4),
        }
    return write_table(HOST, target.name, rows, facts)


def calibration_of(found: Steadied) -> Calibration:
    """What profiling cost in these networks."""
    networks = [merged(visits) for visits in found.visits.values()]
    return calibrate(
        [statistics.median(times.times_ms) for times in networks],
        [sum(typical_kernels_ms(times)) for times in networks],
        [sum(k.launches for k in times.kernels) for times in networks],
    )


def table_grade(rows: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> Grade:
    """The grade of a table: that of its median network, of the machine and of its failures."""
    networks = [row for row in rows if row["level"] == "model"]
    typical = statistics.median(row["uncertainty_fraction"] for row in networks)
    letters, reasons = [letter_for(UNCERTAINTY, typical)], []
    if letters[0] != LETTERS[0]:
        reasons.append(f"{UNCERTAINTY} is {100 * typical:.1f} % for the median network")
    machine = Steadiness()
    for record in records:
        if "error" not in record:
            machine.add(record)
    found = machine.grade()
    failed = len({r["number"] for r in records if "error" in r})
    share = failed / (failed + len(networks))
    letters.append(LETTERS[sum(share > limit for limit in _FAILED)])
    if letters[-1] != LETTERS[0]:
        reasons.append(f"{100 * share:.1f} % of the networks could not be measured")
    return Grade(worst([*letters, found.letter]), (*reasons, *found.reasons))


_FAILED = (0.02, 0.10, 0.25, 0.50)  # share of networks that may fail for each letter


def _rows(
    found: Steadied, calibration: Calibration, names: Mapping[int, str]
) -> list[dict[str, Any]]:
    kernel_visits = {number: _visit_means(visits) for number, visits in found.visits.items()}
    common = relative_variances([times for each in kernel_visits.values() for times in each])
    wholes = {
        number: [statistics.median(visit.times_ms) for visit in visits]
        for number, visits in found.visits.items()
    }
    common_whole = relative_variances(list(wholes.values()))
    rows: list[dict[str, Any]] = []
    for number, visits in found.visits.items():
        times = merged(visits)
        kernels = _kernel_rows(times, kernel_visits[number], calibration, common)
        whole = _network_row(times, uncertainty_fraction(wholes[number], common_whole))
        rows += [{"network": names[number], **row} for row in (*kernels, whole)]
    return rows


def _visit_means(visits: Sequence[NetworkTimes]) -> list[list[float]]:
    """For each kernel that all visits saw, its typical time at each."""
    names = [k.kernel.name for k in merged(visits).kernels]
    means = [
        dict(zip((k.kernel.name for k in visit.kernels), typical_kernels_ms(visit), strict=True))
        for visit in visits
    ]
    return [[mean[name] for mean in means] for name in names]


def _kernel_rows(
    times: NetworkTimes,
    by_visit: Sequence[Sequence[float]],
    calibration: Calibration,
    common_variance: float,
) -> list[dict[str, Any]]:
    rows = []
    typical = typical_kernels_ms(times)
    for k, profiled_ms, visits_ms in zip(times.kernels, typical, by_visit, strict=True):
        if profiled_ms <= 0:
            continue  # less than the profiler can tell, not no time
        uncertainty = uncertainty_fraction(visits_ms, common_variance)
        ordered = sorted(k.times_ms)
        rows.append(
            {
                "level": "kernel",
                **{column: getattr(k.kernel, column) for column in COLUMNS},
                "name": k.kernel.name,
                "launches": k.launches,
                "latency_ms": calibration.kernel_ms(profiled_ms, k.launches),
                "spread_fraction": (quantile(ordered, 0.9) - quantile(ordered, 0.1)) / profiled_ms,
                "uncertainty_fraction": uncertainty,
                "runs": len(k.times_ms),
                "grade": letter_for(UNCERTAINTY, uncertainty),
            }
        )
    return rows


def _network_row(times: NetworkTimes, uncertainty: float) -> dict[str, Any]:
    whole: Summary = summarize(times.times_ms)
    blank = Kernel("", "network")
    return {
        "level": "model",
        **{column: getattr(blank, column) for column in COLUMNS},
        "name": "",
        "macs": sum(k.kernel.macs for k in times.kernels),
        "launches": sum(k.launches for k in times.kernels),
        "latency_ms": whole.latency_ms,
        "spread_fraction": (whole.p90_ms - whole.p10_ms) / whole.latency_ms,
        "uncertainty_fraction": uncertainty,
        "runs": whole.runs,
        "grade": letter_for(UNCERTAINTY, uncertainty),
    }
