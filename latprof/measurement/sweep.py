"""Build this host's table: measure random small networks until the time is up."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from latprof import __version__
from latprof.errors import LatprofError, MeasurementError
from latprof.home import checked_name
from latprof.kernel import COLUMNS, Kernel
from latprof.measurement.calibration import Calibration, calibrate
from latprof.measurement.client import Worker
from latprof.measurement.environment import describe_run, differences
from latprof.measurement.journal import Journal
from latprof.measurement.network import Effort, NetworkTimes, typical_kernels_ms
from latprof.measurement.timing import quantile, summarize
from latprof.sampling import draw_network
from latprof.tables import HOST, Target, own_tables, write_table

# A probe runs for about this long, plain and profiled together.
EFFORT = Effort(seconds=0.06, least=8, most=60, rounds=3)
# So many networks in a row do not fail by themselves: it is the runtime or the machine.
FAILURES_IN_A_ROW = 20
_FAILURES_LISTED = 20


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come."""

    networks: int
    kernels: int
    failures: int
    seconds_used: float
    seconds_wanted: float

    @property
    def done_fraction(self) -> float:
        return min(1.0, self.seconds_used / self.seconds_wanted)


Report = Callable[[Progress], None]


def sweep(
    target: Target,
    *,
    seconds: float,
    seed: int = 0,
    resume: bool = False,
    report: Report = lambda progress: None,
) -> tuple[Path, Progress]:
    """Measure networks number 0, 1, 2, ... under `target` for `seconds`; keep the table.

    Parameters
    ----------
    target : Target
    seconds : float
        Of measuring in all, runs before a `resume` included.
    seed : int
    resume : bool
        Go on with the journal of an earlier run instead of starting anew.
    report : callable
        Told after every network.

    Returns
    -------
    path : Path
        The table.
    progress : Progress

    Raises
    ------
    MeasurementError
        If nothing can be measured, or a resumed journal was made elsewhere or otherwise.
    CostModelError
        If too few networks were measured to tell what profiling costs.
    """
    journal = journal_of(target)
    with Worker(target.runtime, threads=target.threads, dtype=target.dtype) as worker:
        environment = describe_run(
            runtime=worker.version, threads=target.threads, dtype=target.dtype
        )
        records = _opened(journal, environment, seed, resume=resume)
        progress = _progress(records, seconds)
        number = max((record["number"] for record in records), default=-1) + 1
        failed = 0
        try:
            while progress.seconds_used < seconds:
                record = _measure_one(worker, seed, number)
                journal.append(record)
                records.append(record)
                number += 1
                progress = _progress_after(progress, record)
                report(progress)
                failed = failed + 1 if "error" in record else 0
                if failed == FAILURES_IN_A_ROW:
                    raise MeasurementError(
                        f"{failed} networks in a row could not be measured, so this one stopped "
                        f"trying. The last said: {record['error']} What was measured before is "
                        "kept; add --resume once that is solved."
                    )
        except KeyboardInterrupt:
            # What is in the journal is safe; make a table of it, if it suffices, before leaving.
            with suppress(LatprofError):
                keep_table(target, environment, records, seed)
            raise
    return keep_table(target, environment, records, seed), progress


def journal_of(target: Target) -> Journal:
    """Where the measurement of `target` on this host is journaled."""
    return Journal(own_tables() / HOST / f"{checked_name('target', target.name)}.journal.jsonl")


def _opened(
    journal: Journal, environment: Mapping[str, str], seed: int, *, resume: bool
) -> list[dict[str, Any]]:
    if not resume:
        journal.start({"seed": seed, "environment": dict(environment)})
        return []
    header, records = journal.read()
    then = header.get("environment")
    changed = differences(then if isinstance(then, Mapping) else {}, environment)
    if header.get("seed") != seed:
        changed.append(f"seed: {header.get('seed', 'unknown')} then, {seed} now")
    if changed:
        raise MeasurementError(
            "the measurement to resume was made under other conditions: "
            f"{'; '.join(changed)}. Restore them, or start anew without --resume."
        )
    return [record for record in records if _is_whole(record)]


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a line has what every line has: it may be readable and damaged all the same."""
    outcome = "kernels" in record and "end_to_end" in record
    return {"number", "network", "seconds"} <= record.keys() and (outcome or "error" in record)


def _measure_one(worker: Worker, seed: int, number: int) -> dict[str, Any]:
    started = monotonic()
    graph = draw_network(seed, number)
    try:
        times = worker.measure(graph, EFFORT)
    except MeasurementError as error:
        outcome: dict[str, Any] = {"error": str(error)}
    else:
        outcome = record_of(times)
    return {
        "number": number,
        "network": graph.name,
        "seconds": round(monotonic() - started, 3),
        **outcome,
    }


def record_of(times: NetworkTimes) -> dict[str, Any]:
    """What the journal keeps of one network."""
    return {
        "end_to_end": asdict(summarize(times.times_ms)),
        "kernels": [
            {
                **{column: getattr(k.kernel, column) for column in COLUMNS},
                "name": k.kernel.name,
                "launches": k.launches,
                "profiled_ms": typical_ms,
                "spread_fraction": _spread(k.times_ms, typical_ms),
                "runs": len(k.times_ms),
            }
            for k, typical_ms in zip(times.kernels, typical_kernels_ms(times), strict=True)
        ],
        "unmatched": [str(stray) for stray in times.strays],
        "missing": list(times.missing),
    }


def _spread(times_ms: Sequence[float], typical_ms: float) -> float:
    ordered = sorted(times_ms)
    return (quantile(ordered, 0.9) - quantile(ordered, 0.1)) / max(typical_ms, 1e-9)


def _progress(records: Sequence[Mapping[str, Any]], seconds: float) -> Progress:
    progress = Progress(0, 0, 0, 0.0, seconds)
    for record in records:
        progress = _progress_after(progress, record)
    return progress


def _progress_after(progress: Progress, record: Mapping[str, Any]) -> Progress:
    measured = "kernels" in record
    return Progress(
        networks=progress.networks + measured,
        kernels=progress.kernels + len(record.get("kernels", ())),
        failures=progress.failures + (not measured),
        seconds_used=progress.seconds_used + float(record["seconds"]),
        seconds_wanted=progress.seconds_wanted,
    )


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
    measured = [record for record in records if "kernels" in record]
    if not measured:
        causes = {str(record.get("error", "")) for record in records}
        raise MeasurementError(f"no network could be measured. {' '.join(sorted(causes))[:500]}")
    failed = [f"{r['network']}: {r['error']}" for r in records if "kernels" not in r]
    calibration = calibration_of(measured)
    rows = [row for record in measured for row in _rows(record, calibration)]
    facts = {
        "source": "latprof measure",
        "how": "random small networks, kernels timed in context by the runtime's profiler, its "
        "cost removed; end to end without the profiler",
        "statistic": "kernels: mean over the typical runs; end to end: median",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "latprof": __version__,
        "seed": seed,
        "networks": len(measured),
        "failures": len(failed),
        "failed": failed[:_FAILURES_LISTED],
        "seconds": round(sum(float(record["seconds"]) for record in records), 1),
        "environment": dict(environment),
        "calibration": calibration.to_dict(),
    }
    return write_table(HOST, target.name, rows, facts)


def calibration_of(records: Sequence[Mapping[str, Any]]) -> Calibration:
    """What profiling cost in these networks."""
    return calibrate(
        [record["end_to_end"]["latency_ms"] for record in records],
        [sum(kernel["profiled_ms"] for kernel in record["kernels"]) for record in records],
        [sum(kernel["launches"] for kernel in record["kernels"]) for record in records],
    )


def _rows(record: Mapping[str, Any], calibration: Calibration) -> list[dict[str, Any]]:
    rows = [
        {
            "level": "kernel",
            "network": record["network"],
            **{key: value for key, value in kernel.items() if key != "profiled_ms"},
            "latency_ms": calibration.kernel_ms(kernel["profiled_ms"], kernel["launches"]),
        }
        for kernel in record["kernels"]
        if kernel["profiled_ms"] > 0  # 0 is less than the profiler can tell, not no time
    ]
    whole = record["end_to_end"]
    blank = Kernel("", "network")
    rows.append(
        {
            "level": "model",
            "network": record["network"],
            "name": "",
            **{column: getattr(blank, column) for column in COLUMNS},
            "macs": sum(kernel["macs"] for kernel in record["kernels"]),
            "launches": sum(kernel["launches"] for kernel in record["kernels"]),
            "latency_ms": whole["latency_ms"],
            "spread_fraction": (whole["p90_ms"] - whole["p10_ms"]) / whole["latency_ms"],
            "runs": whole["runs"],
        }
    )
    return rows
