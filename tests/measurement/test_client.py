"""The measuring process itself, started and ended for real, on a network of microseconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import onnxruntime
import psutil
import pytest

from latprof.builder import GraphBuilder
from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph, Tensor
from latprof.measurement.client import Worker
from latprof.measurement.environment import cores_for
from latprof.measurement.network import Effort

SHORT = Effort(seconds=0, least=3, most=3, rounds=1, least_rounds=1)
ENDLESS = Effort(seconds=600, least=10**9, most=10**9, rounds=1)


@pytest.fixture(scope="module")
def shared() -> Iterator[Worker]:
    """Started once: importing the libraries takes longer than all the measuring here."""
    with Worker("onnxruntime", threads=1, limit_s=60) as worker:
        yield worker


@pytest.fixture
def worker(shared) -> Worker:
    shared.limit_s = 60
    return shared


def pid_of(worker: Worker) -> int:
    assert worker._process is not None
    return worker._process.pid


def strange_graph() -> Graph:
    builder = GraphBuilder("strange")
    x = builder.input((1, 8))
    return builder.finish(builder.add("warp", [x], outputs=[Tensor("warp", (1, 8))]))


def test_a_network_is_measured_by_another_process(worker, tiny_graph):
    times = worker.measure(tiny_graph, SHORT)

    assert worker.version == f"onnxruntime {onnxruntime.__version__}"
    assert pid_of(worker) != os.getpid()
    assert len(times.times_ms) == len(times.profiled_ms) == 3
    assert [k.kernel for k in times.kernels] == list(fuse(tiny_graph, "onnxruntime"))
    assert all(len(k.times_ms) == 3 for k in times.kernels)
    assert len(times.canary_ms) == 1
    assert times.usage.peak_bytes > 10_000_000


def test_the_process_is_pinned_and_set_up_before_its_libraries_load(worker):
    process = psutil.Process(pid_of(worker))

    assert process.cpu_affinity() == cores_for(1)
    said = process.environ()
    assert {said[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"1"}
    assert said["MALLOC_TRIM_THRESHOLD_"] == "1000000000"


def test_an_operator_it_cannot_run_is_an_error_and_the_process_lives_on(worker, tiny_graph):
    before = pid_of(worker)

    with pytest.raises(MeasurementError, match=r"'strange' uses warp, which latprof cannot yet"):
        worker.measure(strange_graph(), SHORT)

    assert worker.measure(tiny_graph, SHORT).times_ms
    assert pid_of(worker) == before


def test_a_process_that_crashes_while_it_measures_costs_one_network(worker, tiny_graph):
    before = pid_of(worker)
    killer = threading.Timer(0.3, os.kill, (before, signal.SIGKILL))
    killer.start()

    with pytest.raises(MeasurementError, match=r"process of onnxruntime was ended by SIGKILL\..*"):
        worker.measure(tiny_graph, ENDLESS)

    killer.join()
    assert worker.measure(tiny_graph, SHORT).times_ms
    assert pid_of(worker) != before


def test_a_process_that_died_between_two_networks_costs_one(worker):
    """The job is larger than what a pipe takes: writing it fails, and so does closing the pipe."""
    builder = GraphBuilder("long")
    x = builder.input((1, 8))
    for _ in range(3000):
        x = builder.add_one("neg", [x])
    long_graph = builder.finish([x])
    os.kill(pid_of(worker), signal.SIGKILL)

    with pytest.raises(MeasurementError, match=r"was ended by SIGKILL"):
        worker.measure(long_graph, SHORT)

    assert psutil.Process(pid_of(worker)).is_running()


def test_a_process_that_hangs_is_ended_and_another_started(worker, tiny_graph):
    before = psutil.Process(pid_of(worker))
    worker.limit_s = 0.3

    with pytest.raises(
        MeasurementError, match=r"onnxruntime did not answer within 0\.3 s; .*--input"
    ):
        worker.measure(tiny_graph, ENDLESS)

    assert not before.is_running()
    worker.limit_s = 60
    assert worker.measure(tiny_graph, SHORT).times_ms


def test_after_an_interrupt_no_answer_is_taken_for_the_next(worker, tiny_graph, monkeypatch):
    class Interrupted:
        def get(self, timeout: float) -> None:
            raise KeyboardInterrupt

    before = psutil.Process(pid_of(worker))
    monkeypatch.setattr(worker, "_answers", Interrupted())

    with pytest.raises(KeyboardInterrupt):
        worker.measure(tiny_graph, Effort(seconds=0, least=7, most=7, rounds=1))

    assert not before.is_running()
    assert len(worker.measure(tiny_graph, SHORT).times_ms) == 3  # started anew


def test_a_runtime_that_does_not_exist_leaves_no_process():
    worker = Worker("onnxruntme", threads=1)

    with pytest.raises(MeasurementError, match=r"unknown runtime 'onnxruntme'.*'onnxruntime'"):
        worker.start()

    assert worker._process is None


def test_a_process_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr("latprof.measurement.client._BOOT", "raise SystemExit('no such machine')")

    with pytest.raises(MeasurementError, match=r"ended with code 1\. It said: no such machine"):
        Worker("onnxruntime", threads=1).start()


def test_an_answer_cut_short_counts_as_a_crash(monkeypatch):
    babble = "input(); print('{\"version\"', end='', flush=True)"
    monkeypatch.setattr("latprof.measurement.client._BOOT", babble)

    with pytest.raises(MeasurementError, match=r"ended with code 0"):
        Worker("onnxruntime", threads=1).start()


def test_complaints_in_any_encoding_and_of_any_length_block_nothing(monkeypatch):
    loud = "import os; os.write(2, b'\\xff\\n' * 200_000); input(); print('{\"version\": \"1\"}')"
    monkeypatch.setattr("latprof.measurement.client._BOOT", loud)

    with Worker("onnxruntime", threads=1) as worker:
        assert worker.version == "1"


def test_code_in_the_current_folder_is_not_run(monkeypatch, tmp_path):
    """A folder of somebody's models may hold a json.py."""
    for name in ("json", "onnxruntime", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the current folder ran')")
    monkeypatch.chdir(tmp_path)

    with Worker("onnxruntime", threads=1) as worker:
        assert worker.version == f"onnxruntime {onnxruntime.__version__}"


def test_the_process_uses_the_latprof_that_asks(monkeypatch, tmp_path):
    """Also when latprof is not installed: only its folder is known."""
    monkeypatch.setattr(
        "latprof.measurement.client._BOOT",
        "import json, sys; input(); print(json.dumps({'version': sys.argv[1]}))",
    )

    with Worker("onnxruntime", threads=1) as worker:
        assert os.path.samefile(worker.version, os.path.dirname(os.path.dirname(
            sys.modules["latprof"].__file__)))  # fmt: skip
