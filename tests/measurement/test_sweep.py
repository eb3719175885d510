from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from latprof.errors import CostModelError, MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.home import home
from latprof.kernel import COLUMNS
from latprof.measurement import sweep as sweep_module
from latprof.measurement.network import Effort, NetworkTimes
from latprof.measurement.sweep import FAILURES_IN_A_ROW, Progress, journal_of, sweep
from latprof.runtimes.protocol import KernelTimes
from latprof.tables import Target, read_facts, read_table

TARGET = Target("onnxruntime")
LAUNCH_MS, RUN_MS = 0.002, 0.01
SECONDS_EACH = 2.0


def kernel_ms(position: int) -> float:
    return 0.1 * (1 + position)


@dataclass
class Machine:
    """Measures any network in two seconds; its kernels take 0.1, 0.2, 0.3, ... ms.

    What the profiler says is `LAUNCH_MS` more a launch, and a run costs `RUN_MS`, so calibration
    has something to find. `fate` says what happens to the network of a number instead.
    """

    fate: Callable[[int], str] = lambda number: "works"
    version: str = "onnxruntime 1.31.1"
    asked: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def measure(self, graph: Graph, effort: Effort) -> NetworkTimes:
        number = int(graph.name.rpartition("-")[2])
        fate = self.fate(number)
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
        return NetworkTimes(
            times_ms=(whole_ms,) * 4,
            profiled_ms=(sum(profiled),) * 4,
            kernels=tuple(KernelTimes(k, (p,) * 4) for k, p in zip(kernels, profiled, strict=True)),
        )


@pytest.fixture
def machine(monkeypatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(sweep_module, "Worker", lambda runtime, *, threads, dtype: found)
    monkeypatch.setattr(sweep_module, "monotonic", lambda: found.seconds)
    return found


def networks_of(target: Target = TARGET) -> list[str]:
    return list(read_table(f"host/{target.name}").networks["network"])


def journaled() -> list[int]:
    return [record["number"] for record in journal_of(TARGET).read()[1]]


def test_networks_are_measured_until_the_time_is_up(machine):
    told: list[Progress] = []

    path, progress = sweep(TARGET, seconds=8.0, report=told.append)

    assert machine.asked == [0, 1, 2, 3]  # 2 s each
    kernels = sum(len(fuse(sweep_module.draw_network(0, n), "onnxruntime")) for n in range(4))
    assert progress == Progress(4, kernels, 0, 8.0, 8.0)
    assert told[-1] == progress
    assert [p.done_fraction for p in told] == [0.25, 0.5, 0.75, 1.0]
    assert path == home() / "device_tables" / "host" / "onnxruntime-cpu1-fp32.csv"


def test_the_table_holds_kernels_and_networks_without_the_profilers_cost(machine):
    sweep(TARGET, seconds=8.0)

    table = read_table("host/onnxruntime-cpu1-fp32")
    kernels = fuse(sweep_module.draw_network(0, 2), "onnxruntime")
    rows = table.kernels[table.kernels["network"] == "micro-0-2"]
    assert list(rows["name"]) == [kernel.name for kernel in kernels]
    for column in COLUMNS:
        assert list(rows[column]) == [getattr(kernel, column) for kernel in kernels]
    assert list(rows["latency_ms"]) == pytest.approx(
        [kernel_ms(i) for i in range(len(kernels))], rel=1e-4
    )
    assert networks_of() == ["micro-0-0", "micro-0-1", "micro-0-2", "micro-0-3"]
    (whole,) = table.networks.to_dict("records")[2:3]
    assert whole["latency_ms"] == pytest.approx(sum(rows["latency_ms"]) + RUN_MS, rel=1e-4)
    assert whole["macs"] == sum(kernel.macs for kernel in kernels)
    assert whole["launches"] == len(kernels)


def test_the_facts_say_how_and_on_what_it_was_measured(machine):
    sweep(TARGET, seconds=8.0, seed=5)

    facts = read_facts("host")["targets"]["onnxruntime-cpu1-fp32"]
    assert (facts["networks"], facts["seconds"], facts["seed"]) == (4, 8.0, 5)
    assert facts["environment"]["runtime"] == "onnxruntime 1.31.1"
    assert facts["calibration"]["launch_ms"] == pytest.approx(LAUNCH_MS)
    assert facts["calibration"]["run_ms"] == pytest.approx(RUN_MS)
    assert (facts["failures"], facts["failed"]) == (0, [])


def test_an_interrupt_leaves_a_table_of_what_was_measured(machine):
    machine.fate = lambda number: "interrupted" if number == 5 else "works"

    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=100.0)

    assert networks_of() == [f"micro-0-{number}" for number in range(5)]


def test_an_early_interrupt_is_an_interrupt_although_no_table_can_be_made(machine):
    machine.fate = lambda number: "interrupted" if number == 2 else "works"

    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=100.0)

    assert journaled() == [0, 1]  # two networks are too few for a table, and are kept


def test_resuming_goes_on_with_the_next_number(machine):
    machine.fate = lambda number: "interrupted" if number == 5 else "works"
    with pytest.raises(KeyboardInterrupt):
        sweep(TARGET, seconds=16.0)
    machine.fate = lambda number: "works"

    _, progress = sweep(TARGET, seconds=16.0, resume=True)

    assert machine.asked == [0, 1, 2, 3, 4, 5, 6, 7]  # none of them twice
    assert networks_of() == [f"micro-0-{number}" for number in range(8)]
    assert (progress.networks, progress.seconds_used) == (8, 16.0)


def test_resuming_what_is_done_measures_nothing_more(machine):
    first, _ = sweep(TARGET, seconds=8.0)
    content = first.read_bytes()

    again, progress = sweep(TARGET, seconds=8.0, resume=True)

    assert machine.asked == [0, 1, 2, 3]
    assert again.read_bytes() == content
    assert progress.done_fraction == 1.0


def test_starting_anew_forgets_the_earlier_measurement(machine):
    sweep(TARGET, seconds=12.0)
    sweep(TARGET, seconds=6.0)

    assert machine.asked == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert networks_of() == ["micro-0-0", "micro-0-1", "micro-0-2"]


def test_resuming_with_another_library_is_refused_with_the_difference(machine):
    sweep(TARGET, seconds=8.0)
    machine.version = "onnxruntime 2.0.0"

    with pytest.raises(
        MeasurementError,
        match=r"other conditions: runtime: onnxruntime 1\.31\.1 then, onnxruntime 2\.0\.0 now\. "
        r"Restore them, or start anew without --resume",
    ):
        sweep(TARGET, seconds=16.0, resume=True)
    assert journaled() == [0, 1, 2, 3]


def test_resuming_with_another_seed_is_refused(machine):
    sweep(TARGET, seconds=8.0, seed=1)

    with pytest.raises(MeasurementError, match=r"seed: 1 then, 2 now"):
        sweep(TARGET, seconds=16.0, seed=2, resume=True)


def test_there_may_be_nothing_to_resume(machine):
    with pytest.raises(MeasurementError, match=r"no measurement to go on with"):
        sweep(TARGET, seconds=8.0, resume=True)


@pytest.mark.parametrize("header", [{}, {"environment": "a text"}, {"environment": {}, "seed": 0}])
def test_a_journal_that_does_not_say_where_it_was_made_is_not_resumed(machine, header):
    journal_of(TARGET).start(header)

    with pytest.raises(MeasurementError, match=r"cpu: unknown then, .* now"):
        sweep(TARGET, seconds=8.0, resume=True)


def test_a_damaged_record_costs_one_network(machine):
    sweep(TARGET, seconds=8.0)
    journal = journal_of(TARGET)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"end_to_end"', b'"end_t0_end"')  # JSON still, but no record
    lines[3] = b"\x00\x01" + lines[3][2:]
    journal.path.write_bytes(b"".join(lines))

    sweep(TARGET, seconds=8.0, resume=True)

    assert networks_of() == ["micro-0-0", "micro-0-3", "micro-0-4", "micro-0-5"]


def test_failures_are_counted_and_listed_and_end_nothing(machine):
    machine.fate = lambda number: "fails" if number in (1, 2) else "works"

    _, progress = sweep(TARGET, seconds=12.0)

    assert (progress.networks, progress.failures, progress.seconds_used) == (4, 2, 12.0)
    assert networks_of() == ["micro-0-0", "micro-0-3", "micro-0-4", "micro-0-5"]
    facts = read_facts("host")["targets"]["onnxruntime-cpu1-fp32"]
    assert facts["failures"] == 2
    assert facts["failed"] == [
        "micro-0-1: number 1 failed.",
        "micro-0-2: number 2 failed.",
    ]


def test_a_machine_on_which_nothing_works_is_told_so_instead_of_tried_for_hours(machine):
    machine.fate = lambda number: "fails" if number >= 4 else "works"

    with pytest.raises(MeasurementError, match=r"20 networks in a row .*number 23 failed"):
        sweep(TARGET, seconds=1e9)

    assert machine.asked == list(range(4 + FAILURES_IN_A_ROW))
    assert journaled() == machine.asked


def test_a_sweep_in_which_everything_failed_says_why(machine):
    machine.fate = lambda number: "fails"

    with pytest.raises(
        MeasurementError, match=r"no network could be measured\. number 0 failed\. number 1 failed"
    ):
        sweep(TARGET, seconds=4.0)


def test_too_short_a_sweep_says_how_long_it_should_be(machine):
    with pytest.raises(CostModelError, match=r"2 networks cannot say .*latprof measure --time"):
        sweep(TARGET, seconds=4.0)


def test_a_kernel_faster_than_the_profiler_can_tell_is_left_out(machine):
    machine.fate = lambda number: "one kernel too fast to tell" if number == 1 else "works"

    sweep(TARGET, seconds=8.0)

    table = read_table("host/onnxruntime-cpu1-fp32")
    rows = table.kernels[table.kernels["network"] == "micro-0-1"]
    kernels = fuse(sweep_module.draw_network(0, 1), "onnxruntime")
    assert list(rows["name"]) == [kernel.name for kernel in kernels[1:]]


def test_targets_do_not_touch_each_other(machine):
    sweep(TARGET, seconds=8.0)
    sweep(Target("onnxruntime", threads=2), seconds=6.0)

    assert len(networks_of()) == 4
    assert len(networks_of(Target("onnxruntime", threads=2))) == 3
    assert read_facts("host")["default_target"] == TARGET.name


@pytest.fixture
def measuring() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``latprof measure`` in a process of its own; ended if the test does not."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "latprof", "measure", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_for_lines(path: Path, count: int, limit_s: float = 60.0) -> None:
    started = time.monotonic()
    while not path.is_file() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() - started < limit_s, "nothing was measured"
        time.sleep(0.05)


def test_a_measurement_survives_kill_9(measuring):
    path = journal_of(TARGET).path
    killed = measuring("--time", "20s")
    wait_for_lines(path, 9)  # the header and eight networks
    workers = psutil.Process(killed.pid).children()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert workers
    assert psutil.wait_procs(workers, timeout=20)[1] == []  # nobody asks them any more
    before = path.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    spent = sum(json.loads(line).get("seconds", 0) for line in kept.splitlines())

    resumed = measuring("--resume", "--time", f"{spent + 2:.0f}s")
    said, _ = resumed.communicate(timeout=60)

    assert resumed.returncode == 0, said
    after = path.read_bytes()
    assert after.startswith(kept)  # what was measured stays as it was
    records = [json.loads(line) for line in after.splitlines()[1:]]
    assert len(records) > kept.count(b"\n") - 1
    assert [record["number"] for record in records] == list(range(len(records)))
    measured = [record["network"] for record in records if "kernels" in record]
    assert networks_of() == measured
    table = read_table("host/onnxruntime-cpu1-fp32")
    assert not table.kernels.duplicated(["network", "name"]).any()
