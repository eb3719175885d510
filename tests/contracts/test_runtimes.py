"""What holds for every runtime."""

from __future__ import annotations

import numpy as np
import pytest

from latprof import runtimes
from latprof.fusion import FUSIONS
from latprof.runtimes import ALIASES, RUNTIMES, runtime_name
from latprof.runtimes.protocol import StopsProfiling


def test_for_every_runtime_it_is_known_what_it_launches():
    assert RUNTIMES.keys() <= FUSIONS.keys()


@pytest.mark.parametrize("name", [name for name in RUNTIMES if not runtimes.missing(name)])
def test_a_runtime_goes_by_the_name_it_is_listed_under(name):
    for module in RUNTIMES[name].needs:
        pytest.importorskip(module, reason=f"{name} is not installed")
    runtime = runtimes.load(name)
    assert runtime.name == runtime_name(name) == name
    assert runtime.version().split()[1][0].isdigit()


@pytest.mark.parametrize("alias", ALIASES)
def test_a_short_name_stands_for_a_runtime(alias):
    assert runtime_name(alias) in RUNTIMES


@pytest.mark.parametrize("name", [name for name in RUNTIMES if not runtimes.missing(name)])
def test_every_launch_of_a_small_network_is_a_kernel(name, net):
    x = net.input((1, 30, 8, 8))
    y = net.add_one("relu", [net.norm(net.conv(x, 30, 3, bias=False))])
    graph = net.finish([net.linear(net.add_one("reshape", [y], shape=(1, -1)), 10)])
    kernels = FUSIONS[name](graph)
    session = runtimes.load(name).open(graph, kernels, threads=1, profiled=True)
    session.run()
    session.run()
    times, unforeseen = session.finish()
    assert unforeseen == ()
    assert [found.kernel for found in times] == list(kernels)
    assert all(len(found.times_ms) == 2 for found in times)


@pytest.mark.parametrize("name", [name for name in RUNTIMES if not runtimes.missing(name)])
def test_a_session_that_stops_profiling_runs_on_as_a_plain_one(name, net):
    graph = net.finish([net.conv(net.input((1, 30, 8, 8)), 30, 3)])
    session = runtimes.load(name).open(graph, FUSIONS[name](graph), threads=1, profiled=True)
    if not isinstance(session, StopsProfiling):
        session.finish()
        pytest.skip(f"{name} profiles a session from its start to its end")
    (profiled,) = (np.asarray(value).copy() for value in session.run())

    times, _ = session.stop_profiling()

    assert all(len(found.times_ms) == 1 for found in times)
    (plain,) = (np.asarray(value) for value in session.run())
    assert np.array_equal(plain, profiled)
    assert session.finish() == ((), ())
