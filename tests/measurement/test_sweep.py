"""A sweep with a made-up measuring process; with real ones see `test_faults.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pytest

from latprof.errors import CostModelError, MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.home import home
from latprof.kernel import COLUMNS
from latprof.measurement import sweep as sweep_module
from latprof.measurement.environment import IDENTITY
from latprof.measurement.network import Effort
from latprof.measurement.sweep import FAILURES_IN_A_ROW, Progress, journal_of, sweep
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.visits import NETWORKS_IN_A_LAP, visits
from latprof.runtimes.protocol import KernelTimes
from latprof.sampling import draw_network
from latprof.tables import Target, read_facts, read_table

TARGET = Target("onnxruntime")
LAUNCH_MS, RUN_MS = 0.002, 0.01
SECONDS_EACH = 2.0


def first(count: int, seed: int = 0, times: int = 3) -> list[int]:
    """Numbers of the networks that the first so many visits go to."""
    return [visit.number for visit in islice(visits(seed, times), count)]


def names(numbers: Sequence[int], seed: int = 0) -> list[str]:
    return [f"micro-{seed}-{number}" for number in numbers]


def kernel_ms(position: int) -> float:
    return 0.1 * (1 + position)


@dataclass
class Machine:
    """Measures any network in two seconds; its kernels take 0.1, 0.2, 0.3, ... ms.

    What the profiler says is `LAUNCH_MS` more a launch, and a run costs `RUN_MS`, so calibration
    has something to find. `fate` says what happens at the n-th visit instead, from 0.
    """

    fate: Callable[[int], str] = lambda position: "works"
    version: str = "onnxruntime 1.31.1"
    asked: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def measure(self, graph: Graph, effort: Effort) -> NetworkTimes:
        number = int(graph.name.rpartition("-")[2])
        fate = self.fate(len(self.asked))
        if fate == "interrupted":
            raise KeyboardInterrupt
        self.asked.append(number)
        self.seconds += SECONDS_EACH
        if fate == "fails":
            raise MeasurementError(f"number {number} failed.")
        kernels = fuse(graph, "onnxruntime")
        profiled = [kernel_ms(i) + LAUNCH_MS for i in range(len(kernels))]
        if fate == "one kernel too fast to tell":
            profiled[0] = 0.0
        whole_ms = sum(p - LAUNCH_MS for p in profiled) + RUN_MS
        each = Round((0.5,) * 3, (whole_ms,) * 4, (sum(profiled),) * 4)
        return NetworkTimes(
            (each,),
            tuple(KernelTimes(k, (p,) * 4) for k, p in zip(kernels, profiled, strict=True)),
            block_ms=whole_ms,
        )


@pytest.fixture
def machine(monkeypatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(sweep_module, "Worker", lambda runtime, *, threads, dtype: found)
    monkeypatch.setattr(sweep_module, "monotonic", lambda: found.seconds)
    return found


def failing_at(*positions: int) -> Callable[[int], str]:
    return lambda position: "fails" if position in positions else "works"


def interrupted_at(wanted: int) -> Callable[[int], str]:
    return lambda position: "interrupted" if position == wanted else "works"


def networks_of(target: Target = TARGET) -> list[str]:
    return list(read_table(f"host/{target.name}").networks["network"])


def facts_of(target: Target = TARGET) -> dict:
    return read_facts("host")["targets"][target.name]


def journaled() -> list[int]:
    return [record["number"] for record in journal_of(TARGET).read()[1]]


def test_networks_are_measured_until_the_time_is_up(machine):
    told: list[Progress] = []

    path, progress = sweep(TARGET, seconds=8.0, report=told.append)

    assert machine.asked == first(4)  # 2 s each
    kernels = sum(len(fuse(draw_network(0, n), "onnxruntime")) for n in first(4))
    assert progress == Progress(4, kernels, 0, 8.0, 8.0)
    assert progress.kernels_per_second == kernels / 8
    assert told[-1] == progress
    assert [p.done_fraction for p in told] == [0.25, 0.5, 0.75, 1.0]
    assert path == home() / "device_tables" / "host" / "onnxruntime-cpu1-fp32.csv"


def test_the_table_holds_kernels_and_networks_without_the_profilers_cost(machine):
    sweep(TARGET, seconds=8.0)

    table = read_table("host/onnxruntime-cpu1-fp32")
    number = first(3)[2]
    kernels = fuse(draw_network(0, number), "onnxruntime")
    rows = table.kernels[table.kernels["network"] == f"micro-0-{number}"]
    assert list(rows["name"]) == [kernel.name for kernel in kernels]
    for column in COLUMNS:
        assert list(rows[column]) == [getattr(kernel, column) for kernel in kernels]
    assert list(rows["latency_ms"]) == pytest.approx(
        [kernel_ms(i) for i in range(len(kernels))], rel=1e-4
    )
    assert networks_of() == names(first(4))
    (whole,) = table.networks.to_dict("records")[2:3]
    assert whole["latency_ms"] == pytest.approx(sum(rows["latency_ms"]) + RUN_MS, rel=1e-4)
    assert whole["macs"] == sum(kernel.macs for kernel in kernels)
    assert whole["launches"] == len(kernels)


def test_the_facts_say_how_and_on_what_it_was_measured(machine):
    sweep(TARGET, seconds=8.0, seed=5)

    facts = facts_of()
    assert (facts["networks"], facts["visits"], facts["seconds"], facts["seed"]) == (4, 4, 8.0, 5)
    assert networks_of() == names(first(4, seed=5), seed=5)
    assert facts["canary"]["reference_ms"] == 0.5
    assert facts["disturbed_visits"] == 0
    assert (facts["grade"], facts["grade_reasons"]) == ("A", [])
    assert facts["environment"]["runtime"] == "onnxruntime 1.31.1"
    assert facts["calibration"]["launch_ms"] == pytest.approx(LAUNCH_MS)
    assert facts["calibration"]["run_ms"] == pytest.approx(RUN_MS)
    assert (facts["failures"], facts["failed"]) == (0, [])


def test_an_interrupt_leaves_a_table_of_what_was_measured(machine):
    machine.fate = interrupted_at(5)

    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=100.0)

    assert networks_of() == names(first(5))


def test_an_early_interrupt_is_an_interrupt_although_no_table_can_be_made(machine):
    machine.fate = interrupted_at(2)

    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=100.0)

    assert journaled() == first(2)  # two networks are too few for a table, and are kept


def test_resuming_goes_on_with_the_next_visit(machine):
    machine.fate = interrupted_at(5)
    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=16.0)
    machine.fate = lambda position: "works"

    _, progress = sweep(TARGET, seconds=16.0, resume=True)

    assert machine.asked == first(8)  # none of them twice
    assert networks_of() == names(first(8))
    assert (progress.networks, progress.seconds_used) == (8, 16.0)


def test_every_network_of_a_lap_is_visited_several_times(machine):
    _, progress = sweep(TARGET, seconds=2.0 * SECONDS_EACH * NETWORKS_IN_A_LAP, times=2)

    assert sorted(machine.asked) == sorted([*range(NETWORKS_IN_A_LAP)] * 2)
    assert progress.networks == NETWORKS_IN_A_LAP
    kernels = sum(len(fuse(draw_network(0, n), "onnxruntime")) for n in range(NETWORKS_IN_A_LAP))
    assert progress.kernels == kernels  # a second visit finds no new ones
    table = read_table("host/onnxruntime-cpu1-fp32")
    assert set(table.networks["runs"]) == {8}  # four at each visit
    assert not table.kernels.duplicated(["network", "name"]).any()
    assert (facts_of()["networks"], facts_of()["visits"]) == (40, 80)


def test_resuming_what_is_done_measures_nothing_more(machine):
    path, _ = sweep(TARGET, seconds=8.0)
    content = path.read_bytes()

    again, progress = sweep(TARGET, seconds=8.0, resume=True)

    assert machine.asked == first(4)
    assert again.read_bytes() == content
    assert progress.done_fraction == 1.0


def test_starting_anew_forgets_the_earlier_measurement(machine):
    sweep(TARGET, seconds=12.0)
    sweep(TARGET, seconds=6.0)

    assert machine.asked == first(6) + first(3)
    assert networks_of() == names(first(3))


def test_resuming_with_another_library_is_refused_with_the_difference(machine):
    sweep(TARGET, seconds=8.0)
    machine.version = "onnxruntime 2.0.0"

    with pytest.raises(
        MeasurementError,
        match=r"other conditions: runtime: onnxruntime 1\.31\.1 then, onnxruntime 2\.0\.0 now\. "
        r"Restore them, or start anew without --resume",
    ):
        sweep(TARGET, seconds=16.0, resume=True)
    assert journaled() == first(4)


@pytest.mark.parametrize("key", IDENTITY)
def test_each_fact_of_the_machine_must_be_as_it_was(machine, monkeypatch, key):
    sweep(TARGET, seconds=8.0)
    now = sweep_module.describe_run(runtime=machine.version, threads=1, dtype="fp32")
    monkeypatch.setattr(sweep_module, "describe_run", lambda **run: now | {key: "something else"})

    with pytest.raises(MeasurementError, match=f"{key}: .* then, something else now. Restore"):
        sweep(TARGET, seconds=16.0, resume=True)
    assert journaled() == first(4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 2}, r"conditions: seed: 1 then, 2 now\. Restore"),
        ({"times": 5}, r"conditions: visits: 4 then, 5 now\. Restore"),
        ({"seed": 0, "times": 3}, r"seed: 1 then, 0 now; visits: 4 then, 3 now\. Restore"),
    ],
)
def test_resuming_with_another_plan_is_refused_with_the_difference(machine, changed, said):
    sweep(TARGET, seconds=8.0, seed=1, times=4)

    with pytest.raises(MeasurementError, match=said):
        sweep(TARGET, seconds=16.0, resume=True, **changed)
    assert journaled() == first(4, seed=1, times=4)


def test_resuming_without_a_plan_keeps_the_one_there_was(machine):
    sweep(TARGET, seconds=8.0, seed=1, times=4)

    sweep(TARGET, seconds=16.0, resume=True)

    assert machine.asked == first(8, seed=1, times=4)


def test_a_journal_of_another_version_is_not_resumed(machine):
    sweep(TARGET, seconds=8.0)
    path = journal_of(TARGET).path
    path.write_bytes(path.read_bytes().replace(b'"schema":2', b'"schema":1', 1))

    with pytest.raises(MeasurementError, match=r"another latprof \(schema 1\); measure anew"):
        sweep(TARGET, seconds=16.0, resume=True)


def test_there_may_be_nothing_to_resume(machine):
    with pytest.raises(MeasurementError, match=r"no measurement to go on with"):
        sweep(TARGET, seconds=8.0, resume=True)


@pytest.mark.parametrize(
    "header", [{}, {"environment": "a text"}, {"environment": {}, "seed": "0"}]
)
def test_a_journal_that_does_not_say_where_it_was_made_is_not_resumed(machine, header):
    journal_of(TARGET).start(header)

    with pytest.raises(
        MeasurementError, match=r"cpu: unknown then, .* now; seed: .* visits: unknown then, 3 now"
    ):
        sweep(TARGET, seconds=8.0, resume=True)


def test_a_damaged_record_costs_one_visit(machine):
    sweep(TARGET, seconds=8.0)
    journal = journal_of(TARGET)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"rounds"', b'"r0unds"')  # JSON still, but no record
    lines[3] = b"\x00\x01" + lines[3][2:]
    journal.path.write_bytes(b"".join(lines))

    sweep(TARGET, seconds=8.0, resume=True)

    one, _, _, four, five, six = first(6)
    assert networks_of() == names([one, four, five, six])


def test_failures_are_counted_and_listed_and_end_nothing(machine):
    machine.fate = failing_at(1, 2)

    _, progress = sweep(TARGET, seconds=12.0)

    one, two, three, *others = first(6)
    assert (progress.networks, progress.failures, progress.seconds_used) == (4, 2, 12.0)
    assert networks_of() == names([one, *others])
    facts = facts_of()
    assert facts["failures"] == 2
    assert facts["failed"] == [
        f"micro-0-{two}: number {two} failed.",
        f"micro-0-{three}: number {three} failed.",
    ]
    assert facts["grade"] == "D"  # 2 of 6 are more than a quarter
    assert facts["grade_reasons"] == ["33.3 % of the networks could not be measured"]


def test_a_network_that_failed_is_not_visited_again(machine):
    machine.fate = failing_at(3)

    sweep(TARGET, seconds=SECONDS_EACH * 130)  # a lap is three visits to each of 40

    failed = first(4)[3]
    assert machine.asked.count(failed) == 1
    assert {machine.asked.count(n) for n in range(40) if n != failed} == {3}
    assert names([failed])[0] not in networks_of()


def test_a_network_that_failed_is_not_visited_again_after_a_resume(machine):
    machine.fate = failing_at(3)
    sweep(TARGET, seconds=SECONDS_EACH * 20)

    sweep(TARGET, seconds=SECONDS_EACH * 120, resume=True)

    assert machine.asked.count(first(4)[3]) == 1


def test_a_machine_on_which_nothing_works_is_told_so_instead_of_tried_for_hours(machine):
    machine.fate = lambda position: "fails" if position >= 4 else "works"

    with pytest.raises(MeasurementError, match=r"20 networks in a row .*number \d+ failed"):
        sweep(TARGET, seconds=1e9)

    assert machine.asked == first(4 + FAILURES_IN_A_ROW)
    assert journaled() == machine.asked


def test_after_a_resume_it_is_tried_as_often_again(machine):
    machine.fate = lambda position: "fails" if position >= 4 else "works"
    for resume in (False, True):
        with pytest.raises(MeasurementError, match=r"20 networks in a row"):
            sweep(TARGET, seconds=1e9, resume=resume)

    assert len(machine.asked) == 4 + 2 * FAILURES_IN_A_ROW


def test_a_sweep_in_which_everything_failed_says_why(machine):
    machine.fate = lambda position: "fails"
    one, two = sorted(first(2))

    with pytest.raises(
        MeasurementError,
        match=rf"no network could be measured\. number {one} failed\. number {two} failed",
    ):
        sweep(TARGET, seconds=4.0)


def test_too_short_a_sweep_says_how_long_it_should_be(machine):
    with pytest.raises(CostModelError, match=r"2 networks cannot say .*latprof measure --time"):
        sweep(TARGET, seconds=4.0)


def test_a_kernel_faster_than_the_profiler_can_tell_is_left_out(machine):
    machine.fate = lambda position: "one kernel too fast to tell" if position == 1 else "works"

    sweep(TARGET, seconds=8.0)

    number = first(2)[1]
    table = read_table("host/onnxruntime-cpu1-fp32")
    rows = table.kernels[table.kernels["network"] == f"micro-0-{number}"]
    kernels = fuse(draw_network(0, number), "onnxruntime")
    assert list(rows["name"]) == [kernel.name for kernel in kernels[1:]]


def test_targets_do_not_touch_each_other(machine):
    sweep(TARGET, seconds=8.0)
    sweep(Target("onnxruntime", threads=2), seconds=6.0)

    assert len(networks_of()) == 4
    assert len(networks_of(Target("onnxruntime", threads=2))) == 3
    assert read_facts("host")["default_target"] == TARGET.name
