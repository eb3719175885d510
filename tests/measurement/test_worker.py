from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from latprof import runtimes
from latprof.builder import GraphBuilder
from latprof.errors import RuntimeUnavailable
from latprof.fusion import fuse
from latprof.graph import Graph, Tensor
from latprof.kernel import Kernel
from latprof.measurement.network import NetworkTimes
from latprof.measurement.worker import from_dict, serve, to_dict
from latprof.runtimes.protocol import KernelTimes, Stray

EFFORT = {"seconds": 0.0, "least": 2, "most": 2, "rounds": 1}


def job(graph: Graph, **changed: object) -> dict:
    asked = {
        "runtime": "torch-eager",
        "threads": 1,
        "dtype": "fp32",
        "effort": EFFORT,
        "graph": graph.to_dict(),
    }
    return asked | changed


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

    assert len(answer["times_ms"]) == len(answer["profiled_ms"]) == 2
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
    assert good["times_ms"]


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


def test_what_libraries_print_is_no_answer(tiny_graph, monkeypatch, clock, fake_runtime, capsys):
    runtime = fake_runtime(iter([1.0] * 20), iter([1.0] * 20))
    chatty = runtime.open
    runtime.open = lambda *a, **s: (print('{"version": "loud"}'), chatty(*a, **s))[1]
    monkeypatch.setattr(runtimes, "load", lambda name: runtime)

    (answer,) = answers_to(job(tiny_graph))

    assert "times_ms" in answer
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
        times_ms=(1.5, 1.25),
        profiled_ms=(2.5, 2.25),
        kernels=(
            KernelTimes(kernels[0], (1.0, 1.1), 1, ("Conv conv",)),
            KernelTimes(kernels[2], (0.5, 0.6), 2),
        ),
        strays=(Stray("Transpose_7", "Transpose", (0.1, 0.2)),),
        missing=("exp",),
    )

    assert from_dict(json.loads(json.dumps(to_dict(times))), kernels) == times


def test_every_run_of_a_long_measurement_comes_back():
    """Runs and kernels are matched by position; a cut list would pair the wrong ones."""
    kernel = Kernel("conv", "conv")
    runs = tuple(map(float, range(1000)))
    times = NetworkTimes(runs, runs, (KernelTimes(kernel, runs),))

    assert from_dict(to_dict(times), [kernel]) == times
