"""Build this host's table: measure random small networks until the time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from latprof.errors import BadReference, LatprofError, MeasurementError
from latprof.home import checked_name
from latprof.measurement.client import Worker
from latprof.measurement.environment import describe_run, differences
from latprof.measurement.journal import Journal
from latprof.measurement.network import Effort
from latprof.measurement.outcome import keep_table
from latprof.measurement.records import failure_of, is_whole, record_of
from latprof.measurement.steadiness import Steadiness
from latprof.measurement.visits import VISITS, Visit, visits
from latprof.sampling import draw_network, sampler_digest
from latprof.tables import HOST, Target, own_tables

# A visit runs for about this long, plain and profiled together. Visits differ by more than runs
# within one, so that time is better spent on more visits than on longer ones.
EFFORT = Effort(seconds=0.03, rounds=1, least=3, most=20, least_rounds=1)
# So many networks in a row do not fail by themselves: it is the runtime or the machine.
FAILURES_IN_A_ROW = 20
_PLAN = {"seed": 0, "visits": VISITS}  # unless something else is asked for


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come.

    Parameters
    ----------
    networks, kernels, failures : int
        Measured at least once; kernels of each network counted by themselves.
    seconds_used, seconds_wanted : float
    grade : str
        Of the machine so far, by the canary and the operating system; empty before it is known.
    """

    networks: int
    kernels: int
    failures: int
    seconds_used: float
    seconds_wanted: float
    grade: str = ""

    @property
    def done_fraction(self) -> float:
        return min(1.0, self.seconds_used / self.seconds_wanted)

    @property
    def kernels_per_second(self) -> float:
        return self.kernels / self.seconds_used if self.seconds_used else 0.0


Report = Callable[[Progress], None]


def sweep(
    target: Target,
    *,
    seconds: float,
    seed: int | None = None,
    times: int | None = None,
    resume: bool = False,
    report: Report = lambda progress: None,
) -> tuple[Path, Progress]:
    """Measure networks number 0, 1, 2, ... under `target` for `seconds`; keep the table.

    Parameters
    ----------
    target : Target
    seconds : float
        Of measuring in all, runs before a `resume` included.
    seed : int, optional
        Which networks are drawn: 0, or what a resumed journal says.
    times : int, optional
        How often each network is visited: 3, or what a resumed journal says.
    resume : bool
        Go on with the journal of an earlier run instead of starting anew.
    report : callable
        Told after every visit.

    Returns
    -------
    path : Path
        The table.
    progress : Progress

    Raises
    ------
    MeasurementError
        If nothing can be measured, a resumed journal was made elsewhere or otherwise, or another
        process is measuring this target.
    CostModelError
        If too few networks were measured to tell what profiling costs.
    """
    journal = journal_of(target)
    worker = Worker(target.runtime, threads=target.threads, dtype=target.dtype)
    with journal.locked(), worker:
        environment = describe_run(
            runtime=worker.version, threads=target.threads, dtype=target.dtype
        )
        asked = {"seed": seed, "visits": times}
        plan, records = (
            _resumed(journal, environment, asked) if resume else _new(journal, environment, asked)
        )
        tally = _Tally(records, seconds)
        try:
            _visit_until(seconds, worker, journal, records, tally, plan, report)
        except KeyboardInterrupt:
            # What is in the journal is safe; make a table of it, if it suffices, before leaving.
            with suppress(LatprofError):
                keep_table(target, environment, _whole(journal.read()[1]), plan["seed"])
            raise
        return _kept(target, environment, records, plan["seed"]), tally.progress


def journal_of(target: Target) -> Journal:
    """Where the measurement of `target` on this host is journaled."""
    return Journal(own_tables() / HOST / f"{checked_name('target', target.name)}.journal.jsonl")


def _visit_until(
    seconds: float,
    worker: Worker,
    journal: Journal,
    records: list[dict[str, Any]],
    tally: _Tally,
    plan: Mapping[str, int],
    report: Report,
) -> None:
    start = max((record["position"] for record in records), default=-1) + 1
    for visit in visits(plan["seed"], plan["visits"], start):
        if tally.progress.seconds_used >= seconds:
            return
        if visit.number in tally.failed:
            continue  # it would fail again
        record = _measure_one(worker, plan["seed"], visit)
        journal.append(record)
        records.append(record)
        tally.add(record)
        report(tally.progress)
        if tally.failed_in_a_row == FAILURES_IN_A_ROW:
            raise MeasurementError(
                f"{FAILURES_IN_A_ROW} networks in a row could not be measured, so this one stopped "
                f"trying. The last said: {record['error']} What was measured before is "
                "kept; add --resume once that is solved."
            )


def _new(
    journal: Journal, environment: Mapping[str, str], asked: Mapping[str, int | None]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    plan = {name: _PLAN[name] if value is None else value for name, value in asked.items()}
    journal.start({**plan, "draws": sampler_digest(), "environment": dict(environment)})
    return plan, []


def _resumed(
    journal: Journal, environment: Mapping[str, str], asked: Mapping[str, int | None]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Plan and records of a journal, if it was made as the rest would be."""
    header, records = journal.read()
    then = header.get("environment")
    changed = differences(then if isinstance(then, Mapping) else {}, environment)
    plan: dict[str, Any] = {name: header.get(name) for name in asked}
    for name, wanted in asked.items():
        if not isinstance(plan[name], int) or wanted not in (None, plan[name]):
            now = _PLAN[name] if wanted is None else wanted
            changed.append(f"{name}: {header.get(name, 'unknown')} then, {now} now")
    if header.get("draws", digest := sampler_digest()) != digest:
        changed.append(f"random networks: {header['draws']} then, {digest} now (another latprof)")
    if changed:
        raise MeasurementError(
            "the measurement to resume was made under other conditions: "
            f"{'; '.join(changed)}. Restore them, or start anew without --resume."
        )
    return plan, _whole(records)


def _whole(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if is_whole(record)]


def _kept(
    target: Target, environment: Mapping[str, str], records: list[dict[str, Any]], seed: int
) -> Path:
    try:
        return keep_table(target, environment, records, seed)
    except BadReference as error:
        raise MeasurementError(
            f"{error} All that was measured is in the journal: once that is solved, the same "
            "command with --resume writes the table."
        ) from error


def _measure_one(worker: Worker, seed: int, visit: Visit) -> dict[str, Any]:
    started = monotonic()
    graph = draw_network(seed, visit.number)
    try:
        times = worker.measure(graph, EFFORT)
    except MeasurementError as error:
        return failure_of(visit, graph.name, monotonic() - started, str(error))
    return record_of(visit, graph.name, monotonic() - started, times)


class _Tally:
    """Counts what was measured as it comes in."""

    def __init__(self, records: Sequence[Mapping[str, Any]], seconds: float) -> None:
        self.progress = Progress(0, 0, 0, 0.0, seconds)
        self.failed: set[int] = set()
        self.failed_in_a_row = 0
        self._seen: set[int] = set()
        self._steadiness = Steadiness()
        for record in records:
            self.add(record)
        self.failed_in_a_row = 0  # what made them fail may be solved by now

    def add(self, record: Mapping[str, Any]) -> None:
        number, new = record["number"], record["number"] not in self._seen
        measured = "error" not in record
        if measured:
            self._seen.add(number)
            self._steadiness.add(record)
            self.failed_in_a_row = 0
        else:
            self.failed.add(number)
            self.failed_in_a_row += 1
        self.progress = replace(
            self.progress,
            networks=len(self._seen),
            kernels=self.progress.kernels + (len(record["kernels"]) if measured and new else 0),
            failures=len(self.failed),
            seconds_used=self.progress.seconds_used + float(record["seconds"]),
            grade=self._steadiness.letter,
        )
