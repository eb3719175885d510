"""Read from what Linux 6.1 wrote into /proc on a virtual server with two cores, 2026-11."""

from __future__ import annotations

from pathlib import Path

import pytest

from latprof.measurement import usage
from latprof.measurement.usage import Meter, Stopwatch, Usage

STAT = """cpu  1132013 35 98214 1530211 10823 0 3312 {steal} 0 0
cpu0 566213 20 49102 765102 5400 0 2012 2000 0 0
cpu1 565800 15 49112 765109 5423 0 1300 2100 0 0
intr 81293812 0 9 0
ctxt 120391203
btime 1795521033
"""
STATUS = """Name:\tpython
Umask:\t0022
State:\tS (sleeping)
VmPeak:\t 2410332 kB
VmSize:\t 2344796 kB
VmHWM:\t  812344 kB
VmRSS:\t  711120 kB
Threads:\t2
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A recorded /proc, a clock of its own and two threads that have waited 3 s and 1 s."""
    process = tmp_path / "self"
    for thread, waited_ns in ((100, 3_000_000_000), (101, 1_000_000_000)):
        (process / "task" / str(thread)).mkdir(parents=True)
        wait(process, thread, waited_ns)
    (process / "status").write_text(STATUS)
    (tmp_path / "stat").write_text(STAT.format(steal=4100))
    monkeypatch.setattr(usage, "_PROCESS", process)
    monkeypatch.setattr(usage, "_STAT", tmp_path / "stat")
    monkeypatch.setattr(usage, "_TICK_S", 0.01)
    now = [1000.0]
    monkeypatch.setattr(usage, "perf_counter", lambda: now[0])
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    class Machine:
        proc = tmp_path

        def after(self, seconds: float) -> None:
            now[0] += seconds

    return Machine()


def wait(process: Path, thread: int, waited_ns: int) -> None:
    file = process / "task" / str(thread) / "schedstat"  # ran, waited, turns
    file.write_text(f"81237123 {waited_ns} 812\n")


def test_time_without_a_core_and_time_given_to_others_are_shares(machine):
    meter = Meter()
    machine.after(10.0)
    wait(machine.proc / "self", 100, 3_400_000_000)  # 0.4 s more
    wait(machine.proc / "self", 101, 1_100_000_000)  # and 0.1 s
    (machine.proc / "stat").write_text(STAT.format(steal=4160))  # 60 ticks of 10 ms, of 2 cores

    found = meter.read()

    assert found.wall_s == pytest.approx(10.0)
    assert found.waiting_fraction == pytest.approx(0.05)
    assert found.stolen_fraction == pytest.approx(0.03)
    assert found.peak_bytes == 812_344 * 1024
    assert found.page_faults >= 0


def test_the_peak_is_counted_from_where_the_meter_starts(machine):
    Meter()

    assert (machine.proc / "self" / "clear_refs").read_text() == "5"  # as proc(5) says


def test_a_thread_that_ended_meanwhile_makes_no_share_negative(machine):
    watch = Stopwatch()
    machine.after(1.0)
    (machine.proc / "self" / "task" / "100" / "schedstat").unlink()

    assert watch.waiting_fraction() == 0.0


def test_several_threads_that_all_wait_are_no_more_than_everything(machine):
    watch = Stopwatch()
    machine.after(1.0)
    for thread in (100, 101):
        wait(machine.proc / "self", thread, 9_000_000_000)

    assert watch.waiting_fraction() == 1.0


@pytest.mark.parametrize("text", ["", "cpu x 2 3\n", "cpu a b c d e f g h i\n"])
def test_a_system_that_counts_otherwise_tells_nothing(machine, text):
    (machine.proc / "stat").write_text(text)
    (machine.proc / "self" / "status").write_text(text)
    for file in machine.proc.glob("self/task/*/schedstat"):
        file.write_text(text)
    meter = Meter()
    machine.after(1.0)

    found = meter.read()

    assert (found.waiting_fraction, found.stolen_fraction, found.peak_bytes) == (None,) * 3


def test_a_system_without_proc_tells_nothing(machine, monkeypatch):
    monkeypatch.setattr(usage, "_PROCESS", machine.proc / "nowhere")
    monkeypatch.setattr(usage, "_STAT", machine.proc / "nowhere" / "stat")

    found = Meter().read()

    assert (found.waiting_fraction, found.stolen_fraction, found.peak_bytes) == (None,) * 3


def test_this_machine_tells_what_it_can():
    meter = Meter()
    touched = bytearray(20_000_000)

    found = meter.read()

    assert len(touched) == 20_000_000
    assert found.wall_s > 0
    assert found.peak_bytes is None or found.peak_bytes > 20_000_000
    assert found.waiting_fraction is None or 0 <= found.waiting_fraction <= 1
    assert Usage(**vars(found)) == found
