"""What may go wrong while a table is measured: nothing is lost but the visit being made.

`benchmarks/faults.py` is the long version, with fifty real kills.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import psutil
import pytest

from latprof.builder import GraphBuilder
from latprof.graph import Graph
from latprof.measurement import client
from latprof.measurement import sweep as sweep_module
from latprof.measurement import visits as visits_module
from latprof.measurement.client import Worker
from latprof.measurement.sweep import journal_of, sweep
from latprof.measurement.visits import visits
from latprof.sampling import draw_network
from latprof.tables import Target, read_facts, read_table

TARGET = Target("onnxruntime")
REFERENCE = "host/onnxruntime-cpu1-fp32"
STAND_IN = str(Path(__file__).with_name("stand_in.py"))
KILLS = 50

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python with these words in a process of its own; ended if the test does not."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*words: str, **settings: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **settings,  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def wait_for_lines(path: Path, count: int, limit_s: float = 60.0) -> None:
    started = time.monotonic()
    while not path.is_file() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() - started < limit_s, "nothing was measured"
        time.sleep(0.02)


def check_nothing_lost_and_nothing_twice(path: Path, seed: int = 0) -> None:
    """Visits of the journal are those of the plan, in order; the table is of all of them."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    plan = list(islice(visits(seed), len(records)))
    assert [(r["position"], r["number"]) for r in records] == [(v.position, v.number) for v in plan]
    table = read_table(REFERENCE)
    measured = {record["network"] for record in records if "kernels" in record}
    assert set(table.networks["network"]) == measured
    assert not table.networks["network"].duplicated().any()
    assert not table.kernels.duplicated(["network", "name"]).any()
    assert read_facts("host")["targets"][TARGET.name]["visits"] == len(records)


# A kill.


def test_a_measurement_survives_kill_9_at_fifty_random_moments(start):
    """Also while the table is being written: each run would end after some forty visits."""
    chance = random.Random(4)
    path = journal_of(TARGET).path
    begun = start(STAND_IN, "measure", "--time", "400ms")
    said, _ = begun.communicate(timeout=60)
    assert begun.returncode == 0, said
    forker = start(STAND_IN)
    assert forker.stdin is not None
    assert forker.stdout is not None
    seconds, cut, ended = 0.4, 0, 0
    for _ in range(KILLS):
        before = whole_lines(path)
        seconds += 0.04
        print(f"{seconds:.2f}", file=forker.stdin, flush=True)
        child = int(forker.stdout.readline())
        time.sleep(chance.uniform(0.0, 0.15))
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            ended += 1
        code = int(forker.stdout.readline())
        assert code in (0, -signal.SIGKILL)
        cut += code != 0
        assert path.read_bytes().startswith(before)  # it only ever grows
        read_table(REFERENCE)  # as it was or as it is to be, never half
    assert cut >= KILLS / 4, f"only {cut} of {KILLS} were cut off, {ended} had ended"

    last = start(STAND_IN, "measure", "--resume", "--time", f"{seconds + 0.1:.2f}s")
    said, _ = last.communicate(timeout=60)

    assert last.returncode == 0, said
    check_nothing_lost_and_nothing_twice(path)
    left = {file.suffix for file in path.parent.iterdir()} - {".partial"}
    assert left == {".csv", ".toml", ".jsonl", ".lock"}


def test_a_real_measurement_survives_kill_9(start):
    path = journal_of(TARGET).path
    killed = start("-m", "latprof", "measure", "--time", "60s")
    wait_for_lines(path, 6)  # the header and five visits
    workers = psutil.Process(killed.pid).children()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert workers
    assert psutil.wait_procs(workers, timeout=20)[1] == []  # nobody asks them any more
    before = whole_lines(path)
    spent = sum(json.loads(line).get("seconds", 0) for line in before.splitlines())

    resumed = start("-m", "latprof", "measure", "--resume", "--time", f"{spent + 1:.1f}s")
    said, _ = resumed.communicate(timeout=60)

    assert resumed.returncode == 0, said
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes()) > len(before)
    check_nothing_lost_and_nothing_twice(path)


def test_after_a_kill_the_journal_is_locked_no_more_but_before_it_is(start):
    path = journal_of(TARGET).path
    first = start(STAND_IN, "measure", "--time", "1h")
    wait_for_lines(path, 10)

    second = start(STAND_IN, "measure", "--resume", "--time", "1h")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert said == (
        f"latprof: another latprof is measuring into {path}. Wait until it has ended, or measure "
        "another target.\n"
    )

    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    third = start(STAND_IN, "measure", "--resume", "--time", "1ms")
    said, _ = third.communicate(timeout=60)
    assert third.returncode == 0, said
    check_nothing_lost_and_nothing_twice(path)


def heeding_ctrl_c() -> None:
    """A shell that runs the tests in the background has its children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_with_130_and_a_table_of_what_there_is(start):
    path = journal_of(TARGET).path
    process = start(STAND_IN, "measure", "--time", "1h", preexec_fn=heeding_ctrl_c)
    wait_for_lines(path, 10)

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted; what was measured is kept. Go on with --resume" in said
    assert "Traceback" not in said
    check_nothing_lost_and_nothing_twice(path)


# A disk that is full, by way of a limit on how large a file may grow.


def smaller_than(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_journal_that_cannot_grow_ends_the_measurement_and_loses_nothing(start):
    path = journal_of(TARGET).path
    cut = start(STAND_IN, "measure", "--time", "1h", preexec_fn=smaller_than(80_000))
    said, _ = cut.communicate(timeout=60)

    assert cut.returncode == 1
    assert said == (
        f"latprof: cannot write {path}: File too large. What was measured before is kept; free "
        "space or set LATPROF_HOME to another folder, then add --resume.\n"
    )
    assert len(path.read_bytes()) == 80_000  # the last line is torn
    before = whole_lines(path)
    assert before.count(b"\n") > 5

    resumed = start(STAND_IN, "measure", "--resume", "--time", "300ms")
    said, _ = resumed.communicate(timeout=60)

    assert resumed.returncode == 0, said
    assert path.read_bytes().startswith(before)
    check_nothing_lost_and_nothing_twice(path)


def test_a_table_that_cannot_be_written_leaves_the_one_there_was(start):
    path = journal_of(TARGET).path
    table = path.with_name("onnxruntime-cpu1-fp32.csv")
    assert start(STAND_IN, "measure", "--time", "50ms").wait(timeout=60) == 0
    old = table.read_bytes()
    killed = start(STAND_IN, "measure", "--resume", "--time", "1h")
    wait_for_lines(path, old.count(b"\n") // 20 + 20)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()

    full = start(STAND_IN, "measure", "--resume", "--time", "1ms", preexec_fn=smaller_than(500))
    said, _ = full.communicate(timeout=60)

    assert full.returncode == 1
    assert said.startswith(f"latprof: cannot write {table}: File too large.")
    assert "in the journal: once that is solved, the same command with --resume" in said
    assert said.count("\n") == 1
    assert table.read_bytes() == old
    assert not list(path.parent.glob(".*.partial"))

    said, _ = start(STAND_IN, "measure", "--resume", "--time", "1ms").communicate(timeout=60)
    assert table.read_bytes() != old, said
    check_nothing_lost_and_nothing_twice(path)


@pytest.mark.parametrize("folder", ["/proc/latprof", "/dev/null"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    start, monkeypatch, folder
):
    """These refuse even root."""
    monkeypatch.setenv("LATPROF_HOME", folder)

    process = start("-m", "latprof", "measure", "--time", "1h")
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert said.startswith(f"latprof: cannot write {folder}/device_tables/host/onnxruntime-cpu1-")
    assert "LATPROF_HOME" in said
    assert said.count("\n") == 1


# A runtime that fails.

FAULTY = """
import ctypes, os, resource, signal, sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from latprof import runtimes
from latprof.measurement import worker

def out_of_memory():
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 50_000_000, resource.RLIM_INFINITY))
    try:
        np.ones(100_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

FAULTS = {
    "segfault": lambda: ctypes.string_at(0),
    "hang": lambda: time.sleep(1000),
    "exit": lambda: os._exit(3),
    "memory": out_of_memory,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "babble": lambda: os.write(1, b'{"half an answer": ') and os._exit(0),
}
runtime = type(runtimes.load("onnxruntime"))
opened = runtime.open

def open_or_fail(self, graph, *arguments, **settings):
    fate = os.environ["FATES"].split(",")
    names = dict(one.split("=") for one in fate)
    FAULTS.get(names.get(graph.name), lambda: None)()
    return opened(self, graph, *arguments, **settings)

runtime.open = open_or_fail
worker.main()
"""


def huge_graph() -> Graph:
    builder = GraphBuilder("huge")
    x = builder.input((1, 1_000_000))
    weight = builder.parameter("weight", (1_000_000, 1_000_000))
    return builder.finish([builder.add_one("linear", [x, weight])])


def test_a_network_that_breaks_the_runtime_is_listed_and_skipped_and_the_sweep_goes_on(monkeypatch):
    """The measuring process is real, and so are the crashes."""
    monkeypatch.setattr(visits_module, "NETWORKS_IN_A_LAP", 11)
    numbers = [visit.number for visit in islice(visits(0, 2), 11)]
    faults = ["segfault", "hang", "exit", "memory", "killed", "babble", "too large"]
    fate = dict(zip(numbers[1:], faults, strict=False))
    monkeypatch.setenv("FATES", ",".join(f"micro-0-{n}={what}" for n, what in fate.items()))
    monkeypatch.setattr(client, "_BOOT", FAULTY)
    monkeypatch.setattr(sweep_module, "Worker", partial(Worker, limit_s=5.0))
    monkeypatch.setattr(
        sweep_module,
        "draw_network",
        lambda seed, n: huge_graph() if fate.get(n) == "too large" else draw_network(seed, n),
    )
    # Seven fail once, four are visited twice; then the time is up.
    seconds = iter(range(1000))
    monkeypatch.setattr(sweep_module, "monotonic", lambda: float(next(seconds)))

    _, progress = sweep(TARGET, seconds=15.0, times=2)

    assert (progress.networks, progress.failures) == (4, 7)
    records = journal_of(TARGET).read()[1]
    good = [n for n in numbers if n not in fate]
    assert [r["number"] for r in records[:11]] == numbers
    assert sorted(r["number"] for r in records) == sorted(numbers + good)
    facts = read_facts("host")["targets"][TARGET.name]
    said = {fate[r["number"]]: r["error"] for r in records if "error" in r}
    assert len(facts["failed"]) == facts["failures"] == 7
    for number, listed in zip(numbers[1:8], facts["failed"], strict=True):
        name = "huge" if fate[number] == "too large" else f"micro-0-{number}"
        assert listed == f"{name}: {said[fate[number]]}"
    ended = "the measuring process of onnxruntime "
    assert said["segfault"].startswith(f"{ended}was ended by SIGSEGV.")
    assert said["hang"].startswith("onnxruntime did not answer within 5 s; the measuring process")
    assert said["exit"].startswith(f"{ended}ended with code 3.")
    assert said["memory"] == "not enough memory to run this network."
    assert said["killed"].startswith(f"{ended}was ended by SIGKILL. If the machine ran out of mem")
    assert said["babble"].startswith(f"{ended}ended with code 0.")
    assert said["too large"].startswith("'huge' needs about 20000.0 GB of memory to be measured")
    table = read_table(REFERENCE)
    assert set(table.networks["network"]) == {f"micro-0-{n}" for n in good}
