from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from latprof import runtimes
from latprof.builder import GraphBuilder
from latprof.errors import RuntimeUnavailable
from latprof.fusion import fuse
from latprof.graph import Graph, Tensor
from latprof.kernel import Kernel
from latprof.measurement import worker
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.usage import Usage
from latprof.measurement.worker import from_dict, serve, to_dict
from latprof.runtimes.protocol import KernelTimes, Stray

EFFORT = {"seconds": 0.0, "least": 2, "most": 2, "rounds": 1, "least_rounds": 1}


def job(graph: Graph, **changed: object) -> dict:
    asked = {
        "runtime": "torch-eager",
        "threads": 1,
        "dtype": "fp32",
        "effort": EFFORT,
        "graph": graph.to_dict(),
    }
    return asked | changed


@pytest.fixture
def fresh_canary() -> Iterator[None]:
    """No canary is open from before, and none stays open."""
    worker._canary.cache_clear()
    yield
    worker._canary.cache_clear()


def answers_to(*jobs: dict) -> list[dict]:
    """What `serve` writes: one line of JSON for each job, and nothing else."""
    written = io.StringIO()
    serve([json.dumps(asked) + "\n" for asked in jobs], written)
    assert written.getvalue().endswith("\n")
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_greeting_is_answered_with_the_version():
    (answer,) = answers_to({"runtime": "torch-eager"})

    assert answer == {"version": runtimes.load("torch-eager").version()}


def test_a_job_is_answered_with_its_times(tiny_graph):
    (answer,) = answers_to(job(tiny_graph))

    ((canary_ms, plain_ms, profiled_ms, waiting),) = answer["rounds"]
    assert len(plain_ms) == len(profiled_ms) == 2
    assert len(canary_ms) == 2  # the least
    assert waiting is None or 0 <= waiting <= 1
    assert {name: len(values) for name, values in answer["kernels"].items()} == {
        "conv": 4, "exp": 4, "tanh": 4,  # launches, what was seen, then a time for each run
    }  # fmt: skip
    assert answer["strays"] == answer["missing"] == []


def test_an_error_is_an_answer_and_the_next_job_is_done(tiny_graph):
    builder = GraphBuilder("strange")
    strange = builder.finish(
        builder.add("warp", [builder.input((1, 8))], outputs=[Tensor("warp", (1, 8))])
    )

    bad_op, bad_runtime, good = answers_to(
        job(strange), job(tiny_graph, runtime="torch-eagre"), job(tiny_graph)
    )

    assert "'strange' uses warp" in bad_op["error"]
    assert "Did you mean 'torch-eager'" in bad_runtime["error"]
    assert good["rounds"]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "not enough memory to run this network."),
        (RuntimeUnavailable("no library here"), "no library here"),
    ],
)
def test_what_a_runtime_raises_is_an_answer(tiny_graph, monkeypatch, raised, said):
    class Broken:
        name = "torch-eager"

        def open(self, *arguments: object, **settings: object) -> None:
            raise raised

    monkeypatch.setattr(runtimes, "load", lambda name: Broken())

    assert answers_to(job(tiny_graph)) == [{"error": said}]


def test_what_libraries_print_is_no_answer(
    tiny_graph, monkeypatch, fake_runtime, fresh_canary, capsys
):
    runtime = fake_runtime(itertools.repeat(1.0), itertools.repeat(1.0))
    chatty = runtime.open
    runtime.open = lambda *a, **s: (print('{"version": "loud"}'), chatty(*a, **s))[1]
    monkeypatch.setattr(runtimes, "load", lambda name: runtime)

    (answer,) = answers_to(job(tiny_graph))

    assert "rounds" in answer
    assert "loud" in capsys.readouterr().out


NOISY = """
import os, sys
from latprof import runtimes
from latprof.measurement.worker import main

class Noisy:
    def version(self):
        print('{"version": "printed"}', flush=True)
        os.write(1, b'{"version": "written by C code"}')
        os.system("echo from a child process")
        return "the answer"

runtimes.load = lambda name: Noisy()
main()
"""


def test_a_process_keeps_the_noise_of_its_libraries_out_of_its_answers():
    ended = subprocess.run(
        [sys.executable, "-c", NOISY], input='{"runtime": "x"}\n', text=True,
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert ended.stdout == '{"version": "the answer"}\n'
    for noise in ("printed", "written by C code", "from a child process"):
        assert noise in ended.stderr


def test_times_travel_as_json(tiny_graph):
    kernels = fuse(tiny_graph, "torch-eager")
    times = NetworkTimes(
        rounds=(
            Round((0.5, 0.6), (1.5,), (2.5,), 0.01),
            Round((), (1.25,), (2.25,), None),
        ),
        kernels=(
            KernelTimes(kernels[0], (1.0, 1.1), 1, ("Conv conv",)),
            KernelTimes(kernels[2], (0.5, 0.6), 2),
        ),
        strays=(Stray("Transpose_7", "Transpose", (0.1, 0.2)),),
        missing=("exp",),
        usage=Usage(1.0, 0.02, None, 7, 123_456_789),
        block_ms=1.25,
    )

    assert from_dict(json.loads(json.dumps(to_dict(times))), kernels) == times


def test_every_run_of_a_long_measurement_comes_back():
    """Runs and kernels are matched by position; a cut list would pair the wrong ones."""
    kernel = Kernel("conv", "conv")
    runs = tuple(map(float, range(1000)))
    times = NetworkTimes((Round((), runs, runs),), (KernelTimes(kernel, runs),))

    assert from_dict(to_dict(times), [kernel]) == times


def test_the_canary_stays_open_from_network_to_network(tiny_graph, monkeypatch, fresh_canary):
    opened = []
    runtime = runtimes.load("torch-eager")
    really_open = runtime.open

    def open_noted(graph, *arguments, **settings):
        opened.append((graph.name, settings["profiled"]))
        return really_open(graph, *arguments, **settings)

    monkeypatch.setattr(type(runtime), "open", lambda self, *a, **s: open_noted(*a, **s))
    monkeypatch.setattr(runtimes, "load", lambda name: runtime)

    answers_to(job(tiny_graph), job(tiny_graph))

    assert opened == [("canary", False), *[("tiny", True)] * 2]


def test_a_network_too_large_for_the_memory_is_refused_before_it_is_opened(monkeypatch):
    builder = GraphBuilder("huge")
    x = builder.input((1, 1_000_000))
    weight = builder.parameter("weight", (1_000_000, 1_000_000))  # 4 TB
    graph = builder.finish([builder.add_one("linear", [x, weight])])

    (answer,) = answers_to(job(graph))

    assert "'huge' needs about 20000.0 GB of memory" in answer["error"]
